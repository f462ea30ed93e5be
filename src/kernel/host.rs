//! The processor's own kernels: not for GPUs, and with no shader.

use super::cost::Region;
use super::{Binding, Epilogue, KernelSpec, Storage};
use crate::padding::Border;
use crate::winograd::Nested;

/// Rows that stand side by side: one register of AVX-512, two of AVX2, four of NEON.
pub(crate) const LANES: usize = 16;
/// Filters whose factors stand side by side.
pub(crate) const PANEL: usize = 32;

/// A kernel for processors. Its parameters are [`super::DirectParams`], as a correlation gives them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Host {
    /// Which.
    pub kernel: HostKernel,
    /// What lies around the source.
    pub border: Border,
    /// How the callers' tensors are stored.
    pub storage: Storage,
    /// Bias, residual and activation.
    pub epilogue: Epilogue,
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
}

/// How tiles are walked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct HostBlock {
    /// Tiles of a block.
    pub tiles: u32,
    /// Whether the transformed input of all blocks is made first, and then shared by all threads; else each thread makes
    /// that of its own block.
    pub shared: bool,
}

impl Host {
    /// The kernel.
    pub const fn spec(self) -> KernelSpec {
        KernelSpec::Host(self)
    }

    pub(super) const fn kernel(&self) -> &'static str {
        match self.kernel {
            HostKernel::Winograd { .. } => "host_winograd",
        }
    }

    pub(super) fn variant(&self) -> String {
        let kernel = match self.kernel {
            HostKernel::Winograd { algorithm, block: HostBlock { tiles, shared } } => {
                format!("{}_{}_{tiles}", algorithm.label(), if shared { "shared" } else { "own" })
            }
        };
        format!("{kernel}_{}{}", self.storage.name(), self.epilogue.suffix())
    }

    pub(super) fn bindings(&self) -> Vec<Binding> {
        let weights = match self.kernel {
            HostKernel::Winograd { .. } => "u",
        };
        let own = [Binding::read(1, "src"), Binding::read(2, weights), Binding::write(3, "dst")];
        own.into_iter().chain(self.epilogue.bindings()).collect()
    }

    /// What it does is not counted: counts are of shaders' invocations.
    pub(super) const fn regions() -> Vec<Region> {
        Vec::new()
    }
}
