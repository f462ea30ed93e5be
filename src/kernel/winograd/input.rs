//! `winograd_input`: V = B^T d B for each input tile.

use super::{f16_gradient_transforms, f16_transforms, gradient_transforms, transforms};
use crate::kernel::cost::{Counts, Part, Region, Share, Turns};
use crate::kernel::direct::border_suffix;
use crate::kernel::{Binding, Constant, Kernel, KernelSpec, Storage, word};
use crate::padding::Border;
use crate::winograd::{Nested, WinogradError};

/// One workgroup transforms [`WinogradInput::tiles`] tiles of one channel: first all columns of all tiles, then,
/// through workgroup memory, all rows. So an invocation holds one row or column, never a tile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct WinogradInput {
    /// The algorithm.
    pub(crate) algorithm: Nested,
    /// What lies around the source.
    pub(crate) border: Border,
    /// How the source is stored.
    pub(crate) storage: Storage,
}

impl WinogradInput {
    /// The algorithm.
    pub const fn algorithm(&self) -> Nested {
        self.algorithm
    }

    /// The variant as a kernel.
    pub const fn spec(self) -> KernelSpec {
        KernelSpec::WinogradInput(self)
    }

    /// Tiles of a workgroup, see `tiles_per_workgroup`.
    pub fn tiles(&self) -> u32 {
        tiles_per_workgroup(self.algorithm)
    }
}

/// Tiles of one workgroup of the input and output transforms: 32, so that whole cache lines are written, unless
/// that needs more than the 256 invocations or the 16 KiB that every device has.
pub(super) fn tiles_per_workgroup(algorithm: Nested) -> u32 {
    let Nested { rows, cols } = algorithm;
    let wide = word(rows.products().max(cols.products()));
    let values = word(rows.products() * cols.products());
    [32, 16, 8, 4].into_iter().find(|&tiles| tiles * wide <= 256 && 4 * values * padded(tiles) <= 16 << 10).unwrap_or(1)
}

/// One more than the tiles: neighbours in a column then lie in different banks of workgroup memory.
const fn padded(tiles: u32) -> u32 {
    tiles + 1
}

impl Kernel for WinogradInput {
    fn kernel(&self) -> &'static str {
        "winograd_input"
    }

    fn variant(&self) -> String {
        format!("{}_{}{}", self.algorithm.label(), self.storage.name(), border_suffix(self.border))
    }

    fn bindings(&self) -> Vec<Binding> {
        vec![Binding::read(1, "src"), Binding::write(2, "v")]
    }

    fn params(&self) -> &'static [(&'static str, &'static str)] {
        InputParams::FIELDS
    }

    fn storage(&self) -> Storage {
        self.storage
    }

    fn border(&self) -> Option<Border> {
        Some(self.border)
    }

    fn stored_as(&self, storage: Storage) -> Option<KernelSpec> {
        Some(Self { storage, ..*self }.spec())
    }

    /// One invocation for each column in the first phase, for each transformed row in the second.
    fn workgroup_size(&self) -> u32 {
        let Nested { rows, cols } = self.algorithm;
        self.tiles() * word(cols.span().max(rows.products()))
    }

    /// `POINTS_H x SPAN_W` values of each tile.
    fn workgroup_bytes(&self) -> u32 {
        let Nested { rows, cols } = self.algorithm;
        4 * word(rows.products() * cols.span()) * padded(self.tiles())
    }

    fn constants(&self) -> Vec<Constant> {
        let Nested { rows, cols } = self.algorithm;
        vec![
            ("TILES", self.tiles()),
            ("TILES_PADDED", padded(self.tiles())),
            ("OUT_H", rows.m().into()),
            ("OUT_W", cols.m().into()),
            ("SPAN_H", word(rows.span())),
            ("SPAN_W", word(cols.span())),
            ("POINTS_H", word(rows.products())),
            ("POINTS_W", word(cols.products())),
        ]
    }

    fn regions(&self) -> Result<Vec<Region>, WinogradError> {
        let Nested { rows, cols } = self.algorithm;
        let column = Counts::load_stored(rows.span(), self.storage)
            + Counts::program(&rows.programs()?.input)
            + Counts::write(rows.products(), 1);
        let row =
            Counts::read(cols.span(), 1) + Counts::program(&cols.programs()?.input) + Counts::store(cols.products(), 1);
        let share = |counts, invocations| Share { counts, invocations, turns: Turns::Fixed(1) };
        let shares = [
            share(column, self.tiles() * word(cols.span())),
            share(Counts::barriers(1), self.workgroup_size()),
            share(row, self.tiles() * word(rows.products())),
        ];
        Ok(vec![Region::new(Part::Once, shares)])
    }

    /// A column or row, before and after its transform.
    fn values(&self) -> usize {
        let Nested { rows, cols } = self.algorithm;
        (rows.span() + rows.products()).max(cols.span() + cols.products())
    }

    fn variants() -> Vec<KernelSpec> {
        let all = transforms().into_iter().chain(gradient_transforms());
        let all = all.flat_map(|algorithm| Border::ALL.map(|border| Self { algorithm, border, storage: Storage::F32 }));
        let halves = Storage::HALVES.into_iter().flat_map(|storage| {
            let of = move |algorithm, border| Self { algorithm, border, storage };
            let gradients = f16_gradient_transforms().map(move |algorithm| of(algorithm, Border::Zero));
            let forward = f16_transforms().into_iter();
            gradients
                .into_iter()
                .chain(forward.flat_map(move |algorithm| Border::ALL.map(|border| of(algorithm, border))))
        });
        all.chain(halves).map(Self::spec).collect()
    }
}

params! {
    /// Parameters of `winograd_input`.
    InputParams {
        /// First tile of this dispatch.
        first: u32,
        /// Tiles of this dispatch.
        tiles: u32,
        /// Tiles, padded: the stride of V's rows.
        t_stride: u32,
        /// Rows of tiles in a plane.
        tiles_y: u32,
        /// Tiles in a row.
        tiles_x: u32,
        /// 1 where there is one plane of outputs and of taps, and one phase of either; else 0.
        plain: u32,
        /// Planes of outputs in an image.
        out_d: u32,
        /// First row of V of this dispatch.
        row_first: u32,
        /// Rows of V: channels, taps in depth and phases, in all groups.
        rows: u32,
        /// Rows of V in a group.
        group_rows: u32,
        /// Where V begins in each group's sum, in rows of it.
        sum_first: u32,
        /// Taps in depth: each has rows of its own.
        taps_d: u32,
        /// Phases of taps in height, or blocks of them: each has rows of its own.
        phases_h: u32,
        /// Phases or blocks in width.
        phases_w: u32,
        /// From a phase's or block's first tap to the next one's in the source, in height.
        phase_step_h: u32,
        /// In width.
        phase_step_w: u32,
        /// Phases of outputs in height: each has planes of its own.
        spread_h: u32,
        /// Phases of outputs in width.
        spread_w: u32,
        /// From a tile's row to the next, in the source.
        step_h: u32,
        /// From a tile's column to the next.
        step_w: u32,
        /// Stride in depth.
        stride_d: u32,
        /// Dilation in depth.
        dilation_d: u32,
        /// Planes of the source.
        d: u32,
        /// Rows of the source.
        h: u32,
        /// Columns of the source.
        w: u32,
        /// How far the first tile lies before the source, in depth; negative if within.
        before_d: u32,
        /// In height.
        before_h: u32,
        /// In width.
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
        /// First element of the source.
        src_offset: u32,
    }
}
