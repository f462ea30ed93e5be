//! Graphs whose nodes make no sense, and networks that are given wrong inputs.

use winoconv::graph::{
    Binary, ConvWeights, Coordinates, Dims, Edge, Filter, Format, Graph, Network, NetworkOptions, Op, Pool, Reduction,
    Resize, Slice, Target, Unary, Value,
};
use winoconv::{Activation, Conv, Device, Layout, Preferences, Result};

use super::Section;

type Build = fn(&mut Graph, Value) -> Result<Value>;

/// Adds to a graph with an image of 1x4x8x8.
fn add(build: Build) -> Result<Value> {
    let mut net = Graph::new();
    let x = net.input("image", [1, 4, 8, 8])?;
    net.set_scope("body.3");
    build(&mut net, x)
}

pub(crate) fn nodes() -> Section {
    let mut table = Section::new("Networks");
    let groups: [&[(&'static str, Build)]; 5] = [GRAPHS, CONVOLUTIONS, POOLING, AXES, SIZES];
    for (given, build) in groups.into_iter().flatten() {
        table.row(given, "Graph", add(*build));
    }
    lengths(&mut table);
    options(&mut table);
    table
}

const GRAPHS: &[(&str, Build)] = &[
    ("a value of another graph", |net, _| {
        let mut other = Graph::new();
        let far = (0..9).map(|i| other.input(format!("{i}"), [1])).last();
        let far = far.unwrap_or_else(|| other.input("none", [1]))?;
        net.mul(far, far)
    }),
    ("a value of another graph, for a linear layer", |net, x| {
        let flat = net.flatten(x, 1)?;
        Graph::new().linear(flat, 2, &[0.0; 512], [])
    }),
    ("a value of another graph, as an output", |net, x| {
        let flat = net.flatten(x, 1)?;
        Graph::new().output("y", flat).map(|()| flat)
    }),
    ("two inputs of one name", |net, _| net.input("image", [1])),
    ("two outputs of one name", |net, x| {
        net.output("y", x)?;
        net.output("y", x).map(|()| x)
    }),
    ("an input whose elements cannot be counted", |net, _| net.input("huge", [usize::MAX, 2])),
    ("sizes for more inputs than there are", |net, x| net.with_input_dims(&[Dims::from([1]); 2]).map(|_| x)),
    ("a node with too few operands", |net, x| net.apply(Op::MatMul, &[x])),
    ("an input that is added like a node", |net, _| net.apply(Op::Input, &[])),
    ("a concatenation of nothing", |net, _| net.concat(&[], 1)),
    ("a PReLU without slopes", |net, x| net.activate(Activation::PRelu, x)),
    ("a leaky ReLU whose slope is not finite", |net, x| net.activate(Activation::LeakyRelu { slope: f32::NAN }, x)),
];

const CONVOLUTIONS: &[(&str, Build)] = &[
    ("a convolution of other channels", |net, x| net.conv(x, Conv::new(3, 2, [3, 3]), vec![0.0; 54], [])),
    ("a convolution with weights of another length", |net, x| net.conv(x, Conv::new(4, 2, [3, 3]), vec![0.0; 71], [])),
    ("a convolution of a matrix", |net, x| {
        let flat = net.flatten(x, 1)?;
        net.conv(flat, Conv::new(4, 2, [3, 3]), vec![0.0; 72], [])
    }),
    ("a convolution of channels last", |net, x| {
        net.conv(x, Conv::new(4, 2, [3, 3]).layout(Layout::ChannelsLast), vec![0.0; 72], [])
    }),
    ("a residual of other sizes than the result", |net, x| {
        let none: [f32; 0] = [];
        let of = ConvWeights {
            conv: Conv::new(4, 2, [3, 3]),
            weights: vec![0.0; 72].into(),
            bias: none.into(),
            slopes: none.into(),
        };
        net.conv_with(x, Some(x), of)
    }),
    ("rows of another length than a linear layer takes", |net, x| {
        let none: [f32; 0] = [];
        let conv = Conv::new(9, 2, [1]).layout(Layout::ChannelsLast);
        let of = ConvWeights { conv, weights: vec![0.0; 18].into(), bias: none.into(), slopes: none.into() };
        net.apply(Op::Linear(of.into()), &[x])
    }),
    ("a product of a vector", |net, x| {
        let row = net.constant(vec![0.0; 8], [8])?;
        net.matmul(x, row)
    }),
    ("a product of matrices that do not fit", |net, x| {
        let part = net.slice(x, 2, 0, 6)?;
        net.matmul(x, part)
    }),
    ("a product of other batches", |net, x| {
        let part = net.slice(x, 1, 0, 3)?;
        net.matmul(x, part)
    }),
    ("operands that do not broadcast", |net, x| {
        let three = net.constant(vec![0.0; 3], [3])?;
        net.binary(Binary::Add, x, three)
    }),
    ("sizes that a tensor does not broadcast to", |net, x| net.expand(x, [1, 4, 8, 9])),
];

const POOLING: &[(&str, Build)] = &[
    ("a window of four dimensions", |net, _| {
        let x = net.input("many", [1, 1, 2, 2, 2, 2])?;
        net.pool(x, Pool::max([2, 2, 2, 2]))
    }),
    ("a window of one dimension for an image", |net, x| net.pool(x, Pool::max([2]))),
    ("a stride of other dimensions than the window", |net, x| net.pool(x, Pool::max([2, 2]).stride([2]))),
    ("a window of no rows", |net, x| net.pool(x, Pool::max([0, 2]))),
    ("padding as wide as the window", |net, x| net.pool(x, Pool::max([2, 2]).padding([2, 2]))),
    ("a window larger than the image", |net, x| net.pool(x, Pool::max([9, 9]))),
    ("a window whose dilation overflows", |net, x| {
        net.pool(x, Pool { dilation: [usize::MAX, 1].into(), ..Pool::max([3, 3]) })
    }),
    ("a mean over the pixels of a matrix", |net, x| {
        let flat = net.flatten(x, 1)?;
        net.global_average_pool(flat)
    }),
    ("a factor for each channel of a vector", |net, _| {
        let row = net.input("row", [4])?;
        net.affine(row, &[1.0; 4], &[0.0; 4])
    }),
    ("a mean of no elements", |net, x| {
        let none = net.slice(x, 1, 0, 0)?;
        net.reduce(Reduction::Mean, none, &[1])
    }),
    ("a scale of 0", |net, x| net.resize(x, bilinear(Target::Scale(vec![0.0, 1.0])))),
    ("an image resized to no rows", |net, x| net.resize(x, bilinear(Target::Size(vec![0, 3])))),
    ("sizes for more axes than there are", |net, x| net.resize(x, bilinear(Target::Size(vec![3; 5])))),
];

const AXES: &[(&str, Build)] = &[
    ("an axis that does not exist", |net, x| net.softmax(x, 4)),
    ("an axis before the first", |net, x| net.softmax(x, -5)),
    ("an axis that does not exist, of a node from another format", |net, x| net.apply(Op::Concat(4), &[x])),
    ("an order that names an axis twice", |net, x| net.transpose(x, &[0, 1, 1, 2])),
    ("a slice that ends beyond its axis", |net, x| net.slice(x, 2, 5, 9)),
    ("a slice in steps of 0", |net, x| net.slice_in_steps(x, Slice { axis: 1, start: 0, step: 0, len: 2 })),
    ("parts that do not add up to their axis", |net, x| net.split(x, 1, &[1, 2]).map(|parts| parts[0])),
    ("a concatenation of other sizes", |net, x| {
        let half = net.slice(x, 2, 0, 4)?;
        net.concat(&[x, half], 1)
    }),
    ("padding for two axes of four", |net, x| net.pad(x, &[1, 1], &[1, 1], Edge::Reflect)),
    ("more taken away than there is", |net, x| net.pad(x, &[0, 0, 0, -5], &[0, 0, 0, -4], Edge::Reflect)),
    ("elements repeated where none are left", |net, x| net.pad(x, &[0, 0, 0, -8], &[0, 0, 0, 1], Edge::Reflect)),
];

const SIZES: &[(&str, Build)] = &[
    ("another number of elements", |net, x| net.reshape(x, &[3, -1])),
    ("two sizes that are left open", |net, x| net.reshape(x, &[-1, -1])),
    ("nine dimensions", |net, x| net.reshape(x, &[1, 1, 1, 1, 1, 4, 8, 8, 1])),
    ("channels that are no multiple of a block", |net, x| net.pixel_shuffle(x, 3)),
    ("rows that are no multiple of a block", |net, x| net.pixel_unshuffle(x, 3)),
    ("a pixel shuffle of a matrix", |net, x| {
        let flat = net.flatten(x, 1)?;
        net.pixel_shuffle(flat, 2)
    }),
];

fn bilinear(target: Target) -> Resize {
    Resize { target, filter: Filter::Linear, coordinates: Coordinates::HalfPixel }
}

/// Slices of other lengths than the graph says.
/// How a network is compiled.
fn options(table: &mut Section) {
    let compiled = |dims: [usize; 4], options: NetworkOptions| {
        let mut net = Graph::new();
        let x = net.input("x", dims)?;
        let y = net.conv(x, Conv::new(dims[1], 1, [1, 1]), vec![1.0; dims[1]], [])?;
        net.output("y", y)?;
        let picture = vec![f32::NAN; dims.iter().product()];
        match options.tolerance {
            Some(1.0) => Network::within_tolerance_blocking(&Device::cpu(), &net, options, &[&picture]),
            Some(2.0) => Network::within_tolerance_blocking(&Device::cpu(), &net, NetworkOptions::new(), &[&picture]),
            _ => Network::new_blocking(&Device::cpu(), &net, options),
        }
    };
    let (new, image) = (NetworkOptions::new, [1, 3, 4, 4]);
    let rows = [
        ("a format of no input", image, new().input("z", Format::F16)),
        ("a format of no output", image, new().output("x", Format::RGB8)),
        ("an output of one channel as RGB8", image, new().output("y", Format::RGB8)),
        ("an input of two channels as RGBA8", [1, 2, 4, 4], new().input("x", Format::RGBA8)),
        ("bytes that stand for nothing", image, new().input("x", Format::RGB8.scale(0.0))),
        ("rows that are too long", image, new().input("x", Format::RGB8.row_alignment(usize::MAX))),
        ("a tolerance of nothing", image, new().tolerance(0.0)),
        ("no tolerance, to be kept", image, new().tolerance(2.0)),
        ("a tolerance that no output keeps", image, new().tolerance(1.0)),
    ];
    for (given, dims, options) in rows {
        table.row(given, "Graph", compiled(dims, options));
    }
    let mut net = Graph::new();
    let flat = net.input("x", [3, 4]).and_then(|x| net.output("y", x));
    let options = new().input("x", Format::PLANES8);
    let made = flat.and_then(|()| Network::new_blocking(&Device::cpu(), &net, options));
    table.row("a matrix as pixels", "Graph", made);
    let mut net = Graph::new();
    let same = net.input("x", [1, 3, 1, 1]).and_then(|x| net.output("y", x));
    let made = same.and_then(|()| Network::new_blocking(&Device::cpu(), &net, new().input("x", Format::RGB8)));
    let run = made.and_then(|network| network.run_bytes_blocking(&[&[0; 4]]));
    table.row("bytes of another length", "Shape(Length)", run);
}

fn lengths(table: &mut Section) {
    let constant = add(|net, _| net.constant(vec![0.0; 5], [2, 3]));
    table.row("a constant of another length", "Shape(Length)", constant);
    let linear = add(|net, x| net.linear(x, 2, &[0.0; 15], []));
    table.row("a linear layer with weights of another length", "Shape(Length)", linear);
    let norm = add(|net, x| net.batch_norm(x, [&[1.0; 4], &[0.0; 4], &[0.0; 3], &[1.0; 4]], 1e-5));
    table.row("a batch normalization of other channels", "Shape(Length)", norm);
    let mut net = Graph::new();
    let built = net.input("x", [2, 3]).and_then(|x| {
        let y = net.unary(Unary::Neg, x)?;
        net.output("y", y)
    });
    let made = built.and_then(|()| Network::new_blocking(&Device::cpu(), &net, Preferences::new()));
    let run = |inputs: &[&[f32]]| made.as_ref().map_err(Clone::clone).and_then(|network| network.run_blocking(inputs));
    table.row("a run without an input", "Shape(Length)", run(&[]));
    table.row("a run with an input of another length", "Shape(Length)", run(&[&[0.0; 5]]));
    table.row("an interpretation with an input of another length", "Shape(Length)", net.interpret(&[&[0.0; 5]]));
    let resized = made.as_ref().map_err(Clone::clone).and_then(|network| network.resized_blocking(&[]));
    table.row("a network resized without sizes", "Graph", resized);
    let bound = made.as_ref().map_err(Clone::clone).and_then(|network| pollster::block_on(network.bind(&[], &[])));
    table.row("a network of the CPU, to be bound to buffers", "Unsupported", bound);
}
