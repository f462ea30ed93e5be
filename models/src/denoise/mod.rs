//! Denoising rendered pictures by the networks of Intel Open Image Denoise: a U-Net of 16 convolutions, which reads the colours of a
//! picture, and if there are any the albedo and the normals of what is seen.

mod denoiser;
mod transfer;

use winoconv::graph::{Graph, Pool, Value};
use winoconv::{Activation, Conv};

pub use denoiser::{Denoiser, Frame};
pub use transfer::Range;

use crate::error::{FileKind, ModelError, Result};
use crate::run::RGB;
use crate::weights::{Layer, tza::Tza};

/// The network halves a picture so often.
const LEVELS: usize = 4;
/// Sizes are rounded up to multiples of this, so that each halving is exact.
pub(crate) const ALIGNMENT: usize = 1 << LEVELS;

/// Names of the convolutions, in the order in which they run, without the last.
const ENCODER: [&str; 5] = ["enc_conv0", "enc_conv1", "enc_conv2", "enc_conv3", "enc_conv4"];
const BOTTOM: [&str; 2] = ["enc_conv5a", "enc_conv5b"];
const DECODER: [[&str; 2]; LEVELS] = [
    ["dec_conv4a", "dec_conv4b"],
    ["dec_conv3a", "dec_conv3b"],
    ["dec_conv2a", "dec_conv2b"],
    ["dec_conv1a", "dec_conv1b"],
];
const LAST: &str = "dec_conv0";
/// A tensor that only the larger network has.
const OF_LARGE: &str = "enc_conv1b.weight";

/// Weights that are part of this crate: those of Intel Open Image Denoise 2.5.1 for its filter `RT`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Shipped {
    /// [`Range::Hdr`], colours alone.
    Hdr,
    /// [`Range::Hdr`], colours, albedo and normals.
    HdrAlbedoNormal,
    /// The same in a network of a third of the weights, which is faster and less good.
    HdrAlbedoNormalSmall,
    /// [`Range::Ldr`] or [`Range::Srgb`], colours alone.
    Ldr,
    /// The same in a network of a third of the weights, which is faster and less good.
    LdrSmall,
}

impl Shipped {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Hdr, Self::HdrAlbedoNormal, Self::HdrAlbedoNormalSmall, Self::Ldr, Self::LdrSmall];

    /// Those for pictures of a kind.
    ///
    /// ```
    /// use winoconv_models::{Range, Shipped};
    /// assert_eq!(Shipped::find(Range::Hdr, true, true, false)?, Shipped::HdrAlbedoNormal);
    /// assert!(Shipped::find(Range::Hdr, true, false, false).is_err());
    /// # Ok::<(), winoconv_models::ModelError>(())
    /// ```
    ///
    /// # Errors
    /// [`ModelError::NotShipped`] if there are none.
    pub fn find(range: Range, albedo: bool, normal: bool, small: bool) -> Result<Self> {
        Ok(match (range.is_hdr(), albedo, normal, small) {
            (true, false, false, false) => Self::Hdr,
            (true, true, true, false) => Self::HdrAlbedoNormal,
            (true, true, true, true) => Self::HdrAlbedoNormalSmall,
            (false, false, false, false) => Self::Ldr,
            (false, false, false, true) => Self::LdrSmall,
            (is_hdr, ..) => {
                let range = if is_hdr { "HDR" } else { "LDR" };
                let parts = [(true, range), (albedo, "albedo"), (normal, "normals"), (small, "small")];
                let parts: Vec<&str> = parts.into_iter().filter(|(is_there, _)| *is_there).map(|(_, of)| of).collect();
                let available: Vec<&str> = Self::ALL.iter().map(|shipped| shipped.describe()).collect();
                return Err(ModelError::NotShipped { wanted: parts.join(", "), available: available.join("; ") });
            }
        })
    }

    const fn describe(self) -> &'static str {
        match self {
            Self::Hdr => "HDR",
            Self::HdrAlbedoNormal => "HDR, albedo, normals",
            Self::HdrAlbedoNormalSmall => "HDR, albedo, normals, small",
            Self::Ldr => "LDR",
            Self::LdrSmall => "LDR, small",
        }
    }

    /// The file, as Intel publishes it.
    pub const fn file(self) -> &'static [u8] {
        match self {
            Self::Hdr => include_bytes!("../../weights/oidn/rt_hdr.tza"),
            Self::HdrAlbedoNormal => include_bytes!("../../weights/oidn/rt_hdr_alb_nrm.tza"),
            Self::HdrAlbedoNormalSmall => include_bytes!("../../weights/oidn/rt_hdr_alb_nrm_small.tza"),
            Self::Ldr => include_bytes!("../../weights/oidn/rt_ldr.tza"),
            Self::LdrSmall => include_bytes!("../../weights/oidn/rt_ldr_small.tza"),
        }
    }
}

/// Which pictures a network reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Features {
    /// Colours.
    Colour,
    /// Colours and albedo.
    ColourAlbedo,
    /// Colours, albedo and normals.
    ColourAlbedoNormal,
}

impl Features {
    /// Channels of the network's input.
    pub(crate) const fn channels(self) -> usize {
        RGB * match self {
            Self::Colour => 1,
            Self::ColourAlbedo => 2,
            Self::ColourAlbedoNormal => 3,
        }
    }

    pub(crate) const fn describe(self) -> &'static str {
        match self {
            Self::Colour => "colours",
            Self::ColourAlbedo => "colours and albedo",
            Self::ColourAlbedoNormal => "colours, albedo and normals",
        }
    }
}

/// A network of Intel Open Image Denoise, of its base or small form. Clones share the weights.
#[derive(Debug, Clone, PartialEq)]
pub struct UNet {
    features: Features,
    /// In the order in which they run.
    layers: Vec<(&'static str, Layer)>,
}

impl UNet {
    /// With weights that are part of this crate.
    ///
    /// # Errors
    /// None, as a test reads all files.
    pub fn shipped(weights: Shipped) -> Result<Self> {
        Self::from_tza(weights.file())
    }

    /// From a TZA file, as Intel publishes and its training writes.
    ///
    /// # Errors
    /// A damaged file; a network of another form, as the large one for clean albedo and normals.
    pub fn from_tza(file: &[u8]) -> Result<Self> {
        let unsupported = |problem: String| ModelError::unsupported(FileKind::Tza, problem);
        let tensors = Tza::read(file)?;
        if tensors.has(OF_LARGE) {
            return Err(unsupported("it is the large network, expected the base or the small one".to_owned()));
        }
        let first = tensors.layer(ENCODER[0])?;
        let features = match first.channels / RGB {
            1 => Features::Colour,
            2 => Features::ColourAlbedo,
            _ => Features::ColourAlbedoNormal,
        };
        let input = features.channels();
        let mut layers = Vec::new();
        let mut add = |name: &'static str, channels: usize| {
            let layer = tensors.layer(name)?;
            if layer.channels != channels {
                let problem = format!("{name} has {} channels, expected {channels}", layer.channels);
                return Err(unsupported(problem));
            }
            let filters = layer.filters;
            layers.push((name, layer));
            Ok(filters)
        };
        let mut channels = input;
        // What the decoder reads beside its own results, the last first.
        let mut skips = vec![input];
        for (i, name) in ENCODER.into_iter().enumerate() {
            channels = add(name, channels)?;
            if (1..LEVELS).contains(&i) {
                skips.push(channels);
            }
        }
        for name in BOTTOM {
            channels = add(name, channels)?;
        }
        for names in DECODER {
            channels += skips.pop().unwrap_or_default();
            for name in names {
                channels = add(name, channels)?;
            }
        }
        let last = add(LAST, channels)?;
        if last != RGB {
            return Err(unsupported(format!("{LAST} has {last} filters, expected 3")));
        }
        Ok(Self { features, layers })
    }

    /// Which pictures it reads.
    pub const fn features(&self) -> Features {
        self.features
    }

    /// How many weights it has, without those of the bias.
    pub fn weight_count(&self) -> usize {
        self.layers.iter().map(|(_, layer)| layer.weights.len()).sum()
    }

    /// The network for a picture of so many rows and columns, rounded up to multiples of 16: an input `picture` of
    /// `1 x channels x height x width`, an output `clean` of three channels. Both are of the numbers that the network was trained on,
    /// not of light: [`Denoiser`] does all that there is to do before and behind it.
    ///
    /// # Errors
    /// A picture without pixels, or with too many for a tensor.
    pub fn graph(&self, height: usize, width: usize) -> Result<Graph> {
        let aligned = |size: usize| size.checked_next_multiple_of(ALIGNMENT).filter(|&size| size > 0);
        let (Some(rows), Some(columns)) = (aligned(height), aligned(width)) else {
            return Err(ModelError::Size { width, height });
        };
        let mut net = Graph::new();
        let picture = net.input("picture", [1, self.features.channels(), rows, columns])?;
        let mut layers = self.layers.iter();
        let mut conv = |net: &mut Graph, x: Value| {
            let Some((name, layer)) = layers.next() else { return Ok(x) };
            net.set_scope(*name);
            let conv: Conv = layer.conv().activation(Activation::Relu);
            net.conv(x, conv, layer.weights.clone(), layer.bias.clone())
        };
        let mut skips = vec![picture];
        let mut x = conv(&mut net, picture)?;
        for level in 1..=LEVELS {
            x = conv(&mut net, x)?;
            x = net.pool(x, Pool::max([2, 2]))?;
            if level < LEVELS {
                skips.push(x);
            }
        }
        for _ in BOTTOM {
            x = conv(&mut net, x)?;
        }
        for names in DECODER {
            x = net.upsample_nearest(x, 2)?;
            x = net.concat(&[x, skips.pop().unwrap_or(picture)], 1)?;
            for _ in names {
                x = conv(&mut net, x)?;
            }
        }
        x = conv(&mut net, x)?;
        net.output("clean", x)?;
        Ok(net)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shipped_weights_are_read() {
        for shipped in Shipped::ALL {
            let network = UNet::shipped(shipped).expect("a file of this crate");
            let is_small = matches!(shipped, Shipped::HdrAlbedoNormalSmall | Shipped::LdrSmall);
            let expected = if is_small { 300_000..330_000 } else { 900_000..930_000 };
            assert!(expected.contains(&network.weight_count()), "{shipped:?}: {}", network.weight_count());
            let has_all = matches!(shipped, Shipped::HdrAlbedoNormal | Shipped::HdrAlbedoNormalSmall);
            let features = if has_all { Features::ColourAlbedoNormal } else { Features::Colour };
            assert_eq!(network.features(), features);
            let graph = network.graph(17, 32).expect("a graph");
            assert_eq!(graph.dims(graph.outputs()[0].1), [1, 3, 32, 32].into());
        }
    }
}
