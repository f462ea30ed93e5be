//! What a convolution is: [`Conv`] describes the operator, without its input's size. Letters as in cuDNN: input `N C H W`,
//! `K` filters of `R S`, output `P Q`, and a depth before them where there is one.

use crate::activation::Activation;
use crate::dtype::DType;
use crate::error::{Result, ShapeError};
use crate::layout::{Layout, View};
use crate::padding::{Border, Padding};
use crate::spatial::{Shape, Spatial};

/// What is added to the output from a tensor like it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Residual {
    /// No residual.
    #[default]
    None,
    /// Another tensor, which lies in memory as the output does.
    Tensor,
    /// The present contents of the output.
    InPlace,
}

impl Residual {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::None, Self::Tensor, Self::InPlace];

    /// Its name in part files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Tensor => "tensor",
            Self::InPlace => "in_place",
        }
    }
}

/// A convolution (cross-correlation, as everywhere in deep learning) in one, two or three dimensions; in two:
///
/// `out[n,k,p,q] = act(bias[k] + residual[n,k,p,q] + sum over c,r,s of in[n, c, p*stride + r*dilation - pad, ...] * weights[k,c,r,s])`
///
/// Weights are `[K, C / groups, R, S]`; output channel `k` reads the input channels of group `k / (K / groups)`.
///
/// Transposed, each input element is spread over the outputs instead, as in PyTorch's `ConvTranspose` and ONNX's: output
/// `i*stride + r*dilation - pad` takes `in[n,c,i] * weights[c,k,r]`, and weights are `[C, K / groups, R, S]`.
///
/// ```
/// use winoconv::{Activation, Conv};
/// let conv = Conv::new(64, 128, [3, 3]).padding(1).bias(true).activation(Activation::Relu);
/// let problem = conv.on([1, 64, 56, 56])?;
/// assert_eq!(problem.output_shape(), [1, 128, 56, 56]);
///
/// let twice = Conv::new(8, 4, [4, 4]).transposed(0).stride(2).padding(1);
/// assert_eq!(twice.on([1, 8, 10, 20])?.output_shape(), [1, 4, 20, 40]);
/// # Ok::<(), winoconv::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Conv {
    /// Input channels, C.
    pub channels: usize,
    /// Filters, K: output channels.
    pub filters: usize,
    /// Filter size; the number of dimensions is the convolution's.
    pub kernel: Spatial,
    /// Step between outputs; transposed: between the places of inputs in the output.
    pub stride: Spatial,
    /// Step between filter taps.
    pub dilation: Spatial,
    /// Padding of the input; transposed: what is removed from the output.
    pub padding: Padding,
    /// The values of the padding.
    pub border: Border,
    /// Groups: input and output channels are divided into this many independent convolutions.
    pub groups: usize,
    /// The output padding if it is transposed, else `None`.
    pub transposed: Option<Spatial>,
    /// Whether a bias of K elements is added.
    pub bias: bool,
    /// Whether a tensor of the output's shape is added, and where it is.
    pub residual: Residual,
    /// What is applied after both.
    pub activation: Activation,
    /// How input, output and residual lie in memory: NCHW or NHWC.
    pub layout: Layout,
    /// How the weights do: OIHW or OHWI.
    pub weights_layout: Layout,
    /// How input, weights, output and residual are stored; arithmetic is in f32, and bias and slopes are f32.
    pub dtype: DType,
}

impl Conv {
    /// A convolution of `channels` to `filters` with a filter of `kernel`, which has one number for each dimension;
    /// stride and dilation 1, no padding, one group, no bias, no residual, no activation, f32, NCHW and OIHW.
    pub fn new(channels: usize, filters: usize, kernel: impl Into<Spatial>) -> Self {
        let kernel = kernel.into();
        let ones = Spatial::all(kernel.rank(), 1);
        Self {
            channels,
            filters,
            kernel,
            stride: ones,
            dilation: ones,
            padding: Padding::all(0).of_rank(kernel.rank()),
            border: Border::Zero,
            groups: 1,
            transposed: None,
            bias: false,
            residual: Residual::None,
            activation: Activation::None,
            layout: Layout::ChannelsFirst,
            weights_layout: Layout::ChannelsFirst,
            dtype: DType::F32,
        }
    }

    /// Sets the padding: one number for all sides, one for each dimension, or a [`Padding`].
    #[must_use]
    pub fn padding(mut self, padding: impl Into<Padding>) -> Self {
        self.padding = padding.into().of_rank(self.rank());
        self
    }

    /// Sets what lies in the padding.
    #[must_use]
    pub const fn border(mut self, border: Border) -> Self {
        self.border = border;
        self
    }

    /// Sets the stride: one number, or one for each dimension.
    #[must_use]
    pub fn stride(mut self, stride: impl Into<Spatial>) -> Self {
        self.stride = stride.into().of_rank(self.rank());
        self
    }

    /// Sets the dilation: one number, or one for each dimension.
    #[must_use]
    pub fn dilation(mut self, dilation: impl Into<Spatial>) -> Self {
        self.dilation = dilation.into().of_rank(self.rank());
        self
    }

    /// Sets the number of groups.
    #[must_use]
    pub const fn groups(mut self, groups: usize) -> Self {
        self.groups = groups;
        self
    }

    /// Makes it a transposed convolution, with so many elements added to the output's end: PyTorch's `output_padding`,
    /// of several sizes of output that a convolution brings to the same size of input, the one that is meant.
    #[must_use]
    pub fn transposed(mut self, output_padding: impl Into<Spatial>) -> Self {
        self.transposed = Some(output_padding.into().of_rank(self.rank()));
        self
    }

    /// Whether there is a bias.
    #[must_use]
    pub const fn bias(mut self, bias: bool) -> Self {
        self.bias = bias;
        self
    }

    /// Sets whether a residual is added before the activation, and where it is.
    #[must_use]
    pub const fn residual(mut self, residual: Residual) -> Self {
        self.residual = residual;
        self
    }

    /// Sets the activation.
    #[must_use]
    pub const fn activation(mut self, activation: Activation) -> Self {
        self.activation = activation;
        self
    }

    /// Sets how input, output and residual lie in memory.
    #[must_use]
    pub const fn layout(mut self, layout: Layout) -> Self {
        self.layout = layout;
        self
    }

    /// Sets how the weights lie in memory.
    #[must_use]
    pub const fn weights_layout(mut self, layout: Layout) -> Self {
        self.weights_layout = layout;
        self
    }

    /// Sets how tensors are stored. What is beyond the largest number of a type becomes infinite when it is stored.
    #[must_use]
    pub const fn dtype(mut self, dtype: DType) -> Self {
        self.dtype = dtype;
        self
    }

    /// Number of dimensions, 1 to 3.
    pub const fn rank(&self) -> usize {
        self.kernel.rank()
    }

    /// `[K, C / groups, R, S]`; transposed `[C, K / groups, R, S]`.
    pub fn weights_shape(&self) -> Shape {
        match self.transposed {
            None => Shape::new(self.filters, self.channels / self.groups.max(1), self.kernel),
            Some(_) => Shape::new(self.channels, self.filters / self.groups.max(1), self.kernel),
        }
    }

    /// Where the weights lie.
    pub fn weights_view(&self) -> View {
        View::dense(self.weights_shape(), self.weights_layout)
    }

    /// Elements of the weights, `K * C / groups * R * S`.
    pub fn weights_len(&self) -> usize {
        self.weights_shape().elements()
    }

    /// Whether every input channel is a group of its own.
    pub const fn is_depthwise(&self) -> bool {
        self.groups == self.channels
    }

    /// Checks everything that does not depend on the input's size.
    ///
    /// # Errors
    /// [`ShapeError`] with the numbers.
    pub fn validate(&self) -> Result<()> {
        let rank = self.rank();
        if rank == 0 {
            return Err(ShapeError::Rank { what: "the kernel", expected: "1 to 3: write [3, 3], not 3", got: 0 }.into());
        }
        let mut by_dimension = vec![("stride", self.stride), ("dilation", self.dilation)];
        if let Padding::Explicit { before, after } = self.padding {
            by_dimension.extend([("padding before", before), ("padding after", after)]);
        }
        by_dimension.extend(self.transposed.map(|extra| ("output padding", extra)));
        for (what, sizes) in by_dimension {
            if sizes.rank() != rank {
                return Err(ShapeError::Dimensions { what, expected: rank, got: sizes.rank() }.into());
            }
        }
        let sizes = [("channels", self.channels), ("filters", self.filters), ("groups", self.groups)];
        let spatial = [("kernel", self.kernel), ("stride", self.stride), ("dilation", self.dilation)];
        let zero = sizes.into_iter().find(|(_, size)| *size == 0).map(|(what, _)| what);
        if let Some(what) = zero.or_else(|| spatial.into_iter().find(|(_, s)| s.contains(&0)).map(|(what, _)| what)) {
            return Err(ShapeError::Zero { what }.into());
        }
        for (what, got) in [("channels", self.channels), ("filters", self.filters)] {
            if got % self.groups != 0 {
                return Err(ShapeError::Groups { what, got, groups: self.groups }.into());
            }
        }
        if let Some(extra) = self.transposed {
            if self.border != Border::Zero {
                return Err(ShapeError::Border { border: self.border.name() }.into());
            }
            for i in 0..rank {
                let bound = self.stride[i].max(self.dilation[i]);
                if extra[i] >= bound {
                    return Err(ShapeError::OutputPadding { got: extra[i], bound }.into());
                }
            }
        }
        self.activation.validate()?;
        if self.weights_shape().elements() == usize::MAX {
            let numbers = self.weights_shape().to_string();
            return Err(ShapeError::Overflow { what: "the weights' size", numbers }.into());
        }
        Ok(())
    }
}
