//! What a new input size costs: a plan from the description, every candidate judged, the transforms already known.

mod support;

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use winoconv::caps::Caps;
use winoconv::{Conv, Plan, Preferences};

fn planning(c: &mut Criterion) {
    let mut group = c.benchmark_group("planning");
    let conv = Conv::new(64, 64, [3, 3]).padding(1);
    let cases = [
        ("3x3_webgpu", conv, Caps::webgpu_default()),
        ("3x3_host", conv, Caps::cpu()),
        ("3x3_stride_2", conv.stride([2, 2]), Caps::webgpu_default()),
        ("7x7", Conv::new(64, 64, [7, 7]).padding(3), Caps::webgpu_default()),
        // Every pair of two transforms is a candidate.
        ("3x5", Conv::new(64, 64, [3, 5]).padding(1), Caps::webgpu_default()),
    ];
    for (name, conv, caps) in cases {
        let mut size = 0;
        group.bench_function(name, |b| {
            b.iter(|| {
                size = size % 200 + 1;
                let problem = conv.on([1, 64, 32 + size, 32 + size]).expect("legal");
                Plan::new(black_box(&problem), &caps, &Preferences::new()).expect("a plan")
            });
        });
    }
    // A large batch is cut into chunks, each with dispatches of its own.
    let problem = support::problem([64, 64, 224, 224], 64);
    let preferences = support::forced("staged:f4x3");
    let caps = Caps { limits: winoconv::caps::Limits::CPU, ..Caps::webgpu_default() };
    let plan = Plan::new(&problem, &caps, &preferences).expect("a plan");
    group.bench_function(format!("{}_dispatches", plan.dispatches().len()), |b| {
        b.iter(|| Plan::new(black_box(&problem), &caps, &preferences).expect("a plan"));
    });
    group.finish();
}

criterion_group!(benches, planning);
criterion_main!(benches);
