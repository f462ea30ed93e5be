//! `implicit_gemm`: a product of matrices for each group, blocked for registers and workgroup memory, whose second factor is
//! the source itself: no column buffer, and any correlation whatever.

mod rows;
mod units;

pub use rows::{FilterRows, FilterRowsParams};
pub use units::{Channels, ImplicitGemmUnits};
pub(crate) use units::{filter_row_words, row_eights};

use super::cost::{Counts, Part, Region, Share, SumLength, Turns};
use super::direct::border_suffix;
use super::{Binding, Blocking, Constant, DirectParams, Epilogue, Kernel, KernelSpec, MultiplyCut, Storage, borders};
use crate::caps::Limits;
use crate::correlation::Correlation;
use crate::padding::Border;
use crate::winograd::WinogradError;

/// The product, cut into blocks of filters and output positions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ImplicitGemm {
    /// A workgroup's block: its tiles are output positions, its channels are rows of the product, one for each channel and
    /// tap.
    pub(crate) blocking: Blocking,
    /// What lies around the source.
    pub(crate) border: Border,
    /// How tensors are stored.
    pub(crate) storage: Storage,
    /// Bias, residual and activation.
    pub(crate) epilogue: Epilogue,
}

impl ImplicitGemm {
    /// All blockings that are tried, largest first. Each is legal on every device.
    pub const BLOCKINGS: [Blocking; 8] = [
        Blocking::of([128, 64, 8], [8, 8]),
        Blocking::of([64, 128, 8], [8, 8]),
        Blocking::of([64, 64, 8], [8, 8]),
        Blocking::of([64, 32, 8], [8, 4]),
        Blocking::of([32, 64, 8], [4, 8]),
        Blocking::of([32, 32, 16], [4, 4]),
        Blocking::of([16, 32, 8], [4, 4]),
        Blocking::of([16, 16, 8], [4, 4]),
    ];

    /// Numbers of parts of a sum that are tried, each walked by workgroups of its own: where there are few outputs, and long sums.
    pub const PARTS: [u32; 6] = [1, 2, 4, 8, 16, 32];

    /// Whether each part of a correlation's sum has rows. (A sum of nothing is in one part.)
    pub(crate) fn is_even(cut: &MultiplyCut, of: &Correlation) -> bool {
        cut.parts == 1 || cut.is_even(of.terms())
    }

    /// Whether the kernel can be cut so: an invocation must fetch the same positions and the same row of weights in every
    /// step, and the text of a step stay within the instruction caches of small GPUs.
    pub const fn is_legal(&self) -> bool {
        let b = &self.blocking;
        b.is_legal()
            && b.slices == 1
            && b.lanes().is_multiple_of(b.channels)
            && b.lanes().is_multiple_of(b.tiles / 4)
            && self.step_operations() <= Limits::APPLE_LOOP_OPERATIONS
    }

    /// Scalar operations of a step's text, as the lint `body_size` counts them: where a source has no zeros around it, each
    /// element's coordinates are mapped into it.
    pub(super) const fn step_operations(&self) -> u32 {
        let b = &self.blocking;
        let mapped = match self.border {
            Border::Zero => 0,
            Border::Replicate => 44,
            Border::Reflect => 104,
            Border::Circular => 140,
        };
        let read = match self.storage {
            Storage::F32 => 0,
            Storage::F16 => 1,
            Storage::Packed => 7,
        };
        let read = 4 * read * (b.fetch_u() + b.fetch_v());
        read + b.channels * b.filters_each * b.tiles_each + 107 + 44 * b.fetch_u() + (141 + mapped) * b.fetch_v()
    }

    /// A workgroup's block.
    pub const fn blocking(&self) -> Blocking {
        self.blocking
    }

    /// The variant as a kernel.
    pub const fn spec(self) -> KernelSpec {
        KernelSpec::ImplicitGemm(self)
    }

    /// `vec4`s between the rows of the weights in workgroup memory: one more than there are.
    pub const fn pitch_u(blocking: &Blocking) -> u32 {
        blocking.filters / 4 + 1
    }
}

impl Kernel for ImplicitGemm {
    fn kernel(&self) -> &'static str {
        "implicit_gemm"
    }

    fn variant(&self) -> String {
        format!("{}_{}{}{}", self.storage.name(), self.blocking, border_suffix(self.border), self.epilogue.suffix())
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
        let spec = Self { storage, ..*self };
        spec.is_legal().then(|| spec.spec())
    }

    fn workgroup_size(&self) -> u32 {
        self.blocking.threads()
    }

    /// Two buffers, each a step's worth of weights and columns.
    fn workgroup_bytes(&self) -> u32 {
        let b = &self.blocking;
        2 * 16 * b.channels * (Self::pitch_u(b) + b.tiles / 4)
    }

    fn constants(&self) -> Vec<Constant> {
        let b = self.blocking;
        vec![
            ("BLOCK_K", b.filters),
            ("BLOCK_T", b.tiles),
            ("BLOCK_C", b.channels),
            ("EACH_K", b.filters_each),
            ("EACH_T", b.tiles_each),
            ("FETCH_U", b.fetch_u()),
            ("FETCH_V", b.fetch_v()),
        ]
    }

    fn accumulators(&self) -> u32 {
        self.blocking.filters_each * self.blocking.tiles_each
    }

    fn loop_operations(&self) -> u32 {
        self.step_operations()
    }

    fn sum(&self, params: &[u32]) -> SumLength {
        DirectParams::sum(params)
    }

    fn regions(&self) -> Result<Vec<Region>, WinogradError> {
        let b = self.blocking;
        let (each_k, each_t, channels) = (b.filters_each as usize, b.tiles_each as usize, u64::from(b.channels));
        let vectors = (b.fetch_u() + b.fetch_v()) as usize;
        let fetched = Counts::load_stored(4 * vectors, self.storage);
        let staged = Counts::write(vectors, 4) + Counts::barriers(1);
        let multiplied = (Counts::read((each_k + each_t) / 4, 4) + Counts::sums(each_k * each_t)) * channels;
        let finished = self.epilogue.counts(self.storage) * (each_k * each_t) as u64;
        let share = |counts, turns| [Share { counts, invocations: b.threads(), turns }];
        Ok(vec![
            Region::new(Part::Once, share(fetched + finished, Turns::Fixed(1))),
            Region::new(Part::Turn, share(fetched + staged + multiplied, Turns::WeightsBy(b.channels))),
        ])
    }

    /// The product's, the places of four positions, and the two rows that are fetched next.
    fn values(&self) -> usize {
        self.blocking.values() + 4 * 4 + 2 * 4
    }

    fn variants() -> Vec<KernelSpec> {
        let of = |blocking, border, storage, epilogue| Self { blocking, border, storage, epilogue };
        let mut all = Vec::new();
        for blocking in Self::BLOCKINGS {
            all.extend(Epilogue::ends().map(|epilogue| of(blocking, Border::Zero, Storage::F32, epilogue)));
            all.extend(borders().map(|border| of(blocking, border, Storage::F32, Epilogue::NONE)));
            for storage in Storage::HALVES {
                let ends = Epilogue::ends_and_residuals().into_iter();
                all.extend(ends.map(|epilogue| of(blocking, Border::Zero, storage, epilogue)));
            }
        }
        // One of them with every epilogue.
        let one = Blocking::of([32, 32, 16], [4, 4]);
        let rest = Epilogue::variants().filter(|epilogue| !Epilogue::ends().contains(epilogue));
        all.extend(rest.map(|epilogue| of(one, Border::Zero, Storage::F32, epilogue)));
        all.into_iter().filter(Self::is_legal).map(Self::spec).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(blocking: Blocking, border: Border) -> ImplicitGemm {
        ImplicitGemm { blocking, border, storage: Storage::F32, epilogue: Epilogue::NONE }
    }

    #[test]
    fn every_blocking_is_legal_on_every_device() {
        for kernel in ImplicitGemm::BLOCKINGS.map(|blocking| at(blocking, Border::Zero)) {
            assert!(kernel.is_legal(), "{}", kernel.blocking);
            assert_eq!(kernel.spec().check(&Limits::WEBGPU_DEFAULT), Ok(()), "{}", kernel.spec());
        }
        for border in Border::ALL {
            let legal = ImplicitGemm::BLOCKINGS.into_iter().filter(|&blocking| at(blocking, border).is_legal()).count();
            assert!(legal > 4, "{border}: {legal} blockings");
        }
    }

    #[test]
    fn what_the_kernel_asserts_is_asked_of_a_blocking() {
        // Two slices; positions that change within a step; rows of weights that change from step to step.
        for text in ["64x64x8_8x8_s2", "32x96x16_4x8", "64x64x12_8x8"] {
            let blocking: Blocking = text.parse().unwrap_or_else(|error| panic!("{error}"));
            assert!(!at(blocking, Border::Zero).is_legal(), "{text}");
        }
    }
}
