//! The nightly toolchain and what `ci --full` does with it: Miri and ThreadSanitizer over the CPU's path, and the fuzzers
//! (fuzz.rs).

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, ensure};
use duct::cmd;

use crate::setup;
use crate::steps::{Missing, Steps};

/// Miri interprets, the standard library's sources are built anew with a sanitizer in them.
const COMPONENTS: [&str; 2] = ["miri", "rust-src"];

/// Crossbeam, in rayon, breaks the rules of stacked borrows; tree borrows allow it. It keeps pointers as numbers, which strict
/// provenance forbids. Rayon's threads outlive the tests, which Miri takes for a leak, and no test needs isolation from the
/// system.
const MIRI_FLAGS: &str =
    "-Zmiri-tree-borrows -Zmiri-permissive-provenance -Zmiri-ignore-leaks -Zmiri-disable-isolation";
/// The modules whose unit tests Miri runs: those with unsafe code, and indices. The others plan, sum up references, make
/// shader texts or prove transforms: safe code on one thread.
const MIRI_MODULES: &str = "cpu:: layout:: dtype:: spatial:: plan::wisdom::";
/// Drivers and other libraries that the sanitizer did not build are seen by their locks alone.
const TSAN_OPTIONS: &str = "halt_on_error=1 ignore_noninstrumented_modules=1";

pub(crate) fn ensure(no_install: bool) -> anyhow::Result<()> {
    let install = format!("rustup toolchain install nightly --profile minimal --component {}", COMPONENTS.join(","));
    let listed = cmd!("rustup", "+nightly", "component", "list", "--installed").stderr_null().read();
    let has = |part: &&str| listed.as_ref().is_ok_and(|text| text.lines().any(|line| line.starts_with(part)));
    setup::ensure(COMPONENTS.iter().all(has), "a nightly toolchain with Miri", &install, no_install)
}

/// Has a subcommand of cargo's, built from its sources, which takes minutes.
pub(crate) fn ensure_cargo_tool(name: &str, no_install: bool) -> anyhow::Result<()> {
    let is_installed = cmd!("cargo", name, "--version").stdout_null().stderr_null().run().is_ok();
    let tool = format!("cargo-{name}");
    setup::ensure(is_installed, &tool, &format!("cargo install --locked {tool}"), no_install)
}

/// The CPU's path, instruction by instruction, with plain scalars for registers: what threads do with one output, and that
/// nothing is read or written where it must not be. The twins are left out: they are safe code, and would take hours.
pub(crate) fn miri(steps: &mut Steps, root: &Path, no_install: bool) -> anyhow::Result<()> {
    ensure(no_install)?;
    for tests in [format!("--lib -- {MIRI_MODULES}"), "--test suite -- cpu::layers callers:: --skip on_gpus".to_owned()]
    {
        let arguments = format!("+nightly miri test -p winoconv --no-default-features --features serde {tests}");
        steps.run_tests(rustups_cargo(root, &arguments).env("MIRIFLAGS", MIRI_FLAGS))?;
    }
    Ok(())
}

/// The same tests, and those that share a GPU's device, at full speed: threads as they really run.
pub(crate) fn thread_sanitizer(steps: &mut Steps, root: &Path, no_install: bool) -> anyhow::Result<()> {
    ensure!(!cfg!(windows), Missing("there is none for Windows".to_owned()));
    ensure(no_install)?;
    // Named even though it is this machine's: so build scripts and macros are built without the sanitizer.
    let version = cmd!("rustc", "+nightly", "-vV").read()?;
    let target = version.lines().find_map(|line| line.strip_prefix("host: ")).context("rustc names no host")?;
    for tests in ["--lib -- cpu:: gpu::threads", "--test suite -- cpu:: callers::"] {
        let arguments = format!("+nightly test -Zbuild-std --target {target} -p winoconv --features serde {tests}");
        let mut command = rustups_cargo(root, &arguments);
        steps.run_tests(command.env("RUSTFLAGS", "-Zsanitizer=thread").env("TSAN_OPTIONS", TSAN_OPTIONS))?;
    }
    Ok(())
}

/// rustup's cargo, which takes `+nightly`; the one that runs this verb does not.
pub(crate) fn rustups_cargo(root: &Path, arguments: &str) -> Command {
    let mut command = Command::new("cargo");
    command.args(arguments.split_whitespace()).current_dir(root);
    command
}
