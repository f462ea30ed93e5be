//! From an algorithm to its dispatches: grids, parameters, operands, and the cutting of the work into chunks that
//! respect the workspace limit and the device's bounds.

use super::winograd_steps::Winograd;
use super::{Algorithm, Cut, Packing, Preferences, Slot, Step, filter_planes};
use crate::caps::{Caps, Limits};
use crate::error::{LimitError, Resource, Result};
use crate::kernel::{
    Direct, DirectParams, FilterParams, FusedParams, Fusion, KernelSpec, Params, WinogradFilter, word,
};
use crate::shape::{Conv, Problem};
use crate::winograd::Nested;

/// What an algorithm comes to on a problem.
pub(super) struct Built {
    pub(super) packing: Packing,
    pub(super) cut: Cut,
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
        Algorithm::Staged(nested) => Winograd::new(problem, nested).staged(caps, preferences)?,
        Algorithm::FusedOutput(nested) => Winograd::new(problem, nested).fused_output(caps, preferences)?,
        Algorithm::Fused(nested) => Winograd::new(problem, nested).fused(Fusion::Input, caps, preferences)?,
        Algorithm::FusedFilter(nested) => Winograd::new(problem, nested).fused(Fusion::Filter, caps, preferences)?,
        Algorithm::Inlined(nested, reading) => Winograd::new(problem, nested).inlined(reading, caps, preferences)?,
    };
    limits.check_tensor("the packed weights", 4 * built.packing.len(&problem.conv) as u64)?;
    for step in built.steps.iter().chain(&built.packing.steps(&problem.conv)) {
        step.kernel.check(limits)?;
        let [x, y, z] = step.grid;
        let (need, bound) = (x.max(y).max(z).into(), limits.max_compute_workgroups_per_dimension.into());
        if need > bound {
            return Err(LimitError { who: step.kernel.name(), resource: Resource::Workgroups, need, bound });
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
    let reach = (Direct::WORKGROUP as usize).saturating_mul(limits.max_compute_workgroups_per_dimension as usize);
    let steps = (0..positions).step_by(reach).map(|first| Step {
        kernel: kernel.spec(),
        grid: [word(reach.min(positions - first)).div_ceil(Direct::WORKGROUP), word(blocks), 1],
        params: DirectParams { first: word(first), end: word(positions.min(first.saturating_add(reach))), ..params }
            .words(),
        operands: operands.clone(),
    });
    Built { packing: Packing::Given, cut: Cut::Only, steps: steps.collect(), workspace: Vec::new() }
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

/// Bias and slopes, where the convolution has them.
pub(super) fn epilogue_operands(conv: &Conv) -> impl Iterator<Item = Slot> {
    let bias = conv.bias.then_some(Slot::Bias);
    let slopes = conv.activation.has_slopes().then_some(Slot::Slopes);
    bias.into_iter().chain(slopes)
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
