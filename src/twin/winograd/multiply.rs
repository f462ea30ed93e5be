//! Twin of `shaders/kernel/winograd_multiply.wgsl`, unblocked: rows of M grow by rows of V, for each part of the channels;
//! each slice of the steps by itself, and then they are added.

use crate::kernel::{Blocking, MultiplyParams, WinogradMultiply};
use crate::twin::{Call, Twin};

impl Twin for WinogradMultiply {
    fn run(&self, call: &Call<'_>, written: &mut [f32]) {
        let products = call.dispatch.grid[2] as usize;
        run(Some(&self.blocking), self.adds, &call.params(), products, call.read(0), call.read(1), written);
    }
}

/// `products` matrix products: one for each point and group, part by part; or they are added to those that stand in `m`.
/// Without a blocking there is one slice.
pub(super) fn run(
    blocking: Option<&Blocking>,
    adds: bool,
    params: &MultiplyParams,
    products: usize,
    u: &[f32],
    v: &[f32],
    m: &mut [f32],
) {
    let words = [params.group_c, params.group_k, params.k_stride, params.t_stride, params.part_c, params.batches];
    let [group_c, group_k, k_stride, t_stride, part_c, batches] = words.map(|word| word as usize);
    let [step, slices] = blocking.map_or([group_c, 1], |b| [b.channels, b.slices].map(|number| number as usize));
    let mut sums = vec![0.0; t_stride];
    let mut whole = vec![0.0; t_stride];
    for product in 0..products {
        let (part, batch) = (product / batches, product % batches);
        for k in 0..group_k {
            let row = (product * group_k + k) * t_stride;
            let row = &mut m[row..row + t_stride];
            whole.fill(0.0);
            for slice in 0..slices {
                sums.fill(0.0);
                let channels = part * part_c..group_c.min((part + 1) * part_c);
                for c in channels.filter(|c| (c - part * part_c) / step % slices == slice) {
                    let factor = u[(batch * group_c + c) * k_stride + k];
                    let at = (batch * group_c + c) * t_stride;
                    for (sum, v) in sums.iter_mut().zip(&v[at..at + t_stride]) {
                        *sum += factor * v;
                    }
                }
                for (whole, sum) in whole.iter_mut().zip(&sums) {
                    *whole += sum;
                }
            }
            for (m, sum) in row.iter_mut().zip(&whole) {
                *m = if adds { *m + sum } else { *sum };
            }
        }
    }
}
