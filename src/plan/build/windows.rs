//! A correlation as two-dimensional windows with stride 1. Depth taps and stride phases are folded into channels:
//! each plane of taps in depth has rows of its own, and where outputs are a stride apart, the taps that it keeps apart
//! (every `stride`-th one, a phase) are summed as channels are. Where taps are a dilation apart, the outputs that it keeps
//! apart are tiles of planes of their own.
//!
//! In the gradient of weights few outputs have many taps, as many as an image has outputs. They are cut into blocks as large
//! as an algorithm's filter; each block is a row of U and V, and is summed as images are.

use crate::correlation::Correlation;
use crate::layout::{Element, Planes, Tiles};
use crate::padding::Border;
use crate::problem::{Operation, Problem};
use crate::winograd::Nested;

/// A correlation that Winograd's algorithms can compute.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Windows {
    pub(crate) of: Correlation,
    /// Taps of a block in height and width, where taps are cut into blocks.
    pub(in crate::plan) block: Option<[usize; 2]>,
}

/// What a problem asks of a transform, in height and width.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Sizes {
    /// So many taps.
    Taps([usize; 2]),
    /// So many outputs; taps are cut into blocks of however many it has.
    Outputs([usize; 2]),
}

impl Sizes {
    /// Those of a problem, if Winograd computes it.
    pub fn of_problem(problem: &Problem) -> Option<Self> {
        Windows::of_problem(problem).ok().map(|windows| windows.sizes())
    }

    /// Whether a transform has them.
    pub(in crate::plan) fn fit(self, transform: Nested) -> bool {
        let Nested { rows, cols } = transform;
        match self {
            Self::Taps(taps) => [rows.r(), cols.r()].map(usize::from) == taps,
            Self::Outputs(outputs) => [rows.m(), cols.m()].map(usize::from) == outputs,
        }
    }
}

impl Windows {
    /// The windows of a problem, or why it has none. Taps that come in blocks, which an algorithm decides, are blocks of one.
    pub(crate) fn of_problem(problem: &Problem) -> Result<Self, &'static str> {
        let of = match problem.correlations()[..] {
            [of] => of,
            _ => {
                return Err(
                    "Winograd does not support strided transposed convolutions, nor input gradients of strided ones",
                );
            }
        };
        let windows = Self::new(of)?;
        if problem.operation != Operation::WeightGradient {
            if of.groups > 1 && of.src.g != of.group_c.cast_signed() * of.src.c {
                return Err("Winograd needs an input whose groups are as far apart as their channels");
            }
            return Ok(windows);
        }
        if (1..of.stride.len()).any(|axis| of.stride[axis] > 1) {
            return Err("Winograd needs dilation 1 for the weight gradient");
        }
        Ok(Self { block: Some([1, 1]), ..windows })
    }

    /// The same in the blocks of an algorithm, where there are blocks.
    pub(crate) fn of_algorithm(problem: &Problem, algorithm: Nested) -> Result<Self, &'static str> {
        Ok(Self::of_problem(problem)?.in_blocks_of(algorithm))
    }

    /// The same.
    pub(in crate::plan) fn in_blocks_of(self, algorithm: Nested) -> Self {
        let block = [algorithm.rows.r(), algorithm.cols.r()].map(|r| usize::from(r).max(1));
        Self { block: self.block.map(|_| block), ..self }
    }

    pub(crate) fn new(of: Correlation) -> Result<Self, &'static str> {
        if (1..of.stride.len()).any(|axis| of.stride[axis] > 1 && of.dilation[axis] > 1) {
            return Err("Winograd needs stride 1 or dilation 1");
        }
        if of.terms() == 0 {
            return Err("the sum has no terms");
        }
        // A stride larger than the filter would have phases without taps.
        if (1..of.stride.len()).any(|axis| of.stride[axis] > of.taps[axis]) {
            return Err("Winograd needs a stride that is not larger than the filter");
        }
        if (1..of.stride.len()).any(|axis| of.dilation[axis] > of.out[axis].max(1)) {
            return Err("Winograd needs a dilation that is not larger than the output");
        }
        let filters = of.group_k.cast_signed();
        if of.groups > 1 && of.dst.g != filters * of.dst.c {
            return Err("Winograd needs an output whose groups are as far apart as their filters");
        }
        Ok(Self { of, block: None })
    }

    /// What an algorithm's transforms must have.
    pub(crate) fn sizes(&self) -> Sizes {
        if self.block.is_none() {
            return Sizes::Taps(self.taps());
        }
        let ([_, p, q], [h, w]) = (self.of.out, self.spread());
        Sizes::Outputs([p.div_ceil(h), q.div_ceil(w)])
    }

    /// Whether taps are cut into blocks, and U is made in each run.
    pub(in crate::plan) const fn in_blocks(&self) -> bool {
        self.block.is_some()
    }

    /// Why the kernels that read the source without an input transform cannot compute it.
    pub(in crate::plan) fn unfit_for_fused(&self) -> Result<(), &'static str> {
        let Correlation { taps, before, src, border, .. } = &self.of;
        self.unfit_for_planes()?;
        if self.phases() != [1, 1] {
            return Err("fused kernels need stride 1");
        }
        if (taps[0], before[0]) != (1, 0) {
            return Err("fused kernels support at most two dimensions");
        }
        if *border != Border::Zero {
            return Err("fused kernels need a border of zeros");
        }
        if src.dhw[2] != 1 {
            return Err("fused kernels need an input with contiguous columns");
        }
        Ok(())
    }

    /// The same for those that write the outputs of a tile without an output transform.
    pub(in crate::plan) fn unfit_for_planes(&self) -> Result<(), &'static str> {
        if self.spread() != [1, 1] {
            return Err("fused kernels need dilation 1");
        }
        if self.of.out[0] == 1 { Ok(()) } else { Err("fused kernels support at most two dimensions") }
    }

    /// The same for those that transform the weights as they are given.
    pub(in crate::plan) fn unfit_for_weights(&self) -> Result<(), &'static str> {
        let Correlation { group_c, group_k, taps, weights, .. } = self.of;
        let [taps, columns] = [taps[1] * taps[2], taps[2]].map(usize::cast_signed);
        let filter = group_c.cast_signed() * taps;
        let dense = (weights.g, weights.n, weights.c) == (group_k.cast_signed() * filter, filter, taps)
            && weights.dhw[1..] == [columns, 1];
        if dense { Ok(()) } else { Err("fused_filter needs weights in OIHW order") }
    }

    /// Phases of taps in height and width, or blocks of them: each has rows of its own.
    pub(crate) const fn phases(&self) -> [usize; 2] {
        match self.block {
            None => [self.of.stride[1], self.of.stride[2]],
            Some([h, w]) => [self.of.taps[1].div_ceil(h), self.of.taps[2].div_ceil(w)],
        }
    }

    /// From a row's first tap to that of the next phase or block.
    pub(in crate::plan) const fn phase_steps(&self) -> [usize; 2] {
        match self.block {
            None => [1, 1],
            Some(block) => block,
        }
    }

    /// From a tap of a row to the next one.
    pub(in crate::plan) const fn tap_steps(&self) -> [usize; 2] {
        [self.of.stride[1], self.of.stride[2]]
    }

    /// From where a row begins in the source to where the next phase or block does.
    pub(in crate::plan) const fn row_steps(&self) -> [usize; 2] {
        let ([h, w], [down, across]) = (self.phase_steps(), self.spread());
        match self.block {
            None => [h, w],
            Some(_) => [h * down, w * across],
        }
    }

    /// Phases of outputs in height and width.
    pub(crate) const fn spread(&self) -> [usize; 2] {
        [self.of.dilation[1], self.of.dilation[2]]
    }

    /// Whether there is one plane of outputs and of taps, one phase or block of either, and what is summed follows one another
    /// from group to group, as channels do.
    pub(in crate::plan) fn is_plain(&self) -> bool {
        (self.phases(), self.spread(), self.of.out[0], self.of.taps[0]) == ([1, 1], [1, 1], 1, 1)
            && (self.block.is_none() || self.of.groups == 1)
    }

    /// From a tile's row to the next in the source, and from a column to the next.
    pub(crate) const fn steps(&self) -> [usize; 2] {
        let ([h, w], [down, across]) = (self.tap_steps(), self.spread());
        [h * down, w * across]
    }

    /// Taps of a phase, in height and width.
    const fn taps(&self) -> [usize; 2] {
        let [h, w] = self.phases();
        [self.of.taps[1].div_ceil(h), self.of.taps[2].div_ceil(w)]
    }

    /// Rows of U and V in a group.
    pub(crate) const fn group_rows(&self) -> usize {
        let [h, w] = self.phases();
        self.of.group_c * self.of.taps[0] * h * w
    }

    /// Rows of U and V.
    pub(crate) const fn rows(&self) -> usize {
        self.of.groups * self.group_rows()
    }

    /// The outputs, cut into an algorithm's tiles.
    pub(crate) fn tiles(&self, algorithm: Nested) -> Tiles {
        let outputs = [usize::from(algorithm.rows.m()), usize::from(algorithm.cols.m())];
        let ([planes, p, q], [h, w]) = (self.of.out, self.spread());
        Tiles::new(self.of.n * planes * h * w, [p.div_ceil(h), q.div_ceil(w)], outputs)
    }

    /// A row's channel of all groups, plane of taps, and phase in height and width.
    fn row(&self, row: usize) -> (usize, usize, [usize; 2]) {
        let [h, w] = self.phases();
        let (plane, phase) = (row / (h * w), [row / w % h, row % w]);
        (plane / self.of.taps[0], plane % self.of.taps[0], phase)
    }

    /// Where the weight of a row, a filter of its group and a tap lies; none past the phase's last tap.
    pub(crate) fn weight(&self, row: usize, k: usize, [r, s]: [usize; 2]) -> Option<usize> {
        let (channel, t, phase) = self.row(row);
        let ([h, w], [down, across]) = (self.tap_steps(), self.phase_steps());
        let tap = [t, r * h + phase[0] * down, s * w + phase[1] * across];
        if tap[1] >= self.of.taps[1] || tap[2] >= self.of.taps[2] {
            return None;
        }
        let (g, c) = (channel / self.of.group_c, channel % self.of.group_c);
        Some(self.of.weights.at([k, g, c], tap).cast_unsigned())
    }

    /// Where the element of a row of V lies, of a plane of tiles and a place in it; none where it is zero.
    pub(crate) fn element(&self, row: usize, plane: usize, [y, x]: [usize; 2]) -> Option<usize> {
        let of = &self.of;
        let (channel, t, phase) = self.row(row);
        let ([h, w], [down, across]) = (self.steps(), self.spread());
        let (outputs, own) = (plane / (down * across), plane % (down * across));
        let (n, z) = (outputs / of.out[0], outputs % of.out[0]);
        let [row_step, column_step] = self.row_steps();
        let mut place = [
            z * of.stride[0] + t * of.dilation[0],
            y * h + phase[0] * row_step + own / across,
            x * w + phase[1] * column_step + own % across,
        ];
        for axis in 0..place.len() {
            place[axis] = of.border.element(place[axis].cast_signed() - of.before[axis], of.size[axis])?;
        }
        let (g, c) = (channel / of.group_c, channel % of.group_c);
        Some(of.src.at([n, g, c], place).cast_unsigned())
    }

    /// U's layout.
    pub(in crate::plan) const fn filter_planes(&self, algorithm: Nested, element: Element) -> Planes {
        Planes { points: algorithm.products(), rows: self.rows(), columns: self.of.group_k, element }
    }
}

/// What Winograd sums over in each product: channels, and whatever else is a row of U and V.
pub(in crate::plan) fn summed(problem: &Problem, algorithm: Nested) -> usize {
    let windows = Windows::of_algorithm(problem, algorithm);
    windows.map_or_else(|_| problem.channels_per_group(), |windows| windows.group_rows())
}
