//! Reductions along axes, and what is made of them: normalization and softmax. Sums are in f64.

use pulp::{Simd, WithSimd};

use super::rows::{LEAST, advance, each_row};
use super::source::Source;
use crate::cpu::{collect, with_registers};
use crate::graph::compile::Place;
use crate::graph::{Dims, MAX_DIMS, Reduction};

/// Groups that are summed together: so many that the compiler makes a loop of vector instructions of them, and does not write
/// them out.
const BLOCK: usize = 128;
/// Elements of a part of a group.
const PART: usize = 512;

/// How the elements of a group are walked: the axes that are reduced.
struct Group {
    sizes: Vec<usize>,
    steps: Vec<isize>,
}

impl Group {
    fn new(place: &Place, axes: &[usize]) -> Self {
        let sizes = axes.iter().map(|&axis| place.dims[axis]).collect();
        Self { sizes, steps: axes.iter().map(|&axis| place.strides[axis]).collect() }
    }

    /// Calls with each element of the group that begins at a position.
    fn each(&self, data: &[f32], start: usize, mut visit: impl FnMut(f32)) {
        self.each_position(start, |at| visit(data[at]));
    }

    /// Calls with where each of them is.
    #[inline(always)]
    fn each_position(&self, start: usize, mut visit: impl FnMut(usize)) {
        let Some((&size, outer)) = self.sizes.split_last() else { return visit(start) };
        let step = self.steps[outer.len()];
        let mut indices = vec![0usize; outer.len()];
        for _ in 0..outer.iter().product::<usize>() {
            let line: isize = indices.iter().zip(&self.steps).map(|(&index, step)| step * index.cast_signed()).sum();
            let line = start.wrapping_add_signed(line);
            (0..size).for_each(|i| visit(line.wrapping_add_signed(step * i.cast_signed())));
            advance(&mut indices, outer);
        }
    }

    /// Parts of a long group, of as many indices of its first axis each that they are worth a thread's while; and how far each one
    /// is from the group's start.
    fn parts(&self) -> Vec<(isize, Self)> {
        let all = self.sizes.first().copied().unwrap_or(1);
        let inner: usize = self.sizes.iter().skip(1).product();
        let each = PART.div_ceil(inner.max(1));
        (0..all.max(1))
            .step_by(each)
            .map(|first| {
                let mut part = Self { sizes: self.sizes.clone(), steps: self.steps.clone() };
                if let Some(size) = part.sizes.first_mut() {
                    *size = each.min(all - first);
                }
                (self.steps.first().map_or(0, |step| step * first.cast_signed()), part)
            })
            .collect()
    }

    /// How many elements there are, if they lie side by side in order.
    fn dense_len(&self) -> Option<usize> {
        let mut len = 1usize;
        for (&size, &step) in self.sizes.iter().zip(&self.steps).rev() {
            if size != 1 && step != len.cast_signed() {
                return None;
            }
            len *= size;
        }
        Some(len)
    }

    fn elements(&self) -> usize {
        self.sizes.iter().product()
    }

    #[expect(clippy::cast_precision_loss, reason = "a number of elements")]
    fn len(&self) -> f64 {
        self.elements() as f64
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the rounding")]
fn rounded(x: f64) -> f32 {
    x as f32
}

fn better(x: f64, best: f64, is_max: bool) -> bool {
    !best.is_nan() && (x.is_nan() || if is_max { x > best } else { x < best })
}

/// The sum of elements side by side: eight sums at a time, each of which would wait for itself.
fn sum(elements: &[f32]) -> f64 {
    let mut sums = [0.0; 8];
    let (vectors, rest) = elements.as_chunks::<8>();
    for vector in vectors {
        sums.iter_mut().zip(vector).for_each(|(sum, &x)| *sum += f64::from(x));
    }
    sums.iter().sum::<f64>() + rest.iter().map(|&x| f64::from(x)).sum::<f64>()
}

/// The sums of groups whose first elements lie side by side, of each [`BLOCK`] of them together; long ones in parts, whose sums
/// are then added.
fn sums_of_rows(source: &Source<'_>, group: &Group, groups: Dims) -> Vec<f64> {
    let last = groups.rank() - 1;
    let blocks = groups[last].div_ceil(BLOCK);
    let parts = group.parts();
    let sums = of_groups(source, group, groups.with(last, 1), |start| {
        let of_part = |i: usize| {
            let (block, (skipped, group)) = (i / parts.len(), &parts[i % parts.len()]);
            let len = BLOCK.min(groups[last] - block * BLOCK);
            let start = (start + block * BLOCK).wrapping_add_signed(*skipped);
            with_registers(SumRows { group, data: source.data, start, len })
        };
        let at_a_time = LEAST.div_ceil(BLOCK * group.elements().div_ceil(parts.len()).max(1));
        let sums: Vec<[f64; BLOCK]> = collect(blocks * parts.len(), at_a_time, of_part);
        let mut row = Vec::with_capacity(blocks * BLOCK);
        for parts in sums.chunks(parts.len()) {
            row.extend((0..BLOCK).map(|i| parts.iter().map(|sums| sums[i]).sum::<f64>()));
        }
        row.truncate(groups[last]);
        row
    });
    sums.concat()
}

/// The sums of groups whose elements lie side by side: at most [`BLOCK`].
struct SumRows<'a> {
    group: &'a Group,
    data: &'a [f32],
    start: usize,
    len: usize,
}

impl WithSimd for SumRows<'_> {
    type Output = [f64; BLOCK];

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> [f64; BLOCK] {
        let mut sums = [0.0; BLOCK];
        let Self { group, data, start, len } = self;
        group.each_position(start, |at| {
            sums.iter_mut().zip(&data[at..at + len]).for_each(|(sum, &x)| *sum += f64::from(x));
        });
        sums
    }
}

fn reduced(reduction: Reduction, group: &Group, data: &[f32], start: usize) -> f64 {
    if let (Reduction::Mean | Reduction::Sum, Some(len)) = (reduction, group.dense_len()) {
        let sum = sum(&data[start..start + len]);
        return if reduction == Reduction::Mean { sum / group.len() } else { sum };
    }
    let mut result = match reduction {
        Reduction::Sum | Reduction::Mean | Reduction::L2 => 0.0,
        Reduction::Product => 1.0,
        Reduction::Max => f64::NEG_INFINITY,
        Reduction::Min => f64::INFINITY,
    };
    group.each(data, start, |x| {
        let x = f64::from(x);
        match reduction {
            Reduction::Sum | Reduction::Mean => result += x,
            Reduction::L2 => result += x * x,
            Reduction::Product => result *= x,
            Reduction::Max | Reduction::Min => {
                if better(x, result, reduction == Reduction::Max) {
                    result = x;
                }
            }
        }
    });
    match reduction {
        Reduction::Mean => result / group.len(),
        Reduction::L2 => result.sqrt(),
        _ => result,
    }
}

pub(super) fn run(reduction: Reduction, source: Source<'_>, to: &Place, output: &mut [f32]) {
    let axes: Vec<usize> = (0..to.dims.rank()).filter(|&axis| source.place.dims[axis] != to.dims[axis]).collect();
    let group = Group::new(source.place, &axes);
    let last = to.dims.rank().saturating_sub(1);
    let side_by_side = source.place.strides[last] == 1 && !axes.contains(&last);
    let results = match reduction {
        Reduction::Sum | Reduction::Mean if side_by_side => {
            let factor = if reduction == Reduction::Mean { group.len() } else { 1.0 };
            sums_of_rows(&source, &group, to.dims).into_iter().map(|sum| rounded(sum / factor)).collect()
        }
        _ => of_groups(&source, &group, to.dims, |start| rounded(reduced(reduction, &group, source.data, start))),
    };
    let strides = to.dims.strides();
    each_row(to, output, |indices, row| {
        let first: usize = indices.iter().zip(strides).map(|(index, step)| index * step).sum();
        row.copy_from_slice(&results[first..first + row.len()]);
    });
}

/// A result for each group, in the order of the groups' first elements.
fn of_groups<T: Send>(
    source: &Source<'_>,
    group: &Group,
    groups: Dims,
    of_group: impl Fn(usize) -> T + Sync,
) -> Vec<T> {
    let strides = groups.strides();
    let of = |group: usize| {
        let mut indices = [0; MAX_DIMS];
        for axis in 0..groups.rank() {
            indices[axis] = group / strides[axis].max(1) % groups[axis].max(1);
        }
        of_group(source.position(&indices[..groups.rank()]))
    };
    collect(groups.elements(), LEAST.div_ceil(group.elements().max(1)), of)
}

/// Writes what a function makes of each element and its group's result.
fn each_element<T: Copy + Sync>(
    source: Source<'_>,
    (groups, results): (Dims, &[T]),
    to: &Place,
    output: &mut [f32],
    value: impl Fn(f64, T) -> f64 + Sync,
) {
    let strides = groups.strides_in(to.dims);
    let last = to.dims.rank() - 1;
    each_row(to, output, |indices, row| {
        let line = source.position(indices);
        let group: usize = indices.iter().zip(strides).map(|(index, step)| index * step).sum();
        for (i, out) in row.iter_mut().enumerate() {
            let x = source.data[line.wrapping_add_signed(source.place.strides[last] * i.cast_signed())];
            *out = rounded(value(f64::from(x), results[group + strides[last] * i]));
        }
    });
}

fn without(dims: Dims, axes: &[usize]) -> Dims {
    axes.iter().fold(dims, |dims, &axis| dims.with(axis, 1))
}

pub(super) fn normalize(axes: &[usize], epsilon: f32, source: Source<'_>, to: &Place, output: &mut [f32]) {
    let (group, groups) = (Group::new(source.place, axes), without(to.dims, axes));
    let results = of_groups(&source, &group, groups, |start| {
        let mean = reduced(Reduction::Mean, &group, source.data, start);
        let mut squares = 0.0;
        group.each(source.data, start, |x| squares += (f64::from(x) - mean).powi(2));
        (mean, 1.0 / (squares / group.len() + f64::from(epsilon)).sqrt())
    });
    each_element(source, (groups, &results), to, output, |x, (mean, factor)| (x - mean) * factor);
}

pub(super) fn softmax(axis: usize, log: bool, source: Source<'_>, to: &Place, output: &mut [f32]) {
    let (group, groups) = (Group::new(source.place, &[axis]), without(to.dims, &[axis]));
    let results = of_groups(&source, &group, groups, |start| {
        let most = reduced(Reduction::Max, &group, source.data, start);
        let mut sum = 0.0;
        group.each(source.data, start, |x| sum += (f64::from(x) - most).exp());
        (most, sum)
    });
    each_element(source, (groups, &results), to, output, |x, (most, sum)| {
        if log { x - most - sum.ln() } else { (x - most).exp() / sum }
    });
}
