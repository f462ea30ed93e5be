//! `sum_parts`: outputs whose sums were walked in parts, see [`super::ImplicitGemm`]: the parts are added up, and the epilogue done.

use super::cost::{Counts, Part, Region, Share, SumLength, Turns};
use super::{Binding, Epilogue, Kernel, KernelSpec, Params as _, Storage};
use crate::winograd::WinogradError;

/// One invocation makes one output: see `shaders/kernel/sum_parts.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SumParts {
    /// How output and residual are stored.
    pub(crate) storage: Storage,
    /// Bias, residual and activation.
    pub(crate) epilogue: Epilogue,
}

impl SumParts {
    /// Positions of a workgroup.
    pub const WORKGROUP: u32 = 64;

    /// The variant as a kernel.
    pub const fn spec(self) -> KernelSpec {
        KernelSpec::SumParts(self)
    }
}

impl Kernel for SumParts {
    fn kernel(&self) -> &'static str {
        "sum_parts"
    }

    fn variant(&self) -> String {
        format!("{}{}", self.storage.name(), self.epilogue.suffix())
    }

    fn bindings(&self) -> Vec<Binding> {
        let own = [Binding::read(1, "sums"), Binding::write(3, "dst")];
        own.into_iter().chain(self.epilogue.bindings()).collect()
    }

    fn own_parts(&self) -> Vec<String> {
        vec!["positions".to_owned()]
    }

    fn params(&self) -> &'static [(&'static str, &'static str)] {
        SumPartsParams::FIELDS
    }

    fn storage(&self) -> Storage {
        self.storage
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

    fn sum(&self, params: &[u32]) -> SumLength {
        SumLength::of_channels(SumPartsParams::from_words(params).parts)
    }

    fn regions(&self) -> Result<Vec<Region>, WinogradError> {
        let share = |counts, turns| [Share { counts, invocations: Self::WORKGROUP, turns }];
        let next = Counts::load(1, 1) + Counts::arithmetic(1);
        Ok(vec![
            Region::new(Part::Once, share(Counts::load(1, 1) + self.epilogue.counts(self.storage), Turns::Fixed(1))),
            Region::new(Part::OtherPart, share(next, Turns::ChannelsButOne(1))),
        ])
    }

    fn values(&self) -> usize {
        // A sum and what is added.
        2
    }

    fn variants() -> Vec<KernelSpec> {
        let of = |storage, epilogue| Self { storage, epilogue }.spec();
        let mut all: Vec<KernelSpec> = Epilogue::variants().map(|epilogue| of(Storage::F32, epilogue)).collect();
        for storage in Storage::HALVES {
            all.extend(Epilogue::ends_and_residuals().map(|epilogue| of(storage, epilogue)));
        }
        all
    }
}

params! {
    /// Parameters of `sum_parts`. Positions are counted over images, planes, rows and columns.
    SumPartsParams {
        /// First position of this dispatch.
        first: u32,
        /// One past the last one.
        end: u32,
        /// First filter of this dispatch, of all that have a bias or a slope.
        k_first: u32,
        /// Those filters, from group to group.
        k_group: u32,
        /// Filters of a group.
        group_k: u32,
        /// Parts.
        parts: u32,
        /// From filter to filter of the sums.
        sums_k: u32,
        /// From part to part.
        sums_part: u32,
        /// Planes of outputs.
        out_d: u32,
        /// Rows of outputs.
        out_h: u32,
        /// Columns of outputs.
        out_w: u32,
        /// From image to image of the output.
        dst_n: u32,
        /// From group to group.
        dst_g: u32,
        /// From filter to filter.
        dst_k: u32,
        /// From plane to plane.
        dst_d: u32,
        /// From row to row.
        dst_h: u32,
        /// From column to column.
        dst_w: u32,
        /// The first sum.
        sums_offset: u32,
        /// First element of the output.
        dst_offset: u32,
        /// First element of the bias.
        bias_offset: u32,
        /// First element of the slopes.
        slopes_offset: u32,
        /// First element of the residual.
        residual_offset: u32,
        /// The activation's first number.
        act_a: f32,
        /// The activation's second number.
        act_b: f32,
    }
}
