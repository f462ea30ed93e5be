//! Twin of `shaders/kernel/winograd_fused.wgsl`: block by block of tiles, through the twins of the stages.

use super::{filter, fused_output, input};
use crate::kernel::{FilterParams, FusedParams, Fusion, InputParams, WinogradFilter, WinogradFused, WinogradInput};
use crate::layout::VECTOR;
use crate::padding::Border;
use crate::twin::{Call, Finish, Twin};

impl Twin for WinogradFused {
    fn run(&self, call: &Call<'_>, written: &mut [f32]) {
        let (params, [source, filters]) = (call.params(), [call.read(0), call.read(1)]);
        match self.fusion {
            Fusion::Output => fused_output::run(self, &params, source, filters, written, call.finish),
            Fusion::Input | Fusion::Filter => run(self, &params, source, filters, written, call.finish),
        }
    }
}

/// `filters` are U, or the weights as they are given, as the spec has it.
fn run(spec: &WinogradFused, params: &FusedParams, src: &[f32], filters: &[f32], dst: &mut [f32], f: Finish<'_>) {
    let transformed = (spec.fusion == Fusion::Filter).then(|| {
        let [taps_h, taps_w] = [spec.algorithm.rows.r(), spec.algorithm.cols.r()].map(u32::from);
        let taps = taps_h * taps_w;
        let filter = FilterParams {
            group_k: params.group_k,
            k_stride: params.k_stride,
            group_rows: params.group_c,
            rows: params.c,
            sum_first: 0,
            taps_d: 1,
            taps_h,
            taps_w,
            phases_h: 1,
            phases_w: 1,
            phase_step_h: 1,
            phase_step_w: 1,
            tap_step_h: 1,
            tap_step_w: 1,
            weights_g: params.group_k * params.group_c * taps,
            weights_k: params.group_c * taps,
            weights_c: taps,
            weights_d: taps,
            weights_h: taps_w,
            weights_w: 1,
            weights_offset: params.weights_offset,
        };
        let mut u = vec![0.0; spec.algorithm.products() * (params.c * params.k_stride) as usize];
        filter::run(&WinogradFilter { algorithm: spec.algorithm, storage: spec.storage }, &filter, filters, &mut u);
        u
    });
    let u = transformed.as_deref().unwrap_or(filters);
    let block = spec.blocking.tiles;
    let t_stride = block.next_multiple_of(u32::try_from(VECTOR).unwrap_or(1));
    let mut v = vec![0.0; spec.algorithm.products() * (params.c * t_stride) as usize];
    for first in (0..params.tiles).step_by(block as usize) {
        let (at, tiles) = (params.first + first, block.min(params.tiles - first));
        let input = InputParams {
            first: at,
            tiles,
            t_stride,
            tiles_y: params.tiles_y,
            tiles_x: params.tiles_x,
            plain: 1,
            out_d: 1,
            row_first: 0,
            rows: params.c,
            group_rows: params.c,
            sum_first: 0,
            taps_d: 1,
            phases_h: 1,
            phases_w: 1,
            phase_step_h: 1,
            phase_step_w: 1,
            spread_h: 1,
            spread_w: 1,
            step_h: 1,
            step_w: 1,
            stride_d: 1,
            dilation_d: 1,
            d: 1,
            h: params.h,
            w: params.w,
            before_d: 0,
            before_h: params.before_h,
            before_w: params.before_w,
            src_n: params.src_n,
            src_g: 0,
            src_c: params.src_c,
            src_d: 0,
            src_h: params.src_h,
            src_w: 1,
            src_offset: params.src_offset,
        };
        let transform = WinogradInput { algorithm: spec.algorithm, border: Border::Zero, storage: spec.storage };
        input::run(&transform, &input, params.c as usize, src, &mut v);
        let rest = FusedParams { first: at, tiles, t_stride, ..*params };
        fused_output::run(spec, &rest, &v, u, dst, f);
    }
}
