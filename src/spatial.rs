//! Sizes by dimension: [`Spatial`] has one number for each spatial dimension, [`Shape`] batch and channels before them.

use std::fmt;
use std::ops::Deref;

/// Most spatial dimensions.
pub const MAX_RANK: usize = 3;

/// One number for each spatial dimension, in the order D, H, W, of which the last ones are there: `[W]`, `[H, W]` or
/// `[D, H, W]`. From a single number it is the same in every dimension of the convolution that takes it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Spatial {
    rank: u8,
    /// The first `rank` count; with rank 0 the first one stands for all.
    sizes: [usize; MAX_RANK],
}

impl Spatial {
    /// The same number in so many dimensions, at most [`MAX_RANK`].
    pub const fn all(rank: usize, size: usize) -> Self {
        let rank = if rank > MAX_RANK { MAX_RANK } else { rank };
        let mut sizes = [0; MAX_RANK];
        let mut at = 0;
        while at < rank {
            sizes[at] = size;
            at += 1;
        }
        #[expect(clippy::cast_possible_truncation, reason = "at most 3")]
        Self { rank: rank as u8, sizes }
    }

    /// From a slice of 1 to 3 numbers; `None` of other lengths.
    pub fn from_slice(sizes: &[usize]) -> Option<Self> {
        if sizes.is_empty() || sizes.len() > MAX_RANK {
            return None;
        }
        let mut all = Self::all(sizes.len(), 0);
        all.sizes[..sizes.len()].copy_from_slice(sizes);
        Some(all)
    }

    /// Number of dimensions; 0 if it stands for any number of them.
    pub const fn rank(&self) -> usize {
        self.rank as usize
    }

    /// The same numbers for a convolution of `rank` dimensions: a single number becomes `rank` of them, others stay as
    /// they are.
    #[must_use]
    pub const fn of_rank(self, rank: usize) -> Self {
        if self.rank == 0 { Self::all(rank, self.sizes[0]) } else { self }
    }

    /// D, H and W, with `missing` for those that are not there.
    pub fn dhw(&self, missing: usize) -> [usize; MAX_RANK] {
        let mut dhw = [missing; MAX_RANK];
        dhw[MAX_RANK - self.rank()..].copy_from_slice(self);
        dhw
    }

    /// The last `rank` of D, H and W.
    pub fn from_dhw(rank: usize, dhw: [usize; MAX_RANK]) -> Self {
        let mut all = Self::all(rank, 0);
        let rank = all.rank();
        all.sizes[..rank].copy_from_slice(&dhw[MAX_RANK - rank..]);
        all
    }
}

impl Deref for Spatial {
    type Target = [usize];

    fn deref(&self) -> &[usize] {
        &self.sizes[..self.rank()]
    }
}

impl From<usize> for Spatial {
    fn from(size: usize) -> Self {
        Self { rank: 0, sizes: [size, 0, 0] }
    }
}

impl From<[usize; 1]> for Spatial {
    fn from([w]: [usize; 1]) -> Self {
        Self { rank: 1, sizes: [w, 0, 0] }
    }
}

impl From<[usize; 2]> for Spatial {
    fn from([h, w]: [usize; 2]) -> Self {
        Self { rank: 2, sizes: [h, w, 0] }
    }
}

impl From<[usize; 3]> for Spatial {
    fn from(sizes: [usize; 3]) -> Self {
        Self { rank: 3, sizes }
    }
}

impl<const N: usize> PartialEq<[usize; N]> for Spatial {
    fn eq(&self, other: &[usize; N]) -> bool {
        **self == other[..]
    }
}

impl fmt::Debug for Spatial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The numbers, joined by `x`.
impl fmt::Display for Spatial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.rank {
            0 => write!(f, "{}", self.sizes[0]),
            _ => join(f, self),
        }
    }
}

/// A tensor's sizes: `[N, C, W]`, `[N, C, H, W]` or `[N, C, D, H, W]`, in this order whatever the layout in memory.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Shape {
    rank: u8,
    sizes: [usize; MAX_RANK + 2],
}

impl Shape {
    /// From batch, channels and sizes.
    pub fn new(n: usize, c: usize, spatial: Spatial) -> Self {
        let mut sizes = [0; MAX_RANK + 2];
        sizes[..2].copy_from_slice(&[n, c]);
        sizes[2..2 + spatial.rank()].copy_from_slice(&spatial);
        Self { rank: spatial.rank, sizes }
    }

    /// From a slice of 3 to 5 sizes; `None` of other lengths.
    pub fn from_slice(sizes: &[usize]) -> Option<Self> {
        let (&[n, c], spatial) = sizes.split_first_chunk()?;
        Some(Self::new(n, c, Spatial::from_slice(spatial)?))
    }

    /// D, H and W, of which the last ones are there.
    pub fn spatial(&self) -> Spatial {
        let mut spatial = Spatial::all(self.rank.into(), 0);
        let rank = spatial.rank();
        spatial.sizes[..rank].copy_from_slice(&self.sizes[2..2 + rank]);
        spatial
    }

    /// Elements; saturates.
    pub fn elements(&self) -> usize {
        self.iter().fold(1, |acc, &size| acc.saturating_mul(size))
    }
}

impl Deref for Shape {
    type Target = [usize];

    fn deref(&self) -> &[usize] {
        &self.sizes[..2 + usize::from(self.rank)]
    }
}

impl From<[usize; 3]> for Shape {
    fn from([n, c, w]: [usize; 3]) -> Self {
        Self::new(n, c, [w].into())
    }
}

impl From<[usize; 4]> for Shape {
    fn from([n, c, h, w]: [usize; 4]) -> Self {
        Self::new(n, c, [h, w].into())
    }
}

impl From<[usize; 5]> for Shape {
    fn from([n, c, d, h, w]: [usize; 5]) -> Self {
        Self::new(n, c, [d, h, w].into())
    }
}

impl<const N: usize> PartialEq<[usize; N]> for Shape {
    fn eq(&self, other: &[usize; N]) -> bool {
        **self == other[..]
    }
}

impl fmt::Debug for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The sizes, joined by `x`.
impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        join(f, self)
    }
}

fn join(f: &mut fmt::Formatter<'_>, sizes: &[usize]) -> fmt::Result {
    for (i, size) in sizes.iter().enumerate() {
        write!(f, "{}{size}", if i == 0 { "" } else { "x" })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_the_same_in_all_dimensions() {
        assert_eq!(Spatial::from(2).of_rank(3), [2, 2, 2]);
        assert_eq!(Spatial::from([1, 2]).of_rank(3), [1, 2], "what was given by dimension stays");
        assert_eq!(Spatial::from([5]).dhw(1), [1, 1, 5]);
        assert_eq!(Spatial::from_dhw(2, [7, 8, 9]), [8, 9]);
        assert_eq!(Spatial::from_slice(&[]), None);
        assert_eq!(Spatial::from_slice(&[1; 4]), None);
    }

    #[test]
    fn shapes_are_batch_channels_and_sizes() {
        let shape = Shape::from([2, 3, 4, 5]);
        assert_eq!((shape.spatial(), shape.elements()), (Spatial::from([4, 5]), 120));
        assert_eq!(Shape::from_slice(&[2, 3, 4, 5]), Some(shape));
        assert_eq!(Shape::from_slice(&[2, 3]), None, "no spatial dimension");
        assert_eq!(shape.to_string(), "2x3x4x5");
    }
}
