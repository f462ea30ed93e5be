//! Times ONNX models: `cargo run --release -p winoconv-onnx --example time -- [--gpu NAME] [--f16] [--tolerance T] [--steps] [--runs N] [--memory MIB] MODEL.onnx [x=1x3x224x224] ...`
//!
//! Every model is run on the CPU with all of its threads, or with `--gpu` on the GPU; the least of N times is printed, and with
//! `--steps` also each step's. Inputs are read from `MODEL.in0.f32`, ... if they are there, else drawn; if `MODEL.out0.f32`, ... are
//! there, the relative L2 distance from those is printed. With `--f16` tensors are stored in 16 bits on a GPU; `--tolerance` is that of
//! the outputs.
//!
//! With `--memory` a model is run within so many MiB, in tiles if need be, once and with all copies from and to the device. A whole
//! with more elements than a graph can describe is given behind a size that it can: `x=1x3x256x256@1x3x4000x6000`.

use std::error::Error;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use winoconv::gpu::{AdapterChoice, Context, ContextOptions};
use winoconv::graph::{Dims, Graph, Network, NetworkOptions, Tiled};
use winoconv::{DType, Device};
use winoconv_onnx::Model;

type Failure = Box<dyn Error>;

struct Options {
    device: Device,
    compile: NetworkOptions,
    steps: bool,
    runs: u32,
    /// Bytes that tiles may take.
    memory: Option<u64>,
}

/// An input's name, its sizes in the graph, and those of the whole.
type Given = (String, Dims, Dims);

fn main() -> Result<(), Failure> {
    let compile = NetworkOptions::new();
    let mut options = Options { device: Device::cpu(), compile, steps: false, runs: 10, memory: None };
    let mut models: Vec<(PathBuf, Vec<Given>)> = Vec::new();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match (&*argument, argument.split_once('='), models.last_mut()) {
            ("--gpu", ..) => options.device = gpu(arguments.next().ok_or("--gpu: part of which name?")?)?,
            ("--f16", ..) => options.compile.storage = DType::F16,
            ("--tolerance", ..) => {
                options.compile.tolerance = Some(arguments.next().ok_or("--tolerance: how far?")?.parse()?);
            }
            ("--steps", ..) => options.steps = true,
            ("--runs", ..) => options.runs = arguments.next().ok_or("--runs: how many?")?.parse()?,
            ("--memory", ..) => {
                let mib: u64 = arguments.next().ok_or("--memory: how many MiB?")?.parse()?;
                options.memory = Some(mib << 20);
            }
            (_, Some((name, sizes)), Some((_, given))) => {
                let (graph, whole) = sizes.split_once('@').unwrap_or((sizes, sizes));
                given.push((name.to_owned(), dims(graph)?, dims(whole)?));
            }
            _ => models.push((argument.into(), Vec::new())),
        }
    }
    println!("{}", options.device.caps());
    for (path, given) in &models {
        if let Err(error) = time(path, given, &options) {
            println!("{}: {error}", path.display());
        }
    }
    Ok(())
}

fn gpu(name: String) -> Result<Device, Failure> {
    let options = ContextOptions::default().adapter(AdapterChoice::Named(name));
    Ok(pollster::block_on(Context::new(&options))?.into())
}

fn dims(text: &str) -> Result<Dims, Failure> {
    let sizes: Vec<usize> = text.split('x').map(str::parse).collect::<Result<_, _>>()?;
    Dims::from_slice(&sizes).ok_or_else(|| "too many dimensions".into())
}

fn time(path: &Path, given: &[Given], options: &Options) -> Result<(), Failure> {
    let model = Model::open(path)?;
    let graph = model.graph(&given.iter().map(|(name, dims, _)| (&**name, *dims)).collect::<Vec<_>>())?;
    if let Some(memory) = options.memory {
        return time_tiled(path, &graph, given, options, memory);
    }
    let start = Instant::now();
    let network = Network::new_blocking(&options.device, &graph, options.compile.clone())?;
    let compiled = start.elapsed();
    let program = network.program();
    let inputs: Vec<Vec<f32>> = (0..)
        .zip(program.inputs())
        .map(|(i, (_, dims))| read(path, "in", i).unwrap_or_else(|| drawn(dims.elements())))
        .collect();
    let inputs: Vec<&[f32]> = inputs.iter().map(Vec::as_slice).collect();
    let outputs = network.run_blocking(&inputs)?;
    let least = network.time_blocking(&inputs, options.runs)?;
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    print!("{name}: {:.3} ms", least.as_secs_f64() * 1e3);
    print!(", {} steps, compiled in {compiled:.2?}", program.step_count());
    let (bytes, least) = (program.bytes(), program.least_bytes());
    print!(
        ", {bytes} bytes ({:.3} times the least), {} of workspace",
        bytes as f64 / least.max(1) as f64,
        network.workspace_bytes()
    );
    for (i, output) in outputs.iter().enumerate() {
        if let Some(expected) = read(path, "out", i) {
            print!(", output {i} differs by {:.2e}", distance(&expected, output));
        }
    }
    println!();
    if options.steps {
        let mut times = pollster::block_on(network.profile(&inputs, options.runs))?;
        times.sort_by_key(|of| std::cmp::Reverse(of.time));
        println!("  all steps by themselves: {:?}", times.iter().map(|of| of.time).sum::<Duration>());
        times.iter().take(40).for_each(|of| println!("  {of}"));
    }
    Ok(())
}

/// A run in tiles, whose results are dropped.
fn time_tiled(path: &Path, graph: &Graph, given: &[Given], options: &Options, memory: u64) -> Result<(), Failure> {
    let whole = |name: &str, dims: Dims| given.iter().find(|given| given.0 == name).map_or(dims, |given| given.2);
    let inputs = graph.inputs().iter().map(|&value| (graph.node(value).name(), graph.dims(value)));
    let dims: Vec<Dims> = inputs.map(|(name, dims)| whole(name, dims)).collect();
    let start = Instant::now();
    let tiled = Tiled::new_blocking(&options.device, graph, &dims, options.compile.clone(), memory)?;
    println!("{}: {tiled}; compiled in {:.2?}", path.display(), start.elapsed());
    let inputs: Vec<Vec<f32>> =
        (0..).zip(&dims).map(|(i, dims)| read(path, "in", i).unwrap_or_else(|| drawn(dims.elements()))).collect();
    let inputs: Vec<&[f32]> = inputs.iter().map(Vec::as_slice).collect();
    let start = Instant::now();
    let told = tiled.run_tiles_blocking(&inputs, |tile| {
        println!("  tile {} of {} after {:.2?}", tile.index + 1, tile.count, start.elapsed());
        ControlFlow::<Failure>::Continue(())
    })?;
    told.break_value().map_or(Ok(()), Err)
}

fn read(model: &Path, what: &str, i: usize) -> Option<Vec<f32>> {
    let bytes = std::fs::read(model.with_extension(format!("{what}{i}.f32"))).ok()?;
    Some(bytes.as_chunks().0.iter().map(|word| f32::from_le_bytes(*word)).collect())
}

/// Numbers from -1 to 1 that look like noise.
fn drawn(len: usize) -> Vec<f32> {
    let of = |i: usize| ((i as u32).wrapping_mul(2_654_435_761) >> 8) as f32 / (1 << 23) as f32 - 1.0;
    (0..len).map(of).collect()
}

fn distance(expected: &[f32], got: &[f32]) -> f64 {
    let square = |x: f64| x * x;
    let apart: f64 = expected.iter().zip(got).map(|(&a, &b)| square(f64::from(a) - f64::from(b))).sum();
    (apart / expected.iter().map(|&a| square(f64::from(a))).sum::<f64>()).sqrt()
}
