//! Twin of `shaders/kernel/winograd_output.wgsl`.

use crate::kernel::{OutputParams, WinogradOutput};
use crate::twin::transform::{LANES, Transform2d};
use crate::twin::{Call, Finish, Twin, step};

impl Twin for WinogradOutput {
    fn run(&self, call: &Call<'_>, written: &mut [f32]) {
        run(self, &call.params(), call.dispatch.grid[1] as usize, call.read(0), written, call.finish);
    }
}

/// `filters` are those of the dispatch, of `params.k` in all.
pub(super) fn run(
    spec: &WinogradOutput,
    params: &OutputParams,
    filters: usize,
    m: &[f32],
    dst: &mut [f32],
    finish: Finish<'_>,
) {
    let mut transform = Transform2d::output_tiles(spec.algorithm);
    let p = params;
    let words = [p.tiles, p.t_stride, p.tiles_y, p.tiles_x, p.out_d, p.k, p.p, p.q];
    let [tiles, t_stride, tiles_y, tiles_x, out_d, k_size, p_size, q_size] = words.map(|word| word as usize);
    let [spread_h, spread_w] = [p.spread_h, p.spread_w].map(|word| word as usize);
    let out_h = usize::from(spec.algorithm.rows.m());
    let out_w = usize::from(spec.algorithm.cols.m());
    let plane = k_size * t_stride;
    let part = spec.algorithm.products() * plane;
    for k in (params.k_first as usize..).take(filters) {
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
                let (image, tile_y, tile_x) = (tile / (tiles_x * tiles_y), tile / tiles_x % tiles_y, tile % tiles_x);
                let (outputs, phase) = (image / (spread_w * spread_h), image % (spread_w * spread_h));
                let plane = step(p.dst_offset)
                    + step(p.dst_n) * (outputs / out_d).cast_signed()
                    + step(p.dst_d) * (outputs % out_d).cast_signed()
                    + step(p.dst_k) * k.cast_signed();
                for (i, j) in (0..out_h).flat_map(|i| (0..out_w).map(move |j| (i, j))) {
                    let y = (tile_y * out_h + i) * spread_h + phase / spread_w;
                    let x = (tile_x * out_w + j) * spread_w + phase % spread_w;
                    if y < p_size && x < q_size {
                        let at = plane + step(p.dst_h) * y.cast_signed() + step(p.dst_w) * x.cast_signed();
                        finish.write(transform.output()[i * out_w + j][lane], k, at.cast_unsigned(), dst);
                    }
                }
            }
        }
    }
}
