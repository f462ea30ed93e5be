//! How the product of `implicit_gemm` by matrix units is cut, and how long it takes.

use crate::caps::Caps;
use crate::correlation::Correlation;
use crate::kernel::{
    Channels, DirectParams, Epilogue, Fragments, ImplicitGemmUnits, KernelSpec, Params, Products, UnitBlocking, UnitCut,
};
use crate::plan::build::Dispatch;
use crate::plan::device::rates::{Rates, count};
use crate::plan::device::{rates, units_pay};

/// The least estimate of a correlation's product by matrix units and the cut that has it; none where the device has no matrix units,
/// or they are not known to be worth their while.
pub(in crate::plan) fn cut(of: &Correlation, caps: &Caps) -> Option<(f64, UnitCut)> {
    units_pay(caps, Products::One).ok()?;
    let rates = rates(caps.kind);
    let channels = ImplicitGemmUnits::channels_of(of);
    let product = Product {
        groups: of.groups,
        filters: of.group_k,
        positions: of.n * of.out_len(),
        taps: of.taps_len(),
        channels: of.group_c,
    };
    let runs = |blocking: &UnitBlocking| {
        let epilogue = Epilogue::NONE;
        let kernel = ImplicitGemmUnits { blocking: *blocking, channels, fragments: Fragments::Units, epilogue };
        kernel.spec().check(&caps.limits).is_ok()
    };
    let cuts = ImplicitGemmUnits::BLOCKINGS.into_iter().filter(runs);
    let timed = cuts.filter_map(|b| Some((product.seconds(b, channels, rates)?, UnitCut { blocking: b, parts: 1 })));
    timed.min_by(|a, b| a.0.total_cmp(&b.0))
}

/// The estimate of a step; nothing, if it is not of this kernel.
pub(super) fn seconds(step: &Dispatch, rates: &Rates) -> f64 {
    let KernelSpec::ImplicitGemmUnits(kernel) = step.kernel else { return 0.0 };
    let p = DirectParams::from_words(&step.params);
    let words = [p.groups, p.group_k, p.end - p.first, p.taps_d * p.taps_h * p.taps_w, p.group_c];
    let [groups, filters, positions, taps, channels] = words.map(|word| word as usize);
    let product = Product { groups, filters, positions, taps, channels };
    match product.seconds(kernel.blocking, kernel.channels, rates) {
        Some(seconds) if kernel.fragments == Fragments::Units => seconds,
        // Never compared with another: each multiply-add by itself, with two loads.
        _ => 3.0 * count(groups * filters * positions * taps * channels) / rates.multiply,
    }
}

/// The products of a step: `filters` times `positions` sums over taps and channels, for each group.
struct Product {
    groups: usize,
    filters: usize,
    positions: usize,
    taps: usize,
    channels: usize,
}

impl Product {
    /// The estimate with a blocking; none where nothing like it was measured.
    fn seconds(&self, b: UnitBlocking, channels: Channels, rates: &Rates) -> Option<f64> {
        let matrix = rates.matrix?;
        let index = ImplicitGemmUnits::BLOCKINGS.iter().position(|&other| other == b)?;
        let blocks =
            self.groups * self.filters.div_ceil(b.filters as usize) * self.positions.div_ceil(b.tiles as usize);
        let held = matrix.gemm_held[index];
        let share = count(blocks) / rates.units;
        let rounds = (share / held).floor();
        let rest = (share - rounds * held).ceil();
        let blocks = rounds * held + if rest > 0.0 { rest.max(matrix.gemm_least[index]) } else { 0.0 };
        let steps = count(self.taps * self.channels.div_ceil(b.channels as usize)) + matrix.gemm_ends;
        let step = matrix.gemm_step[usize::from(channels == Channels::Together)][index];
        let moved = 2.0 * count(self.groups * self.positions * (self.filters + self.channels)) / matrix.bytes;
        Some((blocks * steps * step).max(moved))
    }
}
