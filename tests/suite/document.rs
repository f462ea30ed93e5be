//! Plans as documents: what is written reads back to the same plan, over the whole space of problems; and whatever was
//! altered, cut off, made up or written by another version is refused with the part that is wrong.

use crate::support::strategies::{Space, activations, problems};
use proptest::prelude::*;
use proptest::test_runner::{RngSeed, TestRunner};
use serde_json::{Value, json};
use winoconv::caps::{Caps, DeviceKind, Limits};
use winoconv::error::{DocumentError, Error};
use winoconv::plan::wisdom::Entry;
use winoconv::plan::{Choice, Distrust, Document, Origin, Wisdom, legal_choices};
use winoconv::winograd::{F, Nested};
use winoconv::{Activation, Algorithm, Conv, Plan, Preferences, Problem, Tolerance};

const SPACE: Space = Space { kernels: &[1, 2, 3, 4, 5, 7], extra: 9, everything: true };

/// Devices that plan differently: a browser's, the CPU, a large one, and one so small that work is cut.
fn devices() -> [Caps; 4] {
    let large = Caps { kind: DeviceKind::DiscreteGpu, limits: Limits::LARGEST, ..Caps::webgpu_default() };
    let limits = Limits {
        max_compute_workgroups_per_dimension: 5,
        max_storage_buffer_binding_size: 40_000,
        ..Limits::WEBGPU_DEFAULT
    };
    [Caps::webgpu_default(), Caps::cpu(), large, Caps { limits, ..Caps::webgpu_default() }]
}

fn written(plan: &Plan) -> Value {
    serde_json::to_value(plan).expect("JSON has a form for every plan")
}

/// Reads JSON as a plan, by way of its document, so that errors are typed.
fn read(value: &Value) -> Result<Plan, Error> {
    let document: Document = serde_json::from_value(value.clone()).expect("has the form of a document");
    document.plan()
}

fn reads_back(plan: &Plan) -> Result<(), TestCaseError> {
    let text = serde_json::to_string(plan).map_err(|error| TestCaseError::fail(error.to_string()))?;
    match serde_json::from_str::<Plan>(&text) {
        Ok(again) if again == *plan => Ok(()),
        Ok(again) => Err(TestCaseError::fail(format!("written {plan:#?}\nread {again:#?}"))),
        Err(error) => Err(TestCaseError::fail(format!("{error}, of {text}"))),
    }
}

fn sample() -> Problem {
    Conv::new(8, 8, [3, 3]).padding(1).bias(true).activation(Activation::Relu).on([1, 8, 32, 32]).expect("legal")
}

fn sample_plan(choice: &str) -> Plan {
    let choice: Choice = choice.parse().expect("a label");
    let preferences = Preferences::new().tolerance(Tolerance::Any).algorithm(choice.algorithm).cut(choice.cut);
    Plan::new(&sample(), &Caps::webgpu_default(), &preferences).expect("legal")
}

#[test]
fn every_plan_reads_back() {
    let mut config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    if config.rng_seed == RngSeed::Random {
        config.rng_seed = RngSeed::Fixed(1);
    }
    let strategy = (problems(SPACE, activations()), any::<prop::sample::Index>(), 0..3usize);
    let checked = TestRunner::new(config).run(&strategy, |(problem, device, limit)| {
        let caps = &devices()[device.index(4)];
        let asked = Preferences::new().workspace_limit([0, 20_000, Preferences::DEFAULT_WORKSPACE][limit]);
        let Ok(plan) = Plan::new(&problem, caps, &asked) else { return Ok(()) };
        reads_back(&plan)?;
        for candidate in plan.candidates() {
            let forced = asked.tolerance(Tolerance::RelativeL2(f64::INFINITY)).algorithm(candidate.algorithm);
            if let Ok(plan) = Plan::new(&problem, caps, &forced) {
                reads_back(&plan)?;
            }
        }
        Ok(())
    });
    checked.unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn every_choice_reads_back_by_demand_and_by_wisdom() {
    let (problem, caps) = (sample(), Caps::webgpu_default());
    let asked = Preferences::new();
    let any = asked.tolerance(Tolerance::Any);
    let all = legal_choices(&problem, &caps, &any);
    assert!(all.len() > 20, "{} choices", all.len());
    let (mut followed, mut refused) = (0, 0);
    for legal in all {
        reads_back(&Plan::new(&problem, &caps, &any.choice(legal.choice)).expect("legal")).expect("reads");
        // Within the default tolerance some may not be followed.
        let mut known = Entry::new(&problem, &caps, &asked, legal.choice, 12_345);
        known.driver = "a driver, 580.65".to_owned();
        let mut version = known.clone();
        version.version = "0.0.7".to_owned();
        let mut candidates = known.clone();
        candidates.candidates ^= 1;
        for entry in [known, version, candidates] {
            let mut wisdom = Wisdom::new();
            wisdom.insert(entry);
            let plan = Plan::with_wisdom(&problem, &caps, &asked, &wisdom).expect("legal");
            match plan.origin() {
                Origin::Wisdom { time_ns: 12_345, .. } => followed += 1,
                Origin::Estimate { ignored: Some(ignored) } if matches!(ignored.why, Distrust::Rejected(_)) => {
                    refused += 1;
                }
                Origin::Estimate { ignored: Some(_) } => {}
                other => panic!("{other:?}"),
            }
            reads_back(&plan).expect("reads");
        }
    }
    assert!(followed > 5 && refused > 5, "{followed} followed, {refused} refused");
}

#[test]
fn a_document_says_what_a_runner_needs() {
    let document = written(&sample_plan("staged:f4x3@32x32x8_4x4/1"));
    let at = |path: &str| document.pointer(path).unwrap_or_else(|| panic!("no {path} in {document:#}"));
    assert_eq!(at("/winoconv_plan"), 1);
    assert_eq!(at("/version"), env!("CARGO_PKG_VERSION"));
    assert_eq!(at("/choice"), "staged:f4x3@32x32x8_4x4/1");
    assert_eq!(at("/origin"), "demand");
    assert_eq!(at("/problem/input"), &json!([1, 8, 32, 32]));
    assert_eq!(at("/problem/conv/activation"), "relu");
    assert_eq!(at("/preferences/cut"), &json!({ "multiply": "32x32x8_4x4/1" }));
    assert_eq!(at("/packing/form"), "winograd:f4x3");
    let packed = json!({ "slot": "packed", "first": 0, "len": 36 * 8 * 8 });
    assert_eq!(at("/packing/steps/0/operands/1"), &packed);
    assert_eq!(at("/steps").as_array().map(Vec::len), Some(3));
    assert_eq!(at("/steps/1/operands/0"), &packed);
    assert_eq!(at("/steps/1/operands/2/slot"), "workspace1");
    let kernels = at("/kernels").as_array().expect("a list");
    let names: Vec<_> = kernels.iter().map(|kernel| kernel["name"].as_str().unwrap_or_default()).collect();
    assert!(names[0].starts_with("winograd_input_") && names[3].starts_with("winograd_filter_"), "{names:?}");
    for step in at("/steps").as_array().expect("a list") {
        let kernel = kernels.iter().find(|kernel| kernel["name"] == step["kernel"]).expect("listed");
        let len = |value: &Value| value.as_array().map(Vec::len);
        assert_eq!(len(&kernel["params"]), len(&step["params"]), "a name for each word");
        assert_eq!(len(&kernel["bindings"]), len(&step["operands"]), "an operand for each binding");
    }
}

/// Numbers and texts that follow from the choice, one altered at a time.
#[test]
fn what_is_not_as_planned_is_named() {
    let plan = sample_plan("staged:f4x3@32x32x8_4x4/1");
    let document = written(&plan);
    assert_eq!(read(&document), Ok(plan));
    for (path, altered, what) in [
        ("/steps/0/grid/0", json!(1000), "steps[0].grid"),
        ("/steps/2/params/1", json!(77), "steps[2].params[1]"),
        ("/steps/2/params", json!([]), "steps[2].params.length"),
        ("/steps/1/kernel", json!("direct"), "steps[1].kernel"),
        ("/steps/1/operands/0/slot", json!("weights"), "steps[1].operands[0].slot"),
        ("/steps/1/operands/0/len", json!(1_000_000), "steps[1].operands[0].len"),
        ("/steps/1/operands/0/first", json!(4), "steps[1].operands[0].first"),
        ("/steps", json!([]), "steps.length"),
        ("/packing/form", json!("winograd:f2x3"), "packing.form"),
        ("/packing/len", json!(1), "packing.len"),
        ("/packing/steps/0/grid/1", json!(9), "packing.steps[0].grid"),
        ("/workspace/0", json!(4), "workspace"),
        ("/kernels/0/name", json!("winograd_input_f4x3_f16"), "kernels[0].name"),
        ("/kernels/0/params/0", json!("tiles: u32"), "kernels[0].params[0]"),
        ("/kernels/0/bindings/0/access", json!("read_write"), "kernels[0].bindings[0]"),
        ("/choice", json!("staged:f4x3@64x64x8_8x8/1"), "choice"),
        ("/choice", json!("direct"), "choice"),
    ] {
        let mut other = document.clone();
        *other.pointer_mut(path).unwrap_or_else(|| panic!("no {path}")) = altered;
        match read(&other) {
            Err(Error::Document(DocumentError { what: found, expected, got })) => {
                assert_eq!(found, what, "{path}: {got}, expected {expected}");
                assert_ne!(expected, got, "{path}");
            }
            result => panic!("{path}: {result:?}"),
        }
        let error = serde_json::from_value::<Plan>(other).expect_err("no plan").to_string();
        assert!(error.contains(what), "{error}");
    }
}

/// What the choice is made for, altered: it is checked as any problem is, and the steps are then those of another one.
#[test]
fn another_problem_or_device_is_checked_as_any_other() {
    let document = written(&sample_plan("direct"));
    let altered = |path: &str, value: Value| {
        let mut other = document.clone();
        *other.pointer_mut(path).unwrap_or_else(|| panic!("no {path}")) = value;
        read(&other)
    };
    let of_shape = |path, value| assert!(matches!(altered(path, value), Err(Error::Shape(_))), "{path}");
    of_shape("/problem/conv/groups", json!(3));
    of_shape("/problem/conv/groups", json!(0));
    of_shape("/problem/conv/channels", json!(9));
    of_shape("/problem/conv/stride", json!([1]));
    of_shape("/problem/conv/kernel", json!([90, 3]));
    of_shape("/problem/conv/transposed", json!([5, 5]));
    of_shape("/problem/conv/activation", json!({ "clamp": { "low": "1", "high": "-1" } }));
    of_shape("/problem/conv/activation", json!({ "leaky_relu": { "slope": "inf" } }));
    of_shape("/problem/output_view/c", json!(0));
    of_shape("/problem/input", json!([1, 8, 0, 32]));
    for (path, value) in [
        ("/problem/input", json!([usize::MAX, 8, 32, 32])),
        ("/problem/input", json!([1, 8, 1_usize << 40, 32])),
        ("/problem/input_view/offset", json!(usize::MAX)),
        ("/problem/input_view/dhw", json!([0, usize::MAX, usize::MAX])),
        ("/problem/output_view/offset", json!(1_usize << 31)),
        ("/problem/conv/dilation", json!([usize::MAX, 1])),
        ("/problem/conv/padding/explicit/before", json!([usize::MAX, 1])),
        ("/problem/conv/filters", json!(usize::MAX)),
        ("/caps/limits/max_compute_workgroups_per_dimension", json!(0)),
        ("/caps/limits/max_compute_invocations_per_workgroup", json!(0)),
        ("/caps/limits/max_compute_workgroup_size", json!([0, 0, 0])),
        ("/caps/limits/max_accumulators_per_invocation", json!(7)),
        ("/caps/limits/max_storage_buffer_binding_size", json!(0)),
        ("/caps/limits/max_operations_per_loop", json!(30)),
    ] {
        let error = altered(path, value).expect_err("beyond every bound");
        assert!(matches!(error, Error::Shape(_) | Error::Limit(_) | Error::NoPlan(_)), "{path}: {error:?}");
    }
    for (path, value) in [
        ("/problem/input", json!([2, 8, 32, 32])),
        ("/problem/output_view/offset", json!(8)),
        // Of a single image it is a step that nobody takes.
        ("/problem/input_view/n", json!(usize::MAX)),
        ("/problem/input_view/n", json!(1_u64 << 40)),
        ("/problem/conv/bias", json!(false)),
        ("/problem/conv/border", json!("reflect")),
        ("/problem/operation", json!("input_gradient")),
        ("/caps/limits/max_compute_workgroups_per_dimension", json!(2)),
    ] {
        let error = altered(path, value).expect_err("other steps");
        assert!(matches!(error, Error::Document(_) | Error::Shape(_)), "{path}: {error:?}");
    }
    // A residual in place is neither more bindings nor other words: only the kernel's name tells.
    let Err(Error::Document(error)) = altered("/problem/conv/residual", json!("in_place")) else { panic!("read") };
    assert_eq!(error.what, "kernels[0].name");
}

#[test]
fn what_has_not_the_form_is_refused_by_the_reader() {
    let plan = sample_plan("staged:f4x3@32x32x8_4x4/1");
    let text = serde_json::to_string(&plan).expect("written");
    let refused = |text: &str| serde_json::from_str::<Document>(text).expect_err("no document").to_string();
    for end in (0..text.len()).step_by(37) {
        let error = refused(&text[..end]);
        assert!(error.contains("EOF"), "{error}");
    }
    let document = written(&plan);
    let with = |path: &str, value: Value| {
        let mut other = document.clone();
        *other.pointer_mut(path).unwrap_or_else(|| panic!("no {path}")) = value;
        refused(&other.to_string())
    };
    for (path, value, says) in [
        ("/winoconv_plan", json!(2), "of form 2, expected 1"),
        ("/winoconv_plan", json!("1"), "invalid type"),
        ("/steps/0/grid/0", json!(-1), "invalid value"),
        ("/steps/0/grid/0", json!(1_u64 << 32), "invalid value"),
        ("/steps/0/grid/0", json!(1.5), "invalid type"),
        ("/steps/0/grid", json!([1, 1]), "invalid length 2"),
        ("/steps/0/params/0", json!(1_u64 << 32), "invalid value"),
        ("/problem/input", json!([1, 8]), "invalid length 2"),
        ("/problem/input", json!([1, 8, 1, 1, 1, 1]), "invalid length 6"),
        ("/problem/conv/channels", json!(-8), "invalid value"),
        ("/problem/conv/channels", json!(1e30), "invalid type"),
        ("/problem/conv/kernel", json!([]), "invalid length 0"),
        ("/problem/conv/activation", json!("swish"), "unknown variant `swish`"),
        ("/problem/conv/activation", json!({ "leaky_relu": { "slope": "steep" } }), "'steep': invalid float"),
        ("/problem/conv/dtype", json!("bf16"), "unknown variant `bf16`"),
        ("/preferences/algorithm", json!("staged:f9x9"), "'staged:f9x9': unsupported"),
        ("/preferences/cut", json!({ "multiply": "1x1" }), "'1x1': unsupported"),
        ("/preferences/workspace_limit", json!(-1), "invalid value"),
        ("/caps/kind", json!("abacus"), "unknown variant `abacus`"),
        ("/caps/limits/max_buffer_size", json!(null), "invalid type"),
        ("/origin", json!("hearsay"), "unknown variant `hearsay`"),
    ] {
        let error = with(path, value);
        assert!(error.contains(says), "{path}: {error}");
    }
    for path in [
        "",
        "/problem",
        "/problem/conv",
        "/problem/conv/padding/explicit",
        "/problem/input_view",
        "/caps",
        "/caps/limits",
        "/preferences",
        "/packing",
        "/kernels/0",
        "/kernels/0/bindings/0",
        "/steps/0",
        "/steps/0/operands/0",
    ] {
        let fields = document.pointer(path).and_then(Value::as_object).unwrap_or_else(|| panic!("no {path}"));
        let mut more = fields.clone();
        more.insert("colour".to_owned(), json!("blue"));
        assert!(with(path, Value::Object(more)).contains("unknown field `colour`"), "{path}");
        for name in fields.keys() {
            let mut fewer = fields.clone();
            fewer.remove(name);
            let error = with(path, Value::Object(fewer));
            assert!(error.contains(&format!("missing field `{name}`")), "{path}: {error}");
        }
    }
}

/// A newer form has other fields, and its number comes first.
#[test]
fn a_newer_form_is_refused_as_such() {
    let text = r#"{"winoconv_plan": 7, "graph": {"nodes": []}}"#;
    let error = serde_json::from_str::<Plan>(text).expect_err("newer").to_string();
    assert!(error.starts_with("a plan's document of form 7, expected 1"), "{error}");
}

/// Another version of the crate: what it dispatches decides, not its name.
#[test]
fn another_version_is_read_as_long_as_it_dispatches_the_same() {
    let plan = Plan::new(&sample(), &Caps::webgpu_default(), &Preferences::new()).expect("legal");
    let mut document = written(&plan);
    document["version"] = json!("0.9.3");
    let same: Document = serde_json::from_value(document.clone()).expect("the same form");
    assert_eq!((same.version(), same.plan()), ("0.9.3", Ok(plan.clone())));

    let mut renamed = document.clone();
    renamed["kernels"][0]["name"] = json!("winograd_fused_f4x3_f32_v2");
    let other: Document = serde_json::from_value(renamed).expect("the same form");
    let Err(Error::Document(error)) = other.plan() else { panic!("another kernel") };
    assert_eq!((error.what.as_str(), error.got.as_str()), ("kernels[0].name", "\"winograd_fused_f4x3_f32_v2\""));

    // That version estimated something else to be the fastest: its choice stands, and the plan says whose it is.
    let other = legal_choices(&sample(), &Caps::webgpu_default(), &Preferences::new());
    let other = other.iter().rev().find(|legal| legal.choice != plan.choice()).expect("another one").choice;
    let forced = Plan::new(&sample(), &Caps::webgpu_default(), &Preferences::new().choice(other)).expect("legal");
    let mut estimated = written(&forced);
    for part in ["preferences", "origin"] {
        estimated[part] = document[part].clone();
    }
    let read = read(&estimated).expect("its steps are those of its choice");
    assert_eq!((read.choice(), read.origin(), read.dispatches()), (other, &Origin::Demand, forced.dispatches()));
}

#[test]
fn a_demand_that_has_no_name_is_not_written() {
    let f = F::with_points(7, 3, winoconv::winograd::Points::Default);
    let forced = Preferences::new().tolerance(Tolerance::Any).algorithm(Algorithm::Staged(Nested::square(f)));
    let plan = Plan::new(&sample(), &Caps::webgpu_default(), &forced).expect("legal");
    let error = serde_json::to_string(&plan).expect_err("no label").to_string();
    assert!(error.contains("staged:f7x3 does not read back"), "{error}");
}

/// A file may name a device that binds next to nothing, for which a plan would have millions of dispatches.
#[test]
fn what_a_document_asks_for_is_bounded() {
    let problem = Conv::new(1, 1, [3, 3]).padding(1).on([1, 1, 1024, 1024]).expect("legal");
    let plan = Plan::new(&problem, &Caps::webgpu_default(), &Preferences::new()).expect("legal");
    let mut document = written(&plan);
    let limit = document.pointer_mut("/caps/limits/max_storage_buffer_binding_size").expect("a limit");
    *limit = json!(260);
    let start = std::time::Instant::now();
    let error = read(&document).expect_err("too many dispatches");
    let took = start.elapsed();
    assert!(format!("{error:#}").contains("16384"), "the bound is named: {error:#}");
    assert!(took < std::time::Duration::from_secs(5), "{took:?}");
}
