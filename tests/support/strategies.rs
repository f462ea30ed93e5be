//! The whole space of problems, for property tests: dimensions, attributes, operations, layouts and views.

use proptest::prelude::*;
use winoconv::{Activation, Border, Conv, DType, Layout, Operation, Padding, Problem, Residual, Shape, Spatial, View};

use super::data::Data;

/// Most dimensions.
const RANKS: usize = 3;

/// What a problem is drawn from. Small numbers, since every edge is near 1.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Space {
    /// Filter sizes, by dimension.
    pub(crate) kernels: &'static [usize],
    /// How much larger than its filter an input may be.
    pub(crate) extra: usize,
    /// Whether there is more than forward convolution of dense tensors.
    pub(crate) everything: bool,
}

/// Each activation, with its default arguments and with others. Some of the others are illegal, as a clamp's whose lower
/// bound is above the upper one: they make no problem.
pub(crate) fn activations() -> impl Strategy<Value = Activation> {
    let any = || proptest::sample::select(&Activation::ALL[..]);
    let other = (any(), [-2.0f32..2.0, 0.0..2.0]).prop_map(|(activation, numbers)| activation.with_arguments(numbers));
    prop_oneof![2 => Just(Activation::None), 3 => any(), 3 => other]
}

pub(crate) fn data() -> impl Strategy<Value = Data> {
    prop_oneof![Just(Data::Normal), Just(Data::Integer), Just(Data::Wide), Just(Data::Cancelling)]
}

/// One dimension.
#[derive(Debug, Clone, Copy)]
struct Axis {
    kernel: usize,
    stride: usize,
    dilation: usize,
    before: usize,
    after: usize,
    output_padding: usize,
    extra: usize,
}

fn axis(space: Space) -> impl Strategy<Value = Axis> {
    let step = || prop_oneof![4 => Just(1usize), 2 => Just(2usize), 1 => Just(3usize)];
    let kernel = prop_oneof![2 => Just(3usize), 3 => proptest::sample::select(space.kernels)];
    (kernel, step(), step(), 0..4usize, 0..4usize, 0..3usize, 0..=space.extra).prop_map(
        |(kernel, stride, dilation, before, after, output_padding, extra)| Axis {
            kernel,
            stride,
            dilation,
            before,
            after,
            output_padding,
            extra,
        },
    )
}

/// What is not a dimension.
#[derive(Debug, Clone, Copy)]
struct Rest {
    rank: usize,
    n: usize,
    /// Groups, and channels and filters of each.
    groups: [usize; 3],
    depthwise: bool,
    padding: Kind,
    border: Border,
    transposed: bool,
    operation: Operation,
    layouts: [Layout; 2],
    /// Whether input and output are parts of larger tensors.
    gaps: [bool; 2],
    bias: bool,
    residual: Residual,
    dtype: DType,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Explicit,
    SameUpper,
    SameLower,
}

fn rest(space: Space) -> impl Strategy<Value = Rest> {
    let rank = if space.everything {
        prop_oneof![2 => Just(1), 4 => Just(2), 2 => Just(3usize)].boxed()
    } else {
        Just(2).boxed()
    };
    let often = |yes: u32| proptest::bool::weighted(if space.everything { f64::from(yes) / 10.0 } else { 0.0 });
    let layout = move || often(4).prop_map(|last| if last { Layout::ChannelsLast } else { Layout::ChannelsFirst });
    let padding = prop_oneof![4 => Just(Kind::Explicit), 1 => Just(Kind::SameUpper), 1 => Just(Kind::SameLower)];
    let border = proptest::sample::select(&Border::ALL[..]);
    let operation = proptest::sample::select(&[Operation::InputGradient, Operation::WeightGradient][..]);
    let residual = proptest::sample::select(&[Residual::Tensor, Residual::InPlace][..]);
    let groups = (1..4usize, 1..6usize, 1..7usize);
    let first = (rank, 0..4usize, groups, often(2), padding, border, often(4));
    let second = (
        often(3),
        operation,
        often(4),
        layout(),
        layout(),
        (often(2), often(2)),
        any::<bool>(),
        often(3),
        residual,
        often(2),
    );
    (first, second).prop_map(
        |(
            (rank, n, (groups, c, k), depthwise, padding, border, other_border),
            (transposed, operation, gradient, layout, weights_layout, gaps, bias, with_residual, residual, half),
        )| Rest {
            rank,
            n,
            groups: [groups, c, k],
            depthwise,
            padding,
            border: if other_border && !transposed { border } else { Border::Zero },
            transposed,
            operation: if gradient { operation } else { Operation::Forward },
            layouts: [layout, weights_layout],
            gaps: [gaps.0, gaps.1],
            bias,
            residual: if with_residual { residual } else { Residual::None },
            dtype: if half { DType::F16 } else { DType::F32 },
        },
    )
}

/// Problems of the whole space.
pub(crate) fn problems(space: Space, activations: impl Strategy<Value = Activation>) -> impl Strategy<Value = Problem> {
    let axes = (axis(space), axis(space), axis(space)).prop_map(|(d, h, w)| [d, h, w]);
    (axes, rest(space), activations)
        .prop_filter_map("attributes that contradict each other", |(axes, rest, act)| problem(axes, rest, act))
}

fn problem(axes: [Axis; RANKS], rest: Rest, activation: Activation) -> Option<Problem> {
    let axes = &axes[RANKS - rest.rank..];
    let by_axis = |of: fn(&Axis) -> usize| {
        Spatial::from_slice(&axes.iter().map(of).collect::<Vec<_>>()).expect("1 to 3 dimensions")
    };
    let [groups, c, k] = rest.groups;
    let [channels, filters, groups] =
        if rest.depthwise { [groups * c, groups * c * k.min(3), groups * c] } else { [groups * c, groups * k, groups] };
    let padding = match rest.padding {
        Kind::Explicit => Padding::sides(by_axis(|axis| axis.before), by_axis(|axis| axis.after)),
        Kind::SameUpper => Padding::SameUpper,
        Kind::SameLower => Padding::SameLower,
    };
    let mut conv = Conv::new(channels, filters, by_axis(|axis| axis.kernel))
        .groups(groups)
        .stride(by_axis(|axis| axis.stride))
        .dilation(by_axis(|axis| axis.dilation))
        .padding(padding)
        .border(rest.border)
        .bias(rest.bias)
        .residual(rest.residual)
        .activation(activation)
        .dtype(rest.dtype)
        .layout(rest.layouts[0])
        .weights_layout(rest.layouts[1]);
    if rest.transposed {
        conv = conv.transposed(by_axis(|axis| axis.output_padding % axis.stride.max(axis.dilation)));
    }
    let explicit = matches!(rest.padding, Kind::Explicit);
    let size = |axis: &Axis| {
        let span = axis.dilation * (axis.kernel - 1) + 1;
        let needed =
            if explicit && !rest.transposed { span.saturating_sub(axis.before + axis.after).max(1) } else { 1 };
        // Values for a border that is made of them.
        let most = if explicit { axis.before.max(axis.after) } else { span };
        let needed = if rest.border == Border::Zero { needed } else { needed.max(most + 1) };
        // In three dimensions less is more.
        needed + axis.extra / if rest.rank == RANKS { 3 } else { 1 }
    };
    let sizes: Vec<usize> = axes.iter().map(size).collect();
    let shape = Shape::new(rest.n, channels, Spatial::from_slice(&sizes)?);
    let mut problem = conv.on(shape).ok()?;
    if rest.gaps[0] {
        problem = problem.with_input_view(part(&problem.of_input().shape, conv.layout)).ok()?;
    }
    if rest.gaps[1] {
        problem = problem.with_output_view(part(&problem.of_output().shape, conv.layout)).ok()?;
    }
    let problem = match rest.operation {
        Operation::InputGradient => problem.input_gradient().ok()?,
        Operation::WeightGradient => problem.weight_gradient().ok()?,
        _ => problem,
    };
    // Some in f16 store their results in the other type.
    match (rest.dtype, problem.result_type()) {
        (DType::F16, DType::F16) if rest.n == 1 => problem.with_result_type(DType::F32).ok(),
        (DType::F16, DType::F32) if rest.n == 1 => problem.with_result_type(DType::F16).ok(),
        _ => Some(problem),
    }
}

/// Some channels of a larger tensor, whose rows have a gap behind them too.
pub(crate) fn part(shape: &Shape, layout: Layout) -> View {
    let spatial: Vec<usize> = shape.spatial().iter().map(|size| size + 1).collect();
    let larger = Shape::new(shape[0], shape[1], Spatial::from_slice(&spatial).expect("as many"));
    View::channels(larger, layout, 2, shape[1] + 3).expect("within")
}

/// The same problem of a convolution that differs in nothing that sizes depend on.
pub(crate) fn remade(problem: &Problem, change: impl FnOnce(&mut Conv)) -> Problem {
    let mut conv = problem.conv();
    change(&mut conv);
    let (input, output) = (problem.of_input(), problem.of_output());
    let forward = conv.on(input.shape);
    let made = match problem.operation() {
        Operation::InputGradient => forward.and_then(|forward| forward.input_gradient()),
        Operation::WeightGradient => forward.and_then(|forward| forward.weight_gradient()),
        _ => forward,
    };
    let typed = made.and_then(|made| {
        if conv.dtype == problem.conv().dtype { made.with_result_type(problem.result_type()) } else { Ok(made) }
    });
    let placed = typed.and_then(|made| made.with_input_view(input.view)?.with_output_view(output.view));
    placed.unwrap_or_else(|error| panic!("{problem}: {error}"))
}
