//! How networks store their tensors: inputs and outputs in each format, and 16 bits between the steps.

use winoconv::graph::{Format, Graph, Network, NetworkOptions, Pool};
use winoconv::{Activation, Conv, DType, Device, Preferences};

use super::numbers;

/// Pictures of so many channels through a convolution, a pooling and its inverse; the input is also read as it is.
fn pictures(channels: usize, [n, h, w]: [usize; 3]) -> Graph {
    let mut net = Graph::new();
    let x = net.input("x", [n, channels, h, w]).expect("new");
    let conv = Conv::new(channels, 8, [3, 3]).padding(1).bias(true).activation(Activation::Relu);
    let y = net.conv(x, conv, numbers(conv.weights_len(), 1), numbers(8, 2)).expect("fits");
    let y = net.pool(y, Pool::max([3, 3]).stride([1, 1]).padding([1, 1])).expect("fits");
    let conv = Conv::new(8, channels, [1, 1]);
    let y = net.conv(y, conv, numbers(conv.weights_len(), 3).iter().map(|x| x / 8.0).collect::<Vec<_>>(), []);
    let y = net.add(y.expect("fits"), x).expect("fits");
    net.output("sum", y).expect("new");
    net.output("same", x).expect("new");
    net
}

/// Bytes of pictures, with what lies between rows.
fn bytes(len: usize) -> Vec<u8> {
    numbers(len, 7).iter().map(|x| (x * 127.0 + 128.0) as u8).collect()
}

fn check_formats(device: &Device) {
    let plain = |graph: &Graph, x: &[f32]| {
        let network = Network::new_blocking(device, graph, Preferences::new()).expect("a network");
        network.run_blocking(&[x]).expect("outputs")
    };
    let all = [
        (Format::RGB8, 3),
        (Format::RGBA8, 3),
        (Format::RGBA8, 4),
        (Format::BGRA8, 3),
        (Format::PLANES8, 1),
        (Format::PLANES8, 3),
        (Format::F16, 3),
        (Format::F32, 3),
    ];
    for (format, channels) in all {
        for (alignment, size) in [(1, [1, 4, 4]), (1, [2, 5, 7]), (4, [1, 3, 9]), (256, [2, 3, 5])] {
            let what = format!("{format}, rows of {alignment}, {size:?}");
            let format = format.row_alignment(alignment);
            let graph = pictures(channels, size);
            let dims = graph.dims(graph.inputs()[0]);
            let options = NetworkOptions::new().input("x", format).output("sum", format).output("same", format);
            let network = Network::new_blocking(device, &graph, options).expect("a network");
            // Numbers that the format has, which it gives back: an input of bytes is stored without loss.
            let x: Vec<f32> = bytes(dims.elements()).iter().map(|&byte| f32::from(byte) / 255.0).collect();
            let found = network.run_blocking(&[&x]).expect("outputs");
            let expected = plain(&graph, &x);
            let is_float = [Format::F32, Format::F16].contains(&format);
            let [least, most] = if is_float { [f32::MIN, f32::MAX] } else { [0.0, 1.0] };
            let step = if format == Format::F32 { 1e-5 } else { 0.5 / 255.0 + 1e-5 };
            for (&found, &expected) in found[0].iter().zip(&expected[0]) {
                let expected = expected.clamp(least, most);
                assert!((found - expected).abs() <= step, "{what}: {found}, expected {expected}");
            }
            let near = found[1].iter().zip(&x).all(|(found, x)| (found - x).abs() < if is_float { 3e-4 } else { 1e-6 });
            assert!(near, "{what}: {:?}, expected {x:?}", found[1]);
        }
    }
}

#[test]
fn each_format_on_the_cpu() {
    check_formats(&Device::cpu());
}

/// All bytes of a picture go through unchanged, and a fourth one is 255 where there is no alpha.
fn check_bytes(device: &Device) {
    let mut net = Graph::new();
    let x = net.input("x", [2, 3, 3, 5]).expect("new");
    net.output("y", x).expect("new");
    let [rgba, bgra, rgb] = [Format::RGBA8, Format::BGRA8, Format::RGB8];
    for (from, to) in [(rgba, rgba), (rgba, bgra), (rgb, rgba), (bgra, rgb), (rgb, Format::PLANES8)] {
        let options = NetworkOptions::new().input("x", from).output("y", to);
        let network = Network::new_blocking(device, &net, options).expect("a network");
        let picture = bytes(from.bytes([2, 3, 3, 5].into()));
        let found = network.run_bytes_blocking(&[&picture]).expect("outputs").remove(0);
        let channel = |of: Format, picture: &[u8], i: usize, c: usize| match of.bytes([1, 3, 1, 1].into()) {
            4 if of == bgra => picture[4 * i + 2 - c],
            4 => picture[4 * i + c],
            _ if of == rgb => picture[3 * i + c],
            _ => picture[i / 15 * 45 + c * 15 + i % 15],
        };
        for i in 0..30 {
            let [expected, got] =
                [(from, &picture), (to, &found)].map(|(of, data)| [0, 1, 2].map(|c| channel(of, data, i, c)));
            assert_eq!(got, expected, "{from} to {to}: pixel {i}");
            assert!(to.bytes([1, 3, 1, 1].into()) != 4 || found[4 * i + 3] == 255, "{from} to {to}: alpha of {i}");
        }
    }
}

#[test]
fn bytes_go_through_unchanged_on_the_cpu() {
    check_bytes(&Device::cpu());
}

#[cfg(feature = "gpu")]
mod on_a_gpu {
    use super::super::draw::drawn;
    use super::*;
    use crate::support::gpus::on_one_gpu;
    use crate::support::skipped;

    #[test]
    fn each_format_on_a_gpu() {
        on_one_gpu("each_format_on_a_gpu", |gpu| check_formats(&Device::from(gpu.context.clone())));
    }

    #[test]
    fn bytes_go_through_unchanged_on_a_gpu() {
        on_one_gpu("bytes_go_through_unchanged_on_a_gpu", |gpu| check_bytes(&Device::from(gpu.context.clone())));
    }

    #[test]
    fn formats_of_a_network_stored_in_halves() {
        on_one_gpu("formats_of_a_network_stored_in_halves", |gpu| {
            if !gpu.context.caps().f16 {
                return skipped("formats_of_a_network_stored_in_halves", "shaders have no 16-bit floats");
            }
            let device = Device::from(gpu.context.clone());
            for format in [Format::F32, Format::F16, Format::RGBA8] {
                let graph = pictures(3, [1, 7, 9]);
                let options = NetworkOptions::new().storage(DType::F16).input("x", format).output("sum", format);
                let network = Network::new_blocking(&device, &graph, options).expect("a network");
                let x: Vec<f32> = bytes(189).iter().map(|&byte| f32::from(byte) / 255.0).collect();
                let errors = network.errors_blocking(&[&x]).expect("errors");
                let pixels = format == Format::RGBA8;
                // Of f32 the picture itself goes through as it is, though a convolution reads it in 16 bits.
                let same = if format == Format::F32 { 0.0 } else { 5e-4 };
                assert!(errors[0] < if pixels { 1.0 } else { 2e-3 } && errors[1] <= same, "{format}: {errors:?}");
            }
        });
    }

    /// A tolerance that leaves the compiler a choice, and one that storage all but uses up.
    #[test]
    fn a_tolerance_is_kept() {
        on_one_gpu("a_tolerance_is_kept", |gpu| {
            let device = Device::from(gpu.context.clone());
            let graph = pictures(3, [1, 24, 24]);
            let x = numbers(3 * 24 * 24, 5);
            let storages: &[DType] = if gpu.context.caps().f16 { &[DType::F32, DType::F16] } else { &[DType::F32] };
            for &storage in storages {
                for tolerance in [1e-2, 1e-3] {
                    let options = NetworkOptions::new().storage(storage).tolerance(tolerance);
                    let network = Network::within_tolerance_blocking(&device, &graph, options, &[&x]).expect("kept");
                    let errors = network.errors_blocking(&[&x]).expect("errors");
                    assert!(errors.iter().all(|error| *error <= tolerance), "{storage}, {tolerance}: {errors:?}");
                    assert!(network.to_string().contains("us"), "{network}");
                }
            }
        });
    }

    /// Graphs drawn at random, with 16 bits between their steps.
    #[test]
    fn drawn_graphs_stored_in_halves() {
        on_one_gpu("drawn_graphs_stored_in_halves", |gpu| {
            if !gpu.context.caps().f16 {
                return skipped("drawn_graphs_stored_in_halves", "shaders have no 16-bit floats");
            }
            let device = Device::from(gpu.context.clone());
            for seed in 300..330 {
                let graph = drawn(seed, 3 + seed as usize % 8);
                let network = Network::new_blocking(&device, &graph, NetworkOptions::new().storage(DType::F16));
                let network = network.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
                let inputs: Vec<Vec<f32>> =
                    graph.inputs().iter().zip(1..).map(|(&x, i)| numbers(graph.dims(x).elements(), i)).collect();
                let errors = network.errors_blocking(&inputs.iter().map(Vec::as_slice).collect::<Vec<_>>());
                let errors = errors.expect("outputs");
                assert!(
                    errors.iter().all(|error| *error < 1e-2),
                    "seed {seed}: {errors:?}\n{graph}\n{}",
                    network.program()
                );
            }
        });
    }
}
