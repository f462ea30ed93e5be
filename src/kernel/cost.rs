//! What a kernel does, counted from its spec and its programs and never from its text: arithmetic, accesses and
//! barriers of each region between two levels of loops, and how often each is walked. Integers, comparisons, selections
//! and signs are not counted, nor are reads of the uniform: beside the rest they are small, or free.

use std::iter::Sum;
use std::ops::{Add, AddAssign, Mul};

use super::Storage;
use crate::winograd::{Op, Program};

/// Registers that any kernel needs for addresses, sizes and loop counters. Fused F(4x4,3x3) with 32 accumulators, 36
/// values of a tile and 12 of a channel ran within 96 on an H100 and spilled nothing.
pub(super) const ADDRESSES: u32 = 16;

/// Loads or stores: instructions, however wide, and bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Accesses {
    /// Instructions.
    pub count: u64,
    /// Bytes.
    pub bytes: u64,
}

/// Loads and stores of an address space.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Traffic {
    /// Loads.
    pub loads: Accesses,
    /// Stores.
    pub stores: Accesses,
}

/// Operations on f32, accesses and barriers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Counts {
    /// Multiply-adds that are written as one, in scalars: four for a vector.
    pub multiply_adds: u64,
    /// All other arithmetic, in scalars; a function like `exp` is one.
    pub arithmetic: u64,
    /// Storage buffers.
    pub storage: Traffic,
    /// Workgroup memory.
    pub workgroup: Traffic,
    /// Barriers: one for a whole workgroup.
    pub barriers: u64,
}

impl Accesses {
    /// So many accesses of so many floats each.
    pub const fn of(count: usize, floats: usize) -> Self {
        Self { count: count as u64, bytes: 4 * (count * floats) as u64 }
    }
}

impl Traffic {
    /// Bytes of loads and stores.
    pub const fn bytes(&self) -> u64 {
        self.loads.bytes + self.stores.bytes
    }
}

impl Counts {
    /// Floating-point operations: two for a multiply-add.
    pub const fn flops(&self) -> u64 {
        2 * self.multiply_adds + self.arithmetic
    }

    pub(super) fn sums(multiply_adds: usize) -> Self {
        Self { multiply_adds: multiply_adds as u64, ..Self::default() }
    }

    pub(super) fn arithmetic(operations: usize) -> Self {
        Self { arithmetic: operations as u64, ..Self::default() }
    }

    pub(super) fn barriers(barriers: u64) -> Self {
        Self { barriers, ..Self::default() }
    }

    /// Loads from storage buffers, of so many floats each.
    pub(super) fn load(count: usize, floats: usize) -> Self {
        Self { storage: Traffic { loads: Accesses::of(count, floats), ..Traffic::default() }, ..Self::default() }
    }

    /// Loads of elements that are stored so.
    pub(super) fn load_stored(count: usize, storage: Storage) -> Self {
        let loads = Accesses { count: count as u64, bytes: (count * storage.load_bytes()) as u64 };
        Self { storage: Traffic { loads, ..Traffic::default() }, ..Self::default() }
    }

    /// Stores of outputs that are stored so.
    pub(super) fn store_output(storage: Storage) -> Self {
        let stores = Accesses { count: 1, bytes: storage.of_output().load_bytes() as u64 };
        Self { storage: Traffic { stores, ..Traffic::default() }, ..Self::default() }
    }

    /// Stores to storage buffers.
    pub(super) fn store(count: usize, floats: usize) -> Self {
        Self { storage: Traffic { stores: Accesses::of(count, floats), ..Traffic::default() }, ..Self::default() }
    }

    /// Loads from workgroup memory.
    pub(super) fn read(count: usize, floats: usize) -> Self {
        Self { workgroup: Traffic { loads: Accesses::of(count, floats), ..Traffic::default() }, ..Self::default() }
    }

    /// Stores to workgroup memory.
    pub(super) fn write(count: usize, floats: usize) -> Self {
        Self { workgroup: Traffic { stores: Accesses::of(count, floats), ..Traffic::default() }, ..Self::default() }
    }

    /// A program, once.
    pub(super) fn program(program: &Program) -> Self {
        let fused = |op: &&Op| matches!(op, Op::MulAdd(..) | Op::MulSub(..));
        let multiply_adds = program.ops().iter().filter(fused).count();
        Self::sums(multiply_adds) + Self::arithmetic(program.ops().len() - multiply_adds)
    }

    /// A program along so many columns, then one along the rows of what it gives.
    pub(super) fn both_ways(down: &Program, columns: usize, across: &Program) -> Self {
        Self::program(down) * columns as u64 + Self::program(across) * down.outputs().len() as u64
    }
}

impl Add for Accesses {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self { count: self.count + other.count, bytes: self.bytes + other.bytes }
    }
}

impl Mul<u64> for Accesses {
    type Output = Self;
    fn mul(self, times: u64) -> Self {
        Self { count: self.count * times, bytes: self.bytes * times }
    }
}

impl Add for Traffic {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self { loads: self.loads + other.loads, stores: self.stores + other.stores }
    }
}

impl Mul<u64> for Traffic {
    type Output = Self;
    fn mul(self, times: u64) -> Self {
        Self { loads: self.loads * times, stores: self.stores * times }
    }
}

impl Add for Counts {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self {
            multiply_adds: self.multiply_adds + other.multiply_adds,
            arithmetic: self.arithmetic + other.arithmetic,
            storage: self.storage + other.storage,
            workgroup: self.workgroup + other.workgroup,
            barriers: self.barriers + other.barriers,
        }
    }
}

impl Mul<u64> for Counts {
    type Output = Self;
    fn mul(self, times: u64) -> Self {
        Self {
            multiply_adds: self.multiply_adds * times,
            arithmetic: self.arithmetic * times,
            storage: self.storage * times,
            workgroup: self.workgroup * times,
            barriers: self.barriers * times,
        }
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sum for Counts {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), Add::add)
    }
}

/// A region of a kernel: what stands in one loop and in no loop within it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Part {
    /// In no loop that counts.
    Once,
    /// The channels that go through workgroup memory at once, where a loop of turns follows.
    Phase,
    /// A filter of one of those channels, where a kernel transforms them.
    Filter,
    /// A row of taps, where its first elements are loaded ahead.
    TapRow,
    /// The innermost loop of the sum over channels (and taps).
    Turn,
    /// The filters whose products are exchanged at once, or the sums of slices that are added at once.
    Round,
    /// A tile of one filter, of those exchanged.
    Line,
    /// A row of its outputs.
    Row,
    /// The products of another part of the channels.
    OtherPart,
}

/// The lengths of a step's sums, for one group.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct SumLength {
    /// Channels; for Winograd, rows of U and V.
    pub channels: usize,
    /// Channels and rows of taps.
    pub tap_rows: usize,
    /// Channels and taps.
    pub weights: usize,
}

impl SumLength {
    /// Of so many channels, or rows of U and V, and no taps beside them.
    pub(super) const fn of_channels(channels: u32) -> Self {
        let channels = channels as usize;
        Self { channels, tap_rows: channels, weights: channels }
    }
}

/// How often a loop's body runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Turns {
    /// So often, whatever the sizes.
    Fixed(u32),
    /// Once for each so many channels of a group.
    Channels(u32),
    /// So often, the second number, for each so many channels of a group, the first.
    EachOfChannels(u32, u32),
    /// Once for each so many channels but once less: what happens ahead of the next turn, or behind the one before.
    ChannelsButOne(u32),
    /// Once for each part but the first of channels that were multiplied in parts: here, none.
    OtherParts,
    /// Once for each row of a filter's taps.
    TapRows,
    /// Once for each weight of a filter.
    Weights,
    /// Once for each so many of them.
    WeightsBy(u32),
}

impl Turns {
    /// The number for sums of this length.
    pub const fn of(self, sum: SumLength) -> u64 {
        let SumLength { channels, tap_rows, weights } = sum;
        match self {
            Self::Fixed(turns) => turns as u64,
            Self::Channels(step) => channels.div_ceil(step as usize) as u64,
            Self::EachOfChannels(step, each) => channels.div_ceil(step as usize) as u64 * each as u64,
            Self::ChannelsButOne(step) => channels.div_ceil(step as usize).saturating_sub(1) as u64,
            Self::OtherParts => 0,
            Self::TapRows => tap_rows as u64,
            Self::Weights => weights as u64,
            Self::WeightsBy(step) => weights.div_ceil(step as usize) as u64,
        }
    }
}

/// What some of a workgroup's invocations do in a region.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Share {
    /// What one of them does, one time.
    pub counts: Counts,
    /// How many of them do it, one time; an invocation that does it twice counts twice.
    pub invocations: u32,
    /// How often.
    pub turns: Turns,
}

impl Share {
    /// What a workgroup does in all.
    fn of_workgroup(&self, sum: SumLength) -> Counts {
        let turns = self.turns.of(sum);
        Counts { barriers: self.counts.barriers * turns, ..self.counts * (turns * u64::from(self.invocations)) }
    }
}

/// A region, and who does what in it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Region {
    /// Which.
    pub part: Part,
    /// Its shares: where an `if` divides a workgroup, one for each side.
    pub shares: Vec<Share>,
}

impl Region {
    pub(super) fn new<const N: usize>(part: Part, shares: [Share; N]) -> Self {
        Self { part, shares: shares.into() }
    }

    /// What an invocation does that takes each share one time: what stands in the text.
    pub fn counts(&self) -> Counts {
        self.shares.iter().map(|share| share.counts).sum()
    }
}

/// What a kernel does and needs.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Cost {
    /// Its regions, in the order in which their loops begin.
    pub regions: Vec<Region>,
    /// An estimate of the 32-bit registers that an invocation cannot do without: the values that must be there at the
    /// same time, and a few for addresses. Compilers take more where they may, for loads ahead of their use.
    pub registers: u32,
    /// Bytes of workgroup memory.
    pub workgroup_bytes: u32,
}

impl Cost {
    /// What a workgroup does in all for sums of this length: one whose filters and tiles are all there, and inside
    /// the image.
    pub fn of_workgroup(&self, sum: SumLength) -> Counts {
        self.regions.iter().flat_map(|region| &region.shares).map(|share| share.of_workgroup(sum)).sum()
    }
}
