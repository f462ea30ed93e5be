//! The same network with fewer nodes: what is known is computed, what does nothing is dropped, and what a convolution's kernel
//! does on its way becomes part of the convolution: factors, bias, residual, activation, padding.

use std::sync::Arc;

use crate::activation::Activation;
use crate::conv::{Conv, Residual};
use crate::error::Result;
use crate::graph::interpret::compute_constants;
use crate::graph::{Binary, ConvWeights, Dims, Edge, Graph, Node, Op, Unary, Value};
use crate::layout::Layout;
use crate::padding::{Border, Padding};
use crate::spatial::{Shape, Spatial};

/// What is known is computed up to so many elements: beyond that, memory would be traded for time that is spent once.
const MOST_FOLDED: usize = 1 << 24;

/// Rewrites a graph. Results are the same but for rounding.
pub(super) fn simplified(graph: &Graph) -> Result<Graph> {
    let mut pass = Pass { uses: uses(graph), new: Graph::new(), values: Vec::new() };
    for node in graph.nodes() {
        let inputs: Vec<Value> = node.inputs.iter().map(|value| pass.values[value.index()]).collect();
        let value = pass.rewrite(node, &inputs)?;
        pass.values.push(value);
    }
    let Pass { mut new, values, .. } = pass;
    new.outputs = graph.outputs.iter().map(|(name, value)| (name.clone(), values[value.index()])).collect();
    without_dead(&new)
}

/// How many nodes and outputs take each value.
pub(super) fn uses(graph: &Graph) -> Vec<usize> {
    let mut uses = vec![0; graph.nodes.len()];
    for value in graph.nodes.iter().flat_map(|node| &node.inputs).chain(graph.outputs.iter().map(|(_, value)| value)) {
        uses[value.index()] += 1;
    }
    uses
}

/// The nodes that an output depends on, and all inputs.
pub(super) fn without_dead(graph: &Graph) -> Result<Graph> {
    let mut live: Vec<bool> = graph.nodes.iter().map(|node| node.op == Op::Input).collect();
    graph.outputs.iter().for_each(|(_, value)| live[value.index()] = true);
    for (i, node) in graph.nodes.iter().enumerate().rev() {
        if live[i] {
            node.inputs.iter().for_each(|value| live[value.index()] = true);
        }
    }
    let mut new = Graph::new();
    let mut values = vec![Value(0); graph.nodes.len()];
    for (i, node) in graph.nodes.iter().enumerate().filter(|(i, _)| live[*i]) {
        let inputs = node.inputs.iter().map(|value| values[value.index()]).collect();
        values[i] = new.insert(Node { inputs, ..node.clone() })?;
    }
    let moved = |value: &Value| values[value.index()];
    new.inputs = graph.inputs.iter().map(moved).collect();
    new.outputs = graph.outputs.iter().map(|(name, value)| (name.clone(), moved(value))).collect();
    Ok(new)
}

struct Pass {
    uses: Vec<usize>,
    new: Graph,
    values: Vec<Value>,
}

impl Pass {
    /// The node in the new graph, or another one that has the same value.
    fn rewrite(&mut self, node: &Node, inputs: &[Value]) -> Result<Value> {
        if node.op == Op::Input {
            let value = self.new.insert(node.clone())?;
            self.new.inputs.push(value);
            return Ok(value);
        }
        if let Some(value) = self.identity(node, inputs) {
            return Ok(value);
        }
        if let Some(data) = self.known(node, inputs) {
            return self.new.insert(Node { op: Op::Constant(data.into()), inputs: Vec::new(), ..node.clone() });
        }
        let fused = match &node.op {
            Op::Conv(of) => self.padded(node, of, inputs),
            Op::MatMul => self.linear(inputs),
            Op::Unary(Unary::Activate(activation)) => self.activated(node, *activation, inputs),
            Op::Binary(function) => {
                let swapped = matches!(function, Binary::Add | Binary::Mul);
                let first = self.ended(node, *function, 0, inputs);
                first.or_else(|| if swapped { self.ended(node, *function, 1, inputs) } else { None })
            }
            _ => None,
        };
        if let Some((op, inputs)) = fused {
            return self.new.push_named(node.name.clone(), op, &inputs);
        }
        self.new.insert(Node { inputs: inputs.to_vec(), ..node.clone() })
    }

    /// The operand, where the node does nothing to it.
    fn identity(&self, node: &Node, inputs: &[Value]) -> Option<Value> {
        let first = *inputs.first()?;
        let same = node.dims == self.new.dims(first);
        let is_identity = match &node.op {
            Op::Unary(Unary::Activate(Activation::None)) => true,
            Op::Reshape(_) | Op::Expand(_) => same,
            Op::Slice(slice) => same && slice.step == 1,
            Op::Transpose(order) => order.iter().copied().eq(0..order.len()),
            Op::Concat(_) => inputs.len() == 1,
            Op::Pad { before, after, .. } => before.iter().chain(after).all(|&size| size == 0),
            _ => false,
        };
        is_identity.then_some(first)
    }

    /// The node's elements, where all operands are known.
    fn known(&self, node: &Node, inputs: &[Value]) -> Option<Vec<f32>> {
        if inputs.is_empty() || node.dims.elements() > MOST_FOLDED {
            return None;
        }
        let operands: Option<Vec<(Dims, &[f32])>> =
            inputs.iter().map(|&value| Some((self.new.dims(value), &**self.new.constant_of(value)?))).collect();
        Some(compute_constants(node, &operands?))
    }

    /// Whether a node of the old graph takes this operand alone.
    fn is_only_use(&self, node: &Node, operand: usize) -> bool {
        self.uses[node.inputs[operand].index()] == 1
    }

    /// The convolution, or linear layer, that gives an operand, if nothing else takes its result.
    fn producer(&self, node: &Node, operand: usize, inputs: &[Value]) -> Option<(bool, Arc<ConvWeights>, Vec<Value>)> {
        if !self.is_only_use(node, operand) {
            return None;
        }
        let producer = self.new.node(inputs[operand]);
        match &producer.op {
            Op::Conv(of) => Some((true, of.clone(), producer.inputs.clone())),
            Op::Linear(of) => Some((false, of.clone(), producer.inputs.clone())),
            _ => None,
        }
    }

    /// An activation that becomes a convolution's.
    fn activated(&self, node: &Node, activation: Activation, inputs: &[Value]) -> Option<(Op, Vec<Value>)> {
        let (spatial, of, operands) = self.producer(node, 0, inputs)?;
        if of.conv.activation != Activation::None {
            return None;
        }
        let conv = Conv { activation, ..of.conv };
        Some((op(spatial, ConvWeights { conv, ..(*of).clone() }), operands))
    }

    /// A sum or product with what is known for each filter, a residual, or slopes: parts of the convolution that gives the
    /// operand at this position.
    fn ended(&self, node: &Node, function: Binary, at: usize, inputs: &[Value]) -> Option<(Op, Vec<Value>)> {
        let (spatial, of, mut operands) = self.producer(node, at, inputs)?;
        let other = inputs[1 - at];
        // What the convolution's result is broadcast to has more elements.
        if self.new.dims(inputs[at]) != node.dims || of.conv.activation != Activation::None {
            return None;
        }
        let filters = of.conv.filters;
        let numbers = self.of_filters(other, node.dims, spatial, filters);
        let has_residual = of.conv.residual != Residual::None;
        let mut new = (*of).clone();
        match (function, numbers) {
            (Binary::Add, Some(numbers)) => new.bias = added(&of, &numbers, 1.0),
            (Binary::Sub, Some(numbers)) if at == 0 => new.bias = added(&of, &numbers, -1.0),
            (Binary::Mul, Some(factors)) if !has_residual => scale(&mut new, &factors),
            (Binary::Div, Some(numbers)) if !has_residual && at == 0 => {
                scale(&mut new, &numbers.iter().map(|x| 1.0 / x).collect::<Vec<_>>());
            }
            (Binary::PRelu, Some(slopes)) if at == 0 => {
                new.conv.activation = Activation::PRelu;
                new.slopes = slopes.into();
            }
            (Binary::Add, None) if !has_residual && self.new.dims(other) == node.dims => {
                new.conv.residual = Residual::Tensor;
                operands.push(other);
            }
            _ => return None,
        }
        new.conv.bias = !new.bias.is_empty();
        Some((op(spatial, new), operands))
    }

    /// A number for each filter, if a known operand comes to that by broadcasting.
    fn of_filters(&self, value: Value, to: Dims, spatial: bool, filters: usize) -> Option<Vec<f32>> {
        let data = self.new.constant_of(value)?;
        if data.len() == 1 {
            return Some(vec![data[0]; filters]);
        }
        let dims = self.new.dims(value);
        let axis = if spatial { 1 } else { to.rank() - 1 };
        let own = (axis + dims.rank()).checked_sub(to.rank())?;
        (dims.get(own) == Some(&filters) && data.len() == filters).then(|| data.to_vec())
    }

    /// Padding that becomes a convolution's.
    fn padded(&self, node: &Node, of: &Arc<ConvWeights>, inputs: &[Value]) -> Option<(Op, Vec<Value>)> {
        let producer = self.new.node(inputs[0]);
        let Op::Pad { before, after, edge } = &producer.op else { return None };
        let conv = &of.conv;
        let has_none = conv.padding == Padding::all(0).of_rank(conv.rank());
        let is_spatial = before[..2].iter().chain(&after[..2]).all(|&size| size == 0);
        if !self.is_only_use(node, 0) || !has_none || !is_spatial || conv.transposed.is_some() {
            return None;
        }
        let border = match edge {
            Edge::Constant(0.0) => Border::Zero,
            Edge::Constant(_) => return None,
            Edge::Reflect => Border::Reflect,
            Edge::Replicate => Border::Replicate,
            Edge::Circular => Border::Circular,
        };
        let sizes = |sizes: &[isize]| {
            let sizes: Option<Vec<usize>> = sizes[2..].iter().map(|&size| usize::try_from(size).ok()).collect();
            Spatial::from_slice(&sizes?)
        };
        let conv = Conv { padding: Padding::sides(sizes(before)?, sizes(after)?), border, ..*conv };
        // A border that is wider than the input has no form as a convolution's.
        let shape = Shape::from_slice(&self.new.dims(producer.inputs[0]))?;
        conv.on(shape).ok()?;
        let inputs = [&producer.inputs[..1], &inputs[1..]].concat();
        Some((Op::Conv(Arc::new(ConvWeights { conv, ..(**of).clone() })), inputs))
    }

    /// A product with a known matrix: weights of a linear layer.
    fn linear(&self, inputs: &[Value]) -> Option<(Op, Vec<Value>)> {
        let (data, dims) = (self.new.constant_of(inputs[1])?, self.new.dims(inputs[1]));
        let &[rows, columns] = &dims[..] else { return None };
        if rows == 0 || columns == 0 {
            return None;
        }
        let weights: Vec<f32> = (0..columns).flat_map(|o| (0..rows).map(move |i| data[i * columns + o])).collect();
        let none: Arc<[f32]> = Arc::from([]);
        let conv = Conv::new(rows, columns, [1]).layout(Layout::ChannelsLast);
        let of = ConvWeights { conv, weights: weights.into(), bias: none.clone(), slopes: none };
        Some((Op::Linear(Arc::new(of)), inputs[..1].to_vec()))
    }
}

fn op(spatial: bool, of: ConvWeights) -> Op {
    if spatial { Op::Conv(Arc::new(of)) } else { Op::Linear(Arc::new(of)) }
}

/// The bias and these numbers, each times a factor.
fn added(of: &ConvWeights, numbers: &[f32], factor: f32) -> Arc<[f32]> {
    let old = |i: usize| of.bias.get(i).copied().unwrap_or(0.0);
    numbers.iter().enumerate().map(|(i, number)| old(i) + factor * number).collect()
}

/// Multiplies each filter.
fn scale(of: &mut ConvWeights, factors: &[f32]) {
    let conv = &of.conv;
    let (taps, per_group) = (conv.kernel.iter().product::<usize>(), conv.filters / conv.groups);
    let filter = |i: usize| match conv.transposed {
        None => i / (of.weights.len() / conv.filters),
        // [C, K / groups, taps]
        Some(_) => {
            let channel = i / (per_group * taps);
            channel / (conv.channels / conv.groups) * per_group + i / taps % per_group
        }
    };
    of.weights = of.weights.iter().enumerate().map(|(i, weight)| weight * factors[filter(i)]).collect();
    of.bias = of.bias.iter().zip(factors).map(|(bias, factor)| bias * factor).collect();
}
