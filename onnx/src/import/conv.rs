//! Convolutions and products of matrices.

use std::sync::Arc;

use winoconv::graph::{Binary, ConvWeights, Dims, Value};
use winoconv::{Conv, Padding, Spatial};

use super::call::Call;
use super::layout::reshape;
use super::{Fault, Held, Import, Outcome, invalid, sizes_of};
use crate::error::refusal;

/// Sizes beyond it are of no window, and their products would overflow.
const MOST: usize = 1 << 31;

/// The numbers of a window, one for each spatial axis.
pub(super) struct Window {
    pub(super) stride: Vec<usize>,
    pub(super) dilation: Vec<usize>,
    /// Before the first elements, then behind the last ones.
    pub(super) pads: Vec<usize>,
    pub(super) auto_pad: AutoPad,
}

/// Who decides the padding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AutoPad {
    /// The argument `pads`.
    NotSet,
    /// The sizes; the larger half comes last.
    SameUpper,
    /// The sizes; the larger half comes first.
    SameLower,
    /// There is none.
    Valid,
}

impl Window {
    pub(super) fn new(call: &Call<'_>, rank: usize) -> Outcome<Self> {
        let list = |key: &str, len: usize, default: usize| numbers(call, key, len, default);
        let auto_pad = match call.text("auto_pad", "NOTSET")? {
            "NOTSET" | "" => AutoPad::NotSet,
            "SAME_UPPER" => AutoPad::SameUpper,
            "SAME_LOWER" => AutoPad::SameLower,
            "VALID" => AutoPad::Valid,
            other => {
                return invalid(refusal!("auto_pad is {other}, expected NOTSET, SAME_UPPER, SAME_LOWER or VALID"));
            }
        };
        let pads = if auto_pad == AutoPad::NotSet { list("pads", 2 * rank, 0)? } else { vec![0; 2 * rank] };
        Ok(Self { stride: list("strides", rank, 1)?, dilation: list("dilations", rank, 1)?, pads, auto_pad })
    }

    fn padding(&self) -> Outcome<Padding> {
        let rank = self.stride.len();
        Ok(match self.auto_pad {
            AutoPad::SameUpper => Padding::SameUpper,
            AutoPad::SameLower => Padding::SameLower,
            _ => Padding::sides(spatial(&self.pads[..rank])?, spatial(&self.pads[rank..])?),
        })
    }
}

/// A list with a number for each axis, or the default for all.
pub(super) fn numbers(call: &Call<'_>, key: &str, len: usize, default: usize) -> Outcome<Vec<usize>> {
    let Some(list) = call.ints(key)? else { return Ok(vec![default; len]) };
    let list = sizes_of(key, list)?;
    if list.len() != len || list.iter().any(|&number| number > MOST) {
        return invalid(refusal!("{key} is {list:?}, expected {len} numbers of at most {MOST}"));
    }
    Ok(list)
}

fn spatial(sizes: &[usize]) -> Outcome<Spatial> {
    Spatial::from_slice(sizes)
        .ok_or_else(|| Fault::Unsupported(refusal!("{} spatial dimensions, expected 1 to 3", sizes.len())))
}

pub(super) fn conv(import: &mut Import<'_>, call: &Call<'_>, transposed: bool) -> Outcome<Vec<Held>> {
    let (x, dims) = call.tensor_at(import, 0)?;
    let weights = import.floats(call.operand(1)?, "the weights")?;
    let bias = call.optional(2).map(|held| import.floats(held, "the bias")).transpose()?;
    let w = weights.dims;
    if dims.rank() < 3 || w.rank() != dims.rank() {
        return invalid(refusal!("weights of {w} for an input of {dims}, expected as many dimensions, at least 3"));
    }
    let rank = dims.rank() - 2;
    let kernel = numbers(call, "kernel_shape", rank, 0)?;
    let kernel = if call.has("kernel_shape") { kernel } else { w[2..].to_vec() };
    let groups = super::size_of("group", call.int("group", 1)?)?;
    let of_group = |channels: usize| channels.saturating_mul(groups);
    let (channels, filters) = if transposed { (w[0], of_group(w[1])) } else { (of_group(w[1]), w[0]) };
    if kernel != w[2..] || channels != dims[1] {
        let channels = dims[1];
        let refusal = refusal!(
            "weights of {w}, expected those of {channels} channels in {groups} groups, kernel_shape {kernel:?}"
        );
        return invalid(refusal);
    }
    let window = Window::new(call, rank)?;
    let mut conv = Conv::new(channels, filters, spatial(&kernel)?)
        .stride(spatial(&window.stride)?)
        .dilation(spatial(&window.dilation)?)
        .groups(groups)
        .padding(window.padding()?)
        .bias(bias.is_some());
    if transposed {
        conv = transpose(call, conv, &window, &dims, &kernel)?;
    }
    let none: Arc<[f32]> = Arc::from([]);
    let bias = bias.map_or_else(|| none.clone(), |bias| bias.data);
    let of = ConvWeights { conv, weights: weights.data, bias, slopes: none };
    Ok(vec![import.graph.conv_with(x, None, of)?.into()])
}

/// What a transposed convolution has more.
fn transpose(call: &Call<'_>, conv: Conv, window: &Window, input: &Dims, kernel: &[usize]) -> Outcome<Conv> {
    let rank = kernel.len();
    let mut extra = numbers(call, "output_padding", rank, 0)?;
    if !call.has("output_shape") {
        return Ok(conv.transposed(spatial(&extra)?));
    }
    let sizes = call.ints("output_shape")?.unwrap_or_default();
    // Some writers give all sizes.
    let sizes = numbers(call, "output_shape", sizes.len(), 0)?;
    let Some(sizes) = sizes.len().checked_sub(rank).map(|first| &sizes[first..]) else {
        return invalid(refusal!("output_shape has {} numbers, expected {rank}", sizes.len()));
    };
    // Padding follows from the output's sizes: what is more than there would be is cut off, what is less is added.
    let mut cut = vec![0; rank];
    for i in 0..rank {
        let steps = window.stride[i].saturating_mul(input[2 + i].saturating_sub(1));
        let span = window.dilation[i].saturating_mul(kernel[i].saturating_sub(1));
        let whole = steps.saturating_add(span).saturating_add(extra[i] + 1);
        cut[i] = whole.saturating_sub(sizes[i]);
        extra[i] += sizes[i].saturating_sub(whole);
    }
    let small: Vec<usize> = cut.iter().map(|cut| cut / 2).collect();
    let large: Vec<usize> = cut.iter().map(|cut| cut.div_ceil(2)).collect();
    let (small, large) = (spatial(&small)?, spatial(&large)?);
    // The larger half comes first, but for SAME_UPPER.
    let padding =
        if window.auto_pad == AutoPad::SameUpper { Padding::sides(small, large) } else { Padding::sides(large, small) };
    Ok(conv.padding(padding).transposed(spatial(&extra)?))
}

/// `alpha A B + beta C`, each of the matrices transposed if the node says so.
pub(super) fn gemm(import: &mut Import<'_>, call: &Call<'_>) -> Outcome<Vec<Held>> {
    let mut factor = |i: usize, key: &str| -> Outcome<Value> {
        let (value, dims) = call.tensor_at(import, i)?;
        if dims.rank() != 2 {
            return invalid(refusal!("operand {i}: expected a matrix, got {dims}"));
        }
        let is_transposed = call.flag(key, false)?;
        Ok(if is_transposed { import.graph.transpose(value, &[1, 0])? } else { value })
    };
    let (a, b) = (factor(0, "transA")?, factor(1, "transB")?);
    let mut y = import.graph.matmul(a, b)?;
    let alpha = call.float("alpha", 1.0)?;
    if alpha != 1.0 {
        y = import.graph.with_number(Binary::Mul, y, alpha)?;
    }
    let beta = call.float("beta", 1.0)?;
    if call.optional(2).is_some() && beta != 0.0 {
        let (mut c, dims) = call.tensor_at(import, 2)?;
        let to = import.graph.dims(y);
        if dims.broadcast(to) != Some(to) {
            return invalid(refusal!("C is {dims}, expected a tensor that broadcasts to {to}"));
        }
        if beta != 1.0 {
            c = import.graph.with_number(Binary::Mul, c, beta)?;
        }
        y = import.graph.add(y, c)?;
    }
    Ok(vec![y.into()])
}

pub(super) fn matmul(import: &mut Import<'_>, call: &Call<'_>) -> Outcome<Vec<Held>> {
    let (a, of_a) = call.tensor_at(import, 0)?;
    let (b, of_b) = call.tensor_at(import, 1)?;
    if of_a.is_empty() || of_b.is_empty() {
        return invalid(refusal!("expected vectors or matrices, got a scalar"));
    }
    // A vector is a matrix of one row, or of one column, which the result does not have.
    let as_matrix = |import: &mut Import<'_>, x: Value, dims: Dims, sizes: [usize; 2]| {
        if dims.rank() == 1 { reshape(&mut import.graph, x, sizes.into()) } else { Ok(x) }
    };
    let (a, b) = (as_matrix(import, a, of_a, [1, of_a[0]])?, as_matrix(import, b, of_b, [of_b[0], 1])?);
    let y = import.graph.matmul(a, b)?;
    let dims = import.graph.dims(y);
    let rows = (of_a.rank() == 1).then(|| dims.rank() - 2);
    let columns = (of_b.rank() == 1).then(|| dims.rank() - 1);
    let kept: Vec<usize> =
        (0..dims.rank()).filter(|&axis| Some(axis) != rows && Some(axis) != columns).map(|axis| dims[axis]).collect();
    let kept = super::dims_of(&kept)?;
    let y = if kept == dims { y } else { reshape(&mut import.graph, y, kept)? };
    Ok(vec![y.into()])
}
