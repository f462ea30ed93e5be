//! `winograd_filter`: U = G g G^T, once for each set of weights.

use super::cost::{Counts, Part, Region, Share, Turns};
use super::{Binding, Constant, KernelSpec, Storage};
use crate::winograd::{Nested, WinogradError};

/// One invocation transforms one filter of one row, see `shaders/kernel/winograd_filter.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct WinogradFilter {
    /// The algorithm.
    pub(crate) algorithm: Nested,
    /// How the weights are stored.
    pub(crate) storage: Storage,
}

impl WinogradFilter {
    /// The algorithm.
    pub const fn algorithm(&self) -> Nested {
        self.algorithm
    }

    /// Filters of a workgroup.
    pub const WORKGROUP: u32 = 64;

    /// The variant as a kernel.
    pub const fn spec(self) -> KernelSpec {
        KernelSpec::WinogradFilter(self)
    }

    pub(super) fn variant(&self) -> String {
        format!("{}_{}", self.algorithm.label(), self.storage.name())
    }

    pub(super) fn bindings(&self) -> Vec<Binding> {
        vec![Binding::read(2, "weights"), Binding::write(3, "u")]
    }

    pub(super) fn constants(&self) -> Vec<Constant> {
        let Nested { rows, cols } = self.algorithm;
        vec![
            ("TAPS_H", rows.r().into()),
            ("TAPS_W", cols.r().into()),
            ("POINTS_H", super::word(rows.products())),
            ("POINTS_W", super::word(cols.products())),
        ]
    }

    pub(super) fn regions(&self) -> Result<Vec<Region>, WinogradError> {
        let Nested { rows, cols } = self.algorithm;
        let (down, across) = (rows.programs()?, cols.programs()?);
        let counts = Counts::load_stored(self.algorithm.weights(), self.storage)
            + Counts::both_ways(&down.filter, cols.r().into(), &across.filter)
            + Counts::store(self.algorithm.products(), 1);
        let share = Share { counts, invocations: Self::WORKGROUP, turns: Turns::Fixed(1) };
        Ok(vec![Region::new(Part::Once, [share])])
    }

    /// The half-transformed filter, and a row of points.
    pub(super) fn values(&self) -> usize {
        let Nested { rows, cols } = self.algorithm;
        rows.products() * usize::from(cols.r()) + cols.products()
    }
}
