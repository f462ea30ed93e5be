//! The sizes of a node's result, and what is wrong with its operands.

use super::dims::{Dims, MAX_DIMS};
use super::op::{Edge, Op, Pool, Resize, Slice, Target, Unary};
use super::refusal::{Refusal, refusal};
use crate::error::ShapeError;
use crate::spatial::Shape;

pub(super) fn infer(op: &Op, inputs: &[Dims]) -> Result<Dims, Refusal> {
    let arity = match op {
        Op::Input | Op::Constant(_) => 0..=0,
        Op::Conv(_) | Op::Linear(_) => 1..=2,
        Op::MatMul | Op::Binary(_) => 2..=2,
        Op::Where => 3..=3,
        Op::Concat(_) => 1..=usize::MAX,
        _ => 1..=1,
    };
    if !arity.contains(&inputs.len()) {
        let expected = match arity.into_inner() {
            (least, most) if least == most => format!("{least}"),
            (least, usize::MAX) => format!("at least {least}"),
            (least, most) => format!("{least} to {most}"),
        };
        return Err(refusal!("expected {expected} operands, got {}", inputs.len()));
    }
    match op {
        Op::Input | Op::Constant(_) => {
            Err(refusal!("expected another operation: Graph::input and Graph::constant add these"))
        }
        Op::Conv(of) => conv(of, inputs),
        Op::Pool(pool) => windows(pool, inputs[0]),
        Op::Reduce(_, axes) => {
            let mut dims = inputs[0];
            for &axis in axes {
                dims = dims.with(check_axis(axis, inputs[0])?, 1);
            }
            if inputs[0].contains(&0) && !dims.contains(&0) {
                return Err(refusal!("expected elements to reduce, got none of {}", inputs[0]));
            }
            Ok(dims)
        }
        Op::Normalize { axes, .. } => {
            axes.iter().try_for_each(|&axis| check_axis(axis, inputs[0]).map(drop))?;
            Ok(inputs[0])
        }
        Op::Softmax { axis, .. } => check_axis(*axis, inputs[0]).map(|_| inputs[0]),
        Op::Linear(of) => linear(of, inputs),
        Op::MatMul => matmul(inputs[0], inputs[1]),
        Op::Unary(Unary::Activate(activation)) if activation.has_slopes() => {
            Err(refusal!("prelu has slopes, expected an activation without; use Binary::PRelu"))
        }
        Op::Unary(Unary::Activate(activation)) => activation.validate().map(|()| inputs[0]).map_err(Refusal::from),
        Op::Unary(_) => Ok(inputs[0]),
        Op::Binary(_) | Op::Where => inputs[1..].iter().try_fold(inputs[0], |both, other| {
            both.broadcast(*other)
                .ok_or_else(|| refusal!("{both} and {other} do not broadcast, expected sizes that are equal or 1"))
        }),
        Op::Resize(resize) => resized(resize, inputs[0]),
        Op::Pad { before, after, edge } => padded(before, after, *edge, inputs[0]),
        Op::Concat(axis) => concatenated(*axis, inputs),
        Op::Slice(slice) => sliced(slice, inputs[0]),
        Op::Reshape(to) => reshaped(to, inputs[0]),
        Op::Transpose(order) => transposed(order, inputs[0]),
        Op::PixelShuffle { factor, .. } => shuffled(*factor, inputs[0]),
        Op::PixelUnshuffle { factor, .. } => unshuffled(*factor, inputs[0]),
        Op::Expand(to) => match inputs[0].broadcast(*to) {
            Some(dims) => Ok(dims),
            None => Err(refusal!("{} does not broadcast to {to}, expected sizes that are equal or 1", inputs[0])),
        },
    }
}

fn check_axis(axis: usize, dims: Dims) -> Result<usize, Refusal> {
    if axis < dims.rank() {
        Ok(axis)
    } else {
        Err(refusal!("axis {axis} of {dims}, expected less than {}", dims.rank()))
    }
}

/// Whether the weights are those of the convolution.
fn check_weights(of: &super::ConvWeights) -> Result<(), Refusal> {
    let conv = &of.conv;
    conv.validate()?;
    let filters = |given: bool| if given { conv.filters } else { 0 };
    for (what, expected, got) in [
        ("the weights", conv.weights_len(), of.weights.len()),
        ("the bias", filters(conv.bias), of.bias.len()),
        ("the slopes", filters(conv.activation.has_slopes()), of.slopes.len()),
    ] {
        ShapeError::check_len(what, expected, got)?;
    }
    Ok(())
}

fn conv(of: &super::ConvWeights, inputs: &[Dims]) -> Result<Dims, Refusal> {
    check_weights(of)?;
    let shape =
        Shape::from_slice(&inputs[0]).ok_or_else(|| refusal!("expected 3 to 5 dimensions, got {}", inputs[0]))?;
    let problem = of.conv.on(shape)?;
    let output = problem.output_shape();
    let dims = Dims::from_slice(&output).ok_or_else(too_many)?;
    match inputs.get(1) {
        Some(residual) if *residual != dims => Err(refusal!("expected a residual of {dims}, got {residual}")),
        _ => Ok(dims),
    }
}

fn linear(of: &super::ConvWeights, inputs: &[Dims]) -> Result<Dims, Refusal> {
    check_weights(of)?;
    let dims = inputs[0];
    let Some(axis) = dims.rank().checked_sub(1).filter(|&axis| dims[axis] == of.conv.channels) else {
        return Err(refusal!("expected {} elements along the last axis, got {dims}", of.conv.channels));
    };
    let dims = dims.with(axis, of.conv.filters);
    match inputs.get(1) {
        Some(residual) if *residual != dims => Err(refusal!("expected a residual of {dims}, got {residual}")),
        _ => Ok(dims),
    }
}

fn windows(pool: &Pool, input: Dims) -> Result<Dims, Refusal> {
    let axes = pool.kernel.rank();
    if !(1..=3).contains(&axes) {
        return Err(refusal!("a window of {axes} dimensions, expected 1 to 3"));
    }
    if input.rank() != axes + 2 {
        return Err(refusal!("a window of {axes} dimensions needs a tensor of {}, got {input}", axes + 2));
    }
    for (what, sizes) in [
        ("stride", pool.stride),
        ("dilation", pool.dilation),
        ("padding before", pool.before),
        ("padding behind", pool.after),
    ] {
        if sizes.rank() != axes {
            return Err(refusal!("{what} has {} numbers, expected {axes}", sizes.rank()));
        }
    }
    if [pool.kernel, pool.stride, pool.dilation].iter().any(|sizes| sizes.contains(&0)) {
        return Err(refusal!("a size of the window, its stride or its dilation is 0, expected at least 1"));
    }
    let mut dims = input;
    for axis in 0..axes {
        let span = |axis: usize| pool.dilation[axis].saturating_mul(pool.kernel[axis] - 1);
        // Otherwise a window could lie in the padding alone.
        let padding = pool.before[axis].max(pool.after[axis]);
        if padding > span(axis) {
            let size = span(axis).saturating_add(1);
            return Err(refusal!("padding is {padding} in dimension {axis}, expected less than the window's {size}"));
        }
        let count = pool.windows(axis, input[axis + 2]);
        let count = count.filter(|_| input[axis + 2] > 0);
        dims = dims.with(
            axis + 2,
            count.ok_or_else(|| {
                refusal!("the window is larger than {input} with its padding, expected at most as large")
            })?,
        );
    }
    Ok(dims)
}

fn matmul(a: Dims, b: Dims) -> Result<Dims, Refusal> {
    if a.rank() < 2 || b.rank() < 2 {
        return Err(refusal!("expected at least 2 dimensions each, got {a} and {b}"));
    }
    let (m, k) = (a[a.rank() - 2], a[a.rank() - 1]);
    let (own_k, n) = (b[b.rank() - 2], b[b.rank() - 1]);
    if k != own_k {
        return Err(refusal!("{a} has {k} columns, {b} has {own_k} rows, expected as many"));
    }
    let batch = |dims: Dims| Dims::from_slice(&dims[..dims.rank() - 2]);
    let both = batch(a).zip(batch(b)).and_then(|(a, b)| a.broadcast(b));
    let both = both
        .ok_or_else(|| refusal!("the batches of {a} and {b} do not broadcast, expected sizes that are equal or 1"))?;
    Dims::from_slice(&[&both[..], &[m, n]].concat()).ok_or_else(too_many)
}

fn too_many() -> Refusal {
    refusal!("expected at most {MAX_DIMS} dimensions, got more")
}

fn resized(resize: &Resize, input: Dims) -> Result<Dims, Refusal> {
    let given = match &resize.target {
        Target::Size(sizes) => sizes.len(),
        Target::Scale(scales) => scales.len(),
    };
    let Some(first) = input.rank().checked_sub(given) else {
        return Err(refusal!("sizes for {given} axes, expected at most those of {input}"));
    };
    let mut dims = input;
    for axis in 0..given {
        let size = match &resize.target {
            Target::Size(sizes) => sizes[axis],
            Target::Scale(scales) => scaled(input[first + axis], scales[axis])?,
        };
        if size == 0 || input[first + axis] == 0 {
            return Err(refusal!(
                "{input} resampled to size {size} along axis {}, expected sizes of at least 1",
                first + axis
            ));
        }
        dims = dims.with(first + axis, size);
    }
    Ok(dims)
}

/// A size times a scale, rounded down.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "checked to be a small positive number"
)]
fn scaled(size: usize, scale: f64) -> Result<usize, Refusal> {
    let found = (size as f64 * scale).floor();
    if scale > 0.0 && found < f64::from(u32::MAX) {
        return Ok(found as usize);
    }
    Err(refusal!("scale {scale} of {size}, expected a positive number and a size below 2^32"))
}

fn padded(before: &[isize], after: &[isize], edge: Edge, input: Dims) -> Result<Dims, Refusal> {
    if [before.len(), after.len()] != [input.rank(); 2] {
        return Err(refusal!("padding for {} and {} axes, expected all of {input}", before.len(), after.len()));
    }
    let mut dims = input;
    for axis in 0..input.rank() {
        let size = input[axis].checked_add_signed(before[axis]).and_then(|size| size.checked_add_signed(after[axis]));
        // What is taken away must be there.
        let taken = before[axis].min(0).unsigned_abs().saturating_add(after[axis].min(0).unsigned_abs());
        let size = size.filter(|_| taken <= input[axis]);
        let repeats = !matches!(edge, Edge::Constant(_)) && before[axis].max(after[axis]) > 0;
        if repeats && taken >= input[axis] {
            return Err(refusal!("axis {axis} of {input} has no element left to pad with, expected at least 1"));
        }
        dims = dims.with(
            axis,
            size.ok_or_else(|| {
                refusal!("padding takes {taken} away from axis {axis} of {input}, expected at most its size")
            })?,
        );
    }
    Ok(dims)
}

fn concatenated(axis: usize, inputs: &[Dims]) -> Result<Dims, Refusal> {
    check_axis(axis, inputs[0])?;
    let mut all = inputs[0];
    for other in &inputs[1..] {
        if other.rank() != all.rank() || other.with(axis, 0) != all.with(axis, 0) {
            return Err(refusal!("{} and {other} differ beside axis {axis}, expected the same sizes", inputs[0]));
        }
        all = all.with(axis, all[axis].saturating_add(other[axis]));
    }
    Ok(all)
}

fn sliced(slice: &Slice, input: Dims) -> Result<Dims, Refusal> {
    let Slice { axis, start, step, len } = *slice;
    check_axis(axis, input)?;
    let last = len
        .checked_sub(1)
        .map(|last| step.checked_mul(last.cast_signed()).and_then(|way| start.checked_add_signed(way)));
    let is_in = last.is_none_or(|last| start < input[axis] && last.is_some_and(|last| last < input[axis]));
    if step == 0 || !is_in {
        return Err(refusal!(
            "{len} elements from {start} on in steps of {step}, expected some that axis {axis} of {input} has"
        ));
    }
    Ok(input.with(axis, len))
}

pub(super) fn reshaped(to: &[isize], input: Dims) -> Result<Dims, Refusal> {
    if to.len() > MAX_DIMS {
        return Err(too_many());
    }
    let refused = || refusal!("{input} does not have the elements of {to:?}, expected as many");
    let mut sizes = Vec::with_capacity(to.len());
    let mut open = None;
    for (axis, &size) in to.iter().enumerate() {
        match size {
            -1 if open.is_none() => {
                open = Some(axis);
                sizes.push(1);
            }
            0 => sizes.push(*input.get(axis).ok_or_else(refused)?),
            1.. => sizes.push(size.unsigned_abs()),
            _ => return Err(refusal!("size {size} in {to:?}, expected a number, 0 to keep a size, or one -1")),
        }
    }
    let dims = Dims::from_slice(&sizes).ok_or_else(too_many)?;
    let (all, known) = (input.elements(), dims.elements());
    match open {
        Some(axis) if known > 0 && all.is_multiple_of(known) => Ok(dims.with(axis, all / known)),
        None if all == known => Ok(dims),
        _ => Err(refused()),
    }
}

fn transposed(order: &[usize], input: Dims) -> Result<Dims, Refusal> {
    let mut seen = [false; MAX_DIMS];
    let is_new = |axis: &usize| *axis < input.rank() && !std::mem::replace(&mut seen[*axis], true);
    if order.len() != input.rank() || !order.iter().all(is_new) {
        return Err(refusal!("{order:?} is not an order of the axes of {input}, expected each once"));
    }
    let sizes: Vec<usize> = order.iter().map(|&axis| input[axis]).collect();
    Dims::from_slice(&sizes).ok_or_else(too_many)
}

fn four(input: Dims) -> Result<[usize; 4], Refusal> {
    <[usize; 4]>::try_from(&input[..]).map_err(|_| refusal!("expected 4 axes, got {input}"))
}

fn shuffled(factor: usize, input: Dims) -> Result<Dims, Refusal> {
    let [n, c, h, w] = four(input)?;
    let block = factor.saturating_mul(factor);
    if block == 0 || !c.is_multiple_of(block) {
        return Err(refusal!("the channels of {input}, expected a multiple of {factor} * {factor}"));
    }
    Ok([n, c / block, h.saturating_mul(factor), w.saturating_mul(factor)].into())
}

fn unshuffled(factor: usize, input: Dims) -> Result<Dims, Refusal> {
    let [n, c, h, w] = four(input)?;
    if factor == 0 || !h.is_multiple_of(factor) || !w.is_multiple_of(factor) {
        return Err(refusal!("height and width of {input}, expected multiples of {factor}"));
    }
    Ok([n, c.saturating_mul(factor).saturating_mul(factor), h / factor, w / factor].into())
}
