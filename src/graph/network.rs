//! A compiled network on a device: weights are there, and it runs.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::compile::{BufferId, Place, Program, Step, Work};
#[cfg(feature = "gpu")]
use super::gpu::{EndsOnGpu, OnGpu};
use super::{ConvWeights, Dims, Graph, cpu};
use crate::conv::Conv;
use crate::device::Device;
use crate::dtype::DType;
#[cfg(feature = "gpu")]
use crate::error::Error;
use crate::error::{Result, ShapeError};
#[cfg(feature = "gpu")]
use crate::gpu::{Bound, Tensor};
use crate::layer::{Inputs, Layer, Weights, Workspace};
use crate::layout::View;
use crate::plan::Preferences;
use crate::problem::Problem;
use crate::spatial::{MAX_RANK, Shape};

/// A network on a device.
///
/// ```
/// use winoconv::graph::{Graph, Network, Pool};
/// use winoconv::{Conv, Device, Preferences};
///
/// let mut net = Graph::new();
/// let x = net.input("x", [1, 1, 4, 4])?;
/// let blurred = net.conv(x, Conv::new(1, 1, [3, 3]).padding(1), vec![1.0 / 9.0; 9], [])?;
/// let half = net.pool(blurred, Pool::average([2, 2]))?;
/// net.output("half", half)?;
///
/// let network = Network::new_blocking(&Device::cpu(), &net, Preferences::new())?;
/// let results = network.run_blocking(&[&[9.0; 16]])?;
/// assert_eq!(results[0].len(), 4);
/// # Ok::<(), winoconv::Error>(())
/// ```
#[derive(Debug)]
pub struct Network {
    program: Program,
    device: Device,
    /// Layer and problem of each step that is a convolution.
    convs: Vec<Option<(Arc<Layer>, Problem)>>,
    workspace_bytes: u64,
    /// What it was compiled from, for other sizes.
    graph: Graph,
    preferences: Preferences,
    /// Buffers between runs, so that none is made twice: of one run at a time.
    kept: Mutex<Option<Kept>>,
    #[cfg(feature = "gpu")]
    on_gpu: Option<OnGpu>,
}

/// How long a step of a [`Program`] took, see [`Network::profile`].
#[derive(Debug, Clone, PartialEq)]
pub struct StepTime {
    /// The node that the step ends with.
    pub name: String,
    /// What it does.
    pub work: String,
    /// Sizes of its result.
    pub output: Dims,
    /// The time.
    pub time: Duration,
}

impl fmt::Display for StepTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, work, output, time } = self;
        write!(f, "{:9.1} us  {name}: {work} -> {output}", time.as_secs_f64() * 1e6)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a run on the CPU needs.
#[derive(Debug, Default)]
struct Kept {
    own: Vec<Vec<CacheLine>>,
    workspace: Workspace,
}

/// Vectors of channels that begin at a cache line do not cross another.
#[derive(Debug, Clone, Copy, Default, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C, align(64))]
struct CacheLine([f32; CacheLine::LEN]);

impl CacheLine {
    const LEN: usize = 16;
}

impl Network {
    /// Compiles a graph and puts its weights on a device. The preferences are those of each convolution.
    ///
    /// # Errors
    /// A convolution without a plan; whatever the device says.
    pub async fn new(device: &Device, graph: &Graph, preferences: Preferences) -> Result<Self> {
        Self::of_program(device, graph, Program::for_device(graph, device.caps())?, preferences, None).await
    }

    /// The same network for inputs of other sizes, in the order of [`Program::inputs`], with buffers of its own. The weights on the
    /// device are shared, and so are compiled kernels: only what the sizes change is planned anew. A layer keeps the plans of
    /// the sizes that were used last, see [`Layer::set_cache_capacity`].
    ///
    /// ```
    /// use winoconv::graph::{Graph, Network};
    /// use winoconv::{Conv, Device, Preferences};
    ///
    /// let mut net = Graph::new();
    /// let x = net.input("x", [1, 1, 4, 4])?;
    /// let y = net.conv(x, Conv::new(1, 1, [3, 3]).padding(1), vec![1.0; 9], [])?;
    /// net.output("y", y)?;
    /// let small = Network::new_blocking(&Device::cpu(), &net, Preferences::new())?;
    /// let large = small.resized_blocking(&[[1, 1, 8, 8].into()])?;
    /// assert_eq!(large.run_blocking(&[&[1.0; 64]])?[0][9], 9.0);
    /// # Ok::<(), winoconv::Error>(())
    /// ```
    ///
    /// # Errors
    /// The first node that these sizes do not fit; as [`Self::new`].
    pub async fn resized(&self, dims: &[Dims]) -> Result<Self> {
        let graph = self.graph.with_input_dims(dims)?;
        Self::of_program(
            &self.device,
            &graph,
            Program::for_device(&graph, self.device.caps())?,
            self.preferences,
            Some(self),
        )
        .await
    }

    /// Puts a compiled graph on a device, and takes over the layers of a network that is the same but for its sizes.
    pub(super) async fn of_program(
        device: &Device,
        graph: &Graph,
        program: Program,
        preferences: Preferences,
        other: Option<&Self>,
    ) -> Result<Self> {
        let mut theirs = other.into_iter().flat_map(|other| other.program.steps.iter().zip(&other.convs));
        let mut convs = Vec::with_capacity(program.steps.len());
        let mut workspace: Vec<usize> = Vec::new();
        for step in &program.steps {
            let Work::Conv(of) = &step.work else {
                convs.push(None);
                continue;
            };
            // Convolutions come in the same order, whatever the sizes.
            let same = theirs.by_ref().find_map(|(step, conv)| match (&step.work, conv) {
                (Work::Conv(other), Some((layer, _))) => Some((other == of).then(|| layer.clone())),
                _ => None,
            });
            let layer = match same.flatten() {
                Some(layer) => layer,
                None => Arc::new(layer(device, of, preferences).await?),
            };
            let problem = problem(&of.conv, step)?;
            // A plan that cannot be had is found out now.
            let plan = layer.plan_for(&problem)?;
            workspace.resize(workspace.len().max(plan.workspace.len()), 0);
            workspace.iter_mut().zip(&plan.workspace).for_each(|(most, &len)| *most = len.max(*most));
            convs.push(Some((layer, problem)));
        }
        #[cfg(feature = "gpu")]
        let on_gpu = match device.context() {
            Some(context) => Some(OnGpu::new(context, &program, &convs).await?),
            None => None,
        };
        Ok(Self {
            program,
            device: device.clone(),
            convs,
            workspace_bytes: workspace.iter().map(|&len| DType::F32.bytes(len)).sum(),
            graph: graph.clone(),
            preferences,
            kept: Mutex::default(),
            #[cfg(feature = "gpu")]
            on_gpu,
        })
    }

    /// The compiled network.
    pub const fn program(&self) -> &Program {
        &self.program
    }

    /// Bytes of the workspace that its convolutions use, one after the other. It comes on top of [`Program::bytes`]. What the
    /// CPU's threads keep for themselves is not counted.
    pub const fn workspace_bytes(&self) -> u64 {
        self.workspace_bytes
    }

    /// The device.
    pub const fn device(&self) -> &Device {
        &self.device
    }

    /// Runs on slices, one for each input in the order of [`Program::inputs`], and gives the outputs.
    ///
    /// # Errors
    /// [`ShapeError::Length`] of an input; whatever the device says.
    pub async fn run(&self, inputs: &[&[f32]]) -> Result<Vec<Vec<f32>>> {
        ShapeError::check_len("the inputs", self.program.inputs.len(), inputs.len())?;
        for ((_, dims), input) in self.program.inputs.iter().zip(inputs) {
            ShapeError::check_len("an input", dims.elements(), input.len())?;
        }
        #[cfg(feature = "gpu")]
        if let Some(on_gpu) = &self.on_gpu {
            return self.run_on_gpu(on_gpu, inputs).await;
        }
        self.run_on_cpu(inputs, |_| ()).await
    }

    /// Runs on slices, and calls after each step.
    async fn run_on_cpu(&self, inputs: &[&[f32]], mut after: impl FnMut(usize)) -> Result<Vec<Vec<f32>>> {
        let mut outputs: Vec<Vec<f32>> =
            self.program.outputs.iter().map(|(_, dims)| vec![0.0; dims.elements()]).collect();
        let mut kept = lock(&self.kept).take().unwrap_or_default();
        kept.own.resize_with(self.program.lens.len(), Vec::new);
        for (buffer, &len) in kept.own.iter_mut().zip(&self.program.lens) {
            buffer.resize(len.div_ceil(CacheLine::LEN), CacheLine::default());
        }
        for (i, (step, conv)) in self.program.steps.iter().zip(&self.convs).enumerate() {
            self.run_step(step, conv.as_ref(), inputs, &mut outputs, &mut kept).await?;
            after(i);
        }
        *lock(&self.kept) = Some(kept);
        Ok(outputs)
    }

    /// Runs on slices, and measures each step of the program by itself: the time on the device, see
    /// [`crate::gpu::Context::time`], or by the clock on the CPU. A step's least time of so many runs counts.
    ///
    /// # Errors
    /// As [`Self::run`].
    #[cfg(not(target_arch = "wasm32"))]
    pub async fn profile(&self, inputs: &[&[f32]], runs: u32) -> Result<Vec<StepTime>> {
        self.run(inputs).await?;
        let of_step = |step: &Step| StepTime {
            name: step.name.clone(),
            work: step.work.to_string(),
            output: step.output.dims,
            time: Duration::MAX,
        };
        let mut times: Vec<StepTime> = self.program.steps.iter().map(of_step).collect();
        #[cfg(feature = "gpu")]
        if let Some(on_gpu) = &self.on_gpu {
            let ends = self.ends(on_gpu).await?;
            for (i, of) in times.iter_mut().enumerate() {
                for _ in 0..runs.max(1) {
                    of.time = of.time.min(on_gpu.context().time(|pass| ends.bound.encode_part(pass, i)).await?);
                }
            }
            *lock(&on_gpu.kept) = Some(ends);
            return Ok(times);
        }
        for _ in 0..runs.max(1) {
            let mut last = std::time::Instant::now();
            let measure = |i: usize| {
                let now = std::time::Instant::now();
                times[i].time = times[i].time.min(now - last);
                last = now;
            };
            self.run_on_cpu(inputs, measure).await?;
        }
        Ok(times)
    }

    /// Runs on slices, and gives the time of a run: on the device alone, without copies of inputs and outputs, see
    /// [`crate::gpu::Context::time`]; or by the clock on the CPU. The least of so many runs counts.
    ///
    /// ```
    /// use winoconv::graph::{Graph, Network};
    /// use winoconv::{Conv, Device, Preferences};
    ///
    /// let mut net = Graph::new();
    /// let x = net.input("x", [1, 1, 4, 4])?;
    /// let y = net.conv(x, Conv::new(1, 1, [3, 3]), vec![1.0; 9], [])?;
    /// net.output("y", y)?;
    /// let network = Network::new_blocking(&Device::cpu(), &net, Preferences::new())?;
    /// println!("{:?}", network.time_blocking(&[&[1.0; 16]], 5)?);
    /// # Ok::<(), winoconv::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Self::run`].
    #[cfg(not(target_arch = "wasm32"))]
    pub async fn time(&self, inputs: &[&[f32]], runs: u32) -> Result<Duration> {
        // The first run is no measurement: a device that waited is slow.
        self.run(inputs).await?;
        let mut least = Duration::MAX;
        #[cfg(feature = "gpu")]
        if let Some(on_gpu) = &self.on_gpu {
            let ends = self.ends(on_gpu).await?;
            for _ in 0..runs.max(1) {
                least = least.min(on_gpu.context().time(|pass| ends.bound.encode_pass(pass)).await?);
            }
            *lock(&on_gpu.kept) = Some(ends);
            return Ok(least);
        }
        for _ in 0..runs.max(1) {
            let start = std::time::Instant::now();
            self.run_on_cpu(inputs, |_| ()).await?;
            least = least.min(start.elapsed());
        }
        Ok(least)
    }

    /// Binds the network to buffers on its device, one for each input and output in the order of the program's. Encoding what
    /// comes of it creates no GPU object. The buffers between its steps are the network's own: what is bound twice must not
    /// run at once.
    ///
    /// # Errors
    /// Buffers that are too short, misaligned, of the wrong usage or of another device; a device that is no GPU.
    #[cfg(feature = "gpu")]
    pub async fn bind(&self, inputs: &[Tensor<'_>], outputs: &[Tensor<'_>]) -> Result<Bound> {
        let on_gpu = self.on_gpu.as_ref().ok_or_else(|| Error::Unsupported {
            what: "binding a network to GPU buffers".to_owned(),
            why: format!("its device is {}", self.device.caps()),
        })?;
        on_gpu.bind(&self.program, &self.convs, inputs, outputs).await
    }

    #[cfg(feature = "gpu")]
    async fn run_on_gpu(&self, on_gpu: &OnGpu, inputs: &[&[f32]]) -> Result<Vec<Vec<f32>>> {
        let context = on_gpu.context();
        let ends = self.ends(on_gpu).await?;
        for (buffer, input) in ends.inputs.iter().zip(inputs) {
            context.write("an input", buffer, bytemuck::cast_slice(input)).await?;
        }
        context.submit(&ends.bound)?;
        let mut outputs = Vec::with_capacity(ends.outputs.len());
        for (buffer, (_, dims)) in ends.outputs.iter().zip(&self.program.outputs) {
            outputs.push(context.download(buffer, dims.elements()).await?);
        }
        *lock(&on_gpu.kept) = Some(ends);
        Ok(outputs)
    }

    /// Buffers for a run on slices, and the network bound to them: those that were kept, if nobody has them now.
    #[cfg(feature = "gpu")]
    async fn ends(&self, on_gpu: &OnGpu) -> Result<EndsOnGpu> {
        if let Some(kept) = lock(&on_gpu.kept).take() {
            return Ok(kept);
        }
        let context = on_gpu.context();
        let [mut inputs, mut outputs] = [Vec::new(), Vec::new()];
        for (_, dims) in &self.program.inputs {
            inputs.push(context.create_buffer("an input", dims.elements()).await?);
        }
        for (_, dims) in &self.program.outputs {
            outputs.push(context.create_buffer("an output", dims.elements()).await?);
        }
        let [from, to] = [&inputs, &outputs].map(|all| all.iter().map(Tensor::from).collect::<Vec<_>>());
        let bound = self.bind(&from, &to).await?;
        Ok(EndsOnGpu { inputs, outputs, bound })
    }

    async fn run_step(
        &self,
        step: &Step,
        conv: Option<&(Arc<Layer>, Problem)>,
        inputs: &[&[f32]],
        outputs: &mut [Vec<f32>],
        kept: &mut Kept,
    ) -> Result<()> {
        // No step reads the buffer that it writes.
        let (mut of_caller, mut own) = (Vec::new(), Vec::new());
        let written: &mut [f32] = match step.output.buffer {
            BufferId::Output(i) => {
                of_caller = std::mem::take(&mut outputs[i]);
                &mut of_caller
            }
            BufferId::Own(i) => {
                own = std::mem::take(&mut kept.own[i]);
                bytemuck::cast_slice_mut(&mut own)
            }
            BufferId::Input(_) | BufferId::Constant(_) => return Ok(()),
        };
        let sources: Vec<&[f32]> = step
            .inputs
            .iter()
            .map(|place| match place.buffer {
                BufferId::Input(i) => inputs[i],
                BufferId::Output(i) => &outputs[i][..],
                BufferId::Constant(i) => &self.program.constants[i][..],
                BufferId::Own(i) => bytemuck::cast_slice(&kept.own[i]),
            })
            .collect();
        let result = match conv {
            None => {
                cpu::run(step, &sources, written);
                Ok(())
            }
            Some((layer, problem)) => {
                let part = |i: usize, len: usize| &sources[i][step.inputs[i].offset..][..len];
                let mut operands = Inputs::new(part(0, problem.input_len()));
                if step.inputs.len() > 1 {
                    operands = operands.residual(part(1, problem.output_len()));
                }
                let output = &mut written[step.output.offset..][..problem.output_len()];
                layer.run_problem(problem, operands, output, &mut kept.workspace).await.map(drop)
            }
        };
        match step.output.buffer {
            BufferId::Output(i) => outputs[i] = of_caller,
            BufferId::Own(i) => kept.own[i] = own,
            BufferId::Input(_) | BufferId::Constant(_) => {}
        }
        result
    }
}

/// A convolution on a device.
async fn layer(device: &Device, of: &ConvWeights, preferences: Preferences) -> Result<Layer> {
    let mut weights = Weights::new(&of.weights);
    if of.conv.bias {
        weights = weights.bias(&of.bias);
    }
    if of.conv.activation.has_slopes() {
        weights = weights.slopes(&of.slopes);
    }
    Layer::new(device, of.conv, weights, preferences).await
}

/// What a step that is a convolution solves.
pub(super) fn problem(conv: &Conv, step: &Step) -> Result<Problem> {
    let missing =
        || ShapeError::Rank { what: "a convolution's input", expected: "3 to 5", got: step.output.dims.rank() };
    let shape = Shape::from_slice(&step.inputs[0].dims).ok_or_else(missing)?;
    conv.on(shape)?.with_input_view(view(&step.inputs[0]))?.with_output_view(view(&step.output))
}

/// A tensor as a convolution looks at it, from its first element.
fn view(place: &Place) -> View {
    let steps: Vec<usize> = place.strides[..place.dims.rank()].iter().map(|step| step.unsigned_abs()).collect();
    let mut dhw = [0; MAX_RANK];
    let spatial = &steps[2..];
    dhw[MAX_RANK - spatial.len()..].copy_from_slice(spatial);
    View { offset: 0, n: steps[0], c: steps[1], dhw }
}

#[cfg(not(target_arch = "wasm32"))]
impl Network {
    /// As [`Self::new`], waiting for it.
    ///
    /// # Errors
    /// As there.
    pub fn new_blocking(device: &Device, graph: &Graph, preferences: Preferences) -> Result<Self> {
        pollster::block_on(Self::new(device, graph, preferences))
    }

    /// As [`Self::resized`], waiting for it.
    ///
    /// # Errors
    /// As there.
    pub fn resized_blocking(&self, dims: &[Dims]) -> Result<Self> {
        pollster::block_on(self.resized(dims))
    }

    /// As [`Self::run`], waiting for it.
    ///
    /// # Errors
    /// As there.
    pub fn run_blocking(&self, inputs: &[&[f32]]) -> Result<Vec<Vec<f32>>> {
        pollster::block_on(self.run(inputs))
    }

    /// As [`Self::time`], waiting for it.
    ///
    /// # Errors
    /// As there.
    pub fn time_blocking(&self, inputs: &[&[f32]], runs: u32) -> Result<Duration> {
        pollster::block_on(self.time(inputs, runs))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn views_count_from_the_first_element() {
        let place =
            Place { offset: 7, dims: Dims::from([2, 3, 4, 5]), ..Place::dense(BufferId::Own(0), [2, 3, 4, 5].into()) };
        assert_eq!(view(&place), View { offset: 0, n: 60, c: 20, dhw: [0, 5, 1] });
    }
}
