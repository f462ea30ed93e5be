//! What a layer keeps: 600 sizes of input through one layer take about the memory of 20. And what a network in tiles takes: no
//! more than its ceiling. Live bytes of the whole test binary are counted by its allocator, so tests take turns, one layer after
//! the other.

#[cfg(feature = "gpu")]
mod support;

use std::alloc::System;
use std::sync::{Mutex, PoisonError};

use cap::Cap;
use winoconv::{
    Conv, DType, Device, Layer, Layout, Operation, Padding, Preferences, Problem, Residual, Shape, Weights,
};

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

/// Sizes after which memory is first looked at.
const FEW: usize = 20;
/// Sizes in all.
const MANY: usize = 600;
/// On a GPU, where planning takes longer.
#[cfg(feature = "gpu")]
const MANY_ON_GPU: usize = 100;
/// How much more memory they may take.
const MOST: f64 = 1.2;
/// Every so many sizes one is run, the first [`FEW`] all are; the others are planned.
const RUN_EVERY: usize = 10;

/// A sort of convolution.
struct Sort {
    name: &'static str,
    conv: Conv,
    operation: Operation,
    /// The `i`-th size, all of them different.
    shape: fn(usize) -> Shape,
}

impl Sort {
    fn problem(&self, i: usize) -> Problem {
        let problem = self.conv.on((self.shape)(i)).unwrap_or_else(|error| panic!("{}: {error}", self.name));
        let problem = match self.operation {
            Operation::InputGradient => problem.input_gradient(),
            Operation::WeightGradient => problem.weight_gradient(),
            _ => Ok(problem),
        };
        problem.unwrap_or_else(|error| panic!("{}: {error}", self.name))
    }
}

fn image(channels: usize, i: usize) -> Shape {
    Shape::from([1, channels, 3 + i % 40, 3 + i / 40])
}

fn line(channels: usize, i: usize) -> Shape {
    Shape::from([1, channels, 8 + i])
}

fn sorts() -> Vec<Sort> {
    let forward = Operation::Forward;
    let sort = |name, conv, operation, shape| Sort { name, conv, operation, shape };
    let three = |c, k| Conv::new(c, k, [3, 3]).padding(1);
    let same = Padding::SameUpper;
    vec![
        sort("plain", three(16, 16).bias(true), forward, |i| image(16, i)),
        sort("plain, batches", three(8, 8), forward, |i| Shape::from([1 + i, 8, 2, 2])),
        sort("plain, NHWC", three(8, 8).layout(Layout::ChannelsLast), forward, |i| image(8, i)),
        sort("strided", three(16, 16).stride(2), forward, |i| image(16, i)),
        sort("dilated", three(8, 8).dilation(2).padding(2), forward, |i| image(8, i)),
        sort("grouped", three(16, 16).groups(4), forward, |i| image(16, i)),
        sort("depthwise", three(16, 16).groups(16), forward, |i| image(16, i)),
        sort("pointwise", Conv::new(16, 32, [1, 1]), forward, |i| image(16, i)),
        sort("1-D", Conv::new(8, 8, [5]).padding(2), forward, |i| line(8, i)),
        sort("1-D, SAME", Conv::new(8, 8, [5]).stride(3).padding(same), forward, |i| line(8, i)),
        sort("3-D", Conv::new(4, 4, [3, 3, 3]).padding(1), forward, |i| {
            Shape::from([1, 4, 1 + i % 10, 1 + i / 10 % 10, 1 + i / 100])
        }),
        sort("transposed 1-D", Conv::new(32, 16, [16]).transposed(0).stride(8).padding(4), forward, |i| line(32, i)),
        sort("transposed", Conv::new(16, 8, [4, 4]).transposed(0).stride(2).padding(1), forward, |i| image(16, i)),
        sort("transposed, SAME", Conv::new(16, 8, [3, 3]).transposed(1).stride(2).padding(same), forward, |i| {
            image(16, i)
        }),
        sort("transposed, grouped", Conv::new(16, 16, [3, 3]).transposed(0).stride(2).groups(16), forward, |i| {
            image(16, i)
        }),
        sort("input gradient", three(16, 16), Operation::InputGradient, |i| image(16, i)),
        sort("strided input gradient", three(16, 32).stride(2), Operation::InputGradient, |i| image(16, i)),
        sort(
            "strided input gradient, SAME",
            Conv::new(16, 32, [5]).stride(3).padding(same),
            Operation::InputGradient,
            |i| line(16, i),
        ),
        sort("weight gradient", three(4, 4), Operation::WeightGradient, |i| image(4, i)),
        sort("strided weight gradient", three(4, 4).stride(2), Operation::WeightGradient, |i| image(4, i)),
        sort("f16", three(8, 8).dtype(DType::F16), forward, |i| image(8, i)),
        sort("residual", three(8, 8).residual(Residual::Tensor), forward, |i| image(8, i)),
    ]
}

/// Runs one problem, or plans it. What it returns is dropped.
fn meet(layer: &Layer, problem: &Problem, runs: bool) -> winoconv::Result<()> {
    if !runs {
        return layer.plan_for(problem).map(drop);
    }
    let input = vec![0.5; problem.input_len()];
    let residual = vec![0.25; problem.output_len()];
    let gradient = vec![0.125; problem.weights_len()];
    let mut inputs = winoconv::Inputs::new(&input);
    if problem.conv().residual == Residual::Tensor {
        inputs = inputs.residual(&residual);
    }
    if problem.operation() == Operation::WeightGradient {
        inputs = inputs.gradient(&gradient);
    }
    pollster::block_on(layer.solve(problem, inputs)).map(drop)
}

/// Live bytes that a layer of this sort comes to after `few` sizes, and after `many`.
fn grown(device: &Device, sort: &Sort, [few, many]: [usize; 2]) -> [usize; 2] {
    let fail = |error: winoconv::Error| -> () { panic!("{}: {error}", sort.name) };
    let weights: Vec<f32> = (0..sort.conv.weights_len()).map(|i| (i % 7) as f32 - 3.0).collect();
    let bias = vec![0.5; sort.conv.filters];
    let weights = Weights::new(&weights);
    let weights = if sort.conv.bias { weights.bias(&bias) } else { weights };
    let layer = || {
        let layer = Layer::new_blocking(device, sort.conv, weights, Preferences::new());
        layer.unwrap_or_else(|error| panic!("{}: {error}", sort.name))
    };
    let runs = |i: usize| i < few || i.is_multiple_of(RUN_EVERY);
    // What a process computes once and the kernels that a device keeps are there before the count begins.
    let another = layer();
    (0..many).filter(|&i| runs(i)).for_each(|i| meet(&another, &sort.problem(i), true).unwrap_or_else(fail));
    drop(another);
    let before = ALLOCATOR.allocated();
    let layer = layer();
    let mut seen = [0; 2];
    for i in 0..many {
        meet(&layer, &sort.problem(i), runs(i)).unwrap_or_else(fail);
        if i + 1 == few {
            seen[0] = ALLOCATOR.allocated() - before;
        }
    }
    seen[1] = ALLOCATOR.allocated() - before;
    seen
}

/// All sorts of convolutions; each is told, and those that grow fail together.
fn check(device: &Device, on: &str, many: usize) {
    let mut wrong = Vec::new();
    for sort in sorts() {
        let [at_first, at_last] = grown(device, &sort, [FEW, many]);
        let ratio = at_last as f64 / at_first as f64;
        let told = format!("{on}, {}: {at_first} bytes after {FEW} sizes, {at_last} after {many}", sort.name);
        println!("{told}: {ratio:.2} times");
        if ratio > MOST {
            wrong.push(told);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// One test at a time, so that only one allocates.
static TURN: Mutex<()> = Mutex::new(());

#[test]
fn many_sizes_take_the_memory_of_few_on_the_cpu() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    check(&Device::cpu(), "CPU", MANY);
}

#[cfg(feature = "gpu")]
#[test]
fn many_sizes_take_the_memory_of_few_on_a_gpu() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    support::gpus::on_one_gpu("many_sizes_take_the_memory_of_few_on_a_gpu", |gpu| {
        check(&gpu.device(), &gpu.label, MANY_ON_GPU);
    });
}

/// What plans, steps and tiles' places take, beside the tensors that a ceiling is for.
#[cfg(feature = "graph")]
const BESIDE: usize = 1 << 20;

/// A network in tiles stays below its ceiling from its planning to its last tile: more would not be given by the allocator, which
/// ends the process. Without tiles it takes more than that.
#[cfg(feature = "graph")]
#[test]
fn a_ceiling_holds_on_the_cpu() {
    use std::ops::ControlFlow;
    use winoconv::graph::{Dims, Graph, Pool, Tiled};
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let build = || {
        let mut net = Graph::new();
        let dims = Dims::from([1, 3, 768, 640]);
        let mut x = net.input("x", dims)?;
        for (c, k) in [(3, 16), (16, 16), (16, 32)] {
            let conv = Conv::new(c, k, [3, 3]).padding(1).bias(true);
            x = net.conv(x, conv, vec![0.01; conv.weights_len()], vec![0.1; k])?;
            x = if k == 32 { net.pool(x, Pool::max([2, 2]))? } else { x };
        }
        let norm = net.normalize(x, &[1], 1e-3)?;
        net.output("y", norm)?;
        Ok::<_, winoconv::Error>((net, dims))
    };
    let (net, dims) = build().expect("a network");
    let picture = vec![0.5; dims.elements()];
    let device = Device::cpu();
    // What a process computes once is there before the count begins.
    let whole = Tiled::new_blocking(&device, &net, &[dims], Preferences::new(), 1 << 30).expect("a network");
    let ceiling = whole.bytes() / 6;
    assert_eq!(whole.tile_count(), 1, "{whole}");
    drop(whole);
    let small = Tiled::new_blocking(&device, &net, &[dims], Preferences::new(), ceiling).expect("tiles");
    let first = small.run_tiles_blocking(&[&picture], |_| ControlFlow::Break(()));
    assert!(first.expect("a tile").is_break());
    drop(small);
    let limit = ALLOCATOR.allocated() + ceiling as usize + BESIDE;
    ALLOCATOR.set_limit(limit).expect("less is allocated");
    let tiled = Tiled::new_blocking(&device, &net, &[dims], Preferences::new(), ceiling).expect("tiles");
    let (mut most, mut seen) = (0, 0);
    let end = tiled.run_tiles_blocking(&[&picture], |tile| {
        (most, seen) = (most.max(ALLOCATOR.allocated()), tile.index + 1);
        ControlFlow::<()>::Continue(())
    });
    ALLOCATOR.set_limit(usize::MAX).expect("less is allocated");
    assert!(end.expect("runs").is_continue() && seen == tiled.tile_count() && seen > 6, "{tiled}");
    println!("{tiled}; {} bytes were left at least", limit - most);
    // The ceiling is not far from what is taken.
    assert!(limit - most < ceiling as usize / 2, "{tiled}: {} of {limit} were left", limit - most);
}
