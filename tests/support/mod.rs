//! What the test files share: which GPUs a test runs on and what happens where there is none ([`gpus`]), random
//! data ([`data`]), the problems of the conformance suite ([`problems`]), running one through each entry point
//! ([`entry`]), the bounds of single stages ([`stage`]), the whole space of problems ([`strategies`]), devices that are not
//! here ([`profiles`]) and the ONNX standard's cases ([`onnx`]).
#![allow(dead_code, reason = "each program of tests uses its part")]

pub(crate) mod data;
#[cfg(feature = "gpu")]
pub(crate) mod entry;
#[cfg(feature = "gpu")]
pub(crate) mod gpus;
#[cfg(feature = "gpu")]
pub(crate) mod noop;
pub(crate) mod onnx;
pub(crate) mod problems;
pub(crate) mod profiles;
pub(crate) mod stage;
pub(crate) mod strategies;

use std::fs::OpenOptions;
use std::io::Write;

/// Set for `cargo xtask ci --full`: what takes minutes to compile on a software adapter runs, too.
pub(crate) const EXHAUSTIVE: &str = "WINOCONV_EXHAUSTIVE";

/// Whether it is set.
pub(crate) fn is_exhaustive() -> bool {
    std::env::var_os(EXHAUSTIVE).is_some()
}

/// Every `step`-th one from `first` on; all of them for `cargo xtask ci --full`. Where `first` goes through what they are combined
/// with, each of them occurs.
pub(crate) fn some<T>(all: Vec<T>, first: usize, step: usize) -> Vec<T> {
    if is_exhaustive() { all } else { all.into_iter().skip(first % step).step_by(step).collect() }
}

/// Says that a test did not run, on the terminal and in the file that `WINOCONV_SKIP_LOG` names.
pub(crate) fn skipped(test: &str, reason: &str) {
    let line = format!("SKIPPED {test}: {reason}");
    println!("{line}");
    if let Some(path) = std::env::var_os("WINOCONV_SKIP_LOG") {
        let log = OpenOptions::new().append(true).create(true).open(&path);
        log.and_then(|mut log| writeln!(log, "{line}"))
            .unwrap_or_else(|error| panic!("WINOCONV_SKIP_LOG {}: {error}", path.display()));
    }
}
