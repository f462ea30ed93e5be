//! A model as its file says it: nodes by name, tensors read.

use std::collections::HashMap;
use std::fmt;
use std::fs;
use std::path::Path;

use prost::Message;
use winoconv::graph::{Dims, Graph};

use crate::error::{OnnxError, Refusal, Result, refusal};
use crate::external::External;
use crate::import;
use crate::proto::{AttributeProto, GraphProto, ModelProto, NodeProto, ValueInfoProto, attribute_type};
use crate::tensor::{self, Known};

/// A model, read and not yet of certain sizes.
///
/// ```
/// use winoconv_onnx::Model;
/// // A graph that gives its input `x` as it is.
/// let file = b"\x08\x08\x3a\x0c\x5a\x05\x0a\x01x\x12\x00\x62\x03\x0a\x01x\x42\x02\x10\x11";
/// let model = Model::from_bytes(file)?;
/// assert_eq!((model.opset(), &*model.inputs()[0].name), (17, "x"));
/// # Ok::<(), winoconv_onnx::OnnxError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Model {
    opset: i64,
    inputs: Vec<Input>,
    outputs: Vec<String>,
    pub(crate) nodes: Vec<Node>,
    pub(crate) known: HashMap<String, Known>,
}

/// An input of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Input {
    /// Its name.
    pub name: String,
    /// The sizes that the model says, `None` for those that it leaves open; `None` if it says nothing.
    pub dims: Option<Vec<Option<usize>>>,
    /// The type of its elements.
    pub(crate) elements: i32,
}

impl Input {
    fn new(of: &ValueInfoProto) -> Self {
        let tensor = of.r#type.as_ref().and_then(|of| of.tensor_type.as_ref());
        // Some writers say 0 or -1 for a size that is open.
        let size = |size: Option<i64>| size.and_then(|size| usize::try_from(size).ok()).filter(|&size| size > 0);
        let dims = tensor
            .and_then(|of| of.shape.as_ref())
            .map(|shape| shape.dim.iter().map(|dim| size(dim.dim_value)).collect());
        Self { name: of.name.clone(), dims, elements: tensor.map_or(0, |of| of.elem_type) }
    }

    /// Its sizes, if the model says them all.
    fn known_dims(&self) -> Option<Dims> {
        let sizes: Option<Vec<usize>> = self.dims.as_ref()?.iter().copied().collect();
        Dims::from_slice(&sizes?)
    }
}

/// Name and sizes: `image: 1x3x?x?`.
impl fmt::Display for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.declared())
    }
}

impl Input {
    fn declared(&self) -> String {
        let size = |size: &Option<usize>| size.map_or_else(|| "?".to_owned(), |size| size.to_string());
        match &self.dims {
            None => "nothing".to_owned(),
            Some(dims) if dims.is_empty() => "a scalar".to_owned(),
            Some(dims) => dims.iter().map(size).collect::<Vec<_>>().join("x"),
        }
    }
}

/// A node with its arguments.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    /// Its name, or what stands for it.
    pub(crate) name: String,
    pub(crate) op: String,
    /// Empty for the standard's own.
    pub(crate) domain: String,
    pub(crate) inputs: Vec<String>,
    pub(crate) outputs: Vec<String>,
    pub(crate) attributes: HashMap<String, Attribute>,
}

/// An argument of a node.
#[derive(Debug, Clone)]
pub(crate) enum Attribute {
    Int(i64),
    Float(f32),
    Text(String),
    Tensor(Known),
    Ints(Vec<i64>),
    Floats(Vec<f32>),
    /// Subgraphs, lists of texts, what is of no type.
    Other,
}

impl Model {
    /// Reads a model that is in memory.
    ///
    /// ```
    /// use winoconv_onnx::{Model, OnnxError};
    /// let refused = Model::from_bytes(b"no model");
    /// assert!(matches!(refused, Err(OnnxError::NotAModel { .. })));
    /// ```
    ///
    /// # Errors
    /// What is no model, is damaged, is of a version out of [`OPSETS`](crate::OPSETS), or has data in other files.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        Self::read(bytes, External::default())
    }

    /// Reads a model's file, and the files beside it that hold its data.
    ///
    /// ```
    /// use winoconv_onnx::{Model, OnnxError};
    /// assert!(matches!(Model::open("nowhere.onnx"), Err(OnnxError::Read { .. })));
    /// ```
    ///
    /// # Errors
    /// As [`Self::from_bytes`], and what the system says. Data outside the model's folder is refused.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let bytes = fs::read(path).map_err(|source| OnnxError::Read { path: path.to_owned(), source })?;
        Self::read(&bytes, External::beside(path))
    }

    fn read(bytes: &[u8], mut external: External) -> Result<Self> {
        let not_a_model = |problem: Refusal| OnnxError::NotAModel { problem: problem.to_string() };
        let file = ModelProto::decode(bytes).map_err(|error| not_a_model(refusal!("{error}")))?;
        let graph = file.graph.ok_or_else(|| not_a_model(refusal!("expected a graph, got none")))?;
        let is_standard = |domain: &str| matches!(domain, "" | "ai.onnx");
        let own = file.opset_import.iter().find(|set| is_standard(&set.domain));
        let opset =
            own.ok_or_else(|| not_a_model(refusal!("expected a version of ONNX's operators, got none")))?.version;
        if !crate::OPSETS.contains(&opset) {
            return Err(OnnxError::Opset { got: opset });
        }
        let GraphProto { node, initializer, input, output } = *graph;
        let mut known = HashMap::with_capacity(initializer.len());
        for tensor in initializer {
            let read = tensor::read(&tensor, &tensor.name, &mut external)?;
            known.insert(tensor.name, read);
        }
        let mut nodes = Vec::with_capacity(node.len());
        for (i, node) in node.into_iter().enumerate() {
            nodes.push(read_node(i, node, &mut external)?);
        }
        // An initializer is also an input in old files: its value is a default that nobody gives here.
        let inputs = input.iter().filter(|input| !known.contains_key(&input.name)).map(Input::new).collect();
        let outputs = output.into_iter().map(|output| output.name).collect();
        Ok(Self { opset, inputs, outputs, nodes, known })
    }

    /// The version of the operators.
    pub const fn opset(&self) -> i64 {
        self.opset
    }

    /// The inputs.
    ///
    /// ```
    /// # use winoconv_onnx::Model;
    /// # let file = b"\x08\x08\x3a\x0c\x5a\x05\x0a\x01x\x12\x00\x62\x03\x0a\x01x\x42\x02\x10\x11";
    /// # let model = Model::from_bytes(file)?;
    /// for input in model.inputs() {
    ///     println!("{input}");
    /// }
    /// # Ok::<(), winoconv_onnx::OnnxError>(())
    /// ```
    pub fn inputs(&self) -> &[Input] {
        &self.inputs
    }

    /// The names of the outputs.
    pub fn outputs(&self) -> &[String] {
        &self.outputs
    }

    /// The graph for inputs of these sizes. What is not given is as the model says. The graph's inputs are those of the model
    /// that its outputs depend on, under their names and in the model's order. Graphs of a model share its weights.
    ///
    /// What the model computes of shapes is fixed in the graph, so for other sizes call this again, not
    /// [`Graph::with_input_dims`].
    ///
    /// ```
    /// # use winoconv_onnx::Model;
    /// # let file = b"\x08\x08\x3a\x0c\x5a\x05\x0a\x01x\x12\x00\x62\x03\x0a\x01x\x42\x02\x10\x11";
    /// # let model = Model::from_bytes(file)?;
    /// let graph = model.graph(&[("x", [1, 3, 32, 32].into())])?;
    /// assert_eq!(graph.dims(graph.outputs()[0].1).elements(), 3072);
    /// # Ok::<(), winoconv_onnx::OnnxError>(())
    /// ```
    ///
    /// # Errors
    /// Sizes that are not known or are of no input; the first node that makes no sense; all nodes that are not supported. Nodes
    /// behind an unsupported one are judged by their operator alone, as their sizes are not known.
    pub fn graph(&self, dims: &[(&str, Dims)]) -> Result<Graph> {
        if let Some((name, _)) = dims.iter().find(|(name, _)| self.inputs.iter().all(|input| input.name != *name)) {
            let inputs = self.inputs.iter().map(|input| input.name.clone()).collect();
            return Err(OnnxError::NoInput { name: (*name).to_owned(), inputs });
        }
        let size = |input: &Input| {
            let given = dims.iter().find(|(name, _)| *name == input.name).map(|(_, dims)| *dims);
            given
                .or_else(|| input.known_dims())
                .ok_or_else(|| OnnxError::UnknownSize { input: input.name.clone(), declared: input.declared() })
        };
        import::graph(self, size)
    }
}

fn read_node(index: usize, node: NodeProto, external: &mut External) -> Result<Node> {
    let first = node.output.iter().find(|output| !output.is_empty());
    let name = match (node.name.is_empty(), first) {
        (false, _) => node.name,
        (true, Some(output)) => output.clone(),
        (true, None) => format!("#{index}"),
    };
    // Also so that a file of nothing but empty nodes ends here.
    if node.op_type.is_empty() {
        return Err(OnnxError::damaged(format!("node {name}"), refusal!("expected an operator, got none")));
    }
    let mut attributes = HashMap::with_capacity(node.attribute.len());
    for attribute in node.attribute {
        let key = attribute.name.clone();
        attributes.insert(key, read_attribute(attribute, &name, external)?);
    }
    let domain = if node.domain == "ai.onnx" { String::new() } else { node.domain };
    Ok(Node { name, op: node.op_type, domain, inputs: node.input, outputs: node.output, attributes })
}

fn read_attribute(attribute: AttributeProto, node: &str, external: &mut External) -> Result<Attribute> {
    let kind = match attribute.kind {
        0 if attribute.t.is_some() => attribute_type::TENSOR,
        0 if attribute.g.is_some() => 0,
        0 if !attribute.ints.is_empty() => attribute_type::INTS,
        0 if !attribute.floats.is_empty() => attribute_type::FLOATS,
        0 if !attribute.s.is_empty() => attribute_type::STRING,
        0 if attribute.f != 0.0 => attribute_type::FLOAT,
        0 => attribute_type::INT,
        kind => kind,
    };
    Ok(match kind {
        attribute_type::FLOAT => Attribute::Float(attribute.f),
        attribute_type::INT => Attribute::Int(attribute.i),
        attribute_type::STRING => match String::from_utf8(attribute.s) {
            Ok(text) => Attribute::Text(text),
            Err(_) => Attribute::Other,
        },
        attribute_type::FLOATS => Attribute::Floats(attribute.floats),
        attribute_type::INTS => Attribute::Ints(attribute.ints),
        attribute_type::TENSOR => match attribute.t {
            Some(tensor) => {
                let what = format!("{} of node {node}", attribute.name);
                Attribute::Tensor(tensor::read(&tensor, &what, external)?)
            }
            None => Attribute::Other,
        },
        _ => Attribute::Other,
    })
}
