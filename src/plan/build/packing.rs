//! The forms in which algorithms take their weights.

use super::dispatch::Dispatch;
use super::filter::{filter, row_words, rows};
use super::windows::Windows;
use crate::correlation::Correlation;
use crate::layout::Element;
use crate::plan::cpu::{LANES, PANEL, panels_len};
use crate::problem::Problem;
use crate::winograd::Nested;

/// The form in which an algorithm takes its weights. One packing serves every input size and blocking of a convolution and
/// operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Packing {
    /// As given.
    Given,
    /// Transformed: U of [`crate::layout::Planes`].
    Winograd(Nested),
    /// In rows of 16-bit floats: of each filter and tap the channels side by side, as matrix units take them.
    Rows,
    /// In panels of filters that the CPU's registers take together, and transformed if there is a transform.
    Panels(Option<Nested>),
    /// In eights of filters, as the CPU's direct sums take them.
    Eights,
    /// In sixteens of channels that have one filter each, as the CPU's depthwise sums take them.
    Sixteens,
}

impl Packing {
    /// The type of the packed weights.
    pub(super) const fn element(self) -> Element {
        Element::F32
    }

    /// Words of 4 bytes that the packed weights take; 0 if they are used as given.
    pub fn len(self, problem: &Problem) -> usize {
        match (self, Windows::of_problem(problem)) {
            (Self::Winograd(nested), Ok(windows)) => windows.filter_planes(nested, self.element()).words(),
            (Self::Panels(Some(nested)), Ok(windows)) => panels_len(&windows, nested),
            (Self::Rows, _) => row_words(problem),
            (Self::Panels(None) | Self::Eights | Self::Sixteens, _) => self.parts_len(problem),
            _ => 0,
        }
    }

    /// Whether there is nothing to pack.
    pub fn is_given(self) -> bool {
        self == Self::Given
    }

    /// The dispatches that pack: from [`super::Slot::Weights`] to [`super::Slot::Packed`]. They depend on the problem's convolution and
    /// operation, not on its sizes. None on the CPU, where [`crate::cpu::pack`] packs.
    pub fn dispatches(self, problem: &Problem) -> Vec<Dispatch> {
        match (self, Windows::of_problem(problem)) {
            (Self::Winograd(nested), Ok(windows)) => vec![filter(&windows, nested, problem.conv.dtype)],
            (Self::Rows, _) => rows(problem),
            _ => Vec::new(),
        }
    }

    /// Elements that a correlation's weights take in panels, eights or sixteens.
    pub(crate) fn part_len(self, of: &Correlation) -> usize {
        self.groups(of.groups) * of.terms() * self.filters(of.group_k)
    }

    /// Elements of all parts: every tap is in one of them.
    fn parts_len(self, problem: &Problem) -> usize {
        let groups = problem.conv.groups;
        let [group_c, group_k] = [problem.input_shape(), problem.output_shape()].map(|shape| shape[1] / groups);
        self.groups(groups) * group_c * problem.conv.kernel.iter().product::<usize>() * self.filters(group_k)
    }

    /// Groups as they are packed: sixteens are filled up.
    const fn groups(self, groups: usize) -> usize {
        match self {
            Self::Sixteens => groups.next_multiple_of(LANES),
            _ => groups,
        }
    }

    /// Filters of a group as they are packed: panels are filled up.
    const fn filters(self, group_k: usize) -> usize {
        match self {
            Self::Panels(None) => group_k.next_multiple_of(PANEL),
            Self::Eights | Self::Sixteens => group_k,
            _ => 0,
        }
    }
}
