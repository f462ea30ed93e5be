//! A result against the f64 reference: no time is taken of what is wrong.

use winoconv::cpu::{Reference, Sample};
use winoconv::plan;
use winoconv::winograd::error_bound;
use winoconv::{Algorithm, Problem};

use super::data::Data;

/// At most so many products go into a reference; larger layers are sampled.
const MAX_PRODUCTS: usize = 40_000_000;
/// At least so many outputs are compared, or all.
const MIN_OUTPUTS: usize = 1000;
/// A result is right if its relative L2 error is at most so many times the expected one.
const EXPECTED_TIMES: f64 = 8.0;

/// An input with the exact outputs.
pub(crate) struct Trial {
    /// Input and weights.
    pub data: Data,
    /// The outputs.
    pub truth: Truth,
}

/// What a result is verified on: two kinds of input with the same weights.
pub(crate) struct Trials {
    /// Normal numbers; times are taken on them.
    pub normal: Trial,
    /// The same after a ReLU.
    pub relu: Trial,
}

impl Trials {
    /// The trials of a problem, the same at every call.
    pub(crate) fn new(problem: &Problem) -> Self {
        let trial = |data: Data| Trial { truth: Truth::new(problem, &data), data };
        let data = Data::new(problem);
        let rectified = data.rectified();
        std::thread::scope(|scope| {
            let relu = scope.spawn(|| trial(rectified));
            let normal = trial(data);
            let relu = relu.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            Self { normal, relu }
        })
    }
}

/// The exact values of a layer's outputs, or of a sample of them.
pub(crate) struct Truth {
    sample: Vec<Sample>,
    direct: f64,
    max_input: f64,
    max_weight: f64,
}

/// How far a result is from the truth.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Errors {
    /// Relative L2.
    pub rel_l2: f64,
    /// Largest absolute error.
    pub max_abs: f64,
    /// No output may be further off than this, whatever the data between the same largest values.
    pub bound: f64,
    /// Relative L2 that a sequential sum in f32 has at the same outputs.
    pub direct: f64,
    /// Whether both errors are within what is expected and allowed.
    pub verified: bool,
}

impl Truth {
    /// The truth of a problem.
    pub(crate) fn new(problem: &Problem, data: &Data) -> Self {
        let reference =
            Reference { problem, input: &data.input, weights: &data.weights, bias: &[], slopes: &[], residual: &[] };
        let count = (MAX_PRODUCTS / problem.terms().max(1)).max(MIN_OUTPUTS);
        let max = |values: &[f32]| values.iter().fold(0.0f32, |max, x| max.max(x.abs())).into();
        let sample = reference.sample(count);
        let sums = sample.iter().map(|sample| (f64::from(reference.sequential(sample.index)), sample.value));
        let direct = rel_l2(sums);
        Self { sample, direct, max_input: max(&data.input), max_weight: max(&data.weights) }
    }

    /// Compares a result.
    pub(crate) fn compare(&self, problem: &Problem, algorithm: Algorithm, expected: f64, output: &[f32]) -> Errors {
        let pairs = || self.sample.iter().map(|sample| (f64::from(output[sample.position]), sample.value));
        let rel_l2 = rel_l2(pairs());
        // A NaN makes no maximum.
        let complete = pairs().all(|(got, exact)| (got - exact).is_finite());
        let max_abs = pairs().map(|(got, exact)| (got - exact).abs()).fold(0.0, f64::max);
        let bound = self.bound(problem, algorithm);
        let verified = complete && rel_l2 <= EXPECTED_TIMES * expected && max_abs <= bound;
        Errors { rel_l2, max_abs, bound, direct: self.direct, verified }
    }

    fn bound(&self, problem: &Problem, algorithm: Algorithm) -> f64 {
        match algorithm.transform() {
            Some(nested) => {
                let channels = problem.channels_per_group();
                let usual = error_bound::worst_case_bound(nested, channels, self.max_input, self.max_weight);
                let roundings = [plan::roundings(problem, algorithm), error_bound::roundings(nested, channels)];
                let [own, programs] = roundings.map(error_bound::gamma);
                // The exhibit rounds more often than the programs of its transforms.
                if own > programs { usual * (own / programs) } else { usual }
            }
            None => {
                let terms = problem.terms();
                let gamma = error_bound::gamma(u32::try_from(terms + 1).unwrap_or(u32::MAX));
                gamma * terms as f64 * self.max_input * self.max_weight
            }
        }
    }
}

/// Relative L2 error of values, each with the exact one.
pub(crate) fn rel_l2(pairs: impl Iterator<Item = (f64, f64)>) -> f64 {
    let (error, size) = pairs
        .fold((0.0, 0.0), |(error, size), (got, exact)| (error + (got - exact) * (got - exact), size + exact * exact));
    (error / size).sqrt()
}

#[cfg(test)]
mod tests {
    use winoconv::Conv;

    use super::*;

    #[test]
    fn each_kind_of_input_has_a_truth_of_its_own() {
        let problem = Conv::new(2, 2, [3, 3]).padding(1).on([1, 2, 8, 8]).expect("legal");
        let Trials { normal, relu } = Trials::new(&problem);
        for (trial, other) in [(&normal, &relu), (&relu, &normal)] {
            let exact = |truth: &Truth| -> Vec<f32> { truth.sample.iter().map(|sample| sample.value as f32).collect() };
            let compare = |output: &[f32]| trial.truth.compare(&problem, Algorithm::Direct, 1e-7, output).verified;
            assert!(compare(&exact(&trial.truth)) && !compare(&exact(&other.truth)));
        }
        assert!(relu.data.input.iter().all(|&x| x >= 0.0) && normal.data.input.iter().any(|&x| x < 0.0));
    }

    #[test]
    fn a_wrong_output_is_not_verified() {
        let problem = Conv::new(2, 2, [3, 3]).padding(1).on([1, 2, 8, 8]).expect("legal");
        let data = Data::new(&problem);
        let truth = Truth::new(&problem, &data);
        let mut output: Vec<f32> = truth.sample.iter().map(|sample| sample.value as f32).collect();
        let errors = truth.compare(&problem, Algorithm::Direct, 1e-7, &output);
        assert!(errors.verified, "the truth");
        assert!(errors.rel_l2 < errors.direct && errors.direct < 3e-7, "rounded once, and 18 times: {errors:?}");
        output[77] += 1e-3;
        assert!(!truth.compare(&problem, Algorithm::Direct, 1e-7, &output).verified, "one value off");
        output[77] = f32::NAN;
        assert!(!truth.compare(&problem, Algorithm::Direct, 1e-7, &output).verified, "not a number");
    }
}
