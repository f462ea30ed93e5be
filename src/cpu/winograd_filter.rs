//! Twin of `shaders/kernel/winograd_filter.wgsl`.

use super::transform::Transform2d;
use crate::kernel::{FilterParams, WinogradFilter};

pub(super) fn run(spec: &WinogradFilter, params: &FilterParams, weights: &[f32], u: &mut [f32]) {
    let mut transform = Transform2d::filter(spec.algorithm);
    let words = [params.c, params.group_c, params.group_k, params.k_stride];
    let [c_size, group_c, group_k, k_stride] = words.map(|word| word as usize);
    let taps = transform.inputs();
    let plane = c_size * k_stride;
    for c in 0..c_size {
        for k in 0..group_k {
            let at = ((c / group_c * group_k + k) * group_c + c % group_c) * taps;
            for (d, &g) in transform.input().iter_mut().zip(&weights[at..at + taps]) {
                d[0] = g;
            }
            transform.run();
            for (point, value) in transform.output().iter().enumerate() {
                u[point * plane + c * k_stride + k] = value[0];
            }
        }
    }
}
