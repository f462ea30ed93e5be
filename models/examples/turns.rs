//! Runs a network once for each line on standard input, and tells how long it took: so that a script can measure it by turns with
//! another program. `models/tests/compare.py` does.
//!
//! `cargo run --release -p winoconv-models --example turns -- [--gpu NAME] [--memory MIB] upscale WIDTH HEIGHT OUT.f32 COLOUR.f32`
//!
//! `... -- denoise-NETWORK WIDTH HEIGHT OUT.f32 COLOUR.f32 [ALBEDO.f32 NORMAL.f32]`, with a NETWORK of `hdr`, `hdr-small` or `srgb`
//!
//! Files are pixels of three f32. The last result goes to `OUT.f32`.

use std::error::Error;
use std::io::BufRead as _;
use std::time::Instant;

use winoconv::Device;
use winoconv::gpu::{AdapterChoice, ContextOptions};
use winoconv_models::{Compact, Denoiser, Frame, Options, Range, Shipped, UNet, Upscaler};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let mut taken = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name)?;
        arguments.drain(at..(at + 2).min(arguments.len())).nth(1)
    };
    let device = match taken("--gpu") {
        Some(name) => {
            let options = ContextOptions::default().adapter(AdapterChoice::Named(name));
            pollster::block_on(Device::gpu(&options))?
        }
        None => Device::cpu(),
    };
    let mut options = Options::new(&device);
    if let Some(mib) = taken("--memory") {
        options = options.memory(mib.parse::<u64>()? << 20);
    }
    let [what, width, height, out, colour, auxiliary @ ..] = &arguments[..] else {
        return Err("see the source".into());
    };
    let size = [width.parse()?, height.parse()?];
    let colour = read(colour)?;
    let auxiliary: Vec<Vec<f32>> = auxiliary.iter().map(|path| read(path)).collect::<Result<_, _>>()?;

    let mut result = Vec::new();
    let mut turns = |run: &mut dyn FnMut() -> winoconv_models::Result<Vec<f32>>| -> Result<(), Box<dyn Error>> {
        for line in std::io::stdin().lock().lines() {
            line?;
            let start = Instant::now();
            result = run()?;
            println!("{}", start.elapsed().as_secs_f64());
        }
        Ok(())
    };
    if what == "upscale" {
        let upscaler = Upscaler::new_blocking(&Compact::realesr_animevideo_v3()?, size, &options)?;
        eprintln!("{upscaler}");
        turns(&mut || upscaler.run_blocking(&colour))?;
    } else {
        let has_all = auxiliary.len() == 2;
        let (range, is_small) = match &**what {
            "denoise-hdr" => (Range::Hdr, false),
            "denoise-hdr-small" => (Range::Hdr, true),
            "denoise-srgb" => (Range::Srgb, false),
            _ => return Err("see the source".into()),
        };
        let network = UNet::shipped(Shipped::find(range, has_all, has_all, is_small)?)?;
        let denoiser = Denoiser::new_blocking(&network, range, size, &options)?;
        eprintln!("{denoiser}");
        let mut frame = Frame::new(&colour);
        if let [albedo, normal] = &auxiliary[..] {
            frame = frame.albedo(albedo).normal(normal);
        }
        turns(&mut || denoiser.run_blocking(&frame))?;
    }
    std::fs::write(out, result.iter().flat_map(|number| number.to_le_bytes()).collect::<Vec<u8>>())?;
    Ok(())
}

fn read(path: &str) -> Result<Vec<f32>, std::io::Error> {
    Ok(std::fs::read(path)?.as_chunks().0.iter().map(|&number| f32::from_le_bytes(number)).collect())
}
