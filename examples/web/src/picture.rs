//! Pictures: one that is drawn by formula, so that the page needs no file, and their way between the bytes of a canvas and
//! the planes that a convolution reads.

use std::f32::consts::TAU;

/// A picture as a canvas has it: red, green, blue and opacity, a byte each, row by row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// In pixels.
    pub width: usize,
    /// In pixels.
    pub height: usize,
    /// Four bytes a pixel.
    pub bytes: Vec<u8>,
}

type Colour = [f32; 3];

impl Picture {
    /// Mountains before a setting sun, and a lake.
    pub fn drawn(width: usize, height: usize) -> Self {
        let mut bytes = Vec::with_capacity(4 * width * height);
        for i in 0..width * height {
            // The height is the unit, from the top left. The mean of four places smooths outlines.
            let at = |pixel: usize, part: f32| (pixel as f32 + part) / height as f32;
            let four = [0.125f32, 0.375, 0.625, 0.875].map(|part| {
                let other = (part + 0.5).fract();
                scene(at(i % width, part), at(i / width, other), width as f32 / height as f32)
            });
            let mean: Colour = std::array::from_fn(|c| four.iter().map(|colour| colour[c]).sum::<f32>() / 4.0);
            bytes.extend(mean.map(byte));
            bytes.push(u8::MAX);
        }
        Self { width, height, bytes }
    }

    /// A picture of a canvas's bytes, if they are as many as its size says.
    pub fn of_bytes(bytes: Vec<u8>, width: usize, height: usize) -> Option<Self> {
        let expected = width.checked_mul(height)?.checked_mul(4)?;
        (expected > 0 && bytes.len() == expected).then_some(Self { width, height, bytes })
    }

    /// Planes of red, green and blue from 0 to 1, wider by `margin` on every side, where the edge's colours go on. So what
    /// a convolution takes for zeros beyond its input reaches nothing that is shown.
    pub fn planes(&self, margin: usize) -> Vec<f32> {
        let (width, height) = (self.width + 2 * margin, self.height + 2 * margin);
        let clamped = |at: usize, size: usize| at.saturating_sub(margin).min(size - 1);
        let value = |i: usize| {
            let (c, y, x) = (i / (width * height), i / width % height, i % width);
            f32::from(self.bytes[4 * (clamped(y, self.height) * self.width + clamped(x, self.width)) + c]) / 255.0
        };
        (0..3 * width * height).map(value).collect()
    }

    /// The same size again from such planes, without their margin.
    pub fn with_planes(&self, planes: &[f32], margin: usize) -> Self {
        let (width, height) = (self.width + 2 * margin, self.height + 2 * margin);
        let mut bytes = Vec::with_capacity(self.bytes.len());
        for i in 0..self.width * self.height {
            let at = (i / self.width + margin) * width + i % self.width + margin;
            bytes.extend((0..3).map(|c| byte(planes[c * width * height + at])));
            bytes.push(u8::MAX);
        }
        Self { bytes, ..*self }
    }
}

/// The nearest byte of a brightness.
fn byte(value: f32) -> u8 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is from 0 to 255")]
    let byte = (value.clamp(0.0, 1.0) * 255.0).round() as u8;
    byte
}

fn mixed(a: Colour, b: Colour, part: f32) -> Colour {
    let part = part.clamp(0.0, 1.0);
    std::array::from_fn(|c| a[c] + (b[c] - a[c]) * part)
}

/// From 0 below `low` to 1 above `high`, without a corner.
fn between(low: f32, high: f32, x: f32) -> f32 {
    let t = ((x - low) / (high - low)).clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}

/// A number from 0 to 1 that looks random, for each pair.
fn noise(x: i32, y: i32) -> f32 {
    let mut h = x.cast_unsigned().wrapping_mul(0x9e37_79b1) ^ y.cast_unsigned().wrapping_mul(0x85eb_ca77);
    h = (h ^ (h >> 15)).wrapping_mul(0x2c1b_3c6d);
    h = (h ^ (h >> 12)).wrapping_mul(0x297a_2d39);
    (h >> 8) as f32 / (1 << 24) as f32
}

/// Noise along a line, smooth between whole numbers.
fn wave(x: f32, row: i32) -> f32 {
    #[expect(clippy::cast_possible_truncation, reason = "a place within a picture")]
    let whole = x.floor() as i32;
    let part = between(0.0, 1.0, x - x.floor());
    noise(whole, row) * (1.0 - part) + noise(whole + 1, row) * part
}

/// How high a ridge is: waves of half the length and half the height, over and over.
fn ridge(x: f32, row: i32, length: f32) -> f32 {
    let octave = |i: i32| {
        let factor = (1 << i) as f32;
        wave(x * factor / length + 7.3 * factor, row + i) / factor
    };
    (0..6).map(octave).sum::<f32>() / 2.0
}

/// Where the lake begins.
const SHORE: f32 = 0.72;

fn scene(x: f32, y: f32, wide: f32) -> Colour {
    if y < SHORE {
        return land(x, y, wide);
    }
    // The lake mirrors what is above it, squeezed and shaken more the nearer it is.
    let depth = (y - SHORE) / (1.0 - SHORE);
    let ripple = (depth * depth * 55.0 + wave(x * 6.0, 91) * 5.0).sin() * 0.012 * (0.3 + depth);
    let mirrored = land(x + ripple, SHORE - depth * SHORE * 0.85 - 0.004, wide);
    let glitter = between(0.93, 1.0, wave(x * 60.0 + depth * 40.0, 40 + pixel_row(depth))) * (1.0 - depth) * 0.35;
    let water = mixed(mirrored, [0.05, 0.12, 0.22], 0.25 + 0.45 * depth);
    mixed(water, [1.0, 0.85, 0.65], glitter)
}

fn pixel_row(depth: f32) -> i32 {
    #[expect(clippy::cast_possible_truncation, reason = "one of 90 rows")]
    let row = (depth * 90.0) as i32;
    row
}

fn land(x: f32, y: f32, wide: f32) -> Colour {
    let sun = [0.64 * wide, 0.40];
    let away = ((x - sun[0]).powi(2) + (y - sun[1]).powi(2)).sqrt();
    let mut colour = mixed([0.10, 0.16, 0.38], [0.98, 0.62, 0.35], between(0.0, 0.62, y));
    colour = mixed(colour, [1.0, 0.78, 0.45], 0.55 * (-away * 5.0).exp());
    // Clouds: bands that are stretched along the horizon.
    let cloud = wave(x * 3.0 + y * 4.0, 60) * wave(x * 9.0 - y * 3.0, 61) * wave(y * 26.0 + x * 1.5, 62);
    colour = mixed(colour, [1.0, 0.75, 0.66], 0.8 * between(0.12, 0.5, cloud) * between(0.62, 0.2, y));
    colour = mixed(colour, [1.0, 0.95, 0.80], between(0.088, 0.080, away));
    // Ridges, the nearer the darker.
    let far = 0.56 - 0.30 * (ridge(x, 1, 0.75) - 0.35);
    let middle = 0.64 - 0.26 * (ridge(x, 21, 0.5) - 0.35);
    let near = 0.70 - 0.16 * (ridge(x, 41, 0.3) - 0.30);
    if y > far {
        let snow = between(0.02, 0.0, y - far - 0.03 * (wave(x * 40.0, 71) - 0.3)) * between(0.52, 0.44, far);
        colour = mixed(mixed([0.45, 0.36, 0.52], [0.72, 0.50, 0.50], (y - far) * 4.0), [0.98, 0.92, 0.90], snow);
    }
    if y > middle {
        colour = mixed([0.26, 0.22, 0.38], [0.42, 0.31, 0.42], (y - middle) * 5.0);
    }
    if y > near - trees(x) {
        colour = [0.07, 0.10, 0.13];
    }
    colour
}

/// Tips of firs on the nearest ridge.
fn trees(x: f32) -> f32 {
    let tree = x * 34.0;
    let size = 0.022 + 0.030 * wave(tree.floor() * 0.9, 80);
    size * (1.0 - 2.0 * (tree - tree.floor() - 0.5).abs()) * (0.85 + 0.15 * (tree * TAU * 3.0).sin())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn planes_and_back_is_the_same_picture() {
        let picture = Picture::drawn(31, 20);
        for margin in [0, 3] {
            let planes = picture.planes(margin);
            assert_eq!(planes.len(), 3 * (31 + 2 * margin) * (20 + 2 * margin));
            assert_eq!(picture.with_planes(&planes, margin), picture, "margin {margin}");
        }
        let planes = picture.planes(2);
        assert!((planes[0] - f32::from(picture.bytes[0]) / 255.0).abs() < 1e-6, "the corner's colour goes on");
    }

    #[test]
    fn what_is_drawn_is_a_picture_and_not_a_flat_one() {
        let picture = Picture::drawn(96, 64);
        assert_eq!(Picture::of_bytes(picture.bytes.clone(), 96, 64), Some(picture.clone()));
        let pixels = |of: std::ops::RangeInclusive<u8>| picture.bytes.chunks(4).filter(|p| of.contains(&p[0])).count();
        let (dark, bright) = (pixels(0..=63), pixels(192..=255));
        assert!(dark > 300 && bright > 300, "{dark} dark and {bright} bright pixels of 6144");
    }

    #[test]
    fn bytes_that_are_no_picture_are_refused() {
        assert_eq!(Picture::of_bytes(vec![0; 15], 2, 2), None);
        assert_eq!(Picture::of_bytes(Vec::new(), 0, 2), None);
        assert_eq!(Picture::of_bytes(vec![0; 4], usize::MAX, 2), None);
    }
}
