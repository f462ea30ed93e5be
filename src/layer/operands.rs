//! What a layer is given: weights once, inputs at each run.

use crate::conv::{Conv, Residual};
use crate::error::{Error, Result, ShapeError};
use crate::problem::{Operation, Problem};

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
        for (what, wanted, given) in
            [("the bias", conv.bias, self.bias), ("the slopes", conv.activation.has_slopes(), self.slopes)]
        {
            match (wanted, given) {
                (true, None) => return Err(presence(what, "some, by the description", "none")),
                (false, Some(_)) => return Err(presence(what, "none, by the description", "some")),
                (true, Some(given)) => check_len(what, conv.filters, given.len())?,
                (false, None) => {}
            }
        }
        Ok(())
    }
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

    /// Adds the output's gradient, of which the weights' gradient is made.
    #[must_use]
    pub const fn gradient(mut self, gradient: &'a [f32]) -> Self {
        self.gradient = Some(gradient);
        self
    }

    pub(super) fn check(&self, problem: &Problem) -> Result<()> {
        check_len(problem.operation.source_name(), problem.input_len(), self.input.len())?;
        let residual = problem.conv.residual == Residual::Tensor;
        let gradient = problem.operation == Operation::WeightGradient;
        for (what, wanted, given, len) in [
            ("the residual", residual, self.residual, problem.output_len()),
            ("the output's gradient", gradient, self.gradient, problem.weights_len()),
        ] {
            match (wanted, given) {
                (true, None) => return Err(presence(what, "some, by the problem", "none")),
                (false, Some(_)) => return Err(presence(what, "none, by the problem", "some")),
                (true, Some(given)) => check_len(what, len, given.len())?,
                (false, None) => {}
            }
        }
        Ok(())
    }
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

fn presence(what: &'static str, expected: &'static str, got: &'static str) -> Error {
    ShapeError::Presence { what, expected, got }.into()
}
