//! Normalizations and softmax.

use winoconv::graph::{Binary, Dims, Pool, PoolKind, Reduction, Unary, Value};

use super::call::Call;
use super::layout::{reshape, reshape_held};
use super::{Held, Import, Outcome, axis_of, dims_of, invalid, unsupported};
use crate::error::refusal;

/// A tensor of a number for each channel, seen as `[C, 1, ..]`, so that it is broadcast along axis 1.
fn by_channel(import: &mut Import<'_>, call: &Call<'_>, index: usize, dims: Dims) -> Outcome<Value> {
    let (held, channels) = (call.operand(index)?, dims.get(1).copied());
    let own = import.dims(held);
    let Some(channels) = channels.filter(|&channels| own.elements() == channels) else {
        return invalid(refusal!("operand {index} is {own}, expected a number for each channel of {dims}"));
    };
    let mut sizes = vec![1; dims.rank() - 1];
    sizes[0] = channels;
    reshape_held(import, held, dims_of(&sizes)?)
}

pub(super) fn batch(import: &mut Import<'_>, call: &Call<'_>) -> Outcome<Vec<Held>> {
    let (x, dims) = call.tensor_at(import, 0)?;
    if call.flag("training_mode", false)? || call.int("spatial", 1)? != 1 {
        return unsupported(refusal!("training_mode is 1 or spatial is 0, expected 0 and 1"));
    }
    let epsilon = call.float("epsilon", 1e-5)?;
    let known = |import: &mut Import<'_>, i: usize| import.floats(call.operand(i)?, "a parameter");
    let known = [1, 2, 3, 4].map(|i| known(import, i).ok());
    if let ([Some(gamma), Some(beta), Some(mean), Some(variance)], true) = (known, dims.rank() > 1) {
        let numbers = [&*gamma.data, &*beta.data, &*mean.data, &*variance.data];
        return Ok(vec![import.graph.batch_norm(x, numbers, epsilon)?.into()]);
    }
    let [gamma, beta, mean, variance] = {
        let mut values = [x; 4];
        for (i, value) in values.iter_mut().enumerate() {
            *value = by_channel(import, call, i + 1, dims)?;
        }
        values
    };
    let graph = &mut import.graph;
    let sum = graph.with_number(Binary::Add, variance, epsilon)?;
    let deviation = graph.unary(Unary::Sqrt, sum)?;
    let factor = graph.binary(Binary::Div, gamma, deviation)?;
    let shift = graph.mul(mean, factor)?;
    let summand = graph.binary(Binary::Sub, beta, shift)?;
    let product = graph.mul(x, factor)?;
    Ok(vec![graph.add(product, summand)?.into()])
}

pub(super) fn instance(import: &mut Import<'_>, call: &Call<'_>) -> Outcome<Vec<Held>> {
    let (x, dims) = call.tensor_at(import, 0)?;
    let epsilon = call.float("epsilon", 1e-5)?;
    let (gamma, beta) = (by_channel(import, call, 1, dims)?, by_channel(import, call, 2, dims)?);
    let axes: Vec<isize> = (2..dims.rank() as isize).collect();
    let normal = import.graph.normalize(x, &axes, epsilon)?;
    let product = import.graph.mul(normal, gamma)?;
    Ok(vec![import.graph.add(product, beta)?.into()])
}

/// Also the mean and the inverse of the deviation, if they are asked for.
pub(super) fn layer(import: &mut Import<'_>, call: &Call<'_>) -> Outcome<Vec<Held>> {
    let (x, dims) = call.tensor_at(import, 0)?;
    let axis = axis_of(call.int("axis", -1)?, dims.rank())?;
    let epsilon = call.float("epsilon", 1e-5)?;
    let axes: Vec<isize> = (axis as isize..dims.rank() as isize).collect();
    let mut y = import.graph.normalize(x, &axes, epsilon)?;
    for (i, function) in [(1, Binary::Mul), (2, Binary::Add)] {
        if call.optional(i).is_some() {
            let (other, own) = call.tensor_at(import, i)?;
            if own.broadcast(dims) != Some(dims) {
                return invalid(refusal!("operand {i} is {own}, expected a tensor that broadcasts to {dims}"));
            }
            y = import.graph.binary(function, y, other)?;
        }
    }
    if !call.gives(1) && !call.gives(2) {
        return Ok(vec![y.into()]);
    }
    let graph = &mut import.graph;
    let mean = graph.reduce(Reduction::Mean, x, &axes)?;
    let rest = graph.binary(Binary::Sub, x, mean)?;
    let square = graph.mul(rest, rest)?;
    let variance = graph.reduce(Reduction::Mean, square, &axes)?;
    let sum = graph.with_number(Binary::Add, variance, epsilon)?;
    let deviation = graph.unary(Unary::Sqrt, sum)?;
    let inverse = graph.unary(Unary::Reciprocal, deviation)?;
    Ok(vec![y.into(), mean.into(), inverse.into()])
}

/// Groups of channels. Factors and summands are one for each group before opset 21, then one for each channel.
pub(super) fn group(import: &mut Import<'_>, call: &Call<'_>) -> Outcome<Vec<Held>> {
    let (x, dims) = call.tensor_at(import, 0)?;
    let groups = super::size_of("num_groups", call.int("num_groups", 0)?)?;
    let channels = dims.get(1).copied().unwrap_or(0);
    if groups == 0 || dims.rank() < 2 || !channels.is_multiple_of(groups) {
        return invalid(refusal!("num_groups is {groups}, expected a divisor of the channels of {dims}"));
    }
    let rest = dims[2..].iter().fold(channels / groups, |product, &size| product.saturating_mul(size));
    let by_group = dims_of(&[dims[0], groups, rest])?;
    let epsilon = call.float("epsilon", 1e-5)?;
    let grouped = reshape(&mut import.graph, x, by_group)?;
    let mut y = import.graph.normalize(grouped, &[2], epsilon)?;
    let is_by_group = call.opset < 21;
    if !is_by_group {
        y = reshape(&mut import.graph, y, dims)?;
    }
    let own = if is_by_group { by_group } else { dims };
    let (gamma, beta) = (by_channel(import, call, 1, own)?, by_channel(import, call, 2, own)?);
    y = import.graph.mul(y, gamma)?;
    y = import.graph.add(y, beta)?;
    if is_by_group {
        y = reshape(&mut import.graph, y, dims)?;
    }
    Ok(vec![y.into()])
}

/// `x / (bias + alpha * mean of squares)^beta`, the mean over neighbouring channels: a pooling over channels as rows.
pub(super) fn local_response(import: &mut Import<'_>, call: &Call<'_>) -> Outcome<Vec<Held>> {
    let (x, dims) = call.tensor_at(import, 0)?;
    let size = super::size_of("size", call.int("size", 0)?)?;
    if size == 0 || dims.rank() < 3 || size > 1 << 16 {
        return invalid(refusal!("size is {size} for {dims}, expected 1 to 65536, and at least 3 dimensions"));
    }
    let (alpha, beta, bias) = (call.float("alpha", 1e-4)?, call.float("beta", 0.75)?, call.float("bias", 1.0)?);
    let pixels = dims[2..].iter().fold(1usize, |product, &size| product.saturating_mul(size));
    let square = import.graph.mul(x, x)?;
    let rows = reshape(&mut import.graph, square, dims_of(&[dims[0], 1, dims[1], pixels])?)?;
    let mean = Pool {
        kernel: [size, 1].into(),
        before: [(size - 1) / 2, 0].into(),
        after: [size / 2, 0].into(),
        ..Pool::new(PoolKind::Average { counts_padding: true }, [1, 1])
    };
    let mean = import.graph.pool(rows, mean)?;
    let mean = reshape(&mut import.graph, mean, dims)?;
    let graph = &mut import.graph;
    let scaled = graph.with_number(Binary::Mul, mean, alpha)?;
    let sum = graph.with_number(Binary::Add, scaled, bias)?;
    let power = graph.with_number(Binary::Pow, sum, beta)?;
    Ok(vec![graph.binary(Binary::Div, x, power)?.into()])
}

/// Before opset 13, all axes from one on are one.
pub(super) fn softmax(import: &mut Import<'_>, call: &Call<'_>, log: bool) -> Outcome<Vec<Held>> {
    let (x, dims) = call.tensor_at(import, 0)?;
    let one = |import: &mut Import<'_>, x, axis: usize| {
        let axis = axis as isize;
        if log { import.graph.log_softmax(x, axis) } else { import.graph.softmax(x, axis) }
    };
    if call.opset >= 13 {
        let axis = axis_of(call.int("axis", -1)?, dims.rank())?;
        return Ok(vec![one(import, x, axis)?.into()]);
    }
    let axis = axis_of(call.int("axis", 1)?, dims.rank())?;
    if axis + 1 == dims.rank() || dims[axis + 1..].iter().all(|&size| size == 1) {
        return Ok(vec![one(import, x, axis)?.into()]);
    }
    let flat = super::layout::flat(dims, axis)?;
    let flat = reshape(&mut import.graph, x, flat)?;
    let y = one(import, flat, 1)?;
    Ok(vec![reshape(&mut import.graph, y, dims)?.into()])
}
