//! Where tiles lie: in the inputs, and, without what is not exact, in the outputs.

use std::ops::Range;

use super::cut::Cut;
use super::exact::{Grid, Span, follow};
use crate::graph::{Dims, Graph};

/// Tiles along an axis.
#[derive(Debug, Clone)]
pub(super) struct Placed {
    pub(super) cut: Cut,
    /// Elements of a tile.
    pub(super) size: usize,
    /// Where tiles begin in the picture.
    pub(super) starts: Vec<usize>,
    /// What they give of each output; none, if the output does not depend on the axis.
    pub(super) outputs: Vec<Option<Seams>>,
}

/// What tiles give of an output along one of its axes.
#[derive(Debug, Clone)]
pub(super) struct Seams {
    pub(super) axis: usize,
    /// Elements of the whole.
    pub(super) whole: usize,
    /// Where each tile's result begins in the whole.
    starts: Vec<usize>,
    /// Where what is taken of it begins; and the end of the whole.
    bounds: Vec<usize>,
}

impl Seams {
    /// The elements of the whole that a tile gives.
    pub(super) fn given(&self, tile: usize) -> Range<usize> {
        self.bounds[tile]..self.bounds[tile + 1]
    }

    /// Where they begin in the tile's own result.
    pub(super) fn first(&self, tile: usize) -> usize {
        self.bounds[tile] - self.starts[tile]
    }
}

/// The tiles of a size along an axis, from the graph of a tile. None, if neighbours leave something out.
pub(super) fn placed(cut: &Cut, size: usize, tile: &Graph, grids: &[Grid]) -> Option<Placed> {
    let starts = cut.starts(size);
    let at = |start: usize| follow(tile, &cut.inputs, Span { start, size, whole: cut.whole }, grids).ok();
    let exact = starts.iter().map(|&start| Some(at(start)?.outputs)).collect::<Option<Vec<_>>>()?;
    let of_output = |(i, (_, value)): (usize, &(String, crate::graph::Value))| {
        let Some(first) = &exact[0][i] else { return Some(None) };
        let whole = tile.dims(*value)[first.axis] + first.scale.of(cut.whole - size);
        let in_output: Vec<usize> = starts.iter().map(|&start| first.scale.of(start)).collect();
        let exact = exact.iter().map(|outputs| outputs[i].as_ref().map(|track| track.exact.clone()));
        let exact = exact.collect::<Option<Vec<_>>>()?;
        let begins = |tile: usize| in_output[tile] + exact[tile].start;
        let bounds: Vec<usize> = (0..starts.len()).map(begins).chain([whole]).collect();
        let reaches =
            |tile: usize| bounds[tile] <= bounds[tile + 1] && bounds[tile + 1] <= in_output[tile] + exact[tile].end;
        let meet = bounds[0] == 0 && (0..starts.len()).all(reaches);
        meet.then_some(Some(Seams { axis: first.axis, whole, starts: in_output, bounds }))
    };
    let outputs = tile.outputs().iter().enumerate().map(of_output).collect::<Option<Vec<_>>>()?;
    Some(Placed { cut: cut.clone(), size, starts, outputs })
}

/// Where the rows of a part begin in a tensor, in order.
pub(super) fn rows(whole: Dims, first: &[usize], part: Dims) -> impl Iterator<Item = usize> {
    let (strides, first) = (whole.strides(), first.to_vec());
    let last = part.rank().saturating_sub(1);
    let count = part[..last].iter().product::<usize>();
    (0..count).map(move |row| {
        let (mut rest, mut at) = (row, first.last().copied().unwrap_or(0));
        for axis in (0..last).rev() {
            at += (first[axis] + rest % part[axis]) * strides[axis];
            rest /= part[axis];
        }
        at
    })
}

/// Elements of a row.
pub(super) fn row_len(part: Dims) -> usize {
    part.last().copied().unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_a_part() {
        let (whole, part) = (Dims::from([2, 4, 5]), Dims::from([1, 2, 3]));
        assert_eq!(rows(whole, &[1, 1, 2], part).collect::<Vec<_>>(), [27, 32]);
        assert_eq!(row_len(part), 3);
        assert_eq!(rows(Dims::SCALAR, &[], Dims::SCALAR).collect::<Vec<_>>(), [0]);
        assert_eq!(rows(whole, &[0, 0, 0], Dims::from([2, 0, 5])).count(), 0);
    }
}
