//! The dispatches that pack weights: transform them to U, or put them into rows.

use std::ops::Range;

use super::dispatch::Dispatch;
use super::operand::{Operand, Slot, factors};
use super::windows::Windows;
use crate::correlation::Correlation;
use crate::dtype::DType;
use crate::kernel::{
    FilterParams, FilterRows, FilterRowsParams, Params as _, Storage, WinogradFilter, filter_row_words, word, wrapped,
};
use crate::layout::{Element, Planes};
use crate::problem::Problem;
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

/// The most workgroups of a row of the grid: every device has as many.
const MOST: u32 = 32_768;

/// Words of weights in rows.
pub(super) fn row_words(problem: &Problem) -> usize {
    problem.correlations().first().map_or(0, filter_row_words)
}

/// The one dispatch that packs weights into rows; none if there are no sums.
pub(super) fn rows(problem: &Problem) -> Vec<Dispatch> {
    problem.correlations().first().map(rows_of).into_iter().collect()
}

fn rows_of(of: &Correlation) -> Dispatch {
    let words = word(filter_row_words(of));
    let groups = words.div_ceil(FilterRows::WORKGROUP);
    let grid_x = groups.min(MOST);
    let [taps_d, taps_h, taps_w] = of.taps.map(word);
    let [weights_d, weights_h, weights_w] = of.weights.dhw.map(wrapped);
    let params = FilterRowsParams {
        words,
        grid_x,
        group_k: word(of.group_k),
        group_c: word(of.group_c),
        taps_d,
        taps_h,
        taps_w,
        weights_g: wrapped(of.weights.g),
        weights_k: wrapped(of.weights.n),
        weights_c: wrapped(of.weights.c),
        weights_d,
        weights_h,
        weights_w,
        weights_offset: wrapped(of.weights.offset),
    };
    Dispatch {
        kernel: FilterRows.spec(),
        grid: [grid_x, groups.div_ceil(grid_x.max(1)), 1],
        params: params.words(),
        operands: vec![factors(of)[1].into(), Slot::Packed.into()],
    }
}
