//! From a model and the sizes of its inputs to a graph: nodes one after the other, each by its operator's row of [`table`].

mod call;
mod conv;
mod elementwise;
mod ints;
mod known;
mod layout;
mod norm;
mod pool;
mod reduce;
mod resize;
mod select;
mod source;
mod table;

use std::collections::{HashMap, HashSet};

use call::Call;
pub(crate) use table::operators;
use winoconv::graph::{Dims, Graph, MAX_DIMS, Value};

use crate::error::{OnnxError, Refusal, Result, Unsupported, refusal};
use crate::model::{Input, Model, Node};
use crate::proto::data_type;
use crate::tensor::{Floats, Ints, Known, MOST_SIZE, is_float, type_name};

/// Elements of tensors that may be made of known ones in all: half a gibibyte of f32. What a file makes of nothing ends there.
const MOST_MADE: usize = 1 << 27;

/// What a name of a model stands for.
#[derive(Debug, Clone)]
enum Held {
    /// The result of a node of the graph.
    Value(Value),
    /// Floats that are known and not in the graph yet.
    Floats(Floats),
    /// Integers, which are always known.
    Ints(Ints),
    /// What is of a type that no node reads here.
    Other(&'static str),
    /// The result of a node that is not supported.
    Missing,
}

impl From<Value> for Held {
    fn from(value: Value) -> Self {
        Self::Value(value)
    }
}

/// What ends the import of a node.
#[derive(Debug)]
enum Fault {
    /// Recorded; the import goes on, to find more of them.
    Unsupported(Refusal),
    /// The node makes no sense.
    Invalid(Refusal),
    /// An operand is the result of a node that is not supported.
    Missing,
}

impl From<winoconv::Error> for Fault {
    fn from(error: winoconv::Error) -> Self {
        match error {
            error @ winoconv::Error::Unsupported { .. } => Self::Unsupported(error.into()),
            error => Self::Invalid(error.into()),
        }
    }
}

type Outcome<T> = std::result::Result<T, Fault>;

fn invalid<T>(problem: Refusal) -> Outcome<T> {
    Err(Fault::Invalid(problem))
}

fn unsupported<T>(why: Refusal) -> Outcome<T> {
    Err(Fault::Unsupported(why))
}

/// Sizes as a graph has them.
fn dims_of(sizes: &[usize]) -> Outcome<Dims> {
    let dims = Dims::from_slice(sizes);
    let dims =
        dims.ok_or_else(|| Fault::Unsupported(refusal!("{} dimensions, expected at most {MAX_DIMS}", sizes.len())))?;
    let is_large = dims.elements() == usize::MAX || dims.iter().any(|&size| size > MOST_SIZE);
    if is_large { invalid(too_large(dims)) } else { Ok(dims) }
}

fn too_large(dims: Dims) -> Refusal {
    refusal!("a tensor of {dims}, expected sizes of at most 2^48 whose product does not overflow")
}

/// A position among so many; negative ones count from the end.
fn position_of(what: &str, at: i64, len: usize) -> Outcome<usize> {
    let found = if at < 0 { at.checked_add(len as i64) } else { Some(at) };
    let found = found.and_then(|at| usize::try_from(at).ok()).filter(|&at| at < len);
    found.ok_or_else(|| Fault::Invalid(refusal!("{what} is {at}, expected at least -{len} and less than {len}")))
}

/// An axis; negative ones count from the end.
fn axis_of(axis: i64, rank: usize) -> Outcome<usize> {
    position_of("axis", axis, rank)
}

/// Axes in rising order; twice the same is refused.
fn axes_of(axes: &[i64], rank: usize) -> Outcome<Vec<usize>> {
    let mut found: Vec<usize> = axes.iter().map(|&axis| axis_of(axis, rank)).collect::<Outcome<_>>()?;
    found.sort_unstable();
    if found.windows(2).any(|pair| pair[0] == pair[1]) {
        return invalid(refusal!("axes are {axes:?}, expected each once"));
    }
    Ok(found)
}

fn size_of(what: &str, size: i64) -> Outcome<usize> {
    usize::try_from(size).map_err(|_| Fault::Invalid(refusal!("{what} is {size}, expected at least 0")))
}

fn sizes_of(what: &str, sizes: &[i64]) -> Outcome<Vec<usize>> {
    sizes.iter().map(|&size| size_of(what, size)).collect()
}

/// A graph in the making.
struct Import<'a> {
    model: &'a Model,
    /// The names that the outputs depend on.
    read: HashSet<&'a str>,
    graph: Graph,
    held: HashMap<&'a str, Held>,
    unsupported: Vec<Unsupported>,
    /// Constants that are in the graph, by address and sizes.
    constants: HashMap<(*const f32, Dims), Value>,
    /// Values of the graph that were computed because a node needs to know them.
    evaluated: HashMap<Value, Floats>,
    /// Elements that were made of known tensors.
    made: usize,
}

/// The graph of a model, with inputs of these sizes.
pub(crate) fn graph(model: &Model, size: impl Fn(&Input) -> Result<Dims>) -> Result<Graph> {
    let (nodes, read) = needed(model);
    let mut import = Import {
        model,
        read,
        graph: Graph::new(),
        held: HashMap::new(),
        unsupported: Vec::new(),
        constants: HashMap::new(),
        evaluated: HashMap::new(),
        made: 0,
    };
    for input in model.inputs() {
        if import.read.contains(&*input.name) {
            import.input(input, &size)?;
        }
    }
    for (node, _) in model.nodes.iter().zip(nodes).filter(|(_, needed)| *needed) {
        import.node(node)?;
    }
    for name in model.outputs() {
        import.output(name)?;
    }
    if import.unsupported.is_empty() { Ok(import.graph) } else { Err(OnnxError::Unsupported(import.unsupported)) }
}

/// Which nodes the outputs depend on, and the names that these read.
fn needed(model: &Model) -> (Vec<bool>, HashSet<&str>) {
    let mut makers: HashMap<&str, usize> = HashMap::new();
    for (i, node) in model.nodes.iter().enumerate() {
        for output in node.outputs.iter().filter(|output| !output.is_empty()) {
            makers.insert(output, i);
        }
    }
    let mut nodes = vec![false; model.nodes.len()];
    let mut names: HashSet<&str> = model.outputs().iter().map(String::as_str).collect();
    let mut open: Vec<&str> = names.iter().copied().collect();
    while let Some(name) = open.pop() {
        let Some(&maker) = makers.get(name) else { continue };
        if !std::mem::replace(&mut nodes[maker], true) {
            let inputs = model.nodes[maker].inputs.iter().map(String::as_str);
            open.extend(inputs.filter(|input| !input.is_empty() && names.insert(input)));
        }
    }
    (nodes, names)
}

impl<'a> Import<'a> {
    fn input(&mut self, input: &'a Input, size: impl Fn(&Input) -> Result<Dims>) -> Result<()> {
        let damaged = |problem| OnnxError::damaged(format!("input {}", input.name), problem);
        let kind = input.elements;
        let held = if kind == 0 || kind == data_type::BOOL || is_float(kind) {
            let value = self.graph.input(input.name.clone(), size(input)?);
            Held::Value(value.map_err(|error| damaged(error.into()))?)
        } else {
            let why = refusal!(
                "elements of type {}, expected floats: integers are known when the graph is made",
                type_name(kind)
            );
            self.unsupported.push(Unsupported::new(&input.name, "input", why));
            Held::Missing
        };
        self.held.insert(&input.name, held);
        Ok(())
    }

    fn node(&mut self, node: &'a Node) -> Result<()> {
        let failed = |problem: Refusal| OnnxError::Node {
            node: node.name.clone(),
            op: node.op.clone(),
            problem: problem.to_string(),
        };
        let mut operands = Vec::with_capacity(node.inputs.len());
        for name in &node.inputs {
            operands.push(if name.is_empty() { None } else { Some(self.held(name).map_err(failed)?) });
        }
        self.graph.set_scope(node.name.clone());
        let results = match self.run(&Call { node, operands, opset: self.model.opset() }) {
            Ok(results) => results,
            Err(Fault::Invalid(problem)) => return Err(failed(problem)),
            Err(Fault::Missing) => Vec::new(),
            Err(Fault::Unsupported(why)) => {
                self.unsupported.push(Unsupported::new(&node.name, &node.op, why));
                Vec::new()
            }
        };
        // What is not given is the result of a node that is not supported.
        let results = results.into_iter().chain(std::iter::repeat(Held::Missing));
        for (name, result) in node.outputs.iter().zip(results).filter(|(name, _)| !name.is_empty()) {
            if self.held.insert(name, result).is_some() {
                return Err(failed(refusal!("a result is named {name}, expected a name of its own")));
            }
        }
        Ok(())
    }

    fn run(&mut self, call: &Call<'_>) -> Outcome<Vec<Held>> {
        let node = call.node;
        if !node.domain.is_empty() {
            return unsupported(refusal!("an operator of {}, expected one of ai.onnx", node.domain));
        }
        let run = table::find(&node.op).ok_or_else(|| {
            Fault::Unsupported(refusal!("the operator is not supported, expected one of winoconv_onnx::operators()"))
        })?;
        let is = |held: &Option<Held>, missing: bool| match held {
            Some(Held::Missing) => missing,
            Some(Held::Other(_)) => !missing,
            _ => false,
        };
        if call.operands.iter().any(|held| is(held, true)) {
            return Err(Fault::Missing);
        }
        if let Some(Some(Held::Other(kind))) = call.operands.iter().find(|held| is(held, false)) {
            return unsupported(refusal!("an operand has elements of type {kind}, expected floats or integers"));
        }
        let results = run(self, call)?;
        if let Some(dims) =
            results.iter().map(|held| self.dims(held)).find(|dims| dims.iter().any(|&size| size > MOST_SIZE))
        {
            return invalid(too_large(dims));
        }
        for (i, name) in node.outputs.iter().enumerate().skip(results.len()) {
            if self.read.contains(&**name) {
                return unsupported(refusal!(
                    "output {i} ({name}) is read, expected one that is not supported to be unused"
                ));
            }
        }
        Ok(results)
    }

    /// What a name stands for.
    fn held(&self, name: &str) -> std::result::Result<Held, Refusal> {
        if let Some(held) = self.held.get(name) {
            return Ok(held.clone());
        }
        match self.model.known.get(name) {
            Some(Known::Floats(floats)) => Ok(Held::Floats(floats.clone())),
            Some(Known::Ints(ints)) => Ok(Held::Ints(ints.clone())),
            Some(Known::Other(kind)) => Ok(Held::Other(kind)),
            None => Err(refusal!("{name}: expected an input, an initializer or the result of an earlier node")),
        }
    }

    fn output(&mut self, name: &str) -> Result<()> {
        let damaged = |problem| OnnxError::damaged(format!("output {name}"), problem);
        let held = self.held(name).map_err(damaged)?;
        match self.value(&held) {
            Ok(value) => self.graph.output(name, value).map_err(|error| damaged(error.into())),
            Err(Fault::Missing) => Ok(()),
            Err(Fault::Invalid(problem)) => Err(damaged(problem)),
            Err(Fault::Unsupported(why)) => {
                self.unsupported.push(Unsupported::new(name, "output", why));
                Ok(())
            }
        }
    }

    /// The sizes of what a name stands for.
    fn dims(&self, held: &Held) -> Dims {
        match held {
            Held::Value(value) => self.graph.dims(*value),
            Held::Floats(floats) => floats.dims,
            Held::Ints(ints) => ints.dims,
            Held::Other(_) | Held::Missing => Dims::SCALAR,
        }
    }

    /// A value of the graph; what is known becomes a constant.
    fn value(&mut self, held: &Held) -> Outcome<Value> {
        match held {
            Held::Value(value) => Ok(*value),
            Held::Floats(floats) => self.constant(floats),
            Held::Ints(ints) => {
                self.charge(ints.data.len())?;
                let data = ints.data.iter().map(|&x| x as f32).collect();
                self.constant(&Floats { dims: ints.dims, data })
            }
            Held::Other(kind) => unsupported(refusal!("elements of type {kind}, expected floats or integers")),
            Held::Missing => Err(Fault::Missing),
        }
    }

    fn constant(&mut self, floats: &Floats) -> Outcome<Value> {
        let key = (floats.data.as_ptr(), floats.dims);
        if let Some(&value) = self.constants.get(&key) {
            return Ok(value);
        }
        let value = self.graph.constant(floats.data.clone(), floats.dims)?;
        // Those without elements share an address.
        if !floats.data.is_empty() {
            self.constants.insert(key, value);
        }
        Ok(value)
    }

    /// A number as a value.
    fn number(&mut self, number: f32) -> Outcome<Value> {
        Ok(self.graph.constant(vec![number], Dims::SCALAR)?)
    }

    /// Counts elements that are made of known tensors.
    fn charge(&mut self, elements: usize) -> Outcome<()> {
        self.made = self.made.saturating_add(elements);
        if self.made > MOST_MADE {
            return unsupported(refusal!(
                "expected at most {MOST_MADE} elements to compute before the network runs, got more"
            ));
        }
        Ok(())
    }
}
