//! Data to measure on: never zeros, which hide unwritten outputs and can run faster than real data.

use winoconv::Problem;

/// A seeded generator of normal numbers: `SplitMix64` and the polar form of Box and Muller's method.
struct Normal {
    state: u64,
    spare: Option<f32>,
}

impl Normal {
    fn uniform(&mut self) -> f64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^= z >> 31;
        // The upper 53 bits, between -1 and 1.
        (z >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    }

    fn next(&mut self) -> f32 {
        if let Some(spare) = self.spare.take() {
            return spare;
        }
        loop {
            let (x, y) = (self.uniform(), self.uniform());
            let square = x * x + y * y;
            if square > 0.0 && square < 1.0 {
                let factor = (-2.0 * square.ln() / square).sqrt();
                self.spare = Some((y * factor) as f32);
                return (x * factor) as f32;
            }
        }
    }
}

/// Input and weights of a problem.
#[derive(Debug)]
pub(crate) struct Data {
    /// N(0, 1), or its absolute value.
    pub input: Vec<f32>,
    /// N(0, 1) / (3 sqrt C).
    pub weights: Vec<f32>,
}

impl Data {
    /// Data for a problem, the same at every call.
    pub(crate) fn new(problem: &Problem) -> Self {
        let mut normal = Normal { state: 0x5EED, spare: None };
        let scale = 1.0 / (3.0 * (problem.conv.channels as f32).sqrt());
        let input = (0..problem.input_len()).map(|_| normal.next()).collect();
        let weights = (0..problem.conv.weights_len()).map(|_| normal.next() * scale).collect();
        Self { input, weights }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normal_numbers_have_mean_0_and_variance_1() {
        let mut normal = Normal { state: 1, spare: None };
        let values: Vec<f64> = (0..100_000).map(|_| f64::from(normal.next())).collect();
        let mean = values.iter().sum::<f64>() / 1e5;
        let variance = values.iter().map(|x| x * x).sum::<f64>() / 1e5;
        assert!(mean.abs() < 0.02 && (variance - 1.0).abs() < 0.02, "mean {mean}, variance {variance}");
    }
}
