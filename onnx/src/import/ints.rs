//! Functions of integers that are known: what models compute of shapes.

use winoconv::graph::{Binary, Dims, Reduction, Unary};

use super::{Fault, Held, Import, Outcome, unsupported};
use crate::error::{Refusal, refusal};
use crate::tensor::Ints;

/// Elements of a tensor of integers. They are shapes and indices, and their places must be exact as f32.
pub(super) const MOST_INTS: usize = 1 << 16;

pub(super) fn too_many() -> Refusal {
    refusal!("expected at most {MOST_INTS} integers to compute when the graph is made, got more")
}

/// A function of two integers; none where there is no result, as of a division by 0.
pub(super) struct Ints2 {
    pub(super) apply: fn(i64, i64) -> Option<i64>,
    pub(super) is_bool: bool,
}

pub(super) fn unary(function: Unary) -> Option<fn(i64) -> i64> {
    Some(match function {
        Unary::Neg => i64::wrapping_neg,
        Unary::Abs => i64::wrapping_abs,
        Unary::Sign => i64::signum,
        Unary::Not => |x| i64::from(x == 0),
        Unary::Floor | Unary::Ceil | Unary::Round => |x| x,
        _ => return None,
    })
}

pub(super) fn binary(function: Binary) -> Option<Ints2> {
    let apply: fn(i64, i64) -> Option<i64> = match function {
        Binary::Add => |a, b| Some(a.wrapping_add(b)),
        Binary::Sub => |a, b| Some(a.wrapping_sub(b)),
        Binary::Mul => |a, b| Some(a.wrapping_mul(b)),
        Binary::Div => i64::checked_div,
        Binary::Min => |a, b| Some(a.min(b)),
        Binary::Max => |a, b| Some(a.max(b)),
        Binary::Greater => |a, b| Some(i64::from(a > b)),
        Binary::GreaterEqual => |a, b| Some(i64::from(a >= b)),
        Binary::Less => |a, b| Some(i64::from(a < b)),
        Binary::LessEqual => |a, b| Some(i64::from(a <= b)),
        Binary::Equal => |a, b| Some(i64::from(a == b)),
        _ => return None,
    };
    let is_bool =
        matches!(function, Binary::Greater | Binary::GreaterEqual | Binary::Less | Binary::LessEqual | Binary::Equal);
    Some(Ints2 { apply, is_bool })
}

pub(super) fn power(a: i64, b: i64) -> Option<i64> {
    u32::try_from(b).ok().map(|b| a.wrapping_pow(b))
}

/// The remainder with the sign of the divisor, as the standard's default.
pub(super) fn modulo(a: i64, b: i64) -> Option<i64> {
    let rest = a.checked_rem(b)?;
    Some(if rest != 0 && (rest < 0) != (b < 0) { rest + b } else { rest })
}

/// For each element of `dims`, where it is in a tensor that is broadcast to them.
fn places(of: Dims, dims: Dims) -> Vec<usize> {
    let missing = dims.rank() - of.rank();
    let mut strides = vec![0; dims.rank()];
    let mut step = 1;
    for axis in (0..of.rank()).rev() {
        strides[missing + axis] = if of[axis] == 1 { 0 } else { step };
        step *= of[axis];
    }
    (0..dims.elements())
        .map(|mut index| {
            let mut place = 0;
            for axis in (0..dims.rank()).rev() {
                place += index % dims[axis] * strides[axis];
                index /= dims[axis];
            }
            place
        })
        .collect()
}

impl Import<'_> {
    /// Counts a tensor of integers that is made.
    pub(super) fn charge_ints(&mut self, elements: usize) -> Outcome<()> {
        if elements > MOST_INTS {
            return unsupported(too_many());
        }
        self.charge(elements)
    }

    pub(super) fn map_ints(&mut self, x: &Ints, apply: impl Fn(i64) -> i64) -> Outcome<Held> {
        self.charge_ints(x.data.len())?;
        Ok(Held::Ints(Ints { data: x.data.iter().map(|&x| apply(x)).collect(), ..x.clone() }))
    }

    pub(super) fn zip_ints(
        &mut self,
        a: &Ints,
        b: &Ints,
        is_bool: bool,
        apply: impl Fn(i64, i64) -> Option<i64>,
    ) -> Outcome<Held> {
        let refused = || Fault::Invalid(refusal!("{} and {}, expected sizes that broadcast", a.dims, b.dims));
        let dims = a.dims.broadcast(b.dims).ok_or_else(refused)?;
        self.charge_ints(dims.elements())?;
        let pairs = places(a.dims, dims).into_iter().zip(places(b.dims, dims));
        let data: Option<_> = pairs.map(|(i, j)| apply(a.data[i], b.data[j])).collect();
        let data = data.ok_or_else(|| {
            Fault::Invalid(refusal!("integers divided by 0 or to a negative power, expected numbers with a result"))
        })?;
        Ok(Held::Ints(Ints { dims, data, is_bool }))
    }

    /// Integers broadcast to what they and two others come to.
    pub(super) fn wide_ints(&mut self, x: &Ints, b: &Ints, c: &Ints) -> Outcome<Ints> {
        let both = x.dims.broadcast(b.dims).and_then(|both| both.broadcast(c.dims));
        let dims = both.ok_or_else(|| {
            Fault::Invalid(refusal!("{}, {} and {}, expected sizes that broadcast", x.dims, b.dims, c.dims))
        })?;
        self.charge_ints(dims.elements())?;
        let data = places(x.dims, dims).into_iter().map(|i| x.data[i]).collect();
        Ok(Ints { dims, data, ..x.clone() })
    }

    /// A reduction along axes, which stay with size 1.
    pub(super) fn reduce_ints(&mut self, x: &Ints, reduction: Reduction, axes: &[usize]) -> Outcome<Ints> {
        let start = match reduction {
            Reduction::Sum => 0,
            Reduction::Product => 1,
            Reduction::Max => i64::MIN,
            Reduction::Min => i64::MAX,
            _ => {
                return unsupported(refusal!(
                    "{reduction:?} of known integers, expected a sum, product, minimum or maximum"
                ));
            }
        };
        let sizes: Vec<usize> =
            x.dims.iter().enumerate().map(|(axis, &size)| if axes.contains(&axis) { 1 } else { size }).collect();
        let dims = super::dims_of(&sizes)?;
        self.charge_ints(dims.elements())?;
        self.charge_ints(x.data.len())?;
        let mut data = vec![start; dims.elements()];
        for (&element, place) in x.data.iter().zip(places(dims, x.dims)) {
            let sum = &mut data[place];
            *sum = match reduction {
                Reduction::Sum => sum.wrapping_add(element),
                Reduction::Product => sum.wrapping_mul(element),
                Reduction::Max => element.max(*sum),
                _ => element.min(*sum),
            };
        }
        Ok(Ints { dims, data: data.into(), is_bool: false })
    }
}
