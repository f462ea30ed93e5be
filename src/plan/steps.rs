//! From an algorithm to its dispatches: grids, parameters, operands, and the cutting of the work into chunks that
//! respect the workspace limit and the device's bounds.

use std::ops::Range;

use super::gemm_estimate;
use super::pieces::{Piece, Window, check_dispatches, most, pieces};
use super::windows::Windows;
use super::winograd_steps::Winograd;
use super::{Algorithm, Cut, Operand, Packing, Preferences, Reason, Slot, Step, end_steps, halves, host_steps};
use crate::caps::{Caps, Limits};
use crate::conv::{Conv, Residual};
use crate::correlation::Correlation;
use crate::dtype::DType;
use crate::error::{LimitError, Resource, Result};
use crate::kernel::{
    Depthwise, Direct, DirectParams, Epilogue, FilterParams, FusedParams, Fusion, ImplicitGemm, KernelSpec, Params,
    Storage, WinogradFilter, word, wrapped,
};
use crate::layout::Planes;
use crate::problem::{Operation, Problem};
use crate::winograd::Nested;

/// What an algorithm comes to on a problem.
pub(super) struct Built {
    pub(super) packing: Packing,
    pub(super) cut: Cut,
    pub(super) steps: Vec<Step>,
    pub(super) workspace: Vec<usize>,
}

/// Builds the dispatches, or says why there are none: first of all, the bound that they exceed.
pub(super) fn build(
    problem: &Problem,
    algorithm: Algorithm,
    caps: &Caps,
    preferences: &Preferences,
) -> Result<Built, Reason> {
    let (limits, conv) = (&caps.limits, &problem.conv);
    let per_filter = |is_there| if is_there { DType::F32.bytes(conv.filters) } else { 0 };
    let tensors = [
        ("the input", conv.dtype.bytes(problem.input_len())),
        ("the output", problem.result_type.bytes(problem.output_len())),
        ("the weights", conv.dtype.bytes(problem.weights_len())),
        ("the bias", per_filter(conv.bias)),
        ("the slopes", per_filter(conv.activation.has_slopes())),
    ];
    for (who, bytes) in tensors {
        LimitError::check(who, Resource::BufferBytes, bytes, limits.max_buffer_size)?;
    }
    let parts: Vec<Piece> = problem.correlations().into_iter().map(Piece::whole).collect();
    let storage = match Storage::of(problem, caps) {
        // Outputs that later pieces add to are not rounded in between.
        Storage::F16 if algorithm.transform().is_none() && sums_in_pieces(problem, &parts, limits)? => Storage::Packed,
        storage => storage,
    };
    let packs = storage == Storage::Packed && problem.result_type == DType::F16;
    // The CPU's kernels cut their work themselves. Where a cut is demanded, and where outputs are halves that are packed in the
    // end, the shaders' twins run.
    let whole = matches!(preferences.cut, None | Some(Cut::Only)) && storage != Storage::Packed;
    let built = if whole && host_steps::take(problem, algorithm, caps) {
        host_steps::build(problem, algorithm, storage, caps, preferences)?
    } else if packs {
        let any_part = algorithm.transform().is_none();
        halves::build(problem, &parts, any_part, limits, preferences, |held, parts, preferences| {
            by_shaders(held, parts, algorithm, storage, caps, preferences)
        })?
    } else {
        by_shaders(problem, &parts, algorithm, storage, caps, preferences)?
    };
    let in_parts = algorithm.transform().is_none() || problem.operation == Operation::WeightGradient;
    if !in_parts {
        for (who, bytes) in &tensors[3..] {
            limits.check_tensor(who, *bytes)?;
        }
    }
    if !(built.packing.is_given() && in_parts) {
        // Transformed from a binding, or read from one.
        limits.check_tensor("the weights", conv.dtype.bytes(problem.weights_len()))?;
    }
    limits.check_tensor("the packed weights", 4 * built.packing.len(problem) as u64)?;
    for step in built.steps.iter().chain(&built.packing.steps(problem)) {
        step.kernel.check(limits)?;
        step.check_grid(limits)?;
    }
    check_dispatches(built.steps.len())?;
    Ok(built)
}

/// The dispatches of shaders for a problem's correlations, or parts of them.
fn by_shaders(
    problem: &Problem,
    parts: &[Piece],
    algorithm: Algorithm,
    storage: Storage,
    caps: &Caps,
    preferences: &Preferences,
) -> Result<Built, Reason> {
    let limits = &caps.limits;
    let winograd = |nested| match parts {
        [part] => Winograd::new(problem, part, nested, storage, limits),
        _ => Err(Reason::Inapplicable("its outputs come in phases, each with other taps")),
    };
    Ok(match algorithm {
        Algorithm::Direct if problem.operation.is_of_end() => end_steps::build(problem, storage, limits, preferences)?,
        Algorithm::Direct => direct(problem, parts, storage, limits)?,
        Algorithm::Depthwise => depthwise(problem, parts, storage, limits)?,
        Algorithm::ImplicitGemm => implicit_gemm(problem, parts, storage, caps, preferences)?,
        Algorithm::Staged(nested) => match winograd(nested)? {
            blocks if blocks.windows.in_blocks() => blocks.staged_blocks(caps, preferences)?,
            whole => whole.staged(caps, preferences)?,
        },
        Algorithm::FusedOutput(nested) => winograd(nested)?.fused_output(caps, preferences)?,
        Algorithm::Fused(nested) => winograd(nested)?.fused(Fusion::Input, caps, preferences)?,
        Algorithm::FusedFilter(nested) => winograd(nested)?.fused(Fusion::Filter, caps, preferences)?,
        Algorithm::Inlined(nested, reading) => winograd(nested)?.inlined(reading, caps, preferences)?,
    })
}

/// One invocation for each position and a few filters.
fn direct(problem: &Problem, parts: &[Piece], storage: Storage, limits: &Limits) -> Result<Built, LimitError> {
    let block = |of: &Correlation, epilogue| {
        let kernel = Direct::of(of, epilogue, storage);
        Block::of_positions(of, kernel.spec(), [Direct::WORKGROUP, kernel.filters])
    };
    let steps = each(problem, parts, limits, block)?;
    Ok(Built { packing: Packing::Given, cut: Cut::Only, steps, workspace: Vec::new() })
}

/// A product of matrices for each group, all cut alike.
fn implicit_gemm(
    problem: &Problem,
    parts: &[Piece],
    storage: Storage,
    caps: &Caps,
    preferences: &Preferences,
) -> Result<Built, LimitError> {
    let blocking = preferences.gemm_blocking().unwrap_or_else(|| gemm_estimate::blocking(problem, storage, caps));
    let block = |of: &Correlation, epilogue| {
        let kernel = ImplicitGemm { blocking, border: of.border, storage, epilogue };
        Block::of_positions(of, kernel.spec(), [blocking.tiles, blocking.filters])
    };
    let steps = each(problem, parts, &caps.limits, block)?;
    Ok(Built { packing: Packing::Given, cut: Cut::Gemm(blocking), steps, workspace: Vec::new() })
}

/// One invocation for each strip of outputs of a filter.
fn depthwise(problem: &Problem, parts: &[Piece], storage: Storage, limits: &Limits) -> Result<Built, LimitError> {
    let block = |of: &Correlation, epilogue| Block {
        kernel: Depthwise::of(of, epilogue, storage).spec(),
        units: Depthwise::strips(of),
        of_workgroup: Depthwise::WORKGROUP,
        rows: 1,
    };
    let steps = each(problem, parts, limits, block)?;
    Ok(Built { packing: Packing::Given, cut: Cut::Only, steps, workspace: Vec::new() })
}

/// A kernel that computes a correlation, and what its grid is counted in.
struct Block {
    kernel: KernelSpec,
    /// Positions, or strips of them: along x.
    units: usize,
    /// Those of a workgroup.
    of_workgroup: u32,
    /// Workgroups along y.
    rows: usize,
}

impl Block {
    /// A workgroup owns so many positions of so many filters of one group.
    const fn of_positions(of: &Correlation, kernel: KernelSpec, [positions, filters]: [u32; 2]) -> Self {
        let rows = of.groups * of.group_k.div_ceil(filters as usize);
        Self { kernel, units: of.n * of.out_len(), of_workgroup: positions, rows }
    }
}

/// One dispatch for each piece of the correlations, and more beyond the reach of a grid.
fn each(
    problem: &Problem,
    parts: &[Piece],
    limits: &Limits,
    block: impl Fn(&Correlation, Epilogue) -> Block,
) -> Result<Vec<Step>, LimitError> {
    let workgroups = limits.max_compute_workgroups_per_dimension;
    let mut waiting = all_pieces(problem, parts, limits)?;
    // The first one is to run first.
    waiting.reverse();
    let mut steps = Vec::new();
    while let Some(piece) = waiting.pop() {
        let conv = piece.conv(&problem.conv);
        let Placed { of, operands, per_filter } = placed(&piece, &conv, problem, limits);
        let Block { kernel, units, of_workgroup, rows } = block(&of, Epilogue::of(&conv));
        if rows > workgroups as usize
            && let Some([first, second]) = piece.halves_of_filters()
        {
            waiting.extend([second, first]);
            continue;
        }
        let [k_first, k_group] = piece.filters().map(word);
        // One dispatch reaches so many; more are walked in chunks. (No workgroups at all are refused with the grid.)
        let reach = (of_workgroup as usize).saturating_mul(workgroups.max(1) as usize);
        let all = if of.is_empty() { 0 } else { units };
        check_dispatches(steps.len().saturating_add(all / reach))?;
        steps.extend((0..all).step_by(reach).map(|first| {
            Step {
                kernel,
                grid: [word(reach.min(all - first)).div_ceil(of_workgroup), word(rows), 1],
                params: DirectParams {
                    first: word(first),
                    end: word(all.min(first.saturating_add(reach))),
                    k_first,
                    k_group,
                    bias_offset: per_filter,
                    slopes_offset: per_filter,
                    ..direct_params(&of, &conv)
                }
                .words(),
                operands: operands.clone(),
            }
        }));
    }
    Ok(steps)
}

/// The pieces of parts of a problem's correlations.
fn all_pieces(problem: &Problem, parts: &[Piece], limits: &Limits) -> Result<Vec<Piece>, LimitError> {
    let per_filter = problem.conv.bias || problem.conv.activation.has_slopes();
    let mut all = Vec::new();
    for part in parts {
        all.extend(pieces(*part, per_filter, limits)?);
        check_dispatches(all.len())?;
    }
    Ok(all)
}

/// Whether some of a problem's outputs are added up by several dispatches.
fn sums_in_pieces(problem: &Problem, parts: &[Piece], limits: &Limits) -> Result<bool, LimitError> {
    Ok(all_pieces(problem, parts, limits)?.iter().any(Piece::is_part_of_sum))
}

/// A piece as it is dispatched.
struct Placed {
    /// Its correlation, with its offsets in the parts that are bound.
    of: Correlation,
    /// Those parts: source, weights and output, then the operands of its end.
    operands: Vec<Operand>,
    /// Where the part of bias and slopes that is bound begins, as an offset that leads from there to the first filter's.
    per_filter: u32,
}

/// A piece, whose end is `conv`'s.
fn placed(piece: &Piece, conv: &Conv, problem: &Problem, limits: &Limits) -> Placed {
    let most = most(limits);
    let mut of = piece.of;
    let [source, weights] = factors(&of);
    let operand = |window: Window, slot| window.operand(slot, tensor_len(problem, slot), most);
    let parts = [
        (operand(piece.source(), source), &mut of.src),
        (operand(piece.weights(), weights), &mut of.weights),
        (operand(piece.outputs(), Slot::Output), &mut of.dst),
    ];
    let mut operands = Vec::new();
    for (operand, steps) in parts {
        steps.offset -= operand.first.cast_signed();
        operands.push(operand);
    }
    let of_filters = |slot| operand(piece.of_filters(), slot);
    operands.extend(epilogue_operands(conv, operands[2], of_filters));
    let per_filter = wrapped(-of_filters(Slot::Bias).first.cast_signed());
    Placed { of, operands, per_filter }
}

/// Elements of memory of a caller's tensor; none of what is the plan's own.
pub(super) fn tensor_len(problem: &Problem, slot: Slot) -> usize {
    match slot {
        Slot::Input => problem.input_len(),
        Slot::Weights => problem.weights_len(),
        Slot::Output | Slot::Residual => problem.output_len(),
        Slot::Bias | Slot::Slopes => problem.conv.filters,
        Slot::Packed | Slot::Workspace(_) => 0,
    }
}

/// The operands that are a correlation's source and weights.
pub(super) const fn factors(of: &Correlation) -> [Slot; 2] {
    if of.swapped { [Slot::Weights, Slot::Input] } else { [Slot::Input, Slot::Weights] }
}

pub(super) fn direct_params(of: &Correlation, conv: &Conv) -> DirectParams {
    let [d, h, w] = of.size.map(word);
    let [out_d, out_h, out_w] = of.out.map(word);
    let [taps_d, taps_h, taps_w] = of.taps.map(word);
    let [stride_d, stride_h, stride_w] = of.stride.map(word);
    let [dilation_d, dilation_h, dilation_w] = of.dilation.map(word);
    let [before_d, before_h, before_w] = of.before.map(wrapped);
    let [src_d, src_h, src_w] = of.src.dhw.map(wrapped);
    let [weights_d, weights_h, weights_w] = of.weights.dhw.map(wrapped);
    let [dst_d, dst_h, dst_w] = of.dst.dhw.map(wrapped);
    let [act_a, act_b] = conv.activation.arguments();
    DirectParams {
        groups: word(of.groups),
        group_c: word(of.group_c),
        group_k: word(of.group_k),
        d,
        h,
        w,
        out_d,
        out_h,
        out_w,
        taps_d,
        taps_h,
        taps_w,
        stride_d,
        stride_h,
        stride_w,
        dilation_d,
        dilation_h,
        dilation_w,
        before_d,
        before_h,
        before_w,
        src_n: wrapped(of.src.n),
        src_g: wrapped(of.src.g),
        src_c: wrapped(of.src.c),
        src_d,
        src_h,
        src_w,
        weights_g: wrapped(of.weights.g),
        weights_k: wrapped(of.weights.n),
        weights_c: wrapped(of.weights.c),
        weights_d,
        weights_h,
        weights_w,
        dst_n: wrapped(of.dst.n),
        dst_g: wrapped(of.dst.g),
        dst_k: wrapped(of.dst.c),
        dst_d,
        dst_h,
        dst_w,
        src_offset: wrapped(of.src.offset),
        weights_offset: wrapped(of.weights.offset),
        dst_offset: wrapped(of.dst.offset),
        residual_offset: wrapped(of.dst.offset),
        act_a,
        act_b,
        ..Default::default()
    }
}

/// The one dispatch that packs weights for Winograd.
pub(super) fn filter(windows: &Windows, algorithm: Nested, dtype: DType) -> Step {
    let weights = factors(&windows.of)[1].into();
    filter_rows(windows, algorithm, dtype, 0..windows.group_rows(), [weights, Slot::Packed.into()])
}

/// The dispatch that transforms weights to U, of so many rows of each group's sum: from the first operand to the second.
pub(super) fn filter_rows(
    windows: &Windows,
    algorithm: Nested,
    dtype: DType,
    sum: Range<usize>,
    operands: [Operand; 2],
) -> Step {
    let of = &windows.of;
    let rows = of.groups * sum.len();
    let planes = Planes { rows, ..windows.filter_planes(algorithm) };
    let [taps_d, taps_h, taps_w] = of.taps.map(word);
    let [phases_h, phases_w] = windows.phases().map(word);
    let [phase_step_h, phase_step_w] = windows.phase_steps().map(word);
    let [tap_step_h, tap_step_w] = windows.tap_steps().map(word);
    let [weights_d, weights_h, weights_w] = of.weights.dhw.map(wrapped);
    let params = FilterParams {
        group_k: word(planes.columns),
        k_stride: word(planes.stride()),
        group_rows: word(sum.len()),
        rows: word(rows),
        sum_first: word(sum.start),
        taps_d,
        taps_h,
        taps_w,
        phases_h,
        phases_w,
        phase_step_h,
        phase_step_w,
        tap_step_h,
        tap_step_w,
        weights_g: wrapped(of.weights.g),
        weights_k: wrapped(of.weights.n),
        weights_c: wrapped(of.weights.c),
        weights_d,
        weights_h,
        weights_w,
        weights_offset: wrapped(of.weights.offset - operands[0].first.cast_signed()),
    };
    Step {
        kernel: WinogradFilter { algorithm, storage: Storage::of_any(dtype) }.spec(),
        grid: [word(planes.columns).div_ceil(WinogradFilter::WORKGROUP), word(planes.rows), 1],
        params: params.words(),
        operands: operands.to_vec(),
    }
}

/// Bias, slopes and residual, where the convolution has them: of the first two what `of_filters` says, of the residual the part
/// that `output` is of the output.
pub(super) fn epilogue_operands<F: Fn(Slot) -> Operand>(
    conv: &Conv,
    output: Operand,
    of_filters: F,
) -> impl Iterator<Item = Operand> + use<F> {
    let bias = conv.bias.then(|| of_filters(Slot::Bias));
    let slopes = conv.activation.has_slopes().then(|| of_filters(Slot::Slopes));
    let residual = (conv.residual == Residual::Tensor).then_some(Operand { slot: Slot::Residual, ..output });
    bias.into_iter().chain(slopes).chain(residual)
}

/// The blocks that a step's workgroups walk: one each, but for the kernels that walk several.
pub(super) fn blocks(step: &Step) -> u64 {
    let [x, y, z] = step.grid.map(u64::from);
    match &step.kernel {
        KernelSpec::WinogradFused(kernel) => {
            let tiles = FusedParams::from_words(&step.params).tiles;
            u64::from(tiles.div_ceil(kernel.blocking.tiles)) * y * z
        }
        _ => x * y * z,
    }
}
