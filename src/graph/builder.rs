//! Calls that add nodes, named as PyTorch names them.

use std::sync::Arc;

use super::op::{
    Binary, BlockOrder, ConvWeights, Coordinates, Edge, Filter, Op, Pool, Reduction, Resize, Rounding, Slice, Target,
    Unary,
};
use super::refusal::{Refusal, refusal};
use super::{Dims, Graph, Node, Value};
use crate::activation::Activation;
use crate::conv::{Conv, Residual};
use crate::error::{GraphError, Result, ShapeError};
use crate::layout::Layout;

/// How far an axis is counted from the end, where it is negative.
fn from_end(axis: isize, rank: usize) -> Option<usize> {
    if axis < 0 { rank.checked_add_signed(axis) } else { Some(axis.unsigned_abs()) }
}

impl Graph {
    fn refused(&self, op: &'static str, refusal: Refusal) -> GraphError {
        refusal.of(self.next_name(op), op)
    }

    /// The sizes of an operand.
    fn operand(&self, op: &'static str, value: Value) -> Result<Dims> {
        Ok(self.known_dims(value).map_err(|refusal| self.refused(op, refusal))?)
    }

    /// An axis of a value; negative ones count from the end.
    fn axis(&self, op: &'static str, of: Value, axis: isize) -> Result<usize> {
        let dims = self.operand(op, of)?;
        let rank = dims.rank();
        let found = from_end(axis, rank).filter(|&axis| axis < rank);
        let refused =
            || self.refused(op, refusal!("axis {axis} of {dims}, expected at least -{rank} and less than {rank}"));
        Ok(found.ok_or_else(refused)?)
    }

    fn axes(&self, op: &'static str, of: Value, axes: &[isize]) -> Result<Vec<usize>> {
        let mut found: Vec<usize> = axes.iter().map(|&axis| self.axis(op, of, axis)).collect::<Result<_>>()?;
        found.sort_unstable();
        found.dedup();
        Ok(found)
    }

    /// A tensor that the caller gives.
    ///
    /// # Errors
    /// [`GraphError`] if there is one of this name.
    pub fn input(&mut self, name: impl Into<String>, dims: impl Into<Dims>) -> Result<Value> {
        let name = name.into();
        if self.inputs.iter().any(|&input| self.node(input).name == name) {
            return Err(self
                .refused("input", refusal!("there is an input named {name}, expected another name"))
                .into());
        }
        let value = self.insert(Node { name, op: Op::Input, inputs: Vec::new(), dims: dims.into() })?;
        self.inputs.push(value);
        Ok(value)
    }

    /// A result of the network. Each call adds one.
    ///
    /// # Errors
    /// [`GraphError`] if there is one of this name, or the value is not of this graph.
    pub fn output(&mut self, name: impl Into<String>, value: Value) -> Result<()> {
        let name = name.into();
        self.operand("output", value)?;
        if self.outputs.iter().any(|(other, _)| *other == name) {
            return Err(self
                .refused("output", refusal!("there is an output named {name}, expected another name"))
                .into());
        }
        self.outputs.push((name, value));
        Ok(())
    }

    /// A tensor that is known, row-major.
    ///
    /// # Errors
    /// [`ShapeError::Length`] if there are not as many elements as the sizes say.
    pub fn constant(&mut self, data: impl Into<Arc<[f32]>>, dims: impl Into<Dims>) -> Result<Value> {
        let (data, dims) = (data.into(), dims.into());
        ShapeError::check_len("the constant", dims.elements(), data.len())?;
        let name = self.next_name("constant");
        self.insert(Node { name, op: Op::Constant(data), inputs: Vec::new(), dims })
    }

    /// A convolution, transposed or not, with its weights in the order of [`Conv::weights_shape`]; `bias` is empty where the
    /// [`Conv`] has none. The tensors of a graph are channels first.
    ///
    /// # Errors
    /// Weights or bias of another length; sizes that do not fit.
    pub fn conv(
        &mut self,
        x: Value,
        conv: Conv,
        weights: impl Into<Arc<[f32]>>,
        bias: impl Into<Arc<[f32]>>,
    ) -> Result<Value> {
        let none: [f32; 0] = [];
        self.conv_with(x, None, ConvWeights { conv, weights: weights.into(), bias: bias.into(), slopes: none.into() })
    }

    /// The same with a residual, a tensor like the result that is added before the activation, and with the slopes of a PReLU.
    ///
    /// # Errors
    /// As [`Self::conv`].
    pub fn conv_with(&mut self, x: Value, residual: Option<Value>, of: ConvWeights) -> Result<Value> {
        let ConvWeights { mut conv, weights, bias, slopes } = of;
        if conv.layout != Layout::ChannelsFirst || conv.weights_layout != Layout::ChannelsFirst {
            return Err(self.refused("conv", refusal!("the layout is channels last, expected channels first")).into());
        }
        conv.residual = if residual.is_some() { Residual::Tensor } else { Residual::None };
        let op = Op::Conv(Arc::new(ConvWeights { conv, weights, bias, slopes }));
        let operands: Vec<Value> = [x].into_iter().chain(residual).collect();
        self.push(op, &operands)
    }

    /// `x W^T + b`: PyTorch's `Linear`, with weights of `[outputs, inputs]` and a bias of `outputs` or none, over the last axis.
    ///
    /// # Errors
    /// Lengths or sizes that do not fit.
    pub fn linear(&mut self, x: Value, outputs: usize, weights: &[f32], bias: impl Into<Arc<[f32]>>) -> Result<Value> {
        let inputs = self.operand("linear", x)?.last().copied().unwrap_or(1);
        ShapeError::check_len("the weights", outputs.saturating_mul(inputs), weights.len())?;
        // A product of rows takes the weights by columns.
        let by_inputs: Vec<f32> =
            (0..inputs).flat_map(|i| (0..outputs).map(move |o| weights[o * inputs + i])).collect();
        let weights = self.constant(by_inputs, [inputs, outputs])?;
        let product = self.matmul(x, weights)?;
        let bias: Arc<[f32]> = bias.into();
        if bias.is_empty() {
            return Ok(product);
        }
        let bias = self.constant(bias, [outputs])?;
        self.binary(Binary::Add, product, bias)
    }

    /// The product of matrices, which the last two axes are.
    ///
    /// # Errors
    /// Sizes that do not fit.
    pub fn matmul(&mut self, a: Value, b: Value) -> Result<Value> {
        self.push(Op::MatMul, &[a, b])
    }

    /// Pooling over the axes behind the first two.
    ///
    /// # Errors
    /// Sizes that do not fit.
    pub fn pool(&mut self, x: Value, pool: Pool) -> Result<Value> {
        self.push(Op::Pool(Box::new(pool)), &[x])
    }

    /// The mean over all axes behind the first two, which stay with size 1: PyTorch's `AdaptiveAvgPool2d(1)`.
    ///
    /// # Errors
    /// A tensor of fewer than 3 axes.
    pub fn global_average_pool(&mut self, x: Value) -> Result<Value> {
        let dims = self.operand("reduce", x)?;
        let rank = dims.rank();
        if rank < 3 {
            return Err(self.refused("reduce", refusal!("expected at least 3 axes, got {dims}")).into());
        }
        self.push(Op::Reduce(Reduction::Mean, (2..rank).collect()), &[x])
    }

    /// A reduction along axes, which stay with size 1; negative axes count from the end.
    ///
    /// # Errors
    /// An axis that is not there.
    pub fn reduce(&mut self, reduction: Reduction, x: Value, axes: &[isize]) -> Result<Value> {
        let axes = self.axes("reduce", x, axes)?;
        self.push(Op::Reduce(reduction, axes), &[x])
    }

    /// Batch normalization with fixed statistics, each a number for each channel (axis 1).
    ///
    /// # Errors
    /// Lengths that do not fit.
    pub fn batch_norm(&mut self, x: Value, [gamma, beta, mean, variance]: [&[f32]; 4], epsilon: f32) -> Result<Value> {
        let dims = self.operand("batch_norm", x)?;
        let channels = dims.get(1).copied().unwrap_or(1);
        for (what, numbers) in [("gamma", gamma), ("beta", beta), ("the mean", mean), ("the variance", variance)] {
            ShapeError::check_len(what, channels, numbers.len())?;
        }
        let scales: Vec<f64> =
            (0..channels).map(|c| f64::from(gamma[c]) / (f64::from(variance[c]) + f64::from(epsilon)).sqrt()).collect();
        let offsets = (0..channels).map(|c| f64::from(beta[c]) - f64::from(mean[c]) * scales[c]);
        let offsets: Vec<f32> = offsets.map(rounded).collect();
        let scales: Vec<f32> = scales.into_iter().map(rounded).collect();
        self.affine(x, &scales, &offsets)
    }

    /// A factor and a summand for each channel (axis 1).
    ///
    /// # Errors
    /// Lengths that do not fit.
    pub fn affine(&mut self, x: Value, factors: &[f32], summands: &[f32]) -> Result<Value> {
        let dims = self.operand("affine", x)?;
        if dims.rank() < 2 {
            return Err(self.refused("affine", refusal!("expected at least 2 axes, got {dims}")).into());
        }
        let ones = dims.iter().enumerate().fold(dims, |all, (axis, _)| all.with(axis, 1));
        // Without the batch, so that it fits any.
        let of_channels = ones.with(1, dims[1]);
        let of_channels = Dims::from_slice(&of_channels[1..]).unwrap_or(of_channels);
        let factors = self.constant(factors.to_vec(), of_channels)?;
        let summands = self.constant(summands.to_vec(), of_channels)?;
        let product = self.binary(Binary::Mul, x, factors)?;
        self.binary(Binary::Add, product, summands)
    }

    /// `(x - mean) / sqrt(variance + epsilon)`, both along these axes: of layer normalization the last ones, of instance
    /// normalization all behind the first two. Factor and summand are the caller's to apply.
    ///
    /// # Errors
    /// An axis that is not there.
    pub fn normalize(&mut self, x: Value, axes: &[isize], epsilon: f32) -> Result<Value> {
        let axes = self.axes("normalize", x, axes)?;
        self.push(Op::Normalize { axes, epsilon }, &[x])
    }

    /// Softmax along an axis.
    ///
    /// # Errors
    /// An axis that is not there.
    pub fn softmax(&mut self, x: Value, axis: isize) -> Result<Value> {
        let axis = self.axis("softmax", x, axis)?;
        self.push(Op::Softmax { axis, log: false }, &[x])
    }

    /// Its logarithm.
    ///
    /// # Errors
    /// As [`Self::softmax`].
    pub fn log_softmax(&mut self, x: Value, axis: isize) -> Result<Value> {
        let axis = self.axis("softmax", x, axis)?;
        self.push(Op::Softmax { axis, log: true }, &[x])
    }

    /// A function of each element.
    ///
    /// # Errors
    /// Arguments of an activation that make no sense; PReLU, whose slopes are an operand: [`Binary::PRelu`].
    pub fn unary(&mut self, function: Unary, x: Value) -> Result<Value> {
        self.push(Op::Unary(function), &[x])
    }

    /// An activation.
    ///
    /// # Errors
    /// As [`Self::unary`].
    pub fn activate(&mut self, activation: Activation, x: Value) -> Result<Value> {
        self.unary(Unary::Activate(activation), x)
    }

    /// A function of two tensors, which are broadcast.
    ///
    /// # Errors
    /// Sizes that do not broadcast.
    pub fn binary(&mut self, function: Binary, a: Value, b: Value) -> Result<Value> {
        self.push(Op::Binary(function), &[a, b])
    }

    /// `a + b`, broadcast.
    ///
    /// # Errors
    /// As [`Self::binary`].
    pub fn add(&mut self, a: Value, b: Value) -> Result<Value> {
        self.binary(Binary::Add, a, b)
    }

    /// `a * b`, broadcast.
    ///
    /// # Errors
    /// As [`Self::binary`].
    pub fn mul(&mut self, a: Value, b: Value) -> Result<Value> {
        self.binary(Binary::Mul, a, b)
    }

    /// A function of a tensor and a number.
    ///
    /// # Errors
    /// None at present.
    pub fn with_number(&mut self, function: Binary, x: Value, number: f32) -> Result<Value> {
        let number = self.constant(vec![number], Dims::SCALAR)?;
        self.binary(function, x, number)
    }

    /// `yes` where the condition is not 0, else `no`.
    ///
    /// # Errors
    /// Sizes that do not broadcast.
    pub fn choose(&mut self, condition: Value, yes: Value, no: Value) -> Result<Value> {
        self.push(Op::Where, &[condition, yes, no])
    }

    /// Resampling of the last axes.
    ///
    /// # Errors
    /// Sizes that do not fit.
    pub fn resize(&mut self, x: Value, resize: Resize) -> Result<Value> {
        self.push(Op::Resize(resize), &[x])
    }

    /// Each element repeated `scale` times along the last two axes: PyTorch's `Upsample(scale_factor, mode="nearest")`.
    ///
    /// # Errors
    /// As [`Self::resize`].
    pub fn upsample_nearest(&mut self, x: Value, scale: usize) -> Result<Value> {
        let filter = Filter::Nearest(Rounding::Floor);
        self.resize(x, Resize { target: twice(scale), filter, coordinates: Coordinates::Asymmetric })
    }

    /// Bilinear: PyTorch's `Upsample(scale_factor, mode="bilinear", align_corners=False)`.
    ///
    /// # Errors
    /// As [`Self::resize`].
    pub fn upsample_bilinear(&mut self, x: Value, scale: usize) -> Result<Value> {
        self.resize(x, Resize { target: twice(scale), filter: Filter::Linear, coordinates: Coordinates::HalfPixel })
    }

    /// Elements around the tensor; negative numbers take away.
    ///
    /// # Errors
    /// Numbers that do not fit.
    pub fn pad(&mut self, x: Value, before: &[isize], after: &[isize], edge: Edge) -> Result<Value> {
        self.push(Op::Pad { before: before.to_vec(), after: after.to_vec(), edge }, &[x])
    }

    /// Tensors one behind the other along an axis.
    ///
    /// # Errors
    /// Sizes that differ elsewhere.
    pub fn concat(&mut self, values: &[Value], axis: isize) -> Result<Value> {
        let first = values
            .first()
            .ok_or_else(|| self.refused("concat", refusal!("expected at least one operand, got none")))?;
        let axis = self.axis("concat", *first, axis)?;
        self.push(Op::Concat(axis), values)
    }

    /// The elements `start..end` along an axis.
    ///
    /// # Errors
    /// Indices that are not there.
    pub fn slice(&mut self, x: Value, axis: isize, start: usize, end: usize) -> Result<Value> {
        let axis = self.axis("slice", x, axis)?;
        self.push(Op::Slice(Slice { axis, start, step: 1, len: end.saturating_sub(start) }), &[x])
    }

    /// The same with any step.
    ///
    /// # Errors
    /// As [`Self::slice`].
    pub fn slice_in_steps(&mut self, x: Value, slice: Slice) -> Result<Value> {
        self.push(Op::Slice(slice), &[x])
    }

    /// Parts of these sizes along an axis.
    ///
    /// # Errors
    /// Sizes that do not add up to the axis.
    pub fn split(&mut self, x: Value, axis: isize, sizes: &[usize]) -> Result<Vec<Value>> {
        let at = self.axis("slice", x, axis)?;
        let all = sizes.iter().fold(0usize, |sum, &size| sum.saturating_add(size));
        let dims = self.operand("slice", x)?;
        if all != dims[at] {
            let refusal = refusal!("parts of {sizes:?} along axis {at} of {dims}, expected sizes that add up to it");
            return Err(self.refused("slice", refusal).into());
        }
        let mut start = 0;
        let mut parts = Vec::with_capacity(sizes.len());
        for &len in sizes {
            parts.push(self.push(Op::Slice(Slice { axis: at, start, step: 1, len }), &[x])?);
            start += len;
        }
        Ok(parts)
    }

    /// The same elements in other dimensions. 0 keeps a size, one -1 is what is left.
    ///
    /// # Errors
    /// Another number of elements.
    pub fn reshape(&mut self, x: Value, to: &[isize]) -> Result<Value> {
        self.push(Op::Reshape(to.to_vec()), &[x])
    }

    /// All axes from `axis` on as one: PyTorch's `flatten(start_dim)`.
    ///
    /// # Errors
    /// An axis that is not there.
    pub fn flatten(&mut self, x: Value, axis: isize) -> Result<Value> {
        let axis = self.axis("reshape", x, axis)?;
        let to: Vec<isize> = (0..axis).map(|_| 0).chain([-1]).collect();
        self.reshape(x, &to)
    }

    /// The axes in another order: axis `i` of the result is axis `order[i]`.
    ///
    /// # Errors
    /// What is not an order of the axes.
    pub fn transpose(&mut self, x: Value, order: &[usize]) -> Result<Value> {
        self.push(Op::Transpose(order.to_vec()), &[x])
    }

    /// Broadcast to sizes.
    ///
    /// # Errors
    /// Sizes that do not broadcast.
    pub fn expand(&mut self, x: Value, dims: impl Into<Dims>) -> Result<Value> {
        self.push(Op::Expand(dims.into()), &[x])
    }

    /// `[N, C r^2, H, W]` to `[N, C, H r, W r]`: PyTorch's `PixelShuffle(r)`.
    ///
    /// # Errors
    /// Channels that r^2 does not divide.
    pub fn pixel_shuffle(&mut self, x: Value, r: usize) -> Result<Value> {
        self.push(Op::PixelShuffle { factor: r, order: BlockOrder::ChannelFirst }, &[x])
    }

    /// Its inverse: PyTorch's `PixelUnshuffle(r)`.
    ///
    /// # Errors
    /// Sizes that r does not divide.
    pub fn pixel_unshuffle(&mut self, x: Value, r: usize) -> Result<Value> {
        self.push(Op::PixelUnshuffle { factor: r, order: BlockOrder::ChannelFirst }, &[x])
    }
}

fn twice(scale: usize) -> Target {
    #[expect(clippy::cast_precision_loss, reason = "a scale is a small number")]
    Target::Scale(vec![scale as f64; 2])
}

#[expect(clippy::cast_possible_truncation, reason = "the rounding")]
fn rounded(x: f64) -> f32 {
    x as f32
}
