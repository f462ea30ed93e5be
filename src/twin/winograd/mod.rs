//! The twins of Winograd's kernels.

mod filter;
mod fused;
mod fused_output;
mod inlined;
mod input;
mod multiply;
mod multiply_units;
mod output;
