//! The same elements in other dimensions or in another order.

use std::sync::Arc;

use winoconv::graph::{BlockOrder, Dims, Graph, Value};

use super::call::{Call, known_ints};
use super::{Fault, Held, Import, Outcome, axes_of, axis_of, dims_of, invalid, size_of, sizes_of};
use crate::error::refusal;
use crate::tensor::Floats;

/// These dimensions. A tensor without elements is made anew, as a reshape of a graph takes 0 for a size that is kept.
pub(super) fn reshape(graph: &mut Graph, x: Value, dims: Dims) -> Outcome<Value> {
    let own = graph.dims(x);
    if own == dims {
        return Ok(x);
    }
    if own.elements() != dims.elements() {
        return invalid(refusal!("a shape of {dims}, expected as many elements as {own} has"));
    }
    if dims.elements() == 0 {
        let none: Arc<[f32]> = Arc::from([]);
        return Ok(graph.constant(none, dims)?);
    }
    let to: Vec<isize> = dims.iter().map(|&size| size.cast_signed()).collect();
    Ok(graph.reshape(x, &to)?)
}

/// The same of what a name stands for, as a value.
pub(super) fn reshape_held(import: &mut Import<'_>, held: &Held, dims: Dims) -> Outcome<Value> {
    let held = one(import, held, dims)?.swap_remove(0);
    import.value(&held)
}

/// One operand in other dimensions. What is known stays known.
fn one(import: &mut Import<'_>, held: &Held, dims: Dims) -> Outcome<Vec<Held>> {
    if let Held::Floats(floats) = held
        && floats.dims.elements() == dims.elements()
    {
        return Ok(vec![Held::Floats(Floats { dims, data: floats.data.clone() })]);
    }
    Ok(vec![import.moved(&[held], |graph, values| reshape(graph, values[0], dims))?])
}

pub(super) fn reshaped(import: &mut Import<'_>, call: &Call<'_>) -> Outcome<Vec<Held>> {
    let held = call.operand(0)?;
    let own = import.dims(held);
    let to = known_ints(call.operand(1)?, "the shape")?.data.clone();
    let keeps_zeros = call.flag("allowzero", false)?;
    let mut sizes = Vec::with_capacity(to.len().min(16));
    let mut open = None;
    for (axis, &size) in to.iter().enumerate() {
        sizes.push(match size {
            -1 if open.is_none() => {
                open = Some(axis);
                1
            }
            0 if !keeps_zeros => match own.get(axis) {
                Some(&size) => size,
                None => return invalid(refusal!("the shape {to:?} keeps size {axis}, expected one that {own} has")),
            },
            size => size_of("a size", size)?,
        });
    }
    if let Some(axis) = open {
        let known = dims_of(&sizes)?.elements();
        if known == 0 || !own.elements().is_multiple_of(known) {
            return invalid(refusal!("a shape of {to:?}, expected as many elements as {own} has"));
        }
        sizes[axis] = own.elements() / known;
    }
    let dims = dims_of(&sizes)?;
    one(import, held, dims)
}

/// Two axes: those before one, and those from it on.
pub(super) fn flat(dims: Dims, axis: usize) -> Outcome<Dims> {
    let product = |sizes: &[usize]| sizes.iter().fold(1usize, |product, &size| product.saturating_mul(size));
    dims_of(&[product(&dims[..axis]), product(&dims[axis..])])
}

pub(super) fn flatten(import: &mut Import<'_>, call: &Call<'_>) -> Outcome<Vec<Held>> {
    let held = call.operand(0)?;
    let dims = import.dims(held);
    // Behind all axes is a place here, too.
    let axis = match call.int("axis", 1)? {
        axis @ ..0 => axis_of(axis, dims.rank())?,
        axis => axis_of(axis, dims.rank() + 1)?,
    };
    one(import, held, flat(dims, axis)?)
}

pub(super) fn transpose(import: &mut Import<'_>, call: &Call<'_>) -> Outcome<Vec<Held>> {
    let held = call.operand(0)?;
    let rank = import.dims(held).rank();
    let order = match call.ints("perm")? {
        Some(order) => sizes_of("perm", order)?,
        None => (0..rank).rev().collect(),
    };
    Ok(vec![import.moved(&[held], |graph, values| Ok(graph.transpose(values[0], &order)?))?])
}

pub(super) fn squeeze(import: &mut Import<'_>, call: &Call<'_>) -> Outcome<Vec<Held>> {
    let held = call.operand(0)?;
    let dims = import.dims(held);
    let axes = match call.ints_at(1, "axes")? {
        Some(axes) => axes_of(&axes, dims.rank())?,
        None => (0..dims.rank()).filter(|&axis| dims[axis] == 1).collect(),
    };
    if let Some(axis) = axes.iter().find(|&&axis| dims[axis] != 1) {
        return invalid(refusal!("axis {axis} of {dims} is to be removed, expected size 1"));
    }
    let kept: Vec<usize> = (0..dims.rank()).filter(|axis| !axes.contains(axis)).map(|axis| dims[axis]).collect();
    one(import, held, dims_of(&kept)?)
}

pub(super) fn unsqueeze(import: &mut Import<'_>, call: &Call<'_>) -> Outcome<Vec<Held>> {
    let held = call.operand(0)?;
    let dims = import.dims(held);
    let axes = call.needed_ints(1, "axes")?;
    let axes = axes_of(&axes, dims.rank() + axes.len())?;
    let mut own = dims.iter();
    let sizes: Vec<usize> = (0..dims.rank() + axes.len())
        .map(|axis| if axes.contains(&axis) { 1 } else { own.next().copied().unwrap_or(1) })
        .collect();
    one(import, held, dims_of(&sizes)?)
}

pub(super) fn expand(import: &mut Import<'_>, call: &Call<'_>) -> Outcome<Vec<Held>> {
    let held = call.operand(0)?;
    let to = dims_of(&sizes_of("a size", &known_ints(call.operand(1)?, "the shape")?.data)?)?;
    let own = import.dims(held);
    let dims =
        own.broadcast(to).ok_or_else(|| Fault::Invalid(refusal!("{own} and {to}, expected sizes that broadcast")))?;
    let dims = dims_of(&dims)?;
    if matches!(held, Held::Ints(_)) {
        import.charge_ints(dims.elements())?;
    }
    Ok(vec![import.moved(&[held], |graph, values| Ok(graph.expand(values[0], dims)?))?])
}

/// Each axis repeated: a new axis before it is expanded, and both are one.
pub(super) fn tile(import: &mut Import<'_>, call: &Call<'_>) -> Outcome<Vec<Held>> {
    let held = call.operand(0)?;
    let dims = import.dims(held);
    let times = sizes_of("a number of repeats", &known_ints(call.operand(1)?, "the repeats")?.data)?;
    if times.len() != dims.rank() {
        return invalid(refusal!("{} repeats for {dims}, expected one for each axis", times.len()));
    }
    let all: Vec<usize> = dims.iter().zip(&times).map(|(&size, &times)| size.saturating_mul(times)).collect();
    let all = dims_of(&all)?;
    if matches!(held, Held::Ints(_)) {
        import.charge_ints(all.elements())?;
    }
    Ok(vec![import.moved(&[held], |graph, values| {
        let mut x = values[0];
        let mut sizes = dims.to_vec();
        for (axis, &times) in times.iter().enumerate().filter(|(_, times)| **times != 1) {
            let product = |sizes: &[usize]| sizes.iter().fold(1usize, |product, &size| product.saturating_mul(size));
            let (before, behind) = (product(&sizes[..axis]), product(&sizes[axis..]));
            x = reshape(graph, x, dims_of(&[before, 1, behind])?)?;
            x = graph.expand(x, dims_of(&[before, times, behind])?)?;
            sizes[axis] *= times;
            x = reshape(graph, x, dims_of(&sizes)?)?;
        }
        Ok(x)
    })?])
}

fn block(call: &Call<'_>) -> Outcome<usize> {
    size_of("blocksize", call.int("blocksize", 0)?)
}

pub(super) fn depth_to_space(import: &mut Import<'_>, call: &Call<'_>) -> Outcome<Vec<Held>> {
    let order = match call.text("mode", "DCR")? {
        "DCR" => BlockOrder::PlaceFirst,
        "CRD" => BlockOrder::ChannelFirst,
        other => return invalid(refusal!("mode is {other}, expected DCR or CRD")),
    };
    let x = call.value(import, 0)?;
    let op = winoconv::graph::Op::PixelShuffle { factor: block(call)?, order };
    Ok(vec![import.graph.apply(op, &[x])?.into()])
}

pub(super) fn space_to_depth(import: &mut Import<'_>, call: &Call<'_>) -> Outcome<Vec<Held>> {
    let x = call.value(import, 0)?;
    let op = winoconv::graph::Op::PixelUnshuffle { factor: block(call)?, order: BlockOrder::PlaceFirst };
    Ok(vec![import.graph.apply(op, &[x])?.into()])
}
