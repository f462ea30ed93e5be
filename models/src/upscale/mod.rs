//! Enlarging pictures by compact networks, the form that Real-ESRGAN calls `SRVGGNetCompact`: convolutions of the picture in its own
//! size, of which the last gives the details of each pixel's square, and the picture itself, repeated, is added.

mod upscaler;

use std::sync::Arc;

use winoconv::graph::{Binary, Graph};

pub use upscaler::Upscaler;

use crate::error::{FileKind, ModelError, Result};
use crate::weights::{Layer, ncnn, safetensors};

const RGB: usize = 3;
/// No known network enlarges by more.
const LARGEST_SCALE: usize = 16;

static REALESR_ANIMEVIDEO_V3: &[u8] = include_bytes!("../../weights/realesr/realesr-animevideov3-x4.safetensors");

/// A compact network: any number of convolutions and features, any scale. Clones share the weights.
///
/// It reads and gives red, green and blue as screens store them (sRGB), from 0 to 1.
///
/// ```
/// let network = winoconv_models::Compact::realesr_animevideo_v3()?;
/// assert_eq!((network.scale(), network.layer_count(), network.features()), (4, 18, 64));
/// # Ok::<(), winoconv_models::ModelError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Compact {
    scale: usize,
    /// Each with slopes of its PReLU.
    body: Vec<(Layer, Arc<[f32]>)>,
    last: Layer,
}

impl Compact {
    /// Real-ESRGAN's `realesr-animevideov3`, which enlarges by 4. Its weights are part of this crate. It was trained on drawn
    /// pictures.
    ///
    /// # Errors
    /// None, as a test reads the file.
    pub fn realesr_animevideo_v3() -> Result<Self> {
        Self::from_safetensors(REALESR_ANIMEVIDEO_V3)
    }

    /// From a safetensors file of numbers in f32, f16 or bf16. Tensors are named as PyTorch's `SRVGGNetCompact` names them
    /// (`body.0.weight`, `body.0.bias`, `body.1.weight`, also behind a prefix), or by convolutions (`0.weight`, `0.bias`,
    /// `0.slopes`). The last convolution has neither slopes nor an activation.
    ///
    /// # Errors
    /// A damaged file; a network of another form.
    pub fn from_safetensors(file: &[u8]) -> Result<Self> {
        Self::from_layers(FileKind::Safetensors, safetensors::compact(file)?)
    }

    /// From ncnn's files: the text of `.param` and the bytes of `.bin`, with weights in f32 or f16. A network that resizes its
    /// result is refused, as some files for other scales do: read the file for its own scale, and ask for a smaller one.
    ///
    /// # Errors
    /// Damaged files; a network of another form.
    pub fn from_ncnn(param: &str, bin: &[u8]) -> Result<Self> {
        Self::from_layers(FileKind::NcnnParam, ncnn::compact(param, bin)?)
    }

    fn from_layers(kind: FileKind, mut layers: Vec<(Layer, Vec<f32>)>) -> Result<Self> {
        let unsupported = |problem: String| ModelError::unsupported(kind, problem);
        let (last, none) = layers.pop().ok_or_else(|| unsupported("there is no convolution".to_owned()))?;
        if !none.is_empty() {
            return Err(unsupported("the last convolution has slopes, expected none".to_owned()));
        }
        let scale = (1..=LARGEST_SCALE).find(|scale| RGB * scale * scale == last.filters);
        let scale = scale.ok_or_else(|| {
            unsupported(format!(
                "the last convolution has {} filters, expected 3 for each enlarged pixel",
                last.filters
            ))
        })?;
        let mut channels = RGB;
        let mut body = Vec::with_capacity(layers.len());
        for (i, (layer, slopes)) in layers.into_iter().enumerate() {
            check_channels(kind, i, &layer, channels)?;
            channels = layer.filters;
            let slopes = match slopes.len() {
                1 => vec![slopes[0]; channels],
                len if len == channels => slopes,
                len => {
                    let problem = format!("convolution {i} has {channels} filters and {len} slopes of a PReLU");
                    return Err(unsupported(problem));
                }
            };
            body.push((layer, slopes.into()));
        }
        check_channels(kind, body.len(), &last, channels)?;
        Ok(Self { scale, body, last })
    }

    /// How many times larger the result is along each side.
    pub const fn scale(&self) -> usize {
        self.scale
    }

    /// How many convolutions it has.
    pub const fn layer_count(&self) -> usize {
        self.body.len() + 1
    }

    /// Channels between its convolutions: of the first one.
    pub fn features(&self) -> usize {
        self.body.first().map_or(self.last.channels, |(layer, _)| layer.filters)
    }

    /// The same network with its result resized down to a smaller scale, each pixel the mean of the area that it covers. The mean
    /// is taken by the last convolution: all pixels that one pixel of the picture becomes are sums of the same inputs, and so are
    /// means of them. So a smaller scale is computed a little faster than the network's own.
    ///
    /// # Errors
    /// [`ModelError::Scale`] for 0, or a scale above the network's own.
    pub fn at_scale(&self, scale: usize) -> Result<Self> {
        if scale == 0 || scale > self.scale {
            return Err(ModelError::Scale { native: self.scale, got: scale });
        }
        if scale == self.scale {
            return Ok(self.clone());
        }
        let shares = area_shares(self.scale, scale);
        let reduced = |all: &[f32], per_filter: usize| -> Arc<[f32]> {
            let mut result = Vec::with_capacity(RGB * scale * scale * per_filter);
            for colour in all.chunks_exact((self.scale * self.scale * per_filter).max(1)) {
                for rows in &shares {
                    for columns in &shares {
                        let mut sums = vec![0.0f64; per_filter];
                        for (y, row) in rows.iter().enumerate() {
                            for (x, column) in columns.iter().enumerate() {
                                let filter = &colour[(y * self.scale + x) * per_filter..][..per_filter];
                                sums.iter_mut().zip(filter).for_each(|(sum, &w)| *sum += row * column * f64::from(w));
                            }
                        }
                        result.extend(sums.into_iter().map(|sum| sum as f32));
                    }
                }
            }
            result.into()
        };
        let per_filter = self.last.weights.len() / self.last.filters;
        let last = Layer {
            channels: self.last.channels,
            filters: RGB * scale * scale,
            weights: reduced(&self.last.weights, per_filter),
            bias: reduced(&self.last.bias, 1),
        };
        Ok(Self { scale, body: self.body.clone(), last })
    }

    /// The network for a picture of so many rows and columns: an input `picture` of `1 x 3 x height x width`, an output `large`.
    ///
    /// # Errors
    /// A picture without pixels, or with too many for a tensor.
    pub fn graph(&self, height: usize, width: usize) -> Result<Graph> {
        if height == 0 || width == 0 {
            return Err(ModelError::Size { width, height });
        }
        let mut net = Graph::new();
        let picture = net.input("picture", [1, RGB, height, width])?;
        let mut x = picture;
        for (i, (layer, slopes)) in self.body.iter().enumerate() {
            net.set_scope(format!("body.{i}"));
            x = net.conv(x, layer.conv(), layer.weights.clone(), layer.bias.clone())?;
            let slopes = net.constant(slopes.clone(), [layer.filters, 1, 1])?;
            x = net.binary(Binary::PRelu, x, slopes)?;
        }
        net.set_scope("tail");
        x = net.conv(x, self.last.conv(), self.last.weights.clone(), self.last.bias.clone())?;
        let details = net.pixel_shuffle(x, self.scale)?;
        let repeated = net.upsample_nearest(picture, self.scale)?;
        let sum = net.add(details, repeated)?;
        net.output("large", sum)?;
        Ok(net)
    }
}

fn check_channels(kind: FileKind, i: usize, layer: &Layer, channels: usize) -> Result<()> {
    if layer.channels == channels {
        return Ok(());
    }
    let problem = format!("convolution {i} has {} channels, expected {channels}", layer.channels);
    Err(ModelError::unsupported(kind, problem))
}

/// For each of `to` pixels that cover `from` pixels, what part of it each of those is.
fn area_shares(from: usize, to: usize) -> Vec<Vec<f64>> {
    // In units in which a pixel of `from` is `to` wide, and one of `to` is `from` wide.
    let covered = |i: usize, j: usize| {
        let (start, end) = ((i * from).max(j * to), ((i + 1) * from).min((j + 1) * to));
        end.saturating_sub(start) as f64 / from as f64
    };
    (0..to).map(|i| (0..from).map(|j| covered(i, j)).collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn areas_are_shared_out() {
        assert_eq!(area_shares(4, 2), [[0.5, 0.5, 0.0, 0.0], [0.0, 0.0, 0.5, 0.5]]);
        assert_eq!(area_shares(4, 3), [[0.75, 0.25, 0.0, 0.0], [0.0, 0.5, 0.5, 0.0], [0.0, 0.0, 0.25, 0.75]]);
        for (from, to) in [(4, 1), (5, 3), (8, 7)] {
            assert!(area_shares(from, to).iter().all(|shares| (shares.iter().sum::<f64>() - 1.0).abs() < 1e-12));
        }
    }
}
