//! The nine `light` models of PyPI's package `onnx`: real networks whose weights are made by nodes.

mod support;

use std::path::PathBuf;
use std::time::Instant;

use prost::Message;
use support::proto::TensorProto;
use support::{DATA, difference, relative_l2, run, skipped};
use winoconv_onnx::Model;

const MODELS: [&str; 9] = [
    "bvlc_alexnet",
    "densenet121",
    "inception_v1",
    "inception_v2",
    "resnet50",
    "shufflenet",
    "squeezenet",
    "vgg19",
    "zfnet512",
];

/// What the standard's runner allows.
const RELATIVE: f32 = 1e-3;
const ABSOLUTE: f32 = 1e-5;

#[test]
fn light_models_run() {
    let Some(data) = std::env::var_os(DATA) else {
        return skipped("light_models_run", &format!("{DATA} is not set to onnx/backend/test/data of PyPI's onnx"));
    };
    let folder = PathBuf::from(data).join("light");
    for name in MODELS {
        let model = Model::open(folder.join(format!("light_{name}.onnx"))).unwrap_or_else(|error| panic!("{error}"));
        let start = Instant::now();
        let graph = model.graph(&[]).unwrap_or_else(|error| panic!("{name}: {error}"));
        let imported = start.elapsed();
        let len = graph.dims(graph.inputs()[0]).elements();
        // The runner's input.
        let image: Vec<f32> = (0..len).map(|i| (i as f64 / len as f64) as f32).collect();
        let start = Instant::now();
        let results = run(&graph, &[&image]).unwrap_or_else(|error| panic!("{name}: {error}"));
        let ran = start.elapsed();
        let file = std::fs::read(folder.join(format!("light_{name}_output_0.pb"))).expect("the expected output");
        let expected = TensorProto::decode(&*file).expect("a tensor");
        let expected: Vec<f32> = if expected.raw_data.is_empty() {
            expected.float_data
        } else {
            expected.raw_data.as_chunks().0.iter().map(|word| f32::from_le_bytes(*word)).collect()
        };
        println!(
            "{name}: {} nodes, relative L2 {:.1e}, imported in {imported:.2?}, compiled and run in {ran:.2?}",
            graph.nodes().len(),
            relative_l2(&results[0], &expected),
        );
        if let Some(what) = difference(&results[0], &expected, RELATIVE, ABSOLUTE) {
            panic!("{name}: {what}");
        }
    }
}
