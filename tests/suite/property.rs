//! Properties over the whole space of attributes: every legal algorithm against the f64 reference, linearity, and
//! that a shifted input has a shifted output. `PROPTEST_CASES` sets the number of cases, `PROPTEST_RNG_SEED` other
//! cases than the usual ones.
#![cfg(feature = "gpu")]

use std::cell::RefCell;
use std::collections::HashSet;
use std::time::{Duration, Instant};

use crate::support::data::{Case, Data, worst_ratio};
use crate::support::entry::{EntryPoint, run_plan_on_cpu, run_plan_on_gpu};
use crate::support::gpus::{Gpu, on_gpus, on_one_gpu};
use crate::support::problems::{forced, legal};
use crate::support::strategies::{Space, activations, data, problems, remade};
use proptest::prelude::*;
use proptest::test_runner::{RngSeed, TestRunner};
use winoconv::caps::{Caps, DeviceKind};
use winoconv::gpu::ShaderChecks;
use winoconv::kernel::KernelSpec;
use winoconv::{Activation, Algorithm, Conv, DType, Device, Operation, Padding, Plan, Problem, Spatial};

/// How long the GPU is tried with random problems: compiling takes most of it on a software adapter.
const GPU_BUDGET: Duration = Duration::from_secs(12);
/// Most different kernels that it compiles.
const PIPELINES: usize = 150;

/// The same cases in each run, unless asked otherwise.
fn runner(cases: Option<u32>) -> TestRunner {
    let asked = std::env::var_os("PROPTEST_CASES").is_some();
    TestRunner::new(config(cases.filter(|_| !asked).unwrap_or(ProptestConfig::default().cases)))
}

fn config(cases: u32) -> ProptestConfig {
    let mut config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    if config.rng_seed == RngSeed::Random {
        config.rng_seed = RngSeed::Fixed(1);
    }
    config
}

/// How many random problems the GPU is to solve, however long that takes: `WINOCONV_GPU_PROBLEMS`.
fn wanted_on_gpu() -> Option<u32> {
    let text = std::env::var("WINOCONV_GPU_PROBLEMS").ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("WINOCONV_GPU_PROBLEMS is {text}, expected a number")))
}

/// Everything.
const SPACE: Space = Space { kernels: &[1, 2, 3, 4, 5, 7], extra: 9, everything: true };
/// Forward convolutions of dense images.
const IMAGES: Space = Space { everything: false, ..SPACE };

fn run(device: &Device, case: &Case, algorithm: Algorithm, entry: EntryPoint) -> Result<Vec<f32>, TestCaseError> {
    let layer = case.layer(device, forced(algorithm));
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

#[test]
fn random_problems_are_within_their_bounds_on_the_cpu() {
    let strategy = (problems(SPACE, activations()), data(), any::<u64>());
    let checked = runner(None).run(&strategy, |(problem, data, seed)| {
        let device = Device::cpu();
        let case = Case::new(problem, data, seed);
        let exact = case.reference().all();
        for algorithm in legal(&problem, &device) {
            let got = run(&device, &case, algorithm, EntryPoint::Run)?;
            within(&got, &exact, &case.bound(algorithm), &format!("{problem}, {data:?}, {algorithm}"))?;
        }
        Ok(())
    });
    checked.unwrap_or_else(|error| panic!("{error}"));
}

/// The device with bindings of few bytes and few workgroups, so that tensors are bound in parts.
fn narrow(caps: &Caps, seed: u64) -> Caps {
    let mut limits = caps.limits;
    limits.max_storage_buffer_binding_size = 1024 + 4 * (seed % 1024);
    limits.max_compute_workgroups_per_dimension = 1000 + (seed % 10_000) as u32;
    Caps { limits, ..caps.clone() }
}

/// How many of the plans bind a tensor in parts.
fn in_parts<'a>(plans: impl IntoIterator<Item = &'a Plan>) -> usize {
    let part = |plan: &&Plan| {
        plan.dispatches().iter().flat_map(winoconv::plan::Dispatch::operands).any(|operand| operand.len.is_some())
    };
    plans.into_iter().filter(part).count()
}

/// The plans for a narrow device, of those algorithms that it can run.
fn narrow_plans(problem: &Problem, caps: &Caps, seed: u64) -> Vec<Plan> {
    let narrow = narrow(caps, seed);
    let plan = |algorithm| Plan::new(problem, &narrow, &forced(algorithm).workspace_limit(4096 + seed % 100_000)).ok();
    Algorithm::all_for(problem).into_iter().filter_map(plan).collect()
}

#[test]
fn tensors_larger_than_a_binding_are_bound_in_parts() {
    let parts = std::cell::Cell::new(0);
    let strategy = (problems(SPACE, activations()), any::<u64>());
    let checked = runner(Some(512)).run(&strategy, |(problem, seed)| {
        let case = Case::new(problem, Data::Normal, seed);
        let exact = case.reference().all();
        let plans = narrow_plans(&problem, &Caps { kind: DeviceKind::OtherGpu, ..Caps::cpu() }, seed);
        parts.set(parts.get() + in_parts(&plans));
        // A document may say that of a CPU, too.
        for plan in plans.iter().chain(&narrow_plans(&problem, &Caps::cpu(), seed)) {
            let output = run_plan_on_cpu(plan, &case);
            let what = format!("{problem}, {}, {seed}", plan.choice());
            within(&case.gather(&output), &exact, &case.bound(plan.algorithm()), &what)?;
        }
        Ok(())
    });
    checked.unwrap_or_else(|error| panic!("{error}"));
    assert!(parts.get() > 100, "only {} plans had parts", parts.get());
}

/// Multiples of 1/256 below 2^8 in magnitude, so that sums of a few are exact.
fn coarse(values: &mut [f32]) {
    for value in values {
        *value = (*value * 256.0).round().clamp(-65536.0, 65536.0) / 256.0;
    }
}

#[test]
fn convolution_is_linear_in_its_input() {
    let problems = problems(IMAGES, Just(Activation::None));
    let strategy = (problems, any::<u64>(), -3..4i8, -3..4i8);
    let checked = runner(Some(64)).run(&strategy, |(problem, seed, a, b)| {
        let problem = remade(&problem, |conv| conv.bias = false);
        let device = Device::cpu();
        let (a, b) = (f32::from(a), f32::from(b));
        let mut x = Case::new(problem, Data::Normal, seed);
        let mut y = Case::new(problem, Data::Normal, seed ^ 1);
        let mut sum = Case::new(problem, Data::Normal, seed);
        coarse(&mut x.input);
        coarse(&mut y.input);
        y.weights.clone_from(&x.weights);
        sum.input = x.input.iter().zip(&y.input).map(|(x, y)| a * x + b * y).collect();
        for algorithm in legal(&problem, &device) {
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
    let strategy = (problems(IMAGES, activations()), any::<u64>(), 0..4usize, 0..4usize);
    let checked = runner(Some(16)).run(&strategy, |(image, seed, dy, dx)| {
        // The image on a canvas of zeros, here and there; no stride, which would skip what is shifted.
        let conv = Conv { stride: Spatial::all(2, 1), ..image.conv() }.padding(Padding::all(0));
        let [_, h, w] = image.input_shape().spatial().dhw(1);
        let shape = [image.input_shape()[0], conv.channels, h + 2 * MARGIN + 3, w + 2 * MARGIN + 3];
        let Ok(canvas) = conv.on(shape) else { return Ok(()) };
        let pixels = Case::new(image, Data::Normal, seed).input;
        let place = |y: usize, x: usize| {
            let mut case = Case::new(canvas, Data::Normal, seed);
            case.input.fill(0.0);
            for (row, values) in pixels.chunks(w).enumerate() {
                let (plane, i) = (row / h, row % h);
                let at = (plane * canvas.input_shape().spatial().dhw(1)[1] + y + i)
                    * canvas.input_shape().spatial().dhw(1)[2]
                    + x;
                case.input[at..at + w].copy_from_slice(values);
            }
            case
        };
        let (here, there) = (place(MARGIN, MARGIN), place(MARGIN + dy, MARGIN + dx));
        let device = Device::cpu();
        for algorithm in legal(&canvas, &device) {
            let [here_out, there_out] = [&here, &there].map(|case| run(&device, case, algorithm, EntryPoint::Run));
            let (here_out, there_out) = (here_out?, there_out?);
            let [here_bound, there_bound] = [&here, &there].map(|case| case.bound(algorithm));
            let [_, p_size, q_size] = canvas.output_shape().spatial().dhw(1);
            let pairs = (0..canvas.output_len()).filter_map(|at| {
                let (row, q) = (at / q_size, at % q_size);
                let inside = row % p_size + dy < p_size && q + dx < q_size;
                inside.then_some((at, at + dy * q_size + dx))
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

/// Runs the plan for a narrow device too, if it needs no other kernels; returns how many were bound in parts.
fn on_narrow_device(
    gpu: &Gpu,
    case: &Case,
    algorithm: Algorithm,
    seed: u64,
    kernels: &RefCell<HashSet<KernelSpec>>,
    exact: &[f64],
) -> Result<usize, TestCaseError> {
    let caps = narrow(gpu.context.caps(), seed);
    let Ok(plan) = Plan::new(&case.problem, &caps, &forced(algorithm)) else { return Ok(0) };
    let known = kernels.borrow().clone();
    let all: HashSet<KernelSpec> = plan.kernels().into_iter().chain(known).collect();
    if all.len() > PIPELINES || in_parts([&plan]) == 0 {
        return Ok(0);
    }
    *kernels.borrow_mut() = all;
    let output = run_plan_on_gpu(&gpu.context, &plan, case);
    let output = output.map_err(|error| TestCaseError::fail(error.to_string()))?;
    let what = format!("{}, {}, {seed}, in parts", case.problem, plan.choice());
    within(&case.gather(&output), exact, &case.bound(algorithm), &what)?;
    Ok(1)
}

/// Random problems on a GPU, with few kernels: a pipeline takes as long as many runs.
#[test]
fn random_problems_are_within_their_bounds_on_a_gpu() {
    on_one_gpu("random_problems_are_within_their_bounds_on_a_gpu", |gpu| random_problems(gpu, None));
}

/// The same with tensors in f16, on a device whose shaders have 16-bit floats and on one whose shaders have none.
#[test]
fn random_halves_are_within_their_bounds_on_gpus() {
    on_gpus("random_halves_are_within_their_bounds_on_gpus", |gpu| {
        if gpu.context.checks() == ShaderChecks::Checked {
            random_problems(gpu, Some(DType::F16));
        }
    });
}

fn random_problems(gpu: &Gpu, stored: Option<DType>) {
    let start = Instant::now();
    let tried = std::cell::Cell::new(0);
    let in_parts = std::cell::Cell::new(0);
    let kernels = RefCell::new(HashSet::new());
    let activations = prop_oneof![Just(Activation::None), Just(Activation::Relu)];
    let space = Space { kernels: &[1, 2, 3, 5], extra: 20, everything: true };
    let strategy = (problems(space, activations), data(), any::<u64>());
    let wanted = wanted_on_gpu();
    let mut runner = TestRunner::new(config(wanted.unwrap_or(2000)));
    let checked = runner.run(&strategy, |(problem, data, seed)| {
        if wanted.is_none() && start.elapsed() > GPU_BUDGET {
            return Ok(());
        }
        tried.set(tried.get() + 1);
        let problem = remade(&problem, |conv| {
            if problem.operation() == Operation::Forward {
                conv.bias = conv.activation != Activation::None;
            }
            conv.dtype = stored.unwrap_or(conv.dtype);
        });
        let (device, case) = (gpu.device(), Case::new(problem, data, seed));
        let exact = case.reference().all();
        // One that needs no pipeline beyond those that are allowed.
        for algorithm in legal(&problem, &device) {
            let plan = case
                .problem
                .plan(&device, &forced(algorithm))
                .map_err(|error| TestCaseError::fail(error.to_string()))?;
            let packing = plan.packing().dispatches(&problem);
            let needed = plan.dispatches().iter().chain(&packing).map(winoconv::plan::Dispatch::kernel);
            let mut known = kernels.borrow_mut();
            let all: HashSet<_> = needed.chain(known.iter().copied()).collect();
            if all.len() > PIPELINES {
                continue;
            }
            // Some of the new ones in each case, so that there is room for all kinds.
            if all.len() > known.len() && seed % 5 != 0 && algorithm != Algorithm::Direct {
                continue;
            }
            *known = all;
            drop(known);
            let entry = EntryPoint::ALL[(seed % 6) as usize];
            let got = run(&device, &case, algorithm, entry)?;
            within(&got, &exact, &case.bound(algorithm), &format!("{problem}, {data:?}, {algorithm}, {entry:?}"))?;
            in_parts.set(in_parts.get() + on_narrow_device(gpu, &case, algorithm, seed, &kernels, &exact)?);
        }
        Ok(())
    });
    let budget = wanted.map_or_else(|| format!("{GPU_BUDGET:?}"), |wanted| format!("{wanted} problems"));
    let (tried, in_parts, kernels) = (tried.get(), in_parts.get(), kernels.borrow().len());
    println!(
        "{}: {tried} problems, {in_parts} bound in parts, over {kernels} pipelines in {:.1?} of {budget}",
        gpu.label,
        start.elapsed()
    );
    checked.unwrap_or_else(|error| panic!("{error}"));
}
