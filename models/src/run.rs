//! What runs a network on pictures: where it runs, how exact it is, how much memory it may take, and in which parts it comes.

use std::fmt;
use std::ops::ControlFlow;

use rayon::prelude::*;
use winoconv::graph::{Dims, Graph, NetworkOptions, Part, Tiled};
use winoconv::{DType, Device, Preferences, Tolerance};

use crate::error::{ModelError, Result};

/// Red, green and blue.
pub(crate) const RGB: usize = 3;

/// How exact a network is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Precision {
    /// As exact as sums in f32 are.
    #[default]
    Strict,
    /// Factors may be rounded to 11 bits, as TF32 has them, where that is faster.
    Tf32,
    /// The same, and a GPU stores weights and the tensors between the layers in 16 bits. It must have 16-bit floats, or it is an
    /// error. The CPU stores f32.
    F16,
}

impl Precision {
    /// The options of a network.
    pub fn options(self) -> NetworkOptions {
        let tf32 = NetworkOptions::from(Preferences::new().tolerance(Tolerance::TF32));
        match self {
            Self::Strict => NetworkOptions::new(),
            Self::Tf32 => tf32,
            Self::F16 => tf32.storage(DType::F16),
        }
    }
}

/// Where and how a network runs.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Options {
    /// The device.
    pub device: Device,
    /// How exact. Default: [`Precision::Strict`].
    pub precision: Precision,
    /// Bytes that the network may take on the device: weights, tensors, workspace, see [`Tiled`]. A picture that needs more is
    /// computed in tiles, with the same result. Pictures themselves come on top. Default: as many as the device can have.
    pub memory: Option<u64>,
}

impl Options {
    /// The default on a device.
    pub fn new(device: &Device) -> Self {
        Self { device: device.clone(), precision: Precision::default(), memory: None }
    }

    /// Sets how exact it is.
    #[must_use]
    pub const fn precision(mut self, precision: Precision) -> Self {
        self.precision = precision;
        self
    }

    /// Sets how many bytes it may take.
    #[must_use]
    pub const fn memory(mut self, bytes: u64) -> Self {
        self.memory = Some(bytes);
        self
    }
}

/// How far a run is: what a caller is told after each tile, and may answer with a `Break`, which ends the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// Tiles that are done, at least one.
    pub done: usize,
    /// Tiles in all.
    pub count: usize,
}

/// A network with one output for pictures of one size.
#[derive(Debug)]
pub(crate) struct Runner(Tiled);

impl Runner {
    pub(crate) async fn new(graph: &Graph, options: &Options) -> Result<Self> {
        let dims: Vec<Dims> = graph.inputs().iter().map(|&input| graph.dims(input)).collect();
        let ceiling = options.memory.unwrap_or(u64::MAX);
        Ok(Self(Tiled::new(&options.device, graph, &dims, options.precision.options(), ceiling).await?))
    }

    pub(crate) const fn tiled(&self) -> &Tiled {
        &self.0
    }

    /// Runs on planes, and calls `put` with each part of the output.
    pub(crate) async fn run(
        &self,
        planes: &[f32],
        mut put: impl FnMut(&Part),
        mut told: impl FnMut(Progress) -> ControlFlow<()>,
    ) -> Result<()> {
        let visit = |tile: winoconv::graph::Tile<'_>| {
            tile.parts.iter().for_each(&mut put);
            told(Progress { done: tile.index + 1, count: tile.count })
        };
        match self.0.run_tiles(&[planes], visit).await? {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(ModelError::Cancelled),
        }
    }
}

/// The network's program with its algorithms, and its tiles.
impl fmt::Display for Runner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n{}", self.0.network(), self.0)
    }
}

/// The number of values of a picture.
pub(crate) fn value_count(width: usize, height: usize) -> Result<usize> {
    let count = width.checked_mul(height).and_then(|pixels| pixels.checked_mul(RGB));
    count.filter(|&count| count > 0).ok_or(ModelError::Size { width, height })
}

pub(crate) fn check_len(what: &'static str, expected: usize, got: usize) -> Result<()> {
    if expected == got { Ok(()) } else { Err(ModelError::Length { what, expected, got }) }
}

/// Copies planes of `1 x 3 x height x width` into a part of a picture whose pixels lie side by side, each value through `map`. What
/// lies outside of the picture is left out.
pub(crate) fn put_pixels(
    part: &Part,
    [width, height]: [usize; 2],
    pixels: &mut [f32],
    map: impl Fn(f32) -> f32 + Sync,
) {
    let [_, RGB, part_height, part_width] = part.dims[..] else { return };
    let (first_row, first_column) = (part.first[2], part.first[3]);
    if part_width == 0 || first_row >= height || first_column >= width {
        return;
    }
    let columns = part_width.min(width - first_column);
    let plane = part_height * part_width;
    let rows = pixels.par_chunks_mut(RGB * width).skip(first_row).take(part_height);
    rows.enumerate().for_each(|(y, row)| {
        let row = &mut row[RGB * first_column..][..RGB * columns];
        for colour in 0..RGB {
            let from = &part.data[colour * plane + y * part_width..][..columns];
            row[colour..].iter_mut().step_by(RGB).zip(from).for_each(|(to, &value)| *to = map(value));
        }
    });
}

/// Copies a colour of pixels that lie side by side into a plane of rows that may be longer, with zeros behind the picture.
pub(crate) fn to_plane(
    pixels: &[f32],
    colour: usize,
    width: usize,
    plane: &mut [f32],
    plane_width: usize,
    map: impl Fn(f32) -> f32 + Sync,
) {
    plane.par_chunks_mut(plane_width).zip(pixels.par_chunks(RGB * width)).for_each(|(row, pixels)| {
        row.iter_mut().zip(pixels[colour..].iter().step_by(RGB)).for_each(|(to, &value)| *to = map(value));
    });
}
