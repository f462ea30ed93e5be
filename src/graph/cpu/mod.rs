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
use super::compile::{Step, Work};

/// Runs a step that is no convolution.
pub(super) fn run(step: &Step, sources: &Sources<'_>, output: &mut [f32]) {
    let (inputs, to) = (&step.inputs[..], &step.output);
    let first = || Source { data: sources[0], place: &inputs[0] };
    match &step.work {
        // A convolution is a layer's.
        Work::Conv(_) => {}
        Work::Map(map) => map::run(map, inputs, sources, to, output),
        Work::Pool(window) => pool::run(window, first(), to, output),
        Work::Resample(taps) => resample::run(taps, first(), to, output),
        Work::Reduce(reduction) => reduce::run(*reduction, first(), to, output),
        Work::Normalize(axes, epsilon) => reduce::normalize(axes, *epsilon, first(), to, output),
        Work::Softmax(axis, log) => reduce::softmax(*axis, *log, first(), to, output),
        Work::MatMul => matmul::run(first(), Source { data: sources[1], place: &inputs[1] }, to, output),
    }
}
