//! `channel_sums`: for each channel, a sum over images and places.

use super::cost::{Counts, Part, Region, Share, SumLength, Turns};
use super::{Binding, Constant, Kernel, KernelSpec, Params as _, Storage};
use crate::layout::View;
use crate::winograd::WinogradError;

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
    const fn part(self) -> &'static str {
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
}

impl Kernel for ChannelSums {
    fn kernel(&self) -> &'static str {
        "channel_sums"
    }

    fn variant(&self) -> String {
        let term = match self.term {
            Term::Value => "",
            Term::Negative => "_negative",
        };
        format!("{}_{}{term}", self.storage.name(), self.lanes)
    }

    fn bindings(&self) -> Vec<Binding> {
        let factor = (self.term == Term::Negative).then_some(Binding::read(2, "weights"));
        [Binding::read(1, "src")].into_iter().chain(factor).chain([Binding::write(3, "dst")]).collect()
    }

    fn own_parts(&self) -> Vec<String> {
        vec![self.term.part().to_owned()]
    }

    fn params(&self) -> &'static [(&'static str, &'static str)] {
        ChannelParams::FIELDS
    }

    fn storage(&self) -> Storage {
        self.storage
    }

    fn workgroup_size(&self) -> u32 {
        Self::WORKGROUP
    }

    fn workgroup_bytes(&self) -> u32 {
        4 * Self::WORKGROUP
    }

    fn constants(&self) -> Vec<Constant> {
        vec![("LANES", self.lanes)]
    }

    fn sum(&self, params: &[u32]) -> SumLength {
        SumLength::of_channels(ChannelParams::from_words(params).part)
    }

    fn regions(&self) -> Result<Vec<Region>, WinogradError> {
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
        Ok(vec![
            Region::new(Part::Once, [put, get]),
            Region::new(Part::Turn, share(term, Self::WORKGROUP, Turns::WeightsBy(self.rows()))),
            Region::new(Part::Round, tree),
        ])
    }

    fn values(&self) -> usize {
        // A sum and two factors.
        3
    }

    fn variants() -> Vec<KernelSpec> {
        let mut all = Vec::new();
        // Sums are in f32, and so what is stored as f16 is read from words.
        for storage in [Storage::F32, Storage::Packed] {
            for term in [Term::Value, Term::Negative] {
                all.extend(Self::LANES.map(|lanes| Self { term, lanes, storage }.spec()));
            }
        }
        all
    }
}

params! {
    /// Parameters of `channel_sums`. Positions are counted over the four dimensions that are not the channels'.
    ChannelParams {
        /// Channels of this dispatch.
        channels: u32,
        /// From a channel to the next.
        step_k: u32,
        /// Positions of a channel.
        positions: u32,
        /// Positions of a part.
        part: u32,
        /// Positions along a dimension but the first.
        size_1: u32,
        /// Positions along a dimension.
        size_2: u32,
        /// Positions along a dimension.
        size_3: u32,
        /// From one of them to the next.
        step_0: u32,
        /// From one of them to the next.
        step_1: u32,
        /// From one of them to the next.
        step_2: u32,
        /// From one of them to the next.
        step_3: u32,
        /// From the sums of a part to those of the next.
        dst_part: u32,
        /// The first channel's first value.
        src_offset: u32,
        /// The first channel's first factor.
        weights_offset: u32,
        /// The first channel's first sum.
        dst_offset: u32,
    }
}
