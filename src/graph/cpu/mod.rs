//! A program's steps on the CPU, over slices: everything but the convolutions, which are layers. Each element is computed in one
//! order, whatever thread does it, so results do not depend on the number of threads.

mod map;
mod matmul;
mod pool;
mod reduce;
mod resample;
mod rows;

pub(super) use map::coalesced;

use super::compile::{Place, Step, Work};

/// The buffers that a step reads: the whole of each, in the order of its inputs.
pub(super) type Sources<'a> = [&'a [f32]];

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

/// A tensor in its buffer.
#[derive(Clone, Copy)]
pub(super) struct Source<'a> {
    pub(super) data: &'a [f32],
    pub(super) place: &'a Place,
}

impl Source<'_> {
    /// Position of an element of which the first indices are given and the others are 0.
    pub(super) fn position(&self, indices: &[usize]) -> usize {
        let steps = indices.iter().zip(self.place.strides).map(|(&index, step)| step * index.cast_signed());
        self.place.offset.wrapping_add_signed(steps.sum())
    }
}
