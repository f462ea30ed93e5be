//! `pack_halves`: outputs that were made in f32, rounded into the words of the output.

use super::cost::{Accesses, Counts, Part, Region, Share, Traffic, Turns};
use super::{Binding, KernelSpec};

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

    pub(super) fn bindings() -> Vec<Binding> {
        vec![Binding::read(1, "values"), Binding::write(3, "halves")]
    }

    pub(super) fn regions() -> Vec<Region> {
        let word =
            Counts { storage: Traffic { loads: Accesses::of(3, 1), stores: Accesses::of(1, 1) }, ..Counts::default() };
        let share = Share { counts: word, invocations: Self::WORKGROUP, turns: Turns::Fixed(1) };
        vec![Region::new(Part::Once, [share])]
    }
}
