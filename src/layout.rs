//! Where an element lies: the index functions that kernels, their twins and the tests share.

/// Columns of transformed tensors are padded to this many elements, so that kernels read and write `vec4`.
pub const VECTOR: usize = 4;

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
}

impl Planes {
    /// Columns with padding.
    pub const fn stride(&self) -> usize {
        self.columns.next_multiple_of(VECTOR)
    }

    /// Elements, padding included.
    pub const fn len(&self) -> usize {
        self.points * self.rows * self.stride()
    }

    /// Whether there is nothing in it.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
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
    fn planes_index_is_a_bijection() {
        let planes = Planes { points: 3, rows: 5, columns: 6 };
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
