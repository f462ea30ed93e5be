//! A program's steps as shaders, all but the convolutions, which are layers. A text depends on how many axes and tensors a step
//! has and on what it computes; sizes, strides and numbers are parameters, so other sizes need no other shader.

mod encode;
mod job;
mod listing;
mod map;
mod matmul;
mod pool;
mod reduce;
mod resample;
mod text;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use self::job::Job;
pub use self::listing::{ListedBuffer, ListedDispatch, ListedKernel, ListedOperand, Listing};
use super::compile::Stored;
use super::compile::{BufferId, Place, Program, Step, Work};
use crate::caps::Limits;
use crate::error::{Result, ShapeError};
use crate::gpu::{Bound, Buffer, Context, Reach, ReadBack, ShaderDispatch, Tensor, Upload, Workspace};
use crate::kernel::word;
use crate::layer::{Ends, Layer};
use crate::problem::Problem;

/// What a network keeps on a GPU.
#[derive(Debug)]
pub(super) struct OnGpu {
    context: Context,
    constants: Vec<Buffer>,
    /// The tables of steps that resample, by the step's position.
    tables: HashMap<usize, Buffer>,
    own: Vec<Buffer>,
    workspace: Workspace,
    /// Between runs on slices, so that nothing is bound twice: of one run at a time.
    pub(super) kept: Mutex<Option<EndsOnGpu>>,
}

/// A network bound to buffers of its own, with what copies slices there and back.
#[derive(Debug)]
pub(super) struct EndsOnGpu {
    pub(super) inputs: Vec<(Upload, Buffer)>,
    pub(super) outputs: Vec<(ReadBack, Buffer)>,
    pub(super) bound: Bound,
}

impl OnGpu {
    /// Puts constants on a device, and makes room.
    pub(super) async fn new(
        context: &Context,
        program: &Program,
        layers: &[Option<(Arc<Layer>, Problem)>],
    ) -> Result<Self> {
        let mut constants = Vec::with_capacity(program.constants.len());
        for constant in &program.constants {
            constants.push(context.upload("a constant", constant).await?);
        }
        let mut tables = HashMap::new();
        for (i, step) in program.steps.iter().enumerate() {
            if let Work::Resample(taps) = &step.work {
                let mut table = resample::table(taps);
                table.resize(table.len().max(1), 0.0);
                tables.insert(i, context.upload("a table", &table).await?);
            }
        }
        let mut own = Vec::with_capacity(program.lens.len());
        for &len in &program.lens {
            let words = program.storage().bytes(len) / 4;
            own.push(context.create_buffer("a tensor between steps", usize::try_from(words).unwrap_or(len)).await?);
        }
        let mut plans = Vec::new();
        for (layer, problem) in layers.iter().flatten() {
            plans.push(layer.plan_for(problem)?);
        }
        let plans: Vec<_> = plans.iter().map(|plan| &**plan).collect();
        let workspace = Workspace::new(context, &plans).await?;
        Ok(Self { context: context.clone(), constants, tables, own, workspace, kept: Mutex::default() })
    }

    pub(super) const fn context(&self) -> &Context {
        &self.context
    }

    /// Binds all steps to the caller's buffers.
    pub(super) async fn bind(
        &self,
        program: &Program,
        layers: &[Option<(Arc<Layer>, Problem)>],
        inputs: &[Tensor<'_>],
        outputs: &[Tensor<'_>],
    ) -> Result<Bound> {
        ShapeError::check_len("the inputs", program.inputs.len(), inputs.len())?;
        ShapeError::check_len("the outputs", program.outputs.len(), outputs.len())?;
        let tensor = |buffer: BufferId| match buffer {
            BufferId::Input(i) => inputs[i],
            BufferId::Output(i) => outputs[i],
            BufferId::Constant(i) => Tensor::new(&self.constants[i]),
            BufferId::Own(i) => Tensor::new(&self.own[i]),
        };
        let mut parts = Vec::with_capacity(program.steps.len());
        for (i, (step, layer)) in program.steps.iter().zip(layers).enumerate() {
            parts.push(match layer {
                Some((layer, problem)) => {
                    let size = program.storage().size();
                    let at = |place: &Place| {
                        let Tensor { buffer, offset } = tensor(place.buffer);
                        Tensor::at(buffer, offset + size * place.offset as u64)
                    };
                    let mut ends = Ends::new(at(&step.inputs[0]), at(&step.output));
                    if let Some(residual) = step.inputs.get(1) {
                        ends = ends.residual(at(residual));
                    }
                    layer.bind_problem(problem, ends, &self.workspace).await?
                }
                None => self.bind_step(step, &program.stored, self.tables.get(&i), tensor).await?,
            });
        }
        Ok(Bound::joined(&self.context, parts))
    }

    async fn bind_step<'a>(
        &'a self,
        step: &Step,
        stored: &Stored,
        table: Option<&'a Buffer>,
        tensor: impl Fn(BufferId) -> Tensor<'a>,
    ) -> Result<Bound> {
        let Some(job) = job(step, stored) else { return Ok(Bound::joined(&self.context, Vec::new())) };
        let mut buffers: Vec<(Tensor<'_>, Reach)> =
            job.reads.iter().map(|&(buffer, reach)| (tensor(buffer), reach)).collect();
        if let (Some(table), Some(last)) = (table, buffers.last_mut()) {
            last.0 = Tensor::new(table);
        }
        buffers.push((tensor(job.write.0), job.write.1));
        let grid = grid(&self.context.caps().limits, job.workgroups);
        let Job { shader, params, offsets, .. } = job;
        Bound::of_shaders(&self.context, &[ShaderDispatch { shader: &shader, params, offsets, buffers, grid }]).await
    }
}

/// So many workgroups, in rows where a device has no more of them in a row.
fn grid(limits: &Limits, workgroups: usize) -> [u32; 3] {
    let most = limits.max_compute_workgroups_per_dimension.max(1) as usize;
    [word(workgroups.min(most)), word(workgroups.div_ceil(most).max(1)), 1]
}

/// A step's dispatch; none of a convolution, which is a layer's.
fn job(step: &Step, stored: &Stored) -> Option<Job> {
    let (inputs, to) = (&step.inputs, &step.output);
    Some(match &step.work {
        Work::Conv(_) => return None,
        Work::Map(map) => map::job(map, stored, inputs, to),
        Work::Pool(window) => pool::job(window, stored, &inputs[0], to),
        Work::Resample(taps) => {
            let len = resample::table(taps).len().max(1);
            // Its buffer is put in when it is bound.
            let table = Place::dense(inputs[0].buffer, [len].into());
            resample::job(taps, stored, &inputs[0], &table, to)
        }
        Work::Reduce(reduction) => reduce::job(*reduction, stored, &inputs[0], to),
        Work::Normalize(axes, epsilon) => reduce::normalize(axes, *epsilon, stored, &inputs[0], to),
        Work::Softmax(axis, log) => reduce::softmax(*axis, *log, stored, &inputs[0], to),
        Work::MatMul => matmul::job(stored, &inputs[0], &inputs[1], to),
        Work::Encode(format) => encode::job(*format, stored, &inputs[0], to),
    })
}
