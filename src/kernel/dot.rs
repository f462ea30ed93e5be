//! `dot`: each output as a dot product, by a whole workgroup: for few outputs and long sums.

use super::cost::{Counts, Part, Region, Share, SumLength, Turns};
use super::direct::border_suffix;
use super::{Binding, Constant, DirectParams, Epilogue, Kernel, KernelSpec, Storage, borders};
use crate::correlation::Correlation;
use crate::padding::Border;
use crate::winograd::WinogradError;

/// A workgroup sums up four filters at one position or four: see `shaders/kernel/dot.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Dot {
    /// Invocations of a workgroup.
    pub(crate) invocations: u32,
    /// Output positions of a workgroup.
    pub(crate) positions: u32,
    /// What lies around the source.
    pub(crate) border: Border,
    /// How tensors are stored.
    pub(crate) storage: Storage,
    /// Bias, residual and activation.
    pub(crate) epilogue: Epilogue,
}

impl Dot {
    /// Filters of a workgroup.
    pub const FILTERS: u32 = 4;
    /// Invocations that a workgroup may have.
    pub(crate) const INVOCATIONS: [u32; 2] = [64, 256];
    /// Positions that it may have.
    pub(crate) const POSITIONS: [u32; 2] = [1, 4];

    /// The variant for a correlation: many invocations where the sum has turns for them.
    pub const fn of(correlation: &Correlation, epilogue: Epilogue, storage: Storage) -> Self {
        let [few, many] = Self::INVOCATIONS;
        let invocations = if correlation.terms() < 2 * many as usize { few } else { many };
        let [one, several] = Self::POSITIONS;
        let positions = if correlation.n * correlation.out_len() == 1 { one } else { several };
        Self { invocations, positions, border: correlation.border, storage, epilogue }
    }

    /// Output positions of a workgroup.
    pub const fn positions(&self) -> u32 {
        self.positions
    }

    /// The variant as a kernel.
    pub const fn spec(self) -> KernelSpec {
        KernelSpec::Dot(self)
    }
}

impl Kernel for Dot {
    fn kernel(&self) -> &'static str {
        "dot"
    }

    fn variant(&self) -> String {
        let (storage, border) = (self.storage.name(), border_suffix(self.border));
        format!("{storage}_{}x{}{border}{}", self.positions, self.invocations, self.epilogue.suffix())
    }

    fn bindings(&self) -> Vec<Binding> {
        let own = [Binding::read(1, "src"), Binding::read(2, "weights"), Binding::write(3, "dst")];
        own.into_iter().chain(self.epilogue.bindings()).collect()
    }

    fn own_parts(&self) -> Vec<String> {
        ["positions", "rows"].map(str::to_owned).to_vec()
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
        self.invocations
    }

    fn workgroup_bytes(&self) -> u32 {
        16 * self.positions * self.invocations
    }

    fn constants(&self) -> Vec<Constant> {
        vec![("POSITIONS", self.positions)]
    }

    fn accumulators(&self) -> u32 {
        Self::FILTERS * self.positions
    }

    fn sum(&self, params: &[u32]) -> SumLength {
        DirectParams::sum(params)
    }

    fn regions(&self) -> Result<Vec<Region>, WinogradError> {
        let share = |counts, invocations, turns| Share { counts, invocations, turns };
        let positions = self.positions as usize;
        let row = Counts::load_stored(Self::FILTERS as usize + positions, self.storage)
            + Counts::sums(Self::FILTERS as usize * positions);
        let added = (Counts::read(2, 4) + Counts::write(1, 4) + Counts::arithmetic(4)) * positions as u64;
        Ok(vec![
            Region::new(
                Part::Once,
                [
                    share(Counts::write(positions, 4) + Counts::barriers(1), self.invocations, Turns::Fixed(1)),
                    share(
                        Counts::read(1, 1) + self.epilogue.counts(self.storage),
                        Self::FILTERS * self.positions,
                        Turns::Fixed(1),
                    ),
                ],
            ),
            Region::new(Part::Turn, [share(row, self.invocations, Turns::WeightsBy(self.invocations))]),
            // Half of the sums, then half of those: all but one are added to others.
            Region::new(
                Part::Round,
                [
                    share(added, 1, Turns::Fixed(self.invocations - 1)),
                    share(Counts::barriers(1), self.invocations, Turns::Fixed(self.invocations.ilog2())),
                ],
            ),
        ])
    }

    /// Sums, and where each position's sum begins; weights and the row.
    fn values(&self) -> usize {
        8 * self.positions as usize + 8
    }

    fn variants() -> Vec<KernelSpec> {
        let mut all = Vec::new();
        for invocations in Self::INVOCATIONS {
            for positions in Self::POSITIONS {
                let of = |border, storage, epilogue| Self { invocations, positions, border, storage, epilogue }.spec();
                all.extend(Epilogue::ends().map(|epilogue| of(Border::Zero, Storage::F32, epilogue)));
                all.extend(borders().map(|border| of(border, Storage::F32, Epilogue::NONE)));
                for storage in Storage::HALVES {
                    let ends = Epilogue::ends_and_residuals().into_iter();
                    all.extend(ends.map(|epilogue| of(Border::Zero, storage, epilogue)));
                }
            }
        }
        // One of them with every epilogue.
        let one = Self {
            invocations: Self::INVOCATIONS[1],
            positions: Self::POSITIONS[1],
            border: Border::Zero,
            storage: Storage::F32,
            epilogue: Epilogue::NONE,
        };
        let rest = Epilogue::variants().filter(|epilogue| !Epilogue::ends().contains(epilogue));
        all.extend(rest.map(|epilogue| Self { epilogue, ..one }.spec()));
        all
    }
}
