//! Measuring an adapter for the study: what each plan is made of, how its kernels compile in a process of their own, and
//! the benchmark's rows of those that do.

use std::collections::HashMap;
use std::time::Duration;

use winoconv::kernel::{Access, KernelSpec};
use winoconv::{Algorithm, Device, Plan, Preferences};

use super::investigation::{self, REPORT};
use super::record::{Entry, Program, Study, in_order};
use super::verdict::EXHIBIT;
use crate::bench::adapter::Adapter;
use crate::bench::layers::{self, Layer};
use crate::bench::measure::{self, Effort, Session};
use crate::bench::verify::Trials;
use crate::compile::{self, CompileOutcome, Request};
use crate::explosion;
use crate::report::Row;

const ALGORITHMS: [&str; 7] = [
    "direct",
    "staged:f4x3",
    "fused_output:f4x3",
    "fused:f4x3",
    "fused_filter:f4x3",
    "inlined:f4x3",
    "inlined_nonzero:f4x3",
];
/// Layers beside the investigation's; the exhibits would take a software adapter minutes on them.
const LARGER: [&str; 2] = ["vgg1.2_n1", "vgg3.2_n1"];
/// Layers for hardware alone, without the exhibits, which are slow enough there to run into a driver's time limit.
const LARGEST: [&str; 3] = ["vgg1.2_n32", "vgg2.2_n32", "sr64_1080p"];

pub(super) fn fill(
    study: &mut Study,
    device: &Device,
    layers: &[Layer],
    effort: Effort,
    limit: Duration,
) -> anyhow::Result<()> {
    let mut session = Session::new(device.clone(), Preferences::new(), effort);
    let mut compiler = Compiler { adapter: study.adapter.name.clone(), limit, outcomes: HashMap::new() };
    for layer in layers {
        let algorithms = algorithms(device, layer)?;
        let mut entries = Vec::new();
        for &algorithm in &algorithms {
            eprintln!("{}: {algorithm}", layer.name);
            entries.push(entry(&mut compiler, &session, layer, algorithm)?);
        }
        let compiled = algorithms.iter().zip(&entries).filter(|(_, entry)| entry.compile().is_some());
        let compiled: Vec<measure::Entry> = compiled.map(|(&algorithm, _)| algorithm.into()).collect();
        let trials = Trials::new(layer.problem()?);
        match session.measure(layer, &trials, &compiled) {
            Ok(rows) => rows.into_iter().for_each(|row| place(&mut entries, row)),
            // A device that is lost takes the times of its layer along, not the study.
            Err(error) => entries.iter_mut().for_each(|entry| entry.row.note = Some(format!("{error:#}"))),
        }
        study.entries.extend(entries);
    }
    Ok(())
}

fn algorithms(device: &Device, layer: &Layer) -> anyhow::Result<Vec<Algorithm>> {
    let all: Vec<Algorithm> = ALGORITHMS.iter().map(|label| label.parse()).collect::<Result<_, _>>()?;
    let name = layer.name.as_str();
    let is_larger = LARGER.contains(&name) && !device.caps().is_software();
    let with_exhibits = is_larger || investigation::of(name).is_some();
    Ok(all.into_iter().filter(|algorithm| with_exhibits || !algorithm.family().starts_with(EXHIBIT)).collect())
}

/// The layers that are asked for, or those that this device can do in a few minutes.
pub(super) fn layers(device: &Device, asked: &[String]) -> anyhow::Result<Vec<Layer>> {
    let largest: &[&str] = if device.caps().is_software() { &[] } else { &LARGEST };
    let usual = REPORT.iter().map(|shape| shape.layer).chain(LARGER).chain(largest.iter().copied());
    let names: Vec<&str> = if asked.is_empty() { usual.collect() } else { asked.iter().map(String::as_str).collect() };
    names.into_iter().map(layers::named).collect()
}

/// Compiles each set of kernels once: the same ones serve several layers.
struct Compiler {
    adapter: String,
    limit: Duration,
    outcomes: HashMap<Vec<KernelSpec>, CompileOutcome>,
}

impl Compiler {
    fn outcome(&mut self, plan: &Plan, layer: &Layer) -> CompileOutcome {
        let on = Adapter::named(&self.adapter);
        let (algorithm, layer) = (Some(plan.algorithm().label()), layer.clone());
        let request = Request { algorithm, layer, on, cache: None };
        let outcome = self.outcomes.entry(measure::all_kernels(plan));
        outcome.or_insert_with(|| compile::compile_within(self.limit, &request)).clone()
    }
}

fn entry(compiler: &mut Compiler, session: &Session, layer: &Layer, algorithm: Algorithm) -> anyhow::Result<Entry> {
    let mut row = session.row(layer, algorithm.into());
    Ok(match session.plan(layer, algorithm.into()) {
        Err(error) => Entry { row, program: None, cold: Some(CompileOutcome::Refused { message: error.to_string() }) },
        Ok(plan) => {
            measure::describe(&mut row, &plan);
            Entry { row, program: Some(program(&plan)?), cold: Some(compiler.outcome(&plan, layer)) }
        }
    })
}

/// Puts a measured row in its entry's place; the planner's pick may have none yet.
fn place(entries: &mut Vec<Entry>, row: Row) {
    match entries.iter_mut().find(|entry| entry.row.algorithm == row.algorithm) {
        Some(entry) => entry.row = row,
        None => entries.push(Entry { row, ..Default::default() }),
    }
}

fn program(plan: &Plan) -> anyhow::Result<Program> {
    let packing = plan.packing().dispatches(plan.problem());
    let bindings: Vec<_> = packing.iter().chain(plan.dispatches()).flat_map(|step| step.kernel().bindings()).collect();
    let named = |of: fn(Access) -> bool| -> Vec<String> {
        let names = bindings.iter().filter(|binding| of(binding.access)).map(|binding| tensor(binding.name));
        in_order(names).into_iter().map(ToOwned::to_owned).collect()
    };
    Ok(Program {
        dispatches: plan.dispatches().len(),
        packing_dispatches: packing.len(),
        bound: named(|_| true),
        written: named(|access| access == Access::Write),
        kernels: plan.kernels().iter().map(explosion::of).collect::<anyhow::Result<_>>()?,
        packing_kernels: packing.iter().map(|step| explosion::of(&step.kernel())).collect::<anyhow::Result<_>>()?,
    })
}

fn tensor(binding: &'static str) -> &'static str {
    match binding {
        "src" => "input",
        "dst" => "output",
        "u" => "U",
        "v" => "V",
        "m" => "M",
        other => other,
    }
}
