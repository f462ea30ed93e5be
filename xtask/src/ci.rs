//! `ci`: what the machines run. Without `--full` it is `test`; with it come the checks that take their time: the benches, one
//! pass each, the tests on a second Vulkan, Miri, ThreadSanitizer, the fuzzers and the soak, every kernel through Microsoft's
//! DXC, the page in a browser, and the library's types on every target that it promises to build for.

use std::path::Path;
use std::process::{Command, ExitCode};

use winoconv::kernel::KernelSpec;

use crate::driver;
use crate::fuzz::{self, Target};
use crate::hlsl;
use crate::nightly;
use crate::steps::{Outcome, Steps, cargo, run};
use crate::test::{self, GpuPolicy, Needs};
use crate::web;

/// How long each fuzzer runs here. `cargo xtask fuzz` runs as long as one likes.
const FUZZ_MINUTES: f64 = 2.0;
/// How long the soak runs here.
const SOAK_MINUTES: f64 = 5.0;

/// Targets that are checked from any machine, without their linkers.
pub(crate) const TARGETS: &[&str] =
    &["wasm32-unknown-unknown", "aarch64-apple-darwin", "x86_64-pc-windows-msvc", "aarch64-linux-android"];

#[derive(Debug, Clone, clap::Args)]
#[group(id = "ci")]
pub(crate) struct Options {
    #[command(flatten)]
    pub(crate) test: test::Options,
    /// Also what is nightly: benches, every index of every kernel, tests on SwiftShader, and every target
    #[arg(long)]
    pub(crate) full: bool,
    /// Only check the targets
    #[arg(long, conflicts_with = "full")]
    pub(crate) targets: bool,
}

/// Runs all steps, prints how they ended, and fails when any of them did.
pub(crate) fn verb(root: &Path, options: &Options, needs: Needs) -> ExitCode {
    let mut steps = Steps::default();
    let no_install = options.test.no_install;
    if options.full {
        steps.step("nightly toolchain", |_| there(nightly::ensure(no_install)));
        steps.step("cargo-deny", |_| there(nightly::ensure_cargo_tool("deny", no_install)));
        steps.step("cargo-fuzz", |_| there(fuzz::ensure_tools(no_install)));
    }
    if !options.targets {
        test::all_steps(&mut steps, root, &options.test, needs);
    }
    if options.full {
        steps.step("benches, one pass each", |_| run(&mut cargo(root, "test -p winoconv --benches")));
        let many = "20,000 random problems on the processor, 2,000 on the GPU";
        steps.step(many, |_| run(&mut random_problems(root, &options.test)));
        steps.step("every index of every kernel variant", |_| run(&mut every_index(root, &options.test)));
        steps.step("tests on SwiftShader", tests_on_swiftshader);
        steps.step("Miri", |steps| with_nightly(no_install, || nightly::miri(steps, root)));
        steps.step("ThreadSanitizer", |steps| match cfg!(windows) {
            true => Outcome::Skipped("there is none for Windows".to_owned()),
            false => with_nightly(no_install, || nightly::thread_sanitizer(steps, root)),
        });
        for target in Target::ALL {
            let name = format!("fuzz {}, {FUZZ_MINUTES} minutes", target.name());
            steps.step(&name, |_| fuzz::step(root, target, FUZZ_MINUTES, no_install));
        }
        steps.step(&format!("soak, {SOAK_MINUTES} minutes"), |_| run(&mut soak(options.test.gpu)?));
        steps.step("HLSL through DXC", |_| hlsl::judge(root, &KernelSpec::all(), no_install));
        steps.step("page in a browser", |_| web::test(root, no_install));
    }
    if options.full || options.targets {
        for target in TARGETS {
            steps.step(&format!("target {target}"), |_| wanted(check_target(root, target, no_install), options));
        }
    }
    steps.finish()
}

fn there(result: Result<(), String>) -> Outcome {
    result.map_or_else(Outcome::Skipped, |()| Outcome::Passed)
}

fn with_nightly(no_install: bool, body: impl FnOnce() -> anyhow::Result<()>) -> Outcome {
    match nightly::ensure(no_install) {
        Ok(()) => body().into(),
        Err(missing) => Outcome::Skipped(missing),
    }
}

/// The verb `soak` in a process of its own, whose memory is the soak's alone.
fn soak(gpu: GpuPolicy) -> anyhow::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["soak", "--minutes", &SOAK_MINUTES.to_string()]);
    if gpu == GpuPolicy::Off {
        command.arg("--no-gpu");
    }
    Ok(command)
}

/// The property tests with many more problems than `test` gives them time for.
fn random_problems(root: &Path, options: &test::Options) -> Command {
    let mut command = cargo(root, "test -p winoconv --release --test property -- bounds --nocapture");
    command.env("PROPTEST_CASES", "20000").env("WINOCONV_GPU_PROBLEMS", "2000");
    command.env("WINOCONV_GPU", options.gpu.name());
    command
}

/// The bounds test with the whole grid of kernels, where `test` gives it time for a sample.
fn every_index(root: &Path, options: &test::Options) -> Command {
    let mut command = cargo(root, "test -p winoconv --release --test bounds -- every_index --nocapture");
    command.env("WINOCONV_BOUNDS", "all").env("WINOCONV_GPU", options.gpu.name());
    command
}

/// The verb `test --adapter swiftshader`, where there is that driver; its tests count here.
fn tests_on_swiftshader(steps: &mut Steps) -> Outcome {
    if let Err(missing) = driver::swiftshader() {
        return Outcome::Skipped(missing.to_string());
    }
    let mut run = || {
        let mut command = Command::new(std::env::current_exe()?);
        steps.run_tests(command.args(["test", "--gpu", "require", "--adapter", driver::SWIFTSHADER]))
    };
    run().into()
}

/// Checks the library's types on a target.
pub(crate) fn check_target(root: &Path, target: &str, no_install: bool) -> Outcome {
    match ensure_target(target, no_install) {
        Ok(()) => run(&mut cargo(root, &format!("check -p winoconv --lib --target {target}"))).into(),
        Err(reason) => Outcome::Skipped(reason),
    }
}

/// Who asks for the targets alone must not be content with none.
fn wanted(outcome: Outcome, options: &Options) -> Outcome {
    match outcome {
        Outcome::Skipped(reason) if options.targets => Outcome::Failed(reason),
        outcome => outcome,
    }
}

/// Has the standard library of `target`, by rustup if need be; the error says why it could not be had.
pub(crate) fn ensure_target(target: &str, no_install: bool) -> Result<(), String> {
    let installed = Command::new("rustup")
        .args(["target", "list", "--installed"])
        .output()
        .map_err(|error| format!("rustup cannot be run ({error})"))?;
    if String::from_utf8_lossy(&installed.stdout).lines().any(|line| line.trim() == target) {
        return Ok(());
    }
    let command = format!("rustup target add {target}");
    if no_install {
        return Err(format!("the target is not installed; run `{command}`"));
    }
    println!("$ {command}");
    let added = Command::new("rustup")
        .args(["target", "add", target])
        .output()
        .map_err(|error| format!("rustup cannot be run ({error})"))?;
    if added.status.success() {
        return Ok(());
    }
    let words = String::from_utf8_lossy(&added.stderr).into_owned();
    let last = words.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("no word of why").trim();
    Err(format!("`{command}` failed: {last}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_that_cannot_be_had_is_told() {
        let reason = ensure_target("no-such-target", true).expect_err("no such target");
        assert!(reason.contains("rustup"), "{reason}");
        let test = || test::Options { gpu: GpuPolicy::Off, adapter: None, no_install: true };
        let check = |targets: bool| {
            let options = Options { test: test(), full: !targets, targets };
            wanted(check_target(Path::new("."), "no-such-target", true), &options)
        };
        assert!(matches!(check(false), Outcome::Skipped(_)));
        assert!(matches!(check(true), Outcome::Failed(_)));
    }
}
