//! What is written: outputs of 16 filters side by side, to wherever they lie, with bias, residual and activation.

use pulp::Simd;

use super::source::copy;
use super::transpose::{SIDE, lanes_to_lines};
use crate::cpu::threads::Disjoint;
use crate::plan::LANES;
use crate::twin::{Finish, SideBySide};

/// A line of outputs of neighbouring filters: the first filter, how many, where its first output lies, and the steps
/// from filter to filter and from place to place.
#[derive(Clone, Copy)]
pub(super) struct Line {
    pub(super) filter: usize,
    pub(super) count: usize,
    pub(super) first: isize,
    pub(super) filter_step: isize,
    pub(super) place_step: isize,
}

impl Line {
    /// The same for filters from the `skipped`-th on, at most 16.
    pub(super) const fn lanes_from(self, skipped: usize) -> Self {
        let left = self.count.saturating_sub(skipped);
        Self {
            filter: self.filter + skipped,
            count: if left < LANES { left } else { LANES },
            first: self.first + skipped.cast_signed() * self.filter_step,
            ..self
        }
    }
}

/// Writes sums of at most 16 filters. `lines` has room for 16 lines of as many places, padded.
///
/// # Safety
/// No other thread reads or writes these outputs.
#[expect(unsafe_code, reason = "threads write to one tensor")]
#[inline(always)]
pub(super) unsafe fn write_places<S: Simd>(
    simd: S,
    result: &Disjoint<'_>,
    finish: &Finish<'_>,
    line: Line,
    places: &mut [[f32; LANES]],
    lines: &mut [f32],
) {
    if line.filter_step == 1 {
        for (i, place) in places.iter_mut().enumerate() {
            let at = (line.first + i.cast_signed() * line.place_step).cast_unsigned();
            // SAFETY: the caller's promise.
            let to = unsafe { result.part(at, line.count) };
            // The full block is a case of its own, so that its size is known at compile time.
            if let Ok(to) = <&mut [f32; LANES]>::try_from(&mut *to) {
                finish.finish(simd, place, SideBySide::Filters(line.filter), at, to);
                *to = *place;
            } else {
                let place = &mut place[..line.count];
                finish.finish(simd, place, SideBySide::Filters(line.filter), at, to);
                to.copy_from_slice(place);
            }
        }
        return;
    }
    let stride = places.len().next_multiple_of(SIDE);
    lanes_to_lines(places, stride, lines);
    for (k, values) in lines.chunks_exact_mut(stride).take(line.count).enumerate() {
        let first = line.first + k.cast_signed() * line.filter_step;
        // SAFETY: the caller's promise.
        unsafe {
            write_line(simd, result, finish, line.filter + k, first, line.place_step, &mut values[..places.len()]);
        };
    }
}

/// Writes sums of one filter, `step` apart.
///
/// # Safety
/// No other thread reads or writes these outputs.
#[expect(unsafe_code, reason = "threads write to one tensor")]
#[inline(always)]
pub(super) unsafe fn write_line<S: Simd>(
    simd: S,
    result: &Disjoint<'_>,
    finish: &Finish<'_>,
    filter: usize,
    first: isize,
    step: isize,
    values: &mut [f32],
) {
    if step == 1 {
        let first = first.cast_unsigned();
        // SAFETY: the caller's promise.
        let to = unsafe { result.part(first, values.len()) };
        finish.finish(simd, values, SideBySide::Places(filter), first, to);
        copy(values, to);
        return;
    }
    for (i, value) in values.iter_mut().enumerate() {
        let at = (first + i.cast_signed() * step).cast_unsigned();
        // SAFETY: the caller's promise.
        let to = unsafe { result.part(at, 1) };
        finish.finish(simd, std::slice::from_mut(value), SideBySide::Places(filter), at, to);
        to[0] = *value;
    }
}
