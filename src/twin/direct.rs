//! Twin of `shaders/kernel/direct.wgsl`.

use super::{Call, Finish, Twin, step};
use crate::kernel::{Direct, DirectParams};

impl Twin for Direct {
    fn run(&self, call: &Call<'_>, written: &mut [f32]) {
        run(self, &call.params(), call.read(0), call.read(1), written, call.finish);
    }
}

fn run(spec: &Direct, params: &DirectParams, src: &[f32], weights: &[f32], dst: &mut [f32], finish: Finish<'_>) {
    let p = params;
    let words = [p.taps_d, p.taps_h, p.taps_w, p.group_c, p.group_k];
    let [taps_d, taps_h, taps_w, group_c, group_k] = words.map(|word| word as usize);
    let size = [p.d, p.h, p.w].map(|size| size as usize);
    let filters = spec.filters as usize;
    // The steps of a tap and of an element.
    let [src_c, src_d, src_h, src_w] = [p.src_c, p.src_d, p.src_h, p.src_w].map(step);
    let tap_steps = [p.weights_c, p.weights_d, p.weights_h, p.weights_w].map(step);
    let [groups, filter_first, filter_group] = [p.groups, p.k_first, p.k_group].map(|word| word as usize);
    for position in p.first as usize..p.end as usize {
        for g in 0..groups {
            let (image, first) = start(p, position, g);
            let place = place(p, position, g);
            for k_first in (0..group_k).step_by(filters) {
                let mut acc = [0.0f32; 8];
                let count = filters.min(group_k - k_first);
                for (c, t, r, s) in taps([group_c, taps_d, taps_h, taps_w]) {
                    let z = spec.border.element(first[0] + step(p.dilation_d) * t, size[0]);
                    let y = spec.border.element(first[1] + step(p.dilation_h) * r, size[1]);
                    let x = spec.border.element(first[2] + step(p.dilation_w) * s, size[2]);
                    let value = match (z, y, x) {
                        (Some(z), Some(y), Some(x)) => {
                            let [z, y, x] = [z, y, x].map(usize::cast_signed);
                            src[(image + src_c * c + src_d * z + src_h * y + src_w * x).cast_unsigned()]
                        }
                        _ => 0.0,
                    };
                    let tap = tap_steps[0] * c + tap_steps[1] * t + tap_steps[2] * r + tap_steps[3] * s;
                    let own = step(p.weights_offset) + step(p.weights_g) * g.cast_signed() + tap;
                    for (i, acc) in acc[..count].iter_mut().enumerate() {
                        let filter = (k_first + i).cast_signed();
                        *acc += value * weights[(own + step(p.weights_k) * filter).cast_unsigned()];
                    }
                }
                for (i, &acc) in acc[..count].iter().enumerate() {
                    let k = k_first + i;
                    let at = place + step(p.dst_k) * k.cast_signed();
                    finish.write(acc, filter_first + g * filter_group + k, at.cast_unsigned(), dst);
                }
            }
        }
    }
}

/// Image, plane, row and column of an output position.
fn position_of(p: &DirectParams, position: usize) -> [isize; 4] {
    let [out_d, out_h, out_w] = [p.out_d, p.out_h, p.out_w].map(|word| word as usize);
    let plane = position / (out_w * out_h);
    [plane / out_d, plane % out_d, position / out_w % out_h, position % out_w].map(usize::cast_signed)
}

/// Where a position's first tap lies: the first element of the group's channels in the image, and the coordinates there.
pub(super) fn start(p: &DirectParams, position: usize, g: usize) -> (isize, [isize; 3]) {
    let [n, plane, row, column] = position_of(p, position);
    let image = step(p.src_offset) + step(p.src_n) * n + step(p.src_g) * g.cast_signed();
    let first = [
        step(p.stride_d) * plane - step(p.before_d),
        step(p.stride_h) * row - step(p.before_h),
        step(p.stride_w) * column - step(p.before_w),
    ];
    (image, first)
}

/// Where a position's output of the group's first filter lies.
pub(super) fn place(p: &DirectParams, position: usize, g: usize) -> isize {
    let [n, plane, row, column] = position_of(p, position);
    let image = step(p.dst_offset) + step(p.dst_n) * n + step(p.dst_g) * g.cast_signed();
    image + step(p.dst_d) * plane + step(p.dst_h) * row + step(p.dst_w) * column
}

/// Channels and taps, in the order in which they are summed.
pub(super) fn taps(
    [group_c, taps_d, taps_h, taps_w]: [usize; 4],
) -> impl Iterator<Item = (isize, isize, isize, isize)> {
    let [group_c, taps_d, taps_h, taps_w] = [group_c, taps_d, taps_h, taps_w].map(usize::cast_signed);
    (0..group_c).flat_map(move |c| {
        (0..taps_d).flat_map(move |t| (0..taps_h).flat_map(move |r| (0..taps_w).map(move |s| (c, t, r, s))))
    })
}
