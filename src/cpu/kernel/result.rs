//! What is written: outputs of 16 filters side by side, to wherever they lie, with bias, residual and activation.

use pulp::Simd;

use super::source::copy;
use super::transpose::{SIDE, lanes_to_lines};
use crate::conv::Residual;
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
        let of = SideBySide::Filters(line.filter);
        let at = |i: usize| (line.first + i.cast_signed() * line.place_step).cast_unsigned();
        for (i, place) in places.iter_mut().enumerate() {
            // The full block is a case of its own, so that its size is known at compile time.
            if line.count == LANES {
                finish.add_bias(place, of);
            } else {
                finish.add_bias(&mut place[..line.count], of);
            }
            if finish.from != Residual::None {
                // SAFETY: the caller's promise.
                let stood = unsafe { result.part(at(i), line.count) };
                finish.add_residual(&mut place[..line.count], at(i), stood);
            }
        }
        // For all places at once, where it is the same function for all filters.
        if finish.activation.has_slopes() {
            places.iter_mut().for_each(|place| finish.activate(simd, &mut place[..line.count], of));
        } else {
            finish.activate(simd, places.as_flattened_mut(), of);
        }
        for (i, place) in places.iter().enumerate() {
            // SAFETY: the caller's promise.
            let to = unsafe { result.part(at(i), line.count) };
            match <&mut [f32; LANES]>::try_from(&mut *to) {
                Ok(to) => *to = *place,
                Err(_) => to.copy_from_slice(&place[..line.count]),
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

/// Lines of outputs of one filter: how many, of how many outputs, where the first one lies, and the steps from line to line and
/// from output to output.
#[derive(Clone, Copy)]
pub(super) struct Lines {
    pub(super) filter: usize,
    pub(super) count: usize,
    pub(super) columns: usize,
    pub(super) first: isize,
    pub(super) steps: [isize; 2],
}

/// Writes sums of one filter, `line` of them for each line, of which the first ones are outputs. Bias and activation are for all of
/// them at once: lines may be short.
///
/// # Safety
/// No other thread reads or writes these outputs.
#[expect(unsafe_code, reason = "threads write to one tensor")]
#[inline(always)]
pub(super) unsafe fn write_lines<S: Simd>(
    simd: S,
    result: &Disjoint<'_>,
    finish: &Finish<'_>,
    of: Lines,
    line: usize,
    values: &mut [f32],
) {
    let [line_step, step] = of.steps;
    let starts = |i: usize| of.first + i.cast_signed() * line_step;
    if step != 1 {
        for (i, values) in values.chunks_exact_mut(line).take(of.count).enumerate() {
            // SAFETY: the caller's promise.
            unsafe { write_line(simd, result, finish, of.filter, starts(i), step, &mut values[..of.columns]) };
        }
        return;
    }
    finish.add_bias(values, SideBySide::Places(of.filter));
    if finish.from != Residual::None {
        for (i, values) in values.chunks_exact_mut(line).take(of.count).enumerate() {
            let first = starts(i).cast_unsigned();
            // SAFETY: the caller's promise.
            let stood = unsafe { result.part(first, of.columns) };
            finish.add_residual(&mut values[..of.columns], first, stood);
        }
    }
    finish.activate(simd, values, SideBySide::Places(of.filter));
    for (i, values) in values.chunks_exact(line).take(of.count).enumerate() {
        // SAFETY: the caller's promise.
        let to = unsafe { result.part(starts(i).cast_unsigned(), of.columns) };
        copy(&values[..of.columns], to);
    }
}
