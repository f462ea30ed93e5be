//! `winograd_fused` and `winograd_fused_output`: the multiply and the output transform in one kernel, and the input
//! transform too, and the filters' too. Nothing goes through memory between input (or V) and output.

use super::f16_transforms;
use crate::caps::Limits;
use crate::kernel::cost::{Region, SumLength};
use crate::kernel::{
    Binding, Constant, Epilogue, Kernel, KernelSpec, MAX_ACCUMULATORS, MAX_BLOCK, Params as _, Storage, check_block,
    word,
};
use crate::winograd::{F, Nested, WinogradError};
use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Result};

/// Most values of a tile that one invocation transforms. F(6,3) with `x^2 + 1` has as many products; those of F(8,3)
/// would be 100, and their straight-line program longer than an instruction cache.
const MAX_TILE: usize = 81;

/// Operations of the longest loop of the fused kernels but the one over phases: eight channels of 8x8 sums.
const LONGEST_IN_FUSED: u32 = 760;

/// What is fused with the multiply and the output transform.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Fusion {
    /// Nothing more: V comes from `winograd_input`.
    Output,
    /// The input transform.
    Input,
    /// The input transform and the filters': everything.
    Filter,
}

/// How the work is cut: a workgroup owns all points of `filters x tiles`, an invocation one point of
/// `filters_each x tiles_each` of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FusedBlocking {
    /// Filters of a workgroup.
    pub(crate) filters: u32,
    /// Tiles of a workgroup.
    pub(crate) tiles: u32,
    /// Channels that are transformed at once, where the input transform is fused; fewer, where a tile of each would not
    /// have an invocation of its own, see [`WinogradFused::channels`].
    pub(crate) channels: u32,
    /// Filters of an invocation.
    pub(crate) filters_each: u32,
    /// Tiles of an invocation.
    pub(crate) tiles_each: u32,
    /// Filters of an invocation whose products are exchanged at once when the outputs are made.
    pub(crate) round: u32,
}

impl FusedBlocking {
    /// Filters of a workgroup.
    pub const fn filters(&self) -> u32 {
        self.filters
    }

    /// Tiles of a workgroup.
    pub const fn tiles(&self) -> u32 {
        self.tiles
    }

    /// Channels that are transformed at once, where the input transform is fused; fewer, where a tile of each would not
    /// have an invocation of its own, see [`WinogradFused::channels`].
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

    /// Filters of an invocation whose products are exchanged at once when the outputs are made.
    pub const fn round(&self) -> u32 {
        self.round
    }

    /// A blocking by its six numbers; [`fmt::Display`] shows what is which: `32x16x16_8x8_2`.
    ///
    /// # Errors
    /// [`Error::Unsupported`] if a number is not from 1 to 1024, or an invocation's do not divide the workgroup's.
    pub fn new(block: [u32; 3], each: [u32; 2], round: u32) -> Result<Self> {
        let blocking = Self::of(block, each, round);
        check_block(&blocking, &[block[0], block[1], block[2], each[0], each[1], round])?;
        let divides = block[0].is_multiple_of(each[0]) && block[1].is_multiple_of(each[1]);
        if divides { Ok(blocking) } else { Err(no_blocking(blocking)) }
    }

    /// One that is written here.
    const fn of([filters, tiles, channels]: [u32; 3], [filters_each, tiles_each]: [u32; 2], round: u32) -> Self {
        Self { filters, tiles, channels, filters_each, tiles_each, round }
    }

    /// All blockings that are tried, largest first. Which of them a transform can have depends on its points: those
    /// that fit into 16 KiB and 256 invocations stand at the end. Of 98 that were run with F(2x2,3x3), F(4x2,3x3) and
    /// F(4x4,3x3) on eight layers on an H100 (2026-11-24), these have the best or next to it for each.
    pub const ALL: [Self; 13] = [
        Self::of([64, 32, 16], [4, 16], 1),
        Self::of([64, 16, 16], [4, 16], 2),
        Self::of([64, 8, 16], [8, 8], 4),
        Self::of([64, 8, 16], [4, 8], 4),
        Self::of([32, 16, 16], [8, 8], 4),
        Self::of([32, 8, 16], [8, 8], 4),
        Self::of([32, 8, 16], [4, 8], 4),
        Self::of([16, 8, 16], [4, 8], 4),
        Self::of([16, 8, 16], [4, 4], 4),
        Self::of([16, 4, 16], [4, 4], 4),
        Self::of([8, 8, 8], [4, 4], 4),
        Self::of([8, 4, 8], [4, 4], 2),
        Self::of([4, 4, 1], [4, 4], 1),
    ];

    /// Invocations for one point.
    const fn threads_per_point(&self) -> u32 {
        (self.filters / self.filters_each) * (self.tiles / self.tiles_each)
    }

    /// Whether the numbers divide as the kernels need it.
    const fn is_legal(&self) -> bool {
        self.filters_each.is_multiple_of(4)
            && self.tiles_each.is_multiple_of(4)
            && self.filters.is_multiple_of(self.filters_each)
            && self.tiles.is_multiple_of(self.tiles_each)
            // The exchange swaps vectors of a line by exclusive or.
            && self.tiles.is_power_of_two()
            && self.filters_each.saturating_mul(self.tiles_each) <= MAX_ACCUMULATORS
            && matches!(self.round, 1 | 2 | 4)
            && self.channels > 0
    }
}

impl fmt::Display for FusedBlocking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { filters, tiles, channels, filters_each, tiles_each, round } = self;
        write!(f, "{filters}x{tiles}x{channels}_{filters_each}x{tiles_each}_{round}")
    }
}

impl FromStr for FusedBlocking {
    type Err = Error;

    /// Reads what [`fmt::Display`] writes: `32x16x16_8x8_2`.
    fn from_str(text: &str) -> Result<Self> {
        let numbers: Option<Vec<u32>> = text.split(['x', '_']).map(|part| part.parse().ok()).collect();
        match numbers.as_deref() {
            Some(&[filters, tiles, channels, filters_each, tiles_each, round]) => {
                Self::new([filters, tiles, channels], [filters_each, tiles_each], round)
            }
            _ => Err(no_blocking(text)),
        }
    }
}

fn no_blocking(text: impl fmt::Display) -> Error {
    Error::Unsupported {
        what: format!("blocking {text}"),
        why: format!(
            "expected, for instance, 32x16x16_8x8_2: filters, tiles and channels of a workgroup; filters and tiles of an \
             invocation, which divide the workgroup's; filters exchanged at once (1, 2 or 4); each from 1 to {MAX_BLOCK}"
        ),
    }
}

/// Winograd with the stages from `fusion` on in one kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct WinogradFused {
    /// The algorithm.
    pub(crate) algorithm: Nested,
    /// What is fused.
    pub(crate) fusion: Fusion,
    /// How the work is cut.
    pub(crate) blocking: FusedBlocking,
    /// How tensors are stored.
    pub(crate) storage: Storage,
    /// Bias and activation.
    pub(crate) epilogue: Epilogue,
}

impl WinogradFused {
    /// The kernel for tensors of f32, without bias and activation.
    ///
    /// # Errors
    /// [`Error::Unsupported`] if the blocking's numbers do not suit each other or the transform.
    pub fn new(algorithm: Nested, fusion: Fusion, blocking: FusedBlocking) -> Result<Self> {
        let kernel = Self { algorithm, fusion, blocking, storage: Storage::F32, epilogue: Epilogue::NONE };
        if kernel.is_legal() {
            return Ok(kernel);
        }
        let why = format!(
            "expected multiples of 4 filters and tiles per invocation, a power of two of tiles per workgroup, and a tile of \
             {algorithm} that fits into registers"
        );
        Err(Error::Unsupported { what: format!("blocking {blocking} of a fused kernel"), why })
    }

    /// The algorithm.
    pub const fn algorithm(&self) -> Nested {
        self.algorithm
    }

    /// What is fused.
    pub const fn fusion(&self) -> Fusion {
        self.fusion
    }

    /// How the work is cut.
    pub const fn blocking(&self) -> FusedBlocking {
        self.blocking
    }

    /// The variant as a kernel.
    pub const fn spec(self) -> KernelSpec {
        KernelSpec::WinogradFused(self)
    }

    /// Floats of workgroup memory: V in the channel loop, and U where it is made here, or what the exchange of products
    /// needs, whichever is more.
    fn pool(&self) -> u32 {
        let b = self.blocking;
        let points = word(self.algorithm.products());
        let lines = b.round * (b.filters / b.filters_each);
        let transformed = match self.fusion {
            Fusion::Output => 0,
            Fusion::Input => self.channel(),
            Fusion::Filter => self.channel() + points * b.filters,
        };
        (points * b.tiles * lines).max(self.channels() * transformed)
    }

    /// Floats of a channel of V in workgroup memory: neighbours put tiles of one channel, and of the next ones where it has
    /// less than 32, which then lie in the next of the 32 banks.
    fn channel(&self) -> u32 {
        const BANKS: u32 = 32;
        let tiles = self.blocking.tiles;
        let values = word(self.algorithm.products()) * tiles;
        values + (tiles % BANKS + BANKS - values % BANKS) % BANKS
    }

    /// Channels that are transformed at once: an invocation has one tile of one of them, or none.
    pub fn channels(&self) -> u32 {
        self.blocking.channels.min(self.workgroup_size() / self.blocking.tiles).max(1)
    }

    /// Channels that are multiplied in one turn of the innermost loop, all of it unrolled: as many as keep it in an
    /// instruction cache, or, where the vectors of the next turn wait in registers, in those.
    pub fn step(&self) -> u32 {
        let b = self.blocking;
        match self.fusion {
            Fusion::Output => 64 / (b.filters_each + b.tiles_each),
            Fusion::Input | Fusion::Filter => {
                let most = (512 / (b.filters_each * b.tiles_each)).min(8);
                (1..=most).rev().find(|step| self.channels().is_multiple_of(*step)).unwrap_or(1)
            }
        }
    }

    /// Whether a tile's outputs are written as they are made, which is faster by 2 % on an H100, and not by way of
    /// workgroup memory in a loop over rows, without which the larger tiles' loop is too long for an instruction cache.
    pub fn finishes_at_once(&self) -> bool {
        const MOST: usize = 16;
        self.algorithm.outputs() <= MOST
    }

    /// Whether a filter's weights can be read as they are given: where each is to be unpacked, that of many is a long loop.
    pub const fn takes_weights(algorithm: Nested, storage: Storage) -> bool {
        const MOST_PACKED: usize = 36;
        !matches!(storage, Storage::Packed) || algorithm.weights() <= MOST_PACKED
    }

    /// Whether an invocation can hold a whole tile in registers: its inputs, and its products.
    pub const fn holds(algorithm: Nested) -> bool {
        algorithm.inputs() <= MAX_TILE && algorithm.products() <= MAX_TILE
    }

    /// Whether the blocking's numbers suit each other and the transform: a tile fits into an invocation, and there is
    /// an invocation for each tile.
    pub fn is_legal(&self) -> bool {
        Self::holds(self.algorithm) && self.blocking.is_legal() && self.blocking.tiles <= self.workgroup_size()
    }
}

impl Kernel for WinogradFused {
    fn kernel(&self) -> &'static str {
        match self.fusion {
            Fusion::Output => "winograd_fused_output",
            Fusion::Input | Fusion::Filter => "winograd_fused",
        }
    }

    fn variant(&self) -> String {
        let weights = if self.fusion == Fusion::Filter { "_weights" } else { "" };
        format!(
            "{}_{}_{}{weights}{}",
            self.algorithm.label(),
            self.storage.name(),
            self.blocking,
            self.epilogue.suffix()
        )
    }

    fn bindings(&self) -> Vec<Binding> {
        let [source, filters] = match self.fusion {
            Fusion::Output => ["v", "u"],
            Fusion::Input => ["src", "u"],
            Fusion::Filter => ["src", "weights"],
        };
        let own = [Binding::read(1, source), Binding::read(2, filters), Binding::write(3, "dst")];
        own.into_iter().chain(self.epilogue.bindings()).collect()
    }

    fn own_parts(&self) -> Vec<String> {
        let filters = match self.fusion {
            Fusion::Output => None,
            Fusion::Input => Some("filters_ready"),
            Fusion::Filter => Some("filters_given"),
        };
        let finish = if self.finishes_at_once() { "finish_at_once" } else { "finish_by_rows" };
        ["store_dst"].into_iter().chain(filters).chain([finish, "output_exchange"]).map(str::to_owned).collect()
    }

    fn params(&self) -> &'static [(&'static str, &'static str)] {
        FusedParams::FIELDS
    }

    fn storage(&self) -> Storage {
        self.storage
    }

    fn epilogue(&self) -> Option<Epilogue> {
        Some(self.epilogue)
    }

    fn stored_as(&self, storage: Storage) -> Option<KernelSpec> {
        let takes = self.fusion != Fusion::Filter || Self::takes_weights(self.algorithm, storage);
        takes.then(|| Self { storage, ..*self }.spec())
    }

    fn workgroup_size(&self) -> u32 {
        let Nested { rows, cols } = self.algorithm;
        #[expect(clippy::cast_possible_truncation, reason = "at most a few hundred products")]
        let products = (rows.products() * cols.products()) as u32;
        products * self.blocking.threads_per_point()
    }

    fn workgroup_bytes(&self) -> u32 {
        4 * self.pool()
    }

    fn constants(&self) -> Vec<Constant> {
        let Nested { rows, cols } = self.algorithm;
        let b = self.blocking;
        let mut constants = vec![
            ("BLOCK_K", b.filters),
            ("BLOCK_T", b.tiles),
            ("STEP_C", self.step()),
            ("EACH_K", b.filters_each),
            ("EACH_T", b.tiles_each),
            ("ROUND", b.round),
            ("OUT_H", rows.m().into()),
            ("OUT_W", cols.m().into()),
            ("POINTS_H", word(rows.products())),
            ("POINTS_W", word(cols.products())),
            ("POOL", self.pool()),
        ];
        if self.fusion != Fusion::Output {
            let spans = [("SPAN_H", word(rows.span())), ("SPAN_W", word(cols.span()))];
            constants.extend([("BLOCK_C", self.channels()), ("CHANNEL", self.channel())].into_iter().chain(spans));
        }
        if self.fusion == Fusion::Filter {
            constants.push(("TAPS", word(self.algorithm.weights())));
        }
        constants
    }

    fn accumulators(&self) -> u32 {
        self.blocking.filters_each * self.blocking.tiles_each
    }

    fn loop_operations(&self) -> u32 {
        // Without transforms there is no kernel at all, which its text's writer says.
        self.phase_operations().unwrap_or(0).max(LONGEST_IN_FUSED)
    }

    fn sum(&self, params: &[u32]) -> SumLength {
        SumLength::of_channels(FusedParams::from_words(params).group_c)
    }

    /// Which part, and who does what in it how often.
    fn regions(&self) -> Result<Vec<Region>, WinogradError> {
        let mut regions = match self.fusion {
            Fusion::Output => self.sum_fetched(),
            Fusion::Input | Fusion::Filter => self.transform_and_sum()?,
        };
        regions.extend(self.exchange()?);
        Ok(regions)
    }

    /// Values that must be there at the same time: while it multiplies, the sums, a channel's vectors, and what is on
    /// its way from memory; in the first round of the exchange, the sums of the others and a tile's products.
    fn values(&self) -> usize {
        let b = self.blocking;
        let vectors = b.filters_each + b.tiles_each;
        let sums = b.filters_each * b.tiles_each;
        let on_its_way = match self.fusion {
            Fusion::Output => self.step() * vectors,
            Fusion::Input | Fusion::Filter => word(self.algorithm.inputs()),
        };
        let exchange = sums - b.round * b.tiles_each + word(self.algorithm.products());
        (sums + vectors + on_its_way).max(exchange) as usize
    }

    fn variants() -> Vec<KernelSpec> {
        const MOST_FILTERS_OF_HALVES: u32 = 16;
        // Every blocking that a device of 48 KiB and 1,024 invocations can run.
        let mut all = Vec::new();
        let algorithms = F::shipped().iter().map(|&f| Nested::square(f));
        for algorithm in algorithms.chain([Nested { rows: F::new(4, 3), cols: F::new(2, 3) }]) {
            for fusion in [Fusion::Output, Fusion::Input, Fusion::Filter] {
                for blocking in FusedBlocking::ALL {
                    let of = |epilogue| Self { algorithm, fusion, blocking, storage: Storage::F32, epilogue };
                    all.extend(Epilogue::ends().map(of));
                }
            }
        }
        all.retain(|kernel| kernel.is_legal() && kernel.spec().check(&Limits::LARGEST).is_ok());
        let halves = |kernel: &&Self| {
            f16_transforms().contains(&kernel.algorithm) && kernel.blocking.filters <= MOST_FILTERS_OF_HALVES
        };
        let of_storage = |storage| all.iter().filter(halves).map(move |kernel| Self { storage, ..*kernel });
        let halves: Vec<_> = Storage::HALVES.into_iter().flat_map(of_storage).collect();
        all.into_iter().chain(halves).map(Self::spec).collect()
    }
}

params! {
    /// Parameters of `winograd_fused`, `winograd_fused_output` and `winograd_inlined`.
    FusedParams {
        /// First tile of this dispatch.
        first: u32,
        /// Tiles of this dispatch.
        tiles: u32,
        /// The stride of V's rows; `winograd_fused` has no V.
        t_stride: u32,
        /// Rows of tiles in an image.
        tiles_y: u32,
        /// Tiles in a row.
        tiles_x: u32,
        /// Rows of U and V: channels.
        c: u32,
        /// Rows of the source.
        h: u32,
        /// Columns of the source.
        w: u32,
        /// Rows that the first tile lies before the source; negative if within.
        before_h: u32,
        /// Columns.
        before_w: u32,
        /// Channels of a group.
        group_c: u32,
        /// Filters of a group.
        group_k: u32,
        /// The stride of U's rows.
        k_stride: u32,
        /// Rows of outputs.
        p: u32,
        /// Columns of outputs.
        q: u32,
        /// Blocks of tiles that a workgroup of `winograd_fused` walks.
        walk: u32,
        /// From image to image of the source.
        src_n: u32,
        /// From channel to channel.
        src_c: u32,
        /// From row to row; columns lie side by side.
        src_h: u32,
        /// From image to image of the output.
        dst_n: u32,
        /// From filter to filter.
        dst_k: u32,
        /// From row to row.
        dst_h: u32,
        /// From column to column.
        dst_w: u32,
        /// First element of the source.
        src_offset: u32,
        /// First element of the weights, where they are taken as given.
        weights_offset: u32,
        /// First element of the output.
        dst_offset: u32,
        /// First element of the bias.
        bias_offset: u32,
        /// First element of the slopes.
        slopes_offset: u32,
        /// First element of the residual.
        residual_offset: u32,
        /// The activation's first number.
        act_a: f32,
        /// The activation's second number.
        act_b: f32,
    }
}
