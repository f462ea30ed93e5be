//! `winograd_multiply_units`: M = U^T V by matrix units, one matrix product for each point and group.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Result};
use crate::kernel::cost::{Counts, Part, Region, Share, SumLength, Turns};
use crate::kernel::{Binding, Constant, Kernel, KernelSpec, MAX_BLOCK, Params as _, check_block, word};
use crate::winograd::WinogradError;

/// Products of 16-bit floats that a product of two f32 is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Products {
    /// Both factors rounded to 11 bits, as TF32 has them.
    One,
    /// Each factor in two halves, high and low, and all products of them but low times low: about as exact as f32.
    Three,
}

impl Products {
    /// Both.
    pub const ALL: [Self; 2] = [Self::One, Self::Three];

    /// How many there are.
    pub const fn number(self) -> u32 {
        match self {
            Self::One => 1,
            Self::Three => 3,
        }
    }

    /// Planes of halves that a factor takes.
    const fn planes(self) -> u32 {
        match self {
            Self::One => 1,
            Self::Three => 2,
        }
    }
}

impl fmt::Display for Products {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.number())
    }
}

/// Where fragments of 16 x 16 are multiplied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fragments {
    /// In matrix units, as cooperative matrices.
    Units,
    /// By ordinary instructions, from the same places in workgroup memory and with the same roundings: for tests where there
    /// are no matrix units.
    Emulated,
}

/// How the product is cut: a workgroup computes `filters x tiles` of M, taking `channels` at a step through workgroup memory;
/// a subgroup of 32 invocations keeps `filters_each x tiles_each` of it in fragments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct UnitBlocking {
    /// Filters (rows of M) of a workgroup.
    pub(crate) filters: u32,
    /// Tiles (columns of M) of a workgroup.
    pub(crate) tiles: u32,
    /// Channels of a step.
    pub(crate) channels: u32,
    /// Filters of a subgroup.
    pub(crate) filters_each: u32,
    /// Tiles of a subgroup.
    pub(crate) tiles_each: u32,
    /// Products of halves for each product.
    pub(crate) products: Products,
}

impl UnitBlocking {
    /// Rows, columns and channels of a fragment.
    pub(crate) const FRAGMENT: u32 = 16;
    /// Invocations of a subgroup.
    pub(crate) const SUBGROUP: u32 = 32;
    /// Sums of an invocation at most, beside as many of a step where there are three products.
    const MAX_SUMS: u32 = 64;

    pub(in crate::kernel) const fn of(
        [filters, tiles, channels]: [u32; 3],
        [filters_each, tiles_each]: [u32; 2],
        products: Products,
    ) -> Self {
        Self { filters, tiles, channels, filters_each, tiles_each, products }
    }

    /// All blockings that are tried. With three products `64x64x32_32x32` has 1,004 operations a step, more than the lint
    /// `body_size` allows.
    pub const ALL: [Self; 7] = [
        Self::of([128, 128, 32], [32, 32], Products::One),
        Self::of([128, 64, 32], [32, 32], Products::One),
        Self::of([64, 64, 32], [32, 32], Products::One),
        Self::of([32, 64, 32], [16, 32], Products::One),
        Self::of([128, 128, 32], [32, 32], Products::Three),
        Self::of([128, 64, 32], [32, 32], Products::Three),
        Self::of([32, 64, 32], [16, 32], Products::Three),
    ];

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

    /// Products of halves for each product.
    pub const fn products(&self) -> Products {
        self.products
    }

    /// Invocations of a workgroup.
    pub const fn threads(&self) -> u32 {
        Self::SUBGROUP * self.subgroups()
    }

    const fn subgroups(&self) -> u32 {
        (self.filters / self.filters_each) * (self.tiles / self.tiles_each)
    }

    /// Fragments of a subgroup.
    pub(crate) const fn fragments(&self) -> u32 {
        self.filters_each * self.tiles_each / (Self::FRAGMENT * Self::FRAGMENT)
    }

    /// `vec4`s that an invocation fetches for a step of so many filters or tiles.
    pub(crate) const fn fetched(&self, columns: u32) -> u32 {
        self.channels * columns / 4 / self.threads()
    }

    /// Whether the numbers divide as the kernel needs it.
    pub const fn is_legal(&self) -> bool {
        let each = [self.filters_each, self.tiles_each, self.channels];
        let mut i = 0;
        while i < each.len() {
            if !each[i].is_multiple_of(Self::FRAGMENT) {
                return false;
            }
            i += 1;
        }
        self.filters.is_multiple_of(self.filters_each)
            && self.tiles.is_multiple_of(self.tiles_each)
            && self.filters_each * self.tiles_each <= Self::MAX_SUMS * Self::SUBGROUP
            && self.threads().is_multiple_of(self.filters / 4)
            && self.threads().is_multiple_of(self.tiles / 4)
            && (self.channels * self.filters / 4).is_multiple_of(self.threads())
            && (self.channels * self.tiles / 4).is_multiple_of(self.threads())
    }

    /// Planes of halves, rows padded by eight, and the largest magnitudes.
    const fn workgroup_bytes(&self) -> u32 {
        2 * self.products.planes() * self.channels * (self.filters + self.tiles + 16) + 16
    }
}

impl fmt::Display for UnitBlocking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { filters, tiles, channels, filters_each, tiles_each, products } = self;
        write!(f, "{filters}x{tiles}x{channels}_{filters_each}x{tiles_each}_m{products}")
    }
}

impl FromStr for UnitBlocking {
    type Err = Error;

    /// Reads what [`fmt::Display`] writes: `128x128x32_64x32_m3`.
    fn from_str(text: &str) -> Result<Self> {
        let unknown = || Error::Unsupported {
            what: format!("blocking {text}"),
            why: format!(
                "expected, for instance, 128x128x32_64x32_m3: filters, tiles and channels of a workgroup; filters and tiles \
                 of a subgroup, which divide the workgroup's; each from 1 to {MAX_BLOCK}; and 1 or 3 products"
            ),
        };
        let (block, products) = text.rsplit_once("_m").ok_or_else(unknown)?;
        let products = Products::ALL.into_iter().find(|of| of.to_string() == products).ok_or_else(unknown)?;
        let numbers: Option<Vec<u32>> = block.split(['x', '_']).map(|number| number.parse().ok()).collect();
        let Some(&[filters, tiles, channels, filters_each, tiles_each]) = numbers.as_deref() else {
            return Err(unknown());
        };
        let blocking = Self::of([filters, tiles, channels], [filters_each, tiles_each], products);
        check_block(&blocking, &[filters, tiles, channels, filters_each, tiles_each])?;
        let divides = filters.is_multiple_of(filters_each) && tiles.is_multiple_of(tiles_each);
        if divides && blocking.to_string() == text { Ok(blocking) } else { Err(unknown()) }
    }
}

/// How a whole product is cut: into blocks, and its channels into parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct UnitCut {
    /// A workgroup's block.
    pub(crate) blocking: UnitBlocking,
    /// Parts of the channels, each with an M of its own.
    pub(crate) parts: u32,
}

impl UnitCut {
    /// Numbers of parts that are tried.
    pub const PARTS: [u32; 3] = [1, 2, 4];

    /// A workgroup's block.
    pub const fn blocking(&self) -> UnitBlocking {
        self.blocking
    }

    /// Parts of the channels.
    pub const fn parts(&self) -> u32 {
        self.parts
    }

    /// Channels of a part, of so many in all: whole steps.
    pub fn part(&self, channels: usize) -> u32 {
        word(channels).div_ceil(self.parts).next_multiple_of(self.blocking.channels)
    }

    /// Whether each part has channels.
    pub fn is_even(&self, channels: usize) -> bool {
        self.part(channels) * (self.parts - 1) < word(channels)
    }
}

impl fmt::Display for UnitCut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.blocking, self.parts)
    }
}

impl FromStr for UnitCut {
    type Err = Error;

    /// Reads what [`fmt::Display`] writes: `128x128x32_64x32_m3/2`.
    fn from_str(text: &str) -> Result<Self> {
        let read = |(blocking, parts): (&str, &str)| {
            let cut = Self { blocking: blocking.parse().ok()?, parts: parts.parse().ok()? };
            (check_block(&cut, &[cut.parts]).is_ok() && cut.to_string() == text).then_some(cut)
        };
        text.rsplit_once('/').and_then(read).ok_or_else(|| Error::Unsupported {
            what: format!("blocking {text}"),
            why: format!(
                "expected, for instance, 128x128x32_64x32_m3/2: a blocking, and 1 to {MAX_BLOCK} parts of split-K"
            ),
        })
    }
}

/// The batched product by matrix units, with one of [`UnitBlocking::ALL`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct WinogradMultiplyUnits {
    /// How the product is cut.
    pub(crate) blocking: UnitBlocking,
    /// Where fragments are multiplied.
    pub(crate) fragments: Fragments,
}

impl WinogradMultiplyUnits {
    /// Subgroups whose fragments go past the edge of M at the same time.
    const EDGES: u32 = 8;

    /// How the product is cut.
    pub const fn blocking(&self) -> UnitBlocking {
        self.blocking
    }

    /// The variant as a kernel.
    pub const fn spec(self) -> KernelSpec {
        KernelSpec::WinogradMultiplyUnits(self)
    }

    /// All variants for these fragments.
    pub(in crate::kernel) fn variants_of(fragments: Fragments) -> Vec<KernelSpec> {
        UnitBlocking::ALL.map(|blocking| Self { blocking, fragments }.spec()).to_vec()
    }
}

impl Kernel for WinogradMultiplyUnits {
    fn kernel(&self) -> &'static str {
        "winograd_multiply_units"
    }

    fn variant(&self) -> String {
        let emulated = if self.fragments == Fragments::Emulated { "_emulated" } else { "" };
        format!("f32_{}{emulated}", self.blocking)
    }

    fn bindings(&self) -> Vec<Binding> {
        vec![Binding::read(1, "u"), Binding::read(2, "v"), Binding::write(3, "m")]
    }

    fn own_parts(&self) -> Vec<String> {
        let part = match self.fragments {
            Fragments::Units => "fragments_units",
            Fragments::Emulated => "fragments_emulated",
        };
        vec![part.to_owned()]
    }

    fn needs_units(&self) -> bool {
        self.fragments == Fragments::Units
    }

    fn params(&self) -> &'static [(&'static str, &'static str)] {
        MultiplyUnitsParams::FIELDS
    }

    fn workgroup_size(&self) -> u32 {
        self.blocking.threads()
    }

    fn workgroup_bytes(&self) -> u32 {
        let edge = match self.fragments {
            Fragments::Units => 4 * UnitBlocking::FRAGMENT.pow(2) * self.blocking.subgroups().min(Self::EDGES),
            Fragments::Emulated => 0,
        };
        self.blocking.workgroup_bytes() + edge
    }

    fn constants(&self) -> Vec<Constant> {
        let b = self.blocking;
        vec![
            ("BLOCK_K", b.filters),
            ("BLOCK_T", b.tiles),
            ("BLOCK_C", b.channels),
            ("EACH_K", b.filters_each),
            ("EACH_T", b.tiles_each),
            ("PRODUCTS", b.products.number()),
            ("SUBGROUPS", b.subgroups()),
        ]
    }

    fn accumulators(&self) -> u32 {
        self.blocking.filters_each * self.blocking.tiles_each / UnitBlocking::SUBGROUP
    }

    fn loop_operations(&self) -> u32 {
        STEP_OPERATIONS
    }

    fn sum(&self, params: &[u32]) -> SumLength {
        SumLength::of_channels(MultiplyUnitsParams::from_words(params).group_c)
    }

    /// As the emulation has them: a matrix unit does the same, and reads each fragment once.
    fn regions(&self) -> Result<Vec<Region>, WinogradError> {
        let b = self.blocking;
        let fragments = b.fragments() as usize;
        let fetched = (b.fetched(b.filters) + b.fetched(b.tiles)) as usize;
        let sums = 8 * fragments;
        let once = Counts::write(1, 1)
            + Counts::barriers(1)
            + Counts::load(fetched, 4)
            + Counts::arithmetic(sums)
            + Counts::store(2 * fragments, 4);
        let split = match b.products {
            // The scale, and sums whose scale changes.
            Products::One => Counts::arithmetic(4 * fetched + sums),
            // The scale, low halves, and sums that are scaled and added; what one product does stands in the text.
            Products::Three => Counts::arithmetic(12 * fetched + 2 * sums) + Counts::sums(sums),
        };
        // Of each value its size, and the larger one.
        let measured = Counts::arithmetic(8 * fetched + 6);
        let planes = b.products.planes() as usize;
        let step = Counts::barriers(2)
            + Counts::read(2, 1)
            + Counts::load(fetched, 4)
            + Counts::write(planes * fetched, 2)
            + measured
            + split;
        let channel = Counts::read(1, 1) + Counts::read(2, 2) + Counts::sums(8);
        let all = |counts, turns| [Share { counts, invocations: b.threads(), turns }];
        let mut regions = vec![
            Region::new(Part::Once, all(once, Turns::Fixed(1))),
            Region::new(Part::Phase, all(step, Turns::Channels(b.channels))),
        ];
        // A loop over a fragment's channels for each product of fragments.
        let products = fragments * (b.products.number() * b.channels / UnitBlocking::FRAGMENT) as usize;
        let turns = Turns::EachOfChannels(b.channels, UnitBlocking::FRAGMENT);
        let of_fragment = Region::new(Part::Turn, all(channel, turns));
        regions.extend(std::iter::repeat_n(of_fragment, products));
        Ok(regions)
    }

    /// Sums, those of a step where they are apart, the vectors of the next step, and fragments of 16 channels.
    fn values(&self) -> usize {
        let b = self.blocking;
        let planes = b.products.planes();
        let fetched = 4 * (b.fetched(b.filters) + b.fetched(b.tiles));
        let factors = planes * (b.filters_each + b.tiles_each) / 4;
        (planes * self.accumulators() + fetched + factors) as usize
    }

    fn variants() -> Vec<KernelSpec> {
        Self::variants_of(Fragments::Emulated)
    }
}

/// Scalar operations of the longest step, but for the loops in it.
const STEP_OPERATIONS: u32 = 2000;

params! {
    /// Parameters of `winograd_multiply_units`: one matrix product for each point and group, and for each part of the channels.
    MultiplyUnitsParams {
        /// Input channels of a group: the summed dimension.
        group_c: u32,
        /// Filters of a group.
        group_k: u32,
        /// The stride of U's rows.
        k_stride: u32,
        /// The stride of V's and M's rows.
        t_stride: u32,
        /// Columns of V that carry data.
        tiles: u32,
        /// Channels of a part, of those that are summed apart.
        part_c: u32,
        /// Points and groups: the products of a part.
        batches: u32,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_blocking_is_legal_and_reads_back() {
        for blocking in UnitBlocking::ALL {
            assert!(blocking.is_legal(), "{blocking}");
            for parts in UnitCut::PARTS {
                let cut = UnitCut { blocking, parts };
                assert_eq!(cut.to_string().parse(), Ok(cut), "{cut}");
            }
        }
        for text in ["128x128x32_32x32", "128x128x32_32x32_m2/1", "128x128x32_48x32_m3/1", "64x64x32_32x32_m1/0"] {
            assert!(text.parse::<UnitCut>().is_err(), "{text}");
        }
    }
}
