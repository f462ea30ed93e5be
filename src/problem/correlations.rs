//! The correlations that a problem comes to: one, or one for each phase of a transposed convolution's outputs.

use super::{MAX_INDEX, Operation, Placed, Problem};
use crate::correlation::{Correlation, Steps};
use crate::layout::View;
use crate::padding::Border;
use crate::spatial::MAX_RANK;

impl Problem {
    /// Whether it comes to a correlation for each phase of its stride: transposed, or the gradient of an input.
    pub(crate) const fn is_in_phases(&self) -> bool {
        match self.operation {
            Operation::Forward => self.conv.transposed.is_some(),
            Operation::InputGradient => self.conv.transposed.is_none(),
            _ => false,
        }
    }
}

impl Correlation {
    /// What a problem comes to; nothing, if it is a gradient of the convolution's end.
    pub fn all_of(problem: &Problem) -> Vec<Self> {
        let mut all = match problem.operation {
            Operation::WeightGradient => vec![weight_gradient(problem)],
            operation if operation.is_of_end() => Vec::new(),
            _ if problem.is_in_phases() => phases(problem),
            _ => vec![windows(problem)],
        };
        // A single tap has dilation 1, so that callers need no special case. (A single output keeps its stride, since packed
        // weights must not depend on the output's size.)
        for of in &mut all {
            for axis in 0..MAX_RANK {
                if of.taps[axis] < 2 {
                    of.dilation[axis] = 1;
                }
            }
        }
        all
    }

    /// The weights that a problem reads, as its correlations read them: one correlation for each set of taps that a phase may have,
    /// whether it has outputs or not. They are the same for all sizes, in the same order; their sizes, and where their
    /// source and their outputs lie, mean nothing.
    pub(crate) fn all_weights(problem: &Problem) -> Vec<Self> {
        if !problem.is_in_phases() {
            return Self::all_of(problem);
        }
        let conv = &problem.conv;
        let (taps, stride, dilation) = (conv.kernel.dhw(1), conv.stride.dhw(1), conv.dilation.dhw(1));
        in_phases(problem, |i| {
            let phases = Taps::phases(taps[i], stride[i], dilation[i]).into_iter();
            phases.map(|taps| Phase { phase: 0, out: 1, taps, dilation: 1, before: 0 }).collect()
        })
    }
}

/// A view's steps. Where there is one element or none, a step may be any number, and is cut off.
fn signed(view: &View, group: usize) -> Steps {
    let signed = |step: usize| step.min(MAX_INDEX).cast_signed();
    let g = signed(view.c.saturating_mul(group));
    Steps { offset: signed(view.offset), g, n: signed(view.n), c: signed(view.c), dhw: view.dhw.map(signed) }
}

/// The weights `[A, B / groups, ...]` of which the first index is the filter.
fn by_filter(view: &View, group_a: usize) -> Steps {
    let Steps { offset, n, c, dhw, .. } = signed(view, 0);
    Steps { offset, g: group_a.cast_signed() * n, n, c, dhw }
}

/// What is read and what is written, with their sizes and the channels of a group.
struct Sides {
    source: Placed,
    result: Placed,
    size: [usize; MAX_RANK],
    out: [usize; MAX_RANK],
    group_c: usize,
    group_k: usize,
}

impl Sides {
    fn of(problem: &Problem) -> Self {
        let (source, result) = (problem.source(), problem.result());
        let [size, out] = [source, result].map(|placed| placed.shape.spatial().dhw(1));
        let [group_c, group_k] = [source, result].map(|placed| placed.shape[1] / problem.conv.groups);
        Self { source, result, size, out, group_c, group_k }
    }
}

/// A stride as a kernel can take it: one that is larger leads from a single output to none.
fn in_reach(stride: usize) -> usize {
    stride.min(MAX_INDEX)
}

/// A convolution as it stands, or the gradient of a transposed one's input, which is one too.
fn windows(problem: &Problem) -> Correlation {
    let Sides { source, result, size, out, group_c, group_k } = Sides::of(problem);
    Correlation {
        n: problem.n,
        groups: problem.conv.groups,
        group_c,
        group_k,
        size,
        out,
        taps: problem.conv.kernel.dhw(1),
        stride: problem.conv.stride.dhw(1).map(in_reach),
        dilation: problem.conv.dilation.dhw(1),
        before: problem.before.map(usize::cast_signed),
        border: problem.conv.border,
        swapped: false,
        src: signed(&source.view, group_c),
        weights: by_filter(&problem.conv.weights_view(), group_k),
        dst: signed(&result.view, group_k),
    }
}

/// Taps of one dimension that the same outputs read: every `step`th one.
#[derive(Clone, Copy)]
struct Taps {
    /// The last one, which comes first: the others lie `step` before each other.
    last: usize,
    step: usize,
    count: usize,
}

impl Taps {
    /// Those from the first one on.
    const fn from(first: usize, step: usize, taps: usize) -> Self {
        let count = (taps - first).div_ceil(step);
        Self { last: first + (count - 1) * step, step, count }
    }

    /// All taps of one dimension: the first ones of their phases, in order.
    fn phases(taps: usize, stride: usize, dilation: usize) -> Vec<Self> {
        let step = stride / gcd(stride, dilation);
        (0..taps.min(step)).map(|first| Self::from(first, step, taps)).collect()
    }
}

/// One dimension of a transposed convolution: the outputs `phase`, `phase + stride`, ...
struct Phase {
    phase: usize,
    out: usize,
    taps: Taps,
    dilation: usize,
    before: isize,
}

/// The phases of one dimension. Output x takes input i by tap r where `x + before = i * stride + r * dilation`.
fn phases_of(out: usize, taps: usize, stride: usize, dilation: usize, before: usize) -> Vec<Phase> {
    let common = gcd(stride, dilation);
    // From a tap of a phase to the next, and from its input to the next.
    let (step, inputs) = (stride / common, dilation / common);
    let inverse = inverse(inputs, step);
    let phase = |phase: usize| {
        let outputs = (out - phase).div_ceil(stride);
        let at = phase + before;
        let Some(first) = first_tap(at, common, inverse, step).filter(|first| *first < taps) else {
            let taps = Taps { last: 0, step, count: 0 };
            return Phase { phase, out: outputs, taps, dilation: 1, before: 0 };
        };
        let taps = Taps::from(first, step, taps);
        let place = (at.cast_signed() - (first * dilation).cast_signed()) / stride.cast_signed();
        let before = ((taps.count - 1) * inputs).cast_signed() - place;
        Phase { phase, out: outputs, taps, dilation: inputs, before }
    };
    (0..stride.min(out)).map(phase).collect()
}

/// The first tap r with `r * dilation = at`, up to a multiple of the stride: `common` divides both, `inverse` is that of
/// `dilation / common` modulo `step = stride / common`.
fn first_tap(at: usize, common: usize, inverse: usize, step: usize) -> Option<usize> {
    if !at.is_multiple_of(common) {
        return None;
    }
    let tap = (at / common) as u128 * inverse as u128 % step as u128;
    usize::try_from(tap).ok()
}

/// The inverse of `a` modulo `m`, which have no common divisor; 0 modulo 1.
const fn inverse(a: usize, m: usize) -> usize {
    // Euclid's algorithm: `x * a = r` modulo m, for both pairs.
    let m = m as i128;
    let (mut r, mut x) = ((m, a as i128 % m), (0, 1));
    while r.1 != 0 {
        let quotient = r.0 / r.1;
        r = (r.1, r.0 - quotient * r.1);
        x = (x.1, x.0 - quotient * x.1);
    }
    x.0.rem_euclid(m) as usize
}

/// A step that leaves out all but every `by`th element, where there are several: else it may be any, and stays in reach.
const fn apart(step: isize, by: usize, count: usize) -> isize {
    if count > 1 { step * by.cast_signed() } else { step }
}

/// The greatest common divisor.
pub(crate) const fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// A transposed convolution, or the gradient of a convolution's input: from elements that are a stride apart to all of them.
fn phases(problem: &Problem) -> Vec<Correlation> {
    let conv = &problem.conv;
    let out = problem.result().shape.spatial().dhw(1);
    let (taps, stride, dilation) = (conv.kernel.dhw(1), conv.stride.dhw(1), conv.dilation.dhw(1));
    in_phases(problem, |i| phases_of(out[i], taps[i], stride[i], dilation[i], problem.before[i]))
}

/// The correlations of all phases that a dimension has.
fn in_phases(problem: &Problem, of_dimension: impl Fn(usize) -> Vec<Phase>) -> Vec<Correlation> {
    let conv = &problem.conv;
    let Sides { source, result, size, group_c, group_k, .. } = Sides::of(problem);
    let stride = conv.stride.dhw(1);
    // The weights' first index is the source's channel, their second one the result's.
    let stored = by_filter(&conv.weights_view(), group_c);
    let (src, dst) = (signed(&source.view, group_c), signed(&result.view, group_k));
    let of = |phases: [&Phase; MAX_RANK]| {
        let taps = phases.map(|phase| phase.taps);
        let along = |steps: [isize; MAX_RANK], by: [usize; MAX_RANK]| -> isize {
            steps.iter().zip(by).map(|(step, by)| step * by.cast_signed()).sum()
        };
        let weights = Steps {
            offset: stored.offset + along(stored.dhw, taps.map(|taps| taps.last)),
            g: stored.g,
            n: stored.c,
            c: stored.n,
            dhw: std::array::from_fn(|i| -apart(stored.dhw[i], taps[i].step, taps[i].count)),
        };
        let dst = Steps {
            offset: dst.offset + along(dst.dhw, phases.map(|phase| phase.phase)),
            dhw: std::array::from_fn(|i| apart(dst.dhw[i], stride[i], phases[i].out)),
            ..dst
        };
        Correlation {
            n: problem.n,
            groups: conv.groups,
            group_c,
            group_k,
            size,
            out: phases.map(|phase| phase.out),
            taps: taps.map(|taps| taps.count),
            stride: [1; MAX_RANK],
            dilation: phases.map(|phase| phase.dilation),
            before: phases.map(|phase| phase.before),
            border: Border::Zero,
            swapped: false,
            src,
            weights,
            dst,
        }
    };
    let [d, h, w] = &std::array::from_fn(of_dimension);
    d.iter().flat_map(|d| h.iter().flat_map(move |h| w.iter().map(move |w| of([d, h, w])))).collect()
}

/// The gradient of the weights: of the tensors on both sides of the convolution, the one that taps reach into is the source;
/// the other one, whose elements are a stride apart in it, takes the weights' place.
fn weight_gradient(problem: &Problem) -> Correlation {
    let conv = &problem.conv;
    let (x, y) = (&problem.input_view, &problem.output_view);
    let swapped = conv.transposed.is_some();
    let x = (x, problem.input, conv.channels / conv.groups);
    let y = (y, problem.output, conv.filters / conv.groups);
    let [(source, size, from), (small, places, to)] = if swapped { [y, x] } else { [x, y] };
    let (src, taps) = (signed(source, from), signed(small, to));
    let dst = by_filter(&conv.weights_view(), to);
    Correlation {
        n: from,
        groups: conv.groups,
        group_c: problem.n,
        group_k: to,
        size,
        out: conv.kernel.dhw(1),
        taps: places,
        stride: conv.dilation.dhw(1).map(in_reach),
        dilation: conv.stride.dhw(1),
        before: problem.before.map(usize::cast_signed),
        border: conv.border,
        swapped,
        src: Steps { n: src.c, c: src.n, ..src },
        weights: Steps { n: taps.c, c: taps.n, ..taps },
        dst: Steps { n: dst.c, c: dst.n, ..dst },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conv::Conv;

    #[test]
    fn products_are_those_inside_the_source() {
        let cases = [
            (Conv::new(4, 2, [3, 3]).padding(1), vec![1, 4, 14, 9]),
            (Conv::new(6, 4, [3, 5]).groups(2).stride([2, 3]).dilation([2, 1]).padding(4), vec![2, 6, 7, 11]),
            (Conv::new(3, 2, [3, 3]), vec![1, 3, 8, 8]),
            (Conv::new(3, 2, [3, 2]).transposed(0).stride([2, 3]).padding([1, 0]), vec![1, 3, 4, 5]),
            (Conv::new(2, 2, [4]).transposed(1).stride(3).dilation(2).padding(2), vec![2, 2, 5]),
        ];
        for (conv, shape) in cases {
            let shape = crate::spatial::Shape::from_slice(&shape).expect("3 to 5 sizes");
            let problem = conv.on(shape).expect("legal");
            for correlation in Correlation::all_of(&problem) {
                let mut inside = 1;
                for axis in 0..MAX_RANK {
                    let Correlation { size, out, taps, stride, dilation, before, .. } = correlation;
                    let at = |o: usize, t: usize| (o * stride[axis] + t * dilation[axis]).cast_signed() - before[axis];
                    let pairs = (0..out[axis]).flat_map(|o| (0..taps[axis]).map(move |t| (o, t)));
                    let within = |&(o, t): &(usize, usize)| (0..size[axis].cast_signed()).contains(&at(o, t));
                    inside *= pairs.filter(within).count();
                }
                let expected = correlation.n * correlation.filters() * correlation.group_c * inside;
                assert_eq!(correlation.products(), expected as u128, "{problem}: {correlation:?}");
            }
        }
    }

    #[test]
    fn phases_write_each_output_once() {
        let conv = Conv::new(2, 3, [4, 5]).transposed([0, 1]).stride([2, 3]).dilation([1, 2]).padding([1, 2]);
        let problem = conv.on([2, 2, 5, 4]).expect("legal");
        let mut seen = vec![0; problem.output_len()];
        for of in Correlation::all_of(&problem) {
            for n in 0..of.n {
                for k in 0..of.group_k {
                    for (y, x) in (0..of.out[1]).flat_map(|y| (0..of.out[2]).map(move |x| (y, x))) {
                        let [n, k, y, x] = [n, k, y, x].map(usize::cast_signed);
                        let at = of.dst.offset + n * of.dst.n + k * of.dst.c + y * of.dst.dhw[1] + x * of.dst.dhw[2];
                        seen[at.cast_unsigned()] += 1;
                    }
                }
            }
        }
        assert!(seen.iter().all(|&count| count == 1), "each output once: {seen:?}");
    }
}
