//! What a network comes to: steps over tensors that lie somewhere in buffers.

use std::fmt;
use std::sync::Arc;

use crate::activation::Activation;
use crate::conv::Residual;
use crate::graph::format::Format;
use crate::graph::map::Map;
use crate::graph::{ConvWeights, Dims, MAX_DIMS, Pool, PoolKind, Reduction};

/// A buffer of a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum BufferId {
    /// The caller's input of this position.
    Input(usize),
    /// The caller's output of this position.
    Output(usize),
    /// Numbers that are known.
    Constant(usize),
    /// A buffer of the program's own.
    Own(usize),
}

/// A tensor in a buffer, in elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) buffer: BufferId,
    /// The first element.
    pub(crate) offset: usize,
    pub(crate) dims: Dims,
    /// From each index of an axis to the next.
    pub(crate) strides: [isize; MAX_DIMS],
}

impl Place {
    /// A tensor without gaps at the start of a buffer.
    pub(crate) fn dense(buffer: BufferId, dims: Dims) -> Self {
        Self { buffer, offset: 0, dims, strides: dims.strides().map(usize::cast_signed) }
    }

    /// A tensor as a format stores it, in bytes where those are its elements.
    pub(super) fn of_format(format: Format, buffer: BufferId, dims: Dims) -> Self {
        let mut place = Self::dense(buffer, dims);
        if let Some(pixels) = format.as_pixels() {
            let (first, strides) = pixels.strides(dims);
            place.offset = first;
            place.strides[..strides.len()].copy_from_slice(&strides);
        }
        place
    }

    pub(crate) fn strides(&self) -> &[isize] {
        &self.strides[..self.dims.rank()]
    }

    /// Whether it has no gaps: axes of one element may have any stride.
    pub(super) fn is_dense(&self) -> bool {
        let dense = self.dims.strides();
        (0..self.dims.rank()).all(|axis| self.dims[axis] <= 1 || self.strides[axis] == dense[axis].cast_signed())
    }

    /// The same elements seen as a broadcast tensor.
    pub(crate) fn broadcast(&self, to: Dims) -> Self {
        let missing = to.rank() - self.dims.rank();
        let mut strides = [0; MAX_DIMS];
        for axis in 0..self.dims.rank() {
            strides[missing + axis] = if self.dims[axis] == to[missing + axis] { self.strides[axis] } else { 0 };
        }
        Self { dims: to, strides, ..*self }
    }

    /// A tensor without gaps, whose axes follow one another in memory as those of `like` do, if that has as many.
    pub(super) fn ordered_as(buffer: BufferId, dims: Dims, like: &Self) -> Self {
        let mut place = Self::dense(buffer, dims);
        if like.dims.rank() == dims.rank() {
            let mut step = 1;
            for axis in like.order().into_iter().rev() {
                place.strides[axis] = step;
                step *= dims[axis].cast_signed();
            }
        }
        place
    }

    /// The axes, that with the longest way from index to index first; those of one element where they stand.
    pub(crate) fn order(&self) -> Vec<usize> {
        let mut axes: Vec<usize> = (0..self.dims.rank()).filter(|&axis| self.dims[axis] != 1).collect();
        axes.sort_by_key(|&axis| std::cmp::Reverse(self.strides[axis]));
        for axis in (0..self.dims.rank()).filter(|&axis| self.dims[axis] == 1) {
            axes.insert(axis, axis);
        }
        axes
    }

    /// The same elements with axes in another order.
    pub(crate) fn permuted(&self, order: &[usize]) -> Self {
        let mut place = *self;
        for (axis, &from) in order.iter().enumerate() {
            place.dims = place.dims.with(axis, self.dims[from]);
            place.strides[axis] = self.strides[from];
        }
        place
    }

    /// Whether its axes follow one another in memory as they stand.
    pub(crate) fn is_row_major(&self) -> bool {
        self.order().is_sorted()
    }

    /// Whether the channels of an image lie side by side.
    pub(crate) fn is_channels_last(&self) -> bool {
        let last = self.dims.rank() - 1;
        self.strides[1] == 1
            && self.permuted(&[&[0][..], &(2..=last).collect::<Vec<_>>(), &[1]].concat()).is_row_major()
    }

    /// Whether it has no gaps, in whatever order its axes follow one another.
    pub(super) fn is_packed(&self) -> bool {
        self.permuted(&self.order()).is_dense()
    }

    /// Whether elements of the same index lie as far from the first one in both.
    pub(super) fn lies_as(&self, other: &Self) -> bool {
        let same = |axis: usize| self.dims[axis] == 1 || self.strides[axis] == other.strides[axis];
        self.dims == other.dims && (0..self.dims.rank()).all(same)
    }

    /// A part of a tensor without gaps, where that tensor lies elsewhere; none, if it is looked at otherwise.
    pub(super) fn within(&self, whole: &Self, moved: &Self) -> Option<Self> {
        let rank = whole.dims.rank();
        let same = (0..rank).all(|axis| self.dims.get(axis) == Some(&1) || self.strides[axis] == whole.strides[axis]);
        if self.dims.rank() != rank || !same || self.dims.contains(&0) {
            return None;
        }
        let (mut rest, mut offset) = (self.offset.checked_sub(whole.offset)?, moved.offset);
        for axis in whole.order().into_iter().filter(|&axis| whole.dims[axis] > 1) {
            let step = whole.strides[axis].unsigned_abs();
            let index = rest / step;
            rest %= step;
            if index + self.dims[axis] > whole.dims[axis] {
                return None;
            }
            offset = offset.wrapping_add_signed(moved.strides[axis] * index.cast_signed());
        }
        (rest == 0).then_some(Self { offset, dims: self.dims, ..*moved })
    }

    /// One past the last element that is reached.
    pub(crate) fn end(&self) -> usize {
        if self.dims.contains(&0) {
            return self.offset;
        }
        let reach = self.dims.iter().zip(self.strides()).map(|(&size, &step)| (size - 1) * step.max(0).unsigned_abs());
        self.offset + reach.sum::<usize>() + 1
    }
}

/// What a step does.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Work {
    /// A convolution of input and, if it has one, residual.
    Conv(Arc<ConvWeights>),
    /// A function of each element of the inputs, which are broadcast already.
    Map(Map),
    /// Pooling over the axes behind the first two.
    Pool(Window),
    /// A weighted sum of elements along each of the last axes.
    Resample(Vec<AxisTaps>),
    /// A reduction along the axes whose size differs.
    Reduce(Reduction),
    /// `(x - mean) / sqrt(variance + epsilon)` along axes.
    Normalize(Vec<usize>, f32),
    /// Softmax along an axis, or its logarithm.
    Softmax(usize, bool),
    /// The product of matrices.
    MatMul,
    /// A tensor as the caller's buffer stores it, where several elements share a word.
    Encode(Format),
}

/// A pooling of three dimensions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) kind: PoolKind,
    pub(crate) kernel: [usize; 3],
    pub(crate) stride: [usize; 3],
    pub(crate) dilation: [usize; 3],
    pub(crate) before: [usize; 3],
    pub(crate) after: [usize; 3],
}

impl Window {
    /// Dimensions that are missing have one element.
    pub(super) fn of(pool: &Pool) -> Self {
        let three = |sizes: Dims, missing: usize| {
            let mut all = [missing; 3];
            all[3 - sizes.rank()..].copy_from_slice(&sizes);
            all
        };
        Self {
            kind: pool.kind,
            kernel: three(pool.kernel, 1),
            stride: three(pool.stride, 1),
            dilation: three(pool.dilation, 1),
            before: three(pool.before, 0),
            after: three(pool.after, 0),
        }
    }
}

/// Which elements of an axis an output is made of.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct AxisTaps {
    /// The axis.
    pub(crate) axis: usize,
    /// How many elements each output has.
    pub(crate) count: usize,
    /// Their indices, output by output. Where a constant stands it is the axis's size.
    pub(crate) indices: Vec<u32>,
    /// Their weights.
    pub(crate) weights: Vec<f32>,
}

/// A step of a program.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Step {
    /// The node that it ends with.
    pub(crate) name: String,
    pub(crate) work: Work,
    pub(crate) inputs: Vec<Place>,
    pub(crate) output: Place,
}

impl Step {
    pub(super) fn reads(&self, buffer: BufferId) -> bool {
        self.inputs.iter().any(|input| input.buffer == buffer)
    }

    /// Whether it can write a tensor that lies so.
    pub(super) fn writes(&self, to: &Place) -> bool {
        match self.work {
            Work::MatMul => to.is_row_major(),
            Work::Pool(_) => to.is_row_major() || (to.is_channels_last() && self.inputs[0].strides[1] == 1),
            _ => true,
        }
    }
}

impl fmt::Display for BufferId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Input(i) => write!(f, "input {i}"),
            Self::Output(i) => write!(f, "output {i}"),
            Self::Constant(i) => write!(f, "constant {i}"),
            Self::Own(i) => write!(f, "buffer {i}"),
        }
    }
}

impl fmt::Display for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Conv(of) => {
                write!(f, "conv {} -> {} {}", of.conv.channels, of.conv.filters, of.conv.kernel)?;
                if of.conv.bias {
                    f.write_str(" + bias")?;
                }
                f.write_str(match of.conv.residual {
                    Residual::None => "",
                    Residual::Tensor => " + residual",
                    Residual::InPlace => " + residual in place",
                })?;
                match of.conv.activation {
                    Activation::None => Ok(()),
                    activation => write!(f, ", {activation}"),
                }
            }
            Self::Map(map) if map.is_copy() => f.write_str("copy"),
            Self::Map(map) => write!(f, "map of {} operations", map.code.len()),
            Self::Pool(window) => write!(f, "pool {:?}", window.kind),
            Self::Resample(_) => f.write_str("resample"),
            Self::Reduce(reduction) => write!(f, "reduce {reduction:?}"),
            Self::Normalize(..) => f.write_str("normalize"),
            Self::Softmax(..) => f.write_str("softmax"),
            Self::MatMul => f.write_str("matmul"),
            Self::Encode(format) => write!(f, "encode as {format}"),
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} -> {} in {}", self.name, self.work, self.output.dims, self.output.buffer)?;
        match self.output.offset {
            0 => Ok(()),
            offset => write!(f, " from element {offset}"),
        }
    }
}
