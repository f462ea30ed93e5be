//! `cargo xtask compile`: one plan compiled cold, run and verified in a process of its own, which is ended at a limit. A
//! driver may take minutes over a kernel, or for ever, and neither its compiler nor a dispatch can be stopped from within.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use winoconv::gpu::{CacheSource, CacheState, Context, ContextOptions, Workspace};
use winoconv::{Device, Layer as Conv2d, Plan, Preferences, Tolerance, Weights};

use crate::bench::adapter::Adapter;
use crate::bench::layers::Layer;
use crate::bench::measure::{all_kernels, ms};
use crate::bench::verify::Truth;
use crate::child::{self, Ended, How};
use crate::random::data::{Case, Data};
use crate::report::units::median;
use crate::setup;

/// Later runs that are timed, unless they take longer than [`ENOUGH`] together.
const RUNS: usize = 5;
const ENOUGH: Duration = Duration::from_secs(2);

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    request: Request,
    /// Seconds after which the process is ended, whatever it does
    #[arg(long, default_value = "60", value_parser = seconds)]
    limit: Duration,
}

/// What a child is asked for, as JSON in its one argument.
#[derive(Debug, Clone, clap::Args, Serialize, Deserialize)]
#[group(skip)]
pub(crate) struct Request {
    /// direct, staged:f4x3, inlined:f4x3, ... [default: the planner's own pick]
    #[arg(long)]
    pub(crate) algorithm: Option<String>,
    /// N,C,K,H,W or N,C,K,H,W,R (stride 1, padding R/2)
    #[arg(long, value_name = "N,C,K,H,W,R")]
    pub(crate) layer: Layer,
    #[command(flatten)]
    pub(crate) on: Adapter,
    /// Compile all kernels together, with a pipeline cache that is read from this folder and stored there, and run nothing
    #[arg(long, value_name = "DIR")]
    pub(crate) cache: Option<PathBuf>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub(crate) enum CompileOutcome {
    Compiled {
        device: String,
        /// All kernels together, in milliseconds, past the caches of drivers that we can switch off.
        cold_ms: f64,
        /// Each kernel by name, in milliseconds; the filters' too.
        kernels: Vec<(String, f64)>,
        run: Option<Run>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        together: Option<Together>,
    },
    TookLonger {
        limit_ms: f64,
        /// What it was doing: `compiling winograd_inlined_...`, `running`.
        during: String,
        gone: bool,
    },
    /// Planner, checks, driver or device said no.
    Refused {
        message: String,
    },
    Crashed {
        status: String,
        during: String,
        stderr: String,
    },
}

impl CompileOutcome {
    /// Why it did not compile, in a word and in full.
    pub(crate) fn failure(&self) -> Option<(&'static str, String)> {
        match self {
            Self::Compiled { .. } => None,
            Self::TookLonger { limit_ms, during, .. } => {
                Some(("given up", format!("ended after {} s, {during}", limit_ms / 1e3)))
            }
            Self::Refused { message } => Some(("refused", message.clone())),
            Self::Crashed { status, during, stderr } => Some(("crashed", format!("died {during}: {status}. {stderr}"))),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Run {
    /// The first, by the clock, in milliseconds: some drivers compile no sooner (lavapipe).
    pub(crate) first_ms: f64,
    /// The median of the later ones on the device, in milliseconds.
    pub(crate) ms: f64,
    pub(crate) verified: bool,
    pub(crate) rel_l2_error: f64,
}

/// All kernels compiled at once, with a pipeline cache.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Together {
    pub(crate) algorithm: String,
    /// The cache that there was, and its bytes if it had any.
    pub(crate) cache: String,
    pub(crate) loaded_bytes: Option<usize>,
    /// Whether it could be stored afterwards.
    pub(crate) stored: bool,
    /// By the clock: text, naga and our checks included.
    pub(crate) pipelines_ms: f64,
    /// Each kernel: its text, naga's parser and validator, our lints; naga's translation and the driver's compiler.
    pub(crate) kernels: Vec<Value>,
}

/// What the child says, a line of JSON each: what it begins, at the end the outcome.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    During(String),
    Outcome(CompileOutcome),
}

pub(crate) fn seconds(text: &str) -> anyhow::Result<Duration> {
    Ok(Duration::try_from_secs_f64(text.parse()?)?)
}

pub(crate) fn verb(options: &Options) -> anyhow::Result<()> {
    let outcome = compile_within(options.limit, &options.request);
    println!("{}", serde_json::to_string(&outcome)?);
    let right = |run: &Option<Run>| run.as_ref().is_none_or(|run| run.verified);
    anyhow::ensure!(
        matches!(&outcome, CompileOutcome::Compiled { run, .. } if right(run)),
        "not compiled, or a wrong result"
    );
    Ok(())
}

/// Compiles in a child process, which is ended at the limit, whether it compiles or runs. Never fails: whatever becomes of
/// it is an outcome.
pub(crate) fn compile_within(limit: Duration, request: &Request) -> CompileOutcome {
    let request = serde_json::to_string(request).map_err(anyhow::Error::from);
    match request.and_then(|request| Ok(child::run_verb(&["compile-one", &request], limit)?)) {
        Ok(ended) => judge(&ended, limit),
        Err(error) => {
            let status = format!("cannot be started: {error}");
            CompileOutcome::Crashed { status, during: String::new(), stderr: String::new() }
        }
    }
}

fn judge(ended: &Ended, limit: Duration) -> CompileOutcome {
    let mut during = "starting".to_owned();
    // Drivers may print lines of their own.
    for line in ended.stdout.lines().filter_map(|line| serde_json::from_str(line).ok()) {
        match line {
            Line::During(what) => during = what,
            // Said with its last breath; a driver that fails while it is unloaded does not undo it.
            Line::Outcome(outcome) => return outcome,
        }
    }
    match ended.how {
        How::Killed { gone } => CompileOutcome::TookLonger { limit_ms: ms(limit), during, gone },
        How::Exited(status) => {
            CompileOutcome::Crashed { status: status.to_string(), during, stderr: setup::tail(&ended.stderr, 5) }
        }
    }
}

pub(crate) fn child(request: &str) -> anyhow::Result<()> {
    let outcome = match pollster::block_on(compile(&serde_json::from_str(request)?)) {
        Ok(outcome) => outcome,
        Err(error) => CompileOutcome::Refused { message: error.to_string() },
    };
    say(&Line::Outcome(outcome))
}

fn say(line: &Line) -> anyhow::Result<()> {
    println!("{}", serde_json::to_string(line)?);
    Ok(())
}

async fn compile(request: &Request) -> anyhow::Result<CompileOutcome> {
    let begin = |what: String| say(&Line::During(what));
    begin("opening the device".to_owned())?;
    let cache = request.cache.as_ref().map_or_else(CacheSource::off, CacheSource::folder);
    let device = request.on.open(&ContextOptions::default().pipeline_cache(cache))?;
    let context = device.context().context("the device is no GPU")?;
    let problem = request.layer.problem()?;
    let preferences = match &request.algorithm {
        Some(label) => Preferences::new().algorithm(label.parse()?).tolerance(Tolerance::Any),
        None => Preferences::new(),
    };
    let plan = Plan::new(&problem, device.caps(), &preferences)?;
    let together = if request.cache.is_some() { Some(together(context, &plan).await?) } else { None };
    let mut kernels = Vec::new();
    for kernel in all_kernels(&plan) {
        begin(format!("compiling {kernel}"))?;
        // Kept for the run: a kernel that takes a minute need not take another.
        let pipeline = context.pipeline(&kernel).await?;
        kernels.push((kernel.name(), ms(pipeline.compile_time().total())));
    }
    let cold_ms = kernels.iter().map(|(_, ms)| ms).sum();
    let mut run = None;
    if together.is_none() {
        begin("running".to_owned())?;
        run = Some(self::run(&device, context, &plan).await?);
    }
    Ok(CompileOutcome::Compiled { device: device.caps().to_string(), cold_ms, kernels, run, together })
}

async fn together(context: &Context, plan: &Plan) -> anyhow::Result<Together> {
    let cache = context.pipeline_cache();
    let loaded_bytes = if let CacheState::Loaded { bytes } = cache { Some(*bytes) } else { None };
    let stored = !matches!(cache, CacheState::Unavailable { .. });
    let clock = Instant::now();
    let pipelines = context.pipelines(&all_kernels(plan)).await?;
    let pipelines_ms = ms(clock.elapsed());
    if stored {
        context.save_pipeline_cache()?;
    }
    let kernels = pipelines.iter().map(|pipeline| {
        let time = pipeline.compile_time();
        json!({ "name": pipeline.spec().name(), "check_ms": ms(time.check), "device_ms": ms(time.device) })
    });
    let (algorithm, kernels) = (plan.algorithm().label(), kernels.collect());
    Ok(Together { algorithm, cache: cache.to_string(), loaded_bytes, stored, pipelines_ms, kernels })
}

async fn run(device: &Device, context: &Context, plan: &Plan) -> anyhow::Result<Run> {
    let problem = plan.problem();
    let case = Case::new(*problem, Data::Normal, 0x5EED);
    let conv = Conv2d::new(device, problem.conv(), Weights::new(&case.weights), *plan.preferences()).await?;
    let input = context.upload("input", &case.input).await?;
    // What is not written shows.
    let output = context.upload("output", &vec![f32::NAN; problem.output_len()]).await?;
    let workspace = Workspace::new(context, &[plan]).await?;
    let bound = conv.bind(problem.input_shape(), (&input, &output), &workspace).await?;
    let clock = Instant::now();
    context.time(|pass| bound.encode_pass(pass)).await?;
    let first_ms = ms(clock.elapsed());
    let result = context.download(&output, problem.output_len()).await?;
    let errors = Truth::new(case).compare(plan, &result);
    let mut times = Vec::new();
    let clock = Instant::now();
    while times.is_empty() || (times.len() < RUNS && clock.elapsed() < ENOUGH) {
        times.push(ms(context.time(|pass| bound.encode_pass(pass)).await?));
    }
    let ms = median(&times).unwrap_or_default();
    Ok(Run { first_ms, ms, verified: errors.verified, rel_l2_error: errors.rel_l2 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_child_said_last_is_the_outcome() {
        let limit = Duration::from_secs(2);
        let judged = |stdout: &str| {
            let (stdout, stderr) = (stdout.to_owned(), String::new());
            judge(&Ended { how: How::Killed { gone: true }, stdout, stderr }, limit)
        };
        let said = "{\"during\": \"running\"}\na driver's own line\n";
        let during = "running".to_owned();
        assert_eq!(judged(said), CompileOutcome::TookLonger { limit_ms: 2000.0, during, gone: true });
        let last = "{\"outcome\": {\"outcome\": \"refused\", \"message\": \"no\"}}";
        let refused = CompileOutcome::Refused { message: "no".to_owned() };
        assert_eq!(judged(&[said, last].concat()), refused);
    }
}
