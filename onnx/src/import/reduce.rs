//! Reductions along axes.

use winoconv::graph::{Dims, Reduction, Unary, Value};

use super::call::Call;
use super::layout::reshape;
use super::source::filled;
use super::{Held, Import, Outcome, axes_of, dims_of, invalid};
use crate::error::refusal;
use crate::tensor::Ints;

/// What is done to the elements before a reduction, and to its result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Around {
    /// Nothing.
    Nothing,
    /// The sum of absolute values.
    Abs,
    /// The sum of squares.
    Square,
    /// The logarithm of the sum.
    Log,
}

pub(super) fn reduce(
    import: &mut Import<'_>,
    call: &Call<'_>,
    reduction: Reduction,
    around: Around,
) -> Outcome<Vec<Held>> {
    let held = call.operand(0)?;
    let dims = import.dims(held);
    let given = call.ints_at(1, "axes")?.unwrap_or_default();
    let axes = if given.is_empty() && !call.flag("noop_with_empty_axes", false)? {
        (0..dims.rank()).collect()
    } else {
        axes_of(&given, dims.rank())?
    };
    let keeps = call.flag("keepdims", true)?;
    let kept: Vec<usize> = (0..dims.rank())
        .filter(|axis| keeps || !axes.contains(axis))
        .map(|axis| if axes.contains(&axis) { 1 } else { dims[axis] })
        .collect();
    let kept = dims_of(&kept)?;
    if let (Held::Ints(x), Around::Nothing) = (held, around) {
        let reduced = import.reduce_ints(x, reduction, &axes)?;
        return Ok(vec![Held::Ints(Ints { dims: kept, ..reduced })]);
    }
    if dims.elements() == 0 && kept.elements() > 0 {
        return Ok(vec![of_nothing(import, reduction, around, kept)?]);
    }
    let mut x = import.value(held)?;
    x = match around {
        Around::Abs => import.graph.unary(Unary::Abs, x)?,
        Around::Square => import.graph.mul(x, x)?,
        Around::Nothing | Around::Log => x,
    };
    x = along(import, reduction, x, &axes)?;
    if around == Around::Log {
        x = import.graph.unary(Unary::Log, x)?;
    }
    Ok(vec![reshape(&mut import.graph, x, kept)?.into()])
}

fn along(import: &mut Import<'_>, reduction: Reduction, x: Value, axes: &[usize]) -> Outcome<Value> {
    // Along no axes each element is reduced alone, which is nothing but for the root of its square.
    if axes.is_empty() && reduction != Reduction::L2 {
        return Ok(x);
    }
    if axes.is_empty() {
        return Ok(import.graph.unary(Unary::Abs, x)?);
    }
    let axes: Vec<isize> = axes.iter().map(|&axis| axis as isize).collect();
    Ok(import.graph.reduce(reduction, x, &axes)?)
}

/// What a reduction gives where there are no elements.
fn of_nothing(import: &mut Import<'_>, reduction: Reduction, around: Around, dims: Dims) -> Outcome<Held> {
    let number = match reduction {
        Reduction::Sum if around == Around::Log => f32::NEG_INFINITY,
        Reduction::Sum | Reduction::L2 => 0.0,
        Reduction::Product => 1.0,
        Reduction::Max => f32::NEG_INFINITY,
        Reduction::Min => f32::INFINITY,
        _ => return invalid(refusal!("the mean of no elements, expected at least one")),
    };
    filled(import, number, dims)
}
