//! Packs tensors into arenas, which are the buffers of a program: each gets an arena and an offset in it. Two may share elements
//! if no step needs both. WebGPU lets a dispatch read or write a buffer, not both, so what a step reads lies in another arena than
//! what it writes.
//!
//! Tensors are placed one after the other, each where the arenas grow least. What that comes to depends on the order, and on how
//! many arenas there are from the start. So it is done with several of both, and then with the best order changed a little. The
//! packing that takes least is kept. Nothing depends on time or chance: one program gives one packing.

use std::cmp::Reverse;

/// Offsets are multiples of so many elements: in f32 of 256 bytes, the largest alignment that a device asks for. Kernels take others,
/// too, as they are in 16 bits.
const ALIGNMENT: usize = 64;
/// An arena has at most so many f32, or those of the largest tensor: 256 MiB, the largest buffer that every WebGPU device has.
const LARGEST: usize = 64 << 20;
/// Arenas from the start, at most. More come only where nothing else is possible.
const MOST_ARENAS: usize = 8;
/// Packings that are tried at most, and pairs of tensors that are compared for them: some milliseconds.
const TRIES: usize = 300;
const PAIRS: usize = 4 << 20;

/// A tensor between steps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tensor {
    /// Elements.
    pub(super) len: usize,
    /// The first step that needs it.
    pub(super) first: usize,
    /// The last step that needs it.
    pub(super) last: usize,
    /// Those that must lie in another arena, all of which are needed when it is.
    pub(super) apart: Vec<usize>,
}

/// Where a tensor lies.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Slot {
    pub(super) arena: usize,
    pub(super) offset: usize,
}

/// Where all tensors lie.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Packing {
    /// Elements of each arena.
    pub(super) lens: Vec<usize>,
    /// One for each tensor.
    pub(super) slots: Vec<Slot>,
}

impl Packing {
    fn total(&self) -> usize {
        self.lens.iter().fold(0, |sum, &len| sum.saturating_add(len))
    }
}

impl Tensor {
    /// Elements that it takes up, with those that nobody has before the next one may begin.
    fn taken(&self) -> usize {
        self.len.max(1).checked_next_multiple_of(ALIGNMENT).unwrap_or(usize::MAX)
    }

    fn meets(&self, other: &Self) -> bool {
        self.first <= other.last && other.first <= self.last
    }

    fn steps(&self) -> usize {
        self.last - self.first + 1
    }
}

/// The packing that takes least of those that are tried. `least` elements are needed at once: no packing takes less.
pub(super) fn packed(tensors: &[Tensor], least: usize) -> Packing {
    let in_order_of = |key: fn(&Tensor) -> (usize, usize)| {
        let mut order: Vec<usize> = (0..tensors.len()).collect();
        order.sort_by_key(|&i| Reverse(key(&tensors[i])));
        order
    };
    let mut search = Search { tensors, best: None, tries: 0 };
    for key in [
        |of: &Tensor| (of.len, of.steps()),
        |of: &Tensor| (of.len.saturating_mul(of.steps()), of.len),
        |of: &Tensor| (of.steps(), of.len),
        |of: &Tensor| (usize::MAX - of.first, of.len),
    ] {
        let order = in_order_of(key);
        for arenas in 1..=MOST_ARENAS {
            search.attempt(&order, arenas);
        }
    }
    search.improve(least);
    search.best.map(|best| best.packing).unwrap_or_default()
}

struct Search<'a> {
    tensors: &'a [Tensor],
    best: Option<Best>,
    tries: usize,
}

struct Best {
    packing: Packing,
    order: Vec<usize>,
    arenas: usize,
}

impl Search<'_> {
    /// Whether another packing may be tried.
    fn may_go_on(&self) -> bool {
        self.tries < TRIES && self.tries.saturating_mul(self.tensors.len().pow(2)) < PAIRS
    }

    /// Tries one, and keeps it if it takes no more than the best.
    fn attempt(&mut self, order: &[usize], arenas: usize) {
        if self.best.is_some() && !self.may_go_on() {
            return;
        }
        self.tries += 1;
        let packing = pack(self.tensors, order, arenas);
        if self.best.as_ref().is_none_or(|best| packing.total() <= best.packing.total()) {
            self.best = Some(Best { packing, order: order.to_vec(), arenas });
        }
    }

    /// Moves one tensor after the other to another place in the order.
    fn improve(&mut self, least: usize) {
        let mut state = 1u64;
        let mut below = |bound: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            usize::try_from(state >> 33).unwrap_or(0) % bound.max(1)
        };
        while let Some(best) = self.best.as_ref().filter(|best| best.packing.total() > least && self.may_go_on()) {
            let (mut order, arenas) = (best.order.clone(), best.arenas);
            let (from, to) = (below(order.len()), below(order.len()));
            let moved = order.remove(from);
            order.insert(to, moved);
            self.attempt(&order, arenas);
        }
    }
}

/// Places tensors in this order, in so many arenas unless more are needed.
fn pack(tensors: &[Tensor], order: &[usize], arenas: usize) -> Packing {
    let largest = tensors.iter().map(Tensor::taken).fold(LARGEST, usize::max);
    let mut packing = Packing { lens: Vec::new(), slots: vec![Slot::default(); tensors.len()] };
    let mut held: Vec<Vec<usize>> = Vec::new();
    let mut busy = Vec::new();
    for &i in order {
        let taken = tensors[i].taken();
        let mut best: Option<(Fit, usize)> = None;
        for (arena, held) in held.iter().enumerate() {
            if !find_busy(tensors, i, held, &packing.slots, &mut busy) {
                continue;
            }
            let fit = fit(&mut busy, packing.lens[arena], taken);
            let fits = packing.lens[arena].saturating_add(fit.growth) <= largest;
            if fits && best.as_ref().is_none_or(|(best, _)| fit < *best) {
                best = Some((fit, arena));
            }
        }
        // A new arena grows by the whole tensor.
        let new = packing.lens.len();
        let is_new = best.as_ref().is_none_or(|(fit, _)| fit.growth >= taken && new < arenas);
        let (fit, arena) = best.filter(|_| !is_new).unwrap_or((Fit { growth: taken, left: 0, offset: 0 }, new));
        if arena == new {
            packing.lens.push(0);
            held.push(Vec::new());
        }
        packing.lens[arena] = packing.lens[arena].saturating_add(fit.growth);
        packing.slots[i] = Slot { arena, offset: fit.offset };
        held[arena].push(i);
    }
    packing
}

/// What an arena's tensors take up while another is needed; false if that one must lie elsewhere.
fn find_busy(tensors: &[Tensor], of: usize, held: &[usize], slots: &[Slot], busy: &mut Vec<(usize, usize)>) -> bool {
    busy.clear();
    for &other in held.iter().filter(|&&other| tensors[other].meets(&tensors[of])) {
        if tensors[of].apart.contains(&other) {
            return false;
        }
        let start = slots[other].offset;
        busy.push((start, start.saturating_add(tensors[other].taken())));
    }
    true
}

/// A place in an arena: the less it grows the better, and then the less is left of the gap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Fit {
    growth: usize,
    left: usize,
    offset: usize,
}

/// The best place for so many elements beside those that are busy.
fn fit(busy: &mut [(usize, usize)], arena: usize, taken: usize) -> Fit {
    busy.sort_unstable();
    let mut best: Option<Fit> = None;
    let mut offset = 0;
    for &(start, end) in busy.iter() {
        let left = start.checked_sub(offset).and_then(|gap| gap.checked_sub(taken));
        if let Some(fit) = left.map(|left| Fit { growth: 0, left, offset }) {
            best = Some(best.map_or(fit, |best| best.min(fit)));
        }
        offset = offset.max(end);
    }
    let end = offset.saturating_add(taken);
    let last = Fit { growth: end.saturating_sub(arena), left: arena.saturating_sub(end), offset };
    best.map_or(last, |best| best.min(last))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A chain in which each step reads the tensor before.
    fn chain(lens: &[usize]) -> Vec<Tensor> {
        let near = |i: usize| [i.wrapping_sub(1), i + 1].into_iter().filter(|&j| j < lens.len()).collect();
        let tensor = |(i, &len): (usize, &usize)| Tensor { len, first: i, last: i + 1, apart: near(i) };
        lens.iter().enumerate().map(tensor).collect()
    }

    fn least(lens: &[usize]) -> usize {
        lens.windows(2).map(|two| two[0] + two[1]).max().unwrap_or(0)
    }

    #[test]
    fn large_tensors_of_a_chain_share_an_arena() {
        // Two arenas in turn would take 1280.
        let lens = [64, 640, 64, 64, 640, 64];
        let packing = packed(&chain(&lens), least(&lens));
        assert!(packing.total() <= 640 + 2 * 64, "{packing:?}");
        assert_eq!(packing.slots[1].arena, packing.slots[4].arena);
    }

    #[test]
    fn an_arena_is_no_larger_than_a_buffer_may_be() {
        // All at once, and none apart.
        let half = LARGEST / 2 + 1;
        let tensors: Vec<Tensor> = (0..4).map(|_| Tensor { len: half, first: 0, last: 9, apart: Vec::new() }).collect();
        let packing = packed(&tensors, 4 * half);
        assert_eq!(packing.lens.len(), 4, "{packing:?}");
        // One that is larger lies with those that are not needed when it is.
        let lens = [LARGEST + 1, 64, LARGEST + 1];
        let packing = packed(&chain(&lens), least(&lens));
        assert_eq!(packing.lens.iter().max(), Some(&(LARGEST + ALIGNMENT)), "{packing:?}");
        assert!(packing.total() <= LARGEST + 2 * ALIGNMENT, "{packing:?}");
    }

    #[test]
    fn offsets_are_aligned_and_nothing_has_no_place() {
        let tensors: Vec<Tensor> =
            [1, 0, 65, 100].map(|len| Tensor { len, first: 0, last: 0, apart: Vec::new() }).into();
        let packing = packed(&tensors, 166);
        assert!(packing.slots.iter().all(|slot| slot.offset.is_multiple_of(ALIGNMENT)), "{packing:?}");
        assert_eq!(packing.total(), 6 * ALIGNMENT);
        assert_eq!(packed(&[], 0), Packing::default());
    }

    #[test]
    fn the_same_tensors_are_packed_alike() {
        let lens: Vec<usize> = (0..60).map(|i| 64 * (1 + (i * 7919) % 31)).collect();
        let tensors = chain(&lens);
        assert_eq!(packed(&tensors, least(&lens)), packed(&tensors, least(&lens)));
    }
}
