//! `cargo xtask history`: the reports of many nights as one file of times and one page.

use std::path::PathBuf;

use anyhow::Context as _;
use fs_err as fs;

use crate::files;
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
    let lines = options.into.join(LINES);
    let text = if lines.exists() { fs::read_to_string(&lines)? } else { String::new() };
    let mut history = History::parse(&text).with_context(|| format!("in {}", lines.display()))?;
    for path in &options.reports {
        let added = history.add(&files::read_json(path)?);
        println!("{}: {added} times", path.display());
    }
    files::write(&lines, &history.lines()?)?;
    files::write(&options.into.join(PAGE), &history.page())
}
