//! What a kernel takes of what small GPUs have little of: sums in an invocation's registers, and a loop's instructions in
//! a cache. Known from the spec, as `cost` is, and held against naga's module of each text by the same test file.

use super::{Direct, KernelSpec, WinogradFused};

/// Operations of the longest loop of those kernels all of whose loops are short: of `winograd_inlined` for F(4x4,3x3).
const LONGEST_OF_SHORT: u32 = 480;

/// Operations of the longest loop of the fused kernels but the one over phases: eight channels of 8x8 sums.
const LONGEST_IN_FUSED: u32 = 760;

impl KernelSpec {
    /// Sums that an invocation keeps in registers while it walks the channels; 0 where it sums nothing.
    pub const fn accumulators(&self) -> u32 {
        match self {
            Self::Direct(Direct { filters, .. }) => *filters,
            Self::Depthwise(_) => super::Depthwise::EACH,
            Self::ImplicitGemm(spec) => spec.blocking.filters_each * spec.blocking.tiles_each,
            Self::WinogradMultiply(spec) => spec.blocking.filters_each * spec.blocking.tiles_each,
            Self::WinogradFused(WinogradFused { blocking, .. }) => blocking.filters_each * blocking.tiles_each,
            // Each product of a reduce is added up by itself.
            Self::WinogradInlined(_) => 1,
            Self::WinogradFilter(_)
            | Self::WinogradInput(_)
            | Self::WinogradOutput(_)
            | Self::PackHalves(_)
            | Self::ActivationGradient(_)
            | Self::ChannelSums(_)
            | Self::Host(_) => 0,
        }
    }

    /// Scalar operations, as [`crate::wgsl::count`] counts them, of the longest body of a loop, calls included, the loops
    /// in it not: at least as many as there are, and exactly so many where they are near to what a cache may hold, but
    /// for `implicit_gemm`, where they may be a few less.
    pub fn loop_operations(&self) -> u32 {
        match self {
            Self::ImplicitGemm(spec) => spec.step_operations(),
            Self::WinogradMultiply(spec) => spec.blocking.step_operations(),
            // Without transforms there is no kernel at all, which its text's writer says.
            Self::WinogradFused(spec) => spec.phase_operations().unwrap_or(0).max(LONGEST_IN_FUSED),
            Self::Host(_) => 0,
            _ => LONGEST_OF_SHORT,
        }
    }
}
