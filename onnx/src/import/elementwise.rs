//! Functions of single elements.

use winoconv::Activation;
use winoconv::graph::{Binary, Unary};

use super::call::{Call, scalar};
use super::ints::{self, Ints2};
use super::{Held, Import, Outcome, invalid, unsupported};
use crate::error::refusal;

/// One result.
type One = Outcome<Vec<Held>>;

pub(super) fn unary(import: &mut Import<'_>, call: &Call<'_>, function: Unary) -> One {
    if let Held::Ints(x) = call.operand(0)?
        && let Some(apply) = ints::unary(function)
    {
        return Ok(vec![import.map_ints(x, apply)?]);
    }
    let x = call.value(import, 0)?;
    Ok(vec![import.graph.unary(function, x)?.into()])
}

pub(super) fn activate(import: &mut Import<'_>, call: &Call<'_>, activation: Activation) -> One {
    let x = call.value(import, 0)?;
    Ok(vec![import.graph.activate(activation, x)?.into()])
}

pub(super) fn selu(import: &mut Import<'_>, call: &Call<'_>) -> One {
    let alpha = call.float("alpha", 1.673_263_2)?;
    let gamma = call.float("gamma", 1.050_701)?;
    let x = call.value(import, 0)?;
    let y = import.graph.activate(Activation::Elu { alpha }, x)?;
    Ok(vec![import.graph.with_number(Binary::Mul, y, gamma)?.into()])
}

pub(super) fn gelu(import: &mut Import<'_>, call: &Call<'_>) -> One {
    match call.text("approximate", "none")? {
        "none" => activate(import, call, Activation::Gelu),
        "tanh" => activate(import, call, Activation::GeluTanh),
        other => invalid(refusal!("approximate is {other}, expected none or tanh")),
    }
}

/// `min(max(x, low), high)`, with bounds that are arguments, known, or neither.
pub(super) fn clip(import: &mut Import<'_>, call: &Call<'_>) -> One {
    if let Held::Ints(x) = call.operand(0)? {
        let mut held = Held::Ints(x.clone());
        for (i, function) in [(1, Binary::Max), (2, Binary::Min)] {
            if let Some(bound) = call.optional(i) {
                held = pair(import, function, &held, bound)?;
            }
        }
        return Ok(vec![held]);
    }
    let x = call.value(import, 0)?;
    if call.opset < 11 {
        let (low, high) = (call.float("min", f32::MIN)?, call.float("max", f32::MAX)?);
        return Ok(vec![import.graph.activate(Activation::Clamp { low, high }, x)?.into()]);
    }
    let mut bounds = [f32::NEG_INFINITY, f32::INFINITY];
    let mut are_known = true;
    for (i, bound) in bounds.iter_mut().enumerate() {
        match call.optional(i + 1) {
            None => {}
            Some(Held::Floats(number)) => *bound = scalar(number, "a bound")?,
            Some(held) => match import.floats(held, "a bound") {
                Ok(number) => *bound = scalar(&number, "a bound")?,
                Err(_) => are_known = false,
            },
        }
    }
    let [low, high] = bounds;
    if are_known && low <= high {
        return Ok(vec![import.graph.activate(Activation::Clamp { low, high }, x)?.into()]);
    }
    let mut y = x;
    for (i, function) in [(1, Binary::Max), (2, Binary::Min)] {
        if let Some(bound) = call.optional(i) {
            let bound = import.value(bound)?;
            y = import.graph.binary(function, y, bound)?;
        }
    }
    Ok(vec![y.into()])
}

/// A function of two operands, of integers if both are.
fn pair(import: &mut Import<'_>, function: Binary, a: &Held, b: &Held) -> Outcome<Held> {
    if let (Held::Ints(a), Held::Ints(b)) = (a, b) {
        let Some(Ints2 { apply, is_bool }) = ints::binary(function) else {
            return unsupported(refusal!("{function:?} of known integers, expected floats"));
        };
        let is_bool = is_bool || a.is_bool && b.is_bool;
        return import.zip_ints(a, b, is_bool, apply);
    }
    let (a, b) = (import.value(a)?, import.value(b)?);
    Ok(import.graph.binary(function, a, b)?.into())
}

pub(super) fn binary(import: &mut Import<'_>, call: &Call<'_>, function: Binary) -> One {
    Ok(vec![pair(import, function, call.operand(0)?, call.operand(1)?)?])
}

/// What is not an operator, but not of one: `!=` of booleans.
pub(super) fn xor(import: &mut Import<'_>, call: &Call<'_>) -> One {
    let equal = pair(import, Binary::Equal, call.operand(0)?, call.operand(1)?)?;
    if let Held::Ints(equal) = &equal {
        return Ok(vec![import.map_ints(equal, |x| 1 - x)?]);
    }
    let equal = import.value(&equal)?;
    Ok(vec![import.graph.unary(Unary::Not, equal)?.into()])
}

/// A power. Squares and roots have functions of their own, which take less time.
pub(super) fn pow(import: &mut Import<'_>, call: &Call<'_>) -> One {
    let (base, exponent) = (call.operand(0)?, call.operand(1)?);
    if let (Held::Ints(a), Held::Ints(b)) = (base, exponent) {
        return Ok(vec![import.zip_ints(a, b, false, ints::power)?]);
    }
    let x = import.value(base)?;
    let number = match exponent {
        Held::Floats(floats) if floats.dims.is_empty() => Some(floats.data[0]),
        Held::Ints(ints) if ints.dims.is_empty() => Some(ints.data[0] as f32),
        _ => None,
    };
    let y = match number {
        Some(2.0) => import.graph.mul(x, x)?,
        Some(0.5) => import.graph.unary(Unary::Sqrt, x)?,
        _ => {
            let exponent = import.value(exponent)?;
            import.graph.binary(Binary::Pow, x, exponent)?
        }
    };
    Ok(vec![y.into()])
}

/// A function of any number of operands, pair by pair; their mean, if `mean`.
pub(super) fn many(import: &mut Import<'_>, call: &Call<'_>, function: Binary, mean: bool) -> One {
    let all = call.all()?;
    let mut result = all[0].clone();
    for other in &all[1..] {
        result = pair(import, function, &result, other)?;
    }
    if mean {
        let sum = import.value(&result)?;
        result = import.graph.with_number(Binary::Div, sum, all.len() as f32)?.into();
    }
    Ok(vec![result])
}

pub(super) fn choose(import: &mut Import<'_>, call: &Call<'_>) -> One {
    let all = [call.operand(0)?, call.operand(1)?, call.operand(2)?];
    if let [Held::Ints(condition), Held::Ints(yes), Held::Ints(no)] = all {
        let is_bool = yes.is_bool && no.is_bool;
        let all = [(condition, yes, no), (yes, no, condition), (no, condition, yes)];
        let [condition, yes, no] = all.map(|(x, b, c)| import.wide_ints(x, b, c));
        let (condition, yes, no) = (condition?, yes?, no?);
        let data = (0..condition.data.len()).map(|i| if condition.data[i] != 0 { yes.data[i] } else { no.data[i] });
        return Ok(vec![Held::Ints(crate::tensor::Ints { dims: condition.dims, data: data.collect(), is_bool })]);
    }
    let [condition, yes, no] = all.map(|held| import.value(held));
    Ok(vec![import.graph.choose(condition?, yes?, no?)?.into()])
}
