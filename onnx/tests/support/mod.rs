//! What the test files share: the standard's node cases, running a graph, comparing results, saying that a test did not run.
#![allow(dead_code, reason = "each test file is a crate of its own and uses its part")]

pub(crate) mod build;
pub(crate) mod folder;
#[path = "../../src/proto.rs"]
pub(crate) mod proto;

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

use safetensors::SafeTensors;
use winoconv::graph::{Dims, Graph, Network};
use winoconv::{Device, Preferences};

/// The folder of `onnx/backend/test/data` in PyPI's package `onnx`, unpacked.
pub(crate) const DATA: &str = "WINOCONV_ONNX_DATA";

/// A tensor by its name.
#[derive(Debug, Clone)]
pub(crate) struct Tensor {
    pub(crate) name: String,
    pub(crate) dims: Vec<usize>,
    pub(crate) data: Vec<f32>,
}

/// A node test of the standard.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) model: Vec<u8>,
    pub(crate) inputs: Vec<Tensor>,
    pub(crate) outputs: Vec<Tensor>,
}

/// All node cases, by name. `write_node_cases.py` wrote the file.
pub(crate) fn cases() -> Vec<Case> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join("node_cases.safetensors");
    let bytes = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let file = SafeTensors::deserialize(&bytes).expect("the script's file");
    let mut keys = file.names();
    keys.sort_unstable();
    let mut cases: Vec<Case> = Vec::new();
    for key in keys {
        let (name, rest) = key.split_once('/').expect("a case before the tensor");
        if cases.last().is_none_or(|case| case.name != name) {
            cases.push(Case { name: name.into(), model: Vec::new(), inputs: Vec::new(), outputs: Vec::new() });
        }
        let case = cases.last_mut().expect("one was pushed");
        let view = file.tensor(key).expect("the key is the file's");
        let tensor = |name: &str| Tensor {
            name: name.into(),
            dims: view.shape().to_vec(),
            data: view.data().as_chunks().0.iter().map(|word| f32::from_le_bytes(*word)).collect(),
        };
        match rest.split_once('/') {
            Some(("input", name)) => case.inputs.push(tensor(name)),
            Some(("output", name)) => case.outputs.push(tensor(name)),
            _ => case.model = view.data().to_vec(),
        }
    }
    cases
}

/// Sizes as a graph has them.
pub(crate) fn dims(sizes: &[usize]) -> Dims {
    Dims::from_slice(sizes).expect("at most 8 sizes")
}

/// Runs a graph on the CPU; inputs and outputs are in the order of the graph.
pub(crate) fn run(graph: &Graph, inputs: &[&[f32]]) -> winoconv::Result<Vec<Vec<f32>>> {
    Network::new_blocking(&Device::cpu(), graph, Preferences::new())?.run_blocking(inputs)
}

/// The first element that differs by more than the standard's runner allows.
pub(crate) fn difference(got: &[f32], expected: &[f32], relative: f32, absolute: f32) -> Option<String> {
    if got.len() != expected.len() {
        return Some(format!("{} elements, expected {}", got.len(), expected.len()));
    }
    let is_near = |a: f32, b: f32| a == b || a.is_nan() && b.is_nan() || (a - b).abs() <= absolute + relative * b.abs();
    let first = got.iter().zip(expected).position(|(&a, &b)| !is_near(a, b))?;
    Some(format!("element {first} is {}, expected {}", got[first], expected[first]))
}

/// The norm of the difference by that of what is expected.
pub(crate) fn relative_l2(got: &[f32], expected: &[f32]) -> f64 {
    let square = |x: f32| f64::from(x) * f64::from(x);
    let error: f64 = got.iter().zip(expected).map(|(&a, &b)| square(a - b)).sum();
    (error / expected.iter().map(|&x| square(x)).sum::<f64>()).sqrt()
}

/// Says that a test did not run, on the terminal and in the file that `WINOCONV_SKIP_LOG` names.
pub(crate) fn skipped(test: &str, reason: &str) {
    let line = format!("SKIPPED {test}: {reason}");
    println!("{line}");
    if let Some(path) = std::env::var_os("WINOCONV_SKIP_LOG") {
        let log = OpenOptions::new().append(true).create(true).open(&path);
        log.and_then(|mut log| writeln!(log, "{line}"))
            .unwrap_or_else(|error| panic!("WINOCONV_SKIP_LOG {}: {error}", path.display()));
    }
}
