//! `winoconv denoise`.

use std::path::Path;

use winoconv_models::{Denoiser, Frame, Range, Shipped, UNet};

use crate::args::Denoise;
use crate::error::{CliError, Result};
use crate::picture::{Depth, Kind, Picture};
use crate::progress::Bar;
use crate::{device, output};

pub(crate) fn verb(options: &Denoise) -> Result<()> {
    Kind::to_write(&options.output)?;
    output::check(&options.output, options.writing.force)?;
    let mut picture = Picture::read(&options.colour)?;
    picture.check_fits(&options.output)?;
    let range = range(options, &picture);
    if range == Range::Hdr {
        picture = picture.into_linear();
    }
    let network = network(options, range)?;
    let albedo = options.albedo.as_deref().map(|path| beside(path, &picture).map(Picture::into_linear)).transpose()?;
    let normal = options.normal.as_deref().map(|path| normals(path, &picture)).transpose()?;

    let device = device::choose(&options.on.place, Some(&options.writing))?;
    let size = [picture.width, picture.height];
    let denoiser = Denoiser::new_blocking(&network, range, size, &device::options(&options.on, &device))?;
    if options.on.place.explain {
        println!("{denoiser}");
    }
    let mut frame = Frame::new(&picture.colour);
    frame.albedo = albedo.as_ref().map(|albedo| &*albedo.colour);
    frame.normal = normal.as_deref();
    let bar = Bar::new(options.colour.display().to_string(), options.writing.quiet);
    let clean = denoiser.run_with_blocking(&frame, |progress| bar.set(progress))?;
    drop(bar);
    picture.colour = clean;
    picture.write(&options.output, options.writing.force, options.writing.quiet)
}

/// What the numbers of the picture are: light in files of floats, and what screens show in others.
fn range(options: &Denoise, picture: &Picture) -> Range {
    match (options.hdr, options.ldr, picture.is_linear) {
        (true, ..) | (false, false, true) => Range::Hdr,
        (false, true, true) => Range::Ldr,
        (false, _, false) => Range::Srgb,
    }
}

fn network(options: &Denoise, range: Range) -> Result<UNet> {
    let Some(path) = &options.weights else {
        let shipped = Shipped::find(range, options.albedo.is_some(), options.normal.is_some(), options.small)?;
        return Ok(UNet::shipped(shipped)?);
    };
    let file = std::fs::read(path).map_err(|source| CliError::Read { path: path.to_owned(), source })?;
    UNet::from_tza(&file).map_err(|source| CliError::Weights { path: path.to_owned(), source: Box::new(source) })
}

/// A picture of the same frame.
fn beside(path: &Path, colours: &Picture) -> Result<Picture> {
    let picture = Picture::read(path)?;
    if (picture.width, picture.height) != (colours.width, colours.height) {
        return Err(CliError::OtherSize { path: path.to_owned(), expected: colours.size(), got: picture.size() });
    }
    Ok(picture)
}

/// Normals from -1 to 1.
fn normals(path: &Path, colours: &Picture) -> Result<Vec<f32>> {
    let picture = beside(path, colours)?;
    let is_float = picture.depth == Depth::Float;
    Ok(picture.colour.into_iter().map(|value| if is_float { value } else { 2.0 * value - 1.0 }).collect())
}
