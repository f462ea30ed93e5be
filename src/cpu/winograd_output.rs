//! Twin of `shaders/kernel/winograd_output.wgsl`.

use super::Finish;
use super::transform::{LANES, Transform2d};
use crate::kernel::{OutputParams, WinogradOutput};

pub(super) fn run(spec: &WinogradOutput, params: &OutputParams, m: &[f32], dst: &mut [f32], finish: Finish<'_>) {
    let mut transform = Transform2d::output_tiles(spec.algorithm);
    let words = [params.tiles, params.t_stride, params.tiles_y, params.tiles_x, params.k, params.p, params.q];
    let [tiles, t_stride, tiles_y, tiles_x, k_size, p_size, q_size] = words.map(|word| word as usize);
    let out_h = usize::from(spec.algorithm.rows.m());
    let out_w = usize::from(spec.algorithm.cols.m());
    let plane = k_size * t_stride;
    let part = spec.algorithm.products() * plane;
    for k in 0..k_size {
        for first in (0..tiles).step_by(LANES) {
            let count = LANES.min(tiles - first);
            for (point, value) in transform.input().iter_mut().enumerate() {
                let at = point * plane + k * t_stride + first;
                value[..count].copy_from_slice(&m[at..at + count]);
                for at in (1..params.parts as usize).map(|i| at + i * part) {
                    value.iter_mut().zip(&m[at..at + count]).for_each(|(sum, m)| *sum += m);
                }
            }
            transform.run();
            for lane in 0..count {
                let tile = params.first as usize + first + lane;
                let (n, tile_y, tile_x) = (tile / (tiles_x * tiles_y), tile / tiles_x % tiles_y, tile % tiles_x);
                for i in 0..out_h.min(p_size - tile_y * out_h) {
                    let row = ((n * k_size + k) * p_size + tile_y * out_h + i) * q_size + tile_x * out_w;
                    for j in 0..out_w.min(q_size - tile_x * out_w) {
                        dst[row + j] = finish.apply(transform.output()[i * out_w + j][lane], k);
                    }
                }
            }
        }
    }
}
