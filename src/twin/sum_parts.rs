//! Twin of `shaders/kernel/sum_parts.wgsl`.

use super::{Call, Twin, step};
use crate::kernel::{SumParts, SumPartsParams};

impl Twin for SumParts {
    fn run(&self, call: &Call<'_>, written: &mut [f32]) {
        let p: SumPartsParams = call.params();
        let sums = call.read(0);
        let [out_d, out_h, out_w, group_k] = [p.out_d, p.out_h, p.out_w, p.group_k].map(|word| word as usize);
        for row in 0..call.dispatch.grid[1] as usize {
            let (g, k) = (row / group_k, row % group_k);
            for index in p.first as usize..p.end as usize {
                let at = p.sums_offset as usize + row * p.sums_k as usize + index - p.first as usize;
                let sum = (0..p.parts as usize).map(|part| sums[at + part * p.sums_part as usize]).reduce(|a, b| a + b);
                let plane = index / (out_w * out_h);
                let indices = [plane / out_d, g, k, plane % out_d, index / out_w % out_h, index % out_w];
                let steps = [p.dst_n, p.dst_g, p.dst_k, p.dst_d, p.dst_h, p.dst_w];
                let from_first =
                    indices.iter().zip(steps).map(|(index, by)| index.cast_signed() * step(by)).sum::<isize>();
                let place = (step(p.dst_offset) + from_first).cast_unsigned();
                let filter = p.k_first as usize + g * p.k_group as usize + k;
                call.finish.write(sum.unwrap_or(0.0), filter, place, written);
            }
        }
    }
}
