//! `winograd_multiply`: M = U^T V, one matrix product for each point and group, blocked for registers and
//! workgroup memory.

use crate::kernel::cost::{Counts, Part, Region, Share, SumLength, Turns};
use crate::kernel::{
    Binding, Constant, Kernel, KernelSpec, MAX_ACCUMULATORS, MAX_BLOCK, Params as _, check_block, word,
};
use crate::winograd::WinogradError;
use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Result};

/// How the product is cut: a workgroup computes `filters x tiles` of M, taking `channels` at a step through
/// workgroup memory; an invocation keeps `filters_each x tiles_each` of it in registers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Blocking {
    /// Filters (rows of M) of a workgroup.
    pub(crate) filters: u32,
    /// Tiles (columns of M) of a workgroup.
    pub(crate) tiles: u32,
    /// Channels of a step.
    pub(crate) channels: u32,
    /// Filters of an invocation.
    pub(crate) filters_each: u32,
    /// Tiles of an invocation.
    pub(crate) tiles_each: u32,
    /// Slices of a workgroup, 1 or 2: each sums up every other step of the channels, and at the end they are added
    /// (sliced-K, as CUTLASS calls it). Sums of half the length have smaller errors.
    pub(crate) slices: u32,
}

impl Blocking {
    /// Filters (rows of M) of a workgroup.
    pub const fn filters(&self) -> u32 {
        self.filters
    }

    /// Tiles (columns of M) of a workgroup.
    pub const fn tiles(&self) -> u32 {
        self.tiles
    }

    /// Channels of a step.
    pub const fn channels(&self) -> u32 {
        self.channels
    }

    /// Filters of an invocation.
    pub const fn filters_each(&self) -> u32 {
        self.filters_each
    }

    /// Tiles of an invocation.
    pub const fn tiles_each(&self) -> u32 {
        self.tiles_each
    }

    /// Slices of a workgroup, 1 or 2: each sums up every other step of the channels, and at the end they are added
    /// (sliced-K, as CUTLASS calls it). Sums of half the length have smaller errors.
    pub const fn slices(&self) -> u32 {
        self.slices
    }

    /// A blocking by its five numbers, with one slice; [`fmt::Display`] shows what is which: `64x64x8_8x8`.
    ///
    /// # Errors
    /// [`Error::Unsupported`] if a number is not from 1 to 1024, or an invocation's do not divide the workgroup's.
    pub fn new(block: [u32; 3], each: [u32; 2]) -> Result<Self> {
        Self::with_slices(block, each, 1)
    }

    /// A blocking whose workgroup has so many slices.
    ///
    /// # Errors
    /// As [`Self::new`]; if there are not 1 or 2 slices.
    pub fn with_slices(block: [u32; 3], each: [u32; 2], slices: u32) -> Result<Self> {
        let blocking = Self::of(block, each).sliced(slices);
        check_block(&blocking, &[block[0], block[1], block[2], each[0], each[1], slices])?;
        let divides = block[0].is_multiple_of(each[0]) && block[1].is_multiple_of(each[1]);
        if divides && slices <= 2 { Ok(blocking) } else { Err(no_blocking(blocking)) }
    }

    /// One that is written here.
    pub(in crate::kernel) const fn of(
        [filters, tiles, channels]: [u32; 3],
        [filters_each, tiles_each]: [u32; 2],
    ) -> Self {
        Self { filters, tiles, channels, filters_each, tiles_each, slices: 1 }
    }

    /// The same block in so many slices.
    const fn sliced(mut self, slices: u32) -> Self {
        self.slices = slices;
        self
    }

    /// All blockings that are tried, largest first. Each is legal on every device: at most 256 invocations,
    /// 16 KiB with all buffers, 64 accumulators.
    pub const ALL: [Self; 11] = [
        Self::of([64, 64, 8], [8, 8]).sliced(2),
        Self::of([64, 32, 8], [8, 4]).sliced(2),
        Self::of([128, 64, 8], [8, 8]),
        Self::of([64, 64, 8], [8, 8]),
        Self::of([128, 32, 8], [8, 8]),
        Self::of([64, 32, 8], [8, 4]),
        Self::of([32, 64, 8], [4, 8]),
        Self::of([32, 32, 8], [8, 4]),
        Self::of([32, 32, 16], [4, 4]),
        Self::of([64, 16, 8], [8, 4]),
        Self::of([16, 16, 16], [4, 4]),
    ];

    /// Invocations of a workgroup.
    pub const fn threads(&self) -> u32 {
        self.lanes() * self.slices
    }

    /// Invocations of a slice.
    pub const fn lanes(&self) -> u32 {
        (self.filters / self.filters_each) * (self.tiles / self.tiles_each)
    }

    /// `vec4`s of an invocation's sums that are added at once where there are slices: as many as fit where U was.
    pub const fn gathered(&self) -> u32 {
        let room = 2 * self.slices * self.channels * self.filters / 4 / self.lanes();
        let sums = self.filters_each * self.tiles_each / 4;
        if room < sums { room } else { sums }
    }

    /// `vec4`s of U that an invocation fetches for a step.
    pub const fn fetch_u(&self) -> u32 {
        self.channels * self.filters / 4 / self.lanes()
    }

    /// `vec4`s of V that an invocation fetches for a step.
    pub const fn fetch_v(&self) -> u32 {
        self.channels * self.tiles / 4 / self.lanes()
    }

    /// Scalar operations of a step's text, as [`crate::wgsl::count`] counts them: multiply-adds, vectors from workgroup
    /// memory with their places, vectors fetched and staged with theirs, and the loop itself.
    pub(in crate::kernel) const fn step_operations(&self) -> u32 {
        let vectors = self.channels * (self.filters_each + self.tiles_each) / 4;
        let sums = self.channels * self.filters_each * self.tiles_each;
        sums + 2 * vectors + 20 * (self.fetch_u() + self.fetch_v()) + 21
    }

    /// Whether the numbers divide as the kernel needs it.
    pub const fn is_legal(&self) -> bool {
        self.filters_each.is_multiple_of(4)
            && self.tiles_each.is_multiple_of(4)
            && self.filters.is_multiple_of(self.filters_each)
            && self.tiles.is_multiple_of(self.tiles_each)
            && self.filters_each * self.tiles_each <= MAX_ACCUMULATORS
            && (self.channels * self.filters / 4).is_multiple_of(self.lanes())
            && (self.channels * self.tiles / 4).is_multiple_of(self.lanes())
            && (self.slices == 1
                || self.slices == 2 && (self.filters_each * self.tiles_each / 4).is_multiple_of(self.gathered()))
    }

    const fn workgroup_bytes(&self) -> u32 {
        2 * 4 * self.slices * self.channels * (self.filters + self.tiles)
    }

    /// Sums, the vectors of the next step, and those of a channel.
    pub(in crate::kernel) const fn values(&self) -> usize {
        let fetched = 4 * (self.fetch_u() + self.fetch_v());
        (self.filters_each * self.tiles_each + fetched + self.filters_each + self.tiles_each) as usize
    }
}

impl fmt::Display for Blocking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { filters, tiles, channels, filters_each, tiles_each, slices } = self;
        write!(f, "{filters}x{tiles}x{channels}_{filters_each}x{tiles_each}")?;
        if *slices > 1 { write!(f, "_s{slices}") } else { Ok(()) }
    }
}

/// How a whole product is cut: into blocks, and its channels into parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MultiplyCut {
    /// A workgroup's block.
    pub(crate) blocking: Blocking,
    /// Parts of the channels, each with an M of its own: workgroups beside each other where the blocks alone do not fill a
    /// device.
    pub(crate) parts: u32,
}

impl MultiplyCut {
    /// A block, and the number of parts.
    ///
    /// # Errors
    /// [`Error::Unsupported`] if there are not 1 to 1024 parts.
    pub fn new(blocking: Blocking, parts: u32) -> Result<Self> {
        let cut = Self { blocking, parts };
        check_block(&cut, &[parts])?;
        Ok(cut)
    }

    /// A workgroup's block.
    pub const fn blocking(&self) -> Blocking {
        self.blocking
    }

    /// Parts of the channels.
    pub const fn parts(&self) -> u32 {
        self.parts
    }

    /// Numbers of parts that are tried.
    pub const PARTS: [u32; 3] = [1, 2, 4];

    /// Channels of a part, of so many in all: whole steps of all slices.
    pub fn part(&self, channels: usize) -> u32 {
        word(channels).div_ceil(self.parts).next_multiple_of(self.blocking.channels * self.blocking.slices)
    }

    /// The most channels that are summed up one after the other, of so many in all.
    pub fn longest_sum(&self, channels: usize) -> usize {
        channels.min((self.part(channels) / self.blocking.slices) as usize)
    }

    /// Whether each part has channels.
    pub fn is_even(&self, channels: usize) -> bool {
        self.part(channels) * (self.parts - 1) < word(channels)
    }
}

impl fmt::Display for MultiplyCut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.blocking, self.parts)
    }
}

impl FromStr for Blocking {
    type Err = Error;

    /// Reads what [`fmt::Display`] writes: `64x64x8_8x8`, `64x64x8_8x8_s2`.
    fn from_str(text: &str) -> Result<Self> {
        let number = |part: &str| part.strip_prefix('s').unwrap_or(part).parse().ok();
        let numbers: Option<Vec<u32>> = text.split(['x', '_']).map(number).collect();
        let blocking = match numbers.as_deref() {
            Some(&[filters, tiles, channels, filters_each, tiles_each, ref rest @ ..]) if rest.len() < 2 => {
                let slices = rest.first().copied().unwrap_or(1);
                Self::with_slices([filters, tiles, channels], [filters_each, tiles_each], slices).ok()
            }
            _ => None,
        };
        blocking.filter(|blocking| blocking.to_string() == text).ok_or_else(|| no_blocking(text))
    }
}

impl FromStr for MultiplyCut {
    type Err = Error;

    /// Reads what [`fmt::Display`] writes: `64x64x8_8x8/2`.
    fn from_str(text: &str) -> Result<Self> {
        let read = |(blocking, parts): (&str, &str)| Self::new(blocking.parse().ok()?, parts.parse().ok()?).ok();
        let cut = text.rsplit_once('/').and_then(read);
        cut.filter(|cut| cut.to_string() == text).ok_or_else(|| Error::Unsupported {
            what: format!("blocking {text}"),
            why: format!("expected, for instance, 64x64x8_8x8/2: a blocking, and 1 to {MAX_BLOCK} parts of split-K"),
        })
    }
}

fn no_blocking(text: impl fmt::Display) -> Error {
    Error::Unsupported {
        what: format!("blocking {text}"),
        why: format!(
            "expected, for instance, 64x64x8_8x8: filters, tiles and channels of a workgroup; filters and tiles of an \
             invocation, which divide the workgroup's; each from 1 to {MAX_BLOCK}; with two slices 64x64x8_8x8_s2"
        ),
    }
}

/// The batched product, with one of [`Blocking::ALL`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct WinogradMultiply {
    /// How the product is cut.
    pub(crate) blocking: Blocking,
    /// Whether it adds to the products that stand in M: where a sum is walked in several dispatches, all but the first.
    pub(crate) adds: bool,
}

impl WinogradMultiply {
    /// How the product is cut.
    pub const fn blocking(&self) -> Blocking {
        self.blocking
    }

    /// The variant as a kernel.
    pub const fn spec(self) -> KernelSpec {
        KernelSpec::WinogradMultiply(self)
    }
}

impl Kernel for WinogradMultiply {
    fn kernel(&self) -> &'static str {
        "winograd_multiply"
    }

    fn variant(&self) -> String {
        format!("f32_{}{}", self.blocking, if self.adds { "_adds" } else { "" })
    }

    fn bindings(&self) -> Vec<Binding> {
        vec![Binding::read(1, "u"), Binding::read(2, "v"), Binding::write(3, "m")]
    }

    fn own_parts(&self) -> Vec<String> {
        let slices = if self.blocking.slices > 1 { "slices_two" } else { "slices_one" };
        [slices, if self.adds { "m_add" } else { "m_set" }].map(str::to_owned).to_vec()
    }

    fn params(&self) -> &'static [(&'static str, &'static str)] {
        MultiplyParams::FIELDS
    }

    fn workgroup_size(&self) -> u32 {
        self.blocking.threads()
    }

    /// Two buffers of each slice, each a step's worth of U and V: while one is read the other is filled.
    fn workgroup_bytes(&self) -> u32 {
        self.blocking.workgroup_bytes()
    }

    fn constants(&self) -> Vec<Constant> {
        let b = self.blocking;
        let gathered = (b.slices > 1).then_some(("GATHERED", b.gathered()));
        let constants = [
            ("BLOCK_K", b.filters),
            ("BLOCK_T", b.tiles),
            ("BLOCK_C", b.channels),
            ("EACH_K", b.filters_each),
            ("EACH_T", b.tiles_each),
            ("FETCH_U", b.fetch_u()),
            ("FETCH_V", b.fetch_v()),
            ("SLICES", b.slices),
        ];
        constants.into_iter().chain(gathered).collect()
    }

    fn accumulators(&self) -> u32 {
        self.blocking.filters_each * self.blocking.tiles_each
    }

    fn loop_operations(&self) -> u32 {
        self.blocking.step_operations()
    }

    fn sum(&self, params: &[u32]) -> SumLength {
        SumLength::of_channels(MultiplyParams::from_words(params).group_c)
    }

    fn regions(&self) -> Result<Vec<Region>, WinogradError> {
        let b = self.blocking;
        let (each_k, each_t, channels) = (b.filters_each as usize, b.tiles_each as usize, u64::from(b.channels));
        let fetched = (b.fetch_u() + b.fetch_v()) as usize;
        let staged = Counts::load(fetched, 4) + Counts::write(fetched, 4) + Counts::barriers(1);
        let multiplied = (Counts::read((each_k + each_t) / 4, 4) + Counts::sums(each_k * each_t)) * channels;
        let all = |counts, turns| Share { counts, invocations: b.threads(), turns };
        let of_slice = |counts, turns| Share { counts, invocations: b.lanes(), turns };
        let vectors = each_k * each_t / 4;
        let put = match self.adds {
            false => Counts::store(vectors, 4),
            true => Counts::load(vectors, 4) + Counts::arithmetic(4 * vectors) + Counts::store(vectors, 4),
        };
        let once = [all(Counts::load(fetched, 4), Turns::Fixed(1)), of_slice(put, Turns::Fixed(1))];
        let turns = Turns::Channels(b.channels * b.slices);
        let mut regions =
            vec![Region::new(Part::Once, once), Region::new(Part::Turn, [all(staged + multiplied, turns)])];
        if b.slices > 1 {
            let gathered = b.gathered() as usize;
            let rounds = Turns::Fixed(b.filters_each * b.tiles_each / 4 / b.gathered());
            let added = Counts::read(gathered, 4) + Counts::arithmetic(4 * gathered);
            let round = [
                of_slice(Counts::write(gathered, 4), rounds),
                of_slice(added, rounds),
                all(Counts::barriers(2), rounds),
            ];
            regions.push(Region::new(Part::Round, round));
        }
        Ok(regions)
    }

    fn values(&self) -> usize {
        self.blocking.values()
    }

    fn variants() -> Vec<KernelSpec> {
        let of = |adds| Blocking::ALL.map(|blocking| Self { blocking, adds }.spec());
        [of(false), of(true)].concat()
    }
}

params! {
    /// Parameters of `winograd_multiply`: one matrix product for each point and group, and for each part of the channels.
    MultiplyParams {
        /// Input channels of a group: the summed dimension.
        group_c: u32,
        /// Filters of a group.
        group_k: u32,
        /// The stride of U's rows.
        k_stride: u32,
        /// The stride of V's and M's rows.
        t_stride: u32,
        /// Channels of a part, of those that are summed apart.
        part_c: u32,
        /// Points and groups: the products of a part.
        batches: u32,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::caps::Limits;

    #[test]
    fn every_blocking_is_legal_on_every_device() {
        for blocking in Blocking::ALL {
            assert!(blocking.is_legal(), "{blocking:?}");
            let spec = WinogradMultiply { blocking, adds: false }.spec();
            assert_eq!(spec.check(&Limits::WEBGPU_DEFAULT), Ok(()), "{spec}");
        }
    }
}
