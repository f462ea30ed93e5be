//! Pictures that are too large for a device's memory, computed in tiles. A tile is a part of the picture with a halo: as much of
//! its surroundings as its results depend on. What each node's results depend on is worked out from the graph.

mod cut;
mod exact;
mod need;
mod place;
mod ratio;
mod search;
#[cfg(test)]
mod tests;

use std::fmt;
use std::ops::ControlFlow;

use self::need::Need;
use self::place::{Placed, row_len, rows};
use self::search::{Search, Tiles};
use super::compile::simplified;
use super::network::Network;
use super::{Dims, Graph, NetworkOptions};
use crate::device::Device;
use crate::error::{Error, LimitError, Resource, Result, ShapeError};
use crate::plan::{Algorithm, Preferences};

/// A workspace takes at most this part of the memory, or so many bytes, with which everything can be computed.
const WORKSPACE_SHARE: u64 = 4;
const LEAST_WORKSPACE: u64 = 1 << 20;

/// How often a ceiling that is too small is raised to find one that is not. Each has room for a larger workspace, which other
/// algorithms use.
const RAISES: usize = 8;

/// A network for pictures of any size, which takes at most so much memory. A picture that needs more is computed in tiles, along
/// batch, height and width, all of one size. Of the tiles that fit, those are taken that compute the least.
///
/// Results are exact: a tile gives only what does not depend on anything outside of it. A Winograd algorithm computes several
/// outputs together, which makes each depend on the others by its rounding. So tiles begin where those of the whole picture
/// begin, in each layer, and each output has the bits that it has in the whole picture at once; provided that the same algorithms
/// are picked there, see [`Self::differing_picks`].
///
/// ```
/// use std::ops::ControlFlow;
/// use winoconv::graph::{Graph, Tiled};
/// use winoconv::{Conv, Device, Preferences};
///
/// let mut net = Graph::new();
/// let x = net.input("x", [1, 1, 64, 64])?;
/// let y = net.conv(x, Conv::new(1, 1, [3, 3]).padding(1), vec![1.0; 9], [])?;
/// net.output("y", y)?;
///
/// // A picture of 1 MiB through a network of at most 1 MiB, which is to have its results, too.
/// let picture = vec![1.0; 512 * 512];
/// let tiled = Tiled::new_blocking(&Device::cpu(), &net, &[[1, 1, 512, 512].into()], Preferences::new(), 1 << 20)?;
/// println!("{tiled}");
/// let mut sum = 0.0;
/// let end = tiled.run_tiles_blocking(&[&picture], |tile| {
///     println!("{} of {}", tile.index + 1, tile.count);
///     sum += tile.parts[0].data.iter().sum::<f32>();
///     // Break ends the run.
///     ControlFlow::<()>::Continue(())
/// })?;
/// assert!(end.is_continue() && tiled.tile_count() > 1);
/// assert_eq!(sum, 9.0 * 510.0 * 510.0 + 6.0 * 4.0 * 510.0 + 4.0 * 4.0);
/// # Ok::<(), winoconv::Error>(())
/// ```
///
/// # Memory
///
/// The ceiling is for all that the network has on its device: weights, packed weights, the tensors between its steps, the
/// workspace of convolutions, inputs and outputs of a tile, and on a GPU the buffers through which these are copied. On the CPU
/// it is for the same in the process. Pictures and whole outputs are the caller's, and so are a GPU's compiled kernels.
#[derive(Debug)]
pub struct Tiled {
    network: Network,
    /// The whole.
    inputs: Vec<Dims>,
    outputs: Vec<(String, Dims)>,
    tiles: Tiles,
    options: NetworkOptions,
    ceiling: u64,
    /// Simplified.
    graph: Graph,
}

/// A tile that was computed.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Tile<'a> {
    /// Its position among the tiles, from 0 on: row by row, from left to right.
    pub index: usize,
    /// How many tiles there are.
    pub count: usize,
    /// What it gives of each output, in the order of the outputs. The parts that all tiles give make up the output.
    pub parts: &'a [Part],
}

/// What a tile gives of an output.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    /// Where its first element lies in the output: an index along each axis.
    pub first: Dims,
    /// Its sizes. One may be 0, if another tile gave everything.
    pub dims: Dims,
    /// Its elements, row-major.
    pub data: Vec<f32>,
}

impl Tiled {
    /// Plans tiles for inputs of these sizes, in the order of [`Graph::inputs`], and puts the network on a device: at most
    /// `ceiling` bytes. The graph may be of another size, which matters where the whole has more elements than a graph can
    /// describe (2^31 in a tensor). A convolution's workspace takes at most a quarter of the ceiling. Where tiles do not fit for the
    /// algorithms that are picked, since those make halos wide, all convolutions take `implicit_gemm`: see [`Self::preferences`].
    ///
    /// # Errors
    /// [`LimitError`] with what the smallest tile needs, if that is more than the ceiling;
    /// [`GraphError`](crate::error::GraphError) that names the node whose results depend on the whole picture, if that does not
    /// fit; as [`Network::new`].
    pub async fn new(
        device: &Device,
        graph: &Graph,
        dims: &[Dims],
        options: impl Into<NetworkOptions>,
        ceiling: u64,
    ) -> Result<Self> {
        let options = options.into();
        ShapeError::check_len("the sizes of inputs", graph.inputs().len(), dims.len())?;
        let has_ranks = graph.inputs().iter().zip(dims).all(|(&value, dims)| graph.dims(value).rank() == dims.rank());
        let graph = match graph.with_input_dims(dims) {
            Ok(whole) => simplified(&whole)?,
            // A whole that is too large to be described is simplified as the graph that is given.
            Err(_) if has_ranks => simplified(graph)?,
            Err(error) => return Err(error),
        };
        let search = |mut options: NetworkOptions, ceiling: u64| {
            let limit = &mut options.preferences.workspace_limit;
            *limit = LEAST_WORKSPACE.max(ceiling / WORKSPACE_SHARE).min(*limit);
            let tiles = Search { device, graph: &graph, dims, options: &options, ceiling }.tiles()?;
            Ok((tiles, options))
        };
        // Without the tiles of transforms, which a halo is rounded up to in each layer.
        let without = options.clone().preferences(options.preferences.algorithm(Algorithm::ImplicitGemm));
        let found = search(options.clone(), ceiling).or_else(|error| match error {
            Error::Limit(_) if options.preferences.algorithm.is_none() => {
                search(without, ceiling).map_err(|_: Error| error)
            }
            error => Err(error),
        });
        let any = |raised: u64| search(options.clone(), raised).err();
        let (tiles, options) = found.map_err(|error| sufficient(error, any))?;
        let Need { graph: of_tile, program, .. } = &tiles.need;
        let network = Network::of_program(device, of_tile, program.clone(), options.clone(), None).await?;
        let whole = |(i, (name, dims)): (usize, &(String, Dims))| {
            let seams = tiles.along.iter().filter_map(|placed| placed.outputs[i].as_ref());
            (name.clone(), seams.fold(*dims, |dims, seams| dims.with(seams.axis, seams.whole)))
        };
        let outputs = program.outputs().iter().enumerate().map(whole).collect();
        Ok(Self { network, inputs: dims.to_vec(), outputs, tiles, options, ceiling, graph })
    }

    /// The network that computes a tile.
    pub const fn network(&self) -> &Network {
        &self.network
    }

    /// The preferences that its convolutions were planned with: those that were given, with a smaller workspace and another
    /// algorithm where the ceiling asked for them.
    pub const fn preferences(&self) -> Preferences {
        self.options.preferences
    }

    /// Names and sizes of the outputs.
    pub fn outputs(&self) -> &[(String, Dims)] {
        &self.outputs
    }

    /// How many tiles there are.
    pub fn tile_count(&self) -> usize {
        self.tiles.along.iter().map(|placed| placed.starts.len()).product()
    }

    /// Bytes on the device, at most the ceiling: see [Memory](Self#memory).
    pub const fn bytes(&self) -> u64 {
        self.tiles.need.bytes
    }

    /// The convolutions for which another algorithm, or another order of sums, is picked than for the whole picture at once. If
    /// there are none, results have the bits that [`Network`] gives for the whole picture with the same
    /// [preferences](Self::preferences). The whole is planned for this, and no device is touched.
    ///
    /// # Errors
    /// A whole that cannot be described or planned.
    pub fn differing_picks(&self) -> Result<Vec<String>> {
        if self.tile_count() == 1 {
            return Ok(Vec::new());
        }
        let whole = self.graph.with_input_dims(&self.inputs)?;
        let whole = Need::of_any_size(self.network.device(), whole, &self.options)?;
        Ok(self.tiles.need.differing(&whole).map(str::to_owned).collect())
    }

    /// Runs on whole inputs, and gives the whole outputs.
    ///
    /// # Errors
    /// As [`Network::run`].
    pub async fn run(&self, inputs: &[&[f32]]) -> Result<Vec<Vec<f32>>> {
        let mut outputs: Vec<Vec<f32>> = self.outputs.iter().map(|(_, dims)| vec![0.0; dims.elements()]).collect();
        let put = |tile: Tile<'_>| {
            for ((output, (_, dims)), part) in outputs.iter_mut().zip(&self.outputs).zip(tile.parts) {
                let len = row_len(part.dims);
                for (at, row) in rows(*dims, &part.first, part.dims).zip(part.data.chunks(len.max(1))) {
                    output[at..at + len].copy_from_slice(row);
                }
            }
            ControlFlow::<()>::Continue(())
        };
        let _ = self.run_tiles(inputs, put).await?;
        Ok(outputs)
    }

    /// Runs on whole inputs, and calls with each tile. Whole outputs are nowhere in memory, unless the caller puts them there. A
    /// `Break` ends the run, and is what this gives.
    ///
    /// # Errors
    /// As [`Network::run`].
    pub async fn run_tiles<B>(
        &self,
        inputs: &[&[f32]],
        mut visit: impl FnMut(Tile<'_>) -> ControlFlow<B>,
    ) -> Result<ControlFlow<B>> {
        ShapeError::check_len("the inputs", self.inputs.len(), inputs.len())?;
        for (dims, input) in self.inputs.iter().zip(inputs) {
            ShapeError::check_len("an input", dims.elements(), input.len())?;
        }
        let count = self.tile_count();
        let mut crops: Vec<Vec<f32>> = vec![Vec::new(); inputs.len()];
        for index in 0..count {
            let at = self.position(index);
            let results = if count == 1 {
                self.network.run(inputs).await?
            } else {
                self.crop(&at, inputs, &mut crops);
                self.network.run(&crops.iter().map(Vec::as_slice).collect::<Vec<_>>()).await?
            };
            let parts: Vec<Part> = results.into_iter().enumerate().map(|(i, data)| self.part(&at, i, data)).collect();
            if let ControlFlow::Break(end) = visit(Tile { index, count, parts: &parts }) {
                return Ok(ControlFlow::Break(end));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// A tile's position along each axis that is cut.
    fn position(&self, index: usize) -> Vec<usize> {
        let mut rest = index;
        let mut at: Vec<usize> = self
            .tiles
            .along
            .iter()
            .rev()
            .map(|placed| {
                let count = placed.starts.len();
                (rest % count, rest /= count).0
            })
            .collect();
        at.reverse();
        at
    }

    /// Each axis that is cut, with a tile's position along it.
    fn along<'a>(&'a self, at: &'a [usize]) -> impl Iterator<Item = (&'a Placed, usize)> {
        self.tiles.along.iter().zip(at.iter().copied())
    }

    /// Copies a tile's inputs.
    fn crop(&self, at: &[usize], inputs: &[&[f32]], crops: &mut [Vec<f32>]) {
        for (i, ((input, whole), crop)) in inputs.iter().zip(&self.inputs).zip(crops).enumerate() {
            let mut first = vec![0; whole.rank()];
            for (placed, at) in self.along(at) {
                if let Some((axis, scale)) = placed.cut.inputs[i] {
                    first[axis] = scale.of(placed.starts[at]);
                }
            }
            let (_, part) = self.network.program().inputs()[i];
            crop.clear();
            crop.reserve_exact(part.elements());
            for row in rows(*whole, &first, part) {
                crop.extend_from_slice(&input[row..row + row_len(part)]);
            }
        }
    }

    /// What a tile gives of an output, from all of its result.
    fn part(&self, at: &[usize], output: usize, mut data: Vec<f32>) -> Part {
        let (_, whole) = self.network.program().outputs()[output];
        // Where it begins in the whole output and in the tile's, and its sizes.
        let [mut first, mut own, mut dims] = [zeros(whole), zeros(whole), whole];
        for (placed, at) in self.along(at) {
            match &placed.outputs[output] {
                Some(seams) => {
                    let given = seams.given(at);
                    first = first.with(seams.axis, given.start);
                    own = own.with(seams.axis, seams.first(at));
                    dims = dims.with(seams.axis, given.len());
                }
                // The first tile gives what all have.
                None if at > 0 => dims = zeros(dims),
                None => {}
            }
        }
        if dims != whole {
            let len = row_len(dims);
            let mut to = 0;
            // A row moves towards the front.
            for row in rows(whole, &own, dims) {
                data.copy_within(row..row + len, to);
                to += len;
            }
            data.truncate(to);
        }
        Part { first, dims, data }
    }
}

/// The error of a ceiling that is too small, with one that does.
fn sufficient(error: Error, search: impl Fn(u64) -> Option<Error>) -> Error {
    let Error::Limit(mut least @ LimitError { resource: Resource::CeilingBytes, .. }) = error else { return error };
    for _ in 0..RAISES {
        match search(least.need) {
            Some(Error::Limit(LimitError { resource: Resource::CeilingBytes, who, need, .. })) => {
                (least.who, least.need) = (who, need);
            }
            _ => break,
        }
    }
    least.into()
}

/// As many zeros as there are axes.
fn zeros(dims: Dims) -> Dims {
    (0..dims.rank()).fold(dims, |dims, axis| dims.with(axis, 0))
}

#[cfg(not(target_arch = "wasm32"))]
impl Tiled {
    /// As [`Self::new`], waiting for it.
    ///
    /// # Errors
    /// As there.
    pub fn new_blocking(
        device: &Device,
        graph: &Graph,
        dims: &[Dims],
        options: impl Into<NetworkOptions>,
        ceiling: u64,
    ) -> Result<Self> {
        pollster::block_on(Self::new(device, graph, dims, options, ceiling))
    }

    /// As [`Self::run`], waiting for it.
    ///
    /// # Errors
    /// As there.
    pub fn run_blocking(&self, inputs: &[&[f32]]) -> Result<Vec<Vec<f32>>> {
        pollster::block_on(self.run(inputs))
    }

    /// As [`Self::run_tiles`], waiting for it.
    ///
    /// # Errors
    /// As there.
    pub fn run_tiles_blocking<B>(
        &self,
        inputs: &[&[f32]],
        visit: impl FnMut(Tile<'_>) -> ControlFlow<B>,
    ) -> Result<ControlFlow<B>> {
        pollster::block_on(self.run_tiles(inputs, visit))
    }
}

/// How many tiles there are, of which size; along each axis that is cut the halo and where tiles may begin, with the node that
/// decides it; how much is computed more than once; bytes.
impl fmt::Display for Tiled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list =
            |dims: &mut dyn Iterator<Item = Dims>| dims.map(|dims| dims.to_string()).collect::<Vec<_>>().join(", ");
        let of_tile = list(&mut self.network.program().inputs().iter().map(|(_, dims)| *dims));
        writeln!(f, "{} tiles of {of_tile}, of {}", self.tile_count(), list(&mut self.inputs.iter().copied()))?;
        for Placed { cut, size, starts, .. } in &self.tiles.along {
            write!(f, "along {}: {} of {size}, halo {}", cut.name, starts.len(), cut.halo)?;
            writeln!(f, ", from multiples of {} ({})", cut.align, cut.aligned_by)?;
        }
        let Tiles { computed, picture, need, .. } = &self.tiles;
        #[expect(clippy::cast_precision_loss, reason = "printed with one decimal")]
        let more = (*computed as f64 / *picture as f64 - 1.0) * 100.0;
        writeln!(f, "{more:.1}% computed more than once")?;
        if let Some(algorithm) = self.options.preferences.algorithm {
            writeln!(f, "all convolutions by {algorithm}")?;
        }
        write!(f, "{} bytes of {}", need.bytes, self.ceiling)
    }
}
