//! The exact mathematics of Winograd's minimal filtering: names of algorithms ([`F`], [`Nested`]),
//! their matrices over the rationals ([`Transform`]), short straight-line programs for those
//! matrices ([`Program`]), and what they cost in rounding ([`error_bound`]). Nothing here knows of
//! devices, layouts or kernels; everything is a pure function of its arguments, and every failure
//! is a [`WinogradError`].
//!
//! Notation, as in Lavin & Gray (2015), for m outputs of a correlation with r weights:
//! `Y = A^T [ (G g) . (B^T d) ]`, that is `y_i = sum_j d_(i+j) g_j`. The dot is the elementwise
//! product.

mod binary;
mod common_terms;
pub mod cook_toom;
pub mod error_bound;
mod lane;
pub mod matrix;
mod memo;
mod nested;
pub mod points;
mod polynomial;
pub mod rational;
pub mod straight_line;

#[cfg(test)]
mod rounding_tests;
#[cfg(test)]
mod tests;

pub use cook_toom::Transform;
pub use lane::{Coefficient, Lane};
pub use matrix::Matrix;
pub use memo::Programs;
pub use nested::Nested;
pub use points::{F, Points};
pub use rational::Rational;
pub use straight_line::{Op, Program, Value};

use std::error::Error;
use std::fmt;

/// Why an exact computation could not be done. Each variant carries the numbers that were in the
/// way.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WinogradError {
    /// An exact result does not fit 128-bit numerators and denominators.
    Overflow {
        /// The operation, as a symbol (`+`, `-`, `*`, `/`, or `new`).
        operation: &'static str,
        /// Numerator and denominator of the left operand.
        left: (i128, i128),
        /// Numerator and denominator of the right operand.
        right: (i128, i128),
    },
    /// A denominator or divisor is zero.
    DivisionByZero {
        /// The numerator that was to be divided.
        numerator: i128,
    },
    /// An algorithm of no outputs or of an empty filter was asked for.
    EmptyAlgorithm {
        /// Outputs asked for.
        m: usize,
        /// Weights asked for.
        r: usize,
    },
    /// The quadratic modulus `x^2 + 1` needs at least two outputs and two weights.
    QuadraticTooSmall {
        /// Outputs asked for.
        m: usize,
        /// Weights asked for.
        r: usize,
    },
    /// The number of finite points does not fit the algorithm.
    PointCount {
        /// Finite points that the algorithm needs.
        needed: usize,
        /// Finite points that were given.
        given: usize,
    },
    /// A point occurs twice, so the interpolation has no solution.
    DuplicatePoint {
        /// The point.
        point: Rational,
    },
    /// No generic sequence of points is that long.
    TooManyPoints {
        /// Finite points that were asked for.
        asked: usize,
        /// The longest sequence there is.
        longest: usize,
    },
    /// Sizes that should agree do not.
    SizeMismatch {
        /// Which size.
        what: &'static str,
        /// The size that was expected.
        expected: usize,
        /// The size that came.
        found: usize,
    },
    /// The bilinear identity does not hold for one pair of basis vectors.
    IdentityViolated {
        /// Index of the output.
        output: usize,
        /// Index of the weight that is one.
        weight: usize,
        /// Index of the input that is one.
        input: usize,
        /// The value that came; it should be one where `input == output + weight`, zero elsewhere.
        found: Rational,
    },
}

impl fmt::Display for WinogradError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Overflow { operation, left, right } => write!(
                f,
                "exact arithmetic overflows 128 bits: {}/{} {operation} {}/{}",
                left.0, left.1, right.0, right.1
            ),
            Self::DivisionByZero { numerator } => write!(f, "division of {numerator} by zero"),
            Self::EmptyAlgorithm { m, r } => {
                write!(f, "F({m},{r}) is empty: both outputs and weights must be at least 1")
            }
            Self::QuadraticTooSmall { m, r } => {
                write!(f, "F({m}q,{r}): the modulus x^2+1 needs at least 2 outputs and 2 weights")
            }
            Self::PointCount { needed, given } => {
                write!(f, "the algorithm needs {needed} finite points, {given} were given")
            }
            Self::DuplicatePoint { point } => write!(f, "point {point} is given twice"),
            Self::TooManyPoints { asked, longest } => {
                write!(f, "{asked} finite points were asked for, the generic sequences have {longest}")
            }
            Self::SizeMismatch { what, expected, found } => {
                write!(f, "{what}: expected {expected}, found {found}")
            }
            Self::IdentityViolated { output, weight, input, found } => {
                let expected = u8::from(input == output + weight);
                write!(f, "y[{output}] holds {found} * d[{input}] * g[{weight}], expected {expected}")
            }
        }
    }
}

impl Error for WinogradError {}
