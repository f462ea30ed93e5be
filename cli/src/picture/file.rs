//! Pictures from files and back, by crate `image`, or PFM by this crate.

use std::io::Cursor;
use std::path::Path;

use image::codecs::jpeg::JpegEncoder;
use image::codecs::openexr::OpenExrEncoder;
use image::codecs::png::PngEncoder;
use image::codecs::webp::WebPEncoder;
use image::metadata::Orientation;
use image::{ColorType, DynamicImage, ImageBuffer, ImageDecoder as _, ImageEncoder, ImageFormat, ImageReader, Limits};

use super::{Depth, Picture, pfm};
use crate::error::{CliError, Result};
use crate::output;

/// Differences to a whole JPEG are hardly seen.
const JPEG_QUALITY: u8 = 95;
const RGB: usize = 3;
/// What a file may unfold to, so that a damaged head takes no more: 16,384 x 16,384 pixels of 16 bits and four channels.
const MOST_BYTES: u64 = 2 << 30;

/// A kind of file, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Png,
    Jpeg,
    WebP,
    Exr,
    Pfm,
}

impl Kind {
    pub(crate) fn of(path: &Path) -> Option<Self> {
        let ending = path.extension()?.to_str()?.to_lowercase();
        Some(match &*ending {
            "png" => Self::Png,
            "jpg" | "jpeg" => Self::Jpeg,
            "webp" => Self::WebP,
            "exr" => Self::Exr,
            "pfm" => Self::Pfm,
            _ => return None,
        })
    }

    /// The kind of a file that is to be written.
    pub(crate) fn to_write(path: &Path) -> Result<Self> {
        let expected = "a name that ends in .png, .jpg, .webp, .exr or .pfm";
        Self::of(path).ok_or_else(|| CliError::UnknownKind { path: path.to_owned(), expected })
    }

    const fn is_linear(self) -> bool {
        matches!(self, Self::Exr | Self::Pfm)
    }

    const fn has_alpha(self) -> bool {
        !matches!(self, Self::Jpeg | Self::Pfm)
    }

    /// The nearest depth that it has.
    const fn depth(self, depth: Depth) -> Depth {
        match (self, depth) {
            (Self::Exr | Self::Pfm, _) => Depth::Float,
            (Self::Png, Depth::Sixteen | Depth::Float) => Depth::Sixteen,
            _ => Depth::Eight,
        }
    }
}

impl Picture {
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let bytes = std::fs::read(path).map_err(|source| CliError::Read { path: path.to_owned(), source })?;
        let wrong = |problem: String| CliError::Picture { path: path.to_owned(), problem };
        if bytes.starts_with(b"PF") || bytes.starts_with(b"Pf") {
            return pfm::read(&bytes).map_err(wrong);
        }
        decoded(&bytes).map_err(|error| wrong(error.to_string()))
    }

    /// Writes the file that the name asks for. What it cannot hold is an error, or is said if it is only precision.
    pub(crate) fn write(self, path: &Path, force: bool, is_quiet: bool) -> Result<()> {
        let kind = Kind::to_write(path)?;
        self.check_fits(path)?;
        let depth = kind.depth(self.depth);
        if !is_quiet && matches!((self.depth, depth), (Depth::Sixteen | Depth::Float, Depth::Eight)) {
            eprintln!("{}: written with 8 bits; .png has 16, .exr and .pfm have 32", path.display());
        }
        let of_kind = if kind.is_linear() { self.into_linear() } else { self.into_srgb() };
        let bytes = match kind {
            Kind::Pfm => Ok(pfm::write(&of_kind)),
            _ => encoded(of_kind, kind, depth),
        };
        let cannot =
            |error: image::ImageError| CliError::CannotHold { path: path.to_owned(), problem: error.to_string() };
        output::write(path, &bytes.map_err(cannot)?, force)
    }

    /// Whether the file that a name asks for can hold the picture: to be asked before anything is computed for it.
    pub(crate) fn check_fits(&self, path: &Path) -> Result<()> {
        if self.alpha.is_some() && !Kind::to_write(path)?.has_alpha() {
            let problem = "it has transparency; write a .png, .webp or .exr".to_owned();
            return Err(CliError::CannotHold { path: path.to_owned(), problem });
        }
        Ok(())
    }

    /// From the numbers of a decoded file, of so many channels.
    fn from_numbers(image: &DynamicImage, numbers: &[f32], channels: usize, depth: Depth, is_linear: bool) -> Self {
        let (is_grey, has_alpha) = (channels <= 2, channels.is_multiple_of(2));
        let mut colour = Vec::with_capacity(numbers.len() / channels * RGB);
        for pixel in numbers.chunks_exact(channels) {
            match is_grey {
                true => colour.extend([pixel[0]; RGB]),
                false => colour.extend(&pixel[..RGB]),
            }
        }
        let alpha = has_alpha.then(|| numbers[channels - 1..].iter().step_by(channels).copied().collect());
        let (width, height) = (image.width() as usize, image.height() as usize);
        Self { width, height, colour, alpha, is_linear, is_grey, depth, profile: None }
    }

    /// Numbers as a file has them: one, two, three or four a pixel.
    fn to_numbers(&self) -> (Vec<f32>, usize) {
        let colours = if self.is_grey { 1 } else { RGB };
        let channels = colours + usize::from(self.alpha.is_some());
        let mut numbers = Vec::with_capacity(self.width * self.height * channels);
        for (i, pixel) in self.colour.chunks_exact(RGB).enumerate() {
            match self.is_grey {
                true => numbers.push(pixel.iter().sum::<f32>() / RGB as f32),
                false => numbers.extend(pixel),
            }
            numbers.extend(self.alpha.as_ref().map(|alpha| alpha[i]));
        }
        (numbers, channels)
    }
}

fn decoded(bytes: &[u8]) -> image::ImageResult<Picture> {
    let mut reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format()?;
    let mut limits = Limits::default();
    limits.max_alloc = Some(MOST_BYTES);
    reader.limits(limits);
    let is_linear = reader.format() == Some(ImageFormat::OpenExr);
    let mut decoder = reader.into_decoder()?;
    let profile = decoder.icc_profile()?;
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let mut image = DynamicImage::from_decoder(decoder)?;
    // The file that is written has no metadata that would turn it.
    image.apply_orientation(orientation);
    let channels = usize::from(image.color().channel_count());
    let bytes = |bytes: &[u8]| bytes.iter().map(|&byte| f32::from(byte) / 255.0).collect::<Vec<f32>>();
    let words = |words: &[u16]| words.iter().map(|&word| f32::from(word) / 65535.0).collect::<Vec<f32>>();
    let (numbers, depth) = match &image {
        DynamicImage::ImageLuma8(of) => (bytes(of), Depth::Eight),
        DynamicImage::ImageLumaA8(of) => (bytes(of), Depth::Eight),
        DynamicImage::ImageRgb8(of) => (bytes(of), Depth::Eight),
        DynamicImage::ImageRgba8(of) => (bytes(of), Depth::Eight),
        DynamicImage::ImageLuma16(of) => (words(of), Depth::Sixteen),
        DynamicImage::ImageLumaA16(of) => (words(of), Depth::Sixteen),
        DynamicImage::ImageRgb16(of) => (words(of), Depth::Sixteen),
        DynamicImage::ImageRgba16(of) => (words(of), Depth::Sixteen),
        DynamicImage::ImageRgb32F(of) => (of.to_vec(), Depth::Float),
        other => (other.to_rgba32f().into_raw(), Depth::Float),
    };
    let mut picture = Picture::from_numbers(&image, &numbers, channels, depth, is_linear);
    picture.profile = profile;
    Ok(picture)
}

fn encoded(picture: Picture, kind: Kind, depth: Depth) -> image::ImageResult<Vec<u8>> {
    let mut picture = picture;
    // Of the formats here only PNG and JPEG hold grey pictures.
    picture.is_grey &= matches!(kind, Kind::Png | Kind::Jpeg);
    let (numbers, channels) = picture.to_numbers();
    let too_large = || {
        let kind = image::error::LimitErrorKind::DimensionError;
        image::ImageError::Limits(image::error::LimitError::from_kind(kind))
    };
    let (width, height) =
        u32::try_from(picture.width).ok().zip(u32::try_from(picture.height).ok()).ok_or_else(too_large)?;
    let index = channels - 1;
    let (bytes, colours) = match depth {
        Depth::Eight => {
            let bytes = numbers.iter().map(|value| (value * 255.0).round() as u8).collect();
            (bytes, [ColorType::L8, ColorType::La8, ColorType::Rgb8, ColorType::Rgba8])
        }
        Depth::Sixteen => {
            let words = numbers.iter().map(|value| (value * 65535.0).round() as u16);
            let bytes: Vec<u8> = words.flat_map(u16::to_ne_bytes).collect();
            (bytes, [ColorType::L16, ColorType::La16, ColorType::Rgb16, ColorType::Rgba16])
        }
        Depth::Float => {
            let bytes = numbers.iter().flat_map(|value| value.to_ne_bytes()).collect();
            // The first two are not asked for: the formats of floats are written in colours.
            (bytes, [ColorType::Rgb32F, ColorType::Rgba32F, ColorType::Rgb32F, ColorType::Rgba32F])
        }
    };
    let mut file = Cursor::new(Vec::new());
    let profile = picture.profile.take();
    let colours = colours[index].into();
    match kind {
        Kind::Png => with_profile(PngEncoder::new(&mut file), profile).write_image(&bytes, width, height, colours)?,
        Kind::Jpeg => {
            let encoder = with_profile(JpegEncoder::new_with_quality(&mut file, JPEG_QUALITY), profile);
            encoder.write_image(&bytes, width, height, colours)?;
        }
        Kind::WebP => {
            let encoder = with_profile(WebPEncoder::new_lossless(&mut file), profile);
            encoder.write_image(&bytes, width, height, colours)?;
        }
        Kind::Exr | Kind::Pfm => OpenExrEncoder::new(&mut file).write_image(&bytes, width, height, colours)?,
    }
    Ok(file.into_inner())
}

fn with_profile<E: ImageEncoder>(mut encoder: E, profile: Option<Vec<u8>>) -> E {
    if let Some(profile) = profile {
        // Without it the colours are those of sRGB, as they are for most viewers.
        let _ = encoder.set_icc_profile(profile);
    }
    encoder
}

/// One number a pixel, enlarged by a bicubic filter.
pub(crate) fn enlarged(alpha: Vec<f32>, [width, height]: [usize; 2], scale: usize) -> Option<Vec<f32>> {
    let size = |size: usize| u32::try_from(size).ok();
    let (columns, rows) = (size(width)?, size(height)?);
    let (wide, high) = (size(width.checked_mul(scale)?)?, size(height.checked_mul(scale)?)?);
    let plane: ImageBuffer<image::Luma<f32>, Vec<f32>> = ImageBuffer::from_raw(columns, rows, alpha)?;
    let large = image::imageops::resize(&plane, wide, high, image::imageops::FilterType::CatmullRom);
    Some(large.into_raw().into_iter().map(|value| value.clamp(0.0, 1.0)).collect())
}
