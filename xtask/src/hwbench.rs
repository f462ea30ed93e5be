//! `cargo xtask hwbench`: for each layer everything that the planner could choose, verified and timed by the tuner; what
//! the planner does choose by its estimates is marked and compared with the fastest. Writes wisdom and JSON.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use comfy_table::{CellAlignment, Table};
use serde::Serialize;
use winoconv::plan::Wisdom;
use winoconv::tune::{self, Trial, Tuning};
use winoconv::{Device, Preferences};

use crate::bench::layers::{Layer, Selection};
use crate::bench::{self, adapter};
use crate::report::{self, Report};

/// Options of `hwbench`.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    selection: Selection,
    /// Part of an adapter's name, or `software` [default: the best hardware, else a software adapter]
    #[arg(long)]
    pub(crate) adapter: Option<String>,
    /// Tune the processor's own twins
    #[arg(long, conflicts_with = "adapter")]
    cpu: bool,
    /// Shaders that check every index and loop while they run
    #[arg(long)]
    checked: bool,
    /// Never install a driver
    #[arg(long)]
    no_install: bool,
    /// Seconds for each layer
    #[arg(long, default_value_t = 4.0)]
    budget: f64,
    /// Only candidates whose estimate is at most so many times the least [default: all]
    #[arg(long, value_name = "FACTOR")]
    within: Option<f64>,
    /// Most MiB of workspace [default: the library's]
    #[arg(long, value_name = "MIB")]
    workspace: Option<u64>,
    /// Show every candidate, not only the pick and the fastest
    #[arg(long)]
    verbose: bool,
    /// Add what was found to this file of wisdom; made if it is not there
    #[arg(long, value_name = "FILE")]
    wisdom: Option<PathBuf>,
    /// Also write every candidate of every layer to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// Everything that was measured, as it is written.
#[derive(Debug, Serialize)]
struct Record {
    adapter: Option<report::Adapter>,
    host: report::Host,
    notes: Vec<String>,
    /// Of the planner's pick over the fastest, over the layers.
    geometric_mean: Option<f64>,
    worst: Option<f64>,
    verified: usize,
    left_out: usize,
    defects: usize,
    layers: Vec<Row>,
}

/// A layer.
#[derive(Debug, Serialize)]
struct Row {
    layer: String,
    suite: String,
    pick: Option<String>,
    pick_us: Option<f64>,
    fastest: Option<String>,
    fastest_us: Option<f64>,
    ratio: Option<f64>,
    verified: usize,
    left_out: usize,
    seconds: f64,
    candidates: Vec<Candidate>,
}

/// A candidate.
#[derive(Debug, Serialize)]
struct Candidate {
    choice: String,
    pick: bool,
    estimate_us: f64,
    time_us: Option<f64>,
    rounds: u32,
    verified: bool,
    error_of_bound: Option<f64>,
    rel_l2_error: Option<f64>,
    fate: String,
}

/// Tunes the layers. Fails if a candidate is wrong or fails.
pub(crate) fn verb(options: &Options) -> anyhow::Result<()> {
    let layers = options.selection.layers()?;
    anyhow::ensure!(options.budget > 0.0 && options.budget.is_finite(), "--budget is to be a number of seconds");
    // A file that does not read is no reason to lose what was measured: it is read before anything is.
    let mut wisdom = options.wisdom.as_deref().map_or_else(|| Ok(Wisdom::new()), read)?;
    let mut report = Report { host: bench::host(), ..Default::default() };
    let asked =
        adapter::Asked { name: options.adapter.as_deref(), checked: options.checked, no_install: options.no_install };
    let device = match options.cpu {
        true => Device::host(),
        false => adapter::open(&asked, &mut report)?.context("there is no adapter; --cpu tunes the processor")?,
    };
    let mut preferences = Preferences::new();
    if let Some(mib) = options.workspace {
        preferences = preferences.workspace_limit(mib << 20);
    }
    let effort = tune::Options::new()
        .budget(Duration::from_secs_f64(options.budget))
        .within(options.within.unwrap_or(f64::INFINITY));

    let bar = bench::progress(layers.len());
    let mut tunings: Vec<(Layer, Tuning)> = Vec::new();
    for layer in layers {
        bar.set_message(layer.name.clone());
        let tuning = tune::tune_blocking(&device, &layer.problem()?, &preferences, &effort)
            .with_context(|| format!("tuning {}", layer.name))?;
        for trial in tuning.defects() {
            bar.suspend(|| eprintln!("{}: {trial}", layer.name));
        }
        if options.verbose {
            bar.suspend(|| print!("{}: {tuning}", layer.name));
        }
        if let Some(entry) = tuning.entry() {
            wisdom.insert(entry);
        }
        tunings.push((layer, tuning));
        bar.inc(1);
    }
    bar.finish_and_clear();

    let record = record(report, &tunings);
    println!("{}\n{}", table(&record.layers), summary(&record));
    if let Some(path) = &options.wisdom {
        std::fs::write(path, wisdom.to_string()).with_context(|| format!("writing {}", path.display()))?;
        println!("{}", path.display());
    }
    if let Some(path) = &options.json {
        let text = serde_json::to_string_pretty(&record)?;
        std::fs::write(path, text).with_context(|| format!("writing {}", path.display()))?;
        println!("{}", path.display());
    }
    anyhow::ensure!(record.defects == 0, "{} candidates are wrong or failed: see above", record.defects);
    Ok(())
}

fn read(path: &Path) -> anyhow::Result<Wisdom> {
    if !path.exists() {
        return Ok(Wisdom::new());
    }
    let text = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    Wisdom::parse(&text).with_context(|| format!("reading {}", path.display()))
}

fn record(report: Report, tunings: &[(Layer, Tuning)]) -> Record {
    let layers: Vec<Row> = tunings.iter().map(|(layer, tuning)| row(layer, tuning)).collect();
    let ratios: Vec<f64> = layers.iter().filter_map(|row| row.ratio).collect();
    let mean = (ratios.iter().map(|ratio| ratio.ln()).sum::<f64>() / ratios.len() as f64).exp();
    let sum = |of: fn(&Tuning) -> usize| tunings.iter().map(|(_, tuning)| of(tuning)).sum();
    Record {
        adapter: report.adapter,
        host: report.host,
        notes: report.notes,
        geometric_mean: (!ratios.is_empty()).then_some(mean),
        worst: ratios.iter().copied().reduce(f64::max),
        verified: sum(Tuning::verified),
        left_out: sum(Tuning::left_out),
        defects: sum(|tuning| tuning.defects().count()),
        layers,
    }
}

fn row(layer: &Layer, tuning: &Tuning) -> Row {
    let (pick, fastest) = (tuning.pick(), tuning.fastest());
    Row {
        layer: layer.name.clone(),
        suite: layer.suite.clone(),
        pick: pick.map(|trial| trial.choice.to_string()),
        pick_us: pick.and_then(micros),
        fastest: fastest.map(|trial| trial.choice.to_string()),
        fastest_us: fastest.and_then(micros),
        ratio: tuning.ratio(),
        verified: tuning.verified(),
        left_out: tuning.left_out(),
        seconds: tuning.elapsed.as_secs_f64(),
        candidates: tuning.trials.iter().map(candidate).collect(),
    }
}

fn candidate(trial: &Trial) -> Candidate {
    Candidate {
        choice: trial.choice.to_string(),
        pick: trial.pick,
        estimate_us: trial.estimate_ns as f64 / 1e3,
        time_us: micros(trial),
        rounds: trial.rounds,
        verified: trial.errors.is_some(),
        error_of_bound: trial.errors.map(|errors| errors.of_bound),
        rel_l2_error: trial.errors.map(|errors| errors.relative_l2),
        fate: trial.fate.to_string(),
    }
}

fn micros(trial: &Trial) -> Option<f64> {
    trial.time.map(|time| time.as_secs_f64() * 1e6)
}

fn table(rows: &[Row]) -> Table {
    let mut table = Table::new();
    table.load_style(comfy_table::presets::ASCII_MARKDOWN);
    table.set_header(["layer", "pick", "us", "fastest", "us", "ratio", "verified", "left out", "s"]);
    for row in rows {
        let us = |time: Option<f64>| time.map_or_else(|| "-".to_owned(), |time| format!("{time:.1}"));
        let same = row.pick == row.fastest;
        let fastest = if same { "the same".to_owned() } else { row.fastest.clone().unwrap_or_default() };
        table.add_row([
            row.layer.clone(),
            row.pick.clone().unwrap_or_default(),
            us(row.pick_us),
            fastest,
            us(row.fastest_us),
            row.ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.3}")),
            row.verified.to_string(),
            row.left_out.to_string(),
            format!("{:.1}", row.seconds),
        ]);
    }
    for column in [2, 4, 5, 6, 7, 8] {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

fn summary(record: &Record) -> String {
    let number = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.3}"));
    let worst = record.layers.iter().filter(|row| row.ratio == record.worst && row.ratio.is_some());
    let worst: Vec<&str> = worst.map(|row| row.layer.as_str()).collect();
    format!(
        "pick over fastest: geometric mean {}, worst {} ({}); {} candidates verified, {} left out, {} wrong or failed",
        number(record.geometric_mean),
        number(record.worst),
        worst.join(", "),
        record.verified,
        record.left_out,
        record.defects,
    )
}
