//! Twin of `shaders/kernel/depthwise.wgsl`.

use super::{Call, Finish, Twin, step};
use crate::kernel::{Depthwise, DirectParams};

impl Twin for Depthwise {
    fn run(&self, call: &Call<'_>, written: &mut [f32]) {
        run(self, &call.params(), call.read(0), call.read(1), written, call.finish);
    }
}

fn run(spec: &Depthwise, p: &DirectParams, src: &[f32], weights: &[f32], dst: &mut [f32], finish: Finish<'_>) {
    const EACH: usize = Depthwise::EACH as usize;
    let words = [p.out_d, p.out_h, p.out_w, p.groups, p.group_k, p.k_first, p.k_group];
    let [out_d, out_h, out_w, groups, group_k, filter_first, filter_group] = words.map(|word| word as usize);
    let size = [p.d, p.h, p.w].map(|size| size as usize);
    let [taps_d, taps_h, taps_w] = [p.taps_d, p.taps_h, p.taps_w].map(|word| word as isize);
    let strips = out_w.div_ceil(EACH);
    for index in p.first as usize..p.end as usize {
        let (column, row) = (index % strips * EACH, index / strips % out_h);
        let (plane, rest) = (index / (strips * out_h) % out_d, index / (strips * out_h * out_d));
        let (n, g, k) = (rest / (groups * group_k), rest / group_k % groups, rest % group_k);
        let [n_at, g_at, k_at] = [n, g, k].map(usize::cast_signed);
        let [z_at, y_at, x_at] = [plane, row, column].map(usize::cast_signed);
        let channel = step(p.src_offset) + step(p.src_n) * n_at + step(p.src_g) * g_at;
        let own = step(p.weights_offset) + step(p.weights_g) * g_at + step(p.weights_k) * k_at;
        let count = EACH.min(out_w - column);
        let mut acc = [0.0f32; EACH];
        for (t, r) in (0..taps_d).flat_map(|t| (0..taps_h).map(move |r| (t, r))) {
            let z = spec.border.element(step(p.stride_d) * z_at - step(p.before_d) + step(p.dilation_d) * t, size[0]);
            let y = spec.border.element(step(p.stride_h) * y_at - step(p.before_h) + step(p.dilation_h) * r, size[1]);
            let (Some(z), Some(y)) = (z, y) else { continue };
            let line = channel + step(p.src_d) * z.cast_signed() + step(p.src_h) * y.cast_signed();
            for s in 0..taps_w {
                let tap = own + step(p.weights_d) * t + step(p.weights_h) * r + step(p.weights_w) * s;
                let weight = weights[tap.cast_unsigned()];
                let first = step(p.stride_w) * x_at - step(p.before_w) + step(p.dilation_w) * s;
                for (i, acc) in acc[..count].iter_mut().enumerate() {
                    let x = first + step(p.stride_w) * i.cast_signed();
                    if let Some(x) = spec.border.element(x, size[2]) {
                        *acc += src[(line + step(p.src_w) * x.cast_signed()).cast_unsigned()] * weight;
                    }
                }
            }
        }
        let place = step(p.dst_offset) + step(p.dst_n) * n_at + step(p.dst_g) * g_at + step(p.dst_k) * k_at;
        let place = place + step(p.dst_d) * z_at + step(p.dst_h) * y_at;
        for (i, &acc) in acc[..count].iter().enumerate() {
            let at = place + step(p.dst_w) * (x_at + i.cast_signed());
            finish.write(acc, filter_first + g * filter_group + k, at.cast_unsigned(), dst);
        }
    }
}
