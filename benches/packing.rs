//! Transforming a layer's weights, which happens once: by the CPU, and by the GPU with the wait for it.

mod support;

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use winoconv::caps::Caps;
use winoconv::gpu::{Bound, Dispatches, Tensors, Workspace};
use winoconv::{Plan, cpu};

fn packing(c: &mut Criterion) {
    let problem = support::problem([1, 128, 28, 28], 128);
    let weights = support::data(problem.conv().weights_len());
    let context = support::gpu("packing");
    let mut group = c.benchmark_group("packing");
    group.throughput(Throughput::Elements(problem.conv().weights_len() as u64));
    for label in ["staged:f2x3", "staged:f4x3", "staged:f6qx3"] {
        let caps = context.as_ref().map_or_else(Caps::webgpu_default, |context| context.caps().clone());
        let plan = Plan::new(&problem, &caps, &support::forced(label)).expect("a plan");
        let steps = plan.packing().dispatches(&problem);
        let name = steps[0].kernel().name();
        group.bench_function(format!("host/{name}"), |b| b.iter(|| cpu::pack(black_box(&plan), &weights)));
        let Some(context) = &context else { continue };
        let bound = pollster::block_on(async {
            let len = plan.packing().len(&problem);
            let given = context.upload("weights", &weights).await?;
            let packed = context.create_buffer("packed weights", len).await?;
            let tensors =
                Tensors { weights: Some((&given).into()), packed: Some((&packed).into()), ..Default::default() };
            Bound::new(context, &plan, Dispatches::Packing, &tensors, &Workspace::default()).await
        });
        let bound = bound.expect("the packing's one dispatch");
        group.bench_function(format!("gpu/{name}"), |b| {
            b.iter(|| {
                context.submit(&bound).expect("the device");
                context.wait().expect("the device");
            });
        });
    }
    group.finish();
}

criterion_group!(benches, packing);
criterion_main!(benches);
