//! How far a result in f32 may be from the exact one, output by output, on the data at hand. Rigorous: it holds for
//! any order of the sums that the kernels use, fused or not, and so it is the tests' tolerance.

use super::Reference;
use crate::layout::Tiles;
use crate::plan::{self, Algorithm};
use crate::winograd::{Nested, WinogradError, error_bound as bounds};

/// The bound on each output's absolute error, bias and activation included.
///
/// For direct summation it is `gamma(terms) * sum |x w|`; for Winograd `gamma(k)` times
/// `|A^T| [sum over c of (|G| |g| |G^T|) . (|B^T| |d| |B|)] |A|`, where the matrices of absolute values are those of
/// the straight-line programs and k counts the roundings on the longest path (Higham 2002, section 3.1).
///
/// # Errors
/// If the algorithm has no transforms.
pub fn error_bound(reference: &Reference<'_>, algorithm: Algorithm) -> Result<Vec<f64>, WinogradError> {
    let sizes: Vec<f64> = match algorithm.transform() {
        None => (0..reference.problem.output_len()).map(|index| reference.sums(index).1).collect(),
        Some(nested) => winograd_sizes(reference, nested)?,
    };
    let bound = |(index, size)| bound(reference, algorithm, index, size);
    Ok(sizes.into_iter().enumerate().map(bound).collect())
}

/// [`error_bound`] at some outputs alone: each takes a tile of all channels, so that of a large problem few can be had.
///
/// # Errors
/// As there.
pub fn error_bound_at(
    reference: &Reference<'_>,
    algorithm: Algorithm,
    positions: &[usize],
) -> Result<Vec<f64>, WinogradError> {
    let sizes: Vec<f64> = match algorithm.transform() {
        None => positions.iter().map(|&index| reference.sums(index).1).collect(),
        Some(nested) => {
            let sizes = Sizes::new(reference, nested)?;
            positions.iter().map(|&index| sizes.at(index)).collect()
        }
    };
    Ok(positions.iter().zip(sizes).map(|(&index, size)| bound(reference, algorithm, index, size)).collect())
}

/// The bound on an output whose terms have this size.
fn bound(reference: &Reference<'_>, algorithm: Algorithm, index: usize, size: f64) -> f64 {
    let problem = reference.problem;
    let roundings = plan::roundings(problem, algorithm);
    // One more rounding for the bias, and whatever a device may lose by flushing subnormal numbers.
    let gamma = bounds::gamma(roundings.saturating_add(1));
    let flushed = f64::from(f32::MIN_POSITIVE) * f64::from(roundings) * 1e3;
    let activation = problem.conv.activation;
    let k = index / (problem.p * problem.q) % problem.conv.filters;
    let slope = reference.slopes.get(k).map_or(0.0, |&slope| f64::from(slope));
    let bias = reference.bias.get(k).map_or(0.0, |&bias| f64::from(bias));
    let before = gamma * (size + bias.abs()) + flushed;
    let value = reference.sums(index).0 + bias;
    // Rounding to f32 when it is stored, beside the function's own error.
    let stored = activation.apply(value, slope).abs() * f64::from(f32::EPSILON);
    activation.lipschitz(slope) * before + activation.evaluation_error(value.abs() + before) + stored
}

/// `|A^T| [...] |A|`: the matrices of absolute values, and how the output is cut into tiles.
struct Sizes<'a> {
    reference: &'a Reference<'a>,
    nested: Nested,
    rows: bounds::AbsTransforms,
    cols: bounds::AbsTransforms,
    tiles: Tiles,
}

impl<'a> Sizes<'a> {
    fn new(reference: &'a Reference<'a>, nested: Nested) -> Result<Self, WinogradError> {
        let problem = reference.problem;
        let outputs = [usize::from(nested.rows.m()), usize::from(nested.cols.m())];
        let (rows, cols) = (bounds::abs_transforms(nested.rows)?, bounds::abs_transforms(nested.cols)?);
        Ok(Self { reference, nested, rows, cols, tiles: Tiles::new(problem.n, [problem.p, problem.q], outputs) })
    }

    fn points(&self) -> [usize; 2] {
        [self.nested.rows.products(), self.nested.cols.products()]
    }

    /// `|G| |g| |G^T|` of a filter's channel.
    fn filter(&self, k: usize, c: usize) -> Vec<f64> {
        let [points_h, points_w] = self.points();
        let (taps_h, taps_w) = (usize::from(self.nested.rows.r()), usize::from(self.nested.cols.r()));
        let first = (k * self.reference.problem.channels_per_group() + c) * taps_h * taps_w;
        let g: Vec<f64> =
            self.reference.weights[first..first + taps_h * taps_w].iter().map(|x| f64::from(x.abs())).collect();
        sandwich(&self.rows.g, &g, &self.cols.g, [points_h, taps_h, taps_w, points_w])
    }

    /// `|B^T| |d| |B|` of a tile's channel.
    fn input(&self, tile: usize, c: usize) -> Vec<f64> {
        let problem = self.reference.problem;
        let [n, tile_y, tile_x] = self.tiles.position(tile);
        let (out_h, out_w) = (usize::from(self.nested.rows.m()), usize::from(self.nested.cols.m()));
        let (span_h, span_w) = (self.nested.rows.span(), self.nested.cols.span());
        let [points_h, points_w] = self.points();
        let image = (n * problem.conv.channels + c) * problem.h * problem.w;
        let value = |i: usize| {
            let y = (tile_y * out_h + i / span_w).wrapping_sub(problem.conv.padding.top);
            let x = (tile_x * out_w + i % span_w).wrapping_sub(problem.conv.padding.left);
            let inside = y < problem.h && x < problem.w;
            if inside { f64::from(self.reference.input[image + y * problem.w + x].abs()) } else { 0.0 }
        };
        let d: Vec<f64> = (0..span_h * span_w).map(value).collect();
        sandwich(&self.rows.b_t, &d, &self.cols.b_t, [points_h, span_h, span_w, points_w])
    }

    /// The tile of filter k's outputs, from its transformed filters and inputs.
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

    /// The size of one output.
    fn at(&self, index: usize) -> f64 {
        let problem = self.reference.problem;
        let (out_h, out_w) = (usize::from(self.nested.rows.m()), usize::from(self.nested.cols.m()));
        let (q, rest) = (index % problem.q, index / problem.q);
        let (p, rest) = (rest % problem.p, rest / problem.p);
        let (k, n) = (rest % problem.conv.filters, rest / problem.conv.filters);
        let tile = (n * self.tiles.y + p / out_h) * self.tiles.x + q / out_w;
        let first = k / problem.filters_per_group() * problem.channels_per_group();
        let channels = 0..problem.channels_per_group();
        let factors: Vec<_> = channels.map(|c| (self.filter(k, c), self.input(tile, first + c))).collect();
        let outputs = self.outputs(factors.iter().map(|(u, v)| (u.as_slice(), v.as_slice())));
        outputs[p % out_h * out_w + q % out_w]
    }
}

/// The size of every output.
fn winograd_sizes(reference: &Reference<'_>, nested: Nested) -> Result<Vec<f64>, WinogradError> {
    let problem = reference.problem;
    let conv = &problem.conv;
    let of = Sizes::new(reference, nested)?;
    let (out_h, out_w) = (usize::from(nested.rows.m()), usize::from(nested.cols.m()));
    let (group_c, group_k) = (problem.channels_per_group(), problem.filters_per_group());
    let filters: Vec<Vec<f64>> = (0..conv.filters * group_c).map(|i| of.filter(i / group_c, i % group_c)).collect();
    let mut sizes = vec![0.0; problem.output_len()];
    for tile in 0..of.tiles.count() {
        let [n, tile_y, tile_x] = of.tiles.position(tile);
        let inputs: Vec<Vec<f64>> = (0..conv.channels).map(|c| of.input(tile, c)).collect();
        for k in 0..conv.filters {
            let factors = filters[k * group_c..].iter().zip(&inputs[k / group_k * group_c..]).take(group_c);
            let y = of.outputs(factors.map(|(u, v)| (u.as_slice(), v.as_slice())));
            for (i, size) in y.into_iter().enumerate() {
                let (p, q) = (tile_y * out_h + i / out_w, tile_x * out_w + i % out_w);
                if p < problem.p && q < problem.q {
                    sizes[((n * conv.filters + k) * problem.p + p) * problem.q + q] = size;
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
    use crate::plan::Algorithm;
    use crate::shape::Conv;

    #[test]
    fn bounds_at_some_outputs_are_those_of_all() {
        let conv = Conv::new(4, 6, [3, 3]).groups(2).padding(1).bias(true).activation(Activation::PRelu);
        let problem = conv.on([2, 4, 9, 11]).expect("legal");
        let values = |len: usize| -> Vec<f32> { (0..len).map(|i| (i as f32 * 0.7).sin()).collect() };
        let (input, weights) = (values(problem.input_len()), values(conv.weights_len()));
        let (bias, slopes) = (values(6), values(6));
        let reference = Reference { problem: &problem, input: &input, weights: &weights, bias: &bias, slopes: &slopes };
        let positions: Vec<usize> = (0..problem.output_len()).rev().step_by(7).collect();
        for algorithm in Algorithm::all_for(&conv) {
            let all = error_bound(&reference, algorithm).expect("has transforms");
            let some = error_bound_at(&reference, algorithm, &positions).expect("has transforms");
            let expected: Vec<f64> = positions.iter().map(|&at| all[at]).collect();
            assert_eq!(some, expected, "{algorithm}");
        }
    }
}
