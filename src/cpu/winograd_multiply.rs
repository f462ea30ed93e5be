//! Twin of `shaders/kernel/winograd_multiply.wgsl`, unblocked: rows of M grow by rows of V, for each part of the channels.

use crate::kernel::MultiplyParams;

/// `products` matrix products: one for each point and group, part by part.
pub(super) fn run(params: &MultiplyParams, products: usize, u: &[f32], v: &[f32], m: &mut [f32]) {
    let words = [params.group_c, params.group_k, params.k_stride, params.t_stride, params.part_c, params.batches];
    let [group_c, group_k, k_stride, t_stride, part_c, batches] = words.map(|word| word as usize);
    for product in 0..products {
        let (part, batch) = (product / batches, product % batches);
        for k in 0..group_k {
            let row = (product * group_k + k) * t_stride;
            let row = &mut m[row..row + t_stride];
            row.fill(0.0);
            for c in part * part_c..group_c.min((part + 1) * part_c) {
                let factor = u[(batch * group_c + c) * k_stride + k];
                let at = (batch * group_c + c) * t_stride;
                for (m, v) in row.iter_mut().zip(&v[at..at + t_stride]) {
                    *m += factor * v;
                }
            }
        }
    }
}
