//! Direct convolution on a processor, outputs of a row side by side: for few filters, and for groups of few channels
//! (depthwise ones have one each), whose sums are too short for a product of matrices.

use pulp::Simd;

use super::disjoint::Disjoint;
use super::result::write_line;
use super::source::{Channels, Columns, read_line};
use super::walk::{Task, walk};
use crate::correlation::Correlation;
use crate::cpu::Finish;
use crate::kernel::{HostStrip, LANES};

/// A correlation cut into strips of rows.
pub(super) struct Direct<'a> {
    of: Correlation,
    strip: HostStrip,
    src: &'a [f32],
    weights: &'a [f32],
    finish: Finish<'a>,
    result: Disjoint<'a>,
}

impl<'a> Direct<'a> {
    pub(super) fn new(
        of: Correlation,
        strip: HostStrip,
        src: &'a [f32],
        weights: &'a [f32],
        finish: Finish<'a>,
        output: &'a mut [f32],
    ) -> Self {
        Self { of, strip, src, weights, finish, result: Disjoint::new(output) }
    }

    pub(super) fn run(&self, threads: usize, workspace: &mut [Vec<f32>]) {
        walk(threads, self.strip.patch.tasks(&self.of), self.strip.scratch(&self.of), &mut workspace[0], self);
    }
}

impl Task for Direct<'_> {
    #[inline(always)]
    fn run<S: Simd>(&self, simd: S, task: usize, scratch: &mut [f32]) {
        let (of, strip) = (&self.of, &self.strip);
        let block = strip.patch.block(of, task);
        let (lines, rest) = scratch.split_at_mut(strip.lines(of));
        let (factors, out) = rest.split_at_mut(strip.factors(of));
        let (phases, width) = (strip.patch.phases(of), strip.width(of));
        let source_rows = strip.patch.source_rows(of, block.rows);
        let mut rows = lines.chunks_exact_mut(width);
        for c in 0..of.group_c {
            for t in 0..of.taps[0] {
                let z = (block.z * of.stride[0] + t * of.dilation[0]).cast_signed() - of.before[0];
                let z = of.border.element(z, of.size[0]);
                let start = of.src.at([block.n, block.g, c], [z.unwrap_or(0), 0, 0]);
                for i in 0..source_rows {
                    let y = strip.patch.source_row(of, block.y, i) - of.before[1];
                    let y = of.border.element(y, of.size[1]).filter(|_| z.is_some());
                    for phase in 0..phases {
                        let first = (block.x * of.stride[2] + phase).cast_signed() - of.before[2];
                        let columns = Columns { first, step: of.stride[2] };
                        let row = rows.next().expect("there is room for all rows");
                        read_line(of, self.src, Channels { start, count: 1 }, y, columns, row);
                    }
                }
            }
        }
        let lines = &*lines;
        let of_channel = of.taps[0] * source_rows * phases * width;
        for first in (0..of.group_k).step_by(HostStrip::FILTERS) {
            let count = HostStrip::FILTERS.min(of.group_k - first);
            self.gather(block.g, first, count, factors);
            for row in 0..block.rows {
                let at = of.dst.at([block.n, block.g, first], [block.z, block.y + row, block.x]);
                let from = Lines { of, strip, lines, row, rows: block.rows, of_channel, width };
                sums(simd, count, block.columns, from, factors, out);
                for (k, line) in out.chunks_exact_mut(strip.out_line()).take(count).enumerate() {
                    let filter = block.g * of.group_k + first + k;
                    let at = at + k.cast_signed() * of.dst.c;
                    // SAFETY: an output belongs to one block, and so to one task.
                    #[expect(unsafe_code, reason = "threads write to one tensor")]
                    unsafe {
                        write_line(&self.result, &self.finish, filter, at, of.dst.dhw[2], &mut line[..block.columns]);
                    }
                }
            }
        }
    }
}

impl Direct<'_> {
    /// The factors of some filters, for each channel and tap one after the other.
    fn gather(&self, g: usize, first: usize, count: usize, factors: &mut [f32]) {
        let of = &self.of;
        for (row, factors) in factors.chunks_exact_mut(HostStrip::FILTERS).take(of.terms()).enumerate() {
            let (c, tap) = (row / of.taps_len(), of.tap(row % of.taps_len()));
            let at = of.weights.at([first, g, c], tap);
            for (k, factor) in factors[..count].iter_mut().enumerate() {
                *factor = self.weights[(at + k.cast_signed() * of.weights.n).cast_unsigned()];
            }
        }
    }
}

/// Lines of the source, and the row of outputs of the block that is summed.
#[derive(Clone, Copy)]
struct Lines<'a> {
    of: &'a Correlation,
    strip: &'a HostStrip,
    lines: &'a [f32],
    row: usize,
    rows: usize,
    of_channel: usize,
    width: usize,
}

/// Sums of so many filters for a row of outputs.
#[inline(always)]
fn sums<S: Simd>(simd: S, count: usize, columns: usize, from: Lines<'_>, factors: &[f32], out: &mut [f32]) {
    let line = out.len() / HostStrip::FILTERS;
    let mut at = 0;
    while at < columns {
        // One or two vectors at a time.
        let two = columns - at > LANES;
        macro_rules! filters {
            ($($filters:literal)*) => {
                match (count, two) {
                    $(($filters, true) => vectors::<S, $filters, 2>(simd, [at, line], from, factors, out),)*
                    $(($filters, false) => vectors::<S, $filters, 1>(simd, [at, line], from, factors, out),)*
                    _ => unreachable!("at most eight filters"),
                }
            };
        }
        filters!(1 2 3 4 5 6 7 8);
        at += if two { 2 * LANES } else { LANES };
    }
}

/// Sums of so many filters for so many times 16 outputs.
#[inline(always)]
fn vectors<S: Simd, const FILTERS: usize, const VECTORS: usize>(
    simd: S,
    [at, line]: [usize; 2],
    from: Lines<'_>,
    factors: &[f32],
    out: &mut [f32],
) {
    let Lines { of, strip, lines, row, rows, of_channel, width } = from;
    let (factors, _) = factors.as_chunks::<{ HostStrip::FILTERS }>();
    // Sixteen outputs are as many registers as it takes.
    for part in (0..LANES).step_by(S::F32_LANES) {
        let mut sums = [[simd.splat_f32s(0.0); VECTORS]; FILTERS];
        let mut taps = factors.iter();
        for c in 0..of.group_c {
            for t in 0..of.taps[0] {
                for r in 0..of.taps[1] {
                    let first = c * of_channel + strip.patch.tap_row(of, [t, r], row, rows) * width + at + part;
                    for s in 0..of.taps[2] {
                        let Some(factors) = taps.next() else { return };
                        let from = &lines[first + strip.patch.tap_column(of, s, width)..];
                        let mut x = [simd.splat_f32s(0.0); VECTORS];
                        for i in 0..VECTORS {
                            x[i] = S::as_simd_f32s(&from[i * LANES..][..S::F32_LANES]).0[0];
                        }
                        for k in 0..FILTERS {
                            let factor = simd.splat_f32s(factors[k]);
                            for i in 0..VECTORS {
                                sums[k][i] = simd.mul_add_e_f32s(factor, x[i], sums[k][i]);
                            }
                        }
                    }
                }
            }
        }
        for k in 0..FILTERS {
            for i in 0..VECTORS {
                let to = &mut out[k * line + at + i * LANES + part..][..S::F32_LANES];
                S::as_mut_simd_f32s(to).0[0] = sums[k][i];
            }
        }
    }
}
