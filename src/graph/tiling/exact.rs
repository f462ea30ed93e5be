//! Which results of a part of a picture are those of the whole. A part is computed as if it were a picture, so its borders are
//! padded where the whole has elements. What is computed of padding is not exact there, nor is what is computed of that: the
//! exact elements of each value are an interval, and each node makes an interval of its operands'.
//!
//! Outputs of one Winograd tile depend on all elements that the tile reads, if only by their rounding. So a convolution's
//! interval has whole tiles, and parts begin where tiles of the whole begin.

use std::ops::Range;

use super::ratio::{Ratio, lcm};
use crate::error::GraphError;
use crate::graph::interpret::taps;
use crate::graph::{ConvWeights, Coordinates, Dims, Edge, Graph, Node, Op, Pool, Resize, Target, Value};
use crate::padding::Border;
use crate::spatial::{MAX_RANK, Shape};

/// The outputs that a convolution computes together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Grid {
    /// Depth, height and width of a tile, of outputs a dilation apart.
    pub(super) tile: [usize; MAX_RANK],
    /// Whether a transform takes them together: it also reads the taps that fill up a phase of the stride.
    pub(super) transforms: bool,
}

impl Grid {
    /// Each output by itself.
    pub(super) const SINGLE: Self = Self { tile: [1; MAX_RANK], transforms: false };

    /// The grid whose tiles consist of whole tiles of both.
    pub(super) fn with(self, other: Self) -> Self {
        let tile = std::array::from_fn(|i| lcm(self.tile[i], other.tile[i]));
        Self { tile, transforms: self.transforms || other.transforms }
    }
}

/// A part of the picture along an axis.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    pub(super) start: usize,
    pub(super) size: usize,
    pub(super) whole: usize,
}

impl Span {
    const fn is_first(&self) -> bool {
        self.start == 0
    }

    const fn is_last(&self) -> bool {
        self.start + self.size == self.whole
    }
}

/// What is known of a value along an axis of the picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Track {
    /// The value's axis.
    pub(super) axis: usize,
    /// Its elements for each of the picture's.
    pub(super) scale: Ratio,
    /// Those of the part that are exact.
    pub(super) exact: Range<usize>,
}

/// What a part's analysis finds.
#[derive(Debug, Clone)]
pub(super) struct Exact {
    /// Of each output; none, if it does not depend on the axis.
    pub(super) outputs: Vec<Option<Track>>,
    /// Parts begin at multiples of this many elements of the picture.
    pub(super) align: usize,
    /// The node that asks for the largest multiple by itself.
    pub(super) aligned_by: String,
}

/// Follows a part through a graph of the part's size. `inputs` says which axis of each input is cut, and its elements for each
/// of the picture's; `grids` are those of the convolutions, in the order of the nodes.
///
/// # Errors
/// The first node whose results depend on all of the axis.
pub(super) fn follow(
    graph: &Graph,
    inputs: &[Option<(usize, Ratio)>],
    span: Span,
    grids: &[Grid],
) -> Result<Exact, GraphError> {
    let mut walk = Walk {
        graph,
        inputs: inputs.iter(),
        span,
        grids: grids.iter(),
        tracks: Vec::new(),
        align: 1,
        most: 0,
        aligned_by: "",
    };
    for node in graph.nodes() {
        let failed = |problem: String| GraphError { node: node.name().to_owned(), op: node.op().name(), problem };
        let (track, unit) = walk.node(node).map_err(failed)?;
        if let Some(Track { scale, .. }) = track {
            let own = scale.least(unit);
            walk.align = lcm(walk.align, own);
            if own > walk.most {
                (walk.most, walk.aligned_by) = (own, node.name());
            }
        }
        walk.tracks.push(track);
    }
    let outputs = graph.outputs().iter().map(|(_, value)| walk.tracks[value.index()].clone()).collect();
    Ok(Exact { outputs, align: walk.align, aligned_by: walk.aligned_by.to_owned() })
}

/// A track and the size of the tiles that it begins with.
type Found = Result<(Option<Track>, usize), String>;

struct Walk<'a> {
    graph: &'a Graph,
    inputs: std::slice::Iter<'a, Option<(usize, Ratio)>>,
    span: Span,
    grids: std::slice::Iter<'a, Grid>,
    tracks: Vec<Option<Track>>,
    align: usize,
    /// What the node asks for that asks for most.
    most: usize,
    aligned_by: &'a str,
}

/// Windows of taps along an axis.
struct Windows {
    taps: usize,
    stride: usize,
    dilation: usize,
    before: usize,
    /// Outputs of a tile.
    tile: usize,
}

impl Walk<'_> {
    fn track(&self, value: Value) -> Option<&Track> {
        self.tracks[value.index()].as_ref()
    }

    fn node(&mut self, node: &Node) -> Found {
        let single = |track: Option<Track>| Ok((track, 1));
        let grid = match node.op() {
            Op::Conv(_) | Op::Linear(_) => *self.grids.next().unwrap_or(&Grid::SINGLE),
            _ => Grid::SINGLE,
        };
        match node.op() {
            Op::Input => {
                let size = |axis: usize| 0..node.dims()[axis];
                let cut = self.inputs.next().copied().flatten();
                return single(cut.map(|(axis, scale)| Track { axis, scale, exact: size(axis) }));
            }
            Op::Constant(_) => return single(None),
            Op::Unary(_) | Op::Binary(_) | Op::Where => return single(self.joined(node, node.inputs(), &[])?),
            Op::Concat(axis) => {
                let all = self.joined(node, node.inputs(), &[])?;
                return match all {
                    Some(track) if track.axis == *axis => Err("it joins tensors along that axis".to_owned()),
                    all => single(all),
                };
            }
            Op::MatMul => return single(self.matmul(node)?),
            _ => {}
        }
        let Some(track) = self.track(node.inputs()[0]).cloned() else {
            // A residual may still be cut: then the sizes do not fit.
            return single(self.joined(node, node.inputs(), &[])?);
        };
        let axis = track.axis;
        let from = self.graph.dims(node.inputs()[0]);
        let to = node.dims();
        let found = match node.op() {
            Op::Conv(of) => {
                let (track, tile) = self.conv(of, grid, track, from, to)?;
                return Ok((self.joined(node, &node.inputs()[1..], &[track])?, tile));
            }
            Op::Linear(_) if axis + 1 == from.rank() => return Err("it sums along that axis".to_owned()),
            Op::Linear(_) => self.joined(node, &node.inputs()[1..], &[track])?,
            Op::Pool(pool) => Some(self.pool(pool, track, from, to)),
            Op::Reduce(_, axes) if axes.contains(&axis) => return Err("it reduces all of that axis".to_owned()),
            Op::Normalize { axes, .. } if axes.contains(&axis) => {
                return Err("its mean and variance are those of all of that axis".to_owned());
            }
            Op::Softmax { axis: along, .. } if *along == axis => {
                return Err("its sum is that of all of that axis".to_owned());
            }
            Op::Resize(resize) => Some(self.resize(resize, track, from, to)?),
            Op::Pad { before, after, edge } => Some(self.pad([before[axis], after[axis]], *edge, track, from, to)?),
            Op::Slice(slice) if slice.axis == axis => {
                return Err(format!("it takes {} elements along that axis, whatever its size", slice.len));
            }
            Op::Reshape(_) => return Err("it may mix that axis with others".to_owned()),
            Op::Transpose(order) => {
                let axis = order.iter().position(|&from| from == axis).unwrap_or(axis);
                Some(Track { axis, ..track })
            }
            Op::Expand(sizes) => {
                let axis = axis + to.rank() - from.rank();
                let fixed = (axis + sizes.rank()).checked_sub(to.rank()).map_or(1, |own| sizes[own]);
                if fixed != 1 {
                    return Err(format!("it gives that axis {fixed} elements, whatever its size"));
                }
                Some(Track { axis, ..track })
            }
            Op::PixelShuffle { factor, .. } | Op::PixelUnshuffle { factor, .. } if axis >= 2 => {
                Some(self.shuffled(node, *factor, &track, from))
            }
            Op::PixelShuffle { .. } | Op::PixelUnshuffle { .. } if axis == 1 => {
                return Err("it makes that axis a part of others".to_owned());
            }
            _ => Some(track),
        };
        single(found)
    }

    /// What is exact of all operands: those of these nodes, which are broadcast, and others that are laid out as the result is.
    fn joined(&self, node: &Node, operands: &[Value], others: &[Track]) -> Result<Option<Track>, String> {
        let to = node.dims();
        let own = operands.iter().filter_map(|&value| {
            let track = self.track(value)?;
            let moved = to.rank() - self.graph.dims(value).rank();
            Some(Track { axis: track.axis + moved, ..track.clone() })
        });
        let mut tracks = others.iter().cloned().chain(own);
        let Some(mut all) = tracks.next() else { return Ok(None) };
        for other in tracks {
            if (other.axis, other.scale) != (all.axis, all.scale) {
                return Err(format!("its operands are {} and {} times the picture's size", all.scale, other.scale));
            }
            all.exact = clipped(all.exact.start.max(other.exact.start)..all.exact.end.min(other.exact.end));
        }
        for &value in operands.iter().filter(|value| self.track(**value).is_none()) {
            let dims = self.graph.dims(value);
            let size = (all.axis + dims.rank()).checked_sub(to.rank()).map_or(1, |axis| dims[axis]);
            if size != 1 {
                let name = self.graph.node(value).name();
                return Err(format!(
                    "its operand {name} has {size} elements along that axis, whatever the picture's size"
                ));
            }
        }
        Ok(Some(all))
    }

    /// Matrices of a batch by themselves.
    fn matmul(&self, node: &Node) -> Result<Option<Track>, String> {
        for &value in node.inputs() {
            let rank = self.graph.dims(value).rank();
            if self.track(value).is_some_and(|track| track.axis + 2 >= rank) {
                return Err("it takes whole rows and columns".to_owned());
            }
        }
        self.joined(node, node.inputs(), &[])
    }

    fn conv(&self, of: &ConvWeights, grid: Grid, track: Track, from: Dims, to: Dims) -> Result<(Track, usize), String> {
        let (conv, axis) = (&of.conv, track.axis);
        let Some(i) = axis.checked_sub(2) else {
            return if axis == 0 { Ok((track, 1)) } else { Err("it sums along that axis".to_owned()) };
        };
        let at = axis + MAX_RANK - from.rank();
        let problem = Shape::from_slice(&from).map(|shape| conv.on(shape));
        let before = problem.and_then(Result::ok).map_or(0, |problem| problem.before[at]);
        let (taps, stride, dilation) = (conv.kernel[i], conv.stride[i], conv.dilation[i]);
        // Outputs a dilation apart are tiles of their own, all of which begin a block of whole tiles.
        let tile = grid.tile[at].saturating_mul(if grid.tile[at] > 1 { dilation } else { 1 });
        if conv.transposed.is_some() {
            let windows = Windows { taps, stride, dilation, before, tile };
            let exact = self.spread(&windows, &track, from[axis], to[axis]);
            return Ok((Track { scale: track.scale.times(Ratio::new(stride, 1)), exact, axis }, tile));
        }
        let taps = if grid.transforms { taps.next_multiple_of(stride) } else { taps };
        let windows = Windows { taps, stride, dilation, before, tile };
        // What lies beyond a border may be made of elements as far inside.
        let reach = (taps - 1).saturating_mul(dilation).saturating_add(tile.saturating_mul(stride));
        let mirrors = match conv.border {
            Border::Zero => 0,
            Border::Replicate => 1,
            Border::Reflect => reach.saturating_add(1),
            Border::Circular if taps > 1 => return Err("its border repeats the other end".to_owned()),
            Border::Circular => 0,
        };
        let exact =
            if track.exact.len() < mirrors { 0..0 } else { self.windows(&windows, &track, from[axis], to[axis]) };
        Ok((Track { scale: track.scale.times(Ratio::new(1, stride)), exact, axis }, tile))
    }

    /// Outputs whose tiles read what is exact, or lies beyond the picture.
    fn windows(&self, of: &Windows, track: &Track, size: usize, out: usize) -> Range<usize> {
        let Range { start, end } = track.exact;
        if start == end {
            return 0..0;
        }
        let reach = (of.taps - 1).saturating_mul(of.dilation);
        let first = if self.starts(track) { 0 } else { (start + of.before).div_ceil(of.stride) };
        if self.ends(track, size) {
            return clipped(first.next_multiple_of(of.tile)..out);
        }
        let last = (end + of.before).checked_sub(reach.saturating_add(1)).map_or(0, |last| last / of.stride + 1);
        clipped(first.next_multiple_of(of.tile)..last.min(out) / of.tile * of.tile)
    }

    /// The same where inputs are spread over outputs: all that reach an output must be exact.
    fn spread(&self, of: &Windows, track: &Track, size: usize, out: usize) -> Range<usize> {
        let Range { start, end } = track.exact;
        if start == end {
            return 0..0;
        }
        let reach = (of.taps - 1).saturating_mul(of.dilation);
        let first = (start * of.stride + 1 + reach).saturating_sub(of.stride + of.before);
        let first = if self.starts(track) { 0 } else { first };
        if self.ends(track, size) {
            return clipped(first.next_multiple_of(of.tile)..out);
        }
        let last = (end * of.stride).saturating_sub(of.before).min(out);
        clipped(first.next_multiple_of(of.tile)..last / of.tile * of.tile)
    }

    /// Whether a value is exact from the picture's border on.
    const fn starts(&self, track: &Track) -> bool {
        self.span.is_first() && track.exact.start == 0
    }

    /// Whether it is up to the other border.
    const fn ends(&self, track: &Track, size: usize) -> bool {
        self.span.is_last() && track.exact.end == size
    }

    fn pool(&self, pool: &Pool, track: Track, from: Dims, to: Dims) -> Track {
        let axis = track.axis;
        let Some(i) = axis.checked_sub(2) else { return track };
        let windows = Windows {
            taps: pool.kernel[i],
            stride: pool.stride[i],
            dilation: pool.dilation[i],
            before: pool.before[i],
            tile: 1,
        };
        let exact = self.windows(&windows, &track, from[axis], to[axis]);
        Track { scale: track.scale.times(Ratio::new(1, pool.stride[i])), exact, axis }
    }

    /// Outputs whose taps, with their weights, are those of the whole.
    fn resize(&self, of: &Resize, track: Track, from: Dims, to: Dims) -> Result<Track, String> {
        let axis = track.axis;
        let (given, scale) = match &of.target {
            Target::Size(sizes) => (sizes.len(), None),
            Target::Scale(scales) => (scales.len(), (axis + scales.len()).checked_sub(to.rank()).map(|i| scales[i])),
        };
        if axis + given < to.rank() {
            return Ok(track);
        }
        if of.coordinates == Coordinates::AlignCorners {
            return Err("it aligns corners, so where its outputs lie depends on the size".to_owned());
        }
        let Some(scale) = scale else {
            return Err("it gives fixed sizes: give scales".to_owned());
        };
        let odd = || format!("its scale {scale} is no fraction with a small denominator");
        let ratio = Ratio::from_float(scale).ok_or_else(odd)?;
        let (size, out) = (from[axis], to[axis]);
        let more = self.span.whole - self.span.size;
        let [whole, all] = [(size, track.scale), (out, track.scale.times(ratio))].map(|(len, of)| len + of.of(more));
        #[expect(clippy::cast_precision_loss, reason = "sizes of tensors")]
        if (whole as f64 * scale).floor() != all as f64 {
            return Err(odd());
        }
        let starts = track.scale.of(self.span.start);
        let first = ratio.of(starts);
        #[expect(clippy::cast_possible_truncation, reason = "as kernels take them")]
        let is_exact = |at: usize| {
            let own = taps(of, scale, at, out, size);
            let theirs = taps(of, scale, at + first, all, whole);
            own.iter().zip(&theirs).all(|(&(own, weight), &(index, of_whole))| {
                track.exact.contains(&own) && own + starts == index && weight as f32 == of_whole as f32
            })
        };
        let from = (0..out).find(|&at| is_exact(at)).unwrap_or(out);
        let end = (from..out).find(|&at| !is_exact(at)).unwrap_or(out);
        Ok(Track { axis, scale: track.scale.times(ratio), exact: clipped(from..end) })
    }

    fn pad(
        &self,
        [before, after]: [isize; 2],
        edge: Edge,
        track: Track,
        from: Dims,
        to: Dims,
    ) -> Result<Track, String> {
        if [before, after] == [0, 0] {
            return Ok(track);
        }
        let mirrors = match edge {
            Edge::Circular => return Err("its border repeats the other end".to_owned()),
            Edge::Constant(_) => 0,
            Edge::Replicate => 1,
            Edge::Reflect => before.max(after).max(0).unsigned_abs() + 1,
        };
        let (size, out) = (from[track.axis], to[track.axis]);
        let Range { start, end } = track.exact;
        if start == end || track.exact.len() < mirrors {
            return Ok(Track { exact: 0..0, ..track });
        }
        let moved = |at: usize| at.saturating_add_signed(before).min(out);
        let first = if self.starts(&track) { 0 } else { moved(start) };
        let last = if self.ends(&track, size) { out } else { moved(end) };
        Ok(Track { exact: clipped(first..last), ..track })
    }

    fn shuffled(&self, node: &Node, factor: usize, track: &Track, from: Dims) -> Track {
        let Range { start, end } = track.exact;
        if matches!(node.op(), Op::PixelShuffle { .. }) {
            let exact = start * factor..end * factor;
            return Track { axis: track.axis, scale: track.scale.times(Ratio::new(factor, 1)), exact };
        }
        let end = if self.ends(track, from[track.axis]) { node.dims()[track.axis] } else { end / factor };
        let exact = clipped(start.div_ceil(factor)..end);
        Track { axis: track.axis, scale: track.scale.times(Ratio::new(1, factor)), exact }
    }
}

/// An interval, or the empty one.
const fn clipped(range: Range<usize>) -> Range<usize> {
    if range.start < range.end { range } else { 0..0 }
}
