//! `cargo xtask compile` from outside: each outcome that a machine without a GPU can have, and the others where there is
//! an adapter.

use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

/// The outcome of `compile` with these arguments.
fn compile(arguments: &[&str]) -> Value {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.args(["compile", "--layer", "1,4,4,12,12"]).args(arguments);
    let output = command.output().unwrap_or_else(|error| panic!("{arguments:?}: {error}"));
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().last().unwrap_or_default();
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{arguments:?}: {error} in '{text}'"))
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
    let message = outcome["message"].as_str().unwrap_or_default();
    let no_adapter = message.contains("no adapter");
    assert!(no_adapter || message.contains("needs 1444 products written out"), "{message}");
}

#[test]
fn a_plan_is_compiled_run_and_verified() {
    for algorithm in ["fused:f2x3", "inlined:f2x3"] {
        let outcome = compile(&["--algorithm", algorithm]);
        if outcome["outcome"] == "refused" && outcome["message"].as_str().is_some_and(|m| m.contains("no adapter")) {
            assert_ne!(std::env::var("WINOCONV_GPU").as_deref(), Ok("require"), "no adapter: {outcome}");
            println!("SKIPPED a_plan_is_compiled_run_and_verified: no adapter");
            return;
        }
        assert_eq!(outcome["outcome"], "compiled", "{outcome}");
        assert_eq!(outcome["run"]["verified"], true, "{outcome}");
        let kernels = outcome["kernels"].as_array().map(Vec::len);
        assert_eq!(kernels, Some(if algorithm == "fused:f2x3" { 2 } else { 3 }), "the filters' too: {outcome}");
    }
}
