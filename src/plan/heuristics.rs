//! The planner's thresholds, each with the measurement that set it. A rough model: a dispatch takes a fixed time,
//! moves its bytes, does its multiply-adds; the planner adds these up and takes the least.

use super::steps::{is_multiply, workgroups};
use super::{Algorithm, Step};
use crate::caps::{Caps, DeviceKind};
use crate::error::{LimitError, Result};
use crate::kernel::{Blocking, FusedBlocking, KernelSpec, WinogradFused};
use crate::shape::Problem;

/// What a kind of device achieves in our kernels.
struct Rates {
    /// Floating-point operations a second of `direct`.
    direct: f64,
    /// Floating-point operations a second of `winograd_multiply`, best blocking, full device.
    multiply: f64,
    /// Floating-point operations a second of the fused kernels' multiply, everything else included.
    fused: f64,
    /// Bytes a second that the transforms move.
    bytes: f64,
    /// Seconds of a dispatch that does nothing, with the barrier after it.
    dispatch: f64,
    /// Workgroups below which the device is not full.
    full: u64,
}

const DISCRETE: Rates = Rates { direct: 4e12, multiply: 25e12, fused: 10e12, bytes: 1.5e12, dispatch: 3e-6, full: 264 };
const INTEGRATED: Rates =
    Rates { direct: 0.5e12, multiply: 1.5e12, fused: 0.6e12, bytes: 80e9, dispatch: 5e-6, full: 32 };
const SOFTWARE: Rates = Rates { direct: 5e9, multiply: 20e9, fused: 4e9, bytes: 3e9, dispatch: 50e-6, full: 2 };
const HOST: Rates = Rates { direct: 2.5e9, multiply: 18e9, fused: 8e9, bytes: 3e9, dispatch: 1e-6, full: 1 };

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

/// The blocking of a fused kernel: of those that the device can run, the least padded work, weighted by how full the
/// device is and by the traffic that a small block causes.
///
/// # Errors
/// The bound that the smallest blocking exceeds.
#[expect(clippy::cast_precision_loss, reason = "an estimate")]
pub(super) fn fused_blocking(
    problem: &Problem,
    tiles: usize,
    caps: &Caps,
    kernel: impl Fn(FusedBlocking) -> WinogradFused,
) -> Result<FusedBlocking, LimitError> {
    let full = rates(caps.kind).full as f64;
    let (filters, channels) = (problem.filters_per_group(), problem.channels_per_group());
    let cost = |b: &FusedBlocking| {
        let blocks = filters.div_ceil(b.filters as usize) * tiles.div_ceil(b.tiles as usize) * problem.conv.groups;
        let area = f64::from(b.filters) * f64::from(b.tiles);
        // Vectors read for each multiply-add, and barriers for each channel.
        let traffic = 1.0 + 4.0 * (1.0 / f64::from(b.filters) + 1.0 / f64::from(b.tiles));
        let each = 1.0 + 8.0 / f64::from(b.filters_each * b.tiles_each);
        let steps = channels.div_ceil(b.channels as usize) as f64 * f64::from(b.channels) / channels as f64;
        let barriers = 1.0 + 0.5 / f64::from(b.channels);
        blocks as f64 * area * traffic * each * steps * barriers * (full / blocks as f64).max(1.0)
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
            let outputs = f64::from(nested.rows.m()) * f64::from(nested.cols.m());
            let expansion = count(nested.products()) / outputs;
            let pixels = count(problem.n * problem.p * problem.q);
            let channels = count(problem.conv.channels + problem.conv.filters);
            let bytes = 4.0 * pixels * channels * (1.0 + 2.0 * expansion);
            rates.dispatch * count(steps.len()) + multiply + bytes / rates.bytes
        }
        Algorithm::FusedOutput(nested) | Algorithm::Fused(nested) => {
            let groups: u64 = steps.iter().map(workgroups).sum();
            let flops = problem.direct_flops() / nested.reduction();
            rates.dispatch * count(steps.len()) + flops / (rates.fused * part_filled(groups, rates))
        }
    };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "nanoseconds of a run")]
    let ns = (seconds * 1e9) as u64;
    ns
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
    all / (rates.multiply * efficiency * part_filled(groups, rates))
}

#[expect(clippy::cast_precision_loss, reason = "an estimate")]
fn part_filled(groups: u64, rates: &Rates) -> f64 {
    (groups as f64 / rates.full as f64).min(1.0)
}

#[expect(clippy::cast_precision_loss, reason = "an estimate")]
const fn count(n: usize) -> f64 {
    n as f64
}
