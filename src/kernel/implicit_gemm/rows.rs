//! `filter_rows`: weights of 16-bit floats in rows of channels, for matrix units.

use crate::dtype::DType;
use crate::kernel::cost::{Counts, Part, Region, Share, Turns};
use crate::kernel::{Binding, Kernel, KernelSpec, Storage};
use crate::winograd::WinogradError;

/// One invocation writes one word, see `shaders/kernel/filter_rows.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FilterRows;

impl FilterRows {
    /// Words of a workgroup.
    pub const WORKGROUP: u32 = 64;

    /// The kernel.
    pub const fn spec(self) -> KernelSpec {
        KernelSpec::FilterRows(self)
    }
}

impl Kernel for FilterRows {
    fn kernel(&self) -> &'static str {
        "filter_rows"
    }

    fn variant(&self) -> String {
        self.storage().name().to_owned()
    }

    fn bindings(&self) -> Vec<Binding> {
        vec![Binding::read(2, "weights"), Binding::write(3, "filter_rows")]
    }

    fn own_parts(&self) -> Vec<String> {
        vec!["half_of".to_owned()]
    }

    fn params(&self) -> &'static [(&'static str, &'static str)] {
        FilterRowsParams::FIELDS
    }

    fn storage(&self) -> Storage {
        Storage::of_any(DType::F16)
    }

    fn workgroup_size(&self) -> u32 {
        Self::WORKGROUP
    }

    fn regions(&self) -> Result<Vec<Region>, WinogradError> {
        let counts = Counts::load_stored(2, self.storage()) + Counts::store(1, 1);
        let share = Share { counts, invocations: Self::WORKGROUP, turns: Turns::Fixed(1) };
        Ok(vec![Region::new(Part::Once, [share])])
    }

    /// Two weights and a word.
    fn values(&self) -> usize {
        3
    }

    fn variants() -> Vec<KernelSpec> {
        vec![Self.spec()]
    }
}

params! {
    /// Parameters of `filter_rows`.
    FilterRowsParams {
        /// Words of all rows.
        words: u32,
        /// Workgroups of a row of the grid.
        grid_x: u32,
        /// Filters of a group.
        group_k: u32,
        /// Channels of a group: an even number.
        group_c: u32,
        /// Taps in depth.
        taps_d: u32,
        /// Taps in height.
        taps_h: u32,
        /// Taps in width.
        taps_w: u32,
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
