//! `depthwise`: the sum over taps alone, for groups of one channel.

use super::cost::{Counts, Part, Region, Share, SumLength, Turns};
use super::direct::border_suffix;
use super::{Binding, DirectParams, Epilogue, Kernel, KernelSpec, Storage, borders};
use crate::correlation::Correlation;
use crate::padding::Border;
use crate::winograd::WinogradError;

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
}

impl Kernel for Depthwise {
    fn kernel(&self) -> &'static str {
        "depthwise"
    }

    fn variant(&self) -> String {
        let window = if self.moves { "moves" } else { "anew" };
        format!("{}_{window}{}{}", self.storage.name(), border_suffix(self.border), self.epilogue.suffix())
    }

    fn bindings(&self) -> Vec<Binding> {
        let own = [Binding::read(1, "src"), Binding::read(2, "weights"), Binding::write(3, "dst")];
        own.into_iter().chain(self.epilogue.bindings()).collect()
    }

    fn own_parts(&self) -> Vec<String> {
        vec![if self.moves { "window_moves" } else { "window_anew" }.to_owned()]
    }

    fn params(&self) -> &'static [(&'static str, &'static str)] {
        DirectParams::FIELDS
    }

    fn storage(&self) -> Storage {
        self.storage
    }

    fn border(&self) -> Option<Border> {
        Some(self.border)
    }

    fn epilogue(&self) -> Option<Epilogue> {
        Some(self.epilogue)
    }

    fn stored_as(&self, storage: Storage) -> Option<KernelSpec> {
        Some(Self { storage, ..*self }.spec())
    }

    fn workgroup_size(&self) -> u32 {
        Self::WORKGROUP
    }

    fn accumulators(&self) -> u32 {
        Self::EACH
    }

    fn sum(&self, params: &[u32]) -> SumLength {
        DirectParams::sum(params)
    }

    fn regions(&self) -> Result<Vec<Region>, WinogradError> {
        let each = Self::EACH as usize;
        let share = |counts, turns| [Share { counts, invocations: Self::WORKGROUP, turns }];
        let tap = |elements| Counts::load_stored(1 + elements, self.storage) + Counts::sums(each);
        let once = Region::new(Part::Once, share(self.epilogue.counts(self.storage) * each as u64, Turns::Fixed(1)));
        if self.moves {
            let opened = Region::new(Part::TapRow, share(Counts::load_stored(each - 1, self.storage), Turns::TapRows));
            return Ok(vec![once, opened, Region::new(Part::Turn, share(tap(1), Turns::Weights))]);
        }
        Ok(vec![once, Region::new(Part::Turn, share(tap(each), Turns::Weights))])
    }

    /// Sums, the window, and a weight.
    fn values(&self) -> usize {
        2 * Self::EACH as usize + 1
    }

    fn variants() -> Vec<KernelSpec> {
        let of = |moves: bool, border, storage, epilogue| Self { moves, border, storage, epilogue }.spec();
        let mut all = Vec::new();
        for moves in [false, true] {
            all.extend(Epilogue::variants().map(|epilogue| of(moves, Border::Zero, Storage::F32, epilogue)));
            all.extend(borders().map(|border| of(moves, border, Storage::F32, Epilogue::NONE)));
        }
        for storage in Storage::HALVES {
            for epilogue in Epilogue::ends_and_residuals() {
                all.extend([false, true].map(|moves| of(moves, Border::Zero, storage, epilogue)));
            }
        }
        all
    }
}
