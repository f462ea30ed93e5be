//! Sizes, padding and sums, each by a formula that is written here once more or by counting.

use super::*;
use crate::padding::Padding;

#[test]
fn output_sizes_are_pytorchs() {
    // (size, kernel, stride, dilation, padding) -> size, by the formula of PyTorch's Conv.
    for (h, k, s, d, p, out) in
        [(32, 3, 1, 1, 1, 32), (7, 3, 2, 1, 0, 3), (7, 3, 2, 1, 1, 4), (10, 3, 1, 2, 0, 6), (5, 5, 3, 1, 2, 2)]
    {
        let of = |rank: usize| {
            let conv = Conv::new(1, 1, Spatial::all(rank, k)).stride(s).dilation(d).padding(p);
            conv.on(Shape::new(1, 1, Spatial::all(rank, h))).expect("legal").output_shape()
        };
        assert_eq!(of(1), [1, 1, out]);
        assert_eq!(of(2), [1, 1, out, out]);
        assert_eq!(of(3), [1, 1, out, out, out]);
    }
    let uneven = Conv::new(1, 1, [3, 2]).padding(Padding::sides([2, 0], [1, 4]));
    assert_eq!(uneven.on([1, 1, 5, 5]).expect("legal").output_shape(), [1, 1, 6, 8], "each side has its own");
}

#[test]
fn transposed_output_sizes_are_pytorchs() {
    // (size, kernel, stride, dilation, padding, output padding) -> size, by the formula of PyTorch's ConvTranspose:
    // (size - 1) * stride - 2 * padding + dilation * (kernel - 1) + output_padding + 1.
    for (h, k, s, d, p, extra, out) in [
        (5, 3, 2, 1, 1, 1, 10),
        (4, 4, 2, 1, 1, 0, 8),
        (1, 3, 3, 2, 0, 2, 7),
        (7, 2, 1, 3, 2, 0, 6),
        (6, 1, 4, 1, 0, 3, 24),
    ] {
        let conv = Conv::new(2, 3, [k, k]).transposed(extra).stride(s).dilation(d).padding(p);
        let problem = conv.on([1, 2, h, h]).expect("legal");
        assert_eq!(problem.output_shape(), [1, 3, out, out], "{problem}");
        assert_eq!(problem.input_gradient().expect("legal").output_shape(), [1, 2, h, h]);
        assert_eq!(problem.weight_gradient().expect("legal").output_shape(), [2, 3, k, k]);
    }
}

#[test]
fn same_padding_is_onnxs() {
    // (size, kernel, stride, dilation) -> size, padding before with SAME_UPPER and with SAME_LOWER, by the operator
    // Conv: ceil(size / stride) outputs, and what they need beyond the input is halved.
    for (size, k, s, d, out, upper, lower) in [
        (5, 3, 1, 1, 5, 1, 1),
        (5, 3, 2, 1, 3, 1, 1),
        (6, 3, 2, 1, 3, 0, 1),
        (4, 2, 1, 1, 4, 0, 1),
        (7, 5, 3, 1, 3, 2, 2),
        (8, 3, 1, 2, 8, 2, 2),
        (10, 2, 3, 1, 4, 0, 1),
        (8, 1, 3, 1, 3, 0, 0),
        (1, 4, 1, 1, 1, 1, 2),
    ] {
        for (padding, before) in [(Padding::SameUpper, upper), (Padding::SameLower, lower)] {
            let problem = Conv::new(1, 1, [k]).stride(s).dilation(d).padding(padding).on([1, 1, size]).expect("legal");
            assert_eq!((problem.output[2], problem.before[2]), (out, before), "{problem}");
        }
    }
    // The same of ConvTranspose: size * stride outputs, and what there is beyond them is cut off in halves.
    for (size, k, s, d, extra, out, upper, lower) in [
        (5, 3, 2, 1, 0, 10, 0, 1),
        (5, 3, 2, 1, 1, 10, 1, 1),
        (4, 5, 1, 1, 0, 4, 2, 2),
        (3, 4, 1, 2, 1, 3, 3, 4),
        (3, 1, 2, 1, 0, 6, 0, 0),
    ] {
        for (padding, before) in [(Padding::SameUpper, upper), (Padding::SameLower, lower)] {
            let conv = Conv::new(1, 1, [k]).transposed(extra).stride(s).dilation(d).padding(padding);
            let problem = conv.on([1, 1, size]).expect("legal");
            assert_eq!((problem.output[2], problem.before[2]), (out, before), "{problem}");
        }
    }
}

#[test]
fn weights_have_pytorchs_shapes() {
    let conv = Conv::new(6, 4, [3, 5]).groups(2);
    assert_eq!(conv.weights_shape(), [4, 3, 3, 5]);
    assert_eq!(conv.transposed(0).weights_shape(), [6, 2, 3, 5], "[C, K / groups, ..]");
    assert_eq!(Conv::new(6, 12, [7]).groups(6).weights_shape(), [12, 1, 7]);
    assert_eq!(Conv::new(2, 3, [1, 2, 3]).weights_shape(), [3, 2, 1, 2, 3]);
    assert_eq!(conv.weights_layout(Layout::ChannelsLast).weights_shape(), [4, 3, 3, 5], "whatever the layout");
}

#[test]
fn empty_batches_are_legal() {
    let problem = Conv::new(3, 4, [3, 3]).on([0, 3, 8, 8]).expect("legal");
    assert_eq!((problem.input_len(), problem.output_len()), (0, 0), "nothing to do");
    let gradient = problem.weight_gradient().expect("legal");
    assert_eq!((gradient.input_len(), gradient.output_len()), (0, 108), "a sum of nothing");
}

/// Pairs of an output and a tap whose input is there, of all dimensions.
fn pairs(problem: &Problem) -> usize {
    let conv = &problem.conv;
    let of_axis = |axis: usize| {
        let [taps, stride, dilation] = [conv.kernel, conv.stride, conv.dilation].map(|sizes| sizes.dhw(1)[axis]);
        let [input, output] = [problem.input[axis], problem.output[axis]];
        // From the elements that step to those that are met.
        let (from, to) = if conv.transposed.is_some() { (input, output) } else { (output, input) };
        let meets = |&(at, tap): &(usize, usize)| {
            let place = (at * stride + tap * dilation).checked_sub(problem.before[axis]);
            conv.border != Border::Zero || place.is_some_and(|place| place < to)
        };
        (0..from).flat_map(|at| (0..taps).map(move |tap| (at, tap))).filter(meets).count()
    };
    (0..MAX_RANK).map(of_axis).product()
}

#[test]
fn mean_terms_are_those_inside_the_image() {
    let uneven = Padding::sides([5, 0], [0, 7]);
    let cases = [
        (Conv::new(4, 2, [3, 3]).padding(1), Shape::from([1, 4, 14, 9])),
        (Conv::new(6, 4, [3, 5]).groups(2).stride([2, 3]).dilation([2, 1]).padding(4), [2, 6, 7, 11].into()),
        (Conv::new(2, 2, [3, 3]).padding(uneven), [1, 2, 3, 4].into()),
        (Conv::new(3, 2, [3, 3]), [1, 3, 8, 8].into()),
        (Conv::new(3, 2, [3, 3]).padding(2).border(Border::Reflect), [1, 3, 5, 4].into()),
        (Conv::new(3, 6, [5]).padding(Padding::SameLower).border(Border::Replicate).groups(3), [1, 3, 6].into()),
        (Conv::new(4, 6, [3, 2]).transposed(0).stride([2, 3]).padding([1, 0]).groups(2), [2, 4, 4, 5].into()),
        (Conv::new(2, 3, [2, 3, 4]).transposed(1).stride(2).dilation([3, 1, 1]).padding(1), [1, 2, 3, 4, 3].into()),
    ];
    let rounded = |products: usize, results: usize| ((products + results / 2) / results).max(1);
    for (conv, shape) in cases {
        let problem = conv.on(shape).expect("legal");
        let pairs = pairs(&problem);
        let [input, output, taps] =
            [problem.input, problem.output, conv.kernel.dhw(1)].map(|sizes| sizes.iter().product());
        let forward = rounded(problem.channels_per_group() * pairs, output);
        assert_eq!(problem.mean_terms(), forward, "{problem}");
        let gradient = problem.weight_gradient().expect("legal");
        assert_eq!(gradient.mean_terms(), rounded(problem.n * pairs, taps), "{gradient}");
        if let Ok(gradient) = problem.input_gradient() {
            assert_eq!(gradient.mean_terms(), rounded(problem.filters_per_group() * pairs, input), "{gradient}");
        }
    }
}

#[test]
fn refusals_name_both_numbers() {
    let message = |conv: Conv, input: [usize; 4]| conv.on(input).expect_err("refused").to_string();
    let base = Conv::new(4, 6, [3, 3]);
    assert_eq!(message(base, [1, 5, 8, 8]), "the input has 5 channels, the convolution expects 4");
    assert_eq!(message(base.groups(4), [1, 4, 8, 8]), "filters is 6, expected a multiple of groups = 4");
    assert_eq!(message(base, [1, 4, 2, 8]), "the filter spans 3 in height, the padded input only 2");
    assert_eq!(
        message(base, [1 << 20, 4, 1 << 10, 1 << 10]),
        "the input needs 4398046511104 elements, more than a 32-bit index reaches, the bound is 2147483647; split the problem, for \
         instance into smaller batches"
    );
    assert!(message(base, [usize::MAX, 4, 8, 8]).contains("too large"), "no wrap-around");
}
