//! The dispatches of the gradients of a convolution's end: of its bias, of what its activation is applied to, of its slopes.
//! They are no correlations, and one kernel computes each.

use std::ops::Range;

use super::built::{Built, workspace_bytes};
use super::dispatch::Dispatch;
use super::operand::{Operand, Slot};
use super::pieces::{Window, most};
use crate::caps::Limits;
use crate::error::{LimitError, Resource};
use crate::kernel::{ActivationGradient, ActivationParams, ChannelParams, ChannelSums, Params, Storage, Term, word};
use crate::plan::choose::{Preferences, Reason};
use crate::problem::{Operation, Placed, Problem};

/// Workgroups that a sum is divided among, where it is long enough: a few for each unit of a large GPU.
const WORKGROUPS: usize = 1024;
/// Fewest positions that each of a workgroup's rows sums up, where the sum is divided.
const LEAST_TURNS: usize = 16;

/// The dispatches of the problem's one algorithm.
pub(super) fn build(
    problem: &Problem,
    storage: Storage,
    limits: &Limits,
    preferences: &Preferences,
) -> Result<Built, Reason> {
    let (steps, workspace) = match problem.operation {
        Operation::ActivationGradient => (activation(problem, storage, limits), Vec::new()),
        _ => sums(problem, storage, limits, preferences)?,
    };
    Ok(Built { dispatches: steps, workspace, ..Built::nothing() })
}

/// Walks memory, in as many dispatches as bindings and grids ask for.
fn activation(problem: &Problem, storage: Storage, limits: &Limits) -> Vec<Dispatch> {
    let result = problem.result();
    if result.is_empty() {
        return Vec::new();
    }
    let activation = problem.conv.activation.as_stored(problem.conv.dtype);
    let kernel = ActivationGradient::new(activation, storage);
    let dimensions = longest_first(&result);
    let [size_0, size_1, size_2, size_3, size_4] = dimensions.map(|dimension| dimension.size);
    let [step_0, step_1, step_2, step_3, step_4] = dimensions.map(|dimension| dimension.step);
    let [k_0, k_1, k_2, k_3, k_4] = dimensions.map(|dimension| u32::from(dimension.of_channels));
    let [act_a, act_b] = activation.arguments();
    let params = ActivationParams {
        size_0,
        size_1,
        size_2,
        size_3,
        size_4,
        step_0,
        step_1,
        step_2,
        step_3,
        step_4,
        k_0,
        k_1,
        k_2,
        k_3,
        k_4,
        act_a,
        act_b,
        ..Default::default()
    };
    let (all, most, offset) = (result.len(), most(limits), result.view.offset);
    let reach = (ActivationGradient::WORKGROUP as usize)
        .saturating_mul(limits.max_compute_workgroups_per_dimension.max(1) as usize);
    let size = if all <= most { reach } else { reach.min(most) };
    let step = |first: usize| {
        let count = size.min(all - offset - first);
        let part = Window { first: offset + first, len: count };
        let mut operands =
            [Slot::Input, Slot::Weights, Slot::Output].map(|slot| part.operand(slot, all, most)).to_vec();
        let at = word(part.first - operands[0].first);
        if kernel.has_slopes() {
            operands.push(Slot::Slopes.into());
        }
        let (first, count) = (word(first), word(count));
        let params =
            ActivationParams { first, count, src_offset: at, weights_offset: at, dst_offset: at, ..params }.words();
        Dispatch {
            kernel: kernel.spec(),
            grid: [count.div_ceil(ActivationGradient::WORKGROUP), 1, 1],
            params,
            operands,
        }
    };
    (0..all - offset).step_by(size).map(step).collect()
}

/// A dimension of a tensor in memory.
#[derive(Debug, Clone, Copy)]
struct Dimension {
    step: u32,
    size: u32,
    /// Whether it is the channels'.
    of_channels: bool,
}

/// A tensor's dimensions, longest steps first: no two of its elements share a place, so that each step is beyond the reach
/// of those behind it.
fn longest_first(placed: &Placed) -> [Dimension; 5] {
    let [d, h, w] = placed.shape.spatial().dhw(1);
    let view = &placed.view;
    let [step_d, step_h, step_w] = view.dhw;
    let all = [
        (view.n, placed.shape[0], false),
        (view.c, placed.shape[1], true),
        (step_d, d, false),
        (step_h, h, false),
        (step_w, w, false),
    ];
    let mut all = all.map(|(step, size, of_channels)| {
        let step = if size == 1 { u32::MAX } else { word(step) };
        Dimension { step, size: word(size), of_channels }
    });
    all.sort_unstable_by_key(|dimension| std::cmp::Reverse((dimension.step, dimension.size)));
    all
}

/// What a sum runs over: positions along the dimensions that are not the channels', longest steps first.
struct Positions {
    sizes: [usize; 4],
    steps: [usize; 4],
}

impl Positions {
    /// Those of a tensor. Dimensions that follow one another in memory are one.
    fn of(placed: &Placed) -> Self {
        let [d, h, w] = placed.shape.spatial().dhw(1);
        let [step_d, step_h, step_w] = placed.view.dhw;
        let mut all = vec![(placed.view.n, placed.shape[0]), (step_d, d), (step_h, h), (step_w, w)];
        all.retain(|&(_, size)| size != 1);
        all.sort_unstable_by(|a, b| b.cmp(a));
        all.dedup_by(|inner, outer| {
            let follows = inner.0.checked_mul(inner.1) == Some(outer.0);
            if follows {
                *outer = (inner.0, inner.1 * outer.1);
            }
            follows
        });
        let (mut sizes, mut steps) = ([1; 4], [0; 4]);
        let first = sizes.len() - all.len();
        for (i, (step, size)) in all.into_iter().enumerate() {
            (steps[first + i], sizes[first + i]) = (step, size);
        }
        Self { sizes, steps }
    }
}

/// Some of the positions: a range along each dimension.
type Places = [Range<usize>; 4];

fn positions_of(places: &Places) -> usize {
    places.iter().map(Range::len).product()
}

/// What is summed, in parts that can be bound: some channels, and some of the positions.
struct Parts {
    channels: Vec<Range<usize>>,
    places: Vec<Places>,
}

impl Parts {
    /// As few as a grid reaches and a binding holds. What reaches furthest in memory is halved first.
    fn of(source: &Placed, positions: &Positions, reach: usize, most: usize) -> Self {
        let all = [&[source.shape[1]], &positions.sizes[..]].concat();
        let steps = [&[source.view.c], &positions.steps[..]].concat();
        let mut each = all.clone();
        each[0] = each[0].min(reach);
        let reaches = |each: &[usize], i: usize| each[i].saturating_sub(1) * steps[i];
        while source.len() > most && (0..each.len()).map(|i| reaches(&each, i)).sum::<usize>() >= most {
            let furthest = (0..each.len()).max_by_key(|&i| reaches(&each, i)).unwrap_or(0);
            each[furthest] = each[furthest].div_ceil(2);
        }
        let ranges = |i: usize| -> Vec<Range<usize>> {
            // A sum over nothing is a sum, too.
            let starts = (0..all[i].max(1)).step_by(each[i].max(1));
            starts.map(|first| first..all[i].min(first + each[i])).collect()
        };
        let mut places: Vec<Places> = Vec::new();
        for (a, b) in ranges(1).into_iter().flat_map(|a| ranges(2).into_iter().map(move |b| (a.clone(), b))) {
            for (c, d) in ranges(3).into_iter().flat_map(|c| ranges(4).into_iter().map(move |d| (c.clone(), d))) {
                places.push([a.clone(), b.clone(), c.clone(), d]);
            }
        }
        Self { channels: ranges(0), places }
    }
}

/// Where some channels' values at some positions lie in memory.
fn window(source: &Placed, positions: &Positions, channels: &Range<usize>, places: &Places) -> Window {
    let of_places = places.iter().zip(positions.steps);
    let starts: usize = of_places.clone().map(|(range, step)| range.start * step).sum();
    let first = source.view.offset + channels.start * source.view.c + starts;
    let reaches = of_places.map(|(range, step)| (range.len(), step.cast_signed()));
    Window::of(first.cast_signed(), reaches.chain([(channels.len(), source.view.c.cast_signed())]))
}

/// Sums in parts, and then the sums of those where there are several.
fn sums(
    problem: &Problem,
    storage: Storage,
    limits: &Limits,
    preferences: &Preferences,
) -> Result<(Vec<Dispatch>, Vec<usize>), Reason> {
    let term = if problem.operation == Operation::SlopeGradient { Term::Negative } else { Term::Value };
    let source = problem.source();
    let kernel = ChannelSums::new(term, &source.view, storage);
    let positions = Positions::of(&source);
    let (channels, all, most) = (source.shape[1], source.len(), most(limits));
    let bound = Parts::of(&source, &positions, reach(&kernel, limits), most);
    // Of the parts that bindings ask for, each is divided further, alike for all channels.
    let room = usize::try_from(preferences.workspace_limit / 4).unwrap_or(usize::MAX) / channels / bound.places.len();
    let divided = |places: &Places| {
        let len = positions_of(places);
        let blocks = channels.div_ceil(kernel.lanes as usize) * bound.places.len();
        let useful = len.div_ceil(kernel.rows() as usize * LEAST_TURNS);
        let part = len.div_ceil(WORKGROUPS.div_ceil(blocks).min(useful).min(room).max(1)).max(1);
        (part, len.div_ceil(part).max(1))
    };
    let counts: Vec<(usize, usize)> = bound.places.iter().map(divided).collect();
    let parts: usize = counts.iter().map(|&(_, parts)| parts).sum();
    let workspace = if parts == 1 { Vec::new() } else { vec![parts * channels] };
    let bytes = workspace_bytes(&workspace);
    const WHO: &str = "the sums of parts";
    LimitError::check(WHO, Resource::WorkspaceBytes, bytes, preferences.workspace_limit)?;
    LimitError::check(WHO, Resource::BindingBytes, bytes, limits.max_storage_buffer_binding_size)?;
    let sums: Operand = if parts == 1 { Slot::Output } else { Slot::Workspace(0) }.into();
    let slots: &[Slot] = if term == Term::Negative { &[Slot::Input, Slot::Weights] } else { &[Slot::Input] };
    let [step_0, step_1, step_2, step_3] = positions.steps.map(word);
    let mut steps = Vec::new();
    let mut before = 0;
    for (places, &(part, count)) in bound.places.iter().zip(&counts) {
        let [_, size_1, size_2, size_3] = places.each_ref().map(|range| word(range.len().max(1)));
        for range in &bound.channels {
            let window = window(&source, &positions, range, places);
            let mut operands: Vec<Operand> = slots.iter().map(|&slot| window.operand(slot, all, most)).collect();
            let offset = word(window.first - operands[0].first);
            operands.push(sums);
            let params = ChannelParams {
                channels: word(range.len()),
                step_k: word(source.view.c),
                positions: word(positions_of(places)),
                part: word(part),
                size_1,
                size_2,
                size_3,
                step_0,
                step_1,
                step_2,
                step_3,
                dst_part: word(channels),
                src_offset: offset,
                weights_offset: offset,
                dst_offset: word(before * channels + range.start),
            };
            let grid = [word(range.len()).div_ceil(kernel.lanes), word(count), 1];
            steps.push(Dispatch { kernel: kernel.spec(), grid, params: params.words(), operands });
        }
        before += count;
    }
    if parts > 1 {
        steps.extend(sums_of_parts(channels, parts, limits));
    }
    Ok((steps, workspace))
}

/// Channels that one dispatch reaches.
fn reach(kernel: &ChannelSums, limits: &Limits) -> usize {
    (kernel.lanes as usize).saturating_mul(limits.max_compute_workgroups_per_dimension.max(1) as usize)
}

/// The dispatches that add up the sums of the parts.
fn sums_of_parts(channels: usize, parts: usize, limits: &Limits) -> Vec<Dispatch> {
    let kernel = ChannelSums { term: Term::Value, lanes: ChannelSums::LANES[1], storage: Storage::F32 };
    let reach = reach(&kernel, limits);
    let step = |first: usize| {
        let count = word(reach.min(channels - first));
        let params = ChannelParams {
            channels: count,
            step_k: 1,
            positions: word(parts),
            part: word(parts),
            size_1: 1,
            size_2: 1,
            size_3: word(parts),
            step_3: word(channels),
            src_offset: word(first),
            dst_offset: word(first),
            ..Default::default()
        };
        let operands = vec![Slot::Workspace(0).into(), Slot::Output.into()];
        Dispatch { kernel: kernel.spec(), grid: [count.div_ceil(kernel.lanes), 1, 1], params: params.words(), operands }
    };
    (0..channels).step_by(reach).map(step).collect()
}
