//! Twin of `shaders/kernel/winograd_multiply.wgsl`, unblocked: rows of M grow by rows of V.

use crate::kernel::MultiplyParams;

/// `batches` matrix products: one for each point and group.
pub(super) fn run(params: &MultiplyParams, batches: usize, u: &[f32], v: &[f32], m: &mut [f32]) {
    let words = [params.group_c, params.group_k, params.k_stride, params.t_stride];
    let [group_c, group_k, k_stride, t_stride] = words.map(|word| word as usize);
    for batch in 0..batches {
        for k in 0..group_k {
            let row = (batch * group_k + k) * t_stride;
            let row = &mut m[row..row + t_stride];
            row.fill(0.0);
            for c in 0..group_c {
                let factor = u[(batch * group_c + c) * k_stride + k];
                let at = (batch * group_c + c) * t_stride;
                for (m, v) in row.iter_mut().zip(&v[at..at + t_stride]) {
                    *m += factor * v;
                }
            }
        }
    }
}
