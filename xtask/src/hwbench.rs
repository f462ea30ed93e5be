//! `cargo xtask hwbench`: for each layer everything that the planner could choose, verified and timed by the tuner; what
//! the planner does choose by its estimates is marked and compared with the fastest. Writes wisdom.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use comfy_table::{Table, presets};
use fs_err as fs;
use winoconv::plan::Wisdom;
use winoconv::tune::{self, Trial, Tuning};
use winoconv::{Device, Preferences};

use crate::bench;
use crate::bench::adapter::Adapter;
use crate::bench::layers::{Layer, Selection};
use crate::compile::seconds;
use crate::files;
use crate::report::Report;
use crate::report::table::numbers;
use crate::report::units::geometric_mean;

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
    #[arg(long, default_value = "4", value_parser = seconds)]
    budget: Duration,
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
}

pub(crate) fn verb(options: &Options) -> anyhow::Result<()> {
    let layers = options.selection.layers()?;
    // A file that does not read is no reason to lose what was measured: it is read before anything is.
    let mut wisdom = match options.wisdom.as_ref().filter(|path| path.exists()) {
        Some(path) => {
            Wisdom::parse(&fs::read_to_string(path)?).with_context(|| format!("reading {}", path.display()))?
        }
        None => Wisdom::new(),
    };
    let gpu = || options.adapter.open_for(&mut Report::default())?.context("there is no adapter; --cpu tunes the CPU");
    let device = if options.cpu { Device::cpu() } else { gpu()? };
    let mut preferences = Preferences::new();
    if let Some(mib) = options.workspace {
        preferences = preferences.workspace_limit(mib << 20);
    }
    let effort = tune::Options::new().budget(options.budget).within(options.within.unwrap_or(f64::INFINITY));

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
        files::write(path, &wisdom.to_string())?;
    }
    let defects: usize = tunings.iter().map(|(_, tuning)| tuning.defects().count()).sum();
    anyhow::ensure!(defects == 0, "{defects} candidates are wrong or failed: see above");
    Ok(())
}

fn micros(trial: &Trial) -> Option<f64> {
    trial.time.map(|time| time.as_secs_f64() * 1e6)
}

fn number(value: Option<f64>, digits: usize) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.digits$}"))
}

fn table(tunings: &[(Layer, Tuning)]) -> Table {
    let heads = ["layer", "pick", "us", "fastest", "us", "ratio", "verified", "left out", "s"];
    let mut table = numbers(presets::ASCII_MARKDOWN, &heads, &[0, 1, 3]);
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
    table
}

fn summary(tunings: &[(Layer, Tuning)]) -> String {
    let ratio = |(layer, tuning): &(Layer, Tuning)| Some((tuning.ratio()?, layer.name.clone()));
    let (ratios, layers): (Vec<f64>, Vec<String>) = tunings.iter().filter_map(ratio).unzip();
    let worst = ratios.iter().zip(layers).max_by(|a, b| a.0.total_cmp(b.0));
    let sum = |of: fn(&Tuning) -> usize| tunings.iter().map(|(_, tuning)| of(tuning)).sum::<usize>();
    format!(
        "pick over fastest: geometric mean {}, worst {} ({}); {} candidates verified, {} left out, {} wrong or failed",
        number(geometric_mean(&ratios), 3),
        number(worst.as_ref().map(|(ratio, _)| **ratio), 3),
        worst.map_or_else(String::new, |(_, layer)| layer),
        sum(Tuning::verified),
        sum(Tuning::left_out),
        sum(|tuning| tuning.defects().count()),
    )
}
