//! Residuals that nothing reads any more: the convolution that adds one writes its result over it. So a step needs two tensors at
//! once where it would need three.

use std::sync::Arc;

use super::step::{BufferId, Place, Step, Work};
use crate::conv::{Conv, Residual};
use crate::graph::ConvWeights;

/// Has each residual that it can be done to lie where the result does: both must be the whole of a buffer, which have so many
/// elements. The caller's outputs stay apart, so that they may lie in one buffer with what the network reads elsewhere.
pub(super) fn add_in_place(steps: &mut [Step], own: &[usize]) {
    for at in 0..steps.len() {
        let (before, rest) = steps.split_at_mut(at);
        let Some((step, after)) = rest.split_first_mut() else { return };
        let Work::Conv(of) = &step.work else { continue };
        let &[input, residual] = &step.inputs[..] else { continue };
        let (from, to) = (residual.buffer, step.output.buffer);
        let (BufferId::Own(i), BufferId::Own(j)) = (from, to) else { continue };
        let is_whole = residual.offset == 0 && [own[i], own[j]] == [step.output.dims.elements(); 2];
        let lies_alike = residual == Place { buffer: from, ..step.output };
        let takes = |step: &Step, buffer: BufferId| step.reads(buffer) || step.output.buffer == buffer;
        let is_free = input.buffer != from
            && !after.iter().any(|step| takes(step, from))
            && !before.iter().any(|step| takes(step, to));
        if !(is_whole && lies_alike && is_free) {
            continue;
        }
        let conv = Conv { residual: Residual::InPlace, ..of.conv };
        step.work = Work::Conv(Arc::new(ConvWeights { conv, ..(**of).clone() }));
        step.inputs.truncate(1);
        let places = before.iter_mut().flat_map(|step| step.inputs.iter_mut().chain([&mut step.output]));
        places.filter(|place| place.buffer == from).for_each(|place| place.buffer = to);
    }
}
