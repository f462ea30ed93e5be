//! A denoiser on a device, for pictures of one size.

use std::fmt;
use std::ops::ControlFlow;

use winoconv::graph::Tiled;

use super::transfer::{self, Range, Transfer};
use super::{ALIGNMENT, Features, UNet};
use crate::error::{ModelError, Result};
use crate::run::{Options, Progress, RGB, Runner, check_len, put_pixels, to_plane, value_count};

/// A rendered picture. All slices hold three numbers for each pixel, side by side, row by row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Frame<'a> {
    /// Red, green and blue.
    pub colour: &'a [f32],
    /// The colours of the surfaces that are seen, without light, from 0 to 1.
    pub albedo: Option<&'a [f32]>,
    /// Their normals, in the coordinates of the world or of the camera, from -1 to 1.
    pub normal: Option<&'a [f32]>,
    /// What colours are multiplied by for the network, and divided by afterwards. If it is not given, it is found from the mean
    /// luminance of an HDR picture, and 1 for others. Pictures of an animation look alike if they have the same.
    pub scale: Option<f32>,
}

impl<'a> Frame<'a> {
    /// Colours alone.
    pub const fn new(colour: &'a [f32]) -> Self {
        Self { colour, albedo: None, normal: None, scale: None }
    }

    /// Sets the albedo.
    #[must_use]
    pub const fn albedo(mut self, albedo: &'a [f32]) -> Self {
        self.albedo = Some(albedo);
        self
    }

    /// Sets the normals.
    #[must_use]
    pub const fn normal(mut self, normal: &'a [f32]) -> Self {
        self.normal = Some(normal);
        self
    }

    /// Sets what colours are multiplied by.
    #[must_use]
    pub const fn scale(mut self, scale: f32) -> Self {
        self.scale = Some(scale);
        self
    }

    const fn describe(&self) -> &'static str {
        match (self.albedo.is_some(), self.normal.is_some()) {
            (false, false) => Features::Colour.describe(),
            (true, false) => Features::ColourAlbedo.describe(),
            (true, true) => Features::ColourAlbedoNormal.describe(),
            (false, true) => "colours and normals",
        }
    }
}

/// A network that denoises pictures of one size on a device.
///
/// ```
/// use winoconv::Device;
/// use winoconv_models::{Denoiser, Frame, Options, Range, Shipped, UNet};
///
/// let network = UNet::shipped(Shipped::LdrSmall)?;
/// let denoiser = Denoiser::new_blocking(&network, Range::Srgb, [20, 10], &Options::new(&Device::cpu()))?;
/// let clean = denoiser.run_blocking(&Frame::new(&[0.5; 20 * 10 * 3]))?;
/// assert!(clean.iter().all(|value| (value - 0.5).abs() < 0.05));
/// # Ok::<(), winoconv_models::ModelError>(())
/// ```
#[derive(Debug)]
pub struct Denoiser {
    runner: Runner,
    features: Features,
    range: Range,
    size: [usize; 2],
}

impl Denoiser {
    /// Puts a network on a device, for pictures of so many columns and rows.
    ///
    /// # Errors
    /// A picture without pixels; a memory ceiling that is too small for any tile; whatever the device says.
    pub async fn new(network: &UNet, range: Range, [width, height]: [usize; 2], options: &Options) -> Result<Self> {
        value_count(width, height)?;
        let runner = Runner::new(&network.graph(height, width)?, options).await?;
        Ok(Self { runner, features: network.features(), range, size: [width, height] })
    }

    /// The tiles, and the network that computes one of them.
    pub const fn tiled(&self) -> &Tiled {
        self.runner.tiled()
    }

    /// Denoises a picture, and gives its colours in the range that it has: three numbers for each pixel. NaN, infinities and numbers
    /// outside of the range are taken as the nearest number within, NaN as 0.
    ///
    /// # Errors
    /// Pictures of another size; albedo or normals that the network does not read, or reads and does not get; whatever the device
    /// says.
    pub async fn run(&self, frame: &Frame<'_>) -> Result<Vec<f32>> {
        self.run_with(frame, |_| ControlFlow::Continue(())).await
    }

    /// The same, and calls after each tile.
    ///
    /// # Errors
    /// As [`Self::run`]; [`Cancelled`](ModelError::Cancelled) if the caller answers with a `Break`.
    pub async fn run_with(&self, frame: &Frame<'_>, told: impl FnMut(Progress) -> ControlFlow<()>) -> Result<Vec<f32>> {
        let [width, height] = self.size;
        let len = value_count(width, height)?;
        let scale = match (frame.scale, self.range) {
            (Some(scale), _) => scale,
            (None, Range::Hdr) => {
                check_len("the colours", len, frame.colour.len())?;
                transfer::exposure(frame.colour, self.size)
            }
            (None, _) => 1.0,
        };
        let transfer = Transfer::new(self.range, scale);
        let planes = self.planes(frame, &transfer, len)?;
        let mut clean = vec![0.0; len];
        let put = |part: &_| put_pixels(part, self.size, &mut clean, |value| transfer.inverse(value));
        self.runner.run(&planes, put, told).await?;
        Ok(clean)
    }

    /// What the network reads: planes of colours, albedo and normals, with zeros to the right and below.
    fn planes(&self, frame: &Frame<'_>, transfer: &Transfer, len: usize) -> Result<Vec<f32>> {
        let has = [frame.albedo.is_some(), frame.normal.is_some()];
        let reads = match self.features {
            Features::Colour => [false, false],
            Features::ColourAlbedo => [true, false],
            Features::ColourAlbedoNormal => [true, true],
        };
        if has != reads {
            return Err(ModelError::Inputs { network: self.features.describe(), given: frame.describe() });
        }
        let [width, height] = self.size;
        let [columns, rows] = [width, height].map(|size| size.next_multiple_of(ALIGNMENT));
        let mut planes = vec![0.0; self.features.channels() * columns * rows];
        let mut rest = planes.chunks_exact_mut(columns * rows);
        let mut add = |what: &'static str, pixels: &[f32], map: &(dyn Fn(f32) -> f32 + Sync)| {
            check_len(what, len, pixels.len())?;
            for (colour, plane) in rest.by_ref().take(RGB).enumerate() {
                to_plane(pixels, colour, width, plane, columns, map);
            }
            Ok::<(), ModelError>(())
        };
        add("the colours", frame.colour, &|value| transfer.forward(value))?;
        if let Some(albedo) = frame.albedo {
            add("the albedo", albedo, &transfer::albedo)?;
        }
        if let Some(normal) = frame.normal {
            add("the normals", normal, &transfer::normal)?;
        }
        Ok(planes)
    }
}

#[cfg(not(target_arch = "wasm32"))]
impl Denoiser {
    /// As [`Self::new`], waiting for it.
    ///
    /// # Errors
    /// As there.
    pub fn new_blocking(network: &UNet, range: Range, size: [usize; 2], options: &Options) -> Result<Self> {
        pollster::block_on(Self::new(network, range, size, options))
    }

    /// As [`Self::run`], waiting for it.
    ///
    /// # Errors
    /// As there.
    pub fn run_blocking(&self, frame: &Frame<'_>) -> Result<Vec<f32>> {
        pollster::block_on(self.run(frame))
    }

    /// As [`Self::run_with`], waiting for it.
    ///
    /// # Errors
    /// As there.
    pub fn run_with_blocking(
        &self,
        frame: &Frame<'_>,
        told: impl FnMut(Progress) -> ControlFlow<()>,
    ) -> Result<Vec<f32>> {
        pollster::block_on(self.run_with(frame, told))
    }
}

/// The network's steps with their algorithms, and its tiles.
impl fmt::Display for Denoiser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.runner.fmt(f)
    }
}
