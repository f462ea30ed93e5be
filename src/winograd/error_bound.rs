//! What an algorithm costs in rounding. Two numbers, not to be confused: [`expected_error`] is
//! statistical (relative L2 error on normal data, and [`expected_error_after_relu`] on what a ReLU
//! leaves of them; what a tolerance is compared with), [`worst_case_bound`] and the componentwise bound made of [`abs_transforms`] and [`gamma`] are
//! rigorous (never exceeded; what tests are held to).
//!
//! The componentwise bound, for one output tile, c running over the channels: `|Y^ - Y| <= gamma(k)
//! |A|^T [ sum_c (|G| |g_c| |G|^T) . (|B|^T |d_c| |B|) ] |A|`, with k = [`roundings`] and |.| the
//! absolute matrices of the programs. It follows from Higham (2002), lemma 3.1: each computed
//! output is a sum over paths of exact factors times at most k terms `1 + delta`. It holds with and
//! without fused multiply-adds, for any order of the channel sum, and as long as nothing overflows
//! or underflows.
//!
//! An algorithm that does not exist (empty, or too large) has an infinite error here, so that no
//! tolerance admits it.

use super::{F, Nested, Rational, Transform, WinogradError};

/// Unit roundoff of `f32`: half the distance from 1 to the next number.
pub const UNIT_ROUNDOFF_F32: f64 = f64::EPSILON * 268_435_456.0; // 2^-52 * 2^28
/// Unit roundoff of `f16`.
pub const UNIT_ROUNDOFF_F16: f64 = 1.0 / 2048.0;

/// Root mean square of one rounding's relative error, in unit roundoffs. Measured: direct f32
/// convolution of 72 to 4,608 terms has a relative L2 error of 2.5e-8 times the root of half the
/// terms, and f16 storage agrees.
const RMS_ROUNDING: f64 = 0.42;
/// What a transform of one dimension adds (data, filter and output together), in steps of the
/// channel sum; measured as 2.5 to 4.5 over F(2,3) to F(6,3) and their kin.
const TRANSFORM_STEPS: f64 = 3.5;

/// Of the second moment of normal data after a ReLU, the part that is their mean's: `1 / pi`.
const MEAN_AFTER_RELU: f64 = std::f64::consts::FRAC_1_PI;
/// [`TRANSFORM_STEPS`] on such data, where the filter transform rounds as well.
const TRANSFORM_STEPS_AFTER_RELU: f64 = 5.5;
/// What the model lacks where multiply-adds round twice. lavapipe, 2026-11-24: nothing of F(2,3) to F(6,3) and their kin, from
/// 8 channels to 512, had a larger ratio to direct summation than it then says but for 2%. Where they round once, on an
/// H100, F(4x4,3x3) had 2.07 times direct summation's error at 64 channels (2.18 by the model), 2.00 and 2.06 at 128
/// (2.03), 1.93 and, on images of 14 x 14, 2.03 at 256 (1.96), 1.98 at 512 (1.92); with its sums in two slices 1.62,
/// 1.50 and 1.54, 1.41 and 1.48, 1.42 (1.73, 1.52, 1.42, 1.38).
const ROUNDED_TWICE: f64 = 1.04;

/// How often kernels round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rounding {
    /// Multiply-adds twice, as software adapters and the twins of shaders do.
    Separate,
    /// Multiply-adds once, as GPUs do.
    Fused,
    /// Multiply-adds once, and a transformed weight once, as the CPU's kernels do: they transform weights in f64.
    /// With AVX-512, 2026-11-29, what the model says after a ReLU was over the measured errors by up to 25% at 4 and 8
    /// channels, by 1% to 14% at 16 to 48, and between 5% over and 6% under at 64 to 512. (Multiply-adds that round twice, where a
    /// processor has no others, add 4% to 11%: F(3x4) at 16 channels 1.92 times direct's error, as the model says.)
    FusedAndWeightsOnce,
}

/// Growth of rounding errors along one dimension, the root of `mean over outputs o of (sum over
/// products p of A[o,p]^2 |G_p|^2 |B_p|^2) / r`; 1 for direct convolution. For independent data of
/// zero mean it is how much larger than the output's deviation the products' deviations are, once
/// they come together in an output. In more dimensions amplifications multiply.
#[must_use]
pub fn amplification(f: F) -> f64 {
    f.amplifications().map_or(f64::INFINITY, |amplifications| amplifications.varying)
}

/// [`amplification`] of any transform.
#[must_use]
pub fn amplification_of(transform: &Transform) -> f64 {
    grown(transform, square_sum)
}

/// Both amplifications of a transform.
pub(super) struct Amplifications {
    varying: f64,
    mean: f64,
}

impl Amplifications {
    pub(super) fn of(transform: &Transform) -> Self {
        let mean = grown(transform, |row| row.iter().sum::<f64>().powi(2));
        Self { varying: amplification_of(transform), mean }
    }
}

fn square_sum(row: &[f64]) -> f64 {
    row.iter().map(|x| x * x).sum()
}

/// The amplification where the square of a transformed datum is this of a row of B^T.
fn grown(transform: &Transform, data: impl Fn(&[f64]) -> f64) -> f64 {
    fn rows(m: &super::Matrix, of: impl Fn(&[f64]) -> f64) -> Vec<f64> {
        m.to_f64().chunks_exact(m.cols()).map(of).collect()
    }
    let (g, b) = (rows(&transform.g, square_sum), rows(&transform.b_t, data));
    let a = rows(&transform.a_t.transpose(), square_sum);
    let total: f64 = a.iter().zip(&g).zip(&b).map(|((a, g), b)| a * g * b).sum();
    (total / (count(transform.a_t.rows()) * count(transform.g.cols()))).sqrt()
}

/// [`amplification`] of data that are all the same: of their mean, on top of which others vary. The sums of B^T's rows take
/// the place of their norms.
#[must_use]
pub fn mean_amplification(f: F) -> f64 {
    f.amplifications().map_or(f64::INFINITY, |amplifications| amplifications.mean)
}

/// Amplification of a two-dimensional algorithm.
#[must_use]
pub fn amplification_2d(alg: Nested) -> f64 {
    amplification(alg.rows) * amplification(alg.cols)
}

#[expect(clippy::cast_precision_loss, reason = "counts of terms, far below 2^53")]
fn count(n: usize) -> f64 {
    n as f64
}

/// Expected relative L2 error on independent normal data in f32, channels summed one after the
/// other.
///
/// A sum of n terms has partial sums of variance 1, 2, .. n, each rounded with a relative deviation
/// of 0.42 u: relative error `0.42 u sqrt(n / 2)`. Here that is a sum over the channels, in each
/// product, plus the transforms' own few roundings, all grown by the amplification: `0.42 u amp
/// sqrt(channels / 2 + 3.5 * dimensions that are no identity)`.
#[must_use]
pub fn expected_error(alg: Nested, channels: usize) -> f64 {
    let transformed = [alg.rows, alg.cols].into_iter().filter(|f| !f.is_identity()).count();
    let steps = count(channels) / 2.0 + TRANSFORM_STEPS * count(transformed);
    RMS_ROUNDING * UNIT_ROUNDOFF_F32 * amplification_2d(alg) * steps.sqrt()
}

/// [`expected_error`] where the data are `max(0, x)` of normal ones, as most layers of a network read them. Their mean and what
/// varies around it grow apart: with the mean's part of 1 / pi, `amp^2 = (1 - 1 / pi) amp_normal^2 + amp_mean^2 / pi`.
///
/// It depends on how often kernels round, as [`expected_error`] hardly does.
#[must_use]
pub fn expected_error_after_relu(alg: Nested, channels: usize, rounding: Rounding) -> f64 {
    let transformed = [alg.rows, alg.cols].into_iter().filter(|f| !f.is_identity()).count();
    let (excess, transform_steps) = match rounding {
        Rounding::Separate => (ROUNDED_TWICE, TRANSFORM_STEPS_AFTER_RELU),
        Rounding::Fused => (1.0, TRANSFORM_STEPS_AFTER_RELU),
        Rounding::FusedAndWeightsOnce => (1.0, TRANSFORM_STEPS),
    };
    let steps = count(channels) / 2.0 + transform_steps * count(transformed);
    excess * RMS_ROUNDING * UNIT_ROUNDOFF_F32 * amplification_after_relu(alg) * steps.sqrt()
}

/// [`amplification_2d`] of such data.
fn amplification_after_relu(alg: Nested) -> f64 {
    let [varying, mean] =
        [amplification_2d(alg), mean_amplification(alg.rows) * mean_amplification(alg.cols)].map(|x| x * x);
    ((1.0 - MEAN_AFTER_RELU) * varying + MEAN_AFTER_RELU * mean).sqrt()
}

/// What matrix units make of a product of two f32.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Halves {
    /// One product of factors with 11 bits each.
    One,
    /// Three products of halves, sums of a step of channels by themselves and then added to those before.
    Three,
}

/// Relative L2 error of a sum over a step of 32 channels where each product is three of halves: of the halves themselves, and of a
/// unit's sums, which it truncates. H200, 2026-11-30: 1.24e-7 at 512 channels; lavapipe's emulation 1.2e-7 at 40 and 70.
const THREE_PRODUCTS: f64 = 1.25e-7;
/// Channels of a step.
const UNIT_STEP: usize = 32;

/// [`expected_error`] and [`expected_error_after_relu`] where the product is by matrix units.
///
/// With one product each factor's rounding to 11 bits outweighs everything else: `0.42 * 2^-11 * sqrt(2)` times the amplification. With
/// three an error of a step stands in its place, and the sum over steps.
#[must_use]
pub fn expected_error_by_units(alg: Nested, channels: usize, halves: Halves, after_relu: bool) -> f64 {
    let transformed = [alg.rows, alg.cols].into_iter().filter(|f| !f.is_identity()).count();
    let (amplification, transform_steps) = match after_relu {
        false => (amplification_2d(alg), TRANSFORM_STEPS),
        true => (amplification_after_relu(alg), TRANSFORM_STEPS_AFTER_RELU),
    };
    let rounded = |steps: f64| RMS_ROUNDING * UNIT_ROUNDOFF_F32 * steps.sqrt();
    let product = match halves {
        Halves::One => RMS_ROUNDING * UNIT_ROUNDOFF_F16 * std::f64::consts::SQRT_2,
        Halves::Three => THREE_PRODUCTS.hypot(rounded(count(channels.div_ceil(UNIT_STEP)) / 2.0)),
    };
    amplification * product.hypot(rounded(transform_steps * count(transformed)))
}

/// [`roundings`] where the product is by matrix units. Shaders may round to either neighbour, so a half has a relative error of at
/// most 2^-10, and a low half one of 2^-21 of the whole. A unit is taken to truncate each of the 17 terms that it adds at a time
/// below 2^-23 of the largest: 34 unit roundoffs for each 16 channels. Values below 2^-29 of the largest one in a block of U or V have an
/// absolute error instead, of at most 2^-39 of that one, which is not in the bound.
#[must_use]
pub fn roundings_by_units(alg: Nested, channels: usize, halves: Halves) -> u32 {
    let steps = |of: usize| u32::try_from(channels.div_ceil(of)).unwrap_or(u32::MAX);
    let products = match halves {
        Halves::One => (2_u32 << 14).saturating_add(steps(16).saturating_mul(34)),
        // Halves and what is dropped, two turns of a unit, and as much for the products with low halves.
        Halves::Three => 24 + 2 * 34 + 12 + steps(UNIT_STEP),
    };
    roundings(alg, 1).saturating_add(products)
}

/// [`expected_error_direct`] on such data: half the terms are 0, and adding them rounds nothing.
#[must_use]
pub fn expected_error_direct_after_relu(terms: usize) -> f64 {
    expected_error_direct(terms) * std::f64::consts::FRAC_1_SQRT_2
}

/// Expected relative L2 error of direct convolution in f32, `terms = C * R * S` summed one after
/// the other: `0.42 u sqrt(terms / 2)`.
#[must_use]
pub fn expected_error_direct(terms: usize) -> f64 {
    RMS_ROUNDING * UNIT_ROUNDOFF_F32 * (count(terms) / 2.0).sqrt()
}

/// Expected relative L2 error from storing the transformed weights (U) and data (V) with the given
/// unit roundoffs, on top of [`expected_error`] (add the squares): `0.42 amp sqrt(u_weights^2 +
/// u_data^2)`, however many channels. Zero for what is never stored. Rounding the inputs and the
/// output themselves is not in it.
#[must_use]
pub fn expected_storage_error(alg: Nested, unit_roundoff_weights: f64, unit_roundoff_data: f64) -> f64 {
    RMS_ROUNDING * amplification_2d(alg) * unit_roundoff_weights.hypot(unit_roundoff_data)
}

/// Expected relative L2 error of one rounding to a type with this unit roundoff, as of an output that is stored: `0.42 u`.
#[must_use]
pub fn expected_rounding_error(unit_roundoff: f64) -> f64 {
    RMS_ROUNDING * unit_roundoff
}

/// The absolute matrices of an algorithm's three programs ([`super::Program::abs_matrix`]), row by
/// row.
#[derive(Clone, Debug, PartialEq)]
pub struct AbsTransforms {
    /// |A|^T, m x products.
    pub a_t: Vec<f64>,
    /// |G|, products x r.
    pub g: Vec<f64>,
    /// |B|^T, products x span.
    pub b_t: Vec<f64>,
}

/// The absolute matrices for the componentwise bound.
///
/// # Errors
/// As [`F::programs`].
pub fn abs_transforms(f: F) -> Result<AbsTransforms, WinogradError> {
    let programs = f.programs()?;
    Ok(AbsTransforms {
        a_t: programs.output.abs_matrix()?.to_f64(),
        g: programs.filter.abs_matrix()?.to_f64(),
        b_t: programs.input.abs_matrix()?.to_f64(),
    })
}

/// The k of [`gamma`]: the most f32 roundings between a weight or an input and an output. Both
/// transforms in both dimensions, the product, the channel sum in whatever order, the output
/// transform in both dimensions; saturates.
#[must_use]
pub fn roundings(alg: Nested, channels: usize) -> u32 {
    let transforms =
        |f: F| f.programs().map_or(u32::MAX, |p| p.input.depth().saturating_add(p.filter.depth() + p.output.depth()));
    // The product rounds once and is then part of at most `channels - 1` sums.
    let products = u32::try_from(channels).unwrap_or(u32::MAX).max(1);
    transforms(alg.rows).saturating_add(transforms(alg.cols)).saturating_add(products)
}

/// What [`roundings`] grows by where the output transform is one sum over the points, as its Kronecker product has it,
/// and not two programs: a coefficient and an addition for each term of the longest row.
#[must_use]
pub fn kronecker_roundings(alg: Nested) -> u32 {
    let terms = |f: F| {
        let row = |row: &[Rational]| row.iter().filter(|a| !a.is_zero()).count();
        f.transform().ok().and_then(|transform| transform.a_t.iter_rows().map(row).max())
    };
    let longest = terms(alg.rows).zip(terms(alg.cols)).and_then(|(rows, cols)| u32::try_from(rows * cols).ok());
    longest.unwrap_or(u32::MAX)
}

/// `k u / (1 - k u)` for the unit roundoff u of f32: bounds `|(1 + delta_1) .. (1 + delta_k) - 1|`
/// (Higham 2002, lemma 3.1). Infinite from `k u = 1`, where the lemma says nothing.
#[must_use]
pub fn gamma(k: u32) -> f64 {
    let ku = f64::from(k) * UNIT_ROUNDOFF_F32;
    if ku < 1.0 { ku / (1.0 - ku) } else { f64::INFINITY }
}

/// The componentwise bound with every input and weight at its largest: no output of f32 data within
/// `max_abs_input` and `max_abs_weight` is further from the exact result.
#[must_use]
pub fn worst_case_bound(alg: Nested, channels: usize, max_abs_input: f64, max_abs_weight: f64) -> f64 {
    let magnitude = magnitude(alg.rows) * magnitude(alg.cols);
    gamma(roundings(alg, channels)) * magnitude * count(channels) * max_abs_input * max_abs_weight
}

/// `max over outputs o of sum over products p of |A|[o,p] * (sum of row p of |G|) * (sum of row p
/// of |B|^T)`: the largest output of the absolute algorithm on ones. It is r for direct
/// convolution.
fn magnitude(f: F) -> f64 {
    let Ok(abs) = abs_transforms(f) else {
        return f64::INFINITY;
    };
    let row_sums =
        |entries: &[f64], cols: usize| -> Vec<f64> { entries.chunks_exact(cols).map(|row| row.iter().sum()).collect() };
    let (g, b) = (row_sums(&abs.g, usize::from(f.r())), row_sums(&abs.b_t, f.span()));
    let output = |a: &[f64]| a.iter().zip(&g).zip(&b).map(|((a, g), b)| a * g * b).sum::<f64>();
    abs.a_t.chunks_exact(f.products()).map(output).fold(0.0, f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_close(found: f64, expected: f64, tolerance: f64, what: impl std::fmt::Display) {
        let off = (found / expected - 1.0).abs();
        assert!(off <= tolerance, "{what}: {found} is not {expected}");
    }

    /// Squares, i.e. two-dimensional amplifications, of the numerics study, sections 3.2 and
    /// 3.4.
    #[test]
    fn amplifications_are_the_studied_ones() {
        let table = [
            (F::new(2, 3), 1.67),
            (F::new(3, 3), 2.62),
            (F::new(4, 3), 4.78),
            (F::new(5, 3), 9.5),
            (F::new(6, 3), 20.6),
            (F::new(8, 3), 113.0),
            (F::new(2, 5), 5.39),
            (F::new(4, 5), 19.1),
            (F::new(6, 5), 95.5),
            (F::new(2, 7), 24.8),
            (F::new(4, 7), 101.0),
            (F::quadratic(4, 3), 1.83),
            (F::quadratic(6, 3), 2.90),
            (F::textbook(3, 3), 6.0),
            (F::textbook(4, 3), 10.8),
            (F::textbook(8, 3), 1562.0),
            (F::textbook(2, 5), 12.3),
            (F::textbook(4, 7), 1340.0),
            (F::new(1, 3), 1.0),
            (F::new(4, 1), 1.0),
        ];
        for (f, expected) in table {
            assert_close(amplification_2d(Nested::square(f)), expected, 0.02, f);
        }
        let mixed = amplification_2d(Nested::new(F::quadratic(6, 3), F::quadratic(4, 3)));
        assert_close(mixed, 2.31, 0.02, "6qx4q");
    }

    /// The numerics study, sections 3.1, 3.2 and 3.4: direct errors, and factors over them, for
    /// C = 8, 64, 256, 512.
    #[test]
    fn expected_errors_are_the_simulated_ones() {
        const CHANNELS: [usize; 4] = [8, 64, 256, 512];
        let direct = |r: u8| match r {
            3 => [1.5e-7, 4.3e-7, 8.5e-7, 1.2e-6],
            5 => [2.5e-7, 7.0e-7, 1.43e-6, 2.0e-6],
            _ => [3.5e-7, 1.0e-6, 1.95e-6, 2.9e-6],
        };
        for r in [3, 5, 7] {
            for (channels, expected) in CHANNELS.into_iter().zip(direct(r)) {
                assert_close(expected_error_direct(channels * usize::from(r * r)), expected, 0.06, r);
            }
        }
        let table = [
            (F::new(2, 3), [0.89, 0.59, 0.57, 0.57]),
            (F::new(3, 3), [1.52, 0.96, 0.92, 0.89]),
            (F::new(4, 3), [2.63, 1.74, 1.66, 1.61]),
            (F::textbook(4, 3), [5.4, 3.8, 3.7, 3.75]),
            (F::new(5, 3), [5.1, 3.5, 3.25, 3.2]),
            (F::new(6, 3), [11.4, 7.7, 6.9, 7.0]),
            (F::quadratic(4, 3), [1.06, 0.68, 0.63, 0.62]),
            (F::quadratic(6, 3), [1.75, 1.10, 1.00, 1.00]),
            (F::new(2, 5), [1.82, 1.23, 1.10, 1.10]),
            (F::new(4, 5), [6.7, 4.2, 3.9, 3.9]),
            (F::new(2, 7), [6.4, 4.0, 3.7, 3.6]),
        ];
        for (f, factors) in table {
            for ((channels, direct), factor) in CHANNELS.into_iter().zip(direct(f.r())).zip(factors) {
                assert_close(expected_error(Nested::square(f), channels), direct * factor, 0.25, f);
            }
        }
    }

    /// What lavapipe had after a ReLU, over a sequential f32 sum (2026-11-24; seed1 and seed2, 64 and 112 rows, 28 rows).
    #[test]
    fn errors_after_a_relu_are_the_measured_ones() {
        let [f2, f3, f4] = [F::new(2, 3), F::new(3, 3), F::new(4, 3)].map(Nested::square);
        let [f4q, f6q] = [F::quadratic(4, 3), F::quadratic(6, 3)].map(Nested::square);
        let tall = Nested::new(F::new(4, 3), F::new(2, 3));
        let measured: [(Nested, &[(usize, f64)]); 6] = [
            (f2, &[(64, 0.77), (128, 0.74), (256, 0.71), (512, 0.71)]),
            (f3, &[(8, 2.17), (16, 1.61), (64, 1.27), (128, 1.17), (256, 1.13), (512, 1.10)]),
            (f4, &[(32, 2.55), (64, 2.23), (128, 2.07), (256, 2.03), (512, 1.96)]),
            (tall, &[(64, 1.32), (128, 1.22), (256, 1.20), (512, 1.14)]),
            (f4q, &[(64, 0.87), (128, 0.82), (256, 0.80), (512, 0.79)]),
            (f6q, &[(64, 1.38), (128, 1.25), (256, 1.20), (512, 1.19)]),
        ];
        for (alg, ratios) in measured {
            for &(channels, ratio) in ratios {
                let expected = expected_error_after_relu(alg, channels, Rounding::Separate)
                    / expected_error_direct_after_relu(9 * channels);
                let off = expected / ratio - 1.0;
                assert!((-0.03..0.11).contains(&off), "{alg}, {channels} channels: {expected} is not {ratio}");
            }
        }
    }

    /// An H100, F(4x4,3x3), images of 28 x 28 and more: channels, channels of a sum, error over direct summation's.
    #[test]
    fn fused_errors_after_a_relu_are_the_measured_ones() {
        let measured = [
            (64, 64, 2.07),
            (128, 128, 2.06),
            (256, 256, 1.93),
            (512, 512, 1.98),
            (64, 32, 1.62),
            (128, 64, 1.54),
            (256, 128, 1.41),
            (512, 256, 1.42),
        ];
        for (channels, sum, ratio) in measured {
            let expected = expected_error_after_relu(Nested::square(F::new(4, 3)), sum, Rounding::Fused)
                / expected_error_direct_after_relu(9 * channels);
            let off = expected / ratio - 1.0;
            assert!((-0.035..0.08).contains(&off), "{channels} channels, sums of {sum}: {expected} is not {ratio}");
        }
    }

    /// The CPU's kernels, sums of 32 channels added up: channels, rows that round like them, and errors over direct
    /// summation's, means of 4 seeds.
    #[test]
    fn errors_on_a_processor_after_a_relu_are_the_measured_ones() {
        let [f2, f3, f4, f5] = [2, 3, 4, 5].map(|m| Nested::square(F::new(m, 3)));
        let [f4q, f6q] = [4, 6].map(|m| Nested::square(F::quadratic(m, 3)));
        let tall = Nested::new(F::new(4, 3), F::new(2, 3));
        let measured = [
            (8, 8, [0.98, 1.61, 1.13, 1.52, 1.73, 2.67, 5.05]),
            (16, 16, [0.86, 1.43, 0.99, 1.36, 1.52, 2.41, 4.72]),
            (32, 32, [0.78, 1.29, 0.88, 1.22, 1.35, 2.16, 4.25]),
            (48, 34, [0.62, 1.04, 0.72, 0.98, 1.09, 1.75, 3.48]),
            (64, 34, [0.58, 0.96, 0.66, 0.90, 0.99, 1.62, 3.16]),
            (128, 36, [0.43, 0.72, 0.49, 0.67, 0.73, 1.21, 2.35]),
            (256, 40, [0.31, 0.51, 0.35, 0.48, 0.53, 0.85, 1.68]),
            (512, 48, [0.245, 0.41, 0.276, 0.38, 0.41, 0.67, 1.33]),
        ];
        for (channels, rows, ratios) in measured {
            for (alg, ratio) in [f2, tall, f4q, f3, f6q, f4, f5].into_iter().zip(ratios) {
                let expected = expected_error_after_relu(alg, rows, Rounding::FusedAndWeightsOnce)
                    / expected_error_direct_after_relu(9 * channels);
                let off = expected / ratio - 1.0;
                let over = if channels < 16 { 0.23 } else { 0.14 };
                assert!((-0.06..over).contains(&off), "{alg}, {channels} channels: {expected} is not {ratio}");
            }
        }
    }

    /// A constant is transformed exactly where 1 is a point: all of it goes into one product.
    #[test]
    fn a_mean_grows_by_the_sums_of_rows() {
        assert_close(mean_amplification(F::new(1, 1)), 1.0, 1e-12, "nothing is transformed");
        // F(2,3): B^T's rows sum to 0, 2, 0, 0; G's row of the point 1 is (1/2, 1/2, 1/2), A's column (1, 1).
        let expected = (2.0 * 0.75 * 4.0 / (2.0 * 3.0f64)).sqrt();
        assert_close(mean_amplification(F::new(2, 3)), expected, 1e-12, "F(2,3)");
    }

    /// The numerics study, section 3.3; the published numbers include an output rounding of
    /// 2.1e-4.
    #[test]
    fn storage_errors_are_the_simulated_ones() {
        let table = [(F::new(2, 3), 5.2e-4), (F::new(4, 3), 1.42e-3), (F::quadratic(6, 3), 8.6e-4)];
        for (f, expected) in table {
            let stored = expected_storage_error(Nested::square(f), UNIT_ROUNDOFF_F16, UNIT_ROUNDOFF_F16);
            assert_close(stored.hypot(2.1e-4), expected, 0.05, f);
        }
    }

    #[test]
    fn roundings_count_every_stage() {
        // The inner product: no transform rounds but the sum of the three products, in both
        // dimensions.
        assert_eq!(roundings(Nested::square(F::new(1, 3)), 8), 2 + 2 + 8);
        assert_eq!(roundings(Nested::square(F::new(1, 1)), 1), 1);
        // F(2,3): B^T 1, G 2 (halves are exact), A^T 2.
        assert_eq!(roundings(Nested::square(F::new(2, 3)), 64), 2 * (1 + 2 + 2) + 64);
        assert_eq!(UNIT_ROUNDOFF_F32.to_bits(), 2_f64.powi(-24).to_bits());
        assert!(gamma(1) > UNIT_ROUNDOFF_F32 && gamma(1 << 24).is_infinite() && gamma(0) == 0.0);
    }

    #[test]
    fn bound_of_direct_convolution_is_the_usual_one() {
        let bound = worst_case_bound(Nested::square(F::new(1, 1)), 100, 2.0, 3.0);
        assert_close(bound, gamma(100) * 600.0, 1e-12, "1x1");
    }

    #[test]
    fn what_does_not_exist_is_infinitely_wrong() {
        for f in [F::new(0, 3), F::new(200, 200)] {
            let alg = Nested::square(f);
            assert!(amplification(f).is_infinite() && expected_error(alg, 1).is_infinite());
            assert!(worst_case_bound(alg, 1, 1.0, 1.0).is_infinite());
            assert!(roundings(alg, 1) == u32::MAX && abs_transforms(f).is_err());
        }
    }
}
