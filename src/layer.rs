//! The front door: a convolution with its weights on a device. Weights go there once; plans are made for each input
//! size, packings for each algorithm, both on first use.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::account::Account;
use crate::cpu;
use crate::device::Device;
use crate::error::{Error, Result, ShapeError};
#[cfg(feature = "gpu")]
use crate::gpu::{self, Bound, Context, Dispatches, Tensor, Tensors};
use crate::plan::{Packing, Plan, Preferences};
use crate::shape::{Conv, Problem};

/// Weights of a convolution, `[K, C / groups, R, S]`, with bias and slopes where it has them.
#[derive(Debug, Clone, Copy)]
pub struct Weights<'a> {
    weights: &'a [f32],
    bias: Option<&'a [f32]>,
    slopes: Option<&'a [f32]>,
}

impl<'a> Weights<'a> {
    /// Weights alone.
    pub const fn new(weights: &'a [f32]) -> Self {
        Self { weights, bias: None, slopes: None }
    }

    /// Adds the bias, K elements.
    #[must_use]
    pub const fn bias(mut self, bias: &'a [f32]) -> Self {
        self.bias = Some(bias);
        self
    }

    /// Adds the slopes of PReLU, K elements.
    #[must_use]
    pub const fn slopes(mut self, slopes: &'a [f32]) -> Self {
        self.slopes = Some(slopes);
        self
    }

    fn check(&self, conv: &Conv) -> Result<()> {
        check_len("the weights", conv.weights_len(), self.weights.len())?;
        for (what, wanted, given) in
            [("the bias", conv.bias, self.bias), ("the slopes", conv.activation.has_slopes(), self.slopes)]
        {
            match (wanted, given) {
                (true, None) => return Err(presence(what, "some, by the description", "none")),
                (false, Some(_)) => return Err(presence(what, "none, by the description", "some")),
                (true, Some(given)) => check_len(what, conv.filters, given.len())?,
                (false, None) => {}
            }
        }
        Ok(())
    }
}

/// A result with its shape and the account of how it came about.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Output {
    /// NKPQ.
    pub data: Vec<f32>,
    /// `[N, K, P, Q]`
    pub shape: [usize; 4],
    /// What ran.
    pub account: Account,
}

/// What runs need besides the layer, kept from run to run: staging and intermediate buffers that only grow. One
/// serves any number of layers on the same device, one run at a time.
#[derive(Debug, Default)]
pub struct Workspace {
    host: Vec<Vec<f32>>,
    #[cfg(feature = "gpu")]
    gpu: gpu::Workspace,
    /// Input and output on the device.
    #[cfg(feature = "gpu")]
    ends: gpu::Workspace,
    #[cfg(feature = "gpu")]
    context: Option<Context>,
}

/// A convolution with its weights on a device.
///
/// ```
/// use winoconv::{Conv, Device, Layer, Preferences, Weights};
/// let device = Device::host();
/// let conv = Conv::new(1, 1, [3, 3]).padding(1);
/// let blur = Layer::new_blocking(&device, conv, Weights::new(&[1.0 / 9.0; 9]), Preferences::new())?;
/// let output = blur.run_blocking([1, 1, 4, 4], &[1.0; 16])?;
/// assert!((output.data[5] - 1.0).abs() < 1e-6);
/// println!("{}", output.account);
/// # Ok::<(), winoconv::Error>(())
/// ```
#[derive(Debug)]
pub struct Layer {
    device: Device,
    conv: Conv,
    preferences: Preferences,
    operands: Operands,
    plans: Mutex<HashMap<[usize; 4], Arc<Plan>>>,
    packings: Mutex<HashMap<Packing, Packed>>,
}

/// Weights where the device has them.
#[derive(Debug)]
enum Operands {
    Host {
        weights: Vec<f32>,
        bias: Vec<f32>,
        slopes: Vec<f32>,
    },
    #[cfg(feature = "gpu")]
    Gpu {
        weights: gpu::Buffer,
        bias: Option<gpu::Buffer>,
        slopes: Option<gpu::Buffer>,
    },
}

/// Packed weights where the device has them.
#[derive(Debug, Clone)]
enum Packed {
    Host(Arc<Vec<f32>>),
    #[cfg(feature = "gpu")]
    Gpu(gpu::Buffer),
}

impl Layer {
    /// Puts a convolution's weights on a device.
    ///
    /// # Errors
    /// [`ShapeError`] if they do not fit the description; whatever the device says.
    pub async fn new(device: &Device, conv: Conv, weights: Weights<'_>, preferences: Preferences) -> Result<Self> {
        conv.validate()?;
        weights.check(&conv)?;
        let operands = Operands::new(device, weights).await?;
        let (plans, packings) = (Mutex::default(), Mutex::default());
        Ok(Self { device: device.clone(), conv, preferences, operands, plans, packings })
    }

    /// The description.
    pub const fn conv(&self) -> &Conv {
        &self.conv
    }

    /// The device.
    pub const fn device(&self) -> &Device {
        &self.device
    }

    /// The plan for an input of `[N, C, H, W]`, made on first use. No device is touched.
    ///
    /// # Errors
    /// A shape that does not fit, or no candidate left.
    pub fn plan(&self, input: [usize; 4]) -> Result<Arc<Plan>> {
        let plans = || self.plans.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(plan) = plans().get(&input) {
            return Ok(plan.clone());
        }
        let plan = Arc::new(self.conv.on(input)?.plan(&self.device, &self.preferences)?);
        plans().insert(input, plan.clone());
        Ok(plan)
    }

    /// Convolves an NCHW input of `[N, C, H, W]`.
    ///
    /// # Errors
    /// A shape or length that does not fit, no candidate left, or whatever the device says.
    pub async fn run(&self, shape: [usize; 4], input: &[f32]) -> Result<Output> {
        let mut data = vec![0.0; self.conv.on(shape)?.output_len()];
        let account = self.run_with_workspace(shape, input, &mut data, &mut Workspace::default()).await?;
        Ok(Output { data, shape: self.plan(shape)?.problem.output_shape(), account })
    }

    /// As [`Self::run`], into the caller's slice and with a workspace to keep.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub async fn run_with_workspace(
        &self,
        shape: [usize; 4],
        input: &[f32],
        output: &mut [f32],
        workspace: &mut Workspace,
    ) -> Result<Account> {
        let plan = self.plan(shape)?;
        check_len("the input", plan.problem.input_len(), input.len())?;
        check_len("the output", plan.problem.output_len(), output.len())?;
        if !plan.steps.is_empty() {
            match &self.operands {
                Operands::Host { weights, bias, slopes } => {
                    let packed = self.pack_on_host(&plan, weights);
                    workspace.reserve_on_host(&plan.workspace);
                    let operands = cpu::Operands { input, weights, packed: &packed, bias, slopes };
                    cpu::run(&plan, &operands, &mut workspace.host, output);
                }
                #[cfg(feature = "gpu")]
                Operands::Gpu { .. } => self.run_on_gpu(&plan, input, output, workspace).await?,
            }
        }
        Ok(Account::new(&plan, &self.device))
    }

    fn pack_on_host(&self, plan: &Plan, weights: &[f32]) -> Arc<Vec<f32>> {
        let mut packings = self.packings.lock().unwrap_or_else(PoisonError::into_inner);
        let packed = packings.entry(plan.packing).or_insert_with(|| Packed::Host(Arc::new(cpu::pack(plan, weights))));
        match packed {
            Packed::Host(packed) => packed.clone(),
            #[cfg(feature = "gpu")]
            Packed::Gpu(_) => Arc::default(),
        }
    }
}

#[cfg(feature = "gpu")]
impl Layer {
    /// Binds this layer to a caller's buffers: NCHW input of `[N, C, H, W]`, output, and a workspace made for
    /// [`Self::plan`]'s plan, which other layers in the same pass may share. Compiles and packs what is not there yet;
    /// encoding the result creates no GPU object.
    ///
    /// # Errors
    /// As [`Self::run`]; buffers that are too short, misaligned, of the wrong usage, or one for both ends; a workspace
    /// that is too small or of another device; a device that is no GPU.
    pub async fn bind(
        &self,
        shape: [usize; 4],
        input: impl Into<Tensor<'_>>,
        output: impl Into<Tensor<'_>>,
        workspace: &gpu::Workspace,
    ) -> Result<Bound> {
        let plan = self.plan(shape)?;
        self.bind_plan(&plan, input.into(), output.into(), workspace).await
    }

    async fn bind_plan(
        &self,
        plan: &Plan,
        input: Tensor<'_>,
        output: Tensor<'_>,
        workspace: &gpu::Workspace,
    ) -> Result<Bound> {
        let (Some(context), Operands::Gpu { weights, bias, slopes }) = (self.device.context(), &self.operands) else {
            return Err(no_gpu(&self.device));
        };
        if !self.is_packed(plan) {
            // Both together: packing need not be waited for to compile what runs after it.
            let packing = plan.packing.steps(&self.conv);
            let kernels: Vec<_> = packing.iter().chain(&plan.steps).map(|step| step.kernel).collect();
            context.pipelines(&kernels).await?;
        }
        let packed = self.pack_on_gpu(context, plan, weights).await?;
        let tensors = Tensors {
            input: Some(input),
            output: Some(output),
            weights: Some(weights.into()),
            packed: packed.as_ref().map(Into::into),
            bias: bias.as_ref().map(Into::into),
            slopes: slopes.as_ref().map(Into::into),
        };
        Bound::of_own(context, plan, Dispatches::Run, &tensors, workspace).await
    }

    fn is_packed(&self, plan: &Plan) -> bool {
        let packings = self.packings.lock().unwrap_or_else(PoisonError::into_inner);
        plan.packing.is_given() || packings.contains_key(&plan.packing)
    }

    async fn pack_on_gpu(&self, context: &Context, plan: &Plan, weights: &gpu::Buffer) -> Result<Option<gpu::Buffer>> {
        if plan.packing.is_given() {
            return Ok(None);
        }
        let packings = || self.packings.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(Packed::Gpu(buffer)) = packings().get(&plan.packing) {
            return Ok(Some(buffer.clone()));
        }
        let len = plan.packing.len(&self.conv);
        let packed = context.create_buffer("packed weights", len).await?;
        let tensors = Tensors { weights: Some(weights.into()), packed: Some((&packed).into()), ..Default::default() };
        let none = gpu::Workspace::default();
        let bound = Bound::of_own(context, plan, Dispatches::Packing, &tensors, &none).await?;
        context.submit(&bound);
        packings().insert(plan.packing, Packed::Gpu(packed.clone()));
        Ok(Some(packed))
    }

    async fn run_on_gpu(
        &self,
        plan: &Plan,
        input: &[f32],
        output: &mut [f32],
        workspace: &mut Workspace,
    ) -> Result<()> {
        let context = self.device.context().ok_or_else(|| no_gpu(&self.device))?;
        if workspace.context.get_or_insert_with(|| context.clone()).is_same(context) {
            workspace.gpu.reserve(context, &plan.workspace).await?;
            workspace.ends.reserve(context, &[input.len(), output.len()]).await?;
        } else {
            return Err(crate::error::DeviceError::WrongDevice { what: "the workspace" }.into());
        }
        let ends: Vec<_> = workspace.ends.buffers().map(|(buffer, _)| buffer.clone()).collect();
        let bound = self.bind_plan(plan, (&ends[0]).into(), (&ends[1]).into(), &workspace.gpu).await?;
        context.queue().write_buffer(&ends[0], 0, bytemuck::cast_slice(input));
        output.copy_from_slice(&context.run(&bound, &ends[1], output.len()).await?);
        Ok(())
    }
}

/// Blocking forms, where a thread may block.
#[cfg(not(target_arch = "wasm32"))]
impl Layer {
    /// [`Self::new`], blocking.
    ///
    /// # Errors
    /// As there.
    pub fn new_blocking(device: &Device, conv: Conv, weights: Weights<'_>, preferences: Preferences) -> Result<Self> {
        pollster::block_on(Self::new(device, conv, weights, preferences))
    }

    /// [`Self::run`], blocking.
    ///
    /// # Errors
    /// As there.
    pub fn run_blocking(&self, shape: [usize; 4], input: &[f32]) -> Result<Output> {
        pollster::block_on(self.run(shape, input))
    }
}

/// Blocking forms, where a thread may block.
#[cfg(not(target_arch = "wasm32"))]
impl Device {
    /// [`Self::best`], blocking.
    pub fn best_blocking() -> Self {
        pollster::block_on(Self::best())
    }

    /// [`Self::gpu`], blocking.
    ///
    /// # Errors
    /// As there.
    #[cfg(feature = "gpu")]
    pub fn gpu_blocking(options: &gpu::ContextOptions) -> Result<Self> {
        pollster::block_on(Self::gpu(options))
    }
}

impl Operands {
    #[cfg_attr(not(feature = "gpu"), expect(clippy::unused_async, reason = "uploads are awaited on a GPU"))]
    async fn new(device: &Device, weights: Weights<'_>) -> Result<Self> {
        let Weights { weights, bias, slopes } = weights;
        #[cfg(feature = "gpu")]
        if let Some(context) = device.context() {
            let optional = async |label, data: Option<&[f32]>| match data {
                Some(data) => context.upload(label, data).await.map(Some),
                None => Ok(None),
            };
            return Ok(Self::Gpu {
                weights: context.upload("weights", weights).await?,
                bias: optional("bias", bias).await?,
                slopes: optional("slopes", slopes).await?,
            });
        }
        let _ = device;
        let own = |data: Option<&[f32]>| data.unwrap_or_default().to_vec();
        Ok(Self::Host { weights: weights.to_vec(), bias: own(bias), slopes: own(slopes) })
    }
}

impl Workspace {
    /// An empty workspace: the first run makes room.
    pub fn new() -> Self {
        Self::default()
    }

    fn reserve_on_host(&mut self, lens: &[usize]) {
        self.host.resize_with(self.host.len().max(lens.len()), Vec::new);
        for (buffer, &len) in self.host.iter_mut().zip(lens) {
            if buffer.len() < len {
                buffer.resize(len, 0.0);
            }
        }
    }

    /// Overwrites every intermediate value with `value`: tests run with it to show that nothing is read before it
    /// is written.
    #[doc(hidden)]
    pub fn poison(&mut self, value: f32) {
        for buffer in &mut self.host {
            buffer.fill(value);
        }
        #[cfg(feature = "gpu")]
        if let Some(context) = &self.context {
            for (buffer, len) in self.gpu.buffers().chain(self.ends.buffers()) {
                context.queue().write_buffer(buffer, 0, bytemuck::cast_slice(&vec![value; len]));
            }
        }
    }
}

fn check_len(what: &'static str, expected: usize, got: usize) -> Result<()> {
    if expected == got { Ok(()) } else { Err(ShapeError::Length { what, expected, got }.into()) }
}

fn presence(what: &'static str, expected: &'static str, got: &'static str) -> Error {
    ShapeError::Presence { what, expected, got }.into()
}

#[cfg(feature = "gpu")]
fn no_gpu(device: &Device) -> Error {
    Error::Unsupported {
        what: "binding a layer to GPU buffers".to_owned(),
        why: format!("its device is {}", device.caps()),
    }
}

impl Problem {
    /// The plan of this problem for a device, with the device's wisdom.
    ///
    /// # Errors
    /// No candidate left.
    pub fn plan(&self, device: &Device, preferences: &Preferences) -> Result<Plan> {
        Plan::with_wisdom(self, device.caps(), preferences, device.wisdom())
    }
}
