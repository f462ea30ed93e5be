//! `direct`: the sum as it stands, for any stride, dilation, groups and size; the baseline that every plan must beat.

use super::cost::{Counts, Part, Region, Share, SumLength, Turns};
use super::{Binding, Constant, Epilogue, Kernel, KernelSpec, Params as _, Storage, borders};
use crate::correlation::Correlation;
use crate::padding::Border;
use crate::winograd::WinogradError;

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
}

/// What a border that is not zero adds to a variant's name.
pub(in crate::kernel) fn border_suffix(border: Border) -> String {
    if border == Border::Zero { String::new() } else { format!("_{border}") }
}

impl Kernel for Direct {
    fn kernel(&self) -> &'static str {
        "direct"
    }

    fn variant(&self) -> String {
        format!("{}_k{}{}{}", self.storage.name(), self.filters, border_suffix(self.border), self.epilogue.suffix())
    }

    fn bindings(&self) -> Vec<Binding> {
        let own = [Binding::read(1, "src"), Binding::read(2, "weights"), Binding::write(3, "dst")];
        own.into_iter().chain(self.epilogue.bindings()).collect()
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

    fn constants(&self) -> Vec<Constant> {
        vec![("FILTERS", self.filters)]
    }

    fn accumulators(&self) -> u32 {
        self.filters
    }

    fn sum(&self, params: &[u32]) -> SumLength {
        DirectParams::sum(params)
    }

    fn regions(&self) -> Result<Vec<Region>, WinogradError> {
        let filters = self.filters as usize;
        let share = |counts, turns| [Share { counts, invocations: Self::WORKGROUP, turns }];
        // Every filter's weight of one tap, and the element of the input that they share.
        let tap = Counts::load_stored(1 + filters, self.storage) + Counts::sums(filters);
        Ok(vec![
            Region::new(Part::Once, share(self.epilogue.counts(self.storage) * filters as u64, Turns::Fixed(1))),
            Region::new(Part::Turn, share(tap, Turns::Weights)),
        ])
    }

    /// Sums, and which filters they are of.
    fn values(&self) -> usize {
        2 * self.filters as usize
    }

    fn variants() -> Vec<KernelSpec> {
        let storage = Storage::F32;
        let of = |filters: u32, border, storage, epilogue| Self { filters, border, storage, epilogue }.spec();
        let mut all = Vec::new();
        for filters in [1, 4, 8] {
            all.extend(Epilogue::variants().map(|epilogue| of(filters, Border::Zero, storage, epilogue)));
            all.extend(borders().map(|border| of(filters, border, storage, Epilogue::NONE)));
        }
        for storage in Storage::HALVES {
            for epilogue in Epilogue::ends_and_residuals() {
                all.extend([1, 4, 8].map(|filters| of(filters, Border::Zero, storage, epilogue)));
            }
            all.extend(borders().map(|border| of(8, border, storage, Epilogue::NONE)));
        }
        all
    }
}

params! {
    /// Parameters of `direct`, `implicit_gemm`, `dot` and the kernels of `depthwise`. Output positions are counted over images,
    /// planes, rows and columns; those of `depthwise` are strips, counted over images, filters, planes, rows and strips of a
    /// row; those of `depthwise_patch` are patches, counted over groups and places in a plane.
    DirectParams {
        /// First output position of this dispatch.
        first: u32,
        /// One past the last output position of this dispatch.
        end: u32,
        /// First filter of this dispatch, of all that have a bias or a slope.
        k_first: u32,
        /// Those filters, from group to group.
        k_group: u32,
        /// Groups.
        groups: u32,
        /// Channels of a group.
        group_c: u32,
        /// Filters of a group.
        group_k: u32,
        /// Planes of the source.
        d: u32,
        /// Rows of the source.
        h: u32,
        /// Columns of the source.
        w: u32,
        /// Planes of outputs.
        out_d: u32,
        /// Rows of outputs.
        out_h: u32,
        /// Columns of outputs.
        out_w: u32,
        /// Taps in depth.
        taps_d: u32,
        /// Taps in height.
        taps_h: u32,
        /// Taps in width.
        taps_w: u32,
        /// Stride in depth.
        stride_d: u32,
        /// Stride in height.
        stride_h: u32,
        /// Stride in width.
        stride_w: u32,
        /// Dilation in depth.
        dilation_d: u32,
        /// Dilation in height.
        dilation_h: u32,
        /// Dilation in width.
        dilation_w: u32,
        /// How far the first output's first tap lies before the source, in depth; negative if within.
        before_d: u32,
        /// How far the first output's first tap lies before the source, in height; negative if within.
        before_h: u32,
        /// How far the first output's first tap lies before the source, in width; negative if within.
        before_w: u32,
        /// From image to image of the source.
        src_n: u32,
        /// From group to group.
        src_g: u32,
        /// From channel to channel.
        src_c: u32,
        /// From plane to plane.
        src_d: u32,
        /// From row to row.
        src_h: u32,
        /// From column to column.
        src_w: u32,
        /// From group to group of the weights.
        weights_g: u32,
        /// From filter to filter.
        weights_k: u32,
        /// From channel to channel.
        weights_c: u32,
        /// From tap to tap in depth.
        weights_d: u32,
        /// From tap to tap in height.
        weights_h: u32,
        /// From tap to tap in width.
        weights_w: u32,
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
        /// First element of the source.
        src_offset: u32,
        /// First element of the weights.
        weights_offset: u32,
        /// First element of the output.
        dst_offset: u32,
        /// Rows of a part of the sum, of `implicit_gemm`: all, where there is one part.
        part: u32,
        /// From the sums of a part to those of the next.
        dst_part: u32,
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

impl DirectParams {
    /// How long the sums of a dispatch with these parameters are.
    pub(super) fn sum(params: &[u32]) -> SumLength {
        let p = Self::from_words(params);
        let [channels, d, h, w] = [p.group_c, p.taps_d, p.taps_h, p.taps_w].map(|word| word as usize);
        let tap_rows = channels * d * h;
        SumLength { channels, tap_rows, weights: tap_rows * w }
    }
}
