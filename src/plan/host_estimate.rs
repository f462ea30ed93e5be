//! What the processor's own kernels cost, and how they cut their work.

use super::windows::Windows;
use crate::kernel::{HostBlock, PANEL};
use crate::winograd::Nested;

/// Bytes of a block's V and M: half of a second-level cache, beside which a part of U passes through.
const BLOCK_BYTES: usize = 576 << 10;

/// The blocks of tiles: as many as the cache holds, and of U and V that is kept which is read more often.
pub(super) fn block(windows: &Windows, algorithm: Nested, fits: impl Fn(HostBlock) -> bool) -> HostBlock {
    let points = algorithm.products();
    let (rows, filters, tiles) = (windows.group_rows(), windows.of.group_k, windows.tiles(algorithm).count());
    let panels = filters.div_ceil(PANEL);
    let own = HostBlock { tiles: tiles_of(4 * points * (rows + PANEL), tiles), shared: false };
    let shared = HostBlock { tiles: tiles_of(4 * points * 2 * PANEL, tiles), shared: true };
    // What is read from beyond the cache, in elements: U for each block, or V for each panel.
    let u = points * rows * panels * PANEL;
    let of_own = u * tiles.div_ceil(own.tiles as usize);
    let of_shared = u + points * rows * tiles * (1 + panels);
    // A U that stays in the cache costs nothing.
    if 4 * u > BLOCK_BYTES && of_shared < of_own && fits(shared) { shared } else { own }
}

/// Tiles of a block that needs so many bytes for each: whole blocks of registers, and even.
#[expect(clippy::cast_possible_truncation, reason = "at most 56")]
fn tiles_of(bytes: usize, tiles: usize) -> u32 {
    let most = (BLOCK_BYTES / bytes / 14 * 14).clamp(14, 56);
    tiles.div_ceil(tiles.div_ceil(most).max(1)) as u32
}
