//! Twin of `shaders/kernel/winograd_input.wgsl`.

use super::transform::{LANES, Transform2d};
use crate::kernel::{InputParams, WinogradInput};

pub(super) fn run(spec: &WinogradInput, params: &InputParams, src: &[f32], v: &mut [f32]) {
    let mut transform = Transform2d::input_tiles(spec.algorithm);
    let words = [params.tiles, params.t_stride, params.tiles_y, params.tiles_x, params.c, params.h, params.w];
    let [tiles, t_stride, tiles_y, tiles_x, c_size, h, w] = words.map(|word| word as usize);
    let (rows, cols) = (spec.algorithm.rows, spec.algorithm.cols);
    let (out_h, out_w) = (usize::from(rows.m()), usize::from(cols.m()));
    let plane = c_size * t_stride;
    for c in 0..c_size {
        for first in (0..tiles).step_by(LANES) {
            let count = LANES.min(tiles - first);
            for lane in 0..count {
                let tile = params.first as usize + first + lane;
                let (n, tile_y, tile_x) = (tile / (tiles_x * tiles_y), tile / tiles_x % tiles_y, tile % tiles_x);
                let image = (n * c_size + c) * h * w;
                // Above and left of the image these wrap around to huge numbers.
                let y_first = (tile_y * out_h).wrapping_sub(params.pad_top as usize);
                let x_first = (tile_x * out_w).wrapping_sub(params.pad_left as usize);
                for i in 0..rows.span() {
                    let y = y_first.wrapping_add(i);
                    for j in 0..cols.span() {
                        let x = x_first.wrapping_add(j);
                        let value = if y < h && x < w { src[image + y * w + x] } else { 0.0 };
                        transform.input()[i * cols.span() + j][lane] = value;
                    }
                }
            }
            transform.run();
            for (point, value) in transform.output().iter().enumerate() {
                let at = point * plane + c * t_stride + first;
                v[at..at + count].copy_from_slice(&value[..count]);
            }
        }
    }
}
