//! Plans for the CPU's kernels: which of them compute an algorithm, how their work is cut, and what it costs.

mod blocks;
mod estimate;
mod gradient;
mod kernel;
mod patch;
mod steps;

pub(crate) use blocks::{BlockSizes, ChunkRows, panels_len};
pub(super) use estimate::{NOMINAL_THREADS, estimate_ns};
pub(crate) use gradient::{GradientBlock, GradientCut};
pub use kernel::CpuStep;
pub(crate) use kernel::{CpuKernel, LANES, LAST_CACHE, PANEL, SUM, TileBlock};
pub(crate) use patch::{Block, Patch, Strip, of_lanes};
pub(super) use steps::{build, multiplies_rows, slots, takes};
