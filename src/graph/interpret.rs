//! What a graph means: each node computed in f64, element by element, as its definition says. Everything that runs graphs is
//! compared with this.

use super::dims::{Dims, MAX_DIMS};
use super::op::{
    Binary, BlockOrder, ConvWeights, Coordinates, Edge, Filter, Op, Pool, PoolKind, Reduction, Resize, Rounding, Slice,
    Target, Unary,
};
use super::{Graph, Node};
use crate::activation::Activation;
use crate::conv::{Conv, Residual};
use crate::error::{Result, ShapeError};
use crate::spatial::Shape;
use crate::twin::Reference;

/// A place in a tensor.
type Place = [usize; MAX_DIMS];

/// The value of a node.
struct Tensor {
    dims: Dims,
    data: Vec<f64>,
}

impl Tensor {
    fn at(&self, place: &[usize]) -> f64 {
        let strides = self.dims.strides();
        self.data[place.iter().zip(strides).map(|(index, step)| index * step).sum::<usize>()]
    }

    /// An element of what it is broadcast to.
    fn broadcast_at(&self, place: &[usize]) -> f64 {
        let missing = place.len() - self.dims.rank();
        let own: Vec<usize> = place[missing..]
            .iter()
            .zip(self.dims.iter())
            .map(|(&index, &size)| if size == 1 { 0 } else { index })
            .collect();
        self.at(&own)
    }

    /// A tensor of these sizes whose elements are computed from their places.
    fn from_places(dims: Dims, mut value: impl FnMut(&[usize]) -> f64) -> Self {
        let mut data = Vec::with_capacity(dims.elements());
        each_place(dims, |place| data.push(value(place)));
        Self { dims, data }
    }
}

fn each_place(dims: Dims, mut visit: impl FnMut(&[usize])) {
    let mut place: Place = [0; MAX_DIMS];
    for _ in 0..dims.elements() {
        visit(&place[..dims.rank()]);
        for axis in (0..dims.rank()).rev() {
            place[axis] += 1;
            if place[axis] < dims[axis] {
                break;
            }
            place[axis] = 0;
        }
    }
}

impl Graph {
    /// All outputs in f64, for tests: one element after the other on one thread.
    ///
    /// # Errors
    /// [`ShapeError::Length`] if an input does not have the elements of its sizes.
    pub fn interpret(&self, inputs: &[&[f32]]) -> Result<Vec<Vec<f64>>> {
        ShapeError::check_len("the inputs", self.inputs.len(), inputs.len())?;
        let mut values: Vec<Tensor> = Vec::with_capacity(self.nodes.len());
        for (i, node) in self.nodes.iter().enumerate() {
            let data = match &node.op {
                Op::Input => {
                    let position = self.inputs.iter().position(|input| input.index() == i).unwrap_or(0);
                    ShapeError::check_len("an input", node.dims.elements(), inputs[position].len())?;
                    inputs[position].iter().map(|&x| f64::from(x)).collect()
                }
                Op::Constant(data) => data.iter().map(|&x| f64::from(x)).collect(),
                _ => {
                    let operands: Vec<&Tensor> = node.inputs.iter().map(|value| &values[value.index()]).collect();
                    compute(node, &operands)
                }
            };
            values.push(Tensor { dims: node.dims, data });
        }
        Ok(self.outputs.iter().map(|(_, value)| values[value.index()].data.clone()).collect())
    }
}

/// A node's result, from operands that are known.
pub(super) fn compute_constants(node: &Node, operands: &[(Dims, &[f32])]) -> Vec<f32> {
    let tensors: Vec<Tensor> = operands
        .iter()
        .map(|(dims, data)| Tensor { dims: *dims, data: data.iter().map(|&x| f64::from(x)).collect() })
        .collect();
    #[expect(clippy::cast_possible_truncation, reason = "the rounding")]
    let round = |x: f64| x as f32;
    compute(node, &tensors.iter().collect::<Vec<_>>()).into_iter().map(round).collect()
}

fn compute(node: &Node, operands: &[&Tensor]) -> Vec<f64> {
    let (dims, x) = (node.dims, operands[0]);
    let tensor = match &node.op {
        Op::Input | Op::Constant(_) => return Vec::new(),
        Op::Conv(of) => return conv(of, operands),
        Op::Linear(of) => Tensor::from_places(dims, |place| {
            let mut own = place.to_vec();
            let (axis, k) = (place.len() - 1, place[place.len() - 1]);
            let number = |all: &[f32]| all.get(k).map_or(0.0, |&x| f64::from(x));
            let product = |c: usize| f64::from(of.weights[k * of.conv.channels + c]);
            let mut sum = number(&of.bias) + operands.get(1).map_or(0.0, |residual| residual.at(place));
            for c in 0..of.conv.channels {
                own[axis] = c;
                sum += x.at(&own) * product(c);
            }
            of.conv.activation.apply(sum, number(&of.slopes))
        }),
        Op::Pool(of) => Tensor::from_places(dims, |place| pool(of, x, place)),
        Op::Reduce(reduction, axes) => Tensor::from_places(dims, |place| reduce(*reduction, &along(x, axes, place))),
        Op::Normalize { axes, epsilon } => Tensor::from_places(dims, |place| {
            let all = along(x, axes, place);
            let mean = reduce(Reduction::Mean, &all);
            let squares: Vec<f64> = all.iter().map(|x| (x - mean).powi(2)).collect();
            (x.at(place) - mean) / (reduce(Reduction::Mean, &squares) + f64::from(*epsilon)).sqrt()
        }),
        Op::Softmax { axis, log } => Tensor::from_places(dims, |place| {
            let all = along(x, &[*axis], place);
            let most = reduce(Reduction::Max, &all);
            let sum: f64 = all.iter().map(|x| (x - most).exp()).sum();
            let own = x.at(place) - most;
            if *log { own - sum.ln() } else { own.exp() / sum }
        }),
        Op::MatMul => Tensor::from_places(dims, |place| matmul(x, operands[1], place)),
        Op::Unary(function) => Tensor::from_places(dims, |place| unary(*function, x.at(place))),
        Op::Binary(function) => {
            Tensor::from_places(dims, |place| binary(*function, x.broadcast_at(place), operands[1].broadcast_at(place)))
        }
        Op::Where => Tensor::from_places(dims, |place| {
            operands[if x.broadcast_at(place) == 0.0 { 2 } else { 1 }].broadcast_at(place)
        }),
        Op::Resize(of) => Tensor::from_places(dims, |place| resize(of, x, dims, place)),
        Op::Pad { before, after, edge } => Tensor::from_places(dims, |place| pad([before, after], *edge, x, place)),
        Op::Concat(axis) => Tensor::from_places(dims, |place| {
            let mut place = place.to_vec();
            for part in operands {
                if place[*axis] < part.dims[*axis] {
                    return part.at(&place);
                }
                place[*axis] -= part.dims[*axis];
            }
            f64::NAN
        }),
        Op::Slice(Slice { axis, start, step, .. }) => Tensor::from_places(dims, |place| {
            let mut place = place.to_vec();
            place[*axis] = start.wrapping_add_signed(step * place[*axis].cast_signed());
            x.at(&place)
        }),
        Op::Reshape(_) => return x.data.clone(),
        Op::Transpose(order) => Tensor::from_places(dims, |place| {
            let mut own = vec![0; place.len()];
            order.iter().zip(place).for_each(|(&axis, &index)| own[axis] = index);
            x.at(&own)
        }),
        Op::Expand(_) => Tensor::from_places(dims, |place| x.broadcast_at(place)),
        Op::PixelShuffle { factor: r, order } => Tensor::from_places(dims, |place| {
            let &[n, c, y, x_at] = place else { return f64::NAN };
            let (dy, dx) = (y % r, x_at % r);
            let channel = match order {
                BlockOrder::ChannelFirst => (c * r + dy) * r + dx,
                BlockOrder::PlaceFirst => (dy * r + dx) * dims[1] + c,
            };
            x.at(&[n, channel, y / r, x_at / r])
        }),
        Op::PixelUnshuffle { factor: r, order } => Tensor::from_places(dims, |place| {
            let &[n, channel, y, x_at] = place else { return f64::NAN };
            let (c, block) = match order {
                BlockOrder::ChannelFirst => (channel / (r * r), channel % (r * r)),
                BlockOrder::PlaceFirst => (channel % x.dims[1], channel / x.dims[1]),
            };
            x.at(&[n, c, y * r + block / r, x_at * r + block % r])
        }),
    };
    tensor.data
}

fn conv(of: &ConvWeights, operands: &[&Tensor]) -> Vec<f64> {
    let Some(problem) = Shape::from_slice(&operands[0].dims).and_then(|shape| of.conv.on(shape).ok()) else {
        return Vec::new();
    };
    // The reference reads f32. What is between two of them is added as a second convolution, which is linear: its error is a
    // rounding of a rounding.
    let [high, low] = halves(&operands[0].data);
    let residual = operands.get(1).map(|tensor| &tensor.data[..]).unwrap_or_default();
    let linear = Conv { bias: false, residual: Residual::None, activation: Activation::None, ..of.conv };
    let Ok(plain) = linear.on(problem.input_shape()) else { return Vec::new() };
    let sums = |input: &[f32]| {
        Reference { problem: &plain, input, weights: &of.weights, bias: &[], slopes: &[], residual: &[] }.all()
    };
    let (high, low) = (sums(&high), sums(&low));
    let output = problem.output_shape();
    let image: usize = output[2..].iter().product();
    (0..high.len())
        .map(|i| {
            let filter = i / image.max(1) % of.conv.filters;
            let number = |all: &[f32]| all.get(filter).map_or(0.0, |&x| f64::from(x));
            let sum = high[i] + low[i] + number(&of.bias) + residual.get(i).copied().unwrap_or(0.0);
            of.conv.activation.apply(sum, number(&of.slopes))
        })
        .collect()
}

/// Numbers as sums of two f32.
#[expect(clippy::cast_possible_truncation, reason = "the rest is the other part")]
fn halves(data: &[f64]) -> [Vec<f32>; 2] {
    let high: Vec<f32> = data.iter().map(|&x| x as f32).collect();
    let low = data.iter().zip(&high).map(|(&x, &high)| if x.is_finite() { (x - f64::from(high)) as f32 } else { 0.0 });
    let low = low.map(|low| if low.is_finite() { low } else { 0.0 }).collect();
    [high, low]
}

/// The elements along axes that share the other indices.
fn along(x: &Tensor, axes: &[usize], place: &[usize]) -> Vec<f64> {
    let sizes = axes.iter().fold(x.dims.iter().enumerate().fold(x.dims, |d, (axis, _)| d.with(axis, 1)), |d, &axis| {
        d.with(axis, x.dims[axis])
    });
    let mut all = Vec::with_capacity(sizes.elements());
    let mut own = place.to_vec();
    each_place(sizes, |within| {
        axes.iter().for_each(|&axis| own[axis] = within[axis]);
        all.push(x.at(&own));
    });
    all
}

#[expect(clippy::cast_precision_loss, reason = "a number of elements")]
fn reduce(reduction: Reduction, all: &[f64]) -> f64 {
    let extreme = |better: fn(f64, f64) -> bool, worst: f64| {
        all.iter().fold(worst, |best, &x| if best.is_nan() || !(better(x, best) || x.is_nan()) { best } else { x })
    };
    match reduction {
        Reduction::Sum => all.iter().sum(),
        Reduction::Mean => all.iter().sum::<f64>() / all.len() as f64,
        Reduction::Max => extreme(|a, b| a > b, f64::NEG_INFINITY),
        Reduction::Min => extreme(|a, b| a < b, f64::INFINITY),
        Reduction::Product => all.iter().product(),
        Reduction::L2 => all.iter().map(|x| x * x).sum::<f64>().sqrt(),
    }
}

fn pool(of: &Pool, x: &Tensor, place: &[usize]) -> f64 {
    let axes = of.kernel.rank();
    let mut all = Vec::new();
    let mut counted = 0usize;
    each_place(of.kernel, |tap| {
        let mut own = place.to_vec();
        let (mut inside, mut in_padding) = (true, true);
        for axis in 0..axes {
            let at = (place[axis + 2] * of.stride[axis] + tap[axis] * of.dilation[axis]).wrapping_sub(of.before[axis]);
            let size = x.dims[axis + 2];
            inside &= at < size;
            // A window that goes past the padding, as the last one may with `ceil`, ends there.
            in_padding &= at.wrapping_add(of.before[axis]) < size + of.before[axis] + of.after[axis];
            own[axis + 2] = at;
        }
        counted += usize::from(in_padding);
        if inside {
            all.push(x.at(&own));
        }
    });
    match of.kind {
        PoolKind::Max => reduce(Reduction::Max, &all),
        PoolKind::Average { counts_padding: false } => reduce(Reduction::Mean, &all),
        #[expect(clippy::cast_precision_loss, reason = "a number of elements")]
        PoolKind::Average { counts_padding: true } => all.iter().sum::<f64>() / counted as f64,
    }
}

fn matmul(a: &Tensor, b: &Tensor, place: &[usize]) -> f64 {
    let (batch, at) = place.split_at(place.len() - 2);
    let operand = |of: &Tensor, row: usize, column: usize| {
        let axes = of.dims.rank() - 2;
        let own = batch[batch.len() - axes..].iter().zip(of.dims.iter());
        let own: Vec<usize> =
            own.map(|(&index, &size)| if size == 1 { 0 } else { index }).chain([row, column]).collect();
        of.at(&own)
    };
    (0..a.dims[a.dims.rank() - 1]).map(|k| operand(a, at[0], k) * operand(b, k, at[1])).sum()
}

pub(super) fn unary(function: Unary, x: f64) -> f64 {
    match function {
        Unary::Neg => -x,
        Unary::Abs => x.abs(),
        Unary::Exp => x.exp(),
        Unary::Log => x.ln(),
        Unary::Sqrt => x.sqrt(),
        Unary::Reciprocal => 1.0 / x,
        Unary::Erf => libm::erf(x),
        Unary::Floor => x.floor(),
        Unary::Ceil => x.ceil(),
        Unary::Round => x.round_ties_even(),
        Unary::Sign if x.is_nan() || x == 0.0 => x,
        Unary::Sign => x.signum(),
        Unary::Sin => x.sin(),
        Unary::Cos => x.cos(),
        Unary::Not => truth(x == 0.0),
        Unary::Activate(activation) => activation.apply(x, 0.0),
    }
}

const fn truth(is: bool) -> f64 {
    if is { 1.0 } else { 0.0 }
}

pub(super) fn binary(function: Binary, a: f64, b: f64) -> f64 {
    let nan = a.is_nan() || b.is_nan();
    match function {
        Binary::Add => a + b,
        Binary::Sub => a - b,
        Binary::Mul => a * b,
        Binary::Div => a / b,
        Binary::Pow => a.powf(b),
        Binary::Min | Binary::Max if nan => f64::NAN,
        Binary::Min => a.min(b),
        Binary::Max => a.max(b),
        Binary::PRelu => {
            if a > 0.0 {
                a
            } else {
                a * b
            }
        }
        Binary::Greater => truth(a > b),
        Binary::GreaterEqual => truth(a >= b),
        Binary::Less => truth(a < b),
        Binary::LessEqual => truth(a <= b),
        Binary::Equal => truth(a == b),
    }
}

/// Elements and weights along an axis for output `at` of `out`, where the input has `size`.
#[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "indices of tensors")]
pub(super) fn taps(of: &Resize, scale: f64, at: usize, out: usize, size: usize) -> Vec<(usize, f64)> {
    let at = at as f64;
    let place = match of.coordinates {
        Coordinates::HalfPixel => (at + 0.5) / scale - 0.5,
        Coordinates::PytorchHalfPixel => {
            if out > 1 {
                (at + 0.5) / scale - 0.5
            } else {
                0.0
            }
        }
        Coordinates::AlignCorners => {
            if out > 1 {
                at * (size - 1) as f64 / (out - 1) as f64
            } else {
                0.0
            }
        }
        Coordinates::Asymmetric => at / scale,
    };
    let clamped = |index: f64| index.clamp(0.0, (size - 1) as f64) as usize;
    match of.filter {
        Filter::Nearest(rounding) => {
            let nearest = match rounding {
                Rounding::Floor => place.floor(),
                Rounding::Ceil => place.ceil(),
                Rounding::PreferFloor => (place - 0.5).ceil(),
                Rounding::PreferCeil => (place + 0.5).floor(),
            };
            vec![(clamped(nearest), 1.0)]
        }
        Filter::Linear => {
            let place = place.clamp(0.0, (size - 1) as f64);
            let low = place.floor();
            vec![(clamped(low), 1.0 - (place - low)), (clamped(low + 1.0), place - low)]
        }
        Filter::Cubic(a) => {
            let (a, low) = (f64::from(a), place.floor());
            let near = |t: f64| ((a + 2.0) * t - (a + 3.0)) * t * t + 1.0;
            let far = |t: f64| ((a * t - 5.0 * a) * t + 8.0 * a) * t - 4.0 * a;
            let t = place - low;
            let weights = [far(t + 1.0), near(t), near(1.0 - t), far(2.0 - t)];
            weights.into_iter().zip(-1..).map(|(w, i)| (clamped(low + f64::from(i)), w)).collect()
        }
    }
}

/// The same for all outputs of an axis: what kernels get as tables.
#[expect(clippy::cast_precision_loss, reason = "sizes of tensors")]
pub(super) fn axis_taps(of: &Resize, axis: usize, out: usize, size: usize) -> Vec<Vec<(usize, f64)>> {
    let scale = match &of.target {
        Target::Scale(scales) => scales[axis],
        Target::Size(_) => out as f64 / size as f64,
    };
    (0..out).map(|at| taps(of, scale, at, out, size)).collect()
}

fn resize(of: &Resize, x: &Tensor, dims: Dims, place: &[usize]) -> f64 {
    let given = match &of.target {
        Target::Size(sizes) => sizes.len(),
        Target::Scale(scales) => scales.len(),
    };
    let first = dims.rank() - given;
    let mut sums = vec![(place.to_vec(), 1.0)];
    for axis in 0..given {
        let at = first + axis;
        let taps = &axis_taps(of, axis, dims[at], x.dims[at])[place[at]];
        sums = sums
            .iter()
            .flat_map(|(place, weight)| {
                taps.iter().map(move |&(index, own)| {
                    let mut place = place.clone();
                    place[at] = index;
                    (place, weight * own)
                })
            })
            .collect();
    }
    // A weight of 0 takes nothing, whatever lies there.
    sums.iter().filter(|(_, weight)| *weight != 0.0).map(|(place, weight)| x.at(place) * weight).sum()
}

/// What is taken away goes first, and what is left is padded.
fn pad([before, after]: [&[isize]; 2], edge: Edge, x: &Tensor, place: &[usize]) -> f64 {
    let mut own = Vec::with_capacity(place.len());
    for (axis, &at) in place.iter().enumerate() {
        let [first, last] = [before[axis], after[axis]].map(|size| size.min(0).unsigned_abs());
        let left = x.dims[axis] - first - last;
        match padded_index(at.cast_signed() - before[axis].max(0), left, edge) {
            Some(index) => own.push(first + index),
            None => {
                return match edge {
                    Edge::Constant(number) => f64::from(number),
                    _ => f64::NAN,
                };
            }
        }
    }
    x.at(&own)
}

/// The element that stands at a place of a padded axis; `None` if a constant does.
pub(super) fn padded_index(at: isize, size: usize, edge: Edge) -> Option<usize> {
    let len = size.cast_signed();
    if (0..len).contains(&at) {
        return Some(at.cast_unsigned());
    }
    match edge {
        Edge::Constant(_) => None,
        Edge::Replicate => Some(at.clamp(0, len - 1).cast_unsigned()),
        Edge::Circular => Some(at.rem_euclid(len).cast_unsigned()),
        Edge::Reflect if len == 1 => Some(0),
        Edge::Reflect => {
            let at = at.rem_euclid(2 * (len - 1));
            Some(if at < len { at } else { 2 * (len - 1) - at }.cast_unsigned())
        }
    }
}
