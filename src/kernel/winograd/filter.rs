//! `winograd_filter`: U = G g G^T, once for each set of weights.

use super::{f16_gradient_transforms, f16_transforms, gradient_transforms, transforms};
use crate::dtype::DType;
use crate::kernel::cost::{Counts, Part, Region, Share, Turns};
use crate::kernel::{Binding, Constant, Kernel, KernelSpec, Storage, word};
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
}

impl Kernel for WinogradFilter {
    fn kernel(&self) -> &'static str {
        "winograd_filter"
    }

    fn variant(&self) -> String {
        format!("{}_{}", self.algorithm.label(), self.storage.name())
    }

    fn bindings(&self) -> Vec<Binding> {
        vec![Binding::read(2, "weights"), Binding::write(3, "u")]
    }

    fn params(&self) -> &'static [(&'static str, &'static str)] {
        FilterParams::FIELDS
    }

    fn storage(&self) -> Storage {
        self.storage
    }

    fn stored_as(&self, storage: Storage) -> Option<KernelSpec> {
        Some(Self { storage, ..*self }.spec())
    }

    fn workgroup_size(&self) -> u32 {
        Self::WORKGROUP
    }

    fn constants(&self) -> Vec<Constant> {
        let Nested { rows, cols } = self.algorithm;
        vec![
            ("TAPS_H", rows.r().into()),
            ("TAPS_W", cols.r().into()),
            ("POINTS_H", word(rows.products())),
            ("POINTS_W", word(cols.products())),
        ]
    }

    fn regions(&self) -> Result<Vec<Region>, WinogradError> {
        let Nested { rows, cols } = self.algorithm;
        let (down, across) = (rows.programs()?, cols.programs()?);
        let counts = Counts::load_stored(self.algorithm.weights(), self.storage)
            + Counts::both_ways(&down.filter, cols.r().into(), &across.filter)
            + Counts::store(self.algorithm.products(), 1);
        let share = Share { counts, invocations: Self::WORKGROUP, turns: Turns::Fixed(1) };
        Ok(vec![Region::new(Part::Once, [share])])
    }

    /// The half-transformed filter, and a row of points.
    fn values(&self) -> usize {
        let Nested { rows, cols } = self.algorithm;
        rows.products() * usize::from(cols.r()) + cols.products()
    }

    fn variants() -> Vec<KernelSpec> {
        let all = transforms().into_iter().chain(gradient_transforms());
        let all = all.map(|algorithm| Self { algorithm, storage: Storage::F32 });
        let halves = f16_gradient_transforms().into_iter().chain(f16_transforms());
        all.chain(halves.map(|algorithm| Self { algorithm, storage: Storage::of_any(DType::F16) }))
            .map(Self::spec)
            .collect()
    }
}

params! {
    /// Parameters of `winograd_filter`.
    FilterParams {
        /// Filters of a group.
        group_k: u32,
        /// Filters of a group, padded: the stride of U's rows.
        k_stride: u32,
        /// Rows of U in a group: channels, taps in depth and phases.
        group_rows: u32,
        /// Rows of U in all groups.
        rows: u32,
        /// Where U begins in each group's sum, in rows of it.
        sum_first: u32,
        /// Taps in depth: each has rows of its own.
        taps_d: u32,
        /// Taps in height.
        taps_h: u32,
        /// Taps in width.
        taps_w: u32,
        /// Phases in height, taps that a stride of outputs keeps apart; or blocks of taps.
        phases_h: u32,
        /// Phases or blocks in width.
        phases_w: u32,
        /// From a phase's or block's first tap to the next one's, in height.
        phase_step_h: u32,
        /// In width.
        phase_step_w: u32,
        /// From tap to tap of a phase or block, in height.
        tap_step_h: u32,
        /// In width.
        tap_step_w: u32,
        /// From group to group of the weights.
        weights_g: u32,
        /// From filter to filter.
        weights_k: u32,
        /// From channel to channel.
        weights_c: u32,
        /// From tap to tap in depth.
        weights_d: u32,
        /// From tap to tap in height.
        weights_h: u32,
        /// From tap to tap in width.
        weights_w: u32,
        /// First element of the weights.
        weights_offset: u32,
    }
}
