//! Networks in tiles, against the whole picture at once: the same bits, wherever the same algorithms are picked.

use std::ops::ControlFlow;

use winoconv::caps::DeviceKind;
use winoconv::error::{Error, LimitError, Resource};
use winoconv::graph::{
    Binary, Coordinates, Dims, Edge, Filter, Graph, Network, Pool, PoolKind, Reduction, Resize, Rounding, Target,
    Tiled, Unary, Value,
};
use winoconv::winograd::{F, Nested};
use winoconv::{Activation, Algorithm, Border, Conv, Device, Padding, Preferences, Result, Tolerance};

use super::draw::Dice;
use super::numbers;

/// A convolution with weights that neither grow nor shrink what passes through.
fn conv(net: &mut Graph, x: Value, conv: Conv, seed: u64) -> Result<Value> {
    let terms = (conv.weights_len() / conv.filters).max(1) as f32;
    let weights: Vec<f32> = numbers(conv.weights_len(), seed).iter().map(|x| 2.0 * x / terms.sqrt()).collect();
    net.conv(x, conv.bias(true), weights, numbers(conv.filters, seed + 50))
}

fn three(channels: usize, filters: usize) -> Conv {
    Conv::new(channels, filters, [3, 3]).padding(1).activation(Activation::Relu)
}

/// A graph of one picture.
fn net(dims: impl Into<Dims>, build: impl FnOnce(&mut Graph, Value) -> Result<Value>) -> Graph {
    let mut net = Graph::new();
    let x = net.input("x", dims).expect("the first one");
    let y = build(&mut net, x).unwrap_or_else(|error| panic!("{error}"));
    net.output("y", y).expect("the first one");
    net
}

/// A network within a part of the memory that the whole takes, or within the least that does.
fn tiled_within(device: &Device, graph: &Graph, preferences: Preferences, part: u64) -> Result<Tiled> {
    let within = |ceiling| Tiled::new_blocking(device, graph, &sizes(graph), preferences, ceiling);
    match within(within(u64::MAX)?.bytes() / part) {
        Err(Error::Limit(LimitError { resource: Resource::CeilingBytes, need, .. })) => within(need),
        other => other,
    }
}

/// With a workspace that each ceiling leaves room for, so that it is the same for tiles and for the whole.
fn preferences() -> Preferences {
    Preferences::new().workspace_limit(1 << 20)
}

fn sizes(graph: &Graph) -> Vec<Dims> {
    graph.inputs().iter().map(|&value| graph.dims(value)).collect()
}

/// How many tiles were compared, and whether they must have the same bits.
struct Seen {
    tiles: usize,
    bits: bool,
}

/// Runs a network as a whole, and in tiles that take parts of its memory, and fails unless they agree.
fn check(device: &Device, graph: &Graph, preferences: Preferences, parts: &[u64], what: &str) -> Result<Vec<Seen>> {
    let fail = |error: Error| -> ! { panic!("{what}: {error}\n{graph}") };
    let inputs: Vec<Vec<f32>> =
        sizes(graph).iter().zip(1..).map(|(dims, seed)| numbers(dims.elements(), seed)).collect();
    let inputs: Vec<&[f32]> = inputs.iter().map(Vec::as_slice).collect();
    let at_once = |preferences: Preferences| {
        let whole = Network::new_blocking(device, graph, preferences).unwrap_or_else(|error| fail(error));
        whole.run_blocking(&inputs).unwrap_or_else(|error| fail(error))
    };
    let mut whole = (preferences, at_once(preferences));
    let mut all = Vec::new();
    for &part in parts {
        let tiled = tiled_within(device, graph, preferences, part)?;
        if tiled.preferences() != whole.0 {
            whole = (tiled.preferences(), at_once(tiled.preferences()));
        }
        let whole = &whole.1;
        let found = tiled.run_blocking(&inputs).unwrap_or_else(|error| fail(error));
        let differing = tiled.differing_picks().unwrap_or_else(|error| fail(error));
        for ((name, value), (found, whole)) in graph.outputs().iter().zip(found.iter().zip(whole)) {
            let most = whole.iter().fold(1e-30, |most: f32, x| most.max(x.abs()));
            // Within the usual tolerance, where the order of sums is another.
            let allowed = 3e-5 * most;
            assert_eq!(found.len(), whole.len(), "{what}: {name}");
            let is_near = |found: f32, whole: f32| (found - whole).abs() <= allowed && !differing.is_empty();
            let is_far = |(found, whole): (&f32, &f32)| found.to_bits() != whole.to_bits() && !is_near(*found, *whole);
            let wrong = found.iter().zip(whole).position(is_far);
            if let Some(at) = wrong {
                let strides = graph.dims(*value);
                let (w, h) = (strides[strides.rank() - 1], strides[strides.rank() - 2]);
                let count = found.iter().zip(whole).filter(|&pair| is_far(pair)).count();
                panic!(
                    "{what}: {name}[.., {}, {}] is {}, as a whole {}; {count} of {} differ by more than {allowed}; picks: {differing:?}\n{tiled}\n{graph}",
                    at / w % h,
                    at % w,
                    found[at],
                    whole[at],
                    whole.len(),
                );
            }
        }
        all.push(Seen { tiles: tiled.tile_count(), bits: differing.is_empty() });
    }
    Ok(all)
}

/// The same, and at least one of them had several tiles and the same bits.
fn check_bits(device: &Device, graph: &Graph, preferences: Preferences, what: &str) {
    let seen = check(device, graph, preferences, &[2, 4], what).unwrap_or_else(|error| panic!("{what}: {error}"));
    assert!(seen.iter().any(|seen| seen.tiles > 1 && seen.bits), "{what}: nothing was compared bit by bit");
}

fn forced(label: &str) -> Preferences {
    preferences().tolerance(Tolerance::Any).algorithm(label.parse::<Algorithm>().expect("a label"))
}

fn devices(name: &str, visit: impl Fn(&Device)) {
    visit(&Device::cpu());
    #[cfg(feature = "gpu")]
    crate::support::gpus::on_one_gpu(name, |gpu| visit(&Device::from(gpu.context.clone())));
    #[cfg(not(feature = "gpu"))]
    let _ = name;
}

/// All of them on the CPU; every third on a GPU, where software takes long to compile.
fn some_of<T, const N: usize>(device: &Device, all: [T; N]) -> Vec<T> {
    let step = if device.caps().kind == DeviceKind::Cpu { 1 } else { 3 };
    crate::support::some(all.into(), 1, step)
}

/// Several layers of 3 x 3, with a dilation and a sum.
fn chain() -> Graph {
    net([1, 4, 150, 170], |net, x| {
        let a = conv(net, x, three(4, 8), 1)?;
        let b = conv(net, a, three(8, 8).dilation(2).padding(2), 2)?;
        let b = conv(net, b, three(8, 8), 3)?;
        let sum = net.add(a, b)?;
        conv(net, sum, three(8, 4), 4)
    })
}

/// Layers of 3 x 3 with a stride, whose phases have transforms of two taps.
fn strided() -> Graph {
    net([1, 4, 330, 310], |net, x| {
        let half = conv(net, x, three(4, 8).stride(2), 1)?;
        conv(net, half, three(8, 8).stride(2), 2)
    })
}

#[test]
fn layers_of_each_algorithm() {
    devices("layers_of_each_algorithm", |device| {
        for label in some_of(device, ["direct", "implicit_gemm", "staged:f2x3", "staged:f4x3", "staged:f4x3_f2x3"]) {
            check_bits(device, &chain(), forced(label), label);
        }
        for m in some_of(device, [3, 2]) {
            let algorithm = Algorithm::Staged(Nested::square(F::new(m, 2)));
            let preferences = preferences().tolerance(Tolerance::Any).algorithm(algorithm);
            check_bits(device, &strided(), preferences, &format!("{algorithm} with strides"));
        }
    });
}

/// A U-Net of three sizes: pools on the way down, transposed convolutions on the way up, and skips.
fn unet(dims: impl Into<Dims>) -> Graph {
    net(dims, |net, x| {
        let first = conv(net, x, three(3, 6), 1)?;
        let half = net.pool(first, Pool::max([2, 2]))?;
        let half = conv(net, half, three(6, 8), 2)?;
        let low = net.pool(half, Pool::max([2, 2]))?;
        let low = conv(net, low, three(8, 12), 3)?;
        let up = conv(net, low, Conv::new(12, 8, [2, 2]).stride(2).transposed(0), 4)?;
        let both = net.concat(&[up, half], 1)?;
        let both = conv(net, both, three(16, 8), 5)?;
        let up = conv(net, both, Conv::new(8, 6, [4, 4]).stride(2).padding(1).transposed(0), 6)?;
        let both = net.concat(&[first, up], 1)?;
        let last = conv(net, both, three(12, 6), 7)?;
        conv(net, last, Conv::new(6, 2, [1, 1]), 8)
    })
}

/// Four times the size, and the picture itself added.
fn super_resolution() -> Graph {
    net([1, 3, 120, 150], |net, x| {
        let mut y = conv(net, x, three(3, 16), 1)?;
        for seed in 2..5 {
            y = conv(net, y, three(16, 16), seed)?;
        }
        let y = conv(net, y, Conv::new(16, 48, [3, 3]).padding(1), 9)?;
        let large = net.pixel_shuffle(y, 4)?;
        let nearest = net.upsample_nearest(x, 4)?;
        net.add(large, nearest)
    })
}

/// A strided stem with SAME padding, a mirrored border, dilations side by side, bilinear upsampling, and a second output.
fn segmentation() -> Graph {
    let mut graph = net([1, 3, 250, 210], |net, x| {
        let stem = Conv::new(3, 8, [7, 7]).stride(2).padding(Padding::SameUpper);
        let stem = conv(net, x, stem, 1)?;
        let pooled = net.pool(stem, Pool::new(PoolKind::Max, [3, 3]).stride([2, 2]).padding([1, 1]))?;
        let near = conv(net, pooled, three(8, 8).border(Border::Reflect), 2)?;
        let far = conv(net, pooled, three(8, 8).dilation(3).padding(3), 3)?;
        let both = net.concat(&[near, far], 1)?;
        let mixed = conv(net, both, Conv::new(16, 8, [1, 1]), 4)?;
        let norm = net.normalize(mixed, &[1], 1e-3)?;
        let up = net.upsample_bilinear(norm, 4)?;
        net.softmax(up, 1)
    });
    let last = graph.outputs()[0].1;
    let mean = graph.reduce(Reduction::Mean, last, &[1]).expect("fits");
    graph.output("mean", mean).expect("new");
    graph
}

#[test]
fn networks_of_each_kind() {
    devices("networks_of_each_kind", |device| {
        let networks = [
            ("super-resolution", super_resolution()),
            ("U-Net", unet([1, 3, 200, 232])),
            ("segmentation", segmentation()),
        ];
        for (name, graph) in some_of(device, networks) {
            let seen = check(device, &graph, preferences(), &[2], name).unwrap_or_else(|error| panic!("{error}"));
            assert!(seen[0].tiles > 1, "{name}");
            check_bits(device, &graph, preferences().algorithm(Algorithm::Direct), name);
        }
    });
}

/// A graph of nodes that can be computed in tiles.
fn drawn(seed: u64) -> Graph {
    let mut dice = Dice(seed.wrapping_mul(91).wrapping_add(3));
    let mut net = Graph::new();
    let c = 2 * (1 + dice.below(3));
    let mut values =
        vec![net.input("x", [1 + dice.below(2), c, 60 + dice.below(90), 60 + dice.below(90)]).expect("new")];
    for i in 0..3 + dice.below(6) {
        let x = values[values.len() - 1 - (dice.below(4) * dice.below(2)).min(values.len() - 1)];
        values.extend(node(&mut net, &mut dice, x, &values, 10 * i as u64));
    }
    let last = values.len() - 1;
    net.output("last", values[last]).expect("new");
    if dice.below(2) == 0 {
        net.output("middle", values[last.div_ceil(2)]).expect("new");
    }
    net
}

fn node(net: &mut Graph, dice: &mut Dice, x: Value, values: &[Value], seed: u64) -> Option<Value> {
    let dims = net.dims(x);
    let &[n, c, h, w] = &dims[..] else { return None };
    if h * w > 120 * 120 {
        return net.pool(x, Pool::max([2, 2]).ceil(dice.below(2) == 0)).ok();
    }
    let made = match dice.below(16) {
        0..=4 => {
            let (k, r) = (2 * (1 + dice.below(4)), [1, 3, 3, 5][dice.below(4)]);
            let dilation = 1 + dice.below(2) * dice.below(2);
            let stride = if dilation == 1 && h.min(w) > 30 { 1 + dice.below(2) } else { 1 };
            let border = [Border::Zero, Border::Zero, Border::Reflect, Border::Replicate][dice.below(4)];
            let of = Conv::new(c, k, [r, r]).padding(r / 2 * dilation).stride(stride).dilation(dilation).border(border);
            let of = if dice.below(5) == 0 { of.padding(Padding::SameLower) } else { of };
            let of = if c % 2 == 0 && dice.below(4) == 0 { of.groups(2) } else { of };
            conv(net, x, of, seed)
        }
        5 => {
            let [r, s] = [2 + dice.below(3), 1 + dice.below(2)];
            let of = Conv::new(c, 4, [r, r]).stride(s).padding(dice.below(2)).transposed(0);
            conv(net, x, of.dilation(1 + dice.below(2)), seed)
        }
        6 => {
            let pool = Pool::new(PoolKind::Average { counts_padding: dice.below(2) == 0 }, [3, 3]).padding([1, 1]);
            net.pool(x, pool.stride([1 + dice.below(2), 1]).ceil(dice.below(2) == 0))
        }
        7 => net.activate([Activation::Tanh, Activation::Sigmoid][dice.below(2)], x),
        8 => {
            let same: Vec<Value> = values.iter().copied().filter(|&y| net.dims(y) == dims).collect();
            net.binary([Binary::Add, Binary::Max][dice.below(2)], x, same[dice.below(same.len())])
        }
        9 => {
            let like = |y: &Value| net.dims(*y)[2..] == dims[2..] && net.dims(*y)[0] == n;
            let same: Vec<Value> = values.iter().copied().filter(like).collect();
            net.concat(&[x, same[dice.below(same.len())]], 1)
        }
        10 => {
            let edge = [Edge::Constant(0.5), Edge::Reflect, Edge::Replicate][dice.below(3)];
            let by = |dice: &mut Dice| dice.below(5).cast_signed() - 1;
            let [a, b, c, d] = [by(dice), by(dice), by(dice), by(dice)];
            net.pad(x, &[0, 0, a, b], &[0, 0, c, d], edge)
        }
        11 if c % 4 == 0 => net.pixel_shuffle(x, 2),
        11 => net.pixel_unshuffle(x, 2),
        12 => {
            let filter = [Filter::Linear, Filter::Cubic(-0.75), Filter::Nearest(Rounding::PreferFloor)][dice.below(3)];
            let scale = [2.0, 0.5, 1.5][dice.below(3)];
            let coordinates = [Coordinates::HalfPixel, Coordinates::Asymmetric][dice.below(2)];
            net.resize(x, Resize { target: Target::Scale(vec![scale, 2.0]), filter, coordinates })
        }
        13 => net.normalize(x, &[1], 1e-2),
        14 => net.affine(x, &numbers(c, seed), &numbers(c, seed + 1)),
        _ => {
            let turned = net.transpose(x, &[0, 2, 3, 1]).ok()?;
            let y = net.linear(turned, 4, &numbers(4 * c, seed), numbers(4, seed + 1)).ok()?;
            net.transpose(y, &[0, 3, 1, 2])
        }
    };
    made.ok()
}

fn check_drawn(device: &Device, seeds: std::ops::Range<u64>, parts: &[u64]) {
    let mut all = Vec::new();
    let count = seeds.end - seeds.start;
    for seed in seeds {
        let graph = drawn(seed);
        match check(device, &graph, preferences(), parts, &format!("seed {seed}")) {
            Ok(seen) => all.extend(seen),
            Err(error) => panic!("seed {seed}: {error}\n{graph}"),
        }
    }
    let bits = all.iter().filter(|seen| seen.tiles > 1 && seen.bits).count();
    assert!(bits as u64 > count / 2, "{bits} of {count} networks in several tiles had to have the same bits");
}

#[test]
fn drawn_networks_on_the_cpu() {
    check_drawn(&Device::cpu(), 0..60, &[2, 100]);
}

#[cfg(feature = "gpu")]
#[test]
fn drawn_networks_on_a_gpu() {
    crate::support::gpus::on_one_gpu("drawn_networks_on_a_gpu", |gpu| {
        check_drawn(&Device::from(gpu.context.clone()), 100..120, &[3]);
    });
}

/// The picture's size may be one that the graph does not have.
#[test]
fn a_graph_of_another_size_will_do() {
    let (device, dims) = (Device::cpu(), Dims::from([1, 3, 300, 332]));
    let least = tiled_within(&device, &unet(dims), Preferences::new(), 4).expect("tiles").bytes();
    let [small, own] = [unet([1, 3, 16, 20]), unet(dims)]
        .map(|net| Tiled::new_blocking(&device, &net, &[dims], Preferences::new(), least).expect("tiles"));
    assert_eq!(small.to_string(), own.to_string());
    assert_eq!(small.outputs(), [("y".to_owned(), Dims::from([1, 2, 300, 332]))]);
    let input = numbers(dims.elements(), 3);
    assert_eq!(small.run_blocking(&[&input]), own.run_blocking(&[&input]));
    // More elements than a tensor may have: 128 channels of the picture.
    let huge = Dims::from([1, 3, 40_000, 30_000]);
    assert!(unet([1, 3, 16, 16]).with_input_dims(&[huge]).is_err(), "a graph of that size");
    let tiled = Tiled::new_blocking(&device, &unet([1, 3, 16, 16]), &[huge], Preferences::new(), 64 << 20);
    let tiled = tiled.expect("tiles");
    assert!(tiled.tile_count() > 1000 && tiled.bytes() <= 64 << 20, "{tiled}");
    assert!(tiled.differing_picks().is_err(), "picks of what cannot be planned");
    let odd =
        Tiled::new_blocking(&device, &unet([1, 3, 16, 20]), &[[1, 3, 301, 332].into()], Preferences::new(), least);
    let odd = odd.expect_err("half of 301 and twice that").to_string();
    assert!(odd.contains("concat"), "{odd}");
    let deep = Tiled::new_blocking(&device, &unet([1, 3, 16, 20]), &[[1, 3, 4, 16, 20].into()], Preferences::new(), 1);
    let deep = deep.expect_err("three dimensions for a filter of two").to_string();
    assert!(deep.contains("conv"), "{deep}");
}

/// Halos that transforms make wide do not fit into every ceiling; all convolutions take another algorithm then, and say so.
#[test]
fn halos_that_do_not_fit() {
    // Sixteenths of a picture, on which transforms pay.
    let graph = net([1, 3, 256, 512], |net, x| {
        let mut y = x;
        for (level, channels) in [(0, 8), (1, 32), (2, 64), (3, 64), (4, 64)] {
            let from = net.dims(y)[1];
            y = conv(net, y, three(from, channels), level)?;
            y = conv(net, y, three(channels, channels), level + 9)?;
            y = if level < 4 { net.pool(y, Pool::max([2, 2]))? } else { net.upsample_nearest(y, 16)? };
        }
        Ok(y)
    });
    let device = Device::cpu();
    let within = |ceiling| Tiled::new_blocking(&device, &graph, &sizes(&graph), preferences(), ceiling);
    let whole = within(u64::MAX).expect("the whole");
    assert!(whole.preferences().algorithm.is_none(), "{whole}");
    let picked: Vec<Tiled> = (1..).map_while(|part| within(whole.bytes() / (2 * part)).ok()).collect();
    let algorithms: Vec<_> = picked.iter().map(|tiled| tiled.preferences().algorithm).collect();
    let without = picked.iter().find(|tiled| tiled.preferences().algorithm == Some(Algorithm::ImplicitGemm));
    let Some(without) = without else { panic!("{algorithms:?}") };
    assert!(without.tile_count() > 1, "{without}");
    assert!(without.to_string().contains("all convolutions by implicit_gemm"), "{without}");
    let input = numbers(3 * 256 * 512, 1);
    let at_once = Network::new_blocking(&device, &graph, without.preferences()).expect("a network");
    let at_once = at_once.run_blocking(&[&input]).expect("it runs");
    assert!(without.run_blocking(&[&input]).expect("it runs") == at_once, "other bits: {without}");
}

/// Each output's element comes with one tile, tiles come in order, and a break is the end.
#[test]
fn tiles_are_told_and_can_be_the_last() {
    let (device, graph) = (Device::cpu(), segmentation());
    let tiled = tiled_within(&device, &graph, Preferences::new(), 5).expect("tiles");
    let input = numbers(sizes(&graph)[0].elements(), 1);
    let mut given: Vec<Vec<u8>> = tiled.outputs().iter().map(|(_, dims)| vec![0; dims.elements()]).collect();
    let mut next = 0;
    let end = tiled.run_tiles_blocking(&[&input], |tile| {
        assert_eq!((tile.index, tile.count), (next, tiled.tile_count()));
        next += 1;
        for (part, (given, (_, dims))) in tile.parts.iter().zip(given.iter_mut().zip(tiled.outputs())) {
            assert_eq!(part.data.len(), part.dims.elements());
            let [_, c, h, w] = <[usize; 4]>::try_from(&dims[..]).expect("four axes");
            let [_, _, y, x] = <[usize; 4]>::try_from(&part.first[..]).expect("four axes");
            for (channel, row) in (0..c).flat_map(|c| (0..part.dims[2]).map(move |row| (c, row))) {
                let at = (channel * h + y + row) * w + x;
                given[at..at + part.dims[3]].iter_mut().for_each(|count| *count += 1);
            }
        }
        ControlFlow::<()>::Continue(())
    });
    assert_eq!((end, next), (Ok(ControlFlow::Continue(())), tiled.tile_count()));
    assert!(given.iter().flatten().all(|&count| count == 1), "{tiled}");
    let mut seen = 0;
    let end = tiled.run_tiles_blocking(&[&input], |tile| {
        seen += 1;
        if tile.index == 1 { ControlFlow::Break("enough") } else { ControlFlow::Continue(()) }
    });
    assert_eq!((end, seen), (Ok(ControlFlow::Break("enough")), 2));
}

/// A network whose results depend on all places of an image, but on no other image.
#[test]
fn images_of_a_batch_are_tiles() {
    let graph = net([6, 3, 40, 40], |net, x| {
        let y = conv(net, x, three(3, 8), 1)?;
        let y = net.global_average_pool(y)?;
        let y = net.flatten(y, 1)?;
        net.linear(y, 5, &numbers(40, 2), numbers(5, 3))
    });
    let device = Device::cpu();
    // A reshape may mix images, too: the network says so.
    let error = tiled_within(&device, &graph, Preferences::new(), 2).expect_err("it is flattened").to_string();
    assert!(error.contains("the batch"), "{error}");
    let graph = net([6, 3, 40, 40], |net, x| {
        let y = conv(net, x, three(3, 8), 1)?;
        let mean = net.global_average_pool(y)?;
        let gate = conv(net, mean, Conv::new(8, 8, [1, 1]).activation(Activation::Sigmoid), 2)?;
        net.mul(y, gate)
    });
    check_bits(&device, &graph, preferences().algorithm(Algorithm::ImplicitGemm), "a batch");
}

/// Two pictures, one twice the size of the other, and numbers that belong to no place.
#[test]
fn several_inputs() {
    let mut net = Graph::new();
    let large = net.input("large", [1, 3, 160, 120]).expect("new");
    let small = net.input("small", [1, 4, 80, 60]).expect("new");
    let factors = net.input("factors", [2, 4, 1, 1, 1]).expect("new");
    let build = |net: &mut Graph| {
        let factors = net.reshape(factors, &[8, 1, 1])?;
        let y = conv(net, large, three(3, 8).stride(2), 1)?;
        let z = conv(net, small, three(4, 8), 2)?;
        let sum = net.add(y, z)?;
        let scaled = net.mul(sum, factors)?;
        let last = conv(net, scaled, three(8, 4), 3)?;
        net.output("sum", last)?;
        // What depends on no place is given once.
        let other = net.unary(Unary::Abs, factors)?;
        net.output("factors", other)
    };
    build(&mut net).expect("fits");
    check_bits(&Device::cpu(), &net, preferences(), "several inputs");
}

#[test]
fn a_ceiling_that_is_named_will_do() {
    let (device, graph) = (Device::cpu(), chain());
    let error = Tiled::new_blocking(&device, &graph, &sizes(&graph), Preferences::new(), 1 << 14);
    let Err(Error::Limit(limit)) = error else { panic!("expected a limit") };
    assert_eq!((limit.resource, limit.bound), (Resource::CeilingBytes, 1 << 14));
    assert!(limit.to_string().contains("raise the ceiling"), "{limit}");
    let tiled = Tiled::new_blocking(&device, &graph, &sizes(&graph), Preferences::new(), limit.need).expect("enough");
    assert!(tiled.bytes() <= limit.need, "{tiled}");
    let text = tiled.to_string();
    assert!(text.contains("halo") && text.contains("computed more than once"), "{text}");
}
