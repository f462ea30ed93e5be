//! The processor's own kernels: not for GPUs, and with no shader.

use super::cost::Region;
use super::{Binding, DirectParams, Epilogue, HostPatch, HostStrip, KernelSpec, Storage};
use crate::correlation::{Correlation, Steps};
use crate::padding::Border;
use crate::winograd::{F, Nested};

/// Rows that stand side by side: one register of AVX-512, two of AVX2, four of NEON.
pub(crate) const LANES: usize = 16;
/// Filters whose factors stand side by side.
pub(crate) const PANEL: usize = 32;

/// Bytes of the last cache that a convolution may count on.
pub(crate) const LAST_CACHE: usize = 16 << 20;

/// Rows of U and V whose products are summed up on their own, before they are added to those of others: sums of sums round
/// less, so that larger tiles are as accurate as long sums of smaller ones.
pub(crate) const SUM: usize = 32;

/// A kernel for processors. Its parameters are [`super::DirectParams`], as a correlation gives them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Host {
    /// Which.
    pub(crate) kernel: HostKernel,
    /// Threads that share the work, each with a part of the workspace.
    pub(crate) threads: u32,
    /// What lies around the source.
    pub(crate) border: Border,
    /// How the callers' tensors are stored.
    pub(crate) storage: Storage,
    /// Bias, residual and activation.
    pub(crate) epilogue: Epilogue,
}

/// Which of the processor's kernels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HostKernel {
    /// Winograd, its transforms and the multiply block by block.
    Winograd {
        /// The algorithm.
        algorithm: Nested,
        /// The blocks.
        block: HostBlock,
    },
    /// A product of matrices, of patches of the source.
    Gemm(HostPatch),
    /// The sum as it stands, rows of outputs side by side.
    Direct(HostStrip),
}

impl HostKernel {
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
pub struct HostBlock {
    /// Tiles of a block.
    pub(crate) tiles: u32,
    /// Blocks whose transformed input is made first, and then shared by all threads; 0 where each thread makes that of its
    /// own block.
    pub(crate) together: u32,
}

impl Host {
    /// The kernel.
    pub const fn spec(self) -> KernelSpec {
        KernelSpec::Host(self)
    }

    pub(super) const fn kernel(&self) -> &'static str {
        match self.kernel {
            HostKernel::Winograd { .. } => "host_winograd",
            HostKernel::Gemm(_) => "host_gemm",
            HostKernel::Direct(_) => "host_direct",
        }
    }

    pub(super) fn variant(&self) -> String {
        let kernel = match self.kernel {
            HostKernel::Winograd { algorithm, block: HostBlock { tiles, together } } => {
                format!("{}_{tiles}x{together}", algorithm.label())
            }
            HostKernel::Gemm(patch) | HostKernel::Direct(HostStrip { patch }) => patch.to_string(),
        };
        format!("{kernel}_{}{}", self.storage.name(), self.epilogue.suffix())
    }

    pub(super) fn bindings(&self) -> Vec<Binding> {
        let own = [Binding::read(1, "src"), Binding::read(2, "u"), Binding::write(3, "dst")];
        own.into_iter().chain(self.epilogue.bindings()).collect()
    }

    /// What it does is not counted: counts are of shaders' invocations.
    pub(super) const fn regions() -> Vec<Region> {
        Vec::new()
    }
}

impl DirectParams {
    /// The correlation that the parameters are of, all of it; which operand is which, its step says.
    pub(crate) fn correlation(&self, border: Border) -> Correlation {
        let p = self;
        let word = |word: u32| word as usize;
        let step = |word: u32| word.cast_signed() as isize;
        let out = [p.out_d, p.out_h, p.out_w].map(word);
        Correlation {
            n: word(p.end) / (out[0] * out[1] * out[2]).max(1),
            groups: word(p.groups),
            group_c: word(p.group_c),
            group_k: word(p.group_k),
            size: [p.d, p.h, p.w].map(word),
            out,
            taps: [p.taps_d, p.taps_h, p.taps_w].map(word),
            stride: [p.stride_d, p.stride_h, p.stride_w].map(word),
            dilation: [p.dilation_d, p.dilation_h, p.dilation_w].map(word),
            before: [p.before_d, p.before_h, p.before_w].map(step),
            border,
            swapped: false,
            src: Steps {
                offset: step(p.src_offset),
                g: step(p.src_g),
                n: step(p.src_n),
                c: step(p.src_c),
                dhw: [p.src_d, p.src_h, p.src_w].map(step),
            },
            weights: Steps {
                offset: step(p.weights_offset),
                g: step(p.weights_g),
                n: step(p.weights_k),
                c: step(p.weights_c),
                dhw: [p.weights_d, p.weights_h, p.weights_w].map(step),
            },
            dst: Steps {
                offset: step(p.dst_offset),
                g: step(p.dst_g),
                n: step(p.dst_n),
                c: step(p.dst_k),
                dhw: [p.dst_d, p.dst_h, p.dst_w].map(step),
            },
        }
    }
}
