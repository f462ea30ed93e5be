//! What a step reads.

use crate::graph::compile::Place;

/// The buffers that a step reads: the whole of each, in the order of its inputs.
pub(in crate::graph) type Sources<'a> = [&'a [f32]];

/// A tensor in its buffer.
#[derive(Clone, Copy)]
pub(in crate::graph) struct Source<'a> {
    pub(in crate::graph) data: &'a [f32],
    pub(in crate::graph) place: &'a Place,
}

impl Source<'_> {
    /// Position of an element of which the first indices are given and the others are 0.
    pub(in crate::graph) fn position(&self, indices: &[usize]) -> usize {
        let steps = indices.iter().zip(self.place.strides).map(|(&index, step)| step * index.cast_signed());
        self.place.offset.wrapping_add_signed(steps.sum())
    }
}
