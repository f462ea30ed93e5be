//! Descriptions, inputs and views that make no sense.

use winoconv::{Activation, Border, Conv, Layout, Padding, Spatial, View};

use super::Section;

fn base() -> Conv {
    Conv::new(4, 6, [3, 3])
}

/// Numbers and dimensions.
pub(crate) fn sizes() -> Section {
    let mut table = Section::new("Sizes");
    let conv = base();
    let transposed = conv.transposed(0);
    let on = |conv: Conv| conv.on([1, 4, 8, 8]);
    for (given, kind, result) in [
        ("a kernel size that is one number, so that the dimensions are unknown", "Shape(Rank)", on(Conv::new(4, 6, 3))),
        ("a stride of one dimension for a kernel of two", "Shape(Dimensions)", on(conv.stride([2]))),
        ("a dilation of three", "Shape(Dimensions)", on(conv.dilation([1, 1, 1]))),
        ("padding before of three", "Shape(Dimensions)", on(conv.padding(Padding::sides([1, 1, 1], [1, 1])))),
        ("padding after of one", "Shape(Dimensions)", on(conv.padding(Padding::sides([1, 1], [1])))),
        ("output padding of three", "Shape(Dimensions)", on(conv.transposed([1, 1, 1]))),
        (
            "a stride of no dimensions, set as a field",
            "Shape(Dimensions)",
            on(Conv { stride: Spatial::from(1), ..conv }),
        ),
        ("an input of one dimension", "Shape(Dimensions)", conv.on([1, 4, 8])),
        ("an input of three dimensions", "Shape(Dimensions)", conv.on([1, 4, 8, 8, 8])),
        ("0 channels", "Shape(Zero)", on(Conv::new(0, 6, [3, 3]))),
        ("0 filters", "Shape(Zero)", on(Conv::new(4, 0, [3, 3]))),
        ("0 groups", "Shape(Zero)", on(conv.groups(0))),
        ("a kernel of 0 columns", "Shape(Zero)", on(Conv::new(4, 6, [3, 0]))),
        ("a stride of 0 in height", "Shape(Zero)", on(conv.stride([0, 1]))),
        ("a dilation of 0", "Shape(Zero)", on(conv.dilation(0))),
        ("groups that do not divide the channels", "Shape(Groups)", on(conv.groups(3))),
        ("groups that do not divide the filters", "Shape(Groups)", on(conv.groups(4))),
        ("an input with other channels", "Shape(Channels)", conv.on([1, 5, 8, 8])),
        ("an input of no columns", "Shape(Empty)", conv.on([1, 4, 8, 0])),
        (
            "a filter larger than the padded input",
            "Shape(FilterTooLarge)",
            conv.dilation(3).padding(1).on([1, 4, 4, 8]),
        ),
        (
            "reflected padding as wide as the input",
            "Shape(BorderTooWide)",
            conv.padding([0, 8]).border(Border::Reflect).on([1, 4, 8, 8]),
        ),
        (
            "circular padding wider than the input",
            "Shape(BorderTooWide)",
            conv.padding([9, 0]).border(Border::Circular).on([1, 4, 8, 8]),
        ),
        (
            "a transposed convolution with a border of values",
            "Shape(Border)",
            on(transposed.padding(1).border(Border::Replicate)),
        ),
        ("output padding not below stride and dilation", "Shape(OutputPadding)", on(conv.transposed(2).stride(2))),
        (
            "padding that cuts off all of a transposed output",
            "Shape(CutOff)",
            transposed.padding([5, 0]).on([1, 4, 8, 8]),
        ),
        (
            "a leaky ReLU whose slope is not a number",
            "Shape(Activation)",
            on(conv.activation(Activation::LeakyRelu { slope: f32::NAN })),
        ),
        (
            "a clamp to a bound that is not a number",
            "Shape(Activation)",
            on(conv.activation(Activation::Clamp { low: 0.0, high: f32::NAN })),
        ),
        (
            "a clamp whose bounds have changed places",
            "Shape(Activation)",
            on(conv.activation(Activation::Clamp { low: 6.0, high: 0.0 })),
        ),
        (
            "weights whose number overflows",
            "Shape(Overflow)",
            Conv::new(1 << 40, 1 << 40, [3, 3]).on([1, 1 << 40, 8, 8]),
        ),
        ("padding that overflows", "Shape(Overflow)", on(conv.padding(usize::MAX))),
        ("a dilation that overflows", "Shape(Overflow)", on(conv.dilation(usize::MAX))),
        ("a batch that overflows", "Shape(Overflow)", conv.on([usize::MAX, 4, 8, 8])),
        ("an input of more than 2^31 - 1 elements", "Limit", conv.on([1 << 20, 4, 1 << 10, 1 << 10])),
        ("an output of more than 2^31 - 1 elements", "Limit", Conv::new(1, 1 << 20, [1, 1]).on([1, 1, 64, 64])),
        ("padding beyond 31 bits, with a stride as large", "Limit", on(conv.padding(1 << 31).stride(1 << 31))),
        (
            "a stride of 100 in a transposed convolution, whose outputs have 10000 kinds of taps",
            "Limit",
            on(transposed.stride(100)),
        ),
    ] {
        table.row(given, kind, result);
    }
    table
}

/// Where tensors lie, and gradients.
pub(crate) fn views() -> Section {
    let mut table = Section::new("Views, gradients");
    let problem = base().on([1, 4, 8, 8]).expect("legal");
    let (input, output) = (problem.of_input().view, problem.of_output().view);
    let overlapping = View { dhw: [0, 2, 1], ..output };
    let strided = base().stride(100).on([1, 4, 8000, 8000]).expect("legal");
    table.row(
        "a slice of 6 channels from the 4th on, of 8",
        "Shape(Slice)",
        View::channels(problem.output_shape(), Layout::ChannelsFirst, 3, 8),
    );
    for (given, kind, result) in [
        ("an output whose rows overlap", "Shape(Overlap)", problem.with_output_view(overlapping)),
        (
            "an output whose images share a place",
            "Shape(Overlap)",
            base().on([2, 4, 8, 8]).expect("legal").with_output_view(View { n: 0, ..output }),
        ),
        ("an output that begins beyond 31 bits", "Limit", problem.with_output_view(View { offset: 1 << 31, ..output })),
        ("an input whose channels lie too far apart", "Limit", problem.with_input_view(View { c: 1 << 30, ..input })),
        (
            "the gradient of an input whose elements overlap",
            "Shape(Overlap)",
            problem.with_input_view(View { c: 1, ..input }).and_then(|problem| problem.input_gradient()),
        ),
        (
            "the gradient of an input through a border of values",
            "Unsupported",
            base().padding(1).border(Border::Reflect).on([1, 4, 8, 8]).and_then(|problem| problem.input_gradient()),
        ),
        ("the gradient of an input under a stride of 100", "Limit", strided.input_gradient()),
    ] {
        table.row(given, kind, result);
    }
    table
}
