//! Times the networks on a GPU, or with `--cpu` on the CPU: `cargo run --release -p winoconv-models --example time -- [--cpu] [--gpu NAME]
//! [--f16] [--steps] [--size 1920x1080]`. The least of some runs on the device is printed, without copies from and to it. With
//! `--f16` tensors are stored in 16 bits on a GPU. `tests/compare_gpu.py` times the same networks by PyTorch.

use std::error::Error;

use winoconv::gpu::{AdapterChoice, Context, ContextOptions};
use winoconv::graph::{Graph, Network, NetworkOptions};
use winoconv::{DType, Device};
use winoconv_models::{Compact, Shipped, UNet};

fn main() -> Result<(), Box<dyn Error>> {
    let (mut adapter, mut on_cpu, mut steps) = (AdapterChoice::Hardware, false, false);
    let (mut width, mut height) = (1920, 1080);
    let mut options = NetworkOptions::new();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match &*argument {
            "--cpu" => on_cpu = true,
            "--gpu" => adapter = AdapterChoice::Named(arguments.next().ok_or("--gpu: part of which name?")?),
            "--f16" => options.storage = DType::F16,
            "--steps" => steps = true,
            "--size" => {
                let size = arguments.next().ok_or("--size: WIDTHxHEIGHT")?;
                let (w, h) = size.split_once('x').ok_or("--size: WIDTHxHEIGHT")?;
                (width, height) = (w.parse()?, h.parse()?);
            }
            other => return Err(format!("{other}: expected --cpu, --gpu, --f16, --steps or --size").into()),
        }
    }
    let device = if on_cpu {
        Device::cpu()
    } else {
        pollster::block_on(Context::new(&ContextOptions::default().adapter(adapter)))?.into()
    };
    println!("{}", device.caps());
    let denoiser = |weights| UNet::shipped(weights)?.graph(height, width);
    let networks: [(&str, Graph); 3] = [
        ("upscale by 4", Compact::realesr_animevideo_v3()?.graph(height, width)?),
        ("denoise, colour, albedo and normals", denoiser(Shipped::HdrAlbedoNormal)?),
        ("denoise, small", denoiser(Shipped::HdrAlbedoNormalSmall)?),
    ];
    for (name, graph) in networks {
        let network = Network::new_blocking(&device, &graph, options.clone())?;
        let inputs: Vec<Vec<f32>> = graph.inputs().iter().map(|&input| picture(graph.dims(input).elements())).collect();
        let inputs: Vec<&[f32]> = inputs.iter().map(Vec::as_slice).collect();
        let time = network.time_blocking(&inputs, 20)?;
        println!("{name}, {width} x {height}: {:.2} ms", time.as_secs_f64() * 1e3);
        if steps {
            println!("{network}");
        }
    }
    Ok(())
}

/// Numbers from 0 to 1 that look like noise.
fn picture(len: usize) -> Vec<f32> {
    let mut state = 1u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 24) as f32
    };
    (0..len).map(|_| next()).collect()
}
