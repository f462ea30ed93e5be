//! The CPU as a device: it runs any plan, step by step, over slices. Its kernels are for its registers and caches. One source
//! serves AVX-512, AVX2, NEON and plain scalars; which of them is found out when it runs. What it has no kernel for, the shaders'
//! twins run.

mod kernel;
#[cfg(test)]
mod tests;
mod threads;
mod transform;

#[cfg(feature = "graph")]
pub(crate) use self::{
    kernel::copy,
    threads::{collect, each_chunk, with_registers},
};

pub use crate::twin::{Operands, Reference, Sample, error_bound, error_bound_at};

use crate::correlation::Correlation;
use crate::error::{Result, ShapeError};
use crate::plan::{Packing, Plan, Slot, Windows};
use crate::twin;

/// Packs weights as a plan's packing says. Empty if they are used as given.
///
/// # Errors
/// [`ShapeError::Length`] if they are not as many as the convolution has.
pub fn pack(plan: &Plan, weights: &[f32]) -> Result<Vec<f32>> {
    if plan.packing.is_given() {
        return Ok(Vec::new());
    }
    ShapeError::check_len("the weights", plan.problem.of_weights().len(), weights.len())?;
    Ok(packed(plan, weights))
}

/// As [`pack`], of weights whose length was checked.
pub(crate) fn packed(plan: &Plan, weights: &[f32]) -> Vec<f32> {
    let mut packed = vec![0.0; plan.packing.len(&plan.problem)];
    match (plan.packing, Windows::of_problem(&plan.problem)) {
        (Packing::Panels(Some(nested)), Ok(windows)) => kernel::pack_winograd(&windows, nested, weights, &mut packed),
        (Packing::Panels(None), _) => pack_each(plan, &mut packed, |of, part| kernel::pack_gemm(of, weights, part)),
        (Packing::Sixteens, _) => pack_each(plan, &mut packed, |of, part| kernel::pack_depthwise(of, weights, part)),
        (Packing::Eights, _) => pack_each(plan, &mut packed, |of, part| kernel::pack_direct(of, weights, part)),
        _ => {}
    }
    let tensors = Operands { weights, ..Operands::default() };
    for dispatch in plan.packing.dispatches(&plan.problem) {
        twin::run(&dispatch, plan.problem.conv.activation, &tensors, &mut [], &mut packed);
    }
    packed
}

/// Packs the weights of each of a plan's correlations, one after the other.
fn pack_each(plan: &Plan, mut rest: &mut [f32], pack: impl Fn(&Correlation, &mut [f32])) {
    for of in Correlation::all_weights(&plan.problem) {
        let (part, others) = rest.split_at_mut(plan.packing.part_len(&of));
        pack(&of, part);
        rest = others;
    }
}

/// Runs a plan's steps. `workspace` has the plan's buffers, with any contents; they may be longer than needed.
///
/// # Errors
/// [`ShapeError::Length`] for a tensor that the plan uses and that has not as many elements as it says
/// ([`Plan::operand_len`]), and for a workspace buffer that has fewer.
pub fn run(plan: &Plan, operands: &Operands<'_>, workspace: &mut [Vec<f32>], output: &mut [f32]) -> Result<()> {
    check_operands(plan, operands, workspace, output)?;
    for index in 0..plan.step_count() {
        take_step(plan, index, operands, workspace, output);
    }
    Ok(())
}

/// Runs one step of a plan, by its position: to look at what each leaves. A position beyond the last one runs nothing.
///
/// # Errors
/// As [`run`].
pub fn run_step(
    plan: &Plan,
    index: usize,
    operands: &Operands<'_>,
    workspace: &mut [Vec<f32>],
    output: &mut [f32],
) -> Result<()> {
    check_operands(plan, operands, workspace, output)?;
    take_step(plan, index, operands, workspace, output);
    Ok(())
}

/// Whether the tensors that a plan's steps use are as long as it says.
fn check_operands(plan: &Plan, operands: &Operands<'_>, workspace: &[Vec<f32>], output: &[f32]) -> Result<()> {
    for slot in plan.slots() {
        let expected = plan.operand_len(slot).unwrap_or(0);
        let got = match slot {
            Slot::Output => output.len(),
            // Longer buffers are accepted.
            Slot::Workspace(index) => workspace.get(usize::from(index)).map_or(0, |buffer| buffer.len().min(expected)),
            of_caller => operands.slot(of_caller).map_or(0, <[f32]>::len),
        };
        ShapeError::check_len(slot.tensor_name(plan.problem.operation), expected, got)?;
    }
    Ok(())
}

/// Runs a step of a plan whose tensors were checked: a dispatch by the shader's twin, or a kernel of the CPU's own.
fn take_step(plan: &Plan, index: usize, operands: &Operands<'_>, workspace: &mut [Vec<f32>], output: &mut [f32]) {
    if let Some(dispatch) = plan.dispatches.get(index) {
        twin::run(dispatch, plan.problem.conv.activation, operands, workspace, output);
    } else if let Some(step) = plan.cpu_steps.get(index) {
        kernel::run(step, &plan.problem, operands, workspace, output);
    }
}
