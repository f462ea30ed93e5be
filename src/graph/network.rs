//! A compiled network on a device: weights are there, and it runs.

use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::compile::{BufferId, Place, Program, Step, Stored, Work, simplified};
use super::format::Format;
#[cfg(feature = "gpu")]
use super::gpu::{EndsOnGpu, OnGpu};
use super::options::{Formats, NetworkOptions};
use super::tolerance::shared_out;
use super::{ConvWeights, Dims, Graph, cpu};
use crate::conv::Conv;
use crate::device::Device;
use crate::dtype::DType;
#[cfg(feature = "gpu")]
use crate::error::Error;
use crate::error::{Result, ShapeError};
#[cfg(feature = "gpu")]
use crate::gpu::{Bound, ReadBack, Tensor, Upload};
use crate::layer::{Inputs, Layer, Weights, Workspace};
use crate::layout::View;
use crate::plan::{Preferences, Verdict};
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
    pub(super) program: Program,
    device: Device,
    /// Layer and problem of each step that is a convolution.
    convs: Vec<Option<(Arc<Layer>, Problem)>>,
    workspace_bytes: u64,
    /// What it was compiled from, for other sizes.
    pub(super) graph: Graph,
    options: NetworkOptions,
    /// How the caller's buffers store inputs and outputs.
    formats: Formats,
    /// Buffers between runs, so that none is made twice: of one run at a time.
    kept: Mutex<Option<Kept>>,
    #[cfg(feature = "gpu")]
    pub(super) on_gpu: Option<OnGpu>,
}

/// What its program prints, and for each convolution the algorithm with the time that the planner expects.
impl fmt::Display for Network {
    #[expect(clippy::cast_precision_loss, reason = "printed with one decimal")]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (step, conv) in self.program.steps.iter().zip(&self.convs) {
            write!(f, "{step}")?;
            let plan = conv.as_ref().and_then(|(layer, problem)| layer.plan_for(problem).ok());
            if let Some(plan) = plan {
                write!(f, ", {} {}", plan.choice(), plan.origin())?;
                let chosen = plan.candidates().iter().find(|of| of.verdict == Verdict::Chosen);
                if let Some(ns) = chosen.and_then(|of| of.estimate_ns) {
                    write!(f, ", about {:.1} us", ns as f64 / 1e3)?;
                }
            }
            writeln!(f)?;
        }
        write!(f, "{}; {} bytes of workspace", self.program.summary(), self.workspace_bytes)
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
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
    /// Compiles a graph and puts its weights on a device. [`Preferences`] alone are those of each convolution.
    ///
    /// # Errors
    /// A convolution without a plan; a format that does not fit its input or output; storage that the device does not have;
    /// whatever the device says.
    pub async fn new(device: &Device, graph: &Graph, options: impl Into<NetworkOptions>) -> Result<Self> {
        Self::compiled(device, graph, options.into(), None).await
    }

    async fn compiled(device: &Device, graph: &Graph, options: NetworkOptions, other: Option<&Self>) -> Result<Self> {
        let simple = simplified(graph)?;
        let stored = Stored::on(device.caps(), &simple, options.storage, options.formats(&simple)?)?;
        Self::of_program(device, graph, Program::of_simplified(&simple, stored), options, other).await
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
        Self::compiled(&self.device, &graph, self.options.clone(), Some(self)).await
    }

    /// Puts a compiled graph on a device, and takes over the layers of a network that is the same but for its sizes.
    pub(super) async fn of_program(
        device: &Device,
        graph: &Graph,
        program: Program,
        options: NetworkOptions,
        other: Option<&Self>,
    ) -> Result<Self> {
        let preferences = shared_out(&options, &program)?;
        let formats = options.formats(graph)?;
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
            options,
            formats,
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
        if self.is_on_cpu() && self.formats == Formats::plain(&self.graph) {
            return self.run_on_cpu(inputs, |_| ()).await;
        }
        // What a format rounds away is rounded away on every device.
        let ends = self.program.inputs.iter().zip(&self.formats.inputs);
        let encoded: Vec<Cow<'_, [u8]>> =
            ends.zip(inputs).map(|(((_, dims), format), input)| format.encoded(*dims, input)).collect();
        let encoded: Vec<&[u8]> = encoded.iter().map(|bytes| &**bytes).collect();
        #[cfg(feature = "gpu")]
        if let Some(on_gpu) = &self.on_gpu {
            return self.run_on_gpu(on_gpu, &encoded, Format::decoded).await;
        }
        let outputs = self.run_bytes(&encoded).await?;
        Ok(self.output_formats().zip(outputs).map(|((dims, format), bytes)| format.decoded(dims, &bytes)).collect())
    }

    /// Runs on what buffers of the inputs' and outputs' formats store, see [`NetworkOptions::input`]: one slice for each input in the
    /// order of [`Program::inputs`], of as many bytes as [`Format::bytes`] says. It gives the outputs in their formats.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub async fn run_bytes(&self, inputs: &[&[u8]]) -> Result<Vec<Vec<u8>>> {
        ShapeError::check_len("the inputs", self.program.inputs.len(), inputs.len())?;
        for (((_, dims), format), input) in self.program.inputs.iter().zip(&self.formats.inputs).zip(inputs) {
            ShapeError::check_len("bytes of an input", format.bytes(*dims), input.len())?;
        }
        #[cfg(feature = "gpu")]
        if let Some(on_gpu) = &self.on_gpu {
            return self.run_on_gpu(on_gpu, inputs, |_, _, bytes| bytes.to_vec()).await;
        }
        let ends = self.program.inputs.iter().zip(&self.formats.inputs);
        let numbers: Vec<Vec<f32>> =
            ends.zip(inputs).map(|(((_, dims), format), input)| format.decoded(*dims, input)).collect();
        let outputs = self.run_on_cpu(&numbers.iter().map(Vec::as_slice).collect::<Vec<_>>(), |_| ()).await?;
        Ok(self
            .output_formats()
            .zip(outputs)
            .map(|((dims, format), values)| format.encoded(dims, &values).into_owned())
            .collect())
    }

    fn output_formats(&self) -> impl Iterator<Item = (Dims, &Format)> {
        self.program.outputs.iter().map(|(_, dims)| *dims).zip(&self.formats.outputs)
    }

    #[cfg(feature = "gpu")]
    const fn is_on_cpu(&self) -> bool {
        self.on_gpu.is_none()
    }

    #[cfg(not(feature = "gpu"))]
    const fn is_on_cpu(&self) -> bool {
        true
    }

    /// Runs on slices, and calls after each step.
    pub(super) async fn run_on_cpu(&self, inputs: &[&[f32]], mut after: impl FnMut(usize)) -> Result<Vec<Vec<f32>>> {
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

    /// Binds the network to buffers on its device, one for each input and output in the order of the program's, which store them in
    /// [their formats](NetworkOptions::input). They may be slices of one buffer, see [`Tensor`]. Encoding what comes of it creates no
    /// GPU object. The buffers between its steps are the network's own: what is bound twice must not run at once.
    ///
    /// # Errors
    /// Buffers that are too short, misaligned, of the wrong usage or of another device; tensors that overlap in one buffer; a device
    /// that is no GPU.
    #[cfg(feature = "gpu")]
    pub async fn bind(&self, inputs: &[Tensor<'_>], outputs: &[Tensor<'_>]) -> Result<Bound> {
        let on_gpu = self.on_gpu.as_ref().ok_or_else(|| Error::Unsupported {
            what: "binding a network to GPU buffers".to_owned(),
            why: format!("its device is {}", self.device.caps()),
        })?;
        on_gpu.bind(&self.program, &self.convs, inputs, outputs).await
    }

    #[cfg(feature = "gpu")]
    async fn run_on_gpu<T>(
        &self,
        on_gpu: &OnGpu,
        inputs: &[&[u8]],
        take: impl Fn(&Format, Dims, &[u8]) -> T,
    ) -> Result<Vec<T>> {
        let context = on_gpu.context();
        let mut ends = self.ends(on_gpu).await?;
        for ((upload, buffer), input) in ends.inputs.iter_mut().zip(inputs) {
            upload.fill(context, "an input", buffer, input).await?;
        }
        let sizes: Vec<usize> = self.output_formats().map(|(dims, format)| format.bytes(dims)).collect();
        let mut from: Vec<_> = ends.inputs.iter_mut().map(|(upload, buffer)| (upload, &*buffer)).collect();
        let copies = ends.outputs.iter_mut().zip(&sizes);
        let mut to: Vec<_> = copies.map(|((read_back, buffer), &bytes)| (read_back, &*buffer, bytes as u64)).collect();
        context.run(&ends.bound, &mut from, &mut to).await?;
        let mut outputs = Vec::with_capacity(ends.outputs.len());
        for ((read_back, _), (dims, format)) in ends.outputs.iter_mut().zip(self.output_formats()) {
            outputs.push(read_back.read(|bytes| take(format, dims, bytes)).await?);
        }
        *lock(&on_gpu.kept) = Some(ends);
        Ok(outputs)
    }

    /// Buffers for a run on slices, and the network bound to them: those that were kept, if nobody has them now.
    #[cfg(feature = "gpu")]
    pub(super) async fn ends(&self, on_gpu: &OnGpu) -> Result<EndsOnGpu> {
        if let Some(kept) = lock(&on_gpu.kept).take() {
            return Ok(kept);
        }
        let context = on_gpu.context();
        let (mut inputs, mut outputs) = (Vec::new(), Vec::new());
        for ((_, dims), format) in self.program.inputs.iter().zip(&self.formats.inputs) {
            let buffer = context.create_buffer("an input", format.bytes(*dims).div_ceil(4)).await?;
            inputs.push((Upload::default(), buffer));
        }
        for (dims, format) in self.output_formats() {
            let buffer = context.create_buffer("an output", format.bytes(dims).div_ceil(4)).await?;
            outputs.push((ReadBack::new(context), buffer));
        }
        let from: Vec<Tensor<'_>> = inputs.iter().map(|(_, buffer)| buffer.into()).collect();
        let to: Vec<Tensor<'_>> = outputs.iter().map(|(_, buffer)| buffer.into()).collect();
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
    pub fn new_blocking(device: &Device, graph: &Graph, options: impl Into<NetworkOptions>) -> Result<Self> {
        pollster::block_on(Self::new(device, graph, options))
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

    /// As [`Self::run_bytes`], waiting for it.
    ///
    /// # Errors
    /// As there.
    pub fn run_bytes_blocking(&self, inputs: &[&[u8]]) -> Result<Vec<Vec<u8>>> {
        pollster::block_on(self.run_bytes(inputs))
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
