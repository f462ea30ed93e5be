//! `cargo xtask cold` from outside: what it measures of one layer, and what it refuses.

use std::process::{Command, Output};

use serde_json::Value;

fn cold(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.arg("cold").args(arguments);
    command.output().unwrap_or_else(|error| panic!("{arguments:?}: {error}"))
}

#[test]
fn a_plan_is_timed_cold_and_from_its_stored_cache() {
    let file = std::env::temp_dir().join(format!("winoconv-cold-test-{}.json", std::process::id()));
    let path = file.to_string_lossy();
    let output = cold(&["--layer", "1,4,4,12,12", "--algorithm", "staged:f2x3", "--json", &path]);
    let said = String::from_utf8_lossy(&output.stdout);
    if said.contains("no adapter") {
        assert_ne!(std::env::var("WINOCONV_GPU").as_deref(), Ok("require"), "no adapter: {said}");
        println!("SKIPPED a_plan_is_timed_cold_and_from_its_stored_cache: no adapter");
        return;
    }
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{path}: {error}"));
    std::fs::remove_file(&file).unwrap_or_else(|error| panic!("{path}: {error}"));
    let report: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error} in {text}"));
    let row = &report["rows"][0];
    assert_eq!(row["cold"].as_array().map(Vec::len), Some(4), "three kernels of a run and the packing's: {row}");
    let time = |name: &str| row[name].as_f64().unwrap_or_default();
    let slowest = row["cold"].as_array().into_iter().flatten();
    let slowest = slowest.map(|kernel| kernel["check_ms"].as_f64().unwrap_or_default()).fold(0.0, f64::max);
    assert!(slowest > 0.0 && time("plan_cold_ms") >= slowest, "no faster than a kernel's check: {row}");
    assert_eq!(report["plan_cold"]["worst_ms"].as_f64(), Some(time("plan_cold_ms")), "of one layer: {report}");
    let vulkan = report["device"].as_str().is_some_and(|device| device.contains("Vulkan"));
    assert_eq!(row["cache_bytes"].is_number(), vulkan, "the second process had the first one's cache: {row}");
    assert_eq!(time("plan_cached_ms") > 0.0, vulkan, "{row}");
}

#[test]
fn what_is_asked_for_must_be_there() {
    let said = |arguments: &[&str]| {
        let output = cold(arguments);
        assert!(!output.status.success(), "{arguments:?}");
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
    };
    assert!(said(&[]).contains("--all"), "nothing was asked for");
    assert!(said(&["--suite", "nonexistent"]).contains("there is no suite nonexistent"));
    let refused = said(&["--layer", "1,4,4,12,12", "--algorithm", "inlined:f6x3"]);
    assert!(refused.contains("1 of 1 layers could not be measured"), "{refused}");
    assert!(refused.contains("no adapter") || refused.contains("needs 1444 products written out"), "{refused}");
}
