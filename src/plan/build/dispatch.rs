//! One dispatch of a plan.

use super::operand::Operand;
use crate::caps::Limits;
use crate::error::{LimitError, Resource};
use crate::kernel::{FusedParams, KernelSpec, Params as _};

/// One dispatch: a kernel, its grid, its parameters and its operands. Only the planner makes one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Dispatch {
    /// The kernel.
    pub(crate) kernel: KernelSpec,
    /// Workgroups in x, y and z.
    pub(crate) grid: [u32; 3],
    /// The kernel's uniform struct, as words.
    pub(crate) params: Vec<u32>,
    /// What each of the kernel's bindings is, in their order.
    pub(crate) operands: Vec<Operand>,
}

impl Dispatch {
    /// The kernel.
    pub const fn kernel(&self) -> KernelSpec {
        self.kernel
    }

    /// Workgroups in x, y and z.
    pub const fn grid(&self) -> [u32; 3] {
        self.grid
    }

    /// The kernel's uniform struct, as words; [`KernelSpec::params`] has their names.
    pub fn params(&self) -> &[u32] {
        &self.params
    }

    /// What each of the kernel's bindings is, in their order.
    pub fn operands(&self) -> &[Operand] {
        &self.operands
    }

    /// Whether a device dispatches such a grid.
    pub(crate) fn check_grid(&self, limits: &Limits) -> Result<(), LimitError> {
        let [x, y, z] = self.grid;
        let (need, bound) = (x.max(y).max(z).into(), limits.max_compute_workgroups_per_dimension.into());
        if need <= bound {
            return Ok(());
        }
        Err(LimitError { who: self.kernel.name(), resource: Resource::Workgroups, need, bound })
    }
}

impl Dispatch {
    /// The blocks that its workgroups walk: one each, but for the kernels that walk several.
    pub(in crate::plan) fn blocks(&self) -> u64 {
        let [x, y, z] = self.grid.map(u64::from);
        match &self.kernel {
            KernelSpec::WinogradFused(kernel) => {
                let tiles = FusedParams::from_words(&self.params).tiles;
                u64::from(tiles.div_ceil(kernel.blocking.tiles)) * y * z
            }
            _ => x * y * z,
        }
    }
}
