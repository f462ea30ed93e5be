//! The only place that names wgpu: devices of our own or the caller's, pipelines, buffers, and plans bound to
//! buffers so that they can be encoded again and again.

mod bound;
mod buffer;
mod cache_file;
mod caps;
mod context;
mod driver_cache;
mod fault;
mod identity;
mod pipeline;
mod pipeline_cache;
mod pipelines;
mod private_folder;
mod recommended;
mod stored_cache;
#[cfg(not(target_arch = "wasm32"))]
mod threads;
mod timing;
mod trusted;
mod weights;

pub use bound::{Bound, Dispatches, Tensor, Tensors};
pub use buffer::Workspace;
pub use context::{AdapterChoice, Context, ContextOptions, adapters};
pub use pipeline::{CompileTime, Pipeline};
pub use pipeline_cache::{CacheFault, CacheSource, CacheState};
pub use recommended::recommended;
pub use trusted::ShaderChecks;
pub(crate) use weights::{GpuWeights, Packed, Sources};
/// A buffer of the device.
pub use wgpu::Buffer;

/// Opens a stored pipeline cache as if it were of this version and this device, and seals its data again: for the fuzzers in
/// `fuzz/`, which have no device.
///
/// # Errors
/// What is wrong with it.
#[doc(hidden)]
pub fn reseal_stored_cache(version: &str, device: &str, sealed: &[u8]) -> Result<Vec<u8>, CacheFault> {
    let owner = stored_cache::Owner { version: version.to_owned(), device: device.to_owned() };
    stored_cache::open(&owner, sealed).map(|data| stored_cache::seal(&owner, data))
}
