//! What lies around the input: how much of it, and which values.

use std::fmt;

use crate::spatial::Spatial;

/// How far the input reaches beyond its elements, in each dimension.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Padding {
    /// So much before the first element and after the last one.
    Explicit {
        /// Before the first element: left, above, in front.
        before: Spatial,
        /// After the last one: right, below, behind.
        after: Spatial,
    },
    /// ONNX's `SAME_UPPER`: the output has `ceil(input / stride)` elements (transposed: `input * stride`); of an odd sum the
    /// larger half comes after.
    SameUpper,
    /// ONNX's `SAME_LOWER`: the same, the larger half before.
    SameLower,
}

impl Padding {
    /// The same on both sides: ONNX's `VALID` with 0, PyTorch's `padding` with other numbers.
    pub fn all(size: impl Into<Spatial>) -> Self {
        let size = size.into();
        Self::Explicit { before: size, after: size }
    }

    /// So much before and after.
    pub fn sides(before: impl Into<Spatial>, after: impl Into<Spatial>) -> Self {
        Self::Explicit { before: before.into(), after: after.into() }
    }

    pub(crate) fn of_rank(self, rank: usize) -> Self {
        match self {
            Self::Explicit { before, after } => {
                Self::Explicit { before: before.of_rank(rank), after: after.of_rank(rank) }
            }
            same => same,
        }
    }
}

impl From<usize> for Padding {
    fn from(size: usize) -> Self {
        Self::all(size)
    }
}

impl From<[usize; 1]> for Padding {
    fn from(sizes: [usize; 1]) -> Self {
        Self::all(sizes)
    }
}

impl From<[usize; 2]> for Padding {
    fn from(sizes: [usize; 2]) -> Self {
        Self::all(sizes)
    }
}

impl From<[usize; 3]> for Padding {
    fn from(sizes: [usize; 3]) -> Self {
        Self::all(sizes)
    }
}

/// `1x1`, `1x0-0x2` (before and after), `same upper`, `same lower`.
impl fmt::Display for Padding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Explicit { before, after } if before == after => write!(f, "{before}"),
            Self::Explicit { before, after } => write!(f, "{before}-{after}"),
            Self::SameUpper => f.write_str("same upper"),
            Self::SameLower => f.write_str("same lower"),
        }
    }
}

/// Which values lie around the input: PyTorch's `padding_mode`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Border {
    /// Zeros.
    #[default]
    Zero,
    /// The input mirrored at its first and last element, which are not repeated: padding is less than the size.
    Reflect,
    /// The nearest element.
    Replicate,
    /// The input's other end: padding is at most the size.
    Circular,
}

impl Border {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Zero, Self::Reflect, Self::Replicate, Self::Circular];

    /// Its name, in part files, variants and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Zero => "zero",
            Self::Reflect => "reflect",
            Self::Replicate => "replicate",
            Self::Circular => "circular",
        }
    }

    /// The most padding that makes sense beside `size` elements.
    pub(crate) const fn most(self, size: usize) -> usize {
        match self {
            Self::Zero | Self::Replicate => usize::MAX,
            Self::Reflect => size.saturating_sub(1),
            Self::Circular => size,
        }
    }

    /// The element whose value a position has, of `size` elements; `None` where it is zero. Positions are those of an
    /// input that is padded by no more than makes sense for it; what is further away may be any element.
    pub const fn element(self, position: isize, size: usize) -> Option<usize> {
        let inside = position >= 0 && position.cast_unsigned() < size;
        if inside {
            return Some(position.cast_unsigned());
        }
        let last = size.cast_signed() - 1;
        let mapped = match self {
            Self::Zero => return None,
            Self::Replicate => position,
            Self::Reflect if position < 0 => -position,
            Self::Reflect => 2 * last - position,
            Self::Circular if position < 0 => position + last + 1,
            Self::Circular => position - last - 1,
        };
        let clamped = if mapped < 0 {
            0
        } else if mapped > last {
            last
        } else {
            mapped
        };
        Some(clamped.cast_unsigned())
    }
}

impl fmt::Display for Border {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn borders_are_pytorchs() {
        // torch.nn.functional.pad([0, 1, 2, 3], (3, 3)) in each mode.
        let padded = |border: Border| -> Vec<Option<usize>> { (-3..7).map(|at| border.element(at, 4)).collect() };
        let some = |elements: [usize; 10]| elements.map(Some).to_vec();
        assert_eq!(padded(Border::Reflect), some([3, 2, 1, 0, 1, 2, 3, 2, 1, 0]));
        assert_eq!(padded(Border::Replicate), some([0, 0, 0, 0, 1, 2, 3, 3, 3, 3]));
        assert_eq!(padded(Border::Circular), some([1, 2, 3, 0, 1, 2, 3, 0, 1, 2]));
        assert_eq!(padded(Border::Zero)[2..8], [None, Some(0), Some(1), Some(2), Some(3), None]);
    }

    #[test]
    fn no_position_is_outside() {
        for border in Border::ALL {
            for size in 1..4 {
                for position in -20..20 {
                    assert!(border.element(position, size).is_none_or(|at| at < size), "{border} {position} of {size}");
                }
            }
        }
    }
}
