//! Nodes that their operators do not allow.

use crate::nodes::{two, with};
use crate::support::build::{floats, input, int, integers, ints, model, node, tensor, text};
use crate::support::proto::{AttributeProto, ModelProto, TensorProto};
use crate::{Row, refused};

type Case = (&'static str, ModelProto);

pub(crate) fn rows() -> Vec<Row> {
    let all = [convolutions(), pooling(), layouts(), resizing(), parts(), padding(), sources()];
    all.into_iter().flatten().map(|(given, model)| refused(given, &model)).collect()
}

/// A node over the input alone.
fn alone(op: &str, attribute: Vec<AttributeProto>) -> ModelProto {
    with(vec![], node(op, &["x"], &["y"], attribute))
}

/// A node over the input and known integers.
fn of_ints(op: &str, numbers: &[i64], attribute: Vec<AttributeProto>) -> ModelProto {
    with(vec![integers("n", &[numbers.len() as i64], numbers)], node(op, &["x", "n"], &["y"], attribute))
}

fn convolutions() -> Vec<Case> {
    let conv = |weights: &[i64], attribute| two(weights, &[1], node("Conv", &["x", "a"], &["y"], attribute));
    let deep = vec![floats("w", &[2, 4, 1, 1, 1, 1], &[0.0; 8])];
    let deep = model(input("x", &[1, 4, 2, 2, 2, 2]), deep, vec![node("Conv", &["x", "w"], &["y"], vec![])]);
    let output_shape = vec![ints("output_shape", &[9])];
    vec![
        ("weights of one dimension", conv(&[2], vec![])),
        ("weights of other channels than the input", conv(&[2, 3, 3, 3], vec![])),
        ("a convolution in four dimensions", deep),
        ("an unknown rule for padding", conv(&[2, 4, 3, 3], vec![text("auto_pad", "FULL")])),
        ("one stride for two dimensions", conv(&[2, 4, 3, 3], vec![ints("strides", &[2])])),
        (
            "the height of a transposed convolution without its width",
            two(&[4, 2, 3, 3], &[1], node("ConvTranspose", &["x", "a"], &["y"], output_shape)),
        ),
        ("a Gemm of an image", two(&[5, 5], &[1], node("Gemm", &["x", "a"], &["y"], vec![]))),
        (
            "a Gemm with a summand of other sizes",
            with(
                ["a", "b", "c"].map(|name| floats(name, &[2, 2], &[0.0; 4])).into_iter().collect::<Vec<_>>(),
                node("Gemm", &["a", "b", "x"], &["y"], vec![]),
            ),
        ),
        ("a product with a number", two(&[], &[2], node("MatMul", &["b", "a"], &["y"], vec![]))),
        ("a product of matrices that do not fit", two(&[4, 2], &[3, 2], node("MatMul", &["a", "b"], &["y"], vec![]))),
        ("an unknown approximation", alone("Gelu", vec![text("approximate", "sigmoid")])),
        ("a remainder of floats", two(&[2], &[2], node("Mod", &["a", "b"], &["y"], vec![]))),
        (
            "statistics of another number of channels",
            two(&[3], &[4], node("InstanceNormalization", &["x", "a", "b"], &["y"], vec![])),
        ),
        (
            "a batch normalization that is trained",
            with(vec![], node("BatchNormalization", &["x"; 5], &["y"], vec![int("training_mode", 1)])),
        ),
        (
            "a factor that does not broadcast to the input",
            two(&[3], &[1], node("LayerNormalization", &["x", "a"], &["y"], vec![])),
        ),
        (
            "three groups of four channels",
            two(&[3], &[3], node("GroupNormalization", &["x", "a", "b"], &["y"], vec![int("num_groups", 3)])),
        ),
        ("a response over no channels", alone("LRN", vec![int("size", 0)])),
    ]
}

fn pooling() -> Vec<Case> {
    let window = || ints("kernel_shape", &[2, 2]);
    let none = vec![floats("none", &[0, 3], &[])];
    let none = with(none, node("ReduceMean", &["none"], &["y"], vec![ints("axes", &[0])]));
    vec![
        ("a pooling without a window", alone("MaxPool", vec![])),
        ("a pooling of a matrix", two(&[2, 2], &[1], node("MaxPool", &["a"], &["y"], vec![window()]))),
        ("a window larger than the image", alone("MaxPool", vec![ints("kernel_shape", &[6, 6])])),
        ("an Lp pooling with windows of different sizes", alone("LpPool", vec![window(), int("ceil_mode", 1)])),
        ("an Lp pooling with p = 0", alone("LpPool", vec![window(), int("p", 0)])),
        ("a mean of no elements", none),
    ]
}

fn layouts() -> Vec<Case> {
    vec![
        ("a shape with another number of elements", of_ints("Reshape", &[3, 5], vec![])),
        ("a shape whose open size is no integer", of_ints("Reshape", &[3, -1], vec![])),
        ("a shape that keeps an axis too many", of_ints("Reshape", &[0; 5], vec![])),
        ("an order that names an axis twice", alone("Transpose", vec![ints("perm", &[0, 1, 2, 2])])),
        ("an axis of size 4 to be removed", of_ints("Squeeze", &[1], vec![])),
        ("a new axis that is not named", alone("Unsqueeze", vec![])),
        ("sizes that a tensor does not broadcast to", of_ints("Expand", &[3, 5], vec![])),
        ("repeats for two axes of four", of_ints("Tile", &[1, 2], vec![])),
        ("an unknown order of a block", alone("DepthToSpace", vec![int("blocksize", 2), text("mode", "RCD")])),
    ]
}

fn resizing() -> Vec<Case> {
    let scaled = |scales: &[f32], attribute| {
        let scales = floats("s", &[scales.len() as i64], scales);
        with(vec![scales], node("Resize", &["x", "", "s"], &["y"], attribute))
    };
    let sized = |sizes: &[i64], attribute| {
        let sizes = integers("n", &[sizes.len() as i64], sizes);
        with(vec![sizes], node("Resize", &["x", "", "", "n"], &["y"], attribute))
    };
    let twice = |attribute| scaled(&[1.0, 1.0, 2.0, 2.0], attribute);
    let up = vec![floats("s", &[4], &[1.0, 1.0, 2.0, 2.0])];
    vec![
        (
            "an upsampling by an unknown filter",
            with(up, node("Upsample", &["x", "s"], &["y"], vec![text("mode", "cubic")])),
        ),
        ("a scale of 0", scaled(&[1.0, 1.0, 0.0, 2.0], vec![])),
        ("scales for two axes of four", scaled(&[2.0, 2.0], vec![])),
        ("sizes for two axes of four", sized(&[9, 9], vec![])),
        ("a resizing to nothing", alone("Resize", vec![])),
        ("a resizing without aliases", twice(vec![int("antialias", 1)])),
        ("a resizing that crops", twice(vec![text("coordinate_transformation_mode", "tf_crop_and_resize")])),
        ("a resizing by an unknown filter", twice(vec![text("mode", "lanczos")])),
        ("a resizing to an unknown neighbour", twice(vec![text("nearest_mode", "simple")])),
        ("a resizing with an unknown policy", sized(&[1, 4, 9, 9], vec![text("keep_aspect_ratio_policy", "crop")])),
    ]
}

fn parts() -> Vec<Case> {
    let slice = |parts: [&[i64]; 4]| {
        let names = ["starts", "ends", "axes", "steps"];
        let tensors = names.iter().zip(parts).map(|(name, of)| integers(name, &[of.len() as i64], of)).collect();
        with(tensors, node("Slice", &["x", "starts", "ends", "axes", "steps"], &["y"], vec![]))
    };
    let zigzag: Vec<i64> = (0..5000).map(|i| i % 2 * 2).collect();
    vec![
        ("a slice in steps of 0", slice([&[0], &[1], &[1], &[0]])),
        ("a slice with two starts and one end", slice([&[0, 0], &[1], &[1], &[1]])),
        ("a slice without starts", alone("Slice", vec![])),
        ("a split into another number of parts", alone("Split", vec![int("num_outputs", 2)])),
        ("parts that do not add up to their axis", of_ints("Split", &[3], vec![int("axis", 1)])),
        (
            "a concatenation of other sizes",
            two(&[4, 2], &[3, 3], node("Concat", &["a", "b"], &["y"], vec![int("axis", 0)])),
        ),
        ("an index that does not exist", of_ints("Gather", &[9], vec![int("axis", 1)])),
        ("indices without any order", of_ints("Gather", &zigzag, vec![int("axis", 1)])),
    ]
}

fn padding() -> Vec<Case> {
    let none = vec![floats("none", &[1, 0], &[]), integers("n", &[4], &[0, 1, 0, 0])];
    let reflect = node("Pad", &["none", "n"], &["y"], vec![text("mode", "reflect")]);
    vec![
        ("padding without its sizes", alone("Pad", vec![])),
        ("padding for one axis of four", of_ints("Pad", &[1, 1], vec![])),
        ("padding by 2^41 elements", of_ints("Pad", &[0, 0, 0, 0, 0, 0, 0, 1 << 41], vec![])),
        ("an unknown kind of padding", of_ints("Pad", &[0, 0, 0, 0, 0, 0, 1, 1], vec![text("mode", "mirror")])),
        ("padding by elements where there are none", with(none, reflect)),
    ]
}

fn sources() -> Vec<Case> {
    let range = |bounds: [f32; 3]| {
        let tensors = ["a", "b", "c"].iter().zip(bounds).map(|(name, of)| floats(name, &[], &[of])).collect();
        with(tensors, node("Range", &["a", "b", "c"], &["y"], vec![]))
    };
    let whole = |bounds: [&[i64]; 3]| {
        let tensors = ["a", "b", "c"].iter().zip(bounds).map(|(name, of)| integers(name, &[of.len() as i64], of));
        with(tensors.collect(), node("Range", &["a", "b", "c"], &["y"], vec![]))
    };
    let elements = |data: &[i64], dims: &[i64], indices: &[i64]| {
        let tensors = vec![integers("a", &[data.len() as i64], data), integers("b", dims, indices)];
        with(tensors, node("GatherElements", &["a", "b"], &["y"], vec![]))
    };
    let cast = |to| with(vec![integers("a", &[1], &[300])], node("Cast", &["a"], &["y"], vec![int("to", to)]));
    let value = |t: TensorProto| {
        with(vec![integers("n", &[1], &[2])], node("ConstantOfShape", &["n"], &["y"], vec![tensor("value", t)]))
    };
    let train = TensorProto { data_type: 9, int32_data: vec![1], ..floats("t", &[], &[]) };
    vec![
        ("a constant that is a text", with(vec![], node("Constant", &[], &["y"], vec![text("value_string", "a")]))),
        ("a constant of two integers to be repeated", value(integers("v", &[2], &[1, 2]))),
        ("a constant of two floats to be repeated", value(floats("v", &[2], &[1.0, 2.0]))),
        ("a range whose end is two numbers", whole([&[0], &[1, 2], &[1]])),
        ("a range in steps of 0", whole([&[0], &[2], &[0]])),
        ("a range of 10^9 floats", range([0.0, 1e9, 1.0])),
        ("a cast to texts", cast(8)),
        ("a cast of 300 to a byte", cast(2)),
        ("a cast of the input to integers", alone("Cast", vec![int("to", 7)])),
        ("a dropout that is trained", with(vec![train], node("Dropout", &["x", "", "t"], &["y"], vec![]))),
        ("indices of other dimensions than the data", elements(&[1, 2], &[1, 1], &[0])),
        ("an index beyond the data", elements(&[1, 2], &[1], &[2])),
        ("an index before the data", elements(&[1, 2], &[1], &[-3])),
    ]
}
