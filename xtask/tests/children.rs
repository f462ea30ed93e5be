//! `cargo xtask compile` and `cold` from outside: each outcome that a machine without a GPU can have, and the others where
//! there is an adapter.

use std::process::{Command, Output};
use std::time::{Duration, Instant};

use serde_json::Value;

const LAYER: [&str; 2] = ["--layer", "1,4,4,12,12"];

fn xtask(verb: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.arg(verb).args(arguments).output().unwrap_or_else(|error| panic!("{verb} {arguments:?}: {error}"))
}

/// The outcome of `compile` with these arguments.
fn compile(arguments: &[&str]) -> Value {
    let output = xtask("compile", &[&LAYER, arguments].concat());
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().last().unwrap_or_default();
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{arguments:?}: {error} in '{text}'"))
}

/// Whether these words say that there is no adapter, where there need not be one.
fn lacks_adapter(words: &str) -> bool {
    let lacks = words.contains("no adapter");
    assert!(!lacks || std::env::var("WINOCONV_GPU").as_deref() != Ok("require"), "no adapter: {words}");
    if lacks {
        println!("SKIPPED: no adapter");
    }
    lacks
}

#[test]
fn a_tiny_limit_ends_the_child() {
    let start = Instant::now();
    let outcome = compile(&["--algorithm", "inlined_nonzero:f4x3", "--limit", "0.001"]);
    assert_eq!(outcome["outcome"], "took_longer", "{outcome}");
    assert_eq!((outcome["limit_ms"].as_f64(), outcome["gone"].as_bool()), (Some(1.0), Some(true)), "{outcome}");
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
}

#[test]
fn what_no_device_can_run_is_refused() {
    let outcome = compile(&["--algorithm", "inlined:f6x3"]);
    assert_eq!(outcome["outcome"], "refused", "{outcome}");
    let output = xtask("cold", &[&LAYER[..], &["--algorithm", "inlined:f6x3"]].concat());
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(!output.status.success() && said.contains("1 of 1 layers could not be measured"), "{said}");
    for words in [&outcome.to_string(), &said] {
        assert!(lacks_adapter(words) || words.contains("needs 1444 products written out"), "{words}");
    }
    let output = xtask("cold", &["--suite", "nonexistent"]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("invalid value 'nonexistent'"));
}

#[test]
fn a_plan_is_compiled_run_and_verified() {
    for (algorithm, kernels) in [("fused:f2x3", 2), ("inlined:f2x3", 3)] {
        let outcome = compile(&["--algorithm", algorithm]);
        if lacks_adapter(&outcome.to_string()) {
            return;
        }
        assert_eq!((&outcome["outcome"], &outcome["run"]["verified"]), (&"compiled".into(), &true.into()), "{outcome}");
        assert_eq!(outcome["kernels"].as_array().map(Vec::len), Some(kernels), "the filters' too: {outcome}");
    }
}

#[test]
fn a_plan_is_timed_cold_and_from_its_stored_cache() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let file = folder.path().join("cold.json");
    let path = file.to_string_lossy();
    let output = xtask("cold", &[&LAYER[..], &["--algorithm", "staged:f2x3", "--json", &path]].concat());
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    if lacks_adapter(&said) {
        return;
    }
    assert!(output.status.success(), "{said}");
    let report: Value = serde_json::from_slice(&std::fs::read(&file).expect("written")).expect("JSON");
    let row = &report["rows"][0];
    assert_eq!(row["cold"].as_array().map(Vec::len), Some(4), "three kernels of a run and the packing's: {row}");
    let time = |name: &str| row[name].as_f64().unwrap_or_default();
    let checks = row["cold"].as_array().into_iter().flatten().filter_map(|kernel| kernel["check_ms"].as_f64());
    let slowest = checks.fold(0.0, f64::max);
    assert!(slowest > 0.0 && time("plan_cold_ms") >= slowest, "no faster than a kernel's check: {row}");
    assert_eq!(report["plan_cold"]["worst_ms"].as_f64(), Some(time("plan_cold_ms")), "of one layer: {report}");
    let vulkan = report["device"].as_str().is_some_and(|device| device.contains("Vulkan"));
    assert_eq!(row["cache_bytes"].is_number(), vulkan, "the second process had the first one's cache: {row}");
    assert_eq!(time("plan_cached_ms") > 0.0, vulkan, "{row}");
}
