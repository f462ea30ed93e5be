//! What nodes compute.

use std::fmt;
use std::sync::Arc;

use super::dims::Dims;
use crate::activation::Activation;
use crate::conv::Conv;

/// A function of one element.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Unary {
    /// `-x`
    Neg,
    /// `|x|`
    Abs,
    /// `e^x`
    Exp,
    /// The natural logarithm.
    Log,
    /// The square root.
    Sqrt,
    /// `1 / x`
    Reciprocal,
    /// The error function.
    Erf,
    /// The largest integer that is not larger.
    Floor,
    /// The smallest integer that is not smaller.
    Ceil,
    /// The nearest integer, halves to even.
    Round,
    /// -1, 0 or 1.
    Sign,
    /// The sine.
    Sin,
    /// The cosine.
    Cos,
    /// 1 for 0, else 0.
    Not,
    /// An activation.
    Activate(Activation),
}

/// A function of two elements. Comparisons give 1 or 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Binary {
    /// `a + b`
    Add,
    /// `a - b`
    Sub,
    /// `a * b`
    Mul,
    /// `a / b`
    Div,
    /// `a^b`
    Pow,
    /// The smaller one.
    Min,
    /// The larger one.
    Max,
    /// `a` if positive, else `a * b`.
    PRelu,
    /// `a > b`
    Greater,
    /// `a >= b`
    GreaterEqual,
    /// `a < b`
    Less,
    /// `a <= b`
    LessEqual,
    /// `a == b`
    Equal,
}

/// What a pooling keeps of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PoolKind {
    /// The largest element. Padding is never the largest.
    Max,
    /// The mean of the elements.
    Average {
        /// Whether padding counts as zeros.
        counts_padding: bool,
    },
}

/// Pooling over the dimensions behind the first two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Pool {
    /// What is kept.
    pub kind: PoolKind,
    /// Sizes of the window.
    pub kernel: Dims,
    /// From one window to the next.
    pub stride: Dims,
    /// Elements between neighbours of a window.
    pub dilation: Dims,
    /// Padding before the first element.
    pub before: Dims,
    /// Padding behind the last one.
    pub after: Dims,
    /// Whether a last window that is not full counts.
    pub ceil: bool,
}

impl Pool {
    /// A window of these sizes that moves by its own size, as in PyTorch: no padding, no ceiling.
    pub fn new(kind: PoolKind, kernel: impl Into<Dims>) -> Self {
        let kernel = kernel.into();
        let all = |size| kernel.iter().enumerate().fold(kernel, |dims, (axis, _)| dims.with(axis, size));
        Self { kind, kernel, stride: kernel, dilation: all(1), before: all(0), after: all(0), ceil: false }
    }

    /// Max pooling.
    pub fn max(kernel: impl Into<Dims>) -> Self {
        Self::new(PoolKind::Max, kernel)
    }

    /// Average pooling that counts padding, as PyTorch does.
    pub fn average(kernel: impl Into<Dims>) -> Self {
        Self::new(PoolKind::Average { counts_padding: true }, kernel)
    }

    /// Sets the stride.
    #[must_use]
    pub fn stride(self, stride: impl Into<Dims>) -> Self {
        Self { stride: stride.into(), ..self }
    }

    /// Sets the padding on both sides.
    #[must_use]
    pub fn padding(self, padding: impl Into<Dims>) -> Self {
        let padding = padding.into();
        Self { before: padding, after: padding, ..self }
    }

    /// Sets whether a last window that is not full counts.
    #[must_use]
    pub const fn ceil(self, ceil: bool) -> Self {
        Self { ceil, ..self }
    }

    /// How many windows there are along an axis of so many elements; `None` if the first one does not fit.
    pub(super) fn windows(&self, axis: usize, size: usize) -> Option<usize> {
        let span = self.dilation[axis].checked_mul(self.kernel[axis] - 1)?.checked_add(1)?;
        let padded = size.checked_add(self.before[axis])?.checked_add(self.after[axis])?;
        let room = padded.checked_sub(span)?;
        let stride = self.stride[axis];
        let mut windows = room / stride + 1;
        // A window that begins in the padding behind the last element would have nothing.
        if self.ceil && !room.is_multiple_of(stride) && windows.saturating_mul(stride) < size + self.before[axis] {
            windows += 1;
        }
        Some(windows)
    }
}

/// What a reduction makes of the elements along its axes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reduction {
    /// The sum.
    Sum,
    /// The mean.
    Mean,
    /// The largest.
    Max,
    /// The smallest.
    Min,
    /// The product.
    Product,
    /// The square root of the sum of squares.
    L2,
}

/// How a resampling places its outputs among the inputs. `x` counts outputs, `scale` is outputs per input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Coordinates {
    /// `(x + 0.5) / scale - 0.5`: PyTorch's `align_corners=False`.
    HalfPixel,
    /// The same, and 0 where there is one output: ONNX's `pytorch_half_pixel`.
    PytorchHalfPixel,
    /// `x * (inputs - 1) / (outputs - 1)`: PyTorch's `align_corners=True`.
    AlignCorners,
    /// `x / scale`: PyTorch's nearest.
    Asymmetric,
}

/// How a resampling takes elements between others.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Filter {
    /// The nearest element.
    Nearest(Rounding),
    /// Two neighbours along each axis.
    Linear,
    /// Four neighbours along each axis, with this coefficient: -0.75 in PyTorch and ONNX.
    Cubic(f32),
}

/// Which element is the nearest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rounding {
    /// Halves go down.
    PreferFloor,
    /// Halves go up.
    PreferCeil,
    /// Always down: PyTorch's nearest.
    Floor,
    /// Always up.
    Ceil,
}

/// The sizes that a resampling gives.
#[derive(Debug, Clone, PartialEq)]
pub enum Target {
    /// These sizes of the last axes.
    Size(Vec<usize>),
    /// The sizes of the last axes times these, rounded down.
    Scale(Vec<f64>),
}

/// Resampling of the last axes.
#[derive(Debug, Clone, PartialEq)]
pub struct Resize {
    /// To which sizes.
    pub target: Target,
    /// By which filter.
    pub filter: Filter,
    /// Where outputs lie.
    pub coordinates: Coordinates,
}

/// What lies around a tensor that is padded.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Edge {
    /// A number.
    Constant(f32),
    /// The elements mirrored at the border, which is not repeated.
    Reflect,
    /// The element at the border.
    Replicate,
    /// The elements from the other side.
    Circular,
}

/// Values along an axis: `start, start + step, ...`, `len` of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Slice {
    /// The axis.
    pub axis: usize,
    /// The first index.
    pub start: usize,
    /// From one index to the next; may be negative.
    pub step: isize,
    /// How many.
    pub len: usize,
}

/// What a node computes of its inputs.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Op {
    /// A tensor that the caller gives.
    Input,
    /// A tensor that is known.
    Constant(Arc<[f32]>),
    /// A convolution of the first input; a second one is the residual.
    Conv(Arc<ConvWeights>),
    /// The same weights for each row of the last axis: a convolution of one tap over channels last. A second input is the
    /// residual.
    Linear(Arc<ConvWeights>),
    /// Pooling.
    Pool(Box<Pool>),
    /// A reduction along axes, which stay with size 1.
    Reduce(Reduction, Vec<usize>),
    /// `(x - mean) / sqrt(variance + epsilon)`, both along axes.
    Normalize {
        /// The axes.
        axes: Vec<usize>,
        /// Added to the variance.
        epsilon: f32,
    },
    /// `e^x` divided by its sum along an axis; its logarithm, if `log`.
    Softmax {
        /// The axis.
        axis: usize,
        /// Whether it is the logarithm.
        log: bool,
    },
    /// The product of matrices, which the last two axes are; the others are broadcast.
    MatMul,
    /// A function of each element.
    Unary(Unary),
    /// A function of the elements of two tensors, which are broadcast.
    Binary(Binary),
    /// The second input where the first one is not 0, else the third.
    Where,
    /// Resampling.
    Resize(Resize),
    /// Elements around the tensor; negative numbers take away.
    Pad {
        /// Before the first element of each axis.
        before: Vec<isize>,
        /// Behind the last one.
        after: Vec<isize>,
        /// What is put there.
        edge: Edge,
    },
    /// Inputs one behind the other along an axis.
    Concat(usize),
    /// A part along an axis.
    Slice(Slice),
    /// The same elements in other dimensions. 0 keeps a size, one -1 is what is left.
    Reshape(Vec<isize>),
    /// The axes in another order: output axis `i` is input axis `order[i]`.
    Transpose(Vec<usize>),
    /// Broadcast to sizes.
    Expand(Dims),
    /// `[N, C r^2, H, W]` to `[N, C, H r, W r]`.
    PixelShuffle {
        /// r.
        factor: usize,
        /// How the channels of a block are ordered.
        order: BlockOrder,
    },
    /// `[N, C, H, W]` to `[N, C r^2, H / r, W / r]`.
    PixelUnshuffle {
        /// r.
        factor: usize,
        /// How the channels of a block are ordered.
        order: BlockOrder,
    },
}

/// How channels and places in a block are one axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BlockOrder {
    /// `[C, r, r]`: PyTorch's, and ONNX's CRD.
    ChannelFirst,
    /// `[r, r, C]`: ONNX's DCR and `SpaceToDepth`.
    PlaceFirst,
}

/// A convolution with its weights.
#[derive(Debug, Clone, PartialEq)]
pub struct ConvWeights {
    /// The operator. Its residual is decided by the node's inputs.
    pub conv: Conv,
    /// As [`Conv::weights_shape`] says.
    pub weights: Arc<[f32]>,
    /// A number for each filter, or none.
    pub bias: Arc<[f32]>,
    /// Slopes of a PReLU, or none.
    pub slopes: Arc<[f32]>,
}

impl Op {
    /// The name in errors and prints.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Constant(_) => "constant",
            Self::Conv(_) => "conv",
            Self::Linear(_) => "linear",
            Self::Pool(pool) => match pool.kind {
                PoolKind::Max => "max_pool",
                PoolKind::Average { .. } => "avg_pool",
            },
            Self::Reduce(..) => "reduce",
            Self::Normalize { .. } => "normalize",
            Self::Softmax { .. } => "softmax",
            Self::MatMul => "matmul",
            Self::Unary(Unary::Activate(activation)) => activation.name(),
            Self::Unary(_) => "unary",
            Self::Binary(_) => "binary",
            Self::Where => "where",
            Self::Resize(_) => "resize",
            Self::Pad { .. } => "pad",
            Self::Concat(_) => "concat",
            Self::Slice(_) => "slice",
            Self::Reshape(_) => "reshape",
            Self::Transpose(_) => "transpose",
            Self::Expand(_) => "expand",
            Self::PixelShuffle { .. } => "pixel_shuffle",
            Self::PixelUnshuffle { .. } => "pixel_unshuffle",
        }
    }
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unary(Unary::Activate(activation)) => activation.fmt(f),
            Self::Unary(function) => write!(f, "{}", format!("{function:?}").to_lowercase()),
            Self::Binary(function) => write!(f, "{}", format!("{function:?}").to_lowercase()),
            Self::Reduce(reduction, axes) => write!(f, "reduce {reduction:?} {axes:?}"),
            Self::Conv(of) => write!(f, "conv {} -> {} {}", of.conv.channels, of.conv.filters, of.conv.kernel),
            other => f.write_str(other.name()),
        }
    }
}
