//! What can be said on the command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use winoconv_models::Precision;

/// Enlarges and denoises pictures, and runs ONNX models, on any GPU or the CPU.
///
/// Exit codes: 0 if everything was done, 1 if something failed, 2 for wrong usage, 130 after Ctrl-C.
#[derive(Debug, Parser)]
#[command(name = "winoconv", version)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    Upscale(Upscale),
    Denoise(Denoise),
    Run(Run),
    Bench(Bench),
    /// List the devices that can be asked for
    Devices,
}

/// Enlarge pictures by 2, 3 or 4
#[derive(Debug, Args)]
pub(crate) struct Upscale {
    /// Pictures (PNG, JPEG, WebP, EXR, PFM), folders of pictures, or patterns as *.png
    #[arg(required = true, value_name = "IN")]
    pub(crate) inputs: Vec<PathBuf>,
    /// A file for one picture; a folder for several, which keep their names
    #[arg(short, long, value_name = "OUT")]
    pub(crate) output: PathBuf,
    /// How many times larger each side becomes. The network enlarges by 4; for 2 and 3 its result is resized down
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u8).range(2..=4))]
    pub(crate) scale: u8,
    /// Another compact network (SRVGGNetCompact): a .safetensors file, or ncnn's .param file with its .bin beside it
    #[arg(long, value_name = "FILE")]
    pub(crate) weights: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) writing: Writing,
    #[command(flatten)]
    pub(crate) on: On,
}

/// Remove noise from a rendered picture
#[derive(Debug, Args)]
pub(crate) struct Denoise {
    /// The picture (EXR, PFM, PNG, JPEG, WebP)
    #[arg(value_name = "COLOR")]
    pub(crate) colour: PathBuf,
    /// Where the result goes
    #[arg(short, long, value_name = "OUT")]
    pub(crate) output: PathBuf,
    /// Colours of the surfaces, without light
    #[arg(long, value_name = "FILE")]
    pub(crate) albedo: Option<PathBuf>,
    /// Normals of the surfaces, from -1 to 1 in EXR and PFM, from 0 to 1 in other files
    #[arg(long, value_name = "FILE")]
    pub(crate) normal: Option<PathBuf>,
    /// Light without an upper bound. Default for EXR and PFM
    #[arg(long, conflicts_with = "ldr")]
    pub(crate) hdr: bool,
    /// Colours from 0 to 1. Default for PNG, JPEG and WebP
    #[arg(long)]
    pub(crate) ldr: bool,
    /// A network of a third of the weights, which is faster and less good
    #[arg(long, conflicts_with = "weights")]
    pub(crate) small: bool,
    /// Other weights of Intel Open Image Denoise: a .tza file
    #[arg(long, value_name = "FILE")]
    pub(crate) weights: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) writing: Writing,
    #[command(flatten)]
    pub(crate) on: On,
}

/// Run an ONNX model on files
#[derive(Debug, Args)]
pub(crate) struct Run {
    #[command(flatten)]
    pub(crate) model: Model,
    /// A picture (values from 0 to 1, in planes), a .npy file, or numbers of 32 bits in a .f32 file
    #[arg(long = "input", value_name = "NAME=FILE", value_parser = named)]
    pub(crate) inputs: Vec<(String, PathBuf)>,
    /// Where an output goes, in the same forms
    #[arg(long = "output", value_name = "NAME=FILE", value_parser = named)]
    pub(crate) outputs: Vec<(String, PathBuf)>,
    #[command(flatten)]
    pub(crate) writing: Writing,
    #[command(flatten)]
    pub(crate) on: On,
}

/// Time an ONNX model on numbers that look like noise
#[derive(Debug, Args)]
pub(crate) struct Bench {
    #[command(flatten)]
    pub(crate) model: Model,
    /// The least time of so many runs is told
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) runs: u32,
    /// Also tell the time of each step
    #[arg(long)]
    pub(crate) steps: bool,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Args)]
pub(crate) struct Model {
    /// The model
    #[arg(value_name = "MODEL.onnx")]
    pub(crate) path: PathBuf,
    /// Sizes of an input that the model leaves open, as image=1x3x224x224
    #[arg(long = "size", value_name = "NAME=SIZES", value_parser = sized)]
    pub(crate) sizes: Vec<(String, Vec<usize>)>,
}

#[derive(Debug, Args)]
pub(crate) struct Writing {
    /// Replace files that are there
    #[arg(short, long)]
    pub(crate) force: bool,
    /// Tell nothing but errors
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

/// Where and how a network runs on pictures.
#[derive(Debug, Args)]
pub(crate) struct On {
    #[command(flatten)]
    pub(crate) place: Place,
    /// What the network may take on the device; larger pictures are computed in tiles, with the same result
    #[arg(long, value_name = "MIB", default_value_t = 2048, value_parser = clap::value_parser!(u64).range(1..1 << 30))]
    pub(crate) memory: u64,
}

/// Where a network runs, and how exact.
#[derive(Debug, Args)]
pub(crate) struct Place {
    /// A GPU whose name contains this, see `winoconv devices`. Default: the best hardware GPU, or the CPU if there is none
    #[arg(long, value_name = "NAME")]
    pub(crate) device: Option<String>,
    /// The CPU
    #[arg(long, conflicts_with = "device")]
    pub(crate) cpu: bool,
    /// How exact it is: as f32, as TF32, or with tensors of 16 bits on a GPU
    #[arg(long, value_enum, default_value_t)]
    pub(crate) precision: PrecisionName,
    /// Print the network's plan: steps, algorithms, tiles
    #[arg(long)]
    pub(crate) explain: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum PrecisionName {
    #[default]
    Strict,
    Tf32,
    F16,
}

impl From<PrecisionName> for Precision {
    fn from(name: PrecisionName) -> Self {
        match name {
            PrecisionName::Strict => Self::Strict,
            PrecisionName::Tf32 => Self::Tf32,
            PrecisionName::F16 => Self::F16,
        }
    }
}

fn named(text: &str) -> Result<(String, PathBuf), String> {
    match text.split_once('=') {
        Some((name, file)) if !name.is_empty() && !file.is_empty() => Ok((name.to_owned(), file.into())),
        _ => Err("expected NAME=FILE".to_owned()),
    }
}

fn sized(text: &str) -> Result<(String, Vec<usize>), String> {
    let wrong = || "expected NAME=SIZES, as image=1x3x224x224".to_owned();
    let (name, sizes) = text.split_once('=').ok_or_else(wrong)?;
    let sizes = sizes.split('x').map(str::parse).collect::<Result<_, _>>().map_err(|_| wrong())?;
    Ok((name.to_owned(), sizes))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn arguments_make_sense() {
        Arguments::command().debug_assert();
        assert_eq!(named("x=a=b.png"), Ok(("x".to_owned(), "a=b.png".into())));
        assert!(named("x").is_err() && named("=y").is_err());
        assert_eq!(sized("x=1x3x4"), Ok(("x".to_owned(), vec![1, 3, 4])));
        assert!(sized("x=1x").is_err() && sized("1x3").is_err());
    }
}
