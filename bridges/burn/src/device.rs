//! Devices of burn that winoconv may use, and what is kept for each: plans, packed weights, a workspace, and what ran.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use burn::backend::DispatchDevice;
use burn::tensor::wgpu::WgpuSetup;
use burn::tensor::{DType, Device, Shape};
use burn_cubecl::tensor::CubeTensor;
use burn_cubecl::{CubeDevice, kernel, ops::numeric};
use cubecl::server::ServerError;
use cubecl::std::tensor as contiguous;
use cubecl::wgpu::{AutoCompiler, WgpuResource, WgpuServer};
use lru::LruCache;
use pollster::block_on;
use winoconv::gpu::{Bound, CacheSource, Context, Dispatches, ShaderChecks, Tensor, Tensors, Workspace};
use winoconv::{Operation, Plan, Preferences};

use crate::geometry::Geometry;
use crate::packed::PackedWeights;
use crate::report::{Ran, Why};

/// How many different convolutions and gradients a device keeps plans of, and how many packed weights. The least recently used
/// goes first.
pub const CAPACITY: usize = 512;

/// Why a device cannot be attached.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AttachError {
    /// It is not a device of burn's wgpu runtime.
    #[error("{device} is not a device of burn's wgpu runtime")]
    NotWgpu {
        /// The device.
        device: String,
    },
    /// Winoconv cannot use it.
    #[error(transparent)]
    Winoconv(#[from] winoconv::Error),
}

/// Lets winoconv use burn's device. Call it once, with what `Device::wgpu_options().init_with_setup()` returned, or with the
/// setup that you gave to burn. Whatever was planned and packed for the device before is dropped.
///
/// # Errors
/// [`AttachError::NotWgpu`]; [`AttachError::Winoconv`] if the device is lost.
pub fn attach(device: &Device, setup: &WgpuSetup) -> Result<(), AttachError> {
    let Some(cube @ CubeDevice::Wgpu(_)) = cube(device) else {
        return Err(AttachError::NotWgpu { device: format!("{device:?}") });
    };
    let (device, queue) = (setup.device.clone(), setup.queue.clone());
    let context = block_on(Context::from_wgpu(device, queue, ShaderChecks::default(), CacheSource::off()))?;
    *lock(&state(&cube)) = State { context: Some(context), ..State::new() };
    Ok(())
}

/// The device below burn's dispatch and autodiff.
pub(crate) fn cube(device: &Device) -> Option<CubeDevice> {
    match device.clone().without_autodiff().as_dispatch() {
        DispatchDevice::Cube(cube) => Some(cube.clone()),
        _ => None,
    }
}

static DEVICES: LazyLock<Mutex<HashMap<CubeDevice, Arc<Mutex<State>>>>> = LazyLock::new(Mutex::default);

/// What is kept for a device.
pub(crate) fn state(device: &CubeDevice) -> Arc<Mutex<State>> {
    let new = || Arc::new(Mutex::new(State::new()));
    lock(&DEVICES).entry(device.clone()).or_insert_with(new).clone()
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A convolution or one of its gradients, for tensors of a type.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Call {
    pub(crate) operation: Operation,
    pub(crate) geometry: Geometry,
    pub(crate) dtype: DType,
}

/// What became of a call.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) ran: Ran,
    pub(crate) runs: u64,
}

/// What a call reads.
pub(crate) struct Operands {
    /// The input; of an input or bias gradient, the output's gradient.
    pub(crate) source: CubeTensor,
    /// The weights; of a weight gradient, the output's gradient.
    pub(crate) factor: Option<CubeTensor>,
    pub(crate) bias: Option<CubeTensor>,
}

/// What is kept for a device.
pub(crate) struct State {
    context: Option<Context>,
    calls: LruCache<Call, Record>,
    packed: PackedWeights,
    /// Shared by all runs: they are on one queue, one after the other.
    workspace: Workspace,
}

impl State {
    fn new() -> Self {
        Self {
            context: None,
            calls: LruCache::new(NonZeroUsize::new(CAPACITY).expect("the capacity is not zero")),
            packed: PackedWeights::new(),
            workspace: Workspace::default(),
        }
    }

    /// What ran, the latest first.
    pub(crate) fn records(&self) -> impl Iterator<Item = (&Call, &Record)> {
        self.calls.iter()
    }

    /// The plan of a call, or why there is none: decided at its first run.
    fn plan(&self, call: &Call) -> Result<Arc<Plan>, Why> {
        if let Some(Record { ran, .. }) = self.calls.peek(call) {
            return match ran {
                Ran::Winoconv { plan } => Ok(plan.clone()),
                Ran::Burn { why } => Err(why.clone()),
            };
        }
        if call.dtype != DType::F32 {
            return Err(Why::Dtype(call.dtype));
        }
        let context = self.context.as_ref().ok_or(Why::NotAttached)?;
        let problem = call.geometry.problem(call.operation)?;
        Ok(Arc::new(Plan::new(&problem, context.caps(), &Preferences::new())?))
    }

    fn record(&mut self, call: &Call, ran: Ran) {
        let runs = self.calls.peek(call).map_or(0, |record| record.runs) + 1;
        if let (1, Ran::Burn { why }) = (runs, &ran) {
            log::warn!("burn's own kernels run the {:?} of {}: {why}", call.operation, call.geometry);
        }
        self.calls.put(call.clone(), Record { ran, runs });
    }

    /// Binds a plan to burn's buffers and submits it behind everything that burn submitted.
    fn submit(&mut self, call: &Call, plan: &Plan, operands: &Operands, output: &CubeTensor) -> Result<(), Why> {
        let context = self.context.as_ref().ok_or(Why::NotAttached)?;
        // Handing out a buffer submits what burn has queued for it. The resources keep their memory in place until the end of
        // this function; what burn submits later runs later.
        let resource = |tensor: &CubeTensor| {
            tensor.client.get_resource::<WgpuServer<AutoCompiler>>(tensor.handle.clone()).map_err(runtime)
        };
        let (source, output) = (resource(&operands.source)?, resource(output)?);
        let factor = operands.factor.as_ref().map(resource).transpose()?;
        let bias = operands.bias.as_ref().map(resource).transpose()?;
        let mut tensors = Tensors {
            input: Some(place(source.resource())),
            output: Some(place(output.resource())),
            weights: factor.as_ref().map(|factor| place(factor.resource())),
            bias: bias.as_ref().map(|bias| place(bias.resource())),
            ..Tensors::default()
        };
        let mut packed = None;
        if let Some(weights) = operands.factor.as_ref().filter(|_| plan.packed_bytes() > 0) {
            let buffer = match self.packed.get(call, &weights.handle) {
                Some(buffer) => buffer,
                None => {
                    let len = plan.packed_bytes() / DType::F32.size() as u64;
                    let len = usize::try_from(len).unwrap_or(usize::MAX);
                    let buffer = block_on(context.create_buffer("packed weights", len))?;
                    let packing = Tensors { packed: Some((&buffer).into()), ..tensors };
                    let none = Workspace::default();
                    let packing = block_on(Bound::new(context, plan, Dispatches::Packing, &packing, &none))?;
                    context.submit(&packing)?;
                    self.packed.insert(call, &weights.handle, buffer.clone());
                    buffer
                }
            };
            packed = Some(buffer);
        }
        tensors.packed = packed.as_ref().map(Into::into);
        let needed = plan.workspace();
        let has_room = self.workspace.buffers().len() >= needed.len()
            && self.workspace.buffers().zip(needed).all(|((_, len), needed)| len >= *needed);
        if !has_room {
            // Large enough for each plan that is kept, so that plans that take turns do not replace it each time.
            let kept = self.calls.iter().filter_map(|(_, record)| match &record.ran {
                Ran::Winoconv { plan } => Some(&**plan),
                Ran::Burn { .. } => None,
            });
            let plans: Vec<&Plan> = kept.chain([plan]).collect();
            self.workspace = block_on(Workspace::new(context, &plans))?;
        }
        let bound = block_on(Bound::new(context, plan, Dispatches::Run, &tensors, &self.workspace))?;
        Ok(context.submit(&bound)?)
    }
}

/// Runs a call by winoconv. If it returns `None`, burn's own kernels have to; that is recorded, with the reason.
pub(crate) fn run(operation: Operation, geometry: &Geometry, operands: Operands) -> Option<CubeTensor> {
    let Operands { source, factor, bias } = operands;
    let (client, device, dtype) = (source.client.clone(), source.device.clone(), source.dtype);
    let call = Call { operation, geometry: geometry.clone(), dtype };
    let state = state(&device);
    let ran = |state: &mut State| {
        let plan = state.plan(&call)?;
        let operands = Operands { source: dense(source), factor: factor.map(dense), bias: bias.map(dense) };
        let shape = Shape::from(geometry.result(operation));
        let output = numeric::empty_device_contiguous_dtype(client.clone(), device.clone(), shape, dtype);
        state.submit(&call, &plan, &operands, &output)?;
        Ok((plan, output))
    };
    // On burn's own thread for the device: nothing of burn's comes in between, and the buffers are handed out without
    // waiting for another thread.
    let ran: Result<_, Why> = client
        .exclusive(|| {
            let mut state = lock(&state);
            let ran = ran(&mut state);
            let (ran, output) = match ran {
                Ok((plan, output)) => (Ran::Winoconv { plan }, Some(output)),
                Err(why) => (Ran::Burn { why }, None),
            };
            state.record(&call, ran);
            output
        })
        .map_err(runtime);
    ran.unwrap_or_else(|why| {
        lock(&state).record(&call, Ran::Burn { why });
        None
    })
}

/// The tensor without gaps, and at an offset that every device can bind. Only what is not so already is copied.
fn dense(tensor: CubeTensor) -> CubeTensor {
    /// Offsets at which every device of WebGPU can bind a tensor.
    const ALIGNMENT: u64 = 256;
    if tensor.handle.offset_start.unwrap_or(0).is_multiple_of(ALIGNMENT) {
        return kernel::into_contiguous(tensor);
    }
    let (client, device, dtype) = (tensor.client.clone(), tensor.device.clone(), tensor.dtype);
    let copy =
        contiguous::into_contiguous(&client, tensor.binding(), burn::backend::cubecl::dtype_to_storage_type(dtype));
    CubeTensor::new(client, copy.handle, *copy.metadata, device, dtype)
}

/// Where a tensor lies.
fn place(resource: &WgpuResource) -> Tensor<'_> {
    Tensor::at(&resource.buffer, resource.offset)
}

#[expect(clippy::needless_pass_by_value, reason = "the argument of map_err")]
fn runtime(error: ServerError) -> Why {
    Why::Runtime(format!("{error:?}"))
}

#[cfg(test)]
mod tests {
    use burn::tensor::ops::ConvOptions;
    use burn::tensor::{Device, Tensor};

    use super::{attach, cube, lock, state};
    use crate::conv2d;

    /// Packed weights that nobody can use any more are dropped.
    #[test]
    fn packed_weights_of_a_training_do_not_pile_up() {
        let (device, setup) = Device::wgpu_options().init_with_setup().unwrap();
        attach(&device, &setup).unwrap();
        let input = Tensor::<4>::ones([1, 64, 28, 28], &device);
        let mut weight = Tensor::<4>::ones([64, 64, 3, 3], &device);
        let packed = || {
            device.sync().unwrap();
            lock(&state(&cube(&device).unwrap())).packed.len()
        };
        for step in 0..6 {
            let options = ConvOptions::new([1, 1], [1, 1], [1, 1], 1);
            conv2d(input.clone(), weight.clone(), None, options.clone());
            // The same weights are not packed twice.
            conv2d(input.clone(), weight.clone(), None, options);
            let packed = packed();
            assert!((1..=2).contains(&packed), "{packed} packed weights after {step} steps");
            weight = weight * 0.5;
        }
    }
}
