//! The processor's kernels, each stage alone, by the variant's name. The throughput is direct convolution's operations
//! for `direct`, the multiply's own for it, and elements read and written for the transforms.

mod support;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use winoconv::caps::Caps;
use winoconv::kernel::KernelSpec;
use winoconv::{Plan, cpu};

fn cpu_kernels(c: &mut Criterion) {
    let problem = support::problem([1, 64, 28, 28], 64);
    let (input, weights) = (support::data(problem.input_len()), support::data(problem.conv.weights_len()));
    let mut output = vec![0.0; problem.output_len()];
    let mut group = c.benchmark_group("cpu_kernels");
    for label in ["direct", "staged:f2x3", "staged:f4x3", "staged:f6qx3"] {
        let plan = Plan::new(&problem, &Caps::host(), &support::forced(label)).expect("a plan");
        let packed = cpu::pack(&plan, &weights);
        let operands = cpu::Operands { input: &input, weights: &weights, packed: &packed, ..Default::default() };
        let mut workspace: Vec<Vec<f32>> = plan.workspace.iter().map(|&len| vec![0.0; len]).collect();
        for step in &plan.steps {
            group.throughput(match step.kernel {
                KernelSpec::Direct(_) => Throughput::Elements(problem.direct_flops() as u64),
                KernelSpec::WinogradMultiply(_) => {
                    Throughput::Elements(2 * plan.workspace[0] as u64 * problem.conv.filters as u64)
                }
                KernelSpec::WinogradInput(_) => Throughput::Elements((input.len() + plan.workspace[0]) as u64),
                _ => Throughput::Elements((output.len() + plan.workspace[1]) as u64),
            });
            // The multiply's twin is unblocked and the same for every algorithm but for the number of points.
            let name = format!("{}/{}", label.replace(':', "_"), step.kernel);
            group.bench_function(name, |b| {
                b.iter(|| cpu::run_step(step, problem.conv.activation, &operands, &mut workspace, &mut output));
            });
        }
    }
    group.finish();
}

criterion_group!(benches, cpu_kernels);
criterion_main!(benches);
