//! What the CPU's kernels are told: a correlation, and how its work is cut.

use std::fmt;

use super::gradient::GradientCut;
use super::patch::{Patch, Strip};
use crate::correlation::Correlation;
use crate::plan::build::Operand;
use crate::winograd::{F, Nested};

/// Rows that stand side by side: one register of AVX-512, two of AVX2, four of NEON.
pub(crate) const LANES: usize = 16;
/// Filters whose factors stand side by side.
pub(crate) const PANEL: usize = 32;

/// Bytes of the last cache that a convolution may count on.
pub(crate) const LAST_CACHE: usize = 16 << 20;

/// Rows of U and V whose products are summed first; these sums are then added. A sum of sums rounds
/// less, so larger tiles meet the tolerance.
pub(crate) const SUM: usize = 32;

/// One step of a plan that the CPU's kernels run: a kernel on a correlation. Only the planner makes one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CpuStep {
    /// The kernel.
    pub(crate) kernel: CpuKernel,
    /// Threads that share the work, each with a part of the workspace.
    pub(crate) threads: usize,
    /// What is computed.
    pub(crate) of: Correlation,
    /// Its part of the packed weights.
    pub(crate) packed: Operand,
}

impl CpuStep {
    /// The kernel and how its work is cut: `cpu_winograd_f4x3_28x0`.
    pub fn name(&self) -> String {
        self.kernel.to_string()
    }

    /// Threads that share the work, each with a part of the workspace.
    pub const fn threads(&self) -> usize {
        self.threads
    }
}

impl fmt::Display for CpuStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {} threads", self.kernel, self.threads)
    }
}

/// Which kernel, and how its work is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum CpuKernel {
    /// Winograd, its transforms and the multiply block by block.
    Winograd {
        /// The algorithm.
        algorithm: Nested,
        /// The blocks.
        block: TileBlock,
    },
    /// A product of matrices, of patches of the source.
    Gemm(Patch),
    /// Groups of one channel and one filter, 16 of them side by side.
    Depthwise(Patch),
    /// The sum as it stands, rows of outputs side by side.
    Direct(Strip),
    /// The gradient of weights: products of rows.
    Gradient(GradientCut),
    /// Outputs that no tap reaches: bias, residual and activation alone.
    Fill,
}

impl CpuKernel {
    /// The transforms that are compiled, with a register for each value: what the planner takes most. Others are run operation
    /// by operation.
    pub(crate) const WRITTEN_OUT: [F; 8] = [
        F::new(2, 3),
        F::new(3, 3),
        F::new(4, 3),
        F::new(5, 3),
        F::quadratic(6, 3),
        F::new(2, 5),
        F::quadratic(4, 5),
        F::new(2, 7),
    ];
}

/// How tiles are walked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct TileBlock {
    /// Tiles of a block.
    pub(crate) tiles: u32,
    /// Blocks whose transformed input is made first, and then shared by all threads; 0 where each thread makes that of its
    /// own block.
    pub(crate) together: u32,
}

impl fmt::Display for CpuKernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Winograd { algorithm, block: TileBlock { tiles, together } } => {
                write!(f, "cpu_winograd_{}_{tiles}x{together}", algorithm.label())
            }
            Self::Gemm(patch) => write!(f, "cpu_gemm_{patch}"),
            Self::Depthwise(patch) => write!(f, "cpu_depthwise_{patch}"),
            Self::Direct(Strip { patch }) => write!(f, "cpu_direct_{patch}"),
            Self::Gradient(cut) => write!(f, "cpu_gradient_{cut}"),
            Self::Fill => f.write_str("cpu_fill"),
        }
    }
}
