//! `cargo xtask history`: the reports of many nights as one file of times and one page.

use std::path::PathBuf;

use anyhow::Context as _;
use fs_err as fs;

use crate::report::Report;
use crate::report::history::History;

/// All times, a line of JSON each.
const LINES: &str = "history.jsonl";
const PAGE: &str = "index.html";

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

pub(crate) fn verb(options: &Options) -> anyhow::Result<()> {
    fs::create_dir_all(&options.into)?;
    let lines = options.into.join(LINES);
    let text = if lines.exists() { fs::read_to_string(&lines)? } else { String::new() };
    let mut history = History::parse(&text).with_context(|| format!("in {}", lines.display()))?;
    for path in &options.reports {
        let added = history.add(&Report::load(path)?);
        println!("{}: {added} times", path.display());
    }
    for (path, text) in [(lines, history.lines()?), (options.into.join(PAGE), history.page()?)] {
        fs::write(&path, text)?;
        println!("{}", path.display());
    }
    Ok(())
}
