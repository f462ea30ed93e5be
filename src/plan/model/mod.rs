//! How long a plan's dispatches take: the models of the kernels, and the numbers of the devices that they were fitted to.

mod estimate;
pub(super) mod fused;
pub(super) mod gemm;
pub(super) mod gemm_units;
mod lanes;
pub(super) mod multiply;
pub(super) mod patch;
pub(super) mod units;

pub(super) use estimate::estimate_ns;
pub use fused::register_limit;
