//! Activations: what happens to an output value after the bias, fused into the last kernel.

use std::fmt;
use std::hash::{Hash, Hasher};

use crate::dtype::DType;
use crate::error::ShapeError;

/// A function of one value, applied after the bias.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub enum Activation {
    /// `x`
    #[default]
    None,
    /// `max(x, 0)`
    Relu,
    /// `x` if positive, else `slope * x`
    LeakyRelu {
        /// Factor of the negative side.
        slope: f32,
    },
    /// Leaky ReLU with a slope for each filter, an operand of its own beside the bias.
    PRelu,
    /// `min(max(x, low), high)`
    Clamp {
        /// Smallest value.
        low: f32,
        /// Largest value.
        high: f32,
    },
    /// `1 / (1 + exp(-x))`
    Sigmoid,
    /// `tanh(x)`
    Tanh,
    /// `x * sigmoid(x)`
    Silu,
    /// `x * (1 + erf(x / sqrt 2)) / 2`, the exact form
    Gelu,
    /// `x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3))) / 2`, the approximation by tanh
    GeluTanh,
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
    /// The name in variant names and reports: `none`, `relu`, ...
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Relu => "relu",
            Self::LeakyRelu { .. } => "leaky_relu",
            Self::PRelu => "prelu",
            Self::Clamp { .. } => "clamp",
            Self::Sigmoid => "sigmoid",
            Self::Tanh => "tanh",
            Self::Silu => "silu",
            Self::Gelu => "gelu",
            Self::GeluTanh => "gelu_tanh",
        }
    }

    /// Whether it needs the per-filter slopes as an operand.
    pub const fn has_slopes(self) -> bool {
        matches!(self, Self::PRelu)
    }

    /// The two numbers that kernels get in their parameters; 0 where the function has none.
    pub const fn arguments(self) -> [f32; 2] {
        match self {
            Self::LeakyRelu { slope } => [slope, 0.0],
            Self::Clamp { low, high } => [low, high],
            _ => [0.0, 0.0],
        }
    }

    /// The value in f64, the root of trust. `slope` is the filter's slope, read by [`Self::PRelu`] alone.
    ///
    /// NaN gives NaN, on every device. Infinities give the limit; at negative infinity, [`Self::Silu`], [`Self::Gelu`]
    /// and [`Self::GeluTanh`] give NaN (`-inf * 0`), as in PyTorch.
    pub fn apply(self, x: f64, slope: f64) -> f64 {
        match self {
            Self::None => x,
            Self::Relu => clamp(x, 0.0, f64::INFINITY),
            Self::LeakyRelu { slope } => leaky(x, f64::from(slope)),
            Self::PRelu => leaky(x, slope),
            Self::Clamp { low, high } => clamp(x, low.into(), high.into()),
            Self::Sigmoid => sigmoid(x),
            Self::Tanh => x.tanh(),
            Self::Silu => x * sigmoid(x),
            Self::Gelu => 0.5 * x * (1.0 + libm::erf(x * std::f64::consts::FRAC_1_SQRT_2)),
            Self::GeluTanh => {
                let inner = (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044_715 * x * x * x);
                0.5 * x * (1.0 + inner.tanh())
            }
        }
    }

    /// What [`Self::gradient`] needs. The output alone does not tell where SiLU and GELU stand, nor a negative slope from a
    /// positive one.
    pub fn kept(self) -> Kept {
        match self {
            Self::LeakyRelu { slope } if slope < 0.0 => Kept::Sum,
            Self::PRelu | Self::Silu | Self::Gelu | Self::GeluTanh => Kept::Sum,
            Self::None | Self::Relu | Self::LeakyRelu { .. } | Self::Clamp { .. } | Self::Sigmoid | Self::Tanh => {
                Kept::Output
            }
        }
    }

    /// The derivative at x. At a corner it is that of the left side, except for [`Self::Clamp`], where it is 0 at both
    /// bounds; at an infinity it is the limit, and at NaN it is NaN. `slope` is the filter's, read by [`Self::PRelu`] alone.
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
        if kept.is_nan() {
            return kept;
        }
        let gate = |open: bool| if open { gradient } else { 0.0 };
        match self {
            Self::None => gradient,
            Self::Relu => gate(kept > 0.0),
            Self::LeakyRelu { slope } => gradient * if kept > 0.0 { 1.0 } else { f64::from(slope) },
            Self::PRelu => gradient * if kept > 0.0 { 1.0 } else { slope },
            Self::Clamp { low, high } => gate(kept > f64::from(low) && kept < f64::from(high)),
            Self::Sigmoid => gradient * kept * (1.0 - kept),
            Self::Tanh => gradient * (1.0 - kept) * (1.0 + kept),
            Self::Silu => {
                // Far from zero these three are 0 or 1; an infinity would give NaN.
                let x = clamp(kept, -FAR, FAR);
                let s = sigmoid(x);
                gradient * s * (1.0 + x * (1.0 - s))
            }
            Self::Gelu => {
                let x = clamp(kept, -FAR, FAR);
                let bell = (-0.5 * x * x).exp() / std::f64::consts::TAU.sqrt();
                gradient * (0.5 * (1.0 + libm::erf(x * std::f64::consts::FRAC_1_SQRT_2)) + x * bell)
            }
            Self::GeluTanh => {
                let x = clamp(kept, -FAR, FAR);
                let scale = (8.0 / std::f64::consts::PI).sqrt();
                let s = sigmoid(scale * (x + 0.044_715 * x * x * x));
                gradient * s * (1.0 + x * (1.0 - s) * scale * (1.0 + 3.0 * 0.044_715 * x * x))
            }
        }
    }

    /// How far a device's own [`Self::gradient`] may be from the exact one of the same arguments.
    pub(crate) fn gradient_error(self, gradient: f64) -> f64 {
        match self {
            Self::None | Self::Relu | Self::Clamp { .. } => 0.0,
            // A rounding of the product, and a hundred at most of a derivative that is of the order of 1: beside
            // exponentials of 3 + 2|x| units in the last place, their products with polynomials of x.
            _ => 128.0 * (f64::from(f32::EPSILON) / 2.0) * gradient.abs(),
        }
    }

    /// The same with bounds as they are stored: an output that was clamped is one of them.
    pub(crate) fn as_stored(self, dtype: DType) -> Self {
        match self {
            Self::Clamp { low, high } => Self::Clamp { low: dtype.rounded(low), high: dtype.rounded(high) },
            other => other,
        }
    }

    /// How much the function can enlarge an error of its argument (its Lipschitz constant).
    /// `slope` is the largest slope in absolute value, read by [`Self::PRelu`] alone.
    pub fn lipschitz(self, slope: f64) -> f64 {
        match self {
            Self::None | Self::Relu | Self::Clamp { .. } | Self::Tanh => 1.0,
            Self::LeakyRelu { slope } => f64::from(slope).abs().max(1.0),
            Self::PRelu => slope.abs().max(1.0),
            Self::Sigmoid => 0.25,
            // Largest derivatives: SiLU 1.0998 at x = 2.4, GELU 1.129 at x = sqrt 2.
            Self::Silu => 1.1,
            Self::Gelu | Self::GeluTanh => 1.13,
        }
    }

    /// How far a device's own evaluation may be from the exact function of the same argument.
    /// Exponentials are only specified to a few units in the last place (WGSL: 3 + 2|x|), our `erf` is a
    /// polynomial of absolute error 1.5e-7; the rest is exact or one rounding.
    pub fn evaluation_error(self, x: f64) -> f64 {
        let u = f64::from(f32::EPSILON) / 2.0;
        match self {
            Self::None | Self::Relu | Self::Clamp { .. } => 0.0,
            Self::LeakyRelu { .. } | Self::PRelu => 2.0 * u * x.abs() * self.lipschitz(x.abs().max(1.0)).max(1.0),
            Self::Sigmoid | Self::Tanh => 64.0 * u,
            Self::Silu | Self::Gelu | Self::GeluTanh => 64.0 * u * x.abs().max(1.0),
        }
    }

    pub(crate) fn validate(self) -> Result<(), ShapeError> {
        let problem = match self {
            Self::LeakyRelu { slope } if !slope.is_finite() => "the slope is not finite",
            Self::Clamp { low, high } if low.is_nan() || high.is_nan() => "a bound is not a number",
            Self::Clamp { low, high } if low > high => "the lower bound is above the upper bound",
            _ => return Ok(()),
        };
        Err(ShapeError::Activation { activation: self.to_string(), problem })
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
        match self {
            Self::LeakyRelu { slope } => write!(f, "leaky_relu({slope})"),
            Self::Clamp { low, high } => write!(f, "clamp({low}, {high})"),
            other => f.write_str(other.name()),
        }
    }
}

/// Beyond it, logistic functions, error functions and their products with polynomials are at their limits in f64.
const FAR: f64 = 1e3;

/// `f64::min` and `f64::max` would make a number of a NaN, and `f64::clamp` panics where `low > high`.
fn clamp(x: f64, low: f64, high: f64) -> f64 {
    if x < low {
        low
    } else if x > high {
        high
    } else {
        x
    }
}

fn leaky(x: f64, slope: f64) -> f64 {
    if x > 0.0 { x } else { slope * x }
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values() {
        let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-9, "{a} is not {b}");
        close(Activation::Gelu.apply(1.0, 0.0), 0.841_344_746_068_543);
        close(Activation::GeluTanh.apply(1.0, 0.0), 0.841_191_990_608_302_8);
        close(Activation::Silu.apply(2.0, 0.0), 1.761_594_155_955_765);
        close(Activation::PRelu.apply(-2.0, 0.25), -0.5);
        close(Activation::Clamp { low: -1.0, high: 6.0 }.apply(9.0, 0.0), 6.0);
    }

    #[test]
    fn lipschitz_holds_on_a_grid() {
        let all = [
            Activation::Relu,
            Activation::LeakyRelu { slope: 0.1 },
            Activation::Sigmoid,
            Activation::Tanh,
            Activation::Silu,
            Activation::Gelu,
            Activation::GeluTanh,
        ];
        for a in all {
            for i in -4000..4000 {
                let (x, h) = (f64::from(i) / 500.0, 1e-4);
                let slope = (a.apply(x + h, 0.0) - a.apply(x, 0.0)).abs() / h;
                assert!(slope <= a.lipschitz(0.0) + 1e-6, "{a} at {x}: {slope}");
            }
        }
    }

    #[test]
    fn nonsense_is_refused() {
        assert!(Activation::Clamp { low: 1.0, high: 0.0 }.validate().is_err(), "empty interval");
        assert!(Activation::LeakyRelu { slope: f32::NAN }.validate().is_err(), "NaN slope");
        assert!(Activation::Clamp { low: 0.0, high: f32::INFINITY }.validate().is_ok(), "half-open interval");
    }
}
