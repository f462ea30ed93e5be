//! Twin of `shaders/kernel/winograd_filter.wgsl`.

use super::step;
use super::transform::Transform2d;
use crate::kernel::{FilterParams, WinogradFilter};

pub(super) fn run(spec: &WinogradFilter, params: &FilterParams, weights: &[f32], u: &mut [f32]) {
    let mut transform = Transform2d::filter(spec.algorithm);
    let p = params;
    let words = [p.group_k, p.k_stride, p.group_rows, p.rows, p.taps_d, p.taps_h, p.taps_w, p.phases_h, p.phases_w];
    let [group_k, k_stride, group_rows, rows, taps_d, taps_h, taps_w, phases_h, phases_w] =
        words.map(|word| word as usize);
    let cols = usize::from(spec.algorithm.cols.r());
    let plane = rows * k_stride;
    for row in 0..rows {
        let (g, tap) = (row / group_rows, row % group_rows / (phases_w * phases_h));
        for k in 0..group_k {
            let filter = step(p.weights_offset)
                + step(p.weights_g) * g.cast_signed()
                + step(p.weights_k) * k.cast_signed()
                + step(p.weights_c) * (tap / taps_d).cast_signed()
                + step(p.weights_d) * (tap % taps_d).cast_signed();
            for (i, d) in transform.input().iter_mut().enumerate() {
                let (y, x) = (i / cols * phases_h + row / phases_w % phases_h, i % cols * phases_w + row % phases_w);
                let at = filter + step(p.weights_h) * y.cast_signed() + step(p.weights_w) * x.cast_signed();
                d[0] = if y < taps_h && x < taps_w { weights[at.cast_unsigned()] } else { 0.0 };
            }
            transform.run();
            for (point, value) in transform.output().iter().enumerate() {
                u[point * plane + row * k_stride + k] = value[0];
            }
        }
    }
}
