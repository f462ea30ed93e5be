//! Convolutions of [burn](https://burn.dev) by winoconv's kernels, on the wgpu device, queue and buffers that burn itself uses.
//! Nothing is copied: winoconv's kernels read and write burn's tensors.
//!
//! Give burn's device to [`attach`] once, then use [`Conv2d`] in the place of `burn::nn::conv::Conv2d`, or [`conv2d`] in the
//! place of `burn::tensor::module::conv2d`. Both are differentiable: the gradients of input, weights and bias are computed by
//! winoconv as well.
//!
//! ```
//! use burn::tensor::{Device, Tensor};
//! use winoconv_burn::{Conv2dConfig, Ran};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let (device, setup) = Device::wgpu_options().init_with_setup()?;
//! winoconv_burn::attach(&device, &setup)?;
//!
//! let conv = Conv2dConfig::new([3, 8], [3, 3]).init(&device);
//! let output = conv.forward(Tensor::ones([1, 3, 32, 32], &device));
//! assert_eq!(output.dims(), [1, 8, 30, 30]);
//! output.into_data();
//!
//! for entry in winoconv_burn::report(&device) {
//!     println!("{entry}"); // what ran, and how often
//!     assert!(matches!(entry.ran, Ran::Winoconv { .. }));
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # What falls back to burn
//!
//! Tensors that are not f32, devices that were not attached, and whatever winoconv refuses run by burn's own kernels. This is
//! never silent: [`report`] lists it with the reason ([`Why`]), and the first time of each case is logged as a warning.

mod autodiff;
mod device;
mod geometry;
mod module;
mod ops;
mod packed;
mod report;

pub use device::{AttachError, CAPACITY, attach};
pub use geometry::Geometry;
pub use module::{Conv2d, Conv2dConfig, conv2d};
pub use report::{Entry, Ran, Why, report};
pub use winoconv::{Operation, Plan};

/// The example in the README, compiled with the doc tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
