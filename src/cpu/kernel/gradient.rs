//! The gradient of weights on a CPU: products of whole rows of the source and of the output's gradient, whose columns lie side by side in
//! registers. Of the source a task has windows, one for each of its channels, with padding and with the columns of each phase side by
//! side; the output's gradient it reads where it lies.

use pulp::Simd;

use super::result::write_line;
use super::source::{Channels, Columns, read_line};
use crate::correlation::Correlation;
use crate::cpu::threads::{Disjoint, Task, walk};
use crate::kernel::word;
use crate::plan::{GradientBlock, GradientCut, LANES};
use crate::twin::Finish;

/// A gradient of weights cut into blocks of outputs.
pub(super) struct Gradient<'a> {
    of: Correlation,
    cut: GradientCut,
    src: &'a [f32],
    /// The output's gradient, in the place of weights.
    factors: &'a [f32],
    finish: Finish<'a>,
    result: Disjoint<'a>,
}

/// Rows and columns of the output's gradient: the first one, and how many.
#[derive(Clone, Copy)]
struct Piece {
    image: usize,
    plane: usize,
    first: [usize; 2],
    count: [usize; 2],
}

impl<'a> Gradient<'a> {
    pub(super) fn new(
        of: Correlation,
        cut: GradientCut,
        src: &'a [f32],
        factors: &'a [f32],
        finish: Finish<'a>,
        output: &'a mut [f32],
    ) -> Self {
        Self { of, cut, src, factors, finish, result: Disjoint::new(output) }
    }

    pub(super) fn run(&self, threads: usize, workspace: &mut [Vec<f32>]) {
        walk(threads, self.cut.tasks(&self.of), self.cut.scratch(&self.of), &mut workspace[0], self);
    }

    /// Where the window of each output of a channel begins, for the piece's first row and column.
    fn place(&self, places: &mut [u32]) {
        let (of, window) = (&self.of, self.cut.window(&self.of));
        let [_, rows, columns] = self.cut.window_sizes(of);
        for (at, place) in places.iter_mut().enumerate() {
            let [t, r, s] = self.output(at % of.out_len());
            let row = t * of.stride[0] * rows + r * of.stride[1];
            let (column, phases) = (s * of.stride[2], GradientCut::phases(of));
            let line = row * phases + column % phases;
            *place = word(at / of.out_len() * window + line * columns + column / phases);
        }
    }

    /// The place of an output in its filter.
    const fn output(&self, index: usize) -> [usize; 3] {
        let [_, h, w] = self.of.out;
        [index / (h * w), index / w % h, index % w]
    }

    /// Reads the windows of a block's channels.
    #[inline(always)]
    fn read(&self, block: &GradientBlock, piece: Piece, windows: &mut [f32]) {
        let (of, window) = (&self.of, self.cut.window(&self.of));
        let [planes, rows, columns] = self.cut.window_sizes(of);
        let phases = GradientCut::phases(of);
        // Whether an output reads it; of a strided convolution some are between those that are read.
        let is_read = |axis: usize, at: usize, steps: usize| {
            (0..of.out[axis]).any(|out| {
                at.checked_sub(out * of.stride[axis])
                    .is_some_and(|rest| rest.is_multiple_of(of.dilation[axis]) && rest / of.dilation[axis] < steps)
            })
        };
        let in_phase = |phase: usize| (0..of.out[2]).any(|out| out * of.stride[2] % phases == phase);
        for (c, window) in block.channels.clone().zip(windows.chunks_exact_mut(window)) {
            for t in (0..planes).filter(|&t| is_read(0, t, 1)) {
                let z = (piece.plane * of.dilation[0] + t).cast_signed() - of.before[0];
                let z = of.border.element(z, of.size[0]);
                let start = of.src.at([c, block.g, piece.image], [z.unwrap_or(0), 0, 0]);
                for r in (0..rows).filter(|&r| is_read(1, r, piece.count[0])) {
                    let y = (piece.first[0] * of.dilation[1] + r).cast_signed() - of.before[1];
                    let y = of.border.element(y, of.size[1]).filter(|_| z.is_some());
                    for phase in (0..phases).filter(|&phase| in_phase(phase)) {
                        let first = (piece.first[1] * of.dilation[2] + phase).cast_signed() - of.before[2];
                        let line = ((t * rows + r) * phases + phase) * columns;
                        let taken = columns - (self.cut.piece[1] - piece.count[1]);
                        let to = &mut window[line..][..taken];
                        read_line(of, self.src, Channels { start, count: 1 }, y, Columns { first, step: phases }, to);
                    }
                }
            }
        }
    }

    /// Where a filter's rows of a piece begin, and the step to the next one.
    #[inline(always)]
    fn rows(&self, g: usize, filter: usize, piece: Piece) -> (isize, isize) {
        let of = &self.of;
        let at = |row| of.weights.at([filter, g, piece.image], [piece.plane, piece.first[0] + row, piece.first[1]]);
        (at(0), of.weights.dhw[1])
    }
}

impl Task for Gradient<'_> {
    #[inline(always)]
    fn run<S: Simd>(&self, simd: S, task: usize, scratch: &mut [f32]) {
        let (of, cut) = (&self.of, &self.cut);
        let block = cut.block(of, task);
        let outputs = block.channels.len() * of.out_len();
        let windows_len = (cut.channels * cut.window(of)).next_multiple_of(LANES);
        let (windows, rest) = scratch.split_at_mut(windows_len);
        let (lines, rest) = rest.split_at_mut(cut.lines(of));
        let (sums, places) = rest.split_at_mut(cut.filters * cut.channels * of.out_len());
        let places: &mut [u32] = &mut bytemuck::cast_slice_mut(places)[..outputs];
        self.place(places);
        let sums = &mut sums[..block.filters.len() * outputs];
        sums.fill(0.0);
        let [rows, columns] = cut.piece;
        let step = of.dilation[1] * GradientCut::phases(of) * cut.window_sizes(of)[2];
        for image in 0..of.group_c {
            for plane in 0..of.taps[0] {
                for row in (0..of.taps[1]).step_by(rows) {
                    for column in (0..of.taps[2]).step_by(columns) {
                        let count = [rows.min(of.taps[1] - row), columns.min(of.taps[2] - column)];
                        let piece = Piece { image, plane, first: [row, column], count };
                        self.read(&block, piece, windows);
                        for (i, sums) in sums.chunks_mut(GradientCut::TOGETHER * outputs).enumerate() {
                            let filter = block.filters.start + i * GradientCut::TOGETHER;
                            let mut first = [0; GradientCut::TOGETHER];
                            let mut apart = 0;
                            let some = sums.len() / outputs;
                            for (k, first) in first.iter_mut().take(some).enumerate() {
                                let (begin, step) = self.rows(block.g, filter + k, piece);
                                if lines.is_empty() {
                                    (*first, apart) = (begin.cast_unsigned(), step.cast_unsigned());
                                } else {
                                    (*first, apart) = (k * rows * columns, count[1]);
                                    let lines = &mut lines[*first..][..count[0] * count[1]];
                                    for (row, line) in lines.chunks_exact_mut(count[1]).enumerate() {
                                        let begin = begin + row.cast_signed() * step;
                                        for (column, to) in line.iter_mut().enumerate() {
                                            let at = begin + column.cast_signed() * of.weights.dhw[2];
                                            *to = self.factors[at.cast_unsigned()];
                                        }
                                    }
                                }
                            }
                            let factors = if lines.is_empty() { self.factors } else { &*lines };
                            let dots = Dots { factors, source: windows, apart: [apart, step], count };
                            dots.add(simd, &first[..some], places, sums);
                        }
                    }
                }
            }
        }
        for (k, sums) in block.filters.clone().zip(sums.chunks_exact_mut(outputs)) {
            for (line, values) in sums.chunks_exact_mut(of.out[2]).enumerate() {
                let [c, at] = [line * of.out[2] / of.out_len(), line * of.out[2] % of.out_len()];
                let first = of.dst.at([block.channels.start + c, block.g, k], self.output(at));
                let filter = block.g * of.group_k + k;
                // SAFETY: an output belongs to one block, and so to one task.
                #[expect(unsafe_code, reason = "threads write to one tensor")]
                unsafe {
                    write_line(simd, &self.result, &self.finish, filter, first, of.dst.dhw[2], values);
                }
            }
        }
    }
}

/// Products of rows of the output's gradient and of windows, which are summed up.
struct Dots<'a> {
    factors: &'a [f32],
    source: &'a [f32],
    /// From row to row of either.
    apart: [usize; 2],
    /// Rows and columns.
    count: [usize; 2],
}

impl Dots<'_> {
    /// Adds the sums of each filter, whose rows begin at `first`, and each output, whose window does at `places`.
    #[inline(always)]
    fn add<S: Simd>(&self, simd: S, first: &[usize], places: &[u32], sums: &mut [f32]) {
        const FILTERS: usize = GradientCut::TOGETHER;
        // As many sums as there are registers for, of 16.
        const OUTPUTS: usize = 3;
        let (whole, rest) = places.as_chunks::<OUTPUTS>();
        let outputs = places.len();
        let mut add = |k: usize, at: usize, sum: f32| sums[k * outputs + at] += sum;
        if let Ok(first) = <[usize; FILTERS]>::try_from(first) {
            for (at, &places) in whole.iter().enumerate() {
                let all = self.sums(simd, first, places);
                for k in 0..FILTERS {
                    for i in 0..OUTPUTS {
                        add(k, at * OUTPUTS + i, all[k][i]);
                    }
                }
            }
            for (i, &place) in rest.iter().enumerate() {
                let all = self.sums(simd, first, [place]);
                for k in 0..FILTERS {
                    add(k, whole.len() * OUTPUTS + i, all[k][0]);
                }
            }
            return;
        }
        for (k, &first) in first.iter().enumerate() {
            for (at, &places) in whole.iter().enumerate() {
                let all = self.sums(simd, [first], places);
                for i in 0..OUTPUTS {
                    add(k, at * OUTPUTS + i, all[0][i]);
                }
            }
            for (i, &place) in rest.iter().enumerate() {
                add(k, whole.len() * OUTPUTS + i, self.sums(simd, [first], [place])[0][0]);
            }
        }
    }

    /// Sums that are in registers at a time.
    #[inline(always)]
    fn sums<S: Simd, const FILTERS: usize, const OUTPUTS: usize>(
        &self,
        simd: S,
        first: [usize; FILTERS],
        places: [u32; OUTPUTS],
    ) -> [[f32; OUTPUTS]; FILTERS] {
        let [rows, columns] = self.count;
        let mut sums = [[simd.splat_f32s(0.0); OUTPUTS]; FILTERS];
        let whole = columns / S::F32_LANES * S::F32_LANES;
        for row in 0..rows {
            let mut factors = [&self.factors[..0]; FILTERS];
            for k in 0..FILTERS {
                factors[k] = &self.factors[first[k] + row * self.apart[0]..][..columns];
            }
            let mut source = [&self.source[..0]; OUTPUTS];
            for i in 0..OUTPUTS {
                source[i] = &self.source[places[i] as usize + row * self.apart[1]..][..columns];
            }
            for at in (0..whole).step_by(S::F32_LANES) {
                let mut x = [simd.splat_f32s(0.0); OUTPUTS];
                for i in 0..OUTPUTS {
                    x[i] = S::as_simd_f32s(&source[i][at..at + S::F32_LANES]).0[0];
                }
                for k in 0..FILTERS {
                    let factor = S::as_simd_f32s(&factors[k][at..at + S::F32_LANES]).0[0];
                    for i in 0..OUTPUTS {
                        sums[k][i] = simd.mul_add_e_f32s(factor, x[i], sums[k][i]);
                    }
                }
            }
            if whole < columns {
                // Lanes past the end are zero in both.
                let mut x = [simd.splat_f32s(0.0); OUTPUTS];
                for i in 0..OUTPUTS {
                    x[i] = simd.partial_load_f32s(&source[i][whole..]);
                }
                for k in 0..FILTERS {
                    let factor = simd.partial_load_f32s(&factors[k][whole..]);
                    for i in 0..OUTPUTS {
                        sums[k][i] = simd.mul_add_e_f32s(factor, x[i], sums[k][i]);
                    }
                }
            }
        }
        let mut all = [[0.0; OUTPUTS]; FILTERS];
        for k in 0..FILTERS {
            for i in 0..OUTPUTS {
                all[k][i] = simd.reduce_sum_f32s(sums[k][i]);
            }
        }
        all
    }
}
