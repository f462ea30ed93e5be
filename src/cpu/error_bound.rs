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
    let problem = reference.problem;
    let sizes: Vec<f64> = match algorithm.transform() {
        None => (0..problem.output_len()).map(|index| reference.sums(index).1).collect(),
        Some(nested) => winograd_sizes(reference, nested)?,
    };
    let roundings = plan::roundings(problem, algorithm);
    // One more rounding for the bias, and whatever a device may lose by flushing subnormal numbers.
    let gamma = bounds::gamma(roundings.saturating_add(1));
    let flushed = f64::from(f32::MIN_POSITIVE) * f64::from(roundings) * 1e3;
    let activation = problem.conv.activation;
    let finish = |(index, size): (usize, f64)| {
        let k = index / (problem.p * problem.q) % problem.conv.filters;
        let slope = reference.slopes.get(k).map_or(0.0, |&slope| f64::from(slope));
        let bias = reference.bias.get(k).map_or(0.0, |&bias| f64::from(bias));
        let before = gamma * (size + bias.abs()) + flushed;
        let value = reference.sums(index).0 + bias;
        // Rounding to f32 when it is stored, beside the function's own error.
        let stored = activation.apply(value, slope).abs() * f64::from(f32::EPSILON);
        activation.lipschitz(slope) * before + activation.evaluation_error(value.abs() + before) + stored
    };
    Ok(sizes.into_iter().enumerate().map(finish).collect())
}

/// `|A^T| [...] |A|` for every output.
fn winograd_sizes(reference: &Reference<'_>, nested: Nested) -> Result<Vec<f64>, WinogradError> {
    let problem = reference.problem;
    let conv = &problem.conv;
    let (rows, cols) = (nested.rows, nested.cols);
    let (abs_h, abs_w) = (bounds::abs_transforms(rows)?, bounds::abs_transforms(cols)?);
    let (span_h, span_w) = (rows.span(), cols.span());
    let (points_h, points_w) = (rows.products(), cols.products());
    let (out_h, out_w) = (usize::from(rows.m()), usize::from(cols.m()));
    let (taps_h, taps_w) = (usize::from(rows.r()), usize::from(cols.r()));
    let (group_c, group_k) = (problem.channels_per_group(), problem.filters_per_group());
    let taps = taps_h * taps_w;

    let abs = |x: &f32| f64::from(x.abs());
    let filters: Vec<Vec<f64>> = reference
        .weights
        .chunks(taps)
        .map(|g| {
            let g: Vec<f64> = g.iter().map(abs).collect();
            sandwich(&abs_h.g, &g, &abs_w.g, [points_h, taps_h, taps_w, points_w])
        })
        .collect();
    let tiles = Tiles::new(problem.n, [problem.p, problem.q], [out_h, out_w]);
    let mut sizes = vec![0.0; problem.output_len()];
    for tile in 0..tiles.count() {
        let [n, tile_y, tile_x] = tiles.position(tile);
        let inputs: Vec<Vec<f64>> = (0..conv.channels)
            .map(|c| {
                let image = (n * conv.channels + c) * problem.h * problem.w;
                let value = |i: usize| {
                    let y = (tile_y * out_h + i / span_w).wrapping_sub(conv.padding.top);
                    let x = (tile_x * out_w + i % span_w).wrapping_sub(conv.padding.left);
                    let inside = y < problem.h && x < problem.w;
                    if inside { abs(&reference.input[image + y * problem.w + x]) } else { 0.0 }
                };
                let d: Vec<f64> = (0..span_h * span_w).map(value).collect();
                sandwich(&abs_h.b_t, &d, &abs_w.b_t, [points_h, span_h, span_w, points_w])
            })
            .collect();
        for k in 0..conv.filters {
            let mut products = vec![0.0; points_h * points_w];
            for c in 0..group_c {
                let (u, v) = (&filters[k * group_c + c], &inputs[k / group_k * group_c + c]);
                for ((product, u), v) in products.iter_mut().zip(u).zip(v) {
                    *product += u * v;
                }
            }
            let y = sandwich(&abs_h.a_t, &products, &abs_w.a_t, [out_h, points_h, points_w, out_w]);
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
