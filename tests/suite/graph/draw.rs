//! Graphs drawn at random.

use winoconv::graph::{Binary, Dims, Edge, Graph, Pool, Reduction, Unary, Value};
use winoconv::{Activation, Conv, Device};

use super::{check, numbers};

/// Numbers for choices.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound.max(1)
    }
}

/// Few channels, or so many that the CPU has them side by side.
fn channels(dice: &mut Dice) -> usize {
    [2, 4, 6, 8, 12, 20][dice.below(6)]
}

/// A graph of so many nodes over small images. What cannot be had of a value is not drawn.
pub(crate) fn drawn(seed: u64, nodes: usize) -> Graph {
    let mut dice = Dice(seed.wrapping_mul(77).wrapping_add(5));
    let mut net = Graph::new();
    let (n, c) = (1 + dice.below(2), channels(&mut dice));
    let mut values = vec![net.input("x", [n, c, 5 + dice.below(8), 5 + dice.below(8)]).expect("new")];
    if dice.below(3) == 0 {
        values.push(net.input("y", net.dims(values[0])).expect("new"));
    }
    for i in 0..nodes {
        // The newest ones are taken most often.
        let back = dice.below(4) * dice.below(2);
        let x = values[values.len() - 1 - back.min(values.len() - 1)];
        if let Some(value) = node(&mut net, &mut dice, x, &values, i as u64) {
            values.push(value);
        }
    }
    let last = values.len() - 1;
    net.output("last", values[last]).expect("new");
    if last > 2 {
        net.output("middle", values[last / 2]).expect("new");
    }
    net
}

fn node(net: &mut Graph, dice: &mut Dice, x: Value, values: &[Value], seed: u64) -> Option<Value> {
    let dims = net.dims(x);
    if dims.elements() > 20_000 {
        let reduced = net.pool(x, Pool::average([2, 2]));
        return reduced.ok();
    }
    let &[_, c, h, w] = &dims[..] else { return net.reshape(x, &[1, 2, -1, 3]).ok() };
    let made = match dice.below(19) {
        0..=2 => {
            let r = [1, 3, 3, 5][dice.below(4)];
            let (k, groups) = match dice.below(4) {
                0 if c % 2 == 0 => (channels(dice), 2),
                1 => (c, c),
                _ => (channels(dice), 1),
            };
            let conv = Conv::new(c, k, [r, r]).padding(r / 2).stride(1 + dice.below(2)).groups(groups);
            let weights: Vec<f32> = numbers(conv.weights_len(), seed).iter().map(|x| x / (r * r) as f32).collect();
            net.conv(x, conv.bias(true), weights, numbers(k, seed + 9))
        }
        3 => {
            let conv = Conv::new(c, 4, [2, 2]).stride(2).transposed(0);
            net.conv(x, conv, numbers(conv.weights_len(), seed), [])
        }
        4 => net.pool(x, Pool::max([2, 2]).ceil(dice.below(2) == 0)),
        5 => net.pool(x, Pool::average([3, 3]).stride([1, 1]).padding([1, 1])),
        6 => net.activate(
            [Activation::Relu, Activation::Tanh, Activation::Sigmoid, Activation::HardSwish][dice.below(4)],
            x,
        ),
        7 => net.unary([Unary::Neg, Unary::Abs, Unary::Sin][dice.below(3)], x),
        8 | 9 => {
            let same: Vec<Value> = values.iter().copied().filter(|&y| net.dims(y) == dims).collect();
            let function = [Binary::Add, Binary::Sub, Binary::Mul, Binary::Max][dice.below(4)];
            net.binary(function, x, same[dice.below(same.len())])
        }
        10 => net.affine(x, &numbers(c, seed), &numbers(c, seed + 1)),
        11 => {
            let same: Vec<Value> = values
                .iter()
                .copied()
                .filter(|&y| net.dims(y).rank() == 4 && with_channels(net.dims(y), 1) == with_channels(dims, 1))
                .collect();
            net.concat(&[x, same[dice.below(same.len())]], 1)
        }
        12 => net.slice(x, 1, c / 3, c),
        13 => net.transpose(x, &[0, 1, 3, 2]),
        14 if h > 2 && w > 2 => {
            let edge = [Edge::Constant(0.5), Edge::Reflect, Edge::Replicate, Edge::Circular][dice.below(4)];
            net.pad(x, &[0, 0, 1, 2], &[0, 0, 2, 1], edge)
        }
        15 if c % 4 == 0 => net.pixel_shuffle(x, 2),
        16 => net.upsample_bilinear(x, 2),
        17 => net.normalize(x, &[2, 3], 1e-2),
        _ => {
            let mean = net.reduce(Reduction::Mean, x, &[2, 3]).ok()?;
            net.binary(Binary::Sub, x, mean)
        }
    };
    made.ok()
}

fn with_channels(dims: Dims, channels: usize) -> [usize; 4] {
    [dims[0], channels, dims[2], dims[3]]
}

#[cfg(feature = "gpu")]
#[test]
fn drawn_graphs_on_a_gpu() {
    crate::support::gpus::on_one_gpu("drawn_graphs_on_a_gpu", |gpu| {
        let device = Device::from(gpu.context.clone());
        for seed in 200..260 {
            check(&device, &drawn(seed, 4 + seed as usize % 14), &format!("seed {seed}"));
        }
    });
}

#[test]
fn drawn_graphs_on_the_cpu() {
    let device = Device::cpu();
    for seed in 0..150 {
        check(&device, &drawn(seed, 4 + seed as usize % 14), &format!("seed {seed}"));
    }
}
