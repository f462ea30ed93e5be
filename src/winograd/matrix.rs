//! Dense matrices of exact rationals: small, row-major, for proofs and for printing above generated
//! code.

use super::{Rational, WinogradError};
use std::fmt;

/// A matrix with at least one row and one column.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Matrix {
    rows: usize,
    cols: usize,
    entries: Vec<Rational>,
}

impl Matrix {
    /// A matrix from its entries, row by row.
    ///
    /// # Errors
    /// A side is zero, or the number of entries is not `rows * cols`.
    pub fn new(rows: usize, cols: usize, entries: Vec<Rational>) -> Result<Self, WinogradError> {
        let mismatch = |what, expected, found| Err(WinogradError::SizeMismatch { what, expected, found });
        if rows == 0 {
            return mismatch("rows of a matrix, at least", 1, 0);
        }
        if cols == 0 {
            return mismatch("columns of a matrix, at least", 1, 0);
        }
        match rows.checked_mul(cols) {
            Some(size) if size == entries.len() => Ok(Self { rows, cols, entries }),
            size => mismatch("entries of a matrix", size.unwrap_or(usize::MAX), entries.len()),
        }
    }

    /// A matrix from its rows.
    ///
    /// # Errors
    /// There is no row, the first is empty, or their lengths differ.
    pub fn from_rows(rows: &[Vec<Rational>]) -> Result<Self, WinogradError> {
        let cols = rows.first().map_or(0, Vec::len);
        if let Some(odd) = rows.iter().find(|row| row.len() != cols) {
            return Err(WinogradError::SizeMismatch { what: "columns of a row", expected: cols, found: odd.len() });
        }
        Self::new(rows.len(), cols, rows.concat())
    }

    /// The identity of the given size.
    ///
    /// # Errors
    /// The size is zero.
    pub(super) fn identity(size: usize) -> Result<Self, WinogradError> {
        let entry = |i: usize| {
            if i / size == i % size { Rational::ONE } else { Rational::ZERO }
        };
        Self::new(size, size, (0..size * size).map(entry).collect())
    }

    /// A matrix of ones.
    ///
    /// # Errors
    /// A side is zero.
    pub(super) fn ones(rows: usize, cols: usize) -> Result<Self, WinogradError> {
        Self::new(rows, cols, vec![Rational::ONE; rows * cols])
    }

    /// Number of rows.
    #[must_use]
    pub const fn rows(&self) -> usize {
        self.rows
    }

    /// Number of columns.
    #[must_use]
    pub const fn cols(&self) -> usize {
        self.cols
    }

    /// The entry at a row and a column, if there is one.
    #[must_use]
    pub fn get(&self, row: usize, col: usize) -> Option<Rational> {
        (col < self.cols).then(|| self.row(row).get(col).copied()).flatten()
    }

    /// One row; empty where there is none.
    #[must_use]
    pub fn row(&self, row: usize) -> &[Rational] {
        if row < self.rows { &self.entries[row * self.cols..(row + 1) * self.cols] } else { &[] }
    }

    /// The rows in order.
    #[must_use]
    pub fn iter_rows(&self) -> impl ExactSizeIterator<Item = &[Rational]> {
        self.entries.chunks_exact(self.cols)
    }

    /// The matrix product `self * rhs`.
    ///
    /// # Errors
    /// The inner sizes differ, or an entry overflows.
    pub fn mul(&self, rhs: &Self) -> Result<Self, WinogradError> {
        if self.cols != rhs.rows {
            return Err(WinogradError::SizeMismatch {
                what: "rows of the right factor",
                expected: self.cols,
                found: rhs.rows,
            });
        }
        let mut entries = Vec::with_capacity(self.rows * rhs.cols);
        for left in self.iter_rows() {
            for col in 0..rhs.cols {
                let mut sum = Rational::ZERO;
                for (&a, right) in left.iter().zip(rhs.iter_rows()) {
                    sum = sum.try_add(a.try_mul(right[col])?)?;
                }
                entries.push(sum);
            }
        }
        Self::new(self.rows, rhs.cols, entries)
    }

    /// The transpose.
    #[must_use]
    pub fn transpose(&self) -> Self {
        let entries = (0..self.cols).flat_map(|col| self.iter_rows().map(move |row| row[col])).collect();
        Self { rows: self.cols, cols: self.rows, entries }
    }

    /// The Kronecker product: block (i, j) is `self[i, j] * rhs`.
    ///
    /// # Errors
    /// An entry overflows.
    pub fn kronecker(&self, rhs: &Self) -> Result<Self, WinogradError> {
        let mut entries = Vec::with_capacity(self.entries.len() * rhs.entries.len());
        for outer in self.iter_rows() {
            for inner in rhs.iter_rows() {
                for &a in outer {
                    for &b in inner {
                        entries.push(a.try_mul(b)?);
                    }
                }
            }
        }
        Self::new(self.rows * rhs.rows, self.cols * rhs.cols, entries)
    }

    /// The absolute values of the entries.
    #[must_use]
    pub fn abs(&self) -> Self {
        Self { rows: self.rows, cols: self.cols, entries: self.entries.iter().map(|e| e.abs()).collect() }
    }

    /// The entries in `f64`, row by row.
    #[must_use]
    pub fn to_f64(&self) -> Vec<f64> {
        self.entries.iter().map(|e| e.to_f64()).collect()
    }

    /// Is every entry a fraction over a power of two?
    #[must_use]
    pub fn is_dyadic(&self) -> bool {
        self.entries.iter().all(|e| e.is_dyadic())
    }

    /// Number of non-zero entries.
    #[must_use]
    pub fn non_zeros(&self) -> usize {
        self.entries.iter().filter(|e| !e.is_zero()).count()
    }
}

/// One line a row, columns aligned to the right, no newline at the end: put a comment sign before
/// each line.
impl fmt::Display for Matrix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = |col: usize| self.iter_rows().map(|row| row[col].to_string().len()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..self.cols).map(width).collect();
        for (i, row) in self.iter_rows().enumerate() {
            if i > 0 {
                f.write_str("\n")?;
            }
            for (j, (entry, &width)) in row.iter().zip(&widths).enumerate() {
                let gap = if j == 0 { "" } else { "  " };
                write!(f, "{gap}{entry:>width$}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn integers(rows: usize, cols: usize, entries: &[i64]) -> Matrix {
        Matrix::new(rows, cols, entries.iter().copied().map(Rational::from).collect()).unwrap()
    }

    #[test]
    fn products_and_transposes() {
        let a = integers(2, 3, &[1, 2, 3, 4, 5, 6]);
        assert_eq!(a.transpose(), integers(3, 2, &[1, 4, 2, 5, 3, 6]));
        assert_eq!(a.mul(&a.transpose()).unwrap(), integers(2, 2, &[14, 32, 32, 77]));
        assert_eq!(a.mul(&Matrix::identity(3).unwrap()).unwrap(), a);
        assert!(a.mul(&a).is_err());
        let b = integers(1, 2, &[1, -1]);
        assert_eq!(b.kronecker(&a).unwrap(), integers(2, 6, &[1, 2, 3, -1, -2, -3, 4, 5, 6, -4, -5, -6]));
        assert_eq!(b.abs(), Matrix::ones(1, 2).unwrap());
        assert_eq!((a.get(1, 2), a.get(1, 3), a.get(2, 0)), (Some(Rational::from(6)), None, None));
    }

    #[test]
    fn bad_sizes_are_errors() {
        assert!(Matrix::new(0, 1, vec![]).is_err());
        assert!(Matrix::new(1, 0, vec![]).is_err());
        assert!(Matrix::identity(0).is_err());
        assert!(Matrix::new(2, 2, vec![Rational::ONE; 3]).is_err());
        assert!(Matrix::from_rows(&[vec![Rational::ONE], vec![]]).is_err());
    }

    #[test]
    fn prints_aligned() {
        let half = Rational::new(-1, 2).unwrap();
        let m = Matrix::from_rows(&[vec![Rational::ONE, half], vec![Rational::from(10), Rational::ZERO]]).unwrap();
        assert_eq!(m.to_string(), " 1  -1/2\n10     0");
    }
}
