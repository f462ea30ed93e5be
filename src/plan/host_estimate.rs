//! How the processor's own kernels cut their work, and what they cost.

use super::windows::Windows;
use crate::correlation::Correlation;
use crate::kernel::{HostBlock, HostPatch, HostStrip, LANES, PANEL};
use crate::winograd::Nested;

/// Bytes of a block's V and M: half of a second-level cache, beside which a part of U passes through.
const BLOCK_BYTES: usize = 576 << 10;
/// Bytes of a patch: of the same cache, beside a panel of weights.
const PATCH_BYTES: usize = 256 << 10;
/// Columns of a patch: whole blocks of registers.
const PATCH_COLUMNS: usize = 56;
/// Columns of a strip.
const STRIP_COLUMNS: usize = 512;
/// Bytes of a strip's lines.
const STRIP_BYTES: usize = 64 << 10;
/// Blocks for each thread, so that none waits long for the last one.
const BLOCKS_PER_THREAD: usize = 4;

/// The blocks of tiles: as many as the cache holds, and of U and V that is kept which is read more often.
pub(super) fn block(
    windows: &Windows,
    algorithm: Nested,
    threads: usize,
    fits: impl Fn(HostBlock) -> bool,
) -> HostBlock {
    let points = algorithm.products();
    let (rows, filters, tiles) = (windows.group_rows(), windows.of.group_k, windows.tiles(algorithm).count());
    let panels = filters.div_ceil(PANEL);
    let own = HostBlock { tiles: tiles_of(4 * points * (rows + PANEL), tiles, threads), shared: false };
    let shared = HostBlock { tiles: tiles_of(4 * points * 2 * PANEL, tiles, 1), shared: true };
    // What is read from beyond the cache, in elements: U for each block, or V for each panel.
    let u = points * rows * panels * PANEL;
    let own_blocks = tiles.div_ceil(own.tiles as usize);
    let of_own = u * own_blocks;
    let of_shared = u + points * rows * tiles * (1 + panels);
    // A U that stays in the cache costs nothing; a thread without a block does.
    let idle = own_blocks < threads && panels > 1;
    if (idle || 4 * u > BLOCK_BYTES && of_shared < of_own) && fits(shared) { shared } else { own }
}

/// Tiles of a block that needs so many bytes for each: as many blocks for each thread, and all of one size.
#[expect(clippy::cast_possible_truncation, reason = "at most 56")]
fn tiles_of(bytes: usize, tiles: usize, threads: usize) -> u32 {
    let most = (BLOCK_BYTES / bytes / 14 * 14).clamp(14, 56);
    let blocks = tiles.div_ceil(most);
    let blocks = if blocks < BLOCKS_PER_THREAD * threads { blocks.next_multiple_of(threads) } else { blocks };
    tiles.div_ceil(blocks.clamp(1, tiles.max(1))) as u32
}

/// The blocks of a product of matrices.
pub(super) fn patch(of: &Correlation, threads: usize) -> HostPatch {
    let panels = of.group_k.div_ceil(PANEL);
    let bytes = |patch: &HostPatch| 4 * LANES * patch.places(of);
    let cut = cut(of, PATCH_COLUMNS, panels, threads, |patch| bytes(patch) <= PATCH_BYTES);
    // Too few blocks: the filters are shared out, and each thread reads the source by itself.
    let blocks = cut.tasks(of);
    if blocks >= threads { cut } else { HostPatch { panels: panels.div_ceil(threads.div_ceil(blocks)), ..cut } }
}

/// The strips of a direct convolution.
pub(super) fn strip(of: &Correlation, threads: usize) -> HostStrip {
    let panels = of.group_k.div_ceil(PANEL);
    let fits = |patch: &HostPatch| 4 * HostStrip { patch: *patch }.lines(of) <= STRIP_BYTES;
    HostStrip { patch: cut(of, STRIP_COLUMNS, panels, threads, fits) }
}

/// Even columns, and as many rows as fit while each thread has some blocks.
fn cut(
    of: &Correlation,
    columns: usize,
    panels: usize,
    threads: usize,
    fits: impl Fn(&HostPatch) -> bool,
) -> HostPatch {
    let columns = of.out[2].div_ceil(of.out[2].div_ceil(columns));
    let mut best = HostPatch { rows: 1, columns, panels };
    for blocks in (1..of.out[1]).rev() {
        let next = HostPatch { rows: of.out[1].div_ceil(blocks), ..best };
        if next.rows == best.rows {
            continue;
        }
        if !fits(&next) || next.tasks(of) < BLOCKS_PER_THREAD * threads {
            break;
        }
        best = next;
    }
    best
}
