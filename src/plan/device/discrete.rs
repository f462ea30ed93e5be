//! Discrete GPUs, by the H100.

use super::rates::{GemmRates, MultiplyRates, REGISTERS, Rates, UnitRates};

/// H100, Vulkan, driver 580, 2026-11-24: an empty dispatch takes 2.8 us, beside others less; 128 multiply-adds a cycle of
/// 1.98 GHz, as the driver shows it under load. `dispatch` and `bytes` are fitted together with [`MULTIPLY`].
pub(super) const RATES: Rates = Rates {
    direct: 5e12,
    multiply: 132.0 * 128.0 * 1.98e9,
    bytes: 2.8e12,
    dispatch: 2.25e-6,
    full: 264,
    units: 132.0,
    issue: 128.0 * 1.98e9,
    model: &MULTIPLY,
    matrix: Some(&UNITS),
    fetch: &GEMM,
    cycle: 1.0 / 1.98e9,
    lanes: None,
    registers: Some(REGISTERS),
    known_units: &["H100 80GB HBM3"],
    rounds_of_unknown: 16.0,
};

/// What the multiply costs: fitted on the H100.
pub(super) const MULTIPLY: MultiplyRates = MultiplyRates {
    efficiency: [1.192, 1.128, 1.175, 1.103, 0.971, 1.029, 0.959, 0.98, 0.79, 0.876, 0.431],
    half_full: 129.0,
    block: [22.5, 27.5],
    block_byte: 1.5,
    factor_byte: 4.8,
};

/// H200, driver 580.159, 2026-11-30: the product 36 x 512 x 1568 x 512 alone, 16 steps of one block after the other; of the blocking
/// of 64 x 64 estimated between its neighbours. Blocks at a time by their registers. `gemm_`: four 3x3 layers in both
/// orders in memory, 2026-12-01 (`docs/log/2026-12-01.md`), the geometric mean of the times that they came to.
const UNITS: UnitRates = UnitRates {
    step: [1.33e-6, 0.65e-6, 0.37e-6, 0.24e-6, 1.92e-6, 1.28e-6, 0.445e-6],
    held: [1.0, 2.0, 4.0, 4.0, 1.0, 2.0, 4.0],
    least: 1.6,
    ends: 1.0,
    bytes: 2.5e12,
    gemm_step: [
        [1.42e-6, 0.88e-6, 1.15e-6, 0.475e-6, 0.267e-6, 0.19e-6],
        [1.21e-6, 0.79e-6, 1.06e-6, 0.456e-6, 0.256e-6, 0.185e-6],
    ],
    gemm_held: [2.0, 2.0, 4.0, 4.0, 4.0, 4.0],
    gemm_least: [1.0, 1.0, 1.0, 1.4, 1.8, 1.8],
    gemm_ends: 4.0,
};

/// Efficiencies: fitted to 15 layers of ResNet-50 (1x1, 3x3 and 7x7 with stride 2; 1 and 32 images) on an H200, 2026-11-30, each
/// blocking in up to 32 parts: of the cuts that were timed, the one with the least estimate took 1.02 times what the fastest
/// did (mean; 1.22 at worst). Instructions as the text has them: 10 for an element, 4 for a weight.
pub(super) const GEMM: GemmRates = GemmRates {
    efficiency: [0.851, 0.81, 0.641, 0.735, 0.631, 0.577, 0.568, 0.332],
    element: 10.0,
    weight: 4.0,
    block: 30.0,
};
