//! The estimate of a run: a dispatch takes a fixed time, moves its bytes, does its multiply-adds; the planner adds these up
//! and takes the least.

use super::{fused, gemm, gemm_units, multiply, patch, units};
use crate::caps::Caps;
use crate::kernel::{Depthwise, DirectParams, Dot, KernelSpec, MultiplyParams, Params as _};
use crate::plan::build::{Dispatch, summed};
use crate::plan::choose::Algorithm;
use crate::plan::device::rates;
use crate::plan::device::rates::{Rates, count};
use crate::problem::{Operation, Problem};
use crate::winograd::Nested;

/// The estimate of a run.
pub(in crate::plan) fn estimate_ns(problem: &Problem, steps: &[Dispatch], algorithm: Algorithm, caps: &Caps) -> u64 {
    let rates = rates(caps.kind);
    let rows = |nested| problem.conv.groups * summed(problem, nested);
    let seconds: f64 = match algorithm {
        Algorithm::Direct | Algorithm::Depthwise => {
            let groups: u64 = steps.iter().map(Dispatch::blocks).sum();
            let fill = part_filled(groups, rates);
            let sums = steps.iter().filter(|step| !matches!(step.kernel, KernelSpec::DepthwisePatch(_)));
            let waits: f64 = sums.map(|step| count(step.kernel.sum(&step.params).weights) * TAP).sum();
            let summed = steps.iter().map(work).sum::<f64>() / (rates.direct * fill);
            let patches: f64 = steps.iter().map(|step| patch::seconds(step, rates)).sum();
            rates.dispatch * count(steps.len()) + summed + waits * rates.cycle + patches
        }
        Algorithm::Dot => {
            let groups: u64 = steps.iter().map(Dispatch::blocks).sum();
            let fill = part_filled(groups, rates);
            let weights = 4.0 * count(problem.weights_len());
            let summed = steps.iter().map(work).sum::<f64>() / (rates.direct * fill);
            let turns: f64 = steps.iter().map(|step| dot_turns(step, rates)).sum();
            rates.dispatch * count(steps.len()) + summed + weights / rates.bytes + turns * TURN * rates.cycle
        }
        Algorithm::ImplicitGemm => {
            let product = |step| gemm::seconds(step, rates) + gemm_units::seconds(step, rates);
            let product: f64 = steps.iter().map(product).sum();
            rates.dispatch * count(steps.len()) + product
        }
        Algorithm::Staged(nested) => {
            let products = |step| multiply::seconds(step, rates) + units::seconds(step, rates);
            let multiply: f64 = steps.iter().map(products).sum();
            let transforms = match problem.operation {
                Operation::WeightGradient => factors_seconds(problem, steps, rates),
                // Input and output once, V and M written and read.
                _ => transform_seconds(problem, nested, rows(nested) + problem.conv.filters, rates),
            };
            rates.dispatch * count(steps.len()) + multiply + transforms
        }
        // Never compared with another: each product that is written out reads both of its factors from a cache.
        Algorithm::Inlined(nested, _) => {
            let terms = steps.iter().find_map(|step| match &step.kernel {
                KernelSpec::WinogradInlined(kernel) => kernel.terms().ok(),
                _ => None,
            });
            let tiles = pixels(problem) / count(nested.outputs());
            let sums = tiles * count(problem.conv.filters) * count(summed(problem, nested));
            let products = 8.0 * count(terms.unwrap_or(0)) * sums / rates.bytes;
            rates.dispatch * count(steps.len()) + products + transform_seconds(problem, nested, rows(nested), rates)
        }
        Algorithm::FusedOutput(nested) | Algorithm::Fused(nested) | Algorithm::FusedFilter(nested) => {
            let fused: f64 = steps
                .iter()
                .filter_map(|step| match &step.kernel {
                    KernelSpec::WinogradFused(kernel) => Some((kernel, step)),
                    _ => None,
                })
                .map(|(kernel, step)| fused::seconds_of_step(kernel, step, rates))
                .sum();
            let transform = match algorithm {
                Algorithm::FusedOutput(_) => transform_seconds(problem, nested, rows(nested), rates),
                _ => 0.0,
            };
            rates.dispatch * count(steps.len()) + fused + transform
        }
    };
    nanoseconds(seconds)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "nanoseconds of a run")]
fn nanoseconds(seconds: f64) -> u64 {
    (seconds * 1e9) as u64
}

/// An element of the source in operations of `direct` with 8 filters, which has 16 for each: where it stands, whether it
/// stands there, a load. This and the next two were fitted on lavapipe, 2026-11-24: `direct` with 1, 4 and 8 filters, six
/// depthwise layers, on a busy machine. On a GPU they are not measured.
const ELEMENT: f64 = 9.0;
/// The same of a weight and a multiply-add.
const PRODUCT: f64 = 0.875;
/// The same of an element that stands beside the one before.
const NEXT_ELEMENT: f64 = 3.3;

/// What a step of `direct` or `depthwise` does, in operations of `direct` with 8 filters; nothing, if it is of neither.
fn work(step: &Dispatch) -> f64 {
    if !matches!(step.kernel, KernelSpec::Direct(_) | KernelSpec::Depthwise(_) | KernelSpec::Dot(_)) {
        return 0.0;
    }
    let sum = step.kernel.sum(&step.params);
    let params = DirectParams::from_words(&step.params);
    // Of the last workgroup all invocations compute, also those past the last position: at one position all but one.
    let positions = f64::from(params.end - params.first);
    let computed = match &step.kernel {
        KernelSpec::Dot(_) => positions,
        kernel => (positions / f64::from(kernel.workgroup_size())).ceil() * f64::from(kernel.workgroup_size()),
    };
    let units = computed * f64::from(step.grid[1]);
    let (tap_rows, taps) = (count(sum.tap_rows), count(sum.weights));
    let each = f64::from(Depthwise::EACH);
    units
        * match &step.kernel {
            KernelSpec::Dot(kernel) => {
                taps.max(f64::from(kernel.invocations)) * (ELEMENT + PRODUCT * f64::from(Dot::FILTERS))
            }
            KernelSpec::Direct(kernel) => taps * (ELEMENT + PRODUCT * f64::from(kernel.filters)),
            KernelSpec::Depthwise(Depthwise { moves: true, .. }) => {
                tap_rows * (each - 1.0) * NEXT_ELEMENT + taps * (ELEMENT + PRODUCT * each)
            }
            KernelSpec::Depthwise(_) => taps * (ELEMENT + (each - 1.0) * NEXT_ELEMENT + PRODUCT * each),
            _ => 0.0,
        }
}

/// Cycles that an invocation of `direct` waits for a tap's loads, one after the other: measured on an H200, 2026-11-30, where sums of
/// 120 to 2048 taps for one output took 160 ns a tap.
const TAP: f64 = 317.0;
/// Cycles that an invocation of `dot` waits for a row's loads: what a load from memory takes on large GPUs.
const TURN: f64 = 700.0;
/// Workgroups of `dot` that a unit holds at a time.
const DOTS_HELD: f64 = 8.0;

/// How often the invocations of `dot` wait for loads, one time after the other.
fn dot_turns(step: &Dispatch, rates: &Rates) -> f64 {
    let KernelSpec::Dot(kernel) = &step.kernel else { return 0.0 };
    let turns = step.kernel.sum(&step.params).weights.div_ceil(kernel.invocations as usize);
    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
    let rounds = (step.blocks() as f64 / (DOTS_HELD * rates.units)).max(1.0);
    count(turns) * rounds
}

/// What the transforms of so many channels move: each tensor once, its planes once; the multiply's model has the rest.
fn transform_seconds(problem: &Problem, nested: Nested, channels: usize, rates: &Rates) -> f64 {
    let expansion = count(nested.products()) / count(nested.outputs());
    4.0 * pixels(problem) * count(channels) * (1.0 + expansion) / rates.bytes
}

/// The same where both factors are transformed in the run: all three tensors, U and V, and M of each run.
fn factors_seconds(problem: &Problem, steps: &[Dispatch], rates: &Rates) -> f64 {
    let tensors = problem.input_len() + problem.weights_len() + problem.output_len();
    let planes = |step: &Dispatch| match &step.kernel {
        KernelSpec::WinogradMultiply(_) => {
            let params = MultiplyParams::from_words(&step.params);
            let [batches, sum, filters, tiles] =
                [params.batches, params.group_c, params.k_stride, params.t_stride].map(f64::from);
            batches * (sum * (filters + tiles) + filters * tiles)
        }
        _ => 0.0,
    };
    4.0 * (count(tensors) + steps.iter().map(planes).sum::<f64>()) / rates.bytes
}

/// Places of outputs.
fn pixels(problem: &Problem) -> f64 {
    problem.correlations().iter().map(|of| count(of.n * of.out_len())).sum()
}

#[expect(clippy::cast_precision_loss, reason = "an estimate")]
fn part_filled(groups: u64, rates: &Rates) -> f64 {
    (groups as f64 / rates.full as f64).min(1.0)
}
