//! Twin of `shaders/kernel/implicit_gemm.wgsl`, unblocked: the sums of a position's filters grow by a row of the product,
//! one for each channel and tap, at a time.

use std::ops::Range;

use super::direct::{place, start, taps};
use super::{Call, Finish, Twin, step};
use crate::kernel::{DirectParams, ImplicitGemm};
use crate::padding::Border;

impl Twin for ImplicitGemm {
    fn run(&self, call: &Call<'_>, written: &mut [f32]) {
        let p: DirectParams = call.params();
        for part in 0..call.dispatch.grid[2] {
            // Rows of this part, and where its sums lie.
            let rows = part as usize * p.part as usize..(part as usize + 1) * p.part as usize;
            let p = DirectParams { dst_offset: p.dst_offset.wrapping_add(part.wrapping_mul(p.dst_part)), ..p };
            run(self.border, &p, rows, [call.read(0), call.read(1)], written, call.finish);
        }
    }
}

/// The rows of a part of the sum.
pub(super) fn run(
    border: Border,
    p: &DirectParams,
    part: Range<usize>,
    [src, weights]: [&[f32]; 2],
    dst: &mut [f32],
    finish: Finish<'_>,
) {
    let [group_k, filter_first, filter_group] = [p.group_k, p.k_first, p.k_group].map(|word| word as usize);
    let size = [p.d, p.h, p.w].map(|size| size as usize);
    let all = taps([p.group_c, p.taps_d, p.taps_h, p.taps_w].map(|word| word as usize));
    let rows: Vec<_> = all.skip(part.start).take(part.len()).collect();
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
                let z = border.element(first[0] + step(p.dilation_d) * t, size[0]);
                let y = border.element(first[1] + step(p.dilation_h) * r, size[1]);
                let x = border.element(first[2] + step(p.dilation_w) * s, size[2]);
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
