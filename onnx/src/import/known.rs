//! What is known when the graph is made: floats that a node must know, and integers that are laid out anew.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use winoconv::graph::{Graph, Op, Value};

use super::ints::{MOST_INTS, too_many};
use super::{Fault, Held, Import, Outcome, unsupported};
use crate::error::refusal;
use crate::tensor::{Floats, Ints};

/// Elements of one evaluation, with all that is between.
const MOST_AT_ONCE: usize = 1 << 25;

impl Import<'_> {
    /// Floats that a node must know.
    pub(super) fn floats(&mut self, held: &Held, what: &str) -> Outcome<Floats> {
        match held {
            Held::Floats(floats) => Ok(floats.clone()),
            Held::Ints(ints) => {
                self.charge(ints.data.len())?;
                Ok(Floats { dims: ints.dims, data: ints.data.iter().map(|&x| x as f32).collect() })
            }
            held => {
                let value = self.value(held)?;
                if let Some(floats) = self.evaluated.get(&value) {
                    return Ok(floats.clone());
                }
                let dims = self.graph.dims(value);
                let data = self.evaluate(value, what)?;
                let floats = Floats { dims, data };
                self.evaluated.insert(value, floats.clone());
                Ok(floats)
            }
        }
    }

    /// The elements of a value that depends on constants alone.
    fn evaluate(&mut self, value: Value, what: &str) -> Outcome<Arc<[f32]>> {
        let unknown = || Fault::Unsupported(refusal!("{what}: expected numbers that are known when the graph is made"));
        let mut order: Vec<Value> = Vec::new();
        let mut open = vec![value];
        let mut seen = HashSet::from([value]);
        let mut elements = 0usize;
        while let Some(next) = open.pop() {
            let node = self.graph.node(next);
            let is_simple = matches!(
                node.op(),
                Op::Constant(_)
                    | Op::Unary(_)
                    | Op::Binary(_)
                    | Op::Where
                    | Op::Reduce(..)
                    | Op::Pad { .. }
                    | Op::Concat(_)
                    | Op::Slice(_)
                    | Op::Reshape(_)
                    | Op::Transpose(_)
                    | Op::Expand(_)
            );
            elements = elements.saturating_add(node.dims().elements());
            if !is_simple {
                return Err(unknown());
            }
            if elements > MOST_AT_ONCE {
                return unsupported(refusal!(
                    "{what}: expected at most {MOST_AT_ONCE} elements to compute when the graph is made, got more"
                ));
            }
            order.push(next);
            open.extend(node.inputs().iter().filter(|input| seen.insert(**input)));
        }
        self.charge(elements)?;
        // Operands have lower places than what is computed of them.
        order.sort_unstable();
        if let Some(number) = self.repeated(value) {
            return Ok(vec![number; self.graph.dims(value).elements()].into());
        }
        let mut scratch = Graph::new();
        let mut moved = HashMap::new();
        for &old in &order {
            let node = self.graph.node(old);
            let inputs: Option<Vec<Value>> = node.inputs().iter().map(|input| moved.get(input).copied()).collect();
            let new = match node.op() {
                Op::Constant(data) => scratch.constant(data.clone(), node.dims())?,
                op => scratch.apply(op.clone(), &inputs.ok_or_else(unknown)?)?,
            };
            moved.insert(old, new);
        }
        scratch.output("y", moved.get(&value).copied().ok_or_else(unknown)?)?;
        let mut results = scratch.interpret(&[])?;
        Ok(results.swap_remove(0).into_iter().map(|x| x as f32).collect())
    }

    /// The number that a value repeats everywhere: weights of models that are only an example.
    fn repeated(&self, value: Value) -> Option<f32> {
        let node = self.graph.node(value);
        let Op::Expand(_) = node.op() else { return None };
        match self.graph.node(*node.inputs().first()?).op() {
            Op::Constant(data) => Some(*data.first()?).filter(|_| data.len() == 1),
            _ => None,
        }
    }

    /// Elements moved around: of the graph's values by its nodes; of integers at once, by what the same nodes do to their places.
    pub(super) fn moved(
        &mut self,
        operands: &[&Held],
        apply: impl Fn(&mut Graph, &[Value]) -> Outcome<Value>,
    ) -> Outcome<Held> {
        let ints: Option<Vec<&Ints>> =
            operands.iter().map(|held| if let Held::Ints(ints) = held { Some(ints) } else { None }).collect();
        let Some(ints) = ints else {
            let values: Vec<Value> = operands.iter().map(|held| self.value(held)).collect::<Outcome<_>>()?;
            return Ok(apply(&mut self.graph, &values)?.into());
        };
        let mut scratch = Graph::new();
        let mut places = Vec::with_capacity(ints.len());
        let mut elements: Vec<i64> = Vec::new();
        for ints in &ints {
            let first = elements.len();
            elements.extend(ints.data.iter());
            if elements.len() > MOST_INTS {
                return unsupported(too_many());
            }
            let numbers: Vec<f32> = (first..elements.len()).map(|place| place as f32).collect();
            places.push(scratch.constant(numbers, ints.dims)?);
        }
        let result = apply(&mut scratch, &places)?;
        let all = scratch.nodes().iter().fold(0usize, |sum, node| sum.saturating_add(node.dims().elements()));
        if all > 16 * MOST_INTS {
            return unsupported(too_many());
        }
        self.charge(all)?;
        let dims = scratch.dims(result);
        scratch.output("y", result)?;
        let places = scratch.interpret(&[])?.swap_remove(0);
        // Nodes that move elements give places that they were given.
        let data = places.iter().map(|&place| elements[place as usize]).collect();
        Ok(Held::Ints(Ints { dims, data, is_bool: ints.iter().all(|ints| ints.is_bool) }))
    }
}
