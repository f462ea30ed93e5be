//! The processor's own path: kernels for its registers and caches, where the twins are for comparison. One source serves
//! AVX-512, AVX2, NEON and plain scalars; which of them is found out when it runs.

mod chunks;
mod direct;
mod disjoint;
mod gemm;
// Compares two texts: safe code, on which Miri spends more time than on all that it is asked for.
#[cfg(all(test, not(miri)))]
mod generate;
mod helpers;
mod prefetch;
mod probe;
mod product;
mod registers;
mod result;
mod source;
mod straight_line;
#[cfg(test)]
mod tests;
#[rustfmt::skip]
mod transforms;
mod transpose;
mod walk;
mod winograd;

use super::Finish;
use crate::correlation::Correlation;
use crate::kernel::{Host, HostKernel};
use crate::plan::Windows;

pub(super) use direct::pack as pack_direct;
pub(super) use gemm::pack as pack_gemm;
pub use probe::{multiply_alone, peak_flops};
pub(super) use winograd::pack as pack_winograd;

/// Runs a kernel on a correlation.
pub(super) fn run(
    kernel: &Host,
    of: Correlation,
    src: &[f32],
    weights: &[f32],
    finish: Finish<'_>,
    workspace: &mut [Vec<f32>],
    output: &mut [f32],
) {
    let threads = kernel.threads as usize;
    match kernel.kernel {
        HostKernel::Winograd { algorithm, block } => {
            let windows = Windows::new(of).expect("the planner rejects what has no windows");
            let winograd = winograd::Winograd::new(windows, algorithm, (block, threads), src, weights, finish, output);
            winograd.run(block.together as usize, workspace);
        }
        HostKernel::Gemm(patch) => gemm::Gemm::new(of, patch, src, weights, finish, output).run(threads, workspace),
        HostKernel::Direct(strip) => {
            direct::Direct::new(of, strip, src, weights, finish, output).run(threads, workspace);
        }
    }
}
