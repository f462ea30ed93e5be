//! What the denoiser does to numbers before and behind its network: exposure, transfer functions, and what is no number of a picture.
//! All of it is as Intel Open Image Denoise has it, so that the network sees what it was trained on.

use rayon::prelude::*;

use crate::run::RGB;

/// What the colours of a picture are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Range {
    /// Light, from 0 to any number, in linear steps: what a renderer computes.
    Hdr,
    /// Light from 0 to 1, in linear steps.
    Ldr,
    /// From 0 to 1 as screens store them (sRGB): what a PNG holds.
    Srgb,
}

impl Range {
    pub(crate) const fn is_hdr(self) -> bool {
        matches!(self, Self::Hdr)
    }
}

/// The largest number of 16 bits, which the network's scale ends with.
const HDR_MAX: f32 = 65504.0;

/// A fit of the PU2 curve, normalized at 100 cd/m^2 (Aydin et al. 2008, "Extending Quality Metrics to Full Luminance Range Images"):
/// linear near 0, then a power, then a logarithm.
mod pu {
    const A: f32 = 1.412_837_6e3;
    const B: f32 = 1.645_931_7;
    const C: f32 = 4.313_849_8e-1;
    const D: f32 = -2.941_396e-3;
    const E: f32 = 1.926_532_5e-1;
    const F: f32 = 6.260_261e-3;
    const G: f32 = 9.986_202e-1;
    const Y0: f32 = 1.579_457_6e-6;
    const Y1: f32 = 3.220_876_3e-2;
    const X0: f32 = 2.231_517e-3;
    const X1: f32 = 3.709_747_5e-1;

    pub(super) fn forward(y: f32) -> f32 {
        match y {
            y if y <= Y0 => A * y,
            y if y <= Y1 => B * y.powf(C) + D,
            y => E * (y + F).ln() + G,
        }
    }

    pub(super) fn inverse(x: f32) -> f32 {
        match x {
            x if x <= X0 => x / A,
            x if x <= X1 => ((x - D) / B).powf(1.0 / C),
            x => ((x - G) / E).exp() - F,
        }
    }
}

/// The curve of sRGB.
mod srgb {
    pub(super) fn forward(y: f32) -> f32 {
        if y <= 0.003_130_8 { 12.92 * y } else { 1.055 * y.powf(1.0 / 2.4) - 0.055 }
    }

    pub(super) fn inverse(x: f32) -> f32 {
        if x <= 0.040_45 { x / 12.92 } else { ((x + 0.055) / 1.055).powf(2.4) }
    }
}

/// From a picture's colours to the numbers of the network, and back.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Transfer {
    range: Range,
    scale: f32,
    /// What the curve makes of the largest number.
    largest: f32,
}

impl Transfer {
    /// Colours are multiplied by `scale` first.
    pub(crate) fn new(range: Range, scale: f32) -> Self {
        let largest = if range.is_hdr() { pu::forward(HDR_MAX) } else { 1.0 };
        Self { range, scale, largest }
    }

    pub(crate) fn forward(&self, value: f32) -> f32 {
        let value = sanitized(value * self.scale, 0.0, if self.range.is_hdr() { f32::MAX } else { 1.0 });
        match self.range {
            Range::Hdr => pu::forward(value) / self.largest,
            Range::Ldr => srgb::forward(value),
            Range::Srgb => value,
        }
    }

    pub(crate) fn inverse(&self, value: f32) -> f32 {
        let value = sanitized(value, 0.0, f32::MAX);
        let value = match self.range {
            Range::Hdr => pu::inverse(value * self.largest),
            Range::Ldr => srgb::inverse(value).min(1.0),
            Range::Srgb => value.min(1.0),
        };
        if self.scale == 0.0 { 0.0 } else { value / self.scale }
    }
}

/// NaN becomes 0, and what is outside of the bounds, infinities too, the nearer one.
fn sanitized(value: f32, low: f32, high: f32) -> f32 {
    if value.is_nan() { 0.0 } else { value.clamp(low, high) }
}

/// An albedo as the network reads it.
pub(crate) fn albedo(value: f32) -> f32 {
    sanitized(value, 0.0, 1.0)
}

/// A coordinate of a normal as the network reads it.
pub(crate) fn normal(value: f32) -> f32 {
    sanitized(value, -1.0, 1.0) * 0.5 + 0.5
}

/// Bins of at most so many pixels a side have one luminance, so that noise matters less.
const BIN: usize = 16;
/// What the mean luminance becomes.
const KEY: f32 = 0.18;
/// Bins that are darker are black, and do not count.
const BLACK: f32 = 1e-8;

/// The factor that brings the mean logarithm of a picture's luminance to that of [`KEY`]; 1 if everything is black.
pub(crate) fn exposure(pixels: &[f32], [width, height]: [usize; 2]) -> f32 {
    let (columns, rows) = (width.div_ceil(BIN), height.div_ceil(BIN));
    // Each row of bins by itself, then all in order: the sum does not depend on the number of threads.
    let of_row = |i: usize| {
        let (top, bottom) = (i * height / rows, (i + 1) * height / rows);
        let (mut sum, mut count) = (0.0f64, 0u32);
        for j in 0..columns {
            let (left, right) = (j * width / columns, (j + 1) * width / columns);
            let pixels = |y: usize| pixels[RGB * (y * width + left)..RGB * (y * width + right)].chunks_exact(RGB);
            let all: f64 = (top..bottom).flat_map(pixels).map(|pixel| f64::from(luminance(pixel))).sum();
            let mean = (all / ((bottom - top) * (right - left)) as f64) as f32;
            if mean > BLACK {
                sum += f64::from(mean).log2();
                count += 1;
            }
        }
        (sum, count)
    };
    let of_rows: Vec<(f64, u32)> = (0..rows).into_par_iter().map(of_row).collect();
    let (sum, count) = of_rows.into_iter().fold((0.0, 0), |all, row| (all.0 + row.0, all.1 + row.1));
    if count == 0 { 1.0 } else { KEY / ((sum / f64::from(count)).exp2() as f32) }
}

fn luminance(pixel: &[f32]) -> f32 {
    let [red, green, blue] = [0, 1, 2].map(|colour| sanitized(pixel[colour], 0.0, f32::MAX));
    0.212_671 * red + 0.715_16 * green + 0.072_169 * blue
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transfer_functions_are_inverted() {
        for range in [Range::Hdr, Range::Ldr, Range::Srgb] {
            let transfer = Transfer::new(range, 0.5);
            for value in [0.0f32, 1e-7, 1e-3, 0.02, 0.1, 0.5, 0.9, 2.0, 100.0, 1e4] {
                let expected = if range.is_hdr() { value } else { value.min(2.0) };
                let back = transfer.inverse(transfer.forward(value));
                assert!((back - expected).abs() <= 1e-4 * expected, "{range:?}: {value} became {back}");
            }
            let last = transfer.forward(2.0 * if range.is_hdr() { HDR_MAX } else { 1.0 });
            assert!((last - 1.0).abs() < 1e-6, "{range:?} ends with {last}");
        }
    }

    #[test]
    fn what_is_no_number_becomes_one() {
        let hdr = Transfer::new(Range::Hdr, 1.0);
        assert_eq!([f32::NAN, -1.0, f32::NEG_INFINITY].map(|value| hdr.forward(value)), [0.0; 3]);
        assert_eq!(hdr.forward(f32::INFINITY), hdr.forward(f32::MAX));
        assert!(hdr.forward(f32::INFINITY).is_finite() && hdr.inverse(f32::INFINITY).is_infinite());
        let ldr = Transfer::new(Range::Ldr, 1.0);
        assert_eq!([f32::NAN, 7.0, f32::INFINITY].map(|value| ldr.forward(value)), [0.0, 1.0, 1.0].map(srgb::forward));
        assert_eq!([f32::NAN, 2.0, -2.0].map(albedo), [0.0, 1.0, 0.0]);
        assert_eq!([f32::NAN, 2.0, -2.0, 0.5].map(normal), [0.5, 1.0, 0.0, 0.75]);
    }

    #[test]
    fn exposure_brings_a_picture_to_the_key() {
        // One luminance everywhere; sizes that are no multiples of a bin.
        assert!((exposure(&[0.36; 3 * 37 * 21], [37, 21]) - 0.5).abs() < 1e-6);
        assert_eq!(exposure(&[0.0; 3 * 5], [5, 1]), 1.0);
        // Bins of NaN and of infinity do not reach the others.
        let mut pixels = vec![0.18; 3 * 32 * 16];
        pixels[..3].fill(f32::NAN);
        assert!((exposure(&pixels, [32, 16]) - 1.0).abs() < 1e-2);
    }
}
