//! From an algorithm to its dispatches: grids, parameters, operands, and the cutting of the work into chunks that
//! respect the workspace limit and the device's bounds.

mod built;
mod correlations;
mod direct_params;
mod dispatch;
mod end;
mod filter;
mod halves;
mod operand;
mod packing;
mod pieces;
mod tensor_parts;
mod weight_gradient;
mod windows;
mod winograd;

pub(super) use built::{Built, workspace_bytes};
pub use dispatch::Dispatch;
pub use operand::{Operand, Slot};
pub(super) use operand::{epilogue_operands, factors, tensor_len};
pub use packing::Packing;
pub use windows::Sizes;
pub(crate) use windows::Windows;
pub(super) use windows::summed;

use self::correlations::{depthwise, direct, dot, implicit_gemm, sums_in_pieces};
use self::pieces::{Piece, check_dispatches};
use self::winograd::Winograd;
use super::choose::{Algorithm, Cut, Preferences, Reason};
use super::cpu;
use crate::caps::Caps;
use crate::dtype::DType;
use crate::error::{LimitError, Resource};
use crate::kernel::{Fusion, Storage};
use crate::problem::{Operation, Problem};

/// Builds the dispatches, or says why there are none: first of all, the bound that they exceed.
pub(in crate::plan) fn build(
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
    // The CPU's kernels cut their work themselves. Where a cut is forced, and where outputs are halves that are packed in the
    // end, the shaders' twins run.
    let whole = matches!(preferences.cut, None | Some(Cut::Only)) && storage != Storage::Packed;
    let built = if whole && cpu::takes(problem, algorithm, caps) {
        cpu::build(problem, algorithm, caps, preferences)?
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
    limits.check_tensor("the packed weights", DType::F32.bytes(built.packing.len(problem)))?;
    for dispatch in built.dispatches.iter().chain(&built.packing.dispatches(problem)) {
        dispatch.kernel.check(limits)?;
        dispatch.check_grid(limits)?;
    }
    check_dispatches(built.dispatches.len() + built.cpu_steps.len())?;
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
        _ => Err(Reason::Inapplicable(
            "Winograd does not support strided transposed convolutions, nor input gradients of strided ones",
        )),
    };
    Ok(match algorithm {
        Algorithm::Direct if problem.operation.is_of_end() => end::build(problem, storage, limits, preferences)?,
        Algorithm::Direct => direct(problem, parts, storage, limits)?,
        Algorithm::Dot => dot(problem, parts, storage, limits)?,
        Algorithm::Depthwise => depthwise(problem, parts, storage, caps, preferences)?,
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
