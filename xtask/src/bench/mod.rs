//! `cargo xtask bench`: plans, compiles, verifies and times layers on the GPU and on the CPU, and writes the
//! report.

pub(crate) mod adapter;
pub(crate) mod layers;
pub(crate) mod measure;
pub(crate) mod verify;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use indicatif::{ProgressBar, ProgressStyle};
use winoconv::plan::Wisdom;
use winoconv::{Algorithm, Device, Preferences, Tolerance};

use crate::files;
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
    #[arg(long, conflicts_with = "algorithms")]
    picks: bool,
    /// How exact the planner's choice is to be
    #[arg(long, value_enum, default_value = "strict")]
    tolerance: Exactness,
    /// A ceiling for every plan's workspace, in MiB [default: the library's]
    #[arg(long, value_name = "MIB")]
    workspace_limit: Option<u64>,
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

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Exactness {
    /// Twice direct summation's error: the library's default
    Strict,
    /// Twice the error of a direct convolution in TF32
    Tf32,
}

impl From<Exactness> for Tolerance {
    fn from(exactness: Exactness) -> Self {
        match exactness {
            Exactness::Strict => Self::default(),
            Exactness::Tf32 => Self::TF32,
        }
    }
}

pub(crate) fn verb(options: &Options) -> anyhow::Result<()> {
    let layers = options.selection.layers()?;
    let effort = if options.quick { Effort::QUICK } else { Effort::FULL };
    let mut report = Report { host: report::Host::here(), ..Default::default() };
    let wise = |device: Device| if options.no_wisdom { device.with_wisdom(Wisdom::new()) } else { device };
    let gpu = if options.cpu { None } else { options.adapter.open_for(&mut report)?.map(wise) };
    let host = (!options.gpu).then(|| wise(Device::cpu()));
    let entries: Vec<Entry> = options.algorithms.iter().filter(|_| !options.picks).map(|&name| name.into()).collect();
    let mut preferences = Preferences::new().tolerance(options.tolerance.into());
    if let Some(limit) = options.workspace_limit {
        preferences = preferences.workspace_limit(limit.saturating_mul(1 << 20));
    }
    let most = report::units::bytes(preferences.workspace_limit);
    report.notes.push(format!("Every plan's workspace is at most {most}."));
    let bar = progress(layers.len());
    let devices = gpu.into_iter().chain(host);
    let mut sessions: Vec<Session> = devices.map(|device| Session::new(device, preferences, effort)).collect();
    for layer in &layers {
        bar.set_message(layer.name.clone());
        let problem = layer.problem()?;
        let trials = verify::Trials::new(problem);
        for session in &mut sessions {
            if let Err(error) = problem.plan(&session.device, &preferences) {
                report.notes.push(format!("{} has no plan on {}: {error}", layer.name, session.device.caps().name));
            }
            report.rows.extend(session.measure(layer, &trials, &entries)?);
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

fn write(options: &Options, report: &Report) -> anyhow::Result<()> {
    println!("{}", report::table::render(report));
    report::write_all(report, &options.out)?;
    if let Some(path) = &options.json {
        files::write(path, &files::to_json(report)?)?;
    }
    if let Some(path) = &options.baseline {
        let comparison = report::compare::compare(&files::read_json(path)?, report);
        println!("{comparison}");
        files::write(&options.out.join("comparison.md"), &comparison)?;
    }
    Ok(())
}

fn add_peers(report: &mut Report, path: &Path) -> anyhow::Result<()> {
    let peers: BTreeMap<String, BTreeMap<String, f64>> = files::read_json(path)?;
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
