//! How far the results of a choice are expected to be from the exact ones, and whether a tolerance admits that.

use super::algorithm::Algorithm;
use super::choice::{Choice, Cut};
use super::preferences::Tolerance;
use super::verdict::Reason;
use crate::caps::{Caps, DeviceKind};
use crate::dtype::DType;
use crate::plan::build::Windows;
use crate::plan::cpu::SUM;
use crate::problem::{Operation, Problem};
use crate::winograd::Nested;
use crate::winograd::error_bound::{self, Rounding};

/// What a problem's errors depend on, beside the choice: found once, since a planner asks for hundreds of choices.
#[derive(Debug, Clone, Copy)]
pub(in crate::plan) struct Errors {
    /// Products in a sum, on average.
    terms: usize,
    /// What Winograd sums over, if it computes the problem: blocks, if there are any, are of the algorithm.
    windows: Option<Windows>,
    /// Channels of a group.
    channels: usize,
    /// How often shaders round, or their twins.
    rounding: Rounding,
    /// Whether the CPU's kernels compute it, where they have the algorithm.
    on_cpu: bool,
    /// Of rounding the outputs when they are stored, if that is not what arithmetic does anyway.
    stored: f64,
}

impl Errors {
    pub(in crate::plan) fn on(problem: &Problem, caps: &Caps) -> Self {
        let stored = match problem.result_type {
            DType::F32 => 0.0,
            dtype => error_bound::expected_rounding_error(dtype.unit_roundoff()),
        };
        let (windows, channels) = (Windows::of_problem(problem).ok(), problem.channels_per_group());
        let rounding = match caps.kind {
            // Of the CPUs we know, those that shaders run on through a driver do not fuse, and neither do twins.
            DeviceKind::SoftwareGpu | DeviceKind::Cpu => Rounding::Separate,
            _ => Rounding::Fused,
        };
        let on_cpu = caps.kind == DeviceKind::Cpu && problem.operation != Operation::WeightGradient;
        Self { terms: problem.mean_terms(), windows, channels, rounding, on_cpu, stored }
    }

    /// The same for images so large that no sum is cut short by a border: direct summation's error is the largest then.
    pub(in crate::plan) fn of_whole_sums(problem: &Problem, caps: &Caps) -> Self {
        Self { terms: problem.terms(), ..Self::on(problem, caps) }
    }

    /// What storing the outputs adds to the errors of arithmetic.
    pub(in crate::plan) const fn stored(&self) -> f64 {
        self.stored
    }

    /// Whether a kernel of the CPU's computes a choice. The twins are what a cut is of.
    fn is_own(&self, choice: Choice) -> bool {
        self.on_cpu && matches!(choice.algorithm, Algorithm::Staged(_)) && choice.cut == Cut::Only
    }

    /// The effective length of a sequential sum over the rows of U and V.
    fn longest_sum(&self, choice: Choice, algorithm: Nested) -> usize {
        let rows = self.windows.map_or(self.channels, |windows| windows.in_blocks_of(algorithm).group_rows());
        if self.is_own(choice) && rows > SUM {
            // Sums of so many rows, and then one of those.
            return SUM + rows.div_ceil(SUM);
        }
        choice.cut.longest_sum(rows)
    }

    /// Relative L2 of the arithmetic on normally distributed data.
    pub(in crate::plan) fn normal(&self, choice: Choice) -> f64 {
        match choice.algorithm.transform() {
            None => error_bound::expected_error_direct(self.terms),
            Some(nested) => {
                let sum = self.longest_sum(choice, nested);
                let by_units = |halves| error_bound::expected_error_by_units(nested, sum, halves, false);
                choice.cut.halves().map_or_else(|| error_bound::expected_error(nested, sum), by_units)
            }
        }
    }

    /// The same on what a ReLU leaves of them.
    pub(in crate::plan) fn after_relu(&self, choice: Choice) -> f64 {
        match choice.algorithm.transform() {
            None => error_bound::expected_error_direct_after_relu(self.terms),
            Some(nested) => {
                let rounding = if self.is_own(choice) { Rounding::FusedAndWeightsOnce } else { self.rounding };
                let sum = self.longest_sum(choice, nested);
                let by_units = |halves| error_bound::expected_error_by_units(nested, sum, halves, true);
                let plain = || error_bound::expected_error_after_relu(nested, sum, rounding);
                choice.cut.halves().map_or_else(plain, by_units)
            }
        }
    }

    /// The least tolerance of the same kind that admits a choice, rounded up to three digits; none where there is no such
    /// number.
    pub(in crate::plan) fn admitting(&self, choice: Choice, tolerance: Tolerance) -> Option<Tolerance> {
        let direct = Algorithm::Direct.into();
        let least = match tolerance {
            Tolerance::TimesDirect(_) => {
                (self.normal(choice) / self.normal(direct)).max(self.after_relu(choice) / self.after_relu(direct))
            }
            _ => self.normal(choice).max(self.after_relu(choice)).hypot(self.stored),
        };
        if !(least.is_finite() && least > 0.0) {
            return None;
        }
        // A little more, since a quotient is rounded.
        let scale = 10f64.powf(2.0 - least.log10().floor());
        let up = (least * (1.0 + 1e-9) * scale).ceil() / scale;
        Some(match tolerance {
            Tolerance::TimesDirect(_) => Tolerance::TimesDirect(up),
            Tolerance::RelativeL2(_) => Tolerance::RelativeL2(up),
            Tolerance::Any => Tolerance::Any,
        })
    }

    /// Whether a choice's errors are within the tolerance, on both kinds of data.
    pub(in crate::plan) fn within(&self, choice: Choice, tolerance: Tolerance) -> Result<(), Reason> {
        // What the tolerance is relative to is always within it, and so is what sums in the same order.
        if choice.algorithm.transform().is_none() && matches!(tolerance, Tolerance::TimesDirect(_)) {
            return Ok(());
        }
        let direct = Algorithm::Direct.into();
        let both = [(self.normal(choice), self.normal(direct)), (self.after_relu(choice), self.after_relu(direct))];
        for (after_relu, (expected, direct)) in [false, true].into_iter().zip(both) {
            // Storing costs every choice the same: what is relative to direct summation is not to hide behind it.
            let expected = match tolerance {
                Tolerance::TimesDirect(_) => expected,
                _ => expected.hypot(self.stored),
            };
            let allowed = tolerance.allowed(direct);
            if expected > allowed {
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "positive and below 1e6")]
                let units = |error: f64| (error * 1e12).round() as u64;
                return Err(Reason::Tolerance { after_relu, expected: units(expected), allowed: units(allowed) });
            }
        }
        Ok(())
    }
}
