//! A layer on a GPU: binding, packing and running there.

use super::operands::{check_inputs, check_presence};
use super::prepared::Prepared;
use super::{Inputs, Layer, Operands, Workspace};
use crate::conv::Residual;
use crate::device::Device;
use crate::error::{DeviceError, Error, Result};
use crate::gpu::{self, Bound, Dispatches, ReadBack, Sources, Tensor, Tensors};
use crate::problem::{Operation, Problem};
use crate::spatial::Shape;

/// The caller's tensors that a layer is bound to: input and output, and a residual where the convolution has one in another
/// tensor. A pair is an input and an output.
#[derive(Debug, Clone, Copy)]
pub struct Ends<'a> {
    input: Tensor<'a>,
    output: Tensor<'a>,
    residual: Option<Tensor<'a>>,
    gradient: Option<Tensor<'a>>,
}

impl<'a> Ends<'a> {
    /// Input and output.
    pub fn new(input: impl Into<Tensor<'a>>, output: impl Into<Tensor<'a>>) -> Self {
        Self { input: input.into(), output: output.into(), residual: None, gradient: None }
    }

    /// Adds a residual in another buffer, which lies in it as the output does in its own.
    #[must_use]
    pub fn residual(mut self, residual: impl Into<Tensor<'a>>) -> Self {
        self.residual = Some(residual.into());
        self
    }

    /// Adds the output's gradient, which a gradient of the weights, the activation or the slopes is made of.
    #[must_use]
    pub fn gradient(mut self, gradient: impl Into<Tensor<'a>>) -> Self {
        self.gradient = Some(gradient.into());
        self
    }
}

impl<'a, I: Into<Tensor<'a>>, O: Into<Tensor<'a>>> From<(I, O)> for Ends<'a> {
    fn from((input, output): (I, O)) -> Self {
        Self::new(input, output)
    }
}

/// New weights of a layer on its device, with bias and slopes where it has them: see [`Layer::set_weights_from`].
#[derive(Debug, Clone, Copy)]
pub struct WeightTensors<'a> {
    weights: Tensor<'a>,
    bias: Option<Tensor<'a>>,
    slopes: Option<Tensor<'a>>,
}

impl<'a> WeightTensors<'a> {
    /// Weights alone, in the order and the type of the convolution's.
    pub fn new(weights: impl Into<Tensor<'a>>) -> Self {
        Self { weights: weights.into(), bias: None, slopes: None }
    }

    /// Adds the bias, K elements of f32.
    #[must_use]
    pub fn bias(mut self, bias: impl Into<Tensor<'a>>) -> Self {
        self.bias = Some(bias.into());
        self
    }

    /// Adds the slopes of PReLU, K elements of f32.
    #[must_use]
    pub fn slopes(mut self, slopes: impl Into<Tensor<'a>>) -> Self {
        self.slopes = Some(slopes.into());
        self
    }
}

impl Layer {
    /// Binds this layer to a caller's buffers: input of `[N, C, H, W]` (or of other dimensions), output, and a workspace made
    /// for [`Self::plan`]'s plan, which other layers in the same pass may share. Compiles and packs what is not there yet;
    /// encoding the result creates no GPU object.
    ///
    /// The buffers are a pair, or [`Ends`] where there is a residual: `layer.bind(shape, (&input, &output), &workspace)`, or
    /// `layer.bind(shape, Ends::new(&input, &output).residual(&residual), &workspace)`. A residual that is
    /// [`Residual::InPlace`] is what the output's buffer holds.
    ///
    /// # Errors
    /// As [`Self::run`]; buffers that are too short, misaligned or of the wrong usage; tensors that overlap in one buffer, see
    /// [`Tensor`]; a workspace that is too small or of another device; a device that is no GPU.
    pub async fn bind<'a>(
        &self,
        shape: impl Into<Shape>,
        ends: impl Into<Ends<'a>>,
        workspace: &gpu::Workspace,
    ) -> Result<Bound> {
        self.bind_prepared(&*self.prepared_dense(Operation::Forward, shape.into())?, ends.into(), workspace).await
    }

    /// As [`Self::bind`], for any problem of this convolution: a gradient, or tensors that are parts of larger ones.
    ///
    /// # Errors
    /// As [`Self::bind`] and [`Self::plan_for`].
    pub async fn bind_problem<'a>(
        &self,
        problem: &Problem,
        ends: impl Into<Ends<'a>>,
        workspace: &gpu::Workspace,
    ) -> Result<Bound> {
        self.bind_prepared(&*self.prepared(problem)?, ends.into(), workspace).await
    }

    /// As [`Self::set_weights`], from buffers on the layer's device: they are copied there. Weights are of the convolution's
    /// type, so an f16 layer takes a buffer of halves; bias and slopes are f32. Buffers need the usage `COPY_SRC`, and tensors
    /// begin at a multiple of 4 bytes.
    ///
    /// # Errors
    /// Buffers that are too short, misaligned or of the wrong usage; something given that the convolution does not have, or
    /// the reverse; a device that is no GPU.
    pub async fn set_weights_from(&self, weights: WeightTensors<'_>) -> Result<()> {
        let own = self.on_gpu("copying weights from GPU buffers")?;
        let WeightTensors { weights, bias, slopes } = weights;
        check_presence(&self.conv, bias.is_some(), slopes.is_some())?;
        own.set_from(Sources { weights, bias, slopes }).await
    }

    /// The weights on a GPU, where the device is one.
    fn on_gpu(&self, what: &str) -> Result<&gpu::GpuWeights> {
        match &self.operands {
            Operands::Gpu(own) => Ok(own),
            Operands::Cpu(_) => Err(no_gpu(&self.device, what)),
        }
    }

    async fn bind_prepared(&self, prepared: &Prepared, ends: Ends<'_>, workspace: &gpu::Workspace) -> Result<Bound> {
        let own = self.on_gpu("binding a layer to GPU buffers")?;
        let (context, plan) = (own.context(), &*prepared.plan);
        check_inputs(&plan.problem, ends.residual.is_some(), ends.gradient.is_some())?;
        let factor = match plan.problem.operation {
            operation if operation.reads_gradient() => ends.gradient,
            _ => Some((&own.weights).into()),
        };
        let mut tensors = Tensors {
            input: Some(ends.input),
            output: Some(ends.output),
            weights: factor,
            packed: None,
            bias: own.bias.as_ref().map(Into::into),
            slopes: own.slopes.as_ref().map(Into::into),
            residual: ends.residual,
        };
        if !own.is_packed(plan) {
            // Both at once: the kernels can be compiled without waiting for the packing.
            let packing = plan.packing.dispatches(&plan.problem).into_iter().map(|step| step.kernel.into());
            let kernels: Vec<_> = packing.chain(gpu::variants(&plan.dispatches, &tensors)).collect();
            context.pipelines_of(&kernels).await?;
        }
        let packed = prepared.packed_on_gpu(own).await?;
        tensors.packed = packed.as_ref().map(|packed| packed.buffer().into());
        let bound = Bound::new(context, plan, Dispatches::Run, &tensors, workspace).await?;
        Ok(bound.holding(packed))
    }

    pub(super) async fn run_on_gpu(
        &self,
        prepared: &Prepared,
        inputs: Inputs<'_>,
        output: &mut [f32],
        workspace: &mut Workspace,
    ) -> Result<()> {
        let context = self.on_gpu("a run on a GPU")?.context();
        let plan = &prepared.plan;
        let (dtype, result) = (self.conv.dtype, plan.problem.result_type);
        // A gradient has no residual.
        let third = inputs.residual.or(inputs.gradient).unwrap_or_default();
        if workspace.context.get_or_insert_with(|| context.clone()).is_same(context) {
            workspace.gpu.reserve(context, &plan.workspace).await?;
            let lens = [(dtype, inputs.input.len()), (result, output.len()), (dtype, third.len())];
            let lens = lens.map(|(dtype, len)| dtype.bytes(len) as usize / 4);
            workspace.ends.reserve(context, &lens).await?;
        } else {
            return Err(DeviceError::WrongDevice { what: "the workspace" }.into());
        }
        let buffers: Vec<_> = workspace.ends.buffers().map(|(buffer, _)| buffer.clone()).collect();
        let ends = Ends {
            residual: inputs.residual.map(|_| (&buffers[2]).into()),
            gradient: inputs.gradient.map(|_| (&buffers[2]).into()),
            ..Ends::new(&buffers[0], &buffers[1])
        };
        let bound = self.bind_prepared(prepared, ends, &workspace.gpu).await?;
        let Workspace { uploads: [first, second, third_upload], read_back, .. } = workspace;
        let mut uploads = vec![
            ("the input", &mut *first, &buffers[0], dtype, inputs.input),
            ("the second tensor", &mut *second, &buffers[2], dtype, third),
        ];
        // Memory between the elements of an output with gaps must not change.
        let gaps = plan.problem.output_shape().elements() < output.len();
        if gaps || plan.problem.conv.residual == Residual::InPlace {
            uploads.push(("the output", &mut *third_upload, &buffers[1], result, &*output));
        }
        for (what, upload, buffer, dtype, data) in &mut uploads {
            upload.fill(context, what, buffer, &dtype.to_bytes(data)).await?;
        }
        let mut from: Vec<_> = uploads.into_iter().map(|(_, upload, buffer, ..)| (upload, buffer)).collect();
        let read_back = read_back.get_or_insert_with(|| ReadBack::new(context));
        context.run(&bound, &mut from, &mut [(read_back, &buffers[1], result.bytes(output.len()))]).await?;
        if gaps {
            // What stands in between need not be what was rounded.
            let found = read_back.read(|bytes| result.from_bytes(bytes, output.len())).await?;
            plan.problem.result().each_position(|at| output[at] = found[at]);
            return Ok(());
        }
        read_back.read_as(result, output).await
    }
}

fn no_gpu(device: &Device, what: &str) -> Error {
    Error::Unsupported { what: what.to_owned(), why: format!("its device is {}", device.caps()) }
}
