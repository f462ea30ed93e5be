//! Twin of `shaders/kernel/implicit_gemm.wgsl`, unblocked: the sums of a position's filters grow by a row of the product,
//! one for each channel and tap, at a time.

use super::direct::{place, start, taps};
use super::{Call, Finish, Twin, step};
use crate::kernel::{DirectParams, ImplicitGemm};

impl Twin for ImplicitGemm {
    fn run(&self, call: &Call<'_>, written: &mut [f32]) {
        run(self, &call.params(), call.read(0), call.read(1), written, call.finish);
    }
}

fn run(spec: &ImplicitGemm, p: &DirectParams, src: &[f32], weights: &[f32], dst: &mut [f32], finish: Finish<'_>) {
    let [group_k, filter_first, filter_group] = [p.group_k, p.k_first, p.k_group].map(|word| word as usize);
    let size = [p.d, p.h, p.w].map(|size| size as usize);
    let rows: Vec<_> = taps([p.group_c, p.taps_d, p.taps_h, p.taps_w].map(|word| word as usize)).collect();
    let mut sums = vec![0.0; group_k];
    for g in 0..p.groups as usize {
        // The group's weights, a row of all filters after the other.
        let own = step(p.weights_offset) + step(p.weights_g) * g.cast_signed();
        let of_row = |&(c, t, r, s): &(isize, isize, isize, isize)| {
            let tap = step(p.weights_c) * c + step(p.weights_d) * t + step(p.weights_h) * r + step(p.weights_w) * s;
            (0..group_k.cast_signed()).map(move |k| weights[(own + tap + step(p.weights_k) * k).cast_unsigned()])
        };
        let factors: Vec<f32> = rows.iter().flat_map(of_row).collect();
        for position in p.first as usize..p.end as usize {
            let (image, first) = start(p, position, g);
            sums.fill(0.0);
            for (row, &(c, t, r, s)) in factors.chunks_exact(group_k).zip(&rows) {
                let z = spec.border.element(first[0] + step(p.dilation_d) * t, size[0]);
                let y = spec.border.element(first[1] + step(p.dilation_h) * r, size[1]);
                let x = spec.border.element(first[2] + step(p.dilation_w) * s, size[2]);
                let (Some(z), Some(y), Some(x)) = (z, y, x) else { continue };
                let [z, y, x] = [z, y, x].map(usize::cast_signed);
                let at = image + step(p.src_c) * c + step(p.src_d) * z + step(p.src_h) * y + step(p.src_w) * x;
                let value = src[at.cast_unsigned()];
                for (sum, factor) in sums.iter_mut().zip(row) {
                    *sum += value * factor;
                }
            }
            let at = place(p, position, g);
            for (k, &sum) in sums.iter().enumerate() {
                let at = at + step(p.dst_k) * k.cast_signed();
                finish.write(sum, filter_first + g * filter_group + k, at.cast_unsigned(), dst);
            }
        }
    }
}
