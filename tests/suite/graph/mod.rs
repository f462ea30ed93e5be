//! Networks: what a graph comes to on each device, against its meaning in f64; node by node, and in graphs drawn at random.
#![cfg(feature = "graph")]

mod draw;
mod ends;
mod nodes;
mod one_buffer;
mod shapes;
mod tiling;
mod written_out;

use winoconv::graph::{Graph, Network};
use winoconv::{Device, Preferences};

/// Numbers between -1 and 1.
pub(crate) fn numbers(len: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..len).map(|_| next()).collect()
}

/// Runs a graph on numbers, and fails unless each output is near its meaning: within so many roundings of the largest one.
pub(crate) fn check(device: &Device, graph: &Graph, what: &str) {
    let inputs: Vec<Vec<f32>> =
        graph.inputs().iter().zip(1..).map(|(&value, seed)| numbers(graph.dims(value).elements(), seed)).collect();
    check_on(device, graph, &inputs, what);
}

pub(crate) fn check_on(device: &Device, graph: &Graph, inputs: &[Vec<f32>], what: &str) {
    let inputs: Vec<&[f32]> = inputs.iter().map(Vec::as_slice).collect();
    let expected = graph.interpret(&inputs).unwrap_or_else(|error| panic!("{what}: {error}"));
    let network = Network::new_blocking(device, graph, Preferences::new());
    let network = network.unwrap_or_else(|error| panic!("{what}: {error}\n{graph}"));
    // Twice: the second run finds what the first one left in the buffers.
    for run in 0..2 {
        let found = network.run_blocking(&inputs).unwrap_or_else(|error| panic!("{what}: {error}\n{graph}"));
        for ((name, value), (found, expected)) in graph.outputs().iter().zip(found.iter().zip(&expected)) {
            assert_eq!(found.len(), graph.dims(*value).elements(), "{what}: {name}");
            let most = expected.iter().filter(|x| x.is_finite()).fold(1e-30, |most: f64, x| most.max(x.abs()));
            for (i, (&found, &expected)) in found.iter().zip(expected).enumerate() {
                let off = (f64::from(found) - expected).abs();
                let same = off <= 3e-5 * most || f64::from(found) == expected || found.is_nan() && expected.is_nan();
                assert!(
                    same,
                    "{what}, run {run}: {name}[{i}] is {found}, expected {expected}\n{graph}\n{}",
                    network.program()
                );
            }
        }
    }
}
