//! Twin of `shaders/kernel/winograd_filter.wgsl`.

use crate::kernel::{FilterParams, WinogradFilter};
use crate::twin::transform::{LANES, Transform2d};
use crate::twin::{Call, Twin, step};

impl Twin for WinogradFilter {
    fn run(&self, call: &Call<'_>, written: &mut [f32]) {
        run(self, &call.params(), call.read(0), written);
    }
}

pub(super) fn run(spec: &WinogradFilter, params: &FilterParams, weights: &[f32], u: &mut [f32]) {
    let mut transform = Transform2d::filter(spec.algorithm);
    let p = params;
    let words = [p.group_k, p.k_stride, p.group_rows, p.rows, p.taps_d, p.taps_h, p.taps_w, p.phases_h, p.phases_w];
    let [group_k, k_stride, group_rows, rows, taps_d, taps_h, taps_w, phases_h, phases_w] =
        words.map(|word| word as usize);
    let words = [p.sum_first, p.phase_step_h, p.phase_step_w, p.tap_step_h, p.tap_step_w];
    let [sum_first, phase_step_h, phase_step_w, tap_step_h, tap_step_w] = words.map(|word| word as usize);
    let cols = usize::from(spec.algorithm.cols.r());
    let plane = rows * k_stride;
    for row in 0..rows {
        let (g, in_sum) = (row / group_rows, row % group_rows + sum_first);
        let tap = in_sum / (phases_w * phases_h);
        let (y_first, x_first) = (in_sum / phases_w % phases_h * phase_step_h, in_sum % phases_w * phase_step_w);
        let channel = step(p.weights_offset)
            + step(p.weights_g) * g.cast_signed()
            + step(p.weights_c) * (tap / taps_d).cast_signed()
            + step(p.weights_d) * (tap % taps_d).cast_signed();
        for first in (0..group_k).step_by(LANES) {
            let count = LANES.min(group_k - first);
            for (i, d) in transform.input().iter_mut().enumerate() {
                let (y, x) = (i / cols * tap_step_h + y_first, i % cols * tap_step_w + x_first);
                let inside = y < taps_h && x < taps_w;
                let at = channel + step(p.weights_h) * y.cast_signed() + step(p.weights_w) * x.cast_signed();
                for (k, d) in (first..).zip(&mut d[..count]) {
                    let at = at + step(p.weights_k) * k.cast_signed();
                    *d = if inside { weights[at.cast_unsigned()] } else { 0.0 };
                }
            }
            transform.run();
            for (point, value) in transform.output().iter().enumerate() {
                let at = point * plane + row * k_stride + first;
                u[at..at + count].copy_from_slice(&value[..count]);
            }
        }
    }
}
