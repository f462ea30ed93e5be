//! Pictures in memory: numbers of 32 bits, and what has to be known to write them as they were read.

mod file;
mod pfm;

pub(crate) use file::{Kind, enlarged};

/// How many bits a file has for each number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Depth {
    Eight,
    Sixteen,
    Float,
}

/// A picture of red, green and blue, as a PNG stores them (sRGB, from 0 to 1) or in linear steps.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Picture {
    pub(crate) width: usize,
    pub(crate) height: usize,
    /// Three numbers a pixel, row by row.
    pub(crate) colour: Vec<f32>,
    /// One number a pixel, from 0 to 1.
    pub(crate) alpha: Option<Vec<f32>>,
    pub(crate) is_linear: bool,
    /// Whether the file had one number a pixel.
    pub(crate) is_grey: bool,
    pub(crate) depth: Depth,
    /// The colour profile, for formats that keep one.
    pub(crate) profile: Option<Vec<u8>>,
}

impl Picture {
    /// Sizes for people.
    pub(crate) fn size(&self) -> String {
        format!("{} x {} pixels", self.width, self.height)
    }

    /// Colours in linear steps.
    pub(crate) fn into_linear(mut self) -> Self {
        if !self.is_linear {
            self.colour.iter_mut().for_each(|value| *value = linear(*value));
            self.is_linear = true;
        }
        self
    }

    /// Colours as a PNG stores them. Numbers above 1 stay above 1.
    pub(crate) fn into_srgb(mut self) -> Self {
        if self.is_linear {
            self.colour.iter_mut().for_each(|value| *value = srgb(*value));
            self.is_linear = false;
        }
        self
    }
}

fn srgb(value: f32) -> f32 {
    if value <= 0.003_130_8 { 12.92 * value } else { 1.055 * value.powf(1.0 / 2.4) - 0.055 }
}

fn linear(value: f32) -> f32 {
    if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn curves_are_inverted() {
        for value in [-0.1f32, 0.0, 1e-4, 0.02, 0.5, 1.0, 4.0] {
            assert!((linear(srgb(value)) - value).abs() <= 1e-5 * value.abs().max(1.0), "{value}");
        }
    }
}
