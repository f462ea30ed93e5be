//! Convolutions on any GPU through [`wgpu`] (Vulkan, Metal, DX12, WebGPU) with one set of WGSL kernels, and on the CPU
//! by Winograd's minimal filtering where that is faster and accurate enough.
//!
//! Describe a convolution, put it on a device with its weights, run it:
//!
//! ```
//! use winoconv::{Activation, Conv, Device, Layer, Preferences, Weights};
//!
//! let device = Device::best_blocking(); // a hardware GPU, or else the CPU: `device.fallback()` says why
//! let conv = Conv::new(3, 8, [3, 3]).padding(1).bias(true).activation(Activation::Relu);
//! let (weights, bias) = (vec![0.1; 8 * 3 * 9], vec![0.0; 8]);
//! let layer = Layer::new_blocking(&device, conv, Weights::new(&weights).bias(&bias), Preferences::new())?;
//!
//! let output = layer.run_blocking([1, 3, 32, 32], &vec![1.0; 3 * 32 * 32])?;
//! assert_eq!(output.shape, [1, 8, 32, 32]);
//! println!("{}", output.account); // what ran, and on which device
//! println!("{}", layer.plan([1, 3, 32, 32])?); // the chosen algorithm, and why each other one was rejected
//! # Ok::<(), winoconv::Error>(())
//! ```
//!
//! # How to choose
//!
//! | depth | call | for |
//! |---|---|---|
//! | simple | [`Layer::run`] | slices in, vector out |
//! | reuse | [`Layer::run_with_workspace`] | many runs: buffers are kept |
//! | encode | [`Layer::bind`], then [`gpu::Bound::encode`] | your device, your encoder, your buffers; no copy, no submit |
//!
//! | algorithm | kernels | for |
//! |---|---|---|
//! | [`plan::Algorithm::Direct`] | 1 | anything: any size, stride, dilation, groups |
//! | [`plan::Algorithm::ImplicitGemm`] | 1 or 2 | anything, as a blocked product of matrices: many filters, strides, 1 x 1; in two where long sums of few outputs are walked in parts |
//! | [`plan::Algorithm::Dot`] | 1 | few outputs of long sums: linear layers of one row |
//! | [`plan::Algorithm::Depthwise`] | 1 | groups of one channel |
//! | [`plan::Algorithm::Fused`] | 1 | as below; small images, and large ones with few channels |
//! | [`plan::Algorithm::FusedFilter`] | 1 | the same with the weights as they are given: one dispatch in all |
//! | [`plan::Algorithm::FusedOutput`] | 2 | as below; in between |
//! | [`plan::Algorithm::Staged`] | 3 | Winograd F(m, r), strides and dilations by phases; for 3 x 3 by default up to 4 times fewer multiplications |
//!
//! The planner chooses. [`Preferences`] say how far the result may be from the exact one and how much memory may be
//! used, or force an algorithm. A [`plan::Plan`] is a value that prints what will run and why. [`tune`] measures all choices
//! and keeps the fastest as [`plan::Wisdom`], which plans follow.
//!
//! With the feature `serde` a plan is written and read in any format of serde's, as a `plan::Document`.
//!
//! # Tensors in f16
//!
//! [`Conv::dtype`] stores input, weights, output and residual as [`DType::F16`]; sums, bias and slopes are f32, and what is
//! beyond 65,504 when it is stored becomes infinite. [`Layer::run`] rounds and widens slices of f32 at the ends;
//! [`Layer::bind`] takes buffers of halves, at any multiple of 2 bytes. Shaders that have 16-bit floats
//! ([`caps::Caps::f16`]) read and write them as they are. Others read words, make the outputs in f32 and pack them at the
//! end: one more dispatch, and a workspace of the output's size in f32. Every algorithm supports both.
//!
//! # Features
//!
//! `gpu` (default): the GPU device. `graph`: whole networks. `serde`: plans as documents. `internals`: what this repository's
//! tests and tools need of the inside (kernels, WGSL texts, twins, transforms); anything in it may change in any version.
//!
//! # wgpu
//!
//! With the feature `gpu` (on by default) the crate re-exports the [`wgpu`] whose types stand in its interface. A new
//! major version of wgpu is a new minor version of this crate before 1.0, and a new major version after.
#![cfg_attr(docsrs, feature(doc_cfg))]
#![warn(clippy::print_stdout, clippy::print_stderr)]
#![cfg_attr(
    not(feature = "internals"),
    allow(
        clippy::enum_variant_names,
        dead_code,
        unreachable_pub,
        unused_imports,
        reason = "public with the feature `internals`, with which all of it is linted"
    )
)]

pub mod account;
mod activation;
pub mod caps;
mod conv;
mod correlation;
#[cfg(not(feature = "internals"))]
mod cpu;
#[cfg(feature = "internals")]
pub mod cpu;
mod device;
mod dtype;
pub mod error;
#[cfg(feature = "gpu")]
pub mod gpu;
#[cfg(feature = "graph")]
pub mod graph;
#[cfg(not(feature = "internals"))]
mod kernel;
#[cfg(feature = "internals")]
pub mod kernel;
mod layer;
#[cfg(not(feature = "internals"))]
mod layout;
#[cfg(feature = "internals")]
pub mod layout;
mod padding;
pub mod plan;
mod problem;
mod spatial;
pub mod tune;
#[cfg(not(feature = "internals"))]
mod twin;
#[cfg(feature = "internals")]
pub mod twin;
#[cfg(not(feature = "internals"))]
mod wgsl;
#[cfg(feature = "internals")]
pub mod wgsl;
#[cfg(not(feature = "internals"))]
mod winograd;
#[cfg(feature = "internals")]
pub mod winograd;

pub use account::Account;
pub use activation::{Activation, Kept};
pub use conv::{Conv, Residual};
#[cfg(feature = "internals")]
pub use correlation::Correlation;
pub use device::{Device, Fallback};
pub use dtype::DType;
pub use error::{Error, Result};
#[cfg(feature = "gpu")]
pub use layer::{Ends, WeightTensors};
pub use layer::{Inputs, Layer, Output, Weights, Workspace};
pub use layout::{Layout, View};
pub use padding::{Border, Padding};
pub use plan::{Algorithm, Plan, Preferences, Tolerance};
pub use problem::{Operation, Placed, Problem};
pub use spatial::{MAX_RANK, Shape, Spatial};
#[cfg(feature = "gpu")]
pub use wgpu;

/// The example in the README, compiled and run with the doc tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

/// The examples of pages in `docs`, likewise.
#[cfg(doctest)]
#[doc = include_str!("../docs/TUNING.md")]
struct Tuning;

/// The same.
#[cfg(all(doctest, feature = "graph", feature = "gpu"))]
#[doc = include_str!("../docs/NETWORKS.md")]
struct Networks;

/// This crate's version.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
