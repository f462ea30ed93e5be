//! A layer on a GPU: binding, packing and running there.

use std::sync::PoisonError;

use super::{Inputs, Layer, Operands, Packed, Workspace, packed_key};
use crate::conv::Residual;
use crate::device::Device;
use crate::error::{DeviceError, Error, Result};
use crate::gpu::{self, Bound, Context, Dispatches, Tensor, Tensors};
use crate::plan::Plan;
use crate::problem::{Operation, Problem};
use crate::spatial::Shape;

/// The caller's tensors that a layer is bound to: input and output, and a residual where the convolution has one.
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

    /// Adds the output's gradient, of which the weights' gradient is made.
    #[must_use]
    pub fn gradient(mut self, gradient: impl Into<Tensor<'a>>) -> Self {
        self.gradient = Some(gradient.into());
        self
    }
}

impl Layer {
    /// Binds this layer to a caller's buffers: input of `[N, C, H, W]` (or of other dimensions), output, and a workspace made
    /// for [`Self::plan`]'s plan, which other layers in the same pass may share. Compiles and packs what is not there yet;
    /// encoding the result creates no GPU object.
    ///
    /// # Errors
    /// As [`Self::run`]; buffers that are too short, misaligned, of the wrong usage, or one for both ends; a workspace
    /// that is too small or of another device; a device that is no GPU.
    pub async fn bind<'a>(
        &self,
        shape: impl Into<Shape>,
        input: impl Into<Tensor<'a>>,
        output: impl Into<Tensor<'a>>,
        workspace: &gpu::Workspace,
    ) -> Result<Bound> {
        self.bind_problem(&self.conv.on(shape)?, Ends::new(input, output), workspace).await
    }

    /// As [`Self::bind`], for any problem of this convolution: a gradient, or tensors that are parts of larger ones; and
    /// with a residual.
    ///
    /// # Errors
    /// As [`Self::bind`] and [`Self::plan_for`].
    pub async fn bind_problem(&self, problem: &Problem, ends: Ends<'_>, workspace: &gpu::Workspace) -> Result<Bound> {
        let plan = self.plan_for(problem)?;
        self.bind_plan(&plan, ends, workspace).await
    }

    async fn bind_plan(&self, plan: &Plan, ends: Ends<'_>, workspace: &gpu::Workspace) -> Result<Bound> {
        let (Some(context), Operands::Gpu { weights, bias, slopes }) = (self.device.context(), &self.operands) else {
            return Err(no_gpu(&self.device));
        };
        if !self.is_packed(plan) {
            // Both together: packing need not be waited for to compile what runs after it.
            let packing = plan.packing.steps(&plan.problem);
            let kernels: Vec<_> = packing.iter().chain(&plan.steps).map(|step| step.kernel).collect();
            context.pipelines(&kernels).await?;
        }
        let factor = match plan.problem.operation {
            Operation::WeightGradient => ends.gradient,
            _ => Some(weights.into()),
        };
        let packed = self.pack_on_gpu(context, plan, weights).await?;
        let tensors = Tensors {
            input: Some(ends.input),
            output: Some(ends.output),
            weights: factor,
            packed: packed.as_ref().map(Into::into),
            bias: bias.as_ref().map(Into::into),
            slopes: slopes.as_ref().map(Into::into),
            residual: ends.residual,
        };
        Bound::new(context, plan, Dispatches::Run, &tensors, workspace).await
    }

    fn is_packed(&self, plan: &Plan) -> bool {
        let packings = self.packings.lock().unwrap_or_else(PoisonError::into_inner);
        plan.packing.is_given() || packings.contains_key(&packed_key(plan))
    }

    async fn pack_on_gpu(&self, context: &Context, plan: &Plan, weights: &gpu::Buffer) -> Result<Option<gpu::Buffer>> {
        if plan.packing.is_given() {
            return Ok(None);
        }
        let key = packed_key(plan);
        let packings = || self.packings.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(Packed::Gpu(buffer)) = packings().get(&key) {
            return Ok(Some(buffer.clone()));
        }
        let len = plan.packing.len(&plan.problem);
        let packed = context.create_buffer("packed weights", len).await?;
        let tensors = Tensors { weights: Some(weights.into()), packed: Some((&packed).into()), ..Default::default() };
        let none = gpu::Workspace::default();
        let bound = Bound::new(context, plan, Dispatches::Packing, &tensors, &none).await?;
        context.submit(&bound);
        packings().insert(key, Packed::Gpu(packed.clone()));
        Ok(Some(packed))
    }

    pub(super) async fn run_on_gpu(
        &self,
        plan: &Plan,
        inputs: Inputs<'_>,
        output: &mut [f32],
        workspace: &mut Workspace,
    ) -> Result<()> {
        let context = self.device.context().ok_or_else(|| no_gpu(&self.device))?;
        let dtype = self.conv.dtype;
        // A gradient has no residual.
        let third = inputs.residual.or(inputs.gradient).unwrap_or_default();
        if workspace.context.get_or_insert_with(|| context.clone()).is_same(context) {
            workspace.gpu.reserve(context, &plan.workspace).await?;
            let lens = [inputs.input.len(), output.len(), third.len()].map(|len| dtype.bytes(len) as usize / 4);
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
        let bound = self.bind_plan(plan, ends, &workspace.gpu).await?;
        let mut writes = vec![(&buffers[0], inputs.input), (&buffers[2], third)];
        // What lies between the elements of an output that has gaps stays what it is.
        let gaps = plan.problem.output_shape().elements() < output.len();
        if gaps || plan.problem.conv.residual == Residual::InPlace {
            writes.push((&buffers[1], output));
        }
        for (buffer, data) in writes {
            context.queue().write_buffer(buffer, 0, &dtype.to_bytes(data));
        }
        let found = context.run(&bound, &buffers[1], dtype, output.len()).await?;
        if gaps {
            // What stands in between need not be what was rounded.
            plan.problem.result().each_position(|at| output[at] = found[at]);
        } else {
            output.copy_from_slice(&found);
        }
        Ok(())
    }
}

fn no_gpu(device: &Device) -> Error {
    Error::Unsupported {
        what: "binding a layer to GPU buffers".to_owned(),
        why: format!("its device is {}", device.caps()),
    }
}
