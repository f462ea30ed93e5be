//! Outputs of two halves a word, where an invocation that writes one would write another's too: made in f32 in the workspace,
//! then packed. Where the workspace has no room for all of them, a part of them is made and packed before the next one.

use std::ops::Range;

use super::built::Built;
use super::dispatch::Dispatch;
use super::operand::Slot;
use super::pieces::{Axis, Piece, Window, check_dispatches, most};
use crate::caps::Limits;
use crate::conv::{Conv, Residual};
use crate::correlation::Correlation;
use crate::dtype::DType;
use crate::error::{LimitError, Resource};
use crate::kernel::{PackHalves, PackParams, Params, word};
use crate::plan::choose::{Preferences, Reason};
use crate::problem::{MAX_INDEX, Problem};
use crate::spatial::MAX_RANK;

/// The name of what is made, in errors.
const WHO: &str = "the output in f32";
/// Most parts: each has dispatches of its own, and a workspace that asks for more is too small.
const MOST_PARTS: usize = 1024;
/// How often the parts are halved, so that an algorithm has room beside them.
const HALVINGS: u32 = 6;

/// Builds the dispatches of a problem whose outputs are packed in the end. `build` builds those of some correlations with
/// f32 outputs, in what is left of the workspace. Parts are some images; or, if `any_part` will do, some filters and places, too.
pub(super) fn build(
    problem: &Problem,
    whole: &[Piece],
    any_part: bool,
    limits: &Limits,
    preferences: &Preferences,
    build: impl Fn(&Problem, &[Piece], &Preferences) -> Result<Built, Reason>,
) -> Result<Built, Reason> {
    // What stands in the output is another tensor than the one that is made.
    let residual = match problem.conv.residual {
        Residual::InPlace => Residual::Tensor,
        other => other,
    };
    let held = Problem { conv: Conv { residual, ..problem.conv }, ..*problem };
    let Some(region) = Region::whole(problem, whole) else {
        return build(&held, whole, preferences);
    };
    let axes = match any_part {
        // What is no correlation is made as a whole.
        _ if whole.is_empty() => 0..0,
        true => 0..AXES,
        false => IMAGES..IMAGES + 1,
    };
    let mut least: Option<LimitError> = None;
    for halving in 0..HALVINGS {
        let room = (preferences.workspace_limit >> halving).min(limits.max_buffer_size);
        let parts = region.parts(&axes, usize::try_from(room / 4).unwrap_or(usize::MAX));
        let built = parts.map_err(|need| {
            let bound = preferences.workspace_limit.min(limits.max_buffer_size);
            let resource = if need > limits.max_buffer_size { Resource::BufferBytes } else { Resource::WorkspaceBytes };
            Reason::Limit(LimitError { who: WHO.to_owned(), resource, need, bound })
        });
        let built = built.and_then(|parts| in_parts(&held, whole, &parts, limits, preferences, &build));
        match built {
            Ok(mut built) => {
                if problem.conv.residual == Residual::InPlace {
                    for operand in built.dispatches.iter_mut().flat_map(|step| &mut step.operands) {
                        if operand.slot == Slot::Residual {
                            operand.slot = Slot::Output;
                        }
                    }
                }
                return Ok(built);
            }
            // Smaller parts leave more room.
            Err(Reason::Limit(error)) if error.resource == Resource::WorkspaceBytes => {
                if least.as_ref().is_none_or(|least| error.need < least.need) {
                    least = Some(error);
                }
            }
            Err(other) => return Err(least.map_or(other, Reason::Limit)),
        }
    }
    Err(least.map_or(Reason::Inapplicable("packing the f16 outputs needs too many parts"), Reason::Limit))
}

/// The dispatches of all parts, one part after the other, each with those that pack it.
fn in_parts(
    problem: &Problem,
    whole: &[Piece],
    parts: &[Region],
    limits: &Limits,
    preferences: &Preferences,
    build: impl Fn(&Problem, &[Piece], &Preferences) -> Result<Built, Reason>,
) -> Result<Built, Reason> {
    let len = parts.iter().map(|part| part.window().len).max().unwrap_or(0);
    let bytes = DType::F32.bytes(len);
    let mut preferences = preferences.workspace_limit(preferences.workspace_limit.saturating_sub(bytes));
    let mut all: Option<Built> = None;
    for part in parts {
        let pieces = part.pieces(problem, whole);
        let built = build(problem, &pieces, &preferences).map_err(|reason| match reason {
            // It is told what is left; a caller has all of it.
            Reason::Limit(error) if error.resource == Resource::WorkspaceBytes => {
                LimitError { need: error.need + bytes, bound: error.bound + bytes, ..error }.into()
            }
            other => other,
        })?;
        // All parts are cut alike.
        preferences.cut = preferences.cut.or(Some(built.cut));
        let all = all.get_or_insert_with(|| Built {
            packing: built.packing,
            cut: built.cut,
            workspace: built.workspace.clone(),
            ..Built::nothing()
        });
        let index = u8::try_from(built.workspace.len())
            .map_err(|_| Reason::Inapplicable("it needs more than 255 workspace buffers"))?;
        for (most, len) in all.workspace.iter_mut().zip(&built.workspace) {
            *most = (*most).max(*len);
        }
        let (window, held) = (part.window(), Slot::Workspace(index));
        all.dispatches.extend(built.dispatches.into_iter().map(|step| redirected(step, window, held)));
        all.dispatches.extend(part.packing(problem, held, len, limits)?);
        check_dispatches(all.dispatches.len())?;
    }
    let mut all = all.ok_or(Reason::Inapplicable("the output is empty"))?;
    all.workspace.push(len);
    Ok(all)
}

/// A step that writes a part of the output, so that it writes the same into a buffer that holds that part alone.
fn redirected(mut step: Dispatch, part: Window, held: Slot) -> Dispatch {
    let offset = step.kernel.params().iter().position(|(name, _)| *name == "dst_offset");
    for operand in step.operands.iter_mut().filter(|operand| operand.slot == Slot::Output) {
        operand.slot = held;
        if operand.len.is_some() {
            operand.first -= part.first;
        } else if let Some(at) = offset {
            step.params[at] = step.params[at].wrapping_sub(word(part.first));
        }
    }
    step
}

/// A box of outputs: some images, groups, filters of each group, and places in depth, height and width.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Region {
    axes: [Range<usize>; AXES],
    /// From one of each to the next, in memory.
    steps: [isize; AXES],
    /// The first output of all.
    offset: usize,
}

const AXES: usize = PLACES + MAX_RANK;
const IMAGES: usize = 0;
const GROUPS: usize = 1;
const FILTERS: usize = 2;
/// The first of the places.
const PLACES: usize = 3;

impl Region {
    /// All outputs; none, if there are none.
    fn whole(problem: &Problem, parts: &[Piece]) -> Option<Self> {
        let result = problem.result();
        let ([d, h, w], view) = (result.shape.spatial().dhw(1), result.view);
        let [n, c, z, y, x] =
            [view.n, view.c, view.dhw[0], view.dhw[1], view.dhw[2]].map(|step| step.min(MAX_INDEX).cast_signed());
        // Phases of outputs differ in their places alone, and those are the result's.
        let (sizes, [n, g, c]) = match parts.first() {
            Some(Piece { of, .. }) => ([of.n, of.groups, of.group_k], [of.dst.n, of.dst.g, of.dst.c]),
            None => ([result.shape[0], 1, result.shape[1]], [n, 0, c]),
        };
        let axes = [sizes[0], sizes[1], sizes[2], d, h, w].map(|size| 0..size);
        let steps = [n, g, c, z, y, x];
        let is_empty = axes.iter().any(Range::is_empty);
        (!is_empty).then_some(Self { axes, steps, offset: view.offset })
    }

    /// What it spans of the output.
    fn window(&self) -> Window {
        let along = self.axes.iter().zip(self.steps);
        let first: isize = along.clone().map(|(range, step)| range.start.cast_signed() * step).sum();
        Window::of(self.offset.cast_signed() + first, along.map(|(range, step)| (range.len(), step)))
    }

    /// It in parts that span at most so many elements; or how many bytes would do.
    fn parts(&self, axes: &Range<usize>, most: usize) -> Result<Vec<Self>, u64> {
        self.cut_into(axes, most).map_err(|too_long| {
            let mut wider = (1..usize::BITS).map(|by| most.max(1).saturating_mul(1 << by));
            let enough = || wider.find(|&most| self.cut_into(axes, most).is_ok());
            DType::F32.bytes(too_long.or_else(enough).unwrap_or(self.window().len))
        })
    }

    /// The same; or the elements of a part that cannot be cut, or nothing if there are too many parts.
    fn cut_into(&self, axes: &Range<usize>, most: usize) -> Result<Vec<Self>, Option<usize>> {
        let mut waiting = vec![self.clone()];
        let mut done: Vec<Self> = Vec::new();
        while let Some(part) = waiting.pop() {
            let len = part.window().len;
            if len <= most {
                done.push(part);
            } else {
                let [first, second] = part.halves(axes.clone()).ok_or(Some(len))?;
                waiting.extend([second, first]);
            }
            if done.len() + waiting.len() > MOST_PARTS {
                return Err(None);
            }
        }
        Ok(done)
    }

    /// Both halves along what reaches furthest in memory: groups before their filters, since filters of several groups are no box.
    fn halves(&self, axes: Range<usize>) -> Option<[Self; 2]> {
        let reach = |&axis: &usize| self.steps[axis].unsigned_abs().saturating_mul(self.axes[axis].len() - 1);
        let several = axes.filter(|&axis| self.axes[axis].len() > 1);
        let axis = several.filter(|&axis| axis != FILTERS || self.axes[GROUPS].len() == 1).max_by_key(reach)?;
        let Range { start, end } = self.axes[axis];
        let middle = usize::midpoint(start, end);
        Some([start..middle, middle..end].map(|range| {
            let mut half = self.clone();
            half.axes[axis] = range;
            half
        }))
    }

    /// What each correlation has of it.
    fn pieces(&self, problem: &Problem, whole: &[Piece]) -> Vec<Piece> {
        let sizes = problem.result().shape.spatial().dhw(1);
        let strides: [usize; MAX_RANK] = match problem.is_in_phases() {
            true => problem.conv.stride.dhw(1),
            false => [1; MAX_RANK],
        };
        // As many phases as there are outputs, at most.
        let phases: [usize; MAX_RANK] = std::array::from_fn(|i| strides[i].min(sizes[i]));
        let piece = |(index, piece): (usize, &Piece)| {
            let phase = [index / (phases[1] * phases[2]), index / phases[2] % phases[1], index % phases[2]];
            let mut piece = *piece;
            for (axis, name) in [(IMAGES, Axis::Images), (GROUPS, Axis::Groups), (FILTERS, Axis::Filters)] {
                piece = self.cut(piece, axis, name, self.axes[axis].clone());
            }
            for i in 0..MAX_RANK {
                let Range { start, end } = self.axes[PLACES + i];
                // Outputs of this phase: `phase + o * stride`.
                let first = |place: usize| place.saturating_sub(phase[i]).div_ceil(strides[i]);
                if first(start) == first(end) {
                    return None;
                }
                piece = self.cut(piece, PLACES + i, Axis::Outputs(i), first(start)..first(end));
            }
            Some(piece)
        };
        whole.iter().enumerate().filter_map(piece).collect()
    }

    /// A piece's range of an axis; all of it as it stands.
    fn cut(&self, piece: Piece, axis: usize, name: Axis, range: Range<usize>) -> Piece {
        let Correlation { n, groups, group_k, out, .. } = &piece.of;
        let size = [*n, *groups, *group_k, out[0], out[1], out[2]][axis];
        if range == (0..size) { piece } else { piece.range(name, range.start, range.end) }
    }

    /// The dispatches that pack it, from a buffer of so many elements that holds it.
    fn packing(
        &self,
        problem: &Problem,
        held: Slot,
        held_len: usize,
        limits: &Limits,
    ) -> Result<Vec<Dispatch>, LimitError> {
        let (params, Window { first: offset, len: span }) = (self.params(), self.window());
        let (most, output_len) = (most(limits), problem.output_len());
        let reach =
            (PackHalves::WORKGROUP as usize).saturating_mul(limits.max_compute_workgroups_per_dimension as usize);
        // Where it begins in the middle of a word, there is one more.
        let size = if output_len <= most { span } else { most }.min(reach.saturating_mul(2).saturating_sub(1)).max(1);
        let part = |first: usize| {
            let len = size.min(span - first);
            let values = Window { first, len }.operand(held, held_len, most);
            let halves = Window { first: offset + first, len }.operand(Slot::Output, output_len, most);
            let (values_offset, halves_offset) = (word(first - values.first), word(offset + first - halves.first));
            let (first, count) = (word(first), word(len));
            Dispatch {
                kernel: PackHalves.spec(),
                grid: [(count / 2 + 1).div_ceil(PackHalves::WORKGROUP), 1, 1],
                params: PackParams { first, count, values_offset, halves_offset, ..params }.words(),
                operands: vec![values, halves],
            }
        };
        check_dispatches(span / size)?;
        Ok((0..span).step_by(size).map(part).collect())
    }

    /// Its dimensions, longest steps first: no two of its elements share a place, so that each step is beyond the reach of those
    /// behind it.
    fn params(&self) -> PackParams {
        let [n, groups, filters, d, h, w] = self.axes.clone().map(|range| range.len());
        let [step_n, _, step_k, step_d, step_h, step_w] = self.steps;
        // Filters of groups follow one another.
        let all = [(step_n, n), (step_k, groups * filters), (step_d, d), (step_h, h), (step_w, w)];
        let mut all =
            all.map(|(step, size)| if size == 1 { (u32::MAX, 1) } else { (word(step.unsigned_abs()), word(size)) });
        all.sort_unstable_by(|a, b| b.cmp(a));
        let [(step_0, size_0), (step_1, size_1), (step_2, size_2), (step_3, size_3), (step_4, size_4)] = all;
        PackParams {
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
            ..Default::default()
        }
    }
}
