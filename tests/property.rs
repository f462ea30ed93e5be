//! Properties over the whole space of attributes: every legal algorithm against the f64 reference, linearity, and
//! that a shifted input has a shifted output. `PROPTEST_CASES` sets the number of cases, `PROPTEST_RNG_SEED` other
//! cases than the usual ones.
#![cfg(feature = "gpu")]

mod support;

use std::time::{Duration, Instant};

use proptest::prelude::*;
use proptest::test_runner::{RngSeed, TestRunner};
use support::data::{Case, Data, worst_ratio};
use support::entry::EntryPoint;
use support::gpus::on_one_gpu;
use winoconv::plan::{Reason, Verdict};
use winoconv::winograd::{F, Nested};
use winoconv::{Activation, Algorithm, Conv, Device, Layer, Padding, Preferences, Problem, Tolerance};

/// How long the GPU is tried with random problems: compiling takes most of it on a software adapter.
const GPU_BUDGET: Duration = Duration::from_secs(20);

/// The same cases in each run, unless asked otherwise.
fn runner(cases: Option<u32>) -> TestRunner {
    let mut config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    if config.rng_seed == RngSeed::Random {
        config.rng_seed = RngSeed::Fixed(1);
    }
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = cases.unwrap_or(config.cases);
    }
    TestRunner::new(config)
}

fn activations() -> impl Strategy<Value = Activation> {
    prop_oneof![
        4 => Just(Activation::None),
        1 => Just(Activation::Relu),
        1 => (-2.0f32..2.0).prop_map(|slope| Activation::LeakyRelu { slope }),
        1 => Just(Activation::PRelu),
        1 => (-2.0f32..0.0, 0.0f32..2.0).prop_map(|(low, high)| Activation::Clamp { low, high }),
        1 => Just(Activation::Sigmoid),
        1 => Just(Activation::Tanh),
        1 => Just(Activation::Silu),
        1 => Just(Activation::Gelu),
        1 => Just(Activation::GeluTanh),
    ]
}

fn data() -> impl Strategy<Value = Data> {
    prop_oneof![Just(Data::Normal), Just(Data::Integer), Just(Data::Wide), Just(Data::Cancelling)]
}

/// Problems of these filters; the input is at least as large as the filter needs it, and up to `extra` larger.
fn problems(
    kernels: &'static [[usize; 2]],
    activations: impl Strategy<Value = Activation>,
    extra: usize,
) -> impl Strategy<Value = Problem> {
    let steps = || prop_oneof![3 => Just([1, 1]), 1 => (1..4usize, 1..4usize).prop_map(|(y, x)| [y, x])];
    let channels = (1..4usize, 1..6usize, 1..7usize);
    let padding = (0..5usize, 0..5usize, 0..5usize, 0..5usize);
    let size = (0..4usize, 0..=extra, 0..=extra);
    let kernel = proptest::sample::select(kernels);
    (kernel, channels, steps(), steps(), padding, size, any::<bool>(), activations).prop_map(
        |(kernel, (groups, c, k), stride, dilation, (top, bottom, left, right), (n, y, x), bias, activation)| {
            let conv = Conv::new(groups * c, groups * k, kernel)
                .groups(groups)
                .stride(stride)
                .dilation(dilation)
                .padding(Padding { top, bottom, left, right })
                .bias(bias)
                .activation(activation);
            let span = |axis: usize| dilation[axis] * (kernel[axis] - 1) + 1;
            let h = span(0).saturating_sub(top + bottom).max(1) + y;
            let w = span(1).saturating_sub(left + right).max(1) + x;
            conv.on([n, groups * c, h, w]).unwrap_or_else(|error| panic!("{conv:?} on {h}x{w}: {error}"))
        },
    )
}

const ALL_KERNELS: &[[usize; 2]] =
    &[[3, 3], [3, 3], [3, 3], [1, 1], [1, 3], [3, 1], [5, 5], [7, 7], [2, 2], [4, 3], [3, 5]];

fn run(device: &Device, case: &Case, algorithm: Algorithm, entry: EntryPoint) -> Result<Vec<f32>, TestCaseError> {
    let preferences = Preferences::new().tolerance(Tolerance::Any).algorithm(algorithm);
    let layer = Layer::new_blocking(device, case.problem.conv, case.operands(), preferences);
    let layer = layer.map_err(|error| TestCaseError::fail(error.to_string()))?;
    Ok(entry.run(&layer, case, &format!("{}, {algorithm}", case.problem)))
}

fn within(got: &[f32], exact: &[f64], bound: &[f64], what: &str) -> Result<(), TestCaseError> {
    let (ratio, at) = worst_ratio(got, exact, bound);
    if ratio <= 1.0 {
        return Ok(());
    }
    let (got, exact, bound) = (got[at], exact[at], bound[at]);
    Err(TestCaseError::fail(format!("{what}: output {at} is {got}, expected {exact} within {bound:e}")))
}

/// The algorithms that the planner does not refuse as inapplicable.
fn legal(problem: &Problem, device: &Device) -> Result<Vec<Algorithm>, TestCaseError> {
    let plan = problem.plan(device, &Preferences::new().tolerance(Tolerance::Any));
    let plan = plan.map_err(|error| TestCaseError::fail(error.to_string()))?;
    let applies = |verdict: &Verdict| !matches!(verdict, Verdict::Rejected(Reason::Inapplicable(_)));
    Ok(plan.candidates.iter().filter(|c| applies(&c.verdict)).map(|c| c.algorithm).collect())
}

#[test]
fn every_legal_algorithm_is_within_its_bound_on_the_host() {
    let strategy = (problems(ALL_KERNELS, activations(), 10), data(), any::<u64>());
    let checked = runner(None).run(&strategy, |(problem, data, seed)| {
        let device = Device::host();
        let case = Case::new(problem, data, seed);
        let exact = case.reference().all();
        for algorithm in legal(&problem, &device)? {
            let got = run(&device, &case, algorithm, EntryPoint::Run)?;
            within(&got, &exact, &case.bound(algorithm), &format!("{problem}, {data:?}, {algorithm}"))?;
        }
        Ok(())
    });
    checked.unwrap_or_else(|error| panic!("{error}"));
}

/// Multiples of 1/256 below 2^8 in magnitude, so that sums of a few are exact.
fn coarse(values: &mut [f32]) {
    for value in values {
        *value = (*value * 256.0).round().clamp(-65536.0, 65536.0) / 256.0;
    }
}

#[test]
fn convolution_is_linear_in_its_input() {
    let problems = problems(ALL_KERNELS, Just(Activation::None), 8);
    let strategy = (problems, any::<u64>(), -3..4i8, -3..4i8);
    let checked = runner(Some(64)).run(&strategy, |(mut problem, seed, a, b)| {
        problem.conv.bias = false;
        let device = Device::host();
        let (a, b) = (f32::from(a), f32::from(b));
        let mut x = Case::new(problem, Data::Normal, seed);
        let mut y = Case::new(problem, Data::Normal, seed ^ 1);
        let mut sum = Case::new(problem, Data::Normal, seed);
        coarse(&mut x.input);
        coarse(&mut y.input);
        y.weights.clone_from(&x.weights);
        sum.input = x.input.iter().zip(&y.input).map(|(x, y)| a * x + b * y).collect();
        for algorithm in legal(&problem, &device)? {
            let [rx, ry, rsum] = [&x, &y, &sum].map(|case| run(&device, case, algorithm, EntryPoint::Run));
            let (rx, ry, rsum) = (rx?, ry?, rsum?);
            let [bx, by, bsum] = [&x, &y, &sum].map(|case| case.bound(algorithm));
            let (a, b) = (f64::from(a), f64::from(b));
            let expected = rx.iter().zip(&ry).map(|(&x, &y)| a * f64::from(x) + b * f64::from(y));
            let bound = bx.iter().zip(&by).zip(&bsum).map(|((x, y), sum)| a.abs() * x + b.abs() * y + sum);
            let (expected, bound): (Vec<_>, Vec<_>) = (expected.collect(), bound.collect());
            within(&rsum, &expected, &bound, &format!("{problem}, {algorithm}, {a} x + {b} y"))?;
        }
        Ok(())
    });
    checked.unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn a_shifted_input_has_a_shifted_output() {
    const MARGIN: usize = 6;
    let strategy = (problems(ALL_KERNELS, activations(), 8), any::<u64>(), 0..4usize, 0..4usize);
    let checked = runner(Some(64)).run(&strategy, |(image, seed, dy, dx)| {
        // The image on a canvas of zeros, here and there; no stride, which would skip what is shifted.
        let conv = Conv { stride: [1, 1], padding: Padding::all(0), ..image.conv };
        let shape = [image.n, conv.channels, image.h + 2 * MARGIN + 3, image.w + 2 * MARGIN + 3];
        let Ok(canvas) = conv.on(shape) else { return Ok(()) };
        let pixels = Case::new(image, Data::Normal, seed).input;
        let place = |y: usize, x: usize| {
            let mut case = Case::new(canvas, Data::Normal, seed);
            case.input.fill(0.0);
            for (row, values) in pixels.chunks(image.w).enumerate() {
                let (plane, i) = (row / image.h, row % image.h);
                let at = (plane * canvas.h + y + i) * canvas.w + x;
                case.input[at..at + image.w].copy_from_slice(values);
            }
            case
        };
        let (here, there) = (place(MARGIN, MARGIN), place(MARGIN + dy, MARGIN + dx));
        let device = Device::host();
        for algorithm in legal(&canvas, &device)? {
            let [here_out, there_out] = [&here, &there].map(|case| run(&device, case, algorithm, EntryPoint::Run));
            let (here_out, there_out) = (here_out?, there_out?);
            let [here_bound, there_bound] = [&here, &there].map(|case| case.bound(algorithm));
            let pairs = (0..canvas.output_len()).filter_map(|at| {
                let (row, q) = (at / canvas.q, at % canvas.q);
                let inside = row % canvas.p + dy < canvas.p && q + dx < canvas.q;
                inside.then_some((at, at + dy * canvas.q + dx))
            });
            for (at, shifted) in pairs {
                let bound = here_bound[at] + there_bound[shifted];
                let what = format!("{canvas}, {algorithm}, shifted by {dy}, {dx}, at {at}");
                within(&[there_out[shifted]], &[here_out[at].into()], &[bound], &what)?;
            }
        }
        Ok(())
    });
    checked.unwrap_or_else(|error| panic!("{error}"));
}

/// Random sizes and attributes on a GPU, with few kernels: a pipeline takes as long as many runs.
#[test]
fn random_problems_are_within_their_bounds_on_a_gpu() {
    const KERNELS: &[[usize; 2]] = &[[3, 3], [3, 3], [5, 5], [4, 3]];
    on_one_gpu("random_problems_are_within_their_bounds_on_a_gpu", |gpu| {
        let start = Instant::now();
        let tried = std::cell::Cell::new(0);
        let activations = prop_oneof![Just(Activation::None), Just(Activation::Relu)];
        let strategy = (problems(KERNELS, activations, 40), data(), any::<u64>());
        let checked = runner(Some(400)).run(&strategy, |(mut problem, data, seed)| {
            if start.elapsed() > GPU_BUDGET {
                return Ok(());
            }
            tried.set(tried.get() + 1);
            problem.conv.bias = problem.conv.activation != Activation::None;
            let square = |f| Algorithm::Staged(Nested::square(f));
            let few = [
                Algorithm::Direct,
                square(F::new(2, 3)),
                square(F::new(4, 3)),
                square(F::quadratic(4, 3)),
                square(F::quadratic(2, 5)),
            ];
            let (device, case) = (gpu.device(), Case::new(problem, data, seed));
            let exact = case.reference().all();
            let legal = legal(&problem, &device)?;
            for algorithm in few.into_iter().filter(|algorithm| legal.contains(algorithm)) {
                let entry = EntryPoint::ALL[(seed % 6) as usize];
                let got = run(&device, &case, algorithm, entry)?;
                within(&got, &exact, &case.bound(algorithm), &format!("{problem}, {data:?}, {algorithm}, {entry:?}"))?;
            }
            Ok(())
        });
        println!("{}: {} problems in {:.1?} of {GPU_BUDGET:?}", gpu.label, tried.get(), start.elapsed());
        checked.unwrap_or_else(|error| panic!("{error}"));
    });
}
