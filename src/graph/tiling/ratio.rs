//! How many elements of a value there are for each element of the picture along an axis.

use std::fmt;

use crate::problem::gcd;

/// A positive fraction in lowest terms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ratio {
    num: usize,
    den: usize,
}

impl Ratio {
    /// Largest denominator of a scale that is given as a float.
    const MOST: u32 = 64;

    pub(super) fn new(num: usize, den: usize) -> Self {
        let common = gcd(num, den).max(1);
        Self { num: num / common, den: den / common }
    }

    /// The fraction that a float stands for, if its denominator is small.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to be a small whole number")]
    pub(super) fn from_float(scale: f64) -> Option<Self> {
        (1..=Self::MOST).find_map(|den| {
            let num = (scale * f64::from(den)).round();
            let is_near = (num / f64::from(den) - scale).abs() <= 1e-12 * scale;
            (is_near && (1.0..1e9).contains(&num)).then(|| Self::new(num as usize, den as usize))
        })
    }

    /// The product with another one.
    pub(super) fn times(self, other: Self) -> Self {
        let of = |a: usize, b: usize| a.saturating_mul(b);
        Self::new(of(self.num, other.num), of(self.den, other.den))
    }

    pub(super) fn inverse(self) -> Self {
        Self { num: self.den, den: self.num }
    }

    /// So many elements times the fraction, rounded down.
    pub(super) fn of(self, elements: usize) -> usize {
        usize::try_from(elements as u128 * self.num as u128 / self.den as u128).unwrap_or(usize::MAX)
    }

    /// The least number that times the fraction is a multiple of `unit`.
    pub(super) fn least(self, unit: usize) -> usize {
        let whole = unit.saturating_mul(self.den);
        whole / gcd(whole, self.num)
    }
}

impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.den {
            1 => write!(f, "{}", self.num),
            den => write!(f, "{}/{den}", self.num),
        }
    }
}

/// The least common multiple; saturates.
pub(super) fn lcm(a: usize, b: usize) -> usize {
    (a / gcd(a, b)).saturating_mul(b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fractions() {
        let half = Ratio::new(3, 6);
        assert_eq!((half.of(7), half.times(Ratio::new(4, 1)), half.inverse()), (3, Ratio::new(2, 1), Ratio::new(2, 1)));
        // Of a value at a quarter of the size, tiles of 6 begin at multiples of 24; at three halves of it, at multiples of 4.
        assert_eq!((Ratio::new(1, 4).least(6), Ratio::new(3, 2).least(6), Ratio::new(1, 1).least(1)), (24, 4, 1));
        assert_eq!(Ratio::from_float(1.5), Some(Ratio::new(3, 2)));
        assert_eq!(Ratio::from_float(1.0 / 3.0), Some(Ratio::new(1, 3)));
        assert_eq!(Ratio::from_float(0.123_456_789), None);
        assert_eq!((lcm(4, 6), lcm(usize::MAX, 2)), (12, usize::MAX));
    }
}
