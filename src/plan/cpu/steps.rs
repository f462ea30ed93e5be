//! The CPU's steps: one for each correlation. The kernels derive their blocking from its sizes. The rounding of a
//! result does not depend on the number of threads, nor on the size of blocks that the workspace allows. Only if not even
//! one thread's patch fits, the workspace decides how sums are split into parts.

use std::collections::HashMap;

use super::blocks::{BlockSizes, scratches};
use super::estimate;
use super::gradient::{GradientCut, joined};
use super::kernel::{CpuKernel, CpuStep, TileBlock};
use super::patch::Patch;
use crate::caps::{Caps, DeviceKind};
use crate::conv::Conv;
use crate::correlation::Correlation;
use crate::error::{LimitError, Resource};
use crate::plan::build::{Built, Operand, Packing, Slot, Windows, epilogue_operands, factors, workspace_bytes};
use crate::plan::choose::{Algorithm, Preferences, Reason};
use crate::problem::{Operation, Problem};
use crate::winograd::Nested;

/// Whether a device computes a problem by the CPU's kernels. The shaders' twins compute what is fused for GPUs, and gradients of
/// weights by other algorithms, which are never chosen; and gradients of bias, activation and slopes.
pub(in crate::plan) fn takes(problem: &Problem, algorithm: Algorithm, caps: &Caps) -> bool {
    let own =
        matches!(algorithm, Algorithm::Direct | Algorithm::Depthwise | Algorithm::ImplicitGemm | Algorithm::Staged(_));
    let of_operation = match problem.operation {
        Operation::Forward | Operation::InputGradient => own,
        Operation::WeightGradient => algorithm == Algorithm::ImplicitGemm && multiplies_rows(problem),
        _ => false,
    };
    of_operation && caps.kind == DeviceKind::Cpu
}

/// The steps of an algorithm that the CPU has kernels for. Threads whose scratch the workspace has no room for do not take
/// part.
pub(in crate::plan) fn build(
    problem: &Problem,
    algorithm: Algorithm,
    caps: &Caps,
    preferences: &Preferences,
) -> Result<Built, Reason> {
    if problem.operation == Operation::WeightGradient {
        return weight_gradient(problem, caps, preferences);
    }
    match algorithm {
        Algorithm::Depthwise if lies_by_channels(problem) => depthwise(problem, caps, preferences),
        Algorithm::Direct | Algorithm::Depthwise => direct(problem, caps, preferences),
        Algorithm::ImplicitGemm => gemm(problem, caps, preferences),
        Algorithm::Staged(nested) => winograd(problem, nested, caps, preferences),
        _ => Err(Reason::Inapplicable("the CPU has no fast kernel for this algorithm")),
    }
}

/// Winograd, transforms and multiply block by block.
fn winograd(problem: &Problem, algorithm: Nested, caps: &Caps, preferences: &Preferences) -> Result<Built, Reason> {
    let windows = Windows::of_problem(problem).map_err(Reason::Inapplicable)?;
    let packing = Packing::Panels(Some(algorithm));
    if windows.of.is_empty() {
        return Ok(Built { packing, ..Built::nothing() });
    }
    let limit = preferences.workspace_limit;
    let threads = estimate::threads(estimate::winograd_cycles(&windows, algorithm), caps.threads);
    let lens = |block, threads| BlockSizes::new(&windows, algorithm, block).workspace(threads);
    let fits = |&(block, threads): &(TileBlock, usize)| workspace_bytes(&lens(block, threads)) <= limit;
    // Smaller blocks where there is no room, then fewer threads, then the smallest blocks.
    let blocks = estimate::blocks(&windows, algorithm, threads);
    let own = |tiles: u32| TileBlock { tiles, together: 0 };
    let few = blocks.iter().map(|block| block.tiles).min().unwrap_or(1);
    let scratch = BlockSizes::new(&windows, algorithm, own(few)).scratch();
    let room = usize::try_from(limit / 4).unwrap_or(usize::MAX);
    let fewer = estimate::fewer_threads(threads, scratch, room).unwrap_or(1);
    let smallest = std::iter::successors(Some(few), |&tiles| (tiles > 1).then(|| tiles.div_ceil(2)));
    let mut all = blocks
        .into_iter()
        .map(|block| (block, threads))
        .chain([(own(few), fewer)])
        .chain(smallest.map(|tiles| (own(tiles), 1)));
    let (block, threads) = all.find(fits).unwrap_or((own(1), 1));
    let workspace = lens(block, threads);
    let who = format!("staged {algorithm}");
    LimitError::check(&who, Resource::WorkspaceBytes, workspace_bytes(&workspace), limit)?;
    let kernel = CpuKernel::Winograd { algorithm, block };
    let step = CpuStep { kernel, threads, of: windows.of, packed: Slot::Packed.into() };
    Ok(Built { packing, cpu_steps: vec![step], workspace, ..Built::nothing() })
}

/// A product of matrices for each correlation.
fn gemm(problem: &Problem, caps: &Caps, preferences: &Preferences) -> Result<Built, Reason> {
    let mut built = Built { packing: Packing::Panels(None), ..Built::nothing() };
    let packed = packed_parts(problem, built.packing);
    for of in problem.correlations().into_iter().map(Correlation::joined) {
        if of.is_empty() {
            continue;
        }
        if of.terms() == 0 {
            built.cpu_steps.push(fill(of, caps));
            continue;
        }
        let threads = estimate::threads(estimate::gemm_cycles(&of), caps.threads);
        let patch = estimate::patch(&of, threads);
        let within = estimate::patch_within(&of, patch, threads, preferences.workspace_limit);
        let (patch, threads) = within.map_err(|need| too_small("implicit_gemm", need, preferences))?;
        built.needs(scratches(threads, patch.scratch(&of)));
        built.cpu_steps.push(CpuStep { kernel: CpuKernel::Gemm(patch), threads, of, packed: packed(&of) });
    }
    Ok(built)
}

/// Whether each group has one channel and one filter, and they lie side by side.
fn lies_by_channels(problem: &Problem) -> bool {
    problem.correlations().iter().all(|of| of.group_c == 1 && of.group_k == 1 && of.src.g == 1 && of.dst.g == 1)
}

/// Groups of one channel and one filter, 16 of them side by side.
fn depthwise(problem: &Problem, caps: &Caps, preferences: &Preferences) -> Result<Built, Reason> {
    let mut built = Built { packing: Packing::Sixteens, ..Built::nothing() };
    let packed = packed_parts(problem, built.packing);
    for of in problem.correlations() {
        if of.is_empty() {
            continue;
        }
        if of.terms() == 0 {
            built.cpu_steps.push(fill(of, caps));
            continue;
        }
        let threads = estimate::threads(estimate::depthwise_cycles(&of), caps.threads);
        let (patch, scratch) = (estimate::depthwise_patch(&of, threads), Patch::row_of_places(&of));
        let room = usize::try_from(preferences.workspace_limit / 4).unwrap_or(usize::MAX);
        let fewer = estimate::fewer_threads(threads, scratch, room);
        let threads = fewer.map_err(|need| too_small("depthwise", need, preferences))?;
        built.needs(scratches(threads, scratch));
        built.cpu_steps.push(CpuStep { kernel: CpuKernel::Depthwise(patch), threads, of, packed: packed(&of) });
    }
    Ok(built)
}

/// The sum as it stands.
fn direct(problem: &Problem, caps: &Caps, preferences: &Preferences) -> Result<Built, Reason> {
    let mut built = Built { packing: Packing::Eights, ..Built::nothing() };
    let packed = packed_parts(problem, built.packing);
    for of in problem.correlations().into_iter().map(Correlation::joined) {
        if of.is_empty() {
            continue;
        }
        if of.terms() == 0 {
            built.cpu_steps.push(fill(of, caps));
            continue;
        }
        let threads = estimate::threads(estimate::direct_cycles(&of), caps.threads);
        let strip = estimate::strip(&of, threads);
        let within = estimate::strip_within(&of, strip, threads, preferences.workspace_limit);
        let (strip, threads) = within.map_err(|need| too_small("direct", need, preferences))?;
        built.needs(strip.table(&of).saturating_add(scratches(threads, strip.scratch(&of))));
        built.cpu_steps.push(CpuStep { kernel: CpuKernel::Direct(strip), threads, of, packed: packed(&of) });
    }
    Ok(built)
}

/// Elements of a channel's window, beyond which the CPU has no kernel for a gradient of weights: filters that reach this far are not
/// worth more.
const LARGEST_WINDOW: usize = 4 << 20;

/// Whether the CPU has a kernel for a problem's gradient of weights.
pub(in crate::plan) fn multiplies_rows(problem: &Problem) -> bool {
    let fits = |of: Correlation| GradientCut::new(&of, 1).smallest().scratch(&of) <= LARGEST_WINDOW;
    problem.correlations().into_iter().map(joined).filter(|of| !of.is_empty()).all(fits)
}

/// Products of rows of the source with rows of the output's gradient.
fn weight_gradient(problem: &Problem, caps: &Caps, preferences: &Preferences) -> Result<Built, Reason> {
    let mut built = Built { packing: Packing::Given, ..Built::nothing() };
    for of in problem.correlations().into_iter().map(joined) {
        if of.is_empty() {
            continue;
        }
        let threads = estimate::threads(estimate::gradient_cycles(&of), caps.threads);
        let room = usize::try_from(preferences.workspace_limit / 4).unwrap_or(usize::MAX);
        let cut = GradientCut::new(&of, threads);
        let within = |cut: GradientCut| Ok((cut, estimate::fewer_threads(threads, cut.scratch(&of), room)?));
        let within: Result<_, usize> = within(cut).or_else(|_| within(cut.smallest()));
        let (cut, threads) = within.map_err(|need| too_small("implicit_gemm", need, preferences))?;
        built.needs(scratches(threads, cut.scratch(&of)));
        let [_, factor] = factors(&of);
        built.cpu_steps.push(CpuStep { kernel: CpuKernel::Gradient(cut), threads, of, packed: factor.into() });
    }
    Ok(built)
}

impl Built {
    /// One buffer serves all steps, one after the other.
    fn needs(&mut self, len: usize) {
        let most = self.workspace.first().copied().unwrap_or(0).max(len);
        self.workspace = vec![most];
    }
}

/// The workspace has no room for what one thread needs at least.
fn too_small(who: &str, need: usize, preferences: &Preferences) -> LimitError {
    let (need, bound) = (workspace_bytes(&[need]), preferences.workspace_limit);
    LimitError { who: who.to_owned(), resource: Resource::WorkspaceBytes, need, bound }
}

/// Which part of the packed weights a correlation reads. Parts are those of [`Correlation::all_weights`], one after the other, so that
/// what is packed serves all sizes; a correlation knows its own by its weights' first element.
fn packed_parts(problem: &Problem, packing: Packing) -> impl Fn(&Correlation) -> Operand {
    let mut first = 0;
    let mut parts = HashMap::new();
    for of in Correlation::all_weights(problem) {
        let len = packing.part_len(&of);
        parts.insert(of.weights.offset, Operand { slot: Slot::Packed, first, len: Some(len) });
        first += len;
    }
    move |of| parts[&of.weights.offset]
}

/// Outputs of which nothing is summed.
fn fill(of: Correlation, caps: &Caps) -> CpuStep {
    let threads = estimate::threads(estimate::fill_cycles(&of), caps.threads);
    CpuStep { kernel: CpuKernel::Fill, threads, of, packed: Operand { slot: Slot::Packed, first: 0, len: Some(0) } }
}

/// The tensors that a step uses, beside the workspace.
pub(in crate::plan) fn slots(step: &CpuStep, conv: &Conv) -> Vec<Slot> {
    let [source, _] = factors(&step.of);
    let ends = epilogue_operands(conv, Slot::Output.into(), Operand::from).map(|operand| operand.slot);
    [source, step.packed.slot, Slot::Output].into_iter().chain(ends).collect()
}
