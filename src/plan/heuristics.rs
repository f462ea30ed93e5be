//! The planner's thresholds, each with the measurement that set it. A rough model: a dispatch takes a fixed time,
//! moves its bytes, does its multiply-adds; the planner adds these up and takes the least.

use super::steps::{is_multiply, workgroups};
use super::{Algorithm, Step};
use crate::caps::{Caps, DeviceKind};
use crate::error::{LimitError, Result};
use crate::kernel::{Blocking, FusedBlocking, Fusion, KernelSpec, WinogradFused};
use crate::shape::Problem;
use crate::winograd::Nested;

/// What a kind of device achieves in our kernels.
struct Rates {
    /// Floating-point operations a second of `direct`.
    direct: f64,
    /// Floating-point operations a second of `winograd_multiply`, best blocking, full device.
    multiply: f64,
    /// Bytes a second that the transforms move, through caches.
    bytes: f64,
    /// Bytes a second at which U comes from memory.
    memory: f64,
    /// Seconds of a dispatch that does nothing, with the barrier after it.
    dispatch: f64,
    /// Workgroups below which the device is not full.
    full: u64,
    /// Seconds between a channel step's loads and its sums: what no parallelism hides.
    latency: f64,
    /// Units that run workgroups, each with registers for [`RESIDENT`] invocations.
    units: f64,
    /// Operations a second of one unit in the fused kernels.
    issue: f64,
}

/// H100, Vulkan, driver 580, 2026-11-23: an empty dispatch 2.8 us; multiply 64x64x8 33 TFLOP/s on 512x1568x512;
/// transforms of VGG 1.2 at N = 32 together 3.6 TB/s, U of 512 x 512 filters 1.1 TB/s; fused F(4,3) 32x16x6 0.32 us a channel, 57
/// operations a cycle at an assumed 1.755 GHz.
const DISCRETE: Rates = Rates {
    direct: 5e12,
    multiply: 33e12,
    bytes: 3.6e12,
    memory: 1.2e12,
    dispatch: 2.8e-6,
    full: 264,
    latency: 0.35e-6,
    units: 132.0,
    issue: 57.0 * 1.755e9,
};
/// Not measured: between the H100 and the processors, by the number of their units.
const INTEGRATED: Rates = Rates {
    direct: 0.5e12,
    multiply: 1.5e12,
    bytes: 80e9,
    memory: 80e9,
    dispatch: 5e-6,
    full: 32,
    latency: 0.5e-6,
    units: 10.0,
    issue: 57.0 * 1.2e9,
};
/// lavapipe on two cores, 2026-11-23: direct 1.3 GFLOP/s, multiply 12, fused about 3.
const SOFTWARE: Rates = Rates {
    direct: 1.3e9,
    multiply: 12e9,
    bytes: 3e9,
    memory: 10e9,
    dispatch: 60e-6,
    full: 2,
    latency: 0.0,
    units: 2.0,
    issue: 1.3e9,
};
/// Our twins on one core, 2026-11-23: direct 1.7 to 3.4 GFLOP/s, multiply 12 to 22. The fused twins are the staged ones.
const HOST: Rates = Rates {
    direct: 2.5e9,
    multiply: 18e9,
    bytes: 3e9,
    memory: 10e9,
    dispatch: 1e-6,
    full: 1,
    latency: 0.0,
    units: 1.0,
    issue: 2.5e9,
};

/// Invocations that a unit of a GPU holds with up to about 100 registers each.
const RESIDENT: u32 = 640;

const fn rates(kind: DeviceKind) -> &'static Rates {
    match kind {
        DeviceKind::DiscreteGpu => &DISCRETE,
        DeviceKind::IntegratedGpu | DeviceKind::VirtualGpu | DeviceKind::OtherGpu => &INTEGRATED,
        DeviceKind::SoftwareGpu => &SOFTWARE,
        DeviceKind::HostCpu => &HOST,
    }
}

/// The part of the full rate that a blocking reaches on a full device, in the order of [`Blocking::ALL`].
const BLOCKING_EFFICIENCY: [f64; Blocking::ALL.len()] = [0.95, 0.95, 1.0, 0.8, 0.6, 0.35];

/// The blocking of `filters x tiles` products of `batches` matrices: the least padded work, weighted by what the
/// blocking achieves and by how full the device is.
#[expect(clippy::cast_precision_loss, reason = "an estimate")]
pub(super) fn blocking(filters: usize, tiles: usize, batches: usize, caps: &Caps) -> Blocking {
    let full = rates(caps.kind).full as f64;
    let cost = |(index, blocking): &(usize, Blocking)| {
        let blocks = filters.div_ceil(blocking.filters as usize) * tiles.div_ceil(blocking.tiles as usize) * batches;
        let work = blocks as f64 * f64::from(blocking.filters) * f64::from(blocking.tiles);
        work / BLOCKING_EFFICIENCY[*index] * (full / blocks as f64).max(1.0)
    };
    let legal = Blocking::ALL.into_iter().enumerate().filter(|(_, blocking)| {
        let spec = crate::kernel::WinogradMultiply { blocking: *blocking }.spec();
        spec.check(&caps.limits).is_ok()
    });
    let best = legal.min_by(|a, b| cost(a).total_cmp(&cost(b)));
    // If none is legal, the first one's check will say so.
    best.map_or(Blocking::ALL[0], |(_, blocking)| blocking)
}

/// The blocking of a fused kernel: of those that the device can run, the one with the least estimate.
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
        fused_seconds(&kernel(*b), count(blocks), problem.channels_per_group(), rates)
    };
    let legal = FusedBlocking::ALL
        .into_iter()
        .filter(|&b| kernel(b).is_compact() && kernel(b).spec().check(&caps.limits).is_ok());
    match legal.min_by(|a, b| cost(a).total_cmp(&cost(b))) {
        Some(best) => Ok(best),
        None => {
            let [.., smallest] = FusedBlocking::ALL;
            kernel(smallest).spec().check(&caps.limits).map(|()| smallest)
        }
    }
}

/// The estimate of a fused kernel over `blocks` workgroups: rounds of workgroups that the units hold at once; in each,
/// the multiply-adds, about 70 operations for each column and row of a tile and step, 800 for each tile of outputs,
/// and what is not hidden of a step's latency.
fn fused_seconds(kernel: &WinogradFused, blocks: f64, channels: usize, rates: &Rates) -> f64 {
    let b = kernel.blocking;
    let Nested { rows, cols } = kernel.algorithm;
    let area = f64::from(b.filters) * f64::from(b.tiles);
    let lines = match kernel.fusion {
        Fusion::Output => 0.0,
        Fusion::Input => f64::from(b.tiles) * count(cols.span() + rows.products()),
    };
    let points = count(kernel.algorithm.products());
    // With 64 accumulators a unit holds too few invocations to hide what they wait for: fused F(6q,3) 32x8x3 took 1.45
    // times what its operations alone would; the others 1.15 times.
    let crowding = if b.filters_each * b.tiles_each < 64 { 1.15 } else { 1.6 };
    let compute = crowding * (points * area + 70.0 * lines) / rates.issue;
    // U, and V where it is not made here, come from a cache at about the transforms' rate.
    let vectors = match kernel.fusion {
        Fusion::Output => f64::from(b.filters + b.tiles),
        Fusion::Input => f64::from(b.filters),
    };
    let channel = compute.max(4.0 * points * vectors / (1.1 * rates.bytes / rates.units));
    let steps = channels.div_ceil(b.channels as usize);
    let loop_seconds = count(steps * b.channels as usize) * channel;
    let end = 800.0 * area / rates.issue;
    let resident = f64::from((RESIDENT / kernel.spec().workgroup_size()).max(1));
    let rounds = (blocks / (rates.units * resident)).ceil();
    // In the last round a unit may hold fewer.
    let held = (blocks / rates.units).ceil().min(resident);
    let hidden = rates.latency * count(steps + 4);
    rounds * (held * (loop_seconds + end)).max(hidden)
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
            let multiply: f64 =
                steps.iter().filter(|step| is_multiply(step)).map(|step| multiply_seconds(problem, step, rates)).sum();
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
        Algorithm::FusedOutput(nested) | Algorithm::Fused(nested) => {
            let fused: f64 = steps
                .iter()
                .filter_map(|step| match &step.kernel {
                    KernelSpec::WinogradFused(kernel) => Some((kernel, step)),
                    _ => None,
                })
                .map(|(kernel, step)| {
                    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
                    let blocks = workgroups(step) as f64;
                    fused_seconds(kernel, blocks, problem.channels_per_group(), rates)
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

fn multiply_seconds(problem: &Problem, step: &Step, rates: &Rates) -> f64 {
    let KernelSpec::WinogradMultiply(multiply) = step.kernel else { return 0.0 };
    let b = multiply.blocking;
    let groups = workgroups(step);
    let index = Blocking::ALL.iter().position(|&other| other == b);
    let efficiency = index.map_or(0.5, |index| BLOCKING_EFFICIENCY[index]);
    let flops = 2.0 * f64::from(b.filters) * f64::from(b.tiles) * count(problem.channels_per_group());
    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
    let all = flops * groups as f64;
    let compute = all / (rates.multiply * efficiency * part_filled(groups, rates));
    // U comes from memory once for each dispatch, and each step of the channels waits once.
    let u = 4.0 * f64::from(step.grid[2]) * count(problem.channels_per_group() * problem.filters_per_group());
    let waiting = rates.latency * count(problem.channels_per_group().div_ceil(b.channels as usize));
    compute.max(u / rates.memory).max(waiting)
}

#[expect(clippy::cast_precision_loss, reason = "an estimate")]
fn part_filled(groups: u64, rates: &Rates) -> f64 {
    (groups as f64 / rates.full as f64).min(1.0)
}

#[expect(clippy::cast_precision_loss, reason = "an estimate")]
const fn count(n: usize) -> f64 {
    n as f64
}
