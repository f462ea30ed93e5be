//! A caller's device, encoder and pass: what encoding creates, shares and leaves to the caller.
#![cfg(feature = "gpu")]

use std::sync::{Arc, Mutex};

use crate::support::data::{Case, Data, assert_within};
use crate::support::entry::EntryPoint;
use crate::support::gpus::{Gpu, on_gpus, on_one_gpu};
use pollster::block_on;
use winoconv::error::{DeviceError, Error};
use winoconv::gpu::{self, Bound, CacheSource, Context, ContextOptions, ShaderChecks};
use winoconv::winograd::{F, Nested};
use winoconv::{
    Account, Activation, Algorithm, Conv, DType, Device, Layer, Output, Plan, Preferences, Problem, Shape, Tolerance,
};
use winoconv::{Workspace, wgpu};

fn forced(m: u8) -> Preferences {
    Preferences::new().tolerance(Tolerance::Any).algorithm(Algorithm::Staged(Nested::square(F::new(m, 3))))
}

fn case(conv: Conv, [n, h, w]: [usize; 3]) -> Case {
    let problem = conv.on([n, conv.channels, h, w]).unwrap_or_else(|error| panic!("{error}"));
    Case::new(problem, Data::Normal, 9)
}

fn layer(device: &Device, case: &Case, preferences: Preferences) -> Layer {
    Layer::new_blocking(device, case.problem.conv(), case.operands(), preferences)
        .unwrap_or_else(|error| panic!("{}: {error}", case.problem))
}

fn encoder(context: &Context) -> wgpu::CommandEncoder {
    context.device().create_command_encoder(&wgpu::CommandEncoderDescriptor::default())
}

fn upload(context: &Context, data: &[f32]) -> wgpu::Buffer {
    block_on(context.upload("test", data)).unwrap_or_else(|error| panic!("upload: {error}"))
}

fn download(context: &Context, buffer: &wgpu::Buffer, len: usize) -> Vec<f32> {
    block_on(context.download(buffer, len)).unwrap_or_else(|error| panic!("download: {error}"))
}

/// Three layers, one workspace, one pass: what one leaves in the workspace is nothing to the next.
#[test]
fn three_layers_share_a_workspace_in_one_pass() {
    on_gpus("three_layers_share_a_workspace_in_one_pass", |gpu| {
        let (context, device) = (&gpu.context, gpu.device());
        let convs = [
            (Conv::new(3, 8, [3, 3]).padding(1).bias(true).activation(Activation::Relu), forced(4)),
            (Conv::new(8, 5, [3, 3]), forced(2)),
            (Conv::new(5, 2, [3, 3]).padding(1), Preferences::new().algorithm(Algorithm::Direct)),
        ];
        // Each layer's reference takes the GPU's own input, so that each is held to its own bound.
        let mut shape = Shape::from([2, 3, 13, 11]);
        let mut steps = Vec::new();
        for (conv, preferences) in convs {
            let case = Case::new(conv.on(shape).expect("fits"), Data::Normal, 3);
            shape = case.problem.output_shape();
            steps.push((layer(&device, &case, preferences), case));
        }
        let plans: Vec<_> =
            steps.iter().map(|(layer, case)| layer.plan(case.problem.input_shape()).expect("a plan")).collect();
        let plans: Vec<&Plan> = plans.iter().map(AsRef::as_ref).collect();
        let workspace = block_on(gpu::Workspace::new(context, &plans)).expect("a workspace for the largest");
        let largest = plans.iter().map(|plan| plan.workspace_bytes()).max();
        assert!(Some(workspace.bytes()) <= largest.map(|bytes| 2 * bytes), "shared, not added up");

        let mut tensors = vec![upload(context, &steps[0].1.input)];
        tensors.extend(steps.iter().map(|(_, case)| upload(context, &vec![f32::NAN; case.problem.output_len()])));
        let bound: Vec<Bound> = (steps.iter().zip(tensors.windows(2)))
            .map(|((layer, case), ends)| {
                let bound = block_on(layer.bind(case.problem.input_shape(), (&ends[0], &ends[1]), &workspace));
                bound.unwrap_or_else(|error| panic!("{error}"))
            })
            .collect();
        let mut encoder = encoder(context);
        let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
        for bound in &bound {
            bound.encode_pass(&mut pass).expect("the same device");
        }
        drop(pass);
        context.queue().submit([encoder.finish()]);
        for (i, (_, case)) in steps.iter_mut().enumerate() {
            case.input = download(context, &tensors[i], case.problem.input_len());
            let got = download(context, &tensors[i + 1], case.problem.output_len());
            let what = format!("layer {i} on {}", gpu.label);
            assert_within(&got, &case.reference().all(), &case.bound(plans[i].algorithm()), &what);
        }
    });
}

/// Buffers, bind groups, pipelines, modules: everything that wgpu counts but encoders, which are the caller's.
fn objects(context: &Context) -> [isize; 8] {
    let counters = context.device().get_internal_counters().hal;
    [
        counters.buffers.read(),
        counters.bind_groups.read(),
        counters.bind_group_layouts.read(),
        counters.pipeline_layouts.read(),
        counters.compute_pipelines.read(),
        counters.shader_modules.read(),
        counters.query_sets.read(),
        counters.memory_allocations.read(),
    ]
}

/// A bound plan is encoded by shared reference, any number of times, and creates nothing on the way. (wgpu makes a
/// staging object of its own when work is submitted, so the count is taken around encoding alone.)
#[test]
fn encoding_creates_no_gpu_object() {
    on_gpus("encoding_creates_no_gpu_object", |gpu| {
        let context = &gpu.another(ContextOptions::default().checks(gpu.context.checks()));
        let case = case(Conv::new(3, 4, [3, 3]).padding(1), [2, 9, 9]);
        let layer = layer(&context.clone().into(), &case, forced(2));
        let plan = layer.plan(case.problem.input_shape()).expect("a plan");
        let workspace = block_on(gpu::Workspace::new(context, &[&plan])).expect("a workspace");
        let (input, output) =
            (upload(context, &case.input), upload(context, &vec![f32::NAN; case.problem.output_len()]));
        let nothing = objects(context);
        let bound: &Bound =
            &block_on(layer.bind(case.problem.input_shape(), (&input, &output), &workspace)).expect("bound");
        // The encoder is the caller's, and an object of its own where a driver has no pool of them.
        let mut encoder = encoder(context);
        let before = objects(context);
        assert_ne!(nothing, before, "the counters count: binding makes bind groups");
        for _ in 0..3 {
            bound.encode(&mut encoder).expect("the same device");
        }
        let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
        bound.encode_pass(&mut pass).expect("the same device");
        drop(pass);
        let commands = encoder.finish();
        assert_eq!(objects(context), before, "objects after encoding four times, on {}", gpu.label);
        context.queue().submit([commands]);
        let got = download(context, &output, case.problem.output_len());
        assert_within(&got, &case.reference().all(), &case.bound(plan.algorithm()), "encoded four times");
    });
}

/// Stages by name, one after the other, are the whole.
#[test]
fn stages_can_be_encoded_apart() {
    on_one_gpu("stages_can_be_encoded_apart", |gpu| {
        let context = &gpu.context;
        let case = case(Conv::new(3, 4, [3, 3]).padding(1), [1, 9, 9]);
        let layer = layer(&gpu.device(), &case, forced(2));
        let plan = layer.plan(case.problem.input_shape()).expect("a plan");
        let workspace = block_on(gpu::Workspace::new(context, &[&plan])).expect("a workspace");
        let (input, output) =
            (upload(context, &case.input), upload(context, &vec![f32::NAN; case.problem.output_len()]));
        let bound = block_on(layer.bind(case.problem.input_shape(), (&input, &output), &workspace)).expect("bound");
        for kernel in plan.kernels() {
            let time = block_on(context.time(|pass| bound.encode_stage(pass, kernel.kernel())));
            time.unwrap_or_else(|error| panic!("{kernel}: {error}"));
        }
        let got = download(context, &output, case.problem.output_len());
        assert_within(&got, &case.reference().all(), &case.bound(plan.algorithm()), "stage by stage");
    });
}

/// An adapter and device of the test's own, as an application has them.
fn own_device(gpu: &Gpu) -> (wgpu::Device, wgpu::Queue) {
    block_on(own_adapter(gpu).request_device(&wgpu::DeviceDescriptor::default())).expect("a device")
}

fn own_adapter(gpu: &Gpu) -> wgpu::Adapter {
    let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle();
    descriptor.backends = wgpu::Backends::PRIMARY;
    let instance = wgpu::Instance::new(descriptor);
    let adapters = block_on(instance.enumerate_adapters(wgpu::Backends::PRIMARY));
    let adapter = adapters.into_iter().find(|adapter| adapter.get_info().name == gpu.context.caps().name);
    adapter.expect("the adapter that the crate found")
}

#[test]
fn a_borrowed_device_keeps_its_errors() {
    on_one_gpu("a_borrowed_device_keeps_its_errors", |gpu| {
        let (device, queue) = own_device(gpu);
        let heard = Arc::new(Mutex::new(Vec::new()));
        let hears = heard.clone();
        device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| {
            hears.lock().expect("no panic while it is held").push(error.to_string());
        }));
        let context = Context::from_wgpu(device.clone(), queue, ShaderChecks::Checked, CacheSource::off());
        let context = block_on(context).expect("any device will do");
        let case = case(Conv::new(3, 4, [3, 3]).padding(1), [2, 9, 9]);
        let layer = layer(&context.clone().into(), &case, forced(2));
        for entry in EntryPoint::ALL {
            let got = entry.run(&layer, &case, &format!("{entry:?} on a borrowed device"));
            assert_within(&got, &case.reference().all(), &case.bound(layer_algorithm(&layer, &case)), "borrowed");
        }
        assert_eq!(*heard.lock().expect("no panic"), Vec::<String>::new(), "nothing went wrong so far");

        // The caller destroys a buffer that is bound: the error is the caller's to hear.
        let plan = layer.plan(case.problem.input_shape()).expect("a plan");
        let workspace = block_on(gpu::Workspace::new(&context, &[&plan])).expect("a workspace");
        let (input, output) = (upload(&context, &case.input), upload(&context, &vec![0.0; case.problem.output_len()]));
        let bound = block_on(layer.bind(case.problem.input_shape(), (&input, &output), &workspace)).expect("bound");
        output.destroy();
        let mut encoder = encoder(&context);
        bound.encode(&mut encoder).expect("the same device");
        context.queue().submit([encoder.finish()]);
        assert_eq!(context.check_faults(), Ok(()), "no ear of ours on a borrowed device");
        let heard = heard.lock().expect("no panic");
        assert!(heard.iter().any(|message| message.contains("destroyed")), "the caller hears of it: {heard:?}");
    });
}

fn layer_algorithm(layer: &Layer, case: &Case) -> Algorithm {
    layer.plan(case.problem.input_shape()).expect("a plan").algorithm()
}

/// On a device of our own the same mistake is a typed error of the next call, once.
#[test]
fn a_late_error_of_our_own_device_is_typed() {
    on_one_gpu("a_late_error_of_our_own_device_is_typed", |gpu| {
        let context = gpu.another(ContextOptions::default());
        let (doomed, other) = (upload(&context, &[0.0; 4]), upload(&context, &[0.0; 4]));
        doomed.destroy();
        let mut encoder = encoder(&context);
        encoder.copy_buffer_to_buffer(&doomed, 0, &other, 0, 16);
        context.queue().submit([encoder.finish()]);
        let error = context.check_faults().expect_err("the submission was refused");
        assert!(matches!(error, Error::Device(DeviceError::Destroyed { .. })), "{error:?}");
        assert_eq!(context.check_faults(), Ok(()), "reported once");
    });
}

/// What an application did not request is told where it costs something, and nowhere else.
#[test]
fn a_borrowed_device_tells_what_it_lacks() {
    on_one_gpu("a_borrowed_device_tells_what_it_lacks", |gpu| {
        let adapter = own_adapter(gpu);
        let borrow = |descriptor: &wgpu::DeviceDescriptor<'_>, cache| -> Device {
            let (device, queue) = block_on(adapter.request_device(descriptor)).expect("a device");
            block_on(Context::from_wgpu(device, queue, ShaderChecks::default(), cache)).expect("a context").into()
        };
        let told = |device: &Device, conv: Conv, [h, w]: [usize; 2]| -> Vec<String> {
            let problem = conv.on([1, conv.channels, h, w]).expect("legal");
            let plan = problem.plan(device, &Preferences::new()).expect("a plan");
            let account = Account::new(&plan, device);
            account
                .shortfalls
                .iter()
                .for_each(|shortfall| assert!(account.to_string().contains(&shortfall.to_string())));
            account.shortfalls.iter().map(ToString::to_string).collect()
        };
        let (f32, f16) = (Conv::new(4, 4, [1, 1]), Conv::new(4, 4, [1, 1]).dtype(DType::F16));
        let emulated = "f16 storage is emulated: the device was opened without SHADER_F16";
        let anew = "kernels are compiled anew in every process: ";
        let parts = "bound in parts: max_storage_buffer_binding_size is WebGPU's default, 134217728";

        let defaults = borrow(&wgpu::DeviceDescriptor::default(), CacheSource::empty());
        assert!(told(&defaults, f16, [8, 8]).contains(&emulated.to_owned()), "{:?}", told(&defaults, f16, [8, 8]));
        let lines = told(&defaults, f32, [8, 8]);
        assert!(lines.iter().all(|line| line != emulated && !line.contains("in parts")), "{lines:?}");
        assert!(lines.iter().any(|line| line.starts_with(anew) && line.contains("PIPELINE_CACHE")), "{lines:?}");
        // 160 MB each.
        let lines = told(&defaults, f32, [3200, 3200]);
        assert!(lines.contains(&format!("input and output {parts}")), "{lines:?}");
        let off = borrow(&wgpu::DeviceDescriptor::default(), CacheSource::off());
        let lines = told(&off, f32, [8, 8]);
        assert!(lines.iter().all(|line| !line.starts_with(anew)), "no cache was asked for: {lines:?}");

        let recommended = borrow(&gpu::recommended(&adapter), CacheSource::off());
        let own: Device = gpu.context.clone().into();
        assert_eq!(recommended.caps(), own.caps(), "as a device of our own");
        assert_eq!(told(&recommended, if own.caps().f16 { f16 } else { f32 }, [8, 8]), Vec::<String>::new());
        assert_eq!(told(&own, f32, [8, 8]), Vec::<String>::new());
        assert_eq!(told(&Device::cpu(), f16, [8, 8]), Vec::<String>::new(), "the CPU lacks nothing of a GPU");
    });
}

/// Nothing in, nothing out, through every entry point and algorithm; also with buffers of no use.
#[test]
fn an_empty_batch_runs_everywhere() {
    let case = case(Conv::new(3, 4, [3, 3]).padding(1).bias(true), [0, 9, 9]);
    let run = |device: &Device, entries: &[EntryPoint], label: &str| {
        for (preferences, &entry) in
            [Preferences::new(), forced(2)].iter().flat_map(|p| entries.iter().map(move |e| (p, e)))
        {
            let got = entry.run(&layer(device, &case, *preferences), &case, &format!("{entry:?} on {label}"));
            assert_eq!(got, Vec::<f32>::new(), "{entry:?} on {label}");
        }
    };
    run(&Device::cpu(), &EntryPoint::HOST, "the host");
    on_one_gpu("an_empty_batch_runs_everywhere", |gpu| {
        run(&gpu.device(), &EntryPoint::ALL, &gpu.label);
        let layer = layer(&gpu.device(), &case, forced(2));
        let one = upload(&gpu.context, &[0.0]);
        let bound =
            block_on(layer.bind([0, 3, 9, 9], (&one, &one), &gpu::Workspace::default())).expect("nothing to bind");
        assert!(bound.is_empty(), "no dispatch");
        bound.encode(&mut encoder(&gpu.context)).expect("nothing to encode");
    });
}

/// Futures too: an application awaits them on whichever thread it has.
#[test]
fn futures_go_between_threads() {
    fn check<T: Send>(_: T) {}
    on_one_gpu("futures_go_between_threads", |gpu| {
        let case = case(Conv::new(3, 4, [3, 3]).padding(1), [1, 9, 9]);
        let layer = layer(&gpu.device(), &case, forced(2));
        let buffer = upload(&gpu.context, &case.input);
        let (options, workspace) = (ContextOptions::default(), gpu::Workspace::default());
        check(Context::new(&options));
        check(layer.run(case.problem.input_shape(), &case.input));
        check(layer.bind(case.problem.input_shape(), (&buffer, &buffer), &workspace));
        check(gpu.context.pipelines(&[]));
        check(gpu.context.download(&buffer, 1));
    });
}

/// As wgpu's own types are, where threads are.
#[test]
fn public_types_go_between_threads() {
    fn check<T: Send + Sync>() {}
    check::<Device>();
    check::<Context>();
    check::<Layer>();
    check::<Workspace>();
    check::<gpu::Workspace>();
    check::<Bound>();
    check::<Plan>();
    check::<Problem>();
    check::<Output>();
    check::<Account>();
    check::<Error>();
    check::<CacheSource>();
    // One layer, two threads at once.
    on_one_gpu("public_types_go_between_threads", |gpu| {
        let case = case(Conv::new(3, 4, [3, 3]).padding(1), [1, 9, 9]);
        let layer = layer(&gpu.device(), &case, forced(4));
        let run = || EntryPoint::Fresh.run(&layer, &case, "two threads");
        let results = std::thread::scope(|scope| {
            let other = scope.spawn(run);
            [run(), other.join().expect("the other thread")]
        });
        for got in results {
            assert_within(&got, &case.reference().all(), &case.bound(layer_algorithm(&layer, &case)), "two threads");
        }
    });
}
