//! Pictures in tiles, runs that are ended, and pictures that do not fit.

mod support;

use std::ops::ControlFlow;

use support::{Random, parts, safetensors_file, tza_file};
use winoconv::Device;
use winoconv_models::{Compact, Denoiser, Frame, ModelError, Options, Range, Shipped, UNet, Upscaler};

#[test]
fn tiles_give_the_same_picture() {
    let size = [150, 130];
    let picture = Random(4).numbers(3 * size[0] * size[1]);
    let options = Options::new(&Device::cpu());
    assert_eq!(parts().len(), 3);
    let network = Compact::from_safetensors(&safetensors_file(false, false)).expect("a network");
    let whole = Upscaler::new_blocking(&network, size, &options).expect("an upscaler");
    let within = options.clone().memory(3 << 19);
    let tiled = Upscaler::new_blocking(&network, size, &within).expect("an upscaler");
    assert!(whole.tiled().tile_count() == 1 && tiled.tiled().tile_count() > 1, "{tiled}");
    let mut told = Vec::new();
    let in_tiles = tiled.run_with_blocking(&picture, |progress| {
        told.push(progress.done);
        ControlFlow::Continue(())
    });
    near(&whole.run_blocking(&picture).expect("a picture"), &in_tiles.expect("a picture"));
    assert_eq!(told, (1..=tiled.tiled().tile_count()).collect::<Vec<_>>());

    // Its receptive field is wider.
    let size = [400, 130];
    let picture = Random(5).numbers(3 * size[0] * size[1]);
    let network = UNet::from_tza(&tza_file()).expect("a network");
    let whole = Denoiser::new_blocking(&network, Range::Hdr, size, &options).expect("a denoiser");
    let within = options.memory(2 << 20);
    let tiled = Denoiser::new_blocking(&network, Range::Hdr, size, &within).expect("a denoiser");
    assert!(tiled.tiled().tile_count() > 1, "{tiled}");
    let [a, b] = [&whole, &tiled].map(|of| of.run_blocking(&Frame::new(&picture)).expect("a picture"));
    near(&a, &b);
}

/// Tiles have the bits of the whole where the same algorithms are picked; a small workspace may pick others.
fn near(a: &[f32], b: &[f32]) {
    let largest = a.iter().fold(0.0f32, |most, value| most.max(value.abs()));
    let apart = a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(a.len() == b.len() && apart <= 1e-5 * largest, "{apart} of {largest}");
}

#[test]
fn runs_can_be_ended() {
    let network = Compact::from_safetensors(&safetensors_file(true, false)).expect("a network");
    let upscaler = Upscaler::new_blocking(&network, [5, 4], &Options::new(&Device::cpu())).expect("an upscaler");
    let ended = upscaler.run_with_blocking(&[0.5; 60], |_| ControlFlow::Break(()));
    assert!(matches!(ended, Err(ModelError::Cancelled)));
    assert!(upscaler.run_blocking(&[0.5; 60]).is_ok(), "it runs again");
}

#[test]
fn what_does_not_fit_is_refused() {
    let options = Options::new(&Device::cpu());
    let network = Compact::from_safetensors(&safetensors_file(true, false)).expect("a network");
    let none = Upscaler::new_blocking(&network, [0, 4], &options);
    assert!(matches!(none, Err(ModelError::Size { .. })));
    let huge = Upscaler::new_blocking(&network, [usize::MAX / 4, 4], &options);
    assert!(matches!(huge, Err(ModelError::Size { .. })));
    let upscaler = Upscaler::new_blocking(&network, [5, 4], &options).expect("an upscaler");
    let short = upscaler.run_blocking(&[0.5; 59]);
    assert!(matches!(short, Err(ModelError::Length { expected: 60, got: 59, .. })));
    let little = Upscaler::new_blocking(&network, [200, 100], &options.clone().memory(1000));
    assert!(matches!(little, Err(ModelError::Winoconv(winoconv::Error::Limit(_)))), "{little:?}");

    let network = UNet::from_tza(&tza_file()).expect("a network");
    let denoiser = Denoiser::new_blocking(&network, Range::Srgb, [5, 4], &options).expect("a denoiser");
    let picture = [0.5; 60];
    let surplus = denoiser.run_blocking(&Frame::new(&picture).albedo(&picture));
    assert!(matches!(surplus, Err(ModelError::Inputs { .. })));
    let short = denoiser.run_blocking(&Frame::new(&picture[1..]));
    assert!(matches!(short, Err(ModelError::Length { .. })));
    let message = Shipped::find(Range::Hdr, false, false, true).expect_err("there is none").to_string();
    assert!(message.starts_with("no weights for HDR, small are part of this crate; there are: HDR; HDR, albedo"));
}
