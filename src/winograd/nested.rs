//! Names of two-dimensional algorithms: pairs of one-dimensional ones, which need not be the same.

use super::{F, Points};
use std::fmt;

/// A two-dimensional algorithm: the Kronecker product of one for the rows' index and one for the
/// columns' index, which need not be the same. Products, outputs and amplification multiply.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Nested {
    /// Along the height: m rows of outputs, r = R.
    pub rows: F,
    /// Along the width: m columns of outputs, r = S.
    pub cols: F,
}

impl Nested {
    /// A two-dimensional algorithm from one for each dimension.
    #[must_use]
    pub const fn new(rows: F, cols: F) -> Self {
        Self { rows, cols }
    }

    /// The same algorithm in both dimensions.
    #[must_use]
    pub const fn square(f: F) -> Self {
        Self { rows: f, cols: f }
    }

    /// Products (multiplications for each channel and filter) of a tile.
    #[must_use]
    pub const fn products(self) -> usize {
        self.rows.products() * self.cols.products()
    }

    /// Outputs of a tile.
    #[must_use]
    pub const fn outputs(self) -> usize {
        self.rows.m() as usize * self.cols.m() as usize
    }

    /// Weights of a filter, R * S.
    #[must_use]
    pub const fn weights(self) -> usize {
        self.rows.r() as usize * self.cols.r() as usize
    }

    /// Inputs of a tile.
    #[must_use]
    pub const fn inputs(self) -> usize {
        self.rows.span() * self.cols.span()
    }

    /// How many times fewer multiplications than direct convolution: outputs * R * S / products.
    #[must_use]
    pub fn reduction(self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "both are below 2^32")]
        let reduction = (self.outputs() * self.weights()) as f64 / self.products() as f64;
        reduction
    }

    /// A name fit for identifiers and files: `f4x3` where both dimensions agree, else `f4x3_f2x3`
    /// (rows first).
    #[must_use]
    pub fn label(self) -> String {
        if self.rows == self.cols { self.rows.label() } else { format!("{}_{}", self.rows.label(), self.cols.label()) }
    }
}

/// `F(4x4,3x3)`, `F(4qx2,3x3)`, `F(4x4,3x3) textbook`; `F(4tx2,3x3)` where only one dimension is
/// textbook.
impl fmt::Display for Nested {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let both = self.rows.points() == Points::Textbook && self.cols.points() == Points::Textbook;
        let mark = |f: F| match f.points() {
            Points::Quadratic => "q",
            Points::Textbook if !both => "t",
            Points::Textbook | Points::Default => "",
        };
        let Self { rows, cols } = *self;
        write!(f, "F({}{}x{}{},{}x{})", rows.m(), mark(rows), cols.m(), mark(cols), rows.r(), cols.r())?;
        f.write_str(if both { " textbook" } else { "" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let names = |rows, cols| (Nested::new(rows, cols).label(), Nested::new(rows, cols).to_string());
        let (f2, f4, f4q, f4t) = (F::new(2, 3), F::new(4, 3), F::quadratic(4, 3), F::textbook(4, 3));
        assert_eq!(names(f4, f4), ("f4x3".into(), "F(4x4,3x3)".into()));
        assert_eq!(names(f4q, f4q), ("f4qx3".into(), "F(4qx4q,3x3)".into()));
        assert_eq!(names(f4, f2), ("f4x3_f2x3".into(), "F(4x2,3x3)".into()));
        assert_eq!(names(f4t, f4t), ("f4x3t".into(), "F(4x4,3x3) textbook".into()));
        assert_eq!(names(f4t, f2), ("f4x3t_f2x3".into(), "F(4tx2,3x3)".into()));
    }

    #[test]
    fn sizes() {
        let nested = Nested::new(F::quadratic(6, 3), F::quadratic(4, 3));
        assert_eq!((nested.products(), nested.outputs(), nested.inputs(), nested.weights()), (63, 24, 48, 9));
        assert!((nested.reduction() - 24.0 * 9.0 / 63.0).abs() < 1e-12);
    }
}
