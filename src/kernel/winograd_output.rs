//! `winograd_output`: Y = A^T M A for each tile, then bias and activation.

use super::winograd_input::{padded, tiles_per_workgroup};
use super::{Binding, Constant, Epilogue, KernelSpec, word};
use crate::winograd::Nested;

/// One workgroup transforms [`WinogradOutput::tiles`] tiles of one filter, columns first, as the input transform.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct WinogradOutput {
    /// The algorithm.
    pub algorithm: Nested,
    /// Bias and activation.
    pub epilogue: Epilogue,
}

impl WinogradOutput {
    /// The variant as a kernel.
    pub const fn spec(self) -> KernelSpec {
        KernelSpec::WinogradOutput(self)
    }

    /// Tiles of a workgroup.
    pub fn tiles(&self) -> u32 {
        tiles_per_workgroup(self.algorithm)
    }

    /// One invocation for each column of products in the first phase, for each row of outputs in the second.
    pub(super) fn workgroup_size(&self) -> u32 {
        let Nested { rows, cols } = self.algorithm;
        self.tiles() * word(cols.products().max(rows.m().into()))
    }

    /// `OUT_H x POINTS_W` values of each tile.
    pub(super) fn workgroup_bytes(&self) -> u32 {
        let Nested { rows, cols } = self.algorithm;
        4 * u32::from(rows.m()) * word(cols.products()) * padded(self.tiles())
    }

    pub(super) fn variant(&self) -> String {
        format!("{}_f32{}", self.algorithm.label(), self.epilogue.suffix())
    }

    pub(super) fn bindings(&self) -> Vec<Binding> {
        let own = [Binding::read(1, "m"), Binding::write(3, "dst")];
        own.into_iter().chain(self.epilogue.bindings()).collect()
    }

    pub(super) fn constants(&self) -> Vec<Constant> {
        let Nested { rows, cols } = self.algorithm;
        vec![
            ("TILES", self.tiles()),
            ("TILES_PADDED", padded(self.tiles())),
            ("OUT_H", rows.m().into()),
            ("OUT_W", cols.m().into()),
            ("POINTS_H", word(rows.products())),
            ("POINTS_W", word(cols.products())),
        ]
    }
}
