//! How far a result in f32 may be from the exact one, output by output, on the data at hand. Rigorous: it holds for
//! any order of the sums that the kernels use, fused or not, and so it is the tests' tolerance.

use super::Reference;
use crate::activation::Activation;
use crate::dtype::DType;
use crate::error::{Error, Result};
use crate::plan::{self, Choice, Windows};
use crate::problem::Operation;
use crate::winograd::{Nested, error_bound as bounds};

/// The bound on each output's absolute error, bias, residual and activation included, in the order of the output's shape.
///
/// For direct summation it is `gamma(terms) * sum |x w|`; for Winograd `gamma(k)` times
/// `|A^T| [sum over c of (|G| |g| |G^T|) . (|B^T| |d| |B|)] |A|`, where the matrices of absolute values are those of
/// the straight-line programs and k counts the roundings on the longest path (Higham 2002, section 3.1).
///
/// # Errors
/// [`Error::Unsupported`] if the algorithm does not compute the problem, or has no transforms.
pub fn error_bound(reference: &Reference<'_>, choice: impl Into<Choice>) -> Result<Vec<f64>> {
    let choice = choice.into();
    let sizes: Vec<f64> = match choice.algorithm.transform() {
        None => (0..reference.len()).map(|index| reference.sums(index).1).collect(),
        Some(nested) => winograd_sizes(reference, nested)?,
    };
    let bound = |(index, size)| bound(reference, choice, index, size);
    Ok(sizes.into_iter().enumerate().map(bound).collect())
}

/// [`error_bound`] at some outputs alone, counted in the order of their shape: each takes a tile of all channels, so that of a large problem few can be had.
///
/// # Errors
/// As there.
pub fn error_bound_at(reference: &Reference<'_>, choice: impl Into<Choice>, positions: &[usize]) -> Result<Vec<f64>> {
    let choice = choice.into();
    let sizes: Vec<f64> = match choice.algorithm.transform() {
        None => positions.iter().map(|&index| reference.sums(index).1).collect(),
        Some(nested) => {
            let sizes = Sizes::new(reference, nested)?;
            positions.iter().map(|&index| sizes.at(index)).collect()
        }
    };
    Ok(positions.iter().zip(sizes).map(|(&index, size)| bound(reference, choice, index, size)).collect())
}

fn unsupported(nested: Nested, why: String) -> Error {
    Error::Unsupported { what: format!("the error bound of {nested}"), why }
}

/// The bound on an output whose terms have this size.
fn bound(reference: &Reference<'_>, choice: Choice, index: usize, size: f64) -> f64 {
    let problem = reference.problem;
    let roundings = plan::roundings(problem, choice);
    // Two more roundings for bias and residual, and whatever a device may lose by flushing subnormal numbers.
    let gamma = bounds::gamma(roundings.saturating_add(2));
    let flushed = f64::from(f32::MIN_POSITIVE) * f64::from(roundings) * 1e3;
    let activation = match problem.operation {
        Operation::ActivationGradient => {
            let gradient = f64::from(reference.weights[reference.position(index)]);
            let off = problem.conv.activation.gradient_error(gradient) + f64::from(f32::MIN_POSITIVE);
            return off + storage_bound(problem.result_type, reference.at(index).abs() + off);
        }
        Operation::SlopeGradient => Activation::None,
        _ => problem.conv.activation,
    };
    let slope = reference.slopes.get(reference.filter(index)).map_or(0.0, |&slope| f64::from(slope));
    let [bias, residual] = reference.added(index);
    let before = gamma * (size + bias.abs() + residual.abs()) + flushed;
    let value = reference.sums(index).0 + bias + residual;
    // Rounding to f32 when it is stored, beside the function's own error.
    let stored = activation.apply(value, slope).abs() * f64::from(f32::EPSILON);
    let off = activation.lipschitz(slope) * before + activation.evaluation_error(value.abs() + before) + stored;
    off + storage_bound(problem.result_type, activation.apply(value, slope).abs() + off)
}

/// What storing an output of at most this size adds to its error. Shaders may round it to either neighbour (the twins take
/// the nearest), and take what is below full precision for zero.
fn storage_bound(dtype: DType, size: f64) -> f64 {
    if dtype == DType::F32 {
        return 0.0;
    }
    let (unit, smallest) = (2.0 * dtype.unit_roundoff(), dtype.smallest_normal());
    unit * size.max(smallest) + size.min(smallest)
}

/// `|A^T| [...] |A|`: the matrices of absolute values, and how the output is cut into tiles.
struct Sizes<'a> {
    reference: &'a Reference<'a>,
    windows: Windows,
    nested: Nested,
    rows: bounds::AbsTransforms,
    cols: bounds::AbsTransforms,
}

impl<'a> Sizes<'a> {
    fn new(reference: &'a Reference<'a>, nested: Nested) -> Result<Self> {
        let windows =
            Windows::of_algorithm(reference.problem, nested).map_err(|why| unsupported(nested, why.to_owned()))?;
        let of = |f| bounds::abs_transforms(f).map_err(|error| unsupported(nested, error.to_string()));
        let (rows, cols) = (of(nested.rows)?, of(nested.cols)?);
        Ok(Self { reference, windows, nested, rows, cols })
    }

    fn points(&self) -> [usize; 2] {
        [self.nested.rows.products(), self.nested.cols.products()]
    }

    /// The operands that are source and weights.
    fn operands(&self) -> [&[f32]; 2] {
        let Reference { input, weights, .. } = self.reference;
        if self.windows.of.swapped { [weights, input] } else { [input, weights] }
    }

    /// `|G| |g| |G^T|` of a row of U and a filter of its group.
    fn filter(&self, row: usize, k: usize) -> Vec<f64> {
        let [points_h, points_w] = self.points();
        let (taps_h, taps_w) = (usize::from(self.nested.rows.r()), usize::from(self.nested.cols.r()));
        let value = |i: usize| {
            let at = self.windows.weight(row, k, [i / taps_w, i % taps_w]);
            at.map_or(0.0, |at| f64::from(self.operands()[1][at].abs()))
        };
        let g: Vec<f64> = (0..taps_h * taps_w).map(value).collect();
        sandwich(&self.rows.g, &g, &self.cols.g, [points_h, taps_h, taps_w, points_w])
    }

    /// `|B^T| |d| |B|` of a row of V and the tile at this place of a plane of outputs.
    fn input(&self, row: usize, plane: usize, [tile_y, tile_x]: [usize; 2]) -> Vec<f64> {
        let (out_h, out_w) = (usize::from(self.nested.rows.m()), usize::from(self.nested.cols.m()));
        let (span_h, span_w) = (self.nested.rows.span(), self.nested.cols.span());
        let [points_h, points_w] = self.points();
        let value = |i: usize| {
            let at = self.windows.element(row, plane, [tile_y * out_h + i / span_w, tile_x * out_w + i % span_w]);
            at.map_or(0.0, |at| f64::from(self.operands()[0][at].abs()))
        };
        let d: Vec<f64> = (0..span_h * span_w).map(value).collect();
        sandwich(&self.rows.b_t, &d, &self.cols.b_t, [points_h, span_h, span_w, points_w])
    }

    /// The tile of a filter's outputs, from its transformed filters and inputs.
    fn outputs<'v>(&self, factors: impl Iterator<Item = (&'v [f64], &'v [f64])>) -> Vec<f64> {
        let [points_h, points_w] = self.points();
        let mut products = vec![0.0; points_h * points_w];
        for (u, v) in factors {
            for ((product, u), v) in products.iter_mut().zip(u).zip(v) {
                *product += u * v;
            }
        }
        let (out_h, out_w) = (usize::from(self.nested.rows.m()), usize::from(self.nested.cols.m()));
        sandwich(&self.rows.a_t, &products, &self.cols.a_t, [out_h, points_h, points_w, out_w])
    }

    /// Plane of tiles, filter of all groups, row and column in that plane of a result that is counted in the order of its
    /// shape.
    fn place(&self, index: usize) -> (usize, usize, [usize; 2]) {
        let of = &self.windows.of;
        let [planes, p, q] = of.out;
        let (x, rest) = (index % q, index / q);
        let (y, rest) = (rest % p, rest / p);
        let (z, rest) = (rest % planes, rest / planes);
        let [down, across] = self.windows.spread();
        let (n, filter) = match self.reference.problem.operation {
            // Weights have their filters first.
            Operation::WeightGradient => (rest % of.n, rest / of.n),
            _ => (rest / of.filters(), rest % of.filters()),
        };
        let plane = ((n * planes + z) * down + y % down) * across + x % across;
        (plane, filter, [y / down, x / across])
    }

    /// The place of an output in the order of the result's shape, from its image, filter, plane, row and column.
    fn index(&self, [n, filter]: [usize; 2], [z, y, x]: [usize; 3]) -> usize {
        let of = &self.windows.of;
        let [planes, p, q] = of.out;
        let rest = match self.reference.problem.operation {
            Operation::WeightGradient => filter * of.n + n,
            _ => n * of.filters() + filter,
        };
        ((rest * planes + z) * p + y) * q + x
    }

    /// The size of one output.
    fn at(&self, index: usize) -> f64 {
        let (out_h, out_w) = (usize::from(self.nested.rows.m()), usize::from(self.nested.cols.m()));
        let (plane, filter, [y, x]) = self.place(index);
        let (group_k, group_rows) = (self.windows.of.group_k, self.windows.group_rows());
        let rows = (0..group_rows).map(|row| filter / group_k * group_rows + row);
        let factors: Vec<_> = rows
            .map(|row| (self.filter(row, filter % group_k), self.input(row, plane, [y / out_h, x / out_w])))
            .collect();
        let outputs = self.outputs(factors.iter().map(|(u, v)| (u.as_slice(), v.as_slice())));
        outputs[y % out_h * out_w + x % out_w]
    }
}

/// The size of every output, in the order of the result's shape.
fn winograd_sizes(reference: &Reference<'_>, nested: Nested) -> Result<Vec<f64>> {
    let of = Sizes::new(reference, nested)?;
    let (out_h, out_w) = (usize::from(nested.rows.m()), usize::from(nested.cols.m()));
    let correlation = &of.windows.of;
    let (group_k, group_rows, all) = (correlation.group_k, of.windows.group_rows(), correlation.filters());
    let ([planes, p, q], [down, across]) = (correlation.out, of.windows.spread());
    let row_of = |filter: usize, i: usize| filter / group_k * group_rows + i;
    let filters: Vec<Vec<f64>> = (0..all * group_rows)
        .map(|i| of.filter(row_of(i / group_rows, i % group_rows), i / group_rows % group_k))
        .collect();
    let tiles = of.windows.tiles(nested);
    let mut sizes = vec![0.0; reference.len()];
    for tile in 0..tiles.count() {
        let [plane, tile_y, tile_x] = tiles.position(tile);
        let inputs: Vec<Vec<f64>> = (0..of.windows.rows()).map(|row| of.input(row, plane, [tile_y, tile_x])).collect();
        for filter in 0..all {
            let factors = filters[filter * group_rows..].iter().zip(&inputs[row_of(filter, 0)..]).take(group_rows);
            let outputs = of.outputs(factors.map(|(u, v)| (u.as_slice(), v.as_slice())));
            for (i, size) in outputs.into_iter().enumerate() {
                let (outputs, phase) = (plane / (down * across), plane % (down * across));
                let y = (tile_y * out_h + i / out_w) * down + phase / across;
                let x = (tile_x * out_w + i % out_w) * across + phase % across;
                if y < p && x < q {
                    sizes[of.index([outputs / planes, filter], [outputs % planes, y, x])] = size;
                }
            }
        }
    }
    Ok(sizes)
}

/// `left * x * right^T`, row by row; `left` is `rows x h`, `x` is `h x w`, `right` is `cols x w`.
fn sandwich(left: &[f64], x: &[f64], right: &[f64], [rows, h, w, cols]: [usize; 4]) -> Vec<f64> {
    let mut half = vec![0.0; rows * w];
    for i in 0..rows {
        for (l, row) in left[i * h..(i + 1) * h].iter().zip(x.chunks(w)) {
            for (half, x) in half[i * w..(i + 1) * w].iter_mut().zip(row) {
                *half += l * x;
            }
        }
    }
    let dot = |i: usize, j: usize| (0..w).map(|s| half[i * w + s] * right[j * w + s]).sum();
    (0..rows * cols).map(|at| dot(at / cols, at % cols)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::activation::Activation;
    use crate::conv::Conv;
    use crate::layout::View;
    use crate::plan::Algorithm;
    use crate::problem::Problem;
    use crate::winograd::F;

    fn values(len: usize) -> Vec<f32> {
        (0..len).map(|i| (i as f32 * 0.7).sin()).collect()
    }

    #[test]
    fn bounds_at_some_outputs_are_those_of_all() {
        let conv = Conv::new(4, 6, [3, 3]).groups(2).padding(1).bias(true).activation(Activation::PRelu);
        let forward = conv.on([2, 4, 9, 11]).expect("legal");
        let strided = conv.stride([2, 1]).on([2, 4, 9, 11]).expect("legal");
        for problem in [forward, forward.weight_gradient().expect("legal"), strided.weight_gradient().expect("legal")] {
            let (input, weights) = (values(problem.input_len()), values(problem.weights_len()));
            let (bias, slopes) = (values(6), values(6));
            let reference = Reference {
                problem: &problem,
                input: &input,
                weights: &weights,
                bias: &bias,
                slopes: &slopes,
                residual: &[],
            };
            let positions: Vec<usize> = (0..problem.output_len()).rev().step_by(7).collect();
            for algorithm in Algorithm::all_for(&problem) {
                let all = error_bound(&reference, algorithm).expect("has transforms");
                let some = error_bound_at(&reference, algorithm, &positions).expect("has transforms");
                let expected: Vec<f64> = positions.iter().map(|&at| all[at]).collect();
                assert_eq!(some, expected, "{problem}, {algorithm}");
            }
        }
    }

    /// Of 8 x 8 outputs, F(3,4) has four blocks: each by itself is the gradient of an image of 6 x 6, and their sizes add up.
    #[test]
    fn the_size_of_a_gradient_is_the_sum_of_its_blocks() {
        let (conv, nested) = (Conv::new(2, 3, [3, 3]), Nested::square(F::new(3, 4)));
        let gradient = |problem: Problem| problem.weight_gradient().expect("legal");
        let whole = gradient(conv.on([1, 2, 10, 10]).expect("legal"));
        let (input, weights) = (values(whole.input_len()), values(whole.weights_len()));
        let sizes = |problem: &Problem| {
            let (bias, slopes, residual) = (&[][..], &[][..], &[][..]);
            let reference = Reference { problem, input: &input, weights: &weights, bias, slopes, residual };
            winograd_sizes(&reference, nested).expect("has transforms")
        };
        let one = conv.on([1, 2, 6, 6]).expect("legal");
        let mut sum = vec![0.0; whole.output_len()];
        for (y, x) in [(0, 0), (0, 4), (4, 0), (4, 4)] {
            let at = |view: View| View { offset: y * view.dhw[1] + x, ..view };
            let block =
                one.with_input_view(at(whole.input_view)).and_then(|one| one.with_output_view(at(whole.output_view)));
            let of_block = sizes(&gradient(block.expect("within")));
            sum.iter_mut().zip(of_block).for_each(|(sum, size)| *sum += size);
        }
        for (at, (whole, sum)) in sizes(&whole).into_iter().zip(sum).enumerate() {
            assert!((whole - sum).abs() <= 1e-12 * sum, "weight {at}: {whole}, expected {sum}");
        }
    }
}
