//! Networks that people want, as winoconv's graphs, with their weights: an upscaler and a denoiser of rendered pictures. They run on
//! any GPU and on the CPU, and within a memory ceiling if one is given.
//!
//! ```no_run
//! use winoconv::Device;
//! use winoconv_models::{Compact, Denoiser, Frame, Options, Range, Shipped, UNet, Upscaler};
//!
//! let device = Device::best_blocking();
//! let options = Options::new(&device).memory(1 << 30);
//! # let (pixels, colour, albedo, normal) = (vec![0.0f32; 3], vec![0.0f32; 3], vec![0.0f32; 3], vec![0.0f32; 3]);
//!
//! let upscaler = Upscaler::new_blocking(&Compact::realesr_animevideo_v3()?, [1280, 720], &options)?;
//! let large = upscaler.run_blocking(&pixels)?; // 5120 x 2880
//!
//! let network = UNet::shipped(Shipped::HdrAlbedoNormal)?;
//! let denoiser = Denoiser::new_blocking(&network, Range::Hdr, [1920, 1080], &options)?;
//! let clean = denoiser.run_blocking(&Frame::new(&colour).albedo(&albedo).normal(&normal))?;
//! # Ok::<(), winoconv_models::ModelError>(())
//! ```
//!
//! **Pictures** are slices of f32: red, green and blue of each pixel side by side, row by row from the top. Each call says which
//! numbers it reads and gives.
//!
//! **Several pictures.** An [`Upscaler`] or a [`Denoiser`] is for pictures of one size, has its weights on the device and keeps its
//! buffers, so use one for all pictures of that size.
//!
//! **Graphs.** [`Compact::graph`] and [`UNet::graph`] give the networks themselves, for your own buffers and encoders.
//!
//! **Weights** are read from safetensors, ncnn's and TZA files as well. Files are not trusted: what is damaged is an error, and memory
//! is bounded by the size of the file. The licences of the weights that are part of this crate are in `README.md`.

mod denoise;
mod error;
mod run;
mod upscale;
mod weights;

pub use denoise::{Denoiser, Features, Frame, Range, Shipped, UNet};
pub use error::{FileKind, ModelError, Result};
pub use run::{Options, Precision, Progress};
pub use upscale::{Compact, Upscaler};

/// The examples of docs/CLIENTS.md, compiled as doc tests.
#[cfg(doctest)]
#[doc = include_str!("../../docs/CLIENTS.md")]
struct Clients;
