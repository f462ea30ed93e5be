//! The CPU's kernels.

mod chunks;
mod depthwise;
mod direct;
mod fill;
mod gemm;
mod gradient;
mod product;
mod result;
mod source;
mod transpose;
mod winograd;

use crate::conv::Residual;
use crate::dtype::DType;
use crate::plan::{CpuKernel, CpuStep, Windows};
use crate::problem::Problem;
use crate::twin::{Finish, Operands};

pub(super) use depthwise::pack as pack_depthwise;
pub(super) use direct::pack as pack_direct;
pub(super) use gemm::pack as pack_gemm;
#[cfg(feature = "graph")]
pub(crate) use source::copy;
pub(super) use winograd::{Winograd, pack as pack_winograd};

/// Runs a step of a plan for a problem.
pub(super) fn run(
    step: &CpuStep,
    problem: &Problem,
    operands: &Operands<'_>,
    workspace: &mut [Vec<f32>],
    output: &mut [f32],
) {
    let conv = &problem.conv;
    let finish = Finish {
        activation: conv.activation,
        bias: if conv.bias { operands.bias } else { &[] },
        slopes: operands.slopes,
        from: conv.residual,
        residual: if conv.residual == Residual::Tensor { operands.residual } else { &[] },
        stored: if conv.dtype == DType::F16 { problem.result_type } else { DType::F32 },
    };
    let (of, threads) = (step.of, step.threads);
    let src = if of.swapped { operands.weights } else { operands.input };
    let packed = operands.read(step.packed);
    match step.kernel {
        CpuKernel::Winograd { algorithm, block } => {
            let windows = Windows::new(of).expect("the planner rejects what has no windows");
            let winograd = Winograd::new(windows, algorithm, (block, threads), src, packed, finish, output);
            winograd.run(block.together as usize, workspace);
        }
        CpuKernel::Gemm(patch) => gemm::Gemm::new(of, patch, src, packed, finish, output).run(threads, workspace),
        CpuKernel::Depthwise(patch) => {
            depthwise::Depthwise::new(of, patch, src, packed, finish, output).run(threads, workspace);
        }
        CpuKernel::Direct(strip) => {
            direct::Direct::new(of, strip, src, packed, finish, output).run(threads, workspace);
        }
        CpuKernel::Gradient(cut) => {
            gradient::Gradient::new(of, cut, src, packed, finish, output).run(threads, workspace);
        }
        CpuKernel::Fill => fill::Fill::new(of, finish, output).run(threads),
    }
}
