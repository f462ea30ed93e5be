//! `cargo xtask cold`: how long a plan's pipelines take, all together as a first run has them made, in processes of their
//! own: cold, and from a pipeline cache that the cold one stored. The drivers' own caches are off for both, since they would
//! make everything warm but the first run of the day.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use winoconv::gpu::{CacheSource, CacheState};
use winoconv::{Algorithm, Plan, Preferences, Tolerance};

use crate::bench;
use crate::bench::layers::{self, Layer};
use crate::child::{self, How};
use crate::compile::{self, COLD};

/// Options of `cold`.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Every layer of every suite
    #[arg(long, required_unless_present_any = ["suite", "layer"])]
    all: bool,
    /// Suites of layers: seed, vgg, resnet, sr
    #[arg(long, value_delimiter = ',')]
    suite: Vec<String>,
    /// A layer of your own: N,C,K,H,W or N,C,K,H,W,R (stride 1, padding R/2)
    #[arg(long, value_name = "N,C,K,H,W,R")]
    layer: Vec<Layer>,
    #[command(flatten)]
    pub(crate) how: PlanChoice,
    /// Processes for each time; their median counts
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    /// Seconds after which a process is ended
    #[arg(long, default_value_t = 120.0)]
    limit: f64,
    /// Also write the times to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// What a plan is made of, and where.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct PlanChoice {
    /// The algorithm of every layer [default: the planner's own pick for each]
    #[arg(long)]
    algorithm: Option<Algorithm>,
    /// Part of an adapter's name, or `software` [default: the best hardware, else a software adapter]
    #[arg(long)]
    pub(crate) adapter: Option<String>,
    /// Shaders that check every index and loop while they run
    #[arg(long)]
    checked: bool,
}

/// What `cold` starts: one plan's pipelines, once.
#[derive(Debug, clap::Args)]
pub(crate) struct Request {
    #[command(flatten)]
    pub(crate) how: PlanChoice,
    /// The layer
    #[arg(long)]
    layer: Layer,
    /// Where the pipeline cache is read from, and stored
    #[arg(long)]
    cache: PathBuf,
}

/// What one process measured.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct Measured {
    device: String,
    algorithm: String,
    /// The pipeline cache that it had.
    cache: String,
    /// Bytes of it; none if it had none or an empty one.
    loaded_bytes: Option<usize>,
    /// Whether it could be stored afterwards.
    stored: bool,
    /// All pipelines together, by the clock: text, naga and our checks included.
    pipelines_ms: f64,
    kernels: Vec<Kernel>,
}

/// A kernel's times on its thread.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct Kernel {
    name: String,
    /// Its text, naga's parser and validator, our lints.
    check_ms: f64,
    /// naga's translation and the driver's compiler.
    device_ms: f64,
}

/// A layer's times.
#[derive(Debug, serde::Serialize)]
struct Row {
    layer: String,
    algorithm: String,
    /// The kernels' times in the last cold process, the packing's too.
    cold: Vec<Kernel>,
    /// And in the last one that had the stored cache.
    cached: Vec<Kernel>,
    /// All pipelines together with nothing cached.
    plan_cold_ms: Option<f64>,
    /// The same kernels' times added up, as they were measured side by side.
    sum_cold_ms: Option<f64>,
    /// All pipelines together from the stored cache; none where the backend has no cache.
    plan_cached_ms: Option<f64>,
    cache_bytes: Option<usize>,
    note: Option<String>,
}

/// Median and worst over the layers.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
struct Summary {
    median_ms: f64,
    worst_ms: f64,
    layers: usize,
}

impl Summary {
    fn of(times: impl Iterator<Item = f64>) -> Option<Self> {
        let mut times: Vec<f64> = times.collect();
        let worst_ms = times.iter().copied().reduce(f64::max)?;
        Some(Self { median_ms: median(&mut times), worst_ms, layers: times.len() })
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "median {:.1} ms, worst {:.1} ms over {} layers", self.median_ms, self.worst_ms, self.layers)
    }
}

/// What is written with `--json`.
#[derive(Debug, serde::Serialize)]
struct Report<'a> {
    host: crate::report::Host,
    device: &'a str,
    runs: u32,
    plan_cold: Option<Summary>,
    plan_cached: Option<Summary>,
    rows: &'a [Row],
}

/// Measures, prints a line for each layer and median and worst at the end. Fails if a layer could not be measured.
pub(crate) fn verb(options: &Options) -> anyhow::Result<()> {
    let limit = Duration::try_from_secs_f64(options.limit).context("--limit")?;
    let table = layers::table()?;
    for suite in &options.suite {
        anyhow::ensure!(table.iter().any(|layer| layer.suite == *suite), "there is no suite {suite}");
    }
    let wanted = |layer: &Layer| options.all || options.suite.contains(&layer.suite);
    let layers: Vec<Layer> = table.into_iter().filter(wanted).chain(options.layer.iter().cloned()).collect();
    let mut device = String::new();
    let mut rows = Vec::new();
    for layer in &layers {
        let row = measure(layer, options, limit, &mut device);
        let row = row.unwrap_or_else(|error| Row::failed(layer, &error));
        println!("{row}");
        rows.push(row);
    }
    let summary = |time: fn(&Row) -> Option<f64>| Summary::of(rows.iter().filter_map(time));
    let (plan_cold, plan_cached) = (summary(|row| row.plan_cold_ms), summary(|row| row.plan_cached_ms));
    println!("on {device}");
    for (what, summary) in [("cold", plan_cold), ("from the stored cache", plan_cached)] {
        match summary {
            Some(summary) => println!("all pipelines of a plan, {what}: {summary}"),
            None => println!("all pipelines of a plan, {what}: not measured"),
        }
    }
    if let Some(path) = &options.json {
        let report =
            Report { host: bench::host(), device: &device, runs: options.runs, plan_cold, plan_cached, rows: &rows };
        std::fs::write(path, serde_json::to_string_pretty(&report)? + "\n")
            .with_context(|| format!("writing {}", path.display()))?;
        println!("{}", path.display());
    }
    let failed = rows.iter().filter(|row| row.plan_cold_ms.is_none()).count();
    anyhow::ensure!(failed == 0, "{failed} of {} layers could not be measured", rows.len());
    Ok(())
}

impl Row {
    fn failed(layer: &Layer, error: &anyhow::Error) -> Self {
        Self {
            layer: layer.name.clone(),
            algorithm: String::new(),
            cold: Vec::new(),
            cached: Vec::new(),
            plan_cold_ms: None,
            sum_cold_ms: None,
            plan_cached_ms: None,
            cache_bytes: None,
            note: Some(format!("{error:#}")),
        }
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = |ms: Option<f64>| ms.map_or("-".to_owned(), |ms| format!("{ms:.1}"));
        let [cold, sum, cached] = [self.plan_cold_ms, self.sum_cold_ms, self.plan_cached_ms].map(time);
        write!(
            f,
            "{:<12} {:<14} {} kernels  cold {cold:>7} ms (sum {sum:>7})  cached {cached:>7} ms",
            self.layer,
            self.algorithm,
            self.cold.len()
        )?;
        self.note.as_ref().map_or(Ok(()), |note| write!(f, "  {note}"))
    }
}

/// A layer's times, each run cold in one process and cached in the next.
fn measure(layer: &Layer, options: &Options, limit: Duration, device: &mut String) -> anyhow::Result<Row> {
    let (mut cold_ms, mut sum_ms, mut cached_ms) = (Vec::new(), Vec::new(), Vec::new());
    let (mut last, mut last_cached) = (None, Vec::new());
    let (mut cache_bytes, mut note) = (None, None);
    for _ in 0..options.runs {
        let folder = Folder::new()?;
        let cold = in_child(layer, &options.how, &folder.0, limit)?;
        anyhow::ensure!(cold.loaded_bytes.is_none(), "the first process found {}", cold.cache);
        cold_ms.push(cold.pipelines_ms);
        sum_ms.push(cold.kernels.iter().map(|kernel| kernel.check_ms + kernel.device_ms).sum());
        if cold.stored {
            let cached = in_child(layer, &options.how, &folder.0, limit)?;
            anyhow::ensure!(cached.loaded_bytes.is_some(), "the second process found {}", cached.cache);
            cache_bytes = cached.loaded_bytes;
            cached_ms.push(cached.pipelines_ms);
            last_cached = cached.kernels;
        } else {
            note = Some(cold.cache.clone());
        }
        device.clone_from(&cold.device);
        last = Some(cold);
    }
    let last = last.context("no run")?;
    let of = |times: &mut Vec<f64>| (!times.is_empty()).then(|| median(times));
    Ok(Row {
        layer: layer.name.clone(),
        algorithm: last.algorithm,
        cold: last.kernels,
        cached: last_cached,
        plan_cold_ms: of(&mut cold_ms),
        sum_cold_ms: of(&mut sum_ms),
        plan_cached_ms: of(&mut cached_ms),
        cache_bytes,
        note,
    })
}

fn in_child(layer: &Layer, how: &PlanChoice, cache: &Path, limit: Duration) -> anyhow::Result<Measured> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("cold-one").args(how.arguments()).args(["--layer", &layer.sizes()]).arg("--cache").arg(cache);
    let ended = child::run_within(command.envs(COLD), limit)?;
    // Drivers may print lines of their own.
    let said = ended.stdout.lines().rev().find_map(|line| serde_json::from_str(line).ok());
    match (said, ended.how) {
        (Some(measured), _) => Ok(measured),
        (None, How::Killed { .. }) => anyhow::bail!("took longer than {limit:?}"),
        (None, How::Exited(status)) => anyhow::bail!("{status}: {}", ended.stderr.trim()),
    }
}

impl PlanChoice {
    /// As the child's arguments.
    fn arguments(&self) -> Vec<String> {
        let algorithm = self.algorithm.map(|algorithm| ["--algorithm".to_owned(), algorithm.label()]);
        let adapter = self.adapter.clone().map(|name| ["--adapter".to_owned(), name]);
        let mut arguments: Vec<String> = algorithm.into_iter().chain(adapter).flatten().collect();
        arguments.extend(self.checked.then(|| "--checked".to_owned()));
        arguments
    }
}

/// The child's part.
pub(crate) fn child(request: &Request) -> anyhow::Result<()> {
    let how = &request.how;
    let device = compile::open(how.adapter.as_deref(), how.checked, &CacheSource::folder(&request.cache))?;
    let context = device.context().context("the device is no GPU")?;
    let preferences = match how.algorithm {
        Some(algorithm) => Preferences::new().algorithm(algorithm).tolerance(Tolerance::Any),
        None => Preferences::new(),
    };
    let problem = request.layer.problem()?;
    let plan = Plan::new(&problem, device.caps(), &preferences)?;
    let packing = plan.packing().dispatches(&problem);
    let kernels: Vec<_> =
        plan.kernels().into_iter().chain(packing.iter().map(winoconv::plan::Dispatch::kernel)).collect();
    let clock = Instant::now();
    let pipelines = pollster::block_on(context.pipelines(&kernels))?;
    let pipelines_ms = ms(clock.elapsed());
    let loaded_bytes = match context.pipeline_cache() {
        CacheState::Loaded { bytes } => Some(*bytes),
        _ => None,
    };
    let stored = !matches!(context.pipeline_cache(), CacheState::Unavailable { .. });
    if stored {
        context.save_pipeline_cache()?;
    }
    let times = pipelines.iter().map(|pipeline| {
        let time = pipeline.compile_time();
        Kernel { name: pipeline.spec().name(), check_ms: ms(time.check), device_ms: ms(time.device) }
    });
    let measured = Measured {
        device: device.caps().to_string(),
        algorithm: plan.algorithm().label(),
        cache: context.pipeline_cache().to_string(),
        loaded_bytes,
        stored,
        pipelines_ms,
        kernels: times.collect(),
    };
    println!("{}", serde_json::to_string(&measured)?);
    Ok(())
}

/// A folder for one layer's cache, gone afterwards.
struct Folder(PathBuf);

impl Folder {
    fn new() -> anyhow::Result<Self> {
        let path = std::env::temp_dir().join(format!("winoconv-cold-{}", std::process::id()));
        if path.exists() {
            std::fs::remove_dir_all(&path).with_context(|| format!("emptying {}", path.display()))?;
        }
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // It is not there if nothing was stored.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The median, of an even number the mean of the middle two; sorts.
fn median(times: &mut [f64]) -> f64 {
    times.sort_by(f64::total_cmp);
    let middle = times.len() / 2;
    if times.len().is_multiple_of(2) { f64::midpoint(times[middle - 1], times[middle]) } else { times[middle] }
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_is_median_and_worst() {
        let summary = |times: &[f64]| Summary::of(times.iter().copied());
        let expected = |median_ms, worst_ms, layers| Some(Summary { median_ms, worst_ms, layers });
        assert_eq!(summary(&[3.0, 9.0, 1.0]), expected(3.0, 9.0, 3));
        assert_eq!(summary(&[3.0, 9.0, 1.0, 4.0]), expected(3.5, 9.0, 4));
        assert_eq!(summary(&[]), None);
    }
}
