//! Where an element lies: the index functions that kernels, their twins and the tests share.

use std::fmt;

use crate::error::{Result, ShapeError};
use crate::spatial::{MAX_RANK, Shape};

/// The order in which a tensor's elements lie in memory.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Layout {
    /// `[N, C, D, H, W]`: channels are planes.
    #[default]
    ChannelsFirst,
    /// `[N, D, H, W, C]`: channels lie side by side.
    ChannelsLast,
}

impl Layout {
    /// For an input or output: NCHW or NHWC; for weights: OIHW or OHWI.
    pub const ALL: [Self; 2] = [Self::ChannelsFirst, Self::ChannelsLast];

    /// Its name in variants and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ChannelsFirst => "channels first",
            Self::ChannelsLast => "channels last",
        }
    }
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A tensor in memory: where its first element lies, and how far apart neighbours are, all in elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct View {
    /// The first element.
    pub offset: usize,
    /// From image to image (for weights: from filter to filter).
    pub n: usize,
    /// From channel to channel.
    pub c: usize,
    /// From plane to plane, row to row and column to column.
    pub dhw: [usize; MAX_RANK],
}

impl View {
    /// A tensor without gaps.
    pub fn dense(shape: Shape, layout: Layout) -> Self {
        let c = shape[1];
        let [d, h, w] = shape.spatial().dhw(1);
        let plane = [h.saturating_mul(w), w, 1];
        let size = d.saturating_mul(plane[0]);
        match layout {
            Layout::ChannelsFirst => Self { offset: 0, n: c.saturating_mul(size), c: size, dhw: plane },
            Layout::ChannelsLast => {
                Self { offset: 0, n: c.saturating_mul(size), c: 1, dhw: plane.map(|step| step.saturating_mul(c)) }
            }
        }
    }

    /// Some channels of a larger tensor without gaps: those from `first` on of `channels` in all, as when outputs are
    /// concatenated.
    ///
    /// # Errors
    /// [`ShapeError::Slice`] if there are not that many.
    pub fn channels(shape: Shape, layout: Layout, first: usize, channels: usize) -> Result<Self> {
        let count = shape[1];
        if first.checked_add(count).is_none_or(|end| end > channels) {
            return Err(ShapeError::Slice { first, count, channels }.into());
        }
        let whole = Self::dense(Shape::new(shape[0], channels, shape.spatial()), layout);
        Ok(Self { offset: first.saturating_mul(whole.c), ..whole })
    }

    /// Elements from the start of memory to the tensor's last one; 0 if it has none. Saturates.
    pub fn span(&self, shape: Shape) -> usize {
        if shape.contains(&0) {
            return 0;
        }
        let [d, h, w] = shape.spatial().dhw(1);
        let reach = |size: usize, step: usize| (size - 1).saturating_mul(step);
        let steps = [(shape[0], self.n), (shape[1], self.c), (d, self.dhw[0]), (h, self.dhw[1]), (w, self.dhw[2])];
        steps.iter().fold(self.offset.saturating_add(1), |sum, &(size, step)| sum.saturating_add(reach(size, step)))
    }

    /// Whether no two elements of the tensor are the same in memory, as an output's must not be: each step is beyond the
    /// reach of all smaller ones.
    pub fn is_injective(&self, shape: Shape) -> bool {
        let [d, h, w] = shape.spatial().dhw(1);
        let mut steps = [(self.n, shape[0]), (self.c, shape[1]), (self.dhw[0], d), (self.dhw[1], h), (self.dhw[2], w)];
        steps.sort_unstable();
        let mut reach = 0usize;
        steps.iter().filter(|(_, size)| *size > 1).all(|&(step, size)| {
            let beyond = step > reach;
            reach = reach.saturating_add((size - 1).saturating_mul(step));
            beyond
        })
    }

    /// Position of an element, from image (or filter), channel and D, H, W.
    pub const fn index(&self, n: usize, c: usize, [d, h, w]: [usize; MAX_RANK]) -> usize {
        self.offset + n * self.n + c * self.c + d * self.dhw[0] + h * self.dhw[1] + w * self.dhw[2]
    }
}

/// Columns of transformed tensors are padded to this many elements, so that kernels read and write `vec4`.
pub const VECTOR: usize = 4;

/// The type in which U, V or M is stored.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Element {
    /// IEEE 754 binary32.
    #[default]
    F32,
    /// IEEE 754 binary16.
    F16,
    /// Two f16, a high and a low part, whose sum is the value.
    SplitF16,
}

impl Element {
    /// Bytes of one element.
    pub const fn size(self) -> u64 {
        match self {
            Self::F16 => 2,
            Self::F32 | Self::SplitF16 => 4,
        }
    }
}

/// The element types of an algorithm's transformed tensors.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Elements {
    /// Of the transformed filters.
    pub u: Element,
    /// Of the transformed input.
    pub v: Element,
    /// Of the products.
    pub m: Element,
}

/// A transformed tensor, `[point][row][column]` with the columns padded to [`VECTOR`]:
///
/// - U, the filters: rows are input channels, columns the filters of that channel's group;
/// - V, the input: rows are input channels, columns tiles;
/// - M, the products: rows are filters, columns tiles.
///
/// So one point of one group is a matrix with contiguous rows, and `M = U^T V` reads all three along rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Planes {
    /// Products of the algorithm.
    pub points: usize,
    /// Rows of one point, over all groups.
    pub rows: usize,
    /// Columns that carry data.
    pub columns: usize,
    /// The type of an element.
    pub element: Element,
}

impl Planes {
    /// Columns with padding.
    pub const fn stride(&self) -> usize {
        self.columns.next_multiple_of(VECTOR)
    }

    /// Elements, padding included; saturates.
    pub const fn len(&self) -> usize {
        self.points.saturating_mul(self.rows).saturating_mul(self.stride())
    }

    /// Whether there is nothing in it.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Elements of one column.
    pub const fn column(&self) -> u64 {
        (self.points as u64).saturating_mul(self.rows as u64)
    }

    /// Bytes, padding included; saturates.
    pub const fn bytes(&self) -> u64 {
        self.element.size().saturating_mul(self.len() as u64)
    }

    /// Words of 4 bytes, in which workspaces are measured.
    pub const fn words(&self) -> usize {
        self.bytes().div_ceil(4) as usize
    }

    /// Position of an element.
    pub const fn index(&self, point: usize, row: usize, column: usize) -> usize {
        (point * self.rows + row) * self.stride() + column
    }
}

/// The output cut into tiles: `m_h x m_w` outputs each, counted over images, rows and columns of tiles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Tiles {
    /// Images.
    pub n: usize,
    /// Tiles in a column of an image.
    pub y: usize,
    /// Tiles in a row of an image.
    pub x: usize,
}

impl Tiles {
    /// The tiles of `n` outputs of `p x q`, `m_h x m_w` each, the last ones ragged.
    pub const fn new(n: usize, [p, q]: [usize; 2], [m_h, m_w]: [usize; 2]) -> Self {
        Self { n, y: p.div_ceil(m_h), x: q.div_ceil(m_w) }
    }

    /// All tiles.
    pub const fn count(&self) -> usize {
        self.n * self.y * self.x
    }

    /// Image, row and column of the `tile`-th.
    pub const fn position(&self, tile: usize) -> [usize; 3] {
        [tile / (self.y * self.x), tile / self.x % self.y, tile % self.x]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dense_views_are_bijections() {
        let shape = Shape::from([2, 3, 2, 4, 5]);
        for layout in Layout::ALL {
            let view = View::dense(shape, layout);
            assert_eq!((view.span(shape), view.is_injective(shape)), (shape.elements(), true), "{layout}");
        }
        let last = View::dense(Shape::from([1, 3, 4, 5]), Layout::ChannelsLast);
        assert_eq!(last.index(0, 2, [0, 1, 3]), (5 + 3) * 3 + 2);
    }

    #[test]
    fn a_slice_of_channels_lies_in_the_whole() {
        let shape = Shape::from([2, 3, 4, 5]);
        for layout in Layout::ALL {
            let slice = View::channels(shape, layout, 4, 9).expect("4 + 3 of 9");
            let whole = View::dense(Shape::from([2, 9, 4, 5]), layout);
            assert_eq!(slice.index(1, 2, [0, 3, 4]), whole.index(1, 6, [0, 3, 4]), "{layout}");
            assert!(slice.is_injective(shape), "{layout}");
        }
        assert!(View::channels(shape, Layout::ChannelsFirst, 7, 9).is_err(), "7 + 3 of 9");
    }

    #[test]
    fn overlaps_are_seen() {
        let shape = Shape::from([1, 2, 4, 5]);
        let dense = View::dense(shape, Layout::ChannelsFirst);
        assert!(!View { c: 10, ..dense }.is_injective(shape), "two planes that overlap");
        assert!(!View { dhw: [0, 5, 0], ..dense }.is_injective(shape), "a row in one place");
        assert!(View { dhw: [0, 8, 1], c: 32, ..dense }.is_injective(shape), "rows with gaps; one plane needs no step");
    }

    #[test]
    fn planes_index_is_a_bijection() {
        let planes = Planes { points: 3, rows: 5, columns: 6, element: Element::F32 };
        let mut seen = vec![0; planes.len()];
        for point in 0..3 {
            for row in 0..5 {
                for column in 0..planes.stride() {
                    seen[planes.index(point, row, column)] += 1;
                }
            }
        }
        assert!(seen.iter().all(|&count| count == 1), "each place once: {seen:?}");
    }

    #[test]
    fn planes_take_the_bytes_of_their_elements() {
        // 3 * 5 rows of 7 columns, padded to 8: 120 elements.
        for (element, bytes) in [(Element::F32, 480), (Element::F16, 240), (Element::SplitF16, 480)] {
            let planes = Planes { points: 3, rows: 5, columns: 7, element };
            assert_eq!((planes.bytes(), planes.words() as u64), (bytes, bytes / 4), "{element:?}");
        }
        let huge = Planes { points: 81, rows: usize::MAX / 2, columns: 8, element: Element::F32 };
        assert_eq!(huge.bytes(), u64::MAX);
    }

    #[test]
    fn tiles_cover_the_output_once() {
        let (p, q) = (7, 10);
        let tiles = Tiles::new(2, [p, q], [4, 3]);
        let mut seen = vec![0; 2 * p * q];
        for tile in 0..tiles.count() {
            let [n, y, x] = tiles.position(tile);
            for (i, j) in (0..4).flat_map(|i| (0..3).map(move |j| (i, j))) {
                let (row, column) = (y * 4 + i, x * 3 + j);
                if row < p && column < q {
                    seen[(n * p + row) * q + column] += 1;
                }
            }
        }
        assert!(seen.iter().all(|&count| count == 1), "each output once");
    }
}
