//! The recipe of docs/TRAINING.md, step by step: every gradient of a layer against differences of the loss in f64.
#![cfg(feature = "gpu")]

use crate::support::data::Random;
use crate::support::gpus::on_one_gpu;
use winoconv::cpu::Reference;
use winoconv::{Activation, Conv, Device, Kept, Layer, Layout, Preferences, Problem, Weights};

/// A layer's operands, any of which may be moved.
#[derive(Clone)]
struct Operands {
    input: Vec<f32>,
    weights: Vec<f32>,
    bias: Vec<f32>,
    slopes: Vec<f32>,
}

/// The loss in f64: a weighted sum of the outputs.
fn loss(problem: &Problem, of: &Operands, factors: &[f32]) -> f64 {
    let Operands { input, weights, bias, slopes } = of;
    let reference = Reference { problem, input, weights, bias, slopes, residual: &[] };
    (0..reference.len()).map(|index| f64::from(factors[reference.position(index)]) * reference.at(index)).sum()
}

/// Each element of an operand moved both ways.
fn differences(
    problem: &Problem,
    of: &Operands,
    factors: &[f32],
    operand: fn(&mut Operands) -> &mut Vec<f32>,
) -> Vec<f64> {
    const STEP: f32 = 1.0 / 65536.0;
    let len = operand(&mut of.clone()).len();
    let moved = |at: usize, by: f32| {
        let mut moved = of.clone();
        let element = &mut operand(&mut moved)[at];
        *element += by;
        let to = f64::from(*element);
        (loss(problem, &moved, factors), to)
    };
    let difference = |at: usize| {
        let ((above, high), (below, low)) = (moved(at, STEP), moved(at, -STEP));
        (above - below) / (high - low)
    };
    (0..len).map(difference).collect()
}

fn assert_close(got: &[f32], expected: &[f64], what: &str) {
    assert_eq!(got.len(), expected.len(), "{what}");
    let largest = expected.iter().fold(0.0f64, |largest, x| largest.max(x.abs()));
    for (at, (&got, expected)) in got.iter().zip(expected).enumerate() {
        // A difference is off by the square of its step; those that step across a corner by more, but the seed has none.
        assert!((f64::from(got) - expected).abs() < 1e-4 * largest, "{what}, {at}: {got}, expected {expected}");
    }
}

fn check(device: &Device, label: &str) {
    for (i, activation) in Activation::ALL.into_iter().enumerate() {
        let layout = if i % 2 == 0 { Layout::ChannelsFirst } else { Layout::ChannelsLast };
        let conv = Conv::new(2, 3, [3, 3]).stride([1, 2]).padding(1).bias(true).activation(activation).layout(layout);
        let shape = [2, 2, 5, 6];
        let problem = conv.on(shape).expect("legal");
        let mut random = Random::new(4);
        #[expect(clippy::cast_possible_truncation, reason = "rounded to f32")]
        let mut values =
            |len: usize, scale: f64| (0..len).map(|_| (scale * random.normal()) as f32).collect::<Vec<_>>();
        let of = Operands {
            input: values(problem.input_len(), 1.0),
            weights: values(conv.weights_len(), 0.3),
            bias: values(3, 0.3),
            slopes: values(if activation.has_slopes() { 3 } else { 0 }, 0.5),
        };
        let factors = values(problem.output_len(), 1.0);
        let what = |gradient: &str| format!("{label}, {activation}: gradient of the {gradient}");

        // Forward, with what the activation keeps.
        let layer = |conv: Conv| {
            let mut weights = Weights::new(&of.weights).bias(&of.bias);
            if conv.activation.has_slopes() {
                weights = weights.slopes(&of.slopes);
            }
            Layer::new_blocking(device, conv, weights, Preferences::new()).expect("a layer")
        };
        let whole = layer(conv);
        let kept = match activation.kept() {
            Kept::Output => whole.run_blocking(shape, &of.input),
            Kept::Sum => layer(conv.activation(Activation::None)).run_blocking(shape, &of.input),
        };
        let kept = kept.expect("a run").data;

        // Backward: the gradient of the outputs is the factors.
        let before = whole.activation_gradient_blocking(shape, &kept, &factors).expect("a run").data;
        let bias = whole.bias_gradient_blocking(shape, &before).expect("a run").data;
        let weights = whole.weight_gradient_blocking(shape, &of.input, &before).expect("a run").data;
        let input = whole.input_gradient_blocking(shape, &before).expect("a run").data;
        assert_close(&bias, &differences(&problem, &of, &factors, |of| &mut of.bias), &what("bias"));
        assert_close(&weights, &differences(&problem, &of, &factors, |of| &mut of.weights), &what("weights"));
        assert_close(&input, &differences(&problem, &of, &factors, |of| &mut of.input), &what("input"));
        if activation.has_slopes() {
            let slopes = whole.slope_gradient_blocking(shape, &kept, &factors).expect("a run").data;
            assert_close(&slopes, &differences(&problem, &of, &factors, |of| &mut of.slopes), &what("slopes"));
        }
    }
}

#[test]
fn gradients_are_differences_of_the_loss_on_the_processor() {
    check(&Device::cpu(), "CPU");
}

#[test]
fn gradients_are_differences_of_the_loss_on_a_gpu() {
    on_one_gpu("gradients_are_differences_of_the_loss_on_a_gpu", |gpu| check(&gpu.device(), &gpu.label));
}
