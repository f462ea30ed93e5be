//! Tensors in f16, as far as no GPU is needed: what is planned for devices with and without 16-bit floats, what the tolerance
//! takes into account, and where values are rounded. What kernels compute is in `property.rs`.

#[cfg(feature = "gpu")]
use crate::support::{
    data::{Case, Data, assert_exact},
    entry::{run_plan_on_cpu, run_plan_on_gpu},
    gpus::on_one_gpu,
};
use pollster::block_on;
use winoconv::caps::{Caps, Limits};
use winoconv::error::Error;
use winoconv::kernel::{KernelSpec, Reading, Storage};
use winoconv::plan::{Reason, Slot, Verdict, expected_error};
use winoconv::winograd::{F, Nested};
use winoconv::{
    Activation, Algorithm, Conv, DType, Device, Layer, Layout, Plan, Preferences, Problem, Residual, Tolerance, View,
    Weights, Workspace,
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
            |plan: &Plan| plan.dispatches().iter().filter(|s| matches!(s.kernel(), KernelSpec::PackHalves(_))).count();
        assert_eq!((packs(&with), packs(&without)), (0, 1), "{algorithm}");
        let touches = |kernel: &KernelSpec| kernel.epilogue().is_some() || kernel.border().is_some();
        for (plan, storage) in [(&with, Storage::F16), (&without, Storage::Packed)] {
            let kernels = plan.kernels();
            let stored = kernels.iter().filter(|kernel| touches(kernel)).map(KernelSpec::storage);
            assert!(stored.into_iter().all(|other| other == storage), "{algorithm}: {kernels:?}");
        }
        let held = 4 * problem.output_len() as u64;
        assert_eq!(without.workspace_bytes(), with.workspace_bytes() + held, "{algorithm}: outputs in f32");
        let last = without.dispatches().last().expect("steps");
        assert_eq!(last.operands()[1].slot, Slot::Output, "{algorithm}: packed into the output");
        let written =
            without.dispatches().iter().flat_map(|step| step.kernel().bindings().into_iter().zip(step.operands()));
        for (binding, operand) in written.filter(|(binding, _)| binding.name == "dst") {
            assert!(matches!(operand.slot, Slot::Workspace(_)), "{algorithm}: {binding:?}");
        }
    }
}

/// Dispatches that pack.
fn packs(plan: &Plan) -> usize {
    plan.dispatches().iter().filter(|step| matches!(step.kernel(), KernelSpec::PackHalves(_))).count()
}

#[test]
fn outputs_in_f32_count_as_workspace_and_are_made_in_parts_where_it_is_small() {
    let problem = problem(conv());
    let held = 4 * problem.output_len() as u64;
    let direct = Preferences::new().algorithm(Algorithm::Direct);
    let caps = Caps::webgpu_default();
    for (limit, parts) in [(held, 1), (held - 1, 2), (held / 2, 2), (held / 2 - 1, 4), (held / 24, 24)] {
        let plan = Plan::new(&problem, &caps, &direct.workspace_limit(limit));
        let plan = plan.unwrap_or_else(|error| panic!("{limit} bytes: {error}"));
        assert!(plan.workspace_bytes() <= limit, "{limit} bytes: {plan}");
        assert_eq!(packs(&plan), parts, "{limit} bytes");
    }
    let error = Plan::new(&problem, &caps, &direct.workspace_limit(4)).expect_err("too many parts");
    assert!(matches!(&error, Error::NoPlan(_)) && error.to_string().contains("the output in f32"), "{error}");
}

/// 125,440,000 bytes in f32, of which the default workspace has room for 94,371,840.
#[test]
fn a_large_output_has_a_plan_on_a_device_without_16_bit_floats() {
    let conv = Conv::new(64, 64, [3, 3]).padding(1).dtype(DType::F16);
    for size in [600, 700, 1000] {
        let problem = conv.on([1, 64, size, size]).expect("legal");
        let plan = plan(&problem, false, &Preferences::new());
        assert!(plan.workspace_bytes() <= Preferences::DEFAULT_WORKSPACE, "{plan}");
        assert!((1..10).contains(&packs(&plan)), "{size}: {} parts", packs(&plan));
    }
}

/// Problems whose outputs lie in every way that parts could get wrong, each with algorithms that pack in parts.
fn in_parts() -> Vec<(Problem, Vec<&'static str>)> {
    let three = Conv::new(6, 8, [3, 3]).padding(1).dtype(DType::F16);
    let on = |conv: Conv, shape: &[usize]| {
        let shape = winoconv::Shape::from_slice(shape).expect("1 to 3 dimensions");
        conv.on(shape).unwrap_or_else(|error| panic!("{error}"))
    };
    let plain = vec!["direct", "implicit_gemm"];
    let winograd =
        vec!["direct", "implicit_gemm", "staged:f2x3", "fused:f2x3", "fused_output:f2x3", "fused_filter:f2x3"];
    let full = three.bias(true).activation(Activation::PRelu);
    let last = full.layout(Layout::ChannelsLast).residual(Residual::InPlace);
    let transposed = Conv::new(4, 6, [3, 3]).transposed(1).stride(2).padding(1).groups(2).dtype(DType::F16);
    let odd = on(full.residual(Residual::Tensor), &[4, 6, 7, 9]);
    let view = View { offset: 3, n: 8 * 77 + 5, c: 77, dhw: [77, 11, 1] };
    let slice = View::channels(odd.of_output().shape, Layout::ChannelsLast, 1, 11).expect("1 + 8 of 11");
    vec![
        (on(full, &[5, 6, 7, 9]), winograd.clone()),
        (on(full.residual(Residual::InPlace), &[5, 6, 7, 9]), winograd),
        (on(last, &[3, 6, 7, 9]), plain.clone()),
        (odd.with_output_view(view).expect("no overlap"), plain.clone()),
        (odd.with_output_view(slice).expect("no overlap"), plain.clone()),
        (on(three.groups(2), &[1, 6, 7, 9]), plain.clone()),
        (on(Conv::new(5, 10, [3, 3]).groups(5).dtype(DType::F16), &[2, 5, 8, 9]), vec!["direct", "depthwise"]),
        (on(transposed, &[3, 4, 4, 5]), plain.clone()),
        (on(Conv::new(3, 2, [7]).transposed(0).stride(3).dilation(2).dtype(DType::F16), &[2, 3, 11]), plain.clone()),
        (on(Conv::new(3, 4, [2, 3, 2]).padding(1).dtype(DType::F16), &[2, 3, 3, 5, 4]), plain.clone()),
        (on(three.stride(2), &[3, 6, 7, 9]).input_gradient().expect("legal"), plain.clone()),
        (on(three, &[2, 6, 7, 9]).weight_gradient().expect("legal"), plain.clone()),
        (on(transposed, &[2, 4, 4, 5]).weight_gradient().expect("legal"), plain),
    ]
}

/// Small integers are exact in halves: each output must come from its own part, and what lies between outputs stay.
#[cfg(feature = "gpu")]
#[test]
fn parts_are_the_whole() {
    let mut several = 0;
    for (problem, labels) in in_parts() {
        let case = Case::new(problem, Data::Integer, 7);
        let exact = case.reference().all();
        for label in labels {
            let forced = Preferences::new().tolerance(Tolerance::Any).algorithm(label.parse().expect("a label"));
            let whole = plan(&problem, false, &forced).workspace_bytes();
            for limit in [whole, whole * 2 / 3, whole / 2, whole / 5] {
                let caps = Caps::webgpu_default();
                let what = format!("{problem} by {label} in {limit} bytes");
                let plan = match Plan::new(&problem, &caps, &forced.workspace_limit(limit)) {
                    Ok(plan) => plan,
                    // Winograd's parts are whole images.
                    Err(_) if label.contains(':') && limit < whole / 2 => continue,
                    Err(error) => panic!("{what}: {error}"),
                };
                assert!(plan.workspace_bytes() <= limit, "{what}: {}", plan.workspace_bytes());
                several += usize::from(packs(&plan) > 1);
                let untouched = |memory: &[f32]| {
                    let mut is_output = vec![false; memory.len()];
                    problem.result().each_position(|at| is_output[at] = true);
                    let gaps = memory.iter().zip(is_output).filter(|(_, is_output)| !is_output);
                    gaps.filter(|(value, _)| !value.is_nan()).count()
                };
                let got = run_plan_on_cpu(&plan, &case);
                assert_exact(&case.gather(&got), &exact, &format!("{what}, by the twins"));
                let in_place = problem.conv().residual == Residual::InPlace;
                assert!(in_place || untouched(&got) == 0, "{what}: between outputs");
                on_one_gpu("parts_are_the_whole", |gpu| {
                    let got = run_plan_on_gpu(&gpu.context, &plan, &case).unwrap_or_else(|e| panic!("{what}: {e}"));
                    assert_exact(&case.gather(&got), &exact, &what);
                    assert!(in_place || untouched(&got) == 0, "{what}: between outputs");
                });
            }
        }
    }
    assert!(several > 40, "{several} plans in parts: too little to check");
}

/// Where shaders have 16-bit floats, outputs that are summed up in pieces are held in f32, in parts as well.
#[cfg(feature = "gpu")]
#[test]
fn sums_in_pieces_are_made_in_parts_too() {
    // One image's input has 48,000 bytes in f32.
    let problem = Conv::new(30, 4, [5, 5]).padding(2).dtype(DType::F16).on([3, 30, 20, 20]).expect("legal");
    let limits = Limits { max_storage_buffer_binding_size: 12_000, ..Limits::WEBGPU_DEFAULT };
    let case = Case::new(problem, Data::Integer, 8);
    let exact = case.reference().all();
    for (f16, limit, parts) in [(true, 1 << 20, 1), (true, 8_000, 3), (false, 8_000, 3)] {
        let caps = Caps { f16, limits, ..Caps::webgpu_default() };
        let preferences = Preferences::new().algorithm(Algorithm::Direct).workspace_limit(limit);
        let plan = Plan::new(&problem, &caps, &preferences).unwrap_or_else(|error| panic!("{error}"));
        assert!(packs(&plan) >= parts, "{plan}");
        assert!(
            plan.dispatches().iter().any(|step| step.kernel().name().contains("_added")),
            "nothing is summed in pieces: {plan}"
        );
        assert_exact(&case.gather(&run_plan_on_cpu(&plan, &case)), &exact, "by the twins");
        on_one_gpu("sums_in_pieces_are_made_in_parts_too", |gpu| {
            let got = run_plan_on_gpu(&gpu.context, &plan, &case).unwrap_or_else(|error| panic!("{error}"));
            assert_exact(&case.gather(&got), &exact, "on a GPU");
        });
    }
}

#[test]
fn the_exhibit_says_why_it_is_out() {
    let problem = problem(conv());
    let algorithm = Algorithm::Inlined(Nested::square(F::new(2, 3)), Reading::PerOutput);
    let preferences = Preferences::new().tolerance(Tolerance::Any).algorithm(algorithm);
    let error = Plan::new(&problem, &Caps::cpu(), &preferences).expect_err("f32 alone");
    assert!(error.to_string().contains("only f32 tensors"), "{error}");
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
    let (direct, caps) = (Algorithm::Direct.into(), Caps::cpu());
    let (error, arithmetic) = (expected_error(&half, direct, &caps), expected_error(&single, direct, &caps));
    let storing = (error * error - arithmetic * arithmetic).sqrt();
    assert!((storing / (0.42 / 2048.0) - 1.0).abs() < 1e-6, "{storing}");
    let bounded = |bound| Plan::new(&half, &Caps::cpu(), &Preferences::new().tolerance(Tolerance::RelativeL2(bound)));
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
    let layer = Layer::new_blocking(&Device::cpu(), conv, Weights::new(&[third]), Preferences::new()).expect("a layer");
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
