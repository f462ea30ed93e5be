//! A plan's steps bound to buffers: made once, encoded any number of times, with no GPU object created on the way.
//!
//! This is where trusted shaders get everything that keeps them within their buffers: steps come from a plan that is the
//! planner's own, every length from the plan, and the parameters lie in a buffer that nobody else has.

use std::borrow::Cow;
use std::sync::Arc;

use super::buffer::Workspace;
use super::context::Context;
use super::fault::{scoped, scoped_at_once};
use super::pipeline::Pipeline;
use super::tensors::range::{BoundRange, buffers_of};
use super::tensors::{Tensor, Tensors};
use super::weights::Packed;
use crate::dtype::DType;
use crate::error::{DeviceError, Error, LimitError, Resource, Result, ShapeError};
use crate::kernel::{Access, Buffers, Variant};
use crate::plan::{Dispatch, Operand, Plan, Slot};

/// Which of a plan's dispatches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dispatches {
    /// Those of a run, in order.
    Run,
    /// Those that pack the weights, from [`Slot::Weights`] to [`Slot::Packed`].
    Packing,
    /// The one of a run at this position: to look at what each leaves.
    Only(usize),
}

impl Dispatches {
    /// The steps of a plan.
    fn of(self, plan: &Plan) -> Cow<'_, [Dispatch]> {
        match self {
            Self::Run => Cow::Borrowed(&plan.dispatches),
            Self::Packing => Cow::Owned(plan.packing.dispatches(&plan.problem)),
            Self::Only(index) => {
                Cow::Borrowed(plan.dispatches.get(index..).map_or(&[], |rest| &rest[..rest.len().min(1)]))
            }
        }
    }
}

/// Steps bound to buffers. It keeps those buffers alive for as long as it lives itself.
///
/// One that [`crate::Layer::bind`] made reads the layer's own weights: after [`crate::Layer::set_weights`] it computes with the
/// new ones, see there.
#[derive(Debug)]
pub struct Bound {
    context: Context,
    dispatches: Vec<Ready>,
    /// The first dispatch of each part that was joined.
    #[cfg(feature = "graph")]
    parts: Vec<usize>,
    /// A layer's packed weights, held so that new weights are packed into them for as long as they are in use.
    _packed: Vec<Arc<Packed>>,
    /// What an encoder is told by; none in a browser, and where nothing is encoded.
    #[cfg(not(target_arch = "wasm32"))]
    token: Option<Arc<super::identity::Token>>,
}

/// A dispatch with its pipeline and bind group.
#[derive(Debug)]
pub(super) struct Ready {
    pub(super) pipeline: wgpu::ComputePipeline,
    /// The kernel's name; none of a network's own shader.
    pub(super) kernel: Option<&'static str>,
    pub(super) group: wgpu::BindGroup,
    pub(super) grid: [u32; 3],
}

/// A window of a buffer, and where in it the tensor begins.
struct Window<'a> {
    range: BoundRange<'a>,
    /// First element of the tensor in the window.
    first: u32,
}

impl Bound {
    /// Binds a plan's dispatches, compiling what is not compiled yet.
    ///
    /// # Errors
    /// A tensor that is missing, too short, misaligned or of the wrong usage, of another device or destroyed; tensors that overlap
    /// in one buffer; a workspace that is too small or of another device; a plan for a larger device or for the CPU's kernels; a device
    /// that is lost; whatever the device says.
    pub async fn new(
        context: &Context,
        plan: &Plan,
        dispatches: Dispatches,
        tensors: &Tensors<'_>,
        workspace: &Workspace,
    ) -> Result<Self> {
        workspace.check_device(context)?;
        context.check_lost()?;
        if !plan.cpu_steps.is_empty() {
            let why = "expected a plan for this device: Plan::new with its Context::caps()".to_owned();
            return Err(Error::Unsupported { what: "binding a plan that was made for the CPU".to_owned(), why });
        }
        let steps = &*dispatches.of(plan);
        check_buffers(context, plan, steps, tensors)?;
        let limits = &context.caps().limits;
        let alignment = u64::from(limits.min_storage_buffer_offset_alignment).max(4);
        let mut windows = Vec::with_capacity(steps.len());
        let mut variants = Vec::with_capacity(steps.len());
        for step in steps {
            // The plan may be for another device.
            step.check_grid(limits)?;
            let mut of_step = Vec::with_capacity(step.operands.len());
            for operand in &step.operands {
                let window = window(plan, *operand, tensors, workspace, alignment)?;
                refuse_offset(step, of_step.len(), &window)?;
                let size = window.range.end - window.range.start;
                LimitError::check(
                    &step.kernel.name(),
                    Resource::BindingBytes,
                    size,
                    limits.max_storage_buffer_binding_size,
                )?;
                of_step.push(window);
            }
            let ranges: Vec<BoundRange<'_>> = of_step.iter().map(|window| window.range).collect();
            let buffers = buffers_of(&ranges, &is_written(step), alignment)?;
            let first = first_of_source(step, |i| of_step[i].first);
            variants.push(Variant { kernel: step.kernel.beginning_at(first), buffers });
            windows.push(of_step);
        }
        // Buffers are checked first, so that nothing is compiled for buffers that cannot be bound.
        let pipelines = context.pipelines_of(&variants).await?;
        let made = scoped(context.device(), "binding a plan", || {
            let stride = limits.min_uniform_buffer_offset_alignment.max(256) as usize;
            let uniforms = uniforms(context.device(), steps, &windows, stride)?;
            let dispatches = steps.iter().zip(pipelines).zip(&windows).enumerate();
            let bound = dispatches.map(|(i, ((step, pipeline), windows))| {
                let group = bind_group(context.device(), step, &pipeline, windows, &uniforms, i * stride);
                let kernel = Some(step.kernel.kernel());
                Ready { pipeline: pipeline.pipeline.clone(), kernel, group, grid: step.grid }
            });
            Ok(bound.collect())
        });
        let made = made.await;
        context.check_lost()?;
        let dispatches: Result<Vec<Ready>, DeviceError> = made?;
        Self::from_ready(context, dispatches?).await
    }

    pub(super) async fn from_ready(context: &Context, dispatches: Vec<Ready>) -> Result<Self> {
        #[cfg(not(target_arch = "wasm32"))]
        let token = if dispatches.is_empty() { None } else { Some(context.token().await?) };
        context.check_lost()?;
        Ok(Self {
            context: context.clone(),
            dispatches,
            #[cfg(feature = "graph")]
            parts: Vec::new(),
            #[cfg(not(target_arch = "wasm32"))]
            token,
            _packed: Vec::new(),
        })
    }

    /// Several as one, to be encoded in this order; all on one device.
    #[cfg(feature = "graph")]
    pub(crate) fn joined(context: &Context, parts: Vec<Self>) -> Self {
        let mut all = Self {
            context: context.clone(),
            dispatches: Vec::new(),
            parts: Vec::with_capacity(parts.len()),
            #[cfg(not(target_arch = "wasm32"))]
            token: parts.iter().find_map(|part| part.token.clone()),
            _packed: Vec::new(),
        };
        for part in parts {
            all.parts.push(all.dispatches.len());
            all.dispatches.extend(part.dispatches);
            all._packed.extend(part._packed);
        }
        all
    }

    /// The same, holding a layer's packed weights.
    pub(crate) fn holding(self, packed: Option<Arc<Packed>>) -> Self {
        Self { _packed: packed.into_iter().collect(), ..self }
    }

    /// Encodes the steps as one compute pass.
    ///
    /// # Errors
    /// [`DeviceError::WrongDevice`] if the encoder is of another instance of wgpu, which every device that
    /// [`Context::new`] opens has to itself. Nothing is encoded then. wgpu says so by a panic, which is caught; its message is
    /// printed, and a program built with `panic = "abort"` ends. An encoder of another device of the same instance cannot
    /// be told apart here: wgpu reports the mistake to that device when the encoder is finished.
    pub fn encode(&self, encoder: &mut wgpu::CommandEncoder) -> Result<()> {
        let descriptor = wgpu::ComputePassDescriptor { label: Some("winoconv"), timestamp_writes: None };
        self.encode_pass(&mut encoder.begin_compute_pass(&descriptor))
    }

    /// Encodes the steps into an open compute pass, whose pipeline and bind group 0 they change.
    ///
    /// # Errors
    /// As [`Self::encode`], for the pass's encoder. The pipeline of such a pass must be set anew.
    pub fn encode_pass(&self, pass: &mut wgpu::ComputePass<'_>) -> Result<()> {
        self.encode_only(pass, |_, _| true)
    }

    /// Encodes only what one of the joined parts was.
    #[cfg(all(feature = "graph", not(target_arch = "wasm32")))]
    pub(crate) fn encode_part(&self, pass: &mut wgpu::ComputePass<'_>, part: usize) -> Result<()> {
        let [first, end] = [part, part + 1].map(|part| self.parts.get(part).copied().unwrap_or(self.len()));
        self.encode_only(pass, |position, _| (first..end).contains(&position))
    }

    /// Encodes only the steps of this kernel, by [`crate::kernel::KernelSpec::kernel`]: to time stages apart.
    ///
    /// # Errors
    /// As [`Self::encode_pass`].
    pub fn encode_stage(&self, pass: &mut wgpu::ComputePass<'_>, kernel: &str) -> Result<()> {
        self.encode_only(pass, |_, of| of == Some(kernel))
    }

    fn encode_only(
        &self,
        pass: &mut wgpu::ComputePass<'_>,
        wanted: impl Fn(usize, Option<&str>) -> bool,
    ) -> Result<()> {
        #[cfg(not(target_arch = "wasm32"))]
        if let Some(token) = &self.token {
            token.check(pass)?;
        }
        for (position, dispatch) in self.dispatches.iter().enumerate() {
            if wanted(position, dispatch.kernel) {
                dispatch.encode(pass);
            }
        }
        Ok(())
    }

    /// Refuses any device but the one that it is bound on.
    pub(super) fn check_device(&self, context: &Context) -> Result<()> {
        if self.context.is_same(context) {
            return Ok(());
        }
        Err(DeviceError::WrongDevice { what: "the bound plan" }.into())
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

impl Ready {
    fn encode(&self, pass: &mut wgpu::ComputePass<'_>) {
        pass.set_pipeline(&self.pipeline);
        pass.set_bind_group(0, &self.group, &[]);
        let [x, y, z] = self.grid;
        pass.dispatch_workgroups(x, y, z);
    }
}

/// Refuses buffers of other devices, whose numbers mean something else here, before anything is compared by them.
fn check_buffers(context: &Context, plan: &Plan, steps: &[Dispatch], tensors: &Tensors<'_>) -> Result<()> {
    let mut checked = Vec::new();
    for slot in steps.iter().flat_map(|step| &step.operands).map(|operand| operand.slot) {
        if !checked.contains(&slot) {
            checked.push(slot);
            let what = slot.tensor_name(plan.problem.operation);
            tensors.get(slot).map_or(Ok(()), |tensor| context.check_buffer(what, tensor.buffer))?;
        }
    }
    Ok(())
}

/// Where a slot lies: exactly as long as the plan has it, so that a kernel reaches nothing else of the buffer.
fn window<'a>(
    plan: &Plan,
    operand: Operand,
    tensors: &Tensors<'a>,
    workspace: &'a Workspace,
    alignment: u64,
) -> Result<Window<'a>> {
    let Operand { slot, first, len: part } = operand;
    let what = slot.tensor_name(plan.problem.operation);
    let missing = |expected| ShapeError::Presence { what, expected, got: "none" };
    let len = plan.operand_len(slot).ok_or_else(|| missing("a workspace buffer that the plan has"))?;
    let element = plan.operand_type(slot).size();
    let tensor = match slot {
        Slot::Workspace(index) => {
            let there = workspace.get(index);
            let got = there.map_or(0, |(_, len)| len);
            let buffer = there.map(|(buffer, _)| buffer).filter(|_| got >= len);
            let short = ShapeError::Length { what, expected: len, got };
            Some(Tensor::new(buffer.ok_or(short)?))
        }
        of_caller => tensors.get(of_caller),
    };
    let Tensor { buffer, offset } = tensor.ok_or_else(|| missing("a tensor"))?;
    if !offset.is_multiple_of(element) {
        let why = format!("{offset} bytes, expected a multiple of {element}");
        return Err(Error::Unsupported { what: format!("the offset of {what}"), why });
    }
    if !buffer.usage().contains(wgpu::BufferUsages::STORAGE) {
        let why = format!("expected STORAGE among its usages, got {:?}", buffer.usage());
        return Err(Error::Unsupported { what: format!("the buffer of {what}"), why });
    }
    // The last word of a tensor is bound as a whole.
    let there = (buffer.size() / 4 * 4).saturating_sub(offset) / element;
    let there = usize::try_from(there).unwrap_or(usize::MAX);
    if there < len {
        return Err(ShapeError::Length { what, expected: len, got: there }.into());
    }
    // The part that is bound; the planner keeps it within the tensor.
    let (offset, len) = (offset + element * first as u64, part.unwrap_or(len - first));
    let start = offset / alignment * alignment;
    let first = (offset - start) / element;
    let size = (element * (first + len as u64)).next_multiple_of(4);
    // Kernels count elements in 32 bits, whatever size of binding a device allows.
    LimitError::check(what, Resource::IndexRange, first + len as u64, u32::MAX.into())?;
    let first = u32::try_from(first).unwrap_or(u32::MAX);
    Ok(Window { range: BoundRange { what, buffer, start, tensor: offset, end: start + size }, first })
}

/// A kernel without a parameter for a tensor's first element takes it from the window's start alone.
fn refuse_offset(step: &Dispatch, operand: usize, window: &Window<'_>) -> Result<()> {
    let Some(binding) = step.kernel.bindings().into_iter().nth(operand) else { return Ok(()) };
    if window.first == 0 || offset_field(step, binding.name).is_some() {
        return Ok(());
    }
    let what = format!("{} of {} at {} elements past the device's alignment", binding.name, step.kernel, window.first);
    Err(Error::Unsupported { what, why: "this kernel needs an aligned offset".to_owned() })
}

/// Position of the parameter that holds a binding's first element.
fn offset_field(step: &Dispatch, name: &str) -> Option<usize> {
    step.kernel.params().iter().position(|(field, _)| field.strip_suffix("_offset") == Some(name))
}

/// The element of its binding that a step's source begins at.
fn first_of_source(step: &Dispatch, first: impl Fn(usize) -> u32) -> u32 {
    step.kernel.bindings().iter().position(|binding| binding.name == "src").map_or(0, first)
}

/// Which of a step's operands are written.
fn is_written(step: &Dispatch) -> Vec<bool> {
    step.kernel.bindings().iter().map(|binding| binding.access == Access::Write).collect()
}

/// What a plan's dispatches are compiled as for tensors in these buffers. Packed weights and the workspace have buffers of their
/// own.
pub(crate) fn variants(steps: &[Dispatch], tensors: &Tensors<'_>) -> Vec<Variant> {
    let variant = |step: &Dispatch| {
        let buffer = |i: usize| Some(tensors.get(step.operands.get(i)?.slot)?.buffer);
        let same = |i: usize, j: usize| buffer(i).is_some() && buffer(i) == buffer(j);
        // Bindings begin at multiples of more bytes than it matters for where in them an element lies.
        let first = |i: usize| {
            let operand = step.operands[i];
            let offset = tensors.get(operand.slot).map_or(0, |tensor| tensor.offset / DType::F16.size());
            (offset % 8) as u32 + (operand.first % 8) as u32
        };
        let kernel = step.kernel.beginning_at(first_of_source(step, first));
        Variant { kernel, buffers: Buffers::of(&is_written(step), same) }
    };
    steps.iter().map(variant).collect()
}

/// All steps' parameters in one buffer, with the tensors' first elements filled in.
fn uniforms(
    device: &wgpu::Device,
    steps: &[Dispatch],
    windows: &[Vec<Window<'_>>],
    stride: usize,
) -> Result<wgpu::Buffer, DeviceError> {
    let mut bytes = vec![0u8; stride * steps.len().max(1)];
    for (i, (step, windows)) in steps.iter().zip(windows).enumerate() {
        let mut words = step.params.clone();
        for (binding, window) in step.kernel.bindings().iter().zip(windows) {
            if let Some(at) = offset_field(step, binding.name) {
                words[at] = words[at].wrapping_add(window.first);
            }
        }
        let words: &[u8] = bytemuck::cast_slice(&words);
        bytes[i * stride..i * stride + words.len()].copy_from_slice(words);
    }
    uniform(device, &bytes)
}

/// A buffer of parameters.
pub(super) fn uniform(device: &wgpu::Device, bytes: &[u8]) -> Result<wgpu::Buffer, DeviceError> {
    let buffer = device.create_buffer(&wgpu::BufferDescriptor {
        label: Some("winoconv parameters"),
        size: bytes.len() as u64,
        usage: wgpu::BufferUsages::UNIFORM,
        mapped_at_creation: true,
    });
    // Parameters that were not written would be zeros, and no trusted shader may run with those. (What the scope around
    // this hears, out of memory first of all, is reported before it.)
    let failed = |error: wgpu::MapRangeError| DeviceError::Map { message: error.to_string() };
    buffer.get_mapped_range_mut(..).map_err(failed)?.copy_from_slice(bytes);
    buffer.unmap();
    Ok(buffer)
}

fn bind_group(
    device: &wgpu::Device,
    step: &Dispatch,
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
        resource: resource(window.range.buffer, window.range.start, window.range.end - window.range.start),
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
    ///
    /// # Errors
    /// [`DeviceError::WrongDevice`] if they are bound on another device, [`DeviceError::Destroyed`] if one of their buffers was
    /// destroyed since, [`DeviceError::Lost`], or whatever else the device says. (In a browser what it says of a submission
    /// comes later, where its errors surface.)
    pub fn submit(&self, bound: &Bound) -> Result<()> {
        bound.check_device(self)?;
        let submitted = scoped_at_once(self.device(), "submitting a bound plan", || {
            let descriptor = wgpu::CommandEncoderDescriptor { label: Some("winoconv") };
            let mut encoder = self.device().create_command_encoder(&descriptor);
            bound.encode(&mut encoder)?;
            self.queue().submit([encoder.finish()]);
            Ok(())
        });
        self.check_lost()?;
        submitted?
    }
}
