//! `test`: everything a change must pass. What can be set up is set up first; then come the steps in the order in which
//! failing is cheapest. A step that fails does not stop the next. The last line counts the tests and names what was left out.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use crate::steps::{Missing, Outcome, Steps, cargo, run};
use crate::{api, export, files, nightly, setup, tidy};

/// Read by every test that needs a GPU.
pub(crate) const GPU_POLICY: &str = "WINOCONV_GPU";
/// Read by the same tests: part of the name of the only adapters they may take; having none of them is a failure.
const ADAPTER: &str = "WINOCONV_ADAPTER";
/// Names the file to which tests append `SKIPPED <test>: <reason>`.
const SKIP_LOG: &str = "WINOCONV_SKIP_LOG";
/// Names narrower registers than the CPU has.
const SIMD: &str = "WINOCONV_SIMD";

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum GpuPolicy {
    /// It fails.
    Require,
    /// It says that it was skipped, and why.
    Auto,
    /// It is skipped, adapter or not.
    Off,
}

impl GpuPolicy {
    pub(crate) fn name(self) -> String {
        format!("{self:?}").to_lowercase()
    }
}

#[derive(Debug, Clone, clap::Args)]
#[group(id = "test")]
pub(crate) struct Options {
    /// What GPU tests do without an adapter
    #[arg(long, value_enum, env = "WINOCONV_GPU", default_value = "auto")]
    pub(crate) gpu: GpuPolicy,
    /// Only the library's tests, and only on adapters whose name contains this; `swiftshader` is found in a browser's
    /// folder too
    #[arg(long)]
    pub(crate) adapter: Option<String>,
    /// Install nothing; only say what is missing
    #[arg(long)]
    pub(crate) no_install: bool,
}

pub(crate) fn verb(root: &Path, options: &Options) -> ExitCode {
    let mut steps = Steps::default();
    if options.adapter.is_some() {
        steps.step("adapter", |_| adapter(options));
        tests(&mut steps, "tests", root, "-p winoconv --tests", options, &skip_log(root));
    } else {
        all_steps(&mut steps, root, options);
    }
    steps.finish()
}

pub(crate) fn all_steps(steps: &mut Steps, root: &Path, options: &Options) {
    steps.step("format", |_| run(&mut cargo(root, "fmt --all --check")));
    steps.step("tidy", |_| tidy::run(root));
    steps.step("adapter", |_| adapter(options));
    steps.step("spirv-val", |_| setup::ensure_spirv_val(options.no_install));
    steps.step("Dawn", |_| export::find_dawn(root, options.no_install));
    for (name, what) in [
        ("clippy, all targets", "--workspace --all-targets --all-features"),
        ("clippy, library", "-p winoconv -p winoconv-unify --lib --features graph,serde"),
        ("clippy, no default features", "-p winoconv --lib --no-default-features --features graph"),
    ] {
        steps.step(name, |_| run(&mut cargo(root, &format!("clippy {what} -- -D warnings"))));
    }
    steps.step("public items", |_| api::check(root));
    steps.step("docs", |_| docs(root));
    let log = skip_log(root);
    let all = "--workspace --exclude winoconv-bindgen";
    tests(steps, "tests", root, &format!("{all} --lib --bins --tests --examples"), options, &log);
    tests(steps, "doc tests", root, &format!("{all} --doc"), options, &log);
    // Of all libraries, as they are built by now: of one alone they would be built with other features.
    let arguments = format!("test {all} --lib -- cpu::");
    for &registers in narrower_registers() {
        steps.step(&format!("the CPU's kernels, {registers}"), |steps| {
            let mut command = test_command(root, &arguments, options, &log);
            steps.run_tests(command.env(SIMD, registers))
        });
    }
    steps.step("exported plans", |_| export::check(root, options.no_install).map(drop));
    steps.step("package", |_| package(root));
    steps.step("dependencies", |_| deny(root));
}

/// Registers that the CPU's kernels know, and that are narrower than those that the tests before have used.
fn narrower_registers() -> &'static [&'static str] {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx512f") {
        return &["avx2", "scalar"];
    }
    &["scalar"]
}

fn tests(steps: &mut Steps, name: &str, root: &Path, targets: &str, options: &Options, log: &Path) {
    steps.step(name, |steps| {
        let arguments = format!("test {targets} --no-fail-fast");
        let result = steps.run_tests(&mut test_command(root, &arguments, options, log));
        steps.read_skips(log);
        result
    });
}

fn docs(root: &Path) -> anyhow::Result<()> {
    for arguments in [
        "doc -p winoconv --no-deps --all-features",
        "doc --workspace --no-deps --all-features --document-private-items",
    ] {
        run(cargo(root, arguments).env("RUSTDOCFLAGS", "-D warnings"))?;
    }
    Ok(())
}

fn adapter(options: &Options) -> Outcome {
    if options.gpu == GpuPolicy::Off {
        return Outcome::Skipped(format!("{GPU_POLICY}=off"));
    }
    let names = || pollster::block_on(winoconv::gpu::adapters()).into_iter().map(|caps| caps.name);
    let found = names().collect::<Vec<_>>();
    if !found.is_empty() || options.adapter.is_some() {
        return judge_adapters(&found, options, "");
    }
    let setup = setup::install(&setup::VULKAN, options.no_install).err();
    let setup = setup.map(|error| error.to_string()).unwrap_or_default();
    judge_adapters(&names().collect::<Vec<_>>(), options, &setup)
}

/// What the adapters that there are mean; `setup` says why there are no others.
fn judge_adapters(found: &[String], options: &Options, setup: &str) -> Outcome {
    let part = options.adapter.as_deref().unwrap_or_default().to_lowercase();
    let wanted: Vec<&String> = found.iter().filter(|name| name.to_lowercase().contains(&part)).collect();
    wanted.iter().for_each(|name| println!("tests run on {name}"));
    match (&options.adapter, options.gpu) {
        _ if !wanted.is_empty() => Outcome::Passed,
        (Some(part), _) => Outcome::Failed(format!("no adapter is named {part}; there are: {}", found.join(", "))),
        (None, GpuPolicy::Require) => Outcome::Failed(format!("no adapter; {setup}")),
        (None, _) => Outcome::Skipped(format!("no adapter; {setup}")),
    }
}

fn skip_log(root: &Path) -> PathBuf {
    let folder = root.join("target");
    let log = folder.join(format!("skipped-tests-{}.log", std::process::id()));
    // What cannot be made here, the tests that append to it will report.
    let _ = std::fs::create_dir_all(&folder);
    let _ = std::fs::write(&log, "");
    log
}

fn test_command(root: &Path, arguments: &str, options: &Options, log: &Path) -> Command {
    let mut command = cargo(root, arguments);
    command.env(GPU_POLICY, options.gpu.name()).env(SKIP_LOG, log);
    if let Some(part) = &options.adapter {
        command.env(ADAPTER, part);
    }
    command
}

/// What is published holds the sources, the shaders and the papers, and nothing of the workshop.
fn package(root: &Path) -> anyhow::Result<()> {
    let output = cargo(root, "package -p winoconv --list --allow-dirty").output()?;
    anyhow::ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr).trim());
    let text = String::from_utf8_lossy(&output.stdout).replace('\\', "/");
    let listed: Vec<&str> = text.lines().collect();
    let mut expected: Vec<String> =
        ["Cargo.toml", "README.md", "CHANGELOG.md", "LICENSE-MIT", "LICENSE-APACHE"].map(ToOwned::to_owned).into();
    // Packages of their own are left out.
    let is_part = |folder: &str| !root.join(folder).join("Cargo.toml").is_file();
    for folder in ["src", "shaders", "wisdom", "examples"] {
        expected.extend(files::below(root, folder, &is_part)?);
    }
    let workshop = ["xtask/", "fuzz/", "tests/", "benches/", "target/", ".ci/", ".github/", ".cargo/"];
    let missing: Vec<&String> = expected.iter().filter(|file| !listed.contains(&file.as_str())).collect();
    let surplus = listed.iter().filter(|file| workshop.iter().any(|folder| file.starts_with(folder)));
    let surplus: Vec<&&str> = surplus.collect();
    let is_right = missing.is_empty() && surplus.is_empty();
    anyhow::ensure!(is_right, "mend `include` in Cargo.toml: it lacks {missing:?}, and {surplus:?} are no part");
    println!("{} files", listed.len());
    run(&mut cargo(root, "package -p winoconv --no-verify --allow-dirty --quiet"))
}

/// Licences, sources and doubles can be judged from the tree; advisories need a database that may be out of reach.
fn deny(root: &Path) -> anyhow::Result<()> {
    nightly::ensure_cargo_tool("deny", true)?;
    run(&mut cargo(root, "deny --all-features check bans licenses sources"))?;
    let output = cargo(root, "deny --all-features check advisories").output()?;
    let text = String::from_utf8_lossy(&output.stderr);
    let failed = |what: &str| text.contains(&format!("failed to {what} advisory database"));
    let unreachable = "the advisory database is out of reach; bans, licences and sources passed";
    anyhow::ensure!(!failed("fetch") && !failed("load"), Missing(unreachable.to_owned()));
    anyhow::ensure!(output.status.success(), "an advisory stands against a dependency:\n{text}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adapters_are_judged_by_what_was_asked_for() {
        let found = ["llvmpipe (LLVM 15)".to_owned()];
        let judged = |found: &[String], gpu, name: Option<&str>| {
            judge_adapters(found, &Options { gpu, adapter: name.map(ToOwned::to_owned), no_install: true }, "why")
        };
        assert_eq!(judged(&found, GpuPolicy::Require, None), Outcome::Passed);
        assert_eq!(judged(&[], GpuPolicy::Require, None), Outcome::Failed("no adapter; why".into()));
        assert_eq!(judged(&[], GpuPolicy::Auto, None), Outcome::Skipped("no adapter; why".into()));
        assert_eq!(judged(&found, GpuPolicy::Auto, Some("LLVMpipe")), Outcome::Passed);
        let other = "no adapter is named swiftshader; there are: llvmpipe (LLVM 15)";
        assert_eq!(judged(&found, GpuPolicy::Auto, Some("swiftshader")), Outcome::Failed(other.into()));
    }
}
