//! Which buffers a program's steps share: two may be one if no step needs both.

use std::cmp::Reverse;
use std::ops::RangeInclusive;

use super::step::{BufferId, Place, Step};

/// Buffers of a program and what they would take at least.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Memory {
    /// Elements of each buffer.
    pub(super) lens: Vec<usize>,
    /// The most elements that are needed at once: no assignment takes less.
    pub(super) least: usize,
}

/// Renames the steps' own buffers, of so many elements each, to shared ones. Several orders are tried, and what takes least is kept:
/// finding the least of all is a packing problem.
pub(super) fn share(steps: &mut [Step], own: &[usize]) -> Memory {
    let spans: Vec<Option<RangeInclusive<usize>>> = (0..own.len()).map(|i| span(steps, i)).collect();
    let needed = |step: usize| {
        let live = spans.iter().zip(own).filter(|(span, _)| span.as_ref().is_some_and(|span| span.contains(&step)));
        live.map(|(_, len)| *len).sum::<usize>()
    };
    let least = (0..steps.len()).map(needed).max().unwrap_or(0);
    let live: Vec<Tensor<'_>> = (0..)
        .zip(&spans)
        .zip(own)
        .filter_map(|((at, span), &len)| span.as_ref().map(|span| Tensor { at, span, len }))
        .collect();
    // What comes first: the largest, the earliest, the longest needed.
    let orders: [fn(&Tensor<'_>) -> usize; 3] =
        [|of| of.len, |of| usize::MAX - of.span.start(), |of| of.span.end() - of.span.start()];
    let plans = orders.map(|order| {
        let mut tensors = live.clone();
        tensors.sort_by_key(|of| Reverse(order(of)));
        assigned(&tensors, own.len())
    });
    let [first, rest @ ..] = plans;
    let (lens, place) =
        rest.into_iter().fold(first, |best, plan| if total(&plan.0) < total(&best.0) { plan } else { best });
    let rename = |at: &mut Place| {
        if let BufferId::Own(i) = at.buffer {
            at.buffer = BufferId::Own(place[i]);
        }
    };
    for step in steps {
        step.inputs.iter_mut().chain([&mut step.output]).for_each(rename);
    }
    Memory { lens, least }
}

/// A buffer of its own: which one, the steps that need it, its elements.
#[derive(Debug, Clone)]
struct Tensor<'a> {
    at: usize,
    span: &'a RangeInclusive<usize>,
    len: usize,
}

fn total(lens: &[usize]) -> usize {
    lens.iter().sum()
}

/// Puts each tensor, in this order, into the shared buffer that is free while it is needed and fits best: it grows least, and has
/// least to spare. Their lengths, and which one each has, of so many.
fn assigned(tensors: &[Tensor<'_>], count: usize) -> (Vec<usize>, Vec<usize>) {
    let mut shared: Vec<(usize, Vec<&RangeInclusive<usize>>)> = Vec::new();
    let mut place = vec![0; count];
    for Tensor { at, span, len } in tensors {
        let is_free = |taken: &[&RangeInclusive<usize>]| {
            taken.iter().all(|other| other.end() < span.start() || span.end() < other.start())
        };
        let free = (0..shared.len()).filter(|&i| is_free(&shared[i].1));
        let found = free.min_by_key(|&i| (len.saturating_sub(shared[i].0), shared[i].0.saturating_sub(*len)));
        place[*at] = found.unwrap_or(shared.len());
        if found.is_none() {
            shared.push((0, Vec::new()));
        }
        let (size, taken) = &mut shared[place[*at]];
        *size = (*size).max(*len);
        taken.push(span);
    }
    (shared.into_iter().map(|(len, _)| len).collect(), place)
}

/// The steps from the first to the last one that takes a buffer.
fn span(steps: &[Step], own: usize) -> Option<RangeInclusive<usize>> {
    let takes = |step: &Step| step.reads(BufferId::Own(own)) || step.output.buffer == BufferId::Own(own);
    let first = steps.iter().position(takes)?;
    let last = steps.iter().rposition(takes)?;
    Some(first..=last)
}
