//! Twin of `shaders/kernel/pack_halves.wgsl`. Halves are f32 that were rounded to f16, and words two of them.

use super::{Call, Twin};
use crate::dtype::DType;
use crate::kernel::{PackHalves, PackParams};

impl Twin for PackHalves {
    fn run(&self, call: &Call<'_>, written: &mut [f32]) {
        run(&call.params(), call.dispatch.grid[0], call.read(0), written);
    }
}

fn run(params: &PackParams, groups: u32, values: &[f32], halves: &mut [f32]) {
    let p = params;
    let steps = [p.step_0, p.step_1, p.step_2, p.step_3, p.step_4];
    let sizes = [p.size_0, p.size_1, p.size_2, p.size_3, p.size_4];
    let is_output = |at: u32| {
        let mut rest = p.first.wrapping_add(at);
        let inside = steps.iter().zip(sizes).all(|(&step, size)| {
            let index = rest / step;
            rest %= step;
            index < size
        });
        at < p.count && inside && rest == 0
    };
    let words = groups * PackHalves::WORKGROUP;
    let first = p.halves_offset / 2;
    for word in first..first.saturating_add(words) {
        for at in [0, 1].map(|half| word.wrapping_mul(2).wrapping_add(half).wrapping_sub(p.halves_offset)) {
            if is_output(at) {
                halves[(p.halves_offset + at) as usize] = DType::F16.rounded(values[(p.values_offset + at) as usize]);
            }
        }
    }
}
