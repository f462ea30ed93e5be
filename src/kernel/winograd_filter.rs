//! `winograd_filter`: U = G g G^T, once for each set of weights.

use super::{Binding, Constant, KernelSpec};
use crate::winograd::Nested;

/// One invocation transforms the filter of one input channel and one output channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct WinogradFilter {
    /// The algorithm.
    pub algorithm: Nested,
}

impl WinogradFilter {
    /// Filters of a workgroup.
    pub const WORKGROUP: u32 = 64;

    /// The variant as a kernel.
    pub const fn spec(self) -> KernelSpec {
        KernelSpec::WinogradFilter(self)
    }

    pub(super) fn variant(&self) -> String {
        format!("{}_f32", self.algorithm.label())
    }

    pub(super) fn bindings(&self) -> Vec<Binding> {
        vec![Binding::read(1, "weights"), Binding::write(2, "u")]
    }

    pub(super) fn constants(&self) -> Vec<Constant> {
        let Nested { rows, cols } = self.algorithm;
        vec![
            ("TAPS_H", rows.r().into()),
            ("TAPS_W", cols.r().into()),
            ("POINTS_H", super::word(rows.products())),
            ("POINTS_W", super::word(cols.products())),
        ]
    }
}
