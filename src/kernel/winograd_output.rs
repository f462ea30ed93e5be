//! `winograd_output`: Y = A^T M A for each tile, then bias and activation.

use super::cost::{Counts, Part, Region, Share, Turns};
use super::winograd_input::tiles_per_workgroup;
use super::{Binding, Constant, Epilogue, KernelSpec, Storage, word};
use crate::winograd::{Nested, WinogradError};

/// One workgroup transforms [`WinogradOutput::tiles`] tiles of one filter, columns first, as the input transform.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct WinogradOutput {
    /// The algorithm.
    pub(crate) algorithm: Nested,
    /// How output and residual are stored.
    pub(crate) storage: Storage,
    /// Bias and activation.
    pub(crate) epilogue: Epilogue,
}

impl WinogradOutput {
    /// The algorithm.
    pub const fn algorithm(&self) -> Nested {
        self.algorithm
    }

    /// The variant as a kernel.
    pub const fn spec(self) -> KernelSpec {
        KernelSpec::WinogradOutput(self)
    }

    /// Tiles of a workgroup.
    pub fn tiles(&self) -> u32 {
        tiles_per_workgroup(self.algorithm)
    }

    /// One invocation for each column of products in the first phase, for each row of outputs in the others.
    pub(super) fn workgroup_size(&self) -> u32 {
        let Nested { rows, cols } = self.algorithm;
        self.tiles() * word(cols.products().max(rows.m().into()))
    }

    /// Columns of a row of tiles in workgroup memory: outputs of neighbouring columns then lie in different banks.
    fn padded(&self) -> u32 {
        self.tiles() + self.tiles().div_ceil(self.algorithm.cols.m().into())
    }

    /// `OUT_H x POINTS_W` values and one place of each tile.
    pub(super) fn workgroup_bytes(&self) -> u32 {
        let Nested { rows, cols } = self.algorithm;
        4 * u32::from(rows.m()) * word(cols.products()) * self.padded() + 16 * self.tiles()
    }

    pub(super) fn variant(&self) -> String {
        format!("{}_{}{}", self.algorithm.label(), self.storage.name(), self.epilogue.suffix())
    }

    pub(super) fn bindings(&self) -> Vec<Binding> {
        let own = [Binding::read(1, "m"), Binding::write(3, "dst")];
        own.into_iter().chain(self.epilogue.bindings()).collect()
    }

    pub(super) fn constants(&self) -> Vec<Constant> {
        let Nested { rows, cols } = self.algorithm;
        vec![
            ("TILES", self.tiles()),
            ("TILES_PADDED", self.padded()),
            ("OUT_H", rows.m().into()),
            ("OUT_W", cols.m().into()),
            ("POINTS_H", word(rows.products())),
            ("POINTS_W", word(cols.products())),
        ]
    }

    pub(super) fn regions(&self) -> Result<Vec<Region>, WinogradError> {
        let Nested { rows, cols } = self.algorithm;
        let (out_h, out_w) = (usize::from(rows.m()), usize::from(cols.m()));
        let column =
            Counts::load(rows.products(), 1) + Counts::program(&rows.programs()?.output) + Counts::write(out_h, 1);
        let row =
            Counts::read(cols.products(), 1) + Counts::program(&cols.programs()?.output) + Counts::write(out_w, 1);
        let output = Counts::read(1, 3) + Counts::read(1, 1) + self.epilogue.counts(self.storage);
        let added = Counts::load(rows.products(), 1) + Counts::arithmetic(rows.products());
        let columns = self.tiles() * word(cols.products());
        let share = |counts, invocations| Share { counts, invocations, turns: Turns::Fixed(1) };
        let shares = [
            share(column, columns),
            share(Counts::write(1, 3), self.tiles()),
            share(Counts::barriers(2), self.workgroup_size()),
            share(row, self.tiles() * word(out_h)),
        ];
        let others = Share { counts: added, invocations: columns, turns: Turns::OtherParts };
        let outputs =
            Share { counts: output, invocations: self.tiles() * word(out_h), turns: Turns::Fixed(word(out_w)) };
        Ok(vec![
            Region::new(Part::Once, shares),
            Region::new(Part::OtherPart, [others]),
            Region::new(Part::Row, [outputs]),
        ])
    }

    /// A column or row, before and after its transform.
    pub(super) fn values(&self) -> usize {
        let Nested { rows, cols } = self.algorithm;
        (rows.products() + usize::from(rows.m())).max(cols.products() + usize::from(cols.m()))
    }
}
