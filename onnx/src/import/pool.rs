//! Pooling.

use winoconv::graph::{Binary, Dims, Pool, PoolKind, Reduction, Unary};

use super::call::Call;
use super::conv::{AutoPad, Window, numbers};
use super::{Held, Import, Outcome, dims_of, invalid, unsupported};
use crate::error::refusal;

/// The window of a pooling over all axes behind the first two.
fn pool(call: &Call<'_>, kind: PoolKind, dims: Dims) -> Outcome<Pool> {
    let Some(rank) = dims.rank().checked_sub(2).filter(|&rank| rank > 0) else {
        return invalid(refusal!("expected at least 3 dimensions, got {dims}"));
    };
    if !call.has("kernel_shape") {
        return invalid(refusal!("kernel_shape: expected integers, got none"));
    }
    let kernel = numbers(call, "kernel_shape", rank, 1)?;
    let mut window = Window::new(call, rank)?;
    if matches!(window.auto_pad, AutoPad::SameUpper | AutoPad::SameLower) {
        for i in 0..rank {
            let (size, stride) = (dims[i + 2], window.stride[i].max(1));
            let span = window.dilation[i] * kernel[i].saturating_sub(1) + 1;
            let reached = (size.div_ceil(stride).max(1) - 1) * stride + span;
            let all = reached.saturating_sub(size);
            let before = if window.auto_pad == AutoPad::SameUpper { all / 2 } else { all.div_ceil(2) };
            (window.pads[i], window.pads[rank + i]) = (before, all - before);
        }
    }
    Ok(Pool {
        kind,
        kernel: dims_of(&kernel)?,
        stride: dims_of(&window.stride)?,
        dilation: dims_of(&window.dilation)?,
        before: dims_of(&window.pads[..rank])?,
        after: dims_of(&window.pads[rank..])?,
        ceil: call.flag("ceil_mode", false)?,
    })
}

pub(super) fn max(import: &mut Import<'_>, call: &Call<'_>) -> Outcome<Vec<Held>> {
    let (x, dims) = call.tensor_at(import, 0)?;
    let pool = pool(call, PoolKind::Max, dims)?;
    Ok(vec![import.graph.pool(x, pool)?.into()])
}

pub(super) fn average(import: &mut Import<'_>, call: &Call<'_>) -> Outcome<Vec<Held>> {
    let (x, dims) = call.tensor_at(import, 0)?;
    let counts_padding = call.flag("count_include_pad", false)?;
    let pool = pool(call, PoolKind::Average { counts_padding }, dims)?;
    Ok(vec![import.graph.pool(x, pool)?.into()])
}

/// `(sum |x|^p)^(1 / p)`: the mean with padding counted, times the elements of a window.
pub(super) fn lp(import: &mut Import<'_>, call: &Call<'_>) -> Outcome<Vec<Held>> {
    let (x, dims) = call.tensor_at(import, 0)?;
    let pool = pool(call, PoolKind::Average { counts_padding: true }, dims)?;
    if pool.ceil {
        return unsupported(refusal!("ceil_mode is 1, expected 0: its windows have different sizes"));
    }
    let p = call.int("p", 2)?;
    if !(1..=64).contains(&p) {
        return unsupported(refusal!("p is {p}, expected 1 to 64"));
    }
    let elements = pool.kernel.elements() as f32;
    let graph = &mut import.graph;
    let powers = match p {
        1 => graph.unary(Unary::Abs, x)?,
        2 => graph.mul(x, x)?,
        p => {
            let size = graph.unary(Unary::Abs, x)?;
            graph.with_number(Binary::Pow, size, p as f32)?
        }
    };
    let mean = graph.pool(powers, pool)?;
    let sum = graph.with_number(Binary::Mul, mean, elements)?;
    let y = match p {
        1 => sum,
        2 => graph.unary(Unary::Sqrt, sum)?,
        p => graph.with_number(Binary::Pow, sum, 1.0 / p as f32)?,
    };
    Ok(vec![y.into()])
}

/// All axes behind the first two, which stay with size 1.
pub(super) fn global(import: &mut Import<'_>, call: &Call<'_>, reduction: Reduction) -> Outcome<Vec<Held>> {
    let (x, dims) = call.tensor_at(import, 0)?;
    if dims.rank() < 3 {
        return invalid(refusal!("expected at least 3 dimensions, got {dims}"));
    }
    let axes: Vec<isize> = (2..dims.rank() as isize).collect();
    Ok(vec![import.graph.reduce(reduction, x, &axes)?.into()])
}
