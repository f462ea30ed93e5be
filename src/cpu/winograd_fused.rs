//! Twin of `shaders/kernel/winograd_fused.wgsl`: block by block of tiles, through the twins of the stages.

use super::{Finish, winograd_filter, winograd_fused_output, winograd_input};
use crate::kernel::{FilterParams, FusedParams, Fusion, InputParams, WinogradFilter, WinogradFused, WinogradInput};
use crate::layout::VECTOR;

/// `filters` are U, or the weights as they are given, as the spec has it.
pub(super) fn run(
    spec: &WinogradFused,
    params: &FusedParams,
    src: &[f32],
    filters: &[f32],
    dst: &mut [f32],
    f: Finish<'_>,
) {
    let transformed = (spec.fusion == Fusion::Filter).then(|| {
        let filter =
            FilterParams { c: params.c, group_c: params.group_c, group_k: params.group_k, k_stride: params.k_stride };
        let mut u = vec![0.0; spec.algorithm.products() * (params.c * params.k_stride) as usize];
        winograd_filter::run(&WinogradFilter { algorithm: spec.algorithm }, &filter, filters, &mut u);
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
            c: params.c,
            h: params.h,
            w: params.w,
            pad_top: params.pad_top,
            pad_left: params.pad_left,
            src_offset: params.src_offset,
        };
        winograd_input::run(&WinogradInput { algorithm: spec.algorithm }, &input, src, &mut v);
        let rest = FusedParams { first: at, tiles, t_stride, ..*params };
        winograd_fused_output::run(spec, &rest, &v, u, dst, f);
    }
}
