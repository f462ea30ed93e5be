//! Networks whose inputs and outputs are slices of one buffer.
#![cfg(feature = "gpu")]

use pollster::block_on;
use winoconv::error::{Error, ShapeError};
use winoconv::gpu::{Context, Tensor};
use winoconv::graph::{Format, Graph, Network, NetworkOptions, Pool, Reduction};
use winoconv::{Activation, Conv, Preferences, wgpu};

use super::draw::drawn;
use super::numbers;
use crate::support::gpus::{on_gpus, on_one_gpu};
use crate::support::some;

const GUARD: u8 = 0xa5;

/// Where the inputs and outputs lie: the buffer of each, and its first byte there.
type Places = Vec<(usize, usize)>;

/// Runs a bound network on its inputs' bytes, and gives the outputs'. All other bytes must be as they were.
fn run(context: &Context, network: &Network, inputs: &[Vec<u8>], outputs: &[usize], places: &Places) -> Vec<Vec<u8>> {
    let sizes: Vec<usize> = inputs.iter().map(Vec::len).chain(outputs.iter().copied()).collect();
    let mut before: Vec<Vec<u8>> = Vec::new();
    for (i, (&(buffer, offset), &size)) in places.iter().zip(&sizes).enumerate() {
        before.resize(before.len().max(buffer + 1), Vec::new());
        let bytes = &mut before[buffer];
        bytes.resize(bytes.len().max((offset + size + 8).next_multiple_of(4)), GUARD);
        if let Some(input) = inputs.get(i) {
            bytes[offset..][..size].copy_from_slice(input);
        }
    }
    let upload = |bytes: &Vec<u8>| block_on(context.upload("test", &bytemuck::pod_collect_to_vec::<u8, f32>(bytes)));
    let buffers: Vec<wgpu::Buffer> = before.iter().map(|bytes| upload(bytes).expect("a buffer")).collect();
    let tensors: Vec<Tensor<'_>> =
        places.iter().map(|&(buffer, offset)| Tensor::at(&buffers[buffer], offset as u64)).collect();
    let (from, to) = tensors.split_at(inputs.len());
    let bound = block_on(network.bind(from, to)).unwrap_or_else(|error| panic!("{error}\n{}", network.program()));
    context.submit(&bound).unwrap_or_else(|error| panic!("{error}"));
    let download = |buffer: &wgpu::Buffer| block_on(context.download(buffer, buffer.size() as usize / 4));
    let mut after: Vec<Vec<u8>> =
        buffers.iter().map(|buffer| bytemuck::cast_slice(&download(buffer).expect("a copy")).to_vec()).collect();
    let mut found = Vec::new();
    for (&(buffer, offset), &size) in places.iter().zip(&sizes).skip(inputs.len()) {
        // The last word of an output is written as a whole.
        let own = offset..(offset + size).next_multiple_of(4);
        found.push(after[buffer][offset..][..size].to_vec());
        after[buffer][own.clone()].copy_from_slice(&before[buffer][own]);
    }
    assert!(before == after, "a byte between the tensors\n{}", network.program());
    found
}

/// Runs a network with a buffer for each input and output, and with slices of one buffer: the outputs' bits are the same.
fn check(context: &Context, graph: &Graph, options: impl Into<NetworkOptions>, formats: [&Format; 2]) {
    let device = context.clone().into();
    let network = Network::new_blocking(&device, graph, options).unwrap_or_else(|error| panic!("{error}\n{graph}"));
    let program = network.program();
    let bytes = |format: &Format, dims| format.bytes(dims);
    let inputs: Vec<Vec<u8>> = (program.inputs().iter().zip(1..))
        .map(|((_, dims), seed)| match formats[0] {
            format if *format == Format::F32 => bytemuck::cast_slice(&numbers(dims.elements(), seed)).to_vec(),
            format => numbers(bytes(format, *dims), seed).iter().map(|x| (x * 99.0) as i8 as u8).collect(),
        })
        .collect();
    let outputs: Vec<usize> = program.outputs().iter().map(|(_, dims)| bytes(formats[1], *dims)).collect();
    let sizes: Vec<usize> = inputs.iter().map(Vec::len).chain(outputs.iter().copied()).collect();
    let alignment = context.caps().limits.min_storage_buffer_offset_alignment as usize;
    let apart = (0..sizes.len()).map(|i| (i, 4 * i)).collect();
    // From the last tensor to the first one, each as far behind the alignment as it was.
    let mut together: Places = vec![(0, 0); sizes.len()];
    let mut end = 0usize;
    for i in (0..sizes.len()).rev() {
        let offset = end.next_multiple_of(alignment) + 4 * i;
        together[i] = (0, offset);
        end = offset + sizes[i].next_multiple_of(4) + 4;
    }
    let expected = run(context, &network, &inputs, &outputs, &apart);
    assert!(run(context, &network, &inputs, &outputs, &together) == expected, "{graph}\n{program}");
}

#[test]
fn drawn_graphs_in_one_buffer() {
    on_gpus("drawn_graphs_in_one_buffer", |gpu| {
        for seed in some((0..60).collect(), gpu.label.len(), 3) {
            check(&gpu.context, &drawn(seed, 3 + seed as usize % 5), Preferences::new(), [&Format::F32; 2]);
        }
    });
}

/// A step of each kind between the network's input and one of its outputs, so that each reads and writes the caller's buffer.
fn each_kind() -> Graph {
    let mut net = Graph::new();
    let x = net.input("x", [1, 4, 6, 8]).expect("new");
    let other = net.input("other", [1, 1, 8, 3]).expect("new");
    let conv = Conv::new(4, 5, [3, 3]).padding(1).bias(true).activation(Activation::Relu);
    let made = [
        ("conv", net.conv(x, conv, numbers(conv.weights_len(), 1), numbers(5, 2))),
        ("pool", net.pool(x, Pool::max([2, 2]))),
        ("resize", net.upsample_bilinear(x, 2)),
        ("softmax", net.softmax(x, 1)),
        ("mean", net.reduce(Reduction::Mean, x, &[3])),
        ("norm", net.normalize(x, &[2, 3], 1e-5)),
        ("matmul", net.matmul(x, other)),
        ("concat", net.concat(&[x, x], 1)),
        ("activation", net.activate(Activation::Silu, x)),
    ];
    for (name, value) in made {
        net.output(name, value.unwrap_or_else(|error| panic!("{name}: {error}"))).expect("new");
    }
    net
}

#[test]
fn each_kind_of_step_in_one_buffer() {
    on_gpus("each_kind_of_step_in_one_buffer", |gpu| {
        check(&gpu.context, &each_kind(), Preferences::new(), [&Format::F32; 2]);
    });
}

#[test]
fn pixels_and_halves_in_one_buffer() {
    on_gpus("pixels_and_halves_in_one_buffer", |gpu| {
        let mut net = Graph::new();
        let x = net.input("x", [1, 3, 5, 7]).expect("new");
        let conv = Conv::new(3, 3, [3, 3]).padding(1).activation(Activation::Sigmoid);
        let y = net.conv(x, conv, numbers(conv.weights_len(), 1), []).expect("fits");
        net.output("y", y).expect("new");
        net.output("same", x).expect("new");
        for format in [Format::RGB8, Format::RGBA8, Format::PLANES8, Format::F16] {
            let options = NetworkOptions::new().input("x", format).output("y", format).output("same", format);
            check(&gpu.context, &net, options, [&format; 2]);
        }
    });
}

#[test]
fn ends_that_overlap_are_refused() {
    on_one_gpu("ends_that_overlap_are_refused", |gpu| {
        let mut net = Graph::new();
        let x = net.input("x", [64]).expect("new");
        let y = net.activate(Activation::Relu, x).expect("fits");
        net.output("y", y).expect("new");
        let network = Network::new_blocking(&gpu.device(), &net, Preferences::new()).expect("a network");
        let buffer = block_on(gpu.context.create_buffer("both", 256)).expect("a buffer");
        let bind = |output| block_on(network.bind(&[Tensor::new(&buffer)], &[Tensor::at(&buffer, output)]));
        for overlapping in [0, 4, 252] {
            let Err(Error::Shape(ShapeError::SharedBuffer { needed, .. })) = bind(overlapping) else {
                panic!("{overlapping} is refused")
            };
            assert_eq!(needed, 256);
            bind(needed).expect("behind the input");
        }
        let other = block_on(gpu.context.create_buffer("other", 64)).expect("a buffer");
        let far = block_on(network.bind(&[Tensor::at(&buffer, u64::MAX - 3)], &[Tensor::new(&other)]));
        let far = far.expect_err("beyond the buffer").to_string();
        assert!(far.contains("expected 64 elements, got 0"), "{far}");
    });
}
