//! The CPU's own steps: one for each correlation, computed from its sizes by kernels that cut their work themselves. What a
//! result rounds to does not depend on the number of threads, nor on how large the workspace lets blocks be; but where not even
//! one thread's patch has room, it depends on the workspace how sums are cut into parts.

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
    own && caps.kind == DeviceKind::HostCpu && problem.operation != Operation::WeightGradient
}

/// The steps of an algorithm that the CPU has kernels for. Threads whose scratch the workspace has no room for do not take
/// part.
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
    let fits = |&(block, threads): &(HostBlock, usize)| bytes(&lens(block, threads)) <= limit;
    // Smaller blocks where there is no room, then fewer threads, then the smallest blocks.
    let blocks = host_estimate::blocks(&windows, algorithm, threads);
    let own = |tiles: u32| HostBlock { tiles, together: 0 };
    let few = blocks.iter().map(|block| block.tiles).min().unwrap_or(1);
    let scratch = HostBlocks::new(&windows, algorithm, own(few)).scratch();
    let room = usize::try_from(limit / 4).unwrap_or(usize::MAX);
    let fewer = host_estimate::fewer_threads(threads, scratch, room).unwrap_or(1);
    let smallest = std::iter::successors(Some(few), |&tiles| (tiles > 1).then(|| tiles.div_ceil(2)));
    let mut all = blocks
        .into_iter()
        .map(|block| (block, threads))
        .chain([(own(few), fewer)])
        .chain(smallest.map(|tiles| (own(tiles), 1)));
    let (block, threads) = all.find(fits).unwrap_or((own(1), 1));
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
        let within = host_estimate::patch_within(&of, patch, threads, preferences.workspace_limit);
        let (patch, threads) = within.map_err(|need| too_small("implicit_gemm", need, preferences))?;
        built.needs(scratches(threads, patch.scratch(&of)));
        built.steps.push(step(problem, &of, (HostKernel::Gemm(patch), threads), packed(&of), storage));
    }
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
        let within = host_estimate::strip_within(&of, strip, threads, preferences.workspace_limit);
        let (strip, threads) = within.map_err(|need| too_small("direct", need, preferences))?;
        built.needs(strip.table(&of).saturating_add(scratches(threads, strip.scratch(&of))));
        built.steps.push(step(problem, &of, (HostKernel::Direct(strip), threads), packed(&of), storage));
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
    let (need, bound) = (bytes(&[need]), preferences.workspace_limit);
    LimitError { who: who.to_owned(), resource: Resource::WorkspaceBytes, need, bound }
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
    let ends = epilogue_operands(&problem.conv, output, Operand::from);
    let operands = [source.into(), weights, output].into_iter().chain(ends).collect();
    Step { kernel, grid: [1; 3], params: params.words(), operands }
}
