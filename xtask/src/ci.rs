//! `ci`: what the machines run. Without `--full` it is `test`; with it come the checks that take their time: the benches, one
//! pass each, the tests on a second Vulkan, Miri, ThreadSanitizer, the fuzzers and the soak, every kernel through Microsoft's
//! DXC, the page in a browser, and the library's types on every target that it promises to build for.

use std::path::Path;
use std::process::{Command, ExitCode};

use clap::ValueEnum as _;
use duct::cmd;
use winoconv::kernel::KernelSpec;

use crate::fuzz::{self, Target};
use crate::steps::{Missing, Outcome, Steps, cargo, run};
use crate::test::{self, GpuPolicy};
use crate::{driver, hlsl, nightly, setup, web};

/// How long each fuzzer runs here. `cargo xtask fuzz` runs as long as one likes.
const FUZZ_MINUTES: f64 = 2.0;
const SOAK_MINUTES: f64 = 5.0;

/// Targets that are checked from any machine, without their linkers.
pub(crate) const TARGETS: &[&str] =
    &["wasm32-unknown-unknown", "aarch64-apple-darwin", "x86_64-pc-windows-msvc", "aarch64-linux-android"];

type Variables = &'static [(&'static str, &'static str)];

/// Tests that do more if variables say so: a step's name, what cargo runs, and the variables.
const THOROUGH: [(&str, &str, Variables); 5] = [
    (
        "20,000 random problems on the CPU, 2,000 on the GPU",
        "--test suite -- property::bounds --nocapture",
        &[("PROPTEST_CASES", "20000"), ("WINOCONV_GPU_PROBLEMS", "2000")],
    ),
    ("every algorithm through every entry point", "--test suite -- conformance::", &[("WINOCONV_EXHAUSTIVE", "1")]),
    ("every problem on every profile", "--test suite -- planner:: profiles::", &[("WINOCONV_EXHAUSTIVE", "1")]),
    (
        "every variant in every language, and tiles by every algorithm",
        "--test suite -- shaders:: graph::tiling::",
        &[("WINOCONV_EXHAUSTIVE", "1")],
    ),
    (
        "every index of every kernel variant",
        "--test suite -- bounds::every_index --nocapture",
        &[("WINOCONV_BOUNDS", "all")],
    ),
];

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

pub(crate) fn verb(root: &Path, options: &Options) -> ExitCode {
    let mut steps = Steps::default();
    let no_install = options.test.no_install;
    if options.full {
        steps.step("nightly toolchain", |_| nightly::ensure(no_install));
        steps.step("cargo-deny", |_| nightly::ensure_cargo_tool("deny", no_install));
        steps.step("cargo-fuzz", |_| fuzz::ensure_tools(no_install));
    }
    if !options.targets {
        test::all_steps(&mut steps, root, &options.test);
    }
    if options.full {
        steps.step("benches, one pass each", |_| run(&mut cargo(root, "test -p winoconv --benches")));
        for (name, tests, variables) in THOROUGH {
            let mut command = cargo(root, &format!("test -p winoconv --release {tests}"));
            let command = command.envs(variables.iter().copied()).env(test::GPU_POLICY, options.test.gpu.name());
            steps.step(name, |_| run(command));
        }
        steps.step("tests on SwiftShader", tests_on_swiftshader);
        steps.step("Miri", |steps| nightly::miri(steps, root, no_install));
        steps.step("ThreadSanitizer", |steps| nightly::thread_sanitizer(steps, root, no_install));
        for &target in Target::value_variants() {
            let name = format!("fuzz {}, {FUZZ_MINUTES} minutes", target.name());
            steps.step(&name, |_| fuzz::fuzz(root, target, FUZZ_MINUTES, no_install));
        }
        steps.step(&format!("soak, {SOAK_MINUTES} minutes"), |_| run(&mut soak(options.test.gpu)?));
        steps.step("HLSL through DXC", |_| hlsl::judge(root, &KernelSpec::all(), no_install));
        steps.step("page in a browser", |_| web::test(root, no_install).map(drop));
        steps.step("npm package in a browser", |_| web::test_package(root, no_install));
    }
    if options.full || options.targets {
        for target in TARGETS {
            steps.step(&format!("target {target}"), |_| match check_target(root, target, no_install) {
                // Who asks for the targets alone must not be content with none.
                Err(missing) if options.targets => Outcome::Failed(format!("{missing:#}")),
                result => result.into(),
            });
        }
    }
    steps.finish()
}

fn soak(gpu: GpuPolicy) -> anyhow::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["soak", "--minutes", &SOAK_MINUTES.to_string()]);
    if gpu == GpuPolicy::Off {
        command.arg("--no-gpu");
    }
    Ok(command)
}

/// The verb `test --adapter swiftshader`, where there is that driver; its tests count here.
fn tests_on_swiftshader(steps: &mut Steps) -> anyhow::Result<()> {
    driver::swiftshader()?;
    let mut command = Command::new(std::env::current_exe()?);
    steps.run_tests(command.args(["test", "--gpu", "require", "--adapter", driver::SWIFTSHADER]))
}

pub(crate) fn check_target(root: &Path, target: &str, no_install: bool) -> anyhow::Result<()> {
    ensure_target(target, no_install)?;
    run(&mut cargo(root, &format!("check -p winoconv --lib --target {target}")))
}

pub(crate) fn ensure_target(target: &str, no_install: bool) -> anyhow::Result<()> {
    let installed = cmd!("rustup", "target", "list", "--installed").read();
    let installed = installed.map_err(|error| Missing(format!("rustup cannot be run ({error})")))?;
    let is_installed = installed.lines().any(|line| line.trim() == target);
    setup::ensure(is_installed, "the target", &format!("rustup target add {target}"), no_install)
}
