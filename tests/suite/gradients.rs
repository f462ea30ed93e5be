//! Gradients against what they are by definition: differences of the convolution itself, and its adjoint.
#![cfg(feature = "gpu")]

use crate::support::data::{Case, Data};
use crate::support::strategies::{Space, problems};
use proptest::prelude::*;
use proptest::test_runner::{RngSeed, TestRunner};
use winoconv::cpu::Reference;
use winoconv::{Activation, Border, Conv, Device, Layer, Operation, Padding, Preferences, Problem, Residual, Weights};

const SPACE: Space = Space { kernels: &[1, 2, 3, 4, 5], extra: 5, everything: true };

fn runner(cases: u32) -> TestRunner {
    TestRunner::new(ProptestConfig {
        cases,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(3),
        ..Default::default()
    })
}

/// The convolution behind a problem, linear: without what its end adds, and with dense tensors.
fn linear(problem: &Problem) -> Problem {
    let conv = Conv { bias: false, residual: Residual::None, activation: Activation::None, ..problem.conv() };
    conv.on(problem.of_input().shape).expect("legal")
}

fn reference<'a>(problem: &'a Problem, input: &'a [f32], weights: &'a [f32]) -> Reference<'a> {
    Reference { problem, input, weights, bias: &[], slopes: &[], residual: &[] }
}

/// Results in memory's order, for tensors without gaps.
fn in_memory(of: &Reference<'_>) -> Vec<f64> {
    let mut memory = vec![0.0; of.len()];
    for index in 0..of.len() {
        memory[of.position(index)] = of.at(index);
    }
    memory
}

fn dot(a: &[f64], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * f64::from(*b)).sum()
}

fn sizes(a: &[f64], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a * f64::from(*b)).abs()).sum()
}

/// `<y, conv(x, w)>`, `<input gradient(y, w), x>` and `<weight gradient(x, y), w>` are one number.
#[test]
fn gradients_are_the_adjoints() {
    let strategy = (problems(SPACE, Just(Activation::None)), any::<u64>());
    let checked = runner(600).run(&strategy, |(problem, seed)| {
        let problem = linear(&problem);
        let of_weights = problem.weight_gradient().expect("always");
        let (x, w) = {
            let case = Case::new(problem, Data::Normal, seed);
            (case.input, case.weights)
        };
        let y = Case::new(of_weights, Data::Normal, seed ^ 7).weights;
        let forward = in_memory(&reference(&problem, &x, &w));
        let scale = sizes(&forward, &y).max(1.0);
        let expected = dot(&forward, &y);
        let mut numbers = vec![dot(&in_memory(&reference(&of_weights, &x, &y)), &w)];
        if problem.conv().border == Border::Zero {
            let of_input = problem.input_gradient().expect("zero border");
            numbers.push(dot(&in_memory(&reference(&of_input, &y, &w)), &x));
        }
        for number in numbers {
            prop_assert!((number - expected).abs() <= 1e-9 * scale, "{problem}: {number}, expected {expected}");
        }
        Ok(())
    });
    checked.unwrap_or_else(|error| panic!("{error}"));
}

/// The convolution is linear in each of its operands, so that a difference quotient is the derivative whatever the step: the
/// loss is `<y, conv(x, w)>`, its derivatives are the gradients' elements.
#[test]
fn gradients_are_finite_differences() {
    const STEP: f32 = 0.5;
    let strategy = (problems(SPACE, Just(Activation::None)), any::<u64>());
    let checked = runner(200).run(&strategy, |(problem, seed)| {
        let problem = linear(&problem);
        if problem.output_len() == 0 {
            return Ok(());
        }
        let of_weights = problem.weight_gradient().expect("always");
        let case = Case::new(problem, Data::Normal, seed);
        let y = Case::new(of_weights, Data::Normal, seed ^ 7).weights;
        let loss = |x: &[f32], w: &[f32]| dot(&in_memory(&reference(&problem, x, w)), &y);
        let difference = |operand: &[f32], at: usize, loss: &dyn Fn(&[f32]) -> f64| {
            let moved = |by: f32| {
                let mut moved = operand.to_vec();
                moved[at] += by;
                (loss(&moved), f64::from(moved[at]))
            };
            let ((above, high), (below, low)) = (moved(STEP), moved(-STEP));
            (above - below) / (high - low)
        };
        let gradient = in_memory(&reference(&of_weights, &case.input, &y));
        for at in (0..case.weights.len()).step_by(case.weights.len().div_ceil(5)) {
            let found = difference(&case.weights, at, &|w| loss(&case.input, w));
            prop_assert!((found - gradient[at]).abs() <= 1e-7 * gradient[at].abs().max(1.0), "{problem}: weight {at}");
        }
        if problem.conv().border != Border::Zero {
            return Ok(());
        }
        let of_input = problem.input_gradient().expect("zero border");
        let gradient = in_memory(&reference(&of_input, &y, &case.weights));
        for at in (0..case.input.len()).step_by(case.input.len().div_ceil(5)) {
            let found = difference(&case.input, at, &|x| loss(x, &case.weights));
            prop_assert!((found - gradient[at]).abs() <= 1e-7 * gradient[at].abs().max(1.0), "{problem}: input {at}");
        }
        Ok(())
    });
    checked.unwrap_or_else(|error| panic!("{error}"));
}

/// A convolution's input gradient is the transposed convolution with the same weights, and the reverse.
#[test]
fn an_input_gradient_is_the_transposed_convolution() {
    let conv = Conv::new(4, 6, [3, 2]).groups(2).stride([2, 1]).dilation([1, 2]).padding([1, 2]);
    let problem = conv.on([2, 4, 8, 7]).expect("legal");
    // The size of input that is meant, of those that give this output.
    let extra = [(8 + 2 - 3) % 2, 0];
    let transposed = Conv { channels: 6, filters: 4, ..conv }.transposed(extra);
    let back = transposed.on(problem.output_shape()).expect("legal");
    assert_eq!(back.output_shape(), problem.input_shape());
    let gradient = Case::new(problem.input_gradient().expect("zero border"), Data::Normal, 3);
    let device = Device::cpu();
    let layer = |conv, weights| Layer::new_blocking(&device, conv, Weights::new(weights), Preferences::new());
    let of_conv = layer(conv, &gradient.weights).expect("a layer");
    let of_transposed = layer(transposed, &gradient.weights).expect("a layer");
    let by_gradient = of_conv.input_gradient_blocking([2, 4, 8, 7], &gradient.input).expect("a run");
    let by_transposed = of_transposed.run_blocking(problem.output_shape(), &gradient.input).expect("a run");
    assert_eq!(by_gradient.data, by_transposed.data, "bit by bit: the same correlations");
    assert_eq!(by_gradient.shape, by_transposed.shape);
    let forward = of_conv.run_blocking([2, 4, 8, 7], &by_gradient.data).expect("a run");
    let again = of_transposed.input_gradient_blocking(problem.output_shape(), &by_gradient.data).expect("a run");
    assert_eq!(forward.data, again.data, "the transposed convolution's gradient is the convolution");
    assert_eq!(back.input_gradient().expect("zero border").operation(), Operation::InputGradient);
}

/// Which taps an input's gradient takes for an element depends on the padding, and with `SAME_UPPER` that on the size: a layer
/// that has served one size is as good as a new one for another.
#[test]
fn a_layer_serves_gradients_of_any_size() {
    let conv = Conv::new(6, 5, [3, 3]).stride(2).padding(Padding::SameUpper);
    let values = |len: usize| -> Vec<f32> { (0..len).map(|i| (i * 37 % 101) as f32 - 50.0).collect() };
    let weights = values(conv.weights_len());
    let device = Device::cpu();
    for algorithm in ["direct", "implicit_gemm"] {
        let preferences = Preferences::new().algorithm(algorithm.parse().expect("an algorithm"));
        let new = || Layer::new_blocking(&device, conv, Weights::new(&weights), preferences).expect("legal");
        let layer = new();
        for size in [9usize, 8, 1, 7] {
            let gradient = values(5 * size.div_ceil(2) * size.div_ceil(2));
            let of = |layer: &Layer| layer.input_gradient_blocking([1, 6, size, size], &gradient).expect("legal").data;
            assert_eq!(of(&layer), of(&new()), "{algorithm}, {size} x {size}");
        }
    }
}
