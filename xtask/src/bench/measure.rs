//! Measuring one layer: every algorithm planned, compiled, verified, then timed in rounds that take turns.

use std::sync::Arc;
use std::time::{Duration, Instant};

use winoconv::gpu::{self, Bound, Context};
use winoconv::kernel::KernelSpec;
use winoconv::plan::{Cut, Origin};
use winoconv::wgpu::{Buffer, ComputePass};
use winoconv::{Algorithm, Device, Ends, Plan, Preferences, Problem, Tolerance, Workspace, cpu};

use super::layers::Layer;
use super::verify::{Trials, Truth};
use crate::random::data::Case;
use crate::report::{self, Row, units::median};

#[derive(Debug, Clone, Copy)]
pub(crate) struct Effort {
    rounds: usize,
    /// A pass gets fewer runs if it would take longer than this.
    pass: Duration,
    /// How long a GPU is kept busy before its times count.
    warm_up: Duration,
}

/// Runs recorded in one pass between two timestamps, at most.
const RUNS: f64 = 10.0;
const WRONG: &str = "the result is wrong: no time is given";

impl Effort {
    pub(crate) const FULL: Self =
        Self { rounds: 7, pass: Duration::from_millis(400), warm_up: Duration::from_millis(1500) };
    /// For a look.
    pub(crate) const QUICK: Self =
        Self { rounds: 3, pass: Duration::from_millis(100), warm_up: Duration::from_millis(800) };
}

/// What a row measures: an algorithm, and how it is cut if that is not the planner's estimate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) algorithm: Algorithm,
    pub(crate) cut: Option<Cut>,
}

impl From<Algorithm> for Entry {
    fn from(algorithm: Algorithm) -> Self {
        Self { algorithm, cut: None }
    }
}

/// Layers measured on one device, one after the other.
pub(crate) struct Session {
    pub(crate) device: Device,
    preferences: Preferences,
    effort: Effort,
    workspace: Workspace,
}

/// What all algorithms of a layer share on a GPU.
struct Tensors {
    input: Buffer,
    output: Buffer,
    /// The output's gradient, where a gradient is made of it.
    gradient: Option<Buffer>,
    workspace: gpu::Workspace,
}

impl Tensors {
    async fn new(context: &Context, case: &Case, plans: &[Plan]) -> winoconv::Result<Self> {
        let dtype = case.problem.conv().dtype;
        let gradient = match case.reads_gradient() {
            true => Some(context.upload_as("gradient", dtype, &case.weights).await?),
            false => None,
        };
        Ok(Self {
            input: context.upload_as("input", dtype, &case.input).await?,
            output: context.create_buffer("output", case.problem.output_len()).await?,
            gradient,
            workspace: gpu::Workspace::new(context, &plans.iter().collect::<Vec<_>>()).await?,
        })
    }

    fn ends(&self) -> Ends<'_> {
        let ends = Ends::new(&self.input, &self.output);
        self.gradient.iter().fold(ends, Ends::gradient)
    }
}

/// What compiled on a GPU and gave a right result, and its times so far.
struct Ready {
    bound: Bound,
    plan: Arc<Plan>,
    context: Context,
    runs: u32,
    times: Vec<f64>,
}

impl Session {
    pub(crate) fn new(device: Device, preferences: Preferences, effort: Effort) -> Self {
        Self { device, preferences, effort, workspace: Workspace::new() }
    }

    /// A row for each entry, and for the planner's choice if it is not among them.
    pub(crate) fn measure(&mut self, layer: &Layer, trials: &Trials, asked: &[Entry]) -> anyhow::Result<Vec<Row>> {
        let mut entries = asked.to_vec();
        entries.extend(self.chosen(layer).filter(|chosen| !asked.contains(chosen)));
        match self.device.context().cloned() {
            Some(context) => pollster::block_on(self.on_gpu(&context, layer, trials, &entries)),
            None => entries.iter().map(|&entry| self.on_cpu(layer, trials, entry)).collect(),
        }
    }

    async fn on_gpu(
        &mut self,
        context: &Context,
        layer: &Layer,
        trials: &Trials,
        entries: &[Entry],
    ) -> anyhow::Result<Vec<Row>> {
        // A layer too large for a buffer has no times.
        let plans: Vec<Plan> = entries.iter().filter_map(|&entry| self.plan(layer, entry).ok()).collect();
        let tensors = Tensors::new(context, &trials.normal.case, &plans).await;
        let (mut rows, mut ready) = (Vec::new(), Vec::new());
        for &entry in entries {
            let mut row = self.row(layer, entry);
            let prepared = match &tensors {
                Ok(tensors) => self.prepare(context, trials, entry, tensors, &mut row).await,
                Err(error) => Err(error.clone()),
            };
            match prepared {
                Ok(prepared) if row.verified => ready.push((rows.len(), prepared)),
                Ok(_) => row.note = Some(WRONG.to_owned()),
                Err(error) => row.note = Some(error.to_string()),
            }
            rows.push(row);
        }
        for (_, ready) in &mut ready {
            ready.fit(self.effort).await?;
        }
        warm_up(&mut ready, self.effort).await?;
        // In turns, so that a slow moment of the machine falls on all.
        for _ in 0..self.effort.rounds {
            for (_, ready) in &mut ready {
                ready.round().await?;
            }
        }
        for (row, ready) in ready {
            ready.finish(&mut rows[row]).await?;
        }
        Ok(rows)
    }

    /// Compiles a plan and verifies it: whole runs, with upload and download, one on each kind of data, and then what is
    /// timed, on the caller's buffers, which all algorithms of a layer share.
    async fn prepare(
        &mut self,
        context: &Context,
        trials: &Trials,
        entry: Entry,
        tensors: &Tensors,
        row: &mut Row,
    ) -> winoconv::Result<Ready> {
        let problem = trials.normal.case.problem;
        let conv = trials.normal.case.layer(&self.device, self.forced(&problem, entry))?;
        let plan = conv.plan_for(&problem)?;
        describe(row, &plan);
        let mut results = Vec::new();
        self.workspace.poison(f32::NAN);
        for Truth { case, .. } in [&trials.normal, &trials.relu] {
            let mut result = vec![f32::NAN; problem.output_len()];
            conv.run_problem(&problem, case.inputs(), &mut result, &mut self.workspace).await?;
            results.push(result);
        }
        record(row, trials, &plan, [&results[0], &results[1]]);
        let bound = conv.bind_problem(&problem, tensors.ends(), &tensors.workspace).await?;
        let mut encoder = context.device().create_command_encoder(&Default::default());
        bound.encode(&mut encoder)?;
        context.queue().submit([encoder.finish()]);
        let dtype = problem.conv().dtype;
        let encoded = context.download_as(&tensors.output, dtype, problem.output_len()).await?;
        row.verified &= trials.normal.compare(&plan, &encoded).verified;
        Ok(Ready { bound, plan, context: context.clone(), runs: 1, times: Vec::new() })
    }

    fn on_cpu(&self, layer: &Layer, trials: &Trials, entry: Entry) -> anyhow::Result<Row> {
        let mut row = self.row(layer, entry);
        let plan = match self.plan(layer, entry) {
            Ok(plan) => plan,
            Err(error) => return Ok(Row { note: Some(error.to_string()), ..row }),
        };
        describe(&mut row, &plan);
        let weights = &trials.normal.case.weights;
        let packed = cpu::pack(&plan, weights)?;
        let mut workspace: Vec<Vec<f32>> = plan.workspace().iter().map(|&len| vec![f32::NAN; len]).collect();
        let mut run = |truth: &Truth, output: &mut [f32]| {
            let input = &truth.case.input;
            let operands = cpu::Operands { input, weights, packed: &packed, ..cpu::Operands::default() };
            let clock = Instant::now();
            cpu::run(&plan, &operands, &mut workspace, output).map(|()| ms(clock.elapsed()))
        };
        let mut outputs = [(); 2].map(|()| vec![f32::NAN; plan.problem().output_len()]);
        // Pages are touched and other threads awake after the first run.
        run(&trials.relu, &mut outputs[1])?;
        let first = run(&trials.normal, &mut outputs[0])?;
        // Ten, as on a GPU, or what takes a fifth of a second.
        let runs = (200.0 / first.max(1e-3)).clamp(1.0, RUNS) as u32;
        let mut times = Vec::new();
        let begin = Instant::now();
        for _ in 0..self.effort.rounds {
            let round: winoconv::Result<f64> = (0..runs).map(|_| run(&trials.normal, &mut outputs[0])).sum();
            times.push(round? / f64::from(runs));
            if begin.elapsed() > 5 * self.effort.pass {
                break;
            }
        }
        record(&mut row, trials, &plan, [&outputs[0], &outputs[1]]);
        if row.verified {
            finish(&mut row, &times, plan.problem().direct_flops());
        } else {
            row.note = Some(WRONG.to_owned());
        }
        Ok(row)
    }

    /// What the planner takes when no algorithm is forced; with its cut, where that is wisdom's and no estimate would take
    /// it.
    fn chosen(&self, layer: &Layer) -> Option<Entry> {
        let plan = layer.problem().ok()?.plan(&self.device, &self.preferences).ok()?;
        let cut = matches!(plan.origin(), Origin::Wisdom { .. }).then_some(plan.cut());
        Some(Entry { algorithm: plan.algorithm(), cut })
    }

    /// An algorithm that was asked for is measured even if it is not exact enough. Its cut must be: without a tolerance matrix units
    /// with one product are always the fastest.
    fn forced(&self, problem: &Problem, entry: Entry) -> Preferences {
        let preferences = Preferences { cut: entry.cut, ..self.preferences.algorithm(entry.algorithm) };
        match Plan::new(problem, self.device.caps(), &preferences) {
            Ok(plan) if entry.cut.is_none() => {
                Preferences { cut: Some(plan.cut()), ..preferences.tolerance(Tolerance::Any) }
            }
            _ => preferences.tolerance(Tolerance::Any),
        }
    }

    pub(crate) fn plan(&self, layer: &Layer, entry: Entry) -> anyhow::Result<Plan> {
        let problem = layer.problem()?;
        Ok(Plan::new(&problem, self.device.caps(), &self.forced(&problem, entry))?)
    }

    /// A row that is not measured yet.
    pub(crate) fn row(&self, layer: &Layer, entry: Entry) -> Row {
        let size = |from_end: usize| layer.input[2..].iter().rev().nth(from_end).copied().unwrap_or(1);
        Row {
            suite: layer.suite.clone(),
            layer: layer.name.clone(),
            algorithm: match entry.cut {
                None => entry.algorithm.to_string(),
                Some(cut) => format!("{} {cut}", entry.algorithm),
            },
            points: entry.algorithm.transform().map(|nested| format!("{:?}", nested.rows.points()).to_lowercase()),
            device: if self.device.context().is_some() { report::Device::Gpu } else { report::Device::Cpu },
            chosen: self.chosen(layer) == Some(entry),
            n: layer.input[0],
            c: layer.input[1],
            k: layer.filters,
            h: size(1),
            w: size(0),
            r: layer.kernel.last().copied().unwrap_or(1),
            ..Default::default()
        }
    }
}

/// Keeps the device busy until its clocks are up: a GPU that waited for the CPU to make data runs at a fraction
/// of its speed (an H100 at a quarter, for the first tenths of a second).
async fn warm_up(all: &mut [(usize, Ready)], effort: Effort) -> winoconv::Result<()> {
    let begin = Instant::now();
    while begin.elapsed() < effort.warm_up {
        for (_, ready) in &mut *all {
            ready.round().await?;
        }
        if all.is_empty() || all[0].1.context.caps().is_software() {
            break;
        }
    }
    all.iter_mut().for_each(|(_, ready)| ready.times.clear());
    Ok(())
}

impl Ready {
    async fn fit(&mut self, effort: Effort) -> winoconv::Result<()> {
        let once = self.context.time(|pass| self.bound.encode_pass(pass)).await?;
        let fit = effort.pass.as_secs_f64() / once.as_secs_f64().max(1e-9);
        self.runs = fit.clamp(1.0, RUNS) as u32;
        Ok(())
    }

    async fn round(&mut self) -> winoconv::Result<()> {
        let runs = self.runs;
        let time = self.context.time(|pass| (0..runs).try_for_each(|_| self.bound.encode_pass(pass))).await?;
        self.times.push(ms(time) / f64::from(runs));
        Ok(())
    }

    async fn finish(self, row: &mut Row) -> winoconv::Result<()> {
        // Each stage by itself, for information: the total is never their sum.
        for kernel in self.plan.kernels() {
            let mut times = Vec::new();
            for _ in 0..3 {
                let encode = |pass: &mut ComputePass<'_>| {
                    (0..self.runs).try_for_each(|_| self.bound.encode_stage(pass, kernel.kernel()))
                };
                times.push(ms(self.context.time(encode).await?) / f64::from(self.runs));
            }
            row.stage_ms.extend(median(&times).map(|time| (stage(&kernel).to_owned(), time)));
        }
        finish(row, &self.times, self.plan.problem().direct_flops());
        Ok(())
    }
}

/// The kernels of a run, and those that pack the weights.
pub(crate) fn all_kernels(plan: &Plan) -> Vec<KernelSpec> {
    let packing = plan.packing().dispatches(plan.problem());
    plan.kernels().into_iter().chain(packing.iter().map(winoconv::plan::Dispatch::kernel)).collect()
}

pub(crate) fn describe(row: &mut Row, plan: &Plan) {
    row.kernels = plan.kernels().iter().map(ToString::to_string).collect();
    row.workspace_bytes = Some(plan.workspace_bytes());
    row.packed_bytes = Some(plan.packed_bytes());
    row.expected_error = Some(plan.expected_error());
}

fn record(row: &mut Row, trials: &Trials, plan: &Plan, [normal, relu]: [&[f32]; 2]) {
    let (errors, relu) = (trials.normal.compare(plan, normal), trials.relu.compare(plan, relu));
    row.rel_l2_error = Some(errors.rel_l2);
    row.max_abs_error = Some(errors.max_abs);
    row.error_bound = Some(errors.bound);
    row.direct_error = Some(errors.direct);
    row.relu_rel_l2_error = Some(relu.rel_l2);
    row.relu_direct_error = Some(relu.direct);
    row.verified = errors.verified && relu.verified;
}

fn finish(row: &mut Row, times: &[f64], flops: f64) {
    row.time_ms = median(times);
    row.time_ms_min = times.iter().copied().reduce(f64::min);
    row.tflops_effective = row.time_ms.map(|time| flops / time / 1e9);
}

fn stage(kernel: &KernelSpec) -> &'static str {
    match kernel.kernel() {
        "winograd_input" => "input_transform",
        "winograd_multiply" => "multiply",
        "winograd_output" => "output_transform",
        other => other,
    }
}

pub(crate) fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
