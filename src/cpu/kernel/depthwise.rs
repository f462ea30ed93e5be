//! Depthwise convolution on a CPU, where the channels of a place lie side by side in source and outputs: 16 of them at a time,
//! each with its own filter, read where they are.

use pulp::Simd;

use super::result::{Line, write_side_by_side};
use crate::correlation::Correlation;
use crate::cpu::threads::{Disjoint, Task, walk};
use crate::kernel::word;
use crate::plan::{LANES, PANEL, Patch, of_lanes};
use crate::twin::Finish;

/// Puts weights into sixteens of channels, tap by tap.
pub(crate) fn pack(of: &Correlation, weights: &[f32], u: &mut [f32]) {
    for (chunk, u) in u.chunks_exact_mut((of.taps_len() * LANES).max(1)).enumerate() {
        for (tap, lanes) in u.chunks_exact_mut(LANES).enumerate() {
            for (g, value) in (chunk * LANES..of.groups).zip(lanes) {
                *value = weights[of.weights.at([0, g, 0], of.tap(tap)).cast_unsigned()];
            }
        }
    }
}

/// A correlation cut into blocks of rows.
pub(super) struct Depthwise<'a> {
    of: Correlation,
    patch: Patch,
    src: &'a [f32],
    u: &'a [[f32; LANES]],
    finish: Finish<'a>,
    result: Disjoint<'a>,
}

impl<'a> Depthwise<'a> {
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
        let tasks = self.patch.tasks(&of_lanes(&self.of));
        walk(threads, tasks, Patch::row_of_places(&self.of), &mut workspace[0], self);
    }

    /// Puts down the taps of an output's sum, and where their elements of the first channel lie, from the image's first element
    /// on. Zeros around the source are left out. Gives how many taps there are.
    fn list(&self, place: [usize; 3], taps: &mut [[u32; 2]]) -> usize {
        let of = &self.of;
        let mut count = 0;
        for index in 0..of.taps_len() {
            let tap = of.tap(index);
            let along = |axis: usize| {
                let at = (place[axis] * of.stride[axis] + tap[axis] * of.dilation[axis]).cast_signed();
                of.border.element(at - of.before[axis], of.size[axis])
            };
            if let (Some(z), Some(y), Some(x)) = (along(0), along(1), along(2)) {
                let at = [z, y, x].iter().zip(of.src.dhw).map(|(i, step)| i.cast_signed() * step).sum::<isize>();
                taps[count] = [word(index), word(at.cast_unsigned())];
                count += 1;
            }
        }
        count
    }
}

impl Task for Depthwise<'_> {
    #[inline(always)]
    fn run<S: Simd>(&self, simd: S, task: usize, scratch: &mut [f32]) {
        let of = &self.of;
        // A block's filters are channels.
        let block = self.patch.block(&of_lanes(of), task);
        let (channels, end) = (block.panels.start * PANEL, of.groups.min(block.panels.end * PANEL));
        let (sums, lists) = scratch.split_at_mut(of.out[2] * LANES);
        let sums = sums.as_chunks_mut::<LANES>().0;
        let image = of.src.at([block.n, 0, 0], [0, 0, 0]).cast_unsigned();
        let step = (of.stride[2].cast_signed() * of.src.dhw[2]).cast_unsigned();
        // Outputs whose taps all lie inside have one list, the first one's. Each of the others has its own.
        let inside = Patch::columns_inside(of);
        let edges = (0..inside.start).chain(inside.end..of.out[2]);
        let (counts, lists) = lists.split_at_mut((edges.clone().count() + 1).next_multiple_of(2));
        let (counts, lists): (&mut [u32], &mut [[u32; 2]]) =
            (bytemuck::cast_slice_mut(counts), bytemuck::cast_slice_mut(lists));
        for y in block.y..block.y + block.rows {
            let with_lists = edges.clone().chain([inside.start].into_iter().filter(|_| !inside.is_empty()));
            for ((x, list), count) in with_lists.zip(lists.chunks_exact_mut(of.taps_len())).zip(&mut *counts) {
                *count = word(self.list([block.z, y, x], list));
            }
            let list = |at: usize| &lists[at * of.taps_len()..][..counts[at] as usize];
            for channel in (channels..end).step_by(LANES) {
                let lanes = LANES.min(end - channel);
                let data = &self.src[image + channel * of.src.g.cast_unsigned()..];
                let u = &self.u[channel / LANES * of.taps_len()..][..of.taps_len()];
                let source = Source { data, step, lanes };
                for (at, x) in edges.clone().enumerate() {
                    source.sums(simd, list(at), u, &mut sums[x..=x]);
                }
                if !inside.is_empty() {
                    source.sums(simd, list(edges.clone().count()), u, &mut sums[inside.clone()]);
                }
                let line = Line {
                    filter: channel,
                    count: lanes,
                    first: of.dst.at([block.n, channel, 0], [block.z, y, 0]),
                    filter_step: of.dst.g,
                    place_step: of.dst.dhw[2],
                };
                // SAFETY: an output belongs to one block, and so to one task.
                #[expect(unsafe_code, reason = "threads write to one tensor")]
                unsafe {
                    write_side_by_side(simd, &self.result, &self.finish, line, sums);
                }
            }
        }
    }
}

/// An image from a channel on.
struct Source<'a> {
    data: &'a [f32],
    /// From a place to the next output's.
    step: usize,
    /// How many channels are wanted, at most 16. There may be others behind them, or nothing.
    lanes: usize,
}

impl Source<'_> {
    /// Sums of neighbouring places, of which the first one has these taps.
    #[inline(always)]
    fn sums<S: Simd>(&self, simd: S, taps: &[[u32; 2]], u: &[[f32; LANES]], sums: &mut [[f32; LANES]]) {
        let reach = taps.iter().map(|&[_, at]| at as usize).max().unwrap_or(0) + (sums.len() - 1) * self.step + LANES;
        if reach > self.data.len() {
            return self.last_sums(taps, u, sums);
        }
        let mut first = 0;
        while first < sums.len() {
            macro_rules! blocks {
                ($($count:literal)*) => {
                    match sums.len() - first {
                        $(left if left >= $count => {
                            let sums = sums[first..].first_chunk_mut::<$count>().expect("so many are left");
                            self.some_sums(simd, first * self.step, taps, u, sums);
                            first += $count;
                        })*
                        _ => unreachable!("one is left at least"),
                    }
                };
            }
            blocks!(8 7 4 2 1);
        }
    }

    /// Sums that are in registers at a time.
    #[inline(always)]
    fn some_sums<S: Simd, const COUNT: usize>(
        &self,
        simd: S,
        from: usize,
        taps: &[[u32; 2]],
        u: &[[f32; LANES]],
        sums: &mut [[f32; LANES]; COUNT],
    ) {
        // Sixteen channels are as many registers as it takes.
        for part in (0..LANES).step_by(S::F32_LANES) {
            let data = &self.data[from + part..];
            let mut of_part = [simd.splat_f32s(0.0); COUNT];
            for &[tap, at] in taps {
                let factor = S::as_simd_f32s(&u[tap as usize][part..]).0[0];
                let values = &data[at as usize..][..(COUNT - 1) * self.step + S::F32_LANES];
                for i in 0..COUNT {
                    let value = S::as_simd_f32s(&values[i * self.step..][..S::F32_LANES]).0[0];
                    of_part[i] = simd.mul_add_e_f32s(factor, value, of_part[i]);
                }
            }
            for i in 0..COUNT {
                S::as_mut_simd_f32s(&mut sums[i][part..]).0[0] = of_part[i];
            }
        }
    }

    /// The same at the tensor's end, where 16 channels would reach beyond it.
    #[inline(never)]
    fn last_sums(&self, taps: &[[u32; 2]], u: &[[f32; LANES]], sums: &mut [[f32; LANES]]) {
        for (i, sums) in sums.iter_mut().enumerate() {
            for lane in 0..self.lanes {
                sums[lane] = taps.iter().fold(0.0, |sum, &[tap, at]| {
                    f32::mul_add(u[tap as usize][lane], self.data[at as usize + i * self.step + lane], sum)
                });
            }
        }
    }
}
