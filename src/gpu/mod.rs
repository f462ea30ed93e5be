//! The only place that names wgpu: devices of our own or the caller's, pipelines, buffers, and plans bound to
//! buffers so that they can be encoded again and again.

mod bound;
mod buffer;
mod cache;
mod caps;
mod context;
mod fault;
mod identity;
mod pipeline;
mod pipelines;
mod recommended;
#[cfg(feature = "graph")]
mod shaders;
mod staging;
mod tensors;
#[cfg(not(target_arch = "wasm32"))]
mod threads;
mod timing;
mod trusted;
mod weights;

pub(crate) use bound::variants;
pub use bound::{Bound, Dispatches};
pub use buffer::Workspace;
#[cfg(feature = "internals")]
pub use cache::reseal_stored_cache;
pub use cache::{CacheFault, CacheSource, CacheState};
pub use context::{AdapterChoice, Context, ContextOptions, adapters};
#[cfg(feature = "internals")]
pub use pipeline::{CompileTime, Pipeline};
#[cfg(not(feature = "internals"))]
#[allow(unused_imports, reason = "public with the feature `internals`")]
pub(crate) use pipeline::{CompileTime, Pipeline};
pub use recommended::recommended;
#[cfg(feature = "graph")]
pub(crate) use shaders::{Reach, Shader, ShaderDispatch};
pub use staging::ReadBack;
pub(crate) use staging::Upload;
pub use tensors::{Tensor, Tensors};
pub use trusted::ShaderChecks;
pub(crate) use weights::{GpuWeights, Packed, Sources};
/// A buffer of the device.
#[cfg(feature = "internals")]
pub use wgpu::Buffer;
#[cfg(not(feature = "internals"))]
pub(crate) use wgpu::Buffer;
