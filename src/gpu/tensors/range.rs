//! Bindings of one buffer in one dispatch: whether they may be, and how.
//!
//! WebGPU has two rules for a dispatch. A buffer is bound read-only or read-write, not both: wgpu checks that on every platform, for
//! whole buffers. And a range that is bound read-write must not overlap another one: browsers check that for the ranges as they
//! are bound, wgpu 30 does not. Here the second rule is kept on every platform, so that what can be bound on one can be bound on all. A
//! binding begins at a multiple of the device's alignment, at or below its tensor, so tensors can be disjoint and their bindings
//! overlap.

use crate::error::{Result, ShapeError};
use crate::kernel::Buffers;

/// What a binding takes of a buffer, in bytes.
#[derive(Debug, Clone, Copy)]
pub(in crate::gpu) struct BoundRange<'a> {
    /// The tensor, for errors.
    pub(in crate::gpu) what: &'static str,
    pub(in crate::gpu) buffer: &'a wgpu::Buffer,
    /// Where the binding begins.
    pub(in crate::gpu) start: u64,
    /// Where what is taken of the tensor begins.
    pub(in crate::gpu) tensor: u64,
    /// Where both end.
    pub(in crate::gpu) end: u64,
}

impl BoundRange<'_> {
    fn overlaps(&self, other: &Self) -> bool {
        self.buffer == other.buffer && self.start < other.end && other.start < self.end
    }
}

/// How the tensors of a dispatch are bound.
///
/// # Errors
/// [`ShapeError::SharedBuffer`] if they share a buffer and overlap.
pub(in crate::gpu) fn buffers_of(ranges: &[BoundRange<'_>], is_written: &[bool], alignment: u64) -> Result<Buffers> {
    let buffers = Buffers::of(is_written, |i, j| ranges[i].buffer == ranges[j].buffer);
    if buffers == Buffers::Shared {
        for (i, one) in ranges.iter().enumerate() {
            if let Some(other) = ranges[i + 1..].iter().find(|other| one.overlaps(other)) {
                return Err(overlap(one, other, alignment).into());
            }
        }
    }
    Ok(buffers)
}

fn overlap(one: &BoundRange<'_>, other: &BoundRange<'_>, alignment: u64) -> ShapeError {
    let (before, behind) = if one.tensor > other.tensor { (other, one) } else { (one, other) };
    ShapeError::SharedBuffer {
        what: behind.what,
        other: before.what,
        begins: behind.tensor,
        needed: before.end.next_multiple_of(alignment),
        alignment,
    }
}
