//! A convolution on an input of a known size, checked: what a plan is made for.

mod axis;
mod correlations;
#[cfg(test)]
mod tests;

use std::fmt;

use self::axis::{AXES, Axis};
#[cfg(feature = "graph")]
pub(crate) use self::correlations::gcd;
use crate::activation::Activation;
use crate::conv::{Conv, Residual};
use crate::correlation::Correlation;
use crate::dtype::DType;
use crate::error::{Error, LimitError, Resource, Result, ShapeError};
use crate::layout::{Layout, View};
use crate::padding::Border;
use crate::spatial::{MAX_RANK, Shape, Spatial};

/// The furthest element, and the furthest coordinate in a padded input: what 32 bits and a sign reach.
pub(crate) const MAX_INDEX: usize = (u32::MAX >> 1) as usize;
/// Most phases that results come in, each a correlation of its own: strides of 4096 in one dimension, 64 in two, 16 in
/// three.
const MAX_PHASES: u64 = 4096;

/// What is computed of a convolution.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Operation {
    /// The output, from the input and the weights.
    #[default]
    Forward,
    /// The gradient of the input, from that of the output and the weights.
    InputGradient,
    /// The gradient of the weights, from the input and the output's gradient.
    WeightGradient,
    /// The gradient before the activation, from what it [keeps](Activation::kept) and the output's gradient.
    ActivationGradient,
    /// The gradient of the bias, from that of what the activation is applied to.
    BiasGradient,
    /// The gradient of PReLU's slopes, from what it is applied to and the output's gradient.
    SlopeGradient,
}

impl Operation {
    /// What [`Problem::source`] is, for errors.
    pub(crate) const fn source_name(self) -> &'static str {
        match self {
            Self::Forward | Self::WeightGradient => "the input",
            Self::InputGradient | Self::BiasGradient => "the output's gradient",
            Self::ActivationGradient | Self::SlopeGradient => "what the activation keeps",
        }
    }

    /// Whether [`Problem::factor`] is the output's gradient, and not the weights.
    pub(crate) const fn reads_gradient(self) -> bool {
        matches!(self, Self::WeightGradient | Self::ActivationGradient | Self::SlopeGradient)
    }

    /// Whether it is of the convolution's end alone, and no correlation.
    pub(crate) const fn is_of_end(self) -> bool {
        matches!(self, Self::ActivationGradient | Self::BiasGradient | Self::SlopeGradient)
    }

    /// How results are stored unless a problem says otherwise.
    pub(crate) const fn result_type(self, conv: &Conv) -> DType {
        match self {
            Self::Forward | Self::InputGradient | Self::ActivationGradient => conv.dtype,
            Self::WeightGradient | Self::BiasGradient | Self::SlopeGradient => DType::F32,
        }
    }

    /// The convolution as far as the operation depends on it.
    const fn conv(self, conv: &Conv) -> Conv {
        match self {
            Self::Forward => *conv,
            Self::ActivationGradient | Self::SlopeGradient => Conv { bias: false, residual: Residual::None, ..*conv },
            _ => Conv { bias: false, residual: Residual::None, activation: Activation::None, ..*conv },
        }
    }
}

/// An operand as it lies in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Placed {
    /// Its sizes.
    pub shape: Shape,
    /// Where its elements lie.
    pub view: View,
}

impl Placed {
    /// Elements of memory, up to its last one.
    pub fn len(&self) -> usize {
        self.view.span(self.shape)
    }

    /// Calls with the position of each element, in the order of the shape.
    pub fn each_position(&self, mut visit: impl FnMut(usize)) {
        let [d, h, w] = self.shape.spatial().dhw(1);
        for (n, c) in (0..self.shape[0]).flat_map(|n| (0..self.shape[1]).map(move |c| (n, c))) {
            for (z, y) in (0..d).flat_map(|z| (0..h).map(move |y| (z, y))) {
                (0..w).for_each(|x| visit(self.view.index(n, c, [z, y, x])));
            }
        }
    }

    /// Whether it has no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A convolution (or one of its gradients) on an input of a known size. [`Conv::on`] makes one and checks it; whatever changes
/// it afterwards checks it anew, so that every problem is consistent.
///
/// ```compile_fail,E0616
/// # use winoconv::{Conv, Operation};
/// let mut problem = Conv::new(8, 2, [3, 3]).bias(true).on([1, 8, 8, 8])?;
/// problem.operation = Operation::InputGradient;
/// # Ok::<(), winoconv::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Problem {
    /// The operator.
    pub(crate) conv: Conv,
    /// What is computed of it.
    pub(crate) operation: Operation,
    /// Batch.
    pub(crate) n: usize,
    /// Depth, height and width of the convolution's input; 1 where there is no such dimension.
    pub(crate) input: [usize; MAX_RANK],
    /// Of its output.
    pub(crate) output: [usize; MAX_RANK],
    /// Padding before the first element.
    pub(crate) before: [usize; MAX_RANK],
    /// Where the input (or its gradient) lies.
    pub(crate) input_view: View,
    /// Where the output does, and a residual.
    pub(crate) output_view: View,
    /// How the result is stored, see [`Self::with_result_type`].
    pub(crate) result_type: DType,
}

impl Conv {
    /// This convolution on an input of `[N, C, H, W]` (or of other dimensions, as the kernel has).
    ///
    /// # Errors
    /// [`ShapeError`] where the two do not fit, [`crate::error::LimitError`] where a tensor has more elements than a
    /// 32-bit index reaches.
    pub fn on(&self, input: impl Into<Shape>) -> Result<Problem> {
        Problem::new(self, input.into())
    }
}

impl Problem {
    /// The convolution on an input of this shape, both tensors dense: see [`Conv::on`].
    pub(crate) fn new(conv: &Conv, shape: Shape) -> Result<Self> {
        conv.validate()?;
        let (rank, spatial) = (conv.rank(), shape.spatial());
        if spatial.rank() != rank {
            return Err(ShapeError::Dimensions { what: "the input", expected: rank, got: spatial.rank() }.into());
        }
        if shape[1] != conv.channels {
            return Err(ShapeError::Channels { expected: conv.channels, got: shape[1] }.into());
        }
        let mut of_output = Spatial::all(rank, 1);
        let mut before = [0; MAX_RANK];
        let mut sizes = vec![];
        for i in 0..rank {
            let axis = Axis::of(conv, i, spatial[i]);
            let (out, pad) = axis.output()?;
            sizes.push(out);
            before[MAX_RANK - rank + i] = pad;
        }
        if let Some(found) = Spatial::from_slice(&sizes) {
            of_output = found;
        }
        let output = Shape::new(shape[0], conv.filters, of_output);
        let problem = Self {
            conv: *conv,
            operation: Operation::Forward,
            n: shape[0],
            input: spatial.dhw(1),
            output: of_output.dhw(1),
            before,
            input_view: View::dense(shape, conv.layout),
            output_view: View::dense(output, conv.layout),
            result_type: Operation::Forward.result_type(conv),
        };
        for (what, shape) in [("the input's size", shape), ("the output's size", output)] {
            if shape.elements() == usize::MAX {
                return Err(ShapeError::Overflow { what, numbers: shape.to_string() }.into());
            }
        }
        problem.check_reach()?;
        Ok(problem)
    }

    /// The same with an input that lies in memory like this: rows with gaps, a part of a larger tensor.
    ///
    /// # Errors
    /// If an element lies beyond the reach of a 32-bit index; [`ShapeError::Overlap`] where it is written and elements
    /// share a place.
    pub fn with_input_view(self, view: View) -> Result<Self> {
        self.with_views(view, self.output_view)
    }

    /// The same with an output (and residual) that lies in memory like this: a slice of the channels of a larger tensor,
    /// see [`View::channels`].
    ///
    /// # Errors
    /// As [`Self::with_input_view`].
    pub fn with_output_view(self, view: View) -> Result<Self> {
        self.with_views(self.input_view, view)
    }

    pub(crate) fn with_views(self, input_view: View, output_view: View) -> Result<Self> {
        let placed = Self { input_view, output_view, ..self };
        placed.check_views()?;
        Ok(placed)
    }

    /// The same with a result that is stored in this type. Otherwise an output and an input gradient are stored as the
    /// convolution's tensors, and a weight gradient in f32: it is a long sum, it often is smaller than the smallest half,
    /// and it is added to weights that are kept in f32.
    ///
    /// ```
    /// use winoconv::{Conv, DType};
    /// let problem = Conv::new(8, 8, [3, 3]).padding(1).dtype(DType::F16).on([1, 8, 16, 16])?;
    /// assert_eq!(problem.weight_gradient()?.result_type(), DType::F32);
    /// assert_eq!(problem.weight_gradient()?.with_result_type(DType::F16)?.result_type(), DType::F16);
    /// assert_eq!(problem.input_gradient()?.with_result_type(DType::F32)?.result_type(), DType::F32);
    /// # Ok::<(), winoconv::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Unsupported`] for results in f16 of tensors in f32.
    pub fn with_result_type(self, dtype: DType) -> Result<Self> {
        if (self.conv.dtype, dtype) == (DType::F32, DType::F16) {
            return Err(Error::Unsupported {
                what: "an f16 result for f32 tensors".to_owned(),
                why: "the result is stored in the type of the tensors, or in f32".to_owned(),
            });
        }
        Ok(Self { result_type: dtype, ..self })
    }

    /// How the result is stored.
    pub const fn result_type(&self) -> DType {
        self.result_type
    }

    /// The gradient of the input, from that of the output and the weights, before bias, residual and activation: their own
    /// derivatives are the caller's.
    ///
    /// # Errors
    /// [`Error::Unsupported`] where the border is not zero: several elements would share a gradient.
    pub fn input_gradient(&self) -> Result<Self> {
        if self.conv.border != Border::Zero {
            return Err(Error::Unsupported {
                what: format!("the input gradient with a {} border", self.conv.border),
                why: "the border repeats input elements; pad the input first, and convolve without padding".to_owned(),
            });
        }
        self.gradient(Operation::InputGradient)
    }

    /// The gradient of the weights, from the input ([`crate::plan::Slot::Input`]) and the output's gradient
    /// ([`crate::plan::Slot::Weights`]), summed over the batch; as [`Self::input_gradient`] before bias and activation.
    ///
    /// # Errors
    /// None at present.
    pub fn weight_gradient(&self) -> Result<Self> {
        self.gradient(Operation::WeightGradient)
    }

    /// The gradient before the activation (and so of a residual), from what the activation keeps
    /// ([`crate::plan::Slot::Input`], see [`Activation::kept`]) and the gradient behind it
    /// ([`crate::plan::Slot::Weights`]). All three lie as the output does.
    ///
    /// # Errors
    /// [`Error::Unsupported`] for a gradient's problem, which has no activation.
    pub fn activation_gradient(&self) -> Result<Self> {
        if !matches!(self.operation, Operation::Forward | Operation::ActivationGradient | Operation::SlopeGradient) {
            return Err(Error::Unsupported {
                what: format!("the activation gradient of the {self}"),
                why: "a gradient has no activation; call activation_gradient on the forward problem".to_owned(),
            });
        }
        self.gradient(Operation::ActivationGradient)
    }

    /// The gradient of the bias, from that of what the activation is applied to ([`crate::plan::Slot::Input`]): its sum over
    /// images and places, K elements.
    ///
    /// # Errors
    /// None at present.
    pub fn bias_gradient(&self) -> Result<Self> {
        self.gradient(Operation::BiasGradient)
    }

    /// The gradient of the slopes of PReLU, from what it is applied to ([`crate::plan::Slot::Input`]) and the output's
    /// gradient ([`crate::plan::Slot::Weights`]), summed over images and places: K elements.
    ///
    /// # Errors
    /// [`Error::Unsupported`] where the activation is another.
    pub fn slope_gradient(&self) -> Result<Self> {
        if !self.conv.activation.has_slopes() {
            return Err(Error::Unsupported {
                what: format!("the slope gradient of the {self}"),
                why: format!("its activation is {}, expected prelu", self.conv.activation),
            });
        }
        self.gradient(Operation::SlopeGradient)
    }

    /// The problem itself, or one of its gradients.
    pub(crate) fn of_operation(&self, operation: Operation) -> Result<Self> {
        match operation {
            Operation::Forward => Ok(*self),
            Operation::InputGradient => self.input_gradient(),
            Operation::WeightGradient => self.weight_gradient(),
            Operation::ActivationGradient => self.activation_gradient(),
            Operation::BiasGradient => self.bias_gradient(),
            Operation::SlopeGradient => self.slope_gradient(),
        }
    }

    fn gradient(&self, operation: Operation) -> Result<Self> {
        let conv = operation.conv(&self.conv);
        let result_type = operation.result_type(&conv);
        let gradient = Self { conv, operation, result_type, ..*self };
        gradient.check_views()?;
        Ok(gradient)
    }

    /// Whether it is a problem of this convolution.
    pub(crate) fn check_conv(&self, conv: &Conv) -> Result<()> {
        if self.conv == self.operation.conv(conv) { Ok(()) } else { Err(ShapeError::OtherConv.into()) }
    }

    fn check_views(&self) -> Result<()> {
        self.check_reach()?;
        let result = self.result();
        if self.operation != Operation::WeightGradient && !result.view.is_injective(result.shape) {
            return Err(ShapeError::Overlap { strides: format!("{:?}", result.view) }.into());
        }
        Ok(())
    }

    /// Every element, and every coordinate that a kernel computes, is within the reach of 32 bits and a sign.
    fn check_reach(&self) -> Result<()> {
        let tensors = [
            ("the input", self.of_input().len()),
            ("the weights", self.conv.weights_len()),
            ("the output", self.of_output().len()),
        ];
        let axes = AXES.into_iter().enumerate().map(|(axis, name)| (name, self.reach(axis)));
        for (what, reach) in tensors.into_iter().chain(axes) {
            LimitError::check(what, Resource::IndexRange, reach as u64, MAX_INDEX as u64)?;
        }
        let stride = self.conv.stride.dhw(1);
        let results = match (self.operation, self.conv.transposed) {
            (Operation::Forward, Some(_)) => self.output,
            (Operation::InputGradient, None) => self.input,
            _ => return Ok(()),
        };
        let phases = stride.into_iter().zip(results).map(|(stride, size)| stride.min(size) as u64);
        let phases = phases.fold(1, u64::saturating_mul);
        LimitError::check("the result", Resource::Phases, phases, MAX_PHASES)?;
        Ok(())
    }

    /// The operator: of a gradient without bias, residual and activation.
    pub const fn conv(&self) -> Conv {
        self.conv
    }

    /// What is computed of it.
    pub const fn operation(&self) -> Operation {
        self.operation
    }

    /// The padding before the first element, of depth, height and width; 0 where there is no such dimension.
    pub const fn padding_before(&self) -> [usize; MAX_RANK] {
        self.before
    }

    /// Along a dimension, the largest number that kernels are given or compute: a size, a step, or how far from the
    /// source's first element a tap lies. See [`crate::correlation`] for which taps those are.
    fn reach(&self, axis: usize) -> usize {
        let [kernel, stride, dilation] =
            [self.conv.kernel, self.conv.stride, self.conv.dilation].map(|of| of.dhw(1)[axis]);
        let (input, output, before) = (self.input[axis], self.output[axis], self.before[axis]);
        let span = kernel.saturating_sub(1).saturating_mul(dilation);
        let (whole, reach) = if self.is_in_phases() {
            let results = if self.operation == Operation::Forward { output } else { input };
            let (last, stride) = (results.saturating_sub(1).saturating_add(before), stride.max(1));
            // In each phase, neighbours are elements that lie `stride` apart.
            (last.max(span), (last / stride).max(span / stride + 1))
        } else {
            let places = if self.conv.transposed.is_some() { input } else { output };
            let last = places.saturating_sub(1).saturating_mul(stride).saturating_add(span);
            let steps = [(kernel, dilation), (places, stride)].map(|(count, step)| if count > 1 { step } else { 1 });
            (last, last.saturating_sub(before).max(before).max(steps[0]).max(steps[1]))
        };
        // This machine computes with signed numbers of its own width, too.
        let within = whole <= usize::MAX >> 1;
        if within { reach.max(input).max(output) } else { usize::MAX }
    }

    /// The convolution's input, whatever is computed.
    pub fn of_input(&self) -> Placed {
        let spatial = Spatial::from_dhw(self.conv.rank(), self.input);
        Placed { shape: Shape::new(self.n, self.conv.channels, spatial), view: self.input_view }
    }

    /// The convolution's output, whatever is computed.
    pub fn of_output(&self) -> Placed {
        let spatial = Spatial::from_dhw(self.conv.rank(), self.output);
        Placed { shape: Shape::new(self.n, self.conv.filters, spatial), view: self.output_view }
    }

    /// The convolution's weights, whatever is computed.
    pub fn of_weights(&self) -> Placed {
        Placed { shape: self.conv.weights_shape(), view: self.conv.weights_view() }
    }

    /// The operand in [`crate::plan::Slot::Input`]: the input, or the output's gradient.
    pub fn source(&self) -> Placed {
        match self.operation {
            Operation::Forward | Operation::WeightGradient => self.of_input(),
            _ => self.of_output(),
        }
    }

    /// The operand in [`crate::plan::Slot::Weights`]: the weights, or the output's gradient.
    pub fn factor(&self) -> Placed {
        match self.operation {
            operation if operation.reads_gradient() => self.of_output(),
            _ => self.of_weights(),
        }
    }

    /// What is written: the output, or a gradient.
    pub fn result(&self) -> Placed {
        match self.operation {
            Operation::Forward | Operation::ActivationGradient => self.of_output(),
            Operation::InputGradient => self.of_input(),
            Operation::WeightGradient => self.of_weights(),
            Operation::BiasGradient | Operation::SlopeGradient => {
                let shape = Shape::new(1, self.conv.filters, Spatial::all(self.conv.rank(), 1));
                Placed { shape, view: View::dense(shape, Layout::ChannelsFirst) }
            }
        }
    }

    /// Sizes of [`Self::source`].
    pub fn input_shape(&self) -> Shape {
        self.source().shape
    }

    /// Sizes of [`Self::result`].
    pub fn output_shape(&self) -> Shape {
        self.result().shape
    }

    /// Elements of memory of [`Self::source`].
    pub fn input_len(&self) -> usize {
        self.source().len()
    }

    /// Elements of memory of [`Self::factor`].
    pub fn weights_len(&self) -> usize {
        self.factor().len()
    }

    /// Elements of memory of [`Self::result`].
    pub fn output_len(&self) -> usize {
        self.result().len()
    }

    /// The correlations that compute it.
    pub fn correlations(&self) -> Vec<Correlation> {
        Correlation::all_of(self)
    }

    /// Input channels that one output value reads, `C / groups`.
    pub const fn channels_per_group(&self) -> usize {
        self.conv.channels / self.conv.groups
    }

    /// Filters of one group, `K / groups`.
    pub const fn filters_per_group(&self) -> usize {
        self.conv.filters / self.conv.groups
    }

    /// The most products that are summed into one result.
    pub fn terms(&self) -> usize {
        match self.operation {
            Operation::ActivationGradient => return 1,
            Operation::BiasGradient | Operation::SlopeGradient => {
                return self.n * self.output.iter().product::<usize>();
            }
            _ => {}
        }
        self.correlations().iter().map(Correlation::terms).max().unwrap_or(0)
    }

    /// Products of a value inside the image in one result, on average: at the borders of small images
    /// [`Self::terms`] are fewer, and a sum of fewer terms rounds less.
    pub fn mean_terms(&self) -> usize {
        let all = self.correlations();
        let results = all.iter().map(Correlation::len).sum::<usize>() as u128;
        if results == 0 {
            return self.terms();
        }
        let products: u128 = all.iter().map(Correlation::products).sum();
        usize::try_from((products + results / 2) / results).unwrap_or(usize::MAX).max(1)
    }

    /// Floating-point operations of direct summation, forward `2 N K P Q C R S / groups`: what effective FLOP/s count.
    #[expect(clippy::cast_precision_loss, reason = "a count for rates")]
    pub fn direct_flops(&self) -> f64 {
        self.correlations().iter().map(|of| 2.0 * of.len() as f64 * of.terms() as f64).sum()
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Conv { filters, kernel, stride, dilation, padding, border, groups, transposed, .. } = self.conv;
        match self.operation {
            Operation::Forward => {}
            Operation::InputGradient => f.write_str("input gradient of ")?,
            Operation::WeightGradient => f.write_str("weight gradient of ")?,
            Operation::ActivationGradient => f.write_str("activation gradient of ")?,
            Operation::BiasGradient => f.write_str("bias gradient of ")?,
            Operation::SlopeGradient => f.write_str("slope gradient of ")?,
        }
        write!(f, "{} -> {filters}, {kernel}", self.of_input().shape)?;
        let ones = Spatial::all(self.conv.rank(), 1);
        if stride != ones {
            write!(f, ", stride {stride}")?;
        }
        if dilation != ones {
            write!(f, ", dilation {dilation}")?;
        }
        write!(f, ", padding {padding}")?;
        if border != Border::Zero {
            write!(f, " {border}")?;
        }
        if let Some(extra) = transposed {
            write!(f, ", transposed")?;
            if extra.iter().any(|&extra| extra != 0) {
                write!(f, " with output padding {extra}")?;
            }
        }
        if groups != 1 {
            write!(f, ", {groups} groups")?;
        }
        if self.conv.bias {
            f.write_str(", bias")?;
        }
        match self.conv.residual {
            Residual::None => {}
            Residual::Tensor => f.write_str(", residual")?,
            Residual::InPlace => f.write_str(", residual in place")?,
        }
        if self.conv.activation != Activation::None {
            write!(f, ", {}", self.conv.activation)?;
        }
        for (what, layout) in [("", self.conv.layout), ("weights ", self.conv.weights_layout)] {
            if layout != Layout::ChannelsFirst {
                write!(f, ", {what}{layout}")?;
            }
        }
        let dense = |placed: Placed| placed.view == View::dense(placed.shape, self.conv.layout);
        for (what, placed) in [("input", self.of_input()), ("output", self.of_output())] {
            if !dense(placed) {
                write!(f, ", strided {what}")?;
            }
        }
        if self.conv.dtype != DType::F32 {
            write!(f, ", {}", self.conv.dtype)?;
        }
        if self.result_type != self.conv.dtype {
            write!(f, " to {}", self.result_type)?;
        }
        Ok(())
    }
}
