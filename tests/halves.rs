//! Tensors in f16, as far as no GPU is needed: what is planned for devices with and without 16-bit floats, what the tolerance
//! takes into account, and where values are rounded. What kernels compute is in `property.rs`.

use pollster::block_on;
use winoconv::caps::Caps;
use winoconv::error::Error;
use winoconv::kernel::{KernelSpec, Reading, Storage};
use winoconv::plan::{Reason, Slot, Verdict, expected_error};
use winoconv::winograd::{F, Nested};
use winoconv::{
    Algorithm, Conv, DType, Device, Layer, Plan, Preferences, Problem, Residual, Tolerance, View, Weights, Workspace,
};

fn conv() -> Conv {
    Conv::new(16, 24, [3, 3]).padding(1).dtype(DType::F16)
}

fn problem(conv: Conv) -> Problem {
    conv.on([1, conv.channels, 20, 21]).expect("legal")
}

fn plan(problem: &Problem, f16: bool, preferences: &Preferences) -> Plan {
    let caps = Caps { f16, ..Caps::webgpu_default() };
    Plan::new(problem, &caps, preferences).unwrap_or_else(|error| panic!("{error}"))
}

/// Every algorithm that a planner considers takes both ways, and the kernels are those of one of them.
#[test]
fn a_device_without_16_bit_floats_packs_its_outputs() {
    let problem = problem(conv().residual(Residual::InPlace));
    for algorithm in Algorithm::all_for(&problem) {
        let preferences = Preferences::new().tolerance(Tolerance::Any).algorithm(algorithm);
        let [with, without] = [true, false].map(|f16| plan(&problem, f16, &preferences));
        let packs =
            |plan: &Plan| plan.steps().iter().filter(|s| matches!(s.kernel(), KernelSpec::PackHalves(_))).count();
        assert_eq!((packs(&with), packs(&without)), (0, 1), "{algorithm}");
        let touches = |kernel: &KernelSpec| kernel.epilogue().is_some() || kernel.border().is_some();
        for (plan, storage) in [(&with, Storage::F16), (&without, Storage::Packed)] {
            let kernels = plan.kernels();
            let stored = kernels.iter().filter(|kernel| touches(kernel)).map(KernelSpec::storage);
            assert!(stored.into_iter().all(|other| other == storage), "{algorithm}: {kernels:?}");
        }
        let held = 4 * problem.output_len() as u64;
        assert_eq!(without.workspace_bytes(), with.workspace_bytes() + held, "{algorithm}: outputs in f32");
        let last = without.steps().last().expect("steps");
        assert_eq!(last.operands()[1].slot, Slot::Output, "{algorithm}: packed into the output");
        let written = without.steps().iter().flat_map(|step| step.kernel().bindings().into_iter().zip(step.operands()));
        for (binding, operand) in written.filter(|(binding, _)| binding.name == "dst") {
            assert!(matches!(operand.slot, Slot::Workspace(_)), "{algorithm}: {binding:?}");
        }
    }
}

#[test]
fn outputs_in_f32_count_as_workspace() {
    let problem = problem(conv());
    let held = 4 * problem.output_len() as u64;
    let direct = Preferences::new().algorithm(Algorithm::Direct);
    let caps = Caps::webgpu_default();
    assert!(Plan::new(&problem, &caps, &direct.workspace_limit(held)).is_ok(), "as much as there is");
    let error = Plan::new(&problem, &caps, &direct.workspace_limit(held - 1)).expect_err("a byte less");
    assert!(matches!(&error, Error::NoPlan(_)) && error.to_string().contains("the output in f32"), "{error}");
}

#[test]
fn the_exhibit_says_why_it_is_out() {
    let problem = problem(conv());
    let algorithm = Algorithm::Inlined(Nested::square(F::new(2, 3)), Reading::PerOutput);
    let preferences = Preferences::new().tolerance(Tolerance::Any).algorithm(algorithm);
    let error = Plan::new(&problem, &Caps::host(), &preferences).expect_err("f32 alone");
    assert!(error.to_string().contains("no storage but f32"), "{error}");
}

/// A tolerance relative to direct summation compares arithmetic: storing the output is the same for all. A bound of its own
/// holds for the sum of both.
#[test]
fn the_tolerance_knows_what_storing_costs() {
    let (half, single) = (problem(conv()), problem(conv().dtype(DType::F32)));
    let rejected = |problem: &Problem| -> Vec<Algorithm> {
        let plan = plan(problem, true, &Preferences::new());
        let tolerance = |verdict: &Verdict| matches!(verdict, Verdict::Rejected(Reason::Tolerance { .. }));
        let mut out: Vec<_> = plan.candidates().iter().filter(|c| tolerance(&c.verdict)).map(|c| c.algorithm).collect();
        out.sort_unstable();
        out
    };
    assert!(!rejected(&single).is_empty(), "the default tolerance refuses some");
    assert_eq!(rejected(&half), rejected(&single), "relative to direct summation");
    let (direct, caps) = (Algorithm::Direct.into(), Caps::host());
    let (error, arithmetic) = (expected_error(&half, direct, &caps), expected_error(&single, direct, &caps));
    let storing = (error * error - arithmetic * arithmetic).sqrt();
    assert!((storing / (0.42 / 2048.0) - 1.0).abs() < 1e-6, "{storing}");
    let bounded = |bound| Plan::new(&half, &Caps::host(), &Preferences::new().tolerance(Tolerance::RelativeL2(bound)));
    assert!(bounded(1e-5).is_err() && bounded(1e-3).is_ok(), "2.1e-4 lies in between");
}

/// What goes in is rounded, what comes out too, and what lies between the elements of an output stays as it is.
#[test]
fn layers_round_at_both_ends() {
    let conv = Conv::new(1, 1, [1, 1]).dtype(DType::F16).residual(Residual::InPlace);
    let problem = conv.on([1, 1, 1, 3]).expect("legal");
    let view = View { n: 6, c: 6, dhw: [6, 6, 2], offset: 1 };
    let problem = problem.with_output_view(view).expect("no overlap");
    let third = 1.0 / 3.0;
    let layer =
        Layer::new_blocking(&Device::host(), conv, Weights::new(&[third]), Preferences::new()).expect("a layer");
    // The last one overflows: a third of the largest half more than it.
    let mut output = [0.1, 0.1, 0.1, third, 0.1, 65504.0];
    let inputs = [third, 2049.0, 65504.0];
    block_on(layer.run_problem(&problem, &inputs, &mut output, &mut Workspace::new())).expect("a run");
    let half = |x: f32| DType::F16.rounded(x);
    assert_ne!(half(third).to_bits(), third.to_bits());
    let expected = |input: f32, residual: f32| half(half(third) * half(input) + half(residual));
    assert_eq!(output[1].to_bits(), expected(third, 0.1).to_bits(), "the first one");
    assert_eq!(output[3].to_bits(), expected(2048.0, third).to_bits(), "2049 is a tie, and 2048 the even one");
    assert!(output[5].is_infinite(), "beyond 65,504: {}", output[5]);
    assert_eq!([output[0], output[2], output[4]].map(f32::to_bits), [0.1f32.to_bits(); 3], "gaps");
}

#[test]
fn stored_values_come_back() {
    let values = [0.1, -2.5, 65504.0, 1e-7, 0.0];
    let bytes = DType::F16.to_bytes(&values);
    assert_eq!(bytes.len() as u64, DType::F16.bytes(values.len()), "in whole words");
    let back = DType::F16.from_bytes(&bytes, values.len());
    assert_eq!(back, values.map(|value| DType::F16.rounded(value)));
    assert_eq!(DType::F32.from_bytes(&DType::F32.to_bytes(&values), values.len()), values);
}
