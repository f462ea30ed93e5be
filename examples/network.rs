//! A network built in Rust: super-resolution by 4, in the form of realesr-animevideov3, on the best device of this machine.
//!
//! `cargo run --release --features graph --example network -- WEIGHTS.safetensors`
//!
//! The file holds f32 tensors named `0.weight`, `0.bias` and `0.slopes`, to `17.weight` and `17.bias`. Without a file the weights
//! are numbers that mean nothing.

use std::error::Error;

use safetensors::SafeTensors;
use winoconv::graph::{Binary, Graph, Network};
use winoconv::{Conv, Device, Preferences};

const HEIGHT: usize = 90;
const WIDTH: usize = 160;

fn main() -> Result<(), Box<dyn Error>> {
    let file = std::env::args().nth(1).map(std::fs::read).transpose()?;
    let tensors = file.as_deref().map(SafeTensors::deserialize).transpose()?;
    let numbers = |name: &str, len: usize| -> Result<Vec<f32>, Box<dyn Error>> {
        let Some(tensors) = &tensors else { return Ok((0..len).map(|i| (i % 13) as f32 / 600.0).collect()) };
        let bytes = tensors.tensor(name)?.data();
        Ok(bytes.as_chunks().0.iter().map(|&number| f32::from_le_bytes(number)).collect())
    };

    // 18 convolutions, all but the last with a slope for each filter; a pixel shuffle, and the picture itself added.
    let mut net = Graph::new();
    let image = net.input("image", [1, 3, HEIGHT, WIDTH])?;
    let mut x = image;
    for i in 0..18 {
        let (channels, filters) = (if i == 0 { 3 } else { 64 }, if i == 17 { 48 } else { 64 });
        let conv = Conv::new(channels, filters, [3, 3]).padding(1).bias(true);
        let weights = numbers(&format!("{i}.weight"), conv.weights_len())?;
        x = net.conv(x, conv, weights, numbers(&format!("{i}.bias"), filters)?)?;
        if i < 17 {
            let slopes = net.constant(numbers(&format!("{i}.slopes"), filters)?, [filters, 1, 1])?;
            x = net.binary(Binary::PRelu, x, slopes)?;
        }
    }
    let detail = net.pixel_shuffle(x, 4)?;
    let large = net.upsample_nearest(image, 4)?;
    let sum = net.add(detail, large)?;
    net.output("large", sum)?;

    let device = pollster::block_on(Device::best());
    let network = Network::new_blocking(&device, &net, Preferences::new())?;
    println!("{}\non {}", network.program(), device.caps());

    let picture: Vec<f32> = (0..3 * HEIGHT * WIDTH).map(|i| (i % 255) as f32 / 255.0).collect();
    let outputs = network.run_blocking(&[&picture])?;
    println!("{} elements, the first is {}", outputs[0].len(), outputs[0][0]);
    println!("{:.2?} on the device", network.time_blocking(&[&picture], 5)?);
    Ok(())
}
