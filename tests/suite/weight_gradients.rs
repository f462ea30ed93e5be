//! Winograd for the gradient of weights: every transform that applies against the f64 reference within its bound, through
//! every entry point, in one run of the sum and in several; stage by stage against the twins; and what a planner makes of it.
#![cfg(feature = "gpu")]

use std::time::Duration;

use crate::support::data::{Case, Data, assert_exact, assert_within};
use crate::support::entry::{EntryPoint, run_plan_on_cpu, run_plan_on_gpu};
use crate::support::gpus::{on_gpus, on_one_gpu};
use crate::support::problems::forced;
use pollster::block_on;
use winoconv::caps::{Caps, DeviceKind, Limits};
use winoconv::cpu::{self, Operands};
use winoconv::gpu::{self, Bound, Dispatches, Tensors};
use winoconv::kernel::{KernelSpec, MultiplyParams, OutputParams, Params};
use winoconv::plan::{Choice, Cut, Reason, Verdict, Wisdom};
use winoconv::tune::{Options, tune_blocking};
use winoconv::{
    Algorithm, Border, Conv, DType, Device, Layout, Plan, Preferences, Problem, Shape, Tolerance, View, wgpu,
};

/// A gradient of weights, and whether its sum is walked in several runs.
struct Entry {
    name: &'static str,
    problem: Problem,
    in_runs: bool,
}

fn gradient(conv: Conv, shape: &[usize]) -> Problem {
    let shape = Shape::from_slice(shape).expect("1 to 3 dimensions");
    conv.on(shape).and_then(|problem| problem.weight_gradient()).unwrap_or_else(|error| panic!("{error}"))
}

fn entries() -> Vec<Entry> {
    let three = |c, k| Conv::new(c, k, [3, 3]).padding(1);
    let last = three(6, 8).layout(Layout::ChannelsLast).weights_layout(Layout::ChannelsLast);
    let mut all = Vec::new();
    let mut add = |name, conv: Conv, shape: &[usize], in_runs| {
        all.push(Entry { name, problem: gradient(conv, shape), in_runs });
    };
    add("3 x 3", three(5, 7), &[2, 5, 13, 10], false);
    add("3 x 3, whole blocks", three(4, 4), &[1, 4, 12, 12], false);
    add("3 x 3, fewer outputs than a block", Conv::new(3, 2, [3, 3]), &[2, 3, 4, 5], false);
    add("3 x 3, one output", Conv::new(3, 2, [3, 3]), &[3, 3, 3, 3], false);
    add("3 x 3, padding on one side", three(3, 5).padding([2, 0]), &[2, 3, 9, 11], false);
    add("many channels and filters", three(67, 33), &[1, 67, 6, 9], false);
    add("runs", three(5, 7), &[3, 5, 17, 14], true);
    add("runs of groups", three(6, 9).groups(3), &[3, 6, 15, 18], true);
    add("groups", three(6, 4).groups(2), &[2, 6, 9, 8], false);
    add("depthwise", three(5, 5).groups(5), &[2, 5, 11, 9], false);
    add("2 x 2", Conv::new(3, 4, [2, 2]), &[2, 3, 9, 8], false);
    add("4 x 4", Conv::new(3, 4, [4, 4]).padding(2), &[1, 3, 9, 8], false);
    add("5 x 5", Conv::new(3, 4, [5, 5]).padding(2), &[2, 3, 9, 12], false);
    add("7 x 7", Conv::new(2, 3, [7, 7]).padding(3), &[2, 2, 9, 8], false);
    add("3 x 5", Conv::new(2, 3, [3, 5]).padding([1, 2]), &[2, 2, 9, 8], false);
    add("1 x 3", Conv::new(4, 3, [1, 3]), &[2, 4, 5, 12], false);
    add("3 x 1", Conv::new(4, 3, [3, 1]), &[2, 4, 12, 5], false);
    add("stride 2", three(4, 3).stride([2, 2]), &[2, 4, 14, 15], false);
    add("stride 2 x 1, groups", three(4, 6).groups(2).stride([2, 1]), &[2, 4, 14, 9], false);
    add("one dimension", Conv::new(4, 3, [3]).padding(1), &[2, 4, 29], false);
    add("three dimensions", Conv::new(3, 4, [3, 3, 3]).padding(1), &[2, 3, 4, 7, 6], false);
    add("three dimensions, strides", Conv::new(3, 4, [2, 3, 3]).stride([2, 1, 2]).padding(1), &[2, 3, 4, 7, 8], true);
    add("transposed", three(4, 6).transposed(0).groups(2), &[2, 4, 8, 9], false);
    add("transposed, stride 2", three(4, 3).transposed(1).stride(2), &[2, 4, 6, 5], true);
    add("channels last", last, &[2, 6, 9, 7], true);
    add("a border of values", three(3, 4).border(Border::Reflect), &[2, 3, 9, 7], false);
    add("halves", three(5, 6).dtype(DType::F16), &[2, 5, 9, 10], false);
    let parts = gradient(three(5, 6), &[2, 5, 9, 10]);
    let (shape, whole) = (parts.of_input().shape, Shape::from([2, 9, 9, 10]));
    let view = View::channels(shape, Layout::ChannelsFirst, 3, whole[1]).expect("3 + 5 of 9");
    let problem = parts.with_input_view(view).expect("within");
    all.push(Entry { name: "part of a larger tensor", problem, in_runs: true });
    all
}

/// The transforms that apply; on the CPU they run where they are forced.
fn staged(problem: &Problem) -> Vec<Algorithm> {
    let any = Preferences::new().tolerance(Tolerance::Any);
    let plan = Plan::new(problem, &Caps::webgpu_default(), &any).unwrap_or_else(|error| panic!("{problem}: {error}"));
    let applies = |verdict: &Verdict| !matches!(verdict, Verdict::Rejected(Reason::Inapplicable(_)));
    let all = plan.candidates().iter().filter(|candidate| applies(&candidate.verdict));
    let staged: Vec<_> = all.map(|of| of.algorithm).filter(|of| matches!(of, Algorithm::Staged(_))).collect();
    assert!(!staged.is_empty(), "{problem}: Winograd does not apply");
    staged
}

/// Runs of the sum.
fn runs(plan: &Plan) -> usize {
    plan.dispatches().iter().filter(|step| matches!(step.kernel(), KernelSpec::WinogradFilter(_))).count()
}

/// Preferences under which it is done in at least three runs; none, if there are fewer blocks.
fn in_runs(problem: &Problem, algorithm: Algorithm, device: &Device) -> Option<Preferences> {
    let plan = |preferences| problem.plan(device, &preferences).unwrap_or_else(|error| panic!("{problem}: {error}"));
    let whole = plan(forced(algorithm));
    let [v, m, u] = whole.workspace()[..3] else { panic!("{problem}: {} buffers", whole.workspace().len()) };
    let multiply = MultiplyParams::from_words(whole.dispatches()[2].params());
    if multiply.group_c < 3 {
        return None;
    }
    let m = m / OutputParams::from_words(whole.dispatches()[3].params()).parts as usize;
    let beside = whole.workspace()[3..].iter().sum::<usize>();
    let limit = 4 * ((u + v) / 3 + m + beside) as u64;
    let preferences = forced(algorithm).workspace_limit(limit);
    let limited = plan(preferences);
    assert!(runs(&limited) >= 3, "{problem}, {algorithm}: {} runs", runs(&limited));
    assert!(limited.workspace_bytes() <= limit, "{problem}, {algorithm}: over the limit");
    Some(preferences)
}

/// All entries on one device.
fn conform(device: &Device, label: &str, points: &[EntryPoint]) {
    let (mut count, mut worst) = (0, 0.0f64);
    for (index, Entry { name, problem, in_runs: limited }) in entries().into_iter().enumerate() {
        let data = [Data::Normal, Data::Wide, Data::Cancelling][index % 3];
        let case = Case::new(problem, data, index as u64);
        let exact = case.reference().all();
        for algorithm in staged(&problem) {
            let in_runs = limited.then(|| in_runs(&problem, algorithm, device)).flatten();
            let preferences = in_runs.unwrap_or_else(|| forced(algorithm));
            let what = format!("{name} ({problem}), {data:?}, {algorithm} on {label}");
            let layer = case.layer(device, preferences).unwrap_or_else(|error| panic!("{what}: {error}"));
            let plan = layer.plan_for(&problem).unwrap_or_else(|error| panic!("{what}: {error}"));
            assert_eq!(plan.algorithm(), algorithm, "{what}");
            let bound = case.bound(algorithm);
            for point in points {
                let got = point.run(&layer, &case, &format!("{what}, {point:?}"));
                worst = worst.max(assert_within(&got, &exact, &bound, &what));
                count += 1;
            }
        }
    }
    println!("{label}: {count} runs, at worst {worst:.3} of the bound");
    assert!(count > 30 * points.len(), "only {count} runs");
}

#[test]
fn cpus_conform() {
    conform(&Device::cpu(), "the host", &EntryPoint::HOST);
}

/// The CPU's own kernel, whose products are of small integers exact: each must be where it belongs.
#[test]
fn the_cpu_multiplies_rows() {
    let three = |c, k| Conv::new(c, k, [3, 3]).padding(1);
    let one = |c, k| Conv::new(c, k, [1, 1]);
    let last = one(6, 9).layout(Layout::ChannelsLast).weights_layout(Layout::ChannelsLast);
    let more = [
        ("one tap, rows joined", gradient(one(5, 7), &[2, 5, 9, 11])),
        ("one tap, channels last", gradient(last, &[2, 6, 9, 11])),
        ("one tap, stride 2", gradient(one(5, 7).stride([2, 2]), &[2, 5, 9, 11])),
        ("patches", gradient(Conv::new(3, 5, [4, 4]).stride([4, 4]), &[2, 3, 16, 12])),
        ("dilation", gradient(three(4, 6).padding(2).dilation([2, 2]), &[2, 4, 13, 17])),
        ("dilation and stride", gradient(three(4, 6).padding(3).dilation([3, 2]).stride([2, 3]), &[2, 4, 13, 17])),
        ("groups of one", gradient(three(5, 5).groups(5), &[3, 5, 12, 33])),
        ("rows in pieces", gradient(Conv::new(2, 3, [5]).padding(2), &[2, 2, 9001])),
        ("planes in pieces", gradient(three(2, 3), &[1, 2, 70, 130])),
        ("many filters and channels", gradient(three(40, 70), &[1, 40, 6, 5])),
    ];
    let all = entries().into_iter().map(|Entry { name, problem, .. }| (name, problem)).chain(more);
    for (name, problem) in all {
        for data in [Data::Integer, Data::Normal, Data::Cancelling] {
            let case = Case::new(problem, data, 3);
            let layer =
                case.layer(&Device::cpu(), Preferences::new()).unwrap_or_else(|error| panic!("{name}: {error}"));
            let plan = layer.plan_for(&problem).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!((plan.algorithm(), plan.twins()), (Algorithm::ImplicitGemm, None), "{name}");
            for point in EntryPoint::HOST {
                let what = format!("{name} ({problem}), {data:?}, {point:?}");
                let got = point.run(&layer, &case, &what);
                match data {
                    Data::Integer if problem.conv().dtype == DType::F32 => {
                        assert_exact(&got, &case.reference().all(), &what);
                    }
                    _ => {
                        assert_within(&got, &case.reference().all(), &case.bound(plan.algorithm()), &what);
                    }
                }
            }
        }
    }
}

#[test]
fn gpus_conform() {
    on_gpus("gpus_conform", |gpu| conform(&gpu.device(), &gpu.label, &EntryPoint::ALL));
}

/// F(3,2) has halves at worst, so that on small integers nothing is rounded: each block, run and part must be where it belongs.
#[test]
fn small_integers_are_exact() {
    let mut count = 0;
    for Entry { name, problem, .. } in entries() {
        let exact: Algorithm = "staged:f3x2".parse().expect("a label");
        if !staged(&problem).contains(&exact) || problem.conv().dtype != DType::F32 {
            continue;
        }
        let case = Case::new(problem, Data::Integer, 5);
        for preferences in [forced(exact)].into_iter().chain(in_runs(&problem, exact, &Device::cpu())) {
            let plan = problem.plan(&Device::cpu(), &preferences).unwrap_or_else(|error| panic!("{name}: {error}"));
            let what = format!("{name} ({problem}) in {} runs", runs(&plan));
            assert_exact(&case.gather(&run_plan_on_cpu(&plan, &case)), &case.reference().all(), &what);
            count += 1;
        }
    }
    assert!(count >= 20, "only {count} plans");
}

/// A small image has too few blocks for these parts, a large one has enough.
#[test]
fn parts_may_be_forced() {
    let conv = Conv::new(6, 8, [3, 3]).padding(1);
    let choice: Choice = "staged:f3x4@64x32x8_8x4_s2/4".parse().expect("a choice");
    let preferences = Preferences::new().tolerance(Tolerance::Any).choice(choice);
    let case = Case::new(gradient(conv, &[3, 6, 40, 40]), Data::Integer, 2);
    let layer = case.layer(&Device::cpu(), preferences).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(layer.plan_for(&case.problem).map(|plan| plan.choice()), Ok(choice));
}

/// Plans for devices with small bindings and few workgroups.
#[test]
fn smaller_devices_take_more_runs() {
    let problem = gradient(Conv::new(4, 6, [3, 3]).padding(1).groups(2), &[5, 4, 21, 18]);
    let case = Case::new(problem, Data::Integer, 9);
    let algorithm: Algorithm = "staged:f3x2".parse().expect("a label");
    let few = Limits { max_compute_workgroups_per_dimension: 100, ..Limits::WEBGPU_DEFAULT };
    // An image of either tensor has 1,512 and 2,268 elements.
    let small = Limits { max_storage_buffer_binding_size: 12_000, ..Limits::WEBGPU_DEFAULT };
    for (limits, parts) in [(few, false), (small, true)] {
        let plan = Plan::new(&problem, &Caps { limits, ..Caps::webgpu_default() }, &forced(algorithm));
        let plan = plan.unwrap_or_else(|error| panic!("{limits:?}: {error}"));
        let in_parts =
            plan.dispatches().iter().flat_map(winoconv::plan::Dispatch::operands).any(|operand| operand.len.is_some());
        assert_eq!(in_parts, parts, "{plan}");
        assert!(runs(&plan) >= 5, "{plan}");
        let what = format!("{} runs", runs(&plan));
        assert_exact(&case.gather(&run_plan_on_cpu(&plan, &case)), &case.reference().all(), &what);
        on_gpus("smaller_devices_take_more_runs", |gpu| {
            let output = run_plan_on_gpu(&gpu.context, &plan, &case).unwrap_or_else(|error| panic!("{what}: {error}"));
            assert_exact(&case.gather(&output), &case.reference().all(), &what);
        });
    }
    let tiny = Limits { max_storage_buffer_binding_size: 4_000, ..Limits::WEBGPU_DEFAULT };
    let refused = Plan::new(&problem, &Caps { limits: tiny, ..Caps::webgpu_default() }, &forced(algorithm));
    let refused = refused.map(|plan| plan.to_string()).expect_err("an image has more").to_string();
    assert!(refused.contains("the bound is"), "{refused}");
}

/// Where nothing is rounded, U, V, M and the gradient are the twins' bit by bit after each dispatch, and what a dispatch should
/// not write is as it was.
#[test]
fn every_stage_is_its_twins() {
    const POISON: u32 = 0x7fc0_1234;
    let three = |c, k| Conv::new(c, k, [3, 3]).padding(1);
    let jobs = [
        ("one run", gradient(three(5, 7), &[2, 5, 13, 10]), "16x16x16_4x4/1", 1),
        ("parts", gradient(three(5, 7), &[2, 5, 19, 17]), "16x16x16_4x4/4", 1),
        ("runs of parts of groups", gradient(three(6, 10).groups(2), &[4, 6, 17, 16]), "32x32x8_8x4/2", 3usize),
        ("slices", gradient(three(9, 6), &[2, 9, 17, 16]), "64x32x8_8x4_s2/2", 2),
    ];
    on_gpus("every_stage_is_its_twins", |gpu| {
        for (name, problem, cut, least) in &jobs {
            let what = format!("{name} on {}", gpu.label);
            let failed = |error: winoconv::Error| -> ! { panic!("{what}: {error}") };
            // Of its transforms none rounds small integers, fused multiply-adds or not.
            let algorithm = "staged:f3x2".parse().unwrap_or_else(|error| failed(error));
            let cut = Cut::Multiply(cut.parse().unwrap_or_else(|error| failed(error)));
            let plan = |limit| {
                let preferences = forced(algorithm).cut(cut).workspace_limit(limit);
                Plan::new(problem, gpu.context.caps(), &preferences).unwrap_or_else(|error| failed(error))
            };
            let mut plan_of = plan(Preferences::DEFAULT_WORKSPACE);
            if *least > 1 {
                let [v, m, u] = plan_of.workspace()[..] else { panic!("{what}: {plan_of}") };
                plan_of = plan(4 * ((u + v) / least + m) as u64);
            }
            assert!(runs(&plan_of) >= *least, "{what}: {} runs", runs(&plan_of));
            let case = Case::new(*problem, Data::Integer, 3);
            compare(&gpu.context, &plan_of, &case, f32::from_bits(POISON), &what);
        }
    });
}

fn compare(context: &gpu::Context, plan: &Plan, case: &Case, poison: f32, what: &str) {
    let poisoned = |len: usize| vec![poison; len];
    let operands = Operands { input: &case.input, weights: &case.weights, ..Default::default() };
    let mut twin: Vec<_> = plan.workspace().iter().map(|&len| poisoned(len)).collect();
    let mut twin_output = poisoned(case.problem.output_len());
    let same = |buffer: &str, gpu: &[f32], twin: &[f32]| {
        // Of zeros the sign is free.
        let bits = |x: &f32| (x + 0.0).to_bits();
        let wrong = gpu.iter().zip(twin).position(|(a, b)| bits(a) != bits(b) && !(a.is_nan() && b.is_nan()));
        assert_eq!(wrong.map(|at| (at, gpu[at], twin[at])), None, "{what}, {buffer}: place, GPU's and twin's");
    };
    let test = async {
        let workspace = gpu::Workspace::new(context, &[plan]).await?;
        let buffers: Vec<_> = workspace.buffers().map(|(buffer, len)| (buffer.clone(), len)).collect();
        for (buffer, len) in &buffers {
            context.queue().write_buffer(buffer, 0, bytemuck::cast_slice(&poisoned(*len)));
        }
        let input = context.upload("input", &case.input).await?;
        let weights = context.upload("output's gradient", &case.weights).await?;
        let output = context.upload("output", &twin_output).await?;
        let tensors = Tensors {
            input: Some((&input).into()),
            weights: Some((&weights).into()),
            output: Some((&output).into()),
            ..Default::default()
        };
        for (i, step) in plan.dispatches().iter().enumerate() {
            let bound = Bound::new(context, plan, Dispatches::Only(i), &tensors, &workspace).await?;
            let mut encoder = context.device().create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
            bound.encode(&mut encoder)?;
            context.queue().submit([encoder.finish()]);
            cpu::run_step(plan, i, &operands, &mut twin, &mut twin_output)?;
            for (buffer, (gpu, twin)) in buffers.iter().zip(&twin).enumerate() {
                let found = context.download(&gpu.0, gpu.1).await?;
                same(&format!("step {i}, {step}, workspace {buffer}"), &found, twin);
            }
        }
        same("the gradient", &context.download(&output, twin_output.len()).await?, &twin_output);
        Ok::<_, winoconv::Error>(())
    };
    block_on(test).unwrap_or_else(|error| panic!("{what}: {error}"));
    let exact = case.reference().all();
    assert_within(&case.gather(&twin_output), &exact, &case.bound(plan.algorithm()), what);
}

/// Errors on normal data are about what a tolerance is compared with.
#[test]
fn errors_are_as_expected() {
    let device = Device::cpu();
    for kernel in [3, 5, 7] {
        let problem = gradient(Conv::new(8, 8, [kernel, kernel]), &[4, 8, 23 + kernel, 23 + kernel]);
        let case = Case::new(problem, Data::Normal, 17);
        let exact = case.reference().all();
        for algorithm in staged(&problem) {
            let plan = problem.plan(&device, &forced(algorithm)).unwrap_or_else(|error| panic!("{error}"));
            let got = case.gather(&run_plan_on_cpu(&plan, &case));
            let squares = |values: &mut dyn Iterator<Item = f64>| values.map(|x| x * x).sum::<f64>();
            let off = squares(&mut got.iter().zip(&exact).map(|(got, exact)| f64::from(*got) - exact));
            let error = (off / squares(&mut exact.iter().copied())).sqrt();
            let ratio = error / plan.expected_error();
            println!("{algorithm}, {}: {error:.2e}, {ratio:.2} of the expected error", plan.cut());
            assert!((0.4..2.0).contains(&ratio), "{problem}, {algorithm}: {error:e}, {ratio} of the expected error");
        }
    }
}

/// What the tuner tries of it is right, on the CPU and on a GPU, and can be followed.
#[test]
fn what_is_tuned_is_right() {
    let problem = gradient(Conv::new(6, 8, [3, 3]).padding(1), &[2, 6, 19, 22]);
    let tune = |device: &Device| {
        let options = Options::new().budget(Duration::from_secs(2)).within(2.0);
        let any = Preferences::new().tolerance(Tolerance::Any);
        let tuning = tune_blocking(device, &problem, &any, &options).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(tuning.defects().count(), 0, "{tuning}");
        let entry = tuning.entry().unwrap_or_else(|| panic!("nobody won: {tuning}"));
        let mut wisdom = Wisdom::new();
        wisdom.insert(entry.clone());
        let read = Wisdom::parse(&wisdom.to_string()).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(read, wisdom, "reads back");
        let plan = Plan::with_wisdom(&problem, device.caps(), &any, &read).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(plan.choice(), entry.choice, "{plan}");
        let staged = tuning.trials.iter().filter(|trial| matches!(trial.choice.algorithm, Algorithm::Staged(_)));
        assert!(staged.count() > 0, "{tuning}");
        println!("{tuning}");
    };
    tune(&Device::cpu());
    on_one_gpu("what_is_tuned_is_right", |gpu| tune(&gpu.device()));
}

/// A layer of VGG: staged, and why the others are not; tolerance decides on the transform.
#[test]
fn planners_choose_it_for_large_layers() {
    let problem = gradient(Conv::new(128, 128, [3, 3]).padding(1), &[16, 128, 56, 56]);
    let caps = Caps { kind: DeviceKind::DiscreteGpu, limits: Limits::LARGEST, ..Caps::webgpu_default() };
    let plan = |preferences: Preferences| Plan::new(&problem, &caps, &preferences);
    let chosen = plan(Preferences::new()).unwrap_or_else(|error| panic!("{error}"));
    assert!(matches!(chosen.algorithm(), Algorithm::Staged(_)), "{chosen}");
    assert!(chosen.workspace_bytes() <= Preferences::DEFAULT_WORKSPACE, "{chosen}");
    assert!(chosen.packing().is_given() && chosen.packed_bytes() == 0, "{chosen}");
    let direct = chosen.candidates().iter().find(|candidate| candidate.algorithm == Algorithm::Direct);
    assert_eq!(direct.map(|candidate| &candidate.verdict), Some(&Verdict::Slower), "{chosen}");
    let error = chosen.expected_error();

    let strict = plan(Preferences::new().tolerance(Tolerance::RelativeL2(error * 0.99)));
    let strict = strict.unwrap_or_else(|error| panic!("{error}"));
    assert_ne!(strict.choice(), chosen.choice(), "{strict}");
    let refused =
        plan(forced(chosen.algorithm()).tolerance(Tolerance::RelativeL2(1e-9))).expect_err("no error is so small");
    assert!(refused.to_string().contains("the tolerance allows"), "{refused}");
    let Some(transform) = chosen.algorithm().transform() else { panic!("{chosen}") };
    for fused in [Algorithm::Fused(transform), Algorithm::FusedOutput(transform)] {
        let refused = plan(forced(fused)).expect_err("a gradient");
        assert!(refused.to_string().contains("do not support the weight gradient"), "{refused}");
    }
    // Outputs of another number than the filter has.
    let other = "staged:f5x2".parse().expect("a label");
    let out = plan(forced(other)).expect_err("5 outputs of 3");
    assert!(out.to_string().contains("another size of the weight gradient"), "{out}");
    let dilated = gradient(Conv::new(8, 8, [3, 3]).dilation([2, 2]), &[2, 8, 20, 20]);
    let plan = dilated.plan(&Device::cpu(), &forced(chosen.algorithm())).expect_err("dilated");
    let why = Reason::Inapplicable("Winograd needs dilation 1 for the weight gradient").to_string();
    assert!(plan.to_string().contains(&why), "{plan}");
}
