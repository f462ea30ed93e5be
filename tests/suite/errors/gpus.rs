//! Buffers and devices that a plan cannot be bound to.

use pollster::block_on;
use winoconv::gpu::{self, AdapterChoice, Bound, Context, ContextOptions, Dispatches, ReadBack, Tensor, Tensors};
use winoconv::{
    Algorithm, Conv, DType, Device, Ends, Error, Layer, Plan, Preferences, Residual, Tolerance, WeightTensors, Weights,
    Workspace, wgpu,
};

use super::Section;
use crate::support::gpus::gpus_for;

const SHAPE: [usize; 4] = [1, 2, 6, 7];

fn plain() -> Conv {
    Conv::new(2, 4, [3, 3])
}

fn layer(device: &Device, conv: Conv, algorithm: &str) -> Layer {
    let preferences = Preferences::new().tolerance(Tolerance::Any).algorithm(algorithm.parse().expect("a label"));
    Layer::new_blocking(device, conv, Weights::new(&[0.0; 72]), preferences).expect("legal")
}

/// Everything that a binding needs, all of it right.
struct Bench {
    context: Context,
    staged: Layer,
    plan: std::sync::Arc<Plan>,
    room: gpu::Workspace,
    input: wgpu::Buffer,
    output: wgpu::Buffer,
}

impl Bench {
    fn new(context: &Context) -> Self {
        let staged = layer(&context.clone().into(), plain(), "staged:f2x3");
        let plan = staged.plan(SHAPE).expect("legal");
        let room = block_on(gpu::Workspace::new(context, &[&plan])).expect("room");
        let [input, output] = [90, 90].map(|len| buffer(context, len));
        Self { context: context.clone(), staged, plan, room, input, output }
    }

    fn bind<'a>(&'a self, input: impl Into<Tensor<'a>>, output: impl Into<Tensor<'a>>) -> Result<Bound, Error> {
        block_on(self.staged.bind(SHAPE, (input, output), &self.room))
    }

    fn bind_with(&self, room: &gpu::Workspace) -> Result<Bound, Error> {
        block_on(self.staged.bind(SHAPE, (&self.input, &self.output), room))
    }
}

fn buffer(context: &Context, len: usize) -> wgpu::Buffer {
    block_on(context.create_buffer("test", len)).unwrap_or_else(|error| panic!("{error}"))
}

/// `None` where there is no GPU, which is then said.
pub(crate) fn buffers() -> Option<Section> {
    let context = &gpus_for("the_table_of_bad_inputs_holds").first()?.context;
    let mut table = Section::new("Buffers and devices");
    let bench = Bench::new(context);
    tensors(&mut table, &bench);
    operands(&mut table, &bench);
    new_weights(&mut table, &bench);
    devices(&mut table, &bench);
    Some(table)
}

fn tensors(table: &mut Section, bench: &Bench) {
    let Bench { context, input, output, .. } = bench;
    let short = buffer(context, 83);
    table.row("an input buffer that is too short", "Shape(Length)", bench.bind(&short, output));
    table.row("an input that ends beyond its buffer", "Shape(Length)", bench.bind(Tensor::at(input, 28), output));
    table.row("an output that begins beyond its buffer", "Shape(Length)", bench.bind(input, Tensor::at(output, 4000)));
    table.row("an offset of 6 bytes", "Unsupported", bench.bind(Tensor::at(input, 6), output));
    let usage = wgpu::BufferUsages::COPY_SRC | wgpu::BufferUsages::COPY_DST;
    let descriptor = wgpu::BufferDescriptor { label: None, size: 400, usage, mapped_at_creation: false };
    let copies = context.device().create_buffer(&descriptor);
    table.row("a buffer that is not for storage", "Unsupported", bench.bind(&copies, output));
    // Where bindings begin differs from device to device: here at WebGPU's own alignment.
    let named = AdapterChoice::Named(context.caps().name.clone());
    let options = ContextOptions::default().adapter(named).default_limits(true);
    let context = &block_on(Context::new(&options)).expect("a second device");
    let direct = layer(&context.clone().into(), plain(), "direct");
    let both = buffer(context, 400);
    let room = gpu::Workspace::default();
    let bind =
        |input, output| block_on(direct.bind(SHAPE, (Tensor::at(&both, input), Tensor::at(&both, output)), &room));
    table.row("an output that overlaps the input in one buffer", "Shape(SharedBuffer)", bind(0, 332));
    table.row("an output behind the input, bound from before its end", "Shape(SharedBuffer)", bind(0, 336));
}

fn operands(table: &mut Section, bench: &Bench) {
    let Bench { context, input, output, room, .. } = bench;
    let device: Device = context.clone().into();
    let residual = layer(&device, plain().residual(Residual::Tensor), "direct");
    let missing = block_on(residual.bind(SHAPE, (input, output), room));
    table.row("a residual that is not bound", "Shape(Presence)", missing);
    let direct = layer(&device, plain(), "direct");
    let gradient = plain().on(SHAPE).and_then(|problem| problem.weight_gradient()).expect("legal");
    let missing = block_on(direct.bind_problem(&gradient, (input, output), room));
    table.row("an output's gradient that is not bound", "Shape(Presence)", missing);
    let superfluous = block_on(direct.bind(SHAPE, Ends::new(input, output).residual(input), room));
    table.row("binding a residual that the convolution does not have", "Shape(Presence)", superfluous);
    let given = Tensors { input: Some(input.into()), output: Some(output.into()), ..Default::default() };
    let bound = block_on(Bound::new(context, &bench.plan, Dispatches::Run, &given, room));
    table.row("packed weights that are not bound", "Shape(Presence)", bound);
    let mut caps = context.caps().clone();
    caps.limits.max_compute_workgroups_per_dimension = 1 << 20;
    let wide = Conv::new(1, 1, [1, 1]).on([1, 1, 1 << 13, 1 << 10]).expect("legal");
    let plan = Plan::new(&wide, &caps, &Preferences::new().algorithm(Algorithm::Direct)).expect("for a larger device");
    let bound = block_on(Bound::new(context, &plan, Dispatches::Run, &given, room));
    table.row("binding a plan for a device with larger grids", "Limit", bound);
}

fn new_weights(table: &mut Section, bench: &Bench) {
    let Bench { context, staged, .. } = bench;
    let (weights, short) = (buffer(context, 80), buffer(context, 71));
    let set = |weights| staged.set_weights_from_blocking(weights);
    table.row("new weights in a buffer that is too short", "Shape(Length)", set(WeightTensors::new(&short)));
    let beyond = WeightTensors::new(Tensor::at(&weights, 36));
    table.row("new weights that end beyond their buffer", "Shape(Length)", set(beyond));
    let odd = WeightTensors::new(Tensor::at(&weights, 2));
    table.row("new weights at an offset of 2 bytes", "Unsupported", set(odd));
    let bias = WeightTensors::new(&weights).bias(&weights);
    table.row("a new bias where there is none", "Shape(Presence)", set(bias));
    let descriptor = wgpu::BufferDescriptor {
        label: None,
        size: 400,
        usage: wgpu::BufferUsages::STORAGE,
        mapped_at_creation: false,
    };
    let fixed = context.device().create_buffer(&descriptor);
    table.row("new weights in a buffer that is not for copies", "Unsupported", set(WeightTensors::new(&fixed)));
    let host = layer(&Device::cpu(), plain(), "staged:f2x3");
    table.row(
        "new weights in a buffer, for a layer of the CPU",
        "Unsupported",
        host.set_weights_from_blocking(WeightTensors::new(&weights)),
    );
}

fn read_backs(table: &mut Section, bench: &Bench, other: &Context) {
    let Bench { context, input, .. } = bench;
    let descriptor = wgpu::CommandEncoderDescriptor::default();
    let mut encoder = context.device().create_command_encoder(&descriptor);
    let mut read_back = ReadBack::new(context);
    table.row("reading back what was not copied", "Unsupported", block_on(read_back.read(|_| ())));
    let beyond = block_on(read_back.encode(&mut encoder, Tensor::at(input, 352), 9));
    table.row("a copy to be read back, of more than the buffer has", "Shape(Length)", beyond);
    block_on(read_back.encode(&mut encoder, input, 8)).expect("legal");
    let longer = block_on(read_back.read_into(&mut [0u8; 9]));
    table.row("reading back into a slice of another length", "Shape(Length)", longer);
    let more = block_on(read_back.read_as(DType::F16, &mut [0.0; 5]));
    table.row("reading back more numbers than were copied", "Shape(Length)", more);
    let mut theirs = other.device().create_command_encoder(&descriptor);
    let foreign = block_on(read_back.encode(&mut theirs, input, 8));
    table.row("a copy to be read back, in an encoder of another device", "Device(WrongDevice)", foreign);
}

fn devices(table: &mut Section, bench: &Bench) {
    let Bench { context, plan, input, output, .. } = bench;
    table.row("no workspace", "Shape(Length)", bench.bind_with(&gpu::Workspace::default()));
    let smaller = bench.staged.plan([1, 2, 3, 3]).expect("legal");
    let small = block_on(gpu::Workspace::new(context, &[&smaller])).expect("room");
    table.row("a workspace that is too small", "Shape(Length)", bench.bind_with(&small));
    let named = AdapterChoice::Named(context.caps().name.clone());
    let other = block_on(Context::new(&ContextOptions::default().adapter(named))).expect("a second device");
    let foreign = block_on(gpu::Workspace::new(&other, &[plan])).expect("room");
    table.row("the workspace of another device", "Device(WrongDevice)", bench.bind_with(&foreign));
    let mut kept = Workspace::new();
    let mut run = |device: Device| {
        let layer = layer(&device, plain(), "staged:f2x3");
        block_on(layer.run_with_workspace(SHAPE, &[0.0; 84], &mut [0.0; 80], &mut kept))
    };
    run(context.clone().into()).expect("the first device");
    table.row("a run with the workspace of another device", "Device(WrongDevice)", run(other.clone().into()));
    let theirs = buffer(&other, 400);
    table.row("an input buffer of another device", "Device(WrongDevice)", bench.bind(&theirs, output));
    table.row("a download from another device's buffer", "Device(WrongDevice)", block_on(context.download(&theirs, 1)));
    let bound = bench.bind(input, output).expect("legal");
    let mut encoder = other.device().create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
    table.row("an encoder of another device", "Device(WrongDevice)", bound.encode(&mut encoder));
    table.row("a bound plan, submitted on another device", "Device(WrongDevice)", other.submit(&bound));
    table.row("a download of more than the buffer has", "Shape(Length)", block_on(context.download(input, 91)));
    let usage = wgpu::BufferUsages::STORAGE;
    let descriptor = wgpu::BufferDescriptor { label: None, size: 16, usage, mapped_at_creation: false };
    let unreadable = context.device().create_buffer(&descriptor);
    table.row("a download that the buffer does not allow", "Unsupported", block_on(context.download(&unreadable, 1)));
    read_backs(table, bench, &other);
    let gone = buffer(context, 400);
    gone.destroy();
    table.row("an input buffer that was destroyed", "Device(Destroyed)", bench.bind(&gone, output));
    table.row("a download from a destroyed buffer", "Device(Destroyed)", block_on(context.download(&gone, 1)));
    other.device().destroy();
    table.row("a device that was destroyed", "Device(Lost)", block_on(other.create_buffer("test", 1)));
    let host = layer(&Device::cpu(), plain(), "staged:f2x3");
    table.row(
        "a layer of the CPU, to be bound",
        "Unsupported",
        block_on(host.bind(SHAPE, (input, output), &bench.room)),
    );
    let options = ContextOptions::default().adapter(AdapterChoice::Named("nonexistent".to_owned()));
    table.row("an adapter that does not exist", "Device(NoAdapter)", Device::gpu_blocking(&options));
}
