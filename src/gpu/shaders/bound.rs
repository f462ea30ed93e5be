//! Shaders of networks bound to buffers. A [`Shader`] checks its indices when it runs, so a step that is wrong computes nonsense
//! and touches no other buffer.

use std::sync::Arc;

use super::kept::{Compiled, Shader, compile};
use crate::error::{DeviceError, Error, LimitError, Resource, Result, ShapeError};
use crate::gpu::bound::{Bound, Ready, uniform};
use crate::gpu::context::Context;
use crate::gpu::fault::scoped;
use crate::gpu::tensors::Tensor;
use crate::gpu::tensors::range::{BoundRange, buffers_of};
use crate::kernel::Buffers;

/// Elements `first..end` of so many bytes in a buffer, 1, 2 or 4.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reach {
    pub(crate) size: usize,
    pub(crate) first: usize,
    pub(crate) end: usize,
}

/// A shader with what it runs on.
#[derive(Debug)]
pub(crate) struct ShaderDispatch<'a> {
    pub(crate) shader: &'a Shader,
    /// The words of the uniform; those that hold the first element of a buffer are counted from the buffer's start, and are
    /// moved to where its binding begins.
    pub(crate) params: Vec<u32>,
    /// Position among the words of each buffer's first element, the written one's last.
    pub(crate) offsets: Vec<usize>,
    /// The buffers that are read, and the written one as the last.
    pub(crate) buffers: Vec<(Tensor<'a>, Reach)>,
    /// Workgroups.
    pub(crate) grid: [u32; 3],
}

impl Context {
    /// The compiled form of a shader, kept like pipelines of kernels.
    async fn compiled_shader(&self, shader: &Shader) -> Result<Arc<Compiled>> {
        if let Some(found) = self.shaders().find(shader) {
            return Ok(found);
        }
        let compile = || compile(self.device(), self.cache().driver(), shader);
        let compiled = scoped(self.device(), &format!("compiling {}", shader.name), compile).await;
        self.check_lost()?;
        let compiled = Arc::new(compiled?);
        self.shaders().keep(shader, compiled.clone(), self.pipeline_capacity());
        Ok(compiled)
    }
}

/// A binding: a window of a buffer that begins where the device allows it.
struct Window<'a> {
    range: BoundRange<'a>,
    /// The window's first element, counted from the tensor's start: what indices are less by.
    before: i64,
}

fn window<'a>(
    context: &Context,
    what: &'static str,
    tensor: Tensor<'a>,
    reach: Reach,
    alignment: u64,
) -> Result<Window<'a>> {
    let limits = &context.caps().limits;
    context.check_buffer(what, tensor.buffer)?;
    if !tensor.offset.is_multiple_of(4) {
        let why = format!("{} bytes, expected a multiple of 4", tensor.offset);
        return Err(Error::Unsupported { what: format!("the offset of {what}"), why });
    }
    if !tensor.buffer.usage().contains(wgpu::BufferUsages::STORAGE) {
        let why = format!("expected STORAGE among its usages, got {:?}", tensor.buffer.usage());
        return Err(Error::Unsupported { what: format!("the buffer of {what}"), why });
    }
    let of_element = reach.size as u64;
    let [first, end] = [reach.first, reach.end].map(|element| of_element.saturating_mul(element as u64));
    let [first, end] = [first, end.saturating_add(3) / 4 * 4].map(|bytes| tensor.offset.saturating_add(bytes));
    if end > tensor.buffer.size() / 4 * 4 {
        let there = usize::try_from((tensor.buffer.size() / 4 * 4).saturating_sub(tensor.offset) / of_element);
        return Err(ShapeError::Length { what, expected: reach.end, got: there.unwrap_or(usize::MAX) }.into());
    }
    let start = first / alignment * alignment;
    let size = end - start;
    LimitError::check(what, Resource::BindingBytes, size, limits.max_storage_buffer_binding_size)?;
    let before = (start.cast_signed() - tensor.offset.cast_signed()) / of_element.cast_signed();
    Ok(Window { range: BoundRange { what, buffer: tensor.buffer, start, tensor: first, end }, before })
}

impl Bound {
    /// Binds shaders to buffers, to be encoded in this order.
    pub(crate) async fn of_shaders(context: &Context, dispatches: &[ShaderDispatch<'_>]) -> Result<Self> {
        let mut ready = Vec::with_capacity(dispatches.len());
        let last = |of: &ShaderDispatch<'_>| of.buffers.len().saturating_sub(1);
        let alignment = u64::from(context.caps().limits.min_storage_buffer_offset_alignment).max(4);
        for of in dispatches {
            let mut windows = Vec::with_capacity(of.buffers.len());
            for (i, (tensor, reach)) in of.buffers.iter().enumerate() {
                let what = if i == last(of) { "an output of a step" } else { "an input of a step" };
                windows.push(window(context, what, *tensor, *reach, alignment)?);
            }
            let ranges: Vec<BoundRange<'_>> = windows.iter().map(|window| window.range).collect();
            let is_written: Vec<bool> = (0..ranges.len()).map(|i| i == last(of)).collect();
            let buffers = buffers_of(&ranges, &is_written, alignment)?;
            let mut words = of.params.clone();
            for (&at, window) in of.offsets.iter().zip(&windows) {
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "indices wrap around")]
                let before = window.before as u32;
                words[at] = words[at].wrapping_sub(before);
            }
            words.resize(words.len().next_multiple_of(4), 0);
            let compiled = match buffers {
                Buffers::Separate => context.compiled_shader(of.shader).await?,
                Buffers::Shared => context.compiled_shader(&of.shader.with_shared_buffers()).await?,
            };
            let made = scoped(context.device(), "binding a step", || {
                let uniform = uniform(context.device(), bytemuck::cast_slice(&words))?;
                Ok(ready_from(context.device(), of, &compiled, &windows, &uniform))
            });
            let made: Result<Result<Ready, DeviceError>> = made.await;
            context.check_lost()?;
            ready.push(made??);
        }
        Self::from_ready(context, ready).await
    }
}

fn ready_from(
    device: &wgpu::Device,
    of: &ShaderDispatch<'_>,
    compiled: &Compiled,
    windows: &[Window<'_>],
    uniform: &wgpu::Buffer,
) -> Ready {
    let mut entries = vec![wgpu::BindGroupEntry { binding: 0, resource: uniform.as_entire_binding() }];
    for (binding, Window { range, .. }) in (1..).zip(windows) {
        let size = wgpu::BufferSize::new(range.end - range.start);
        let buffer = wgpu::BufferBinding { buffer: range.buffer, offset: range.start, size };
        entries.push(wgpu::BindGroupEntry { binding, resource: wgpu::BindingResource::Buffer(buffer) });
    }
    let descriptor =
        wgpu::BindGroupDescriptor { label: Some(of.shader.name.as_str()), layout: &compiled.layout, entries: &entries };
    Ready {
        pipeline: compiled.pipeline.clone(),
        kernel: None,
        group: device.create_bind_group(&descriptor),
        grid: of.grid,
    }
}
