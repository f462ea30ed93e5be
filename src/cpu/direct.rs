//! Twin of `shaders/kernel/direct.wgsl`.

use super::Finish;
use crate::kernel::{Direct, DirectParams};

pub(super) fn run(
    spec: &Direct,
    params: &DirectParams,
    src: &[f32],
    weights: &[f32],
    dst: &mut [f32],
    finish: Finish<'_>,
) {
    let words = [params.h, params.w, params.p, params.q, params.r, params.s, params.group_c, params.group_k];
    let [h, w, p_size, q_size, r_size, s_size, group_c, group_k] = words.map(|word| word as usize);
    let filters = spec.filters as usize;
    let plane = p_size * q_size;
    let groups = (params.k as usize).checked_div(group_k).unwrap_or(0);
    for position in params.first as usize..params.end as usize {
        let (n, p, q) = (position / plane, position % plane / q_size, position % q_size);
        // Rows and columns above and left of the image wrap around to huge numbers.
        let y_first = (p * params.stride_h as usize).wrapping_sub(params.pad_top as usize);
        let x_first = (q * params.stride_w as usize).wrapping_sub(params.pad_left as usize);
        for g in 0..groups {
            for k_first in (0..group_k).step_by(filters) {
                let mut acc = [0.0f32; 8];
                let count = filters.min(group_k - k_first);
                let mut tap = 0;
                for c in 0..group_c {
                    let image = (n * params.c as usize + g * group_c + c) * h * w;
                    for r in 0..r_size {
                        for s in 0..s_size {
                            let y = y_first.wrapping_add(r * params.dilation_h as usize);
                            let x = x_first.wrapping_add(s * params.dilation_w as usize);
                            let value = if y < h && x < w { src[image + y * w + x] } else { 0.0 };
                            for (i, acc) in acc[..count].iter_mut().enumerate() {
                                let k = g * group_k + k_first + i;
                                *acc += value * weights[k * group_c * r_size * s_size + tap];
                            }
                            tap += 1;
                        }
                    }
                }
                for (i, &acc) in acc[..count].iter().enumerate() {
                    let k = g * group_k + k_first + i;
                    dst[(n * params.k as usize + k) * plane + p * q_size + q] = finish.apply(acc, k);
                }
            }
        }
    }
}
