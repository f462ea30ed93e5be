//! How a gradient of weights is cut: outputs into blocks of filters and channels, and what their sums are of, the output's gradient,
//! into pieces that a cache has room for.

use std::fmt;
use std::ops::Range;

use super::kernel::LANES;
use crate::correlation::Correlation;

/// Elements of a channel's window that a piece reads, but for what its border adds.
const WINDOW: usize = 4096;
/// Elements of all windows of a block.
const WINDOWS: usize = 32 << 10;
/// Filters of a block at least, if there are as many: each block reads its windows anew.
const FEWEST_FILTERS: usize = 16;
/// Blocks for each thread, so that none waits long for the last one.
const BLOCKS_PER_THREAD: usize = 4;

/// Blocks of a gradient of weights. As a [`Correlation`] it has channels for images, images for channels, and places of the
/// output's gradient for taps. What a piece is depends on the problem alone, and so does the order in which sums are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct GradientCut {
    /// Channels of a block.
    pub(crate) channels: usize,
    /// Filters of a block.
    pub(crate) filters: usize,
    /// Rows and columns of a piece.
    pub(crate) piece: [usize; 2],
}

/// The outputs of a task.
pub(crate) struct GradientBlock {
    pub(crate) g: usize,
    pub(crate) channels: Range<usize>,
    pub(crate) filters: Range<usize>,
}

impl GradientCut {
    /// Blocks for so many threads.
    pub(super) fn new(of: &Correlation, threads: usize) -> Self {
        let columns = of.taps[2].clamp(1, WINDOW);
        let rows = (WINDOW / columns).clamp(1, of.taps[1].max(1));
        let mut cut = Self { channels: 1, filters: of.group_k.max(1), piece: [rows, columns] };
        cut.channels = (WINDOWS / cut.window(of).max(1)).clamp(1, of.n.max(1));
        while cut.tasks(of) < BLOCKS_PER_THREAD * threads {
            if cut.filters > FEWEST_FILTERS {
                cut.filters = cut.filters.div_ceil(2).max(FEWEST_FILTERS);
            } else if cut.channels > 1 {
                cut.channels = cut.channels.div_ceil(2);
            } else {
                break;
            }
        }
        cut
    }

    /// The same with as few outputs in a block as there can be.
    pub(super) const fn smallest(self) -> Self {
        Self { channels: 1, filters: 1, ..self }
    }

    /// Number of blocks.
    pub(crate) const fn tasks(&self, of: &Correlation) -> usize {
        of.groups * of.n.div_ceil(self.channels) * of.group_k.div_ceil(self.filters)
    }

    /// The `task`-th block.
    pub(crate) fn block(&self, of: &Correlation, task: usize) -> GradientBlock {
        let (down, across) = (of.group_k.div_ceil(self.filters), of.n.div_ceil(self.channels));
        let channels = task / down % across * self.channels;
        let filters = task % down * self.filters;
        GradientBlock {
            g: task / down / across,
            channels: channels..of.n.min(channels + self.channels),
            filters: filters..of.group_k.min(filters + self.filters),
        }
    }

    /// Planes, rows and columns of the source that lie apart by less than a piece's outputs reach: columns in each phase, those that
    /// are a tap's step apart.
    pub(crate) fn window_sizes(&self, of: &Correlation) -> [usize; 3] {
        let reach = |axis: usize| of.out[axis].saturating_sub(1) * of.stride[axis];
        let [rows, columns] = self.piece;
        [
            reach(0) + 1,
            reach(1) + (rows - 1) * of.dilation[1] + 1,
            (reach(2) + (columns - 1) * of.dilation[2] + 1).div_ceil(of.dilation[2]),
        ]
    }

    /// Phases of columns.
    pub(crate) const fn phases(of: &Correlation) -> usize {
        of.dilation[2]
    }

    /// Elements of a channel's window.
    pub(crate) fn window(&self, of: &Correlation) -> usize {
        let [planes, rows, columns] = self.window_sizes(of);
        planes.saturating_mul(rows).saturating_mul(columns).saturating_mul(Self::phases(of))
    }

    /// Filters whose sums are in registers at a time.
    pub(crate) const TOGETHER: usize = 4;

    /// Elements of the lines that a piece of the output's gradient is copied to, where its columns do not lie side by side.
    pub(crate) const fn lines(&self, of: &Correlation) -> usize {
        let [rows, columns] = self.piece;
        if of.weights.dhw[2] == 1 { 0 } else { Self::TOGETHER * rows * columns }
    }

    /// Elements that a task needs: windows, lines, sums, and where each output's window begins.
    pub(crate) fn scratch(&self, of: &Correlation) -> usize {
        let outputs = self.channels * of.out_len();
        // What is beyond any memory is not rounded up.
        let windows = self.channels.saturating_mul(self.window(of)).min(usize::MAX / 2).next_multiple_of(LANES);
        windows.saturating_add(self.lines(of)).saturating_add(self.filters * outputs).saturating_add(outputs)
    }
}

impl fmt::Display for GradientCut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { channels, filters, piece: [rows, columns] } = self;
        write!(f, "{filters}x{channels}_{rows}x{columns}")
    }
}

/// The same sums with rows and planes of the output's gradient joined to one row, where all outputs read whole images: filters of
/// one tap, without padding or stride.
pub(super) fn joined(mut of: Correlation) -> Correlation {
    let is_dense = |dhw: [isize; 3]| {
        let [_, h, w] = of.taps.map(usize::cast_signed);
        dhw[1] == w * dhw[2] && dhw[0] == h * dhw[1]
    };
    let whole = of.out == [1; 3] && of.taps == of.size && of.before == [0; 3] && of.dilation == [1; 3];
    if whole && is_dense(of.src.dhw) && is_dense(of.weights.dhw) {
        of.taps = [1, 1, of.taps_len()];
        of.size = of.taps;
    }
    of
}
