//! The front door: a convolution with its weights on a device. Plans are made for each problem, packed weights for each
//! form that plans take, both on first use.

#[cfg(not(target_arch = "wasm32"))]
mod blocking;
mod cpu_weights;
#[cfg(feature = "gpu")]
mod on_gpu;
mod operands;
mod prepared;
mod workspace;

use std::sync::Arc;

#[cfg(feature = "gpu")]
pub use on_gpu::{Ends, WeightTensors};
pub use operands::{Inputs, Weights};
pub use workspace::Workspace;

use self::cpu_weights::CpuWeights;
use self::operands::{check_len, missing, rounded};
use self::prepared::{Key, Prepared, PreparedProblems};
use crate::account::Account;
use crate::conv::{Conv, Residual};
use crate::cpu;
use crate::device::Device;
use crate::error::Result;
#[cfg(feature = "gpu")]
use crate::gpu;
use crate::plan::{Plan, Preferences, check_forced};
use crate::problem::{Operation, Problem};
use crate::spatial::Shape;

/// A result with its shape and the account of its run.
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
/// let device = Device::cpu();
/// let conv = Conv::new(1, 1, [3, 3]).padding(1);
/// let blur = Layer::new_blocking(&device, conv, Weights::new(&[1.0 / 9.0; 9]), Preferences::new())?;
/// let output = blur.run_blocking([1, 1, 4, 4], &[1.0; 16])?;
/// assert!((output.data[5] - 1.0).abs() < 1e-6);
/// println!("{}", output.account);
/// # Ok::<(), winoconv::Error>(())
/// ```
///
/// # Memory
///
/// A layer keeps the plans of the problems that it met last, [`Self::CACHE_CAPACITY`] of them unless
/// [`Self::set_cache_capacity`] says otherwise. For each form that these plans take it also keeps the packed weights: one form
/// serves all sizes, so there are few, and [`Self::packed_bytes`] says what they take. Problems beyond the capacity are
/// planned again when they come back.
#[derive(Debug)]
pub struct Layer {
    device: Device,
    conv: Conv,
    preferences: Preferences,
    operands: Operands,
    prepared: PreparedProblems,
}

/// Weights where the device has them.
#[derive(Debug)]
enum Operands {
    Cpu(CpuWeights),
    #[cfg(feature = "gpu")]
    Gpu(gpu::GpuWeights),
}

impl Layer {
    /// How many problems a layer keeps prepared by default: the forward pass and both gradients of five sizes.
    pub const CACHE_CAPACITY: usize = 16;

    /// Puts a convolution's weights on a device.
    ///
    /// # Errors
    /// [`crate::error::ShapeError`] if they do not fit the description; a preference that makes no sense;
    /// [`crate::error::NoPlan`] if the preferences demand what can run on no input; whatever the device says.
    pub async fn new(device: &Device, conv: Conv, weights: Weights<'_>, preferences: Preferences) -> Result<Self> {
        conv.validate()?;
        weights.check(&conv)?;
        check_forced(&conv, device.caps(), &preferences)?;
        let operands = Operands::new(device, &conv, weights).await?;
        let prepared = PreparedProblems::new(Self::CACHE_CAPACITY);
        Ok(Self { device: device.clone(), conv, preferences, operands, prepared })
    }

    /// The description.
    pub const fn conv(&self) -> &Conv {
        &self.conv
    }

    /// The device.
    pub const fn device(&self) -> &Device {
        &self.device
    }

    /// How many problems are kept prepared at most: a size of input, and forward or one of the gradients, is a problem.
    pub fn cache_capacity(&self) -> usize {
        self.prepared.capacity()
    }

    /// Sets how many problems are kept prepared at most. Beyond that the least recently used is dropped, at once and from now on;
    /// what is running or bound is not affected. With 0 each call plans and packs weights anew.
    ///
    /// An application that goes through more sizes in turn than the default sets their number: each takes about 15 KB, more if
    /// the problem has many phases.
    pub fn set_cache_capacity(&self, problems: usize) {
        self.prepared.set_capacity(problems);
    }

    /// Bytes of packed weights that are kept now, beside the weights as they were given.
    pub fn packed_bytes(&self) -> u64 {
        match &self.operands {
            Operands::Cpu(weights) => weights.packed_bytes(),
            #[cfg(feature = "gpu")]
            Operands::Gpu(weights) => weights.packed_bytes(),
        }
    }

    /// Replaces weights, bias and slopes; all that the convolution has must be given, as in [`Self::new`]. Plans and compiled
    /// kernels stay. Packed weights are made anew: on a GPU in the same submission, on the CPU in the next run.
    ///
    /// Runs may be under way: each computes with the old ones or with the new ones as a whole. On the CPU a run takes those that
    /// it finds when it begins. On a GPU the order of submissions decides: a [`gpu::Bound`] that was made before stays valid,
    /// and what is submitted after this call computes with the new weights, even if it was encoded earlier.
    ///
    /// ```
    /// # use winoconv::{Conv, Device, Layer, Preferences, Weights};
    /// let layer = Layer::new_blocking(
    ///     &Device::cpu(),
    ///     Conv::new(1, 1, [1, 1]),
    ///     Weights::new(&[2.0]),
    ///     Preferences::new(),
    /// )?;
    /// assert_eq!(layer.run_blocking([1, 1, 1, 1], &[3.0])?.data, [6.0]);
    /// layer.set_weights_blocking(Weights::new(&[5.0]))?;
    /// assert_eq!(layer.run_blocking([1, 1, 1, 1], &[3.0])?.data, [15.0]);
    /// # Ok::<(), winoconv::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Self::new`].
    #[cfg_attr(not(feature = "gpu"), expect(clippy::unused_async, reason = "submissions are awaited on a GPU"))]
    pub async fn set_weights(&self, weights: Weights<'_>) -> Result<()> {
        weights.check(&self.conv)?;
        match &self.operands {
            Operands::Cpu(own) => own.set(self.conv.dtype, &weights),
            #[cfg(feature = "gpu")]
            Operands::Gpu(own) => {
                let Weights { weights, bias, slopes } = weights;
                own.set(weights, bias, slopes).await?;
            }
        }
        Ok(())
    }

    /// The plan for an input of `[N, C, H, W]` (or of other dimensions), made on first use. No device is touched.
    ///
    /// # Errors
    /// A shape that does not fit, or no candidate left.
    pub fn plan(&self, input: impl Into<Shape>) -> Result<Arc<Plan>> {
        Ok(self.prepared_dense(Operation::Forward, input.into())?.plan.clone())
    }

    /// The plan for a problem of this convolution: one of its gradients, or tensors that are parts of larger ones.
    ///
    /// # Errors
    /// [`crate::error::ShapeError::OtherConv`] if it is of another convolution; no candidate left.
    pub fn plan_for(&self, problem: &Problem) -> Result<Arc<Plan>> {
        Ok(self.prepared(problem)?.plan.clone())
    }

    fn prepared(&self, problem: &Problem) -> Result<Arc<Prepared>> {
        problem.check_conv(&self.conv)?;
        let key = Key::of(problem);
        if let Some(prepared) = self.prepared.get(&key).filter(|prepared| prepared.plan.problem == *problem) {
            return Ok(prepared);
        }
        let plan = Arc::new(problem.plan(&self.device, &self.preferences)?);
        let account = Arc::new(Account::new(&plan, &self.device));
        Ok(self.prepared.insert(key, Prepared::new(plan, account)))
    }

    /// The same, for dense tensors of which the convolution's input has this shape.
    fn prepared_dense(&self, operation: Operation, shape: Shape) -> Result<Arc<Prepared>> {
        if let Some(prepared) = self.prepared.get(&Key::Dense(operation, shape)) {
            return Ok(prepared);
        }
        self.prepared(&self.conv.on(shape)?.of_operation(operation)?)
    }

    /// Convolves an input of `[N, C, H, W]` (or of other dimensions).
    ///
    /// # Errors
    /// A shape or length that does not fit, no candidate left, or whatever the device says.
    pub async fn run<'a>(&self, shape: impl Into<Shape>, inputs: impl Into<Inputs<'a>>) -> Result<Output> {
        self.solve_prepared(&*self.prepared_dense(Operation::Forward, shape.into())?, inputs.into()).await
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
        let prepared = self.prepared_dense(Operation::Forward, shape.into())?;
        self.run_prepared(&prepared, inputs.into(), output, workspace).await
    }

    /// The input gradient, for an input of this shape, from the gradient before bias, residual and activation: their
    /// derivatives are the caller's.
    ///
    /// # Errors
    /// As [`Self::run`]; a border that is not zero, see [`Problem::input_gradient`].
    pub async fn input_gradient(&self, shape: impl Into<Shape>, gradient: &[f32]) -> Result<Output> {
        let prepared = self.prepared_dense(Operation::InputGradient, shape.into())?;
        self.solve_prepared(&prepared, Inputs::new(gradient)).await
    }

    /// The weight gradient, from an input of this shape and the output's gradient, summed over the batch; before
    /// bias, residual and activation as [`Self::input_gradient`]. It is in f32 for a layer in f16 too, whose input and output
    /// gradient are rounded; for one that is rounded, [`Self::solve`] a problem of [`Problem::with_result_type`].
    ///
    /// # Errors
    /// As [`Self::run`].
    pub async fn weight_gradient(&self, shape: impl Into<Shape>, input: &[f32], gradient: &[f32]) -> Result<Output> {
        let prepared = self.prepared_dense(Operation::WeightGradient, shape.into())?;
        self.solve_prepared(&prepared, Inputs::new(input).gradient(gradient)).await
    }

    /// The gradient before the activation, which the other gradients take, from what the activation keeps of a run with an
    /// input of this shape and from the output's gradient: see [`Activation::kept`].
    ///
    /// [`Activation::kept`]: crate::Activation::kept
    ///
    /// # Errors
    /// As [`Self::run`].
    pub async fn activation_gradient(&self, shape: impl Into<Shape>, kept: &[f32], gradient: &[f32]) -> Result<Output> {
        let prepared = self.prepared_dense(Operation::ActivationGradient, shape.into())?;
        self.solve_prepared(&prepared, Inputs::new(kept).gradient(gradient)).await
    }

    /// The gradient of the bias, K elements, from the gradient before the activation, of an input of this shape: its sum over
    /// images and places. The same bits in each run.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub async fn bias_gradient(&self, shape: impl Into<Shape>, gradient: &[f32]) -> Result<Output> {
        let prepared = self.prepared_dense(Operation::BiasGradient, shape.into())?;
        self.solve_prepared(&prepared, Inputs::new(gradient)).await
    }

    /// The gradient of the slopes of PReLU, K elements, from what it was applied to and the output's gradient, of an input of
    /// this shape. The same bits in each run.
    ///
    /// # Errors
    /// As [`Self::run`]; [`crate::Error::Unsupported`] where the activation is another.
    pub async fn slope_gradient(&self, shape: impl Into<Shape>, kept: &[f32], gradient: &[f32]) -> Result<Output> {
        let prepared = self.prepared_dense(Operation::SlopeGradient, shape.into())?;
        self.solve_prepared(&prepared, Inputs::new(kept).gradient(gradient)).await
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
        let mut data = if problem.conv.residual == Residual::InPlace {
            // A new vector holds no residual of the caller's.
            let residual = inputs.residual.take().ok_or_else(|| missing("the residual"))?;
            check_len("the residual", problem.output_len(), residual.len())?;
            residual.to_vec()
        } else {
            vec![0.0; problem.output_len()]
        };
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
        if plan.step_count() > 0 {
            match &self.operands {
                Operands::Cpu(own) => {
                    let operands = own.current();
                    let dtype = self.conv.dtype;
                    let [input, residual] =
                        [inputs.input, inputs.residual.unwrap_or_default()].map(|x| rounded(dtype, x));
                    let gradient = inputs.gradient.map(|gradient| rounded(dtype, gradient));
                    let packed = prepared.packed_on_cpu(own, &operands);
                    let weights = gradient.as_deref().unwrap_or(&operands.weights);
                    workspace.reserve_on_cpu(&plan.workspace);
                    let operands = cpu::Operands {
                        input: &input,
                        weights,
                        packed: &packed,
                        bias: &operands.bias,
                        slopes: &operands.slopes,
                        residual: &residual,
                    };
                    cpu::run(plan, &operands, &mut workspace.cpu, output)?;
                }
                #[cfg(feature = "gpu")]
                Operands::Gpu(_) => self.run_on_gpu(prepared, inputs, output, workspace).await?,
            }
        }
        Ok(prepared.account.clone())
    }
}

impl Operands {
    #[cfg_attr(not(feature = "gpu"), expect(clippy::unused_async, reason = "uploads are awaited on a GPU"))]
    async fn new(device: &Device, conv: &Conv, weights: Weights<'_>) -> Result<Self> {
        #[cfg(feature = "gpu")]
        if let Some(context) = device.context() {
            let Weights { weights, bias, slopes } = weights;
            return Ok(Self::Gpu(gpu::GpuWeights::new(context, conv.dtype, weights, bias, slopes).await?));
        }
        let _ = device;
        Ok(Self::Cpu(CpuWeights::new(conv.dtype, &weights)))
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
