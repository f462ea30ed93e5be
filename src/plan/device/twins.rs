//! The shaders' twins on the CPU.

use super::rates::{GemmRates, MultiplyRates, Rates};
use crate::kernel::ImplicitGemm;

/// Our twins on one core, 2026-11-23: direct 1.7 to 3.4 GFLOP/s, multiply 12 to 22. The fused twins are the staged ones.
pub(super) const RATES: Rates = Rates {
    direct: 2.5e9,
    multiply: 9e9,
    bytes: 1.8e9,
    dispatch: 1e-6,
    full: 1,
    units: 1.0,
    issue: 2.5e9,
    model: &MULTIPLY,
    matrix: None,
    fetch: &GEMM,
    cycle: 0.0,
    lanes: None,
    registers: None,
    known_units: &[],
    rounds_of_unknown: 0.0,
};

/// lavapipe on two shared cores, 2026-11-24, six shapes, by their padded work: rough, as all times there. Slices were not
/// measured: they are taken to cost a little, so that they are for errors alone.
pub(super) const MULTIPLY: MultiplyRates = MultiplyRates {
    efficiency: [0.9, 0.6, 1.0, 1.0, 0.95, 0.7, 0.7, 0.8, 0.65, 0.6, 0.45],
    half_full: 0.0,
    block: [1.0, 4.0],
    block_byte: 0.0,
    factor_byte: 0.0,
};

/// Our twin on one core, 2026-11-24, which walks no blocks: 3 ns for a position's element, 0.09 for each of its products.
pub(super) const GEMM: GemmRates =
    GemmRates { efficiency: [1.0; ImplicitGemm::BLOCKINGS.len()], element: 27.0, weight: 0.0, block: 1.0 };
