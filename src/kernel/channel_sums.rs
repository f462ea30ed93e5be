//! `channel_sums`: for each channel, a sum over images and places.

use super::cost::{Counts, Part, Region, Share, Turns};
use super::{Binding, KernelSpec, Storage};
use crate::layout::View;

/// What is summed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Term {
    /// A gradient: a bias's gradient is their sum.
    Value,
    /// A gradient times the negative part of what the activation was applied to: the gradient of a slope of PReLU.
    Negative,
}

impl Term {
    /// The part that computes it.
    pub(crate) const fn part(self) -> &'static str {
        match self {
            Self::Value => "term_value",
            Self::Negative => "term_negative",
        }
    }
}

/// A workgroup sums a part of some channels: see `shaders/kernel/channel_sums.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ChannelSums {
    /// What is summed.
    pub(crate) term: Term,
    /// Neighbouring channels of a workgroup: several, where they lie side by side.
    pub(crate) lanes: u32,
    /// How what is summed is stored; sums are f32.
    pub(crate) storage: Storage,
}

impl ChannelSums {
    /// Invocations of a workgroup.
    pub const WORKGROUP: u32 = 64;
    /// The channels that a workgroup may have.
    pub const LANES: [u32; 2] = [1, 16];

    /// The kernel for a tensor that lies so.
    pub const fn new(term: Term, view: &View, storage: Storage) -> Self {
        let lanes = if view.c == 1 { Self::LANES[1] } else { Self::LANES[0] };
        Self { term, lanes, storage }
    }

    /// Positions that a workgroup takes at a time.
    pub const fn rows(&self) -> u32 {
        Self::WORKGROUP / self.lanes
    }

    /// The variant as a kernel.
    pub const fn spec(self) -> KernelSpec {
        KernelSpec::ChannelSums(self)
    }

    pub(super) fn variant(&self) -> String {
        let term = match self.term {
            Term::Value => "",
            Term::Negative => "_negative",
        };
        format!("{}_{}{term}", self.storage.name(), self.lanes)
    }

    pub(super) fn bindings(&self) -> Vec<Binding> {
        let factor = (self.term == Term::Negative).then_some(Binding::read(2, "weights"));
        [Binding::read(1, "src")].into_iter().chain(factor).chain([Binding::write(3, "dst")]).collect()
    }

    pub(super) fn constants(&self) -> Vec<super::Constant> {
        vec![("LANES", self.lanes)]
    }

    pub(super) const fn workgroup_bytes() -> u32 {
        4 * Self::WORKGROUP
    }

    pub(super) fn regions(&self) -> Vec<Region> {
        let share = |counts, invocations, turns| [Share { counts, invocations, turns }];
        let (loads, operations) = match self.term {
            Term::Value => (1, 1),
            Term::Negative => (2, 2),
        };
        let term = Counts::load_stored(loads, self.storage) + Counts::arithmetic(operations);
        let sum = Counts::read(2, 1) + Counts::write(1, 1) + Counts::arithmetic(1);
        // Half of the sums, then half of those: all rows but one are added to others.
        let tree = [
            Share { counts: sum, invocations: self.lanes, turns: Turns::Fixed(self.rows() - 1) },
            Share {
                counts: Counts::barriers(1),
                invocations: Self::WORKGROUP,
                turns: Turns::Fixed(self.rows().ilog2()),
            },
        ];
        let put = Share {
            counts: Counts::write(1, 1) + Counts::barriers(1),
            invocations: Self::WORKGROUP,
            turns: Turns::Fixed(1),
        };
        let get = Share {
            counts: Counts::read(1, 1) + Counts::store_output(Storage::F32),
            invocations: self.lanes,
            turns: Turns::Fixed(1),
        };
        vec![
            Region::new(Part::Once, [put, get]),
            Region::new(Part::Turn, share(term, Self::WORKGROUP, Turns::WeightsBy(self.rows()))),
            Region::new(Part::Round, tree),
        ]
    }
}
