//! Which buffers a program's steps share: two may be one if no step needs both.

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

/// Renames the steps' own buffers, of so many elements each, to shared ones. The largest come first, each into the first shared
/// buffer that is free while it is needed.
pub(super) fn share(steps: &mut [Step], own: &[usize]) -> Memory {
    let spans: Vec<Option<RangeInclusive<usize>>> = (0..own.len()).map(|i| span(steps, i)).collect();
    let needed = |step: usize| {
        let live = spans.iter().zip(own).filter(|(span, _)| span.as_ref().is_some_and(|span| span.contains(&step)));
        live.map(|(_, len)| *len).sum::<usize>()
    };
    let least = (0..steps.len()).map(needed).max().unwrap_or(0);
    let mut order: Vec<usize> = (0..own.len()).filter(|&i| spans[i].is_some()).collect();
    order.sort_by_key(|&i| std::cmp::Reverse(own[i]));
    let mut shared: Vec<(usize, Vec<&RangeInclusive<usize>>)> = Vec::new();
    let mut place = vec![0; own.len()];
    for i in order {
        let Some(span) = &spans[i] else { continue };
        let is_free = |taken: &Vec<&RangeInclusive<usize>>| {
            taken.iter().all(|other| other.end() < span.start() || span.end() < other.start())
        };
        let found = shared.iter().position(|(_, taken)| is_free(taken));
        place[i] = found.unwrap_or(shared.len());
        if found.is_none() {
            shared.push((own[i], Vec::new()));
        }
        shared[place[i]].1.push(span);
    }
    let rename = |at: &mut Place| {
        if let BufferId::Own(i) = at.buffer {
            at.buffer = BufferId::Own(place[i]);
        }
    };
    for step in steps {
        step.inputs.iter_mut().chain([&mut step.output]).for_each(rename);
    }
    Memory { lens: shared.into_iter().map(|(len, _)| len).collect(), least }
}

/// The steps from the first to the last one that takes a buffer.
fn span(steps: &[Step], own: usize) -> Option<RangeInclusive<usize>> {
    let takes = |step: &Step| step.reads(BufferId::Own(own)) || step.output.buffer == BufferId::Own(own);
    let first = steps.iter().position(takes)?;
    let last = steps.iter().rposition(takes)?;
    Some(first..=last)
}
