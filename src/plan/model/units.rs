//! How the staged multiply by matrix units is cut, and how long it takes.

use crate::caps::Caps;
use crate::kernel::{Fragments, KernelSpec, MultiplyUnitsParams, Params, UnitBlocking, UnitCut, WinogradMultiplyUnits};
use crate::plan::build::Dispatch;
use crate::plan::device::rates::{Rates, count};
use crate::plan::device::{rates, units_pay};

/// Steps of channels that were measured at least. Shorter sums, and products that do not fill the device, are not taken to be faster.
const LEAST_STEPS: u32 = 8;

/// The products of a chunk: `batches` of them, each `filters x tiles` sums over channels.
struct Product {
    filters: usize,
    tiles: usize,
    batches: usize,
    channels: usize,
}

/// The estimate of the fastest cut by matrix units of at most so many parts with small enough errors, and the cut; none where the device
/// has no matrix units or they are not known to be worth their while.
pub(in crate::plan) fn cut(
    [filters, channels]: [usize; 2],
    [tiles, batches]: [usize; 2],
    most_parts: u64,
    caps: &Caps,
    tolerated: impl Fn(&UnitCut) -> bool,
) -> Option<(f64, UnitCut)> {
    let product = Product { filters, tiles, batches, channels };
    let rates = rates(caps.kind);
    let runs = |blocking: &UnitBlocking| {
        let kernel = WinogradMultiplyUnits { blocking: *blocking, fragments: Fragments::Units };
        units_pay(caps, blocking.products).is_ok() && kernel.spec().check(&caps.limits).is_ok()
    };
    let cuts = UnitBlocking::ALL.into_iter().filter(runs);
    let cuts = cuts.flat_map(|blocking| UnitCut::PARTS.map(|parts| UnitCut { blocking, parts }));
    let allowed = |cut: &UnitCut| u64::from(cut.parts) <= most_parts && cut.is_even(channels) && tolerated(cut);
    let timed = cuts.filter(allowed).filter_map(|cut| Some((product.seconds(cut, rates)?, cut)));
    timed.min_by(|a, b| a.0.total_cmp(&b.0))
}

/// The estimate of a step; nothing, if it is not of this kernel.
pub(super) fn seconds(step: &Dispatch, rates: &Rates) -> f64 {
    let KernelSpec::WinogradMultiplyUnits(WinogradMultiplyUnits { blocking, fragments }) = step.kernel else {
        return 0.0;
    };
    let params = MultiplyUnitsParams::from_words(&step.params);
    let product = Product {
        filters: params.group_k as usize,
        tiles: params.t_stride as usize,
        batches: params.batches as usize,
        channels: params.group_c as usize,
    };
    let cut = UnitCut { blocking, parts: step.grid[2] / params.batches };
    match product.seconds(cut, rates) {
        Some(seconds) if fragments == Fragments::Units => seconds,
        // Never compared with another: each multiply-add by itself, with two loads.
        _ => 3.0 * count(product.batches * product.channels * product.filters * product.tiles) / rates.multiply,
    }
}

impl Product {
    /// The estimate of a cut, with what the output transform reads more where there are parts; none where nothing like it was
    /// measured.
    fn seconds(&self, cut: UnitCut, rates: &Rates) -> Option<f64> {
        let (matrix, b) = (rates.matrix?, cut.blocking);
        let index = UnitBlocking::ALL.iter().position(|&other| other == b)?;
        let blocks = self.filters.div_ceil(b.filters as usize) * self.tiles.div_ceil(b.tiles as usize) * self.batches;
        let share = count(blocks) * f64::from(cut.parts) / rates.units;
        let held = matrix.held[index];
        // Where no block is whole, all of them mask what they read and write past edges: 0.8 times the speed of FMA on an H200.
        let is_small = self.filters < b.filters as usize || self.tiles < b.tiles as usize;
        if is_small || share < held || cut.part(self.channels) < LEAST_STEPS * b.channels {
            return None;
        }
        let rounds = (share / held).floor();
        let rest = (share - rounds * held).ceil();
        let blocks = rounds * held + if rest > 0.0 { rest.max(matrix.least) } else { 0.0 };
        let steps = f64::from(cut.part(self.channels) / b.channels) + matrix.ends;
        let products = 4.0 * count(self.batches * self.filters * self.tiles);
        let factors = 4.0 * count(self.batches * self.channels * (self.filters + self.tiles));
        let moved = (factors + f64::from(cut.parts) * products) / matrix.bytes;
        let added = f64::from(cut.parts - 1) * products / rates.bytes;
        Some((blocks * steps * matrix.step[index]).max(moved) + added)
    }
}
