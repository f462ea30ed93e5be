//! `cargo xtask compile`: one plan compiled cold, run and verified in a process of its own, which is ended at a limit. A
//! driver may take minutes over a kernel, or for ever, and neither its compiler nor a dispatch can be stopped from within.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use winoconv::gpu::{AdapterChoice, CacheSource, ContextOptions, ShaderChecks, Workspace};
use winoconv::kernel::FusedBlocking;
use winoconv::plan::Cut;
use winoconv::{Algorithm, Device, Error, Layer as Conv2d, Plan, Preferences, Tolerance, Weights};

use crate::bench::data::Data;
use crate::bench::layers::Layer;
use crate::bench::verify::Truth;
use crate::child::{self, How};

/// Caches of drivers that would make a compilation warm, switched off: Mesa's and NVIDIA's.
pub(crate) const COLD: [(&str, &str); 2] = [("MESA_SHADER_CACHE_DISABLE", "true"), ("__GL_SHADER_DISK_CACHE", "0")];
/// Later runs that are timed, unless they take longer than [`ENOUGH`] together.
const RUNS: usize = 5;
/// See [`RUNS`].
const ENOUGH: Duration = Duration::from_secs(2);

/// Options of `compile`.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    pub(crate) request: Request,
    /// Seconds after which the process is ended, whatever it does
    #[arg(long, default_value_t = 60.0)]
    limit: f64,
}

/// What to compile.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Request {
    /// direct, staged:f4x3, inlined:f4x3, ...
    #[arg(long)]
    pub(crate) algorithm: Algorithm,
    /// N,C,K,H,W or N,C,K,H,W,R (stride 1, padding R/2)
    #[arg(long, value_name = "N,C,K,H,W,R")]
    pub(crate) layer: Layer,
    /// How a fused kernel is cut, if that is not the planner's to choose
    #[arg(long)]
    pub(crate) blocking: Option<FusedBlocking>,
    /// Part of an adapter's name, or `software` [default: the best hardware, else a software adapter]
    #[arg(long)]
    pub(crate) adapter: Option<String>,
    /// Shaders that check every index and loop while they run
    #[arg(long)]
    pub(crate) checked: bool,
    /// Compile alone
    #[arg(long)]
    pub(crate) no_run: bool,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub(crate) enum CompileOutcome {
    /// It compiled, and ran if that was asked for.
    Compiled {
        /// The device.
        device: String,
        /// All kernels together, in milliseconds, past the caches of drivers that we can switch off.
        cold_ms: f64,
        /// Each kernel by name, in milliseconds; the filters' too.
        kernels: Vec<(String, f64)>,
        /// The run.
        run: Option<Run>,
    },
    /// The process was ended.
    TookLonger {
        /// The limit in milliseconds, which compiling and running share.
        limit_ms: f64,
        /// What it was doing: `compiling winograd_inlined_...`, `running`.
        during: String,
        /// Whether the system has confirmed that it is gone.
        gone: bool,
    },
    /// Planner, checks, driver or device said no.
    Refused {
        /// What they said.
        message: String,
    },
    /// The process died.
    Crashed {
        /// Of what: exit code or signal.
        status: String,
        /// What it was doing.
        during: String,
        /// The end of what it complained of.
        stderr: String,
    },
}

/// A run of what was compiled.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Run {
    /// The first, by the clock, in milliseconds: some drivers compile no sooner (lavapipe).
    pub(crate) first_ms: f64,
    /// The median of the later ones on the device, in milliseconds.
    pub(crate) ms: f64,
    /// Whether the first one's result is right.
    pub(crate) verified: bool,
    /// Its relative L2 error.
    pub(crate) rel_l2_error: f64,
}

/// What the child says, a line of JSON each: what it begins, at the end the outcome.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    During(String),
    Outcome(CompileOutcome),
}

/// Prints the outcome as JSON. Fails unless it compiled and, where it ran, was right.
pub(crate) fn verb(options: &Options) -> anyhow::Result<()> {
    let limit = Duration::try_from_secs_f64(options.limit).context("--limit")?;
    let outcome = compile_within(limit, &options.request);
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
    let crashed = |status: String| CompileOutcome::Crashed { status, during: String::new(), stderr: String::new() };
    let program = match std::env::current_exe() {
        Ok(program) => program,
        Err(error) => return crashed(format!("this program cannot be found: {error}")),
    };
    let mut command = Command::new(program);
    command.arg("compile-one").args(request.arguments()).envs(COLD);
    match child::run_within(&mut command, limit) {
        Ok(ended) => judge(&ended, limit),
        Err(error) => crashed(format!("cannot be started: {error}")),
    }
}

/// The outcome from what the child said and how it ended.
fn judge(ended: &child::Ended, limit: Duration) -> CompileOutcome {
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
            let last: Vec<&str> = ended.stderr.lines().rev().take(5).collect();
            let stderr = last.into_iter().rev().collect::<Vec<_>>().join("\n");
            CompileOutcome::Crashed { status: status.to_string(), during, stderr }
        }
    }
}

impl Request {
    /// The request as the child's arguments.
    fn arguments(&self) -> Vec<String> {
        let mut arguments =
            vec!["--algorithm".to_owned(), self.algorithm.label(), "--layer".to_owned(), self.layer.sizes()];
        let blocking = self.blocking.map(|blocking| ["--blocking".to_owned(), blocking.to_string()]);
        arguments.extend(blocking.into_iter().flatten());
        let adapter = self.adapter.clone().map(|name| ["--adapter".to_owned(), name]);
        arguments.extend(adapter.into_iter().flatten());
        arguments.extend(self.checked.then(|| "--checked".to_owned()));
        arguments.extend(self.no_run.then(|| "--no-run".to_owned()));
        arguments
    }
}

/// The adapter of this name, of software, or the best hardware and else software.
pub(crate) fn open(adapter: Option<&str>, checked: bool, cache: &CacheSource) -> Result<Device, Error> {
    let checks = if checked { ShaderChecks::Checked } else { ShaderChecks::Trusted };
    let options = |choice| ContextOptions::default().adapter(choice).checks(checks).pipeline_cache(cache.clone());
    let open = |choice| Device::gpu_blocking(&options(choice));
    match adapter {
        Some("software") => open(AdapterChoice::Software),
        Some(name) => open(AdapterChoice::Named(name.to_owned())),
        None => open(AdapterChoice::Hardware).or_else(|_| open(AdapterChoice::Software)),
    }
}

/// The child's part: says what it does, and the outcome at the end.
pub(crate) fn child(request: &Request) -> anyhow::Result<()> {
    let outcome = match pollster::block_on(compile(request)) {
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
    let device = open(request.adapter.as_deref(), request.checked, &CacheSource::off())?;
    let context = device.context().context("the device is no GPU")?;
    let problem = request.layer.problem()?;
    let preferences = Preferences::new().algorithm(request.algorithm).tolerance(Tolerance::Any);
    let preferences = Preferences { cut: request.blocking.map(Cut::Fused), ..preferences };
    let plan = Plan::new(&problem, device.caps(), &preferences)?;
    let packing = plan.packing().dispatches(&problem);
    let mut kernels = Vec::new();
    for kernel in plan.kernels().into_iter().chain(packing.iter().map(winoconv::plan::Dispatch::kernel)) {
        begin(format!("compiling {kernel}"))?;
        // Kept for the run: a kernel that takes a minute need not take another.
        let pipeline = context.pipeline(&kernel).await?;
        kernels.push((kernel.name(), ms(pipeline.compile_time().total())));
    }
    let cold_ms = kernels.iter().map(|(_, ms)| ms).sum();
    let run = match request.no_run {
        true => None,
        false => {
            begin("running".to_owned())?;
            Some(run(&device, request, &plan).await?)
        }
    };
    Ok(CompileOutcome::Compiled { device: device.caps().to_string(), cold_ms, kernels, run })
}

async fn run(device: &Device, request: &Request, plan: &Plan) -> anyhow::Result<Run> {
    let context = device.context().context("the device is no GPU")?;
    let problem = plan.problem();
    let data = Data::new(problem);
    let weights = Weights::new(&data.weights);
    let conv = Conv2d::new(device, problem.conv(), weights, *plan.preferences()).await?;
    let input = context.upload("input", &data.input).await?;
    // What is not written shows.
    let output = context.upload("output", &vec![f32::NAN; problem.output_len()]).await?;
    let workspace = Workspace::new(context, &[plan]).await?;
    let bound = conv.bind(problem.input_shape(), (&input, &output), &workspace).await?;
    let clock = Instant::now();
    context.time(|pass| bound.encode_pass(pass)).await?;
    let first_ms = ms(clock.elapsed());
    let result = context.download(&output, problem.output_len()).await?;
    let truth = Truth::new(problem, &data);
    let errors = truth.compare(problem, request.algorithm, plan.expected_error(), &result);
    let mut times = Vec::new();
    let clock = Instant::now();
    while times.is_empty() || (times.len() < RUNS && clock.elapsed() < ENOUGH) {
        times.push(ms(context.time(|pass| bound.encode_pass(pass)).await?));
    }
    times.sort_by(f64::total_cmp);
    Ok(Run { first_ms, ms: times[times.len() / 2], verified: errors.verified, rel_l2_error: errors.rel_l2 })
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(Debug, clap::Parser)]
    struct Line1 {
        #[command(flatten)]
        request: Request,
    }

    fn read(arguments: &[String]) -> Request {
        let line = [&["xtask".to_owned()], arguments].concat();
        Line1::try_parse_from(line).unwrap_or_else(|error| panic!("{error}")).request
    }

    #[test]
    fn a_request_reads_back() {
        let all = "--algorithm inlined_nonzero:f4x3 --layer 1,8,16,32,24,3 --blocking 32x16x6_8x4_2 --adapter swift \
                   --checked --no-run";
        for text in [all, "--algorithm direct --layer 2,3,4,5,6,5"] {
            let arguments: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
            assert_eq!(read(&arguments).arguments(), arguments);
        }
    }

    #[test]
    fn what_the_child_said_last_is_the_outcome() {
        let refused = CompileOutcome::Refused { message: "no".to_owned() };
        let lines = [
            serde_json::to_string(&Line::During("compiling x".to_owned())).expect("written"),
            "a driver's own line".to_owned(),
        ];
        let killed = |stdout: String| child::Ended { how: How::Killed { gone: true }, stdout, stderr: String::new() };
        let limit = Duration::from_secs(2);
        let outcome = judge(&killed(lines.join("\n")), limit);
        let during = "compiling x".to_owned();
        assert_eq!(outcome, CompileOutcome::TookLonger { limit_ms: 2000.0, during, gone: true });
        let last = serde_json::to_string(&Line::Outcome(refused.clone())).expect("written");
        assert_eq!(judge(&killed(format!("{}\n{last}\n", lines.join("\n"))), limit), refused);
    }

    #[cfg(unix)]
    #[test]
    fn a_child_that_dies_has_crashed() {
        let mut command = Command::new("sh");
        command.args(["-c", r#"echo '{"during":"running"}'; echo the driver is lost >&2; kill -ABRT $$"#]);
        let limit = Duration::from_secs(10);
        let outcome = judge(&child::run_within(&mut command, limit).expect("starts"), limit);
        let CompileOutcome::Crashed { status, during, stderr } = &outcome else { panic!("{outcome:?}") };
        assert!(status.contains("signal: 6"), "{status}");
        assert_eq!((during.as_str(), stderr.as_str()), ("running", "the driver is lost"));
    }
}
