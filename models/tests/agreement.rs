//! Results agree with those of other programs that run the same weights: Intel Open Image Denoise, and ncnn. `write_cases.py` wrote
//! what they give.

mod support;

use support::{Cases, devices};
use winoconv::Device;
use winoconv_models::{Compact, Denoiser, Frame, Options, Range, Shipped, UNet, Upscaler};

/// Of the range of the picture.
const DENOISED: f32 = 1e-3;
/// 60 dB for pictures from 0 to 1.
const ENLARGED_PSNR: f64 = 60.0;

struct Case {
    name: &'static str,
    weights: Shipped,
    range: Range,
    colour: &'static str,
    scale: Option<f32>,
}

const fn case(name: &'static str, weights: Shipped, range: Range, colour: &'static str) -> Case {
    Case { name, weights, range, colour, scale: None }
}

const CASES: [Case; 8] = [
    case("hdr", Shipped::Hdr, Range::Hdr, "colour"),
    case("hdr_wild", Shipped::Hdr, Range::Hdr, "wild"),
    Case { scale: Some(2.5), ..case("hdr_scaled", Shipped::Hdr, Range::Hdr, "colour") },
    case("hdr_alb_nrm", Shipped::HdrAlbedoNormal, Range::Hdr, "colour"),
    case("hdr_alb_nrm_small", Shipped::HdrAlbedoNormalSmall, Range::Hdr, "colour"),
    case("ldr", Shipped::Ldr, Range::Ldr, "ldr"),
    case("srgb", Shipped::Ldr, Range::Srgb, "ldr"),
    case("srgb_small", Shipped::LdrSmall, Range::Srgb, "ldr"),
];

fn denoised(cases: &Cases, case: &Case, device: &Device) -> Vec<f32> {
    let network = UNet::shipped(case.weights).expect("weights of this crate");
    let (size, colour) = cases.picture(case.colour);
    let [(_, albedo), (_, normal)] = ["albedo", "normal"].map(|name| cases.picture(name));
    let mut frame = Frame { scale: case.scale, ..Frame::new(&colour) };
    if matches!(case.weights, Shipped::HdrAlbedoNormal | Shipped::HdrAlbedoNormalSmall) {
        frame = frame.albedo(&albedo).normal(&normal);
    }
    let denoiser = Denoiser::new_blocking(&network, case.range, size, &Options::new(device)).expect("a denoiser");
    denoiser.run_blocking(&frame).expect("a clean picture")
}

#[test]
fn denoised_pictures_are_those_of_open_image_denoise() {
    let cases = Cases::read();
    for device in devices("agreement::denoised") {
        for case in &CASES {
            let expected = cases.picture(&format!("clean.{}", case.name)).1;
            let got = denoised(&cases, case, &device);
            // An infinite pixel makes a range that says nothing about the others: there each pixel counts by itself.
            let largest = expected.iter().copied().fold(0.0, f32::max);
            let is_wild = case.colour == "wild";
            let size = |value: f32| if is_wild { value.abs().max(largest * 1e-6) } else { largest };
            let apart = expected.iter().zip(&got).map(|(&a, &b)| (a - b).abs() / size(a)).fold(0.0, f32::max);
            println!("{} on {}: {apart:.1e} of the range of {largest}", case.name, device.caps());
            assert!(apart <= DENOISED, "{} on {}: {apart}", case.name, device.caps());
            assert!(got.iter().all(|value| value.is_finite()));
        }
    }
}

#[test]
fn enlarged_pictures_are_those_of_ncnn() {
    let cases = Cases::read();
    let (size, picture) = cases.picture("cat");
    let (large, expected) = cases.picture("cat.large");
    let network = Compact::realesr_animevideo_v3().expect("weights of this crate");
    for device in devices("agreement::enlarged") {
        let upscaler = Upscaler::new_blocking(&network, size, &Options::new(&device)).expect("an upscaler");
        assert_eq!(upscaler.output_size(), large);
        let got = upscaler.run_blocking(&picture).expect("a large picture");
        let psnr = psnr(&expected, &got);
        println!("on {}: {psnr:.1} dB", device.caps());
        assert!(psnr >= ENLARGED_PSNR, "{}: {psnr}", device.caps());
    }
}

/// A smaller scale is the large picture resized down by areas.
#[test]
fn smaller_scales_are_means_of_areas() {
    let cases = Cases::read();
    let ([width, height], picture) = cases.picture("cat");
    let expected = cases.picture("cat.large").1;
    let network = Compact::realesr_animevideo_v3().expect("weights of this crate");
    let at = |x: usize, y: usize, c: usize| f64::from(expected[(y * 4 * width + x) * 3 + c]);
    for scale in [1, 2, 3] {
        let network = network.at_scale(scale).expect("a smaller scale");
        let options = Options::new(&Device::cpu());
        let upscaler = Upscaler::new_blocking(&network, [width, height], &options).expect("an upscaler");
        let got = upscaler.run_blocking(&picture).expect("a picture");
        let [wide, high] = upscaler.output_size();
        assert_eq!([wide, high], [scale * width, scale * height]);
        // A pixel of the result, in twelfths of a pixel of the picture, so that each has whole ones.
        let (own, of_large) = (12 / scale, 3);
        let mut means = Vec::with_capacity(got.len());
        for i in 0..wide * high * 3 {
            let (c, x, y) = (i % 3, i / 3 % wide, i / 3 / wide);
            let mut sum = 0.0;
            for row in y * own..(y + 1) * own {
                for column in x * own..(x + 1) * own {
                    sum += at(column / of_large, row / of_large, c);
                }
            }
            means.push((sum / (own * own) as f64) as f32);
        }
        let psnr = psnr(&means, &got);
        println!("by {scale}: {psnr:.1} dB");
        assert!(psnr >= ENLARGED_PSNR, "by {scale}: {psnr}");
    }
    assert!(network.at_scale(0).is_err() && network.at_scale(5).is_err());
}

fn psnr(expected: &[f32], got: &[f32]) -> f64 {
    assert_eq!(expected.len(), got.len());
    let squares = expected.iter().zip(got).map(|(&a, &b)| (f64::from(a) - f64::from(b)).powi(2));
    -10.0 * (squares.sum::<f64>() / expected.len() as f64).log10()
}
