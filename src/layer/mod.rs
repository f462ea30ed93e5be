//! The front door: a convolution with its weights on a device. Weights go there once; plans are made for each problem,
//! packings for each algorithm, both on first use.

#[cfg(not(target_arch = "wasm32"))]
mod blocking;
#[cfg(feature = "gpu")]
mod on_gpu;
mod operands;
mod workspace;

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

#[cfg(feature = "gpu")]
pub use on_gpu::Ends;
pub use operands::{Inputs, Weights};
pub use workspace::Workspace;

use self::operands::check_len;
use crate::account::Account;
use crate::conv::{Conv, Residual};
use crate::cpu;
use crate::device::Device;
use crate::dtype::DType;
use crate::error::Result;
#[cfg(feature = "gpu")]
use crate::gpu;
use crate::plan::{Packing, Plan, Preferences};
use crate::problem::{Operation, Problem};
use crate::spatial::Shape;

/// A result with its shape and the account of how it came about.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Output {
    /// The elements, in the order of the convolution's layout.
    pub data: Vec<f32>,
    /// `[N, K, P, Q]`, or of other dimensions; of a gradient, the input's or the weights'.
    pub shape: Shape,
    /// What ran.
    pub account: Arc<Account>,
}

/// A convolution with its weights on a device. Slices are f32 whatever its tensors are stored in: values are rounded on
/// their way in, and widened on their way out; [`Self::bind`] takes buffers of that type.
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
    ready: Mutex<Ready>,
    /// By what the packed weights depend on.
    packings: Mutex<HashMap<PackedKey, Packed>>,
}

/// What is made once for all runs: a run finds it by its shape, without checking the same problem again.
#[derive(Debug, Default)]
struct Ready {
    shapes: HashMap<Shape, Arc<Prepared>>,
    problems: HashMap<Problem, Arc<Prepared>>,
}

/// A plan, with what each run of it needs.
#[derive(Debug)]
struct Prepared {
    plan: Arc<Plan>,
    account: Arc<Account>,
    /// Of a processor; a GPU's are bound.
    packed: OnceLock<Arc<Vec<f32>>>,
}

/// What packed weights depend on.
type PackedKey = (Operation, Packing);

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
    /// [`crate::error::ShapeError`] if they do not fit the description; whatever the device says.
    pub async fn new(device: &Device, conv: Conv, weights: Weights<'_>, preferences: Preferences) -> Result<Self> {
        conv.validate()?;
        weights.check(&conv)?;
        let operands = Operands::new(device, conv.dtype, weights).await?;
        let (ready, packings) = (Mutex::default(), Mutex::default());
        Ok(Self { device: device.clone(), conv, preferences, operands, ready, packings })
    }

    /// The description.
    pub const fn conv(&self) -> &Conv {
        &self.conv
    }

    /// The device.
    pub const fn device(&self) -> &Device {
        &self.device
    }

    /// The plan for an input of `[N, C, H, W]` (or of other dimensions), made on first use. No device is touched.
    ///
    /// # Errors
    /// A shape that does not fit, or no candidate left.
    pub fn plan(&self, input: impl Into<Shape>) -> Result<Arc<Plan>> {
        Ok(self.prepared_for_shape(input.into())?.plan.clone())
    }

    /// The plan for a problem of this convolution: one of its gradients, or tensors that are parts of larger ones.
    ///
    /// # Errors
    /// [`crate::error::ShapeError::OtherConv`] if it is of another convolution; no candidate left.
    pub fn plan_for(&self, problem: &Problem) -> Result<Arc<Plan>> {
        Ok(self.prepared(problem)?.plan.clone())
    }

    fn ready(&self) -> MutexGuard<'_, Ready> {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn prepared(&self, problem: &Problem) -> Result<Arc<Prepared>> {
        if let Some(prepared) = self.ready().problems.get(problem) {
            return Ok(prepared.clone());
        }
        problem.check_conv(&self.conv)?;
        let plan = Arc::new(problem.plan(&self.device, &self.preferences)?);
        let account = Arc::new(Account::new(&plan, &self.device));
        let prepared = Arc::new(Prepared { plan, account, packed: OnceLock::new() });
        self.ready().problems.insert(*problem, prepared.clone());
        Ok(prepared)
    }

    fn prepared_for_shape(&self, shape: Shape) -> Result<Arc<Prepared>> {
        if let Some(prepared) = self.ready().shapes.get(&shape) {
            return Ok(prepared.clone());
        }
        let prepared = self.prepared(&self.conv.on(shape)?)?;
        self.ready().shapes.insert(shape, prepared.clone());
        Ok(prepared)
    }

    /// Convolves an input of `[N, C, H, W]` (or of other dimensions).
    ///
    /// # Errors
    /// A shape or length that does not fit, no candidate left, or whatever the device says.
    pub async fn run<'a>(&self, shape: impl Into<Shape>, inputs: impl Into<Inputs<'a>>) -> Result<Output> {
        self.solve_prepared(&*self.prepared_for_shape(shape.into())?, inputs.into()).await
    }

    /// As [`Self::run`], into the caller's slice and with a workspace to keep. A residual that is
    /// [`Residual::InPlace`] is what the slice holds.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub async fn run_with_workspace<'a>(
        &self,
        shape: impl Into<Shape>,
        inputs: impl Into<Inputs<'a>>,
        output: &mut [f32],
        workspace: &mut Workspace,
    ) -> Result<Arc<Account>> {
        self.run_prepared(&*self.prepared_for_shape(shape.into())?, inputs.into(), output, workspace).await
    }

    /// The gradient of an input of this shape, from the output's, before bias, residual and activation: their own
    /// derivatives are the caller's.
    ///
    /// # Errors
    /// As [`Self::run`]; a border that is not zero, see [`Problem::input_gradient`].
    pub async fn input_gradient(&self, shape: impl Into<Shape>, gradient: &[f32]) -> Result<Output> {
        self.solve(&self.conv.on(shape)?.input_gradient()?, Inputs::new(gradient)).await
    }

    /// The gradient of the weights, from an input of this shape and the output's gradient, summed over the batch; before
    /// bias, residual and activation as [`Self::input_gradient`].
    ///
    /// # Errors
    /// As [`Self::run`].
    pub async fn weight_gradient(&self, shape: impl Into<Shape>, input: &[f32], gradient: &[f32]) -> Result<Output> {
        self.solve(&self.conv.on(shape)?.weight_gradient()?, Inputs::new(input).gradient(gradient)).await
    }

    /// Solves any problem of this convolution: what [`Self::run`] is for a dense input. Between the elements of a result that has
    /// gaps are zeros.
    ///
    /// # Errors
    /// As [`Self::run`] and [`Self::plan_for`].
    pub async fn solve<'a>(&self, problem: &Problem, inputs: impl Into<Inputs<'a>>) -> Result<Output> {
        self.solve_prepared(&*self.prepared(problem)?, inputs.into()).await
    }

    async fn solve_prepared(&self, prepared: &Prepared, mut inputs: Inputs<'_>) -> Result<Output> {
        let problem = &prepared.plan.problem;
        let mut data = vec![0.0; problem.output_len()];
        if problem.conv.residual == Residual::InPlace
            && let Some(residual) = inputs.residual.take()
        {
            check_len("the residual", data.len(), residual.len())?;
            data.copy_from_slice(residual);
        }
        let account = self.run_prepared(prepared, inputs, &mut data, &mut Workspace::default()).await?;
        Ok(Output { data, shape: problem.output_shape(), account })
    }

    /// As [`Self::solve`], into the caller's slice and with a workspace to keep; slices of
    /// [`Problem::input_len`] and [`Problem::output_len`] elements.
    ///
    /// # Errors
    /// As [`Self::run`] and [`Self::plan_for`].
    pub async fn run_problem<'a>(
        &self,
        problem: &Problem,
        inputs: impl Into<Inputs<'a>>,
        output: &mut [f32],
        workspace: &mut Workspace,
    ) -> Result<Arc<Account>> {
        self.run_prepared(&*self.prepared(problem)?, inputs.into(), output, workspace).await
    }

    async fn run_prepared(
        &self,
        prepared: &Prepared,
        inputs: Inputs<'_>,
        output: &mut [f32],
        workspace: &mut Workspace,
    ) -> Result<Arc<Account>> {
        let plan = &prepared.plan;
        inputs.check(&plan.problem)?;
        check_len("the output", plan.problem.output_len(), output.len())?;
        if !plan.steps.is_empty() {
            match &self.operands {
                Operands::Host { weights, bias, slopes } => {
                    let dtype = self.conv.dtype;
                    let [input, residual] =
                        [inputs.input, inputs.residual.unwrap_or_default()].map(|x| rounded(dtype, x));
                    let gradient = inputs.gradient.map(|gradient| rounded(dtype, gradient));
                    let packed = prepared.packed.get_or_init(|| self.pack_on_host(plan, weights));
                    let weights = gradient.as_deref().unwrap_or(weights);
                    workspace.reserve_on_host(&plan.workspace);
                    let (input, residual) = (&*input, &*residual);
                    let operands = cpu::Operands { input, weights, packed, bias, slopes, residual };
                    cpu::run(plan, &operands, &mut workspace.host, output)?;
                }
                #[cfg(feature = "gpu")]
                Operands::Gpu { .. } => self.run_on_gpu(plan, inputs, output, workspace).await?,
            }
        }
        Ok(prepared.account.clone())
    }

    fn pack_on_host(&self, plan: &Plan, weights: &[f32]) -> Arc<Vec<f32>> {
        let key = packed_key(plan);
        let mut packings = self.packings.lock().unwrap_or_else(PoisonError::into_inner);
        let packed = packings.entry(key).or_insert_with(|| Packed::Host(Arc::new(cpu::packed(plan, weights))));
        match packed {
            Packed::Host(packed) => packed.clone(),
            #[cfg(feature = "gpu")]
            Packed::Gpu(_) => Arc::default(),
        }
    }
}

/// The key of a plan's packed weights.
fn packed_key(plan: &Plan) -> PackedKey {
    (plan.problem.operation, plan.packing)
}

impl Operands {
    #[cfg_attr(not(feature = "gpu"), expect(clippy::unused_async, reason = "uploads are awaited on a GPU"))]
    async fn new(device: &Device, dtype: DType, weights: Weights<'_>) -> Result<Self> {
        let Weights { weights, bias, slopes } = weights;
        #[cfg(feature = "gpu")]
        if let Some(context) = device.context() {
            let optional = async |label, data: Option<&[f32]>| match data {
                Some(data) => context.upload(label, data).await.map(Some),
                None => Ok(None),
            };
            return Ok(Self::Gpu {
                weights: context.upload_as("weights", dtype, weights).await?,
                bias: optional("bias", bias).await?,
                slopes: optional("slopes", slopes).await?,
            });
        }
        let _ = device;
        let own = |data: Option<&[f32]>| data.unwrap_or_default().to_vec();
        Ok(Self::Host { weights: rounded(dtype, weights).into_owned(), bias: own(bias), slopes: own(slopes) })
    }
}

/// What a tensor holds once it is stored.
fn rounded(dtype: DType, values: &[f32]) -> Cow<'_, [f32]> {
    match dtype {
        DType::F32 => Cow::Borrowed(values),
        DType::F16 => Cow::Owned(values.iter().map(|&value| dtype.rounded(value)).collect()),
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
