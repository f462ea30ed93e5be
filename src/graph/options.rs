//! What a caller asks of a compiled network.

use super::format::Format;
use super::refusal::{Refusal, refusal};
use super::{Dims, Graph};
use crate::dtype::DType;
use crate::error::{Error, Result};
use crate::plan::Preferences;

/// How a network is compiled: see [`Network::new`](super::Network::new). [`Preferences`] are options with everything else as it is
/// by default.
///
/// ```
/// use winoconv::DType;
/// use winoconv::graph::{Format, Graph, Network, NetworkOptions};
/// use winoconv::{Conv, Device};
///
/// let mut net = Graph::new();
/// let x = net.input("photo", [1, 3, 2, 2])?;
/// let y = net.conv(x, Conv::new(3, 3, [1, 1]), vec![1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0], [])?;
/// net.output("same", y)?;
///
/// let options = NetworkOptions::new().storage(DType::F16).input("photo", Format::RGBA8).output("same", Format::RGB8);
/// let network = Network::new_blocking(&Device::cpu(), &net, options)?;
/// let photo = [10, 20, 30, 255].repeat(4);
/// assert_eq!(network.run_bytes_blocking(&[&photo])?[0], [10, 20, 30].repeat(4));
/// # Ok::<(), winoconv::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct NetworkOptions {
    /// What each convolution is planned by. Default: [`Preferences::new`].
    pub preferences: Preferences,
    /// How tensors and weights are stored on a GPU; sums are of f32. The CPU, which would gain nothing, stores f32. Default:
    /// [`DType::F32`].
    pub storage: DType,
    /// How far an output may be from the exact one, relative to its size (L2): see [`Self::tolerance`]. Default: what the
    /// preferences ask of each convolution.
    pub tolerance: Option<f64>,
    /// The part of what is left of the tolerance that convolutions have.
    pub(super) part: f64,
    inputs: Vec<(String, Format)>,
    outputs: Vec<(String, Format)>,
}

impl Default for NetworkOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl From<Preferences> for NetworkOptions {
    fn from(preferences: Preferences) -> Self {
        Self { preferences, ..Self::new() }
    }
}

impl NetworkOptions {
    /// The default.
    pub fn new() -> Self {
        Self {
            preferences: Preferences::new(),
            storage: DType::F32,
            tolerance: None,
            part: 1.0,
            inputs: Vec::new(),
            outputs: Vec::new(),
        }
    }

    /// Sets the preferences of each convolution.
    #[must_use]
    pub const fn preferences(mut self, preferences: Preferences) -> Self {
        self.preferences = preferences;
        self
    }

    /// Sets how tensors between steps are stored on a GPU.
    #[must_use]
    pub const fn storage(mut self, storage: DType) -> Self {
        self.storage = storage;
        self
    }

    /// Sets how far an output may be from the exact one, relative to its size (L2), before its format rounds it. It takes the
    /// place of the tolerance in the preferences, and is shared out: of its square, each tensor that is stored in 16 bits, weights too, has
    /// what rounding takes, and each convolution the same part of what is left, as if errors were independent and neither grew nor
    /// shrank on their way. [`Network::errors`](super::Network::errors) measures what comes of it, and
    /// [`Network::within_tolerance`](super::Network::within_tolerance) sees to it.
    #[must_use]
    pub const fn tolerance(mut self, tolerance: f64) -> Self {
        self.tolerance = Some(tolerance);
        self
    }

    /// Sets how the buffer of an input stores it. Default: [`Format::F32`].
    #[must_use]
    pub fn input(mut self, name: impl Into<String>, format: Format) -> Self {
        self.inputs.push((name.into(), format));
        self
    }

    /// Sets how the buffer of an output stores it. Default: [`Format::F32`].
    #[must_use]
    pub fn output(mut self, name: impl Into<String>, format: Format) -> Self {
        self.outputs.push((name.into(), format));
        self
    }

    /// The same, with inputs and outputs in f32.
    pub(super) fn plain(mut self) -> Self {
        self.inputs.clear();
        self.outputs.clear();
        self
    }

    /// The formats of a graph's inputs and outputs.
    ///
    /// # Errors
    /// A name that the graph does not have; sizes that a format cannot store.
    pub(super) fn formats(&self, graph: &Graph) -> Result<Formats> {
        let inputs: Vec<(&str, Dims)> =
            graph.inputs().iter().map(|&value| (graph.node(value).name(), graph.dims(value))).collect();
        let outputs: Vec<(&str, Dims)> =
            graph.outputs().iter().map(|(name, value)| (name.as_str(), graph.dims(*value))).collect();
        Ok(Formats {
            inputs: of_ends("input", &inputs, &self.inputs)?,
            outputs: of_ends("output", &outputs, &self.outputs)?,
        })
    }
}

/// The formats of a network's inputs and outputs, in their order.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Formats {
    pub(super) inputs: Vec<Format>,
    pub(super) outputs: Vec<Format>,
}

impl Formats {
    /// All numbers in f32, as the graph has them.
    pub(super) fn plain(graph: &Graph) -> Self {
        Self { inputs: vec![Format::F32; graph.inputs().len()], outputs: vec![Format::F32; graph.outputs().len()] }
    }
}

fn of_ends(kind: &'static str, ends: &[(&str, Dims)], asked: &[(String, Format)]) -> Result<Vec<Format>> {
    let mut formats = vec![Format::F32; ends.len()];
    for (name, format) in asked {
        let refused = |refusal: Refusal| Error::from(refusal.of(name.clone(), kind));
        let position = ends.iter().position(|(end, _)| end == name).ok_or_else(|| {
            let names: Vec<&str> = ends.iter().map(|(name, _)| *name).collect();
            refused(refusal!("there is no {kind} of this name, expected one of: {}", names.join(", ")))
        })?;
        format.check(ends[position].1).map_err(refused)?;
        formats[position] = *format;
    }
    Ok(formats)
}
