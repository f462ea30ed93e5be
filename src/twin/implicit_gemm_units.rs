//! Twin of `shaders/kernel/implicit_gemm_units.wgsl`, unblocked: the sum of an output grows tap by tap, and of each tap channel by
//! channel.

use half::f16;

use super::direct::{place, start};
use super::{Call, Finish, Twin, step};
use crate::kernel::{DirectParams, ImplicitGemmUnits};
use crate::padding::Border;

impl Twin for ImplicitGemmUnits {
    fn run(&self, call: &Call<'_>, written: &mut [f32]) {
        run(&call.params(), [call.read(0), call.read(1)], written, call.finish);
    }
}

fn run(p: &DirectParams, [src, rows]: [&[f32]; 2], dst: &mut [f32], finish: Finish<'_>) {
    let [channels, group_k] = [p.group_c, p.group_k].map(|word| word as usize);
    let size = [p.d, p.h, p.w].map(|size| size as usize);
    let taps: Vec<[isize; 3]> = (0..p.taps_d)
        .flat_map(|z| (0..p.taps_h).flat_map(move |y| (0..p.taps_w).map(move |x| [z, y, x].map(step))))
        .collect();
    let dilation = [p.dilation_d, p.dilation_h, p.dilation_w].map(step);
    // A word of a row has two halves.
    let pairs = channels / 2;
    for g in 0..p.groups as usize {
        let rows = &rows[g * group_k * taps.len() * pairs..];
        for position in p.first as usize..p.end as usize {
            let (image, first) = start(p, position, g);
            let at = place(p, position, g);
            for k in 0..group_k {
                let mut sum = 0.0;
                for (tap, by) in taps.iter().enumerate() {
                    let inside = |i: usize| Border::Zero.element(first[i] + dilation[i] * by[i], size[i]);
                    let (Some(z), Some(y), Some(x)) = (inside(0), inside(1), inside(2)) else { continue };
                    let [z, y, x] = [z, y, x].map(usize::cast_signed);
                    let at = image + step(p.src_d) * z + step(p.src_h) * y + step(p.src_w) * x;
                    let row = &rows[(k * taps.len() + tap) * pairs..][..pairs];
                    for (pair, word) in row.iter().map(|word| word.to_bits()).enumerate() {
                        for (c, bits) in [(2 * pair, word & 0xffff), (2 * pair + 1, word >> 16)] {
                            let value = src[(at + step(p.src_c) * c.cast_signed()).cast_unsigned()];
                            #[expect(clippy::cast_possible_truncation, reason = "sixteen bits")]
                            let weight = f16::from_bits(bits as u16).to_f32();
                            sum += value * weight;
                        }
                    }
                }
                let at = at + step(p.dst_k) * k.cast_signed();
                let filter = p.k_first as usize + g * p.k_group as usize + k;
                finish.write(sum, filter, at.cast_unsigned(), dst);
            }
        }
    }
}
