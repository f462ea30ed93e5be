//! Exact rational numbers in 128 bits, always reduced, with every overflow reported. The transforms
//! of all shipped algorithms fit with room to spare; what does not fit is an error and never a
//! wrong number.

use super::WinogradError;
use std::cmp::Ordering;
use std::fmt;

/// A reduced fraction with a positive denominator. The numerator is never `i128::MIN`, so that
/// negation and absolute value cannot fail.
#[derive(Copy, Clone, PartialEq, Eq, Hash)]
pub struct Rational {
    numerator: i128,
    denominator: i128,
}

/// Greatest common divisor; `gcd(0, b) = b`.
fn gcd(mut a: u128, mut b: u128) -> u128 {
    // 128-bit division is a library call, so leave it as soon as both fit 64 bits.
    while b != 0 {
        if let (Ok(x), Ok(y)) = (u64::try_from(a), u64::try_from(b)) {
            return u128::from(gcd_u64(x, y));
        }
        (a, b) = (b, a % b);
    }
    a
}

fn gcd_u64(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// `a / gcd(a, b)` and `b / gcd(a, b)`; `b` is positive, so neither the divisor is zero nor `MIN /
/// -1` occurs.
fn cancel(a: i128, b: i128) -> (i128, i128) {
    match i128::try_from(gcd(a.unsigned_abs(), b.unsigned_abs())) {
        Ok(divisor) if divisor > 1 => (a / divisor, b / divisor),
        _ => (a, b),
    }
}

impl Rational {
    /// 0.
    pub const ZERO: Self = Self::integer(0);
    /// 1.
    pub const ONE: Self = Self::integer(1);
    /// -1.
    pub const MINUS_ONE: Self = Self::integer(-1);

    const fn integer(value: i64) -> Self {
        Self { numerator: value as i128, denominator: 1 }
    }

    /// `numerator / denominator`, reduced.
    ///
    /// # Errors
    /// The denominator is zero, or the reduced fraction does not fit.
    pub fn new(numerator: i128, denominator: i128) -> Result<Self, WinogradError> {
        if denominator == 0 {
            return Err(WinogradError::DivisionByZero { numerator });
        }
        let overflow = WinogradError::Overflow { operation: "new", left: (numerator, 1), right: (denominator, 1) };
        let divisor = gcd(numerator.unsigned_abs(), denominator.unsigned_abs());
        let part = |x: i128| i128::try_from(x.unsigned_abs() / divisor).map_err(|_| overflow);
        let magnitude = part(numerator)?;
        let negative = (numerator < 0) != (denominator < 0);
        Ok(Self { numerator: if negative { -magnitude } else { magnitude }, denominator: part(denominator)? })
    }

    /// For tables in this module: a fraction of small numbers with a positive denominator, already
    /// reduced.
    pub(super) const fn reduced(numerator: i16, denominator: u16) -> Self {
        Self { numerator: numerator as i128, denominator: denominator as i128 }
    }

    /// The numerator; its sign is the sign of the number.
    #[must_use]
    pub const fn numerator(self) -> i128 {
        self.numerator
    }

    /// The denominator, always positive.
    #[must_use]
    pub const fn denominator(self) -> i128 {
        self.denominator
    }

    fn overflow(self, operation: &'static str, rhs: Self) -> WinogradError {
        WinogradError::Overflow {
            operation,
            left: (self.numerator, self.denominator),
            right: (rhs.numerator, rhs.denominator),
        }
    }

    /// `self + rhs`.
    ///
    /// # Errors
    /// The sum does not fit.
    pub fn try_add(self, rhs: Self) -> Result<Self, WinogradError> {
        // Over the least common denominator, so that intermediate numbers stay as small as they
        // can.
        let (left_part, right_part) = cancel(self.denominator, rhs.denominator);
        let sum = || {
            let left = self.numerator.checked_mul(right_part)?;
            let right = rhs.numerator.checked_mul(left_part)?;
            Some((left.checked_add(right)?, self.denominator.checked_mul(right_part)?))
        };
        let (numerator, denominator) = sum().ok_or_else(|| self.overflow("+", rhs))?;
        Self::new(numerator, denominator)
    }

    /// `self - rhs`.
    ///
    /// # Errors
    /// The difference does not fit.
    pub fn try_sub(self, rhs: Self) -> Result<Self, WinogradError> {
        self.try_add(-rhs)
    }

    /// `self * rhs`.
    ///
    /// # Errors
    /// The product does not fit.
    pub fn try_mul(self, rhs: Self) -> Result<Self, WinogradError> {
        let (a, d) = cancel(self.numerator, rhs.denominator);
        let (c, b) = cancel(rhs.numerator, self.denominator);
        let product = || Some((a.checked_mul(c)?, b.checked_mul(d)?));
        match product() {
            Some((numerator, denominator)) if numerator != i128::MIN => Ok(Self { numerator, denominator }),
            _ => Err(self.overflow("*", rhs)),
        }
    }

    /// `self / rhs`.
    ///
    /// # Errors
    /// `rhs` is zero, or the quotient does not fit.
    pub fn try_div(self, rhs: Self) -> Result<Self, WinogradError> {
        self.try_mul(rhs.try_recip()?).map_err(|_| self.overflow("/", rhs))
    }

    /// `1 / self`.
    ///
    /// # Errors
    /// `self` is zero.
    pub fn try_recip(self) -> Result<Self, WinogradError> {
        if self.is_zero() {
            return Err(WinogradError::DivisionByZero { numerator: 1 });
        }
        Ok(Self { numerator: self.denominator * self.numerator.signum(), denominator: self.numerator.abs() })
    }

    /// The absolute value.
    #[must_use]
    pub const fn abs(self) -> Self {
        Self { numerator: self.numerator.abs(), denominator: self.denominator }
    }

    /// Is it 0?
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.numerator == 0
    }

    /// Is it below 0?
    #[must_use]
    pub const fn is_negative(self) -> bool {
        self.numerator < 0
    }

    /// Is it 1 or -1?
    #[must_use]
    pub const fn is_unit(self) -> bool {
        self.numerator.abs() == 1 && self.denominator == 1
    }
}

impl std::ops::Neg for Rational {
    type Output = Self;

    fn neg(self) -> Self {
        Self { numerator: -self.numerator, denominator: self.denominator }
    }
}

impl From<i64> for Rational {
    fn from(value: i64) -> Self {
        Self::integer(value)
    }
}

impl Ord for Rational {
    fn cmp(&self, other: &Self) -> Ordering {
        // Compare the continued fractions: no product of large numbers, so nothing can overflow.
        let (mut a, mut b) = (self.numerator, self.denominator);
        let (mut c, mut d) = (other.numerator, other.denominator);
        let mut flipped = false;
        loop {
            let order = a.div_euclid(b).cmp(&c.div_euclid(d));
            let (left_rest, right_rest) = (a.rem_euclid(b), c.rem_euclid(d));
            let order = match order {
                Ordering::Equal => match (left_rest == 0, right_rest == 0) {
                    (true, true) => return Ordering::Equal,
                    (true, false) => Ordering::Less,
                    (false, true) => Ordering::Greater,
                    (false, false) => {
                        (a, b, c, d) = (b, left_rest, d, right_rest);
                        flipped = !flipped;
                        continue;
                    }
                },
                decided => decided,
            };
            return if flipped { order.reverse() } else { order };
        }
    }
}

impl PartialOrd for Rational {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Rational {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.denominator == 1 {
            f.pad(&self.numerator.to_string())
        } else {
            f.pad(&format!("{}/{}", self.numerator, self.denominator))
        }
    }
}

impl fmt::Debug for Rational {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn q(numerator: i128, denominator: i128) -> Rational {
        Rational::new(numerator, denominator).unwrap()
    }

    #[test]
    fn is_reduced_with_a_positive_denominator() {
        assert_eq!(q(6, -8), q(-3, 4));
        assert_eq!(q(0, -5), Rational::ZERO);
        assert_eq!(q(5, 8).to_string(), "5/8");
        assert_eq!(format!("{:?} {:>5}", q(-4, 2), q(1, 2)), "-2   1/2");
        assert_eq!(Rational::new(7, 0), Err(WinogradError::DivisionByZero { numerator: 7 }));
        assert!(Rational::new(i128::MIN, 1).is_err());
        assert_eq!(Rational::new(i128::MIN, i128::MIN), Ok(Rational::ONE));
        assert_eq!(Rational::new(i128::MIN, 2), Ok(q(i128::MIN / 2, 1)));
    }

    #[test]
    fn arithmetic_is_exact_and_checked() {
        assert_eq!(q(1, 6).try_add(q(1, 10)), Ok(q(4, 15)));
        assert_eq!(q(1, 6).try_sub(q(1, 6)), Ok(Rational::ZERO));
        assert_eq!(q(-4, 9).try_mul(q(3, 8)), Ok(q(-1, 6)));
        assert_eq!(q(1, 2).try_div(q(-3, 4)), Ok(q(-2, 3)));
        assert!(q(1, 2).try_div(Rational::ZERO).is_err());
        let huge = q(i128::MAX, 1);
        assert!(huge.try_add(Rational::ONE).is_err());
        assert!(huge.try_mul(q(2, 1)).is_err());
        assert!(q(1, i128::MAX).try_mul(q(1, 3)).is_err());
        assert_eq!(huge.try_mul(q(1, i128::MAX)), Ok(Rational::ONE));
        assert!((-huge).try_sub(Rational::ONE).is_err());
    }

    #[test]
    fn order_is_the_order_of_the_numbers() {
        let mut sorted = [q(1, 2), q(-3, 2), q(0, 1), q(2, 3), q(-1, 3), q(5, 1), q(3, 5)];
        sorted.sort();
        assert!(sorted.windows(2).all(|w| w[0].to_f64() < w[1].to_f64()));
        // Neighbours that no f64 tells apart.
        let (a, b) = (q(i128::MAX - 1, i128::MAX), q(i128::MAX - 2, i128::MAX));
        assert_eq!((a.cmp(&b), b.cmp(&a), a.cmp(&a)), (Ordering::Greater, Ordering::Less, Ordering::Equal));
        assert_eq!((-a).cmp(&-b), Ordering::Less);
    }
}
