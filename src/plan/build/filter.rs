//! The dispatches that transform weights to U.

use std::ops::Range;

use super::dispatch::Dispatch;
use super::operand::{Operand, Slot, factors};
use super::windows::Windows;
use crate::dtype::DType;
use crate::kernel::{FilterParams, Params as _, Storage, WinogradFilter, word, wrapped};
use crate::layout::{Element, Planes};
use crate::winograd::Nested;

/// The one dispatch that packs weights for Winograd.
pub(in crate::plan) fn filter(windows: &Windows, algorithm: Nested, dtype: DType) -> Dispatch {
    let weights = factors(&windows.of)[1].into();
    filter_rows(windows, algorithm, dtype, 0..windows.group_rows(), [weights, Slot::Packed.into()])
}

/// The dispatch that transforms weights to U, of so many rows of each group's sum: from the first operand to the second.
pub(in crate::plan) fn filter_rows(
    windows: &Windows,
    algorithm: Nested,
    dtype: DType,
    sum: Range<usize>,
    operands: [Operand; 2],
) -> Dispatch {
    let of = &windows.of;
    let rows = of.groups * sum.len();
    let planes = Planes { rows, ..windows.filter_planes(algorithm, Element::F32) };
    let [taps_d, taps_h, taps_w] = of.taps.map(word);
    let [phases_h, phases_w] = windows.phases().map(word);
    let [phase_step_h, phase_step_w] = windows.phase_steps().map(word);
    let [tap_step_h, tap_step_w] = windows.tap_steps().map(word);
    let [weights_d, weights_h, weights_w] = of.weights.dhw.map(wrapped);
    let params = FilterParams {
        group_k: word(planes.columns),
        k_stride: word(planes.stride()),
        group_rows: word(sum.len()),
        rows: word(rows),
        sum_first: word(sum.start),
        taps_d,
        taps_h,
        taps_w,
        phases_h,
        phases_w,
        phase_step_h,
        phase_step_w,
        tap_step_h,
        tap_step_w,
        weights_g: wrapped(of.weights.g),
        weights_k: wrapped(of.weights.n),
        weights_c: wrapped(of.weights.c),
        weights_d,
        weights_h,
        weights_w,
        weights_offset: wrapped(of.weights.offset - operands[0].first.cast_signed()),
    };
    Dispatch {
        kernel: WinogradFilter { algorithm, storage: Storage::of_any(dtype) }.spec(),
        grid: [word(planes.columns).div_ceil(WinogradFilter::WORKGROUP), word(planes.rows), 1],
        params: params.words(),
        operands: operands.to_vec(),
    }
}
