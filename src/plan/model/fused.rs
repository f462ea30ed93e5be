//! How a fused kernel is cut into blocks, how many of them a workgroup walks, and how long it takes: fitted to 830 runs on
//! the H100 (2026-11-24: nine layers of 8 to 256 channels, F(2x2,3x3), F(4x2,3x3) and F(4x4,3x3), every blocking that
//! spills nothing; 8% off near the fastest). What it picked of [`FusedBlocking::ALL`] took 1.02 times what the fastest did
//! (mean; 1.05 at worst).

use crate::caps::{Caps, DeviceKind};
use crate::error::{LimitError, Result};
use crate::kernel::{FusedBlocking, FusedParams, Fusion, Params, WinogradFused};
use crate::plan::build::Dispatch;
use crate::plan::device::rates;
use crate::plan::device::rates::{REGISTERS, Rates, count};

// Work beside the multiply-adds, in the time of one.

/// A point of a transformed tile.
const INPUT: f64 = 33.0;
/// An output.
const OUTPUT: f64 = 25.0;
/// A byte of U (and of V, where it comes from memory), through the cache.
const BYTE: f64 = 1.4;
/// A workgroup's beginning and end.
const WORKGROUP: f64 = 170_000.0;

// What a workgroup waits for, in cycles.

/// The channels that are transformed at once, for each point of a tile.
const PHASE: f64 = 51.0;
/// A channel.
const CHANNEL: f64 = 15.0;

/// Registers of an invocation: so many, and so many for each sum.
const REGISTERS_TAKEN: [f64; 2] = [114.0, 0.7];
/// `fused_output`, which reads V from memory, takes so much longer than this counts: its fastest blockings 1.2 to 2 times on
/// six layers, on none of which it was the fastest algorithm.
const FROM_MEMORY: f64 = 1.9;
/// `fused_filter`, which transforms filters between barriers, likewise: 1.1 to 1.5 times.
const FILTERS_ANEW: f64 = 1.2;
/// Kernels with more points than those that were fitted, likewise: F(5x5,3x3) 2.4 times on an H200 (64 -> 64 at 1920x1080, 2026-11-30).
const LARGE: f64 = 2.4;
/// Points of the largest one that was fitted, F(4x4,3x3).
const FITTED_POINTS: f64 = 36.0;
/// Most blocks that a workgroup walks. On the H100, 8x64x224x224 -> 64 took 387 us without walking, 374 with 2 blocks, 368
/// with 4, 365 with 8, 366 with 24; 1x64x360x640 -> 64, of which 7 or 14 blocks make whole rounds, 228 without, 232 with 3,
/// 214 with 7, 215 with 14; 1x64x224x224 -> 64 49 without, 62 with 2, 46.5 with 3.
const WALK: u32 = 24;
/// A workgroup's beginning, in blocks.
const START: f64 = 0.08;
/// Schedulers of a unit, to which bundles of 32 invocations fall one by one.
const SCHEDULERS: u32 = 4;
/// The most registers that an invocation can have in a workgroup of so many: the bundles of 32 that fall to one
/// scheduler share its registers, in steps of 8 and up to 255, as on an H100. Of other kinds of device nothing is
/// known that would rule a kernel out: Apple's GPUs keep all their invocations with 128 an invocation, and run fewer at
/// once with more.
pub fn register_limit(kind: DeviceKind, invocations: u32) -> Option<u32> {
    let bundles = invocations.div_ceil(32).div_ceil(SCHEDULERS).max(1);
    rates(kind).registers.map(|registers| (registers / SCHEDULERS / (32 * bundles) / 8 * 8).min(255))
}

/// Whether an invocation needs more registers than it can have, so that some of them go to memory and back. The need is
/// of what must be there at the same time, so nothing is allowed above it; and what spills a little, since the compiler
/// wants more than it needs, loses little: F(2,3) with 64x32x16, 8x8, at 128 registers spilled 8.
fn spills(kernel: &WinogradFused, kind: DeviceKind) -> bool {
    let spec = kernel.spec();
    register_limit(kind, spec.workgroup_size()).is_some_and(|limit| spec.registers() > limit)
}

/// The blocking of a fused kernel: of those that the device can run, the one with the least estimate; one that spills
/// only where all do.
///
/// # Errors
/// The bound that the smallest blocking exceeds.
pub(in crate::plan) fn blocking(
    sizes: Sizes,
    tiles: usize,
    caps: &Caps,
    kernel: impl Fn(FusedBlocking) -> WinogradFused,
) -> Result<FusedBlocking, LimitError> {
    let cost = |b: &FusedBlocking| {
        let kernel = kernel(*b);
        let blocks = sizes.blocks(tiles, *b);
        let walk = walk(&kernel, blocks, caps);
        seconds(&kernel, blocks, walk, sizes, rates(caps.kind))
    };
    let legal = FusedBlocking::ALL
        .into_iter()
        .filter(|&b| kernel(b).is_legal() && kernel(b).spec().check(&caps.limits).is_ok());
    let spilling = |b: &FusedBlocking| spills(&kernel(*b), caps.kind);
    match legal.min_by(|a, b| spilling(a).cmp(&spilling(b)).then_with(|| cost(a).total_cmp(&cost(b)))) {
        Some(best) => Ok(best),
        None => {
            let [.., smallest] = FusedBlocking::ALL;
            kernel(smallest).spec().check(&caps.limits).map(|()| smallest)
        }
    }
}

/// What is multiplied, beside the tiles.
#[derive(Clone, Copy)]
pub(in crate::plan) struct Sizes {
    pub(in crate::plan) groups: usize,
    /// Filters of a group.
    pub(in crate::plan) filters: usize,
    /// Channels of a group.
    pub(in crate::plan) channels: usize,
}

impl Sizes {
    /// Blocks of so many tiles, and of all groups' filters.
    pub(in crate::plan) fn blocks(self, tiles: usize, blocking: FusedBlocking) -> [usize; 2] {
        let of_filters = self.filters.div_ceil(blocking.filters as usize);
        [tiles.div_ceil(blocking.tiles as usize), self.groups * of_filters]
    }
}

/// The estimate of a step.
pub(super) fn seconds_of_step(kernel: &WinogradFused, step: &Dispatch, rates: &Rates) -> f64 {
    let params = FusedParams::from_words(&step.params);
    let columns = params.tiles.div_ceil(kernel.blocking.tiles);
    let groups = step.grid[1] / params.group_k.div_ceil(kernel.blocking.filters);
    let [groups, filters, channels] = [groups, params.group_k, params.group_c].map(|size| size as usize);
    let sizes = Sizes { groups, filters, channels };
    seconds(kernel, [columns as usize, step.grid[1] as usize], params.walk, sizes, rates)
}

/// The estimate of a kernel over columns x rows of blocks, of which a workgroup walks so many of a row: rounds of as many
/// workgroups as the units hold at once. The work of those that a unit holds adds up; what each waits for is hidden by the
/// others.
fn seconds(kernel: &WinogradFused, [columns, rows]: [usize; 2], walk: u32, sizes: Sizes, rates: &Rates) -> f64 {
    if let Some(lanes) = rates.lanes {
        return lanes.seconds(kernel, count(columns * rows), sizes) / rates.units;
    }
    let (b, channels) = (kernel.blocking, sizes.channels);
    let (points, outputs) = (count(kernel.algorithm.products()), count(kernel.algorithm.outputs()));
    let (filters, tiles) = (f64::from(b.filters), f64::from(b.tiles));
    let size = kernel.spec().workgroup_size();
    let resident = resident(kernel);
    let workgroups = count(columns.div_ceil(walk as usize) * rows);
    let held = (workgroups / rates.units).ceil().min(resident);

    let multiplied = count(channels.next_multiple_of(kernel.step() as usize));
    // What is transformed and what is read, a channel.
    let (transformed, read) = match kernel.fusion {
        Fusion::Output => (0.0, points * (filters + tiles)),
        Fusion::Input => (points * tiles, points * filters),
        Fusion::Filter => (points * (tiles + filters), count(kernel.algorithm.weights()) * filters),
    };
    // A scheduler that has one bundle more than the others has the say.
    let bundles = f64::from(size.div_ceil(32)) * held;
    let schedulers = f64::from(SCHEDULERS);
    let uneven = (bundles / schedulers).ceil() * schedulers / bundles;
    let work = multiplied * uneven * points * filters * tiles
        + count(channels) * (transformed * INPUT + read * 4.0 * BYTE)
        + outputs * filters * tiles * OUTPUT;
    let phases = match kernel.fusion {
        Fusion::Output => 0,
        Fusion::Input | Fusion::Filter => channels.div_ceil(kernel.channels() as usize),
    };
    let waits = count(phases) * points * PHASE + multiplied * CHANNEL;

    let rounds = whole_rounds(workgroups / (rates.units * resident));
    let longer = match kernel.fusion {
        Fusion::Output => FROM_MEMORY,
        Fusion::Input => 1.0,
        Fusion::Filter => FILTERS_ANEW,
    };
    let longer = if points > FITTED_POINTS { LARGE * longer } else { longer };
    let block = held * work / rates.issue + waits * rates.cycle / held;
    rounds * longer * (f64::from(walk) * block + held * WORKGROUP / rates.issue)
}

/// Workgroups of a fused kernel that a unit holds at once, by their registers.
fn resident(kernel: &WinogradFused) -> f64 {
    let [registers, per_sum] = REGISTERS_TAKEN;
    let registers = registers + per_sum * f64::from(kernel.blocking.filters_each * kernel.blocking.tiles_each);
    (f64::from(REGISTERS) / registers / f64::from(kernel.spec().workgroup_size())).floor().max(1.0)
}

/// Blocks of tiles that a workgroup of a fused kernel walks, of columns x rows of them: the number with the least estimate,
/// where the next block's first tile is on its way while a block is finished, and the last workgroups leave units idle.
pub(in crate::plan) fn walk(kernel: &WinogradFused, [columns, rows]: [usize; 2], caps: &Caps) -> u32 {
    // It has nothing to fetch ahead.
    if kernel.fusion == Fusion::Output {
        return 1;
    }
    let rates = rates(caps.kind);
    let at_once = rates.units * resident(kernel);
    let rounds = |walk: u32| count(columns.div_ceil(walk as usize) * rows) / at_once;
    let is_known = rates.known_units.iter().any(|name| caps.name.contains(name));
    let least = if is_known { 0.0 } else { rates.rounds_of_unknown };
    let seconds = |walk: u32| whole_rounds(rounds(walk)) * (f64::from(walk) + START);
    let most = (1..=WALK).take_while(|walk| *walk == 1 || rounds(*walk) >= least);
    most.min_by(|a, b| seconds(*a).total_cmp(&seconds(*b))).unwrap_or(1)
}

/// After a few rounds the units are out of step, and the last one is half full on average.
fn whole_rounds(rounds: f64) -> f64 {
    if rounds < 4.0 { rounds.ceil() } else { rounds + 0.5 }
}
