//! Polynomials with rational coefficients, as few operations as the Chinese remainder theorem
//! needs. A polynomial is a vector of coefficients, lowest degree first, never empty.

use super::{Rational, WinogradError};

/// A polynomial, lowest degree first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Polynomial(Vec<Rational>);

impl Polynomial {
    /// The constant 1.
    pub(super) fn one() -> Self {
        Self(vec![Rational::ONE])
    }

    /// `x - point`.
    pub(super) fn root(point: Rational) -> Self {
        Self(vec![-point, Rational::ONE])
    }

    /// `x^2 + 1`.
    pub(super) fn quadratic() -> Self {
        Self(vec![Rational::ONE, Rational::ZERO, Rational::ONE])
    }

    /// `constant + linear * x`.
    pub(super) fn linear(constant: Rational, linear: Rational) -> Self {
        Self(vec![constant, linear])
    }

    /// The product.
    pub(super) fn mul(&self, rhs: &Self) -> Result<Self, WinogradError> {
        let mut product = vec![Rational::ZERO; self.0.len() + rhs.0.len() - 1];
        for (i, &a) in self.0.iter().enumerate() {
            for (j, &b) in rhs.0.iter().enumerate() {
                product[i + j] = product[i + j].try_add(a.try_mul(b)?)?;
            }
        }
        Ok(Self(product))
    }

    /// The value at `point`, by Horner's rule.
    pub(super) fn eval(&self, point: Rational) -> Result<Rational, WinogradError> {
        self.0.iter().rev().try_fold(Rational::ZERO, |sum, &c| sum.try_mul(point)?.try_add(c))
    }

    /// The remainder modulo `x^2 + 1`, as (constant, linear): the powers of x are 1, x, -1, -x, and
    /// round again.
    pub(super) fn modulo_quadratic(&self) -> Result<(Rational, Rational), WinogradError> {
        let mut parts = [Rational::ZERO; 2];
        for (power, &c) in self.0.iter().enumerate() {
            let signed = if power % 4 < 2 { c } else { -c };
            parts[power % 2] = parts[power % 2].try_add(signed)?;
        }
        Ok((parts[0], parts[1]))
    }

    /// The coefficient of the highest power that has one; 0 for the zero polynomial.
    pub(super) fn leading(&self) -> Rational {
        self.0.iter().rev().copied().find(|c| !c.is_zero()).unwrap_or(Rational::ZERO)
    }

    /// `len` coefficients, lowest first, padded with zeros; higher ones must be zero.
    pub(super) fn coefficients(&self, len: usize) -> Vec<Rational> {
        debug_assert!(self.0.iter().skip(len).all(|c| c.is_zero()));
        let mut padded = self.0.clone();
        padded.resize(len, Rational::ZERO);
        padded
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn product_of_roots_vanishes_at_them() {
        let p = Polynomial::root(Rational::from(2)).mul(&Polynomial::root(Rational::from(-3))).unwrap();
        assert_eq!(p.coefficients(4), [-6, 1, 1, 0].map(Rational::from));
        assert_eq!(p.eval(Rational::from(2)), Ok(Rational::ZERO));
        assert_eq!(p.eval(Rational::from(1)), Ok(Rational::from(-4)));
        assert_eq!(p.leading(), Rational::ONE);
    }

    #[test]
    fn remainder_puts_i_for_x() {
        // 1 + 2x + 3x^2 + 4x^3 + 5x^4 at x = i is 1 + 2i - 3 - 4i + 5.
        let p = Polynomial((1..=5).map(Rational::from).collect());
        assert_eq!(p.modulo_quadratic(), Ok((Rational::from(3), Rational::from(-2))));
    }
}
