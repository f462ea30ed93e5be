//! A network compiled: a list of steps over few buffers. It is a value, made without a device.

mod arenas;
mod in_place;
mod lower;
mod memory;
mod simplify;
mod step;
mod written_out;

use std::fmt;
use std::sync::Arc;

pub(crate) use step::{AxisTaps, BufferId, Place, Step, Window, Work};

use super::{Dims, Graph};
use crate::caps::{Caps, DeviceKind};
use crate::dtype::DType;
use crate::error::Result;
use crate::layout::Layout;

/// The same network with fewer nodes, each of which a step computes as it stands.
pub(crate) fn simplified(graph: &Graph) -> Result<Graph> {
    simplify::simplified(&written_out::recognized(graph)?)
}

/// A network compiled for inputs of these sizes. It prints: each step with what it does, where its result lies, and the memory
/// of all.
///
/// ```
/// use winoconv::graph::{Graph, Program};
/// use winoconv::{Activation, Conv};
///
/// let mut net = Graph::new();
/// let x = net.input("x", [1, 4, 16, 16])?;
/// let y = net.conv(x, Conv::new(4, 4, [3, 3]).padding(1), vec![0.1; 144], [])?;
/// let y = net.add(y, x)?;
/// let y = net.activate(Activation::Relu, y)?;
/// net.output("y", y)?;
/// let program = Program::new(&net)?;
/// // Sum and activation are part of the convolution, which writes the caller's output.
/// assert_eq!((program.step_count(), program.bytes()), (1, 0));
/// println!("{program}");
/// # Ok::<(), winoconv::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Program {
    pub(crate) steps: Vec<Step>,
    /// Elements of each buffer of its own.
    pub(crate) lens: Vec<usize>,
    pub(crate) constants: Vec<Arc<[f32]>>,
    pub(crate) inputs: Vec<(String, Dims)>,
    pub(crate) outputs: Vec<(String, Dims)>,
    least: usize,
}

impl Program {
    /// Compiles a network as GPUs take it: images between its steps are planes of channels.
    ///
    /// # Errors
    /// None at present.
    pub fn new(graph: &Graph) -> Result<Self> {
        Ok(Self::of_simplified(&simplified(graph)?, Layout::ChannelsFirst))
    }

    /// The same for a device, where images may lie otherwise between the steps: the CPU's vectors are of channels. Inputs and outputs
    /// are row-major.
    pub(crate) fn for_device(graph: &Graph, caps: &Caps) -> Result<Self> {
        Ok(Self::of_simplified(&simplified(graph)?, Self::layout(caps)))
    }

    /// How images lie between the steps of a device's program.
    pub(crate) fn layout(caps: &Caps) -> Layout {
        if caps.kind == DeviceKind::Cpu { Layout::ChannelsLast } else { Layout::ChannelsFirst }
    }

    /// The steps of a graph that is [`simplified`], in which each convolution is a step, in the order of the nodes.
    pub(crate) fn of_simplified(graph: &Graph, layout: Layout) -> Self {
        let lower::Lowered { mut steps, own, constants } = lower::lowered(graph, layout);
        in_place::add_in_place(&mut steps, &own);
        let memory::Memory { lens, least } = memory::share(&mut steps, &own);
        let named = |value: super::Value| (graph.node(value).name().to_owned(), graph.dims(value));
        let inputs = graph.inputs().iter().map(|&value| named(value)).collect();
        let outputs = graph.outputs().iter().map(|(name, value)| (name.clone(), graph.dims(*value))).collect();
        Self { steps, lens, constants, inputs, outputs, least }
    }

    /// How many steps it has.
    pub const fn step_count(&self) -> usize {
        self.steps.len()
    }

    /// Names and sizes of the inputs.
    pub fn inputs(&self) -> &[(String, Dims)] {
        &self.inputs
    }

    /// Names and sizes of the outputs.
    pub fn outputs(&self) -> &[(String, Dims)] {
        &self.outputs
    }

    /// Bytes of its buffers between inputs and outputs, without the workspace of convolutions, see
    /// [`Network::workspace_bytes`](super::Network::workspace_bytes).
    pub fn bytes(&self) -> u64 {
        self.lens.iter().map(|&len| DType::F32.bytes(len)).sum()
    }

    /// The most bytes that its steps need at once: no plan of its memory takes less.
    pub fn least_bytes(&self) -> u64 {
        DType::F32.bytes(self.least)
    }
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for step in &self.steps {
            writeln!(f, "{step}")?;
        }
        let (bytes, least) = (self.bytes(), self.least_bytes());
        write!(f, "{} steps; {} buffers of {bytes} bytes, at least {least} needed", self.steps.len(), self.lens.len())
    }
}
