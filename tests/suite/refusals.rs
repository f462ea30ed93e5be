//! What is said where there is no plan: two lines, the reason and what would help. What it names, raised to what it says, makes
//! a plan.

use std::error::Error as _;
use std::fmt::Display;

use crate::support::{problems, profiles};
use winoconv::caps::{Caps, Limits};
use winoconv::error::{Error, NoPlan, Remedy};
use winoconv::plan::Choice;
use winoconv::{Activation, Algorithm, Conv, DType, Device, Layer, Plan, Preferences, Problem, Tolerance, Weights};

fn refusal(problem: &Problem, caps: &Caps, preferences: &Preferences) -> Option<NoPlan> {
    match Plan::new(problem, caps, preferences) {
        Ok(_) => None,
        Err(Error::NoPlan(error)) => Some(error),
        Err(other) => panic!("{problem} on {caps}: {other}"),
    }
}

/// Raises what a remedy names.
fn apply(remedy: &Remedy, caps: &mut Caps, preferences: &mut Preferences) {
    match remedy {
        Remedy::RequestLimit { limit, least } => {
            let limits = &mut caps.limits;
            let word = u32::try_from(*least).unwrap_or(u32::MAX);
            match *limit {
                "max_buffer_size" => limits.max_buffer_size = *least,
                "max_storage_buffer_binding_size" => limits.max_storage_buffer_binding_size = *least,
                "max_compute_workgroup_storage_size" => limits.max_compute_workgroup_storage_size = word,
                "max_compute_invocations_per_workgroup" => limits.max_compute_invocations_per_workgroup = word,
                "max_compute_workgroup_size_x" => limits.max_compute_workgroup_size[0] = word,
                "max_compute_workgroups_per_dimension" => limits.max_compute_workgroups_per_dimension = word,
                "max_storage_buffers_per_shader_stage" => limits.max_storage_buffers_per_shader_stage = word,
                other => panic!("no limit of wgpu's: {other}"),
            }
        }
        Remedy::RaiseWorkspace { least } => *preferences = preferences.workspace_limit(*least),
        Remedy::RaiseTolerance { to } => {
            let (kind, number) = to.split_once('(').expect("a number in parentheses");
            let number = number.trim_end_matches(')').parse().unwrap_or_else(|error| panic!("{to}: {error}"));
            let tolerance = match kind {
                "TimesDirect" => Tolerance::TimesDirect(number),
                "RelativeL2" => Tolerance::RelativeL2(number),
                other => panic!("no tolerance: {other}"),
            };
            *preferences = preferences.tolerance(tolerance);
        }
        other => panic!("nothing to raise: {other}"),
    }
}

/// A refusal of two lines whose second one holds.
fn assert_helps(problem: &Problem, caps: &Caps, preferences: &Preferences) -> NoPlan {
    let what = format!("{problem} on {caps}");
    let error = refusal(problem, caps, preferences).unwrap_or_else(|| panic!("{what}: expected no plan"));
    let text = error.to_string();
    assert_eq!(text.lines().count(), 2, "{what}: {text}");
    assert!(text.len() < 400, "{what}: {} characters: {text}", text.len());
    assert!(!error.remedies.is_empty(), "{what}: nothing helps: {text}");
    let (mut caps, mut preferences) = (caps.clone(), *preferences);
    for remedy in &error.remedies {
        assert!(text.contains(&remedy.to_string()), "{what}: {remedy:?} is not in {text}");
        apply(remedy, &mut caps, &mut preferences);
    }
    let plan = Plan::new(problem, &caps, &preferences);
    plan.unwrap_or_else(|error| panic!("{what}: {text}\ndone, and then: {error:#}"));
    error
}

fn on(conv: Conv, shape: [usize; 4]) -> Problem {
    conv.on(shape).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn a_tensor_larger_than_a_buffer_asks_for_max_buffer_size() {
    let problem = on(Conv::new(64, 64, [3, 3]).padding(1), [1, 64, 1080, 1920]);
    let error = assert_helps(&problem, &Caps::webgpu_default(), &Preferences::new());
    assert_eq!(
        error.to_string(),
        format!(
            "no plan for 1x64x1080x1920 -> 64, 3x3, padding 1x1: the input needs 530841600 bytes in one buffer, the bound is \
             268435456 (all {} candidates)\nrequest max_buffer_size (at least 530841600)",
            error.rejected.len()
        )
    );
    let all = format!("{error:#}");
    assert_eq!(all.lines().count(), 2 + error.rejected.len(), "{all}");
    assert!(all.starts_with(&error.to_string()), "{all}");
}

#[test]
fn what_is_named_helps() {
    let base = Limits::WEBGPU_DEFAULT;
    let three = Conv::new(16, 24, [3, 3]).padding(1);
    let full = three.bias(true).activation(Activation::PRelu);
    let limited = |limits: Limits| Caps { limits, ..Caps::webgpu_default() };
    let half = three.dtype(DType::F16);
    let small_binding = Limits { max_storage_buffer_binding_size: 1500, ..base };
    for (caps, conv, preferences, named) in [
        (limited(Limits { max_buffer_size: 2048, ..base }), three, Preferences::new(), "max_buffer_size"),
        (
            limited(Limits { max_compute_invocations_per_workgroup: 8, ..base }),
            three,
            Preferences::new(),
            "invocations",
        ),
        (limited(Limits { max_compute_workgroup_size: [8, 256, 64], ..base }), three, Preferences::new(), "size_x"),
        (limited(Limits { max_storage_buffers_per_shader_stage: 2, ..base }), full, Preferences::new(), "buffers_per"),
        (
            limited(Limits { max_compute_workgroups_per_dimension: 0, ..base }),
            three,
            Preferences::new(),
            "workgroups_per",
        ),
        (limited(base), half, Preferences::new().workspace_limit(0), "workspace_limit"),
        (limited(base), half, Preferences::new().workspace_limit(3), "workspace_limit"),
        (Caps::cpu(), three, Preferences::new().workspace_limit(0), "workspace_limit"),
        (Caps::cpu(), half.transposed(0).stride(3), Preferences::new().workspace_limit(500), "workspace_limit"),
        (
            Caps::cpu(),
            three,
            Preferences::new().tolerance(Tolerance::RelativeL2(1e-12)),
            "the tolerance to Tolerance::RelativeL2",
        ),
        (
            limited(base),
            half,
            Preferences::new().tolerance(Tolerance::RelativeL2(1e-12)),
            "the tolerance to Tolerance::RelativeL2",
        ),
    ] {
        let error = assert_helps(&on(conv, [1, 16, 40, 40]), &caps, &preferences);
        assert!(error.to_string().contains(named), "expected {named}: {error}");
    }
    for (label, caps, named) in [
        ("fused_filter:f2x3", limited(small_binding), "max_storage_buffer_binding_size"),
        ("staged:f4x3", limited(small_binding), "max_storage_buffer_binding_size"),
        ("staged:f6x3", Caps::cpu(), "the tolerance to Tolerance::TimesDirect"),
        ("staged:f6x3", Caps { threads: 64, ..Caps::cpu() }, "the tolerance to Tolerance::TimesDirect"),
        (
            "implicit_gemm@64x64x8_8x8",
            limited(Limits { max_compute_workgroup_storage_size: 64, ..base }),
            "storage_size",
        ),
    ] {
        let preferences = match label.parse::<Choice>() {
            Ok(choice) if label.contains('@') => Preferences::new().choice(choice),
            _ => Preferences::new().algorithm(label.parse::<Algorithm>().expect("a label")),
        };
        let error = assert_helps(&on(three, [1, 16, 40, 40]), &caps, &preferences);
        assert!(error.to_string().contains(named), "{label}, expected {named}: {error}");
        assert_eq!(error.rejected.len(), 1, "{label}: what was not forced says nothing");
    }
    // Several limits at once.
    let tiny = limited(Limits { max_buffer_size: 2048, max_storage_buffers_per_shader_stage: 2, ..base });
    let error =
        assert_helps(&on(full.dtype(DType::F16), [1, 16, 40, 40]), &tiny, &Preferences::new().workspace_limit(9));
    assert!(error.remedies.len() >= 3, "{error}");
}

/// The suite's problems, under every kind of too little: each refusal holds what it says.
#[test]
fn every_refusal_of_the_suite_helps() {
    let mut count = 0;
    let devices = [profiles::tiny_bindings(), Caps::cpu(), Caps::webgpu_default()];
    for entry in problems::all() {
        for dtype in [DType::F32, DType::F16] {
            let problem = on(entry.conv.dtype(dtype), entry.shape);
            for caps in &devices {
                for limit in [0, 100, 10_000] {
                    let preferences = Preferences::new().workspace_limit(limit);
                    if refusal(&problem, caps, &preferences).is_some() {
                        assert_helps(&problem, caps, &preferences);
                        count += 1;
                    }
                }
            }
        }
    }
    assert!(count > 50, "{count} refusals: too little to check");
}

#[test]
fn tolerances_that_make_no_sense_are_refused() {
    let problem = on(Conv::new(16, 16, [3, 3]).padding(1), [1, 16, 32, 32]);
    for (tolerance, shown) in [
        (Tolerance::TimesDirect(f64::NAN), "NaN"),
        (Tolerance::RelativeL2(f64::NAN), "NaN"),
        (Tolerance::TimesDirect(-1.0), "-1"),
        (Tolerance::RelativeL2(-1e-6), "-0.000001"),
        (Tolerance::TimesDirect(f64::INFINITY), "inf"),
        (Tolerance::RelativeL2(f64::NEG_INFINITY), "-inf"),
    ] {
        let preferences = Preferences::new().tolerance(tolerance);
        for caps in [Caps::cpu(), Caps::webgpu_default()] {
            let Err(Error::Preference(error)) = Plan::new(&problem, &caps, &preferences) else {
                panic!("{tolerance:?} on {caps}: expected a refusal")
            };
            assert!(error.got.contains(shown) && error.to_string().contains("Tolerance::Any"), "{error}");
        }
        let layer = Layer::new_blocking(&Device::cpu(), problem.conv(), Weights::new(&[0.0; 2304]), preferences);
        assert!(matches!(layer, Err(Error::Preference(_))), "{tolerance:?}: a layer");
    }
    for tolerance in [Tolerance::TimesDirect(0.0), Tolerance::TimesDirect(1e300), Tolerance::RelativeL2(f64::MAX)] {
        Plan::new(&problem, &Caps::cpu(), &Preferences::new().tolerance(tolerance)).expect("a number");
    }
}

/// A layer whose preferences demand what runs on no input is refused when it is made, and one that may run on some is not.
#[test]
fn what_can_never_run_is_refused_with_the_layer() {
    let dilated =
        Conv::new(6, 10, [3, 3, 3]).stride([1, 1, 2]).dilation([2, 3, 2]).padding(winoconv::Padding::SameUpper);
    let three = Conv::new(64, 64, [3, 3]).padding(1);
    let layer = |conv: Conv, preferences| {
        let weights = vec![0.0; conv.weights_len()];
        Layer::new_blocking(&Device::cpu(), conv, Weights::new(&weights), preferences).map(|_| ())
    };
    let algorithm = |label: &str| Preferences::new().algorithm(label.parse::<Algorithm>().expect("a label"));
    let any = |label| algorithm(label).tolerance(Tolerance::Any);
    for (conv, preferences, why) in [
        (three, any("depthwise"), "one channel per group"),
        (Conv::new(4, 4, [5, 5]), any("staged:f4x3"), "another filter size"),
        (three.stride(2).dilation(2), any("staged:f4x3"), "stride 1 or dilation 1"),
        (three, algorithm("staged:f6x3"), "the tolerance allows"),
        (three, any("inlined:f6x3"), "written out in one kernel"),
        (three, any("staged:f4x3").workspace_limit(1000), "bytes of workspace"),
    ] {
        let Err(Error::NoPlan(error)) = layer(conv, preferences) else { panic!("{conv:?}, {preferences:?}: {why}") };
        assert!(error.to_string().contains(why), "expected '{why}': {error}");
        assert!(error.asked.starts_with("any input of ") && error.asked.contains("forced"), "{error}");
        assert_eq!(error.to_string().lines().count(), 2, "{error}");
    }
    for (conv, preferences) in [
        (three, any("staged:f6x3")),
        (three, algorithm("staged:f4x3")),
        // For the gradient of weights.
        (three, any("staged:f3x4")),
        (three.dilation(40), any("staged:f2x3")),
        // Of one output there is one phase.
        (three, any("staged:f4x3").workspace_limit(1 << 20)),
        (Conv::new(8, 8, [3, 3]).groups(8), any("depthwise")),
        // For the gradient of weights of images with one output along a dimension and several along the other.
        (Conv::new(4, 4, [5, 7]).stride([3, 2]), any("staged:f5qx4_f4qx4")),
        // For the gradient of inputs, likewise.
        (dilated, any("staged:f2x3")),
    ] {
        layer(conv, preferences).unwrap_or_else(|error| panic!("{conv:?}, {preferences:?}: {error}"));
    }
}

/// An error says nothing twice: neither do the errors that it wraps, nor the two of a pair of parts.
#[test]
fn no_text_is_said_twice() {
    let three = Conv::new(16, 24, [3, 3]).padding(1);
    let problem = on(three, [1, 16, 40, 40]);
    let no_plan = refusal(&problem, &Caps::cpu(), &Preferences::new().workspace_limit(0)).expect("no plan");
    let errors: Vec<Error> = vec![
        no_plan.into(),
        three.on([1, 3, 40, 40]).expect_err("other channels"),
        three.on([1 << 20, 16, 1 << 10, 1 << 10]).expect_err("too many"),
        Plan::new(&problem, &Caps::cpu(), &Preferences::new().tolerance(Tolerance::RelativeL2(f64::NAN)))
            .expect_err("no number"),
        "nothing".parse::<Algorithm>().expect_err("no algorithm"),
    ];
    for error in errors {
        let mut texts = vec![error.to_string()];
        let mut source = error.source();
        while let Some(inner) = source {
            texts.push(inner.to_string());
            source = inner.source();
        }
        for (i, text) in texts.iter().enumerate() {
            let others = texts.iter().enumerate().filter(|(j, _)| *j != i);
            assert!(others.into_iter().all(|(_, other)| !other.contains(text)), "twice: {texts:?}");
        }
        assert_once(&error);
    }
}

fn assert_once(text: &dyn Display) {
    let text = text.to_string();
    let parts: Vec<&str> = text.split([';', '\n']).map(str::trim).collect();
    for (i, part) in parts.iter().enumerate() {
        assert!(!parts[i + 1..].contains(part), "'{part}' twice in {text}");
    }
}
