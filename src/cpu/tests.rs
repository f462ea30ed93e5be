//! Every kernel of the CPU against the reference, within the error bound, on problems with an edge each: where blocks
//! and panels end, how tensors lie, how many threads there are. Small enough for Miri.

use crate::activation::Activation;
use crate::caps::Caps;
use crate::conv::Conv;
use crate::cpu::{self, Operands, Reference};
use crate::layout::Layout;
use crate::padding::{Border, Padding};
use crate::plan::{Algorithm, BlockSizes, CpuKernel, CpuStep, PANEL, Plan, Preferences, TileBlock, Tolerance, Windows};
use crate::problem::Problem;
use crate::winograd::{F, Nested, error_bound};

/// Values between -1 and 1 that no sum of few makes zero.
fn data(len: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..len).map(|_| next()).collect()
}

struct Tensors {
    input: Vec<f32>,
    weights: Vec<f32>,
    bias: Vec<f32>,
}

impl Tensors {
    fn of(problem: &Problem) -> Self {
        let bias = if problem.conv.bias { problem.conv.filters } else { 0 };
        Self { input: data(problem.input_len(), 1), weights: data(problem.weights_len(), 2), bias: data(bias, 3) }
    }

    /// Runs a plan on memory that holds nothing of use.
    fn run(&self, plan: &Plan) -> Vec<f32> {
        let packed = cpu::packed(plan, &self.weights);
        let Self { input, weights, bias } = self;
        let operands = Operands { input, weights, packed: &packed, bias, ..Default::default() };
        let mut workspace: Vec<_> = plan.workspace.iter().map(|&len| vec![f32::NAN; len]).collect();
        let mut output = vec![f32::NAN; plan.problem.output_len()];
        cpu::run(plan, &operands, &mut workspace, &mut output).expect("lengths of the plan");
        output
    }
}

fn plan(problem: &Problem, algorithm: Algorithm, threads: usize) -> Option<Plan> {
    let caps = Caps { threads, ..Caps::cpu() };
    let preferences = Preferences::new().algorithm(algorithm).tolerance(Tolerance::Any);
    Plan::new(problem, &caps, &preferences).ok()
}

/// A plan of Winograd with other blocks, for two threads.
fn with_block(plan: &Plan, algorithm: Nested, block: TileBlock) -> Plan {
    let mut plan = plan.clone();
    let [step, ..] = plan.cpu_steps.as_mut_slice() else { panic!("one of the CPU's kernels") };
    (step.kernel, step.threads) = (CpuKernel::Winograd { algorithm, block }, 2);
    let windows = Windows::of_problem(&plan.problem).expect("it was planned");
    plan.workspace = BlockSizes::new(&windows, algorithm, block).workspace(2);
    plan
}

/// Everything that may run. Under Miri one transform stands for all, which are the same code with other numbers; twins are
/// left out, since they are safe code.
fn algorithms(problem: &Problem) -> Vec<Algorithm> {
    let mut all = Algorithm::all_for_cpu(problem);
    if cfg!(miri) {
        let mut transforms = 0..1;
        all.retain(|algorithm| match algorithm {
            Algorithm::Staged(_) => transforms.next_back().is_some(),
            other => other.transform().is_none(),
        });
    }
    all
}

/// All of them; under Miri, to which each problem is a minute, the first ones.
fn few<T>(all: &[T], under_miri: usize) -> &[T] {
    if cfg!(miri) { &all[..under_miri] } else { all }
}

/// Runs all of the CPU's algorithms on a problem, and some blocks that the planner would not choose.
fn check(problem: &Problem) {
    let tensors = Tensors::of(problem);
    let Tensors { input, weights, bias } = &tensors;
    let reference = Reference { problem, input, weights, bias, slopes: &[], residual: &[] };
    // Miri takes a second for the bound of one output.
    let expected = reference.sample(if cfg!(miri) { 4 } else { usize::MAX });
    let indices: Vec<usize> = expected.iter().map(|sample| sample.index).collect();
    let mut ran = 0;
    for algorithm in algorithms(problem) {
        let Some(plan) = plan(problem, algorithm, 3) else { continue };
        let bound = cpu::error_bound_at(&reference, algorithm, &indices).expect("a bound");
        let mut plans = vec![plan.clone()];
        if let [CpuStep { kernel: CpuKernel::Winograd { algorithm, .. }, .. }, ..] = plan.cpu_steps[..] {
            // A weight takes Miri a tenth of a second to pack, and each plan packs its own.
            let blocks = [TileBlock { tiles: 3, together: 2 }, TileBlock { tiles: 5, together: 0 }];
            let blocks = &blocks[..if cfg!(miri) { 1 } else { blocks.len() }];
            plans.extend(blocks.iter().map(|&block| with_block(&plan, algorithm, block)));
        }
        for plan in plans {
            let found = tensors.run(&plan);
            assert!(found.iter().all(|value| value.is_finite()), "{problem}, {}: not all written", plan.cpu_steps[0]);
            for (sample, bound) in expected.iter().zip(&bound) {
                let found = found[sample.position];
                let off = (f64::from(found) - sample.value).abs();
                assert!(off <= *bound, "{problem}, {}: {sample:?} is {found}", plan.cpu_steps[0]);
            }
            ran += 1;
        }
    }
    assert!(ran > 1, "{problem}: {ran} algorithms");
}

#[test]
fn blocks_and_panels_end_anywhere() {
    // 70 channels are three sums. Miri takes an hour for all of them.
    end_anywhere(few(&[[3, 17], [1, 1], [16, 33], [70, 2]], 1));
}

/// The same with the most filters, in a test of its own: it takes as long as all others.
#[test]
fn a_second_panel_of_few_filters() {
    end_anywhere(few(&[[18, 40]], 0));
}

fn end_anywhere(channels_and_filters: &[[usize; 2]]) {
    let [n, h, w] = if cfg!(miri) { [1, 3, 4] } else { [2, 7, 9] };
    for &[c, k] in channels_and_filters {
        let conv = Conv::new(c, k, [3, 3]).padding(1).bias(true).activation(Activation::Relu);
        check(&conv.on([n, c, h, w]).expect("legal"));
    }
}

/// Factors that the first cache does not hold, whose sums are taken one after the other by all places, in several passes.
#[test]
fn many_channels_in_several_passes() {
    // As small as there are two passes: of 6 places on scalars, which Miri knows, of 14 at most elsewhere.
    let (side, filters) = if cfg!(miri) { (5, 1) } else { (14, 2) };
    check(&Conv::new(139, filters, [3, 3]).padding(1).on([1, 139, side, side]).expect("legal"));
}

#[test]
fn layouts() {
    let image = if cfg!(miri) { [1, 16, 3, 3] } else { [1, 16, 5, 6] };
    for &layout in few(&[Layout::ChannelsLast, Layout::ChannelsFirst], 1) {
        check(&Conv::new(16, 16, [3, 3]).padding(1).bias(true).layout(layout).on(image).expect("legal"));
        // Filters that fill their last sixteen lanes, and that fill half of them.
        for &filters in few(&[8, 24, 32, 40], 0) {
            let conv = Conv::new(16, filters, [3, 3]).bias(true).activation(Activation::Relu);
            check(&conv.layout(layout).on([1, 16, 6, 5]).expect("legal"));
        }
    }
}

#[test]
fn borders_strides_and_dilations() {
    for &border in few(&[Border::Reflect, Border::Zero, Border::Replicate, Border::Circular], 1) {
        check(&Conv::new(2, 3, [3, 3]).padding(1).border(border).on([1, 2, 6, 7]).expect("legal"));
    }
    check(&Conv::new(3, 5, [3, 3]).padding(1).stride(2).on([1, 3, 7, 6]).expect("legal"));
    check(&Conv::new(3, 5, [3, 3]).padding(2).dilation(2).on([1, 3, 5, 4]).expect("legal"));
    // 36 rows are two sums.
    for &channels in few(&[9], 0) {
        check(&Conv::new(channels, 5, [3, 3]).padding(1).stride(2).on([1, channels, 9, 8]).expect("legal"));
        check(&Conv::new(2, 4, [2, 2]).stride(3).on([1, 2, 9, 10]).expect("legal"));
    }
    check(
        &Conv::new(2, 4, [3, 2])
            .stride(2)
            .dilation(3)
            .padding(Padding::sides([1, 0], [0, 2]))
            .on([1, 2, 11, 9])
            .expect("legal"),
    );
}

#[test]
fn groups_and_dimensions() {
    let depth = if cfg!(miri) { [1, 2, 2, 3, 3] } else { [1, 2, 4, 5, 6] };
    check(&Conv::new(6, 9, [3, 3]).groups(3).padding(1).on([1, 6, 4, 5]).expect("legal"));
    check(&Conv::new(5, 10, [3, 3]).groups(5).padding(1).on([1, 5, 4, 3]).expect("legal"));
    check(&Conv::new(3, 4, [3]).padding(1).on([2, 3, 11]).expect("legal"));
    check(&Conv::new(2, 3, [3, 3, 3]).padding(1).on(depth).expect("legal"));
}

/// Channels side by side, whose last sixteen end anywhere: where a tensor ends, 16 of them would reach beyond it.
#[test]
fn depthwise_by_channels() {
    let last = |channels: usize, conv: Conv| conv.groups(channels).layout(Layout::ChannelsLast).bias(true);
    let of = |channels: usize, size: usize| last(channels, Conv::new(channels, channels, [size, size]));
    let check_on = |conv: Conv, shape: [usize; 4]| check(&conv.on(shape).expect("legal"));
    check_on(of(3, 3).padding(1).activation(Activation::Relu), [2, 3, 4, 5]);
    if cfg!(miri) {
        return;
    }
    // Rows of all numbers of places at a time, whose sides lie outside.
    for width in [1, 2, 3, 7, 9, 17, 20] {
        check_on(of(21, 3).padding(1).activation(Activation::HardSwish), [1, 21, 3, width]);
        check_on(of(16, 5).padding(2).stride(2), [2, 16, 5, width]);
    }
    check_on(of(40, 3).padding(4).dilation(4), [1, 40, 9, 11]);
    for border in [Border::Reflect, Border::Replicate, Border::Circular] {
        check_on(of(18, 3).padding(1).border(border), [1, 18, 5, 9]);
    }
    check_on(last(5, Conv::new(5, 5, [3, 2])).padding(Padding::sides([2, 0], [0, 5])), [1, 5, 4, 3]);
    // More padding than taps: outputs of which nothing is summed.
    check_on(of(17, 2).padding(4).stride(3), [1, 17, 3, 4]);
    check_on(of(33, 3).stride(2).transposed([1, 1]), [1, 33, 4, 5]);
    check(&of(19, 3).padding(1).on([2, 19, 4, 6]).expect("legal").input_gradient().expect("legal"));
    let deep = Conv::new(18, 18, [3, 3, 3]).groups(18).layout(Layout::ChannelsLast).padding(1);
    check(&deep.on([1, 18, 3, 4, 5]).expect("legal"));
}

#[test]
fn transposed_and_gradients() {
    let conv = Conv::new(4, 3, [3, 3]).padding(1);
    check(&conv.transposed([0, 0]).on([1, 4, 5, 6]).expect("legal"));
    check(&conv.stride(2).transposed([1, 1]).on([1, 4, 4, 5]).expect("legal"));
    check(&conv.on([2, 4, 5, 6]).expect("legal").input_gradient().expect("legal"));
}

/// Sums of sums of a few channels round as is expected of them, and a sum over all channels would round more.
#[test]
fn short_sums_round_less() {
    if cfg!(miri) {
        println!("SKIPPED: 256 channels take Miri hours");
        return;
    }
    let problem = Conv::new(256, 16, [3, 3]).padding(1).on([1, 256, 12, 12]).expect("legal");
    let tensors = Tensors::of(&problem);
    let nested = Nested::square(F::new(4, 3));
    let plan = plan(&problem, Algorithm::Staged(nested), 2).expect("legal");
    let Tensors { input, weights, bias } = &tensors;
    let expected = Reference { problem: &problem, input, weights, bias, slopes: &[], residual: &[] }.all();
    let found = tensors.run(&plan);
    let off: f64 = expected.iter().zip(&found).map(|(expected, found)| (expected - f64::from(*found)).powi(2)).sum();
    let all: f64 = expected.iter().map(|expected| expected * expected).sum();
    let (ratio, whole) = ((off / all).sqrt() / plan.expected_error(), error_bound::expected_error(nested, 256));
    assert!((0.7..1.3).contains(&ratio), "{ratio} times the expected error");
    assert!(whole > 1.8 * plan.expected_error(), "{whole}");
}

/// Where threads share transformed tiles there are two buffers, and each is asked for before a kernel runs.
#[test]
fn a_workspace_without_a_buffer_is_refused() {
    let problem = Conv::new(3, 18, [3, 3]).padding(1).on([1, 3, 5, 6]).expect("legal");
    let (tensors, nested) = (Tensors::of(&problem), Nested::square(F::new(2, 3)));
    let whole = plan(&problem, Algorithm::Staged(nested), 2).expect("a plan");
    let plan = with_block(&whole, nested, TileBlock { tiles: 3, together: 2 });
    let packed = cpu::packed(&plan, &tensors.weights);
    let operands = Operands { input: &tensors.input, packed: &packed, ..Default::default() };
    let mut output = vec![0.0; problem.output_len()];
    assert_eq!(plan.workspace.len(), 2);
    for buffers in 0..2 {
        let mut workspace: Vec<_> = plan.workspace[..buffers].iter().map(|&len| vec![0.0; len]).collect();
        let refused = cpu::run(&plan, &operands, &mut workspace, &mut output).expect_err("a buffer is missing");
        assert!(refused.to_string().contains("a workspace buffer"), "{refused}");
    }
}

/// Whoever takes a block computes the same bits, and so does any cut of the tiles.
#[test]
fn threads_change_no_bit() {
    let [c, k, h, w] = if cfg!(miri) { [2, 18, 5, 6] } else { [20, 40, 13, 11] };
    let problem = Conv::new(c, k, [3, 3]).padding(1).on([1, c, h, w]).expect("legal");
    let tensors = Tensors::of(&problem);
    let all = ["direct", "implicit_gemm", "staged:f2x3", "staged:f4x3", "staged:f6qx3"];
    for algorithm in &all[..if cfg!(miri) { 3 } else { all.len() }] {
        let algorithm: Algorithm = algorithm.parse().expect("an algorithm");
        let all = [1, 2, 3, 7].map(|threads| tensors.run(&plan(&problem, algorithm, threads).expect("legal")));
        for other in &all[1..] {
            assert!(all[0] == *other, "{algorithm}: other bits");
        }
    }
    let channels = if cfg!(miri) { 3 } else { 70 };
    let by_channels = Conv::new(channels, channels, [3, 3]).groups(channels).layout(Layout::ChannelsLast).padding(1);
    let problem = by_channels.on([2, channels, 6, 5]).expect("legal");
    let all = [1, 2, 3, 7].map(|threads| {
        let plan = plan(&problem, Algorithm::Depthwise, threads).expect("legal");
        assert!(matches!(plan.cpu_steps[0].kernel, CpuKernel::Depthwise(_)), "{}", plan.cpu_steps[0]);
        Tensors::of(&problem).run(&plan)
    });
    assert!(all[1..].iter().all(|other| *other == all[0]), "depthwise: other bits");
}

/// Each transformed weight is the exact one, rounded: 9 terms in f64 round it no other way.
#[test]
fn weights_are_rounded_once() {
    let algorithm = Nested::square(F::new(4, 3));
    let problem = Conv::new(3, 5, [3, 3]).padding(1).on([1, 3, 8, 8]).expect("valid");
    let (plan, weights) = (plan(&problem, Algorithm::Staged(algorithm), 1).expect("a plan"), data(3 * 5 * 9, 4));
    let packed = cpu::packed(&plan, &weights);
    let g = algorithm.rows.transform().expect("shipped").g.to_f64();
    let row = |point: usize| &g[point * 3..][..3];
    for (k, c) in (0..5).flat_map(|k| (0..3).map(move |c| (k, c))) {
        let tap = |r: usize, s: usize| f64::from(weights[((k * 3 + c) * 3 + r) * 3 + s]);
        for (i, j) in (0..6).flat_map(|i| (0..6).map(move |j| (i, j))) {
            let exact: f64 = (0..9).map(|t| row(i)[t / 3] * row(j)[t % 3] * tap(t / 3, t % 3)).sum();
            let found = packed[((j * 6 + i) * 3 + c) * PANEL + k];
            #[expect(clippy::cast_possible_truncation, reason = "the rounding")]
            let expected = exact as f32;
            assert_eq!(found.to_bits(), expected.to_bits(), "filter {k}, channel {c}, point {i}, {j}: {found}");
        }
    }
}
