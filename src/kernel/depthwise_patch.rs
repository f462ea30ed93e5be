//! `depthwise_patch`: `depthwise` for common filters, whose weights stay in registers, and patches of outputs that share what
//! they read.

use std::fmt;
use std::str::FromStr;

use super::cost::{Counts, Part, Region, Share, SumLength, Turns};
use super::{Binding, Constant, DirectParams, Epilogue, Kernel, KernelSpec, Storage, check_block};
use crate::correlation::Correlation;
use crate::error::{Error, Result};
use crate::padding::Border;
use crate::winograd::WinogradError;

/// Neighbouring outputs of an invocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PatchBlocking {
    /// Outputs of a row.
    pub(crate) columns: u32,
    /// Rows.
    pub(crate) rows: u32,
}

impl PatchBlocking {
    /// All patches that are tried. In a plane that lies row by row, neighbouring invocations load neighbouring elements where a
    /// patch has one column; where channels lie side by side, they do so with any.
    pub const ALL: [Self; 6] =
        [Self::of(1, 4), Self::of(1, 8), Self::of(2, 4), Self::of(2, 8), Self::of(4, 2), Self::of(4, 4)];

    const fn of(columns: u32, rows: u32) -> Self {
        Self { columns, rows }
    }

    /// Its outputs.
    pub const fn outputs(&self) -> u32 {
        self.columns * self.rows
    }

    /// Whether it is one of those that are tried: a text is as long as its patch is large.
    pub(crate) fn is_legal(&self) -> bool {
        Self::ALL.contains(self)
    }
}

impl fmt::Display for PatchBlocking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.columns, self.rows)
    }
}

impl FromStr for PatchBlocking {
    type Err = Error;

    /// Reads what [`fmt::Display`] writes: `2x8`.
    fn from_str(text: &str) -> Result<Self> {
        let numbers: Option<Vec<u32>> = text.split('x').map(|part| part.parse().ok()).collect();
        let Some(&[columns, rows]) = numbers.as_deref() else {
            return Err(Error::Unsupported {
                what: format!("blocking {text}"),
                why: "expected, for instance, 2x8: columns and rows of outputs of an invocation".to_owned(),
            });
        };
        let blocking = Self { columns, rows };
        check_block(&blocking, &[columns, rows])?;
        Ok(blocking)
    }
}

/// One invocation computes a patch of neighbouring outputs of one filter's plane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DepthwisePatch {
    /// Rows and columns of the filter, which are as many.
    pub(crate) taps: u32,
    /// Step between outputs, in both dimensions.
    pub(crate) stride: u32,
    /// Outputs of an invocation.
    pub(crate) blocking: PatchBlocking,
    /// Whether neighbouring invocations have neighbouring channels, or else neighbouring patches.
    pub(crate) by_channels: bool,
    /// How tensors are stored.
    pub(crate) storage: Storage,
    /// Bias, residual and activation.
    pub(crate) epilogue: Epilogue,
}

impl DepthwisePatch {
    /// Patches of a workgroup.
    pub const WORKGROUP: u32 = 64;
    /// Rows and columns of the filters that there is a text for.
    const TAPS: [u32; 3] = [3, 5, 7];
    /// Strides that there is a text for.
    const STRIDES: [u32; 2] = [1, 2];

    /// Outputs of an invocation.
    pub const fn blocking(&self) -> PatchBlocking {
        self.blocking
    }

    /// Rows and columns of the filter.
    pub const fn taps(&self) -> u32 {
        self.taps
    }

    /// Step between outputs.
    pub const fn stride(&self) -> u32 {
        self.stride
    }

    /// Whether neighbouring invocations have neighbouring channels.
    pub const fn by_channels(&self) -> bool {
        self.by_channels
    }

    /// Weights of a filter.
    pub const fn weights(&self) -> u32 {
        self.taps * self.taps
    }

    /// Columns and rows of the source that a patch covers.
    pub fn covered(&self) -> [u32; 2] {
        let of = |outputs: u32| (outputs - 1) * self.stride + self.taps;
        [of(self.blocking.columns), of(self.blocking.rows)]
    }

    /// Filter size, stride and order of all texts.
    pub(crate) fn texts() -> impl Iterator<Item = (u32, u32, bool)> {
        let sizes = Self::TAPS.into_iter().flat_map(|taps| Self::STRIDES.map(|stride| (taps, stride)));
        sizes.flat_map(|(taps, stride)| [false, true].map(|by_channels| (taps, stride, by_channels)))
    }

    /// The variant for a correlation; none, where there is no text for its filters.
    pub fn of(
        correlation: &Correlation,
        blocking: PatchBlocking,
        epilogue: Epilogue,
        storage: Storage,
    ) -> Option<Self> {
        let [_, stride, _] = correlation.stride;
        let [_, taps, _] = correlation.taps;
        let by_channels = correlation.src.g.unsigned_abs() < correlation.src.dhw[2].unsigned_abs();
        let kernel = Self {
            taps: u32::try_from(taps).ok()?,
            stride: u32::try_from(stride).ok()?,
            blocking,
            by_channels,
            storage,
            epilogue,
        };
        (Self::applies(correlation) && Self::TAPS.contains(&kernel.taps) && Self::STRIDES.contains(&kernel.stride))
            .then_some(kernel)
    }

    /// Whether a correlation has planes of one channel with zeros around them, a square filter, and one stride.
    fn applies(correlation: &Correlation) -> bool {
        let Correlation { group_c, size, out, taps, stride, dilation, before, border, .. } = *correlation;
        let is_flat = (size[0], out[0], taps[0], before[0]) == (1, 1, 1, 0);
        let is_even = taps[1] == taps[2] && stride[1] == stride[2] && dilation[1..] == [1, 1];
        group_c == 1 && is_flat && is_even && border == Border::Zero
    }

    /// Patches of one image and of one filter of each group.
    pub const fn patches(&self, correlation: &Correlation) -> usize {
        let [_, rows, columns] = correlation.out;
        let PatchBlocking { columns: each_column, rows: each_row } = self.blocking;
        correlation.groups * rows.div_ceil(each_row as usize) * columns.div_ceil(each_column as usize)
    }

    /// The variant as a kernel.
    pub const fn spec(self) -> KernelSpec {
        KernelSpec::DepthwisePatch(self)
    }
}

impl Kernel for DepthwisePatch {
    fn kernel(&self) -> &'static str {
        "depthwise_patch"
    }

    fn variant(&self) -> String {
        let Self { taps, stride, blocking, storage, .. } = self;
        let order = if self.by_channels { "_channels" } else { "" };
        format!("{}_{taps}x{taps}s{stride}_{blocking}{order}{}", storage.name(), self.epilogue.suffix())
    }

    fn bindings(&self) -> Vec<Binding> {
        let own = [Binding::read(1, "src"), Binding::read(2, "weights"), Binding::write(3, "dst")];
        own.into_iter().chain(self.epilogue.bindings()).collect()
    }

    fn own_parts(&self) -> Vec<String> {
        vec![if self.by_channels { "patches_by_channels" } else { "patches_by_planes" }.to_owned()]
    }

    fn params(&self) -> &'static [(&'static str, &'static str)] {
        DirectParams::FIELDS
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

    fn constants(&self) -> Vec<Constant> {
        let PatchBlocking { columns, rows } = self.blocking;
        vec![("COLUMNS", columns), ("ROWS", rows), ("STRIDE", self.stride), ("TAPS", self.weights())]
    }

    fn accumulators(&self) -> u32 {
        self.blocking.outputs()
    }

    fn sum(&self, params: &[u32]) -> SumLength {
        DirectParams::sum(params)
    }

    fn regions(&self) -> std::result::Result<Vec<Region>, WinogradError> {
        let [columns, rows] = self.covered();
        let (loads, outputs) = (self.weights() + columns * rows, self.blocking.outputs());
        let counts = Counts::load_stored(loads as usize, self.storage)
            + Counts::sums((outputs * self.weights()) as usize)
            + self.epilogue.counts(self.storage) * u64::from(outputs);
        Ok(vec![Region::new(Part::Once, [Share { counts, invocations: Self::WORKGROUP, turns: Turns::Fixed(1) }])])
    }

    /// Sums, weights, and a row of the source: its elements, where they lie, and whether they are there.
    fn values(&self) -> usize {
        let [columns, _] = self.covered();
        (self.blocking.outputs() + self.weights() + 3 * columns) as usize
    }

    fn variants() -> Vec<KernelSpec> {
        let (storage, epilogue) = (Storage::F32, Epilogue::NONE);
        let of =
            |blocking, (taps, stride, by_channels)| Self { taps, stride, blocking, by_channels, storage, epilogue };
        let every = |blocking| Self::texts().map(move |text| of(blocking, text));
        let mut all: Vec<Self> = PatchBlocking::ALL.into_iter().flat_map(every).collect();
        // One of them with every epilogue, and as every type.
        let one = of(PatchBlocking::of(1, 4), (3, 1, false));
        let rest = Epilogue::variants().filter(|&epilogue| epilogue != Epilogue::NONE);
        all.extend(rest.map(|epilogue| Self { epilogue, ..one }));
        for storage in Storage::HALVES {
            let ends = Epilogue::ends_and_residuals().into_iter();
            all.extend(ends.map(|epilogue| Self { storage, epilogue, ..one }));
        }
        all.into_iter().map(Self::spec).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conv::Conv;
    use crate::layout::Layout;

    fn kernel(conv: Conv) -> Option<DepthwisePatch> {
        let problem = conv.on([1, 4, 9, 9]).expect("legal");
        let [correlation] = problem.correlations()[..] else { panic!("one correlation") };
        DepthwisePatch::of(&correlation, PatchBlocking::of(1, 4), Epilogue::NONE, Storage::F32)
    }

    #[test]
    fn it_takes_planes_with_square_filters() {
        let of = |kernel: [usize; 2]| Conv::new(4, 8, kernel).groups(4).padding(1);
        let plain = kernel(of([3, 3])).expect("3x3");
        assert_eq!((plain.taps, plain.stride, plain.by_channels), (3, 1, false));
        let strided = kernel(of([5, 5]).stride(2).layout(Layout::ChannelsLast)).expect("5x5");
        assert_eq!((strided.taps, strided.stride, strided.by_channels), (5, 2, true));
        let others = [
            of([3, 5]),
            of([4, 4]),
            of([3, 3]).stride([1, 2]),
            of([3, 3]).stride(3),
            of([3, 3]).dilation(2),
            of([3, 3]).border(Border::Circular),
            Conv::new(4, 4, [3, 3]).groups(2),
        ];
        for conv in others {
            assert_eq!(kernel(conv), None, "{conv:?}");
        }
    }

    #[test]
    fn labels_read_back() {
        for blocking in PatchBlocking::ALL {
            assert_eq!(blocking.to_string().parse(), Ok(blocking));
        }
        for text in ["", "4", "0x4", "4x4x4", "4x4096"] {
            assert!(matches!(text.parse::<PatchBlocking>(), Err(Error::Unsupported { .. })), "{text}");
        }
    }
}
