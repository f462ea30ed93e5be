//! `cargo xtask study`: the investigation's tables measured anew on the adapter at hand, kept as a file for each adapter,
//! and `docs/STUDY.md` written from all of them. With `--json` it needs neither cargo nor the sources.

mod investigation;
mod measure;
mod record;
mod render;
#[cfg(test)]
mod tests;
mod verdict;

use std::path::{Path, PathBuf};
use std::time::Duration;

use fs_err as fs;
use winoconv::plan::Wisdom;

use crate::bench::adapter::Adapter;
use crate::bench::measure::Effort;
use crate::report::{Host, Report};
use crate::{compile, files};
use record::Study;

pub(crate) const PAGE: &str = "docs/STUDY.md";
/// What it is written from.
const FOLDER: &str = "docs/study";

#[derive(Debug, clap::Args)]
#[group(id = "study")]
pub(crate) struct Options {
    #[command(flatten)]
    adapter: Adapter,
    /// Measure nothing; write the page from the files
    #[arg(long)]
    render: bool,
    /// Only these layers of the benchmark's table [default: the investigation's, larger ones, on hardware large ones]
    #[arg(long, value_delimiter = ',', value_name = "NAME")]
    layers: Vec<String>,
    /// Seconds that compiling and first running an algorithm may take
    #[arg(long, default_value = "120", value_parser = compile::seconds)]
    limit: Duration,
    /// Fewer and shorter rounds
    #[arg(long)]
    quick: bool,
    /// Write this file, and a page of this adapter alone beside it, instead of the project's
    #[arg(long, value_name = "FILE", conflicts_with = "render")]
    json: Option<PathBuf>,
}

pub(crate) fn verb(root: &Path, options: &Options) -> anyhow::Result<()> {
    if options.render {
        return files::write(&root.join(PAGE), &render::page(&load(root)?));
    }
    let study = measured(options)?;
    let wrong = study.wrong();
    match &options.json {
        Some(path) => {
            files::write(path, &files::to_json(&study)?)?;
            files::write(&path.with_extension("md"), &render::page(&[study]))?;
        }
        None => {
            files::write(&root.join(FOLDER).join(study.slug() + ".json"), &files::to_json(&study)?)?;
            files::write(&root.join(PAGE), &render::page(&load(root)?))?;
        }
    }
    anyhow::ensure!(wrong.is_empty(), "wrong results: {}", wrong.join(", "));
    Ok(())
}

pub(crate) fn stale(root: &Path) -> anyhow::Result<Option<String>> {
    let studies = load(root)?;
    let page = fs::read_to_string(root.join(PAGE)).ok();
    Ok(match page {
        None if studies.is_empty() => None,
        Some(page) if page == render::page(&studies) => None,
        _ => Some(format!("is not what the files in {FOLDER} give; run `cargo xtask study --render`")),
    })
}

fn load(root: &Path) -> anyhow::Result<Vec<Study>> {
    if !root.join(FOLDER).is_dir() {
        return Ok(Vec::new());
    }
    let mut paths = files::below(root, FOLDER, &|_| false)?;
    paths.retain(|path| path.ends_with(".json"));
    paths.sort();
    paths.iter().map(|path| files::read_json(&root.join(path))).collect()
}

fn measured(options: &Options) -> anyhow::Result<Study> {
    let mut report = Report { host: Host::here(), ..Default::default() };
    let device = options.adapter.open_for(&mut report)?;
    let (Some(device), Some(adapter)) = (device, report.adapter) else {
        anyhow::bail!("the study needs an adapter: {}", report.notes.join(" "));
    };
    // The study is of the planner as it is, with nothing tuned.
    let device = device.with_wisdom(Wisdom::new());
    let mut study = Study { adapter, host: report.host, notes: report.notes, entries: Vec::new() };
    let effort = if options.quick { Effort::QUICK } else { Effort::FULL };
    measure::fill(&mut study, &device, &measure::layers(&device, &options.layers)?, effort, options.limit)?;
    Ok(study)
}
