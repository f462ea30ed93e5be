//! `pack_halves`: outputs that were made in f32, rounded into the words of the output.

use super::cost::{Accesses, Counts, Part, Region, Share, Traffic, Turns};
use super::{Binding, Kernel, KernelSpec, Storage};
use crate::winograd::WinogradError;

/// One invocation writes one word, and leaves what else lies in it: see `shaders/kernel/pack_halves.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PackHalves;

impl PackHalves {
    /// Words of a workgroup.
    pub const WORKGROUP: u32 = 64;

    /// The kernel.
    pub const fn spec(self) -> KernelSpec {
        KernelSpec::PackHalves(self)
    }
}

impl Kernel for PackHalves {
    fn kernel(&self) -> &'static str {
        "pack_halves"
    }

    fn variant(&self) -> String {
        Storage::F32.name().to_owned()
    }

    fn bindings(&self) -> Vec<Binding> {
        vec![Binding::read(1, "values"), Binding::write(3, "halves")]
    }

    fn own_parts(&self) -> Vec<String> {
        vec!["is_element".to_owned(), "half_of".to_owned()]
    }

    fn params(&self) -> &'static [(&'static str, &'static str)] {
        PackParams::FIELDS
    }

    fn storage(&self) -> Storage {
        Storage::Packed
    }

    fn workgroup_size(&self) -> u32 {
        Self::WORKGROUP
    }

    fn regions(&self) -> Result<Vec<Region>, WinogradError> {
        let word =
            Counts { storage: Traffic { loads: Accesses::of(3, 1), stores: Accesses::of(1, 1) }, ..Counts::default() };
        let share = Share { counts: word, invocations: Self::WORKGROUP, turns: Turns::Fixed(1) };
        Ok(vec![Region::new(Part::Once, [share])])
    }

    fn values(&self) -> usize {
        // A word and two values.
        3
    }

    fn variants() -> Vec<KernelSpec> {
        vec![Self.spec()]
    }
}

params! {
    /// Parameters of `pack_halves`. The output's dimensions are ordered by their steps, the longest first; those of one
    /// element have the longest there is.
    PackParams {
        /// First element of memory of this dispatch, counted from the first output.
        first: u32,
        /// Elements of this dispatch.
        count: u32,
        /// Elements along a dimension.
        size_0: u32,
        /// Elements along a dimension.
        size_1: u32,
        /// Elements along a dimension.
        size_2: u32,
        /// Elements along a dimension.
        size_3: u32,
        /// Elements along a dimension.
        size_4: u32,
        /// From one of them to the next.
        step_0: u32,
        /// From one of them to the next.
        step_1: u32,
        /// From one of them to the next.
        step_2: u32,
        /// From one of them to the next.
        step_3: u32,
        /// From one of them to the next.
        step_4: u32,
        /// This dispatch's first value.
        values_offset: u32,
        /// This dispatch's first half.
        halves_offset: u32,
    }
}
