//! Twin of `shaders/kernel/filter_rows.wgsl`: words of two halves, as the bits of an f32.

use half::f16;

use super::{Call, Twin, step};
use crate::kernel::{FilterRows, FilterRowsParams};

impl Twin for FilterRows {
    fn run(&self, call: &Call<'_>, written: &mut [f32]) {
        run(&call.params(), call.read(0), written);
    }
}

fn run(p: &FilterRowsParams, weights: &[f32], rows: &mut [f32]) {
    let (pairs, taps) = (p.group_c / 2, p.taps_d * p.taps_h * p.taps_w);
    for (word, written) in (0..p.words).zip(rows) {
        let (c, tap, k) = (word % pairs * 2, word / pairs % taps, word / (pairs * taps));
        let half = |c: u32| {
            let places = [
                (p.weights_offset, 1),
                (p.weights_g, k / p.group_k),
                (p.weights_k, k % p.group_k),
                (p.weights_d, tap / (p.taps_h * p.taps_w)),
                (p.weights_h, tap / p.taps_w % p.taps_h),
                (p.weights_w, tap % p.taps_w),
                (p.weights_c, c),
            ];
            let at: isize = places.map(|(by, index)| step(by) * step(index)).into_iter().sum();
            u32::from(f16::from_f32(weights[at.cast_unsigned()]).to_bits())
        };
        *written = f32::from_bits(half(c) | half(c + 1) << 16);
    }
}
