//! Data to tune on: normal, never zeros, which hide unwritten outputs and can run faster than real data.

use crate::conv::Residual;
use crate::problem::Problem;

/// The number of different values before they repeat. A prime, so that rows and images begin at different ones.
const PERIOD: usize = 65_521;

/// The operands of a problem.
pub(super) struct Data {
    /// N(0, 1).
    pub(super) input: Vec<f32>,
    /// N(0, 1) / (3 sqrt C).
    pub(super) weights: Vec<f32>,
    /// N(0, 1), or none.
    pub(super) bias: Vec<f32>,
    /// N(0, 1), or none.
    pub(super) slopes: Vec<f32>,
    /// N(0, 1), or none.
    pub(super) residual: Vec<f32>,
}

impl Data {
    /// The same at every call.
    pub(super) fn new(problem: &Problem) -> Self {
        let conv = &problem.conv;
        let mut state = 0x5EED;
        let values: Vec<f32> = (0..PERIOD).map(|_| normal(&mut state)).collect();
        let of = |len: usize, first: usize| values.iter().copied().cycle().skip(first).take(len);
        // What is stored in less precision is rounded, so that results are judged by what was read.
        let stored = |x: f32| conv.dtype.rounded(x);
        #[expect(clippy::cast_precision_loss, reason = "a scale")]
        let scale = 1.0 / (3.0 * (problem.channels_per_group() as f32).sqrt());
        Self {
            input: of(problem.input_len(), 0).map(stored).collect(),
            weights: of(problem.weights_len(), 1).map(|x| stored(scale * x)).collect(),
            bias: of(if conv.bias { conv.filters } else { 0 }, 2).collect(),
            slopes: of(if conv.activation.has_slopes() { conv.filters } else { 0 }, 3).collect(),
            residual: of(if conv.residual == Residual::Tensor { problem.output_len() } else { 0 }, 4)
                .map(stored)
                .collect(),
        }
    }
}

/// A normal number, by Box and Muller from `SplitMix64`.
fn normal(state: &mut u64) -> f32 {
    let radius = (-2.0 * uniform(state).ln()).sqrt();
    #[expect(clippy::cast_possible_truncation, reason = "rounded")]
    let value = (radius * (std::f64::consts::TAU * uniform(state)).cos()) as f32;
    value
}

/// Between 0 and 1, and neither.
fn uniform(state: &mut u64) -> f64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^= z >> 31;
    #[expect(clippy::cast_precision_loss, reason = "the upper 53 bits")]
    let value = ((z >> 11) as f64 + 0.5) / (1_u64 << 53) as f64;
    value
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conv::Conv;

    #[test]
    fn numbers_are_normal_and_of_the_right_length() {
        let problem = Conv::new(4, 6, [3, 3]).bias(true).on([1, 4, 150, 150]).expect("legal");
        let data = Data::new(&problem);
        let lens = [data.input.len(), data.weights.len(), data.bias.len(), data.slopes.len()];
        assert_eq!(lens, [90_000, 216, 6, 0]);
        let values: Vec<f64> = data.input.iter().copied().map(f64::from).collect();
        let mean = values.iter().sum::<f64>() / 9e4;
        let variance = values.iter().map(|x| x * x).sum::<f64>() / 9e4;
        assert!(mean.abs() < 0.02 && (variance - 1.0).abs() < 0.02, "mean {mean}, variance {variance}");
        let weights = data.weights.iter().map(|&x| f64::from(x * x)).sum::<f64>() / 216.0;
        assert!((weights * 36.0 - 1.0).abs() < 0.3, "variance {weights}, expected 1 / (9 C)");
    }
}
