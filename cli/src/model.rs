//! An ONNX model with sizes for its inputs.

use winoconv::graph::{Dims, Graph};
use winoconv_onnx::Model;

use crate::args;
use crate::error::{CliError, Result};

pub(crate) fn open(of: &args::Model) -> Result<Model> {
    Model::open(&of.path).map_err(|source| CliError::Onnx { path: of.path.clone(), source: Box::new(source) })
}

/// The graph for these sizes, which are those of `--size` and of what else is known.
pub(crate) fn graph(model: &Model, of: &args::Model, known: &[(String, Dims)]) -> Result<Graph> {
    let mut sizes: Vec<(&str, Dims)> = known.iter().map(|(name, dims)| (&**name, *dims)).collect();
    for (name, given) in &of.sizes {
        let problem = format!("--size {name} has too many sizes");
        let dims = Dims::from_slice(given).ok_or(CliError::Array { path: of.path.clone(), problem })?;
        match sizes.iter_mut().find(|(known, _)| known == name) {
            Some((_, known)) => *known = dims,
            None => sizes.push((name, dims)),
        }
    }
    model.graph(&sizes).map_err(|source| CliError::Onnx { path: of.path.clone(), source: Box::new(source) })
}

/// Names and sizes of the inputs that a graph reads.
pub(crate) fn inputs(graph: &Graph) -> Vec<(String, Dims)> {
    graph.inputs().iter().map(|&value| (graph.node(value).name().to_owned(), graph.dims(value))).collect()
}
