//! How the product of `implicit_gemm` is cut, and how long it takes: the multiply's model, where rows are channels and taps,
//! with what fetching costs more here. What is this kernel's own was measured on CPUs; for GPUs the multiply's numbers
//! are taken over from `winograd_multiply`, and the rest is counted, not measured.

use super::multiply::{STEP, blocks_seconds};
use crate::caps::{Caps, DeviceKind};
use crate::correlation::Correlation;
use crate::dtype::DType;
use crate::kernel::{Blocking, DirectParams, Epilogue, ImplicitGemm, KernelSpec, MultiplyCut, Params, Storage};
use crate::plan::build::Dispatch;
use crate::plan::device::rates;
use crate::plan::device::rates::{Rates, count};
use crate::problem::Problem;

/// The least estimate for all of a problem's correlations, and the cut that has it: of those that the device can run with
/// sums of parts that fit into a workspace.
pub(in crate::plan) fn cut(
    problem: &Problem,
    storage: Storage,
    caps: &Caps,
    workspace_limit: u64,
) -> (f64, MultiplyCut) {
    let all = problem.correlations();
    let rates = rates(caps.kind);
    let runs = |blocking: &Blocking| {
        let epilogue = Epilogue::of(&problem.conv);
        let mut kernels =
            all.iter().map(|of| ImplicitGemm { blocking: *blocking, border: of.border, storage, epilogue });
        kernels.all(|kernel| kernel.is_legal() && kernel.spec().check(&caps.limits).is_ok())
    };
    let room = workspace_limit.min(caps.limits.max_buffer_size).min(caps.limits.max_storage_buffer_binding_size);
    let fits = |cut: &MultiplyCut| {
        let rows = |of: &Correlation| of.groups * of.group_k;
        let sums = |of: &Correlation| {
            of.n.saturating_mul(of.out_len()).saturating_mul(rows(of)).saturating_mul(cut.parts as usize)
        };
        let most_rows = caps.limits.max_compute_workgroups_per_dimension as usize;
        let may = |of: &Correlation| {
            DType::F32.bytes(sums(of)) <= room && ImplicitGemm::is_even(cut, of) && rows(of) <= most_rows
        };
        // Twins walk one sum after the other.
        cut.parts == 1 || (caps.kind != DeviceKind::Cpu && all.iter().all(may))
    };
    let of = |cut| all.iter().map(|of| Product::of(of).seconds(cut, rates)).sum::<f64>();
    let cuts = ImplicitGemm::BLOCKINGS
        .into_iter()
        .filter(runs)
        .flat_map(|blocking| ImplicitGemm::PARTS.map(|parts| MultiplyCut { blocking, parts }));
    let timed = cuts.filter(fits).map(|cut| (of(cut), cut));
    // If none is legal, the first one's check will say so.
    let first = MultiplyCut { blocking: ImplicitGemm::BLOCKINGS[0], parts: 1 };
    timed.min_by(|a, b| a.0.total_cmp(&b.0)).unwrap_or((f64::INFINITY, first))
}

/// The estimate of a step; nothing, if it is not of this kernel.
pub(super) fn seconds(step: &Dispatch, rates: &Rates) -> f64 {
    // What adds up the parts is counted with their product.
    let KernelSpec::ImplicitGemm(ImplicitGemm { blocking, .. }) = step.kernel else { return 0.0 };
    let p = DirectParams::from_words(&step.params);
    let words = [p.groups, p.group_k, p.end - p.first, p.group_c * p.taps_d * p.taps_h * p.taps_w];
    let [groups, filters, positions, rows] = words.map(|word| word as usize);
    Product { groups, filters, positions, rows }.seconds(MultiplyCut { blocking, parts: step.grid[2] }, rates)
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

    fn seconds(&self, cut: MultiplyCut, rates: &Rates) -> f64 {
        let (fetch, b, parts) = (rates.fetch, cut.blocking, cut.parts as usize);
        let blocks = self.filters.div_ceil(b.filters as usize) * self.positions.div_ceil(b.tiles as usize);
        let rows = count(cut.part(self.rows) as usize);
        // A multiply-add of a block shares an element with those of all its filters, a weight with those of all positions.
        let fetched = fetch.element / f64::from(b.filters) + fetch.weight / f64::from(b.tiles);
        let index = ImplicitGemm::BLOCKINGS.iter().position(|&other| other == b);
        let efficiency = index.map_or(0.5, |index| fetch.efficiency[index]) / (1.0 + fetched);
        let waits = STEP * rates.cycle * rows / f64::from(b.channels);
        let sums = 4.0 * count(self.groups * self.filters * self.positions);
        // The second dispatch counts among a run's, too: it waits for all of the first, and estimates with both are those of the H200.
        let added = if parts > 1 { rates.dispatch + count(2 * parts + 1) * sums / rates.bytes } else { 0.0 };
        blocks_seconds(b, efficiency, count(blocks * self.groups * parts), rows + fetch.block, rates) + waits + added
    }
}
