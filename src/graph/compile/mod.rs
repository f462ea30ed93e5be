//! A network compiled: a list of steps over few buffers. It is a value, made without a device.

mod arenas;
mod in_place;
mod lower;
mod memory;
mod simplify;
mod step;
mod stored;
mod written_out;

use std::fmt;
use std::sync::Arc;

pub(crate) use step::{AxisTaps, BufferId, Place, Step, Window, Work};
pub(super) use stored::Stored;

use super::{Dims, Graph};
use crate::dtype::DType;
use crate::error::Result;

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
    pub(super) stored: Stored,
    least: usize,
}

impl Program {
    /// Compiles a network as GPUs take it: images between its steps are planes of channels.
    ///
    /// # Errors
    /// None at present.
    pub fn new(graph: &Graph) -> Result<Self> {
        Ok(Self::of_simplified(&simplified(graph)?, Stored::plain(graph)))
    }

    /// The steps of a graph that is [`simplified`], in which each convolution is a step, in the order of the nodes.
    pub(super) fn of_simplified(graph: &Graph, stored: Stored) -> Self {
        let lower::Lowered { mut steps, own, constants } = lower::lowered(graph, &stored);
        in_place::add_in_place(&mut steps, &own);
        let memory::Memory { lens, least } = memory::share(&mut steps, &own);
        let named = |value: super::Value| (graph.node(value).name().to_owned(), graph.dims(value));
        let inputs = graph.inputs().iter().map(|&value| named(value)).collect();
        let outputs = graph.outputs().iter().map(|(name, value)| (name.clone(), graph.dims(*value))).collect();
        Self { steps, lens, constants, inputs, outputs, stored, least }
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
        self.lens.iter().map(|&len| self.stored.dtype.bytes(len)).sum()
    }

    /// The most bytes that its steps need at once: no plan of its memory takes less.
    pub fn least_bytes(&self) -> u64 {
        self.stored.dtype.bytes(self.least)
    }

    /// How the device stores the tensors between the steps.
    pub const fn storage(&self) -> DType {
        self.stored.dtype
    }

    /// The last line of what it prints.
    pub(super) fn summary(&self) -> String {
        let (bytes, least) = (self.bytes(), self.least_bytes());
        let (steps, buffers, storage) = (self.steps.len(), self.lens.len(), self.storage());
        format!("{steps} steps; {buffers} buffers of {storage}, {bytes} bytes, at least {least} needed")
    }
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for step in &self.steps {
            writeln!(f, "{step}")?;
        }
        f.write_str(&self.summary())
    }
}
