//! `cargo xtask fuzz`: libFuzzer on what is read from files, from the seeds in `fuzz/seeds` and from what earlier runs found.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};

use crate::nightly;
use crate::steps::{Outcome, run};

/// Longest input, in bytes: several times a long document.
const LONGEST: u32 = 1 << 16;
/// Most memory of the process, in MiB, the sanitizer's share included. What one input may take is in fuzz/src/budget.rs.
const MEMORY: u32 = 4096;
/// Most seconds for one input, by the clock: a hang. What one input may take of the processor is in fuzz/src/budget.rs.
const HANG: u32 = 600;

/// Options of `fuzz`.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Options {
    /// What is read; all of them by default, one after the other
    #[arg(long, value_enum)]
    target: Option<Target>,
    /// How long, for each
    #[arg(long, default_value_t = 60.0)]
    minutes: f64,
    /// Other inputs than in the last run [default: libFuzzer's choice]
    #[arg(long)]
    seed: Option<u32>,
    /// Install nothing; only say what is missing
    #[arg(long)]
    no_install: bool,
}

/// What is read from files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
#[value(rename_all = "snake_case")]
pub(crate) enum Target {
    /// A plan's document
    Document,
    /// Measurements as text
    Wisdom,
    /// The envelope of a stored pipeline cache
    PipelineCache,
}

impl Target {
    pub(crate) const ALL: [Self; 3] = [Self::Document, Self::Wisdom, Self::PipelineCache];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Document => "document",
            Self::Wisdom => "wisdom",
            Self::PipelineCache => "pipeline_cache",
        }
    }
}

/// Runs the verb.
pub(crate) fn verb(root: &Path, options: &Options) -> anyhow::Result<()> {
    ensure_tools(options.no_install).map_err(anyhow::Error::msg)?;
    let targets = options.target.map_or(Target::ALL.to_vec(), |target| vec![target]);
    targets.into_iter().try_for_each(|target| fuzz(root, target, options.minutes, options.seed))
}

/// A step of `ci --full`.
pub(crate) fn step(root: &Path, target: Target, minutes: f64, no_install: bool) -> Outcome {
    match ensure_tools(no_install) {
        Ok(()) => fuzz(root, target, minutes, None).into(),
        Err(missing) => Outcome::Skipped(missing),
    }
}

/// Has the nightly toolchain and cargo-fuzz.
///
/// # Errors
/// What is missing, and how to get it.
pub(crate) fn ensure_tools(no_install: bool) -> Result<(), String> {
    if cfg!(windows) {
        return Err("cargo-fuzz does not run on Windows; tests/corpus.rs holds the same invariants".to_owned());
    }
    nightly::ensure(no_install)?;
    nightly::ensure_cargo_tool("fuzz", no_install)
}

/// Fuzzes one target. What is found new stays in `target/fuzz/corpus`; an input that breaks an invariant is in
/// `target/fuzz/artifacts`, and cargo-fuzz says how to run it alone.
fn fuzz(root: &Path, target: Target, minutes: f64, seed: Option<u32>) -> anyhow::Result<()> {
    let home = root.join("target/fuzz");
    let folder = |name: &str| -> anyhow::Result<PathBuf> {
        let folder = home.join(name).join(target.name());
        std::fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
        Ok(folder)
    };
    let (corpus, artifacts) = (folder("corpus")?, folder("artifacts")?);
    let seeds = root.join("fuzz/seeds").join(target.name());
    ensure!(seeds.is_dir(), "{} is missing; run `WINOCONV_BLESS=1 cargo test --test corpus`", seeds.display());
    let mut command = Command::new("cargo");
    command.args(["+nightly", "fuzz", "run", "--fuzz-dir", "fuzz", "--target-dir"]).arg(home.join("build"));
    command.arg(target.name()).arg(corpus).arg(seeds).arg("--");
    command.arg(format!("-artifact_prefix={}/", artifacts.display()));
    let seconds = (60.0 * minutes).max(1.0);
    command.arg(format!("-max_total_time={seconds:.0}")).arg(format!("-max_len={LONGEST}"));
    command.arg(format!("-rss_limit_mb={MEMORY}")).arg(format!("-timeout={HANG}")).arg("-print_final_stats=1");
    if let Some(seed) = seed {
        command.arg(format!("-seed={seed}"));
    }
    run(command.current_dir(root).stdin(Stdio::null()))
}
