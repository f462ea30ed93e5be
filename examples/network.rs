//! A network built in Rust: super-resolution by 4, in the form of realesr-animevideov3, on the best device of this machine.
//!
//! `cargo run --release --features graph --example network -- [HEIGHTxWIDTH [WEIGHTS.safetensors]]`
//!
//! Without weights it takes numbers that mean nothing, and shows the compiled network and its time.

use std::time::Instant;

use winoconv::graph::{Binary, ConvWeights, Graph, Network};
use winoconv::{Activation, Conv, Device, Preferences, Result};

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let size = arguments.next().unwrap_or_else(|| "90x160".to_owned());
    let (height, width) = size.split_once('x').ok_or("expected HEIGHTxWIDTH")?;
    let [height, width] = [height.parse::<usize>()?, width.parse()?];
    let file = arguments.next().map(std::fs::read).transpose()?;
    let tensors = file.as_deref().map(safetensors::SafeTensors::deserialize).transpose()?;
    let numbers = |name: &str, len: usize| -> Vec<f32> {
        let tensor = tensors.as_ref().and_then(|tensors| tensors.tensor(name).ok());
        tensor.map_or_else(
            || (0..len).map(|i| ((i * 7919) % 13) as f32 / 600.0).collect(),
            |tensor| floats(tensor.data()),
        )
    };
    let net = upscaler(&numbers, height, width)?;
    let device = pollster::block_on(Device::best());
    let network = Network::new_blocking(&device, &net, Preferences::new())?;
    println!("{}\non {}", network.program(), device.caps());
    let picture: Vec<f32> = (0..3 * height * width).map(|i| (i % 255) as f32 / 255.0).collect();
    let mut large = Vec::new();
    for _ in 0..3 {
        let start = Instant::now();
        large = network.run_blocking(&[&picture])?;
        println!("{:.1} ms", start.elapsed().as_secs_f64() * 1e3);
    }
    println!("{} elements, the first is {}", large[0].len(), large[0][0]);
    #[cfg(feature = "gpu")]
    if let Some(context) = device.context() {
        pollster::block_on(time_on_gpu(context, &network, &picture))?;
    }
    Ok(())
}

/// The time on the device alone, without copies.
#[cfg(feature = "gpu")]
async fn time_on_gpu(context: &winoconv::gpu::Context, network: &Network, picture: &[f32]) -> Result<()> {
    let input = context.upload("image", picture).await?;
    let output = context.create_buffer("large", network.program().outputs()[0].1.elements()).await?;
    let bound = network.bind(&[(&input).into()], &[(&output).into()]).await?;
    for _ in 0..5 {
        let time = context.time(|pass| bound.encode_pass(pass)).await?;
        println!("{:.2} ms on the device", time.as_secs_f64() * 1e3);
    }
    Ok(())
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.chunks_exact(4).map(|four| f32::from_le_bytes([four[0], four[1], four[2], four[3]])).collect()
}

/// 18 convolutions with a slope for each filter, pixel shuffle, and the picture itself added.
fn upscaler(numbers: &dyn Fn(&str, usize) -> Vec<f32>, height: usize, width: usize) -> Result<Graph> {
    let mut net = Graph::new();
    let image = net.input("image", [1, 3, height, width])?;
    let mut x = image;
    for i in 0..18 {
        let (c, k) = (if i == 0 { 3 } else { 64 }, if i == 17 { 48 } else { 64 });
        let activation = if i == 17 { Activation::None } else { Activation::PRelu };
        let conv = Conv::new(c, k, [3, 3]).padding(1).bias(true).activation(activation);
        let weights = numbers(&format!("{i}.weight"), conv.weights_len()).into();
        let slopes = if i == 17 { Vec::new() } else { numbers(&format!("{i}.slopes"), k) };
        let bias = numbers(&format!("{i}.bias"), k).into();
        x = net.conv_with(x, None, ConvWeights { conv, weights, bias, slopes: slopes.into() })?;
    }
    let detail = net.pixel_shuffle(x, 4)?;
    let large = net.upsample_nearest(image, 4)?;
    let sum = net.binary(Binary::Add, detail, large)?;
    net.output("large", sum)?;
    Ok(net)
}
