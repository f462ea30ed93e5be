//! The reference for all tests: every operation by its definition, each product and sum in f64. It knows
//! nothing of correlations, phases or tiles, because it is used to test them.

mod error_bound;

pub use error_bound::{error_bound, error_bound_at};

use crate::problem::{Operation, Placed, Problem};
use crate::spatial::MAX_RANK;

/// A problem with its operands, whose results can be asked for.
#[derive(Debug, Clone, Copy)]
pub struct Reference<'a> {
    /// The problem.
    pub problem: &'a Problem,
    /// [`Problem::source`]
    pub input: &'a [f32],
    /// [`Problem::factor`]
    pub weights: &'a [f32],
    /// K elements, or none.
    pub bias: &'a [f32],
    /// K elements, or none.
    pub slopes: &'a [f32],
    /// Elements like the output's, or none.
    pub residual: &'a [f32],
}

/// Results at some positions, to compare a large one with.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// Which result, in the order of its shape.
    pub index: usize,
    /// Its position in memory.
    pub position: usize,
    /// The exact value, to f64's precision.
    pub value: f64,
}

/// An element's place in a tensor: image (or filter), channel, and depth, height and width.
type Place = (usize, usize, [usize; MAX_RANK]);

/// The element at a position that is counted in the order of the shape.
fn place(placed: &Placed, index: usize) -> Place {
    let [d, h, w] = placed.shape.spatial().dhw(1);
    let (x, rest) = (index % w, index / w);
    let (y, rest) = (rest % h, rest / h);
    let (z, rest) = (rest % d, rest / d);
    (rest / placed.shape[1], rest % placed.shape[1], [z, y, x])
}

impl Reference<'_> {
    /// The number of results.
    pub fn len(&self) -> usize {
        self.problem.output_shape().elements()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Where the result that is `index`th in the order of its shape lies in memory.
    pub fn position(&self, index: usize) -> usize {
        let result = self.problem.result();
        let (n, c, at) = place(&result, index);
        result.view.index(n, c, at)
    }

    /// The sum for one result, before bias, residual and activation, and the sum of the terms' absolute values.
    pub fn sums(&self, index: usize) -> (f64, f64) {
        let (mut sum, mut size) = (0.0, 0.0);
        self.each_term(index, |value, weight| {
            let term = f64::from(value) * f64::from(weight);
            sum += term;
            size += term.abs();
        });
        (sum, size)
    }

    /// The same sum in f32, term by term, each product rounded: the baseline that other errors are compared with.
    pub fn sequential(&self, index: usize) -> f32 {
        let mut sum = 0.0f32;
        self.each_term(index, |value, weight| sum += value * weight);
        sum
    }

    /// The factors of one result's terms. A convolution links an element of its input and one of its output by a tap, and
    /// so does a transposed one, the other way around: with `small` the one of them that is a stride apart in the
    /// other, `big = small * stride + tap * dilation - before`.
    fn each_term(&self, index: usize, visit: impl FnMut(f32, f32)) {
        let transposed = self.problem.conv.transposed.is_some();
        match (self.problem.operation, transposed) {
            (Operation::Forward, false) | (Operation::InputGradient, true) => {
                self.over_taps(index, |axis, at, tap, size| self.big(axis, at, tap, size), visit);
            }
            (Operation::Forward, true) | (Operation::InputGradient, false) => {
                self.over_taps(index, |axis, at, tap, size| self.small(axis, at, tap, size), visit);
            }
            (Operation::WeightGradient, _) => self.over_pairs(index, visit),
            (Operation::ActivationGradient, _) => {
                let mut visit = visit;
                let at = self.position(index);
                visit(self.input[at], self.weights[at]);
            }
            (Operation::BiasGradient, _) => self.over_places(index, |at| self.input[at], |_| 1.0, visit),
            (Operation::SlopeGradient, _) => {
                let negative = |at: usize| if self.input[at] > 0.0 { 0.0 } else { self.input[at] };
                self.over_places(index, negative, |at| self.weights[at], visit);
            }
        }
    }

    /// A gradient of a channel: all elements of that channel of the output.
    fn over_places(
        &self,
        channel: usize,
        value: impl Fn(usize) -> f32,
        factor: impl Fn(usize) -> f32,
        mut visit: impl FnMut(f32, f32),
    ) {
        let of_output = self.problem.of_output();
        let [d, h, w] = of_output.shape.spatial().dhw(1);
        for n in 0..self.problem.n {
            for (z, y) in (0..d).flat_map(|z| (0..h).map(move |y| (z, y))) {
                for x in 0..w {
                    let at = of_output.view.index(n, channel, [z, y, x]);
                    visit(value(at), factor(at));
                }
            }
        }
    }

    /// The place that a tap of `small` reaches along an axis of a padded tensor; none where that is zero.
    fn big(&self, axis: usize, small: usize, tap: usize, size: usize) -> Option<usize> {
        let conv = &self.problem.conv;
        let (stride, dilation) = (conv.stride.dhw(1)[axis], conv.dilation.dhw(1)[axis]);
        let position = (small * stride + tap * dilation).cast_signed() - self.problem.before[axis].cast_signed();
        conv.border.element(position, size)
    }

    /// The place whose tap reaches `big` along an axis, if there is one.
    fn small(&self, axis: usize, big: usize, tap: usize, size: usize) -> Option<usize> {
        let conv = &self.problem.conv;
        let (stride, dilation) = (conv.stride.dhw(1)[axis], conv.dilation.dhw(1)[axis]);
        let spread = (big + self.problem.before[axis]).checked_sub(tap * dilation)?;
        let place = spread / stride;
        (spread.is_multiple_of(stride) && place < size).then_some(place)
    }

    /// Sums over the channels and taps of the result's group; `source_at` finds the place in the source along an axis, from
    /// the result's place, a tap and the source's size.
    fn over_taps(
        &self,
        index: usize,
        source_at: impl Fn(usize, usize, usize, usize) -> Option<usize>,
        mut visit: impl FnMut(f32, f32),
    ) {
        let problem = self.problem;
        let (source, weights, result) = (problem.source(), problem.factor(), problem.result());
        let (n, to, at) = place(&result, index);
        let groups = problem.conv.groups;
        let (group_from, group_to) = (source.shape[1] / groups, result.shape[1] / groups);
        // Which of the weights' two indices is the result's channel.
        let result_first = (problem.operation == Operation::Forward) == problem.conv.transposed.is_none();
        let (size, kernel) = (source.shape.spatial().dhw(1), problem.conv.kernel.dhw(1));
        // Of each tap that reaches the source: how far its element lies, and its weight.
        let [depth, height, width] = std::array::from_fn(|axis| {
            let reached = |tap| source_at(axis, at[axis], tap, size[axis]).map(|place| (tap, place));
            let steps = |(tap, place)| (place * source.view.dhw[axis], tap * weights.view.dhw[axis]);
            (0..kernel[axis]).filter_map(reached).map(steps).collect::<Vec<_>>()
        });
        for c in 0..group_from {
            let from = to / group_to * group_from + c;
            let filter = if result_first { (to, c) } else { (from, to % group_to) };
            let channel = source.view.index(n, from, [0; MAX_RANK]);
            let own = weights.view.index(filter.0, filter.1, [0; MAX_RANK]);
            for (z, t) in &depth {
                for (y, r) in &height {
                    for (x, s) in &width {
                        visit(self.input[channel + z + y + x], self.weights[own + t + r + s]);
                    }
                }
            }
        }
    }

    /// A weight's gradient: all pairs of elements that its tap links.
    fn over_pairs(&self, index: usize, mut visit: impl FnMut(f32, f32)) {
        let problem = self.problem;
        let (x, y) = (problem.source(), problem.factor());
        let (first, second, tap) = place(&problem.result(), index);
        let groups = problem.conv.groups;
        let (group_c, group_k) = (problem.conv.channels / groups, problem.conv.filters / groups);
        let transposed = problem.conv.transposed.is_some();
        let (c, k) = match transposed {
            false => (first / group_k * group_c + second, first),
            true => (first, first / group_c * group_k + second),
        };
        let [x_size, y_size] = [x, y].map(|placed| placed.shape.spatial().dhw(1));
        let (small_size, big_size) = if transposed { (x_size, y_size) } else { (y_size, x_size) };
        let (small_view, big_view) = if transposed { (x.view, y.view) } else { (y.view, x.view) };
        // Of each place that is linked: how far its element lies, and that of the one it is linked with.
        let [depth, height, width] = std::array::from_fn(|axis| {
            let linked = |small| self.big(axis, small, tap[axis], big_size[axis]).map(|big| (small, big));
            let steps = |(small, big)| (small * small_view.dhw[axis], big * big_view.dhw[axis]);
            (0..small_size[axis]).filter_map(linked).map(steps).collect::<Vec<_>>()
        });
        for n in 0..problem.n {
            let [x_at, y_at] = [(x.view, c), (y.view, k)].map(|(view, channel)| view.index(n, channel, [0; MAX_RANK]));
            for (z, z_big) in &depth {
                for (row, row_big) in &height {
                    for (column, column_big) in &width {
                        let (small, big) = (z + row + column, z_big + row_big + column_big);
                        let [x_step, y_step] = if transposed { [small, big] } else { [big, small] };
                        visit(self.input[x_at + x_step], self.weights[y_at + y_step]);
                    }
                }
            }
        }
    }

    /// The channel of the output that a result belongs to.
    pub fn filter(&self, index: usize) -> usize {
        place(&self.problem.result(), index).1
    }

    /// What is added to a result's sum: bias and residual.
    pub fn added(&self, index: usize) -> [f64; 2] {
        let bias = self.bias.get(self.filter(index)).map_or(0.0, |&bias| f64::from(bias));
        let residual = if self.residual.is_empty() { 0.0 } else { f64::from(self.residual[self.position(index)]) };
        [bias, residual]
    }

    /// One result.
    pub fn at(&self, index: usize) -> f64 {
        let [bias, residual] = self.added(index);
        let slope = self.slopes.get(self.filter(index)).map_or(0.0, |&slope| f64::from(slope));
        match self.problem.operation {
            Operation::ActivationGradient => {
                let at = self.position(index);
                let [kept, gradient] = [self.input[at], self.weights[at]].map(f64::from);
                return self.problem.conv.activation.as_stored(self.problem.conv.dtype).gradient(gradient, kept, slope);
            }
            Operation::SlopeGradient => return self.sums(index).0,
            _ => {}
        }
        self.problem.conv.activation.apply(self.sums(index).0 + bias + residual, slope)
    }

    /// All results, in the order of their shape.
    pub fn all(&self) -> Vec<f64> {
        (0..self.len()).map(|index| self.at(index)).collect()
    }

    /// `count` results spread over the whole, always with the first and the last; all if there are fewer.
    pub fn sample(&self, count: usize) -> Vec<Sample> {
        let sample = |index| Sample { index, position: self.position(index), value: self.at(index) };
        spread(self.len(), count).into_iter().map(sample).collect()
    }
}

/// `count` numbers below `len`, spread over the whole, always with the first and the last; all if there are fewer.
fn spread(len: usize, count: usize) -> Vec<usize> {
    if len <= count {
        return (0..len).collect();
    }
    // A golden-section sequence: evenly spread, and in step with no row or tile.
    let mut position = 0.5f64;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "any position will do"
    )]
    let between = (0..count - 2).map(|_| {
        position = (position + 0.618_033_988_749_895).fract();
        ((position * len as f64) as usize).min(len - 1)
    });
    [0, len - 1].into_iter().chain(between).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conv::Conv;

    fn reference<'a>(problem: &'a Problem, input: &'a [f32], weights: &'a [f32]) -> Reference<'a> {
        Reference { problem, input, weights, bias: &[], slopes: &[], residual: &[] }
    }

    /// Known by hand: the chain of trust starts here.
    #[test]
    fn a_small_convolution_by_hand() {
        let problem = Conv::new(1, 1, [2, 2]).padding(1).on([1, 1, 2, 2]).expect("legal");
        let reference = reference(&problem, &[1.0, 2.0, 3.0, 4.0], &[1.0, 10.0, 100.0, 1000.0]);
        // Each output is 1 a + 10 b + 100 c + 1000 d of the window (a b / c d).
        let expected = [1000.0, 2100.0, 200.0, 3010.0, 4321.0, 402.0, 30.0, 43.0, 4.0];
        assert_eq!(reference.all(), expected);
        let sequential: Vec<f64> = (0..9).map(|index| reference.sequential(index).into()).collect();
        assert_eq!(sequential, expected, "small integers are exact in f32 too");
    }

    /// 2^24 + 1 + 1 is 2^24 in f32, one after the other.
    #[test]
    fn the_sequential_sum_rounds_after_each_term() {
        let problem = Conv::new(3, 1, [1, 1]).on([1, 3, 1, 1]).expect("legal");
        let reference = reference(&problem, &[16_777_216.0, 1.0, 1.0], &[1.0; 3]);
        assert_eq!((f64::from(reference.sequential(0)), reference.at(0)), (16_777_216.0, 16_777_218.0));
    }

    #[test]
    fn groups_stride_and_dilation_by_hand() {
        let conv = Conv::new(2, 2, [1, 2]).groups(2).stride([1, 2]).dilation([1, 2]).bias(true);
        let problem = conv.on([1, 2, 1, 5]).expect("legal");
        let input = [1.0, 2.0, 3.0, 4.0, 5.0, 10.0, 20.0, 30.0, 40.0, 50.0];
        let reference = Reference { bias: &[0.5, 0.0], ..reference(&problem, &input, &[1.0, 1.0, 1.0, -1.0]) };
        assert_eq!(reference.all(), [4.5, 8.5, -20.0, -20.0]);
    }

    #[test]
    fn a_transposed_convolution_by_hand() {
        let problem = Conv::new(1, 1, [3]).transposed(1).stride(2).padding(1).on([1, 1, 3]).expect("legal");
        // 1, 2, 3 spread by (1, 10, 100): 1 10 102 20 203 30 300, of which the first is cut off, and a zero added.
        let reference = reference(&problem, &[1.0, 2.0, 3.0], &[1.0, 10.0, 100.0]);
        assert_eq!(reference.all(), [10.0, 102.0, 20.0, 203.0, 30.0, 300.0]);
    }

    #[test]
    fn gradients_by_hand() {
        let problem = Conv::new(1, 1, [2]).stride(2).padding(1).on([1, 1, 3]).expect("legal");
        // Outputs: w1 a, w0 b + w1 c.
        let of_input = problem.input_gradient().expect("zero border");
        assert_eq!(reference(&of_input, &[1.0, 10.0], &[2.0, 3.0]).all(), [3.0, 20.0, 30.0]);
        let of_weights = problem.weight_gradient().expect("always");
        assert_eq!(reference(&of_weights, &[5.0, 6.0, 7.0], &[1.0, 10.0]).all(), [60.0, 75.0]);
    }

    #[test]
    fn samples_hold_both_ends() {
        let problem = Conv::new(1, 1, [1, 1]).on([1, 1, 64, 64]).expect("legal");
        let input: Vec<f32> = (0..4096u16).map(f32::from).collect();
        let reference = reference(&problem, &input, &[1.0]);
        let sample = reference.sample(100);
        assert_eq!((sample.len(), sample[0].index, sample[1].index), (100, 0, 4095));
        assert!(sample.iter().all(|s| (s.value - f64::from(input[s.index])).abs() < 1e-12), "values");
    }
}
