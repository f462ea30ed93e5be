//! `winograd_input`: V = B^T d B for each input tile.

use super::cost::{Counts, Part, Region, Share, Turns};
use super::direct::border_suffix;
use super::{Binding, Constant, KernelSpec, Storage, word};
use crate::padding::Border;
use crate::winograd::{Nested, WinogradError};

/// One workgroup transforms [`WinogradInput::tiles`] tiles of one channel: first all columns of all tiles, then,
/// through workgroup memory, all rows. So an invocation holds one row or column, never a tile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct WinogradInput {
    /// The algorithm.
    pub(crate) algorithm: Nested,
    /// What lies around the source.
    pub(crate) border: Border,
    /// How the source is stored.
    pub(crate) storage: Storage,
}

impl WinogradInput {
    /// The algorithm.
    pub const fn algorithm(&self) -> Nested {
        self.algorithm
    }

    /// The variant as a kernel.
    pub const fn spec(self) -> KernelSpec {
        KernelSpec::WinogradInput(self)
    }

    /// Tiles of a workgroup, see `tiles_per_workgroup`.
    pub fn tiles(&self) -> u32 {
        tiles_per_workgroup(self.algorithm)
    }

    /// One invocation for each column in the first phase, for each transformed row in the second.
    pub(super) fn workgroup_size(&self) -> u32 {
        let Nested { rows, cols } = self.algorithm;
        self.tiles() * word(cols.span().max(rows.products()))
    }

    /// `POINTS_H x SPAN_W` values of each tile.
    pub(super) fn workgroup_bytes(&self) -> u32 {
        let Nested { rows, cols } = self.algorithm;
        4 * word(rows.products() * cols.span()) * padded(self.tiles())
    }

    pub(super) fn variant(&self) -> String {
        format!("{}_{}{}", self.algorithm.label(), self.storage.name(), border_suffix(self.border))
    }

    pub(super) fn bindings(&self) -> Vec<Binding> {
        vec![Binding::read(1, "src"), Binding::write(2, "v")]
    }

    pub(super) fn constants(&self) -> Vec<Constant> {
        let Nested { rows, cols } = self.algorithm;
        vec![
            ("TILES", self.tiles()),
            ("TILES_PADDED", padded(self.tiles())),
            ("OUT_H", rows.m().into()),
            ("OUT_W", cols.m().into()),
            ("SPAN_H", word(rows.span())),
            ("SPAN_W", word(cols.span())),
            ("POINTS_H", word(rows.products())),
            ("POINTS_W", word(cols.products())),
        ]
    }

    pub(super) fn regions(&self) -> Result<Vec<Region>, WinogradError> {
        let Nested { rows, cols } = self.algorithm;
        let column = Counts::load_stored(rows.span(), self.storage)
            + Counts::program(&rows.programs()?.input)
            + Counts::write(rows.products(), 1);
        let row =
            Counts::read(cols.span(), 1) + Counts::program(&cols.programs()?.input) + Counts::store(cols.products(), 1);
        let share = |counts, invocations| Share { counts, invocations, turns: Turns::Fixed(1) };
        let shares = [
            share(column, self.tiles() * word(cols.span())),
            share(Counts::barriers(1), self.workgroup_size()),
            share(row, self.tiles() * word(rows.products())),
        ];
        Ok(vec![Region::new(Part::Once, shares)])
    }

    /// A column or row, before and after its transform.
    pub(super) fn values(&self) -> usize {
        let Nested { rows, cols } = self.algorithm;
        (rows.span() + rows.products()).max(cols.span() + cols.products())
    }
}

/// Tiles of one workgroup of the input and output transforms: 32, so that whole cache lines are written, unless
/// that needs more than the 256 invocations or the 16 KiB that every device has.
pub(super) fn tiles_per_workgroup(algorithm: Nested) -> u32 {
    let Nested { rows, cols } = algorithm;
    let wide = word(rows.products().max(cols.products()));
    let values = word(rows.products() * cols.products());
    [32, 16, 8, 4].into_iter().find(|&tiles| tiles * wide <= 256 && 4 * values * padded(tiles) <= 16 << 10).unwrap_or(1)
}

/// One more than the tiles: neighbours in a column then lie in different banks of workgroup memory.
const fn padded(tiles: u32) -> u32 {
    tiles + 1
}
