//! A step as a dispatch.

use crate::gpu::{Reach, Shader};
use crate::graph::compile::{BufferId, Place};
use crate::graph::format::Element;

/// A step as a dispatch: its buffers are named, not bound.
pub(super) struct Job {
    pub(super) shader: Shader,
    pub(super) params: Vec<u32>,
    pub(super) offsets: Vec<usize>,
    pub(super) reads: Vec<(BufferId, Reach)>,
    pub(super) write: (BufferId, Reach),
    pub(super) workgroups: usize,
}

/// Where a place's elements begin and end in its buffer.
pub(super) fn reach(place: &Place, element: Element) -> Reach {
    let ends = place.dims.iter().zip(place.strides()).map(|(&size, &step)| (size.max(1) - 1).cast_signed() * step);
    let (mut first, mut end) = (place.offset, place.offset + 1);
    for reach in ends {
        first = first.wrapping_add_signed(reach.min(0));
        end = end.wrapping_add_signed(reach.max(0));
    }
    Reach { size: element.size(), first, end }
}
