//! `winograd_output`: Y = A^T M A for each tile, then bias and activation.

use super::input::tiles_per_workgroup;
use super::{f16_gradient_transforms, f16_transforms, gradient_transforms, transforms};
use crate::kernel::cost::{Counts, Part, Region, Share, Turns};
use crate::kernel::{Binding, Constant, Epilogue, Kernel, KernelSpec, Storage, word};
use crate::winograd::{F, Nested, WinogradError};

/// One workgroup transforms [`WinogradOutput::tiles`] tiles of one filter, columns first, as the input transform.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct WinogradOutput {
    /// The algorithm.
    pub(crate) algorithm: Nested,
    /// How output and residual are stored.
    pub(crate) storage: Storage,
    /// Bias and activation.
    pub(crate) epilogue: Epilogue,
}

impl WinogradOutput {
    /// The algorithm.
    pub const fn algorithm(&self) -> Nested {
        self.algorithm
    }

    /// The variant as a kernel.
    pub const fn spec(self) -> KernelSpec {
        KernelSpec::WinogradOutput(self)
    }

    /// Tiles of a workgroup.
    pub fn tiles(&self) -> u32 {
        tiles_per_workgroup(self.algorithm)
    }

    /// Columns of a row of tiles in workgroup memory: outputs of neighbouring columns then lie in different banks.
    fn padded(&self) -> u32 {
        self.tiles() + self.tiles().div_ceil(self.algorithm.cols.m().into())
    }
}

impl Kernel for WinogradOutput {
    fn kernel(&self) -> &'static str {
        "winograd_output"
    }

    fn variant(&self) -> String {
        format!("{}_{}{}", self.algorithm.label(), self.storage.name(), self.epilogue.suffix())
    }

    fn bindings(&self) -> Vec<Binding> {
        let own = [Binding::read(1, "m"), Binding::write(3, "dst")];
        own.into_iter().chain(self.epilogue.bindings()).collect()
    }

    fn own_parts(&self) -> Vec<String> {
        vec!["store_dst".to_owned()]
    }

    fn params(&self) -> &'static [(&'static str, &'static str)] {
        OutputParams::FIELDS
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

    /// One invocation for each column of products in the first phase, for each row of outputs in the others.
    fn workgroup_size(&self) -> u32 {
        let Nested { rows, cols } = self.algorithm;
        self.tiles() * word(cols.products().max(rows.m().into()))
    }

    /// `OUT_H x POINTS_W` values and one place of each tile.
    fn workgroup_bytes(&self) -> u32 {
        let Nested { rows, cols } = self.algorithm;
        4 * u32::from(rows.m()) * word(cols.products()) * self.padded() + 16 * self.tiles()
    }

    fn constants(&self) -> Vec<Constant> {
        let Nested { rows, cols } = self.algorithm;
        vec![
            ("TILES", self.tiles()),
            ("TILES_PADDED", self.padded()),
            ("OUT_H", rows.m().into()),
            ("OUT_W", cols.m().into()),
            ("POINTS_H", word(rows.products())),
            ("POINTS_W", word(cols.products())),
        ]
    }

    fn regions(&self) -> Result<Vec<Region>, WinogradError> {
        let Nested { rows, cols } = self.algorithm;
        let (out_h, out_w) = (usize::from(rows.m()), usize::from(cols.m()));
        let column =
            Counts::load(rows.products(), 1) + Counts::program(&rows.programs()?.output) + Counts::write(out_h, 1);
        let row =
            Counts::read(cols.products(), 1) + Counts::program(&cols.programs()?.output) + Counts::write(out_w, 1);
        let output = Counts::read(1, 3) + Counts::read(1, 1) + self.epilogue.counts(self.storage);
        let added = Counts::load(rows.products(), 1) + Counts::arithmetic(rows.products());
        let columns = self.tiles() * word(cols.products());
        let share = |counts, invocations| Share { counts, invocations, turns: Turns::Fixed(1) };
        let shares = [
            share(column, columns),
            share(Counts::write(1, 3), self.tiles()),
            share(Counts::barriers(2), self.workgroup_size()),
            share(row, self.tiles() * word(out_h)),
        ];
        let others = Share { counts: added, invocations: columns, turns: Turns::OtherParts };
        let outputs =
            Share { counts: output, invocations: self.tiles() * word(out_h), turns: Turns::Fixed(word(out_w)) };
        Ok(vec![
            Region::new(Part::Once, shares),
            Region::new(Part::OtherPart, [others]),
            Region::new(Part::Row, [outputs]),
        ])
    }

    /// A column or row, before and after its transform.
    fn values(&self) -> usize {
        let Nested { rows, cols } = self.algorithm;
        (rows.products() + usize::from(rows.m())).max(cols.products() + usize::from(cols.m()))
    }

    fn variants() -> Vec<KernelSpec> {
        let of = |algorithm, storage, epilogue| Self { algorithm, storage, epilogue };
        let mut all = Vec::new();
        for algorithm in transforms() {
            // An activation's part is the same text whatever the transform: one transform of each family of points has all.
            let has_all = [F::new(4, 3), F::quadratic(4, 3)].map(Nested::square).contains(&algorithm);
            let epilogues =
                if has_all { Epilogue::variants().collect() } else { Epilogue::ends_and_residuals().to_vec() };
            all.extend(epilogues.into_iter().map(|epilogue| of(algorithm, Storage::F32, epilogue)));
        }
        all.extend(gradient_transforms().into_iter().map(|algorithm| of(algorithm, Storage::F32, Epilogue::NONE)));
        for storage in Storage::HALVES {
            all.extend(f16_gradient_transforms().map(|algorithm| of(algorithm, storage, Epilogue::NONE)));
            for algorithm in f16_transforms() {
                let ends = Epilogue::ends_and_residuals().into_iter();
                all.extend(ends.map(|epilogue| of(algorithm, storage, epilogue)));
            }
        }
        all.into_iter().map(Self::spec).collect()
    }
}

params! {
    /// Parameters of `winograd_output`.
    OutputParams {
        /// First tile of this dispatch.
        first: u32,
        /// Tiles of this dispatch.
        tiles: u32,
        /// The stride of M's rows.
        t_stride: u32,
        /// Rows of tiles in a plane.
        tiles_y: u32,
        /// Tiles in a row.
        tiles_x: u32,
        /// 1 where there is one plane of outputs and one phase of them; else 0.
        plain: u32,
        /// Planes of outputs in an image.
        out_d: u32,
        /// Phases of outputs in height: each has planes of its own.
        spread_h: u32,
        /// Phases of outputs in width.
        spread_w: u32,
        /// First filter of this dispatch.
        k_first: u32,
        /// Filters, K.
        k: u32,
        /// Rows of outputs.
        p: u32,
        /// Columns of outputs.
        q: u32,
        /// Parts of the channels, each with products of its own: they are added up.
        parts: u32,
        /// From image to image of the output.
        dst_n: u32,
        /// From filter to filter.
        dst_k: u32,
        /// From plane to plane.
        dst_d: u32,
        /// From row to row.
        dst_h: u32,
        /// From column to column.
        dst_w: u32,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::Params as _;

    #[test]
    fn words_round_trip() {
        let params = OutputParams { first: 1, act_b: -2.5, ..Default::default() };
        assert_eq!(OutputParams::from_words(&params.words()), params, "same bits");
        assert_eq!(params.words().len(), OutputParams::FIELDS.len(), "one word a field");
    }
}
