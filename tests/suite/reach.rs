//! Strides, dilations and paddings that are large beside what a kernel computes: only the coordinates that occur must be
//! within the reach of 32 bits. Long short-time Fourier transforms and their inverses are such convolutions.
#![cfg(feature = "gpu")]

use crate::support::data::{Case, Data, assert_exact, assert_within};
use crate::support::entry::{run_plan_on_cpu, run_plan_on_gpu};
use crate::support::gpus::on_one_gpu;
use winoconv::caps::Caps;
use winoconv::cpu::{Sample, error_bound_at};
use winoconv::{Algorithm, Border, Conv, Plan, Preferences, Problem, Shape, View};

fn on(conv: Conv, shape: impl Into<Shape>) -> Problem {
    conv.on(shape).unwrap_or_else(|error| panic!("{error}"))
}

/// Problems whose stride or dilation times their size is beyond 31 bits, each with what it is.
fn problems() -> Vec<(&'static str, Problem)> {
    let stft = Conv::new(1, 1, [2048]).stride(1024);
    let framed = Conv::new(1, 3, [4096]).stride(2048).padding(2048).border(Border::Reflect);
    let synthesis = Conv::new(2, 1, [4096]).transposed(0).stride(2048).padding(1024).bias(true);
    let step = View { offset: 0, n: 1 << 40, c: 1 << 35, dhw: [1 << 33, 9, 1] };
    let image = on(Conv::new(1, 2, [3, 3]).padding(1), [1, 1, 7, 9]);
    vec![
        ("an STFT", on(stft, [1, 1, 2_100_000])),
        ("one with reflected ends", on(framed, [1, 1, 1_200_000])),
        ("its inverse without overlap", on(Conv::new(16, 1, [4096]).transposed(0).stride(4096), [1, 16, 340])),
        ("its inverse", on(synthesis, [1, 2, 600])),
        ("the gradient of its input", on(stft, [1, 1, 2_100_000]).input_gradient().expect("legal")),
        ("the gradient of its weights", on(stft, [1, 1, 2_100_000]).weight_gradient().expect("legal")),
        ("the gradient of its inverse's input", on(synthesis, [1, 2, 600]).input_gradient().expect("legal")),
        ("the gradient of its inverse's weights", on(synthesis, [1, 2, 600]).weight_gradient().expect("legal")),
        ("a stride beyond 31 bits", on(Conv::new(2, 3, [2]).stride(3_000_000_000), [2, 2, 5])),
        ("a dilation of one tap beyond 31 bits", on(Conv::new(2, 3, [1]).dilation(3_000_000_000), [2, 2, 5])),
        ("a stride in depth", on(Conv::new(1, 2, [3, 2, 2]).stride([2_000_000, 1, 1]), [1, 1, 2000, 3, 3])),
        (
            "outputs of which all but a few are cut off",
            on(Conv::new(2, 1, [3]).transposed(0).stride(4_000_000).padding(7_999_500), [1, 2, 5]),
        ),
        ("steps of dimensions of one element", image.with_input_view(step).expect("no element lies there")),
    ]
}

/// Results at these places and NaN nowhere: a reference of all would look at each tap for each of a million results.
fn assert_sampled(case: &Case, memory: &[f32], exact: &[Sample], algorithm: Algorithm, what: &str) {
    let got: Vec<f32> = exact.iter().map(|sample| memory[sample.position]).collect();
    let places: Vec<usize> = exact.iter().map(|sample| sample.index).collect();
    let exact: Vec<f64> = exact.iter().map(|sample| sample.value).collect();
    match algorithm.transform() {
        // Whole numbers are summed up without rounding.
        None => assert_exact(&got, &exact, what),
        Some(_) => {
            let bound = error_bound_at(&case.reference(), algorithm, &places);
            assert_within(&got, &exact, &bound.unwrap_or_else(|error| panic!("{what}: {error}")), what);
        }
    }
    assert!(case.gather(memory).iter().all(|x| x.is_finite()), "{what}: a result that was not written");
}

#[test]
fn only_coordinates_that_occur_must_be_in_reach() {
    for (name, problem) in problems() {
        let case = Case::new(problem, Data::Integer, 1);
        let exact = case.reference().sample(999);
        let what = format!("{name}, {problem}");
        let plan = |caps: &Caps| {
            Plan::new(&problem, caps, &Preferences::new()).unwrap_or_else(|error| panic!("{what} on {caps}: {error}"))
        };
        let host = plan(&Caps::cpu());
        assert_sampled(&case, &run_plan_on_cpu(&host, &case), &exact, host.algorithm(), &format!("{what} on the CPU"));
        on_one_gpu("only_coordinates_that_occur_must_be_in_reach", |gpu| {
            let plan = plan(gpu.context.caps());
            let got = run_plan_on_gpu(&gpu.context, &plan, &case).unwrap_or_else(|error| panic!("{what}: {error}"));
            assert_sampled(&case, &got, &exact, plan.algorithm(), &format!("{what} by {}", plan.algorithm()));
        });
    }
}

/// By plan alone, since the tensors have gigabytes.
#[test]
fn coordinates_up_to_31_bits_are_in_reach() {
    for (conv, length) in [
        (Conv::new(1, 1, [2]).dilation(1 << 30), (1 << 31) - 2),
        (Conv::new(1, 1, [3]).stride(1 << 30), (1 << 31) - 2),
        (Conv::new(1, 1, [1 << 20]).stride(1 << 19), (1 << 31) - 2),
    ] {
        let problem = conv.on([1, 1, length]).unwrap_or_else(|error| panic!("{error}"));
        for problem in [Ok(problem), problem.weight_gradient()] {
            let problem = problem.unwrap_or_else(|error| panic!("{error}"));
            let plan = Plan::new(&problem, &Caps::cpu(), &Preferences::new());
            plan.unwrap_or_else(|error| panic!("{problem}: {error}"));
        }
    }
    // One further is not.
    let beyond = Conv::new(1, 1, [1]).padding(1 << 31).stride(1 << 31).on([1, 1, 5]);
    assert!(beyond.expect_err("padding beyond 31 bits").to_string().contains("32-bit index"));
}
