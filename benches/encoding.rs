//! What the CPU spends on a bound plan: recording its dispatches into an encoder and closing it, nothing
//! submitted. The throughput is dispatches a second.

mod support;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use winoconv::gpu::{Bound, Context, Workspace};
use winoconv::{Device, Layer, Weights, wgpu};

/// Runs of the plan recorded into one encoder.
const RUNS: usize = 100;

async fn bind(context: &Context, label: &str) -> Result<Bound, winoconv::Error> {
    let problem = support::problem([1, 16, 32, 32], 16);
    let (shape, weights) = (problem.input_shape(), support::data(problem.conv().weights_len()));
    let device = Device::from(context.clone());
    let layer = Layer::new(&device, problem.conv(), Weights::new(&weights), support::forced(label)).await?;
    let workspace = Workspace::new(context, &[&*layer.plan(shape)?]).await?;
    let input = context.create_buffer("input", problem.input_len()).await?;
    let output = context.create_buffer("output", problem.output_len()).await?;
    layer.bind(shape, (&input, &output), &workspace).await
}

fn encoding(c: &mut Criterion) {
    let Some(context) = support::gpu("encoding") else { return };
    let mut group = c.benchmark_group("encoding");
    for label in ["direct", "staged:f4x3"] {
        let bound = pollster::block_on(bind(&context, label)).expect("a bound plan");
        group.throughput(Throughput::Elements((RUNS * bound.len()) as u64));
        group.bench_function(format!("{label}/{}_dispatches", RUNS * bound.len()), |b| {
            b.iter(|| {
                let descriptor = wgpu::CommandEncoderDescriptor::default();
                let mut encoder = context.device().create_command_encoder(&descriptor);
                let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
                for _ in 0..RUNS {
                    bound.encode_pass(&mut pass).expect("the same device");
                }
                drop(pass);
                encoder.finish()
            });
        });
    }
    group.finish();
}

criterion_group!(benches, encoding);
criterion_main!(benches);
