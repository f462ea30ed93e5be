//! The tensors of a run on slices.

use crate::plan::{Operand, Slot};

/// The tensors of a run, by slot. What a plan does not use may stay empty. Those that are stored as f16 hold values that it
/// has, see [`DType::rounded`](crate::DType::rounded).
#[derive(Debug, Default)]
pub struct Operands<'a> {
    /// [`Slot::Input`]
    pub input: &'a [f32],
    /// [`Slot::Weights`]
    pub weights: &'a [f32],
    /// [`Slot::Packed`]
    pub packed: &'a [f32],
    /// [`Slot::Bias`]
    pub bias: &'a [f32],
    /// [`Slot::Slopes`]
    pub slopes: &'a [f32],
    /// [`Slot::Residual`]
    pub residual: &'a [f32],
}

impl<'a> Operands<'a> {
    pub(crate) fn read(&self, operand: Operand) -> &'a [f32] {
        self.slot(operand.slot).map_or(&[], |whole| &whole[operand.range(whole.len())])
    }

    pub(crate) fn slot(&self, slot: Slot) -> Option<&'a [f32]> {
        Some(match slot {
            Slot::Input => self.input,
            Slot::Weights => self.weights,
            Slot::Packed => self.packed,
            Slot::Bias => self.bias,
            Slot::Slopes => self.slopes,
            Slot::Residual => self.residual,
            Slot::Output | Slot::Workspace(_) => return None,
        })
    }
}
