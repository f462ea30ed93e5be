//! The dispatches of the kernels that compute a correlation as it stands: `direct`, `implicit_gemm`, `dot`, `depthwise` and
//! `depthwise_patch`.

use super::built::Built;
use super::direct_params::direct_params;
use super::dispatch::Dispatch;
use super::operand::{Operand, Slot, epilogue_operands, factors, tensor_len};
use super::packing::Packing;
use super::pieces::{Axis, Piece, Window, check_dispatches, most, pieces};
use crate::caps::{Caps, Limits};
use crate::conv::Conv;
use crate::correlation::Correlation;
use crate::dtype::DType;
use crate::error::{LimitError, Resource};
use crate::kernel::{
    Depthwise, DepthwisePatch, Direct, DirectParams, Dot, Epilogue, Fragments, ImplicitGemm, ImplicitGemmUnits,
    KernelSpec, MultiplyCut, Params as _, Storage, SumParts, SumPartsParams, UnitCut, row_eights, word, wrapped,
};
use crate::plan::choose::{Cut, Preferences, Reason};
use crate::plan::model::{gemm, gemm_units, patch};
use crate::problem::Problem;

/// One invocation for each position and a few filters.
pub(super) fn direct(
    problem: &Problem,
    parts: &[Piece],
    storage: Storage,
    limits: &Limits,
) -> Result<Built, LimitError> {
    let block = |of: &Correlation, epilogue| {
        let kernel = Direct::of(of, epilogue, storage);
        Block::of_positions(of, kernel.spec(), [Direct::WORKGROUP, kernel.filters])
    };
    let steps = each(problem, parts, limits, block)?;
    Ok(Built { cut: Cut::Only, dispatches: steps, ..Built::nothing() })
}

/// A product of matrices for each group, all cut alike.
pub(super) fn implicit_gemm(
    problem: &Problem,
    parts: &[Piece],
    storage: Storage,
    caps: &Caps,
    preferences: &Preferences,
) -> Result<Built, Reason> {
    if let Some(Cut::Units(cut)) = preferences.cut {
        return implicit_gemm_units(problem, parts, storage, cut, caps);
    }
    let planned = || gemm::cut(problem, storage, caps, preferences.workspace_limit);
    let (seconds, cut) = preferences.gemm_cut().map_or_else(planned, |cut| (0.0, cut));
    if let (None, Ok(kernel)) = (preferences.cut, units_kernel(problem, parts, storage, caps))
        && let Some((by_units, cut)) = gemm_units::cut(&kernel, caps)
        && by_units < seconds
    {
        return implicit_gemm_units(problem, parts, storage, cut, caps);
    }
    let MultiplyCut { blocking, parts: sum_parts } = cut;
    let block = |of: &Correlation, epilogue| {
        let kernel = ImplicitGemm { blocking, border: of.border, storage, epilogue };
        Block::of_positions(of, kernel.spec(), [blocking.tiles, blocking.filters])
    };
    let steps = each(problem, parts, &caps.limits, block)?;
    if sum_parts == 1 {
        return Ok(Built { cut: Cut::Gemm(cut), dispatches: steps, ..Built::nothing() });
    }
    let mut dispatches = Vec::with_capacity(2 * steps.len());
    let mut len = 0;
    for step in steps {
        let (steps, sums) = summed_in_parts(step, cut);
        dispatches.extend(steps);
        len = len.max(sums);
    }
    LimitError::check(
        "the sums of parts",
        Resource::WorkspaceBytes,
        DType::F32.bytes(len),
        preferences.workspace_limit,
    )?;
    caps.limits.check_tensor("the sums of parts", DType::F32.bytes(len))?;
    Ok(Built { cut: Cut::Gemm(cut), dispatches, workspace: vec![len], ..Built::nothing() })
}

/// What matrix units would compute, or why they cannot.
fn units_kernel(problem: &Problem, parts: &[Piece], storage: Storage, caps: &Caps) -> Result<Correlation, Reason> {
    let no = |why| Err(Reason::Inapplicable(why));
    let pieces = all_pieces(problem, parts, &caps.limits)?;
    let [Piece { of, .. }] = &pieces[..] else {
        return no(
            "matrix units compute problems that are one sum for each output, of tensors that can be bound as a whole",
        );
    };
    if storage != Storage::F16 {
        return no("matrix units multiply tensors in f16, on devices whose shaders have 16-bit floats");
    }
    let taps: usize = problem.conv.kernel.iter().product();
    if !ImplicitGemmUnits::applies(of) || of.taps_len() != taps {
        return no("matrix units compute groups of a multiple of eight channels, with zeros around the input");
    }
    Ok(*of)
}

/// The same product by matrix units.
fn implicit_gemm_units(
    problem: &Problem,
    parts: &[Piece],
    storage: Storage,
    cut: UnitCut,
    caps: &Caps,
) -> Result<Built, Reason> {
    let whole = units_kernel(problem, parts, storage, caps)?;
    let fragments = if caps.matrix_units { Fragments::Units } else { Fragments::Emulated };
    let blocking = cut.blocking;
    let block = |of: &Correlation, epilogue| {
        let kernel = ImplicitGemmUnits { blocking, channels: ImplicitGemmUnits::channels_of(of), fragments, epilogue };
        Block::of_positions(of, kernel.spec(), [blocking.tiles, blocking.filters])
    };
    let mut dispatches = each(problem, parts, &caps.limits, block)?;
    let [row, tap] = row_eights(&whole);
    for step in &mut dispatches {
        let of_rows = DirectParams {
            weights_g: word(whole.group_k) * row,
            weights_k: row,
            weights_w: tap,
            weights_c: 0,
            weights_d: 0,
            weights_h: 0,
            weights_offset: 0,
            ..DirectParams::from_words(&step.params)
        };
        step.params = of_rows.words();
        step.operands[1] = Slot::Packed.into();
    }
    Ok(Built { packing: Packing::Rows, cut: Cut::Units(cut), dispatches, ..Built::nothing() })
}

/// A product whose sum is walked in parts: they are written to the workspace, and a second dispatch adds them up. And how many
/// sums there are.
fn summed_in_parts(step: Dispatch, cut: MultiplyCut) -> (Vec<Dispatch>, usize) {
    let KernelSpec::ImplicitGemm(kernel) = step.kernel else { return (vec![step], 0) };
    let p = DirectParams::from_words(&step.params);
    let (positions, filters) = (p.end - p.first, p.groups * p.group_k);
    let (terms, sums_part) = (p.group_c * p.taps_d * p.taps_h * p.taps_w, positions.saturating_mul(filters));
    let sums = Operand::from(Slot::Workspace(0));
    // As a tensor [part][group and filter][position] of f32.
    let product = DirectParams {
        part: cut.part(terms as usize),
        dst_part: sums_part,
        dst_g: p.group_k * positions,
        dst_k: positions,
        dst_n: p.out_d * p.out_h * p.out_w,
        dst_d: p.out_h * p.out_w,
        dst_h: p.out_w,
        dst_w: 1,
        dst_offset: p.first.wrapping_neg(),
        ..p
    };
    let storage = match kernel.storage {
        Storage::F16 => Storage::Packed,
        other => other,
    };
    let product = Dispatch {
        kernel: ImplicitGemm { storage, epilogue: Epilogue::NONE, ..kernel }.spec(),
        grid: [step.grid[0], step.grid[1], cut.parts],
        params: product.words(),
        operands: vec![step.operands[0], step.operands[1], sums],
    };
    let DirectParams { first, end, k_first, k_group, group_k, out_d, out_h, out_w, .. } = p;
    let DirectParams { dst_n, dst_g, dst_k, dst_d, dst_h, dst_w, dst_offset, .. } = p;
    let DirectParams { bias_offset, slopes_offset, residual_offset, act_a, act_b, .. } = p;
    let added = SumPartsParams {
        first,
        end,
        k_first,
        k_group,
        group_k,
        parts: cut.parts,
        sums_k: positions,
        sums_part,
        out_d,
        out_h,
        out_w,
        dst_n,
        dst_g,
        dst_k,
        dst_d,
        dst_h,
        dst_w,
        sums_offset: 0,
        dst_offset,
        bias_offset,
        slopes_offset,
        residual_offset,
        act_a,
        act_b,
    };
    let added = Dispatch {
        kernel: SumParts { storage: kernel.storage, epilogue: kernel.epilogue }.spec(),
        grid: [positions.div_ceil(SumParts::WORKGROUP), filters, 1],
        params: added.words(),
        operands: [sums].into_iter().chain(step.operands[2..].iter().copied()).collect(),
    };
    (vec![product, added], sums_part as usize * cut.parts as usize)
}

/// One workgroup for a few outputs.
pub(super) fn dot(problem: &Problem, parts: &[Piece], storage: Storage, limits: &Limits) -> Result<Built, LimitError> {
    let block = |of: &Correlation, epilogue| {
        let kernel = Dot::of(of, epilogue, storage);
        Block::of_positions(of, kernel.spec(), [kernel.positions, Dot::FILTERS])
    };
    let steps = each(problem, parts, limits, block)?;
    Ok(Built { cut: Cut::Only, dispatches: steps, ..Built::nothing() })
}

/// One invocation for each patch of outputs of a filter, or for each strip where there is no text for the filters.
pub(super) fn depthwise(
    problem: &Problem,
    parts: &[Piece],
    storage: Storage,
    caps: &Caps,
    preferences: &Preferences,
) -> Result<Built, LimitError> {
    let blocking = match preferences.cut {
        Some(Cut::Patch(blocking)) => Some(blocking),
        Some(_) => None,
        None => patch::blocking(problem, storage, caps),
    };
    let block = |of: &Correlation, epilogue| match blocking
        .and_then(|blocking| DepthwisePatch::of(of, blocking, epilogue, storage))
    {
        Some(kernel) => Block {
            kernel: kernel.spec(),
            units: kernel.patches(of),
            of_workgroup: DepthwisePatch::WORKGROUP,
            rows: of.group_k,
            images: of.n,
        },
        None => Block {
            kernel: Depthwise::of(of, epilogue, storage).spec(),
            units: Depthwise::strips(of),
            of_workgroup: Depthwise::WORKGROUP,
            rows: 1,
            images: 1,
        },
    };
    let steps = each(problem, parts, &caps.limits, block)?;
    Ok(Built { cut: blocking.map_or(Cut::Only, Cut::Patch), dispatches: steps, ..Built::nothing() })
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
    /// Workgroups along z: images, where they are not among the positions.
    images: usize,
}

impl Block {
    /// A workgroup owns so many positions of so many filters of one group.
    const fn of_positions(of: &Correlation, kernel: KernelSpec, [positions, filters]: [u32; 2]) -> Self {
        let rows = of.groups * of.group_k.div_ceil(filters as usize);
        Self { kernel, units: of.n * of.out_len(), of_workgroup: positions, rows, images: 1 }
    }
}

/// One dispatch for each piece of the correlations, and more beyond the reach of a grid.
fn each(
    problem: &Problem,
    parts: &[Piece],
    limits: &Limits,
    block: impl Fn(&Correlation, Epilogue) -> Block,
) -> Result<Vec<Dispatch>, LimitError> {
    let workgroups = limits.max_compute_workgroups_per_dimension;
    let mut waiting = all_pieces(problem, parts, limits)?;
    // The first one is to run first.
    waiting.reverse();
    let mut steps = Vec::new();
    while let Some(piece) = waiting.pop() {
        let conv = piece.conv(&problem.conv);
        let Placed { of, operands, per_filter } = placed(&piece, &conv, problem, limits);
        let Block { kernel, units, of_workgroup, rows, images } = block(&of, Epilogue::of(&conv));
        let halves = match workgroups as usize {
            most if images > most => piece.halves(Axis::Images),
            most if rows > most => piece.halves_of_filters(),
            _ => None,
        };
        if let Some([first, second]) = halves {
            waiting.extend([second, first]);
            continue;
        }
        let [k_first, k_group] = piece.filters().map(word);
        // One dispatch reaches so many; more are walked in chunks. (No workgroups at all are refused with the grid.)
        let reach = (of_workgroup as usize).saturating_mul(workgroups.max(1) as usize);
        let all = if of.is_empty() { 0 } else { units };
        check_dispatches(steps.len().saturating_add(all / reach))?;
        steps.extend((0..all).step_by(reach).map(|first| {
            Dispatch {
                kernel,
                grid: [word(reach.min(all - first)).div_ceil(of_workgroup), word(rows), word(images)],
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
pub(super) fn sums_in_pieces(problem: &Problem, parts: &[Piece], limits: &Limits) -> Result<bool, LimitError> {
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
