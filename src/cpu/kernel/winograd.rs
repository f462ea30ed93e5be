//! Winograd on a CPU. Tiles are walked in blocks: the transformed tiles of a block (V) and the products of a panel
//! of filters (M) stay in a core's cache. If the transformed weights (U) are too large to be read again for each block,
//! some blocks are transformed first, and then each panel of U is read once for all of them.
//!
//! V is `[chunk of 16 rows][point][tile][row]`, U `[group][panel][point][row][filter]`, points column by column. Of M there is a
//! column of points at a time, which the first cache holds: `[point][half of the panel][tile][filter]`.

use std::ops::Range;
use std::sync::Arc;

use pulp::{NullaryFnOnce, Simd};

use super::chunks::Chunks;
use super::product::product;
use super::result::{Line, write_places};
use super::source::{Channels, Columns, line, read_row};
use crate::cpu::threads::{Disjoint, Task, aligned, walk};
use crate::cpu::transform::{Rows, Runs, Which, shared, transform};
use crate::layout::Tiles;
use crate::plan::{BlockSizes, ChunkRows, Windows};
use crate::plan::{LANES, LAST_CACHE, PANEL, SUM, TileBlock};
use crate::twin::Finish;
use crate::twin::Transform2d;
use crate::winograd::{F, Nested, Programs};

/// Outputs of at least this many bytes are assumed to be in no cache. Tests use a small number.
const FAR: usize = if cfg!(test) { 1 << 10 } else { LAST_CACHE };

/// A problem cut into tiles and blocks of them.
pub(in crate::cpu) struct Winograd<'a> {
    windows: Windows,
    algorithm: Nested,
    tiles: Tiles,
    blocks: BlockSizes,
    /// Tiles of a block.
    block: usize,
    threads: usize,
    down: Arc<Programs>,
    across: Arc<Programs>,
    src: &'a [f32],
    u: &'a [[f32; PANEL]],
    finish: Finish<'a>,
    result: Disjoint<'a>,
}

/// A part of a tile row: where its tiles stand in a block and in the output.
struct Run {
    /// The first one's place in the block.
    at: usize,
    count: usize,
    plane: usize,
    y: usize,
    x: usize,
}

/// Where a run's outputs lie.
struct RunOutputs {
    /// Those of the tiles' first rows.
    first: Line,
    /// From a row to the next.
    step: isize,
    /// How many rows the output has of them, and places of each.
    lines: usize,
    places: usize,
}

impl RunOutputs {
    /// The `i`-th outputs of each tile's columns.
    const fn line(&self, i: usize) -> Line {
        Line { first: self.first.first + i.cast_signed() * self.step, ..self.first }
    }
}

/// Transforms the weights in f64 and rounds each once, so that the transform adds little error even with few channels.
#[expect(clippy::cast_possible_truncation, reason = "the rounding")]
pub(crate) fn pack(windows: &Windows, algorithm: Nested, weights: &[f32], u: &mut [f32]) {
    let mut transform = Transform2d::<f64>::filter(algorithm);
    let of = &windows.of;
    let columns = usize::from(algorithm.cols.r());
    let rows = windows.group_rows();
    let phases = rows / of.group_c.max(1);
    let [points_h, points_w] = [algorithm.rows, algorithm.cols].map(F::products);
    let panel_len = algorithm.products() * rows * PANEL;
    for (at, panel) in u.chunks_exact_mut(panel_len.max(1)).enumerate() {
        let panels = of.group_k.div_ceil(PANEL);
        let (g, first) = (at / panels, at % panels * PANEL);
        for row in 0..rows {
            // Rows of a phase follow one another.
            let (phase, channel) = (row / of.group_c, g * of.group_c + row % of.group_c);
            for half in [0, LANES] {
                for (tap, place) in transform.input().iter_mut().enumerate() {
                    for (k, value) in place.iter_mut().enumerate() {
                        let k = first + half + k;
                        let taken = (k < of.group_k)
                            .then(|| windows.weight(channel * phases + phase, k, [tap / columns, tap % columns]));
                        *value = taken.flatten().map_or(0.0, |at| weights[at].into());
                    }
                }
                transform.run();
                for (at, values) in transform.output().iter().enumerate() {
                    let point = at % points_w * points_h + at / points_w;
                    for (to, value) in panel[(point * rows + row) * PANEL + half..].iter_mut().zip(values) {
                        *to = *value as f32;
                    }
                }
            }
        }
    }
}

impl<'a> Winograd<'a> {
    pub(in crate::cpu) fn new(
        windows: Windows,
        algorithm: Nested,
        (block, threads): (TileBlock, usize),
        src: &'a [f32],
        u: &'a [f32],
        finish: Finish<'a>,
        output: &'a mut [f32],
    ) -> Self {
        let programs = |f: F| f.programs().expect("the planner rejects algorithms without transforms");
        Self {
            windows,
            algorithm,
            tiles: windows.tiles(algorithm),
            blocks: BlockSizes::new(&windows, algorithm, block),
            block: block.tiles as usize,
            threads,
            down: programs(algorithm.rows),
            across: programs(algorithm.cols),
            src,
            u: u.as_chunks().0,
            finish,
            result: Disjoint::new(output),
        }
    }

    /// Runs it: block by block, or the inputs of `together` blocks first.
    pub(super) fn run(&self, together: usize, workspace: &mut [Vec<f32>]) {
        let groups = self.windows.of.groups;
        let BlockSizes { chunks, beside, v, .. } = self.blocks;
        let blocks = self.tiles.count().div_ceil(self.block);
        let panels = self.windows.of.group_k.div_ceil(PANEL);
        if together == 0 {
            return walk(self.threads, blocks, beside + v, &mut workspace[0], &Whole { of: self, v, panels, chunks });
        }
        let [own, all, ..] = workspace else { return };
        for first in (0..blocks).step_by(together) {
            let blocks = first..blocks.min(first + together);
            let all = &mut aligned(all)[..blocks.len() * groups * v];
            let of_chunk = v / chunks;
            let inputs = Inputs { of: self, v: &Disjoint::new(all), of_chunk, chunks, first };
            walk(self.threads, blocks.len() * groups * chunks, beside, own, &inputs);
            let outputs = Outputs { of: self, v: all, of_block: v, blocks: blocks.clone(), panels };
            walk(self.threads, blocks.len() * groups * panels, beside, own, &outputs);
        }
    }

    /// The tiles of a block.
    fn block_tiles(&self, block: usize) -> usize {
        self.block.min(self.tiles.count() - block * self.block)
    }

    /// A block's tiles, row by row.
    fn runs(&self, block: usize) -> impl Iterator<Item = Run> {
        let (first, count) = (block * self.block, self.block_tiles(block));
        let mut at = 0;
        std::iter::from_fn(move || {
            let [plane, y, x] = self.tiles.position(first + at);
            let run = Run { at, count: (self.tiles.x - x).min(count - at.min(count)), plane, y, x };
            at += run.count;
            (run.count > 0).then_some(run)
        })
    }

    /// V of a chunk of a group's rows.
    #[inline(always)]
    fn input<S: Simd>(&self, simd: S, At { block, g, part: chunk }: At, v: &mut [f32], scratch: &mut [f32]) {
        let (of, Nested { rows, cols }) = (&self.windows.of, self.algorithm);
        let ChunkRows { channel, count, phase } = self.blocks.rows(chunk);
        let ([step_h, step_w], [phases_h, phases_w]) = (self.windows.steps(), self.windows.phases());
        let [spread_h, spread_w] = self.windows.spread();
        let (tap, phase) = (phase / (phases_h * phases_w), [phase / phases_w % phases_h, phase % phases_w]);
        let tiles = self.block_tiles(block);
        let v = shared(v.as_chunks_mut().0);
        for run in self.runs(block) {
            let (outputs, own) = (run.plane / (spread_h * spread_w), run.plane % (spread_h * spread_w));
            let (n, z) = (outputs / of.out[0], outputs % of.out[0]);
            let z = (z * of.stride[0] + tap * of.dilation[0]).cast_signed() - of.before[0];
            let z = of.border.element(z, of.size[0]);
            let width = (run.count - 1) * usize::from(cols.m()) + cols.span();
            let (lines, rest) = scratch.split_at_mut(LANES * line(width));
            let (rest, _) = rest.as_chunks_mut::<LANES>();
            let (patch, rest) = rest.split_at_mut(rows.span() * width);
            let start = of.src.at([n, g, channel], [z.unwrap_or(0), 0, 0]);
            let first = (run.x * usize::from(cols.m()) * step_w + phase[1] + own % spread_w).cast_signed();
            for (i, places) in patch.chunks_exact_mut(width).enumerate() {
                let y = (run.y * usize::from(rows.m()) + i) * step_h + phase[0] + own / spread_w;
                let y = of.border.element(y.cast_signed() - of.before[1], of.size[1]).filter(|_| z.is_some());
                let columns = Columns { first: first - of.before[2], step: step_w };
                read_row(of, self.src, Channels { start, count }, y, columns, lines, places);
            }
            // Columns first: those that neighbouring tiles have in common are transformed once.
            let patch = shared(patch);
            let (half, temps) = shared(rest).split_at(rows.products() * width);
            transform(
                simd,
                (rows, &self.down, Which::Input),
                width,
                Rows { lanes: patch, stride: width },
                temps,
                Rows { lanes: half, stride: width },
            );
            for i in 0..rows.products() {
                transform(
                    simd,
                    (cols, &self.across, Which::Input),
                    run.count,
                    Runs { lanes: &half[i * width..], step: cols.m().into() },
                    temps,
                    Rows { lanes: &v[i * tiles + run.at..], stride: rows.products() * tiles },
                );
            }
        }
    }

    /// Filters of a panel.
    fn filters(&self, panel: usize) -> usize {
        PANEL.min(self.windows.of.group_k - panel * PANEL)
    }

    /// M of a column of points, for a panel of filters of a group, from all chunks of V.
    #[inline(always)]
    fn multiply<S: Simd>(&self, simd: S, at: At, column: usize, v: &[f32], m: &mut [[f32; LANES]]) {
        let At { block, g, part: panel } = at;
        let tiles = self.block_tiles(block);
        let (points, group_rows) = (self.algorithm.products(), self.windows.group_rows());
        let of_column = self.algorithm.rows.products();
        let panels = self.windows.of.group_k.div_ceil(PANEL);
        let (v, _) = v.as_chunks::<LANES>();
        let group_c = self.windows.of.group_c;
        let (phases, of_chunk) = (group_rows / group_c.max(1), points * self.block);
        let of_phase = group_c.div_ceil(LANES) * of_chunk;
        let chunks_per_sum = (SUM / group_c.clamp(1, LANES)).max(1);
        for (i, m) in m.chunks_exact_mut(m.len() / of_column).enumerate() {
            let point = column * of_column + i;
            let u = &self.u[((g * panels + panel) * points + point) * group_rows..][..group_rows];
            let chunks = Chunks::new(v, of_chunk, [group_c, phases], |phase| phase * of_phase + point * tiles);
            self.ask_for_outputs(at, point);
            product(simd, [tiles, self.filters(panel), chunks_per_sum], false, chunks, u, m);
        }
    }

    /// Prefetches the memory of a panel's outputs during its multiply, a part at each point. The multiply uses no memory bandwidth;
    /// without the prefetch the writes would wait for each line.
    #[inline(always)]
    fn ask_for_outputs(&self, at: At, point: usize) {
        if self.result.len() * size_of::<f32>() < FAR {
            return;
        }
        let m_h = usize::from(self.algorithm.rows.m());
        let (i, turn, turns) = (point % m_h, point / m_h, self.algorithm.products() / m_h);
        if turn == turns {
            return;
        }
        for run in self.runs(at.block) {
            let outputs = self.outputs(at, &run);
            if i >= outputs.lines {
                continue;
            }
            let (line, places) = (outputs.line(i), outputs.places);
            let (lines, step, len) = match (line.filter_step, line.place_step) {
                (step, 1) => (line.count, step, places),
                (1, step) => (places, step, line.count),
                _ => return,
            };
            for k in lines * turn / turns..lines * (turn + 1) / turns {
                self.result.prefetch((line.first + k.cast_signed() * step).cast_unsigned(), len);
            }
        }
    }

    /// Where the outputs of a run's tiles lie, of a panel's filters.
    #[inline(always)]
    fn outputs(&self, At { g, part: panel, .. }: At, run: &Run) -> RunOutputs {
        let of = &self.windows.of;
        let [m_h, m_w] = [self.algorithm.rows, self.algorithm.cols].map(|f| usize::from(f.m()));
        let [spread_h, spread_w] = self.windows.spread();
        let (outputs, own) = (run.plane / (spread_h * spread_w), run.plane % (spread_h * spread_w));
        let (n, z) = (outputs / of.out[0], outputs % of.out[0]);
        let [y, x] = [run.y * m_h * spread_h + own / spread_w, run.x * m_w * spread_w + own % spread_w];
        let filter = panel * PANEL;
        let first = Line {
            filter: g * of.group_k + filter,
            count: self.filters(panel),
            first: of.dst.at([n, g, filter], [z, y, x]),
            filter_step: of.dst.c,
            place_step: of.dst.dhw[2] * spread_w.cast_signed(),
        };
        // Of outputs a dilation apart, a last tile may have none.
        let left = |out: usize, at: usize, spread: usize| out.saturating_sub(at).div_ceil(spread);
        let places = (run.count * m_w).min(left(of.out[2], x, spread_w));
        let lines = if places == 0 { 0 } else { m_h.min(left(of.out[1], y, spread_h)) };
        RunOutputs { first, step: of.dst.dhw[1] * spread_h.cast_signed(), lines, places }
    }

    /// The outputs of a panel of filters of a group, from all chunks of V.
    #[inline(always)]
    fn output<S: Simd>(&self, simd: S, at: At, v: &[f32], scratch: &mut [f32]) {
        let (At { block, part: panel, .. }, Nested { rows, cols }) = (at, self.algorithm);
        let tiles = self.block_tiles(block);
        let filters = self.filters(panel);
        // Places of 16 filters each.
        let places = filters.div_ceil(LANES) * tiles;
        let scratch = scratch.as_chunks_mut().0;
        let (m, scratch) = scratch.split_at_mut(rows.products() * places);
        let (m_h, m_w) = (usize::from(rows.m()), usize::from(cols.m()));
        let stride = cols.products() * places;
        let (half, rest) = scratch.split_at_mut(m_h * stride);
        let (sums, rest) = rest.split_at_mut(m_h * m_w * places);
        {
            let (half, sums, temps) = (shared(half), shared(sums), shared(rest));
            for column in 0..cols.products() {
                self.multiply(simd, at, column, v, m);
                transform(
                    simd,
                    (rows, &self.down, Which::Output),
                    places,
                    Rows { lanes: shared(m), stride: places },
                    temps,
                    Rows { lanes: &half[column * places..], stride },
                );
            }
            for (half, sums) in half.chunks_exact(stride).zip(sums.chunks_exact(m_w * places)) {
                transform(
                    simd,
                    (cols, &self.across, Which::Output),
                    places,
                    Rows { lanes: half, stride: places },
                    temps,
                    Runs { lanes: sums, step: m_w },
                );
            }
        }
        let lines = rest.as_flattened_mut();
        for run in self.runs(block) {
            let outputs = self.outputs(at, &run);
            for i in 0..outputs.lines {
                let sums = &mut sums[i * m_w * places..][..m_w * places];
                for (half, sums) in sums.chunks_exact_mut(tiles * m_w).enumerate() {
                    let line = outputs.line(i).lanes_from(half * LANES);
                    if line.count > 0 {
                        let sums = &mut sums[run.at * m_w..][..outputs.places];
                        // SAFETY: a tile's outputs of a filter belong to one block and panel, and so to one task.
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

/// Where a stage works: a block of tiles of a group, and the chunk of V or the panel of filters.
#[derive(Clone, Copy)]
struct At {
    block: usize,
    g: usize,
    part: usize,
}

/// The input transform as a function of its own, which is compiled once for each kind of processor, whoever calls it.
struct InputStage<'a, 'b, S> {
    of: &'b Winograd<'a>,
    simd: S,
    at: At,
    v: &'b mut [f32],
    scratch: &'b mut [f32],
}

impl<S: Simd> NullaryFnOnce for InputStage<'_, '_, S> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        self.of.input(self.simd, self.at, self.v, self.scratch);
    }
}

/// The same for multiply and output transform.
struct OutputStage<'a, 'b, S> {
    of: &'b Winograd<'a>,
    simd: S,
    at: At,
    v: &'b [f32],
    scratch: &'b mut [f32],
}

impl<S: Simd> NullaryFnOnce for OutputStage<'_, '_, S> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        self.of.output(self.simd, self.at, self.v, self.scratch);
    }
}

/// A block from its input to its outputs.
struct Whole<'a, 'b> {
    of: &'b Winograd<'a>,
    v: usize,
    panels: usize,
    chunks: usize,
}

impl Task for Whole<'_, '_> {
    #[inline(always)]
    fn run<S: Simd>(&self, simd: S, block: usize, scratch: &mut [f32]) {
        let (v, scratch) = scratch.split_at_mut(self.v);
        for g in 0..self.of.windows.of.groups {
            for (part, v) in v.chunks_exact_mut(self.v / self.chunks).enumerate() {
                simd.vectorize(InputStage { of: self.of, simd, at: At { block, g, part }, v, scratch });
            }
            for part in 0..self.panels {
                simd.vectorize(OutputStage { of: self.of, simd, at: At { block, g, part }, v, scratch });
            }
        }
    }
}

/// A chunk of a block's V.
struct Inputs<'a, 'b> {
    of: &'b Winograd<'a>,
    v: &'b Disjoint<'b>,
    of_chunk: usize,
    chunks: usize,
    /// The first block.
    first: usize,
}

impl Task for Inputs<'_, '_> {
    #[inline(always)]
    fn run<S: Simd>(&self, simd: S, task: usize, scratch: &mut [f32]) {
        let of_block = self.chunks * self.of.windows.of.groups;
        let (block, rest) = (task / of_block, task % of_block);
        let at = At { block: self.first + block, g: rest / self.chunks, part: rest % self.chunks };
        // SAFETY: a task has a part of its own.
        #[expect(unsafe_code, reason = "threads write to one V")]
        let v = unsafe { self.v.part(task * self.of_chunk, self.of_chunk) };
        simd.vectorize(InputStage { of: self.of, simd, at, v, scratch });
    }
}

/// A panel's outputs of a block.
struct Outputs<'a, 'b> {
    of: &'b Winograd<'a>,
    v: &'b [f32],
    of_block: usize,
    blocks: Range<usize>,
    panels: usize,
}

impl Task for Outputs<'_, '_> {
    #[inline(always)]
    fn run<S: Simd>(&self, simd: S, task: usize, scratch: &mut [f32]) {
        // Blocks of one panel follow one another: its part of U stays in the cache.
        let (panel, block) = (task / self.blocks.len(), task % self.blocks.len());
        let at = At { block: self.blocks.start + block, g: panel / self.panels, part: panel % self.panels };
        let v = &self.v[(block * self.of.windows.of.groups + at.g) * self.of_block..][..self.of_block];
        simd.vectorize(OutputStage { of: self.of, simd, at, v, scratch });
    }
}
