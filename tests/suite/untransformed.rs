//! Kernels without a transform, on problems with an edge each: every blocking of `implicit_gemm` and `depthwise`, on
//! the CPU and on a GPU of the machine.
#![cfg(feature = "gpu")]

use crate::support::data::{Case, Data, assert_within};
use crate::support::entry::EntryPoint;
use crate::support::gpus::on_one_gpu;
use winoconv::plan::Cut;
use winoconv::{
    Activation, Algorithm, Border, Conv, DType, Device, Layout, Preferences, Problem, Residual, Shape, Tolerance,
};

/// Blocks that are not full, sums of several steps with a rest, rows whose taps carry into the next channel.
fn problems() -> Vec<Problem> {
    let on = |conv: Conv, shape: &[usize]| {
        let shape = Shape::from_slice(shape).expect("3 to 5 sizes");
        conv.on(shape).unwrap_or_else(|error| panic!("{conv:?}: {error}"))
    };
    let one = Conv::new(37, 70, [1, 1]).bias(true).activation(Activation::PRelu);
    let strided = Conv::new(5, 9, [3, 5]).stride([2, 3]).dilation([2, 1]).padding([3, 4]);
    let grouped = Conv::new(6, 15, [3, 3]).groups(3).padding(1).border(Border::Circular);
    let mirrored = Conv::new(4, 33, [5, 3]).padding(2).border(Border::Reflect).layout(Layout::ChannelsLast);
    let deep = Conv::new(3, 20, [2, 3, 2]).padding([1, 0, 1]).stride([1, 2, 1]);
    // Some phases have no taps at all.
    let transposed = Conv::new(7, 18, [2, 3]).transposed(0).stride([3, 2]).padding([1, 0]);
    let added = Conv::new(10, 67, [3, 3]).padding(1).residual(Residual::InPlace).activation(Activation::Relu);
    vec![
        on(one, &[2, 37, 9, 8]),
        on(strided, &[2, 5, 17, 21]),
        on(grouped, &[3, 6, 7, 11]),
        on(mirrored, &[1, 4, 13, 9]),
        on(deep, &[2, 3, 5, 7, 6]),
        on(transposed, &[2, 7, 4, 5]),
        on(added, &[1, 10, 12, 7]),
        on(Conv::new(8, 40, [3, 3]).padding(1), &[2, 8, 9, 7]).weight_gradient().expect("has one"),
        on(strided, &[2, 5, 17, 21]).input_gradient().expect("has one"),
    ]
}

fn check(device: &Device, label: &str) {
    for (index, problem) in problems().into_iter().enumerate() {
        let case = Case::new(problem, [Data::Normal, Data::Wide][index % 2], index as u64);
        let exact = case.reference().all();
        let bound = case.bound(Algorithm::ImplicitGemm);
        let mut legal = 0;
        for cut in Cut::all_for(Algorithm::ImplicitGemm) {
            let preferences = Preferences::new().tolerance(Tolerance::Any).algorithm(Algorithm::ImplicitGemm).cut(cut);
            // At some borders some blockings are too long.
            if problem.plan(device, &preferences).is_err() {
                continue;
            }
            legal += 1;
            let what = format!("{problem} cut {cut} on {label}");
            let layer = case.layer(device, preferences).unwrap_or_else(|error| panic!("{what}: {error}"));
            assert_within(&EntryPoint::Dirty.run(&layer, &case, &what), &exact, &bound, &what);
        }
        assert!(legal > 4, "{problem} on {label}: {legal} blockings");
    }
}

#[test]
fn every_blocking_is_within_its_bound_on_the_cpu() {
    check(&Device::cpu(), "the host");
}

#[test]
fn every_blocking_is_within_its_bound_on_a_gpu() {
    on_one_gpu("every_blocking_is_within_its_bound_on_a_gpu", |gpu| check(&gpu.device(), &gpu.label));
}

/// `depthwise` on planes that are no multiple of a strip or a patch, with one and several filters a channel, taps as far apart
/// as outputs and not, every border, and every filter that patches are for.
fn depthwise() -> Vec<Problem> {
    let on = |conv: Conv, shape: &[usize]| {
        let shape = Shape::from_slice(shape).expect("3 to 5 sizes");
        conv.on(shape).unwrap_or_else(|error| panic!("{conv:?}: {error}"))
    };
    let of = |channels: usize, each: usize, kernel: [usize; 2]| {
        Conv::new(channels, channels * each, kernel).groups(channels).padding(2)
    };
    let end = of(5, 2, [3, 5]).bias(true).residual(Residual::InPlace).activation(Activation::PRelu);
    let mut all = vec![
        on(end, &[2, 5, 7, 9]),
        on(of(3, 1, [5, 3]).stride([1, 2]).dilation([2, 2]), &[3, 3, 9, 13]),
        on(of(4, 3, [3, 3]).stride(2).layout(Layout::ChannelsLast), &[2, 4, 8, 6]),
        on(Conv::new(4, 4, [2, 3, 2]).groups(4).padding([1, 0, 1]), &[1, 4, 4, 5, 3]),
        on(of(6, 1, [3, 2]).transposed(0).stride([2, 3]), &[1, 6, 5, 4]),
        on(of(3, 1, [3, 3]).stride([2, 1]), &[2, 3, 9, 10]).input_gradient().expect("has one"),
    ];
    let wide = of(3, 2, [5, 5]).bias(true).residual(Residual::Tensor).activation(Activation::Silu);
    all.extend([
        on(of(9, 1, [3, 3]).layout(Layout::ChannelsLast), &[2, 9, 11, 10]),
        on(wide, &[1, 3, 9, 19]),
        on(wide.stride(2).layout(Layout::ChannelsLast), &[2, 3, 14, 9]),
        on(of(2, 1, [7, 7]), &[1, 2, 12, 17]),
        on(of(5, 1, [7, 7]).stride(2), &[2, 5, 23, 20]),
        on(of(4, 2, [3, 3]).dtype(DType::F16), &[2, 4, 9, 10]),
        on(of(3, 1, [3, 3]), &[2, 3, 9, 10]).input_gradient().expect("has one"),
        on(of(2, 1, [3, 3]).padding(0), &[1, 2, 3, 3]),
    ]);
    all.extend(Border::ALL.map(|border| on(of(2, 1, [3, 4]).border(border), &[1, 2, 6, 7])));
    all
}

fn check_depthwise(device: &Device, label: &str) {
    let cuts = || Cut::all_for(Algorithm::Depthwise);
    let mut in_patches = 0;
    for (index, problem) in depthwise().into_iter().enumerate() {
        let case = Case::new(problem, [Data::Normal, Data::Wide][index % 2], index as u64);
        let (exact, bound) = (case.reference().all(), case.bound(Algorithm::Depthwise));
        let mut legal = 0;
        for cut in cuts() {
            let preferences = Preferences::new().tolerance(Tolerance::Any).algorithm(Algorithm::Depthwise).cut(cut);
            if problem.plan(device, &preferences).is_err() {
                continue;
            }
            legal += 1;
            let what = format!("{problem} by depthwise, {cut}, on {label}");
            let layer = case.layer(device, preferences).unwrap_or_else(|error| panic!("{what}: {error}"));
            assert_within(&EntryPoint::Dirty.run(&layer, &case, &what), &exact, &bound, &what);
        }
        assert!(legal == 1 || legal == cuts().len(), "{problem} on {label}: {legal} blockings");
        in_patches += usize::from(legal > 1);
    }
    assert_eq!(in_patches, 9, "problems that patches are for, on {label}");
}

#[test]
fn strips_are_within_their_bound_on_the_cpu() {
    check_depthwise(&Device::cpu(), "the host");
}

#[test]
fn strips_are_within_their_bound_on_a_gpu() {
    on_one_gpu("strips_are_within_their_bound_on_a_gpu", |gpu| check_depthwise(&gpu.device(), &gpu.label));
}
