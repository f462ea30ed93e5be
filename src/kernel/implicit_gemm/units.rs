//! `implicit_gemm_units`: the product of `implicit_gemm` by matrix units, for tensors of 16-bit floats.

use crate::correlation::Correlation;
use crate::kernel::cost::{Counts, Part, Region, Share, SumLength, Turns};
use crate::kernel::{
    Binding, Constant, DirectParams, Epilogue, Fragments, Kernel, KernelSpec, Products, Storage, UnitBlocking, word,
};
use crate::padding::Border;
use crate::winograd::WinogradError;

/// How the channels of a position lie in the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Channels {
    /// Anywhere: each is loaded by itself.
    Apart,
    /// Side by side, and every position's at a multiple of sixteen bytes: eight are loaded at a time.
    Together,
}

/// The product, cut into blocks of filters and output positions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ImplicitGemmUnits {
    /// How the product is cut: its tiles are output positions.
    pub(crate) blocking: UnitBlocking,
    /// How the channels of a position lie in the source.
    pub(crate) channels: Channels,
    /// Where fragments are multiplied.
    pub(crate) fragments: Fragments,
    /// Bias, residual and activation.
    pub(crate) epilogue: Epilogue,
}

impl ImplicitGemmUnits {
    /// All blockings that are tried, largest first.
    pub const BLOCKINGS: [UnitBlocking; 6] = [
        UnitBlocking::of([128, 128, 64], [64, 32], Products::One),
        UnitBlocking::of([128, 128, 32], [32, 64], Products::One),
        UnitBlocking::of([64, 128, 64], [32, 64], Products::One),
        UnitBlocking::of([64, 128, 32], [32, 64], Products::One),
        UnitBlocking::of([64, 64, 32], [32, 32], Products::One),
        UnitBlocking::of([32, 64, 32], [16, 32], Products::One),
    ];
    /// Channels that are fetched at a time.
    const EIGHT: u32 = 8;
    /// `vec4`s of a fragment of sums on its way to the output: rows of 16 and a vector more.
    const EDGE: u32 = 16 * 5;

    /// Whether the kernel computes a correlation: groups of whole eights of channels, with zeros around the source.
    pub(crate) fn applies(of: &Correlation) -> bool {
        of.border == Border::Zero && of.group_c > 0 && of.group_c.is_multiple_of(Self::EIGHT as usize) && !of.swapped
    }

    /// Whether the kernel can be cut so: an invocation fetches channels of one position.
    pub(crate) const fn is_cut(b: &UnitBlocking) -> bool {
        let eights = b.channels / Self::EIGHT;
        b.is_legal()
            && matches!(b.products, Products::One)
            && b.threads().is_multiple_of(b.tiles)
            && b.threads().is_multiple_of(eights)
            && (eights * b.tiles).is_multiple_of(b.threads())
            && (eights * b.filters).is_multiple_of(b.threads())
    }

    /// How a correlation's source lies, whose binding begins at an element that is a multiple of eight.
    pub(crate) fn channels_of(of: &Correlation) -> Channels {
        let eight = |step: isize| step % Self::EIGHT.cast_signed() as isize == 0;
        let all = [of.src.offset, of.src.n, of.src.g].into_iter().chain(of.src.dhw);
        if of.src.c == 1 && all.into_iter().all(eight) { Channels::Together } else { Channels::Apart }
    }

    /// The same kernel for a source that begins at this element of its binding.
    pub(crate) const fn beginning_at(self, first: u32) -> Self {
        if first.is_multiple_of(Self::EIGHT) { self } else { Self { channels: Channels::Apart, ..self } }
    }

    /// Eights that an invocation fetches for a step of so many filters or positions.
    pub(crate) const fn fetched(&self, rows: u32) -> u32 {
        rows * (self.blocking.channels / Self::EIGHT) / self.blocking.threads()
    }

    /// Positions whose channels an invocation fetches.
    pub(crate) const fn sources(&self) -> u32 {
        match self.channels {
            Channels::Apart => 1,
            Channels::Together => self.fetched(self.blocking.tiles),
        }
    }

    /// A workgroup's block.
    pub const fn blocking(&self) -> UnitBlocking {
        self.blocking
    }

    /// The variant as a kernel.
    pub const fn spec(self) -> KernelSpec {
        KernelSpec::ImplicitGemmUnits(self)
    }

    /// All variants for these fragments.
    pub(in crate::kernel) fn variants_of(fragments: Fragments) -> Vec<KernelSpec> {
        let of = |blocking, channels, epilogue| Self { blocking, channels, fragments, epilogue }.spec();
        let mut all = Vec::new();
        for blocking in Self::BLOCKINGS {
            for epilogue in Epilogue::ends() {
                all.extend([Channels::Apart, Channels::Together].map(|channels| of(blocking, channels, epilogue)));
            }
        }
        // One of them with every epilogue.
        let rest = Epilogue::variants().filter(|epilogue| !Epilogue::ends().contains(epilogue));
        all.extend(rest.map(|epilogue| of(Self::BLOCKINGS[5], Channels::Apart, epilogue)));
        all
    }
}

impl Kernel for ImplicitGemmUnits {
    fn kernel(&self) -> &'static str {
        "implicit_gemm_units"
    }

    fn variant(&self) -> String {
        let channels = if self.channels == Channels::Together { "_together" } else { "" };
        let emulated = if self.fragments == Fragments::Emulated { "_emulated" } else { "" };
        format!("f16_{}{channels}{emulated}{}", self.blocking, self.epilogue.suffix())
    }

    fn bindings(&self) -> Vec<Binding> {
        let own = [Binding::read(1, "src"), Binding::read(2, "filter_rows"), Binding::write(3, "dst")];
        own.into_iter().chain(self.epilogue.bindings()).collect()
    }

    fn own_parts(&self) -> Vec<String> {
        let fragments = match self.fragments {
            Fragments::Units => "eights_units",
            Fragments::Emulated => "eights_emulated",
        };
        let channels = match self.channels {
            Channels::Apart => "channels_apart",
            Channels::Together => "channels_together",
        };
        [fragments, channels, "positions"].map(str::to_owned).to_vec()
    }

    fn reads_src(&self) -> bool {
        self.channels == Channels::Apart
    }

    fn needs_units(&self) -> bool {
        self.fragments == Fragments::Units
    }

    fn params(&self) -> &'static [(&'static str, &'static str)] {
        DirectParams::FIELDS
    }

    fn storage(&self) -> Storage {
        Storage::F16
    }

    fn epilogue(&self) -> Option<Epilogue> {
        Some(self.epilogue)
    }

    fn workgroup_size(&self) -> u32 {
        self.blocking.threads()
    }

    /// A step's weights and columns, each row with an eight more; fragments on their way to the output; places.
    fn workgroup_bytes(&self) -> u32 {
        let b = &self.blocking;
        16 * (b.filters + b.tiles) * (b.channels / Self::EIGHT + 1)
            + 16 * Self::EDGE * b.threads() / UnitBlocking::SUBGROUP
            + 4 * b.tiles
    }

    fn constants(&self) -> Vec<Constant> {
        let b = self.blocking;
        vec![
            ("BLOCK_K", b.filters),
            ("BLOCK_T", b.tiles),
            ("BLOCK_C", b.channels),
            ("EACH_K", b.filters_each),
            ("EACH_T", b.tiles_each),
            ("SUBGROUPS", b.threads() / UnitBlocking::SUBGROUP),
            ("SOURCES", self.sources()),
        ]
    }

    fn accumulators(&self) -> u32 {
        self.blocking.filters_each * self.blocking.tiles_each / UnitBlocking::SUBGROUP
    }

    fn loop_operations(&self) -> u32 {
        STEP_OPERATIONS
    }

    fn sum(&self, params: &[u32]) -> SumLength {
        DirectParams::sum(params)
    }

    /// As the emulation has them: a matrix unit does the same, and reads each fragment once.
    fn regions(&self) -> Result<Vec<Region>, WinogradError> {
        let b = self.blocking;
        let fragments = b.fragments() as usize;
        let (u, v) = (self.fetched(b.filters) as usize, self.fetched(b.tiles) as usize);
        let eights = match self.channels {
            Channels::Apart => Counts::load_stored(8 * v, Storage::F16),
            Channels::Together => Counts::load(v, 4),
        };
        let fetched = Counts::load(u, 4) + eights;
        let sums = 8 * fragments;
        let finished = self.epilogue.counts(Storage::F16) * sums as u64
            + Counts::barriers(2 * u64::from(b.fragments()))
            + Counts::write(2 * fragments, 4)
            + Counts::read(2 * sums, 1);
        let once = fetched + finished + Counts::write(1, 1);
        let step = fetched + Counts::barriers(2) + Counts::write(u + v, 4);
        let share = |counts, turns| [Share { counts, invocations: b.threads(), turns }];
        let products = fragments * (b.channels / UnitBlocking::FRAGMENT) as usize;
        let eight = Counts::read(9, 4) + Counts::sums(64);
        let mut regions = vec![
            Region::new(Part::Once, share(once, Turns::Fixed(1))),
            Region::new(Part::Phase, share(step, Turns::WeightsBy(b.channels))),
        ];
        let of_fragment = Region::new(Part::Turn, share(eight, Turns::WeightsBy(b.channels / 2)));
        regions.extend(std::iter::repeat_n(of_fragment, products));
        Ok(regions)
    }

    /// Sums, what the next step has, fragments of 16 channels, positions, and the turn.
    fn values(&self) -> usize {
        let b = self.blocking;
        let fetched = 4 * (self.fetched(b.filters) + self.fetched(b.tiles));
        (self.accumulators() + fetched + (b.filters_each + b.tiles_each) / 4 + 7 * self.sources()) as usize + 5
    }

    fn variants() -> Vec<KernelSpec> {
        Self::variants_of(Fragments::Emulated)
    }
}

/// Scalar operations of the longest step, but for the loops in it.
const STEP_OPERATIONS: u32 = 2000;

/// The weights in rows of channels, as [`ImplicitGemmUnits`] reads them.
pub(crate) fn filter_row_words(of: &Correlation) -> usize {
    of.groups * of.group_k * of.terms() / 2
}

/// Eights of a row, and of a tap in it.
pub(crate) fn row_eights(of: &Correlation) -> [u32; 2] {
    [of.terms(), of.group_c].map(|channels| word(channels) / ImplicitGemmUnits::EIGHT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_blocking_is_legal() {
        for blocking in ImplicitGemmUnits::BLOCKINGS {
            assert!(ImplicitGemmUnits::is_cut(&blocking), "{blocking}");
        }
        for blocking in UnitBlocking::ALL.into_iter().filter(|blocking| blocking.products == Products::Three) {
            assert!(!ImplicitGemmUnits::is_cut(&blocking), "{blocking}");
        }
    }
}
