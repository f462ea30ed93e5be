//! `cargo xtask history`: the reports of many nights as one file of times and one page.

use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::report::Report;
use crate::report::history::History;

/// All times, a line of JSON each.
const LINES: &str = "history.jsonl";
const PAGE: &str = "index.html";

/// Options of `history`.
#[derive(Debug, clap::Args)]
#[group(id = "history")]
pub(crate) struct Options {
    /// Reports to add, as `bench --json` writes them
    #[arg(value_name = "REPORT")]
    reports: Vec<PathBuf>,
    /// Where history.jsonl and index.html are
    #[arg(long, value_name = "DIR", default_value = "target/history")]
    into: PathBuf,
}

/// Adds reports, and draws the page anew.
pub(crate) fn verb(options: &Options) -> anyhow::Result<()> {
    let mut history = read(&options.into.join(LINES))?;
    for path in &options.reports {
        let added = history.add(&Report::load(path)?);
        println!("{}: {added} times", path.display());
    }
    std::fs::create_dir_all(&options.into).with_context(|| format!("cannot make {}", options.into.display()))?;
    for (name, text) in [(LINES, history.lines()?), (PAGE, history.page()?)] {
        let path = options.into.join(name);
        std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        println!("{}", path.display());
    }
    Ok(())
}

fn read(path: &Path) -> anyhow::Result<History> {
    match std::fs::read_to_string(path) {
        Ok(text) => History::parse(&text).with_context(|| format!("in {}", path.display())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(History::default()),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}
