//! Reads ONNX models into the graphs of winoconv.
//!
//! ```no_run
//! use winoconv::graph::Network;
//! use winoconv::{Device, Preferences};
//! use winoconv_onnx::Model;
//!
//! let model = Model::open("mobilenet.onnx")?;
//! let graph = model.graph(&[("input", [1, 3, 224, 224].into())])?;
//! let network = Network::new_blocking(&Device::cpu(), &graph, Preferences::new())?;
//! let scores = network.run_blocking(&[&vec![0.5; 3 * 224 * 224]])?;
//! println!("{} scores", scores[0].len());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! **Types.** A graph computes in f32. Tensors of f16 and bf16 are widened, those of f64 rounded. Integers and the shapes that
//! models compute with them must be known when the graph is made: they are evaluated then. A boolean that is not known is an f32
//! of 0 or 1.
//!
//! **Coverage.** [`operators`] names the operators that are read, of [`OPSETS`]. Weights of convolutions, scales and sizes of
//! resizing, and all indices must be known when the graph is made. Not supported are training, indices as results, antialiasing
//! and cropping while resizing, subgraphs, functions, sequences, texts and quantized tensors. Models of older
//! versions can be raised by the standard's own converter.
//!
//! **Trust.** A file is not trusted: what is damaged or hostile is an error. Memory is bounded by the size of the file, and by a
//! fixed amount for what nodes make of known tensors. Data in other files must lie below the model's folder.

mod error;
mod external;
mod import;
mod model;
mod proto;
mod tensor;

pub use error::{OnnxError, Result, Unsupported};
pub use model::{Input, Model};

/// The names of the operators that are read.
///
/// ```
/// assert!(winoconv_onnx::operators().any(|name| name == "ConvTranspose"));
/// ```
pub fn operators() -> impl Iterator<Item = &'static str> {
    import::operators()
}

/// The versions of the standard's operators that are read.
pub const OPSETS: std::ops::RangeInclusive<i64> = 7..=23;
