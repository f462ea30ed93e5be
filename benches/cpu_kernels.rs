//! The CPU's kernels on a layer. The throughput is direct convolution's operations, whatever the algorithm does.

mod support;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use winoconv::caps::Caps;
use winoconv::{Plan, cpu};

fn cpu_kernels(c: &mut Criterion) {
    let problem = support::problem([1, 64, 28, 28], 64);
    let (input, weights) = (support::data(problem.input_len()), support::data(problem.conv().weights_len()));
    let mut output = vec![0.0; problem.output_len()];
    let mut group = c.benchmark_group("cpu_kernels");
    group.throughput(Throughput::Elements(problem.direct_flops() as u64));
    for label in ["direct", "implicit_gemm", "staged:f2x3", "staged:f4x3", "staged:f6qx3"] {
        let plan = Plan::new(&problem, &Caps::cpu(), &support::forced(label)).expect("a plan");
        let packed = cpu::pack(&plan, &weights).expect("weights of the plan");
        let operands = cpu::Operands { input: &input, weights: &weights, packed: &packed, ..Default::default() };
        let mut workspace: Vec<Vec<f32>> = plan.workspace().iter().map(|&len| vec![0.0; len]).collect();
        group.bench_function(label.replace(':', "_"), |b| {
            b.iter(|| cpu::run(&plan, &operands, &mut workspace, &mut output));
        });
    }
    group.finish();
}

criterion_group!(benches, cpu_kernels);
criterion_main!(benches);
