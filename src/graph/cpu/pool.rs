//! Pooling: for each output of a row the taps that lie inside.

use super::rows::each_row;
use super::source::Source;
use crate::graph::PoolKind;
use crate::graph::compile::{Place, Window};

pub(super) fn run(of: &Window, source: Source<'_>, to: &Place, output: &mut [f32]) {
    let axes = to.dims.rank() - 2;
    let skipped = 3 - axes;
    // Sizes and strides of depth, height and width; those that are missing have one element.
    let of_axis = |i: usize| {
        let axis = (i + 2).checked_sub(skipped).filter(|&axis| axis >= 2);
        axis.map_or((1, 0), |axis| (source.place.dims[axis], source.place.strides[axis]))
    };
    let sizes = [0, 1, 2].map(|i| of_axis(i).0);
    let steps = [0, 1, 2].map(|i| of_axis(i).1);
    // The taps of an axis that lie inside for an output, as indices of elements, and how many count with the padding.
    let taps = |axis: usize, at: usize| {
        let first = (at * of.stride[axis]).cast_signed() - of.before[axis].cast_signed();
        let place = move |tap: usize| first + (tap * of.dilation[axis]).cast_signed();
        let size = sizes[axis].cast_signed();
        let low = (0..of.kernel[axis]).find(|&tap| place(tap) >= 0).unwrap_or(of.kernel[axis]);
        let high = (low..of.kernel[axis]).find(|&tap| place(tap) >= size).unwrap_or(of.kernel[axis]);
        let end = size + of.after[axis].cast_signed();
        let counted = (0..of.kernel[axis]).filter(|&tap| place(tap) < end).count();
        (place(low), high - low, counted)
    };
    let columns: Vec<_> = (0..to.dims[to.dims.rank() - 1]).map(|at| taps(2, at)).collect();
    each_row(to, output, |indices, row| {
        let start = source.position(&indices[..2]);
        let outer = |i: usize| if i < skipped { 0 } else { indices[2 + i - skipped] };
        let (z, y) = (taps(0, outer(0)), taps(1, outer(1)));
        for (out, x) in row.iter_mut().zip(&columns) {
            let mut best = f32::NEG_INFINITY;
            let mut sum = 0.0f64;
            for k in 0..z.1 {
                for j in 0..y.1 {
                    let at = |first: isize, i: usize, axis: usize| {
                        (first + (i * of.dilation[axis]).cast_signed()) * steps[axis]
                    };
                    let line = at(z.0, k, 0) + at(y.0, j, 1);
                    for i in 0..x.1 {
                        let value = source.data[start.wrapping_add_signed(line + at(x.0, i, 2))];
                        match of.kind {
                            PoolKind::Max => {
                                if value > best || value.is_nan() {
                                    best = value;
                                }
                            }
                            PoolKind::Average { .. } => sum += f64::from(value),
                        }
                    }
                }
            }
            let count = match of.kind {
                PoolKind::Average { counts_padding: true } => z.2 * y.2 * x.2,
                _ => z.1 * y.1 * x.1,
            };
            #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "the rounding")]
            let mean = (sum / count as f64) as f32;
            *out = if of.kind == PoolKind::Max { best } else { mean };
        }
    });
}
