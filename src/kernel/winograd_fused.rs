//! `winograd_fused` and `winograd_fused_output`: the multiply and the output transform in one kernel, and the input
//! transform too. Nothing goes through memory between input (or V) and output.

use std::fmt;
use std::str::FromStr;

use super::{Binding, Constant, Epilogue, KernelSpec, MAX_ACCUMULATORS, word};
use crate::error::Error;
use crate::winograd::Nested;

/// What is fused with the multiply and the output transform.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Fusion {
    /// Nothing more: V comes from `winograd_input`.
    Output,
    /// The input transform.
    Input,
}

/// How the work is cut: a workgroup owns all points of `filters x tiles`, an invocation one point of
/// `filters_each x tiles_each` of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FusedBlocking {
    /// Filters of a workgroup.
    pub filters: u32,
    /// Tiles of a workgroup.
    pub tiles: u32,
    /// Channels of a step.
    pub channels: u32,
    /// Filters of an invocation.
    pub filters_each: u32,
    /// Tiles of an invocation.
    pub tiles_each: u32,
    /// Filters of an invocation whose products are exchanged at once when the outputs are made.
    pub round: u32,
}

impl FusedBlocking {
    /// A blocking by its six numbers.
    pub const fn new([filters, tiles, channels]: [u32; 3], [filters_each, tiles_each]: [u32; 2], round: u32) -> Self {
        Self { filters, tiles, channels, filters_each, tiles_each, round }
    }

    /// All blockings that are tried, largest first. Which of them a transform can have depends on its points: those
    /// that fit into 16 KiB and 256 invocations stand at the end.
    pub const ALL: [Self; 15] = [
        Self::new([64, 32, 4], [8, 8], 1),
        Self::new([32, 24, 3], [8, 8], 1),
        Self::new([32, 16, 6], [8, 4], 2),
        Self::new([32, 16, 4], [8, 4], 2),
        Self::new([32, 16, 3], [8, 4], 2),
        Self::new([32, 8, 3], [8, 8], 2),
        Self::new([16, 16, 2], [8, 8], 1),
        Self::new([16, 16, 3], [8, 4], 1),
        Self::new([16, 8, 8], [4, 4], 2),
        Self::new([16, 8, 4], [4, 4], 2),
        Self::new([16, 8, 2], [8, 4], 1),
        Self::new([8, 8, 4], [8, 4], 1),
        Self::new([8, 8, 2], [4, 4], 1),
        Self::new([8, 4, 1], [8, 4], 1),
        Self::new([4, 4, 1], [4, 4], 1),
    ];

    /// Invocations for one point.
    const fn threads_per_point(&self) -> u32 {
        (self.filters / self.filters_each) * (self.tiles / self.tiles_each)
    }

    /// Whether the numbers divide as the kernels need it.
    pub const fn is_legal(&self) -> bool {
        self.filters_each.is_multiple_of(4)
            && self.tiles_each.is_multiple_of(4)
            && self.filters.is_multiple_of(self.filters_each)
            && self.tiles.is_multiple_of(self.tiles_each)
            && self.filters_each * self.tiles_each <= MAX_ACCUMULATORS
            && self.round > 0
            && self.filters_each.is_multiple_of(self.round)
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

    /// Reads what [`fmt::Display`] writes: `32x16x6_8x8_2`.
    fn from_str(text: &str) -> Result<Self, Error> {
        let numbers: Option<Vec<u32>> = text.split(['x', '_']).map(|part| part.parse().ok()).collect();
        match numbers.as_deref() {
            Some(&[filters, tiles, channels, filters_each, tiles_each, round])
                if [filters, tiles, channels, filters_each, tiles_each, round].iter().all(|&n| n > 0) =>
            {
                Ok(Self::new([filters, tiles, channels], [filters_each, tiles_each], round))
            }
            _ => Err(Error::Unsupported {
                what: format!("blocking {text}"),
                why: "expected filters x tiles x channels _ filters x tiles of an invocation _ round: 32x16x6_8x8_2"
                    .to_owned(),
            }),
        }
    }
}

/// Winograd with the stages from `fusion` on in one kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct WinogradFused {
    /// The algorithm.
    pub algorithm: Nested,
    /// What is fused.
    pub fusion: Fusion,
    /// How the work is cut.
    pub blocking: FusedBlocking,
    /// Bias and activation.
    pub epilogue: Epilogue,
}

impl WinogradFused {
    /// The variant as a kernel.
    pub const fn spec(self) -> KernelSpec {
        KernelSpec::WinogradFused(self)
    }

    pub(super) const fn kernel(&self) -> &'static str {
        match self.fusion {
            Fusion::Output => "winograd_fused_output",
            Fusion::Input => "winograd_fused",
        }
    }

    pub(super) const fn workgroup_size(&self) -> u32 {
        let Nested { rows, cols } = self.algorithm;
        #[expect(clippy::cast_possible_truncation, reason = "at most a few hundred products")]
        let products = (rows.products() * cols.products()) as u32;
        products * self.blocking.threads_per_point()
    }

    /// Floats of workgroup memory: what the channel loop needs, or what the exchange of products needs, whichever
    /// is more.
    fn pool(&self) -> u32 {
        let b = self.blocking;
        let Nested { rows, cols } = self.algorithm;
        let (points, points_w) = (word(rows.products() * cols.products()), word(cols.products()));
        let exchange = self.pairs() * (points + u32::from(rows.m()) * points_w);
        let channel_loop = match self.fusion {
            Fusion::Output => 0,
            Fusion::Input => self.half() + 2 * b.channels * points * b.tiles,
        };
        exchange.max(channel_loop).next_multiple_of(4)
    }

    /// Filters and tiles that are exchanged at once.
    const fn pairs(&self) -> u32 {
        let b = self.blocking;
        b.round * (b.filters / b.filters_each) * b.tiles
    }

    /// Rows of outputs that an invocation writes in a round.
    pub fn rows(&self) -> u32 {
        (u32::from(self.algorithm.rows.m()) * self.pairs()).div_ceil(self.workgroup_size())
    }

    /// Floats of a step's half-transformed tiles.
    fn half(&self) -> u32 {
        let rows = word(self.algorithm.rows.products());
        (self.blocking.channels * rows * self.blocking.tiles * self.half_stride()).next_multiple_of(4)
    }

    /// Floats from tile to tile of a half-transformed row: odd, so that neighbours lie in different banks.
    fn half_stride(&self) -> u32 {
        word(self.algorithm.cols.span()) | 1
    }

    /// Columns of tiles that an invocation fetches for a step.
    pub fn fetch(&self) -> u32 {
        let columns = self.blocking.channels * self.blocking.tiles * word(self.algorithm.cols.span());
        columns.div_ceil(self.workgroup_size())
    }

    pub(super) fn workgroup_bytes(&self) -> u32 {
        4 * self.pool()
    }

    /// Whether the channel loop stays within what an instruction cache holds: the lint `body_size` has the last word,
    /// this is the planner's rule of thumb for it.
    pub fn is_compact(&self) -> bool {
        let b = self.blocking;
        let multiply = b.channels * b.filters_each * b.tiles_each;
        let columns = match self.fusion {
            Fusion::Output => 0,
            Fusion::Input => self.fetch() * word(self.algorithm.rows.span() + self.algorithm.rows.products()),
        };
        multiply <= 384 && columns <= 26
    }

    pub(super) fn variant(&self) -> String {
        format!("{}_f32_{}{}", self.algorithm.label(), self.blocking, self.epilogue.suffix())
    }

    pub(super) fn bindings(&self) -> Vec<Binding> {
        let source = match self.fusion {
            Fusion::Output => "v",
            Fusion::Input => "src",
        };
        let own = [Binding::read(1, source), Binding::read(2, "u"), Binding::write(3, "dst")];
        own.into_iter().chain(self.epilogue.bindings()).collect()
    }

    pub(super) fn constants(&self) -> Vec<Constant> {
        let Nested { rows, cols } = self.algorithm;
        let b = self.blocking;
        let mut constants = vec![
            ("BLOCK_K", b.filters),
            ("BLOCK_T", b.tiles),
            ("BLOCK_C", b.channels),
            ("EACH_K", b.filters_each),
            ("EACH_T", b.tiles_each),
            ("ROUND", b.round),
            ("OUT_H", rows.m().into()),
            ("OUT_W", cols.m().into()),
            ("POINTS_H", word(rows.products())),
            ("POINTS_W", word(cols.products())),
            ("ROWS", self.rows()),
            ("POOL", self.pool()),
        ];
        if self.fusion == Fusion::Input {
            constants.extend([
                ("SPAN_H", word(rows.span())),
                ("SPAN_W", word(cols.span())),
                ("FETCH", self.fetch()),
                ("HALF", self.half()),
                ("HALF_STRIDE", self.half_stride()),
            ]);
        }
        constants
    }
}
