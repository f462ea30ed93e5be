//! What a network of one size takes on a device: found from its plans, which touch no device.

use super::exact::Grid;
use crate::caps::{Caps, DeviceKind};
use crate::device::Device;
use crate::dtype::DType;
use crate::error::{LimitError, Resource, Result};
use crate::graph::compile::Stored;
use crate::graph::compile::{Program, Step, Work};
use crate::graph::network::problem;
use crate::graph::options::{Formats, NetworkOptions};
use crate::graph::tolerance::shared_out;
use crate::graph::{Dims, Format, Graph};
use crate::plan::{CpuKernel, Plan, Slot};
use crate::spatial::MAX_RANK;

/// Bytes that a binding may need before a tensor, which begins at an aligned place.
const ALIGNMENT: u64 = 256;

/// A network of one size, planned.
#[derive(Debug, Clone)]
pub(super) struct Need {
    pub(super) graph: Graph,
    pub(super) program: Program,
    /// The plan of each convolution, in the order of the steps.
    pub(super) plans: Vec<Plan>,
    /// Bytes on the device.
    pub(super) bytes: u64,
    /// Those of them that no size changes: weights.
    pub(super) fixed: u64,
}

impl Need {
    /// Plans a graph that is simplified.
    ///
    /// # Errors
    /// A convolution without a plan; a tensor that the device cannot bind.
    pub(super) fn new(device: &Device, graph: Graph, options: &NetworkOptions) -> Result<Self> {
        let need = Self::of_any_size(device, graph, options)?;
        check_bindings(&need.program, device.caps())?;
        Ok(need)
    }

    /// The same, though it may be too large for the device.
    ///
    /// # Errors
    /// A convolution without a plan.
    pub(super) fn of_any_size(device: &Device, graph: Graph, options: &NetworkOptions) -> Result<Self> {
        let program = Program::of_simplified(
            &graph,
            Stored::on(device.caps(), &graph, options.storage, options.formats(&graph)?)?,
        );
        let preferences = shared_out(options, &program)?;
        let mut plans = Vec::new();
        for step in &program.steps {
            if let Work::Conv(of) = &step.work {
                plans.push(problem(&of.conv, step)?.plan(device, &preferences)?);
            }
        }
        let is_cpu = device.caps().kind == DeviceKind::Cpu;
        let fixed = weights(&program, &plans, is_cpu);
        let ends = ends(&program, is_cpu) + if is_cpu { converted(&program, &options.formats(&graph)?) } else { 0 };
        let bytes = fixed + program.bytes() + workspace(&plans) + ends + tables(&program, is_cpu);
        Ok(Self { graph, program, plans, bytes, fixed })
    }

    /// The grids that its convolutions compute.
    pub(super) fn grids(&self) -> Vec<Grid> {
        self.plans.iter().map(grid).collect()
    }

    /// The convolutions that round otherwise than in a network of another size.
    pub(super) fn differing<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = &'a str> {
        let names = self.program.steps.iter().filter(|step| matches!(step.work, Work::Conv(_))).map(|step| &*step.name);
        let pairs = self.plans.iter().zip(&other.plans);
        names.zip(pairs).filter(|(_, (own, other))| !round_alike(own, other)).map(|(name, _)| name)
    }
}

fn grid(plan: &Plan) -> Grid {
    let Some(nested) = plan.algorithm().transform() else { return Grid::SINGLE };
    let mut tile = [1; MAX_RANK];
    [tile[MAX_RANK - 2], tile[MAX_RANK - 1]] = [nested.rows.m(), nested.cols.m()].map(usize::from);
    Grid { tile, transforms: true }
}

/// Whether two plans of one convolution make each sum in the same order. A tensor that is bound in parts is cut where its size
/// says, tiles and sums alike.
fn round_alike(a: &Plan, b: &Plan) -> bool {
    let parts = |plan: &Plan| {
        let of_step = |kernel| if let CpuKernel::Gemm(patch) = kernel { patch.part } else { None };
        plan.cpu_steps().iter().map(|step| of_step(step.kernel)).collect::<Vec<_>>()
    };
    let is_whole = |plan: &Plan| {
        let operands = plan.dispatches().iter().flat_map(|dispatch| &dispatch.operands);
        operands
            .filter(|operand| matches!(operand.slot, Slot::Input | Slot::Output))
            .all(|operand| operand.len.is_none())
    };
    a.choice() == b.choice() && parts(a) == parts(b) && is_whole(a) && is_whole(b)
}

/// Bytes of each input or output.
fn bytes(all: &[(String, Dims)], formats: &[Format]) -> impl Iterator<Item = u64> {
    all.iter().zip(formats).map(|((_, dims), format)| (format.bytes(*dims) as u64).next_multiple_of(4))
}

fn input_bytes(program: &Program) -> impl Iterator<Item = u64> {
    bytes(&program.inputs, &program.stored.formats.inputs)
}

fn output_bytes(program: &Program) -> impl Iterator<Item = u64> {
    bytes(&program.outputs, &program.stored.formats.outputs)
}

fn check_bindings(program: &Program, caps: &Caps) -> Result<(), LimitError> {
    if caps.kind == DeviceKind::Cpu {
        return Ok(());
    }
    let limits = &caps.limits;
    let own = program.lens.iter().map(|&len| program.storage().bytes(len));
    let most = own.chain(input_bytes(program)).chain(output_bytes(program)).max().unwrap_or(0);
    let need = most.saturating_add(ALIGNMENT);
    LimitError::check("a tensor", Resource::BindingBytes, need, limits.max_storage_buffer_binding_size)?;
    LimitError::check("a tensor", Resource::BufferBytes, need, limits.max_buffer_size)
}

/// Each buffer of the workspace is as large as the plan that needs most of it says.
fn workspace(plans: &[Plan]) -> u64 {
    let most =
        |i: usize| plans.iter().filter_map(|plan| plan.workspace().get(i)).max().map(|&len| DType::F32.bytes(len));
    (0..).map_while(most).sum()
}

/// Inputs and outputs of a part: on a GPU they pass through buffers that the CPU can write or read.
fn ends(program: &Program, is_cpu: bool) -> u64 {
    let copies = if is_cpu { 1 } else { 2 };
    copies * (input_bytes(program).sum::<u64>() + output_bytes(program).sum::<u64>())
}

/// What the CPU has of inputs and outputs beside their numbers, where they are stored otherwise: their bytes, and the numbers once more.
fn converted(program: &Program, formats: &Formats) -> u64 {
    let of_ends = |all: &[(String, Dims)], formats: &[Format]| -> u64 {
        let numbers = all.iter().map(|(_, dims)| DType::F32.bytes(dims.elements()));
        let both = bytes(all, formats).zip(numbers).zip(formats).filter(|(_, format)| **format != Format::F32);
        both.map(|((bytes, numbers), _)| bytes.saturating_add(numbers)).sum()
    };
    of_ends(&program.inputs, &formats.inputs) + of_ends(&program.outputs, &formats.outputs)
}

/// What steps have beside their tensors: where elements are taken from, and on the CPU results of groups.
fn tables(program: &Program, is_cpu: bool) -> u64 {
    let of_groups = |step: &Step, axes: &[usize]| {
        let groups = axes.iter().fold(step.output.dims, |dims, &axis| dims.with(axis, 1)).elements();
        if is_cpu { 2 * size_of::<f64>() as u64 * groups as u64 } else { 0 }
    };
    let tables = program.steps.iter().map(|step| match &step.work {
        Work::Resample(taps) => taps.iter().map(|taps| 8 * taps.indices.len() as u64).sum(),
        _ => 0,
    });
    let groups = program.steps.iter().map(|step| match &step.work {
        Work::Normalize(axes, _) => of_groups(step, axes),
        Work::Softmax(axis, _) => of_groups(step, &[*axis]),
        _ => 0,
    });
    tables.sum::<u64>() + groups.max().unwrap_or(0)
}

/// Weights as they are given, and packed; on the CPU the graph's own, too.
fn weights(program: &Program, plans: &[Plan], is_cpu: bool) -> u64 {
    let convs = program.steps.iter().filter_map(|step| match &step.work {
        Work::Conv(of) => Some(DType::F32.bytes(of.weights.len() + of.bias.len() + of.slopes.len())),
        _ => None,
    });
    let copies = if is_cpu { 2 } else { 1 };
    let constants = program.constants.iter().map(|constant| DType::F32.bytes(constant.len()));
    copies * convs.sum::<u64>() + plans.iter().map(Plan::packed_bytes).sum::<u64>() + constants.sum::<u64>()
}
