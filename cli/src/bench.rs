//! `winoconv bench`: how long an ONNX model takes.

use std::time::{Duration, Instant};

use winoconv::graph::Network;
use winoconv_models::Precision;

use crate::args::Bench;
use crate::error::Result;
use crate::{device, model};

pub(crate) fn verb(options: &Bench) -> Result<()> {
    let model = model::open(&options.model)?;
    let graph = model::graph(&model, &options.model, &[])?;
    let device = device::choose(&options.place, None)?;
    let start = Instant::now();
    let network = Network::new_blocking(&device, &graph, Precision::from(options.place.precision).options())?;
    let compiled = start.elapsed();
    if options.place.explain {
        println!("{network}");
    }
    let inputs: Vec<Vec<f32>> = model::inputs(&graph).iter().map(|(_, dims)| noise(dims.elements())).collect();
    let inputs: Vec<&[f32]> = inputs.iter().map(Vec::as_slice).collect();
    let least = network.time_blocking(&inputs, options.runs)?;
    let program = network.program();
    println!("{:.3} ms, the least of {} runs", least.as_secs_f64() * 1e3, options.runs);
    println!("compiled in {compiled:.2?}: {} steps of {} nodes", program.step_count(), graph.nodes().len());
    println!("{} bytes of tensors, {} bytes of workspace", program.bytes(), network.workspace_bytes());
    if options.steps {
        let mut times = pollster::block_on(network.profile(&inputs, options.runs))?;
        times.sort_by_key(|of| std::cmp::Reverse(of.time));
        println!("all steps by themselves: {:.2?}", times.iter().map(|of| of.time).sum::<Duration>());
        times.iter().for_each(|of| println!("{of}"));
    }
    Ok(())
}

/// Numbers from -1 to 1, the same in each process.
fn noise(len: usize) -> Vec<f32> {
    let of = |i: usize| ((i as u32).wrapping_mul(2_654_435_761) >> 8) as f32 / (1 << 23) as f32 - 1.0;
    (0..len).map(of).collect()
}
