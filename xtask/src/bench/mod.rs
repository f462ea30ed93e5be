//! `cargo xtask bench`: plans, compiles, verifies and times layers on the GPU and on the CPU, and writes the
//! report.

pub(crate) mod adapter;
pub(crate) mod layers;
pub(crate) mod measure;
pub(crate) mod verify;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use fs_err as fs;
use indicatif::{ProgressBar, ProgressStyle};
use winoconv::kernel::FusedBlocking;
use winoconv::plan::{Cut, Wisdom};
use winoconv::{Algorithm, Device, Preferences};

use crate::report::{self, Report};
use measure::{Effort, Entry, Session};

/// What is measured unless something else is asked for: the algorithms of the investigation's tables and ours.
const ALGORITHMS: &str = "direct,staged:f2x3,staged:f4x3t,staged:f4x3,staged:f6x3,staged:f4qx3,staged:f6qx3";

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    selection: layers::Selection,
    /// Algorithms: direct, staged:f4x3, staged:f4qx3, ...; the planner's own choice is always measured too
    #[arg(long, value_delimiter = ',', default_value = ALGORITHMS)]
    algorithms: Vec<Algorithm>,
    /// Only the planner's own choice for each layer
    #[arg(long, conflicts_with_all = ["algorithms", "blockings"])]
    picks: bool,
    /// A ceiling for every plan's workspace, in MiB [default: the library's]
    #[arg(long, value_name = "MIB")]
    workspace_limit: Option<u64>,
    /// Blockings to measure fused algorithms with, beside the planner's: filters x tiles x channels _ filters x tiles
    /// of an invocation _ round, for instance `32x16x6_8x8_2`
    #[arg(long, value_delimiter = ',', value_name = "BLOCKING")]
    blockings: Vec<FusedBlocking>,
    #[command(flatten)]
    adapter: adapter::Adapter,
    /// Measure on the CPU alone
    #[arg(long)]
    cpu: bool,
    /// Measure on the GPU alone
    #[arg(long, conflicts_with = "cpu")]
    gpu: bool,
    /// Plans by estimate alone, as if nothing had been tuned
    #[arg(long)]
    no_wisdom: bool,
    /// A file of wisdom that counts beside what comes with the library
    #[arg(long, value_name = "FILE", conflicts_with = "no_wisdom")]
    wisdom: Option<PathBuf>,
    /// Fewer and shorter rounds
    #[arg(long)]
    quick: bool,
    /// Also write the report to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Compare with an earlier report
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
    /// Times of others to show beside ours: {"name": {"layer": milliseconds}}
    #[arg(long, value_name = "FILE")]
    peers: Option<PathBuf>,
    /// Where the report goes
    #[arg(long, value_name = "DIR", default_value = "target/bench")]
    out: PathBuf,
}

pub(crate) fn verb(options: &Options) -> anyhow::Result<()> {
    let layers = options.selection.layers()?;
    let effort = if options.quick { Effort::QUICK } else { Effort::FULL };
    let mut report = Report { host: report::Host::here(), ..Default::default() };
    let wisdom = match &options.wisdom {
        Some(path) => {
            let mut all = Wisdom::shipped().as_ref().clone();
            all.merge(read_wisdom(path)?);
            Some(all)
        }
        None => options.no_wisdom.then(Wisdom::new),
    };
    let wise = |device: Device| match &wisdom {
        Some(wisdom) => device.with_wisdom(wisdom.clone()),
        None => device,
    };
    let gpu = if options.cpu { None } else { options.adapter.open_for(&mut report)?.map(wise) };
    let host = (!options.gpu).then(|| wise(Device::cpu()));

    let entries = entries(options);
    let mut preferences = Preferences::new();
    if let Some(limit) = options.workspace_limit {
        preferences = preferences.workspace_limit(limit.saturating_mul(1 << 20));
    }
    report.notes.push(format!(
        "Every plan's workspace is at most {}{}.",
        report::units::bytes(preferences.workspace_limit),
        if options.workspace_limit.is_some() { " (--workspace-limit)" } else { ", the library's default" },
    ));
    let bar = progress(layers.len());
    let mut session = Session::new(preferences);
    for layer in &layers {
        bar.set_message(layer.name.clone());
        let problem = layer.problem()?;
        let trials = verify::Trials::new(problem);
        for device in gpu.iter().chain(&host) {
            if let Err(error) = problem.plan(device, &preferences) {
                report.notes.push(format!("{} has no plan on {}: {error}", layer.name, device.caps().name));
            }
            let entries = measure::with_chosen(device, layer, &preferences, &entries);
            report.rows.extend(session.measure(device, layer, &trials, &entries, effort)?);
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    if let Some(path) = &options.peers {
        add_peers(&mut report, path)?;
    }
    write(options, &report)?;
    let wrong = report.rows.iter().filter(|row| row.rel_l2_error.is_some() && !row.verified).count();
    anyhow::ensure!(wrong == 0, "{wrong} of {} rows are wrong", report.rows.len());
    Ok(())
}

pub(crate) fn read_wisdom(path: &Path) -> anyhow::Result<Wisdom> {
    Wisdom::parse(&fs::read_to_string(path)?).with_context(|| format!("reading {}", path.display()))
}

fn entries(options: &Options) -> Vec<Entry> {
    let asked = options.algorithms.iter().filter(|_| !options.picks);
    let entries = asked.flat_map(|&algorithm| {
        let blockings = options.blockings.iter().filter(move |_| algorithm.family().starts_with("fused"));
        let cut = blockings.map(move |&blocking| Entry { algorithm, cut: Some(Cut::Fused(blocking)) });
        [algorithm.into()].into_iter().chain(cut)
    });
    entries.collect()
}

fn write(options: &Options, report: &Report) -> anyhow::Result<()> {
    println!("{}", report::table::render(report));
    for path in report::write_all(report, &options.out)? {
        println!("{}", path.display());
    }
    if let Some(path) = &options.json {
        report.save(path)?;
        println!("{}", path.display());
    }
    if let Some(path) = &options.baseline {
        let comparison = report::compare::compare(&Report::load(path)?, report);
        println!("{comparison}");
        let page = options.out.join("comparison.md");
        fs::write(&page, comparison)?;
        println!("{}", page.display());
    }
    Ok(())
}

fn add_peers(report: &mut Report, path: &Path) -> anyhow::Result<()> {
    let text = fs::read_to_string(path)?;
    let peers: BTreeMap<String, BTreeMap<String, f64>> =
        serde_json::from_str(&text).with_context(|| format!("reading {}", path.display()))?;
    for row in &mut report.rows {
        let of_layer = peers.iter().filter_map(|(peer, times)| Some((peer.clone(), *times.get(&row.layer)?)));
        row.peers.extend(of_layer);
    }
    Ok(())
}

pub(crate) fn progress(layers: usize) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {msg} ({elapsed})");
    ProgressBar::new(layers as u64).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
