//! Twin of `shaders/kernel/depthwise_patch.wgsl`.

use super::{Call, Finish, Twin, step};
use crate::kernel::{DepthwisePatch, DirectParams, PatchBlocking};
use crate::padding::Border;

impl Twin for DepthwisePatch {
    fn run(&self, call: &Call<'_>, written: &mut [f32]) {
        let p: DirectParams = call.params();
        let [_, filters, images] = call.dispatch.grid.map(|size| size as usize);
        for (n, k) in (0..images).flat_map(|n| (0..filters).map(move |k| (n, k))) {
            for index in p.first as usize..p.end as usize {
                patch(self, &p, [n, k, index], [call.read(0), call.read(1)], written, call.finish);
            }
        }
    }
}

/// The outputs of one patch of one image and of one filter of its group.
fn patch(
    spec: &DepthwisePatch,
    p: &DirectParams,
    [n, k, index]: [usize; 3],
    [src, weights]: [&[f32]; 2],
    dst: &mut [f32],
    finish: Finish<'_>,
) {
    let words = [p.out_h, p.out_w, p.groups, p.k_first, p.k_group, p.h, p.w];
    let [out_h, out_w, groups, filter_first, filter_group, h, w] = words.map(|word| word as usize);
    let PatchBlocking { columns, rows } = spec.blocking;
    let [columns, rows] = [columns, rows].map(|number| number as usize);
    let strips = out_w.div_ceil(columns);
    let patches = strips * out_h.div_ceil(rows);
    let (g, patch) =
        if spec.by_channels { (index % groups, index / groups) } else { (index / patches, index % patches) };
    let (first_row, first_column) = (patch / strips * rows, patch % strips * columns);
    let [n_at, g_at, k_at] = [n, g, k].map(usize::cast_signed);
    let channel = step(p.src_offset) + step(p.src_n) * n_at + step(p.src_g) * g_at;
    let own = step(p.weights_offset) + step(p.weights_g) * g_at + step(p.weights_k) * k_at;
    let place = step(p.dst_offset) + step(p.dst_n) * n_at + step(p.dst_g) * g_at + step(p.dst_k) * k_at;
    let (taps, stride) = (spec.taps as usize, spec.stride as usize);
    for row in first_row..out_h.min(first_row + rows) {
        for column in first_column..out_w.min(first_column + columns) {
            let mut sum = 0.0f32;
            for (r, s) in (0..taps).flat_map(|r| (0..taps).map(move |s| (r, s))) {
                let y = (row * stride + r).cast_signed() - step(p.before_h);
                let x = (column * stride + s).cast_signed() - step(p.before_w);
                let (y, x) = (Border::Zero.element(y, h), Border::Zero.element(x, w));
                let (Some(y), Some(x)) = (y, x) else { continue };
                let at = channel + step(p.src_h) * y.cast_signed() + step(p.src_w) * x.cast_signed();
                let tap = own + step(p.weights_h) * r.cast_signed() + step(p.weights_w) * s.cast_signed();
                sum += src[at.cast_unsigned()] * weights[tap.cast_unsigned()];
            }
            let at = place + step(p.dst_h) * row.cast_signed() + step(p.dst_w) * column.cast_signed();
            finish.write(sum, filter_first + g * filter_group + k, at.cast_unsigned(), dst);
        }
    }
}
