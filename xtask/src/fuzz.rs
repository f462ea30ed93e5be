//! `cargo xtask fuzz`: libFuzzer on what is read from files, from the seeds in `fuzz/seeds` and from what earlier runs found.

use std::path::Path;

use anyhow::ensure;
use clap::ValueEnum as _;

use crate::nightly;
use crate::steps::{Missing, run};

/// Longest input, in bytes: several times a long document.
const LONGEST: u32 = 1 << 16;
/// Most memory of the process, in MiB, the sanitizer's share included. What one input may take is in fuzz/src/budget.rs.
const MEMORY: u32 = 4096;
/// Most seconds for one input, by the clock: a hang. What one input may take of the CPU is in fuzz/src/budget.rs.
const HANG: u32 = 600;

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Options {
    /// What is read; all of them by default, one after the other
    #[arg(long, value_enum)]
    target: Option<Target>,
    /// How long, for each
    #[arg(long, default_value_t = 60.0)]
    minutes: f64,
    /// Install nothing; only say what is missing
    #[arg(long)]
    no_install: bool,
}

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
    pub(crate) fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }
}

pub(crate) fn verb(root: &Path, options: &Options) -> anyhow::Result<()> {
    let targets = options.target.map_or(Target::value_variants().to_vec(), |target| vec![target]);
    let fuzz = |target| fuzz(root, target, options.minutes, options.no_install);
    targets.into_iter().try_for_each(fuzz)
}

pub(crate) fn ensure_tools(no_install: bool) -> anyhow::Result<()> {
    let no_windows = "cargo-fuzz does not run on Windows; tests/suite/corpus.rs holds the same invariants";
    ensure!(!cfg!(windows), Missing(no_windows.to_owned()));
    nightly::ensure(no_install)?;
    nightly::ensure_cargo_tool("fuzz", no_install)
}

/// Fuzzes one target. What is found new stays in `target/fuzz/corpus`; an input that breaks an invariant is in
/// `target/fuzz/artifacts`, and cargo-fuzz says how to run it alone.
pub(crate) fn fuzz(root: &Path, target: Target, minutes: f64, no_install: bool) -> anyhow::Result<()> {
    ensure_tools(no_install)?;
    let name = target.name();
    let seeds = format!("fuzz/seeds/{name}");
    ensure!(root.join(&seeds).is_dir(), "{seeds} is missing; run `WINOCONV_BLESS=1 cargo test --test suite corpus::`");
    let [corpus, artifacts] = ["corpus", "artifacts"].map(|folder| format!("target/fuzz/{folder}/{name}"));
    for folder in [&corpus, &artifacts] {
        fs_err::create_dir_all(root.join(folder))?;
    }
    let seconds = (60.0 * minutes).max(1.0);
    let arguments = format!(
        "+nightly fuzz run --fuzz-dir fuzz --target-dir target/fuzz/build {name} {corpus} {seeds} -- \
         -artifact_prefix={artifacts}/ -max_total_time={seconds:.0} -max_len={LONGEST} -rss_limit_mb={MEMORY} \
         -timeout={HANG} -print_final_stats=1"
    );
    run(&mut nightly::rustups_cargo(root, &arguments))
}
