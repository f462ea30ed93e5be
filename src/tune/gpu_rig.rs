//! A GPU, its time taken on the device.

use std::collections::HashMap;
use std::ops::Range;
use std::time::Duration;

use super::data::Data;
use super::rig::Rig;
use crate::conv::Residual;
use crate::dtype::DType;
use crate::error::Result;
use crate::gpu::{Bound, Buffer, Context, Dispatches, Tensors, Workspace};
use crate::plan::{Packing, Plan};
use crate::problem::Problem;

/// Elements of the buffer of NaNs that memory is poisoned from, piece by piece.
const POISON: usize = 1 << 22;
/// A NaN, and so is each half of it.
const POISON_BITS: u32 = 0x7fff_7fff;

pub(super) struct GpuRig<'a> {
    context: &'a Context,
    windows: &'a [Range<usize>],
    /// Of the output.
    dtype: DType,
    input: Buffer,
    weights: Buffer,
    bias: Buffer,
    slopes: Buffer,
    residual: Buffer,
    output: Buffer,
    /// The windows of the output, one after the other.
    shown: Buffer,
    poison: Buffer,
    packed: HashMap<Packing, Buffer>,
    workspace: Workspace,
}

impl<'a> GpuRig<'a> {
    pub(super) async fn new(
        context: &'a Context,
        problem: &'a Problem,
        data: &Data,
        windows: &'a [Range<usize>],
    ) -> Result<Self> {
        let (dtype, result) = (problem.conv.dtype, problem.result_type);
        let shown = windows.iter().map(|window| result.bytes(window.len()) as usize / 4).sum();
        Ok(Self {
            context,
            windows,
            dtype: result,
            input: context.upload_as("input", dtype, &data.input).await?,
            weights: context.upload_as("weights", dtype, &data.weights).await?,
            bias: context.upload("bias", &data.bias).await?,
            slopes: context.upload("slopes", &data.slopes).await?,
            residual: context.upload_as("residual", dtype, &data.residual).await?,
            output: context.create_buffer("output", result.bytes(problem.output_len()) as usize / 4).await?,
            shown: context.create_buffer("shown outputs", shown).await?,
            poison: context.upload("poison", &vec![f32::from_bits(POISON_BITS); POISON]).await?,
            packed: HashMap::new(),
            workspace: Workspace::default(),
        })
    }

    async fn packed(&mut self, plan: &Plan) -> Result<Option<Buffer>> {
        let packing = plan.packing;
        if packing.is_given() {
            return Ok(None);
        }
        if let Some(buffer) = self.packed.get(&packing) {
            return Ok(Some(buffer.clone()));
        }
        let buffer = self.context.create_buffer("packed weights", packing.len(&plan.problem)).await?;
        let tensors =
            Tensors { weights: Some((&self.weights).into()), packed: Some((&buffer).into()), ..Default::default() };
        let bound = Bound::new(self.context, plan, Dispatches::Packing, &tensors, &Workspace::default()).await?;
        self.context.submit(&bound)?;
        self.packed.insert(packing, buffer.clone());
        Ok(Some(buffer))
    }
}

impl Rig for GpuRig<'_> {
    type Ready = Bound;

    async fn compile(&mut self, plans: &[&Plan]) {
        let packing = |plan: &Plan| plan.packing.dispatches(&plan.problem).into_iter().map(|step| step.kernel);
        let kernels: Vec<_> = plans.iter().flat_map(|plan| plan.kernels().into_iter().chain(packing(plan))).collect();
        // What succeeds is kept; where something does not, `prepare` meets the same error and tells it.
        let _ = self.context.pipelines(&kernels).await;
    }

    async fn prepare(&mut self, plan: &Plan) -> Result<Bound> {
        let conv = &plan.problem.conv;
        self.workspace.reserve(self.context, &plan.workspace).await?;
        let packed = self.packed(plan).await?;
        let tensors = Tensors {
            input: Some((&self.input).into()),
            output: Some((&self.output).into()),
            weights: Some((&self.weights).into()),
            packed: packed.as_ref().map(Into::into),
            bias: Some((&self.bias).into()).filter(|_| conv.bias),
            slopes: Some((&self.slopes).into()).filter(|_| conv.activation.has_slopes()),
            residual: Some((&self.residual).into()).filter(|_| conv.residual == Residual::Tensor),
        };
        Bound::new(self.context, plan, Dispatches::Run, &tensors, &self.workspace).await
    }

    async fn output(&mut self, ready: &Bound) -> Result<Vec<f32>> {
        let mut encoder = self.context.device().create_command_encoder(&Default::default());
        for buffer in self.workspace.buffers().map(|(buffer, _)| buffer).chain([&self.output]) {
            for start in (0..buffer.size()).step_by(4 * POISON) {
                let len = (4 * POISON as u64).min(buffer.size() - start);
                encoder.copy_buffer_to_buffer(&self.poison, 0, buffer, start, len);
            }
        }
        ready.encode(&mut encoder)?;
        let mut at = 0;
        for window in self.windows {
            // Windows begin at whole words.
            let len = self.dtype.bytes(window.len());
            encoder.copy_buffer_to_buffer(&self.output, self.dtype.bytes(window.start), &self.shown, at, len);
            at += len;
        }
        self.context.queue().submit([encoder.finish()]);
        self.context.download_as(&self.shown, self.dtype, self.windows.iter().map(Range::len).sum()).await
    }

    async fn time(&mut self, ready: &Bound, runs: u32) -> Result<Duration> {
        self.context.time(|pass| (0..runs).try_for_each(|_| ready.encode_pass(pass))).await
    }
}
