//! How the product of `implicit_gemm` is cut, and how long it takes: the multiply's model, where rows are channels and taps,
//! with what fetching costs more here. What is this kernel's own was measured on CPUs; for GPUs the multiply's numbers
//! are taken over from `winograd_multiply`, and the rest is counted, not measured.

use super::multiply::{STEP, blocks_seconds};
use crate::caps::Caps;
use crate::correlation::Correlation;
use crate::kernel::{Blocking, DirectParams, Epilogue, ImplicitGemm, KernelSpec, Params, Storage};
use crate::plan::build::Dispatch;
use crate::plan::device::rates;
use crate::plan::device::rates::{Rates, count};
use crate::problem::Problem;

/// The blocking with the least estimate for all of a problem's correlations, of those that the device can run.
pub(in crate::plan) fn blocking(problem: &Problem, storage: Storage, caps: &Caps) -> Blocking {
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
pub(super) fn seconds(step: &Dispatch, rates: &Rates) -> f64 {
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
