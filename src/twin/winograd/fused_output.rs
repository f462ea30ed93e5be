//! Twin of `shaders/kernel/winograd_fused_output.wgsl`: the twins of the last two stages, one after the other.

use super::{multiply, output};
use crate::kernel::{FusedParams, MultiplyParams, OutputParams, WinogradFused, WinogradOutput, word};
use crate::twin::Finish;

pub(super) fn run(spec: &WinogradFused, params: &FusedParams, v: &[f32], u: &[f32], dst: &mut [f32], f: Finish<'_>) {
    let points = spec.algorithm.products();
    let groups = (params.c / params.group_c) as usize;
    let filters = params.c / params.group_c * params.group_k;
    let mut m = vec![0.0; points * (filters * params.t_stride) as usize];
    let multiply = MultiplyParams {
        group_c: params.group_c,
        group_k: params.group_k,
        k_stride: params.k_stride,
        t_stride: params.t_stride,
        part_c: params.group_c,
        batches: word(points * groups),
    };
    multiply::run(None, false, &multiply, points * groups, u, v, &mut m);
    let output = OutputParams {
        first: params.first,
        tiles: params.tiles,
        t_stride: params.t_stride,
        tiles_y: params.tiles_y,
        tiles_x: params.tiles_x,
        plain: 1,
        out_d: 1,
        spread_h: 1,
        spread_w: 1,
        k_first: 0,
        k: filters,
        p: params.p,
        q: params.q,
        parts: 1,
        dst_n: params.dst_n,
        dst_k: params.dst_k,
        dst_d: 0,
        dst_h: params.dst_h,
        dst_w: params.dst_w,
        dst_offset: params.dst_offset,
        bias_offset: params.bias_offset,
        slopes_offset: params.slopes_offset,
        residual_offset: params.residual_offset,
        act_a: params.act_a,
        act_b: params.act_b,
    };
    output::run(
        &WinogradOutput { algorithm: spec.algorithm, storage: spec.storage, epilogue: spec.epilogue },
        &output,
        filters as usize,
        &m,
        dst,
        f,
    );
}
