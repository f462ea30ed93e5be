//! Names of one-dimensional algorithms, [`F`], and the interpolation points that each name stands
//! for. The points decide the rounding error (by orders of magnitude) and the cost of the
//! transforms, so the tables here are the product of a search; the numbers are in
//! [`super::error_bound`]'s tests.

use super::{Rational, WinogradError};
use std::fmt;

/// Which family of interpolation points an algorithm uses.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Points {
    /// The dyadic points of least amplification known to us, and infinity.
    Default,
    /// `0, 1, -1, 2, -2, 1/2, -1/2, 4, -4, 1/4, -1/4, ...` and infinity, as most libraries have
    /// them. Kept for comparison; where it is as good as can be (F(2,3), F(6,3)), the default is
    /// the same.
    Textbook,
    /// Finite points, infinity and the modulus `x^2 + 1` (Barabasz & Gregg 2019): the modulus takes
    /// the place of two points and costs three products, and the error falls to about that of
    /// direct convolution.
    Quadratic,
}

/// F(m, r): m neighbouring outputs of a correlation with r weights, and the points to compute them
/// with.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct F {
    m: u8,
    r: u8,
    points: Points,
}

/// One half of a symmetric set: each entry a stands for a and -a. Zero is added where the count is
/// odd.
type Pairs = &'static [Rational];

const fn q(numerator: i16, denominator: u16) -> Rational {
    Rational::reduced(numerator, denominator)
}

/// Default points by their number, m + r - 2. Except for 2 points, where plain numbers are worth
/// more, each entry has the least amplification that a local search over dyadic numbers with small
/// denominators met (for the most common F(m, r) of that number of points; the best points depend
/// on it but weakly).
const DEFAULT: [Pairs; 14] = [
    &[],
    &[],
    &[q(1, 1)],
    &[q(1, 1)],
    &[q(3, 8), q(5, 4)],
    &[q(5, 8), q(3, 2)],
    &[q(9, 32), q(27, 32), q(7, 4)],
    &[q(1, 1), q(2, 1), q(1, 2)],
    &[q(1, 4), q(5, 8), q(9, 8), q(9, 4)],
    &[q(7, 16), q(13, 16), q(5, 4), q(19, 8)],
    &[q(3, 16), q(9, 16), q(15, 16), q(21, 16), q(41, 16)],
    &[q(3, 8), q(11, 16), q(1, 1), q(23, 16), q(11, 4)],
    &[q(3, 16), q(1, 2), q(13, 16), q(17, 16), q(25, 16), q(3, 1)],
    &[q(5, 16), q(5, 8), q(7, 8), q(9, 8), q(13, 8), q(51, 16)],
];

/// Finite points beside `x^2 + 1`, by their number, m + r - 4, found likewise. With 2 and with 7
/// points, numbers that give short programs were preferred at a small loss.
const QUADRATIC: [Pairs; 12] = [
    &[],
    &[],
    &[q(1, 1)],
    &[q(1, 1)],
    &[q(1, 2), q(5, 4)],
    &[q(3, 4), q(11, 8)],
    &[q(3, 8), q(7, 8), q(13, 8)],
    &[q(1, 2), q(1, 1), q(2, 1)],
    &[q(1, 4), q(3, 4), q(9, 8), q(2, 1)],
    &[q(7, 16), q(13, 16), q(19, 16), q(35, 16)],
    &[q(3, 16), q(5, 8), q(15, 16), q(21, 16), q(19, 8)],
    &[q(3, 8), q(3, 4), q(1, 1), q(11, 8), q(5, 2)],
];

impl F {
    /// F(m, r) with the default points.
    #[must_use]
    pub const fn new(m: u8, r: u8) -> Self {
        Self { m, r, points: Points::Default }
    }

    /// F(m, r) with the textbook points. With m = 1 or r = 1 there are no points, and this is
    /// [`F::new`].
    #[must_use]
    pub const fn textbook(m: u8, r: u8) -> Self {
        Self::with_points(m, r, Points::Textbook)
    }

    /// F(m, r) with the modulus `x^2 + 1`. With m = 1 or r = 1 there are no points, and this is
    /// [`F::new`].
    #[must_use]
    pub const fn quadratic(m: u8, r: u8) -> Self {
        Self::with_points(m, r, Points::Quadratic)
    }

    /// F(m, r) with a family of points; one name for one algorithm, so a trivial one is always the
    /// default.
    #[must_use]
    pub const fn with_points(m: u8, r: u8, points: Points) -> Self {
        let points = if m <= 1 || r <= 1 { Points::Default } else { points };
        Self { m, r, points }
    }

    /// The algorithms that were studied one by one: what a planner should choose from, and the
    /// textbook sets to compare with.
    #[must_use]
    pub const fn shipped() -> &'static [Self] {
        const SHIPPED: &[F] = &[
            F::new(2, 3),
            F::new(3, 3),
            F::new(4, 3),
            F::new(5, 3),
            F::new(6, 3),
            F::new(8, 3),
            F::new(2, 5),
            F::new(4, 5),
            F::new(6, 5),
            F::new(2, 7),
            F::new(4, 7),
            F::quadratic(4, 3),
            F::quadratic(6, 3),
            F::quadratic(8, 3),
            F::quadratic(2, 5),
            F::quadratic(4, 5),
            F::quadratic(2, 7),
            F::quadratic(4, 7),
            F::textbook(3, 3),
            F::textbook(4, 3),
            F::textbook(8, 3),
            F::textbook(2, 5),
            F::textbook(4, 7),
        ];
        SHIPPED
    }

    /// The algorithms for gradients of weights, where outputs are the filter's own size and the output's gradient is cut into
    /// blocks of r: of each size what errs least for the multiplications that it saves. One of 2 outputs is for the phases of
    /// 3, which a stride of 2 keeps apart.
    #[must_use]
    pub const fn for_gradients() -> &'static [Self] {
        const GRADIENTS: &[F] = &[
            F::new(2, 4),
            F::new(3, 2),
            F::new(3, 4),
            F::quadratic(3, 6),
            F::quadratic(4, 4),
            F::new(5, 2),
            F::quadratic(5, 4),
            F::quadratic(7, 2),
        ];
        GRADIENTS
    }

    /// Outputs.
    #[must_use]
    pub const fn m(self) -> u8 {
        self.m
    }

    /// Weights.
    #[must_use]
    pub const fn r(self) -> u8 {
        self.r
    }

    /// The family of points.
    #[must_use]
    pub const fn points(self) -> Points {
        self.points
    }

    /// Length of the input tile, m + r - 1.
    #[must_use]
    pub const fn span(self) -> usize {
        (self.m as usize + self.r as usize).saturating_sub(1)
    }

    /// Number of products: the span, and one more with `x^2 + 1`, whose three replace two.
    #[must_use]
    pub const fn products(self) -> usize {
        self.span() + matches!(self.points, Points::Quadratic) as usize
    }

    /// Is it a filter of one weight, so that the transforms of input and output are the identity?
    #[must_use]
    pub const fn is_identity(self) -> bool {
        self.r == 1
    }

    /// Number of finite points: m + r - 2, two fewer with `x^2 + 1`, none for the trivial m = 1 or
    /// r = 1.
    #[must_use]
    pub const fn finite_points(self) -> usize {
        if self.m <= 1 || self.r <= 1 {
            return 0;
        }
        self.span() - 1 - 2 * matches!(self.points, Points::Quadratic) as usize
    }

    /// The finite points; infinity is always used besides (except in the trivial algorithms, which
    /// use none).
    ///
    /// They depend on the number of points only, so every (m, r) has them up to 13 points (15 with
    /// `x^2 + 1`).
    ///
    /// # Errors
    /// No sequence is that long.
    pub fn points_used(self) -> Result<Vec<Rational>, WinogradError> {
        let count = self.finite_points();
        if self.points == Points::Textbook {
            return textbook(count);
        }
        let pairs = self.pairs(count)?;
        let mut points = Vec::with_capacity(count);
        if count % 2 == 1 {
            points.push(Rational::ZERO);
        }
        points.extend(pairs.iter().flat_map(|&a| [a, -a]));
        Ok(points)
    }

    fn pairs(self, count: usize) -> Result<Pairs, WinogradError> {
        let table: &[Pairs] = if self.points == Points::Quadratic { &QUADRATIC } else { &DEFAULT };
        table.get(count).copied().ok_or(WinogradError::TooManyPoints { asked: count, longest: table.len() - 1 })
    }

    /// A name fit for identifiers and files: `f4x3`, `f4x3t`, `f4qx3`.
    #[must_use]
    pub fn label(self) -> String {
        let (q, t) = self.marks();
        format!("f{}{q}x{}{t}", self.m, self.r)
    }

    /// The letter after m and the letter at the end.
    const fn marks(self) -> (&'static str, &'static str) {
        match self.points {
            Points::Default => ("", ""),
            Points::Textbook => ("", "t"),
            Points::Quadratic => ("q", ""),
        }
    }
}

/// The first `count` of `0, 1, -1, 2, -2, 1/2, -1/2, 4, -4, 1/4, -1/4, ...`.
fn textbook(count: usize) -> Result<Vec<Rational>, WinogradError> {
    const LONGEST: usize = 15;
    if count > LONGEST {
        return Err(WinogradError::TooManyPoints { asked: count, longest: LONGEST });
    }
    let power = |exponent: usize| q(1 << exponent, 1);
    let inverse = |exponent: usize| q(1, 1 << exponent);
    let mut points = vec![Rational::ZERO, Rational::ONE, Rational::MINUS_ONE];
    points.extend((1..=3).flat_map(|e| [power(e), -power(e), inverse(e), -inverse(e)]));
    points.truncate(count);
    Ok(points)
}

/// `F(4,3)`, `F(4,3) textbook`, `F(4q,3)`.
impl fmt::Display for F {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (q, t) = self.marks();
        let textbook = if t.is_empty() { "" } else { " textbook" };
        write!(f, "F({}{q},{}){textbook}", self.m, self.r)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let names = |f: F| (f.label(), f.to_string());
        assert_eq!(names(F::new(4, 3)), ("f4x3".into(), "F(4,3)".into()));
        assert_eq!(names(F::textbook(4, 3)), ("f4x3t".into(), "F(4,3) textbook".into()));
        assert_eq!(names(F::quadratic(4, 3)), ("f4qx3".into(), "F(4q,3)".into()));
    }

    #[test]
    fn labels_of_shipped_algorithms_differ() {
        let all = || F::shipped().iter().chain(F::for_gradients());
        let mut labels: Vec<_> = all().map(|f| f.label()).collect();
        labels.sort();
        labels.dedup();
        assert_eq!(labels.len(), all().count());
    }

    #[test]
    fn sizes() {
        let f = F::quadratic(4, 3);
        assert_eq!((f.span(), f.products(), f.finite_points()), (6, 7, 3));
        let f = F::new(4, 3);
        assert_eq!((f.span(), f.products(), f.finite_points()), (6, 6, 5));
        for f in [F::new(1, 3), F::quadratic(1, 3), F::textbook(3, 1), F::new(3, 1)] {
            assert_eq!((f.span(), f.products(), f.finite_points(), f.points()), (3, 3, 0, Points::Default));
        }
        assert!(F::new(3, 1).is_identity() && F::new(1, 1).is_identity() && !F::new(1, 3).is_identity());
        assert_eq!((F::new(0, 0).span(), F::new(0, 0).products()), (0, 0));
    }

    #[test]
    fn points_are_as_many_as_needed_and_different() {
        for m in 2..=13 {
            for r in 2..=13 {
                for points in [Points::Default, Points::Textbook, Points::Quadratic] {
                    let f = F::with_points(m, r, points);
                    let Ok(used) = f.points_used() else {
                        assert!(f.finite_points() > 9, "{f}");
                        continue;
                    };
                    assert_eq!(used.len(), f.finite_points(), "{f}");
                    assert!((1..used.len()).all(|i| !used[..i].contains(&used[i])), "{f}");
                }
            }
        }
    }

    #[test]
    fn textbook_order() {
        let used = F::textbook(6, 5).points_used().unwrap();
        assert_eq!(format!("{used:?}"), "[0, 1, -1, 2, -2, 1/2, -1/2, 4, -4]");
        assert!(F::textbook(20, 20).points_used().is_err());
        assert!(F::new(255, 255).points_used().is_err());
    }
}
