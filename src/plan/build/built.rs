//! What an algorithm comes to on a problem.

use super::dispatch::Dispatch;
use super::packing::Packing;
use crate::dtype::DType;
use crate::plan::choose::Cut;
use crate::plan::cpu::CpuStep;

/// Bytes of workspace buffers of these lengths.
pub(in crate::plan) fn workspace_bytes(lens: &[usize]) -> u64 {
    lens.iter().fold(0, |bytes, &len| DType::F32.bytes(len).saturating_add(bytes))
}

/// What an algorithm comes to on a problem.
pub(in crate::plan) struct Built {
    pub(in crate::plan) packing: Packing,
    pub(in crate::plan) cut: Cut,
    /// What a GPU runs, or the twins of its kernels.
    pub(in crate::plan) dispatches: Vec<Dispatch>,
    /// What the CPU's kernels run: never beside dispatches.
    pub(in crate::plan) cpu_steps: Vec<CpuStep>,
    pub(in crate::plan) workspace: Vec<usize>,
}

impl Built {
    /// Bytes of the workspace.
    pub(in crate::plan) fn workspace_bytes(&self) -> u64 {
        workspace_bytes(&self.workspace)
    }

    /// Of weights as they are given, with nothing to run yet.
    pub(in crate::plan) const fn nothing() -> Self {
        Self {
            packing: Packing::Given,
            cut: Cut::Only,
            dispatches: Vec::new(),
            cpu_steps: Vec::new(),
            workspace: Vec::new(),
        }
    }
}
