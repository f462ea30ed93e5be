//! The processor's own steps: one for each correlation, computed from its sizes by kernels that cut their work themselves.

use std::collections::HashMap;

use super::host_blocks::{HostBlocks, scratches};
use super::steps::{Built, direct_params, epilogue_operands, factors};
use super::windows::Windows;
use super::{Algorithm, Cut, Operand, Packing, Preferences, Reason, Slot, Step, host_estimate};
use crate::caps::{Caps, DeviceKind};
use crate::correlation::Correlation;
use crate::error::{LimitError, Resource};
use crate::kernel::{Direct, DirectParams, Epilogue, Host, HostBlock, HostKernel, PANEL, Params as _, Storage, word};
use crate::problem::{Operation, Problem};
use crate::winograd::Nested;

/// Whether a device computes a problem by the processor's own kernels. The shaders' twins compute a gradient of weights, with
/// its few outputs and sums over whole images; and what is fused for GPUs, which is never chosen.
pub(super) fn take(problem: &Problem, algorithm: Algorithm, caps: &Caps) -> bool {
    let own =
        matches!(algorithm, Algorithm::Direct | Algorithm::Depthwise | Algorithm::ImplicitGemm | Algorithm::Staged(_));
    own && caps.kind == DeviceKind::HostCpu
        && matches!(problem.operation, Operation::Forward | Operation::InputGradient)
}

/// The steps of an algorithm that the processor has kernels for, if the workspace has room for their blocks.
pub(super) fn build(
    problem: &Problem,
    algorithm: Algorithm,
    storage: Storage,
    caps: &Caps,
    preferences: &Preferences,
) -> Result<Built, Reason> {
    match algorithm {
        Algorithm::Direct | Algorithm::Depthwise => direct(problem, storage, caps, preferences),
        Algorithm::ImplicitGemm => gemm(problem, storage, caps, preferences),
        Algorithm::Staged(nested) => winograd(problem, nested, storage, caps, preferences),
        _ => Err(Reason::Inapplicable("the processor has no kernel of its own for it")),
    }
}

/// Winograd, transforms and multiply block by block.
fn winograd(
    problem: &Problem,
    algorithm: Nested,
    storage: Storage,
    caps: &Caps,
    preferences: &Preferences,
) -> Result<Built, Reason> {
    let windows = Windows::of_problem(problem).map_err(Reason::Inapplicable)?;
    let packing = Packing::Panels(Some(algorithm));
    if windows.of.is_empty() {
        return Ok(Built { packing, ..nothing() });
    }
    let limit = preferences.workspace_limit;
    let threads = host_estimate::threads(host_estimate::winograd_cycles(&windows, algorithm), caps.threads);
    let lens = |block, threads| HostBlocks::new(&windows, algorithm, block).workspace(threads);
    let block = host_estimate::block(&windows, algorithm, threads, |block| bytes(&lens(block, threads)) <= limit);
    // Smaller blocks, and then fewer threads, where there is no room for those.
    let halves = |most: usize| std::iter::successors(Some(most), |&n| (n > 1).then_some(n / 2));
    let smaller = halves(block.tiles as usize).map(|tiles| (HostBlock { tiles: word(tiles), together: 0 }, threads));
    let fewer = halves(threads).map(|threads| (HostBlock { tiles: 1, together: 0 }, threads));
    let mut all = std::iter::once((block, threads)).chain(smaller).chain(fewer);
    let fitting = all.find(|&(block, threads)| bytes(&lens(block, threads)) <= limit);
    let (block, threads) = fitting.unwrap_or((HostBlock { tiles: 1, together: 0 }, 1));
    let workspace = lens(block, threads);
    let who = format!("staged {algorithm}");
    LimitError::check(&who, Resource::WorkspaceBytes, bytes(&workspace), limit)?;
    let kernel = HostKernel::Winograd { algorithm, block };
    let step = step(problem, &windows.of, (kernel, threads), Slot::Packed.into(), storage);
    Ok(Built { packing, steps: vec![step], workspace, ..nothing() })
}

/// A product of matrices for each correlation.
fn gemm(problem: &Problem, storage: Storage, caps: &Caps, preferences: &Preferences) -> Result<Built, Reason> {
    let mut built = Built { packing: Packing::Panels(None), ..nothing() };
    let packed = packed_parts(problem, built.packing);
    for of in problem.correlations() {
        if of.is_empty() {
            continue;
        }
        if of.terms() == 0 {
            built.steps.push(twin(problem, &of, storage));
            continue;
        }
        let threads = host_estimate::threads(host_estimate::gemm_cycles(&of), caps.threads);
        let patch = host_estimate::patch(&of, threads);
        let threads = threads.min(patch.tasks(&of));
        built.needs(scratches(threads, patch.scratch(&of)));
        built.steps.push(step(problem, &of, (HostKernel::Gemm(patch), threads), packed(&of), storage));
    }
    let (need, limit) = (bytes(&built.workspace), preferences.workspace_limit);
    LimitError::check("implicit_gemm", Resource::WorkspaceBytes, need, limit)?;
    Ok(built)
}

/// The sum as it stands.
fn direct(problem: &Problem, storage: Storage, caps: &Caps, preferences: &Preferences) -> Result<Built, Reason> {
    let mut built = Built { packing: Packing::Eights, ..nothing() };
    let packed = packed_parts(problem, built.packing);
    for of in problem.correlations() {
        if of.is_empty() {
            continue;
        }
        if of.terms() == 0 {
            built.steps.push(twin(problem, &of, storage));
            continue;
        }
        let threads = host_estimate::threads(host_estimate::direct_cycles(&of), caps.threads);
        let strip = host_estimate::strip(&of, threads);
        let threads = threads.min(strip.patch.tasks(&of));
        built.needs(strip.table(&of).saturating_add(scratches(threads, strip.scratch(&of))));
        built.steps.push(step(problem, &of, (HostKernel::Direct(strip), threads), packed(&of), storage));
    }
    let (need, limit) = (bytes(&built.workspace), preferences.workspace_limit);
    LimitError::check("direct", Resource::WorkspaceBytes, need, limit)?;
    Ok(built)
}

impl Built {
    /// One buffer serves all steps, one after the other.
    fn needs(&mut self, len: usize) {
        let most = self.workspace.first().copied().unwrap_or(0).max(len);
        self.workspace = vec![most];
    }
}

const fn nothing() -> Built {
    Built { packing: Packing::Given, cut: Cut::Only, steps: Vec::new(), workspace: Vec::new() }
}

fn bytes(lens: &[usize]) -> u64 {
    lens.iter().map(|&len| (len as u64).saturating_mul(4)).fold(0, u64::saturating_add)
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

impl Packing {
    /// Elements that a correlation's weights take in panels or eights.
    pub(crate) fn part_len(self, of: &Correlation) -> usize {
        of.groups * of.terms() * self.filters(of.group_k)
    }

    /// Elements of all parts: every tap is in one of them.
    pub(super) fn parts_len(self, problem: &Problem) -> usize {
        let groups = problem.conv.groups;
        let [group_c, group_k] = [problem.input_shape(), problem.output_shape()].map(|shape| shape[1] / groups);
        groups * group_c * problem.conv.kernel.iter().product::<usize>() * self.filters(group_k)
    }

    /// Filters of a group as they are packed: panels are filled up.
    const fn filters(self, group_k: usize) -> usize {
        match self {
            Self::Panels(None) => group_k.next_multiple_of(PANEL),
            Self::Eights => group_k,
            _ => 0,
        }
    }
}

fn step(
    problem: &Problem,
    of: &Correlation,
    (kernel, threads): (HostKernel, usize),
    weights: Operand,
    storage: Storage,
) -> Step {
    let epilogue = Epilogue::of(&problem.conv);
    let spec = Host { kernel, threads: word(threads), border: of.border, storage, epilogue }.spec();
    placed(problem, of, spec, weights)
}

/// The shader's twin, where nothing is summed.
fn twin(problem: &Problem, of: &Correlation, storage: Storage) -> Step {
    let [_, weights] = factors(of);
    placed(problem, of, Direct::of(of, Epilogue::of(&problem.conv), storage).spec(), weights.into())
}

fn placed(problem: &Problem, of: &Correlation, kernel: crate::kernel::KernelSpec, weights: Operand) -> Step {
    let [source, _] = factors(of);
    let output = Operand::from(Slot::Output);
    let params =
        DirectParams { end: word(of.n * of.out_len()), k_group: word(of.group_k), ..direct_params(of, &problem.conv) };
    let ends = epilogue_operands(&problem.conv, output);
    let operands = [source.into(), weights, output].into_iter().chain(ends).collect();
    Step { kernel, grid: [1; 3], params: params.words(), operands }
}
