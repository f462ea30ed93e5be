//! Runs an ONNX model on the CPU: `cargo run --release -p winoconv-onnx --example onnx -- model.onnx x=1x3x48x320 x.f32`.
//!
//! Sizes are needed for inputs that the model leaves open. A file of little-endian f32 is the first input, zeros without it. Each
//! output is written beside the model, as `model.onnx.NAME.f32`.

use std::error::Error;
use std::path::PathBuf;
use std::time::Instant;

use winoconv::graph::{Dims, Network};
use winoconv::{Device, Preferences};
use winoconv_onnx::Model;

/// Sizes as people write them: `1x3x224x224`.
fn sizes(text: &str) -> Result<Dims, Box<dyn Error>> {
    let sizes: Vec<usize> = text.split('x').map(str::parse).collect::<Result<_, _>>()?;
    Dims::from_slice(&sizes).ok_or_else(|| "too many dimensions".into())
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let path = PathBuf::from(arguments.next().ok_or("which model?")?);
    let (mut given, mut data) = (Vec::new(), None);
    for argument in arguments {
        match argument.split_once('=') {
            Some((name, text)) => given.push((name.to_owned(), sizes(text)?)),
            None => data = Some(std::fs::read(argument)?),
        }
    }
    let model = Model::open(&path)?;
    model.inputs().iter().for_each(|input| println!("input {input}"));
    let start = Instant::now();
    let graph = model.graph(&given.iter().map(|(name, dims)| (&**name, *dims)).collect::<Vec<_>>())?;
    let network = Network::new_blocking(&Device::cpu(), &graph, Preferences::new())?;
    let program = network.program();
    println!("{} nodes, {} steps, compiled in {:.2?}", graph.nodes().len(), program.step_count(), start.elapsed());

    let mut inputs: Vec<Vec<f32>> = program.inputs().iter().map(|(_, dims)| vec![0.0; dims.elements()]).collect();
    if let (Some(first), Some(bytes)) = (inputs.first_mut(), data) {
        *first = bytes.as_chunks().0.iter().map(|word| f32::from_le_bytes(*word)).collect();
    }
    let inputs: Vec<&[f32]> = inputs.iter().map(Vec::as_slice).collect();
    let start = Instant::now();
    let outputs = network.run_blocking(&inputs)?;
    println!("run in {:.2?}", start.elapsed());
    for ((name, dims), output) in program.outputs().iter().zip(outputs) {
        let mut file = path.clone().into_os_string();
        file.push(format!(".{}.f32", name.replace('/', "_")));
        println!("output {name}: {dims}, in {}", file.display());
        std::fs::write(file, output.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>())?;
    }
    Ok(())
}
