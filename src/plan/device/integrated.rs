//! Integrated and unknown GPUs.

use super::discrete;
use super::rates::Rates;

/// Not measured: between the H100 and the CPUs, by the number of their units.
pub(super) const RATES: Rates = Rates {
    direct: 0.5e12,
    multiply: 1e12,
    bytes: 48e9,
    dispatch: 5e-6,
    full: 32,
    units: 10.0,
    issue: 128.0 * 1.2e9,
    model: &discrete::MULTIPLY,
    matrix: None,
    fetch: &discrete::GEMM,
    cycle: 1.0 / 1.2e9,
    lanes: None,
    registers: None,
    known_units: &[],
    rounds_of_unknown: 16.0,
};
