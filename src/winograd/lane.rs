//! What a straight-line program can be run on: one number or an array of them. Arrays make the CPU
//! twin run many tiles side by side, in loops that the compiler vectorises.

use super::Rational;

/// A coefficient of a program, exact and rounded, so that no division happens while a program runs.
#[derive(Copy, Clone, Debug, PartialEq)]
pub struct Coefficient {
    /// The exact value.
    pub exact: Rational,
    /// The nearest `f64`.
    pub f64: f64,
    /// The nearest `f32`.
    pub f32: f32,
}

impl From<Rational> for Coefficient {
    fn from(exact: Rational) -> Self {
        Self { exact, f64: exact.to_f64(), f32: exact.to_f32() }
    }
}

/// Something that can be added, subtracted and scaled. The combined operations round twice, on
/// purpose: a fused multiply-add is a slow library call on CPUs without the instruction, and GPUs
/// may or may not fuse.
pub trait Lane: Copy {
    /// `self + rhs`.
    #[must_use]
    fn add(self, rhs: Self) -> Self;
    /// `self - rhs`.
    #[must_use]
    fn sub(self, rhs: Self) -> Self;
    /// `coefficient * self`.
    #[must_use]
    fn scale(self, coefficient: &Coefficient) -> Self;

    /// `coefficient * self + rhs`.
    #[must_use]
    #[inline]
    fn scale_add(self, coefficient: &Coefficient, rhs: Self) -> Self {
        self.scale(coefficient).add(rhs)
    }

    /// `coefficient * self - rhs`.
    #[must_use]
    #[inline]
    fn scale_sub(self, coefficient: &Coefficient, rhs: Self) -> Self {
        self.scale(coefficient).sub(rhs)
    }
}

macro_rules! float_lane {
    ($float:ident) => {
        impl Lane for $float {
            #[inline]
            fn add(self, rhs: Self) -> Self {
                self + rhs
            }

            #[inline]
            fn sub(self, rhs: Self) -> Self {
                self - rhs
            }

            #[inline]
            fn scale(self, coefficient: &Coefficient) -> Self {
                coefficient.$float * self
            }
        }
    };
}

float_lane!(f32);
float_lane!(f64);

impl<T: Lane, const N: usize> Lane for [T; N] {
    #[inline]
    fn add(self, rhs: Self) -> Self {
        std::array::from_fn(|i| self[i].add(rhs[i]))
    }

    #[inline]
    fn sub(self, rhs: Self) -> Self {
        std::array::from_fn(|i| self[i].sub(rhs[i]))
    }

    #[inline]
    fn scale(self, coefficient: &Coefficient) -> Self {
        std::array::from_fn(|i| self[i].scale(coefficient))
    }

    #[inline]
    fn scale_add(self, coefficient: &Coefficient, rhs: Self) -> Self {
        std::array::from_fn(|i| self[i].scale_add(coefficient, rhs[i]))
    }

    #[inline]
    fn scale_sub(self, coefficient: &Coefficient, rhs: Self) -> Self {
        std::array::from_fn(|i| self[i].scale_sub(coefficient, rhs[i]))
    }
}
