//! How the CPU's Winograd lays out what it has in between: sizes that the planner and the kernel agree on.

use super::kernel::{LANES, PANEL, TileBlock};
use crate::plan::build::Windows;
use crate::winograd::Nested;

/// The sizes for one cut of a problem.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BlockSizes {
    /// Chunks of a group's rows of U and V: those of 16 channels of one phase and one plane of taps.
    pub(crate) chunks: usize,
    /// Elements of V of a block of tiles of one group.
    pub(crate) v: usize,
    /// Elements that a thread needs beside V: products, and what the transforms have in between.
    pub(crate) beside: usize,
    /// Channels of a group.
    group_c: usize,
    /// Blocks of all tiles.
    all: usize,
    /// Blocks, of each group, whose V is shared at a time.
    shared: usize,
}

/// The rows of a chunk.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ChunkRows {
    /// The first channel.
    pub(crate) channel: usize,
    /// Channels.
    pub(crate) count: usize,
    /// Which phase and plane of taps.
    pub(crate) phase: usize,
}

impl BlockSizes {
    pub(crate) fn new(windows: &Windows, algorithm: Nested, block: TileBlock) -> Self {
        let group_c = windows.of.group_c;
        let chunks = windows.group_rows() / group_c.max(1) * group_c.div_ceil(LANES);
        let tiles = block.tiles as usize;
        let blocks = windows.tiles(algorithm).count().div_ceil(tiles);
        Self {
            chunks,
            v: chunks * algorithm.products() * tiles * LANES,
            beside: beside(algorithm, tiles),
            group_c,
            all: blocks,
            shared: blocks.min(block.together as usize) * windows.of.groups,
        }
    }

    /// A chunk's rows.
    pub(crate) fn rows(&self, chunk: usize) -> ChunkRows {
        let of_phase = self.group_c.div_ceil(LANES);
        let channel = chunk % of_phase * LANES;
        ChunkRows { channel, count: LANES.min(self.group_c - channel), phase: chunk / of_phase }
    }

    /// Elements that a thread needs for blocks of its own.
    pub(crate) const fn scratch(&self) -> usize {
        self.beside.saturating_add(self.v)
    }

    /// Elements of the workspace: what each of the threads needs, and what all of them share.
    pub(crate) fn workspace(&self, threads: usize) -> Vec<usize> {
        match self.shared {
            0 => vec![scratches(threads.min(self.all), self.scratch())],
            shared => vec![scratches(threads, self.beside), shared.saturating_mul(self.v).saturating_add(LANES)],
        }
    }
}

/// Elements of so many threads' scratches, which begin where a cache line does.
pub(crate) const fn scratches(threads: usize, scratch: usize) -> usize {
    threads.saturating_mul(scratch.next_multiple_of(LANES)).saturating_add(LANES)
}

/// Elements of U.
pub(crate) fn panels_len(windows: &Windows, algorithm: Nested) -> usize {
    let panels = windows.of.groups * windows.of.group_k.div_ceil(PANEL);
    panels * algorithm.products() * windows.group_rows() * PANEL
}

/// The larger of what the two transforms need: a tile row's patch, its columns' transforms and the results of operations;
/// the same of products and sums, and lines on their way out.
fn beside(Nested { rows, cols }: Nested, tiles: usize) -> usize {
    let programs = [rows, cols].map(|f| f.programs().ok());
    let ops =
        |of: &dyn Fn(&crate::winograd::Programs) -> usize| programs.iter().flatten().map(|p| of(p)).max().unwrap_or(0);
    let [m_h, m_w] = [rows.m(), cols.m()].map(usize::from);
    let width = (tiles - 1) * m_w + cols.span();
    let input = width.next_multiple_of(LANES) + width * (rows.span() + rows.products() + ops(&|p| p.input.ops().len()));
    let sums = 2 * tiles * m_h * (cols.products() + m_w);
    let output = sums + (2 * tiles * ops(&|p| p.output.ops().len())).max((tiles * m_w).next_multiple_of(LANES));
    LANES * input.max(output + 2 * tiles * rows.products())
}
