//! What stands between a plan and the driver: writing a kernel's text, and writing, parsing, validating and linting it.

mod support;

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use winoconv::Plan;
use winoconv::caps::{Caps, Limits};
use winoconv::kernel::KernelSpec;
use winoconv::wgsl;

/// The kernels of a layer by three algorithms, the weights' among them.
fn kernels() -> Vec<KernelSpec> {
    let problem = support::problem([1, 64, 56, 56], 64);
    let mut kernels = Vec::new();
    for label in ["direct", "staged:f4x3", "staged:f6qx3"] {
        let plan = Plan::new(&problem, &Caps::webgpu_default(), &support::forced(label)).expect("a plan");
        let packing = plan.packing().dispatches(&problem);
        for kernel in packing.iter().map(winoconv::plan::Dispatch::kernel).chain(plan.kernels()) {
            if !kernels.contains(&kernel) {
                kernels.push(kernel);
            }
        }
    }
    kernels
}

fn shader_text(c: &mut Criterion) {
    let kernels = kernels();
    let mut group = c.benchmark_group("source");
    for kernel in &kernels {
        group.bench_function(kernel.name(), |b| b.iter(|| wgsl::source(black_box(kernel)).expect("a text")));
    }
    group.finish();
    let mut group = c.benchmark_group("check");
    for kernel in &kernels {
        let check = || wgsl::check(black_box(kernel), &Limits::LARGEST).expect("a kernel without findings");
        group.bench_function(kernel.name(), |b| b.iter(check));
    }
    group.finish();
}

criterion_group!(benches, shader_text);
criterion_main!(benches);
