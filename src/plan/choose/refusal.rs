//! Why there is no plan, in two lines, and what would help.

use super::algorithm::Algorithm;
use super::candidates::{judge, judge_one};
use super::choice::{Choice, Cut};
use super::expected_errors::Errors;
use super::preferences::{Preferences, Tolerance};
use super::verdict::{Candidate, Reason, Verdict};
use crate::caps::Caps;
use crate::conv::Conv;
use crate::error::{LimitError, NoPlan, Remedy, Resource, Result};
use crate::kernel::MultiplyCut;
use crate::padding::{Border, Padding};
use crate::plan::build::build;
use crate::problem::{Operation, Problem};
use crate::spatial::{Shape, Spatial};

/// How often limits are raised for one candidate: each once, as a rule, and those that take dispatches by doubling.
const MOST_RAISED: usize = 24;

/// Of candidates that are all out.
pub(in crate::plan) fn no_plan(
    problem: &Problem,
    caps: &Caps,
    preferences: &Preferences,
    candidates: &[Candidate],
) -> NoPlan {
    let mut rejected: Vec<(Algorithm, &Reason)> = Vec::new();
    for Candidate { algorithm, verdict, .. } in candidates {
        match verdict {
            // Where one was forced, only its own reason says anything.
            Verdict::Rejected(Reason::NotForced) => {}
            Verdict::Rejected(reason) => rejected.push((*algorithm, reason)),
            _ => {}
        }
    }
    let (reason, sharing) = shared(&rejected);
    let mut remedies = remedies(problem, caps, preferences, &rejected);
    let forced = !preferences.is_open();
    if remedies.is_empty() && forced {
        remedies.push(Remedy::Other("let the planner choose the algorithm and its blocking"));
    }
    let demand = match (preferences.algorithm, preferences.cut) {
        (Some(algorithm), _) => format!(", {algorithm} forced"),
        (None, Some(cut)) => format!(", cut {cut} forced"),
        (None, None) => String::new(),
    };
    NoPlan {
        asked: format!("{problem}{demand}"),
        reason,
        sharing,
        remedies,
        rejected: rejected.into_iter().map(|(algorithm, why)| (algorithm.to_string(), why.to_string())).collect(),
    }
}

/// The reason that most share, and how many they are: of those that a limit or a preference could mend, if there are any;
/// and of them the one that asks for least.
fn shared(rejected: &[(Algorithm, &Reason)]) -> (String, usize) {
    let mends = |reason: &Reason| !matches!(reason, Reason::Inapplicable(_));
    let any = rejected.iter().any(|(_, reason)| mends(reason));
    let same = |a: &Reason, b: &Reason| match (a, b) {
        (Reason::Limit(a), Reason::Limit(b)) => a.resource == b.resource,
        (Reason::Tolerance { .. }, Reason::Tolerance { .. }) => true,
        _ => a == b,
    };
    let asks = |reason: &Reason| match reason {
        Reason::Limit(error) => error.need,
        Reason::Tolerance { expected, .. } => *expected,
        _ => 0,
    };
    let mut groups: Vec<(&Reason, usize)> = Vec::new();
    for &(_, reason) in rejected.iter().filter(|(_, reason)| !any || mends(reason)) {
        match groups.iter_mut().find(|(first, _)| same(first, reason)) {
            Some((least, count)) => {
                *count += 1;
                if asks(reason) < asks(least) {
                    *least = reason;
                }
            }
            None => groups.push((reason, 1)),
        }
    }
    // The first one of several that are as many.
    let most = groups.iter().rev().max_by_key(|(_, count)| *count);
    most.map_or_else(|| ("there is no candidate".to_owned(), 0), |(reason, count)| (reason.to_string(), *count))
}

/// What makes a candidate possible: of all candidates, the one for which least has to be raised.
fn remedies(
    problem: &Problem,
    caps: &Caps,
    preferences: &Preferences,
    rejected: &[(Algorithm, &Reason)],
) -> Vec<Remedy> {
    let mut least: Option<(Vec<Remedy>, f64)> = None;
    for &(algorithm, reason) in rejected {
        let Some(mended) = mend(problem, algorithm, caps, preferences, reason) else { continue };
        // Where every candidate needs the same, and it is enough for one, there is nothing better.
        let is_all = mended.0.len() == 1 && rejected.iter().all(|(_, other)| *other == reason);
        let weight = |(remedies, by): &(Vec<Remedy>, f64)| (remedies.len(), *by);
        if least.as_ref().is_none_or(|least| weight(&mended) < weight(least)) {
            least = Some(mended);
        }
        if is_all {
            break;
        }
    }
    least.map(|(remedies, _)| remedies).unwrap_or_default()
}

/// What has to be raised for one candidate, and by how many powers of two in all. `None` if nothing helps.
fn mend(
    problem: &Problem,
    algorithm: Algorithm,
    caps: &Caps,
    preferences: &Preferences,
    reason: &Reason,
) -> Option<(Vec<Remedy>, f64)> {
    let (mut caps, mut preferences, mut reason) = (caps.clone(), *preferences, reason.clone());
    let (mut raised, mut by): (Vec<Remedy>, f64) = (Vec::new(), 0.0);
    for _ in 0..MOST_RAISED {
        let remedy = match &reason {
            // Longer bindings take fewer dispatches, and a larger workspace does.
            Reason::Limit(error) if error.resource == Resource::Dispatches => {
                by += 1.0;
                let limits = &mut caps.limits;
                let binding = &mut limits.max_storage_buffer_binding_size;
                if *binding < limits.max_buffer_size {
                    *binding = binding.saturating_mul(2).min(limits.max_buffer_size);
                    Remedy::RequestLimit { limit: Resource::BindingBytes.setting()?, least: *binding }
                } else {
                    preferences.workspace_limit = preferences.workspace_limit.max(1).saturating_mul(2);
                    Remedy::RaiseWorkspace { least: preferences.workspace_limit }
                }
            }
            Reason::Limit(error) => {
                raise(error, &mut caps, &mut preferences)?;
                by += powers(error.need, error.bound);
                error.remedy()?
            }
            Reason::Tolerance { expected, allowed, .. } => {
                preferences.tolerance = admitting(problem, algorithm, &caps, &preferences)?;
                by += powers(*expected, *allowed);
                Remedy::RaiseTolerance { to: format!("{:?}", preferences.tolerance) }
            }
            Reason::Inapplicable(_) | Reason::NotForced => return None,
        };
        // What is raised again replaces what was not enough.
        let same = |other: &Remedy| match (other, &remedy) {
            (Remedy::RequestLimit { limit: a, .. }, Remedy::RequestLimit { limit: b, .. }) => a == b,
            _ => std::mem::discriminant(other) == std::mem::discriminant(&remedy),
        };
        raised.retain(|other| !same(other));
        raised.push(remedy);
        match judge_one(problem, algorithm, &caps, &preferences) {
            Ok(_) => return Some((raised, by)),
            Err(next) => reason = next,
        }
    }
    None
}

#[expect(clippy::cast_precision_loss, reason = "compared with others")]
fn powers(need: u64, bound: u64) -> f64 {
    (need.max(1) as f64 / bound.max(1) as f64).log2()
}

/// Raises what an error names to what it needs; `None` where nothing can be raised.
fn raise(error: &LimitError, caps: &mut Caps, preferences: &mut Preferences) -> Option<()> {
    let word = u32::try_from(error.need).ok();
    let limits = &mut caps.limits;
    let (limit, need) = match error.resource {
        Resource::WorkspaceBytes => (&mut preferences.workspace_limit, error.need),
        Resource::BindingBytes => (&mut limits.max_storage_buffer_binding_size, error.need),
        Resource::BufferBytes => (&mut limits.max_buffer_size, error.need),
        other => {
            let limit = match other {
                Resource::WorkgroupBytes => &mut limits.max_compute_workgroup_storage_size,
                Resource::Invocations => &mut limits.max_compute_invocations_per_workgroup,
                Resource::WorkgroupSize => &mut limits.max_compute_workgroup_size[0],
                Resource::Workgroups => &mut limits.max_compute_workgroups_per_dimension,
                Resource::StorageBuffers => &mut limits.max_storage_buffers_per_shader_stage,
                _ => return None,
            };
            let grows = word? > *limit;
            *limit = word?;
            return grows.then_some(());
        }
    };
    let grows = need > *limit;
    *limit = need;
    grows.then_some(())
}

/// The least tolerance of the same kind, rounded up, that admits an algorithm as it is cut.
fn admitting(problem: &Problem, algorithm: Algorithm, caps: &Caps, preferences: &Preferences) -> Option<Tolerance> {
    let cut = build(problem, algorithm, caps, preferences).ok()?.cut;
    Errors::on(problem, caps).admitting(Choice { algorithm, cut }, preferences.tolerance)
}

/// Whether what is forced may run on some input of a convolution, forward or for a gradient. It says no only if no
/// input could change that: the smallest one needs the least of every limit, and a large one is not too small for any algorithm.
///
/// # Errors
/// What [`Preferences::validate`] says; [`NoPlan`].
pub(crate) fn check_forced(conv: &Conv, caps: &Caps, preferences: &Preferences) -> Result<()> {
    preferences.validate()?;
    if preferences.is_open() {
        return Ok(());
    }
    // Whether a stride or a dilation matters depends on whether there is more than one output or tap along that dimension, and
    // padding that follows the size on what the stride leaves of it: images that are large along some dimensions alone have
    // problems of their own.
    let sizes = |axis| {
        let [small, large] = [smallest(conv, axis), large_size(conv, axis)];
        [small, small.saturating_add(1), large, large.saturating_add(1)]
    };
    let image = |of: usize| on_image(conv, |axis| sizes(axis)[of >> (2 * axis) & 3]);
    let count = 1 << (2 * conv.rank());
    let (Some(small), Some(large)) = (image(0), on_image(conv, |axis| large_size(conv, axis))) else { return Ok(()) };
    let with_gradients =
        |problem: Problem| [Some(problem), problem.input_gradient().ok(), problem.weight_gradient().ok()];
    let candidates = |problem: &Problem| judge(problem, caps, preferences).candidates;
    let of_small = with_gradients(small).map(|problem| problem.as_ref().map(candidates));
    for problems in (0..count).rev().filter_map(image).map(with_gradients) {
        for (problem, of_small) in problems.iter().zip(&of_small) {
            let (Some(problem), Some(of_small)) = (problem, of_small) else { continue };
            let is_never = |candidate: &Candidate| {
                let small = of_small.iter().find(|small| small.algorithm == candidate.algorithm);
                match small.map(|small| &small.verdict) {
                    // Larger images need more.
                    Some(Verdict::Rejected(Reason::Limit(_))) => true,
                    Some(Verdict::Rejected(_)) | None => is_out_for_good(problem, candidate, caps, preferences),
                    Some(_) => false,
                }
            };
            if !candidates(problem).iter().all(is_never) {
                return Ok(());
            }
        }
    }
    let mut no_plan = no_plan(&large, caps, preferences, &judge(&large, caps, preferences).candidates);
    // The image was ours: what is said of it is true of any.
    let shape = large.of_input().shape.to_string();
    no_plan.asked = no_plan.asked.replacen(&shape, &format!("any input of {} channels", conv.channels), 1);
    Err(no_plan.into())
}

/// Whether a candidate is out on every larger image, too.
fn is_out_for_good(problem: &Problem, candidate: &Candidate, caps: &Caps, preferences: &Preferences) -> bool {
    // The sums of a weight gradient grow with the image, and have room for more parts.
    let in_parts = matches!(preferences.cut, Some(Cut::Gemm(_) | Cut::Multiply(MultiplyCut { parts: 2.., .. })));
    let grows = problem.operation == Operation::WeightGradient && in_parts;
    match &candidate.verdict {
        Verdict::Rejected(Reason::NotForced) => true,
        Verdict::Rejected(Reason::Inapplicable(_)) => !grows,
        Verdict::Rejected(Reason::Limit(error)) => !matches!(
            error.resource,
            Resource::Workgroups
                | Resource::BindingBytes
                | Resource::BufferBytes
                | Resource::IndexRange
                | Resource::Phases
                | Resource::Dispatches
                | Resource::WorkspaceBytes
        ),
        // A sum over a larger image is longer, and direct summation of it errs more.
        Verdict::Rejected(Reason::Tolerance { .. }) => {
            let cuts = preferences.cut.map_or_else(|| Cut::all_for(candidate.algorithm), |cut| vec![cut]);
            let errors = Errors::of_whole_sums(problem, caps);
            let admitted =
                |cut| errors.within(Choice { algorithm: candidate.algorithm, cut }, preferences.tolerance).is_ok();
            problem.operation != Operation::WeightGradient && !cuts.into_iter().chain([Cut::Only]).any(admitted)
        }
        _ => false,
    }
}

/// The convolution on one image of these sizes by dimension.
fn on_image(conv: &Conv, size: impl Fn(usize) -> usize) -> Option<Problem> {
    let sizes: Vec<usize> = (0..conv.rank()).map(size).collect();
    conv.on(Shape::new(1, conv.channels, Spatial::from_slice(&sizes)?)).ok()
}

/// The smallest image along a dimension, of those that give an output.
fn smallest(conv: &Conv, axis: usize) -> usize {
    let span = (conv.kernel[axis] - 1).saturating_mul(conv.dilation[axis]).saturating_add(1);
    let [before, after] = match conv.padding {
        Padding::Explicit { before, after } => [before[axis], after[axis]],
        _ if conv.transposed.is_some() || conv.border == Border::Zero => return 1,
        _ => [span, span],
    };
    if let Some(extra) = conv.transposed {
        // Padding cuts off outputs, of which one input has as many as the filter spans.
        let missing = before.saturating_add(after).saturating_add(1).saturating_sub(span.saturating_add(extra[axis]));
        return 1 + missing.div_ceil(conv.stride[axis]);
    }
    let values = if conv.border == Border::Zero { 1 } else { before.max(after).saturating_add(1) };
    span.saturating_sub(before).saturating_sub(after).max(values)
}

/// An image along a dimension that has several tiles, of outputs a stride or a dilation apart, too.
fn large_size(conv: &Conv, axis: usize) -> usize {
    let apart = conv.stride[axis].saturating_mul(conv.dilation[axis]);
    smallest(conv, axis).saturating_add(apart.saturating_mul(16))
}
