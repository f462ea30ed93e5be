//! What kernels compute. A convolution in any number of dimensions, layout and direction comes to one or several
//! [`Correlation`]s: strided windows of a source, multiplied with strided weights, into strided outputs.
//!
//! - Forward, it is the convolution as it stands.
//! - Transposed, outputs that are a stride apart read the same taps: each of these phases, `stride` of them in a dimension,
//!   is a correlation of its own with stride 1, its taps turned around. The gradient of a convolution's input is its
//!   transposed convolution.
//! - The gradient of the weights is a correlation of the input with the output's gradient, whose elements take the places
//!   of the taps: images are summed over as channels are, stride and dilation change places.

use crate::padding::Border;
use crate::spatial::MAX_RANK;

/// Where an operand's elements lie: its first one, and the steps between neighbours, which for turned weights are
/// negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Steps {
    /// The first element.
    pub offset: isize,
    /// From group to group.
    pub g: isize,
    /// From image to image; of the weights, from filter to filter.
    pub n: isize,
    /// From channel to channel; of the outputs, from filter to filter.
    pub c: isize,
    /// From plane to plane, row to row and column to column; of the weights, from tap to tap.
    pub dhw: [isize; MAX_RANK],
}

impl Steps {
    /// Where an element lies: of an image (a filter of the weights), a group, a channel, and a place.
    #[inline]
    pub(crate) fn at(&self, [n, g, c]: [usize; 3], place: [usize; MAX_RANK]) -> isize {
        let [d, h, w] = self.dhw;
        let place = place[0].cast_signed() * d + place[1].cast_signed() * h + place[2].cast_signed() * w;
        self.offset + n.cast_signed() * self.n + g.cast_signed() * self.g + c.cast_signed() * self.c + place
    }
}

/// For images n, groups g, filters k and places o:
///
/// `dst[n,g,k,o] = sum over c and taps t of src[n, g, c, o * stride + t * dilation - before] * weights[g,k,c,t]`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Correlation {
    /// Images.
    pub n: usize,
    /// Groups.
    pub groups: usize,
    /// Channels of a group.
    pub group_c: usize,
    /// Filters of a group.
    pub group_k: usize,
    /// Sizes of the source: depth, height and width.
    pub size: [usize; MAX_RANK],
    /// Of the outputs.
    pub out: [usize; MAX_RANK],
    /// Taps; none at all where nothing is summed.
    pub taps: [usize; MAX_RANK],
    /// Step between outputs, in the source.
    pub stride: [usize; MAX_RANK],
    /// Step between taps, in the source.
    pub dilation: [usize; MAX_RANK],
    /// How far the first tap of the first output lies before the source's first element.
    pub before: [isize; MAX_RANK],
    /// What lies there.
    pub border: Border,
    /// Whether the operands have changed places: the source is [`crate::plan::Slot::Weights`], the weights are
    /// [`crate::plan::Slot::Input`].
    pub swapped: bool,
    /// Where the source's elements lie.
    pub src: Steps,
    /// Where the weights' do.
    pub weights: Steps,
    /// Where the outputs do.
    pub dst: Steps,
}

impl Correlation {
    /// Channels of all groups.
    pub const fn channels(&self) -> usize {
        self.groups * self.group_c
    }

    /// Filters of all groups.
    pub const fn filters(&self) -> usize {
        self.groups * self.group_k
    }

    /// Products in one sum.
    pub const fn terms(&self) -> usize {
        self.group_c * self.taps_len()
    }

    /// Taps of a filter's channel.
    pub const fn taps_len(&self) -> usize {
        self.taps[0] * self.taps[1] * self.taps[2]
    }

    /// The `index`-th tap in depth, height and width.
    pub(crate) const fn tap(&self, index: usize) -> [usize; MAX_RANK] {
        let [_, h, w] = self.taps;
        [index / (h * w), index / w % h, index % w]
    }

    /// Places of outputs in an image.
    pub const fn out_len(&self) -> usize {
        self.out[0] * self.out[1] * self.out[2]
    }

    /// Outputs.
    pub const fn len(&self) -> usize {
        self.n * self.filters() * self.out_len()
    }

    /// Whether there are no outputs.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The same sums with planes and rows joined to longer rows, where they are read and written as such: with filters of one
    /// tap, as a rule.
    pub(crate) fn joined(mut self) -> Self {
        for inner in [2, 1] {
            // Rows into columns, and then planes; planes into rows where columns stay.
            for outer in (0..inner).rev() {
                if self.joins(outer, inner) {
                    let size = self.out[outer] * self.out[inner];
                    (self.out[outer], self.size[outer]) = (1, 1);
                    (self.out[inner], self.size[inner]) = (size, size);
                }
            }
        }
        self
    }

    /// Whether a dimension and the next one with more than one element are one walk, each output reading one place, its own.
    fn joins(&self, outer: usize, inner: usize) -> bool {
        let is_own = |axis: usize| {
            let [out, size, taps, stride] = [self.out, self.size, self.taps, self.stride].map(|of| of[axis]);
            out == size && taps == 1 && stride == 1 && self.before[axis] == 0
        };
        let joins = |steps: &Steps| steps.dhw[outer] == self.size[inner].cast_signed() * steps.dhw[inner];
        let between = (outer + 1..inner).all(|axis| self.out[axis] == 1);
        is_own(outer) && is_own(inner) && between && joins(&self.src) && joins(&self.dst)
    }

    /// Products of a value inside the source in all sums: at zero borders fewer than [`Self::terms`] each.
    pub fn products(&self) -> u128 {
        let inside = |axis: usize| match self.border {
            Border::Zero => self.inside(axis),
            _ => (self.out[axis] * self.taps[axis]) as u128,
        };
        (self.n * self.groups * self.group_k * self.group_c) as u128 * (0..MAX_RANK).map(inside).product::<u128>()
    }

    /// Pairs of an output and a tap that is inside the source, along one dimension.
    fn inside(&self, axis: usize) -> u128 {
        let pairs = (self.out[axis], self.stride[axis]);
        let taps = (self.taps[axis], self.dilation[axis]);
        let first = self.before[axis];
        pairs_below(pairs, taps, first + self.size[axis].cast_signed()) - pairs_below(pairs, taps, first)
    }
}

/// Of the pairs of an `a` below `.0` and a `b` below `.0`, those with `a * a_step + b * b_step < bound`, not counted one by
/// one: in a weights' gradient, either may be as long as an image.
fn pairs_below((a, a_step): (usize, usize), (b, b_step): (usize, usize), bound: isize) -> u128 {
    let (a, a_step, b, b_step) = (a as u128, a_step as u128, b as u128, b_step as u128);
    let Ok(bound) = u128::try_from(bound) else { return 0 };
    if a == 0 || b == 0 || bound == 0 {
        return 0;
    }
    // All of the `a` go with the first of the `b`, none from `some` on.
    let last = (a - 1) * a_step;
    let all = if bound > last { (bound - last).div_ceil(b_step).min(b) } else { 0 };
    let some = bound.div_ceil(b_step).min(b);
    // In between they are ceil((bound - b * b_step) / a_step), from the last of them upwards.
    let least = bound + a_step - 1 - b_step * (some.max(1) - 1);
    all * a + floor_sum(some - all, a_step, b_step, least)
}

/// The sum of `(step * i + first) / by`, rounded down, over `i` below `count`: by Euclid's algorithm, as quotients.
const fn floor_sum(count: u128, by: u128, step: u128, first: u128) -> u128 {
    if count == 0 {
        return 0;
    }
    let whole = count * (count - 1) / 2 * (step / by) + count * (first / by);
    let (step, first) = (step % by, first % by);
    let rest = step * count + first;
    // The points below the line, counted along the other axis.
    if rest < by { whole } else { whole + floor_sum(rest / by, step, by, rest % by) }
}
