//! What can go wrong, and what to do about it.

use std::io;
use std::path::PathBuf;

use winoconv_models::ModelError;
use winoconv_onnx::OnnxError;

pub(crate) type Result<T, E = CliError> = std::result::Result<T, E>;

#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    #[error("cannot read {}: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("cannot write {}: {source}", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("{} is there already; pass --force to replace it", .0.display())]
    Exists(PathBuf),
    #[error("{} is no picture that can be read: {problem}", path.display())]
    Picture { path: PathBuf, problem: String },
    #[error("{} cannot hold the picture: {problem}", path.display())]
    CannotHold { path: PathBuf, problem: String },
    #[error("{}: unknown kind of file; expected {expected}", path.display())]
    UnknownKind { path: PathBuf, expected: &'static str },
    #[error("no pictures found in {}; expected files that end in {}", path.display(), crate::files::ENDINGS.join(", "))]
    NoPictures { path: PathBuf },
    #[error("there are {count} pictures, and {} is a file; name a folder with -o", output.display())]
    OutputIsFile { count: usize, output: PathBuf },
    #[error("{} and {} would both be written to {}; give them other names, or write them to folders of their own",
        first.display(), second.display(), output.display())]
    SameOutput { first: PathBuf, second: PathBuf, output: PathBuf },
    #[error("the pattern {pattern} is not valid: {problem}")]
    Pattern { pattern: String, problem: String },
    #[error("{} is of {got}, and the colours are of {expected}; all pictures of a frame have one size", path.display())]
    OtherSize { path: PathBuf, expected: String, got: String },
    #[error("{device}\n`winoconv devices` lists the devices; --cpu takes the CPU")]
    Device { device: winoconv::Error },
    #[error("{}: {source}", path.display())]
    Weights { path: PathBuf, source: Box<ModelError> },
    #[error("{}: {source}", path.display())]
    Onnx { path: PathBuf, source: Box<OnnxError> },
    #[error("{}: {problem}", path.display())]
    Array { path: PathBuf, problem: String },
    #[error("the model has no {what} {name}; there are: {}", known.join(", "))]
    NoSuchEnd { what: &'static str, name: String, known: Vec<String> },
    #[error("the input {input} is missing; pass --input {input}=FILE")]
    MissingInput { input: String },
    #[error("{failed} of {count} pictures failed")]
    Several { failed: usize, count: usize },
    #[error("Ctrl-C cannot be caught: {0}")]
    Interrupt(ctrlc::Error),
    #[error(transparent)]
    Model(#[from] ModelError),
    #[error(transparent)]
    Winoconv(#[from] winoconv::Error),
}
