//! What is written: outputs of 16 filters side by side, to wherever they lie, with bias, residual and activation.

use pulp::Simd;

use super::source::copy;
use super::transpose::{SIDE, lanes_to_lines};
use crate::activation::Activation;
use crate::conv::Residual;
use crate::cpu::threads::Disjoint;
use crate::dtype::DType;
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
        // SAFETY: the caller's promise.
        return unsafe { write_side_by_side(simd, result, finish, line, places) };
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

/// The same where the filters' outputs of a place lie side by side. (Lanes without a filter hold anything.)
///
/// # Safety
/// No other thread reads or writes these outputs.
#[expect(unsafe_code, reason = "threads write to one tensor")]
#[inline(always)]
pub(super) unsafe fn write_side_by_side<S: Simd>(
    simd: S,
    result: &Disjoint<'_>,
    finish: &Finish<'_>,
    line: Line,
    places: &mut [[f32; LANES]],
) {
    let bias = finish.lanes_of_bias(line.filter, line.count);
    // SAFETY: the caller's promise.
    let to = |i: usize| unsafe {
        let at = (line.first + i.cast_signed() * line.place_step).cast_unsigned();
        (at, result.part(at, line.count))
    };
    // What is short is done on the way, other activations for all places at once.
    let relu = finish.activation == Activation::Relu;
    let on_the_way = (relu || finish.activation == Activation::None) && finish.stored == DType::F32;
    for (i, place) in places.iter_mut().enumerate() {
        // In registers.
        let mut lanes = *place;
        if let Some(bias) = &bias {
            lanes.iter_mut().zip(bias).for_each(|(x, bias)| *x += bias);
        }
        if finish.from != Residual::None {
            let (at, stood) = to(i);
            // The full block is a case of its own, so that its size is known at compile time.
            match line.count {
                LANES => finish.add_residual(&mut lanes, at, stood),
                count => finish.add_residual(&mut lanes[..count], at, stood),
            }
        }
        if !on_the_way {
            *place = lanes;
            continue;
        }
        if relu {
            Activation::Relu.apply_in_place::<false>(&mut lanes, |_| 0.0);
        }
        write_lanes(&lanes, to(i).1);
    }
    if !on_the_way {
        finish.activate(simd, places.as_flattened_mut(), SideBySide::Filters(line.filter));
        places.iter().enumerate().for_each(|(i, place)| write_lanes(place, to(i).1));
    }
}

#[inline(always)]
fn write_lanes(place: &[f32; LANES], to: &mut [f32]) {
    match <&mut [f32; LANES]>::try_from(&mut *to) {
        Ok(to) => *to = *place,
        Err(_) => copy(&place[..to.len()], to),
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
        finish.finish(simd, values, filter, first, to);
        copy(values, to);
        return;
    }
    for (i, value) in values.iter_mut().enumerate() {
        let at = (first + i.cast_signed() * step).cast_unsigned();
        // SAFETY: the caller's promise.
        let to = unsafe { result.part(at, 1) };
        finish.finish(simd, std::slice::from_mut(value), filter, at, to);
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
    finish.add_bias(values, of.filter);
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
