//! Buffers, encoders and devices that are another device's, or gone: each is a typed error, none is a panic, and none is
//! taken for something else.
#![cfg(feature = "gpu")]

use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Poll, Waker};
use std::thread;
use std::time::Duration;

use crate::support::gpus::{Gpu, on_one_gpu};
use pollster::block_on;
use winoconv::error::{DeviceError, Error};
use winoconv::gpu::{self, Bound, CacheSource, Context, ContextOptions, Dispatches, ShaderChecks, Tensors};
use winoconv::{Conv, DType, Layer, Plan, Preferences, Tolerance, WeightTensors, Weights, wgpu};

const SHAPE: [usize; 4] = [1, 2, 6, 7];
const INPUT: usize = 84;
const OUTPUT: usize = 80;

/// An error as the kind that is written here: `WrongDevice(the input)`, `Destroyed(the input)`, `Lost`.
fn kind(error: &Error) -> String {
    match error {
        Error::Device(DeviceError::WrongDevice { what }) => format!("WrongDevice({what})"),
        Error::Device(DeviceError::Destroyed { what }) => format!("Destroyed({what})"),
        Error::Device(DeviceError::Lost { .. }) => "Lost".to_owned(),
        other => format!("{other:?}"),
    }
}

fn refused<T>(expected: &str, what: &str, result: Result<T, Error>) {
    let got = result.map_or_else(|error| kind(&error), |_| "no error".to_owned());
    assert_eq!(got, expected, "{what}");
}

/// An answer within a minute: a device that is gone must not be waited for.
fn in_time<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let (sender, receiver) = mpsc::channel();
    let worker = thread::spawn(move || sender.send(work()));
    match receiver.recv_timeout(Duration::from_secs(60)) {
        Ok(answer) => answer,
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("no answer within a minute"),
        Err(mpsc::RecvTimeoutError::Disconnected) => match worker.join() {
            Err(panic) => std::panic::resume_unwind(panic),
            Ok(_) => unreachable!("it sends or panics"),
        },
    }
}

/// A device of the crate's own, with an instance of its own.
fn own(gpu: &Gpu) -> Context {
    gpu.another(ContextOptions::default())
}

fn adapter(gpu: &Gpu) -> wgpu::Adapter {
    let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle();
    descriptor.backends = wgpu::Backends::PRIMARY;
    let adapters = block_on(wgpu::Instance::new(descriptor).enumerate_adapters(wgpu::Backends::PRIMARY));
    let adapter = adapters.into_iter().find(|adapter| adapter.get_info().name == gpu.context.caps().name);
    adapter.expect("the adapter that the crate found")
}

fn open(adapter: &wgpu::Adapter) -> (wgpu::Device, wgpu::Queue) {
    block_on(adapter.request_device(&wgpu::DeviceDescriptor::default())).expect("a device")
}

fn borrow((device, queue): &(wgpu::Device, wgpu::Queue)) -> Context {
    let context = Context::from_wgpu(device.clone(), queue.clone(), ShaderChecks::default(), CacheSource::off());
    block_on(context).expect("any device will do")
}

fn raw_buffer(device: &wgpu::Device, len: usize) -> wgpu::Buffer {
    let usage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC | wgpu::BufferUsages::COPY_DST;
    let size = 4 * len as u64;
    device.create_buffer(&wgpu::BufferDescriptor { label: Some("raw"), size, usage, mapped_at_creation: false })
}

fn encoder(context: &Context) -> wgpu::CommandEncoder {
    context.device().create_command_encoder(&wgpu::CommandEncoderDescriptor::default())
}

/// A layer on a device with everything that a binding needs.
struct Bench {
    context: Context,
    layer: Layer,
    plan: Arc<Plan>,
    room: gpu::Workspace,
    input: wgpu::Buffer,
    output: wgpu::Buffer,
}

impl Bench {
    fn new(context: &Context) -> Self {
        let preferences =
            Preferences::new().tolerance(Tolerance::Any).algorithm("staged:f2x3".parse().expect("a label"));
        let weights = [0.5; 72];
        let layer =
            Layer::new_blocking(&context.clone().into(), Conv::new(2, 4, [3, 3]), Weights::new(&weights), preferences)
                .expect("legal");
        let plan = layer.plan(SHAPE).expect("legal");
        let room = block_on(gpu::Workspace::new(context, &[&plan])).expect("room");
        let [input, output] =
            [INPUT, OUTPUT].map(|len| block_on(context.create_buffer("test", len)).expect("a buffer"));
        Self { context: context.clone(), layer, plan, room, input, output }
    }

    fn bind(&self, input: &wgpu::Buffer, output: &wgpu::Buffer) -> Result<Bound, Error> {
        block_on(self.layer.bind(SHAPE, (input, output), &self.room))
    }

    fn bound(&self) -> Bound {
        self.bind(&self.input, &self.output).expect("all its own")
    }

    /// Everything takes its own buffers, and computes what it should.
    fn works(&self, what: &str) {
        let output = self.layer.run_blocking(SHAPE, &[1.0; INPUT]).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert!(output.data.iter().all(|x| (x - 9.0).abs() < 1e-4), "{what}: {:?}", &output.data[..4]);
        self.bound();
        let read =
            block_on(self.context.download(&self.output, OUTPUT)).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(read.len(), OUTPUT, "{what}");
    }

    /// Nothing takes a buffer of another device.
    fn refuses(&self, foreign: &wgpu::Buffer, what: &str) {
        refused("WrongDevice(the input)", &format!("{what}: as input"), self.bind(foreign, &self.output));
        refused("WrongDevice(the output)", &format!("{what}: as output"), self.bind(&self.input, foreign));
        let given = Tensors {
            input: Some((&self.input).into()),
            output: Some((&self.output).into()),
            packed: Some(foreign.into()),
            ..Default::default()
        };
        let bound = block_on(Bound::new(&self.context, &self.plan, Dispatches::Run, &given, &self.room));
        refused("WrongDevice(the packed weights)", &format!("{what}: as weights"), bound);
        let read = block_on(self.context.download(foreign, 4));
        refused("WrongDevice(the buffer)", &format!("{what}: to be read"), read);
        let set = block_on(self.layer.set_weights_from(WeightTensors::new(foreign)));
        refused("WrongDevice(the weights)", &format!("{what}: as new weights"), set);
        let read = block_on(self.context.download_as(foreign, DType::F16, 4));
        refused("WrongDevice(the buffer)", &format!("{what}: to be read as f16"), read);
        self.works(&format!("after {what}"));
    }
}

/// Buffers of two instances have the same numbers, so that one is taken for the other, or numbers that the other does
/// not know.
#[test]
fn a_buffer_of_another_device_is_refused() {
    on_one_gpu("a_buffer_of_another_device_is_refused", |gpu| {
        let (ours, theirs) = (Bench::new(&own(gpu)), Bench::new(&own(gpu)));
        ours.works("before");
        ours.refuses(&theirs.input, "an input with the number of ours");
        ours.refuses(&theirs.output, "an output with the number of ours");
        let many: Vec<_> = (0..60).map(|_| raw_buffer(theirs.context.device(), 400)).collect();
        ours.refuses(&many[59], "a number that is unknown here");
        assert_eq!(theirs.context.check_faults(), Ok(()), "being asked is no fault");
        theirs.works("the other device");
    });
}

#[test]
fn a_buffer_of_an_applications_device_is_refused_by_another() {
    on_one_gpu("a_buffer_of_an_applications_device_is_refused_by_another", |gpu| {
        let ours = Bench::new(&own(gpu));
        // Without a handler of errors, and with one.
        let (silent, listening) = (open(&adapter(gpu)), open(&adapter(gpu)));
        let heard = Arc::new(Mutex::new(0));
        let hears = heard.clone();
        listening.0.on_uncaptured_error(Arc::new(move |_| *hears.lock().expect("no panic") += 1));
        for (device, what) in [(&silent, "no handler"), (&listening, "a handler")] {
            let theirs = Bench::new(&borrow(device));
            theirs.works(what);
            let before = *heard.lock().expect("no panic");
            assert_eq!(before, 0, "nothing is reported of an application's own buffers");
            ours.refuses(&raw_buffer(&device.0, 400), what);
            ours.refuses(&theirs.input, what);
            theirs.refuses(&ours.input, what);
            theirs.refuses(&raw_buffer(ours.context.device(), 400), what);
        }
    });
}

#[test]
fn a_buffer_of_another_device_of_the_same_instance_is_refused() {
    on_one_gpu("a_buffer_of_another_device_of_the_same_instance_is_refused", |gpu| {
        let adapter = adapter(gpu);
        let [ours, theirs] = [open(&adapter), open(&adapter)].map(|device| Bench::new(&borrow(&device)));
        ours.refuses(&theirs.input, "one instance");
        // Two contexts of one device are the same device to a buffer.
        let again = Bench::new(&borrow(&(theirs.context.device().clone(), theirs.context.queue().clone())));
        again.bind(&theirs.input, &theirs.output).expect("the same device");
    });
}

#[test]
fn an_applications_own_buffers_are_taken_in_any_state() {
    on_one_gpu("an_applications_own_buffers_are_taken_in_any_state", |gpu| {
        let device = open(&adapter(gpu));
        let bench = Bench::new(&borrow(&device));
        let usage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC;
        let descriptor = wgpu::BufferDescriptor { label: None, size: 400, usage, mapped_at_creation: true };
        let mapped = device.0.create_buffer(&descriptor);
        let mut view = mapped.get_mapped_range_mut(..).expect("mapped");
        bench.bind(&mapped, &bench.output).expect("while it is being written");
        view.copy_from_slice(&[0; 400]);
        drop(view);
        let bound = bench.bind(&mapped, &bench.output).expect("while it is mapped");
        mapped.unmap();
        bench.bind(&mapped, &bench.output).expect("and after");
        bench.context.submit(&bound).expect("unmapped");
        // One that is being mapped stays so.
        let usage = wgpu::BufferUsages::MAP_WRITE | wgpu::BufferUsages::COPY_SRC;
        let descriptor = wgpu::BufferDescriptor { label: None, size: 400, usage, mapped_at_creation: false };
        let upload = device.0.create_buffer(&descriptor);
        block_on(bench.context.download(&upload, 4)).expect("a buffer that can be mapped");
        let (sender, receiver) = mpsc::channel();
        upload.map_async(wgpu::MapMode::Write, .., move |result| sender.send(result.is_ok()).expect("it listens"));
        refused(
            "WrongDevice(the buffer)",
            "another's",
            block_on(bench.context.download(&raw_buffer(&open(&adapter(gpu)).0, 4), 4)),
        );
        bench.context.wait().expect("mapped");
        assert!(receiver.recv().expect("an answer"), "the mapping was not ended");
    });
}

/// Without the check, a pass of another device dispatches what has the same numbers there.
#[test]
fn an_encoder_of_another_device_is_refused() {
    on_one_gpu("an_encoder_of_another_device_is_refused", |gpu| {
        let (ours, theirs) = (Bench::new(&own(gpu)), Bench::new(&borrow(&open(&adapter(gpu)))));
        let strangers = own(gpu);
        for (bench, other) in
            [(&ours, &theirs.context), (&theirs, &ours.context), (&ours, &strangers), (&theirs, &strangers)]
        {
            let bound = bench.bound();
            let mut encoder = encoder(other);
            refused("WrongDevice(the encoder)", "an encoder", bound.encode(&mut encoder));
            let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
            refused("WrongDevice(the encoder)", "a pass", bound.encode_pass(&mut pass));
            let kernel = bench.plan.kernels()[0].kernel();
            refused("WrongDevice(the encoder)", "a stage", bound.encode_stage(&mut pass, kernel));
            drop(pass);
            // The encoder is as good as before.
            other.queue().submit([encoder.finish()]);
            other.wait().expect("nothing went wrong there");
            refused("WrongDevice(the bound plan)", "to be submitted", other.submit(&bound));
            let timed = block_on(other.time(|pass| bound.encode_pass(pass)));
            refused("WrongDevice(the encoder)", "to be timed", timed);
            bound.encode(&mut self::encoder(&bench.context)).expect("its own encoder");
        }
        ours.works("afterwards");
        theirs.works("afterwards");
    });
}

/// Every call on a device that is gone.
fn all_lost(bench: &Bench, bound: &Bound, what: &str) {
    let Bench { context, input, output, plan, .. } = bench;
    let lost = |call: &str, error: Option<Error>| {
        let got = error.map_or("no error".to_owned(), |error| kind(&error));
        assert_eq!(got, "Lost", "{what}: {call}");
    };
    for round in ["at once", "later"] {
        let lost = |call: &str, error| lost(&format!("{call}, {round}"), error);
        lost("run", bench.layer.run_blocking(SHAPE, &[1.0; INPUT]).err());
        lost("bind", bench.bind(input, output).err());
        lost("download", block_on(context.download(output, OUTPUT)).err());
        lost("download_as", block_on(context.download_as(output, DType::F16, 4)).err());
        lost("upload", block_on(context.upload("test", &[1.0])).err());
        lost("upload_as", block_on(context.upload_as("test", DType::F16, &[1.0])).err());
        lost("create_buffer", block_on(context.create_buffer("test", 1)).err());
        lost("submit", context.submit(bound).err());
        lost("time", block_on(context.time(|pass| bound.encode_pass(pass))).err());
        lost("wait", context.wait().err());
        lost("workspace", block_on(gpu::Workspace::new(context, &[plan])).err());
        let forced = Preferences::new().tolerance(Tolerance::Any).algorithm("direct".parse().expect("a label"));
        let direct = plan.problem().plan(&context.clone().into(), &forced).expect("planning needs no device");
        lost("pipelines", block_on(context.pipelines(&[direct.dispatches()[0].kernel()])).err());
        lost("time_compile", block_on(context.time_compile(&direct.dispatches()[0].kernel())).err());
        let layer =
            Layer::new_blocking(&context.clone().into(), Conv::new(2, 4, [3, 3]), Weights::new(&[0.5; 72]), forced);
        lost("a layer", layer.err());
        let again = Context::from_wgpu(
            context.device().clone(),
            context.queue().clone(),
            ShaderChecks::default(),
            CacheSource::off(),
        );
        lost("another context", block_on(again).err());
        // What the caller encodes is the caller's to submit.
        let _ = bound.encode(&mut encoder(context));
    }
}

#[test]
fn a_destroyed_device_is_lost_in_every_call() {
    on_one_gpu("a_destroyed_device_is_lost_in_every_call", |gpu| {
        for (context, what) in [(own(gpu), "a device of our own"), (borrow(&open(&adapter(gpu))), "a borrowed device")]
        {
            let bench = Bench::new(&context);
            bench.works(what);
            in_time(move || {
                let bound = bench.bound();
                context.device().destroy();
                all_lost(&bench, &bound, what);
            });
        }
    });
}

#[test]
fn a_device_that_is_destroyed_at_work_is_lost() {
    on_one_gpu("a_device_that_is_destroyed_at_work_is_lost", |gpu| {
        let bench = Bench::new(&own(gpu));
        in_time(move || {
            let device = bench.context.device().clone();
            let destroyer = thread::spawn(move || {
                thread::sleep(Duration::from_millis(20));
                device.destroy();
            });
            let error = loop {
                match bench.layer.run_blocking(SHAPE, &[1.0; INPUT]) {
                    Ok(output) => assert!(output.data.iter().all(|x| (x - 9.0).abs() < 1e-4), "{:?}", output.data),
                    Err(error) => break error,
                }
            };
            assert_eq!(kind(&error), "Lost");
            destroyer.join().expect("no panic");
        });
    });
}

#[test]
fn a_destroyed_buffer_is_named() {
    on_one_gpu("a_destroyed_buffer_is_named", |gpu| {
        for (context, what) in [(own(gpu), "a device of our own"), (borrow(&open(&adapter(gpu))), "a borrowed device")]
        {
            let bench = Bench::new(&context);
            let gone = raw_buffer(context.device(), 400);
            let bound = bench.bind(&gone, &bench.output).expect("alive");
            gone.destroy();
            refused("Destroyed(the input)", what, bench.bind(&gone, &bench.output));
            refused("Destroyed(the output)", what, bench.bind(&bench.input, &gone));
            refused("Destroyed(the buffer)", what, block_on(context.download(&gone, 4)));
            refused("Destroyed(Buffer with 'raw' label)", what, context.submit(&bound));
            let timed = block_on(context.time(|pass| bound.encode_pass(pass)));
            refused("Destroyed(Buffer with 'raw' label)", what, timed);
            // A workspace's buffers are lent, and can be destroyed too.
            let plan = &bench.plan;
            let room = block_on(gpu::Workspace::new(&context, &[plan])).expect("room");
            room.buffers().for_each(|(buffer, _)| buffer.destroy());
            let bound = block_on(bench.layer.bind(SHAPE, (&bench.input, &bench.output), &room));
            refused("Destroyed(Buffer with 'workspace 0' label)", what, bound);
            bench.works(what);
        }
    });
}

#[test]
fn lengths_beyond_the_buffer_are_refused() {
    on_one_gpu("lengths_beyond_the_buffer_are_refused", |gpu| {
        let context = &gpu.context;
        let most = (1 << 62) + 1;
        for len in [most, usize::MAX, usize::MAX / 4] {
            let error = block_on(context.create_buffer("large", len)).expect_err("there is no such buffer");
            assert!(matches!(error, Error::Limit(_)), "{len}: {error:?}");
        }
        let buffer = block_on(context.upload("test", &[1.0, 2.0, 3.0])).expect("a buffer");
        for dtype in [DType::F32, DType::F16] {
            let there = 12 / dtype.size() as usize;
            for len in [there + 1, most, 2 * most + 1, usize::MAX] {
                let error = block_on(context.download_as(&buffer, dtype, len)).expect_err("there are fewer");
                let text = error.to_string();
                let expected = format!("the buffer: expected {len} elements, got {there}");
                assert_eq!(text, expected, "{dtype}");
            }
            assert_eq!(block_on(context.download_as(&buffer, dtype, there)).expect("all").len(), there);
        }
        let error = block_on(context.download(&buffer, most)).expect_err("there are fewer").to_string();
        assert_eq!(error, format!("the buffer: expected {most} elements, got 3"));
        assert_eq!(block_on(context.download(&buffer, 0)), Ok(Vec::new()));
        let usage = wgpu::BufferUsages::STORAGE;
        let descriptor = wgpu::BufferDescriptor { label: None, size: 16, usage, mapped_at_creation: false };
        let unreadable = context.device().create_buffer(&descriptor);
        let error = block_on(context.download(&unreadable, 4)).expect_err("it cannot be copied from").to_string();
        assert!(error.contains("COPY_SRC"), "{error}");
        assert_eq!(context.check_faults(), Ok(()), "refused before the device saw it");
    });
}

/// Polls a future once, or not at all, and drops it.
fn poll_once(future: impl Future) {
    let mut future = pin!(future);
    let waker = Waker::noop();
    let _: Poll<_> = future.as_mut().poll(&mut std::task::Context::from_waker(waker));
}

#[test]
fn futures_may_be_dropped_half_way() {
    on_one_gpu("futures_may_be_dropped_half_way", |gpu| {
        let bench = Bench::new(&own(gpu));
        in_time(move || {
            let Bench { context, layer, plan, input, output, room } = &bench;
            let kernels: Vec<_> = plan.dispatches().iter().map(winoconv::plan::Dispatch::kernel).collect();
            for round in 0..3 {
                drop(layer.run(SHAPE, &[1.0; INPUT]));
                poll_once(context.pipelines(&kernels));
                poll_once(layer.run(SHAPE, &[1.0; INPUT]));
                poll_once(layer.bind(SHAPE, (input, output), room));
                poll_once(context.download(output, OUTPUT));
                poll_once(context.upload("test", &[1.0; 400]));
                poll_once(Context::new(&ContextOptions::default()));
                bench.works(&format!("round {round}"));
            }
            assert!(context.compilations() <= kernels.len() + 1, "each kernel once, and the packing's");
            assert_eq!(context.check_faults(), Ok(()));
        });
    });
}

/// Whoever compiles a kernel may be gone before it is there; who waits for it gets it all the same.
#[test]
fn a_future_that_waits_for_a_kernel_may_be_dropped() {
    on_one_gpu("a_future_that_waits_for_a_kernel_may_be_dropped", |gpu| {
        let bench = Bench::new(&own(gpu));
        in_time(move || {
            let kernels: Vec<_> = bench.plan.dispatches().iter().map(winoconv::plan::Dispatch::kernel).collect();
            thread::scope(|scope| {
                for _ in 0..4 {
                    scope.spawn(|| kernels.iter().for_each(|kernel| poll_once(bench.context.pipeline(kernel))));
                }
            });
            bench.works("afterwards");
            assert_eq!(bench.context.compilations(), kernels.len() + 1, "each once, and the packing's");
        });
    });
}
