//! How the CPU's kernels cut their work, and what they cost. What is between caches and memory, and threads, is of an
//! EPYC of 2023 (Zen 4) on 2026-11-24; the cycles of kernels are fitted to one thread of a Xeon of 2023 (Emerald Rapids) on
//! 2026-11-29, 12 layers of 8 to 128 channels by 7 algorithms: the model says 0.79 to 1.2 of what they take, within 10% for three in four.
//! Those layers were planes of channels. What concerns channels side by side (`DEPTHWISE`, `BESIDE`, `APART`, `TAKE` and `GATHER`) is
//! reckoned from instructions, and was not fitted.

use super::blocks::scratches;
use super::kernel::{CpuKernel, CpuStep, LANES, LAST_CACHE, PANEL, SUM, TileBlock};
use super::patch::{Patch, Strip, SumPart, of_lanes};
use crate::correlation::Correlation;
use crate::plan::build::Windows;
use crate::plan::device::rates::count;
use crate::winograd::{F, Nested, Program};

/// Cycles a second.
const CLOCK: f64 = 3.5e9;
/// Bytes a second from and to memory, of all cores together.
const MEMORY: f64 = 20e9;
/// Cycles that a thread is worth waking for: it takes some microseconds.
const CYCLES_PER_THREAD: f64 = 20e3;
/// Seconds until another thread is awake.
const WAKE: f64 = 6e-6;
/// Cycles of a multiply-add on 16 lanes in a product, as many as there are registers for.
const MULTIPLY_ADD: f64 = 0.6;
/// Cycles beside them of a block of registers: until its sums are there and written.
const PASS: f64 = 50.0;
/// Cycles of an operation of a transform, and of a load or store of 16 lanes that it waits for.
const OPERATION: f64 = 0.9;
const MOVE: f64 = 5.3;
/// Bytes a cycle that a core reads from the caches beyond its own, and from memory.
const FROM_CACHE: f64 = 16.0;
const FROM_MEMORY: f64 = 4.0;
/// Cycles of a multiply-add on 16 lanes in a product with a patch, and in a direct sum.
const GEMM: f64 = 0.62;
const DIRECT: f64 = 0.78;
const DEPTHWISE: f64 = 0.8;
/// Cycles of a multiply-add on 16 lanes in a gradient of weights, and beside them of each row: guessed, not fitted. They decide how many
/// threads take part, and nothing is compared with them.
const GRADIENT: f64 = 0.8;
const GRADIENT_ROW: f64 = 1.0;
/// Cycles beside them of each 16 outputs that lie side by side, that are turned to lie so, and that lie apart.
const BESIDE: f64 = 8.0;
const TURNED: f64 = 30.0;
const APART: f64 = 80.0;
/// Cycles beside them of a direct sum's 16 outputs.
const DIRECT_OUTPUTS: f64 = 20.0;
/// Cycles to put 16 channels of a place into a patch, from where they lie side by side and from where places do; and 16 places
/// of a channel into a line, from where they lie side by side and from where they do not.
const TAKE: f64 = 5.0;
const TURN: f64 = 28.0;
const COPY: f64 = 12.0;
const GATHER: f64 = 32.0;

/// Bytes of a block's V and M: half of a second-level cache, beside which a part of U passes through.
const BLOCK_BYTES: usize = 576 << 10;
/// Bytes of V that is shared: of the last cache, beside U.
const SHARED_BYTES: usize = 8 << 20;
/// Bytes of a patch: of the same cache, beside a panel of weights.
const PATCH_BYTES: usize = 256 << 10;
/// Places of a block of registers, mostly.
const PLACES: f64 = 13.0;
/// Columns of a patch: whole blocks of registers.
const PATCH_COLUMNS: usize = 56;
/// Columns of a strip.
const STRIP_COLUMNS: usize = 512;
/// Bytes of a strip's lines.
const STRIP_BYTES: usize = 64 << 10;
/// Rows of a patch or a strip.
const MOST_ROWS: usize = 64;
/// More threads than any processor has.
const MOST_THREADS: usize = 4096;
/// Blocks for each thread, so that none waits long for the last one.
const BLOCKS_PER_THREAD: usize = 4;
/// Columns of a patch, and tiles of a block, below which fewer threads are better than fewer of them: a block of registers.
const FEW: u32 = 14;

/// The threads that choices are estimated for, so that results do not depend on how many there are. The picks for the layers
/// of the benchmark are those for two threads.
pub(in crate::plan) const NOMINAL_THREADS: usize = 2;

/// The blocks of tiles, the best first: as many tiles as the cache holds, and of U and V that is kept which is read more often.
/// The others need less of a workspace.
pub(super) fn blocks(windows: &Windows, algorithm: Nested, threads: usize) -> Vec<TileBlock> {
    let bytes = 4 * algorithm.products();
    let (rows, tiles) = (windows.group_rows(), windows.tiles(algorithm).count());
    let own = |tiles: u32| TileBlock { tiles, together: 0 };
    let shared = |tiles_of_block: u32| {
        let all = tiles.div_ceil(tiles_of_block as usize);
        let v = bytes * windows.rows() * tiles_of_block as usize;
        let together = all.div_ceil(all.div_ceil((SHARED_BYTES / v).max(1)));
        TileBlock { tiles: tiles_of_block, together: u32::try_from(together).unwrap_or(u32::MAX) }
    };
    let own_tiles = tiles_of(bytes * (rows + PANEL), tiles, threads);
    let shared_tiles = tiles_of(bytes * 2 * PANEL, tiles, 1);
    // A thread without a block waits for the others.
    let idle = tiles.div_ceil(own_tiles as usize) < threads && windows.of.group_k > PANEL;
    let cycles = |block| traffic_cycles(windows, algorithm, block);
    let owned = halvings(own_tiles).map(own);
    let all_shared = halvings(shared_tiles).map(shared);
    if idle || cycles(shared(shared_tiles)) < cycles(own(own_tiles)) {
        all_shared.chain(owned).collect()
    } else {
        owned.chain(all_shared).collect()
    }
}

/// So many tiles, and fewer, down to what a block of registers takes.
fn halvings(tiles: u32) -> impl Iterator<Item = u32> {
    let least = tiles.min(FEW);
    std::iter::successors(Some(tiles), move |&tiles| (tiles > least).then(|| tiles.div_ceil(2).max(least)))
}

/// Cycles of one thread for what passes between a core's cache and what lies beyond: U for each block; or U once, and V
/// once and for each panel of filters.
fn traffic_cycles(windows: &Windows, algorithm: Nested, block: TileBlock) -> f64 {
    let points = algorithm.products();
    let (rows, tiles) = (windows.group_rows(), windows.tiles(algorithm).count());
    let panels = windows.of.group_k.div_ceil(PANEL);
    let [u, v] = [panels * PANEL, tiles].map(|columns| 4 * points * rows * columns);
    let groups = count(windows.of.groups);
    let blocks = tiles.div_ceil(block.tiles as usize);
    groups
        * match block.together as usize {
            // A U that stays in the core's cache is read from there.
            0 if u <= BLOCK_BYTES => once(u),
            0 => once(u) * count(blocks),
            together => {
                let turns = blocks.div_ceil(together);
                count(turns) * (once(u) + 2.0 * WAKE * CLOCK) + once(v / turns) * count(turns * (1 + panels))
            }
        }
}

/// Cycles to read so many bytes that are kept in the last cache, or have no room there.
fn once(bytes: usize) -> f64 {
    count(bytes) / if bytes > LAST_CACHE { FROM_MEMORY } else { FROM_CACHE }
}

/// Tiles of a block that needs so many bytes for each: as many blocks for each thread, and all of one size.
#[expect(clippy::cast_possible_truncation, reason = "at most 56")]
fn tiles_of(bytes: usize, tiles: usize, threads: usize) -> u32 {
    let most = (BLOCK_BYTES / bytes / 14 * 14).clamp(14, 56);
    let blocks = tiles.div_ceil(most);
    let blocks = if blocks < BLOCKS_PER_THREAD * threads { blocks.next_multiple_of(threads) } else { blocks };
    tiles.div_ceil(blocks.clamp(1, tiles.max(1))) as u32
}

/// The blocks of a product of matrices.
pub(super) fn patch(of: &Correlation, threads: usize) -> Patch {
    let panels = of.group_k.div_ceil(PANEL);
    let bytes = |patch: &Patch| 4 * LANES * patch.places(of);
    let cut = cut(of, PATCH_COLUMNS, panels, threads, |patch| bytes(patch) <= PATCH_BYTES);
    // Too few blocks: the filters are shared out, and each thread reads the source by itself.
    let blocks = cut.tasks(of);
    if blocks >= threads { cut } else { Patch { panels: panels.div_ceil(threads.div_ceil(blocks)), ..cut } }
}

/// The strips of a direct convolution.
pub(super) fn strip(of: &Correlation, threads: usize) -> Strip {
    let panels = of.group_k.div_ceil(PANEL);
    let fits = |patch: &Patch| 4 * Strip { patch: *patch }.lines(of) <= STRIP_BYTES;
    Strip { patch: cut(of, STRIP_COLUMNS, panels, threads, fits) }
}

/// The blocks of a depthwise convolution: whole rows, of all channels if there are enough of them.
pub(super) fn depthwise_patch(of: &Correlation, threads: usize) -> Patch {
    let of = of_lanes(of);
    let panels = of.group_k.div_ceil(PANEL);
    let rows = cut(&of, of.out[2], panels, threads, |_| true);
    let blocks = rows.tasks(&of);
    let parts = (BLOCKS_PER_THREAD * threads).div_ceil(blocks.max(1));
    Patch { panels: panels.div_ceil(parts).max(1), ..rows }
}

/// The blocks of a product that a workspace of so many bytes has room for, and for how many threads: smaller ones first, then
/// for fewer threads. Where it has no room for one thread's patch of a few columns, a patch holds a part of the sum, which does
/// not depend on the threads: parts decide how sums round.
///
/// # Errors
/// How many elements the least of all needs.
pub(super) fn patch_within(
    of: &Correlation,
    mut patch: Patch,
    threads: usize,
    bytes: u64,
) -> Result<(Patch, usize), usize> {
    let room = usize::try_from(bytes / 4).unwrap_or(usize::MAX);
    let fits = |patch: &Patch, threads: usize| scratches(threads, patch.scratch(of)) <= room;
    let few_columns = FEW as usize;
    let few = Patch { rows: 1, columns: few_columns.min(of.out[2]), panels: 1, part: None };
    if !fits(&few, 1) {
        let cached = |patch: &Patch| fits(patch, 1) && 4 * patch.scratch(of) <= PATCH_BYTES;
        let parts = std::iter::successors(Some(SumPart::whole(of)), |part| part.half());
        let of_parts = || parts.clone().map(|part| Patch { part: Some(part), ..few });
        // Else the smallest, which says what it needs.
        patch = of_parts().find(cached).or_else(|| of_parts().last()).unwrap_or(few);
        while patch.columns > 1 && !fits(&patch, 1) {
            patch.columns = patch.columns.div_ceil(2);
        }
    }
    loop {
        patch = match patch {
            _ if fits(&patch, threads.min(patch.tasks(of))) => break,
            Patch { rows: 2.., .. } => Patch { rows: patch.rows.div_ceil(2), ..patch },
            Patch { columns, .. } if columns > few_columns => {
                Patch { columns: columns.div_ceil(2).max(few_columns), ..patch }
            }
            _ => break,
        };
    }
    fewer_threads(threads.min(patch.tasks(of)), patch.scratch(of), room).map(|threads| (patch, threads))
}

/// The same for strips, with the table that all threads share.
pub(super) fn strip_within(
    of: &Correlation,
    mut strip: Strip,
    threads: usize,
    bytes: u64,
) -> Result<(Strip, usize), usize> {
    let table = strip.table(of);
    let all = usize::try_from(bytes / 4).unwrap_or(usize::MAX);
    let Some(room) = all.checked_sub(table) else {
        let least = Strip { patch: Patch { rows: 1, columns: LANES.min(of.out[2]), ..strip.patch } };
        return Err(table.saturating_add(scratches(1, least.scratch(of))));
    };
    loop {
        let patch = strip.patch;
        strip.patch = match patch {
            _ if scratches(threads.min(patch.tasks(of)), strip.scratch(of)) <= room => break,
            Patch { rows: 2.., .. } => Patch { rows: patch.rows.div_ceil(2), ..patch },
            Patch { columns, .. } if columns > LANES => {
                Patch { columns: columns.div_ceil(2).next_multiple_of(LANES).min(columns - 1), ..patch }
            }
            _ => break,
        };
    }
    let threads = fewer_threads(threads.min(strip.patch.tasks(of)), strip.scratch(of), room);
    threads.map(|threads| (strip, threads)).map_err(|least| least.saturating_add(table))
}

/// At most so many threads that each have a scratch in the room; or the elements that one needs.
pub(super) fn fewer_threads(threads: usize, scratch: usize, room: usize) -> Result<usize, usize> {
    let most = room.saturating_sub(LANES) / scratch.next_multiple_of(LANES).max(1);
    match threads.min(most) {
        0 => Err(scratches(1, scratch)),
        threads => Ok(threads),
    }
}

/// Even columns, and as many rows as fit while each thread has some blocks.
fn cut(of: &Correlation, columns: usize, panels: usize, threads: usize, fits: impl Fn(&Patch) -> bool) -> Patch {
    let columns = of.out[2].div_ceil(of.out[2].div_ceil(columns));
    let mut best = Patch { rows: 1, columns, panels, part: None };
    for rows in 2..=MOST_ROWS.min(of.out[1]) {
        // Even ones.
        let next = Patch { rows: of.out[1].div_ceil(of.out[1].div_ceil(rows)), ..best };
        if !fits(&next) || next.tasks(of) < BLOCKS_PER_THREAD * threads {
            break;
        }
        best = next;
    }
    best
}

/// Threads that are worth it for work of so many cycles.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most `threads`")]
pub(super) fn threads(cycles: f64, threads: usize) -> usize {
    ((cycles / CYCLES_PER_THREAD) as usize).min(MOST_THREADS).min(threads).max(1)
}

/// Cycles of one thread for Winograd, beside what passes between caches.
pub(super) fn winograd_cycles(windows: &Windows, algorithm: Nested) -> f64 {
    let (Ok(down), Ok(across)) = (algorithm.rows.programs(), algorithm.cols.programs()) else { return f64::INFINITY };
    let Nested { rows, cols } = algorithm;
    let of = &windows.of;
    let tiles = count(windows.tiles(algorithm).count());
    let group_rows = windows.group_rows();
    let chunks = count(of.groups * group_rows / of.group_c.max(1) * of.group_c.div_ceil(LANES));
    let registers = count(of.groups * of.group_k.div_ceil(LANES));
    let points = count(algorithm.products());
    let multiply_adds = tiles * points * count(group_rows) * registers;
    let passes = tiles / PLACES * points * count(of.groups * of.group_k.div_ceil(PANEL) * group_rows.div_ceil(SUM));
    let pass = |program: &Program, f: F, places: usize| {
        let written_out = CpuKernel::WRITTEN_OUT.contains(&f);
        let operation = if written_out { OPERATION } else { 2.0 * MOVE };
        let moves = count(program.inputs() + program.outputs().len());
        count(places) * (operation * count(program.ops().len()) + MOVE * moves)
    };
    let [m_h, m_w] = [rows.m(), cols.m()].map(usize::from);
    let input = pass(&down.input, rows, m_w) + pass(&across.input, cols, rows.products());
    let output = pass(&down.output, rows, cols.products()) + pass(&across.output, cols, m_h);
    multiply_adds * MULTIPLY_ADD + passes * PASS + tiles * (chunks * input + registers * output)
}

/// Cycles of one thread for a product of matrices.
pub(super) fn gemm_cycles(of: &Correlation) -> f64 {
    // Factors of few places do not come sooner from the second cache.
    let places = count(of.n * of.groups * of.out[0] * of.out[1]) * count(of.out[2]).max(PLACES);
    let outputs = places * count(of.group_k.div_ceil(LANES));
    let read = count(of.n * of.groups * of.group_c.div_ceil(LANES) * of.size.iter().product::<usize>());
    let (end, take) = by_channels(of.src.c == 1, of.dst.c == 1);
    outputs * (count(of.terms()) * GEMM + end) + read * take
}

/// Cycles of one thread for direct sums.
pub(super) fn direct_cycles(of: &Correlation) -> f64 {
    let outputs = count(of.n * of.filters() * of.out[0] * of.out[1] * of.out[2].div_ceil(LANES));
    let read = count(of.n * of.channels() * of.size[0] * of.size[1] * of.size[2].div_ceil(LANES));
    let end = match of.dst.dhw[2] {
        1 => DIRECT_OUTPUTS,
        _ if Strip::turns(of) => DIRECT_OUTPUTS + TURNED,
        _ => APART,
    };
    let copy = if of.src.dhw[2] == 1 || of.size[2] == 1 { COPY } else { GATHER };
    outputs * (count(of.terms()) * DIRECT + end) + read * copy
}

/// Cycles of one thread for depthwise sums of 16 channels each.
pub(super) fn depthwise_cycles(of: &Correlation) -> f64 {
    let chunks = count(of.groups.div_ceil(LANES));
    let outputs = count(of.n * of.out_len()) * chunks;
    outputs * (count(of.terms()) * DEPTHWISE + BESIDE)
}

/// Cycles for 16 outputs beside their sums, and to take 16 channels of a place, by whether they lie side by side.
const fn by_channels(source: bool, outputs: bool) -> (f64, f64) {
    (if outputs { BESIDE } else { TURNED }, if source { TAKE } else { TURN })
}

/// Cycles of one thread for a gradient of weights.
pub(super) fn gradient_cycles(of: &Correlation) -> f64 {
    let rows = count(of.group_c * of.taps[0] * of.taps[1]);
    let outputs = count(of.groups * of.n * of.out_len()) * count(of.group_k);
    let read = count(of.n * of.channels() * of.size[0] * of.size[1] * of.size[2].div_ceil(LANES));
    let copy = if of.src.dhw[2] == 1 || of.size[2] == 1 { COPY } else { GATHER };
    outputs * rows * (count(of.taps[2].div_ceil(LANES)) * GRADIENT + GRADIENT_ROW) + read * copy
}

/// Cycles of one thread for outputs of which nothing is summed.
pub(super) fn fill_cycles(of: &Correlation) -> f64 {
    count(of.len().div_ceil(LANES)) * DIRECT_OUTPUTS
}

/// Seconds of a step, its tensors once through memory.
fn seconds(step: &CpuStep, threads: usize) -> f64 {
    let of = &step.of;
    let cycles = match step.kernel {
        CpuKernel::Winograd { algorithm, block } => Windows::new(*of).map_or(f64::INFINITY, |windows| {
            winograd_cycles(&windows, algorithm) + traffic_cycles(&windows, algorithm, block)
        }),
        CpuKernel::Gemm(_) => gemm_cycles(of),
        CpuKernel::Depthwise(_) => depthwise_cycles(of),
        CpuKernel::Direct(_) => direct_cycles(of),
        CpuKernel::Gradient(_) => gradient_cycles(of),
        CpuKernel::Fill => fill_cycles(of),
    };
    let threads = self::threads(cycles, threads);
    let wake = if threads > 1 { WAKE } else { 0.0 };
    let tensors = count(of.len() + of.n * of.channels() * of.size.iter().product::<usize>());
    // The last cache still has small ones.
    let memory = if 4.0 * tensors > count(LAST_CACHE) { 4.0 * tensors / MEMORY } else { 0.0 };
    cycles / (CLOCK * count(threads)) + wake + memory
}

/// The estimate of a run, in nanoseconds.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "nanoseconds of a run")]
pub(in crate::plan) fn estimate_ns(steps: &[CpuStep], threads: usize) -> u64 {
    (steps.iter().map(|step| seconds(step, threads)).sum::<f64>() * 1e9) as u64
}
