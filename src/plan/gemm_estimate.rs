//! How the product of `implicit_gemm` is cut, and how long it takes: the multiply's model, where rows are channels and taps,
//! with what fetching costs more here. What is this kernel's own was measured on processors; for GPUs the multiply's numbers
//! are taken over from `winograd_multiply`, and the rest is counted, not measured.

use super::heuristics::{Rates, count, rates};
use super::multiply_cost::{STEP, blocks_seconds};
use crate::caps::Caps;
use crate::correlation::Correlation;
use crate::kernel::{Blocking, DirectParams, Epilogue, ImplicitGemm, KernelSpec, Params, Storage};
use crate::problem::Problem;

/// What the product costs on a kind of device.
pub(super) struct Fetch {
    /// The part of the full rate that a unit reaches with each of [`ImplicitGemm::BLOCKINGS`], but for what follows.
    efficiency: [f64; ImplicitGemm::BLOCKINGS.len()],
    /// Multiply-adds that take as long as the fetch of an element of the source: where it stands, whether it stands
    /// there, and a load of four bytes.
    element: f64,
    /// The same of a weight.
    weight: f64,
    /// Of a block: its positions worked out, its outputs written one by one. In rows.
    block: f64,
}

/// Not measured. Efficiencies of the multiply on the H100; those of 64 x 128, 16 x 32 and 16 x 16 by the likeness of others.
/// Instructions as the text has them: 10 for an element, 4 for a weight.
pub(super) const GPU: Fetch = Fetch {
    efficiency: [1.175, 1.175, 1.103, 1.029, 0.959, 0.79, 0.5, 0.431],
    element: 10.0,
    weight: 4.0,
    block: 30.0,
};

/// lavapipe on two cores, 2026-11-24, six shapes with 8 blockings each, times 1.9: on that day the machine did 1.8 to 2.1
/// times what [`super::heuristics`] has for it. Fitted by hand to a few shapes on a busy machine.
pub(super) const LANES: Fetch =
    Fetch { efficiency: [1.07, 1.0, 1.0, 0.75, 0.71, 0.62, 0.56, 0.56], element: 15.0, weight: 4.0, block: 10.5 };
/// Our twin on one core, 2026-11-24, which walks no blocks: 3 ns for a position's element, 0.09 for each of its products.
pub(super) const HOST: Fetch =
    Fetch { efficiency: [1.0; ImplicitGemm::BLOCKINGS.len()], element: 27.0, weight: 0.0, block: 1.0 };

/// The blocking with the least estimate for all of a problem's correlations, of those that the device can run.
pub(super) fn blocking(problem: &Problem, storage: Storage, caps: &Caps) -> Blocking {
    let all = problem.correlations();
    let rates = rates(caps.kind);
    let runs = |blocking: &Blocking| {
        let epilogue = Epilogue::of(&problem.conv);
        let mut kernels =
            all.iter().map(|of| ImplicitGemm { blocking: *blocking, border: of.border, storage, epilogue });
        kernels.all(|kernel| kernel.is_legal() && kernel.spec().check(&caps.limits).is_ok())
    };
    let of = |blocking| all.iter().map(|of| Product::of(of).seconds(blocking, rates)).sum::<f64>();
    let timed = ImplicitGemm::BLOCKINGS.into_iter().filter(runs).map(|blocking| (of(blocking), blocking));
    // If none is legal, the first one's check will say so.
    timed.min_by(|a, b| a.0.total_cmp(&b.0)).map_or(ImplicitGemm::BLOCKINGS[0], |(_, blocking)| blocking)
}

/// The estimate of a step; nothing, if it is not of this kernel.
pub(super) fn seconds(step: &super::Step, rates: &Rates) -> f64 {
    let KernelSpec::ImplicitGemm(ImplicitGemm { blocking, .. }) = step.kernel else { return 0.0 };
    let p = DirectParams::from_words(&step.params);
    let words = [p.groups, p.group_k, p.end - p.first, p.group_c * p.taps_d * p.taps_h * p.taps_w];
    let [groups, filters, positions, rows] = words.map(|word| word as usize);
    Product { groups, filters, positions, rows }.seconds(blocking, rates)
}

/// The products of a step: `filters x rows` times `rows x positions`, for each group.
struct Product {
    groups: usize,
    filters: usize,
    positions: usize,
    rows: usize,
}

impl Product {
    const fn of(of: &Correlation) -> Self {
        Self { groups: of.groups, filters: of.group_k, positions: of.n * of.out_len(), rows: of.terms() }
    }

    fn seconds(&self, b: Blocking, rates: &Rates) -> f64 {
        let fetch = rates.fetch;
        let blocks = self.filters.div_ceil(b.filters as usize) * self.positions.div_ceil(b.tiles as usize);
        let rows = count(self.rows.next_multiple_of(b.channels as usize));
        // A multiply-add of a block shares an element with those of all its filters, a weight with those of all positions.
        let fetched = fetch.element / f64::from(b.filters) + fetch.weight / f64::from(b.tiles);
        let index = ImplicitGemm::BLOCKINGS.iter().position(|&other| other == b);
        let efficiency = index.map_or(0.5, |index| fetch.efficiency[index]) / (1.0 + fetched);
        let waits = STEP * rates.cycle * rows / f64::from(b.channels);
        blocks_seconds(b, efficiency, count(blocks * self.groups), rows + fetch.block, rates) + waits
    }
}
