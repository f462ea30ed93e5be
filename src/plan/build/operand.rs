//! What a step's bindings are: the tensors of a run, or parts of them.

use std::fmt;

use crate::conv::{Conv, Residual};
use crate::correlation::Correlation;
use crate::problem::{Operation, Problem};

/// An operand of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Slot {
    /// What is convolved: the input; for the gradient of the input, the output's gradient.
    Input,
    /// The weights as given; for the gradient of the weights, the output's gradient.
    Weights,
    /// The weights as packed, see [`super::Packing`].
    Packed,
    /// The bias, K elements.
    Bias,
    /// The slopes of PReLU, K elements.
    Slopes,
    /// The residual, which lies in memory as the output does.
    Residual,
    /// What is written: the output, or a gradient.
    Output,
    /// The workspace's buffer of this number.
    Workspace(u8),
}

/// What a binding of a step is: a slot's tensor, or a part of it where the whole is larger than a device can bind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Operand {
    /// Which tensor.
    pub slot: Slot,
    /// The part's first element.
    pub first: usize,
    /// Its elements; all from the first one on, if `None`.
    pub len: Option<usize>,
}

impl From<Slot> for Operand {
    /// The whole tensor.
    fn from(slot: Slot) -> Self {
        Self { slot, first: 0, len: None }
    }
}

impl Slot {
    /// What its tensor is to a caller, for errors.
    pub(crate) const fn tensor_name(self, operation: Operation) -> &'static str {
        match self {
            Self::Input => operation.source_name(),
            Self::Weights if operation.reads_gradient() => "the output's gradient",
            Self::Weights => "the weights",
            Self::Packed => "the packed weights",
            Self::Bias => "the bias",
            Self::Slopes => "the slopes",
            Self::Residual => "the residual",
            Self::Output => "the output",
            Self::Workspace(_) => "a workspace buffer",
        }
    }
}

/// Its name, the same in documents and for those who run them: `input`, ..., `workspace0`.
impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Input => "input",
            Self::Weights => "weights",
            Self::Packed => "packed",
            Self::Bias => "bias",
            Self::Slopes => "slopes",
            Self::Residual => "residual",
            Self::Output => "output",
            Self::Workspace(index) => return write!(f, "workspace{index}"),
        })
    }
}

impl Operand {
    /// Which elements it is, of so many.
    pub fn range(self, all: usize) -> std::ops::Range<usize> {
        self.first..self.len.map_or(all, |len| self.first + len)
    }
}

/// Elements of memory of a caller's tensor; none of what is the plan's own.
pub(in crate::plan) fn tensor_len(problem: &Problem, slot: Slot) -> usize {
    match slot {
        Slot::Input => problem.input_len(),
        Slot::Weights => problem.weights_len(),
        Slot::Output | Slot::Residual => problem.output_len(),
        Slot::Bias | Slot::Slopes => problem.conv.filters,
        Slot::Packed | Slot::Workspace(_) => 0,
    }
}

/// The operands that are a correlation's source and weights.
pub(in crate::plan) const fn factors(of: &Correlation) -> [Slot; 2] {
    if of.swapped { [Slot::Weights, Slot::Input] } else { [Slot::Input, Slot::Weights] }
}

/// Bias, slopes and residual, where the convolution has them: of the first two what `of_filters` says, of the residual the part
/// that `output` is of the output.
pub(in crate::plan) fn epilogue_operands<F: Fn(Slot) -> Operand>(
    conv: &Conv,
    output: Operand,
    of_filters: F,
) -> impl Iterator<Item = Operand> + use<F> {
    let bias = conv.bias.then(|| of_filters(Slot::Bias));
    let slopes = conv.activation.has_slopes().then(|| of_filters(Slot::Slopes));
    let residual = (conv.residual == Residual::Tensor).then_some(Operand { slot: Slot::Residual, ..output });
    bias.into_iter().chain(slopes).chain(residual)
}
