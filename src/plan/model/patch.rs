//! How many outputs an invocation of `depthwise_patch` computes, and how long that takes: counted from its text, not measured.

use crate::caps::{Caps, DeviceKind};
use crate::correlation::Correlation;
use crate::kernel::{DepthwisePatch, DirectParams, Epilogue, KernelSpec, Params as _, PatchBlocking, Storage};
use crate::plan::build::Dispatch;
use crate::plan::device::rates;
use crate::plan::device::rates::{Rates, count};
use crate::problem::Problem;

/// Instructions that take as long as one operation of [`Rates::direct`].
const INSTRUCTIONS: f64 = 3.5;
/// Instructions of an invocation that do not grow with its patch: where it lies, three divisions.
const PLACE: f64 = 90.0;
/// The same of an element: its place, a load, a mask.
const ELEMENT: f64 = 4.0;
/// The same of a weight.
const WEIGHT: f64 = 3.0;
/// The same of an output: its place, two comparisons, a store.
const OUTPUT: f64 = 4.0;
/// Instructions that a unit of a GPU issues while it serves one line of a cache.
const LINE: f64 = 4.0;
/// Invocations that a unit runs together.
const BUNDLE: f64 = 32.0;
/// Cycles that an invocation waits for its weights and for the source, all elements of which are loaded at once.
const LOADS: f64 = 1400.0;

/// The patch with the least estimate, where there is a text for all of a problem's correlations. Twins walk one output after
/// the other.
pub(in crate::plan) fn blocking(problem: &Problem, storage: Storage, caps: &Caps) -> Option<PatchBlocking> {
    let (all, rates) = (problem.correlations(), rates(caps.kind));
    let epilogue = Epilogue::of(&problem.conv);
    let seconds = |blocking: PatchBlocking| -> Option<f64> {
        let of = |of: &Correlation| {
            let kernel = DepthwisePatch::of(of, blocking, epilogue, storage)?;
            let runs = kernel.spec().check(&caps.limits).is_ok();
            runs.then(|| seconds_of(&kernel, count(kernel.patches(of) * of.group_k * of.n), rates))
        };
        all.iter().map(of).sum()
    };
    let timed = PatchBlocking::ALL.into_iter().filter_map(|blocking| Some((seconds(blocking)?, blocking)));
    let fastest = timed.min_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, blocking)| blocking);
    fastest.filter(|_| caps.kind != DeviceKind::Cpu)
}

/// The estimate of a step; nothing, if it is not of this kernel.
pub(super) fn seconds(step: &Dispatch, rates: &Rates) -> f64 {
    let KernelSpec::DepthwisePatch(kernel) = &step.kernel else { return 0.0 };
    let p = DirectParams::from_words(&step.params);
    let [_, filters, images] = step.grid.map(f64::from);
    seconds_of(kernel, f64::from(p.end - p.first) * filters * images, rates)
}

fn seconds_of(kernel: &DepthwisePatch, patches: f64, rates: &Rates) -> f64 {
    let [covered_columns, covered_rows] = kernel.covered().map(f64::from);
    let PatchBlocking { columns, .. } = kernel.blocking;
    let [outputs, weights] = [kernel.blocking.outputs(), kernel.weights()].map(f64::from);
    let elements = covered_columns * covered_rows;
    let issued = PLACE + ELEMENT * elements + (WEIGHT + outputs) * weights + OUTPUT * outputs;
    // Neighbours along a row load, and write, elements that lie apart; neighbouring channels have a filter each.
    let apart = f64::from(columns);
    let lines = match kernel.by_channels {
        true => elements + outputs + weights * weights.min(BUNDLE),
        false => elements * apart * f64::from(kernel.stride) + outputs * apart + weights,
    };
    let instructions = if rates.lanes.is_some() { issued } else { issued.max(LINE * lines) };
    let workgroups = patches / f64::from(DepthwisePatch::WORKGROUP);
    let fill = (workgroups / count(rates.full as usize)).min(1.0);
    patches * instructions / (INSTRUCTIONS * rates.direct * fill) + LOADS * rates.cycle
}
