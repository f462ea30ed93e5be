//! What a layer is given: weights once, inputs at each run.

use std::borrow::Cow;

use crate::conv::{Conv, Residual};
use crate::dtype::DType;
use crate::error::{Error, Result, ShapeError};
use crate::problem::Problem;

/// Weights of a convolution, in its order ([`Conv::weights_shape`]), with bias and slopes where it has them.
#[derive(Debug, Clone, Copy)]
pub struct Weights<'a> {
    pub(super) weights: &'a [f32],
    pub(super) bias: Option<&'a [f32]>,
    pub(super) slopes: Option<&'a [f32]>,
}

impl<'a> Weights<'a> {
    /// Weights alone.
    pub const fn new(weights: &'a [f32]) -> Self {
        Self { weights, bias: None, slopes: None }
    }

    /// Adds the bias, K elements.
    #[must_use]
    pub const fn bias(mut self, bias: &'a [f32]) -> Self {
        self.bias = Some(bias);
        self
    }

    /// Adds the slopes of PReLU, K elements.
    #[must_use]
    pub const fn slopes(mut self, slopes: &'a [f32]) -> Self {
        self.slopes = Some(slopes);
        self
    }

    pub(super) fn check(&self, conv: &Conv) -> Result<()> {
        check_len("the weights", conv.weights_len(), self.weights.len())?;
        check_presence(conv, self.bias.is_some(), self.slopes.is_some())?;
        for (what, given) in [("the bias", self.bias), ("the slopes", self.slopes)] {
            if let Some(given) = given {
                check_len(what, conv.filters, given.len())?;
            }
        }
        Ok(())
    }
}

/// Whether bias and slopes are given where the convolution has them, and only there.
pub(super) fn check_presence(conv: &Conv, bias: bool, slopes: bool) -> Result<()> {
    check_one("the bias", conv.bias, bias)?;
    check_one("the slopes", conv.activation.has_slopes(), slopes)
}

/// What a run reads: the input (for the gradient of the input, the output's gradient), the residual where the convolution
/// has one, and for the gradient of the weights the output's. From a slice it is the input alone.
#[derive(Debug, Clone, Copy)]
pub struct Inputs<'a> {
    pub(super) input: &'a [f32],
    pub(super) residual: Option<&'a [f32]>,
    pub(super) gradient: Option<&'a [f32]>,
}

impl<'a> Inputs<'a> {
    /// An input alone.
    pub const fn new(input: &'a [f32]) -> Self {
        Self { input, residual: None, gradient: None }
    }

    /// Adds a residual, which lies in memory as the output does.
    #[must_use]
    pub const fn residual(mut self, residual: &'a [f32]) -> Self {
        self.residual = Some(residual);
        self
    }

    /// Adds the output's gradient, which a gradient of the weights, the activation or the slopes is made of.
    #[must_use]
    pub const fn gradient(mut self, gradient: &'a [f32]) -> Self {
        self.gradient = Some(gradient);
        self
    }

    pub(super) fn check(&self, problem: &Problem) -> Result<()> {
        check_len(problem.operation.source_name(), problem.input_len(), self.input.len())?;
        check_inputs(problem, self.residual.is_some(), self.gradient.is_some())?;
        for (what, given, len) in [
            ("the residual", self.residual, problem.output_len()),
            ("the output's gradient", self.gradient, problem.weights_len()),
        ] {
            if let Some(given) = given {
                check_len(what, len, given.len())?;
            }
        }
        Ok(())
    }
}

/// Whether a residual in another tensor and the output's gradient are given where the problem has them, and only there.
pub(super) fn check_inputs(problem: &Problem, residual: bool, gradient: bool) -> Result<()> {
    if residual && problem.conv.residual == Residual::InPlace {
        let (what, expected) = ("the residual", "no tensor (an in-place residual is in the output)");
        return Err(ShapeError::Presence { what, expected, got: "one" }.into());
    }
    check_one("the residual", problem.conv.residual == Residual::Tensor, residual)?;
    check_one("the output's gradient", problem.operation.reads_gradient(), gradient)
}

impl<'a> From<&'a [f32]> for Inputs<'a> {
    fn from(input: &'a [f32]) -> Self {
        Self::new(input)
    }
}

impl<'a> From<&'a Vec<f32>> for Inputs<'a> {
    fn from(input: &'a Vec<f32>) -> Self {
        Self::new(input)
    }
}

impl<'a, const N: usize> From<&'a [f32; N]> for Inputs<'a> {
    fn from(input: &'a [f32; N]) -> Self {
        Self::new(input)
    }
}

pub(super) fn check_len(what: &'static str, expected: usize, got: usize) -> Result<()> {
    Ok(ShapeError::check_len(what, expected, got)?)
}

fn check_one(what: &'static str, wanted: bool, given: bool) -> Result<()> {
    match (wanted, given) {
        (true, false) => Err(missing(what)),
        (false, true) => {
            let expected = "no tensor (the problem does not take one)";
            Err(ShapeError::Presence { what, expected, got: "one" }.into())
        }
        _ => Ok(()),
    }
}

/// The error for an operand that the problem has and the caller does not give.
pub(super) fn missing(what: &'static str) -> Error {
    ShapeError::Presence { what, expected: "a tensor (the problem needs it)", got: "none" }.into()
}

/// What a tensor holds once it is stored.
pub(super) fn rounded(dtype: DType, values: &[f32]) -> Cow<'_, [f32]> {
    match dtype {
        DType::F32 => Cow::Borrowed(values),
        DType::F16 => Cow::Owned(values.iter().map(|&value| dtype.rounded(value)).collect()),
    }
}
