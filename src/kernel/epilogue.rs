//! The end of every kernel that writes the output: bias and activation.

use super::Binding;
use crate::activation::Activation;
use crate::shape::Conv;

/// Which bias and which activation; the activation's numbers are parameters, not part of the variant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Epilogue {
    /// Whether a bias is added.
    pub bias: bool,
    /// The activation's name, see [`Activation::name`].
    pub activation: &'static str,
}

impl Epilogue {
    /// Number of the bias's binding in every kernel.
    pub const BIAS: u32 = 4;
    /// Number of the slopes' binding in every kernel.
    pub const SLOPES: u32 = 5;

    /// What `conv` asks for.
    pub const fn of(conv: &Conv) -> Self {
        Self { bias: conv.bias, activation: conv.activation.name() }
    }

    /// Whether the slopes are an operand.
    pub fn has_slopes(self) -> bool {
        self.activation == Activation::PRelu.name()
    }

    pub(super) fn bindings(self) -> impl Iterator<Item = Binding> {
        let bias = self.bias.then_some(Binding::read(Self::BIAS, "bias"));
        let slopes = self.has_slopes().then_some(Binding::read(Self::SLOPES, "slopes"));
        bias.into_iter().chain(slopes)
    }

    /// The end of a variant's name: nothing, `_bias`, `_relu`, `_bias_relu`, ...
    pub(super) fn suffix(self) -> String {
        let bias = if self.bias { "_bias" } else { "" };
        match self.activation {
            "none" => bias.to_owned(),
            activation => format!("{bias}_{activation}"),
        }
    }
}
