//! Where the tensors between a program's steps lie: in few buffers, whose elements they share.

use super::arenas::{Tensor, packed};
use super::step::{BufferId, Step};

/// Buffers of a program and what they would take at least.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Memory {
    /// Elements of each buffer.
    pub(super) lens: Vec<usize>,
    /// The most elements that are needed at once: no assignment takes less.
    pub(super) least: usize,
}

/// Moves the steps' own buffers, of so many elements each, to parts of shared ones. A tensor is needed from the first step to the
/// last one that reads or writes it.
pub(super) fn share(steps: &mut [Step], own: &[usize]) -> Memory {
    let mut tensors: Vec<Option<Tensor>> = vec![None; own.len()];
    for (at, step) in steps.iter().enumerate() {
        for i in owned(step) {
            let new = Tensor { len: own[i], first: at, last: at, apart: Vec::new() };
            tensors[i].get_or_insert(new).last = at;
        }
    }
    // Positions among those that any step needs.
    let mut position = vec![0; own.len()];
    let mut tensors: Vec<Tensor> = tensors
        .into_iter()
        .enumerate()
        .filter_map(|(i, tensor)| Some((i, tensor?)))
        .zip(0..)
        .map(|((i, tensor), at)| {
            position[i] = at;
            tensor
        })
        .collect();
    for step in steps.iter() {
        let BufferId::Own(written) = step.output.buffer else { continue };
        for read in owned(step).filter(|&read| read != written).map(|read| position[read]) {
            tensors[read].apart.push(position[written]);
            tensors[position[written]].apart.push(read);
        }
    }
    let least = most_at_once(&tensors, steps.len());
    let packing = packed(&tensors, least);
    for place in steps.iter_mut().flat_map(|step| step.inputs.iter_mut().chain([&mut step.output])) {
        if let BufferId::Own(i) = place.buffer {
            let slot = packing.slots[position[i]];
            place.buffer = BufferId::Own(slot.arena);
            place.offset += slot.offset;
        }
    }
    Memory { lens: packing.lens, least }
}

/// The program's own buffers that a step takes.
fn owned(step: &Step) -> impl Iterator<Item = usize> {
    step.inputs.iter().chain([&step.output]).filter_map(|place| match place.buffer {
        BufferId::Own(i) => Some(i),
        _ => None,
    })
}

/// The most elements that a step and those around it need.
fn most_at_once(tensors: &[Tensor], steps: usize) -> usize {
    let needed = |step: usize| {
        let live = tensors.iter().filter(|of| (of.first..=of.last).contains(&step));
        live.fold(0usize, |sum, of| sum.saturating_add(of.len))
    };
    (0..steps).map(needed).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::activation::Activation;
    use crate::graph::compile::Stored;
    use crate::graph::compile::lower::lowered;
    use crate::graph::compile::step::Place;
    use crate::graph::{Binary, Edge, Graph, Pool, Reduction, Value};
    use crate::layout::Layout;

    /// Positions of a place's elements in its buffer.
    fn elements(place: &Place) -> Vec<usize> {
        let mut all = vec![place.offset];
        for (&size, &step) in place.dims.iter().zip(place.strides()) {
            let along = |at: usize| (0..size).map(move |i| at.wrapping_add_signed(step * i.cast_signed()));
            all = all.into_iter().flat_map(along).collect();
        }
        all
    }

    /// Runs through the steps with memory that knows which element of which tensor was written there last.
    fn assert_nothing_is_lost(before: &[Step], after: &[Step], lens: &[usize]) {
        let mut memory: Vec<Vec<Option<(usize, usize)>>> = lens.iter().map(|&len| vec![None; len]).collect();
        let mut alone = |before: &Place, after: &Place, step: &Step, is_written: bool| {
            let (BufferId::Own(tensor), BufferId::Own(arena)) = (before.buffer, after.buffer) else {
                return assert_eq!(before, after, "{step}");
            };
            for (element, at) in elements(before).into_iter().zip(elements(after)) {
                let there = &mut memory[arena][at];
                if is_written {
                    *there = Some((tensor, element));
                }
                assert_eq!(*there, Some((tensor, element)), "arena {arena}, element {at}, read by {step}");
            }
        };
        for (before, after) in before.iter().zip(after) {
            for (from, to) in before.inputs.iter().zip(&after.inputs) {
                alone(from, to, after, false);
                assert_ne!(to.buffer, after.output.buffer, "read and written by {after}");
            }
            alone(&before.output, &after.output, after, true);
        }
    }

    /// Numbers for choices.
    fn dice(seed: usize) -> impl FnMut(usize) -> usize {
        let mut state = (seed as u64).wrapping_mul(77).wrapping_add(5);
        move |bound| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize % bound.max(1)
        }
    }

    /// A graph whose tensors are needed for different times. What cannot be had of a value is not drawn.
    fn drawn(seed: usize) -> Graph {
        let mut below = dice(seed);
        let mut net = Graph::new();
        let mut values = vec![net.input("x", [1, 2 + below(3), 6, 4 + below(9)]).expect("new")];
        for _ in 0..6 + below(30) {
            let [x, y] = [3, 9].map(|far| values[values.len() - 1 - below(far).min(values.len() - 1)]);
            let made: Result<Value, _> = match below(9) {
                0 => net.concat(&[x, y], 1),
                1 => net.pool(x, Pool::max([2, 2]).stride([1, 1])),
                2 => net.pad(x, &[0, 0, 1, 0], &[0, 0, 0, 2], Edge::Constant(1.0)),
                3 => net.slice(x, 1, 0, 2),
                4 => net.transpose(x, &[0, 1, 3, 2]),
                5 => net.upsample_nearest(x, 2),
                6 => net.reduce(Reduction::Mean, x, &[3]),
                7 => net.binary(Binary::Add, x, y),
                _ => net.activate(Activation::Relu, x),
            };
            values.extend(made.ok().filter(|&value| net.dims(value).elements() < 2000));
        }
        net.output("last", values[values.len() - 1]).expect("new");
        net.output("middle", values[values.len() / 2]).expect("new");
        net
    }

    #[test]
    fn no_tensor_is_overwritten_while_it_is_needed() {
        let mut shared = 0;
        for seed in 0..200 {
            let before = {
                let graph = drawn(seed);
                let layout = [Layout::ChannelsFirst, Layout::ChannelsLast][seed % 2];
                lowered(&graph, &Stored { layout, ..Stored::plain(&graph) })
            };
            let mut after = before.steps.clone();
            let memory = share(&mut after, &before.own);
            assert_nothing_is_lost(&before.steps, &after, &memory.lens);
            let whole: usize = before.own.iter().sum();
            assert!(memory.least <= memory.lens.iter().sum(), "seed {seed}");
            shared += usize::from(memory.lens.iter().sum::<usize>() < whole);
        }
        assert!(shared > 100, "tensors share elements in {shared} of 200 graphs");
    }
}
