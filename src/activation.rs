//! Activations: what happens to an output value after the bias, fused into the last kernel.

use std::fmt;
use std::hash::{Hash, Hasher};

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
