//! Parts of tensors, and tensors put together: slices, splits, gathers, concatenations, padding.

use winoconv::graph::{Edge, Graph, Slice, Value};

use super::call::{Call, known_ints, scalar};
use super::layout::reshape;
use super::{Fault, Held, Import, Outcome, axes_of, axis_of, dims_of, invalid, position_of, sizes_of, unsupported};
use crate::error::refusal;

/// Runs of neighbours that a gather may consist of: each is a node.
const MOST_RUNS: usize = 4096;
/// What a node of a graph counts as, of the elements that may be made of known ones.
const NODE: usize = 64;

/// The indices `start, start + step, ...` before `end`, as the standard clamps them.
fn slice_of(axis: usize, size: usize, start: i64, end: i64, step: i64) -> Outcome<Slice> {
    let len = size as i64;
    let from_end = |at: i64| if at < 0 { at.saturating_add(len) } else { at };
    // Backwards, the place before the first element is an end.
    let (low, high) = if step > 0 { (0, len) } else { (-1, len - 1) };
    let (start, end) = (from_end(start).clamp(low.max(0), high.max(0)), from_end(end).clamp(low, high.max(low)));
    let room = if step > 0 { end - start } else { start - end };
    let step = isize::try_from(step).ok().filter(|&step| step != 0);
    let step = step.ok_or_else(|| Fault::Invalid(refusal!("a step is 0, expected another number")))?;
    let len = usize::try_from(room.max(0)).unwrap_or(0).div_ceil(step.unsigned_abs());
    let step = if len < 2 { 1 } else { step };
    Ok(Slice { axis, start: if len == 0 { 0 } else { start as usize }, step, len: if size == 0 { 0 } else { len } })
}

pub(super) fn slice(import: &mut Import<'_>, call: &Call<'_>) -> Outcome<Vec<Held>> {
    let held = call.operand(0)?;
    let dims = import.dims(held);
    let (starts, ends) = (call.needed_ints(1, "starts")?, call.needed_ints(2, "ends")?);
    let axes = call.ints_at(3, "axes")?.unwrap_or_else(|| (0..starts.len() as i64).collect());
    let steps = call.ints_at(4, "steps")?.unwrap_or_else(|| vec![1; starts.len()]);
    let lens = [starts.len(), ends.len(), axes.len(), steps.len()];
    if lens != [starts.len(); 4] {
        return invalid(refusal!("starts, ends, axes and steps have {lens:?} numbers, expected as many of each"));
    }
    axes_of(&axes, dims.rank())?;
    let mut slices = Vec::new();
    for (i, &axis) in axes.iter().enumerate() {
        let axis = axis_of(axis, dims.rank())?;
        slices.push(slice_of(axis, dims[axis], starts[i], ends[i], steps[i])?);
    }
    Ok(vec![import.moved(&[held], |graph, values| {
        let cut = |x, slice: &Slice| Ok(graph.slice_in_steps(x, *slice)?);
        slices.iter().filter(|slice| slice.step != 1 || slice.len != dims[slice.axis]).try_fold(values[0], cut)
    })?])
}

pub(super) fn split(import: &mut Import<'_>, call: &Call<'_>) -> Outcome<Vec<Held>> {
    let held = call.operand(0)?;
    let dims = import.dims(held);
    let axis = axis_of(call.int("axis", 0)?, dims.rank())?;
    let parts = call.node.outputs.len();
    let sizes = match call.ints_at(1, "split")? {
        Some(sizes) => sizes_of("a size", &sizes)?,
        None => {
            let wanted = call.int("num_outputs", parts as i64)?;
            if parts == 0 || wanted != parts as i64 {
                return invalid(refusal!("the node has {parts} outputs, expected {wanted}, its num_outputs"));
            }
            let each = dims[axis].div_ceil(parts);
            (0..parts).map(|i| dims[axis].saturating_sub(i * each).min(each)).collect()
        }
    };
    let all = sizes.iter().fold(0usize, |sum, &size| sum.saturating_add(size));
    if sizes.len() != parts || all != dims[axis] {
        return invalid(refusal!("parts of {sizes:?}, expected {parts} sizes that add up to axis {axis} of {dims}"));
    }
    let mut start = 0;
    let mut results = Vec::with_capacity(parts);
    for len in sizes {
        let slice = Slice { axis, start: if len == 0 { 0 } else { start }, step: 1, len };
        results.push(import.moved(&[held], |graph, values| Ok(graph.slice_in_steps(values[0], slice)?))?);
        start += len;
    }
    Ok(results)
}

pub(super) fn concat(import: &mut Import<'_>, call: &Call<'_>) -> Outcome<Vec<Held>> {
    let all = call.all()?;
    let axis = axis_of(call.int("axis", 0)?, import.dims(all[0]).rank())?;
    Ok(vec![import.moved(&all, |graph, values| Ok(graph.concat(values, axis as isize)?))?])
}

/// Indices as slices: runs of neighbours, or all in one step.
fn runs(axis: usize, indices: &[usize]) -> Vec<Slice> {
    let step_of = |pair: &[usize]| pair[1].cast_signed() - pair[0].cast_signed();
    if let [first, _, ..] = indices {
        let step = step_of(&indices[..2]);
        if step != 0 && indices.windows(2).all(|pair| step_of(pair) == step) {
            return vec![Slice { axis, start: *first, step, len: indices.len() }];
        }
    }
    let mut runs: Vec<Slice> = Vec::new();
    for &index in indices {
        match runs.last_mut() {
            Some(run) if run.start + run.len == index => run.len += 1,
            _ => runs.push(Slice { axis, start: index, step: 1, len: 1 }),
        }
    }
    runs
}

/// Elements along an axis by known indices: slices, one behind the other.
pub(super) fn gather(import: &mut Import<'_>, call: &Call<'_>) -> Outcome<Vec<Held>> {
    let held = call.operand(0)?;
    let dims = import.dims(held);
    let axis = axis_of(call.int("axis", 0)?, dims.rank())?;
    let indices = known_ints(call.operand(1)?, "the indices")?;
    let mut found = Vec::with_capacity(indices.data.len());
    for &index in indices.data.iter() {
        found.push(position_of("an index", index, dims[axis])?);
    }
    let sizes = dims_of(&[&dims[..axis], &indices.dims[..], &dims[axis + 1..]].concat())?;
    let runs = runs(axis, &found);
    if runs.len() > MOST_RUNS {
        return unsupported(refusal!("indices in {} runs of neighbours, expected at most {MOST_RUNS}", runs.len()));
    }
    import.charge(runs.len() * NODE)?;
    if matches!(held, Held::Ints(_)) {
        import.charge_ints(sizes.elements())?;
    }
    Ok(vec![import.moved(&[held], |graph, values| {
        let mut parts: Vec<Value> = Vec::with_capacity(runs.len());
        for run in &runs {
            parts.push(graph.slice_in_steps(values[0], *run)?);
        }
        let joined = match parts[..] {
            [] => graph.slice(values[0], axis as isize, 0, 0)?,
            [one] => one,
            _ => graph.concat(&parts, axis as isize)?,
        };
        reshape(graph, joined, sizes)
    })?])
}

/// Sizes before and behind, of some axes or of all.
fn pads(call: &Call<'_>, rank: usize) -> Outcome<[Vec<isize>; 2]> {
    let given = call.needed_ints(1, "pads")?;
    let axes = match call.optional(3) {
        Some(held) => known_ints(held, "the axes")?.data.to_vec(),
        None => (0..rank as i64).collect(),
    };
    axes_of(&axes, rank)?;
    if given.len() != 2 * axes.len() {
        return invalid(refusal!("{} pads for {} axes, expected two for each", given.len(), axes.len()));
    }
    let mut all = [vec![0; rank], vec![0; rank]];
    for (i, &axis) in axes.iter().enumerate() {
        for (side, sizes) in all.iter_mut().enumerate() {
            let size = given[side * axes.len() + i];
            // More would overflow sums of sizes.
            let size = isize::try_from(size).ok().filter(|size| size.unsigned_abs() < 1 << 40);
            sizes[axis_of(axis, rank)?] =
                size.ok_or_else(|| Fault::Invalid(refusal!("pads are {given:?}, expected less than 2^40 each")))?;
        }
    }
    Ok(all)
}

pub(super) fn pad(import: &mut Import<'_>, call: &Call<'_>) -> Outcome<Vec<Held>> {
    let (x, dims) = call.tensor_at(import, 0)?;
    let [before, after] = pads(call, dims.rank())?;
    let number = match call.optional(2) {
        Some(held) => scalar(&import.floats(held, "the constant")?, "the constant")?,
        None => call.float("value", 0.0)?,
    };
    let edge = match call.text("mode", "constant")? {
        "constant" => Edge::Constant(number),
        "reflect" => Edge::Reflect,
        "edge" => Edge::Replicate,
        "wrap" => Edge::Circular,
        other => return invalid(refusal!("mode is {other}, expected constant, reflect, edge or wrap")),
    };
    // What is padded by its own elements has some, also after others were taken away.
    let left =
        |axis: usize| dims[axis].saturating_add_signed(before[axis].min(0)).saturating_add_signed(after[axis].min(0));
    let is_empty = |axis: usize| left(axis) == 0 && (before[axis] > 0 || after[axis] > 0);
    if !matches!(edge, Edge::Constant(_)) && (0..dims.rank()).any(is_empty) {
        return invalid(refusal!("expected elements to pad with, got none of {dims}"));
    }
    Ok(vec![padded(&mut import.graph, x, [&before, &after], edge)?.into()])
}

fn padded(graph: &mut Graph, x: Value, [before, after]: [&[isize]; 2], edge: Edge) -> Outcome<Value> {
    Ok(graph.pad(x, before, after, edge)?)
}
