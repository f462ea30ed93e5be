//! Direct convolution on a CPU, outputs of a row side by side: for few filters, and for groups of few channels
//! (depthwise ones have one each), whose sums are too short for a product of matrices.

use pulp::Simd;

use super::result::{Line, Lines, write_lines, write_side_by_side};
use super::source::{Channels, Columns, read_line};
use super::transpose::lines_to_lanes;
use crate::correlation::Correlation;
use crate::cpu::threads::{Disjoint, Task, aligned, walk};
use crate::kernel::word;
use crate::plan::{LANES, Strip};
use crate::twin::Finish;

/// Puts weights into eights of filters.
pub(crate) fn pack(of: &Correlation, weights: &[f32], u: &mut [f32]) {
    let mut u = u.iter_mut();
    for g in 0..of.groups {
        for first in (0..of.group_k).step_by(Strip::FILTERS) {
            for term in 0..of.terms() {
                let (c, tap) = (term / of.taps_len(), of.tap(term % of.taps_len()));
                for (k, to) in (first..of.group_k.min(first + Strip::FILTERS)).zip(&mut u) {
                    *to = weights[of.weights.at([k, g, c], tap).cast_unsigned()];
                }
            }
        }
    }
}

/// A correlation cut into strips of rows.
pub(super) struct Direct<'a> {
    of: Correlation,
    strip: Strip,
    src: &'a [f32],
    u: &'a [f32],
    finish: Finish<'a>,
    result: Disjoint<'a>,
}

impl<'a> Direct<'a> {
    pub(super) fn new(
        of: Correlation,
        strip: Strip,
        src: &'a [f32],
        u: &'a [f32],
        finish: Finish<'a>,
        output: &'a mut [f32],
    ) -> Self {
        Self { of, strip, src, u, finish, result: Disjoint::new(output) }
    }

    pub(super) fn run(&self, threads: usize, workspace: &mut [Vec<f32>]) {
        let (of, strip) = (&self.of, &self.strip);
        let (terms, scratch) = aligned(&mut workspace[0]).split_at_mut(strip.table(of));
        let terms = &mut bytemuck::cast_slice_mut(terms)[..of.terms()];
        self.place(terms);
        walk(threads, strip.patch.tasks(of), strip.scratch(of), scratch, &Strips { of: self, terms });
    }

    /// Where each term's values lie in a strip's lines, for its first output.
    fn place(&self, terms: &mut [u32]) {
        let (of, strip) = (&self.of, &self.strip);
        let mut places = terms.iter_mut();
        for c in 0..of.group_c {
            for t in 0..of.taps[0] {
                for r in 0..of.taps[1] {
                    let row = c * strip.channel_rows(of) + strip.patch.tap_row(of, [t, r], 0, strip.patch.rows);
                    for (s, place) in (0..of.taps[2]).zip(&mut places) {
                        *place = word(row * strip.width(of) + strip.patch.tap_column(of, s, strip.width(of)));
                    }
                }
            }
        }
    }
}

/// All strips, and what their sums are of.
struct Strips<'a, 'b> {
    of: &'b Direct<'a>,
    terms: &'b [u32],
}

impl Task for Strips<'_, '_> {
    #[inline(always)]
    fn run<S: Simd>(&self, simd: S, task: usize, scratch: &mut [f32]) {
        let Direct { of, strip, src, u, finish, result } = self.of;
        let block = strip.patch.block(of, task);
        let (lines, out) = scratch.split_at_mut(strip.lines(of));
        let (phases, width) = (strip.patch.phases(of), strip.width(of));
        // What is behind them is read for outputs that are not written.
        let taken = strip.patch.width(of, block.columns);
        for c in 0..of.group_c {
            for t in 0..of.taps[0] {
                let z = (block.z * of.stride[0] + t * of.dilation[0]).cast_signed() - of.before[0];
                let z = of.border.element(z, of.size[0]);
                let start = of.src.at([block.n, block.g, c], [z.unwrap_or(0), 0, 0]);
                let first = c * strip.channel_rows(of) + strip.patch.tap_row(of, [t, 0], 0, strip.patch.rows);
                let mut rows = lines[first * width..].chunks_exact_mut(width);
                for i in 0..strip.patch.source_rows(of, block.rows) {
                    let y = strip.patch.source_row(of, block.y, i) - of.before[1];
                    let y = of.border.element(y, of.size[1]).filter(|_| z.is_some());
                    for (phase, row) in (0..phases).zip(&mut rows) {
                        let first = (block.x * of.stride[2] + phase).cast_signed() - of.before[2];
                        let columns = Columns { first, step: of.stride[2] };
                        read_line(of, src, Channels { start, count: 1 }, y, columns, &mut row[..taken]);
                    }
                }
            }
        }
        let lines = &*lines;
        let pitch = strip.patch.tap_row(of, [0, 0], 1, strip.patch.rows) * width;
        let (out, places) = out.split_at_mut(strip.filters(of) * strip.of_filter());
        for first in (0..of.group_k).step_by(strip.filters(of)) {
            let all = strip.filters(of).min(of.group_k - first);
            for row in (0..block.rows).step_by(strip.rows_together()) {
                let rows = strip.rows_together().min(block.rows - row);
                let outputs = Outputs { rows, columns: block.columns, line: strip.out_line(), pitch };
                let eights = (0..all).step_by(Strip::FILTERS);
                for (skipped, out) in eights.zip(out.chunks_exact_mut(Strip::FILTERS * strip.of_filter())) {
                    let count = Strip::FILTERS.min(all - skipped);
                    let factors = &u[(block.g * of.group_k + first + skipped) * of.terms()..][..count * of.terms()];
                    outputs.sums(simd, count, self.terms, &lines[row * pitch..], factors, out);
                }
                if Strip::turns(of) {
                    let line = Line {
                        filter: block.g * of.group_k + first,
                        count: all,
                        first: of.dst.at([block.n, block.g, first], [block.z, block.y + row, block.x]),
                        filter_step: 1,
                        place_step: of.dst.dhw[2],
                    };
                    let places = &mut places.as_chunks_mut().0[..block.columns];
                    for i in 0..rows {
                        lines_to_lanes(&out[i * strip.out_line()..], strip.of_filter(), places);
                        let line = Line { first: line.first + i.cast_signed() * of.dst.dhw[1], ..line };
                        // SAFETY: an output belongs to one block, and so to one task.
                        #[expect(unsafe_code, reason = "threads write to one tensor")]
                        unsafe {
                            write_side_by_side(simd, result, finish, line, places);
                        }
                    }
                    continue;
                }
                for (k, out) in out.chunks_exact_mut(strip.of_filter()).take(all).enumerate() {
                    let lines = Lines {
                        filter: block.g * of.group_k + first + k,
                        count: rows,
                        columns: block.columns,
                        first: of.dst.at([block.n, block.g, first + k], [block.z, block.y + row, block.x]),
                        steps: [of.dst.dhw[1], of.dst.dhw[2]],
                    };
                    let out = &mut out[..rows * strip.out_line()];
                    // SAFETY: an output belongs to one block, and so to one task.
                    #[expect(unsafe_code, reason = "threads write to one tensor")]
                    unsafe {
                        write_lines(simd, result, finish, lines, strip.out_line(), out);
                    }
                }
            }
        }
    }
}

/// Outputs of some rows whose sums are made together.
struct Outputs {
    rows: usize,
    columns: usize,
    /// Elements from a row of outputs to the next.
    line: usize,
    /// Elements of the source's lines from a row to the next.
    pitch: usize,
}

impl Outputs {
    /// Sums of so many filters. Several sums at a time hide each other's latency: those along a row; and along a column, where
    /// rows are short.
    #[inline(always)]
    fn sums<S: Simd>(&self, simd: S, count: usize, terms: &[u32], lines: &[f32], factors: &[f32], out: &mut [f32]) {
        let filter = out.len() / Strip::FILTERS;
        if self.rows == 1 {
            let steps = Steps { source: LANES, out: LANES, filter };
            return sums(simd, [count, self.columns.div_ceil(LANES), LANES], terms, lines, factors, &steps, out);
        }
        let steps = Steps { source: self.pitch, out: self.line, filter };
        for at in (0..self.columns).step_by(LANES) {
            let lanes = LANES.min(self.columns - at);
            sums(simd, [count, self.rows, lanes], terms, &lines[at..], factors, &steps, &mut out[at..]);
        }
    }
}

/// Elements from a vector to the next, of the source's lines and of the outputs, and from a filter's outputs to the next's.
struct Steps {
    source: usize,
    out: usize,
    filter: usize,
}

/// Sums of so many filters for so many vectors of outputs, of which so many lanes at least are needed.
#[inline(always)]
fn sums<S: Simd>(
    simd: S,
    [count, vectors, lanes]: [usize; 3],
    terms: &[u32],
    lines: &[f32],
    factors: &[f32],
    steps: &Steps,
    out: &mut [f32],
) {
    // Of 32 registers 16 hold sums, of 16 eight.
    let most = if S::F32_LANES == 8 { 8 } else { 16 };
    let mut at = 0;
    while at < vectors {
        let left = vectors - at;
        macro_rules! blocks {
            ($($filters:literal x $vectors:literal),*) => {
                match count {
                    $($filters if left >= $vectors && $filters * $vectors <= most => {
                        let (lines, out) = (&lines[at * steps.source..], &mut out[at * steps.out..]);
                        some_sums::<S, $filters, $vectors>(simd, lanes, terms, lines, factors, steps, out);
                        at += $vectors;
                    })*
                    _ => unreachable!("one to eight filters"),
                }
            };
        }
        blocks!(
            1 x 8, 2 x 8, 1 x 7, 2 x 7, 1 x 4, 2 x 4, 3 x 4, 4 x 4, 1 x 3, 1 x 2, 2 x 2, 3 x 2, 4 x 2, 5 x 2, 6 x 2,
            7 x 2, 8 x 2, 1 x 1, 2 x 1, 3 x 1, 4 x 1, 5 x 1, 6 x 1, 7 x 1, 8 x 1
        );
    }
}

/// Sums that are in registers at a time.
#[inline(always)]
fn some_sums<S: Simd, const FILTERS: usize, const VECTORS: usize>(
    simd: S,
    lanes: usize,
    terms: &[u32],
    lines: &[f32],
    factors: &[f32],
    steps: &Steps,
    out: &mut [f32],
) {
    // Sixteen outputs are as many registers as it takes.
    for part in (0..lanes).step_by(S::F32_LANES) {
        let lines = &lines[part..];
        let mut sums = [[simd.splat_f32s(0.0); VECTORS]; FILTERS];
        for (&term, factors) in terms.iter().zip(factors.as_chunks::<FILTERS>().0) {
            let from = &lines[term as usize..];
            let mut x = [simd.splat_f32s(0.0); VECTORS];
            for i in 0..VECTORS {
                x[i] = S::as_simd_f32s(&from[i * steps.source..][..S::F32_LANES]).0[0];
            }
            for k in 0..FILTERS {
                let factor = simd.splat_f32s(factors[k]);
                for i in 0..VECTORS {
                    sums[k][i] = simd.mul_add_e_f32s(factor, x[i], sums[k][i]);
                }
            }
        }
        for k in 0..FILTERS {
            for i in 0..VECTORS {
                let to = &mut out[k * steps.filter + i * steps.out + part..][..S::F32_LANES];
                S::as_mut_simd_f32s(to).0[0] = sums[k][i];
            }
        }
    }
}
