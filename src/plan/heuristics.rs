//! The planner's thresholds, each with the measurement that set it. A rough model: a dispatch takes a fixed time,
//! moves its bytes, does its multiply-adds; the planner adds these up and takes the least.

use super::lanes::{self, Lanes};
use super::multiply_cost::{self as multiply, Model};
use super::steps::workgroups;
use super::{Algorithm, Step};
use crate::caps::{Caps, DeviceKind};
use crate::error::{LimitError, Result};
use crate::kernel::{FusedBlocking, Fusion, KernelSpec, WinogradFused};
use crate::shape::Problem;
use crate::winograd::Nested;

/// What a kind of device achieves in our kernels.
pub(super) struct Rates {
    /// Floating-point operations a second of `direct`.
    direct: f64,
    /// Multiply-adds a second that `winograd_multiply`'s efficiencies are parts of.
    pub(super) multiply: f64,
    /// Bytes a second that the transforms move, through caches.
    pub(super) bytes: f64,
    /// Seconds of a dispatch that does nothing, with the barrier after it.
    dispatch: f64,
    /// Workgroups below which the device is not full.
    full: u64,
    /// Units that run workgroups, each with [`REGISTERS`].
    pub(super) units: f64,
    /// Multiply-adds a second of one unit at best.
    issue: f64,
    /// What the staged multiply costs beside that.
    pub(super) model: &'static Model,
    /// Seconds of a cycle that a workgroup waits for: none where nothing runs at the same time.
    pub(super) cycle: f64,
    /// What the fused kernels cost where invocations are lanes of a processor's vectors.
    lanes: Option<&'static Lanes>,
}

/// H100, Vulkan, driver 580, 2026-11-23 and 24: an empty dispatch 2.8 us; transforms 2.4 (large layers) to 4 TB/s (small ones,
/// whose planes stay in the cache and which are compared with other algorithms); 128 multiply-adds a cycle of 1.98 GHz, as
/// the driver shows it under load.
const DISCRETE: Rates = Rates {
    direct: 5e12,
    multiply: 132.0 * 128.0 * 1.98e9,
    bytes: 4e12,
    dispatch: 2.8e-6,
    full: 264,
    units: 132.0,
    issue: 128.0 * 1.98e9,
    model: &multiply::GPU,
    cycle: 1.0 / 1.98e9,
    lanes: None,
};
/// Not measured: between the H100 and the processors, by the number of their units.
const INTEGRATED: Rates = Rates {
    direct: 0.5e12,
    multiply: 1e12,
    bytes: 80e9,
    dispatch: 5e-6,
    full: 32,
    units: 10.0,
    issue: 128.0 * 1.2e9,
    model: &multiply::GPU,
    cycle: 1.0 / 1.2e9,
    lanes: None,
};
/// lavapipe on two cores beside other jobs, 2026-11-24, in the runs that [`lanes::LAVAPIPE`] was fitted to: ratios count, a quiet
/// machine has up to twice these rates.
const SOFTWARE: Rates = Rates {
    direct: 0.7e9,
    multiply: 2.2e9,
    bytes: 1.5e9,
    dispatch: 60e-6,
    full: 2,
    units: 2.0,
    issue: 2.5e9,
    model: &multiply::LANES,
    cycle: 0.0,
    lanes: Some(&lanes::LAVAPIPE),
};
/// Our twins on one core, 2026-11-23: direct 1.7 to 3.4 GFLOP/s, multiply 12 to 22. The fused twins are the staged ones.
const HOST: Rates = Rates {
    direct: 2.5e9,
    multiply: 9e9,
    bytes: 3e9,
    dispatch: 1e-6,
    full: 1,
    units: 1.0,
    issue: 2.5e9,
    model: &multiply::PROCESSOR,
    cycle: 0.0,
    lanes: None,
};

/// Registers of a unit of a GPU, a quarter for each of its schedulers.
pub(super) const REGISTERS: u32 = 65536;

/// The most registers that an invocation can have in a workgroup of so many: the bundles of 32 that fall to one
/// scheduler share its registers, in steps of 8 and up to 255, as on an H100. Of other kinds of device nothing is
/// known that would rule a kernel out: Apple's GPUs keep all their invocations with 128 an invocation, and run fewer at
/// once with more.
pub fn register_limit(kind: DeviceKind, invocations: u32) -> Option<u32> {
    let bundles = invocations.div_ceil(32).div_ceil(fused::SCHEDULERS).max(1);
    match kind {
        DeviceKind::DiscreteGpu => Some((REGISTERS / fused::SCHEDULERS / (32 * bundles) / 8 * 8).min(255)),
        _ => None,
    }
}

/// Whether an invocation needs more registers than it can have, so that some of them go to memory and back. The need is
/// of what must be there at the same time, so nothing is allowed above it; and what spills a little, since the compiler
/// wants more than it needs, loses little: F(2,3) with 64x32x16, 8x8, at 128 registers spilled 8.
fn spills(kernel: &WinogradFused, kind: DeviceKind) -> bool {
    let spec = kernel.spec();
    register_limit(kind, spec.workgroup_size()).is_some_and(|limit| spec.registers() > limit)
}

/// Work of the fused kernels beside the multiply-adds, in the time of one, and what a workgroup waits for, in cycles.
/// Fitted to 164 runs on the H100 (2026-11-23, twelve layers): 11% off on average where it matters, near the fastest; what
/// it picked took at most 1.06 times what the fastest did.
mod fused {
    /// A point of a transformed tile.
    pub(super) const INPUT: f64 = 33.0;
    /// An output.
    pub(super) const OUTPUT: f64 = 27.0;
    /// A byte of U (and of V, where it comes from memory), through the cache.
    pub(super) const BYTE: f64 = 1.6;
    /// A workgroup's beginning and end.
    pub(super) const WORKGROUP: f64 = 300_000.0;
    /// Registers of an invocation: so many, and so many for each sum.
    pub(super) const REGISTERS: [f64; 2] = [113.0, 0.87];
    /// Cycles that the channels transformed at once wait for.
    pub(super) const PHASE: f64 = 600.0;
    /// Cycles that a channel waits for.
    pub(super) const CHANNEL: f64 = 50.0;
    /// Cycles of a round of the exchange.
    pub(super) const ROUND: f64 = 1500.0;
    /// `fused_output`, which reads V from memory, takes so much longer than this counts: 1.33 to 1.39 times on five layers.
    pub(super) const FROM_MEMORY: f64 = 1.37;
    /// Schedulers of a unit, to which bundles of 32 invocations fall one by one.
    pub(super) const SCHEDULERS: u32 = 4;
}

pub(super) const fn rates(kind: DeviceKind) -> &'static Rates {
    match kind {
        DeviceKind::DiscreteGpu => &DISCRETE,
        DeviceKind::IntegratedGpu | DeviceKind::VirtualGpu | DeviceKind::OtherGpu => &INTEGRATED,
        DeviceKind::SoftwareGpu => &SOFTWARE,
        DeviceKind::HostCpu => &HOST,
    }
}

/// The blocking of a fused kernel: of those that the device can run, the one with the least estimate; one that spills
/// only where all do.
///
/// # Errors
/// The bound that the smallest blocking exceeds.
pub(super) fn fused_blocking(
    problem: &Problem,
    tiles: usize,
    caps: &Caps,
    kernel: impl Fn(FusedBlocking) -> WinogradFused,
) -> Result<FusedBlocking, LimitError> {
    let rates = rates(caps.kind);
    let filters = problem.filters_per_group();
    let cost = |b: &FusedBlocking| {
        let blocks = filters.div_ceil(b.filters as usize) * tiles.div_ceil(b.tiles as usize) * problem.conv.groups;
        fused_seconds(&kernel(*b), count(blocks), problem, rates)
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

/// The estimate of a fused kernel over `blocks` workgroups: rounds of as many as the units hold at once. The work of those
/// that a unit holds adds up; what each waits for is hidden by the others.
fn fused_seconds(kernel: &WinogradFused, blocks: f64, problem: &Problem, rates: &Rates) -> f64 {
    if let Some(lanes) = rates.lanes {
        return lanes.seconds(kernel, blocks, problem) / rates.units;
    }
    let channels = problem.channels_per_group();
    let b = kernel.blocking;
    let (points, outputs) = (count(kernel.algorithm.products()), count(kernel.algorithm.outputs()));
    let (filters, tiles) = (f64::from(b.filters), f64::from(b.tiles));
    let size = kernel.spec().workgroup_size();
    let [registers, per_sum] = fused::REGISTERS;
    let registers = registers + per_sum * f64::from(b.filters_each * b.tiles_each);
    let resident = (f64::from(REGISTERS) / registers / f64::from(size)).floor().max(1.0);
    let held = (blocks / rates.units).ceil().min(resident);

    let multiplied = count(channels.next_multiple_of(kernel.step() as usize));
    // What is transformed and what is read, a channel.
    let (transformed, read) = match kernel.fusion {
        Fusion::Output => (0.0, points * (filters + tiles)),
        Fusion::Input => (points * tiles, points * filters),
        Fusion::Filter => (points * (tiles + filters), count(kernel.algorithm.weights()) * filters),
    };
    // A scheduler that has one bundle more than the others has the say.
    let bundles = f64::from(size.div_ceil(32)) * held;
    let schedulers = f64::from(fused::SCHEDULERS);
    let uneven = (bundles / schedulers).ceil() * schedulers / bundles;
    let work = multiplied * uneven * points * filters * tiles
        + count(channels) * (transformed * fused::INPUT + read * 4.0 * fused::BYTE)
        + outputs * filters * tiles * fused::OUTPUT
        + fused::WORKGROUP;
    let phases = match kernel.fusion {
        Fusion::Output => 0,
        Fusion::Input | Fusion::Filter => channels.div_ceil(kernel.channels() as usize),
    };
    let waits =
        count(phases) * fused::PHASE + multiplied * fused::CHANNEL + f64::from(b.filters_each / b.round) * fused::ROUND;

    let full = blocks / (rates.units * resident);
    // After a few rounds the units are out of step, and the last one is half full on average.
    let rounds = if full < 4.0 { full.ceil() } else { full + 0.5 };
    let longer = if kernel.fusion == Fusion::Output { fused::FROM_MEMORY } else { 1.0 };
    rounds * longer * (held * work / rates.issue + waits * rates.cycle / held)
}

/// The estimate of a run.
pub(super) fn estimate_ns(problem: &Problem, steps: &[Step], algorithm: Algorithm, caps: &Caps) -> u64 {
    let rates = rates(caps.kind);
    let seconds: f64 = match algorithm {
        Algorithm::Direct => {
            let groups: u64 = steps.iter().map(workgroups).sum();
            let fill = part_filled(groups, rates);
            rates.dispatch * count(steps.len()) + problem.direct_flops() / (rates.direct * fill)
        }
        Algorithm::Staged(nested) => {
            let multiply: f64 = steps.iter().map(|step| multiply::seconds(problem, step, rates)).sum();
            // Input and output once, V and M written and read.
            let channels = problem.conv.channels + problem.conv.filters;
            rates.dispatch * count(steps.len()) + multiply + transform_seconds(problem, nested, channels, rates)
        }
        // Never compared with another: each product that is written out reads both of its factors from a cache.
        Algorithm::Inlined(nested, _) => {
            let terms = steps.iter().find_map(|step| match &step.kernel {
                KernelSpec::WinogradInlined(kernel) => kernel.terms().ok(),
                _ => None,
            });
            let tiles = count(problem.n * problem.p * problem.q) / count(nested.outputs());
            let sums = tiles * count(problem.conv.filters) * count(problem.channels_per_group());
            let products = 8.0 * count(terms.unwrap_or(0)) * sums / rates.bytes;
            rates.dispatch * count(steps.len())
                + products
                + transform_seconds(problem, nested, problem.conv.channels, rates)
        }
        Algorithm::FusedOutput(nested) | Algorithm::Fused(nested) | Algorithm::FusedFilter(nested) => {
            let fused: f64 = steps
                .iter()
                .filter_map(|step| match &step.kernel {
                    KernelSpec::WinogradFused(kernel) => Some((kernel, step)),
                    _ => None,
                })
                .map(|(kernel, step)| {
                    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
                    let blocks = workgroups(step) as f64;
                    fused_seconds(kernel, blocks, problem, rates)
                })
                .sum();
            let transform = match algorithm {
                Algorithm::FusedOutput(_) => transform_seconds(problem, nested, problem.conv.channels, rates),
                _ => 0.0,
            };
            rates.dispatch * count(steps.len()) + fused + transform
        }
    };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "nanoseconds of a run")]
    let ns = (seconds * 1e9) as u64;
    ns
}

/// What the transforms of so many channels move: each tensor once, its planes written and read.
fn transform_seconds(problem: &Problem, nested: Nested, channels: usize, rates: &Rates) -> f64 {
    let expansion = count(nested.products()) / count(nested.outputs());
    let pixels = count(problem.n * problem.p * problem.q);
    4.0 * pixels * count(channels) * (1.0 + 2.0 * expansion) / rates.bytes
}

#[expect(clippy::cast_precision_loss, reason = "an estimate")]
fn part_filled(groups: u64, rates: &Rates) -> f64 {
    (groups as f64 / rates.full as f64).min(1.0)
}

#[expect(clippy::cast_precision_loss, reason = "an estimate")]
pub(super) const fn count(n: usize) -> f64 {
    n as f64
}
