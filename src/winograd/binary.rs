//! Where exact rationals meet binary floating point: conversions that round once, and which numbers
//! need no rounding.

use super::Rational;

impl Rational {
    /// Is the denominator a power of two, so that a binary floating-point number of enough bits
    /// holds it exactly?
    #[must_use]
    pub const fn is_dyadic(self) -> bool {
        self.denominator().count_ones() == 1
    }

    /// Is it plus or minus a power of two (of any sign of exponent), so that multiplying by it
    /// rounds nothing?
    #[must_use]
    pub const fn is_power_of_two(self) -> bool {
        self.is_dyadic() && self.numerator().unsigned_abs().is_power_of_two()
    }

    /// Does an `f32` hold it exactly? Exponents are no concern: 24 significant bits and a
    /// denominator of at most 2^126 stay in the normal range.
    #[must_use]
    pub const fn fits_f32(self) -> bool {
        let magnitude = self.numerator().unsigned_abs();
        self.is_dyadic() && (magnitude == 0 || (magnitude >> magnitude.trailing_zeros()) < 1 << 24)
    }

    /// The nearest `f64`, ties to even.
    #[must_use]
    pub fn to_f64(self) -> f64 {
        let magnitude = self.numerator().unsigned_abs();
        let denominator = self.denominator().unsigned_abs();
        let rounded = if magnitude < 1 << 53 && denominator < 1 << 53 {
            // Both convert exactly, and IEEE division rounds once.
            #[expect(clippy::cast_precision_loss, reason = "both are below 2^53")]
            let quotient = magnitude as f64 / denominator as f64;
            quotient
        } else {
            round_quotient(magnitude, denominator, 53)
        };
        if self.numerator() < 0 { -rounded } else { rounded }
    }

    /// The nearest `f32`, ties to even (in the normal range of `f32`).
    #[must_use]
    pub fn to_f32(self) -> f32 {
        // Rounded once to 24 bits; the cast of a 24-bit number is exact.
        let rounded = round_quotient(self.numerator().unsigned_abs(), self.denominator().unsigned_abs(), 24);
        #[expect(clippy::cast_possible_truncation, reason = "it has 24 significant bits and |exponent| <= 127")]
        let rounded = rounded as f32;
        if self.numerator() < 0 { -rounded } else { rounded }
    }
}

/// `numerator / denominator` rounded to `bits` (at most 53) significant bits, ties to even:
/// schoolbook long division.
fn round_quotient(numerator: u128, denominator: u128, bits: u32) -> f64 {
    if numerator == 0 {
        return 0.0;
    }
    let mut quotient = numerator / denominator;
    let mut remainder = numerator % denominator;
    let mut exponent = 0_i32;
    // At least one bit more than wanted; `remainder < 2^127`, so doubling it fits.
    while quotient >> bits == 0 {
        remainder <<= 1;
        quotient <<= 1;
        if remainder >= denominator {
            remainder -= denominator;
            quotient |= 1;
        }
        exponent -= 1;
    }
    let surplus = (128 - quotient.leading_zeros()) - bits;
    let dropped = quotient & ((1 << surplus) - 1);
    let half = 1_u128 << (surplus - 1);
    quotient >>= surplus;
    exponent += i32::try_from(surplus).unwrap_or(i32::MAX);
    if dropped > half || (dropped == half && (remainder != 0 || quotient & 1 == 1)) {
        quotient += 1;
    }
    #[expect(clippy::cast_precision_loss, reason = "the quotient is at most 2^53")]
    let quotient = quotient as f64;
    quotient * 2_f64.powi(exponent)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn q(numerator: i128, denominator: i128) -> Rational {
        Rational::new(numerator, denominator).unwrap()
    }

    #[test]
    fn conversions_round_once() {
        assert_eq!(q(1, 3).to_f64().to_bits(), (1.0_f64 / 3.0).to_bits());
        assert_eq!(q(-1, 10).to_f32().to_bits(), (-0.1_f32).to_bits());
        assert_eq!(q(16_777_217, 1).to_f32().to_bits(), 16_777_216_f32.to_bits());
        assert_eq!(q(16_777_219, 1).to_f32().to_bits(), 16_777_220_f32.to_bits());
        assert_eq!(q(1 << 100, 1 << 30).to_f64().to_bits(), 2_f64.powi(70).to_bits());
        assert_eq!(q((1 << 100) + 1, 1 << 60).to_f64().to_bits(), 2_f64.powi(40).to_bits());
        // Just above a tie: rounding by way of f64 would go down to even.
        assert_eq!(q((1 << 60) + (1 << 36) + 1, 1 << 60).to_f32().to_bits(), (1.0 + f32::EPSILON).to_bits());
        assert_eq!(Rational::ZERO.to_f32().to_bits(), 0);
    }

    #[test]
    fn kinds_are_told_apart() {
        assert!(q(5, 8).is_dyadic() && !q(2, 3).is_dyadic());
        assert!(q(-1, 4).is_power_of_two() && q(8, 1).is_power_of_two() && !q(3, 4).is_power_of_two());
        assert!(!Rational::ZERO.is_power_of_two());
        assert!(q(-1, 1).is_unit() && !q(1, 2).is_unit());
        assert!(q(16_777_215, 256).fits_f32() && !q(16_777_217, 256).fits_f32() && !q(1, 3).fits_f32());
    }
}
