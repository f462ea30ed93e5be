//! Deterministic data, and a problem together with its operands, its exact result and its bound.
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "random numbers and small sizes may lose bits"
)]

use winoconv::cpu::{Reference, Sample, error_bound, error_bound_at};
use winoconv::{Algorithm, DType, Device, Inputs, Layer, Operation, Preferences, Problem, Residual, Weights};

/// `SplitMix64`: the same numbers on every machine.
pub(crate) struct Random(u64);

impl Random {
    /// A sequence of its own for each seed.
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// 64 random bits.
    pub(crate) const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// One of `0..bound`.
    pub(crate) const fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    /// Uniform in (0, 1).
    pub(crate) fn uniform(&mut self) -> f64 {
        ((self.next() >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    }

    /// Normal with deviation 1, by Box and Muller.
    pub(crate) fn normal(&mut self) -> f64 {
        let radius = (-2.0 * self.uniform().ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }

    /// 1 or -1.
    pub(crate) const fn sign(&mut self) -> f64 {
        if self.next() & 1 == 0 { 1.0 } else { -1.0 }
    }
}

/// What the numbers are like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Data {
    /// Input N(0, 1), weights N(0, 1) / (3 sqrt C): what networks see.
    Normal,
    /// Integers from -2 to 2: every sum is exact, and so are the transforms with dyadic matrices.
    Integer,
    /// Any sign, magnitudes from 2^-12 to 2^12; from 2^-3 to 2^3 where more would be beyond f16.
    Wide,
    /// Nearly equal magnitudes with alternating signs, so that sums cancel.
    Cancelling,
}

/// A problem with its operands.
pub(crate) struct Case {
    /// The problem.
    pub(crate) problem: Problem,
    /// [`Problem::source`]
    pub(crate) input: Vec<f32>,
    /// [`Problem::factor`]
    pub(crate) weights: Vec<f32>,
    /// K elements, or none.
    pub(crate) bias: Vec<f32>,
    /// K elements, or none.
    pub(crate) slopes: Vec<f32>,
    /// Elements like the output's, or none.
    pub(crate) residual: Vec<f32>,
}

impl Case {
    /// Random operands for a problem, as they are stored.
    pub(crate) fn new(problem: Problem, data: Data, seed: u64) -> Self {
        let mut random = Random::new(seed);
        let conv = problem.conv();
        let deviation = 1.0 / (3.0 * (problem.channels_per_group() as f64).sqrt());
        let narrow = conv.dtype == DType::F16;
        let mut values = |len: usize, scale: f64| -> Vec<f32> {
            let value = |i: usize| match data {
                Data::Normal => scale * random.normal(),
                Data::Integer => random.below(5) as f64 - 2.0,
                Data::Wide => random.sign() * ((random.uniform() - 0.5) * if narrow { 6.0 } else { 24.0 }).exp2(),
                Data::Cancelling => {
                    let sign = if i.is_multiple_of(2) { 1.0 } else { -1.0 };
                    sign * if narrow { 2.0 + random.uniform() / 16.0 } else { 1000.0 + random.uniform() }
                }
            };
            (0..len).map(value).map(|x| x as f32).collect()
        };
        let input = values(problem.input_len(), 1.0);
        let weights = values(problem.weights_len(), deviation);
        let bias = values(if conv.bias { conv.filters } else { 0 }, 1.0);
        let slopes = values(if conv.activation.has_slopes() { conv.filters } else { 0 }, 0.5);
        let residual = values(if conv.residual == Residual::None { 0 } else { problem.output_len() }, 1.0);
        let stored = |values: Vec<f32>| values.into_iter().map(|value| conv.dtype.rounded(value)).collect();
        let [input, weights, residual] = [input, weights, residual].map(stored);
        Self { problem, input, weights, bias, slopes, residual }
    }

    /// The exact result.
    pub(crate) fn reference(&self) -> Reference<'_> {
        let Self { problem, input, weights, bias, slopes, residual } = self;
        Reference { problem, input, weights, bias, slopes, residual }
    }

    /// A layer of the problem's convolution. For an operation that does not read the weights, they are NaN.
    pub(crate) fn layer(&self, device: &Device, preferences: Preferences) -> winoconv::Result<Layer> {
        let unread = vec![f32::NAN; self.problem.conv().weights_len()];
        let reads_weights = matches!(self.problem.operation(), Operation::Forward | Operation::InputGradient);
        let weights = if reads_weights { self.operands() } else { self.weights_as(&unread) };
        Layer::new_blocking(device, self.problem.conv(), weights, preferences)
    }

    /// What a run reads; a residual in place is what the output holds.
    pub(crate) fn inputs(&self) -> Inputs<'_> {
        let mut inputs = Inputs::new(&self.input);
        if self.problem.conv().residual == Residual::Tensor {
            inputs = inputs.residual(&self.residual);
        }
        if self.reads_gradient() {
            inputs = inputs.gradient(&self.weights);
        }
        inputs
    }

    /// Whether the factor is the output's gradient.
    pub(crate) fn reads_gradient(&self) -> bool {
        use Operation::{ActivationGradient, SlopeGradient, WeightGradient};
        matches!(self.problem.operation(), WeightGradient | ActivationGradient | SlopeGradient)
    }

    /// Memory as the output has it before a run: a residual in place, or NaN.
    pub(crate) fn before(&self) -> Vec<f32> {
        match self.problem.conv().residual {
            Residual::InPlace => self.residual.clone(),
            _ => vec![f32::NAN; self.problem.output_len()],
        }
    }

    /// The results, in the order of their shape, from memory.
    pub(crate) fn gather(&self, memory: &[f32]) -> Vec<f32> {
        let reference = self.reference();
        (0..reference.len()).map(|index| memory[reference.position(index)]).collect()
    }

    /// The operands as a layer takes them.
    pub(crate) fn operands(&self) -> Weights<'_> {
        self.weights_as(&self.weights)
    }

    fn weights_as<'a>(&'a self, weights: &'a [f32]) -> Weights<'a> {
        let mut weights = Weights::new(weights);
        if self.problem.conv().bias {
            weights = weights.bias(&self.bias);
        }
        if self.problem.conv().activation.has_slopes() {
            weights = weights.slopes(&self.slopes);
        }
        weights
    }

    /// The bound on each output of an algorithm.
    pub(crate) fn bound(&self, algorithm: Algorithm) -> Vec<f64> {
        error_bound(&self.reference(), algorithm).unwrap_or_else(|error| panic!("bound of {algorithm}: {error}"))
    }
}

/// Outputs to compare with: all, or under Miri a few, since it takes a second for the bound of one.
pub(crate) fn expected(case: &Case) -> Vec<Sample> {
    case.reference().sample(if cfg!(miri) { 4 } else { usize::MAX })
}

/// Fails unless every output was written, and those expected are within the algorithm's bound.
pub(crate) fn assert_expected(case: &Case, memory: &[f32], expected: &[Sample], algorithm: Algorithm, what: &str) {
    let indices: Vec<usize> = expected.iter().map(|sample| sample.index).collect();
    let bound = error_bound_at(&case.reference(), algorithm, &indices);
    let got: Vec<f32> = expected.iter().map(|sample| memory[sample.position]).collect();
    let exact: Vec<f64> = expected.iter().map(|sample| sample.value).collect();
    assert_within(&got, &exact, &bound.unwrap_or_else(|error| panic!("{what}: {error}")), what);
    assert!(case.gather(memory).iter().all(|x| x.is_finite()), "{what}: an output that was not written");
}

/// The largest error in parts of its bound, and where it is; NaN counts as infinitely wrong.
pub(crate) fn worst_ratio(got: &[f32], exact: &[f64], bound: &[f64]) -> (f64, usize) {
    assert_eq!((got.len(), bound.len()), (exact.len(), exact.len()), "as many results and bounds as outputs");
    let ratio = |i: usize| {
        let error = (f64::from(got[i]) - exact[i]).abs();
        if error.is_nan() {
            f64::INFINITY
        } else if error == 0.0 {
            0.0
        } else {
            error / bound[i]
        }
    };
    (0..got.len()).map(|i| (ratio(i), i)).fold((0.0, 0), |worst, next| if next.0 > worst.0 { next } else { worst })
}

/// Fails if an output is further from the exact one than its bound; returns the worst error in parts of its bound.
pub(crate) fn assert_within(got: &[f32], exact: &[f64], bound: &[f64], what: &str) -> f64 {
    let (ratio, at) = worst_ratio(got, exact, bound);
    assert!(
        ratio <= 1.0,
        "{what}: output {at} of {} is {}, expected {} within {:e} ({ratio:.2} times the bound)",
        got.len(),
        got[at],
        exact[at],
        bound[at],
    );
    ratio
}

/// Fails unless every output is exactly the expected number; the sign of a zero is free.
pub(crate) fn assert_exact(got: &[f32], exact: &[f64], what: &str) {
    assert_eq!(got.len(), exact.len(), "{what}: length");
    let bits = |x: f32| (x + 0.0).to_bits();
    let wrong = got.iter().zip(exact).position(|(&got, &exact)| bits(got) != bits(exact as f32));
    if let Some(at) = wrong {
        panic!("{what}: output {at} is {}, expected exactly {}", got[at], exact[at]);
    }
}
