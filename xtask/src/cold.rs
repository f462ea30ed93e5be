//! `cargo xtask cold`: how long a plan's pipelines take, all together as a first run has them made, in processes of their
//! own: cold, and from a pipeline cache that the cold one stored. The drivers' own caches are off for both, since they would
//! make everything warm but the first run of the day.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;
use serde_json::{Value, json};

use crate::bench::adapter::Adapter;
use crate::bench::layers::{Layer, Selection};
use crate::compile::{self, CompileOutcome, Request, Together};
use crate::files;
use crate::report::Host;
use crate::report::units::median;

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    selection: Selection,
    /// The algorithm of every layer [default: the planner's own pick for each]
    #[arg(long)]
    algorithm: Option<String>,
    #[command(flatten)]
    on: Adapter,
    /// Seconds after which a process is ended
    #[arg(long, default_value = "120", value_parser = compile::seconds)]
    limit: Duration,
    /// Also write the times to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

#[derive(Debug, Default, Serialize)]
struct Row {
    layer: String,
    algorithm: String,
    cold: Vec<Value>,
    cached: Vec<Value>,
    plan_cold_ms: Option<f64>,
    sum_cold_ms: Option<f64>,
    /// All pipelines together from the stored cache; none where the backend has no cache.
    plan_cached_ms: Option<f64>,
    cache_bytes: Option<usize>,
    note: Option<String>,
}

#[derive(Debug, Clone, Copy, Serialize)]
struct Summary {
    median_ms: f64,
    worst_ms: f64,
    layers: usize,
}

impl Summary {
    fn of(rows: &[Row], time: fn(&Row) -> Option<f64>) -> Option<Self> {
        let times: Vec<f64> = rows.iter().filter_map(time).collect();
        let worst_ms = times.iter().copied().reduce(f64::max)?;
        Some(Self { median_ms: median(&times)?, worst_ms, layers: times.len() })
    }
}

pub(crate) fn verb(options: &Options) -> anyhow::Result<()> {
    let mut device = String::new();
    let mut rows = Vec::new();
    for layer in &options.selection.layers()? {
        let row = measure(layer, options, &mut device);
        let failed = |error| Row { note: Some(format!("{error:#}")), ..Row::default() };
        let row = Row { layer: layer.name.clone(), ..row.unwrap_or_else(failed) };
        println!("{row}");
        rows.push(row);
    }
    let plan_cold = Summary::of(&rows, |row| row.plan_cold_ms);
    let plan_cached = Summary::of(&rows, |row| row.plan_cached_ms);
    println!("on {device}");
    for (what, summary) in [("cold", plan_cold), ("from the stored cache", plan_cached)] {
        let words = summary.map_or("not measured".to_owned(), |Summary { median_ms, worst_ms, layers }| {
            format!("median {median_ms:.1} ms, worst {worst_ms:.1} ms over {layers} layers")
        });
        println!("all pipelines of a plan, {what}: {words}");
    }
    if let Some(path) = &options.json {
        let report = json!({
            "host": Host::here(),
            "device": device,
            "plan_cold": plan_cold,
            "plan_cached": plan_cached,
            "rows": rows,
        });
        files::write(path, &files::to_json(&report)?)?;
    }
    let failed = rows.iter().filter(|row| row.plan_cold_ms.is_none()).count();
    anyhow::ensure!(failed == 0, "{failed} of {} layers could not be measured", rows.len());
    Ok(())
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = |ms: Option<f64>| ms.map_or("-".to_owned(), |ms| format!("{ms:.1}"));
        let [cold, sum, cached] = [self.plan_cold_ms, self.sum_cold_ms, self.plan_cached_ms].map(time);
        let (Self { layer, algorithm, note, .. }, kernels) = (self, self.cold.len());
        write!(
            f,
            "{layer:<12} {algorithm:<14} {kernels} kernels  cold {cold:>7} ms (sum {sum:>7})  cached {cached:>7} ms"
        )?;
        note.as_ref().map_or(Ok(()), |note| write!(f, "  {note}"))
    }
}

fn measure(layer: &Layer, options: &Options, device: &mut String) -> anyhow::Result<Row> {
    let folder = tempfile::tempdir()?;
    let compile = || compile(layer, options, folder.path().join("cache"));
    let (on, sum, cold) = compile()?;
    anyhow::ensure!(cold.loaded_bytes.is_none(), "the first process found {}", cold.cache);
    *device = on;
    let (plan_cold_ms, sum_cold_ms) = (Some(cold.pipelines_ms), Some(sum));
    let mut row = Row { algorithm: cold.algorithm, cold: cold.kernels, plan_cold_ms, sum_cold_ms, ..Row::default() };
    if cold.stored {
        let (_, _, cached) = compile()?;
        anyhow::ensure!(cached.loaded_bytes.is_some(), "the second process found {}", cached.cache);
        (row.cache_bytes, row.cached) = (cached.loaded_bytes, cached.kernels);
        row.plan_cached_ms = Some(cached.pipelines_ms);
    } else {
        row.note = Some(cold.cache);
    }
    Ok(row)
}

/// The device, the kernels' times added up, and all of them together, in a process of its own.
fn compile(layer: &Layer, options: &Options, cache: PathBuf) -> anyhow::Result<(String, f64, Together)> {
    let (algorithm, on) = (options.algorithm.clone(), options.on.clone());
    let request = Request { algorithm, layer: layer.clone(), on, cache: Some(cache) };
    let outcome = compile::compile_within(options.limit, &request);
    if let Some((_, why)) = outcome.failure() {
        anyhow::bail!(why);
    }
    match outcome {
        CompileOutcome::Compiled { device, cold_ms, together: Some(together), .. } => Ok((device, cold_ms, together)),
        _ => anyhow::bail!("the child compiled nothing together"),
    }
}
