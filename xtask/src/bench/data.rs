//! Data to measure on: normal, and as a ReLU leaves it. Times are taken on the normal kind, since zeros can run faster.

use winoconv::Problem;

/// A seeded generator of normal numbers: `SplitMix64` and the polar form of Box and Muller's method.
pub(crate) struct Normal {
    state: u64,
    spare: Option<f32>,
}

impl Normal {
    /// The same numbers for each seed.
    pub(crate) const fn new(seed: u64) -> Self {
        Self { state: seed, spare: None }
    }

    fn uniform(&mut self) -> f64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^= z >> 31;
        // The upper 53 bits, between -1 and 1.
        (z >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    }

    /// The next number.
    pub(crate) fn next(&mut self) -> f32 {
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
#[derive(Debug, Clone)]
pub(crate) struct Data {
    /// N(0, 1), or what a ReLU leaves of it.
    pub input: Vec<f32>,
    /// N(0, 1) / (3 sqrt C).
    pub weights: Vec<f32>,
}

impl Data {
    /// Data for a problem, the same at every call.
    pub(crate) fn new(problem: &Problem) -> Self {
        let mut normal = Normal::new(0x5EED);
        let scale = 1.0 / (3.0 * (problem.conv().channels as f32).sqrt());
        let input = (0..problem.input_len()).map(|_| normal.next()).collect();
        let weights = (0..problem.conv().weights_len()).map(|_| normal.next() * scale).collect();
        Self { input, weights }
    }

    /// The same kind of data for a problem of any size: so many different values, again and again. Their number is a prime,
    /// so that rows and images begin at different ones.
    pub(crate) fn repeated(problem: &Problem) -> Self {
        const PERIOD: usize = 65_521;
        let mut normal = Normal { state: 0x5EED, spare: None };
        let values: Vec<f32> = (0..PERIOD).map(|_| normal.next()).collect();
        let scale = 1.0 / (3.0 * (problem.channels_per_group() as f32).sqrt());
        let input = values.iter().copied().cycle().take(problem.input_len()).collect();
        let weights = (0..problem.weights_len()).map(|_| normal.next() * scale).collect();
        Self { input, weights }
    }

    /// The same data after a ReLU: `max(0, x)`, what most layers of a network read. Its mean is not 0, and half of it is.
    pub(crate) fn rectified(&self) -> Self {
        Self { input: self.input.iter().map(|x| x.max(0.0)).collect(), weights: self.weights.clone() }
    }
}

#[cfg(test)]
mod tests {
    use winoconv::Conv;

    use super::*;

    #[test]
    fn rectified_data_have_no_sign_and_the_mean_of_half_a_normal() {
        let problem = Conv::new(1, 1, [3, 3]).on([1, 1, 300, 300]).expect("legal");
        let data = Data::new(&problem);
        let rectified = data.rectified();
        let mean = rectified.input.iter().map(|&x| f64::from(x)).sum::<f64>() / problem.input_len() as f64;
        assert!((mean - (0.5 / std::f64::consts::PI).sqrt()).abs() < 0.02, "{mean}");
        assert!(data.input.iter().zip(&rectified.input).all(|(x, y)| if *x < 0.0 { *y == 0.0 } else { x == y }));
        assert_eq!(data.weights, rectified.weights);
    }

    #[test]
    fn normal_numbers_have_mean_0_and_variance_1() {
        let mut normal = Normal::new(1);
        let values: Vec<f64> = (0..100_000).map(|_| f64::from(normal.next())).collect();
        let mean = values.iter().sum::<f64>() / 1e5;
        let variance = values.iter().map(|x| x * x).sum::<f64>() / 1e5;
        assert!(mean.abs() < 0.02 && (variance - 1.0).abs() < 0.02, "mean {mean}, variance {variance}");
    }
}
