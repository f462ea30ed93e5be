//! `direct`: the sum as it stands, for any stride, dilation, groups and size; the baseline that every plan must beat.

use super::cost::{Counts, Part, Region, Share, Turns};
use super::{Binding, Constant, Epilogue, KernelSpec, Storage};
use crate::correlation::Correlation;
use crate::padding::Border;

/// One invocation computes one output position for [`Direct::filters`] filters of one group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Direct {
    /// Filters of an invocation: 8, 4 or 1.
    pub(crate) filters: u32,
    /// What lies around the source.
    pub(crate) border: Border,
    /// How tensors are stored.
    pub(crate) storage: Storage,
    /// Bias, residual and activation.
    pub(crate) epilogue: Epilogue,
}

impl Direct {
    /// Filters of an invocation: 8, 4 or 1.
    pub const fn filters(&self) -> u32 {
        self.filters
    }

    /// Output positions of a workgroup.
    pub const WORKGROUP: u32 = 64;

    /// The variant for a correlation: as many filters an invocation as the group fills.
    pub const fn of(correlation: &Correlation, epilogue: Epilogue, storage: Storage) -> Self {
        let filters = match correlation.group_k {
            0..2 => 1,
            2..8 => 4,
            _ => 8,
        };
        Self { filters, border: correlation.border, storage, epilogue }
    }

    /// The variant as a kernel.
    pub const fn spec(self) -> KernelSpec {
        KernelSpec::Direct(self)
    }

    pub(super) fn variant(&self) -> String {
        format!("{}_k{}{}{}", self.storage.name(), self.filters, border_suffix(self.border), self.epilogue.suffix())
    }

    pub(super) fn bindings(&self) -> Vec<Binding> {
        let own = [Binding::read(1, "src"), Binding::read(2, "weights"), Binding::write(3, "dst")];
        own.into_iter().chain(self.epilogue.bindings()).collect()
    }

    pub(super) fn constants(&self) -> Vec<Constant> {
        vec![("FILTERS", self.filters)]
    }

    pub(super) fn regions(&self) -> Vec<Region> {
        let filters = self.filters as usize;
        let share = |counts, turns| [Share { counts, invocations: Self::WORKGROUP, turns }];
        // Every filter's weight of one tap, and the element of the input that they share.
        let tap = Counts::load_stored(1 + filters, self.storage) + Counts::sums(filters);
        vec![
            Region::new(Part::Once, share(self.epilogue.counts(self.storage) * filters as u64, Turns::Fixed(1))),
            Region::new(Part::Turn, share(tap, Turns::Weights)),
        ]
    }

    /// Sums, and which filters they are of.
    pub(super) const fn values(&self) -> usize {
        2 * self.filters as usize
    }
}

/// What a border that is not zero adds to a variant's name.
pub(super) fn border_suffix(border: Border) -> String {
    if border == Border::Zero { String::new() } else { format!("_{border}") }
}
