//! Pooling: for each output the taps that lie inside.

use pulp::{Simd, WithSimd};

use super::rows::each_row;
use super::source::Source;
use crate::cpu::with_registers;
use crate::graph::PoolKind;
use crate::graph::compile::{Place, Window};

/// Channels that are taken together.
const BLOCK: usize = 32;

pub(super) fn run(of: &Window, source: Source<'_>, to: &Place, output: &mut [f32]) {
    let windows = Windows::new(of, &source);
    let last = to.dims.rank() - 1;
    // Rows of columns, or the channels of a place.
    if to.is_row_major() {
        let columns: Vec<_> = (0..to.dims[last]).map(|at| windows.taps(2, at)).collect();
        return each_row(to, output, |indices, row| {
            let start = source.position(&indices[..2]);
            let [z, y] = windows.outer(&indices[2..]);
            for (out, x) in row.iter_mut().zip(&columns) {
                let (taps, element) = ([z, y, *x], |at: isize| source.data[start.wrapping_add_signed(at)]);
                let (mut best, mut sum) = (f32::NEG_INFINITY, 0.0);
                if of.kind == PoolKind::Max {
                    windows.each(taps, |at| best = larger(best, element(at)));
                    *out = best;
                } else {
                    windows.each(taps, |at| sum += f64::from(element(at)));
                    *out = windows.mean(sum, taps);
                }
            }
        });
    }
    let order: Vec<usize> = [0].into_iter().chain(2..=last).chain([1]).collect();
    each_row(&to.permuted(&order), output, |indices, row| {
        let start = source.position(&indices[..1]);
        let x = windows.taps(2, indices[last - 1]);
        let [z, y] = windows.outer(&indices[1..last - 1]);
        with_registers(Channels { windows: &windows, data: source.data, start, taps: [z, y, x], row });
    });
}

/// The taps of an axis that lie inside: the first one's place, how many, and how many count with the padding.
type Taps = (isize, usize, usize);

/// The windows of a pooling over a source.
struct Windows<'a> {
    of: &'a Window,
    /// Sizes and strides of depth, height and width; those that are missing have one element.
    sizes: [usize; 3],
    steps: [isize; 3],
    /// How many are missing.
    skipped: usize,
}

impl<'a> Windows<'a> {
    fn new(of: &'a Window, source: &Source<'_>) -> Self {
        let skipped = 5 - source.place.dims.rank();
        let of_axis = |i: usize| {
            let axis = (i + 2).checked_sub(skipped).filter(|&axis| axis >= 2);
            axis.map_or((1, 0), |axis| (source.place.dims[axis], source.place.strides[axis]))
        };
        let (sizes, steps) = ([0, 1, 2].map(|i| of_axis(i).0), [0, 1, 2].map(|i| of_axis(i).1));
        Self { of, sizes, steps, skipped }
    }

    /// The taps of an axis that lie inside, for an output.
    fn taps(&self, axis: usize, at: usize) -> Taps {
        let of = self.of;
        let first = (at * of.stride[axis]).cast_signed() - of.before[axis].cast_signed();
        let place = move |tap: usize| first + (tap * of.dilation[axis]).cast_signed();
        let size = self.sizes[axis].cast_signed();
        let low = (0..of.kernel[axis]).find(|&tap| place(tap) >= 0).unwrap_or(of.kernel[axis]);
        let high = (low..of.kernel[axis]).find(|&tap| place(tap) >= size).unwrap_or(of.kernel[axis]);
        let end = size + of.after[axis].cast_signed();
        let counted = (0..of.kernel[axis]).filter(|&tap| place(tap) < end).count();
        (place(low), high - low, counted)
    }

    /// Those of planes and rows, from the indices of the axes that there are before the last.
    fn outer(&self, indices: &[usize]) -> [Taps; 2] {
        [0, 1].map(|axis| self.taps(axis, axis.checked_sub(self.skipped).map_or(0, |at| indices[at])))
    }

    /// A mean, from the sum.
    fn mean(&self, sum: f64, [z, y, x]: [Taps; 3]) -> f32 {
        let count = match self.of.kind {
            PoolKind::Average { counts_padding: true } => z.2 * y.2 * x.2,
            _ => z.1 * y.1 * x.1,
        };
        #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "the rounding")]
        let mean = (sum / count as f64) as f32;
        mean
    }

    /// Calls with the way from the first element of a plane to each tap.
    #[inline(always)]
    fn each(&self, [z, y, x]: [Taps; 3], mut visit: impl FnMut(isize)) {
        let at = |first: isize, i: usize, axis: usize| {
            (first + (i * self.of.dilation[axis]).cast_signed()) * self.steps[axis]
        };
        for k in 0..z.1 {
            for j in 0..y.1 {
                let line = at(z.0, k, 0) + at(y.0, j, 1);
                (0..x.1).for_each(|i| visit(line + at(x.0, i, 2)));
            }
        }
    }
}

/// The larger one; what is no number is the largest.
#[inline(always)]
fn larger(best: f32, x: f32) -> f32 {
    if x > best || x.is_nan() { x } else { best }
}

/// The channels of an output, side by side in source and output.
struct Channels<'a> {
    windows: &'a Windows<'a>,
    data: &'a [f32],
    /// Where the first channel of the first place is.
    start: usize,
    taps: [Taps; 3],
    row: &'a mut [f32],
}

impl WithSimd for Channels<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self { windows, data, start, taps, row } = self;
        for (block, row) in row.chunks_mut(BLOCK).enumerate() {
            let of_tap = |at: isize| &data[start.wrapping_add_signed(at) + block * BLOCK..][..row.len()];
            if windows.of.kind == PoolKind::Max {
                let mut best = [f32::NEG_INFINITY; BLOCK];
                windows
                    .each(taps, |at| best.iter_mut().zip(of_tap(at)).for_each(|(best, &x)| *best = larger(*best, x)));
                let len = row.len();
                row.copy_from_slice(&best[..len]);
                continue;
            }
            let mut sums = [0.0; BLOCK];
            windows.each(taps, |at| sums.iter_mut().zip(of_tap(at)).for_each(|(sum, &x)| *sum += f64::from(x)));
            row.iter_mut().zip(sums).for_each(|(out, sum)| *out = windows.mean(sum, taps));
        }
    }
}
