//! Twin of `shaders/kernel/winograd_multiply_units.wgsl`: block by block, since a block's values share their scale, with the
//! shader's halves and sums.

use crate::dtype::DType;
use crate::kernel::{MultiplyUnitsParams, Products, UnitBlocking, WinogradMultiplyUnits};
use crate::twin::{Call, Twin};

/// The exponent that the largest value is brought to, and the least that is taken for a largest value's.
const TOP: i32 = 14;
const LEAST: i32 = -48;
/// What low halves are multiplied by.
const LOW: f32 = 2048.0;

impl Twin for WinogradMultiplyUnits {
    fn run(&self, call: &Call<'_>, written: &mut [f32]) {
        let params: MultiplyUnitsParams = call.params();
        let [columns, rows, products] = call.dispatch.grid.map(|n| n as usize);
        for at in 0..columns * rows * products {
            let block = Block {
                blocking: self.blocking,
                params,
                t_first: at % columns * self.blocking.tiles as usize,
                k_first: at / columns % rows * self.blocking.filters as usize,
                product: at / (columns * rows),
            };
            block.run(call.read(0), call.read(1), written);
        }
    }
}

/// A workgroup's block.
struct Block {
    blocking: UnitBlocking,
    params: MultiplyUnitsParams,
    t_first: usize,
    k_first: usize,
    product: usize,
}

impl Block {
    fn run(&self, u: &[f32], v: &[f32], m: &mut [f32]) {
        let (p, b) = (&self.params, &self.blocking);
        let [group_c, group_k, k_stride, t_stride] =
            [p.group_c, p.group_k, p.k_stride, p.t_stride].map(|word| word as usize);
        let (filters, tiles) = (b.filters as usize, b.tiles as usize);
        let (part, batch) = (self.product / p.batches as usize, self.product % p.batches as usize);
        let first = part * p.part_c as usize;
        let end = group_c.min(first + p.part_c as usize);
        let mut sums = vec![0.0; filters * tiles];
        let [mut of_u, mut of_v] = [Factor::default(), Factor::default()];
        let mut carried = 2 * (LEAST - TOP);
        for step in (first..end).step_by(b.channels as usize) {
            let channels = step..end.min(step + b.channels as usize);
            let rows = |stride: usize| channels.clone().map(move |c| (batch * group_c + c) * stride);
            of_u.stage(rows(k_stride), u, self.k_first, filters, group_k);
            of_v.stage(rows(t_stride), v, self.t_first, tiles, p.tiles as usize);
            let unit = of_u.exponent() + of_v.exponent() - 2 * TOP;
            if b.products == Products::One && unit != carried {
                let factor = power(carried - unit);
                sums.iter_mut().for_each(|sum| *sum *= factor);
                carried = unit;
            }
            for (at, sum) in sums.iter_mut().enumerate() {
                let [(u_high, u_low), (v_high, v_low)] = [of_u.column(at / tiles), of_v.column(at % tiles)];
                let dot = |sum, x: &[f32], y: &[f32]| x.iter().zip(y).fold(sum, |sum: f32, (x, y)| x * y + sum);
                match b.products {
                    Products::One => *sum = dot(*sum, u_high, v_high),
                    Products::Three => {
                        let cross = dot(dot(0.0, u_low, v_high), u_high, v_low) / LOW;
                        *sum += dot(cross, u_high, v_high) * power(unit);
                    }
                }
            }
        }
        let factor = if b.products == Products::One { power(carried) } else { 1.0 };
        for k in 0..filters.min(group_k.saturating_sub(self.k_first)) {
            let at = (self.product * group_k + self.k_first + k) * t_stride + self.t_first;
            let row = &mut m[at..at + tiles.min(t_stride - self.t_first)];
            row.iter_mut().zip(&sums[k * tiles..]).for_each(|(m, sum)| *m = sum * factor);
        }
    }
}

/// A step's share of U or V in halves, column by column.
#[derive(Default)]
struct Factor {
    /// The largest magnitude so far.
    largest: u32,
    channels: usize,
    high: Vec<f32>,
    low: Vec<f32>,
}

impl Factor {
    /// Takes `columns` of these rows, zero from the `count`th of all on.
    fn stage(&mut self, rows: impl Iterator<Item = usize>, from: &[f32], first: usize, columns: usize, count: usize) {
        let rows: Vec<usize> = rows.collect();
        let value = |column: usize, row: usize| if first + column < count { from[row + first + column] } else { 0.0 };
        let values = || (0..columns).flat_map(|column| rows.iter().map(move |&row| value(column, row)));
        self.largest = values().map(magnitude).fold(self.largest, u32::max);
        let scale = power(TOP - self.exponent());
        self.channels = rows.len();
        self.high = values().map(|x| high(x * scale)).collect();
        self.low = values().map(|x| DType::F16.rounded((x * scale - high(x * scale)) * LOW)).collect();
    }

    fn exponent(&self) -> i32 {
        ((self.largest >> 23).cast_signed() - 128).max(LEAST)
    }

    fn column(&self, column: usize) -> (&[f32], &[f32]) {
        let range = column * self.channels..(column + 1) * self.channels;
        (&self.high[range.clone()], &self.low[range])
    }
}

/// Sorted like the magnitudes of finite values; infinities and NaN are the smallest.
fn magnitude(value: f32) -> u32 {
    value.to_bits().wrapping_add(0x0080_0000) & 0x7fff_ffff
}

fn power(exponent: i32) -> f32 {
    f32::from_bits((exponent.clamp(-126, 127) + 127).cast_unsigned() << 23)
}

/// Rounded to 11 bits.
fn high(value: f32) -> f32 {
    DType::F16.rounded(f32::from_bits(value.to_bits().wrapping_add(0x1000) & 0xffff_e000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn magnitudes_leave_out_what_is_not_finite() {
        let sorted = [f32::INFINITY, 0.0, 1e-30, -0.5, 1.0, -3e38].map(magnitude);
        assert!(sorted.is_sorted(), "{sorted:?}");
        assert!(magnitude(f32::NAN) < magnitude(f32::MIN_POSITIVE));
        assert_eq!([power(0), power(-3), power(200)], [1.0, 0.125, 2f32.powi(127)]);
    }
}
