//! The public entry points as a caller meets them: what each says to bad input, and what it promises about devices,
//! workspaces and encoders.
#![cfg(feature = "gpu")]

use std::sync::Arc;

use crate::support::data::{Case, Data, assert_within};
use crate::support::gpus::{Gpu, on_gpus, on_one_gpu};
use pollster::block_on;
use winoconv::caps::DeviceKind;
use winoconv::error::{DeviceError, Error, ShapeError};
use winoconv::gpu::{self, AdapterChoice, Bound, Context, ContextOptions, Dispatches, ShaderChecks, Tensor, Tensors};
use winoconv::winograd::{F, Nested};
use winoconv::{
    Activation, Algorithm, Conv, Device, Ends, Layer, Plan, Preferences, Residual, Tolerance, Weights, Workspace, wgpu,
};

fn staged() -> Preferences {
    Preferences::new().tolerance(Tolerance::Any).algorithm(Algorithm::Staged(Nested::square(F::new(2, 3))))
}

fn case(conv: Conv, [n, h, w]: [usize; 3]) -> Case {
    let problem = conv.on([n, conv.channels, h, w]).unwrap_or_else(|error| panic!("{error}"));
    Case::new(problem, Data::Normal, 5)
}

fn layer(device: &Device, case: &Case, preferences: Preferences) -> Layer {
    Layer::new_blocking(device, case.problem.conv(), case.operands(), preferences)
        .unwrap_or_else(|error| panic!("{}: {error}", case.problem))
}

fn assert_right(layer: &Layer, case: &Case, got: &[f32], what: &str) {
    let plan = layer.plan(case.problem.input_shape()).unwrap_or_else(|error| panic!("{what}: {error}"));
    assert_within(got, &case.reference().all(), &case.bound(plan.algorithm()), what);
}

/// What a refusal says.
fn refusal<T>(result: Result<T, Error>, what: &str) -> Error {
    match result {
        Ok(_) => panic!("{what}: expected a refusal"),
        Err(error) => error,
    }
}

#[test]
fn wrong_operands_are_refused_with_what_was_expected_and_what_came() {
    let device = Device::cpu();
    let plain = Conv::new(2, 4, [3, 3]);
    let w = [0.0; 72];
    let new = |conv, weights| refusal(Layer::new_blocking(&device, conv, weights, Preferences::new()), "operands");
    let length = |what, expected, got| Error::Shape(ShapeError::Length { what, expected, got });
    assert_eq!(new(plain, Weights::new(&w[1..])), length("the weights", 72, 71));
    assert_eq!(new(plain.bias(true), Weights::new(&w).bias(&w[..3])), length("the bias", 4, 3));
    let prelu = plain.activation(Activation::PRelu);
    assert_eq!(new(prelu, Weights::new(&w).slopes(&w[..5])), length("the slopes", 4, 5));
    for (error, what, expected, got) in [
        (new(plain.bias(true), Weights::new(&w)), "the bias", "a tensor (the problem needs it)", "none"),
        (new(plain, Weights::new(&w).bias(&w[..4])), "the bias", "no tensor (the problem does not take one)", "one"),
        (new(prelu, Weights::new(&w)), "the slopes", "a tensor (the problem needs it)", "none"),
        (
            new(plain, Weights::new(&w).slopes(&w[..4])),
            "the slopes",
            "no tensor (the problem does not take one)",
            "one",
        ),
    ] {
        assert_eq!(error, Error::Shape(ShapeError::Presence { what, expected, got }), "{what}");
    }
    for (conv, message) in [
        (Conv::new(0, 4, [3, 3]), "channels is 0, expected at least 1"),
        (plain.groups(3), "channels is 2, expected a multiple of groups = 3"),
        (plain.stride([0, 1]), "stride is 0, expected at least 1"),
        (plain.activation(Activation::LeakyRelu { slope: f32::NAN }), "the slope is not finite"),
        (plain.activation(Activation::Clamp { low: 2.0, high: 1.0 }), "the lower bound is above the upper bound"),
    ] {
        let error = new(conv, Weights::new(&w));
        assert!(matches!(error, Error::Shape(_)) && error.to_string().contains(message), "{message}: {error}");
    }
}

/// A new vector holds no residual: `run` and `solve` refuse to add zeros in its place. What a caller's slice holds is one.
#[test]
fn a_residual_in_place_must_be_given() {
    let case = case(Conv::new(2, 4, [3, 3]).residual(Residual::InPlace), [1, 6, 7]);
    let check = |device: &Device, label: &str| {
        let layer = layer(device, &case, Preferences::new());
        let shape = case.problem.input_shape();
        let (what, expected, got) = ("the residual", "a tensor (the problem needs it)", "none");
        let missing = Error::Shape(ShapeError::Presence { what, expected, got });
        assert_eq!(refusal(layer.run_blocking(shape, &case.input), label), missing, "{label}: run");
        assert_eq!(refusal(block_on(layer.solve(&case.problem, &case.input)), label), missing, "{label}: solve");
        let (mut output, mut workspace) = (case.residual.clone(), Workspace::new());
        let run = layer.run_with_workspace(shape, &case.input, &mut output, &mut workspace);
        block_on(run).unwrap_or_else(|error| panic!("{label}: {error}"));
        assert_right(&layer, &case, &output, label);
        let inputs = case.inputs().residual(&case.residual);
        let run = layer.run_blocking(shape, inputs).unwrap_or_else(|error| panic!("{label}: {error}"));
        assert_right(&layer, &case, &run.data, label);
    };
    check(&Device::cpu(), "CPU");
    on_one_gpu("a_residual_in_place_must_be_given", |gpu| check(&gpu.device(), &gpu.label));
}

/// The least recently used plan goes first; one that is held lives on.
#[test]
fn a_layer_keeps_the_plans_that_it_used_last() {
    let layer = layer(&Device::cpu(), &case(Conv::new(2, 4, [3, 3]), [1, 6, 7]), Preferences::new());
    assert_eq!(layer.cache_capacity(), Layer::CACHE_CAPACITY);
    layer.set_cache_capacity(2);
    let plan = |width: usize| layer.plan([1, 2, 6, width]).unwrap_or_else(|error| panic!("{error}"));
    let (six, seven) = (plan(6), plan(7));
    assert!(Arc::ptr_eq(&six, &plan(6)), "kept");
    let eight = plan(8);
    assert!(Arc::ptr_eq(&six, &plan(6)) && Arc::ptr_eq(&eight, &plan(8)), "used last");
    let again = plan(7);
    assert!(!Arc::ptr_eq(&seven, &again), "planned again");
    assert_eq!(seven, again, "and the one that was held is the same");
    layer.set_cache_capacity(0);
    assert!(!Arc::ptr_eq(&plan(7), &plan(7)), "nothing is kept");
    assert_eq!((layer.cache_capacity(), layer.packed_bytes()), (0, 0));
}

/// A problem by its shape and the same problem as a value are one, and so are their gradients.
#[test]
fn a_plan_is_found_by_shape_and_by_problem() {
    let case = case(Conv::new(2, 4, [3, 3]), [1, 6, 7]);
    let layer = layer(&Device::cpu(), &case, Preferences::new());
    let by_shape = layer.plan(case.problem.input_shape()).expect("a plan");
    assert!(Arc::ptr_eq(&by_shape, &layer.plan_for(&case.problem).expect("a plan")));
    layer.set_cache_capacity(1);
    let gradient = layer.plan_for(&case.problem.input_gradient().expect("legal")).expect("a plan");
    layer.input_gradient_blocking(case.problem.input_shape(), &[0.0; 80]).expect("a gradient");
    assert!(Arc::ptr_eq(&gradient, &layer.plan_for(gradient.problem()).expect("a plan")), "found by its shape");
    let mut view = case.problem.of_input().view;
    view.dhw[1] += 1;
    let wider = case.problem.with_input_view(view).expect("legal");
    let other = layer.plan_for(&wider).expect("a plan");
    assert_eq!(*other.problem(), wider, "tensors that lie otherwise are another problem");
}

/// On the CPU and on every GPU alike.
fn wrong_runs(device: &Device) {
    let case = case(Conv::new(2, 4, [3, 3]), [1, 6, 7]);
    let layer = layer(device, &case, Preferences::new());
    let run = |shape, input: &[f32]| refusal(layer.run_blocking(shape, input), "run");
    let length = |what, expected, got| Error::Shape(ShapeError::Length { what, expected, got });
    assert_eq!(run([1, 2, 6, 7], &case.input[1..]), length("the input", 84, 83));
    assert_eq!(run([1, 3, 6, 7], &case.input), Error::Shape(ShapeError::Channels { expected: 2, got: 3 }));
    let small = ShapeError::FilterTooLarge { axis: "height", span: 3, padded: 2 };
    assert_eq!(run([1, 2, 2, 7], &case.input), Error::Shape(small));
    assert_eq!(run([1, 2, 6, 0], &case.input), Error::Shape(ShapeError::Empty { axis: "width" }));
    let into = |output: &mut [f32]| {
        block_on(layer.run_with_workspace([1, 2, 6, 7], &case.input, output, &mut Workspace::new()))
    };
    assert_eq!(refusal(into(&mut [0.0; 81]), "output"), length("the output", 80, 81));
    let got = layer.run_blocking(case.problem.input_shape(), &case.input).expect("a refusal leaves the layer usable");
    assert_right(&layer, &case, &got.data, "after refusals");
}

#[test]
fn wrong_inputs_are_refused_on_the_cpu() {
    wrong_runs(&Device::cpu());
}

#[test]
fn wrong_inputs_are_refused_on_gpus() {
    on_gpus("wrong_inputs_are_refused_on_gpus", |gpu| wrong_runs(&gpu.device()));
}

fn upload(context: &Context, len: usize) -> wgpu::Buffer {
    block_on(context.upload("test", &vec![0.0; len])).unwrap_or_else(|error| panic!("upload: {error}"))
}

fn workspace(context: &Context, plans: &[&Plan]) -> gpu::Workspace {
    block_on(gpu::Workspace::new(context, plans)).unwrap_or_else(|error| panic!("workspace: {error}"))
}

#[test]
fn buffers_that_cannot_be_bound_are_refused() {
    on_one_gpu("buffers_that_cannot_be_bound_are_refused", |gpu| {
        let context = &gpu.context;
        let case = case(Conv::new(2, 4, [3, 3]), [1, 6, 7]);
        let shape = case.problem.input_shape();
        let layer = layer(&gpu.device(), &case, staged());
        let plan = layer.plan(shape).expect("a plan");
        let room = workspace(context, &[&plan]);
        let (input, output, short) = (upload(context, 90), upload(context, 90), upload(context, 83));
        let bind = |input: Tensor<'_>, output: Tensor<'_>, room: &gpu::Workspace| {
            refusal(block_on(layer.bind(shape, (input, output), room)), "bind")
        };
        let length = |what, expected, got| Error::Shape(ShapeError::Length { what, expected, got });
        assert_eq!(bind((&short).into(), (&output).into(), &room), length("the input", 84, 83));
        assert_eq!(bind(Tensor::at(&input, 28), (&output).into(), &room), length("the input", 84, 83));
        assert_eq!(bind((&input).into(), Tensor::at(&output, 44), &room), length("the output", 80, 79));
        assert_eq!(bind((&input).into(), Tensor::at(&output, 4000), &room), length("the output", 80, 0));
        let unsupported = |error: Error, text: &str| match error {
            Error::Unsupported { what, why } => {
                assert!(format!("{what}: {why}").contains(text), "{text}: {what}, {why}");
            }
            other => panic!("expected Unsupported, got {other}"),
        };
        unsupported(bind(Tensor::at(&input, 6), (&output).into(), &room), "6 bytes, expected a multiple of 4");
        let usage = wgpu::BufferUsages::COPY_SRC | wgpu::BufferUsages::COPY_DST;
        let descriptor = wgpu::BufferDescriptor { label: None, size: 400, usage, mapped_at_creation: false };
        let copies = context.device().create_buffer(&descriptor);
        unsupported(bind((&copies).into(), (&output).into(), &room), "expected STORAGE among its usages");
        let direct = self::layer(&gpu.device(), &case, Preferences::new().algorithm(Algorithm::Direct));
        let both = upload(context, 400);
        let overlapping = block_on(direct.bind(shape, (&both, Tensor::at(&both, 332)), &room));
        let error = refusal(overlapping, "tensors that overlap");
        let shared = |error| matches!(error, Error::Shape(ShapeError::SharedBuffer { begins: 332, .. }));
        assert!(shared(error), "the input has 336 bytes");

        let nothing = gpu::Workspace::default();
        let need = plan.workspace()[0];
        assert_eq!(bind((&input).into(), (&output).into(), &nothing), length("a workspace buffer", need, 0));
        let smaller = layer.plan([1, 2, 3, 3]).expect("a plan");
        let small = workspace(context, &[&smaller]);
        let got = smaller.workspace()[0];
        assert_eq!(bind((&input).into(), (&output).into(), &small), length("a workspace buffer", need, got));
        let other = block_on(Context::new(&ContextOptions::default().adapter(named(gpu)))).expect("a second device");
        let foreign = workspace(&other, &[&plan]);
        let wrong = Error::Device(DeviceError::WrongDevice { what: "the workspace" });
        assert_eq!(bind((&input).into(), (&output).into(), &foreign), wrong);

        let host = self::layer(&Device::cpu(), &case, staged());
        unsupported(
            refusal(block_on(host.bind(shape, (&input, &output), &room)), "host"),
            "binding a layer to GPU buffers",
        );
    });
}

/// A layer is bound with a residual by its shape; what the problem does not take is refused.
#[test]
fn a_layer_is_bound_with_a_residual() {
    on_gpus("a_layer_is_bound_with_a_residual", |gpu| {
        let context = &gpu.context;
        let case = case(Conv::new(2, 4, [3, 3]).residual(Residual::Tensor), [1, 6, 7]);
        let shape = case.problem.input_shape();
        let layer = layer(&gpu.device(), &case, staged());
        let room = workspace(context, &[&*layer.plan(shape).expect("a plan")]);
        let buffer = |data: &[f32]| block_on(context.upload("test", data)).expect("a buffer");
        let [input, residual, output] = [&case.input, &case.residual, &vec![f32::NAN; 80]].map(|data| buffer(data));
        let ends = Ends::new(&input, &output).residual(&residual);
        let bound = block_on(layer.bind(shape, ends, &room)).expect("bound");
        context.submit(&bound).expect("submitted");
        let got = block_on(context.download(&output, 80)).expect("a copy");
        assert_right(&layer, &case, &got, &gpu.label);

        let presence = |expected, got| Error::Shape(ShapeError::Presence { what: "the residual", expected, got });
        let missing = refusal(block_on(layer.bind(shape, (&input, &output), &room)), "no residual");
        assert_eq!(missing, presence("a tensor (the problem needs it)", "none"));
        let plain = self::case(Conv::new(2, 4, [3, 3]), [1, 6, 7]);
        let plain = self::layer(&gpu.device(), &plain, staged());
        let superfluous = refusal(block_on(plain.bind(shape, ends, &room)), "a residual of no use");
        assert_eq!(superfluous, presence("no tensor (the problem does not take one)", "one"));
    });
}

fn named(gpu: &Gpu) -> AdapterChoice {
    AdapterChoice::Named(gpu.context.caps().name.clone())
}

/// The caller's weights may lie anywhere in a buffer: every kernel that reads them as they are given knows where.
#[test]
fn weights_may_lie_at_any_offset() {
    on_one_gpu("weights_may_lie_at_any_offset", |gpu| {
        let context = &gpu.context;
        let case = case(Conv::new(2, 4, [3, 3]), [1, 6, 7]);
        let transform = Nested::square(F::new(2, 3));
        let [input, weights] = [(0, &case.input), (3, &case.weights)].map(|(before, data)| {
            let data = [vec![f32::NAN; before], data.clone()].concat();
            block_on(context.upload("test", &data)).expect("a buffer")
        });
        for algorithm in [Algorithm::Direct, Algorithm::Staged(transform), Algorithm::FusedFilter(transform)] {
            let preferences = Preferences::new().tolerance(Tolerance::Any).algorithm(algorithm);
            let plan = case.problem.plan(&gpu.device(), &preferences).expect("a plan");
            let room = workspace(context, &[&plan]);
            let output = upload(context, case.problem.output_len());
            let packed = upload(context, plan.packing().len(&case.problem));
            let tensors = Tensors {
                input: Some((&input).into()),
                output: Some((&output).into()),
                weights: Some(Tensor::at(&weights, 12)),
                packed: Some((&packed).into()),
                ..Default::default()
            };
            for dispatches in [Dispatches::Packing, Dispatches::Run] {
                let bound = block_on(Bound::new(context, &plan, dispatches, &tensors, &room));
                let submitted = bound.and_then(|bound| context.submit(&bound));
                submitted.unwrap_or_else(|error| panic!("{algorithm}: {error}"));
            }
            let got = block_on(context.download(&output, case.problem.output_len())).expect("an output");
            assert_within(&got, &case.reference().all(), &case.bound(algorithm), &algorithm.to_string());
        }
    });
}

#[test]
fn a_step_is_bound_by_its_position() {
    on_one_gpu("a_step_is_bound_by_its_position", |gpu| {
        let context = &gpu.context;
        let case = case(Conv::new(2, 4, [3, 3]), [1, 6, 7]);
        let plan = case.problem.plan(&gpu.device(), &staged()).expect("a plan");
        let room = workspace(context, &[&plan]);
        let [input, output, packed] = [1000, 1000, 10_000].map(|len| upload(context, len));
        let tensors = Tensors {
            input: Some((&input).into()),
            output: Some((&output).into()),
            packed: Some((&packed).into()),
            ..Default::default()
        };
        let only = |index| {
            let bound = block_on(Bound::new(context, &plan, Dispatches::Only(index), &tensors, &room));
            bound.map(|bound| bound.len())
        };
        assert_eq!([only(2), only(3), only(usize::MAX)], [Ok(1), Ok(0), Ok(0)], "one of three");
    });
}

#[test]
fn shaders_are_trusted_unless_checks_are_asked_for() {
    on_one_gpu("shaders_are_trusted_unless_checks_are_asked_for", |gpu| {
        let opened = |options: ContextOptions| block_on(Context::new(&options.adapter(named(gpu)))).expect("a device");
        assert_eq!(opened(ContextOptions::default()).checks(), ShaderChecks::Trusted);
        assert_eq!(opened(ContextOptions::default().checks(ShaderChecks::Checked)).checks(), ShaderChecks::Checked);
    });
}

#[test]
fn a_workspace_serves_one_device() {
    on_one_gpu("a_workspace_serves_one_device", |gpu| {
        let case = case(Conv::new(2, 4, [3, 3]), [1, 6, 7]);
        let other = block_on(Context::new(&ContextOptions::default().adapter(named(gpu)))).expect("a second device");
        let mut workspace = Workspace::new();
        let mut output = vec![0.0; case.problem.output_len()];
        let mut run = |device: Device| {
            let layer = layer(&device, &case, staged());
            block_on(layer.run_with_workspace(case.problem.input_shape(), &case.input, &mut output, &mut workspace))
        };
        run(gpu.device()).expect("the first device");
        let wrong = Error::Device(DeviceError::WrongDevice { what: "the workspace" });
        assert_eq!(refusal(run(other.into()), "a second device"), wrong);
        run(gpu.device()).expect("the first device again");
    });
}

#[test]
fn an_adapter_that_is_not_there_is_named_with_what_is() {
    let options = ContextOptions::default().adapter(AdapterChoice::Named("nonexistent".to_owned()));
    let error = refusal(Device::gpu_blocking(&options), "no such adapter");
    let Error::Device(DeviceError::NoAdapter { asked, found }) = error else { panic!("expected NoAdapter: {error}") };
    assert_eq!(asked, "an adapter named nonexistent");
    let there = block_on(gpu::adapters());
    assert!(there.iter().all(|caps| found.contains(&caps.name)), "{found} lists {there:?}");
    assert_eq!(found == "none", there.is_empty(), "{found}");
}

/// The best device is hardware, or the CPU with a reason; never a software adapter.
#[test]
fn the_best_device_says_what_it_is() {
    let device = Device::best_blocking();
    let kind = device.caps().kind;
    assert_ne!(kind, DeviceKind::SoftwareGpu, "a software adapter is no GPU");
    assert_eq!(device.fallback().is_some(), kind == DeviceKind::Cpu, "a fallback is visible: {:?}", device.fallback());
    let case = case(Conv::new(2, 4, [3, 3]), [1, 6, 7]);
    let output = layer(&device, &case, Preferences::new()).run_blocking(case.problem.input_shape(), &case.input);
    let account = output.expect("a run").account;
    assert_eq!(account.fallback.as_ref(), device.fallback(), "and in the account of each run");
    for algorithm in Algorithm::all_for(&case.problem) {
        assert!(account.candidates.iter().any(|judged| judged.algorithm == algorithm), "with {algorithm}");
    }
    let text = account.to_string();
    assert!(text.contains(&device.caps().to_string()) && text.contains(&account.kernels[0]), "{text}");
}
