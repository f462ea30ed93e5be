//! The blocking of the CPU kernels without a transform: blocks of outputs, and the patch of the source that
//! each reads, whose columns stand in phases, a stride apart. Sizes that the planner and the kernels agree on.

use std::fmt;
use std::ops::Range;

use super::kernel::{LANES, PANEL};
use crate::correlation::Correlation;

/// A depthwise correlation whose channels are cut as the filters of one group are.
pub(crate) const fn of_lanes(of: &Correlation) -> Correlation {
    Correlation { groups: 1, group_k: of.groups, ..*of }
}

/// Blocks of outputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Patch {
    /// Rows of a block.
    pub(crate) rows: usize,
    /// Columns of a block.
    pub(crate) columns: usize,
    /// Panels of filters of a block, of those of a group.
    pub(crate) panels: usize,
    /// The terms that a patch holds, where it does not hold all of them. A block is one row and one panel then.
    pub(crate) part: Option<SumPart>,
}

/// A part of a sum: so many rows of taps, taps of a row, and channels. More than one row only of whole ones, more than one tap
/// only of all channels, so that the weights of a part lie side by side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct SumPart {
    pub(crate) tap_rows: usize,
    pub(crate) taps: usize,
    pub(crate) channels: usize,
}

/// `4x56x2`: rows, columns, panels of filters; and behind an `s` the part of the sum, as `1x56x1s1x512x64`.
impl fmt::Display for Patch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}x{}", self.rows, self.columns, self.panels)?;
        let Some(SumPart { tap_rows, taps, channels }) = self.part else { return Ok(()) };
        write!(f, "s{tap_rows}x{taps}x{channels}")
    }
}

impl SumPart {
    /// The whole sum, one plane of taps at a time.
    pub(crate) const fn whole(of: &Correlation) -> Self {
        Self { tap_rows: of.taps[1], taps: of.taps[2], channels: of.group_c }
    }

    /// About half of it; none of a tap's 16 channels.
    pub(crate) fn half(self) -> Option<Self> {
        match self {
            Self { tap_rows: 2.., .. } => Some(Self { tap_rows: self.tap_rows.div_ceil(2), ..self }),
            Self { taps: 2.., .. } => Some(Self { taps: self.taps.div_ceil(2), ..self }),
            Self { channels, .. } if channels > LANES => {
                Some(Self { channels: channels.div_ceil(2).next_multiple_of(LANES), ..self })
            }
            _ => None,
        }
    }
}

/// One of them.
#[derive(Debug, Clone)]
pub(crate) struct Block {
    pub(crate) n: usize,
    pub(crate) g: usize,
    pub(crate) z: usize,
    pub(crate) y: usize,
    pub(crate) x: usize,
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    pub(crate) panels: Range<usize>,
}

impl Patch {
    /// All blocks.
    pub(crate) fn tasks(&self, of: &Correlation) -> usize {
        of.n * of.groups * self.panel_blocks(of) * of.out[0] * self.blocks(of).iter().product::<usize>()
    }

    fn panel_blocks(&self, of: &Correlation) -> usize {
        of.group_k.div_ceil(PANEL).div_ceil(self.panels)
    }

    /// Blocks of rows and columns.
    const fn blocks(&self, of: &Correlation) -> [usize; 2] {
        [of.out[1].div_ceil(self.rows), of.out[2].div_ceil(self.columns)]
    }

    /// The `task`-th block.
    pub(crate) fn block(&self, of: &Correlation, task: usize) -> Block {
        let ([down, across], panels) = (self.blocks(of), self.panel_blocks(of));
        let (y, x) = (task / across % down * self.rows, task % across * self.columns);
        let rest = task / (across * down);
        let (z, rest) = (rest % of.out[0], rest / of.out[0]);
        let (first, rest) = (rest % panels * self.panels, rest / panels);
        let last = of.group_k.div_ceil(PANEL).min(first + self.panels);
        Block {
            n: rest / of.groups,
            g: rest % of.groups,
            z,
            y,
            x,
            rows: self.rows.min(of.out[1] - y),
            columns: self.columns.min(of.out[2] - x),
            panels: first..last,
        }
    }

    /// Phases of columns: of those a stride apart there are as many as taps meet.
    pub(crate) fn phases(&self, of: &Correlation) -> usize {
        of.stride[2].min((of.taps[2] - 1) * of.dilation[2] + 1)
    }

    /// Rows of the source that so many rows of outputs read: all between the first and the last; or, where they are further
    /// apart than that, each tap's for each row.
    pub(crate) fn source_rows(&self, of: &Correlation, rows: usize) -> usize {
        let all = (rows - 1) * of.stride[1] + (of.taps[1] - 1) * of.dilation[1] + 1;
        if Self::is_dense(of) { all } else { rows * of.taps[1] }
    }

    /// Whether neighbouring rows of outputs read each other's rows, so that reading all pays.
    fn is_dense(of: &Correlation) -> bool {
        of.stride[1] <= of.taps[1] && of.dilation[1] == 1
    }

    /// Where the `i`-th of them is, of the block that begins at row `y`, beside the border.
    pub(crate) fn source_row(&self, of: &Correlation, y: usize, i: usize) -> isize {
        let row = match Self::is_dense(of) {
            true => y * of.stride[1] + i,
            false => (y + i / of.taps[1]) * of.stride[1] + i % of.taps[1] * of.dilation[1],
        };
        row.cast_signed()
    }

    /// Places of a phase's row for so many columns of outputs.
    pub(crate) fn width(&self, of: &Correlation, columns: usize) -> usize {
        columns + (of.taps[2] - 1) * of.dilation[2] / of.stride[2]
    }

    /// Where a tap's values for a row of outputs begin in a chunk's patch, that of a block of so many rows.
    pub(crate) fn tap(&self, of: &Correlation, [t, r, s]: [usize; 3], row: usize, rows: usize, width: usize) -> usize {
        self.tap_row(of, [t, r], row, rows) * width + self.tap_column(of, s, width)
    }

    /// The first of the patch's rows, of one phase each, that hold those of a tap.
    pub(crate) fn tap_row(&self, of: &Correlation, [t, r]: [usize; 2], row: usize, rows: usize) -> usize {
        let of_patch = match Self::is_dense(of) {
            true => row * of.stride[1] + r,
            false => row * of.taps[1] + r,
        };
        (t * self.source_rows(of, rows) + of_patch) * self.phases(of)
    }

    /// Where a tap's values begin, from there.
    pub(crate) fn tap_column(&self, of: &Correlation, s: usize, width: usize) -> usize {
        let column = s * of.dilation[2];
        match of.stride[2] {
            1 => column,
            stride => column % stride * width + column / stride,
        }
    }

    /// The correlation whose terms a patch holds at a time: all of them, or the largest part.
    fn held(&self, of: &Correlation) -> Correlation {
        let Some(SumPart { tap_rows, taps, channels }) = self.part else { return *of };
        let [_, h, w] = of.taps;
        Correlation { taps: [1, tap_rows.min(h), taps.min(w)], group_c: channels.min(of.group_c), ..*of }
    }

    /// How many parts the sum has.
    pub(crate) fn sums(&self, of: &Correlation) -> usize {
        let Some(SumPart { tap_rows, taps, channels }) = self.part else { return 1 };
        let [d, h, w] = of.taps;
        d * h.div_ceil(tap_rows) * w.div_ceil(taps) * of.group_c.div_ceil(channels)
    }

    /// The `index`-th part, in the order of the weights' rows: as a correlation of its own, with the range of those rows.
    pub(crate) fn sum(&self, of: &Correlation, index: usize) -> (Correlation, Range<usize>) {
        let Some(SumPart { tap_rows, taps, channels }) = self.part else { return (*of, 0..of.terms()) };
        let [_, h, w] = of.taps;
        let part = |index: usize, size: usize, all: usize| index * size..all.min((index + 1) * size);
        let (c, rest) = (index % of.group_c.div_ceil(channels), index / of.group_c.div_ceil(channels));
        let (s, rest) = (rest % w.div_ceil(taps), rest / w.div_ceil(taps));
        let (r, t) = (rest % h.div_ceil(tap_rows), rest / h.div_ceil(tap_rows));
        let [r, s, c] = [part(r, tap_rows, h), part(s, taps, w), part(c, channels, of.group_c)];
        let mut sum = Correlation { taps: [1, r.len(), s.len()], group_c: c.len(), ..*of };
        for (axis, first) in [t, r.start, s.start].into_iter().enumerate() {
            sum.before[axis] -= (first * of.dilation[axis]).cast_signed();
        }
        sum.src.offset += c.start.cast_signed() * of.src.c;
        let first = ((t * h + r.start) * w + s.start) * of.group_c + c.start;
        (sum, first..first + sum.terms())
    }

    /// Places of a whole patch.
    pub(crate) fn places(&self, of: &Correlation) -> usize {
        let of = &self.held(of);
        let rows = of.taps[0] * self.source_rows(of, self.rows) * self.phases(of);
        of.group_c.div_ceil(LANES).saturating_mul(rows).saturating_mul(self.width(of, self.columns))
    }

    /// Elements of the table of where taps' values lie.
    pub(crate) fn table(&self, of: &Correlation) -> usize {
        self.held(of).taps_len().next_multiple_of(LANES)
    }

    /// The columns of outputs whose taps all lie inside the source.
    pub(crate) fn columns_inside(of: &Correlation) -> Range<usize> {
        let before = of.before[2];
        let reach = ((of.taps[2] - 1) * of.dilation[2]).cast_signed() - before;
        let first = before.max(0).cast_unsigned().div_ceil(of.stride[2]).min(of.out[2]);
        let room = (of.size[2].cast_signed() - reach).max(0).cast_unsigned();
        first..room.div_ceil(of.stride[2]).clamp(first, of.out[2])
    }

    /// Elements that a thread needs for a row of depthwise outputs: sums of 16 channels; and for each of those that have taps
    /// outside, and one for all others, a count and a list of two words for each tap.
    pub(crate) fn row_of_places(of: &Correlation) -> usize {
        let lists = of.out[2] - Self::columns_inside(of).len() + 1;
        let words = lists.next_multiple_of(2).saturating_add(lists.saturating_mul(2 * of.taps_len()));
        words.saturating_add(of.out[2].saturating_mul(LANES))
    }

    /// Elements that a thread needs: the table, the patch, sums of a row, and lines on their way in and out.
    pub(crate) fn scratch(&self, of: &Correlation) -> usize {
        let lines = self.width(&self.held(of), self.columns).next_multiple_of(LANES);
        let lanes = self.places(of).saturating_add(2 * self.columns + lines).saturating_mul(LANES);
        lanes.saturating_add(self.table(of))
    }
}

/// Strips of rows of outputs for `direct`: blocks of one group's filters, read line by line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Strip {
    /// The blocks.
    pub(crate) patch: Patch,
}

impl Strip {
    /// Filters whose sums are in registers at a time.
    pub(crate) const FILTERS: usize = 8;

    /// Elements of a line of the source: for whole vectors of outputs.
    pub(crate) fn width(&self, of: &Correlation) -> usize {
        self.patch.width(of, self.out_line())
    }

    /// Elements of a line of outputs: whole vectors.
    pub(crate) const fn out_line(&self) -> usize {
        self.patch.columns.next_multiple_of(LANES)
    }

    /// Rows whose sums are made together: several where a row has few vectors, whose sums would wait for each other.
    pub(crate) fn rows_together(&self) -> usize {
        if self.out_line() >= 4 * LANES { 1 } else { self.patch.rows.min(8) }
    }

    /// Lines of a channel.
    pub(crate) fn channel_rows(&self, of: &Correlation) -> usize {
        of.taps[0] * self.patch.source_rows(of, self.patch.rows) * self.patch.phases(of)
    }

    /// Elements of all lines of the source.
    pub(crate) fn lines(&self, of: &Correlation) -> usize {
        of.group_c.saturating_mul(self.channel_rows(of)).saturating_mul(self.width(of))
    }

    /// Elements of the table of where terms lie, one for all threads.
    pub(crate) const fn table(&self, of: &Correlation) -> usize {
        of.terms().next_multiple_of(LANES)
    }

    /// Whether outputs are turned when they are written, since those of a place lie side by side.
    pub(crate) const fn turns(of: &Correlation) -> bool {
        of.dst.c == 1 && of.group_k > 1
    }

    /// Filters whose sums there are before they are written.
    pub(crate) const fn filters(&self, of: &Correlation) -> usize {
        if Self::turns(of) { LANES } else { Self::FILTERS }
    }

    /// Elements of a filter's sums.
    pub(crate) fn of_filter(&self) -> usize {
        self.rows_together() * self.out_line()
    }

    /// Elements that a thread needs: the lines, and those of outputs for each filter; and a line of them that is turned.
    pub(crate) fn scratch(&self, of: &Correlation) -> usize {
        let turned = if Self::turns(of) { LANES * self.out_line() } else { 0 };
        self.lines(of).saturating_add(self.filters(of) * self.of_filter() + turned)
    }
}
