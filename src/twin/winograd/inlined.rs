//! Twin of `shaders/kernel/winograd_inlined.wgsl`: the same sums in the same order, the reduce repeated as it is there.

use crate::kernel::{FusedParams, Reading, WinogradInlined};
use crate::twin::{Call, Finish, Twin, step};

impl Twin for WinogradInlined {
    fn run(&self, call: &Call<'_>, written: &mut [f32]) {
        run(self, &call.params(), call.read(0), call.read(1), written, call.finish);
    }
}

fn run(spec: &WinogradInlined, params: &FusedParams, v: &[f32], u: &[f32], dst: &mut [f32], f: Finish<'_>) {
    let kronecker = spec.kronecker().expect("the planner rejects algorithms without transforms");
    let words = [params.first, params.tiles, params.t_stride, params.tiles_y, params.tiles_x, params.c];
    let [first, tiles, t_stride, tiles_y, tiles_x, c_size] = words.map(|word| word as usize);
    let words = [params.group_c, params.group_k, params.k_stride, params.p, params.q];
    let [group_c, group_k, k_stride, p_size, q_size] = words.map(|word| word as usize);
    let k_size = c_size / group_c * group_k;
    let (out_h, out_w) = (usize::from(spec.algorithm.rows.m()), usize::from(spec.algorithm.cols.m()));
    for (output, row) in kronecker.iter_rows().enumerate() {
        let coefficients = row.iter().map(|a| a.to_f32()).enumerate();
        let terms: Vec<(usize, f32)> = coefficients.filter(|&(_, a)| a != 0.0).collect();
        for (k, t) in (0..k_size).flat_map(|k| (0..tiles).map(move |t| (k, t))) {
            let tile = first + t;
            let (n, tile_y, tile_x) = (tile / (tiles_x * tiles_y), tile / tiles_x % tiles_y, tile % tiles_x);
            let (y, x) = (tile_y * out_h + output / out_w, tile_x * out_w + output % out_w);
            if y >= p_size || x >= q_size {
                continue;
            }
            let product = |point: usize, c: usize, a: f32| {
                let row = point * c_size + k / group_k * group_c + c;
                a * u[row * k_stride + k % group_k] * v[row * t_stride + t]
            };
            let value = match spec.reading {
                Reading::PerOutput => {
                    (0..group_c).map(|c| terms.iter().map(|&(point, a)| product(point, c, a)).sum::<f32>()).sum()
                }
                Reading::PerNonzero => {
                    let reduce = |point| (0..group_c).map(|c| product(point, c, 1.0)).sum::<f32>();
                    terms.iter().map(|&(point, a)| a * reduce(point)).sum::<f32>()
                }
            };
            let [n, k_at, y, x] = [n, k, y, x].map(usize::cast_signed);
            let image = step(params.dst_offset) + step(params.dst_n) * n + step(params.dst_k) * k_at;
            let at = image + step(params.dst_h) * y + step(params.dst_w) * x;
            f.write(value, k, at.cast_unsigned(), dst);
        }
    }
}
