//! Activations of special values: NaN, infinities, zeros, subnormals and the largest numbers. The right values are written
//! down here; they are those of PyTorch, whose definitions they follow from.
#![cfg(feature = "gpu")]

mod support;

use support::gpus::on_gpus;
use support::problems::{forced, one_of_each_kind};
use winoconv::{Activation, Conv, DType, Device, Layer, Weights};

const NAN: f32 = f32::NAN;
const INF: f32 = f32::INFINITY;
const MAX: f32 = f32::MAX;
const TINY: f32 = f32::MIN_POSITIVE;
/// A subnormal number. A device may take it for zero.
const SUB: f32 = 1e-40;

/// What the functions are applied to.
const X: [f32; 17] =
    [NAN, INF, -INF, 3e38, -3e38, MAX, -MAX, 1e20, -1e20, 1e4, -1e4, 0.0, -0.0, TINY, -TINY, SUB, -SUB];

const SLOPE: f32 = 0.25;

/// Each activation with its values at [`X`]. At negative infinity SiLU and both forms of GELU are `-inf * 0`, which is
/// NaN.
const TABLE: [(Activation, [f32; 17]); 12] = {
    let near_zero = [0.0, 0.0, TINY, -TINY, SUB, -SUB];
    // The first eleven values, then those near zero.
    const fn all(far: [f32; 11], near: [f32; 6]) -> [f32; 17] {
        let [a, b, c, d, e, f, g, h, i, j, k] = far;
        let [l, m, n, o, p, q] = near;
        [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q]
    }
    let halved = [0.0, 0.0, TINY / 2.0, -TINY / 2.0, SUB / 2.0, -SUB / 2.0];
    let positive = [0.0, 0.0, TINY, 0.0, SUB, 0.0];
    let gated = all([NAN, INF, NAN, 3e38, 0.0, MAX, 0.0, 1e20, 0.0, 1e4, 0.0], halved);
    let leaky = all(
        [NAN, INF, -INF, 3e38, -3e38 * SLOPE, MAX, -MAX * SLOPE, 1e20, -1e20 * SLOPE, 1e4, -1e4 * SLOPE],
        [0.0, 0.0, TINY, -TINY * SLOPE, SUB, -SUB * SLOPE],
    );
    [
        (Activation::None, X),
        (Activation::Relu, all([NAN, INF, 0.0, 3e38, 0.0, MAX, 0.0, 1e20, 0.0, 1e4, 0.0], positive)),
        (Activation::LeakyRelu { slope: SLOPE }, leaky),
        (
            Activation::LeakyRelu { slope: 0.0 },
            all([NAN, INF, NAN, 3e38, 0.0, MAX, 0.0, 1e20, 0.0, 1e4, 0.0], positive),
        ),
        (Activation::PRelu, leaky),
        (
            Activation::Clamp { low: 0.0, high: 6.0 },
            all([NAN, 6.0, 0.0, 6.0, 0.0, 6.0, 0.0, 6.0, 0.0, 6.0, 0.0], positive),
        ),
        (
            Activation::Clamp { low: -1.0, high: INF },
            all([NAN, INF, -1.0, 3e38, -1.0, MAX, -1.0, 1e20, -1.0, 1e4, -1.0], near_zero),
        ),
        (Activation::Sigmoid, all([NAN, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0], [0.5; 6])),
        (Activation::Tanh, all([NAN, 1.0, -1.0, 1.0, -1.0, 1.0, -1.0, 1.0, -1.0, 1.0, -1.0], near_zero)),
        (Activation::Silu, gated),
        (Activation::Gelu, gated),
        (Activation::GeluTanh, gated),
    ]
};

/// Whether `got` is the value at x, as it is stored: infinities, zeros and limits exactly; near zero but for what a device's
/// own function may be off; a subnormal number may be zero; all others but for a rounding or two.
fn is_value(got: f32, activation: Activation, x: f32, expected: f32, dtype: DType) -> bool {
    let stored = dtype.rounded(expected);
    if stored.is_nan() || stored.is_infinite() {
        return got.is_nan() == stored.is_nan() && (stored.is_nan() || got == stored);
    }
    let (got, expected) = (f64::from(got), f64::from(expected));
    if x.abs() <= TINY {
        return (got - expected).abs() <= activation.evaluation_error(x.into()) + f64::from(TINY);
    }
    let relative = if [1.0, -1.0, 6.0].contains(&expected) { 0.0 } else { 4.0 * dtype.unit_roundoff() };
    (got - expected).abs() <= relative * expected.abs()
}

#[test]
fn the_reference_has_the_values() {
    for (activation, values) in TABLE {
        for (x, expected) in X.into_iter().zip(values) {
            #[expect(clippy::cast_possible_truncation, reason = "rounding to f32")]
            let got = activation.apply(x.into(), SLOPE.into()) as f32;
            assert!(
                is_value(got, activation, x, expected, DType::F32),
                "{activation} of {x:e} is {got:e}, expected {expected:e}"
            );
        }
    }
}

/// All values as the sums of a convolution: the input is zero, and each filter's bias is one of them. So every kernel that
/// writes outputs gets them, whatever its algorithm. Each activation takes one algorithm, two of them one of each kind.
fn check(device: &Device, label: &str) {
    let mut failures = Vec::new();
    for (activation, values) in TABLE {
        let full = matches!(activation, Activation::Relu | Activation::Silu);
        for (groups, dtype) in [(1, DType::F32), (1, DType::F16), (X.len(), DType::F32)] {
            let conv = Conv::new(2 * groups, X.len(), [3, 3]).groups(groups).padding(1).bias(true);
            let conv = conv.activation(activation).dtype(dtype);
            let problem = conv.on([1, 2 * groups, 5, 6]).expect("legal");
            let weights = vec![1.0; conv.weights_len()];
            let slopes = [SLOPE; X.len()];
            let mut given = Weights::new(&weights).bias(&X);
            if activation.has_slopes() {
                given = given.slopes(&slopes);
            }
            let kinds = if full && (groups, dtype) == (1, DType::F32) { 9 } else { 1 };
            for algorithm in one_of_each_kind(&problem, device).into_iter().take(kinds) {
                let layer = Layer::new_blocking(device, conv, given, forced(algorithm)).expect("legal");
                let input = vec![0.0; problem.input_len()];
                let output = layer.run_blocking(problem.input_shape(), &input).expect("a run").data;
                for ((outputs, x), expected) in output.chunks(output.len() / X.len()).zip(X).zip(values) {
                    let found = outputs.iter().find(|&&got| !is_value(got, activation, x, expected, dtype));
                    failures.extend(found.map(|got| {
                        format!(
                            "{label}, {algorithm}, {dtype}: {activation} of {x:e} is {got:e}, expected {expected:e}"
                        )
                    }));
                }
            }
        }
    }
    assert!(failures.is_empty(), "{}:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn the_processor_has_the_values() {
    check(&Device::host(), "CPU");
}

#[test]
fn gpus_have_the_values() {
    on_gpus("gpus_have_the_values", |gpu| check(&gpu.device(), &gpu.label));
}
