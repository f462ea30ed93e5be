//! How long a plan's dispatches take: the models of the kernels, and the numbers of the devices that they were fitted to.

mod device;
mod estimate;
pub(super) mod fused;
pub(super) mod gemm;
mod lanes;
pub(super) mod multiply;
mod rates;

pub(super) use estimate::estimate_ns;
pub use fused::register_limit;
