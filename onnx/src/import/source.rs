//! Tensors from nothing, and of shapes: constants, sizes, ranges, types.

use std::sync::Arc;

use winoconv::graph::{Binary, Dims, Unary};

use super::call::{Call, known_ints, scalar};
use super::{Fault, Held, Import, Outcome, dims_of, invalid, size_of, sizes_of, unsupported};
use crate::error::refusal;
use crate::proto::data_type;
use crate::tensor::{Floats, Ints, is_float, type_name};

/// Numbers of a range of floats.
const MOST_NUMBERS: usize = 1 << 20;

pub(super) fn constant(_: &mut Import<'_>, call: &Call<'_>) -> Outcome<Vec<Held>> {
    if let Some(tensor) = call.tensor("value")? {
        return Ok(vec![tensor]);
    }
    let floats = |dims: Dims, data: &[f32]| Held::Floats(Floats { dims, data: data.into() });
    if let Some(row) = call.floats("value_floats")? {
        return Ok(vec![floats([row.len()].into(), row)]);
    }
    if let Some(row) = call.ints("value_ints")? {
        return Ok(vec![Held::Ints(Ints::row(row))]);
    }
    if call.has("value_float") {
        return Ok(vec![floats(Dims::SCALAR, &[call.float("value_float", 0.0)?])]);
    }
    if call.has("value_int") {
        let number = call.int("value_int", 0)?;
        return Ok(vec![Held::Ints(Ints { dims: Dims::SCALAR, ..Ints::row(&[number]) })]);
    }
    unsupported(refusal!("the value is a text or sparse, expected numbers"))
}

/// A number everywhere; floats are that number, broadcast.
pub(super) fn constant_of_shape(import: &mut Import<'_>, call: &Call<'_>) -> Outcome<Vec<Held>> {
    let sizes = sizes_of("a size", &known_ints(call.operand(0)?, "the sizes")?.data)?;
    let dims = dims_of(&sizes)?;
    Ok(vec![match call.tensor("value")? {
        Some(Held::Ints(ints)) => {
            let &[number] = &ints.data[..] else {
                return invalid(refusal!("value: expected one number, got {}", ints.dims));
            };
            import.charge_ints(dims.elements())?;
            Held::Ints(Ints { dims, data: vec![number; dims.elements()].into(), ..ints })
        }
        Some(Held::Floats(floats)) => filled(import, scalar(&floats, "value")?, dims)?,
        _ => filled(import, 0.0, dims)?,
    }])
}

/// A number, broadcast.
pub(super) fn filled(import: &mut Import<'_>, number: f32, dims: Dims) -> Outcome<Held> {
    let number = import.number(number)?;
    Ok(import.graph.expand(number, dims)?.into())
}

pub(super) fn shape(import: &mut Import<'_>, call: &Call<'_>) -> Outcome<Vec<Held>> {
    let dims = import.dims(call.operand(0)?);
    let rank = dims.rank() as i64;
    let place = |at: i64| if at < 0 { at.saturating_add(rank) } else { at }.clamp(0, rank) as usize;
    let (start, end) = (place(call.int("start", 0)?), place(call.int("end", rank)?));
    let sizes: Vec<i64> = dims[start..end.max(start)].iter().map(|&size| size as i64).collect();
    Ok(vec![Held::Ints(Ints::row(&sizes))])
}

pub(super) fn size(import: &mut Import<'_>, call: &Call<'_>) -> Outcome<Vec<Held>> {
    let elements = import.dims(call.operand(0)?).elements();
    Ok(vec![Held::Ints(Ints { dims: Dims::SCALAR, ..Ints::row(&[elements as i64]) })])
}

pub(super) fn range(import: &mut Import<'_>, call: &Call<'_>) -> Outcome<Vec<Held>> {
    let all = [call.operand(0)?, call.operand(1)?, call.operand(2)?];
    if let [Held::Ints(start), Held::Ints(limit), Held::Ints(step)] = all {
        let ([start], [limit], [step]) = (&start.data[..], &limit.data[..], &step.data[..]) else {
            return invalid(refusal!("expected one number each for start, limit and delta"));
        };
        let (start, limit, step) = (i128::from(*start), i128::from(*limit), i128::from(*step));
        if step == 0 {
            return invalid(refusal!("delta is 0, expected another number"));
        }
        let way = if step > 0 { limit - start } else { start - limit };
        let len = usize::try_from(way.max(0).div_ceil_by(step.abs())).unwrap_or(usize::MAX);
        import.charge_ints(len)?;
        let row: Vec<i64> = (0..len).map(|i| (start + i as i128 * step) as i64).collect();
        return Ok(vec![Held::Ints(Ints::row(&row))]);
    }
    let mut numbers = [0.0f64; 3];
    for (number, held) in numbers.iter_mut().zip(all) {
        *number = f64::from(scalar(&import.floats(held, "a number of the range")?, "a number of the range")?);
    }
    let [start, limit, step] = numbers;
    let len = ((limit - start) / step).ceil().max(0.0);
    if len.is_nan() || len > MOST_NUMBERS as f64 {
        return unsupported(refusal!("a range of {len} numbers, expected at most {MOST_NUMBERS}"));
    }
    import.charge(len as usize)?;
    let data: Arc<[f32]> = (0..len as usize).map(|i| (start + i as f64 * step) as f32).collect();
    Ok(vec![Held::Floats(Floats { dims: [data.len()].into(), data })])
}

trait DivCeil {
    fn div_ceil_by(self, other: Self) -> Self;
}

impl DivCeil for i128 {
    fn div_ceil_by(self, other: Self) -> Self {
        (self + other - 1) / other
    }
}

/// Another type. Floats of all widths are f32 here, and stay as they are.
pub(super) fn cast(import: &mut Import<'_>, call: &Call<'_>) -> Outcome<Vec<Held>> {
    let to = i32::try_from(call.int("to", 0)?).unwrap_or(0);
    cast_to(import, call, to)
}

/// To the type of the second operand.
pub(super) fn cast_like(import: &mut Import<'_>, call: &Call<'_>) -> Outcome<Vec<Held>> {
    let to = match call.operand(1)? {
        Held::Ints(ints) if ints.is_bool => data_type::BOOL,
        Held::Ints(_) => data_type::INT64,
        _ => data_type::FLOAT,
    };
    cast_to(import, call, to)
}

fn cast_to(import: &mut Import<'_>, call: &Call<'_>, to: i32) -> Outcome<Vec<Held>> {
    let x = call.operand(0)?;
    if is_float(to) {
        return Ok(vec![match x {
            Held::Ints(_) => Held::Floats(import.floats(x, "the operand")?),
            other => other.clone(),
        }]);
    }
    let range = match to {
        data_type::INT64 | data_type::UINT64 => (i64::MIN, i64::MAX),
        data_type::INT32 => (i64::from(i32::MIN), i64::from(i32::MAX)),
        data_type::UINT32 => (0, i64::from(u32::MAX)),
        data_type::INT16 => (i64::from(i16::MIN), i64::from(i16::MAX)),
        data_type::UINT16 => (0, i64::from(u16::MAX)),
        data_type::INT8 => (i64::from(i8::MIN), i64::from(i8::MAX)),
        data_type::UINT8 => (0, i64::from(u8::MAX)),
        data_type::BOOL => (0, 1),
        _ => return unsupported(refusal!("a cast to {}, expected floats, integers or booleans", type_name(to))),
    };
    let is_bool = to == data_type::BOOL;
    Ok(vec![match x {
        Held::Ints(ints) if is_bool => match import.map_ints(ints, |x| i64::from(x != 0))? {
            Held::Ints(ints) => Held::Ints(Ints { is_bool, ..ints }),
            other => other,
        },
        Held::Ints(ints) if ints.data.iter().all(|x| (range.0..=range.1).contains(x)) => {
            Held::Ints(Ints { is_bool, ..ints.clone() })
        }
        Held::Ints(_) => return unsupported(refusal!("a cast to {}, expected numbers that it holds", type_name(to))),
        Held::Value(value) if is_bool => {
            let is_zero = import.graph.with_number(Binary::Equal, *value, 0.0)?;
            import.graph.unary(Unary::Not, is_zero)?.into()
        }
        held => {
            let floats = import.floats(held, "the operand of a cast to integers")?;
            import.charge_ints(floats.data.len())?;
            let number = |x: f32| if is_bool { i64::from(x != 0.0) } else { x as i64 };
            Held::Ints(Ints { dims: floats.dims, data: floats.data.iter().map(|&x| number(x)).collect(), is_bool })
        }
    }])
}

pub(super) fn identity(_: &mut Import<'_>, call: &Call<'_>) -> Outcome<Vec<Held>> {
    Ok(vec![call.operand(0)?.clone()])
}

/// Nothing, as networks are not trained here; the mask is true everywhere.
pub(super) fn dropout(import: &mut Import<'_>, call: &Call<'_>) -> Outcome<Vec<Held>> {
    if let Some(held) = call.optional(2)
        && known_ints(held, "training_mode")?.data.iter().any(|&x| x != 0)
    {
        return unsupported(refusal!("training_mode is true, expected false"));
    }
    let x = call.operand(0)?.clone();
    if !call.gives(1) {
        return Ok(vec![x]);
    }
    let dims = import.dims(&x);
    let mask = filled(import, 1.0, dims)?;
    Ok(vec![x, mask])
}

/// Elements by their places, of known integers.
pub(super) fn gather_elements(import: &mut Import<'_>, call: &Call<'_>) -> Outcome<Vec<Held>> {
    let data = known_ints(call.operand(0)?, "the data")?;
    let places = known_ints(call.operand(1)?, "the indices")?;
    let axis = super::axis_of(call.int("axis", 0)?, data.dims.rank())?;
    let (own, of) = (data.dims, places.dims);
    let fits = of.rank() == own.rank() && (0..of.rank()).all(|i| i == axis || of[i] <= own[i]);
    if !fits {
        return invalid(refusal!("indices of {of} for {own}, expected sizes that are no larger beside axis {axis}"));
    }
    import.charge_ints(of.elements())?;
    let mut found = Vec::with_capacity(of.elements());
    for (i, &place) in places.data.iter().enumerate() {
        let place = if place < 0 { place.saturating_add(own[axis] as i64) } else { place };
        let place = size_of("an index", place)?;
        let (mut rest, mut at, mut step) = (i, 0, 1);
        for d in (0..of.rank()).rev() {
            let index = if d == axis { place } else { rest % of[d] };
            rest /= of[d];
            if index >= own[d] {
                return Err(Fault::Invalid(refusal!(
                    "an index is {index}, expected less than {} along axis {d}",
                    own[d]
                )));
            }
            at += index * step;
            step *= own[d];
        }
        found.push(data.data[at]);
    }
    Ok(vec![Held::Ints(Ints { dims: of, data: found.into(), is_bool: data.is_bool })])
}
