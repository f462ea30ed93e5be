//! The ONNX standard's own node tests of `Conv` and `ConvTranspose`, on the CPU and on every GPU, by every algorithm
//! that is legal. `tests/onnx/write_cases.py` wrote them.
#![cfg(feature = "gpu")]

use crate::support::gpus::on_gpus;
use crate::support::onnx::{Attributes, Case, Op, cases};
use crate::support::problems::{forced, legal};
use winoconv::{Algorithm, Conv, Device, Layer, Padding, Shape, Spatial, Weights};

/// What the standard's runner allows for f32, relative and absolute.
const RELATIVE: f32 = 1e-3;
const ABSOLUTE: f32 = 1e-7;

fn spatial(sizes: &[usize]) -> Spatial {
    Spatial::from_slice(sizes).expect("1 to 3 dimensions")
}

/// The standard's attributes in the library's words.
fn conv(case: &Case) -> Conv {
    let Attributes { kernel_shape, strides, dilations, group, pads, auto_pad, output_padding, output_shape } =
        &case.attributes;
    let rank = kernel_shape.len();
    let all = |sizes: &Option<Vec<usize>>, default: usize| sizes.clone().unwrap_or_else(|| vec![default; rank]);
    let (strides, dilations) = (all(strides, 1), all(dilations, 1));
    let pads = pads.clone().unwrap_or_else(|| vec![0; 2 * rank]);
    let explicit = Padding::sides(spatial(&pads[..rank]), spatial(&pads[rank..]));
    let padding = match auto_pad.as_str() {
        "SAME_UPPER" => Padding::SameUpper,
        "SAME_LOWER" => Padding::SameLower,
        "VALID" => Padding::all(0),
        _ => explicit,
    };
    let filters = match case.op {
        Op::Conv => case.w.shape[0],
        Op::ConvTranspose => case.w.shape[1] * group,
    };
    let conv = Conv::new(case.x.shape[1], filters, spatial(kernel_shape))
        .stride(spatial(&strides))
        .dilation(spatial(&dilations))
        .groups(*group)
        .padding(padding)
        .bias(case.b.is_some());
    if case.op == Op::Conv {
        return conv;
    }
    let mut extra = all(output_padding, 0);
    let Some(sizes) = output_shape else { return conv.transposed(spatial(&extra)) };
    // Padding follows from the output's size: what is more than there would be is cut off, what is less is added.
    let mut cut = vec![0; rank];
    for i in 0..rank {
        let whole = strides[i] * (case.x.shape[2 + i] - 1) + extra[i] + dilations[i] * (kernel_shape[i] - 1) + 1;
        cut[i] = whole.saturating_sub(sizes[i]);
        extra[i] += sizes[i].saturating_sub(whole);
    }
    // NOTSET: the larger half comes first.
    let before: Vec<usize> = cut.iter().map(|cut| cut.div_ceil(2)).collect();
    let after: Vec<usize> = cut.iter().map(|cut| cut / 2).collect();
    conv.padding(Padding::sides(spatial(&before), spatial(&after))).transposed(spatial(&extra))
}

/// Runs all cases on a device, and returns how many results were compared.
fn run(device: &Device, label: &str) -> usize {
    let mut compared = 0;
    for case in cases() {
        let what = |algorithm: Algorithm| format!("{} by {algorithm} on {label}", case.name);
        let conv = conv(&case);
        let shape = Shape::from_slice(&case.x.shape).expect("3 to 5 sizes");
        let problem = conv.on(shape).unwrap_or_else(|error| panic!("{}: {error}", case.name));
        assert_eq!(*problem.output_shape(), *case.y.shape, "{}: shape", case.name);
        let weights = Weights::new(&case.w.data);
        let weights = case.b.as_ref().map_or(weights, |bias| weights.bias(&bias.data));
        for algorithm in legal(&problem, device) {
            let layer = Layer::new_blocking(device, conv, weights, forced(algorithm));
            let layer = layer.unwrap_or_else(|error| panic!("{}: {error}", what(algorithm)));
            let output = layer.run_blocking(shape, &case.x.data);
            let output = output.unwrap_or_else(|error| panic!("{}: {error}", what(algorithm)));
            for (i, (got, expected)) in output.data.iter().zip(&case.y.data).enumerate() {
                let allowed = ABSOLUTE.max(RELATIVE * expected.abs());
                // Zeros that a transform makes of large sums are not exact.
                let allowed = if algorithm.transform().is_some() { allowed.max(RELATIVE) } else { allowed };
                assert!(
                    (got - expected).abs() <= allowed,
                    "{}: output {i} is {got}, expected {expected}",
                    what(algorithm)
                );
            }
            compared += 1;
        }
    }
    compared
}

#[test]
fn onnx_cases_are_all_there() {
    assert_eq!(cases().len(), 17, "the float Conv and ConvTranspose cases of onnx 1.23.2");
}

#[test]
fn onnx_cases_pass_on_the_cpu() {
    println!("{} results", run(&Device::cpu(), "the CPU"));
}

#[test]
fn onnx_cases_pass_on_gpus() {
    on_gpus("onnx_cases_pass_on_gpus", |gpu| println!("{}: {} results", gpu.label, run(&gpu.device(), &gpu.label)));
}
