//! Every legal problem runs: random problems of every kind, from one element to tensors beyond any device, by plan alone. Under
//! the default preferences there is a plan on WebGPU's default limits, with 16-bit floats in shaders and without, and on the
//! CPU with any number of threads; unless a tensor itself is larger than a buffer, and then the refusal names the limit.

use std::time::Instant;

use crate::support::data::Random;
use winoconv::caps::{Caps, Limits};
use winoconv::error::{Error, Remedy, Resource};
use winoconv::{
    Activation, Border, Conv, DType, Layout, Operation, Padding, Plan, Preferences, Problem, Residual, Shape, Spatial,
    View,
};

/// From 1 to `most`, small numbers as often as large ones.
fn number(random: &mut Random, most: usize) -> usize {
    let bits = (random.uniform() * (most as f64 + 1.0).log2()).exp2();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 1 and `most`")]
    let number = bits as usize;
    number.clamp(1, most)
}

/// A problem, if what was drawn makes sense and its elements are within the reach of an index.
fn draw(random: &mut Random) -> Result<Problem, Error> {
    let rank = 1 + random.below(3);
    let one_in = |random: &mut Random, count: usize| random.below(count) == 0;
    // Of tensors that are large because of their channels, or because of their images.
    let most_channels = [8, 512, 1 << 20, 30_000_000][random.below(4)];
    let most_size = [40, 3_000, 10_000_000][random.below(3)];
    let groups = if one_in(random, 3) { number(random, most_channels) } else { 1 };
    let depthwise = groups > 1 && one_in(random, 2);
    let of_group = |random: &mut Random| if depthwise { 1 } else { number(random, most_channels / groups + 1) };
    let (c, k) = (groups * of_group(random), groups * of_group(random));
    let most_kernel = if one_in(random, 4) { 5_000 } else { 7 };
    let by_axis = |random: &mut Random, most: usize| {
        let all: Vec<usize> = (0..rank).map(|_| number(random, most)).collect();
        Spatial::from_slice(&all).expect("1 to 3")
    };
    let kernel = by_axis(random, most_kernel);
    let (most_stride, most_dilation) =
        (if one_in(random, 4) { 5_000 } else { 4 }, if one_in(random, 6) { 300 } else { 3 });
    let (stride, dilation) = (by_axis(random, most_stride), by_axis(random, most_dilation));
    let padding = match random.below(4) {
        0 => Padding::SameUpper,
        1 => Padding::from(0),
        _ => Padding::sides(by_axis(random, most_kernel), by_axis(random, most_kernel)),
    };
    let transposed = one_in(random, 4);
    let border =
        if transposed || !one_in(random, 4) { Border::Zero } else { Border::ALL[random.below(Border::ALL.len())] };
    let activation = [Activation::None, Activation::Relu, Activation::PRelu][random.below(3)];
    let mut conv = Conv::new(c, k, kernel)
        .groups(groups)
        .stride(stride)
        .dilation(dilation)
        .padding(padding)
        .border(border)
        .bias(one_in(random, 2))
        .residual(Residual::ALL[random.below(Residual::ALL.len())])
        .activation(activation)
        .dtype(if one_in(random, 2) { DType::F16 } else { DType::F32 })
        .layout(Layout::ALL[random.below(2)])
        .weights_layout(Layout::ALL[random.below(2)]);
    if transposed {
        conv = conv.transposed(0);
    }
    let shape = Shape::new(number(random, 64), c, by_axis(random, most_size));
    let mut problem = conv.on(shape)?;
    if one_in(random, 6) {
        let shape = problem.of_output().shape;
        problem = problem.with_output_view(View::channels(shape, conv.layout, 1, shape[1] + 2)?)?;
    }
    match random.below(4) {
        0 => problem.input_gradient(),
        1 => problem.weight_gradient(),
        _ => Ok(problem),
    }
}

/// Whether a tensor is larger than a buffer may be.
fn is_beyond(problem: &Problem, limits: &Limits) -> bool {
    let conv = &problem.conv();
    let per_filter = if conv.bias || conv.activation.has_slopes() { 4 * conv.filters as u64 } else { 0 };
    let operands = [problem.input_len(), problem.weights_len()].map(|len| conv.dtype.bytes(len));
    let result = problem.result_type().bytes(problem.output_len());
    operands.into_iter().chain([result, per_filter]).any(|bytes| bytes > limits.max_buffer_size)
}

#[test]
fn every_legal_problem_has_a_plan() {
    let start = Instant::now();
    let mut random = Random::new(20);
    let (mut legal, mut planned, mut beyond) = (0, 0, 0);
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(1_000);
    while legal < cases {
        let problem = match draw(&mut random) {
            Ok(problem) => problem,
            Err(Error::Shape(_) | Error::Unsupported { .. }) => continue,
            Err(Error::Limit(error)) => {
                assert!(matches!(error.resource, Resource::IndexRange | Resource::Phases), "{error}");
                assert!(error.remedy().is_some(), "{error}");
                continue;
            }
            Err(other) => panic!("{other}"),
        };
        legal += 1;
        let threads = number(&mut random, 256);
        let (gpu, host) = (Caps::webgpu_default(), Caps { threads, ..Caps::cpu() });
        for caps in [Caps { f16: true, ..gpu.clone() }, gpu, host] {
            let what = format!("case {legal}, {problem} on {caps}, {} threads", caps.threads);
            let begun = Instant::now();
            match (Plan::new(&problem, &caps, &Preferences::new()), is_beyond(&problem, &caps.limits)) {
                (Ok(plan), false) => {
                    assert!(plan.workspace_bytes() <= Preferences::DEFAULT_WORKSPACE, "{what}: {plan}");
                    let twins = plan.twins();
                    assert!(twins.is_none() || problem.operation() == Operation::WeightGradient, "{what}: {twins:?}");
                    planned += 1;
                }
                (Err(Error::NoPlan(error)), true) => {
                    let names =
                        |remedy: &Remedy| matches!(remedy, Remedy::RequestLimit { limit: "max_buffer_size", .. });
                    assert!(error.remedies.iter().any(names), "{what}: {error}");
                    beyond += 1;
                }
                (Ok(_), true) => panic!("{what}: a tensor is larger than a buffer"),
                (Err(error), _) => panic!("{what}: {error:#}"),
            }
            let took = begun.elapsed();
            assert!(took.as_secs() < 20, "{what}: {took:?}");
        }
    }
    println!("{planned} plans, {beyond} with a tensor beyond a buffer, in {:?}", start.elapsed());
    assert!(planned > cases, "{planned} plans, {beyond} beyond: too little to check");
}
