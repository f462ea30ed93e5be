//! From an algorithm to its dispatches: grids, parameters, operands, and the cutting of the work into chunks that
//! respect the workspace limit and the device's bounds.

use super::{Packing, Preferences, Slot, Step, filter_planes, heuristics};
use crate::caps::{Caps, Limits};
use crate::error::{LimitError, Resource, Result};
use crate::kernel::{
    Direct, DirectParams, Epilogue, FilterParams, InputParams, KernelSpec, MultiplyParams, OutputParams, Params,
    WinogradFilter, WinogradInput, WinogradMultiply, WinogradOutput, word,
};
use crate::layout::{Planes, Tiles, VECTOR};
use crate::plan::Algorithm;
use crate::shape::{Conv, Problem};
use crate::winograd::Nested;

/// V and M.
const V: Slot = Slot::Workspace(0);
const M: Slot = Slot::Workspace(1);

/// What an algorithm comes to on a problem.
pub(super) struct Built {
    pub(super) packing: Packing,
    pub(super) steps: Vec<Step>,
    pub(super) workspace: Vec<usize>,
}

/// Builds the dispatches, or names the first bound that they exceed.
pub(super) fn build(
    problem: &Problem,
    algorithm: Algorithm,
    caps: &Caps,
    preferences: &Preferences,
) -> Result<Built, LimitError> {
    let limits = &caps.limits;
    limits.check_tensor("the input", 4 * problem.input_len() as u64)?;
    limits.check_tensor("the output", 4 * problem.output_len() as u64)?;
    limits.check_tensor("the weights", 4 * problem.conv.weights_len() as u64)?;
    let built = match algorithm {
        Algorithm::Direct => direct(problem, limits),
        Algorithm::Staged(nested) => staged(problem, nested, caps, preferences)?,
    };
    limits.check_tensor("the packed weights", 4 * built.packing.len(&problem.conv) as u64)?;
    for step in built.steps.iter().chain(&built.packing.steps(&problem.conv)) {
        step.kernel.check(limits)?;
        for size in step.grid {
            let bound = limits.max_compute_workgroups_per_dimension.into();
            LimitError::check(&step.kernel.name(), Resource::Workgroups, size.into(), bound)?;
        }
    }
    Ok(built)
}

fn direct(problem: &Problem, limits: &Limits) -> Built {
    let conv = &problem.conv;
    let kernel = Direct::of(problem);
    let positions = problem.n * problem.p * problem.q;
    let blocks = conv.groups * problem.filters_per_group().div_ceil(kernel.filters as usize);
    let params = DirectParams {
        first: 0,
        positions: word(positions),
        c: word(conv.channels),
        h: word(problem.h),
        w: word(problem.w),
        k: word(conv.filters),
        p: word(problem.p),
        q: word(problem.q),
        r: word(conv.kernel[0]),
        s: word(conv.kernel[1]),
        stride_h: word(conv.stride[0]),
        stride_w: word(conv.stride[1]),
        dilation_h: word(conv.dilation[0]),
        dilation_w: word(conv.dilation[1]),
        pad_top: word(conv.padding.top),
        pad_left: word(conv.padding.left),
        group_c: word(problem.channels_per_group()),
        group_k: word(problem.filters_per_group()),
        act_a: conv.activation.arguments()[0],
        act_b: conv.activation.arguments()[1],
        ..Default::default()
    };
    let operands: Vec<Slot> =
        [Slot::Input, Slot::Weights, Slot::Output].into_iter().chain(epilogue_operands(conv)).collect();
    // One dispatch reaches so many positions; more are walked in chunks.
    let reach = Direct::WORKGROUP as usize * limits.max_compute_workgroups_per_dimension as usize;
    let steps = (0..positions).step_by(reach).map(|first| Step {
        kernel: kernel.spec(),
        grid: [word(reach.min(positions - first)).div_ceil(Direct::WORKGROUP), word(blocks), 1],
        params: DirectParams { first: word(first), ..params }.words(),
        operands: operands.clone(),
    });
    Built { packing: Packing::Given, steps: steps.collect(), workspace: Vec::new() }
}

/// The one dispatch that packs weights for Winograd.
pub(super) fn filter(conv: &Conv, algorithm: Nested) -> Step {
    let planes = filter_planes(conv, algorithm);
    let params = FilterParams {
        c: word(conv.channels),
        group_c: word(conv.channels / conv.groups),
        group_k: word(planes.columns),
        k_stride: word(planes.stride()),
    };
    Step {
        kernel: WinogradFilter { algorithm }.spec(),
        grid: [word(planes.columns).div_ceil(WinogradFilter::WORKGROUP), word(planes.rows), 1],
        params: params.words(),
        operands: vec![Slot::Weights, Slot::Packed],
    }
}

fn staged(problem: &Problem, algorithm: Nested, caps: &Caps, preferences: &Preferences) -> Result<Built, LimitError> {
    let conv = &problem.conv;
    let outputs = [usize::from(algorithm.rows.m()), usize::from(algorithm.cols.m())];
    let tiles = Tiles::new(problem.n, [problem.p, problem.q], outputs);
    let points = algorithm.products();
    let packing = Packing::Winograd(algorithm);
    if tiles.count() == 0 {
        return Ok(Built { packing, steps: Vec::new(), workspace: Vec::new() });
    }
    let chunk = chunk_of_tiles(problem, algorithm, tiles.count(), &caps.limits, preferences.workspace_limit)?;
    let v = Planes { points, rows: conv.channels, columns: chunk };
    let m = Planes { points, rows: conv.filters, columns: chunk };

    let input = WinogradInput { algorithm };
    let output = WinogradOutput { algorithm, epilogue: Epilogue::of(conv) };
    let blocking = heuristics::blocking(problem.filters_per_group(), chunk, points * conv.groups, caps);
    let multiply = WinogradMultiply { blocking };
    let output_operands: Vec<Slot> = [M, Slot::Output].into_iter().chain(epilogue_operands(conv)).collect();

    let mut steps = Vec::new();
    for first in (0..tiles.count()).step_by(chunk) {
        let count = chunk.min(tiles.count() - first);
        steps.push(Step {
            kernel: input.spec(),
            grid: [word(count).div_ceil(input.tiles()), word(conv.channels), 1],
            params: InputParams {
                first: word(first),
                tiles: word(count),
                t_stride: word(v.stride()),
                tiles_y: word(tiles.y),
                tiles_x: word(tiles.x),
                c: word(conv.channels),
                h: word(problem.h),
                w: word(problem.w),
                pad_top: word(conv.padding.top),
                pad_left: word(conv.padding.left),
                src_offset: 0,
            }
            .words(),
            operands: vec![Slot::Input, V],
        });
        steps.push(Step {
            kernel: multiply.spec(),
            grid: [
                word(count).div_ceil(blocking.tiles),
                word(problem.filters_per_group()).div_ceil(blocking.filters),
                word(points * conv.groups),
            ],
            params: MultiplyParams {
                group_c: word(problem.channels_per_group()),
                group_k: word(problem.filters_per_group()),
                k_stride: word(filter_planes(conv, algorithm).stride()),
                t_stride: word(v.stride()),
            }
            .words(),
            operands: vec![Slot::Packed, V, M],
        });
        steps.push(Step {
            kernel: output.spec(),
            grid: [word(count).div_ceil(output.tiles()), word(conv.filters), 1],
            params: OutputParams {
                first: word(first),
                tiles: word(count),
                t_stride: word(m.stride()),
                tiles_y: word(tiles.y),
                tiles_x: word(tiles.x),
                k: word(conv.filters),
                p: word(problem.p),
                q: word(problem.q),
                act_a: conv.activation.arguments()[0],
                act_b: conv.activation.arguments()[1],
                ..Default::default()
            }
            .words(),
            operands: output_operands.clone(),
        });
    }
    Ok(Built { packing, steps, workspace: vec![v.len(), m.len()] })
}

/// How many tiles are in flight at once: all, if V and M then respect the workspace limit and the device's bounds,
/// else even chunks that do.
fn chunk_of_tiles(
    problem: &Problem,
    algorithm: Nested,
    tiles: usize,
    limits: &Limits,
    workspace_limit: u64,
) -> Result<usize, LimitError> {
    let who = format!("staged {algorithm}");
    let planes = |rows: usize| 4 * algorithm.products() as u64 * rows as u64;
    let (v, m) = (planes(problem.conv.channels), planes(problem.conv.filters));
    let smallest = tiles.min(VECTOR) as u64;
    LimitError::check(&who, Resource::WorkspaceBytes, smallest.next_multiple_of(4) * (v + m), workspace_limit)?;
    let binding = limits.max_storage_buffer_binding_size.min(limits.max_buffer_size);
    LimitError::check(&who, Resource::BindingBytes, smallest.next_multiple_of(4) * v.max(m), binding)?;
    let reach = u64::from(u32::MAX);
    LimitError::check(&who, Resource::IndexRange, smallest.next_multiple_of(4) * v.max(m) / 4, reach)?;
    let workgroups = u64::from(limits.max_compute_workgroups_per_dimension);
    let per_workgroup = u64::from(WinogradInput { algorithm }.tiles());
    let most = (workspace_limit / (v + m))
        .min(binding / v.max(m))
        .min(workgroups.saturating_mul(per_workgroup))
        // M's rows are reached by 32-bit indices.
        .min(reach / (v.max(m) / 4));
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    // Rows are padded to vectors, so only whole vectors count.
    let most = if most >= tiles.next_multiple_of(VECTOR) { tiles } else { most / VECTOR * VECTOR };
    let chunks = tiles.div_ceil(most);
    if chunks == 1 {
        return Ok(tiles);
    }
    // Whole workgroups where there is room for them.
    let even = tiles.div_ceil(chunks);
    let whole = even.next_multiple_of(usize::try_from(per_workgroup).unwrap_or(1));
    Ok(if whole <= most { whole } else { most })
}

fn epilogue_operands(conv: &Conv) -> impl Iterator<Item = Slot> {
    let bias = conv.bias.then_some(Slot::Bias);
    let slopes = conv.activation.has_slopes().then_some(Slot::Slopes);
    bias.into_iter().chain(slopes)
}

/// Sum over the steps of work that the kernels pad: used in the planner's cost.
pub(super) fn workgroups(step: &Step) -> u64 {
    step.grid.iter().map(|&size| u64::from(size)).product()
}

/// Whether a step is of this kernel.
pub(super) const fn is_multiply(step: &Step) -> bool {
    matches!(step.kernel, KernelSpec::WinogradMultiply(_))
}
