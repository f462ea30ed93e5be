//! Sizes of tensors of any rank up to [`MAX_DIMS`], row-major.

use std::fmt;
use std::ops::Deref;

/// Most dimensions of a tensor: a pixel shuffle passes through six.
pub const MAX_DIMS: usize = 8;

/// A tensor's sizes, the outermost first. A scalar has none.
///
/// ```
/// use winoconv::graph::Dims;
/// let dims = Dims::from([1, 3, 224, 224]);
/// assert_eq!((dims.rank(), dims.elements()), (4, 150_528));
/// assert_eq!(dims.to_string(), "1x3x224x224");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Dims {
    rank: u8,
    sizes: [usize; MAX_DIMS],
}

impl Dims {
    /// A scalar's.
    pub const SCALAR: Self = Self { rank: 0, sizes: [0; MAX_DIMS] };

    /// From a slice; `None` if it has more than [`MAX_DIMS`] sizes.
    pub fn from_slice(sizes: &[usize]) -> Option<Self> {
        let mut all = [0; MAX_DIMS];
        all.get_mut(..sizes.len())?.copy_from_slice(sizes);
        Some(Self { rank: u8::try_from(sizes.len()).ok()?, sizes: all })
    }

    /// The number of dimensions.
    pub const fn rank(&self) -> usize {
        self.rank as usize
    }

    /// The product of the sizes; saturates.
    pub fn elements(&self) -> usize {
        self.iter().fold(1, |product, &size| product.saturating_mul(size))
    }

    /// The same with another size along an axis.
    #[must_use]
    pub(crate) fn with(mut self, axis: usize, size: usize) -> Self {
        self.sizes[axis] = size;
        self
    }

    /// From each index of an axis to the next, in elements, of a tensor without gaps.
    pub(crate) fn strides(&self) -> [usize; MAX_DIMS] {
        let mut strides = [0; MAX_DIMS];
        let mut step = 1usize;
        for axis in (0..self.rank()).rev() {
            strides[axis] = step;
            step = step.saturating_mul(self[axis]);
        }
        strides
    }

    /// The same, seen as a tensor of `to`'s sizes by broadcasting: 0 along axes that are repeated.
    pub(crate) fn strides_in(&self, to: Self) -> [usize; MAX_DIMS] {
        let (own, missing) = (self.strides(), to.rank() - self.rank());
        let mut strides = [0; MAX_DIMS];
        for axis in 0..self.rank() {
            strides[missing + axis] = if self[axis] == 1 { 0 } else { own[axis] };
        }
        strides
    }

    /// What two tensors broadcast to, as in `NumPy`: sizes are aligned at the end, and a size of 1 is repeated. `None` if they do
    /// not fit.
    pub fn broadcast(self, other: Self) -> Option<Self> {
        let (long, short) = if self.rank >= other.rank { (self, other) } else { (other, self) };
        let (mut both, missing) = (long, long.rank() - short.rank());
        for axis in 0..short.rank() {
            both.sizes[missing + axis] = match (long[missing + axis], short[axis]) {
                (a, b) if a == b => a,
                (1, size) | (size, 1) => size,
                _ => return None,
            };
        }
        Some(both)
    }
}

impl Deref for Dims {
    type Target = [usize];

    fn deref(&self) -> &[usize] {
        &self.sizes[..self.rank()]
    }
}

impl<const N: usize> From<[usize; N]> for Dims {
    /// # Panics
    /// If there are more than [`MAX_DIMS`] sizes, which is known when the program is compiled.
    fn from(sizes: [usize; N]) -> Self {
        const { assert!(N <= MAX_DIMS, "a tensor has at most 8 dimensions") };
        let mut all = [0; MAX_DIMS];
        all[..N].copy_from_slice(&sizes);
        Self { rank: N as u8, sizes: all }
    }
}

impl fmt::Debug for Dims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The sizes, joined by `x`; `scalar` where there are none.
impl fmt::Display for Dims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("scalar");
        }
        for (i, size) in self.iter().enumerate() {
            write!(f, "{}{size}", if i == 0 { "" } else { "x" })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broadcasting_follows_numpy() {
        let of =
            |a: &[usize], b: &[usize]| Dims::from_slice(a)?.broadcast(Dims::from_slice(b)?).map(|dims| dims.to_vec());
        assert_eq!(of(&[2, 3, 4], &[4]), Some(vec![2, 3, 4]));
        assert_eq!(of(&[3, 1], &[2, 1, 5]), Some(vec![2, 3, 5]));
        assert_eq!(of(&[], &[7]), Some(vec![7]));
        assert_eq!(of(&[2, 3], &[3, 2]), None);
        assert_eq!(of(&[0, 3], &[1, 3]), Some(vec![0, 3]), "nothing is repeated no times");
    }

    #[test]
    fn strides_of_what_is_repeated_are_zero() {
        let whole = Dims::from([2, 3, 4]);
        assert_eq!(whole.strides()[..3], [12, 4, 1]);
        assert_eq!(Dims::from([3, 1]).strides_in(whole)[..3], [0, 1, 0]);
        assert_eq!(Dims::SCALAR.strides_in(whole)[..3], [0, 0, 0]);
        assert_eq!(Dims::from_slice(&[1; 9]), None);
    }
}
