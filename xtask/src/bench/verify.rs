//! A result against the f64 reference: no time is taken of what is wrong.

use winoconv::cpu::{Sample, error_bound_at};
use winoconv::plan;
use winoconv::winograd::error_bound;
use winoconv::{DType, Operation, Plan, Problem};

use crate::random::data::{Case, Data};

/// At most so many products go into a reference; larger layers are sampled.
const MAX_PRODUCTS: usize = 40_000_000;
/// At least so many outputs are compared, or all.
const MIN_OUTPUTS: usize = 1000;
/// Outputs whose bounds are computed one by one.
const BOUNDS: usize = 64;
/// A result is right if its relative L2 error is at most so many times the expected one.
const EXPECTED_TIMES: f64 = 8.0;

pub(crate) struct Trials {
    /// Normal numbers; times are taken on them, since zeros can run faster.
    pub normal: Truth,
    /// The same after a ReLU, what most layers of a network read: its mean is not 0, and half of it is.
    pub relu: Truth,
}

impl Trials {
    pub(crate) fn new(problem: Problem) -> Self {
        let truth = |is_rectified: bool| {
            let mut case = Case::new(problem, Data::Normal, 0x5EED);
            if is_rectified {
                case.input.iter_mut().for_each(|x| *x = x.max(0.0));
            }
            Truth::new(case)
        };
        let (normal, relu) = rayon::join(|| truth(false), || truth(true));
        Self { normal, relu }
    }
}

/// A problem's operands, and exact results.
pub(crate) struct Truth {
    pub case: Case,
    sample: Vec<Sample>,
    direct: f64,
    max_input: f64,
    max_weight: f64,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Errors {
    pub rel_l2: f64,
    pub max_abs: f64,
    /// No output may be further off than this, whatever the data between the same largest values.
    pub bound: f64,
    pub direct: f64,
    pub verified: bool,
}

impl Truth {
    pub(crate) fn new(case: Case) -> Self {
        let reference = case.reference();
        let count = (MAX_PRODUCTS / case.problem.terms().max(1)).max(MIN_OUTPUTS);
        let max = |values: &[f32]| values.iter().fold(0.0f32, |max, x| max.max(x.abs())).into();
        let sample = reference.sample(count);
        let sums = sample.iter().map(|sample| (f64::from(reference.sequential(sample.index)), sample.value));
        let direct = rel_l2(sums);
        let [max_input, max_weight] = [max(&case.input), max(&case.weights)];
        Self { case, sample, direct, max_input, max_weight }
    }

    pub(crate) fn compare(&self, plan: &Plan, output: &[f32]) -> Errors {
        let pairs = || self.sample.iter().map(|sample| (f64::from(output[sample.position]), sample.value));
        let rel_l2 = rel_l2(pairs());
        // A NaN makes no maximum.
        let complete = pairs().all(|(got, exact)| (got - exact).is_finite());
        let max_abs = pairs().map(|(got, exact)| (got - exact).abs()).fold(0.0, f64::max);
        let of_all = self.bound_of_all(plan.problem(), plan);
        let (bound, is_within) =
            of_all.map_or_else(|| self.bounds_of_some(plan, output), |bound| (bound, max_abs <= bound));
        let verified = complete && rel_l2 <= EXPECTED_TIMES * plan.expected_error() && is_within;
        Errors { rel_l2, max_abs, bound, direct: self.direct, verified }
    }

    /// What no output may be off by; none where each has a bound of its own.
    fn bound_of_all(&self, problem: &Problem, plan: &Plan) -> Option<f64> {
        let algorithm = plan.algorithm();
        if problem.operation() != Operation::Forward || problem.conv().dtype != DType::F32 {
            return None;
        }
        Some(match algorithm.transform() {
            Some(nested) => {
                let channels = problem.channels_per_group();
                let usual = error_bound::worst_case_bound(nested, channels, self.max_input, self.max_weight);
                let roundings = [plan::roundings(problem, algorithm), error_bound::roundings(nested, channels)];
                let [own, programs] = roundings.map(error_bound::gamma);
                // The exhibit rounds more often than the programs of its transforms.
                if own > programs { usual * (own / programs) } else { usual }
            }
            None => {
                let terms = problem.terms();
                let gamma = error_bound::gamma(u32::try_from(terms + 1).unwrap_or(u32::MAX));
                gamma * terms as f64 * self.max_input * self.max_weight
            }
        })
    }
}

impl Truth {
    /// The largest bound of some outputs, each by itself, and whether all of these are within theirs; 0, where one has none.
    fn bounds_of_some(&self, plan: &Plan, output: &[f32]) -> (f64, bool) {
        let apart = self.sample.len().div_ceil(BOUNDS);
        let some = || self.sample.iter().step_by(apart.max(1));
        let indices: Vec<usize> = some().map(|sample| sample.index).collect();
        let Ok(bounds) = error_bound_at(&self.case.reference(), plan.choice(), &indices) else { return (0.0, false) };
        let off = some().map(|sample| (f64::from(output[sample.position]) - sample.value).abs());
        let is_within = off.zip(&bounds).all(|(off, bound)| off <= *bound);
        (bounds.into_iter().fold(0.0, f64::max), is_within)
    }
}

fn rel_l2(pairs: impl Iterator<Item = (f64, f64)>) -> f64 {
    let (error, size) = pairs
        .fold((0.0, 0.0), |(error, size), (got, exact)| (error + (got - exact) * (got - exact), size + exact * exact));
    (error / size).sqrt()
}

#[cfg(test)]
mod tests {
    use winoconv::caps::Caps;
    use winoconv::{Algorithm, Conv, Preferences};

    use super::*;

    #[test]
    fn what_is_wrong_is_not_verified() {
        let problem = Conv::new(2, 2, [3, 3]).padding(1).on([1, 2, 8, 8]).expect("legal");
        let Trials { normal, relu } = Trials::new(problem);
        let plan = Plan::new(&problem, &Caps::cpu(), &Preferences::new().algorithm(Algorithm::Direct)).expect("a plan");
        let compare = |output: &[f32]| normal.compare(&plan, output);
        let exact = |truth: &Truth| -> Vec<f32> { truth.sample.iter().map(|sample| sample.value as f32).collect() };
        let mut output = exact(&normal);
        let errors = compare(&output);
        assert!(errors.verified, "the truth");
        assert!(errors.rel_l2 < errors.direct && errors.direct < 3e-7, "rounded once, and 18 times: {errors:?}");
        for wrong in [output[77] + 1e-3, f32::NAN] {
            output[77] = wrong;
            assert!(!compare(&output).verified, "{wrong} is off");
        }
        assert!(!compare(&exact(&relu)).verified, "each kind of input has a truth of its own");
        assert!(relu.case.input.iter().all(|&x| x >= 0.0) && normal.case.input.iter().any(|&x| x < 0.0));
    }
}
