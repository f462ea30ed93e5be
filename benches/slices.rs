//! Runs on slices: what copying to a device and back takes, where the device has next to nothing to compute. The throughput is
//! bytes of input and output.

mod support;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use winoconv::graph::{Graph, Network};
use winoconv::{Activation, Conv, Device, Layer, Preferences, Weights, Workspace};

/// Height and width of a small picture, and of one of 64 MB.
const SIDES: [usize; 2] = [32, 4096];

fn slices(c: &mut Criterion) {
    let Some(context) = support::gpu("slices") else { return };
    let device = Device::from(context.clone());
    let mut group = c.benchmark_group("slices");
    group.sample_size(10);
    for side in SIDES {
        let picture = support::data(side * side);
        let shape = [1, 1, side, side];
        group.throughput(Throughput::Bytes(8 * picture.len() as u64));

        let conv = Conv::new(1, 1, [1, 1]);
        let layer = Layer::new_blocking(&device, conv, Weights::new(&[2.0]), Preferences::new()).expect("legal");
        let mut workspace = Workspace::new();
        let mut output = vec![0.0; picture.len()];
        group.bench_function(format!("layer/{side}/workspace"), |b| {
            b.iter(|| {
                let run = layer.run_with_workspace(shape, &picture, &mut output, &mut workspace);
                pollster::block_on(run).expect("an output")
            });
        });
        group.bench_function(format!("layer/{side}/run"), |b| {
            b.iter(|| layer.run_blocking(shape, &picture).expect("an output"));
        });

        let mut net = Graph::new();
        let x = net.input("x", shape).expect("new");
        let y = net.activate(Activation::Relu, x).expect("fits");
        net.output("y", y).expect("new");
        let network = Network::new_blocking(&device, &net, Preferences::new()).expect("a network");
        group.bench_function(format!("network/{side}/run"), |b| {
            b.iter(|| network.run_blocking(&[&picture]).expect("outputs"));
        });

        let buffer = pollster::block_on(context.upload("picture", &picture)).expect("a buffer");
        group.bench_function(format!("download/{side}"), |b| {
            b.iter(|| pollster::block_on(context.download(&buffer, picture.len())).expect("numbers"));
        });
    }
    group.finish();
}

criterion_group!(benches, slices);
criterion_main!(benches);
