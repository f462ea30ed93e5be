//! What a candidate's output is held against: the f64 reference at some outputs, within the rigorous bound there, and
//! whether all outputs around them were written.

use std::collections::HashMap;
use std::fmt;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use super::data::Data;
use crate::activation::Activation;
use crate::cpu::{self, Reference, Sample};
use crate::plan::{self, Plan};
use crate::problem::Problem;
use crate::winograd::Nested;

/// Outputs that are compared, or all.
const OUTPUTS: usize = 128;
/// Outputs around each of them that must have been written.
const WINDOW: usize = 1 << 15;
/// A result is right if its relative L2 error is at most so many times the expected one: the bound on each output is
/// a hundred times what errors are, and would let a transform pass that is a little wrong. Errors of few outputs scatter.
const EXPECTED_TIMES: f64 = 8.0;

/// How far a verified result is from the reference.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Errors {
    /// The largest error in parts of its bound: at most 1.
    pub of_bound: f64,
    /// Relative L2.
    pub relative_l2: f64,
}

/// What is wrong with a result.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Fault {
    /// An output was not written, or is no number.
    Unwritten {
        /// Its position.
        index: usize,
    },
    /// An output is further off than its bound.
    Bound {
        /// Its position.
        index: usize,
        /// What came.
        got: f32,
        /// The exact value.
        exact: f64,
        /// How far off it may be.
        bound: f64,
    },
    /// All outputs together are further off than is expected.
    Spread {
        /// Their relative L2 error.
        relative_l2: f64,
        /// The most that is taken for right.
        allowed: f64,
    },
    /// The bound cannot be computed.
    NoBound {
        /// Why.
        why: String,
    },
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unwritten { index } => write!(f, "output {index} was not written, or is no number"),
            Self::Bound { index, got, exact, bound } => {
                write!(f, "output {index} is {got}, expected {exact} within {bound:.1e}")
            }
            Self::Spread { relative_l2, allowed } => {
                write!(f, "the relative L2 error is {relative_l2:.1e}, at most {allowed:.1e} is right")
            }
            Self::NoBound { why } => write!(f, "its error has no bound: {why}"),
        }
    }
}

/// Bounds of the compared outputs, for each transform and count of roundings.
type Bounds = HashMap<(Option<Nested>, u32), Vec<f64>>;

pub(super) struct Truth<'a> {
    reference: Reference<'a>,
    /// By position.
    sample: Vec<Sample>,
    windows: Vec<Range<usize>>,
    bounds: Mutex<Bounds>,
}

impl<'a> Truth<'a> {
    pub(super) fn new(problem: &'a Problem, data: &'a Data) -> Self {
        let Data { input, weights, bias, slopes, residual } = data;
        let reference = Reference { problem, input, weights, bias, slopes, residual };
        let mut sample = reference.sample(OUTPUTS);
        sample.sort_by_key(|sample| sample.position);
        sample.dedup_by_key(|sample| sample.position);
        let len = problem.output_len();
        let mut windows: Vec<Range<usize>> = Vec::new();
        for sample in &sample {
            let start = sample.position / WINDOW * WINDOW;
            let end = (start + WINDOW).min(len);
            match windows.last_mut() {
                Some(last) if last.end >= start => last.end = end,
                _ => windows.push(start..end),
            }
        }
        Self { reference, sample, windows, bounds: Mutex::default() }
    }

    /// The outputs that are looked at, in order.
    pub(super) fn windows(&self) -> &[Range<usize>] {
        &self.windows
    }

    /// Judges the outputs in the windows, one window after the other.
    pub(super) fn check(&self, plan: &Plan, shown: &[f32]) -> Result<Errors, Fault> {
        let positions = self.windows.iter().cloned().flatten();
        // Between the rows of a strided output nothing is written.
        let gaps = self.reference.len() < self.reference.problem.output_len();
        if let Some((index, _)) = positions.zip(shown).find(|(_, value)| !gaps && !value.is_finite()) {
            return Err(Fault::Unwritten { index });
        }
        let bounds = self.bounds(plan)?;
        let (mut of_bound, mut error, mut size) = (0.0f64, 0.0, 0.0);
        for (&Sample { position: index, value: exact, .. }, &bound) in self.sample.iter().zip(&bounds) {
            let got = shown.get(self.place(index)).copied().filter(|got| got.is_finite());
            let got = got.ok_or(Fault::Unwritten { index })?;
            let off = (f64::from(got) - exact).abs();
            if off > bound {
                return Err(Fault::Bound { index, got, exact, bound });
            }
            if off > 0.0 {
                of_bound = of_bound.max(off / bound);
            }
            error += off * off;
            size += exact * exact;
        }
        let relative_l2 = if error > 0.0 { (error / size).sqrt() } else { 0.0 };
        let allowed = EXPECTED_TIMES * plan.expected_error();
        // Of what an activation leaves of a value no error is expected.
        if self.reference.problem.conv.activation == Activation::None && relative_l2 > allowed {
            return Err(Fault::Spread { relative_l2, allowed });
        }
        Ok(Errors { of_bound, relative_l2 })
    }

    /// Where an output stands among those shown.
    fn place(&self, index: usize) -> usize {
        let mut before = 0;
        for window in &self.windows {
            if window.contains(&index) {
                return before + index - window.start;
            }
            before += window.len();
        }
        before
    }

    fn bounds(&self, plan: &Plan) -> Result<Vec<f64>, Fault> {
        let key = (plan.algorithm.transform(), plan::roundings(&plan.problem, plan.choice()));
        let known = || self.bounds.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bounds) = known().get(&key) {
            return Ok(bounds.clone());
        }
        let positions: Vec<usize> = self.sample.iter().map(|sample| sample.index).collect();
        let bounds = cpu::error_bound_at(&self.reference, plan.choice(), &positions)
            .map_err(|error| Fault::NoBound { why: error.to_string() })?;
        known().insert(key, bounds.clone());
        Ok(bounds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::caps::Caps;
    use crate::conv::Conv;
    use crate::plan::Preferences;

    #[test]
    fn what_is_wrong_is_named() {
        let problem = Conv::new(3, 8, [3, 3]).padding(1).on([2, 3, 61, 67]).expect("legal");
        let data = Data::new(&problem);
        let truth = Truth::new(&problem, &data);
        let plan = Plan::new(&problem, &Caps::cpu(), &Preferences::new()).expect("a plan");
        #[expect(clippy::cast_possible_truncation, reason = "the nearest f32")]
        let right: Vec<f32> = truth.reference.all().iter().map(|&x| x as f32).collect();
        let shown = |output: &[f32]| -> Vec<f32> {
            truth.windows().iter().flat_map(|window| &output[window.clone()]).copied().collect()
        };
        let errors = truth.check(&plan, &shown(&right)).unwrap_or_else(|fault| panic!("{fault}"));
        assert!(errors.of_bound < 1.0 && errors.relative_l2 < f64::from(f32::EPSILON), "{errors:?}");
        let with = |change: &dyn Fn(&mut Vec<f32>)| {
            let mut output = right.clone();
            change(&mut output);
            truth.check(&plan, &shown(&output)).expect_err("wrong")
        };
        let compared = truth.sample[77].index;
        let beside = (0..right.len()).find(|at| truth.sample.iter().all(|sample| sample.index != *at)).expect("one");
        assert_eq!(with(&|output| output[beside] = f32::NAN), Fault::Unwritten { index: beside });
        let fault = with(&|output| output[compared] += 0.01);
        assert!(matches!(fault, Fault::Bound { index, .. } if index == compared), "{fault}");
        let fault = with(&|output| output.iter_mut().for_each(|x| *x *= 1.0 + 20.0 * f32::EPSILON));
        assert!(matches!(fault, Fault::Spread { .. }), "{fault}");
    }

    /// Of a large output there are windows, the first and the last output in them, and every compared one in its place.
    #[test]
    fn windows_hold_what_is_compared() {
        let problem = Conv::new(1, 37, [1, 1]).on([2, 1, 501, 503]).expect("legal");
        let data = Data::new(&problem);
        let truth = Truth::new(&problem, &data);
        let all: Vec<usize> = truth.windows().iter().cloned().flatten().collect();
        assert!(all.len() < problem.output_len() / 2, "{} of {}", all.len(), problem.output_len());
        assert_eq!((all.first(), all.last()), (Some(&0), Some(&(problem.output_len() - 1))));
        assert_eq!(truth.sample.len(), OUTPUTS);
        for sample in &truth.sample {
            assert_eq!(all[truth.place(sample.index)], sample.index);
        }
    }
}
