//! Nodes that make no sense are refused with their name and what was expected.

use winoconv::graph::{Binary, Dims, Edge, Graph, Pool, Resize, Slice, Target, Value};
use winoconv::{Conv, Result};

fn refused(name: &str, expected: &str, build: impl FnOnce(&mut Graph, Value) -> Result<Value>) {
    let mut net = Graph::new();
    let x = net.input("image", [1, 4, 8, 8]).expect("the first one");
    net.set_scope("body.3");
    let error = build(&mut net, x).expect_err(name).to_string();
    assert!(error.contains(expected), "{name}: {error}");
}

#[test]
fn nodes_that_do_not_fit_are_named() {
    refused("channels", "body.3.conv_1 (conv): the input has 4 channels, the convolution expects 3", |net, x| {
        net.conv(x, Conv::new(3, 2, [3, 3]), vec![0.0; 54], [])
    });
    refused("weights", "the weights: expected 72 elements, got 71", |net, x| {
        net.conv(x, Conv::new(4, 2, [3, 3]), vec![0.0; 71], [])
    });
    refused("broadcast", "1x4x8x8 and 3 do not broadcast", |net, x| {
        let three = net.constant(vec![0.0; 3], [3])?;
        net.binary(Binary::Add, x, three)
    });
    refused("window", "needs a tensor of 3, got 1x4x8x8", |net, x| net.pool(x, Pool::max([2])));
    refused("large window", "the window is larger than 1x4x8x8", |net, x| net.pool(x, Pool::max([9, 9])));
    refused("padding", "padding must be less than the window", |net, x| net.pool(x, Pool::max([2, 2]).padding([2, 2])));
    refused("axis", "axis 4 of 1x4x8x8", |net, x| net.softmax(x, 4));
    refused("negative axis", "axis -5 of 1x4x8x8", |net, x| net.softmax(x, -5));
    refused("slice", "are not in axis 2 of 1x4x8x8", |net, x| net.slice(x, 2, 5, 9));
    refused("step 0", "in steps of 0", |net, x| net.slice_in_steps(x, Slice { axis: 1, start: 0, step: 0, len: 2 }));
    refused("reshape", "does not have the elements of [3, -1]", |net, x| net.reshape(x, &[3, -1]));
    refused("two open sizes", "one -1", |net, x| net.reshape(x, &[-1, -1]));
    refused("order", "is not an order of the 4 axes", |net, x| net.transpose(x, &[0, 1, 1, 2]));
    refused("pad", "padding for 2 and 2 axes", |net, x| net.pad(x, &[1, 1], &[1, 1], Edge::Reflect));
    refused("crop", "takes 9 away from axis 3", |net, x| net.pad(x, &[0, 0, 0, -5], &[0, 0, 0, -4], Edge::Reflect));
    refused("nothing to repeat", "has no element left to pad with", |net, x| {
        net.pad(x, &[0, 0, 0, -8], &[0, 0, 0, 1], Edge::Reflect)
    });
    refused("huge window", "the window is larger than", |net, x| {
        net.pool(x, Pool { dilation: [usize::MAX, 1].into(), ..Pool::max([3, 3]) })
    });
    refused("concat", "differ beside axis 1", |net, x| {
        let half = net.slice(x, 2, 0, 4)?;
        net.concat(&[x, half], 1)
    });
    refused("split", "[1, 2] do not add up to axis 1", |net, x| net.split(x, 1, &[1, 2]).map(|parts| parts[0]));
    refused("shuffle", "3 * 3 does not divide the channels", |net, x| net.pixel_shuffle(x, 3));
    refused("matmul", "has 8 columns, 1x4x6x8 has 6 rows", |net, x| {
        let part = net.slice(x, 2, 0, 6)?;
        net.matmul(x, part)
    });
    refused("scale", "expected a positive number", |net, x| {
        net.resize(x, Resize { target: Target::Scale(vec![0.0, 1.0]), ..bilinear() })
    });
    refused("no size", "to size 0", |net, x| net.resize(x, Resize { target: Target::Size(vec![0, 3]), ..bilinear() }));
    refused("another graph", "is not a value of this graph", |net, _| {
        let mut other = Graph::new();
        let far = (0..9).map(|i| other.input(format!("{i}"), [1]).expect("new")).last().expect("nine");
        net.mul(far, far)
    });
    refused("twice", "there is an input named image", |net, _| net.input("image", [1]));
}

#[cfg(feature = "gpu")]
#[test]
fn one_buffer_for_both_ends_is_refused() {
    use winoconv::gpu::Tensor;
    crate::support::gpus::on_one_gpu("one_buffer_for_both_ends_is_refused", |gpu| {
        let mut net = Graph::new();
        let x = net.input("x", [64]).expect("new");
        let y = net.activate(winoconv::Activation::Relu, x).expect("fits");
        net.output("y", y).expect("new");
        let device = winoconv::Device::from(gpu.context.clone());
        let network = winoconv::graph::Network::new_blocking(&device, &net, winoconv::Preferences::new());
        let network = network.expect("a network");
        let buffer = pollster::block_on(gpu.context.create_buffer("both", 128)).expect("a buffer");
        let bind = |input: Tensor<'_>, output: Tensor<'_>| {
            pollster::block_on(network.bind(&[input], &[output])).expect_err("refused").to_string()
        };
        let both = bind(Tensor::new(&buffer), Tensor::at(&buffer, 256));
        assert!(both.contains("one buffer for a tensor that map reads"), "{both}");
        let other = pollster::block_on(gpu.context.create_buffer("other", 64)).expect("a buffer");
        let far = bind(Tensor::at(&buffer, u64::MAX - 3), Tensor::new(&other));
        assert!(far.contains("expected 64 elements, got 0"), "{far}");
    });
}

fn bilinear() -> Resize {
    Resize {
        target: Target::Size(vec![]),
        filter: winoconv::graph::Filter::Linear,
        coordinates: winoconv::graph::Coordinates::HalfPixel,
    }
}

#[test]
fn inputs_of_other_lengths_are_refused() {
    let mut net = Graph::new();
    let x = net.input("x", [2, 3]).expect("new");
    net.output("x", x).expect("new");
    let network = winoconv::graph::Network::new_blocking(&winoconv::Device::cpu(), &net, winoconv::Preferences::new());
    let network = network.expect("nothing to do");
    assert!(network.run_blocking(&[]).expect_err("no input").to_string().contains("the inputs: expected 1"));
    assert!(
        network.run_blocking(&[&[0.0; 5]]).expect_err("too short").to_string().contains("expected 6 elements, got 5")
    );
    assert_eq!(network.run_blocking(&[&[1.0; 6]]).expect("the input as it is"), [[1.0; 6]]);
    assert!(net.with_input_dims(&[Dims::from([1]), Dims::from([1])]).is_err());
}
