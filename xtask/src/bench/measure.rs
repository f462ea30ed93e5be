//! Measuring one layer: every algorithm planned, compiled, verified, then timed in rounds that take turns.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use winoconv::gpu::{self, Bound, CompileTime, Context};
use winoconv::kernel::KernelSpec;
use winoconv::plan::{Cut, Origin};
use winoconv::{Algorithm, Device, Layer as Conv2d, Plan, Preferences, Tolerance, Weights, Workspace, cpu};

use super::layers::Layer;
use super::verify::{Errors, Trials};
use crate::report;

/// How much is measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Effort {
    /// Rounds over all algorithms of a layer.
    pub rounds: usize,
    /// Runs recorded in one pass between two timestamps, at most.
    pub runs: u32,
    /// A pass gets fewer runs if it would take longer than this.
    pub pass: Duration,
    /// How long a GPU is kept busy before its times count.
    pub warm_up: Duration,
}

impl Effort {
    /// The usual effort.
    pub(crate) const FULL: Self =
        Self { rounds: 7, runs: 10, pass: Duration::from_millis(400), warm_up: Duration::from_millis(1500) };
    /// For a look.
    pub(crate) const QUICK: Self =
        Self { rounds: 3, runs: 10, pass: Duration::from_millis(100), warm_up: Duration::from_millis(800) };
}

/// What a row measures: an algorithm, and how it is cut if that is not the planner's estimate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    /// The algorithm.
    pub(crate) algorithm: Algorithm,
    /// How it is cut.
    pub(crate) cut: Option<Cut>,
}

impl From<Algorithm> for Entry {
    fn from(algorithm: Algorithm) -> Self {
        Self { algorithm, cut: None }
    }
}

/// What is kept over the layers of one report.
#[derive(Default)]
pub(crate) struct Session {
    /// What is asked of every plan.
    pub(crate) preferences: Preferences,
    /// First and second compilation of each kernel.
    compiled: HashMap<KernelSpec, [CompileTime; 2]>,
    workspace: Workspace,
}

impl Session {
    /// A session that asks this of every plan.
    pub(crate) fn new(preferences: Preferences) -> Self {
        Self { preferences, ..Self::default() }
    }
}

/// A row that is ready to be timed.
struct Ready<'a> {
    row: report::Row,
    bound: Bound,
    plan: std::sync::Arc<Plan>,
    context: &'a Context,
    runs: u32,
    times: Vec<f64>,
}

/// The rows of a layer on a GPU, in the order of `entries`.
pub(crate) fn on_gpu(
    session: &mut Session,
    device: &Device,
    layer: &Layer,
    trials: &Trials,
    entries: &[Entry],
    effort: Effort,
) -> anyhow::Result<Vec<report::Row>> {
    pollster::block_on(async {
        let Some(context) = device.context() else { anyhow::bail!("{} is no GPU", device.caps()) };
        let preferences = session.preferences;
        let chosen = chosen(device, layer, &preferences);
        let Trials { normal, relu } = trials;
        let mut rows = Vec::new();
        let mut ready: Vec<(usize, Ready<'_>)> = Vec::new();
        let problem = layer.problem()?;
        let shape = problem.input_shape();
        // Ends and workspace are shared by all algorithms of the layer; a layer too large for a buffer has no rows.
        let ends = match (
            context.upload("input", &normal.data.input).await,
            context.create_buffer("output", problem.output_len()).await,
        ) {
            (Ok(input), Ok(output)) => Ok((input, output)),
            (Err(error), _) | (_, Err(error)) => Err(error),
        };
        let mut workspace_plans = Vec::new();
        for &entry in entries {
            workspace_plans.extend(Plan::new(&problem, device.caps(), &forced(entry, &preferences)).ok());
        }
        let workspace = gpu::Workspace::new(context, &workspace_plans.iter().collect::<Vec<_>>()).await?;
        for (index, &entry) in entries.iter().enumerate() {
            let mut row = row(layer, entry, report::Device::Gpu, chosen == Some(entry), device);
            let prepared = async {
                let (input, output) = ends.as_ref().map_err(Clone::clone)?;
                let weights = Weights::new(&normal.data.weights);
                let conv = Conv2d::new(device, layer.conv(), weights, forced(entry, &preferences)).await?;
                let plan = conv.plan(shape)?;
                describe(&mut row, &plan);
                for times in compile(session, context, &plan).await? {
                    *row.compile_cold_ms.get_or_insert(0.0) += ms(times[0].total());
                    *row.compile_warm_ms.get_or_insert(0.0) += ms(times[1].total());
                }
                // Whole runs, with upload and download, which also give the results to verify: one on each kind of data.
                let mut result = vec![f32::NAN; problem.output_len()];
                session.workspace.poison(f32::NAN);
                conv.run_with_workspace(shape, &normal.data.input, &mut result, &mut session.workspace).await?;
                let errors = normal.truth.compare(&problem, entry.algorithm, plan.expected_error(), &result);
                result.fill(f32::NAN);
                let clock = Instant::now();
                conv.run_with_workspace(shape, &relu.data.input, &mut result, &mut session.workspace).await?;
                row.wall_ms = Some(ms(clock.elapsed()));
                let relu_errors = relu.truth.compare(&problem, entry.algorithm, plan.expected_error(), &result);
                record(&mut row, &errors, &relu_errors);
                let bound = conv.bind(shape, (input, output), &workspace).await?;
                // What is timed is verified as well: the caller's buffers, after one encoded run.
                let mut encoder = context.device().create_command_encoder(&Default::default());
                bound.encode(&mut encoder)?;
                context.queue().submit([encoder.finish()]);
                let encoded = context.download(output, problem.output_len()).await?;
                let same = normal.truth.compare(&problem, entry.algorithm, plan.expected_error(), &encoded);
                row.verified &= same.verified;
                Ok::<_, winoconv::Error>((bound, plan))
            };
            match prepared.await {
                Ok((bound, plan)) => {
                    if row.verified {
                        let ready_row = Ready { row: row.clone(), bound, plan, context, runs: 1, times: Vec::new() };
                        ready.push((index, ready_row));
                    } else {
                        row.note = Some("the result is wrong: not timed".to_owned());
                    }
                }
                Err(error) => row.note = Some(error.to_string()),
            }
            rows.push(row);
        }
        for (_, ready) in &mut ready {
            ready.fit(effort).await?;
        }
        warm_up(&mut ready, effort).await?;
        // In turns, so that a slow moment of the machine falls on all.
        for _ in 0..effort.rounds {
            for (_, ready) in &mut ready {
                ready.round().await?;
            }
        }
        for (index, ready) in ready {
            rows[index] = ready.finish().await?;
        }
        Ok(rows)
    })
}

/// Keeps the device busy until its clocks are up: a GPU that waited for the processor to make data runs at a fraction
/// of its speed (an H100 at a quarter, for the first tenths of a second).
async fn warm_up(ready: &mut [(usize, Ready<'_>)], effort: Effort) -> Result<(), winoconv::Error> {
    let begin = Instant::now();
    while begin.elapsed() < effort.warm_up {
        for (_, ready) in &mut *ready {
            ready.round().await?;
        }
        if ready.is_empty() || ready[0].1.context.caps().is_software() {
            break;
        }
    }
    ready.iter_mut().for_each(|(_, ready)| ready.times.clear());
    Ok(())
}

impl Ready<'_> {
    /// Runs once to learn how many runs fit into a pass.
    async fn fit(&mut self, effort: Effort) -> Result<(), winoconv::Error> {
        let once = self.context.time(|pass| self.bound.encode_pass(pass)).await?;
        let fit = (effort.pass.as_secs_f64() / once.as_secs_f64().max(1e-9)).clamp(1.0, f64::from(effort.runs));
        self.runs = fit as u32;
        Ok(())
    }

    async fn round(&mut self) -> Result<(), winoconv::Error> {
        let runs = self.runs;
        let time = self.context.time(|pass| (0..runs).try_for_each(|_| self.bound.encode_pass(pass))).await?;
        self.times.push(ms(time) / f64::from(runs));
        Ok(())
    }

    async fn finish(mut self) -> Result<report::Row, winoconv::Error> {
        // Each stage by itself, for information: the total is never their sum.
        for kernel in self.plan.kernels() {
            let mut times = Vec::new();
            for _ in 0..3 {
                let encode = |pass: &mut winoconv::wgpu::ComputePass<'_>| {
                    (0..self.runs).try_for_each(|_| self.bound.encode_stage(pass, kernel.kernel()))
                };
                times.push(ms(self.context.time(encode).await?) / f64::from(self.runs));
            }
            self.row.stage_ms.insert(stage(&kernel), median(&mut times));
        }
        let flops = self.plan.problem().direct_flops();
        finish(&mut self.row, &mut self.times, self.runs, flops);
        Ok(self.row)
    }
}

/// Runs of a round: ten, as on a GPU, or what takes a fifth of a second.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most ten")]
fn runs_of_round(first_ms: f64) -> u32 {
    (200.0 / first_ms.max(1e-3)).clamp(1.0, 10.0) as u32
}

/// The multiply of a plan for a processor alone: milliseconds, and the operations that it is; the best of as many runs.
fn multiply_alone(plan: &Plan, packed: &[f32], workspace: &mut [Vec<f32>], runs: u32) -> Option<(f64, f64)> {
    let mut best = f64::INFINITY;
    let mut flops = None;
    for _ in 0..runs.max(3) {
        let clock = Instant::now();
        flops = cpu::multiply_alone(plan, packed, workspace);
        best = best.min(ms(clock.elapsed()));
    }
    flops.map(|flops| (best, flops))
}

/// The rows of a layer on the processor.
pub(crate) fn on_cpu(
    device: &Device,
    layer: &Layer,
    preferences: &Preferences,
    trials: &Trials,
    entries: &[Entry],
    effort: Effort,
) -> anyhow::Result<Vec<report::Row>> {
    let chosen = chosen(device, layer, preferences);
    let Trials { normal, relu } = trials;
    let problem = layer.problem()?;
    let mut rows = Vec::new();
    for &entry in entries {
        let mut row = row(layer, entry, report::Device::Cpu, chosen == Some(entry), device);
        match Plan::new(&problem, device.caps(), &forced(entry, preferences)) {
            Err(error) => row.note = Some(error.to_string()),
            Ok(plan) => {
                describe(&mut row, &plan);
                let weights = &normal.data.weights;
                let packed = cpu::pack(&plan, weights)?;
                let operands = |input| cpu::Operands { input, weights, packed: &packed, ..cpu::Operands::default() };
                let mut workspace: Vec<Vec<f32>> = plan.workspace().iter().map(|&len| vec![f32::NAN; len]).collect();
                let mut output = vec![f32::NAN; problem.output_len()];
                let run = |output: &mut [f32], workspace: &mut [Vec<f32>]| {
                    let clock = Instant::now();
                    cpu::run(&plan, &operands(&normal.data.input), workspace, output).map(|()| ms(clock.elapsed()))
                };
                // Pages are touched and other threads awake after the first run.
                let first = run(&mut output, &mut workspace)?;
                let runs = runs_of_round(first);
                let mut times = Vec::new();
                let begin = Instant::now();
                for _ in 0..effort.rounds {
                    let round: winoconv::Result<f64> = (0..runs).map(|_| run(&mut output, &mut workspace)).sum();
                    times.push(round? / f64::from(runs));
                    if begin.elapsed() > 5 * effort.pass {
                        break;
                    }
                }
                let errors = normal.truth.compare(&problem, entry.algorithm, plan.expected_error(), &output);
                output.fill(f32::NAN);
                cpu::run(&plan, &operands(&relu.data.input), &mut workspace, &mut output)?;
                let relu_errors = relu.truth.compare(&problem, entry.algorithm, plan.expected_error(), &output);
                record(&mut row, &errors, &relu_errors);
                if row.verified {
                    if let Some((alone, flops)) = multiply_alone(&plan, &packed, &mut workspace, runs) {
                        row.stage_ms.insert("multiply".to_owned(), alone);
                        // Beside it, since a shared machine's speed drifts.
                        let peak = cpu::peak_flops(device.caps().threads);
                        let share = 100.0 * flops / (alone / 1e3) / peak;
                        row.note = Some(format!("multiply alone: {share:.0}% of {:.0} GFLOP/s", peak / 1e9));
                    }
                    finish(&mut row, &mut times, runs, problem.direct_flops());
                    row.wall_ms = row.time_ms;
                } else {
                    row.note = Some("the result is wrong: no time is given".to_owned());
                }
            }
        }
        rows.push(row);
    }
    Ok(rows)
}

/// Compiles each kernel of a plan twice, past the device's own cache of pipelines; what an earlier layer compiled
/// keeps the times of its first compilation.
async fn compile(
    session: &mut Session,
    context: &Context,
    plan: &Plan,
) -> Result<Vec<[CompileTime; 2]>, winoconv::Error> {
    let packing = plan.packing().dispatches(plan.problem());
    let mut times = Vec::new();
    for kernel in plan.kernels().into_iter().chain(packing.iter().map(winoconv::plan::Dispatch::kernel)) {
        if let std::collections::hash_map::Entry::Vacant(e) = session.compiled.entry(kernel) {
            let both = [context.time_compile(&kernel).await?, context.time_compile(&kernel).await?];
            e.insert(both);
        }
        times.push(session.compiled[&kernel]);
    }
    Ok(times)
}

/// What the planner takes when no algorithm is forced; with its cut, where that is wisdom's and no estimate would take it.
fn chosen(device: &Device, layer: &Layer, preferences: &Preferences) -> Option<Entry> {
    let plan = layer.problem().ok()?.plan(device, preferences).ok()?;
    let cut = matches!(plan.origin(), Origin::Wisdom { .. }).then_some(plan.cut());
    Some(Entry { algorithm: plan.algorithm(), cut })
}

/// The algorithms to measure: those asked for, and whatever the planner takes.
pub(crate) fn with_chosen(device: &Device, layer: &Layer, preferences: &Preferences, asked: &[Entry]) -> Vec<Entry> {
    let mut entries = asked.to_vec();
    entries.extend(chosen(device, layer, preferences).filter(|chosen| !asked.contains(chosen)));
    entries
}

/// The preferences that leave the planner no choice of an algorithm.
pub(crate) fn forced(entry: Entry, preferences: &Preferences) -> Preferences {
    let preferences = preferences.algorithm(entry.algorithm).tolerance(Tolerance::Any);
    Preferences { cut: entry.cut, ..preferences }
}

fn row(layer: &Layer, entry: Entry, kind: report::Device, chosen: bool, device: &Device) -> report::Row {
    report::Row {
        suite: layer.suite.clone(),
        layer: layer.name.clone(),
        n: layer.n,
        c: layer.c,
        k: layer.k,
        h: layer.h,
        w: layer.w,
        r: layer.r,
        stride: 1,
        dtype: "f32".to_owned(),
        algorithm: match entry.cut {
            None => entry.algorithm.to_string(),
            Some(cut) => format!("{} {cut}", entry.algorithm),
        },
        points: entry.algorithm.transform().map(|nested| format!("{:?}", nested.rows.points()).to_lowercase()),
        device: kind,
        chosen,
        fallback: device.fallback().map(ToString::to_string),
        ..Default::default()
    }
}

/// A row on a GPU that was not run, with what its plan says.
pub(crate) fn unmeasured(layer: &Layer, entry: Entry, device: &Device, plan: Option<&Plan>) -> report::Row {
    let chosen = chosen(device, layer, &Preferences::new());
    let mut row = row(layer, entry, report::Device::Gpu, chosen == Some(entry), device);
    if let Some(plan) = plan {
        describe(&mut row, plan);
    }
    row
}

fn describe(row: &mut report::Row, plan: &Plan) {
    row.kernels = plan.kernels().iter().map(ToString::to_string).collect();
    row.workspace_bytes = Some(plan.workspace_bytes());
    row.packed_bytes = Some(plan.packed_bytes());
    row.expected_error = Some(plan.expected_error());
}

fn record(row: &mut report::Row, errors: &Errors, relu: &Errors) {
    row.rel_l2_error = Some(errors.rel_l2);
    row.max_abs_error = Some(errors.max_abs);
    row.error_bound = Some(errors.bound);
    row.direct_error = Some(errors.direct);
    row.relu_rel_l2_error = Some(relu.rel_l2);
    row.relu_direct_error = Some(relu.direct);
    row.verified = errors.verified && relu.verified;
}

fn finish(row: &mut report::Row, times: &mut [f64], runs: u32, flops: f64) {
    let time = median(times);
    row.time_ms = Some(time);
    row.time_ms_min = times.first().copied();
    row.runs = Some(runs * u32::try_from(times.len()).unwrap_or(u32::MAX));
    row.tflops_effective = Some(flops / time / 1e9);
}

/// The stage's name in reports: `winograd_input` is `input_transform`, ...
fn stage(kernel: &KernelSpec) -> String {
    match kernel.kernel() {
        "winograd_input" => "input_transform",
        "winograd_multiply" => "multiply",
        "winograd_output" => "output_transform",
        other => other,
    }
    .to_owned()
}

/// The median; sorts.
fn median(times: &mut [f64]) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
