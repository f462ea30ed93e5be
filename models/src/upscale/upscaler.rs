//! A compact network on a device, which enlarges pictures of one size.

use std::fmt;
use std::ops::ControlFlow;

use winoconv::graph::Tiled;

use super::Compact;
use crate::error::Result;
use crate::run::{Options, Progress, RGB, Runner, check_len, put_pixels, to_plane, value_count};

/// A network that enlarges pictures of one size on a device.
///
/// ```
/// use winoconv::Device;
/// use winoconv_models::{Compact, Options, Upscaler};
///
/// let network = Compact::realesr_animevideo_v3()?.at_scale(2)?;
/// let upscaler = Upscaler::new_blocking(&network, [8, 6], &Options::new(&Device::cpu()))?;
/// let large = upscaler.run_blocking(&[0.5; 8 * 6 * 3])?;
/// assert_eq!((upscaler.output_size(), large.len()), ([16, 12], 16 * 12 * 3));
/// # Ok::<(), winoconv_models::ModelError>(())
/// ```
#[derive(Debug)]
pub struct Upscaler {
    runner: Runner,
    size: [usize; 2],
    scale: usize,
}

impl Upscaler {
    /// Puts a network on a device, for pictures of so many columns and rows.
    ///
    /// # Errors
    /// A picture without pixels; a memory ceiling that is too small for any tile; whatever the device says.
    pub async fn new(network: &Compact, [width, height]: [usize; 2], options: &Options) -> Result<Self> {
        value_count(width.saturating_mul(network.scale()), height.saturating_mul(network.scale()))?;
        let runner = Runner::new(&network.graph(height, width)?, options).await?;
        Ok(Self { runner, size: [width, height], scale: network.scale() })
    }

    /// Columns and rows of the result.
    pub const fn output_size(&self) -> [usize; 2] {
        [self.size[0] * self.scale, self.size[1] * self.scale]
    }

    /// The tiles, and the network that computes one of them.
    pub const fn tiled(&self) -> &Tiled {
        self.runner.tiled()
    }

    /// Enlarges a picture: red, green and blue of each pixel side by side, row by row, from 0 to 1 as screens store them (sRGB).
    /// The result is of the same form; its values may be a little below 0 or above 1.
    ///
    /// # Errors
    /// A picture of another size; whatever the device says.
    pub async fn run(&self, pixels: &[f32]) -> Result<Vec<f32>> {
        self.run_with(pixels, |_| ControlFlow::Continue(())).await
    }

    /// The same, and calls after each tile.
    ///
    /// # Errors
    /// As [`Self::run`]; [`Cancelled`](crate::ModelError::Cancelled) if the caller answers with a `Break`.
    pub async fn run_with(&self, pixels: &[f32], told: impl FnMut(Progress) -> ControlFlow<()>) -> Result<Vec<f32>> {
        let [width, height] = self.size;
        check_len("the picture", width * height * RGB, pixels.len())?;
        let mut planes = vec![0.0; pixels.len()];
        for (colour, plane) in planes.chunks_exact_mut(width * height).enumerate() {
            to_plane(pixels, colour, width, plane, width, |value| value);
        }
        let size = self.output_size();
        let mut large = vec![0.0; size[0] * size[1] * RGB];
        self.runner.run(&planes, |part| put_pixels(part, size, &mut large, |value| value), told).await?;
        Ok(large)
    }
}

#[cfg(not(target_arch = "wasm32"))]
impl Upscaler {
    /// As [`Self::new`], waiting for it.
    ///
    /// # Errors
    /// As there.
    pub fn new_blocking(network: &Compact, size: [usize; 2], options: &Options) -> Result<Self> {
        pollster::block_on(Self::new(network, size, options))
    }

    /// As [`Self::run`], waiting for it.
    ///
    /// # Errors
    /// As there.
    pub fn run_blocking(&self, pixels: &[f32]) -> Result<Vec<f32>> {
        pollster::block_on(self.run(pixels))
    }

    /// As [`Self::run_with`], waiting for it.
    ///
    /// # Errors
    /// As there.
    pub fn run_with_blocking(&self, pixels: &[f32], told: impl FnMut(Progress) -> ControlFlow<()>) -> Result<Vec<f32>> {
        pollster::block_on(self.run_with(pixels, told))
    }
}

/// The network's steps with their algorithms, and its tiles.
impl fmt::Display for Upscaler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.runner.fmt(f)
    }
}
