//! `depthwise`: the sum over taps alone, for groups of one channel.

use super::cost::{Counts, Part, Region, Share, Turns};
use super::direct::border_suffix;
use super::{Binding, Epilogue, KernelSpec, Storage};
use crate::correlation::Correlation;
use crate::padding::Border;

/// One invocation computes [`Depthwise::EACH`] neighbouring outputs of one filter's row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Depthwise {
    /// Whether a tap's elements are the next tap's of the outputs before: taps lie as far apart as outputs.
    pub(crate) moves: bool,
    /// What lies around the source.
    pub(crate) border: Border,
    /// How tensors are stored.
    pub(crate) storage: Storage,
    /// Bias, residual and activation.
    pub(crate) epilogue: Epilogue,
}

impl Depthwise {
    /// Strips of a workgroup.
    pub const WORKGROUP: u32 = 64;
    /// Outputs of a strip.
    pub const EACH: u32 = 4;

    /// The variant for a correlation.
    pub const fn of(correlation: &Correlation, epilogue: Epilogue, storage: Storage) -> Self {
        let [_, _, stride] = correlation.stride;
        let [_, _, dilation] = correlation.dilation;
        Self { moves: stride == dilation, border: correlation.border, storage, epilogue }
    }

    /// Whether the kernel computes a correlation.
    pub const fn applies(correlation: &Correlation) -> bool {
        correlation.group_c == 1
    }

    /// Strips of all images and filters.
    pub fn strips(correlation: &Correlation) -> usize {
        let [planes, rows, columns] = correlation.out;
        correlation.n * correlation.filters() * planes * rows * columns.div_ceil(Self::EACH as usize)
    }

    /// The variant as a kernel.
    pub const fn spec(self) -> KernelSpec {
        KernelSpec::Depthwise(self)
    }

    pub(super) fn variant(&self) -> String {
        let window = if self.moves { "moves" } else { "anew" };
        format!("{}_{window}{}{}", self.storage.name(), border_suffix(self.border), self.epilogue.suffix())
    }

    pub(super) fn bindings(&self) -> Vec<Binding> {
        let own = [Binding::read(1, "src"), Binding::read(2, "weights"), Binding::write(3, "dst")];
        own.into_iter().chain(self.epilogue.bindings()).collect()
    }

    pub(super) fn regions(&self) -> Vec<Region> {
        let each = Self::EACH as usize;
        let share = |counts, turns| [Share { counts, invocations: Self::WORKGROUP, turns }];
        let tap = |elements| Counts::load_stored(1 + elements, self.storage) + Counts::sums(each);
        let once = Region::new(Part::Once, share(self.epilogue.counts(self.storage) * each as u64, Turns::Fixed(1)));
        if self.moves {
            let opened = Region::new(Part::TapRow, share(Counts::load_stored(each - 1, self.storage), Turns::TapRows));
            return vec![once, opened, Region::new(Part::Turn, share(tap(1), Turns::Weights))];
        }
        vec![once, Region::new(Part::Turn, share(tap(each), Turns::Weights))]
    }

    /// Sums, the window, and a weight.
    pub(super) const fn values() -> usize {
        2 * Self::EACH as usize + 1
    }
}
