//! A plan's steps bound to buffers: made once, encoded any number of times, with no GPU object created on the way.

use std::sync::Arc;

use super::buffer::Workspace;
use super::context::Context;
use super::fault::scoped;
use super::pipeline::Pipeline;
use crate::error::{Error, LimitError, Resource, Result, ShapeError};
use crate::kernel::Access;
use crate::plan::{Slot, Step};

/// A tensor in a caller's buffer.
#[derive(Debug, Clone, Copy)]
pub struct Tensor<'a> {
    /// The buffer; it must have the usage `STORAGE`.
    pub buffer: &'a wgpu::Buffer,
    /// Where the tensor begins, in bytes: any multiple of 4.
    pub offset: u64,
}

impl<'a> Tensor<'a> {
    /// The tensor at the start of a buffer.
    pub const fn new(buffer: &'a wgpu::Buffer) -> Self {
        Self { buffer, offset: 0 }
    }

    /// The tensor at an offset in bytes.
    pub const fn at(buffer: &'a wgpu::Buffer, offset: u64) -> Self {
        Self { buffer, offset }
    }
}

impl<'a> From<&'a wgpu::Buffer> for Tensor<'a> {
    fn from(buffer: &'a wgpu::Buffer) -> Self {
        Self::new(buffer)
    }
}

/// What the slots of a plan are, with the number of elements that each must have.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tensors<'a> {
    /// [`Slot::Input`]
    pub input: Option<(Tensor<'a>, usize)>,
    /// [`Slot::Output`]
    pub output: Option<(Tensor<'a>, usize)>,
    /// [`Slot::Weights`]
    pub weights: Option<(Tensor<'a>, usize)>,
    /// [`Slot::Packed`]
    pub packed: Option<(Tensor<'a>, usize)>,
    /// [`Slot::Bias`]
    pub bias: Option<(Tensor<'a>, usize)>,
    /// [`Slot::Slopes`]
    pub slopes: Option<(Tensor<'a>, usize)>,
}

impl<'a> Tensors<'a> {
    fn get(&self, slot: Slot) -> (&'static str, Option<(Tensor<'a>, usize)>) {
        match slot {
            Slot::Input => ("the input", self.input),
            Slot::Output => ("the output", self.output),
            Slot::Weights => ("the weights", self.weights),
            Slot::Packed => ("the packed weights", self.packed),
            Slot::Bias => ("the bias", self.bias),
            Slot::Slopes => ("the slopes", self.slopes),
            Slot::Workspace(_) => ("the workspace", None),
        }
    }
}

/// Steps bound to buffers. It keeps those buffers alive for as long as it lives itself.
#[derive(Debug)]
pub struct Bound {
    dispatches: Vec<Dispatch>,
}

#[derive(Debug)]
struct Dispatch {
    pipeline: Arc<Pipeline>,
    group: wgpu::BindGroup,
    grid: [u32; 3],
}

/// A window of a buffer, and where in it the tensor begins.
struct Window<'a> {
    buffer: &'a wgpu::Buffer,
    /// Start of the window in bytes, aligned as the device wants it.
    start: u64,
    size: u64,
    /// First element of the tensor in the window.
    first: u32,
}

impl Bound {
    /// Binds steps, compiling what is not compiled yet.
    ///
    /// # Errors
    /// A tensor that is missing, too short, misaligned or of the wrong usage; input and output in one buffer; a
    /// workspace of another device; whatever the device says.
    pub async fn new(context: &Context, steps: &[Step], tensors: &Tensors<'_>, workspace: &Workspace) -> Result<Self> {
        workspace.check_device(context)?;
        let mut pipelines = Vec::with_capacity(steps.len());
        for step in steps {
            pipelines.push(context.pipeline(&step.kernel).await?);
        }
        let limits = &context.caps().limits;
        let alignment = u64::from(limits.min_storage_buffer_offset_alignment).max(4);
        let mut windows = Vec::with_capacity(steps.len());
        for step in steps {
            let mut of_step = Vec::with_capacity(step.operands.len());
            for &slot in &step.operands {
                let window = window(slot, tensors, workspace, alignment)?;
                refuse_offset(step, of_step.len(), &window)?;
                let size = window.size;
                LimitError::check(
                    &step.kernel.name(),
                    Resource::BindingBytes,
                    size,
                    limits.max_storage_buffer_binding_size,
                )?;
                of_step.push(window);
            }
            refuse_aliases(step, &of_step)?;
            windows.push(of_step);
        }
        let made = scoped(context.device(), "binding a plan", || {
            let stride = limits.min_uniform_buffer_offset_alignment.max(256) as usize;
            let uniforms = uniforms(context.device(), steps, &windows, stride);
            let dispatches = steps.iter().zip(pipelines).zip(&windows).enumerate();
            dispatches
                .map(|(i, ((step, pipeline), windows))| {
                    let group = bind_group(context.device(), step, &pipeline, windows, &uniforms, i * stride);
                    Dispatch { pipeline, group, grid: step.grid }
                })
                .collect()
        });
        Ok(Self { dispatches: made.await? })
    }

    /// Encodes the steps as one compute pass.
    pub fn encode(&self, encoder: &mut wgpu::CommandEncoder) {
        let descriptor = wgpu::ComputePassDescriptor { label: Some("winoconv"), timestamp_writes: None };
        self.encode_pass(&mut encoder.begin_compute_pass(&descriptor));
    }

    /// Encodes the steps into an open compute pass, whose pipeline and bind group 0 they change.
    pub fn encode_pass(&self, pass: &mut wgpu::ComputePass<'_>) {
        for dispatch in &self.dispatches {
            dispatch.encode(pass);
        }
    }

    /// Encodes only the steps of this kernel, by [`crate::kernel::KernelSpec::kernel`]: to time stages apart.
    pub fn encode_stage(&self, pass: &mut wgpu::ComputePass<'_>, kernel: &str) {
        for dispatch in self.dispatches.iter().filter(|dispatch| dispatch.pipeline.spec().kernel() == kernel) {
            dispatch.encode(pass);
        }
    }

    /// Number of dispatches.
    pub const fn len(&self) -> usize {
        self.dispatches.len()
    }

    /// Whether there is nothing to do.
    pub const fn is_empty(&self) -> bool {
        self.dispatches.is_empty()
    }
}

impl Dispatch {
    fn encode(&self, pass: &mut wgpu::ComputePass<'_>) {
        pass.set_pipeline(&self.pipeline.pipeline);
        pass.set_bind_group(0, &self.group, &[]);
        let [x, y, z] = self.grid;
        pass.dispatch_workgroups(x, y, z);
    }
}

fn window<'a>(slot: Slot, tensors: &Tensors<'a>, workspace: &'a Workspace, alignment: u64) -> Result<Window<'a>> {
    if let Slot::Workspace(index) = slot {
        let missing = ShapeError::Presence { what: "a workspace buffer", expected: "one for the plan", got: "none" };
        let buffer = workspace.get(index).ok_or(missing)?;
        return Ok(Window { buffer, start: 0, size: buffer.size(), first: 0 });
    }
    let (what, tensor) = tensors.get(slot);
    let (tensor, len) = tensor.ok_or(ShapeError::Presence { what, expected: "a tensor", got: "none" })?;
    let Tensor { buffer, offset } = tensor;
    if !offset.is_multiple_of(4) {
        let why = format!("{offset} bytes, expected a multiple of 4");
        return Err(Error::Unsupported { what: format!("the offset of {what}"), why });
    }
    if !buffer.usage().contains(wgpu::BufferUsages::STORAGE) {
        let why = format!("expected STORAGE among its usages, got {:?}", buffer.usage());
        return Err(Error::Unsupported { what: format!("the buffer of {what}"), why });
    }
    let there = usize::try_from(buffer.size().saturating_sub(offset) / 4).unwrap_or(usize::MAX);
    if there < len {
        return Err(ShapeError::Length { what, expected: len, got: there }.into());
    }
    let start = offset / alignment * alignment;
    let first = (offset - start) / 4;
    let size = 4 * (first + len as u64);
    let first = u32::try_from(first).unwrap_or(u32::MAX);
    Ok(Window { buffer, start, size, first })
}

/// A kernel without a parameter for a tensor's first element takes it from the window's start alone.
fn refuse_offset(step: &Step, operand: usize, window: &Window<'_>) -> Result<()> {
    let Some(binding) = step.kernel.bindings().into_iter().nth(operand) else { return Ok(()) };
    if window.first == 0 || offset_field(step, binding.name).is_some() {
        return Ok(());
    }
    let what = format!("{} of {} at {} bytes past the device's alignment", binding.name, step.kernel, 4 * window.first);
    Err(Error::Unsupported { what, why: "this kernel takes it at an aligned offset only".to_owned() })
}

/// Position of the parameter that holds a binding's first element.
fn offset_field(step: &Step, name: &str) -> Option<usize> {
    step.kernel.params().iter().position(|(field, _)| field.strip_suffix("_offset") == Some(name))
}

/// wgpu refuses a buffer that a dispatch both reads and writes, even in parts that do not touch.
fn refuse_aliases(step: &Step, windows: &[Window<'_>]) -> Result<()> {
    let bindings = step.kernel.bindings();
    for (i, (binding, window)) in bindings.iter().zip(windows).enumerate() {
        let same = |(j, other): (usize, &Window<'_>)| j != i && other.buffer == window.buffer;
        if binding.access == Access::Write && windows.iter().enumerate().any(same) {
            return Err(Error::Unsupported {
                what: format!("one buffer read and written by {}", step.kernel),
                why: "WebGPU allows a buffer to be bound for reading or for writing in a dispatch, not both".to_owned(),
            });
        }
    }
    Ok(())
}

/// All steps' parameters in one buffer, with the tensors' first elements filled in.
fn uniforms(device: &wgpu::Device, steps: &[Step], windows: &[Vec<Window<'_>>], stride: usize) -> wgpu::Buffer {
    let mut bytes = vec![0u8; stride * steps.len().max(1)];
    for (i, (step, windows)) in steps.iter().zip(windows).enumerate() {
        let mut words = step.params.clone();
        for (binding, window) in step.kernel.bindings().iter().zip(windows) {
            if let Some(at) = offset_field(step, binding.name) {
                words[at] += window.first;
            }
        }
        let words: &[u8] = bytemuck::cast_slice(&words);
        bytes[i * stride..i * stride + words.len()].copy_from_slice(words);
    }
    let buffer = device.create_buffer(&wgpu::BufferDescriptor {
        label: Some("winoconv parameters"),
        size: bytes.len() as u64,
        usage: wgpu::BufferUsages::UNIFORM,
        mapped_at_creation: true,
    });
    // Out of memory is reported by the scope around this.
    if let Ok(mut mapped) = buffer.get_mapped_range_mut(..) {
        mapped.copy_from_slice(&bytes);
    }
    buffer.unmap();
    buffer
}

fn bind_group(
    device: &wgpu::Device,
    step: &Step,
    pipeline: &Pipeline,
    windows: &[Window<'_>],
    uniforms: &wgpu::Buffer,
    offset: usize,
) -> wgpu::BindGroup {
    let resource = |buffer, offset, size| {
        wgpu::BindingResource::Buffer(wgpu::BufferBinding { buffer, offset, size: wgpu::BufferSize::new(size) })
    };
    // Rounded up as uniform structs are.
    let size = (4 * step.params.len() as u64).next_multiple_of(16);
    let params = wgpu::BindGroupEntry { binding: 0, resource: resource(uniforms, offset as u64, size) };
    let bindings = step.kernel.bindings();
    let storage = bindings.iter().zip(windows).map(|(binding, window)| wgpu::BindGroupEntry {
        binding: binding.index,
        resource: resource(window.buffer, window.start, window.size),
    });
    let entries: Vec<_> = [params].into_iter().chain(storage).collect();
    let label = step.kernel.name();
    device.create_bind_group(&wgpu::BindGroupDescriptor {
        label: Some(&label),
        layout: &pipeline.layout,
        entries: &entries,
    })
}

impl Context {
    /// Encodes bound steps into an encoder of our own and submits it.
    pub fn submit(&self, bound: &Bound) {
        let descriptor = wgpu::CommandEncoderDescriptor { label: Some("winoconv") };
        let mut encoder = self.device().create_command_encoder(&descriptor);
        bound.encode(&mut encoder);
        self.queue().submit([encoder.finish()]);
    }
}
