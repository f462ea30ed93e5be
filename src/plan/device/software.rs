//! Software adapters, by lavapipe.

use super::rates::{GemmRates, LaneRates, MultiplyRates, Rates};
use super::twins;

/// lavapipe on two cores beside other jobs, 2026-11-24, in the runs that [`LANES`] was fitted to: ratios count, a quiet
/// machine has up to twice these rates.
pub(super) const RATES: Rates = Rates {
    direct: 0.7e9,
    multiply: 2.2e9,
    bytes: 0.9e9,
    dispatch: 60e-6,
    full: 2,
    units: 2.0,
    issue: 2.5e9,
    model: &MULTIPLY,
    matrix: None,
    fetch: &GEMM,
    cycle: 0.0,
    lanes: Some(&LANES),
    registers: None,
    known_units: &[],
    rounds_of_unknown: 0.0,
};

/// The same where U comes from memory a few filters at a time, a whole row of all filters apart: 1.2 ns a byte, see
/// [`LANES`].
pub(super) const MULTIPLY: MultiplyRates = MultiplyRates { factor_byte: 2.5, ..twins::MULTIPLY };

/// lavapipe on two cores, 2026-11-24, six shapes with 8 blockings each, times 1.9: on that day the machine did 1.8 to 2.1
/// times what [`RATES`] has for it. Fitted by hand to a few shapes on a busy machine.
pub(super) const GEMM: GemmRates =
    GemmRates { efficiency: [1.07, 1.0, 1.0, 0.75, 0.71, 0.62, 0.56, 0.56], element: 15.0, weight: 4.0, block: 10.5 };

/// lavapipe (Mesa 22.3.6) on two cores beside other jobs, 2026-11-24: 287 runs of `fused_output` and 14 of `fused` on seven layers,
/// seven transforms, eight blockings; 12% off within a layer, near its fastest.
pub(super) const LANES: LaneRates =
    LaneRates { load: 17e-9, sum: 2.15e-9, output: 210e-9, point: 260e-9, filter_byte: 2.3e-9, cache: 1.2e6 };
