//! Each kind of node alone.

use winoconv::graph::{
    Binary, BlockOrder, ConvWeights, Coordinates, Edge, Filter, Graph, Op, Pool, PoolKind, Reduction, Resize, Rounding,
    Slice, Target, Unary, Value,
};
use winoconv::{Activation, Conv, Device, Result};

use super::{check, check_on, numbers};

/// A graph of one input.
fn graph(dims: &[usize], build: impl FnOnce(&mut Graph, Value) -> Result<Value>) -> Graph {
    let mut net = Graph::new();
    let dims = winoconv::graph::Dims::from_slice(dims).expect("at most 8");
    let x = net.input("x", dims).expect("the first one");
    let y = build(&mut net, x).unwrap_or_else(|error| panic!("{error}"));
    net.output("y", y).expect("the first one");
    net
}

fn all() -> Vec<(String, Graph)> {
    let mut all: Vec<(String, Graph)> = Vec::new();
    let mut add = |name: String, net: Graph| all.push((name, net));
    let image = &[2, 6, 9, 11][..];
    let unary = [
        Unary::Neg,
        Unary::Abs,
        Unary::Exp,
        Unary::Reciprocal,
        Unary::Erf,
        Unary::Floor,
        Unary::Ceil,
        Unary::Sign,
        Unary::Sin,
        Unary::Cos,
        Unary::Not,
    ];
    for function in unary {
        add(format!("{function:?}"), graph(image, |net, x| net.unary(function, x)));
    }
    for function in [Unary::Log, Unary::Sqrt] {
        let squared = |net: &mut Graph, x| {
            let squares = net.mul(x, x)?;
            net.unary(function, squares)
        };
        add(format!("{function:?}"), graph(image, squared));
    }
    add("Round".into(), {
        graph(image, |net, x| {
            let large = net.with_number(Binary::Mul, x, 7.0)?;
            net.unary(Unary::Round, large)
        })
    });
    for activation in Activation::ALL.into_iter().filter(|a| !a.has_slopes()) {
        add(format!("{activation}"), graph(image, |net, x| net.activate(activation, x)));
    }
    for function in [
        Binary::Add,
        Binary::Sub,
        Binary::Mul,
        Binary::Div,
        Binary::Min,
        Binary::Max,
        Binary::PRelu,
        Binary::Greater,
        Binary::GreaterEqual,
        Binary::Less,
        Binary::LessEqual,
        Binary::Equal,
    ] {
        for (dims, transposed) in [(&[6, 1, 11][..], false), (&[2, 6, 9, 11], true), (&[1], false), (&[9, 1], false)] {
            let built = graph(image, |net, x| {
                let len: usize = dims.iter().product();
                let other = net.constant(numbers(len, 9), winoconv::graph::Dims::from_slice(dims).expect("few"))?;
                let x = if transposed { net.unary(Unary::Neg, x)? } else { x };
                net.binary(function, x, other)
            });
            add(format!("{function:?} with {dims:?}"), built);
        }
    }
    add("Pow".into(), {
        graph(image, |net, x| {
            let positive = net.unary(Unary::Abs, x)?;
            net.with_number(Binary::Pow, positive, 1.5)
        })
    });
    add("Where".into(), {
        graph(image, |net, x| {
            let zero = net.with_number(Binary::Greater, x, 0.0)?;
            let twice = net.add(x, x)?;
            net.choose(zero, twice, x)
        })
    });
    for kind in [PoolKind::Max, PoolKind::Average { counts_padding: true }, PoolKind::Average { counts_padding: false }]
    {
        for pool in [
            Pool::new(kind, [2, 2]),
            Pool::new(kind, [3, 3]).stride([2, 2]).padding([1, 1]),
            Pool::new(kind, [3, 3]).stride([2, 2]).padding([1, 1]).ceil(true),
            Pool::new(kind, [3, 2]).stride([3, 2]).ceil(true),
            Pool { dilation: [2, 3].into(), ..Pool::new(kind, [3, 2]).stride([1, 1]) },
            Pool { before: [0, 1].into(), after: [2, 0].into(), ..Pool::new(kind, [3, 3]).stride([1, 2]) },
        ] {
            add(format!("{pool:?}"), graph(image, |net, x| net.pool(x, pool)));
        }
        add(
            format!("{kind:?} in one dimension"),
            graph(&[2, 3, 10], |net, x| net.pool(x, Pool::new(kind, [3]).stride([2]))),
        );
        let three = Pool::new(kind, [2, 2, 3]).stride([1, 2, 2]).padding([1, 0, 1]);
        add(format!("{kind:?} in three dimensions"), graph(&[1, 2, 4, 5, 6], |net, x| net.pool(x, three)));
    }
    add("global".into(), graph(image, Graph::global_average_pool));
    for reduction in
        [Reduction::Sum, Reduction::Mean, Reduction::Max, Reduction::Min, Reduction::Product, Reduction::L2]
    {
        for axes in [&[0][..], &[1], &[-1], &[1, 2], &[0, 3], &[0, 1, 2, 3], &[]] {
            add(format!("{reduction:?} of {axes:?}"), graph(&[3, 4, 5, 6], |net, x| net.reduce(reduction, x, axes)));
        }
    }
    for axes in [&[-1][..], &[1], &[2, 3], &[1, 2, 3]] {
        add(format!("normalize {axes:?}"), graph(image, |net, x| net.normalize(x, axes, 1e-3)));
    }
    for axis in [0, 1, 3] {
        add(format!("softmax {axis}"), graph(image, |net, x| net.softmax(x, axis)));
        add(format!("log_softmax {axis}"), graph(image, |net, x| net.log_softmax(x, axis)));
    }
    for filter in [
        Filter::Nearest(Rounding::Floor),
        Filter::Nearest(Rounding::Ceil),
        Filter::Nearest(Rounding::PreferFloor),
        Filter::Nearest(Rounding::PreferCeil),
        Filter::Linear,
        Filter::Cubic(-0.75),
    ] {
        for coordinates in
            [Coordinates::HalfPixel, Coordinates::PytorchHalfPixel, Coordinates::AlignCorners, Coordinates::Asymmetric]
        {
            for target in [
                Target::Scale(vec![2.0, 2.0]),
                Target::Scale(vec![0.6, 1.7]),
                Target::Size(vec![5, 20]),
                Target::Size(vec![1, 30]),
                Target::Scale(vec![1.5, 1.0, 3.0]),
            ] {
                let resize = Resize { target, filter, coordinates };
                add(format!("{resize:?}"), graph(image, |net, x| net.resize(x, resize.clone())));
            }
        }
    }
    for edge in [Edge::Constant(0.0), Edge::Constant(2.5), Edge::Reflect, Edge::Replicate, Edge::Circular] {
        for (before, after) in
            [([0, 0, 2, 3], [0, 0, 1, 4]), ([0, 0, -1, 2], [0, 0, 3, -2]), ([1, 2, 0, 0], [0, 1, 0, 0])]
        {
            add(format!("{edge:?} {before:?} {after:?}"), graph(image, |net, x| net.pad(x, &before, &after, edge)));
        }
    }
    add("crop".into(), graph(image, |net, x| net.pad(x, &[0, -1, 0, -2], &[0, 0, -3, 0], Edge::Reflect)));
    for (axis, start, step, len) in [(1, 2, 1, 3), (3, 10, -3, 4), (2, 1, 4, 2), (0, 1, 1, 1), (2, 0, 1, 0)] {
        let slice = Slice { axis, start, step, len };
        add(format!("{slice:?}"), graph(image, |net, x| net.slice_in_steps(x, slice)));
    }
    for order in [[0, 1, 2, 3], [3, 2, 1, 0], [0, 2, 3, 1], [1, 0, 3, 2]] {
        add(format!("transpose {order:?}"), graph(image, |net, x| net.transpose(x, &order)));
    }
    add("reshape".into(), {
        graph(image, |net, x| {
            let turned = net.transpose(x, &[0, 2, 3, 1])?;
            net.reshape(turned, &[0, -1, 33])
        })
    });
    add("flatten".into(), graph(image, |net, x| net.flatten(x, 1)));
    add("expand".into(), graph(&[3, 1, 5], |net, x| net.expand(x, [2, 3, 4, 5])));
    add("concat with one element of the last axis".into(), {
        graph(image, |net, x| {
            let first = net.slice(x, 3, 0, 1)?;
            net.concat(&[x, first, x], 3)
        })
    });
    add("concat".into(), {
        graph(image, |net, x| {
            let twice = net.add(x, x)?;
            let part = net.slice(x, 1, 1, 4)?;
            net.concat(&[x, twice, part, x], 1)
        })
    });
    for axis in [0, -1] {
        add(format!("concat {axis}"), {
            graph(image, |net, x| {
                let pooled = net.pool(x, Pool::max([1, 1]))?;
                net.concat(&[pooled, x], axis)
            })
        });
    }
    add("split".into(), {
        graph(image, |net, x| {
            let parts = net.split(x, 1, &[1, 2, 3])?;
            net.concat(&[parts[2], parts[0], parts[1]], 1)
        })
    });
    for order in [BlockOrder::ChannelFirst, BlockOrder::PlaceFirst] {
        let shuffled = graph(&[2, 12, 3, 5], |net, x| match order {
            BlockOrder::ChannelFirst => net.pixel_shuffle(x, 2),
            BlockOrder::PlaceFirst => net.apply(Op::PixelShuffle { factor: 2, order }, &[x]),
        });
        add(format!("shuffle {order:?}"), shuffled);
        let unshuffled = graph(&[2, 3, 4, 6], |net, x| net.apply(Op::PixelUnshuffle { factor: 2, order }, &[x]));
        add(format!("unshuffle {order:?}"), unshuffled);
    }
    for (a, b) in
        [(&[5, 7][..], &[7, 4][..]), (&[2, 1, 5, 7], &[3, 7, 4]), (&[3, 5, 7], &[3, 7, 4]), (&[7, 1, 1], &[1, 9])]
    {
        let mut net = Graph::new();
        let dims = |sizes: &[usize]| winoconv::graph::Dims::from_slice(sizes).expect("few");
        let (x, y) = (net.input("a", dims(a)).expect("new"), net.input("b", dims(b)).expect("new"));
        let product = net.matmul(x, y).unwrap_or_else(|error| panic!("{error}"));
        net.output("y", product).expect("new");
        add(format!("matmul {a:?} {b:?}"), net);
    }
    add("attention".into(), {
        graph(&[2, 5, 8], |net, x| {
            let turned = net.transpose(x, &[0, 2, 1])?;
            let scores = net.matmul(x, turned)?;
            let weights = net.softmax(scores, -1)?;
            net.matmul(weights, x)
        })
    });
    for bias in [0, 6] {
        let linear = graph(&[3, 4, 5], |net, x| {
            let y = net.linear(x, 6, &numbers(30, 3), numbers(bias, 4))?;
            net.activate(Activation::Gelu, y)
        });
        add(format!("linear with bias of {bias}"), linear);
    }
    add("batch_norm".into(), {
        graph(image, |net, x| {
            let variance: Vec<f32> = numbers(6, 4).iter().map(|x| x.abs() + 0.1).collect();
            net.batch_norm(x, [&numbers(6, 1), &numbers(6, 2), &numbers(6, 3), &variance], 1e-5)
        })
    });
    all.extend(convs());
    all
}

/// Convolutions with what belongs to them, in each order.
fn convs() -> Vec<(String, Graph)> {
    let mut all = Vec::new();
    let conv = Conv::new(4, 6, [3, 3]).padding(1);
    let weights = || numbers(conv.weights_len(), 5);
    let image = &[2, 4, 7, 8][..];
    let mut add = |name: &str, build: &dyn Fn(&mut Graph, Value) -> Result<Value>| {
        all.push((name.to_owned(), graph(image, |net, x| build(net, x))));
    };
    add("conv", &|net, x| net.conv(x, conv, weights(), []));
    add("conv, bias, activation", &|net, x| {
        let y = net.conv(x, conv.bias(true), weights(), numbers(6, 6))?;
        net.activate(Activation::HardSwish, y)
    });
    add("conv, batch_norm, relu", &|net, x| {
        let y = net.conv(x, conv, weights(), [])?;
        let y = net.batch_norm(y, [&numbers(6, 1), &numbers(6, 2), &numbers(6, 3), &[0.5; 6]], 1e-5)?;
        net.activate(Activation::Relu, y)
    });
    add("transposed, batch_norm", &|net, x| {
        let conv = Conv::new(4, 6, [4, 4]).stride(2).padding(1).transposed(0).groups(2);
        let y = net.conv(x, conv, numbers(conv.weights_len(), 5), [])?;
        net.batch_norm(y, [&numbers(6, 1), &numbers(6, 2), &numbers(6, 3), &[0.5; 6]], 1e-5)
    });
    add("residual, relu, used twice", &|net, x| {
        let square = Conv::new(4, 4, [3, 3]).padding(1);
        let y = net.conv(x, square, numbers(144, 5), [])?;
        let sum = net.add(x, y)?;
        let z = net.activate(Activation::Relu, sum)?;
        let y = net.conv(z, square, numbers(144, 6), [])?;
        net.add(y, z)
    });
    add("prelu", &|net, x| {
        let y = net.conv(x, conv, weights(), [])?;
        let slopes = net.constant(numbers(6, 7), [6, 1, 1])?;
        net.binary(Binary::PRelu, y, slopes)
    });
    add("number minus conv", &|net, x| {
        let y = net.conv(x, conv, weights(), [])?;
        let one = net.constant(vec![1.0], [1])?;
        net.binary(Binary::Sub, one, y)
    });
    add("conv divided", &|net, x| {
        let y = net.conv(x, conv.bias(true), weights(), numbers(6, 6))?;
        net.with_number(Binary::Div, y, 3.0)
    });
    for edge in [Edge::Constant(0.0), Edge::Constant(1.0), Edge::Reflect, Edge::Replicate, Edge::Circular] {
        add(&format!("pad {edge:?}, conv"), &|net, x| {
            let x = net.pad(x, &[0, 0, 1, 2], &[0, 0, 2, 0], edge)?;
            net.conv(x, conv.padding(0), weights(), [])
        });
    }
    add("inception", &|net, x| {
        let a = net.conv(x, Conv::new(4, 3, [1, 1]), numbers(12, 1), [])?;
        let b = net.conv(x, conv, weights(), [])?;
        let c = net.pool(x, Pool::max([3, 3]).stride([1, 1]).padding([1, 1]))?;
        net.concat(&[a, b, c], 1)
    });
    let square = Conv::new(4, 4, [3, 3]).padding(1);
    add("skip", &|net, x| {
        let skip = net.conv(x, square, numbers(144, 5), [])?;
        let small = net.pool(skip, Pool::max([2, 2]))?;
        let large = net.upsample_nearest(small, 2)?;
        let large = net.pad(
            large,
            &[0; 4],
            &[0, 0, net.dims(skip)[2] as isize % 2, net.dims(skip)[3] as isize % 2],
            Edge::Replicate,
        )?;
        let all = net.concat(&[skip, large], 1)?;
        let y = net.conv(all, Conv::new(8, 4, [1, 1]), numbers(32, 2), [])?;
        // The skip as a residual: it lies in the joined tensor, and is copied.
        net.add(y, skip)
    });
    add("skip and a function of it", &|net, x| {
        let skip = net.conv(x, square, numbers(144, 5), [])?;
        let twice = net.add(skip, skip)?;
        let all = net.concat(&[skip, twice, skip], 1)?;
        net.conv(all, Conv::new(12, 4, [1, 1]), numbers(48, 2), [])
    });
    add("dense block behind functions", &|net, x| {
        let mut all = net.conv(x, square, numbers(144, 5), [])?;
        for (i, channels) in [4, 7, 10].into_iter().enumerate() {
            let y = net.activate(Activation::Silu, all)?;
            let y = net.conv(y, Conv::new(channels, 3, [3, 3]).padding(1), numbers(channels * 27, i as u64), [])?;
            all = net.concat(&[all, y], 1)?;
        }
        Ok(all)
    });
    add("dense block", &|net, x| {
        let mut all = x;
        for (i, channels) in [4, 7, 10].into_iter().enumerate() {
            let conv = Conv::new(channels, 3, [3, 3]).padding(1);
            let y = net.conv(all, conv, numbers(conv.weights_len(), i as u64), [])?;
            all = net.concat(&[all, y], 1)?;
        }
        Ok(all)
    });
    add("parts of channels", &|net, x| {
        let parts = net.split(x, 1, &[2, 2])?;
        let conv = Conv::new(2, 2, [3, 3]).padding(1);
        let y = net.conv(parts[1], conv, numbers(36, 2), [])?;
        let y = net.add(y, parts[0])?;
        net.concat(&[parts[0], y], 1)
    });
    add("channels last within", &|net, x| {
        let rows = net.transpose(x, &[0, 2, 3, 1])?;
        let y = net.linear(rows, 8, &numbers(32, 3), numbers(8, 4))?;
        let y = net.activate(Activation::Gelu, y)?;
        let y = net.linear(y, 4, &numbers(32, 5), [])?;
        let y = net.transpose(y, &[0, 3, 1, 2])?;
        net.add(x, y)
    });
    add("squeeze and excite", &|net, x| {
        let mean = net.global_average_pool(x)?;
        let y = net.conv(mean, Conv::new(4, 2, [1, 1]), numbers(8, 3), [])?;
        let y = net.activate(Activation::Relu, y)?;
        let y = net.conv(y, Conv::new(2, 4, [1, 1]), numbers(8, 4), [])?;
        let y = net.activate(Activation::hard_sigmoid(), y)?;
        net.mul(x, y)
    });
    add("slopes of its own", &|net, x| {
        let conv = conv.activation(Activation::PRelu);
        let none: [f32; 0] = [];
        let of = ConvWeights { conv, weights: weights().into(), bias: none.into(), slopes: numbers(6, 8).into() };
        net.conv_with(x, None, of)
    });
    all
}

#[test]
fn each_node_on_the_cpu() {
    let device = Device::cpu();
    let all = all();
    assert!(all.len() > 250, "{} graphs", all.len());
    all.iter().for_each(|(name, graph)| check(&device, graph, name));
}

/// The same of images whose channels lie side by side, among those of others: as convolutions on the CPU leave them.
#[test]
fn each_node_of_channels_side_by_side() {
    let device = Device::cpu();
    for (name, of) in all() {
        let x = of.inputs()[0];
        let dims = of.dims(x);
        let (&[n, c, h, w], [_]) = (&dims[..], of.inputs()) else { continue };
        let mut net = Graph::new();
        let all = c + 9;
        let image = net.input("x", [n, all, h, w]).expect("new");
        // Exact: it writes what it reads.
        let identity: Vec<f32> = (0..all * all).map(|i| if i % (all + 1) == 0 { 1.0 } else { 0.0 }).collect();
        let wide = net.conv(image, Conv::new(all, all, [1, 1]), identity, []).expect("it fits");
        let position = |value: Value| of.nodes().iter().position(|other| std::ptr::eq(other, of.node(value)));
        let position = |value: Value| position(value).expect("a value of this graph");
        let mut values: Vec<Value> = Vec::new();
        for node in of.nodes() {
            let inputs: Vec<Value> = node.inputs().iter().map(|&input| values[position(input)]).collect();
            let value = match node.op() {
                Op::Input => net.slice(wide, 1, 2, 2 + c),
                Op::Constant(data) => net.constant(data.to_vec(), node.dims()),
                op => net.apply(op.clone(), &inputs),
            };
            values.push(value.unwrap_or_else(|error| panic!("{name}: {error}")));
        }
        for (output, value) in of.outputs() {
            net.output(output, values[position(*value)]).expect("new");
        }
        check(&device, &net, &name);
    }
}

#[cfg(feature = "gpu")]
#[test]
fn each_node_on_a_gpu() {
    crate::support::gpus::on_one_gpu("each_node_on_a_gpu", |gpu| {
        let device = Device::from(gpu.context.clone());
        all().iter().for_each(|(name, graph)| check(&device, graph, name));
    });
}

/// NaN and infinities go through as in PyTorch.
#[test]
fn special_values_go_through() {
    let device = Device::cpu();
    let inf = f32::INFINITY;
    let special = vec![f32::NAN, inf, -inf, 0.0, -0.0, 1.0, -1.0, 1e-40];
    let mut cases = vec![];
    for function in [Binary::Min, Binary::Max, Binary::Add, Binary::Mul] {
        cases.push(graph(&[1, 2, 2, 2], |net, x| {
            let turned = net.transpose(x, &[0, 3, 1, 2])?;
            net.binary(function, x, turned)
        }));
    }
    cases.push(graph(&[1, 2, 2, 2], |net, x| net.pool(x, Pool::max([2, 2]))));
    cases.push(graph(&[1, 2, 2, 2], |net, x| net.reduce(Reduction::Max, x, &[1])));
    cases.push(graph(&[1, 2, 2, 2], |net, x| net.activate(Activation::Relu, x)));
    cases.push(graph(&[1, 2, 2, 2], |net, x| net.activate(Activation::Clamp { low: 0.0, high: 6.0 }, x)));
    for (i, graph) in cases.iter().enumerate() {
        check_on(&device, graph, std::slice::from_ref(&special), &format!("case {i}"));
    }
}
