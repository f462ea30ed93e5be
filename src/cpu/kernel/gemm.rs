//! Convolution as a product of matrices on a CPU. Of the source there is a patch: all rows that a block of outputs
//! needs, with 16 channels side by side, so that the values of a tap at neighbouring outputs stand one after the other and
//! the product reads them where they are.
//!
//! U is `[group][panel][tap][channel][filter]`.

use pulp::Simd;

use super::chunks::Chunks;
use super::product::{ALL, product};
use super::result::{Line, write_places};
use super::source::{Channels, Columns, line, read_row};
use crate::correlation::Correlation;
use crate::cpu::threads::{Disjoint, Task, walk};
use crate::kernel::word;
use crate::plan::{Block, LANES, PANEL, Patch};
use crate::twin::Finish;

/// Puts weights into panels.
pub(crate) fn pack(of: &Correlation, weights: &[f32], u: &mut [f32]) {
    let panels = of.group_k.div_ceil(PANEL);
    let rows = of.taps_len() * of.group_c;
    for (at, panel) in u.chunks_exact_mut((rows * PANEL).max(1)).enumerate() {
        let (g, first) = (at / panels, at % panels * PANEL);
        for (row, filters) in panel.chunks_exact_mut(PANEL).enumerate() {
            let (tap, c) = (of.tap(row / of.group_c), row % of.group_c);
            for (k, value) in (first..of.group_k).zip(filters) {
                *value = weights[of.weights.at([k, g, c], tap).cast_unsigned()];
            }
        }
    }
}

/// A correlation cut into blocks of outputs.
pub(super) struct Gemm<'a> {
    of: Correlation,
    patch: Patch,
    src: &'a [f32],
    u: &'a [[f32; PANEL]],
    finish: Finish<'a>,
    result: Disjoint<'a>,
}

impl<'a> Gemm<'a> {
    pub(super) fn new(
        of: Correlation,
        patch: Patch,
        src: &'a [f32],
        u: &'a [f32],
        finish: Finish<'a>,
        output: &'a mut [f32],
    ) -> Self {
        Self { of, patch, src, u: u.as_chunks().0, finish, result: Disjoint::new(output) }
    }

    pub(super) fn run(&self, threads: usize, workspace: &mut [Vec<f32>]) {
        walk(threads, self.patch.tasks(&self.of), self.patch.scratch(&self.of), &mut workspace[0], self);
    }
}

impl Task for Gemm<'_> {
    #[inline(always)]
    fn run<S: Simd>(&self, simd: S, task: usize, scratch: &mut [f32]) {
        let (of, patch) = (&self.of, &self.patch);
        let block = patch.block(of, task);
        let (table, scratch) = scratch.split_at_mut(patch.table(of));
        let table: &mut [u32] = bytemuck::cast_slice_mut(table);
        let (places, rest) = scratch.as_chunks_mut::<LANES>().0.split_at_mut(patch.places(of));
        let (sums, lines) = rest.split_at_mut(2 * patch.columns);
        let lines = lines.as_flattened_mut();
        let panels = of.group_k.div_ceil(PANEL);
        // Of a sum in parts, a block has one row and one panel, whose sums stay where they are from part to part.
        for index in 0..patch.sums(of) {
            let (part, rows) = patch.sum(of, index);
            let is_last = rows.end == of.terms();
            let width = patch.width(&part, block.columns);
            let taps = &mut table[..part.taps_len()];
            let (of_chunk, places) = self.read(&part, &block, width, places, lines);
            // Where each tap's values begin.
            for (tap, place) in taps.iter_mut().enumerate() {
                *place = word(patch.tap(&part, part.tap(tap), 0, block.rows, width));
            }
            for panel in block.panels.clone() {
                let u = &self.u[(block.g * panels + panel) * of.terms()..][rows.clone()];
                let filter = panel * PANEL;
                for row in 0..block.rows {
                    let sums = &mut sums[..2 * block.columns];
                    // Taps in the order of U's rows, and channels of each.
                    let above = patch.tap_row(&part, [0, 0], row, block.rows) * width;
                    let shape = [part.group_c, taps.len()];
                    let chunks = Chunks::new(places, of_chunk, shape, |tap| taps[tap] as usize + above);
                    let filters = PANEL.min(of.group_k - filter);
                    product(simd, [block.columns, filters, ALL], rows.start > 0, chunks, u, sums);
                    if !is_last {
                        continue;
                    }
                    let whole = Line {
                        filter: block.g * of.group_k + filter,
                        count: filters,
                        first: of.dst.at([block.n, block.g, filter], [block.z, block.y + row, block.x]),
                        filter_step: of.dst.c,
                        place_step: of.dst.dhw[2],
                    };
                    for (half, sums) in sums.chunks_exact_mut(block.columns).enumerate() {
                        let line = whole.lanes_from(half * LANES);
                        if line.count > 0 {
                            // SAFETY: an output belongs to one block, and so to one task.
                            #[expect(unsafe_code, reason = "threads write to one tensor")]
                            unsafe {
                                write_places(simd, &self.result, &self.finish, line, sums, lines);
                            }
                        }
                    }
                }
            }
        }
    }
}

impl Gemm<'_> {
    /// The patch that a part of the sums reads, and how far apart its chunks of 16 channels lie.
    #[inline(always)]
    fn read<'p>(
        &self,
        of: &Correlation,
        block: &Block,
        width: usize,
        places: &'p mut [[f32; LANES]],
        lines: &mut [f32],
    ) -> (usize, &'p [[f32; LANES]]) {
        let patch = &self.patch;
        let [phases_z, phases_y, phases_x] = [of.taps[0], patch.source_rows(of, block.rows), patch.phases(of)];
        let line_lanes = &mut lines[..LANES * line(width)];
        let mut at = 0;
        for chunk in 0..of.group_c.div_ceil(LANES) {
            let channel = chunk * LANES;
            let count = LANES.min(of.group_c - channel);
            for t in 0..phases_z {
                let z = (block.z * of.stride[0] + t * of.dilation[0]).cast_signed() - of.before[0];
                let z = of.border.element(z, of.size[0]);
                let start = of.src.at([block.n, block.g, channel], [z.unwrap_or(0), 0, 0]);
                for i in 0..phases_y {
                    let y = patch.source_row(of, block.y, i) - of.before[1];
                    let y = of.border.element(y, of.size[1]).filter(|_| z.is_some());
                    for phase in 0..phases_x {
                        let first = (block.x * of.stride[2] + phase).cast_signed() - of.before[2];
                        let columns = Columns { first, step: of.stride[2] };
                        let to = &mut places[at..at + width];
                        read_row(of, self.src, Channels { start, count }, y, columns, line_lanes, to);
                        at += width;
                    }
                }
            }
        }
        (phases_z * phases_y * phases_x * width, &places[..at])
    }
}
