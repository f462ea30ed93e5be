//! Activations that a network has as several nodes, because the format that it comes from has no node for them: SiLU as x times
//! its logistic function, GELU with an error function. Each becomes one node, which a convolution's kernel can take over.

use std::f64::consts::{FRAC_1_SQRT_2, PI};

use super::simplify::without_dead;
use crate::activation::Activation;
use crate::error::Result;
use crate::graph::{Binary, Graph, Op, Unary, Value};

/// How deep the factors of a product are searched for.
const DEPTH: usize = 4;

/// The same graph with one node in place of each such product, without those that nothing takes any more.
pub(super) fn recognized(graph: &Graph) -> Result<Graph> {
    let mut new = graph.clone();
    for (node, old) in new.nodes.iter_mut().zip(&graph.nodes) {
        if let Some((activation, x)) =
            activation(graph, &old.op, &old.inputs).filter(|(_, x)| graph.dims(*x) == old.dims)
        {
            (node.op, node.inputs) = (Op::Unary(Unary::Activate(activation)), vec![x]);
        }
    }
    without_dead(&new)
}

/// The activation that a product is, and its argument: a number times x times a gate that depends on x.
fn activation(graph: &Graph, op: &Op, inputs: &[Value]) -> Option<(Activation, Value)> {
    let mut gates = Vec::new();
    leaves(graph, op, inputs, DEPTH, &mut gates);
    gates.into_iter().find_map(|gate| {
        let found = meanings(graph, gate).into_iter().find(|&(_, number, x)| {
            let mut product = Monomial { graph, of: [x, gate], number: 1.0, powers: [0.0; 2] };
            product.take_product(op, inputs, DEPTH).is_some()
                && near(product.number, number)
                && product.powers == [1.0; 2]
        });
        found.map(|(activation, _, x)| (activation, x))
    })
}

/// Factors that are no products themselves, nor numbers.
fn leaves(graph: &Graph, op: &Op, inputs: &[Value], depth: usize, found: &mut Vec<Value>) {
    if !matches!(op, Op::Binary(Binary::Mul | Binary::Div)) || depth == 0 {
        return;
    }
    for &input in inputs {
        let node = graph.node(input);
        match node.op {
            Op::Binary(Binary::Mul | Binary::Div) => leaves(graph, &node.op, &node.inputs, depth - 1, found),
            Op::Unary(_) | Op::Binary(Binary::Add) => found.push(input),
            _ => {}
        }
    }
}

/// What a gate is a part of: activations, with the number beside x and the gate, and x.
fn meanings(graph: &Graph, gate: Value) -> Vec<(Activation, f64, Value)> {
    let node = graph.node(gate);
    let is_sixth = |slope: f32| near(slope.into(), 1.0 / 6.0);
    match node.op {
        Op::Unary(Unary::Activate(function)) => {
            let x = node.inputs[0];
            let inner = graph.node(x);
            match function {
                Activation::Sigmoid => vec![(Activation::Silu, 1.0, x)],
                Activation::HardSigmoid { slope, offset: 0.5 } if is_sixth(slope) => {
                    vec![(Activation::HardSwish, 1.0, x)]
                }
                Activation::Clamp { low: 0.0, high: 6.0 } => match sum_with_number(graph, x) {
                    Some((x, 3.0)) => vec![(Activation::HardSwish, 1.0 / 6.0, x)],
                    _ => Vec::new(),
                },
                Activation::Tanh if inner.op == Op::Unary(Unary::Activate(Activation::softplus())) => {
                    vec![(Activation::Mish, 1.0, inner.inputs[0])]
                }
                _ => Vec::new(),
            }
        }
        // x (1 + erf(x / sqrt 2)) / 2, and the form with a hyperbolic tangent.
        Op::Binary(Binary::Add) => {
            let Some((function, 1.0)) = sum_with_number(graph, gate) else { return Vec::new() };
            let function = graph.node(function);
            let Some(&argument) = function.inputs.first() else { return Vec::new() };
            let is_argument = |x: &Value| match function.op {
                Op::Unary(Unary::Erf) => power_of(graph, argument, *x) == Some((Near(FRAC_1_SQRT_2), 1.0)),
                _ => is_cubic(graph, argument, *x),
            };
            let activation = match function.op {
                Op::Unary(Unary::Erf) => Activation::Gelu,
                Op::Unary(Unary::Activate(Activation::Tanh)) => Activation::GeluTanh,
                _ => return Vec::new(),
            };
            below(graph, argument, DEPTH).into_iter().filter(is_argument).map(|x| (activation, 0.5, x)).collect()
        }
        _ => Vec::new(),
    }
}

/// Values that another may be a multiple of, or a sum with.
fn below(graph: &Graph, value: Value, depth: usize) -> Vec<Value> {
    let node = graph.node(value);
    let mut all = vec![value];
    if depth > 0 && matches!(node.op, Op::Binary(Binary::Mul | Binary::Div | Binary::Add)) {
        all.extend(node.inputs.iter().flat_map(|&input| below(graph, input, depth - 1)));
    }
    all
}

/// Whether a value is `sqrt(2 / pi) * (x + 0.044715 x^3)`.
fn is_cubic(graph: &Graph, value: Value, x: Value) -> bool {
    let is_sum = |sum: Value| {
        let node = graph.node(sum);
        let is_cube = |&operand: &Value| power_of(graph, operand, x) == Some((Near(0.044_715), 3.0));
        node.op == Op::Binary(Binary::Add) && node.inputs.contains(&x) && node.inputs.iter().any(is_cube)
    };
    let scale = Near((2.0 / PI).sqrt());
    below(graph, value, 2).into_iter().any(|sum| is_sum(sum) && power_of(graph, value, sum) == Some((scale, 1.0)))
}

/// A number that a file gives in f32: equal to others within a few roundings.
#[derive(Debug, Clone, Copy)]
struct Near(f64);

impl PartialEq for Near {
    fn eq(&self, other: &Self) -> bool {
        near(self.0, other.0)
    }
}

fn near(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-6 * b.abs()
}

/// The one element of a constant.
fn scalar(graph: &Graph, value: Value) -> Option<f64> {
    match graph.constant_of(value)?[..] {
        [number] => Some(number.into()),
        _ => None,
    }
}

/// The value to which a number is added, and the number.
fn sum_with_number(graph: &Graph, value: Value) -> Option<(Value, f64)> {
    let node = graph.node(value);
    let (Op::Binary(Binary::Add), &[a, b]) = (&node.op, &node.inputs[..]) else { return None };
    scalar(graph, b).map(|number| (a, number)).or_else(|| Some((b, scalar(graph, a)?)))
}

/// A value as a number times a power of x.
fn power_of(graph: &Graph, value: Value, x: Value) -> Option<(Near, f64)> {
    let mut product = Monomial { graph, of: [x, x], number: 1.0, powers: [0.0; 2] };
    product.take(value, 1.0, DEPTH)?;
    Some((Near(product.number), product.powers[0]))
}

/// A number times powers of two values.
struct Monomial<'a> {
    graph: &'a Graph,
    of: [Value; 2],
    number: f64,
    powers: [f64; 2],
}

impl Monomial<'_> {
    /// Multiplies with a power of a value; `None` if that has other factors.
    fn take(&mut self, value: Value, power: f64, depth: usize) -> Option<()> {
        if let Some(which) = self.of.iter().position(|&of| of == value) {
            self.powers[which] += power;
            return Some(());
        }
        if let Some(number) = scalar(self.graph, value) {
            self.number *= number.powf(power);
            return Some(());
        }
        let node = self.graph.node(value);
        match node.op {
            Op::Binary(Binary::Pow) => {
                let exponent = scalar(self.graph, node.inputs[1])?;
                self.take(node.inputs[0], power * exponent, depth.checked_sub(1)?)
            }
            _ if power == 1.0 => self.take_product(&node.op, &node.inputs, depth),
            _ => None,
        }
    }

    fn take_product(&mut self, op: &Op, inputs: &[Value], depth: usize) -> Option<()> {
        let power = match op {
            Op::Binary(Binary::Mul) => 1.0,
            Op::Binary(Binary::Div) => -1.0,
            _ => return None,
        };
        let depth = depth.checked_sub(1)?;
        self.take(inputs[0], 1.0, depth)?;
        self.take(inputs[1], power, depth)
    }
}
