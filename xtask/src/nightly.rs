//! The nightly toolchain and what `ci --full` does with it: Miri and ThreadSanitizer over the CPU's path, and the fuzzers
//! (fuzz.rs).

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::Context as _;

use crate::steps::Steps;

/// Miri interprets, the standard library's sources are built anew with a sanitizer in them.
const COMPONENTS: [&str; 2] = ["miri", "rust-src"];

/// Crossbeam, in rayon, breaks the rules of stacked borrows; tree borrows allow it. It keeps pointers as numbers, which strict
/// provenance forbids. Rayon's threads outlive the tests, which Miri takes for a leak, and no test needs isolation from the
/// system.
const MIRI_FLAGS: &str =
    "-Zmiri-tree-borrows -Zmiri-permissive-provenance -Zmiri-ignore-leaks -Zmiri-disable-isolation";
/// The modules whose unit tests Miri runs: those with unsafe code, and indices. The others plan, sum up references, make
/// shader texts or prove transforms: safe code on one thread.
const MIRI_MODULES: &str = "cpu::host layout:: dtype:: spatial:: plan::wisdom::";
/// Drivers and other libraries that the sanitizer did not build are seen by their locks alone.
const TSAN_OPTIONS: &str = "halt_on_error=1 ignore_noninstrumented_modules=1";

/// Has the nightly toolchain with its components.
///
/// # Errors
/// What is missing, and how to get it.
pub(crate) fn ensure(no_install: bool) -> Result<(), String> {
    let wanted = format!("toolchain install nightly --profile minimal --component {}", COMPONENTS.join(","));
    let installed = || {
        let listed = Command::new("rustup").args(["+nightly", "component", "list", "--installed"]).output();
        listed.is_ok_and(|output| {
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            COMPONENTS.iter().all(|component| text.lines().any(|line| line.starts_with(component)))
        })
    };
    if installed() {
        return Ok(());
    }
    if no_install {
        return Err(format!("no nightly toolchain with {}; run `rustup {wanted}`", COMPONENTS.join(" and ")));
    }
    println!("$ rustup {wanted}");
    let done = Command::new("rustup").args(wanted.split(' ')).stdin(Stdio::null()).status();
    if done.is_ok_and(|status| status.success()) && installed() {
        return Ok(());
    }
    Err(format!("no nightly toolchain; `rustup {wanted}` failed"))
}

/// Has a subcommand of cargo's, built from its sources.
///
/// # Errors
/// What is missing, and how to get it.
pub(crate) fn ensure_cargo_tool(name: &str, no_install: bool) -> Result<(), String> {
    let is_there = || Command::new("cargo").args([name, "--version"]).output().is_ok_and(|out| out.status.success());
    if is_there() {
        return Ok(());
    }
    let install = format!("install --locked cargo-{name}");
    if no_install {
        return Err(format!("cargo-{name} is not installed; run `cargo {install}`"));
    }
    println!("$ cargo {install}");
    let done = Command::new("cargo").args(install.split(' ')).stdin(Stdio::null()).status();
    if done.is_ok_and(|status| status.success()) && is_there() {
        return Ok(());
    }
    Err(format!("there is no cargo-{name}, and `cargo {install}` failed"))
}

/// The CPU's path, instruction by instruction, with plain scalars for registers: what threads do with one output, and that
/// nothing is read or written where it must not be.
pub(crate) fn miri(steps: &mut Steps, root: &Path) -> anyhow::Result<()> {
    for tests in [format!("--lib -- {MIRI_MODULES}"), "--test host --test callers".to_owned()] {
        let arguments = format!("+nightly miri test -p winoconv --no-default-features --features serde {tests}");
        let mut command = Command::new("cargo");
        command.args(arguments.split_whitespace()).current_dir(root).env("MIRIFLAGS", MIRI_FLAGS);
        steps.run_tests(&mut command)?;
    }
    Ok(())
}

/// The same tests, and those that share a GPU's device, at full speed: threads as they really run.
pub(crate) fn thread_sanitizer(steps: &mut Steps, root: &Path) -> anyhow::Result<()> {
    // Named even though it is this machine's: so build scripts and macros are built without the sanitizer.
    let target = host()?;
    for tests in ["--lib -- cpu:: gpu::threads", "--test host --test callers"] {
        let arguments = format!("+nightly test -Zbuild-std --target {target} -p winoconv --features serde {tests}");
        let mut command = Command::new("cargo");
        command.args(arguments.split_whitespace()).current_dir(root);
        command.env("RUSTFLAGS", "-Zsanitizer=thread").env("TSAN_OPTIONS", TSAN_OPTIONS);
        steps.run_tests(&mut command)?;
    }
    Ok(())
}

/// This machine's target.
fn host() -> anyhow::Result<String> {
    let output = Command::new("rustc").args(["+nightly", "-vV"]).output().context("running rustc")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = text.lines().find_map(|line| line.strip_prefix("host: ")).context("rustc names no host")?;
    Ok(line.to_owned())
}
