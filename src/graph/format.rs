//! How the caller's buffers store the inputs and outputs of a network.

use std::borrow::Cow;
use std::fmt;

use super::Dims;
use super::refusal::{Refusal, refusal};
use crate::cpu::each_chunk;
use crate::dtype::DType;

/// Elements of a task.
const TASK: usize = 1 << 14;

/// How a buffer of the caller's stores an input or an output of a network. Numbers are row-major, as the graph has them.
///
/// Pixels are bytes. A byte is a number times [a scale](Self::scale): 1/255 if nothing else is said, so that numbers go from 0
/// to 1. An output is rounded to the nearest byte, ties to even; what is below or above becomes 0 or 255, and NaN 0. Pixels are of
/// images of `batch x channels x height x width`, one image after the other.
///
/// A buffer on a GPU has whole words of 4 bytes: [`Self::bytes`], rounded up.
///
/// ```
/// use winoconv::graph::Format;
///
/// let sizes = [1, 3, 2, 5].into();
/// assert_eq!(Format::F16.bytes(sizes), 60);
/// assert_eq!(Format::RGBA8.bytes(sizes), 40);
/// // As `copy_texture_to_buffer` writes rows.
/// assert_eq!(Format::RGBA8.row_alignment(256).bytes(sizes), 512);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Format(Kind);

#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Numbers(DType),
    Pixels(Pixels),
}

/// Images of bytes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Pixels {
    name: &'static str,
    /// Bytes of a pixel that lie side by side: 1 where each channel is a plane.
    samples: usize,
    planes: bool,
    /// Which channels there may be.
    channels: [usize; 2],
    /// Whether the last of three channels comes first.
    reversed: bool,
    scale: f32,
    alignment: usize,
}

/// An element of a buffer, as kernels read and write it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Element {
    F32,
    F16,
    /// 16-bit floats on a device whose shaders have none: they are read from words.
    Half,
    Byte,
}

impl Element {
    pub(super) const fn size(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 | Self::Half => 2,
            Self::Byte => 1,
        }
    }
}

impl Format {
    /// 32-bit floats.
    pub const F32: Self = Self(Kind::Numbers(DType::F32));
    /// 16-bit floats.
    pub const F16: Self = Self(Kind::Numbers(DType::F16));
    /// Red, green, blue.
    pub const RGB8: Self = Self::pixels("RGB8", 3, [3, 3]);
    /// Red, green, blue, and a fourth byte: the fourth channel, if there is one. Else it is ignored in an input and 255 in an
    /// output.
    pub const RGBA8: Self = Self::pixels("RGBA8", 4, [3, 4]);
    /// The same for three channels, of which the last comes first: as many screens and videos have them.
    pub const BGRA8: Self = {
        let Self(kind) = Self::pixels("BGRA8", 4, [3, 3]);
        match kind {
            Kind::Pixels(pixels) => Self(Kind::Pixels(Pixels { reversed: true, ..pixels })),
            numbers @ Kind::Numbers(_) => Self(numbers),
        }
    };
    /// A plane for each channel, of however many.
    pub const PLANES8: Self = Self::pixels("PLANES8", 1, [1, usize::MAX]);

    const fn pixels(name: &'static str, samples: usize, channels: [usize; 2]) -> Self {
        Self(Kind::Pixels(Pixels {
            name,
            samples,
            planes: samples == 1,
            channels,
            reversed: false,
            scale: 1.0 / 255.0,
            alignment: 1,
        }))
    }

    /// What 1 in a byte stands for: 1 for numbers from 0 to 255. Floats have no scale, and stay as they are.
    #[must_use]
    pub const fn scale(self, scale: f32) -> Self {
        match self.0 {
            Kind::Numbers(_) => self,
            Kind::Pixels(pixels) => Self(Kind::Pixels(Pixels { scale, ..pixels })),
        }
    }

    /// Has each row of pixels begin at a multiple of so many bytes, at least 1. With 256, textures can be copied to the buffer or
    /// from it. Floats stay as they are.
    #[must_use]
    pub const fn row_alignment(self, bytes: usize) -> Self {
        match self.0 {
            Kind::Numbers(_) => self,
            Kind::Pixels(pixels) => {
                Self(Kind::Pixels(Pixels { alignment: if bytes == 0 { 1 } else { bytes }, ..pixels }))
            }
        }
    }

    /// Bytes of a tensor of these sizes.
    pub fn bytes(&self, dims: Dims) -> usize {
        match self.0 {
            Kind::Numbers(DType::F16) => dims.elements().saturating_mul(2),
            Kind::Numbers(_) => dims.elements().saturating_mul(4),
            Kind::Pixels(pixels) => pixels.bytes(dims),
        }
    }

    /// Refuses sizes that it cannot store.
    pub(super) fn check(&self, dims: Dims) -> Result<(), Refusal> {
        let Kind::Pixels(Pixels { name, channels: [least, most], scale, .. }) = self.0 else { return Ok(()) };
        if dims.rank() != 4 {
            return Err(refusal!("{name} stores batch x channels x height x width, got {dims}"));
        }
        if !(least..=most).contains(&dims[1]) {
            let expected = match most {
                usize::MAX => format!("at least {least}"),
                _ if least == most => format!("{least}"),
                _ => format!("{least} or {most}"),
            };
            return Err(refusal!("{name} stores {expected} channels, got {}", dims[1]));
        }
        if !(scale.is_normal() && scale > 0.0 && (1.0 / scale).is_normal()) {
            return Err(refusal!("a byte stands for {scale}, expected a finite number above 0, and so its inverse"));
        }
        // Kernels count bytes in 32 bits.
        if u32::try_from(self.bytes(dims)).is_err() {
            return Err(refusal!("rows of {dims} in {name} take 4 GiB or more, expected a smaller alignment or fewer"));
        }
        Ok(())
    }

    /// How kernels see an element, where those between the steps are of `storage`.
    pub(super) fn element(&self, storage: DType) -> Element {
        match (self.0, storage) {
            (Kind::Numbers(DType::F32), _) => Element::F32,
            (Kind::Numbers(DType::F16), DType::F16) => Element::F16,
            (Kind::Numbers(DType::F16), DType::F32) => Element::Half,
            (Kind::Pixels(_), _) => Element::Byte,
        }
    }

    pub(super) const fn as_pixels(&self) -> Option<Pixels> {
        match self.0 {
            Kind::Numbers(_) => None,
            Kind::Pixels(pixels) => Some(pixels),
        }
    }

    /// Numbers from what a buffer stores.
    pub(super) fn decoded(&self, dims: Dims, bytes: &[u8]) -> Vec<f32> {
        match self.0 {
            Kind::Numbers(dtype) => dtype.from_bytes(bytes, dims.elements()),
            Kind::Pixels(pixels) => pixels.decoded(dims, bytes),
        }
    }

    /// What a buffer stores, from numbers: as many bytes as [`Self::bytes`] says.
    pub(super) fn encoded<'a>(&self, dims: Dims, values: &'a [f32]) -> Cow<'a, [u8]> {
        match self.0 {
            Kind::Numbers(dtype) => match dtype.to_bytes(values) {
                Cow::Borrowed(bytes) => Cow::Borrowed(bytes),
                Cow::Owned(mut bytes) => {
                    bytes.truncate(self.bytes(dims));
                    Cow::Owned(bytes)
                }
            },
            Kind::Pixels(pixels) => Cow::Owned(pixels.encoded(dims, values)),
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Kind::Numbers(dtype) => dtype.fmt(f),
            Kind::Pixels(pixels) => f.write_str(pixels.name),
        }
    }
}

impl Pixels {
    pub(super) const fn scale(&self) -> f32 {
        self.scale
    }

    /// What a number is multiplied by to give a byte.
    pub(super) fn inverse(&self) -> f32 {
        1.0 / self.scale
    }

    /// Bytes of a pixel that lie side by side.
    pub(super) const fn samples(&self) -> usize {
        self.samples
    }

    /// Whether each channel is a plane.
    pub(super) const fn has_planes(&self) -> bool {
        self.planes
    }

    /// The byte of a pixel that is its first channel's, and how far the next channel's is from it.
    pub(super) const fn first_sample(&self) -> (usize, isize) {
        if self.reversed { (2, -1) } else { (0, 1) }
    }

    /// Bytes of a row.
    pub(super) fn row(&self, dims: Dims) -> usize {
        let row = dims[3].saturating_mul(self.samples);
        row.checked_next_multiple_of(self.alignment).unwrap_or(usize::MAX)
    }

    /// Bytes of the rows that lie together: of an image, or of a plane.
    pub(super) fn block(&self, dims: Dims) -> usize {
        dims[2].saturating_mul(self.row(dims))
    }

    pub(super) fn bytes(&self, dims: Dims) -> usize {
        let planes = if self.planes { dims[1] } else { 1 };
        self.block(dims).saturating_mul(planes).saturating_mul(dims[0])
    }

    /// The first byte of the first channel, and how far it is from each index of an axis to the next.
    pub(super) fn strides(&self, dims: Dims) -> (usize, [isize; 4]) {
        let (row, block) = (self.row(dims).cast_signed(), self.block(dims).cast_signed());
        let (first, next) = self.first_sample();
        match self.planes {
            true => (0, [block * dims[1].cast_signed(), block, row, 1]),
            false => (first, [block, next, row, self.samples.cast_signed()]),
        }
    }

    /// The channel that a byte of a pixel is of.
    fn channel(&self, sample: usize, channels: usize) -> Option<usize> {
        let (first, next) = self.first_sample();
        let channel = (sample.cast_signed() - first.cast_signed()) * next;
        usize::try_from(channel).ok().filter(|&channel| channel < channels)
    }

    fn decoded(&self, dims: Dims, bytes: &[u8]) -> Vec<f32> {
        let mut values = vec![0.0; dims.elements()];
        let (first, strides) = self.strides(dims);
        let step = strides[3].unsigned_abs().max(1);
        each_row(&mut values, dims[3], |row, values| {
            let (y, plane) = (row % dims[2], row / dims[2]);
            let indices = [plane / dims[1], plane % dims[1], y];
            let steps = indices.iter().zip(strides).map(|(&index, step)| step * index.cast_signed());
            let first = first.wrapping_add_signed(steps.sum());
            for (value, &byte) in values.iter_mut().zip(bytes[first..].iter().step_by(step)) {
                *value = f32::from(byte) * self.scale;
            }
        });
        values
    }

    fn encoded(&self, dims: Dims, values: &[f32]) -> Vec<u8> {
        let mut bytes = vec![0; self.bytes(dims)];
        let (width, plane, inverse) = (dims[3], dims[2] * dims[3], self.inverse());
        each_row(&mut bytes, self.row(dims), |row, bytes| {
            let (y, block) = (row % dims[2], row / dims[2]);
            for sample in 0..self.samples {
                let from = match self.planes {
                    true => Some(block * plane),
                    false => self.channel(sample, dims[1]).map(|channel| (block * dims[1] + channel) * plane),
                };
                let samples = bytes[sample..].iter_mut().step_by(self.samples).take(width);
                match from {
                    Some(from) => {
                        let row = &values[from + y * width..][..width];
                        samples.zip(row).for_each(|(byte, value)| *byte = to_byte(value * inverse));
                    }
                    None => samples.for_each(|byte| *byte = u8::MAX),
                }
            }
        });
        bytes
    }
}

/// Calls with each row of so many elements, and its number; several rows are a task.
fn each_row<T: Send>(all: &mut [T], len: usize, visit: impl Fn(usize, &mut [T]) + Sync) {
    let len = len.max(1);
    let rows = TASK.div_ceil(len);
    each_chunk(all, rows * len, |chunk, all| {
        all.chunks_mut(len).enumerate().for_each(|(i, row)| visit(chunk * rows + i, row));
    });
}

/// The nearest byte; NaN becomes 0.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the conversion saturates, and takes NaN to 0"
)]
fn to_byte(value: f32) -> u8 {
    value.round_ties_even() as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pixels_are_stored_and_read_back() {
        let dims = Dims::from([2, 3, 2, 5]);
        let values: Vec<f32> = (0..60u8).map(|i| f32::from(4 * i) / 255.0).collect();
        for format in [Format::RGB8, Format::RGBA8, Format::BGRA8, Format::PLANES8] {
            for alignment in [1, 4, 256] {
                let format = format.row_alignment(alignment);
                let bytes = format.encoded(dims, &values);
                assert_eq!(bytes.len(), format.bytes(dims));
                let back = format.decoded(dims, &bytes);
                let near = back.iter().zip(&values).all(|(a, b)| (a - b).abs() < 1e-6);
                assert!(near, "{format:?}: {back:?}");
            }
        }
        // The second pixel of the first row, by hand: channels of a plane of 10 are 40 apart.
        let [rgba, bgra, planes] = [Format::RGBA8, Format::BGRA8, Format::PLANES8].map(|of| of.encoded(dims, &values));
        assert_eq!((&rgba[4..8], &bgra[4..8]), (&[4, 44, 84, 255][..], &[84, 44, 4, 255][..]));
        assert_eq!([planes[1], planes[11], planes[21], planes[31]], [4, 44, 84, 124]);
    }

    #[test]
    fn bytes_are_rounded_to_even_and_bounded() {
        let values = [-0.1, 0.5, 1.5, 254.4, 255.5, f32::INFINITY, f32::NEG_INFINITY, f32::NAN];
        let bytes = Format::PLANES8.scale(1.0).encoded([1, 1, 1, 8].into(), &values);
        assert_eq!(*bytes, [0, 0, 2, 254, 255, 255, 0, 0]);
    }
}
