//! `cargo xtask large`: a layer whose tensors are larger than a device binds at once, run once and verified on samples, with
//! what was allocated for it.

use anyhow::{Context as _, ensure};
use winoconv::cpu::Reference;
use winoconv::{Device, Layer, Preferences, Problem, Weights, gpu, wgpu};

use crate::bench::adapter::{self, Asked};
use crate::bench::data::Data;
use crate::bench::{layers, verify};
use crate::report::Report;

/// Options of `large`.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The layer: N,C,K,H,W or N,C,K,H,W,R (stride 1, padding R/2)
    #[arg(long, value_name = "N,C,K,H,W,R", default_value = "1,64,64,2560,5120")]
    layer: layers::Layer,
    /// Most MiB of workspace
    #[arg(long, value_name = "MIB", default_value_t = 256)]
    workspace: u64,
    /// Outputs that are compared with the exact result
    #[arg(long, default_value_t = 2000)]
    samples: usize,
    /// The algorithm, as `bench` takes it [default: the planner's choice]
    #[arg(long)]
    algorithm: Option<winoconv::Algorithm>,
    /// Part of an adapter's name, or `software` [default: the best hardware, else a software adapter]
    #[arg(long)]
    pub(crate) adapter: Option<String>,
}

/// Runs the verb.
pub(crate) fn verb(options: &Options) -> anyhow::Result<()> {
    let asked = Asked { name: options.adapter.as_deref(), checked: false, no_install: false };
    let device = adapter::open(&asked, &mut Report::default())?.context("no adapter")?;
    pollster::block_on(run(options, &device))
}

async fn run(options: &Options, device: &Device) -> anyhow::Result<()> {
    let context = device.context().context("no GPU")?;
    let problem = options.layer.problem()?;
    let preferences = Preferences::new().workspace_limit(options.workspace << 20);
    let preferences = Preferences { algorithm: options.algorithm, ..preferences };
    let data = Data::repeated(&problem);
    let layer = Layer::new(device, problem.conv(), Weights::new(&data.weights), preferences).await?;
    let plan = layer.plan_for(&problem)?;
    println!("{plan}");
    let limits = &device.caps().limits;
    let [input_bytes, output_bytes] = [problem.input_len(), problem.output_len()].map(|len| 4 * len as u64);
    println!(
        "input {} and output {} bytes; a binding has at most {}, a buffer {}",
        input_bytes, output_bytes, limits.max_storage_buffer_binding_size, limits.max_buffer_size
    );
    let parts =
        plan.dispatches().iter().filter(|step| step.operands().iter().any(|operand| operand.len.is_some())).count();
    println!("{} dispatches, {parts} of them with a tensor in parts", plan.dispatches().len());
    let before = allocated(context);
    let input = context.upload("input", &data.input).await?;
    let output = context.upload("output", &vec![f32::NAN; problem.output_len()]).await?;
    let workspace = gpu::Workspace::new(context, &[&plan]).await?;
    let bound = layer.bind(problem.input_shape(), (&input, &output), &workspace).await?;
    context.time(|pass| bound.encode_pass(pass)).await?;
    let (worst, relative) = compare(context, &problem, &data, &output, options.samples).await?;
    println!(
        "{} samples: largest error {worst:.2e}, relative L2 {relative:.2e}, expected {:.2e}",
        options.samples,
        plan.expected_error()
    );
    ensure!(relative <= 3.0 * plan.expected_error(), "the result is wrong");
    let mut times = Vec::new();
    for _ in 0..5 {
        times.push(context.time(|pass| bound.encode_pass(pass)).await?);
    }
    times.sort_unstable();
    let seconds = times[times.len() / 2].as_secs_f64();
    println!("{:.3} ms a run, {:.1} effective TFLOP/s", seconds * 1e3, problem.direct_flops() / seconds / 1e12);
    match (before, allocated(context)) {
        (Some(before), Some(after)) => println!(
            "allocated on the device: {after} bytes ({before} of them before the tensors); input and output are {}, the workspace {}, packed weights {}",
            input_bytes + output_bytes,
            plan.workspace_bytes(),
            plan.packed_bytes()
        ),
        _ => println!("allocated on the device: the backend does not say"),
    }
    Ok(())
}

/// Bytes of live allocations, where the backend knows.
fn allocated(context: &gpu::Context) -> Option<u64> {
    context.device().generate_allocator_report().map(|report| report.total_allocated_bytes)
}

/// Compares some outputs, which alone are read back: the largest error and the relative L2 one.
async fn compare(
    context: &gpu::Context,
    problem: &Problem,
    data: &Data,
    output: &wgpu::Buffer,
    samples: usize,
) -> anyhow::Result<(f64, f64)> {
    let reference =
        Reference { problem, input: &data.input, weights: &data.weights, bias: &[], slopes: &[], residual: &[] };
    let sample = reference.sample(samples);
    let shown = context.create_buffer("samples", sample.len()).await?;
    let mut encoder = context.device().create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
    for (i, one) in sample.iter().enumerate() {
        encoder.copy_buffer_to_buffer(output, 4 * one.position as u64, &shown, 4 * i as u64, 4);
    }
    context.queue().submit([encoder.finish()]);
    let got = context.download(&shown, sample.len()).await?;
    let errors = || got.iter().zip(&sample).map(|(&got, exact)| (f64::from(got) - exact.value, exact.value));
    ensure!(errors().all(|(error, _)| error.is_finite()), "an output was not written");
    let worst = errors().map(|(error, _)| error.abs()).fold(0.0, f64::max);
    Ok((worst, verify::rel_l2(got.iter().zip(&sample).map(|(&got, exact)| (f64::from(got), exact.value)))))
}
