//! `cargo xtask bench`: plans, compiles, verifies and times layers on the GPU and on the processor, and writes the
//! report.

pub(crate) mod adapter;
pub(crate) mod data;
pub(crate) mod layers;
pub(crate) mod measure;
pub(crate) mod verify;

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use winoconv::kernel::FusedBlocking;
use winoconv::plan::{Cut, Wisdom};
use winoconv::{Algorithm, Device, Preferences};

use crate::report::{self, Report};
use measure::{Effort, Entry, Session};

/// What is measured unless something else is asked for: the algorithms of the investigation's tables and ours.
const ALGORITHMS: &str = "direct,staged:f2x3,staged:f4x3t,staged:f4x3,staged:f6x3,staged:f4qx3,staged:f6qx3";

/// Options of `bench`.
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
    /// Part of an adapter's name, or `software` [default: the best hardware, else a software adapter]
    #[arg(long)]
    pub(crate) adapter: Option<String>,
    /// Measure on the processor alone
    #[arg(long)]
    cpu: bool,
    /// Measure on the GPU alone
    #[arg(long, conflicts_with = "cpu")]
    gpu: bool,
    /// Shaders that check every index and loop while they run
    #[arg(long)]
    checked: bool,
    /// Plans by estimate alone, as if nothing had been tuned
    #[arg(long)]
    no_wisdom: bool,
    /// A file of wisdom that counts beside what comes with the library
    #[arg(long, value_name = "FILE", conflicts_with = "no_wisdom")]
    wisdom: Option<PathBuf>,
    /// Fewer and shorter rounds
    #[arg(long)]
    quick: bool,
    /// Never install a driver
    #[arg(long)]
    no_install: bool,
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

/// Runs the benchmark. Fails if a row is wrong.
pub(crate) fn verb(options: &Options) -> anyhow::Result<()> {
    let layers = options.selection.layers()?;
    let effort = if options.quick { Effort::QUICK } else { Effort::FULL };
    let mut report = Report { host: host(), ..Default::default() };
    let asked =
        adapter::Asked { name: options.adapter.as_deref(), checked: options.checked, no_install: options.no_install };
    let wisdom = match (&options.wisdom, options.no_wisdom) {
        (Some(path), _) => {
            let text = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
            let mut all = Wisdom::shipped().as_ref().clone();
            all.merge(Wisdom::parse(&text).with_context(|| format!("reading {}", path.display()))?);
            Some(all)
        }
        (None, true) => Some(Wisdom::new()),
        (None, false) => None,
    };
    let wise = |device: Device| match &wisdom {
        Some(wisdom) => device.with_wisdom(wisdom.clone()),
        None => device,
    };
    let gpu = if options.cpu { None } else { adapter::open(&asked, &mut report)?.map(wise) };
    let host = wise(Device::host());
    let with_cpu = !options.gpu;

    let entries = entries(options);
    let preferences = preferences(options);
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
        let trials = verify::Trials::new(&problem);
        let mut of = |device: &Device| {
            if let Err(error) = problem.plan(device, &preferences) {
                report.notes.push(format!("{} has no plan on {}: {error}", layer.name, device.caps().name));
            }
            measure::with_chosen(device, layer, &preferences, &entries)
        };
        if let Some(device) = &gpu {
            let algorithms = of(device);
            report.rows.extend(measure::on_gpu(&mut session, device, layer, &trials, &algorithms, effort)?);
        }
        if with_cpu {
            let algorithms = of(&host);
            report.rows.extend(measure::on_cpu(&host, layer, &preferences, &trials, &algorithms, effort)?);
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

/// What is asked of every plan.
fn preferences(options: &Options) -> Preferences {
    match options.workspace_limit {
        Some(limit) => Preferences::new().workspace_limit(limit.saturating_mul(1 << 20)),
        None => Preferences::new(),
    }
}

/// The algorithms that were asked for, the fused ones with each blocking too; none where the planner's choice is enough.
fn entries(options: &Options) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    if options.picks {
        return entries;
    }
    for &algorithm in &options.algorithms {
        entries.push(algorithm.into());
        if algorithm.family().starts_with("fused") {
            entries
                .extend(options.blockings.iter().map(|&blocking| Entry { algorithm, cut: Some(Cut::Fused(blocking)) }));
        }
    }
    entries
}

fn write(options: &Options, report: &Report) -> anyhow::Result<()> {
    let width = comfy_table::Table::new().width().map_or(150, usize::from);
    println!("{}", report::table::render(report, width));
    for path in report::write_all(report, &options.out)? {
        println!("{}", path.display());
    }
    if let Some(path) = &options.json {
        report.save(path)?;
        println!("{}", path.display());
    }
    if let Some(path) = &options.baseline {
        let old = Report::load(path)?;
        let comparison = report::compare::compare(&old, report);
        println!("{}", comparison.render(width));
        let page = options.out.join("comparison.md");
        std::fs::write(&page, comparison.markdown()).with_context(|| format!("writing {}", page.display()))?;
        println!("{}", page.display());
    }
    Ok(())
}

/// This machine, this crate, now.
pub(crate) fn host() -> report::Host {
    report::Host::here(winoconv::VERSION, &jiff::Timestamp::now().to_string())
}

fn add_peers(report: &mut Report, path: &Path) -> anyhow::Result<()> {
    let text = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    let peers: std::collections::BTreeMap<String, std::collections::BTreeMap<String, f64>> =
        serde_json::from_str(&text).with_context(|| format!("reading {}", path.display()))?;
    for row in &mut report.rows {
        for (peer, times) in &peers {
            if let Some(&time) = times.get(&row.layer) {
                row.peers.insert(peer.clone(), time);
            }
        }
    }
    Ok(())
}

pub(crate) fn progress(layers: usize) -> ProgressBar {
    let target =
        if std::io::stderr().is_terminal() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let bar = ProgressBar::with_draw_target(Some(layers as u64), target);
    bar.set_style(
        ProgressStyle::with_template("{bar:30} {pos}/{len} {msg} ({elapsed})")
            .unwrap_or_else(|_| ProgressStyle::default_bar()),
    );
    bar
}
