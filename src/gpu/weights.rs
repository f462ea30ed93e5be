//! A convolution's weights on a GPU: as they were given, and packed in each form that a plan takes. New weights go into the same
//! buffers, and are packed anew in the same submission: what is bound to those buffers sees the new ones.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use super::bound::{Bound, Dispatches};
use super::buffer::Workspace;
use super::context::Context;
use super::fault::scoped;
use super::tensors::{Tensor, Tensors};
use crate::dtype::DType;
use crate::error::{Error, Result, ShapeError};
use crate::plan::{Packing, Plan};
use crate::problem::Operation;

/// Weights packed in one form, and the dispatches that pack them.
#[derive(Debug)]
pub(crate) struct Packed {
    buffer: wgpu::Buffer,
    packing: Bound,
}

impl Packed {
    /// The packed weights.
    pub(crate) const fn buffer(&self) -> &wgpu::Buffer {
        &self.buffer
    }
}

/// The weights of a layer.
#[derive(Debug)]
pub(crate) struct GpuWeights {
    context: Context,
    /// In the type of the convolution's tensors.
    pub(crate) weights: wgpu::Buffer,
    pub(crate) bias: Option<wgpu::Buffer>,
    pub(crate) slopes: Option<wgpu::Buffer>,
    dtype: DType,
    /// Held by whoever packs: one after the other, so that nothing is packed twice.
    turn: futures_intrusive::sync::Mutex<()>,
    /// The forms that something takes. Locked while a submission changes weights or packs them, so that each packing is either
    /// submitted after a change, or known to it.
    packed: Mutex<HashMap<(Operation, Packing), Weak<Packed>>>,
}

/// New weights, bias and slopes in buffers, each of at least as many bytes as the layer's own.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sources<'a> {
    pub(crate) weights: Tensor<'a>,
    pub(crate) bias: Option<Tensor<'a>>,
    pub(crate) slopes: Option<Tensor<'a>>,
}

impl GpuWeights {
    /// Puts weights on a device.
    pub(crate) async fn new(
        context: &Context,
        dtype: DType,
        weights: &[f32],
        bias: Option<&[f32]>,
        slopes: Option<&[f32]>,
    ) -> Result<Self> {
        let optional = async |label, data: Option<&[f32]>| match data {
            Some(data) => context.upload(label, data).await.map(Some),
            None => Ok(None),
        };
        Ok(Self {
            weights: context.upload_as("weights", dtype, weights).await?,
            bias: optional("bias", bias).await?,
            slopes: optional("slopes", slopes).await?,
            dtype,
            context: context.clone(),
            turn: futures_intrusive::sync::Mutex::new((), true),
            packed: Mutex::default(),
        })
    }

    /// The device.
    pub(crate) const fn context(&self) -> &Context {
        &self.context
    }

    fn forms(&self) -> MutexGuard<'_, HashMap<(Operation, Packing), Weak<Packed>>> {
        self.packed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn known(&self, plan: &Plan) -> Option<Arc<Packed>> {
        self.forms().get(&plan.packing_key()).and_then(Weak::upgrade)
    }

    /// Whether nothing is left to pack for a plan.
    pub(crate) fn is_packed(&self, plan: &Plan) -> bool {
        plan.packing.is_given() || self.known(plan).is_some()
    }

    /// The packed weights that a plan takes, packed if they are not there; none if it takes them as they are given.
    pub(crate) async fn packed(&self, plan: &Plan) -> Result<Option<Arc<Packed>>> {
        if plan.packing.is_given() {
            return Ok(None);
        }
        let context = &self.context;
        let _turn = self.turn.lock().await;
        if let Some(packed) = self.known(plan) {
            return Ok(Some(packed));
        }
        let buffer = context.create_buffer("packed weights", plan.packing.len(&plan.problem)).await?;
        let tensors =
            Tensors { weights: Some((&self.weights).into()), packed: Some((&buffer).into()), ..Default::default() };
        let packing = Bound::new(context, plan, Dispatches::Packing, &tensors, &Workspace::default()).await?;
        let packed = Arc::new(Packed { buffer, packing });
        let mut forms = self.forms();
        context.submit(&packed.packing)?;
        forms.retain(|_, form| form.strong_count() > 0);
        forms.insert(plan.packing_key(), Arc::downgrade(&packed));
        Ok(Some(packed))
    }

    /// Bytes of all packed weights.
    pub(crate) fn packed_bytes(&self) -> u64 {
        self.forms().values().filter_map(Weak::upgrade).map(|packed| packed.buffer.size()).sum()
    }

    /// Replaces weights, bias and slopes, and packs them anew, in one submission.
    pub(crate) async fn set(&self, weights: &[f32], bias: Option<&[f32]>, slopes: Option<&[f32]>) -> Result<()> {
        let staged = async |label, dtype: DType, data: &[f32]| self.context.stage(label, &dtype.to_bytes(data)).await;
        let optional = async |label, data: Option<&[f32]>| match data {
            Some(data) => staged(label, DType::F32, data).await.map(Some),
            None => Ok(None),
        };
        let weights = staged("new weights", self.dtype, weights).await?;
        let (bias, slopes) = (optional("new bias", bias).await?, optional("new slopes", slopes).await?);
        let sources = Sources {
            weights: (&weights).into(),
            bias: bias.as_ref().map(Into::into),
            slopes: slopes.as_ref().map(Into::into),
        };
        self.set_from(sources).await
    }

    /// The same from buffers on the device.
    pub(crate) async fn set_from(&self, sources: Sources<'_>) -> Result<()> {
        let own = [Some(&self.weights), self.bias.as_ref(), self.slopes.as_ref()];
        let new = [Some(sources.weights), sources.bias, sources.slopes];
        let what = ["the weights", "the bias", "the slopes"];
        let dtypes = [self.dtype, DType::F32, DType::F32];
        let mut copies = Vec::with_capacity(own.len());
        for (i, (own, new)) in own.into_iter().zip(new).enumerate() {
            if let (Some(own), Some(new)) = (own, new) {
                self.context.check_buffer(what[i], new.buffer)?;
                check_source(what[i], new, dtypes[i], own.size())?;
                copies.push((new, own));
            }
        }
        let device = self.context.device();
        let submitted = scoped(device, "setting weights", || {
            let descriptor = wgpu::CommandEncoderDescriptor { label: Some("winoconv weights") };
            let mut encoder = device.create_command_encoder(&descriptor);
            for (new, own) in copies {
                encoder.copy_buffer_to_buffer(new.buffer, new.offset, own, 0, own.size());
            }
            let forms = self.forms();
            for packed in forms.values().filter_map(Weak::upgrade) {
                packed.packing.encode(&mut encoder)?;
            }
            self.context.queue().submit([encoder.finish()]);
            Ok(())
        });
        let submitted: Result<Result<()>> = submitted.await;
        self.context.check_lost()?;
        submitted?
    }
}

/// What a copy asks of its source.
fn check_source(what: &'static str, tensor: Tensor<'_>, dtype: DType, bytes: u64) -> Result<()> {
    let Tensor { buffer, offset } = tensor;
    if !offset.is_multiple_of(wgpu::COPY_BUFFER_ALIGNMENT) {
        let why = format!(
            "{offset} bytes, expected a multiple of {}: a device copies whole words",
            wgpu::COPY_BUFFER_ALIGNMENT
        );
        return Err(Error::Unsupported { what: format!("the offset of {what} to copy"), why });
    }
    if !buffer.usage().contains(wgpu::BufferUsages::COPY_SRC) {
        let why = format!("expected COPY_SRC among its usages, got {:?}", buffer.usage());
        return Err(Error::Unsupported { what: format!("the buffer of {what} to copy"), why });
    }
    let there = buffer.size().saturating_sub(offset);
    if there < bytes {
        let elements = |bytes: u64| usize::try_from(bytes / dtype.size()).unwrap_or(usize::MAX);
        return Err(ShapeError::Length { what, expected: elements(bytes), got: elements(there) }.into());
    }
    Ok(())
}
