//! A program's steps on the CPU, over slices: everything but the convolutions, which are layers. Each element is computed in one
//! order, whatever thread does it, so results do not depend on the number of threads.

mod map;
mod matmul;
mod pool;
mod reduce;
mod resample;
mod rows;
mod source;

pub(super) use map::coalesced;

use self::source::{Source, Sources};
use super::compile::{AxisTaps, Place, Step, Work};

/// Runs a step that is no convolution.
pub(super) fn run(step: &Step, sources: &Sources<'_>, output: &mut [f32]) {
    let source = |i: usize| Source { data: sources[i], place: &step.inputs[i] };
    match &step.work {
        // A convolution is a layer's, and outputs are encoded when all is done.
        Work::Conv(_) | Work::Encode(_) => {}
        Work::Pool(window) => pool::run(window, source(0), &step.output, output),
        Work::MatMul => matmul::run(source(0), source(1), &step.output, output),
        _ => run_in_order(step, sources, output),
    }
}

/// Runs a step to which all axes are alike, with its axes as they follow one another in the output's memory: elements of a row lie
/// side by side.
fn run_in_order(step: &Step, sources: &Sources<'_>, output: &mut [f32]) {
    let order = match &step.work {
        // Axes of the output that have one element may stand anywhere.
        Work::Reduce(_) if step.output.permuted(&step.inputs[0].order()).is_row_major() => step.inputs[0].order(),
        _ => step.output.order(),
    };
    let to = &step.output.permuted(&order);
    let inputs: Vec<Place> = step.inputs.iter().map(|place| place.permuted(&order)).collect();
    let axis = |of: usize| order.iter().position(|&axis| axis == of).unwrap_or(of);
    let first = || Source { data: sources[0], place: &inputs[0] };
    match &step.work {
        Work::Map(map) => map::run(map, &inputs, sources, to, output),
        Work::Resample(taps) => {
            let in_order = |taps: &AxisTaps| AxisTaps { axis: axis(taps.axis), ..taps.clone() };
            resample::run(&taps.iter().map(in_order).collect::<Vec<_>>(), first(), to, output);
        }
        Work::Reduce(reduction) => reduce::run(*reduction, first(), to, output),
        Work::Normalize(axes, epsilon) => {
            let axes: Vec<usize> = axes.iter().map(|&of| axis(of)).collect();
            reduce::normalize(&axes, *epsilon, first(), to, output);
        }
        Work::Softmax(of, log) => reduce::softmax(axis(*of), *log, first(), to, output),
        Work::Conv(_) | Work::Encode(_) | Work::Pool(_) | Work::MatMul => {}
    }
}
