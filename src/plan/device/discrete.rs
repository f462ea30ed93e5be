//! Discrete GPUs, by the H100.

use super::rates::{GemmRates, MultiplyRates, REGISTERS, Rates};

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

/// Not measured. Efficiencies of the multiply on the H100; those of 64 x 128, 16 x 32 and 16 x 16 by the likeness of others.
/// Instructions as the text has them: 10 for an element, 4 for a weight.
pub(super) const GEMM: GemmRates = GemmRates {
    efficiency: [1.175, 1.175, 1.103, 1.029, 0.959, 0.79, 0.5, 0.431],
    element: 10.0,
    weight: 4.0,
    block: 30.0,
};
