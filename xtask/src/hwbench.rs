//! `cargo xtask hwbench`: for each layer everything that the planner could choose, verified and timed by the tuner; what
//! the planner does choose by its estimates is marked and compared with the fastest. Writes wisdom and JSON.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use comfy_table::{CellAlignment, Table};
use fs_err as fs;
use serde_json::{Value, json};
use winoconv::plan::Wisdom;
use winoconv::tune::{self, Trial, Tuning};
use winoconv::{Device, Preferences};

use crate::bench;
use crate::bench::adapter::Adapter;
use crate::bench::layers::{Layer, Selection};
use crate::report::units::geometric_mean;
use crate::report::{Host, Report};

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    selection: Selection,
    #[command(flatten)]
    adapter: Adapter,
    /// Tune the CPU's twins
    #[arg(long, conflicts_with = "adapter")]
    cpu: bool,
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

pub(crate) fn verb(options: &Options) -> anyhow::Result<()> {
    let layers = options.selection.layers()?;
    anyhow::ensure!(options.budget > 0.0 && options.budget.is_finite(), "--budget is to be a number of seconds");
    // A file that does not read is no reason to lose what was measured: it is read before anything is.
    let file = options.wisdom.as_ref().filter(|path| path.exists());
    let mut wisdom = file.map_or_else(|| Ok(Wisdom::new()), |path| bench::read_wisdom(path))?;
    let mut report = Report { host: Host::here(), ..Default::default() };
    let device = match options.cpu {
        true => Device::cpu(),
        false => options.adapter.open_for(&mut report)?.context("there is no adapter; --cpu tunes the CPU")?,
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

    println!("{}\n{}", table(&tunings), summary(&tunings));
    if let Some(path) = &options.wisdom {
        fs::write(path, wisdom.to_string())?;
        println!("{}", path.display());
    }
    if let Some(path) = &options.json {
        fs::write(path, serde_json::to_string_pretty(&record(&report, &tunings))?)?;
        println!("{}", path.display());
    }
    let defects = sum(&tunings, |tuning| tuning.defects().count());
    anyhow::ensure!(defects == 0, "{defects} candidates are wrong or failed: see above");
    Ok(())
}

fn sum(tunings: &[(Layer, Tuning)], of: fn(&Tuning) -> usize) -> usize {
    tunings.iter().map(|(_, tuning)| of(tuning)).sum()
}

fn ratios(tunings: &[(Layer, Tuning)]) -> Vec<f64> {
    tunings.iter().filter_map(|(_, tuning)| tuning.ratio()).collect()
}

fn record(report: &Report, tunings: &[(Layer, Tuning)]) -> Value {
    let layer = |(layer, tuning): &(Layer, Tuning)| {
        let (pick, fastest) = (tuning.pick(), tuning.fastest());
        json!({
            "layer": layer.name,
            "suite": layer.suite,
            "pick": pick.map(|trial| trial.choice.to_string()),
            "pick_us": pick.and_then(micros),
            "fastest": fastest.map(|trial| trial.choice.to_string()),
            "fastest_us": fastest.and_then(micros),
            "ratio": tuning.ratio(),
            "verified": tuning.verified(),
            "left_out": tuning.left_out(),
            "seconds": tuning.elapsed.as_secs_f64(),
            "candidates": tuning.trials.iter().map(candidate).collect::<Vec<_>>(),
        })
    };
    json!({
        "adapter": report.adapter,
        "host": report.host,
        "notes": report.notes,
        "geometric_mean": geometric_mean(&ratios(tunings)),
        "worst": ratios(tunings).into_iter().reduce(f64::max),
        "verified": sum(tunings, Tuning::verified),
        "left_out": sum(tunings, Tuning::left_out),
        "defects": sum(tunings, |tuning| tuning.defects().count()),
        "layers": tunings.iter().map(layer).collect::<Vec<_>>(),
    })
}

fn candidate(trial: &Trial) -> Value {
    json!({
        "choice": trial.choice.to_string(),
        "pick": trial.pick,
        "estimate_us": trial.estimate_ns as f64 / 1e3,
        "time_us": micros(trial),
        "rounds": trial.rounds,
        "verified": trial.errors.is_some(),
        "error_of_bound": trial.errors.map(|errors| errors.of_bound),
        "rel_l2_error": trial.errors.map(|errors| errors.relative_l2),
        "fate": trial.fate.to_string(),
    })
}

fn micros(trial: &Trial) -> Option<f64> {
    trial.time.map(|time| time.as_secs_f64() * 1e6)
}

fn number(value: Option<f64>, digits: usize) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.digits$}"))
}

fn table(tunings: &[(Layer, Tuning)]) -> Table {
    let mut table = Table::new();
    table.load_style(comfy_table::presets::ASCII_MARKDOWN);
    table.set_header(["layer", "pick", "us", "fastest", "us", "ratio", "verified", "left out", "s"]);
    for (layer, tuning) in tunings {
        let (pick, fastest) = (tuning.pick(), tuning.fastest());
        let name = |trial: Option<&Trial>| trial.map(|trial| trial.choice.to_string()).unwrap_or_default();
        table.add_row([
            layer.name.clone(),
            name(pick),
            number(pick.and_then(micros), 1),
            if name(pick) == name(fastest) { "the same".to_owned() } else { name(fastest) },
            number(fastest.and_then(micros), 1),
            number(tuning.ratio(), 3),
            tuning.verified().to_string(),
            tuning.left_out().to_string(),
            format!("{:.1}", tuning.elapsed.as_secs_f64()),
        ]);
    }
    for (_, column) in table.column_iter_mut().enumerate().filter(|(i, _)| ![0, 1, 3].contains(i)) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

fn summary(tunings: &[(Layer, Tuning)]) -> String {
    let worst = tunings.iter().filter(|(_, tuning)| tuning.ratio().is_some());
    let worst = worst.max_by(|(_, a), (_, b)| a.ratio().unwrap_or(0.0).total_cmp(&b.ratio().unwrap_or(0.0)));
    format!(
        "pick over fastest: geometric mean {}, worst {} ({}); {} candidates verified, {} left out, {} wrong or failed",
        number(geometric_mean(&ratios(tunings)), 3),
        number(worst.and_then(|(_, tuning)| tuning.ratio()), 3),
        worst.map_or("", |(layer, _)| &layer.name),
        sum(tunings, Tuning::verified),
        sum(tunings, Tuning::left_out),
        sum(tunings, |tuning| tuning.defects().count()),
    )
}
