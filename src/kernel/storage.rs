//! How kernels find the callers' tensors in their buffers.

use crate::caps::{Caps, DeviceKind};
use crate::dtype::DType;
use crate::problem::Problem;

/// The storage of input, weights, output and residual as a kernel sees it; each has parts of its own, which read and
/// write elements: `shaders/part/src_f32.wgsl` and its kin. U, V and M are f32 whatever it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Storage {
    /// [`DType::F32`].
    #[default]
    F32,
    /// [`DType::F16`] on a device whose shaders have 16-bit floats.
    F16,
    /// [`DType::F16`] on any other: two elements in a word. An output's word would have two invocations that write it, so
    /// kernels write f32, and [`super::PackHalves`] packs them. Where the result is stored in f32 on any device, they are
    /// the result.
    Packed,
}

impl Storage {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::F32, Self::F16, Self::Packed];
    /// Those of f16.
    pub(super) const HALVES: [Self; 2] = [Self::F16, Self::Packed];

    /// What a device has for a problem's tensors. The CPU has slices of f32 that were rounded: there only the result's
    /// type makes a difference.
    pub const fn of(problem: &Problem, caps: &Caps) -> Self {
        let on_cpu = matches!(caps.kind, DeviceKind::Cpu);
        match (problem.conv.dtype, problem.result_type) {
            (DType::F32, _) => Self::F32,
            (DType::F16, DType::F32) if on_cpu => Self::F32,
            (DType::F16, DType::F16) if on_cpu || caps.f16 => Self::F16,
            (DType::F16, _) => Self::Packed,
        }
    }

    /// What every device has: for weights that are read once.
    pub const fn of_any(dtype: DType) -> Self {
        match dtype {
            DType::F32 => Self::F32,
            DType::F16 => Self::Packed,
        }
    }

    /// Its name in variants and part files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Packed => "packed",
        }
    }

    /// What a kernel's own output is then.
    #[must_use]
    pub const fn of_output(self) -> Self {
        match self {
            Self::Packed => Self::F32,
            other => other,
        }
    }

    /// Scalar operations that make an element of what a load brought: widening; or choosing and shifting a half, too.
    pub(super) const fn unpacking(self) -> usize {
        match self {
            Self::F32 => 0,
            Self::F16 => 1,
            Self::Packed => 6,
        }
    }

    /// Bytes that a load of an element takes.
    pub(super) const fn load_bytes(self) -> usize {
        match self {
            Self::F32 | Self::Packed => 4,
            Self::F16 => 2,
        }
    }
}
