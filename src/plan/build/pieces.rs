//! Tensors larger than a binding: a correlation is cut into pieces, each of which reads and writes parts that can be bound.
//! Batch, groups, filters and places of outputs divide the work; where the source alone is too large, channels or taps are
//! divided, and the later pieces add to what the earlier ones wrote. Filters are divided as well where a grid has too few
//! workgroups for all of them.

use super::operand::{Operand, Slot};
use crate::activation::Activation;
use crate::caps::Limits;
use crate::conv::{Conv, Residual};
use crate::correlation::{Correlation, Steps};
use crate::error::{LimitError, Resource};
use crate::padding::Border;
use crate::spatial::MAX_RANK;

/// Elements that a window may begin earlier than its first one, where a device binds at multiples of 256 bytes.
const ALIGNMENT: usize = 64;

/// Most dispatches of a plan. A device whose bounds would take more is of no use for the problem, and planning, which a
/// document asks for, stays within some hundredths of a second for each candidate.
const MAX_DISPATCHES: usize = 16_384;

/// Whether a plan may have so many dispatches.
pub(super) fn check_dispatches(count: usize) -> Result<(), LimitError> {
    LimitError::check("the plan", Resource::Dispatches, count as u64, MAX_DISPATCHES as u64)
}

/// A part of memory: its first element, and how many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) first: usize,
    pub(super) len: usize,
}

impl Window {
    /// What is reached from `offset` by so many steps of each size, at least one element.
    pub(super) fn of(offset: isize, reaches: impl IntoIterator<Item = (usize, isize)>) -> Self {
        let (mut first, mut last) = (offset, offset);
        for (size, step) in reaches {
            let reach = size.saturating_sub(1).cast_signed() * step;
            first += reach.min(0);
            last += reach.max(0);
        }
        Self { first: first.max(0).cast_unsigned(), len: (last - first + 1).cast_unsigned() }
    }

    /// The operand that binds it; the whole tensor, where that can be bound.
    pub(super) fn operand(self, slot: Slot, whole: usize, most: usize) -> Operand {
        if whole <= most { slot.into() } else { Operand { slot, first: self.first, len: Some(self.len) } }
    }
}

/// The most elements of one binding.
pub(super) fn most(limits: &Limits) -> usize {
    let bytes = limits.max_storage_buffer_binding_size.min(limits.max_buffer_size);
    usize::try_from(bytes / 4).unwrap_or(usize::MAX).saturating_sub(ALIGNMENT).max(1)
}

/// A part of a correlation.
#[derive(Debug, Clone, Copy)]
pub(super) struct Piece {
    pub(super) of: Correlation,
    /// Its first filter, of all groups.
    k_first: usize,
    /// Filters of a group of the whole: from group to group.
    k_group: usize,
    /// Whether nothing of its outputs was written before.
    first: bool,
    /// Whether nothing is added to them later.
    last: bool,
}

/// A dimension along which a tensor is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Axis {
    Images,
    Groups,
    Channels,
    Filters,
    Outputs(usize),
    Taps(usize),
}

impl Piece {
    /// The whole of a correlation.
    pub(super) const fn whole(of: Correlation) -> Self {
        Self { of, k_first: 0, k_group: of.group_k, first: true, last: true }
    }

    /// Whether earlier or later pieces add to the same outputs.
    pub(super) const fn is_part_of_sum(&self) -> bool {
        !self.first || !self.last
    }

    /// What it reads of the source.
    pub(super) fn source(&self) -> Window {
        let Correlation { n, groups, group_c, size, src, .. } = &self.of;
        let [d, h, w] = *size;
        let [z, y, x] = src.dhw;
        Window::of(src.offset, [(*n, src.n), (*groups, src.g), (*group_c, src.c), (d, z), (h, y), (w, x)])
    }

    /// What it reads of the weights.
    pub(super) fn weights(&self) -> Window {
        let Correlation { groups, group_k, group_c, taps, weights, .. } = &self.of;
        let [d, h, w] = *taps;
        let [z, y, x] = weights.dhw;
        let own = [(*groups, weights.g), (*group_k, weights.n), (*group_c, weights.c), (d, z), (h, y), (w, x)];
        Window::of(weights.offset, own)
    }

    /// What it writes.
    pub(super) fn outputs(&self) -> Window {
        let Correlation { n, groups, group_k, out, dst, .. } = &self.of;
        let [d, h, w] = *out;
        let [z, y, x] = dst.dhw;
        Window::of(dst.offset, [(*n, dst.n), (*groups, dst.g), (*group_k, dst.c), (d, z), (h, y), (w, x)])
    }

    /// The convolution as far as the piece has its end: bias and activation once, in the last piece that adds to the outputs.
    pub(super) fn conv(&self, conv: &Conv) -> Conv {
        let residual = if self.first { conv.residual } else { Residual::InPlace };
        if self.last {
            return Conv { residual, ..*conv };
        }
        Conv { residual, bias: false, activation: Activation::None, ..*conv }
    }

    /// Its first filter, and the filters from group to group, of all that the convolution has.
    pub(super) const fn filters(&self) -> [usize; 2] {
        [self.k_first, self.k_group]
    }

    /// What it reads of a tensor with an element for each filter: the bias, and the slopes.
    pub(super) const fn of_filters(&self) -> Window {
        let len = (self.of.groups.saturating_sub(1)) * self.k_group + self.of.group_k;
        Window { first: self.k_first, len }
    }

    /// Both halves along groups or filters; `None` where it has but one filter.
    pub(super) fn halves_of_filters(&self) -> Option<[Self; 2]> {
        self.halves(Axis::Groups).or_else(|| self.halves(Axis::Filters))
    }

    /// Both halves along an axis; `None` where it has but one element.
    pub(super) fn halves(&self, axis: Axis) -> Option<[Self; 2]> {
        let size = match axis {
            Axis::Images => self.of.n,
            Axis::Groups => self.of.groups,
            Axis::Channels => self.of.group_c,
            Axis::Filters => self.of.group_k,
            Axis::Outputs(axis) => self.of.out[axis],
            Axis::Taps(axis) => self.of.taps[axis],
        };
        if size < 2 {
            return None;
        }
        let half = size / 2;
        let mut halves = [self.range(axis, 0, half), self.range(axis, half, size)];
        if matches!(axis, Axis::Channels | Axis::Taps(_)) {
            halves[0].last = false;
            halves[1].first = false;
        }
        Some(halves)
    }

    /// What lies in a range of an axis.
    pub(super) fn range(&self, axis: Axis, from: usize, to: usize) -> Self {
        let mut piece = *self;
        let of = &mut piece.of;
        let (count, by) = (to - from, from.cast_signed());
        match axis {
            Axis::Images => {
                of.n = count;
                of.src.offset += by * of.src.n;
                of.dst.offset += by * of.dst.n;
            }
            Axis::Groups => {
                of.groups = count;
                piece.k_first += from * piece.k_group;
                of.src.offset += by * of.src.g;
                of.weights.offset += by * of.weights.g;
                of.dst.offset += by * of.dst.g;
            }
            Axis::Channels => {
                of.group_c = count;
                of.src.offset += by * of.src.c;
                of.weights.offset += by * of.weights.c;
            }
            Axis::Filters => {
                of.group_k = count;
                piece.k_first += from;
                of.weights.offset += by * of.weights.n;
                of.dst.offset += by * of.dst.c;
            }
            Axis::Outputs(axis) => {
                of.out[axis] = count;
                of.dst.offset += by * of.dst.dhw[axis];
                of.before[axis] -= (from * of.stride[axis]).cast_signed();
                narrow(of, axis);
            }
            Axis::Taps(axis) => {
                of.taps[axis] = count;
                of.weights.offset += by * of.weights.dhw[axis];
                of.before[axis] -= (from * of.dilation[axis]).cast_signed();
                narrow(of, axis);
            }
        }
        piece
    }

    /// The same with no more of the source than it reads.
    fn narrowed(&self) -> Self {
        let mut piece = *self;
        (0..MAX_RANK).for_each(|axis| narrow(&mut piece.of, axis));
        piece
    }

    /// The axis to cut along, of those that make the tensor smaller: the one that reaches furthest in memory.
    fn cut(&self, too_large: Tensor) -> Option<[Self; 2]> {
        let of = &self.of;
        let reach = |size: usize, step: isize| size.saturating_sub(1) * step.unsigned_abs();
        let steps = |steps: &Steps| steps.dhw;
        let mut axes: Vec<(usize, Axis)> = match too_large {
            Tensor::Source => {
                let spatial = (0..MAX_RANK).map(|i| {
                    // Outputs or taps, whichever reach further.
                    let (outputs, taps) = (of.out[i] * of.stride[i], of.taps[i] * of.dilation[i]);
                    let axis = match of.taps[i] < 2 || (of.out[i] > 1 && outputs >= taps) {
                        true => Axis::Outputs(i),
                        false => Axis::Taps(i),
                    };
                    (reach(of.size[i], steps(&of.src)[i]), axis)
                });
                let own = [
                    (reach(of.n, of.src.n), Axis::Images),
                    (reach(of.groups, of.src.g), Axis::Groups),
                    (reach(of.group_c, of.src.c), Axis::Channels),
                ];
                own.into_iter().chain(spatial).collect()
            }
            Tensor::Weights => {
                let spatial = (0..MAX_RANK).map(|i| (reach(of.taps[i], steps(&of.weights)[i]), Axis::Taps(i)));
                let own = [
                    (reach(of.groups, of.weights.g), Axis::Groups),
                    (reach(of.group_k, of.weights.n), Axis::Filters),
                    (reach(of.group_c, of.weights.c), Axis::Channels),
                ];
                own.into_iter().chain(spatial).collect()
            }
            Tensor::PerFilter => return self.halves_of_filters(),
            Tensor::Outputs => {
                let spatial = (0..MAX_RANK).map(|i| (reach(of.out[i], steps(&of.dst)[i]), Axis::Outputs(i)));
                let own = [
                    (reach(of.n, of.dst.n), Axis::Images),
                    (reach(of.groups, of.dst.g), Axis::Groups),
                    (reach(of.group_k, of.dst.c), Axis::Filters),
                ];
                own.into_iter().chain(spatial).collect()
            }
        };
        axes.sort_by_key(|&(reach, _)| std::cmp::Reverse(reach));
        axes.into_iter().find_map(|(_, axis)| self.halves(axis))
    }
}

/// An operand that is too large.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tensor {
    Source,
    Weights,
    Outputs,
    PerFilter,
}

/// Keeps of the source what the outputs and taps of an axis reach. What lies beyond the source is made of its elements, too,
/// where the border is not zero.
fn narrow(of: &mut Correlation, axis: usize) {
    let size = of.size[axis].cast_signed();
    let span = |steps: usize, step: usize| (steps.saturating_sub(1) * step).cast_signed();
    // Positions in the source, from the first one to one past the last.
    let mut first = -of.before[axis];
    let mut end = first + span(of.out[axis], of.stride[axis]) + span(of.taps[axis], of.dilation[axis]) + 1;
    match of.border {
        Border::Zero | Border::Replicate => {}
        _ if first >= 0 && end <= size => {}
        // Mirrored at the first element or at the last one: at both, all of it is kept.
        Border::Reflect if end <= size => (first, end) = (0, end.max(1 - first).min(size)),
        Border::Reflect if first >= 0 => (first, end) = (first.min(2 * size - 1 - end).max(0), size),
        // All of it lies at the other end.
        Border::Circular if end <= 0 || first >= size => {
            let around = if end <= 0 { size } else { -size };
            of.before[axis] -= around;
            (first, end) = (first + around, end + around);
        }
        Border::Reflect | Border::Circular => return,
    }
    let first = first.clamp(0, size - 1);
    let end = end.clamp(first + 1, size);
    of.src.offset += first * of.src.dhw[axis];
    of.before[axis] += first;
    of.size[axis] = (end - first).cast_unsigned();
}

/// The pieces of a part of a correlation, in the order in which they run; `per_filter` if it reads tensors with an element
/// for each filter.
///
/// # Errors
/// The binding that the smallest piece exceeds; [`MAX_DISPATCHES`].
pub(super) fn pieces(part: Piece, per_filter: bool, limits: &Limits) -> Result<Vec<Piece>, LimitError> {
    let most = most(limits);
    let mut waiting = vec![part];
    let mut done = Vec::new();
    while let Some(piece) = waiting.pop() {
        let sizes = [
            (Tensor::Source, "the input", piece.source().len),
            (Tensor::Weights, "the weights", piece.weights().len),
            (Tensor::Outputs, "the output", piece.outputs().len),
            (Tensor::PerFilter, "the bias", if per_filter { piece.of_filters().len } else { 0 }),
        ];
        let Some((tensor, who, len)) = sizes.into_iter().find(|(.., len)| *len > most) else {
            done.push(piece);
            check_dispatches(done.len())?;
            continue;
        };
        // A whole piece with a stride larger than the filter may read little of the source.
        let narrowed = piece.narrowed();
        if tensor == Tensor::Source && narrowed.source().len < len {
            waiting.push(narrowed);
            continue;
        }
        let Some([first, second]) = piece.cut(tensor) else {
            return Err(too_large(who, len, limits));
        };
        // The first half is to run first.
        waiting.extend([second, first]);
    }
    Ok(done)
}

/// The bound that so many elements exceed, with what a device may bind before them.
pub(super) fn too_large(who: &str, len: usize, limits: &Limits) -> LimitError {
    let need = (len.saturating_add(ALIGNMENT) as u64).saturating_mul(4);
    let bound = limits.max_storage_buffer_binding_size.min(limits.max_buffer_size);
    let resource =
        if need > limits.max_storage_buffer_binding_size { Resource::BindingBytes } else { Resource::BufferBytes };
    LimitError { who: who.to_owned(), resource, need, bound }
}
