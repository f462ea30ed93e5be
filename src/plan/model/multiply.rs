//! How the staged multiply is cut, and how long it takes: fitted to 2,212 runs of `staged` on the H100 (2026-11-24: the
//! benchmark's 41 layers, six transforms, [`Blocking::ALL`], 1 to 4 parts; 6% off near the fastest). What it picked took 1.02
//! times what the fastest did (mean; 1.15 at worst).

use crate::caps::Caps;
use crate::kernel::{Blocking, KernelSpec, MultiplyCut, MultiplyParams, Params, WinogradMultiply};
use crate::plan::build::Dispatch;
use crate::plan::device::rates;
use crate::plan::device::rates::{REGISTERS, Rates, count};

/// Registers of an invocation beside its sums.
const REGISTERS_BESIDE: u32 = 106;
/// Workgroups that a unit holds at most.
const MOST_HELD: u32 = 32;
/// Cycles that a step of channels waits for.
pub(super) const STEP: f64 = 77.5;
/// Rounds of workgroups after which the units are out of step.
const OUT_OF_STEP: f64 = 3.0;

/// The products of a chunk: `batches` of them, each `filters x tiles` sums over channels.
struct Product {
    filters: usize,
    tiles: usize,
    batches: usize,
    channels: usize,
}

/// How the products of `batches` matrices of `filters x channels` and `channels x tiles` are cut: of the blockings that the device can run, of at most so many parts, and
/// of those with small enough errors, the cut with the least estimate.
pub(in crate::plan) fn cut(
    [filters, channels]: [usize; 2],
    [tiles, batches]: [usize; 2],
    most_parts: u64,
    caps: &Caps,
    tolerated: impl Fn(&MultiplyCut) -> bool,
) -> Planned {
    let product = Product { filters, tiles, batches, channels };
    let runs =
        |blocking: &Blocking| WinogradMultiply { blocking: *blocking, adds: false }.spec().check(&caps.limits).is_ok();
    let cuts = Blocking::ALL
        .into_iter()
        .filter(runs)
        .flat_map(|blocking| MultiplyCut::PARTS.map(|parts| MultiplyCut { blocking, parts }));
    let allowed = |cut: &MultiplyCut| u64::from(cut.parts) <= most_parts && cut.is_even(channels);
    let rates = rates(caps.kind);
    let planned = |cut| Planned { tolerated: tolerated(&cut), seconds: product.seconds(cut, rates), cut };
    // One whose errors are too large is refused later, with the numbers.
    let order = |a: &Planned, b: &Planned| b.tolerated.cmp(&a.tolerated).then_with(|| a.seconds.total_cmp(&b.seconds));
    // If none is legal, the first one's check will say so.
    let first = MultiplyCut { blocking: Blocking::ALL[0], parts: 1 };
    let none = Planned { tolerated: false, seconds: f64::INFINITY, cut: first };
    cuts.filter(allowed).map(planned).min_by(order).unwrap_or(none)
}

/// A cut, its estimate, and whether its errors are small enough.
pub(in crate::plan) struct Planned {
    pub(in crate::plan) tolerated: bool,
    pub(in crate::plan) seconds: f64,
    pub(in crate::plan) cut: MultiplyCut,
}

/// The estimate of a step; nothing, if it is not of this kernel.
pub(super) fn seconds(step: &Dispatch, rates: &Rates) -> f64 {
    let KernelSpec::WinogradMultiply(WinogradMultiply { blocking, .. }) = step.kernel else { return 0.0 };
    let params = MultiplyParams::from_words(&step.params);
    let product = Product {
        filters: params.group_k as usize,
        tiles: params.t_stride as usize,
        batches: params.batches as usize,
        channels: params.group_c as usize,
    };
    product.seconds(MultiplyCut { blocking, parts: step.grid[2] / params.batches }, rates)
}

impl Product {
    /// The estimate of a cut, with what the output transform reads more where there are parts.
    fn seconds(&self, cut: MultiplyCut, rates: &Rates) -> f64 {
        let b = cut.blocking;
        let blocks = self.filters.div_ceil(b.filters as usize) * self.tiles.div_ceil(b.tiles as usize) * self.batches;
        let blocks = count(blocks) * f64::from(cut.parts);
        let channels = f64::from(cut.part(self.channels));
        let fetched = 4.0 * blocks * channels * f64::from(b.filters + b.tiles);
        let factors = 4.0 * count(self.batches * self.channels * (self.filters + self.tiles));
        let waits = STEP * rates.cycle * channels / f64::from(b.channels * b.slices);
        let products = 4.0 * count(self.batches * self.filters * self.tiles);
        let added = f64::from(cut.parts - 1) * products / rates.bytes;
        let loads = (fetched * rates.model.block_byte + factors * rates.model.factor_byte) / rates.multiply;
        let index = Blocking::ALL.iter().position(|&other| other == b);
        let efficiency = index.map_or(0.5, |index| rates.model.efficiency[index]);
        let [block, slice] = rates.model.block;
        let ends = block + slice * f64::from(b.slices - 1);
        blocks_seconds(b, efficiency, blocks, channels + ends, rates) + loads + waits + added
    }
}

/// The multiply-adds of so many blocks of so many channels at this part of the full rate, a unit after its share of them.
pub(super) fn blocks_seconds(b: Blocking, efficiency: f64, blocks: f64, channels: f64, rates: &Rates) -> f64 {
    let registers = REGISTERS_BESIDE + b.filters_each * b.tiles_each;
    let held = f64::from((REGISTERS / (registers * b.threads())).clamp(1, MOST_HELD));
    let work = f64::from(b.filters * b.tiles) * channels;
    // Of a unit that holds so many blocks.
    let block = |held: f64| {
        let invocations = held * f64::from(b.threads());
        work * (1.0 + rates.model.half_full / invocations) * rates.units / (rates.multiply * efficiency)
    };
    let share = blocks / rates.units;
    let rounds = (share / held).floor();
    if rounds >= OUT_OF_STEP {
        return (share + held.min(4.0) / 2.0) * block(held);
    }
    let rest = (share - rounds * held).ceil();
    rounds * held * block(held) + if rest > 0.0 { rest * block(rest) } else { 0.0 }
}
