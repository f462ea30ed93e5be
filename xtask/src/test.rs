//! `test`: everything a change must pass. What can be set up is set up first; then come the steps in the order in which
//! failing is cheapest. A step that fails does not stop the next. The last line counts the tests and names what was left out.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use crate::setup::{self, Setup};
use crate::steps::{Outcome, Steps, cargo, run};
use crate::tidy;

/// Read by every test that needs a GPU.
const GPU_POLICY: &str = "WINOCONV_GPU";
/// Read by the same tests: part of the name of the only adapters they may take; having none of them is a failure.
const ADAPTER: &str = "WINOCONV_ADAPTER";
/// Names the file to which tests append `SKIPPED <test>: <reason>`.
const SKIP_LOG: &str = "WINOCONV_SKIP_LOG";

/// What a test does that finds no adapter.
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
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Require => "require",
            Self::Auto => "auto",
            Self::Off => "off",
        }
    }
}

/// What the verb takes from elsewhere: this file knows neither adapters nor shaders.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Needs {
    /// The names of the adapters, software ones included, that can be had now.
    pub(crate) adapters: fn() -> Vec<String>,
    /// Validates every shader variant of the tree.
    pub(crate) check_shaders: fn(&Path) -> anyhow::Result<()>,
    /// Finds another WebGPU that computes; the flag forbids to install it.
    pub(crate) find_dawn: fn(&Path, bool) -> Outcome,
    /// Runs exported plans on it.
    pub(crate) check_exports: fn(&Path, bool) -> Outcome,
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

/// Names narrower registers than the processor has.
const SIMD: &str = "WINOCONV_SIMD";

/// Runs all steps, prints how they ended, and fails when any of them did.
pub(crate) fn verb(root: &Path, options: &Options, needs: Needs) -> ExitCode {
    let mut steps = Steps::default();
    if options.adapter.is_some() {
        adapter_steps(&mut steps, root, options, needs);
    } else {
        all_steps(&mut steps, root, options, needs);
    }
    steps.finish()
}

/// The steps of `test`, to which `ci` adds its own.
pub(crate) fn all_steps(steps: &mut Steps, root: &Path, options: &Options, needs: Needs) {
    steps.step("format", |_| run(&mut cargo(root, "fmt --all --check")));
    steps.step("tidy", |_| tidy::run(root));
    steps.step("adapter", |_| adapter(options, needs));
    steps.step("spirv-val", |_| tool("spirv-val", options));
    steps.step("Dawn", |_| (needs.find_dawn)(root, options.no_install));
    steps.step("clippy, library", |_| run(&mut cargo(root, "clippy -p winoconv --lib --all-features -- -D warnings")));
    steps.step("clippy, all targets", |_| {
        run(&mut cargo(root, "clippy --workspace --all-targets --all-features -- -D warnings"))
    });
    steps.step("clippy, no default features", |_| {
        run(&mut cargo(root, "clippy -p winoconv --lib --no-default-features -- -D warnings"))
    });
    steps.step("check, no default features", |_| run(&mut cargo(root, "check -p winoconv --no-default-features")));
    steps.step("docs", |_| docs(root));
    let log = skip_log(root);
    tests(
        steps,
        "tests",
        root,
        "--workspace --exclude winoconv-bindgen --lib --bins --tests --examples",
        options,
        &log,
    );
    tests(steps, "doc tests", root, "--workspace --exclude winoconv-bindgen --doc", options, &log);
    // Of all libraries, as they are built by now: of one alone they would be built with other features.
    let arguments = "test --workspace --exclude winoconv-bindgen --lib -- cpu::host";
    for registers in ["avx2", "scalar"] {
        steps.step(&format!("the processor's kernels, {registers}"), |steps| {
            let mut command = test_command(root, arguments, options, &log);
            steps.run_tests(command.env(SIMD, registers))
        });
    }
    steps.step("shaders", |_| (needs.check_shaders)(root));
    steps.step("exported plans", |_| (needs.check_exports)(root, options.no_install));
    steps.step("package", |_| package(root));
    steps.step("dependencies", |_| deny(root));
}

/// The steps of `test --adapter`: what one more adapter can tell.
fn adapter_steps(steps: &mut Steps, root: &Path, options: &Options, needs: Needs) {
    steps.step("adapter", |_| adapter(options, needs));
    tests(steps, "tests", root, "-p winoconv --tests", options, &skip_log(root));
}

fn tests(steps: &mut Steps, name: &str, root: &Path, targets: &str, options: &Options, log: &Path) {
    steps.step(name, |steps| {
        let arguments = format!("test {targets} --no-fail-fast");
        let result = steps.run_tests(&mut test_command(root, &arguments, options, log));
        steps.read_skips(log);
        result
    });
}

/// The docs as a user sees them, then with what is private: each finds other broken links.
fn docs(root: &Path) -> anyhow::Result<()> {
    for arguments in [
        "doc -p winoconv --no-deps --all-features",
        "doc --workspace --no-deps --all-features --document-private-items",
    ] {
        run(cargo(root, arguments).env("RUSTDOCFLAGS", "-D warnings"))?;
    }
    Ok(())
}

fn adapter(options: &Options, needs: Needs) -> Outcome {
    if options.gpu == GpuPolicy::Off {
        return Outcome::Skipped(format!("{GPU_POLICY}=off"));
    }
    let has_adapter = || {
        let names = (needs.adapters)();
        let wanted = |name: &&String| match &options.adapter {
            Some(part) => name.to_lowercase().contains(&part.to_lowercase()),
            None => true,
        };
        names.iter().filter(wanted).inspect(|name| println!("tests run on {name}")).count() > 0
    };
    if has_adapter() {
        return Outcome::Passed;
    }
    if let Some(part) = &options.adapter {
        return Outcome::Failed(format!("no adapter is named {part}; there are: {}", (needs.adapters)().join(", ")));
    }
    let setup = setup::ensure_vulkan(options.no_install);
    if setup.is_there() && has_adapter() {
        return Outcome::Passed;
    }
    let reason = format!("no adapter; {setup}");
    match options.gpu {
        GpuPolicy::Require => Outcome::Failed(reason),
        GpuPolicy::Auto | GpuPolicy::Off => Outcome::Skipped(reason),
    }
}

fn tool(name: &str, options: &Options) -> Outcome {
    match setup::ensure_tool(name, options.no_install) {
        Setup::Present | Setup::Installed { .. } => Outcome::Passed,
        missing => Outcome::Skipped(missing.to_string()),
    }
}

/// An empty log of this run's own.
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
    let mut command = cargo(root, "package -p winoconv --list --allow-dirty");
    let output = command.output()?;
    anyhow::ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr).trim());
    let text = String::from_utf8_lossy(&output.stdout).replace('\\', "/");
    let listed: Vec<&str> = text.lines().collect();
    let mut expected: Vec<String> =
        ["Cargo.toml", "README.md", "CHANGELOG.md", "LICENSE-MIT", "LICENSE-APACHE"].map(ToOwned::to_owned).into();
    for folder in ["src", "shaders", "wisdom", "examples"] {
        files_below(root, folder, &mut expected)?;
    }
    let complaints = package_complaints(&listed, &expected);
    anyhow::ensure!(complaints.is_empty(), "{}", complaints.join("; "));
    println!("{} files", listed.len());
    run(&mut cargo(root, "package -p winoconv --no-verify --allow-dirty --quiet"))
}

fn package_complaints(listed: &[&str], expected: &[String]) -> Vec<String> {
    const WORKSHOP: &[&str] = &["xtask/", "fuzz/", "tests/", "benches/", "target/", ".ci/", ".github/", ".cargo/"];
    let missing = expected
        .iter()
        .filter(|file| !listed.contains(&file.as_str()))
        .map(|file| format!("{file} is not packaged; mend `include` in Cargo.toml"));
    let surplus = listed
        .iter()
        .filter(|file| WORKSHOP.iter().any(|folder| file.starts_with(folder)))
        .map(|file| format!("{file} is packaged; mend `include` in Cargo.toml"));
    missing.chain(surplus).collect()
}

fn files_below(root: &Path, folder: &str, files: &mut Vec<String>) -> anyhow::Result<()> {
    let here = root.join(folder);
    if !here.is_dir() {
        return Ok(());
    }
    for entry in std::fs::read_dir(here)? {
        let entry = entry?;
        let path = format!("{folder}/{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            // A package of its own is none of this one's files.
            if entry.path().join("Cargo.toml").is_file() {
                continue;
            }
            files_below(root, &path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}

/// Licences, sources and doubles can be judged from the tree; advisories need a database that may be out of reach.
fn deny(root: &Path) -> Outcome {
    if !cargo(root, "deny --version").output().is_ok_and(|output| output.status.success()) {
        return Outcome::Skipped(
            "cargo-deny is not installed, which takes minutes to build; run `cargo install --locked cargo-deny`".into(),
        );
    }
    if let Err(error) = run(&mut cargo(root, "deny --all-features check bans licenses sources")) {
        return Outcome::Failed(error.to_string());
    }
    let mut command = cargo(root, "deny --all-features check advisories");
    match command.output() {
        Ok(output) if output.status.success() => Outcome::Passed,
        Ok(output) => {
            let text = String::from_utf8_lossy(&output.stderr);
            if is_unreachable(&text) {
                return Outcome::Skipped(
                    "the advisory database is out of reach; bans, licences and sources passed".into(),
                );
            }
            eprintln!("{text}");
            Outcome::Failed("an advisory stands against a dependency".into())
        }
        Err(error) => Outcome::Failed(error.to_string()),
    }
}

/// Whether cargo-deny's words mean that it could not get its database, and so judged nothing.
fn is_unreachable(text: &str) -> bool {
    text.contains("failed to fetch advisory database") || text.contains("failed to load advisory database")
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: Needs = Needs {
        adapters: Vec::new,
        check_shaders: |_| Ok(()),
        find_dawn: |_, _| Outcome::Passed,
        check_exports: |_, _| Outcome::Passed,
    };
    const FOUND: Needs = Needs { adapters: || vec!["llvmpipe (LLVM 15)".to_owned()], ..NONE };

    #[test]
    fn a_missing_adapter_is_judged_by_the_policy() {
        let with = |gpu| Options { gpu, adapter: None, no_install: true };
        assert_eq!(adapter(&with(GpuPolicy::Require), FOUND), Outcome::Passed);
        assert!(matches!(adapter(&with(GpuPolicy::Require), NONE), Outcome::Failed(_)));
        assert!(matches!(adapter(&with(GpuPolicy::Auto), NONE), Outcome::Skipped(_)));
        assert!(matches!(adapter(&with(GpuPolicy::Off), FOUND), Outcome::Skipped(_)));
    }

    #[test]
    fn an_adapter_that_is_named_must_be_there() {
        let named = |name: &str| Options { gpu: GpuPolicy::Auto, adapter: Some(name.to_owned()), no_install: true };
        assert_eq!(adapter(&named("LLVMpipe"), FOUND), Outcome::Passed);
        let Outcome::Failed(why) = adapter(&named("swiftshader"), FOUND) else { panic!("another adapter will not do") };
        assert!(why.contains("swiftshader") && why.contains("llvmpipe"), "{why}");
    }

    #[test]
    fn a_package_lacks_nothing_and_holds_no_workshop() {
        let expected = ["src/lib.rs".to_owned(), "shaders/kernel/direct.wgsl".to_owned()];
        assert_eq!(package_complaints(&["src/lib.rs", "shaders/kernel/direct.wgsl"], &expected), [""; 0]);
        let complaints = package_complaints(&["src/lib.rs", "xtask/src/main.rs"], &expected);
        assert_eq!(complaints.len(), 2);
        assert!(complaints[0].starts_with("shaders/kernel/direct.wgsl is not packaged"), "{complaints:?}");
        assert!(complaints[1].starts_with("xtask/src/main.rs is packaged"), "{complaints:?}");
    }

    #[test]
    fn tests_get_the_policy_and_the_log() {
        let options = Options { gpu: GpuPolicy::Require, adapter: Some("swift".into()), no_install: true };
        let command = test_command(Path::new("."), "test", &options, Path::new("skips"));
        let value = |name: &str| command.get_envs().find(|(key, _)| *key == name).and_then(|(_, value)| value);
        assert_eq!(value(GPU_POLICY), Some("require".as_ref()));
        assert_eq!(value(SKIP_LOG), Some("skips".as_ref()));
        assert_eq!(value(ADAPTER), Some("swift".as_ref()));
    }
}
