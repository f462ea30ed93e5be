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
        let (at, to) = to(i);
        let residual = finish.lanes_of_residual(at, to);
        let (bias, residual) = (bias.as_ref(), residual.as_ref());
        match to.first_chunk_mut() {
            Some(to) if on_the_way => finish_lanes(simd, place, bias, residual, relu, to),
            _ => {
                let sums = *place;
                finish_lanes(simd, &sums, bias, residual, relu && on_the_way, place);
                if on_the_way {
                    copy(&place[..line.count], to);
                }
            }
        }
    }
    if !on_the_way {
        finish.activate(simd, places.as_flattened_mut(), SideBySide::Filters(line.filter));
        for (i, place) in places.iter().enumerate() {
            let (_, to) = to(i);
            match to.first_chunk_mut() {
                Some(to) => *to = *place,
                None => copy(&place[..line.count], to),
            }
        }
    }
}

/// Bias, residual and a rectifier for sums of 16 filters at a place, in registers.
#[inline(always)]
fn finish_lanes<S: Simd>(
    simd: S,
    sums: &[f32; LANES],
    bias: Option<&[f32; LANES]>,
    residual: Option<&[f32; LANES]>,
    relu: bool,
    to: &mut [f32; LANES],
) {
    let registers = |lanes| S::as_simd_f32s(lanes).0;
    let (bias, residual) = (bias.map(|lanes| registers(lanes)), residual.map(|lanes| registers(lanes)));
    let zero = simd.splat_f32s(0.0);
    for (i, (x, to)) in S::as_simd_f32s(sums).0.iter().zip(S::as_mut_simd_f32s(to).0).enumerate() {
        let mut x = *x;
        if let Some(bias) = bias {
            x = simd.add_f32s(x, bias[i]);
        }
        if let Some(residual) = residual {
            x = simd.add_f32s(x, residual[i]);
        }
        if relu {
            // A NaN stays one.
            x = simd.select_f32s(simd.less_than_f32s(x, zero), zero, x);
        }
        *to = x;
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
