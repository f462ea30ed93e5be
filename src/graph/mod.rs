//! Networks: a graph of operations as a value, compiled for a device into one list of steps.
//!
//! A [`Graph`] is built node by node. Each call checks its operands, infers the result's sizes, and gives a [`Value`] for the next
//! call. Nothing runs and no device is touched.
//!
//! ```
//! use winoconv::graph::{Graph, Pool};
//! use winoconv::{Activation, Conv};
//!
//! let mut net = Graph::new();
//! let image = net.input("image", [1, 3, 32, 32])?;
//! let conv = Conv::new(3, 8, [3, 3]).padding(1).bias(true).activation(Activation::Relu);
//! let x = net.conv(image, conv, vec![0.1; 8 * 3 * 9], vec![0.0; 8])?;
//! let x = net.pool(x, Pool::max([2, 2]))?;
//! net.output("features", x)?;
//! assert_eq!(net.dims(x), [1, 8, 16, 16].into());
//! # Ok::<(), winoconv::Error>(())
//! ```

mod builder;
mod compile;
mod cpu;
mod dims;
mod format;
#[cfg(feature = "gpu")]
mod gpu;
mod infer;
mod interpret;
mod map;
mod network;
mod op;
mod options;
mod refusal;
mod tiling;
mod timing;
mod tolerance;

use std::fmt;
use std::sync::Arc;

pub use compile::Program;
pub use dims::{Dims, MAX_DIMS};
pub use format::Format;
#[cfg(all(feature = "gpu", feature = "internals"))]
pub use gpu::{ListedBuffer, ListedDispatch, ListedKernel, ListedOperand, Listing};
pub use network::Network;
pub use op::{
    Binary, BlockOrder, ConvWeights, Coordinates, Edge, Filter, Op, Pool, PoolKind, Reduction, Resize, Rounding, Slice,
    Target, Unary,
};
pub use options::NetworkOptions;
pub use tiling::{Part, Tile, Tiled};
pub use timing::StepTime;

use self::refusal::{Refusal, refusal};
use crate::error::Result;

/// The result of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Value(usize);

impl Value {
    pub(super) const fn index(self) -> usize {
        self.0
    }
}

/// An operation with its operands.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    name: String,
    op: Op,
    inputs: Vec<Value>,
    dims: Dims,
}

impl Node {
    /// The name in errors and prints.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it computes.
    pub const fn op(&self) -> &Op {
        &self.op
    }

    /// Its operands.
    pub fn inputs(&self) -> &[Value] {
        &self.inputs
    }

    /// The sizes of its result.
    pub const fn dims(&self) -> Dims {
        self.dims
    }
}

/// A network: nodes in an order in which each comes behind its operands. See [the module](self).
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Graph {
    nodes: Vec<Node>,
    inputs: Vec<Value>,
    outputs: Vec<(String, Value)>,
    scope: String,
}

impl Graph {
    /// A graph without nodes.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets what the names of the nodes to come begin with, for errors and prints: `body.3`.
    pub fn set_scope(&mut self, scope: impl Into<String>) {
        self.scope = scope.into();
    }

    /// All nodes.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The inputs, in the order in which they were declared.
    pub fn inputs(&self) -> &[Value] {
        &self.inputs
    }

    /// Names and values of the outputs, in the order in which they were declared.
    pub fn outputs(&self) -> &[(String, Value)] {
        &self.outputs
    }

    /// The sizes of a value.
    ///
    /// # Panics
    /// If the value is of another graph that has more nodes.
    pub fn dims(&self, value: Value) -> Dims {
        self.node(value).dims
    }

    /// The node that gives a value.
    ///
    /// # Panics
    /// As [`Self::dims`].
    pub fn node(&self, value: Value) -> &Node {
        &self.nodes[value.index()]
    }

    /// The elements of a constant.
    pub(crate) fn constant_of(&self, value: Value) -> Option<&Arc<[f32]>> {
        match &self.node(value).op {
            Op::Constant(data) => Some(data),
            _ => None,
        }
    }

    /// Adds a node of any kind: for readers of other formats.
    ///
    /// # Errors
    /// Operands that do not fit; an input or a constant, which have calls of their own.
    pub fn apply(&mut self, op: Op, inputs: &[Value]) -> Result<Value> {
        self.push(op, inputs)
    }

    /// Adds a node whose operands are checked, with inferred sizes.
    pub(crate) fn push(&mut self, op: Op, inputs: &[Value]) -> Result<Value> {
        let name = self.next_name(op.name());
        self.push_named(name, op, inputs)
    }

    fn next_name(&self, kind: &str) -> String {
        let dot = if self.scope.is_empty() { "" } else { "." };
        format!("{}{dot}{kind}_{}", self.scope, self.nodes.len())
    }

    fn push_named(&mut self, name: String, op: Op, inputs: &[Value]) -> Result<Value> {
        let dims: Result<Vec<Dims>, Refusal> = inputs.iter().map(|&value| self.known_dims(value)).collect();
        let dims =
            dims.and_then(|dims| infer::infer(&op, &dims)).map_err(|refusal| refusal.of(name.clone(), op.name()))?;
        self.insert(Node { name, op, inputs: inputs.to_vec(), dims })
    }

    fn insert(&mut self, node: Node) -> Result<Value> {
        if node.dims.elements() == usize::MAX {
            let refusal = refusal!("the result is {}, expected a size that does not overflow", node.dims);
            return Err(refusal.of(node.name, node.op.name()).into());
        }
        self.nodes.push(node);
        Ok(Value(self.nodes.len() - 1))
    }

    /// The sizes of a value, if it is of this graph.
    fn known_dims(&self, value: Value) -> Result<Dims, Refusal> {
        let node = self.nodes.get(value.index());
        node.map(Node::dims).ok_or_else(|| {
            refusal!(
                "operand {} is not a value of this graph, expected one of its {} values",
                value.0,
                self.nodes.len()
            )
        })
    }

    /// The same network for inputs of other sizes, in the order of [`Self::inputs`]. Weights are shared.
    ///
    /// # Errors
    /// The first node that these sizes do not fit.
    pub fn with_input_dims(&self, dims: &[Dims]) -> Result<Self> {
        if dims.len() != self.inputs.len() {
            let refusal = refusal!("expected sizes for {} inputs, got {}", self.inputs.len(), dims.len());
            return Err(refusal.of("the graph".to_owned(), "input").into());
        }
        let mut other = Self { scope: self.scope.clone(), ..Self::default() };
        for (i, node) in self.nodes.iter().enumerate() {
            match &node.op {
                Op::Input => {
                    let position = self.inputs.iter().position(|input| input.index() == i).unwrap_or(0);
                    let value = other.insert(Node { dims: dims[position], ..node.clone() })?;
                    other.inputs.push(value);
                }
                Op::Constant(_) => {
                    other.insert(node.clone())?;
                }
                op => {
                    other.push_named(node.name.clone(), op.clone(), &node.inputs)?;
                }
            }
        }
        other.outputs.clone_from(&self.outputs);
        Ok(other)
    }
}

/// One line for each node: name, what it computes of which, sizes.
impl fmt::Display for Graph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for node in &self.nodes {
            let inputs: Vec<&str> = node.inputs.iter().map(|&value| self.node(value).name()).collect();
            writeln!(f, "{}: {} ({}) -> {}", node.name, node.op, inputs.join(", "), node.dims)?;
        }
        for (name, value) in &self.outputs {
            writeln!(f, "output {name}: {}", self.node(*value).name())?;
        }
        Ok(())
    }
}
