//! Activations: what happens to an output value after the bias, fused into the last kernel.
//!
//! [`table`] has an entry for each activation, and everything that lists activations follows from it: the enum, its
//! names and arguments, the form in documents, the shader parts, the grid of kernel variants, the tests' lists.

mod entry;
pub(crate) mod single;
mod table;

use std::fmt;
use std::hash::{Hash, Hasher};

use crate::dtype::DType;
use crate::error::ShapeError;
use entry::Numbers;

pub use table::Activation;
pub(crate) use table::for_each_activation;

/// Whether these registers have fused multiply-adds.
pub(crate) const fn fuses<S: pulp::Simd>() -> bool {
    S::F32_LANES >= 8 || cfg!(target_arch = "aarch64")
}

/// What the gradient of an activation is computed from, and so what the forward pass keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kept {
    /// The activation's result: the convolution's output.
    Output,
    /// What the activation is applied to: the output of the same convolution without the activation.
    Sum,
}

impl Activation {
    /// The activation of this name, with its default arguments.
    ///
    /// ```
    /// use winoconv::Activation;
    /// assert_eq!(Activation::from_name("silu"), Some(Activation::Silu));
    /// assert_eq!(Activation::from_name("leaky_relu"), Some(Activation::leaky_relu()));
    /// ```
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|activation| activation.name() == name)
    }

    /// Whether it needs the per-filter slopes as an operand.
    pub const fn has_slopes(self) -> bool {
        self.entry().slopes
    }

    fn numbers(self, slope: f64) -> Numbers {
        self.entry().numbers(self.arguments(), slope)
    }

    /// The value in f64, the root of trust. `slope` is the filter's slope, read by [`Self::PRelu`] alone.
    ///
    /// NaN gives NaN, on every device. Infinities give the limit. Functions like [`Self::Silu`] and [`Self::Gelu`], x times
    /// a factor that goes to 0, give NaN at negative infinity (`-inf * 0`), as in PyTorch.
    pub fn apply(self, x: f64, slope: f64) -> f64 {
        (self.entry().value)(x, self.numbers(slope))
    }

    /// What [`Self::gradient`] needs. It is the sum where two arguments of different derivatives have the same value, as of
    /// SiLU and GELU, or of a leaky ReLU with a negative slope.
    pub fn kept(self) -> Kept {
        (self.entry().kept)(self.numbers(0.0))
    }

    /// The derivative at x. At a corner it is that of the left side, where the variant does not say otherwise; at an infinity
    /// it is the limit, and at NaN it is NaN. `slope` is the filter's, read by [`Self::PRelu`] alone.
    ///
    /// ```
    /// use winoconv::Activation;
    /// assert_eq!(Activation::Relu.derivative(3.0, 0.0), 1.0);
    /// assert_eq!(Activation::PRelu.derivative(-3.0, 0.25), 0.25);
    /// assert_eq!(Activation::Sigmoid.derivative(0.0, 0.0), 0.25);
    /// ```
    pub fn derivative(self, x: f64, slope: f64) -> f64 {
        let kept = match self.kept() {
            Kept::Output => self.apply(x, slope),
            Kept::Sum => x,
        };
        self.gradient(1.0, kept, slope)
    }

    /// The gradient before the activation, from the gradient behind it and from what [`Self::kept`] names: the first times
    /// the derivative. Where that is 0 on a whole interval, so is the result, whatever the gradient.
    pub fn gradient(self, gradient: f64, kept: f64, slope: f64) -> f64 {
        if kept.is_nan() { kept } else { (self.entry().gradient)(gradient, kept, self.numbers(slope)) }
    }

    /// How far a device's own [`Self::gradient`] may be from the exact one of the same arguments.
    pub(crate) fn gradient_error(self, gradient: f64) -> f64 {
        (self.entry().gradient_error)(self.numbers(0.0)) * gradient.abs()
    }

    /// The same with arguments as outputs are stored, where an output may be equal to an argument.
    pub(crate) fn as_stored(self, dtype: DType) -> Self {
        if self.entry().bounds_outputs {
            self.with_arguments(self.arguments().map(|argument| dtype.rounded(argument)))
        } else {
            self
        }
    }

    /// How much the function can enlarge an error of its argument (its Lipschitz constant).
    /// `slope` is the largest slope in absolute value, read by [`Self::PRelu`] alone.
    pub fn lipschitz(self, slope: f64) -> f64 {
        (self.entry().lipschitz)(self.numbers(slope))
    }

    /// How far a device's own evaluation may be from the exact function of the same argument, for every argument of at
    /// most this size.
    /// Exponentials are only specified to a few units in the last place (WGSL: 3 + 2|x|), our `erf` is a
    /// polynomial of absolute error 1.5e-7; the rest is exact or one rounding.
    pub fn evaluation_error(self, x: f64) -> f64 {
        (self.entry().evaluation_error)(x.abs(), self.numbers(0.0))
    }

    /// Multiply-adds and other f32 operations of the part `activation_*`.
    pub(crate) const fn counts(self) -> [usize; 2] {
        self.entry().counts
    }

    /// The same of the part `derivative_*`.
    pub(crate) const fn gradient_counts(self) -> [usize; 2] {
        self.entry().gradient_counts
    }

    pub(crate) fn validate(self) -> Result<(), ShapeError> {
        match (self.entry().problem)(self.arguments()) {
            None => Ok(()),
            Some(problem) => Err(ShapeError::Activation { activation: self.to_string(), problem }),
        }
    }

    /// What distinguishes two activations, with floats by their bits.
    fn key(self) -> (&'static str, [u32; 2]) {
        (self.name(), self.arguments().map(f32::to_bits))
    }
}

impl PartialEq for Activation {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Activation {}

impl Hash for Activation {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key().hash(state);
    }
}

impl fmt::Display for Activation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        for (i, argument) in self.arguments().into_iter().take(self.argument_names().len()).enumerate() {
            write!(f, "{}{argument}", if i == 0 { "(" } else { ", " })?;
        }
        f.write_str(if self.argument_names().is_empty() { "" } else { ")" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_a_name_and_prints_its_arguments() {
        for activation in Activation::ALL {
            assert_eq!(Activation::from_name(activation.name()), Some(activation), "{activation}: a name of its own");
            assert_eq!(activation.with_arguments(activation.arguments()), activation, "{activation}");
            assert_eq!(activation.validate(), Ok(()), "{activation}");
        }
        assert_eq!(Activation::None.to_string(), "none");
        assert_eq!(Activation::LeakyRelu { slope: 0.1 }.to_string(), "leaky_relu(0.1)");
        assert_eq!(Activation::Clamp { low: 0.0, high: 6.0 }.to_string(), "clamp(0, 6)");
    }

    #[test]
    fn lipschitz_holds_on_a_grid() {
        for a in Activation::ALL {
            for i in -4000..4000 {
                let (x, h) = (f64::from(i) / 500.0, 1e-4);
                let slope = (a.apply(x + h, 0.0) - a.apply(x, 0.0)).abs() / h;
                assert!(slope <= a.lipschitz(0.0) + 1e-6, "{a} at {x}: {slope}");
            }
        }
    }
}
