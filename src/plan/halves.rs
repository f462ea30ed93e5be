//! Outputs of two halves a word, where an invocation that writes one would write another's too: made in f32 beside the
//! output, then packed.

use super::pieces::{Window, check_dispatches, most};
use super::steps::Built;
use super::{Operand, Preferences, Reason, Slot, Step};
use crate::caps::Limits;
use crate::conv::{Conv, Residual};
use crate::error::{LimitError, Resource};
use crate::kernel::{PackHalves, PackParams, Params, word};
use crate::problem::{Placed, Problem};

/// The problem whose outputs are made in f32, and what is left of the workspace for it. What stands in the output is another
/// tensor then.
pub(super) fn held(
    problem: &Problem,
    limits: &Limits,
    preferences: &Preferences,
) -> Result<(Problem, Preferences), LimitError> {
    const WHO: &str = "the output in f32";
    let bytes = 4 * problem.output_len() as u64;
    LimitError::check(WHO, Resource::BufferBytes, bytes, limits.max_buffer_size)?;
    LimitError::check(WHO, Resource::WorkspaceBytes, bytes, preferences.workspace_limit)?;
    let residual = match problem.conv.residual {
        Residual::InPlace => Residual::Tensor,
        other => other,
    };
    let conv = Conv { residual, ..problem.conv };
    Ok((Problem { conv, ..*problem }, preferences.workspace_limit(preferences.workspace_limit - bytes)))
}

/// Has the dispatches of [`held`] write to a workspace buffer of their own, and adds those that pack it.
pub(super) fn pack(problem: &Problem, limits: &Limits, built: &mut Built) -> Result<(), Reason> {
    if built.steps.is_empty() {
        return Ok(());
    }
    let index = u8::try_from(built.workspace.len()).map_err(|_| Reason::Inapplicable("too many buffers"))?;
    let held = Slot::Workspace(index);
    built.workspace.push(problem.output_len());
    for operand in built.steps.iter_mut().flat_map(|step| &mut step.operands) {
        match operand.slot {
            Slot::Output => operand.slot = held,
            Slot::Residual if problem.conv.residual == Residual::InPlace => operand.slot = Slot::Output,
            _ => {}
        }
    }
    let (params, span, offset) = params(problem);
    let (most, all) = (most(limits), problem.output_len());
    let reach = (PackHalves::WORKGROUP as usize).saturating_mul(limits.max_compute_workgroups_per_dimension as usize);
    // Where it begins in the middle of a word, there is one more.
    let size = if all <= most { span } else { most }.min(reach.saturating_mul(2) - 1).max(1);
    check_dispatches(built.steps.len().saturating_add(span / size))?;
    built.steps.extend((0..span).step_by(size).map(|first| {
        let count = size.min(span - first);
        let part = Window { first: offset + first, len: count };
        let operands: Vec<Operand> = [held, Slot::Output].map(|slot| part.operand(slot, all, most)).to_vec();
        let at = word(part.first - operands[0].first);
        let (first, count) = (word(first), word(count));
        Step {
            kernel: PackHalves.spec(),
            grid: [(count / 2 + 1).div_ceil(PackHalves::WORKGROUP), 1, 1],
            params: PackParams { first, count, values_offset: at, halves_offset: at, ..params }.words(),
            operands,
        }
    }));
    Ok(())
}

/// A dimension of a tensor in memory.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dimension {
    pub(super) step: u32,
    pub(super) size: u32,
    /// Whether it is the channels'.
    pub(super) of_channels: bool,
}

/// A tensor's dimensions, longest steps first: no two of its elements share a place, so that each step is beyond the reach
/// of those behind it.
pub(super) fn longest_first(placed: &Placed) -> [Dimension; 5] {
    let [d, h, w] = placed.shape.spatial().dhw(1);
    let view = &placed.view;
    let [step_d, step_h, step_w] = view.dhw;
    let all = [
        (view.n, placed.shape[0], false),
        (view.c, placed.shape[1], true),
        (step_d, d, false),
        (step_h, h, false),
        (step_w, w, false),
    ];
    let mut all = all.map(|(step, size, of_channels)| {
        let step = if size == 1 { u32::MAX } else { word(step) };
        Dimension { step, size: word(size), of_channels }
    });
    all.sort_unstable_by_key(|dimension| std::cmp::Reverse((dimension.step, dimension.size)));
    all
}

/// The output's dimensions, then the elements of memory from the first output to the last one, and where the first one is.
fn params(problem: &Problem) -> (PackParams, usize, usize) {
    let result = problem.result();
    let dimensions = longest_first(&result);
    let [size_0, size_1, size_2, size_3, size_4] = dimensions.map(|dimension| dimension.size);
    let [step_0, step_1, step_2, step_3, step_4] = dimensions.map(|dimension| dimension.step);
    let params = PackParams {
        size_0,
        size_1,
        size_2,
        size_3,
        size_4,
        step_0,
        step_1,
        step_2,
        step_3,
        step_4,
        ..Default::default()
    };
    (params, result.len() - result.view.offset, result.view.offset)
}
