//! Twin of `shaders/kernel/winograd_input.wgsl`.

use crate::kernel::{InputParams, WinogradInput};
use crate::twin::transform::{LANES, Transform2d};
use crate::twin::{Call, Twin, step};

impl Twin for WinogradInput {
    fn run(&self, call: &Call<'_>, written: &mut [f32]) {
        run(self, &call.params(), call.dispatch.grid[1] as usize, call.read(0), written);
    }
}

/// `rows` are those of the dispatch, of `params.rows` in all.
pub(super) fn run(spec: &WinogradInput, params: &InputParams, rows: usize, src: &[f32], v: &mut [f32]) {
    let mut transform = Transform2d::input_tiles(spec.algorithm);
    let p = params;
    let words = [p.tiles, p.t_stride, p.tiles_y, p.tiles_x, p.out_d, p.rows, p.taps_d, p.step_h, p.step_w];
    let [tiles, t_stride, tiles_y, tiles_x, out_d, v_rows, taps_d, step_h, step_w] = words.map(|word| word as usize);
    let words = [p.phases_h, p.phases_w, p.spread_h, p.spread_w];
    let [phases_h, phases_w, spread_h, spread_w] = words.map(|word| word as usize);
    let words = [p.group_rows, p.sum_first, p.phase_step_h, p.phase_step_w];
    let [group_rows, sum_first, phase_step_h, phase_step_w] = words.map(|word| word as usize);
    let size = [p.d, p.h, p.w].map(|size| size as usize);
    let element = |at: isize, axis: usize| spec.border.element(at, size[axis]).map(usize::cast_signed);
    let (down, across) = (spec.algorithm.rows, spec.algorithm.cols);
    let (out_h, out_w) = (usize::from(down.m()), usize::from(across.m()));
    let plane = v_rows * t_stride;
    for v_row in (params.row_first as usize..).take(rows) {
        let (g, in_sum) = (v_row / group_rows, v_row % group_rows + sum_first);
        let tap = in_sum / (phases_w * phases_h);
        let (y_first, x_first) = (in_sum / phases_w % phases_h * phase_step_h, in_sum % phases_w * phase_step_w);
        for first in (0..tiles).step_by(LANES) {
            let count = LANES.min(tiles - first);
            for lane in 0..count {
                let tile = params.first as usize + first + lane;
                let (image, tile_y, tile_x) = (tile / (tiles_x * tiles_y), tile / tiles_x % tiles_y, tile % tiles_x);
                let (outputs, phase) = (image / (spread_w * spread_h), image % (spread_w * spread_h));
                let channel = step(p.src_offset)
                    + step(p.src_n) * (outputs / out_d).cast_signed()
                    + step(p.src_g) * g.cast_signed()
                    + step(p.src_c) * (tap / taps_d).cast_signed();
                let z = (outputs % out_d).cast_signed() * step(p.stride_d)
                    + (tap % taps_d).cast_signed() * step(p.dilation_d)
                    - step(p.before_d);
                let z = element(z, 0);
                let y_phase = (y_first + phase / spread_w).cast_signed() - step(p.before_h);
                let x_phase = (x_first + phase % spread_w).cast_signed() - step(p.before_w);
                for i in 0..down.span() {
                    let y = element(((tile_y * out_h + i) * step_h).cast_signed() + y_phase, 1);
                    for j in 0..across.span() {
                        let x = element(((tile_x * out_w + j) * step_w).cast_signed() + x_phase, 2);
                        let value = match (z, y, x) {
                            (Some(z), Some(y), Some(x)) => {
                                let at = channel + step(p.src_d) * z + step(p.src_h) * y + step(p.src_w) * x;
                                src[at.cast_unsigned()]
                            }
                            _ => 0.0,
                        };
                        transform.input()[i * across.span() + j][lane] = value;
                    }
                }
            }
            transform.run();
            for (point, value) in transform.output().iter().enumerate() {
                let at = point * plane + v_row * t_stride + first;
                v[at..at + count].copy_from_slice(&value[..count]);
            }
        }
    }
}
