//! `winoconv upscale`.

use std::path::Path;

use winoconv::Device;
use winoconv_models::{Compact, Upscaler};

use crate::args::Upscale;
use crate::device;
use crate::error::{CliError, Result};
use crate::files::{self, Job};
use crate::picture::{Kind, Picture, enlarged};
use crate::progress::Bar;

/// The upscaler for the size of the last picture: a folder's pictures are often of one size.
type Kept = Option<([usize; 2], Upscaler)>;

pub(crate) fn verb(options: &Upscale) -> Result<()> {
    let jobs = files::jobs(&options.inputs, &options.output, options.writing.force)?;
    for job in &jobs {
        Kind::to_write(&job.output)?;
    }
    let network = network(options)?;
    let device = device::choose(&options.on.place, Some(&options.writing))?;
    let mut kept = None;
    let mut failed = 0;
    for (i, job) in jobs.iter().enumerate() {
        let place = if jobs.len() > 1 { format!("{} of {}: ", i + 1, jobs.len()) } else { String::new() };
        match enlarge(job, options, &network, &device, &mut kept, &place) {
            Ok(()) => {}
            Err(error) if jobs.len() == 1 => return Err(error),
            // The others do not depend on it.
            Err(error) => {
                eprintln!("error: {error}");
                failed += 1;
            }
        }
    }
    if failed > 0 {
        return Err(CliError::Several { failed, count: jobs.len() });
    }
    Ok(())
}

fn network(options: &Upscale) -> Result<Compact> {
    let network = match &options.weights {
        None => Compact::realesr_animevideo_v3()?,
        Some(path) => read_network(path)?,
    };
    Ok(network.at_scale(options.scale.into())?)
}

fn read_network(path: &Path) -> Result<Compact> {
    let read = |path: &Path| std::fs::read(path).map_err(|source| CliError::Read { path: path.to_owned(), source });
    let network = match path.extension().and_then(|ending| ending.to_str()) {
        Some("safetensors") => Compact::from_safetensors(&read(path)?),
        Some("param") => {
            let param = String::from_utf8_lossy(&read(path)?).into_owned();
            Compact::from_ncnn(&param, &read(&path.with_extension("bin"))?)
        }
        _ => {
            let expected = "a .safetensors file, or a .param file with its .bin beside it";
            return Err(CliError::UnknownKind { path: path.to_owned(), expected });
        }
    };
    network.map_err(|source| CliError::Weights { path: path.to_owned(), source: Box::new(source) })
}

fn enlarge(
    job: &Job,
    options: &Upscale,
    network: &Compact,
    device: &Device,
    kept: &mut Kept,
    place: &str,
) -> Result<()> {
    // The network was trained on pictures as screens show them.
    let mut picture = Picture::read(&job.input)?.into_srgb();
    picture.check_fits(&job.output)?;
    let size = [picture.width, picture.height];
    let upscaler = match kept.take() {
        Some((of, upscaler)) if of == size => upscaler,
        _ => {
            let upscaler = Upscaler::new_blocking(network, size, &device::options(&options.on, device))?;
            if options.on.place.explain {
                println!("{upscaler}");
            }
            upscaler
        }
    };
    let bar = Bar::new(format!("{place}{}", job.input.display()), options.writing.quiet);
    picture.colour = upscaler.run_with_blocking(&picture.colour, |progress| bar.set(progress))?;
    drop(bar);
    [picture.width, picture.height] = upscaler.output_size();
    *kept = Some((size, upscaler));
    if let Some(alpha) = picture.alpha.take() {
        picture.alpha = enlarged(alpha, size, network.scale());
    }
    picture.write(&job.output, options.writing.force, options.writing.quiet)
}
