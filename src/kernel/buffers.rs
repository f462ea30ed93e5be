//! Whether the tensors of a dispatch lie in separate buffers.

use super::{Access, Binding, KernelSpec};

/// How a kernel's tensors are bound: it follows from the buffers that they lie in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Buffers {
    /// No buffer is both read and written: tensors that are read are bound read-only.
    #[default]
    Separate,
    /// The buffer that is written has other tensors, too. WebGPU does not let a dispatch bind one buffer read-only and
    /// read-write, so all tensors are bound read-write.
    Shared,
}

impl Buffers {
    /// How tensors must be bound, of which some are written: `same(i, j)` says whether two lie in one buffer.
    pub(crate) fn of(is_written: &[bool], same: impl Fn(usize, usize) -> bool) -> Self {
        let all = 0..is_written.len();
        let shares = |i: usize| is_written[i] && all.clone().any(|j| j != i && same(i, j));
        if all.clone().any(shares) { Self::Shared } else { Self::Separate }
    }

    /// What a text declares a binding for.
    pub fn access(self, binding: &Binding) -> Access {
        match self {
            Self::Separate => binding.access,
            Self::Shared => Access::Write,
        }
    }
}

/// A kernel with how its tensors are bound: what is compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Variant {
    /// The kernel.
    pub kernel: KernelSpec,
    /// How its tensors are bound.
    pub buffers: Buffers,
}

impl Variant {
    /// The name of its text and its pipeline: the kernel's, with `_shared` behind it for tensors in one buffer.
    pub fn name(&self) -> String {
        let behind = match self.buffers {
            Buffers::Separate => "",
            Buffers::Shared => "_shared",
        };
        format!("{}{behind}", self.kernel)
    }
}

impl From<KernelSpec> for Variant {
    fn from(kernel: KernelSpec) -> Self {
        Self { kernel, buffers: Buffers::Separate }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_buffer_that_is_written_counts() {
        let of = |buffers: [u8; 4]| Buffers::of(&[false, false, true, false], |i, j| buffers[i] == buffers[j]);
        assert_eq!(of([0, 1, 2, 3]), Buffers::Separate);
        assert_eq!(of([0, 0, 2, 0]), Buffers::Separate, "three that are read");
        assert_eq!(of([0, 2, 2, 3]), Buffers::Shared);
        assert_eq!(of([0, 1, 2, 2]), Buffers::Shared);
    }
}
