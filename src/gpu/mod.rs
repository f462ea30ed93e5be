//! The only place that names wgpu: devices of our own or the caller's, pipelines, buffers, and plans bound to
//! buffers so that they can be encoded again and again.

mod bound;
mod buffer;
mod caps;
mod context;
mod fault;
mod pipeline;
mod timing;
mod trusted;

pub use bound::{Bound, Dispatches, Tensor, Tensors};
pub use buffer::Workspace;
pub use context::{AdapterChoice, Context, ContextOptions, adapters};
pub use pipeline::{CompileTime, Pipeline};
pub use trusted::ShaderChecks;
/// A buffer of the device.
pub use wgpu::Buffer;
