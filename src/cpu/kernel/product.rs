//! The product of matrices under everything here: sums for some places and the [`PANEL`] filters of a panel. Values of a
//! row of the product (a channel at a tap, or at a point) stand beside those of 15 other rows, so that a register takes one
//! of them for all its filters.

use pulp::Simd;

use crate::cpu::threads::{LINE, prefetch};
use crate::plan::{LANES, PANEL};

/// Places whose sums are in registers at a time, beside two registers of factors and one value: of 32 registers on AVX-512
/// and NEON, of 16 elsewhere.
const fn most_places<S: Simd>() -> usize {
    if S::F32_LANES == 16 { 14 } else { 6 }
}

/// Bytes of a row of factors.
const ROW: usize = size_of::<[f32; PANEL]>();
/// How far ahead of their use factors are asked for, in bytes: 16 rows.
const AHEAD: usize = 16 * ROW;
/// Rows of factors that the first cache holds beside what else it has.
const ROWS_IN_CACHE: usize = 128;
/// Sums all chunks into one sum.
pub(super) const ALL: usize = usize::MAX;

/// Some rows of the product that all passes over the places take, one after the other.
struct Rows<'u, C> {
    /// Values, by chunks, and how many of these there are.
    chunks: C,
    count: usize,
    per_sum: usize,
    u: &'u [[f32; PANEL]],
    /// Whether their sums are added to those of rows before.
    adds: bool,
    /// All places, of all passes.
    places: usize,
    passes: usize,
    /// Whether each pass asks for its part of the factors behind these rows, and not for what it takes next itself.
    shares: bool,
}

/// `m[filter / 16][place][filter % 16] = sum over rows of v(row / 16)[place][row % 16] * u[row][filter]`, in the rows' order, for
/// so many places and filters of a panel; but each `per_sum` chunks are summed up on their own, and then added. `chunks` gives
/// 16 rows of all places, and how many of them there are. If it `adds`, the sums are added to what `m` holds.
#[inline(always)]
pub(super) fn product<'v, S: Simd>(
    simd: S,
    [places, filters, per_sum]: [usize; 3],
    mut adds: bool,
    mut chunks: impl Iterator<Item = (&'v [[f32; LANES]], usize)> + Clone,
    u: &[[f32; PANEL]],
    m: &mut [[f32; LANES]],
) {
    let passes = places.div_ceil(most_places::<S>());
    // Factors that the first cache does not hold are read once from beyond, a sum's at a time; those that it holds, without a
    // break.
    let by_sums = per_sum != ALL && u.len() > ROWS_IN_CACHE;
    let mut left = u;
    loop {
        let (mut rest, mut count, mut len) = (chunks.clone(), ALL, left.len());
        if by_sums {
            (count, len) = (0, 0);
            for (_, more) in rest.by_ref().take(per_sum) {
                (count, len) = (count + 1, len + more);
            }
        }
        let (u, behind) = left.split_at(len);
        let rows = Rows { chunks, count, per_sum, u, adds, places, passes, shares: by_sums && passes > 1 };
        let mut first = 0;
        for pass in 0..passes {
            // Blocks of even size: a last block of one or two positions would wait for the latency of its own sums.
            let places = (places - first).div_ceil(passes - pass);
            macro_rules! blocks_of {
                ($($places:literal)*) => {
                    match places {
                        // Those that this processor has no registers for are not compiled.
                        $($places if const { $places <= most_places::<S>() } => {
                            registers::<S, $places>(simd, &rows, [pass, first, filters], m);
                        })*
                        _ => unreachable!("a block has at most so many places"),
                    }
                };
            }
            blocks_of!(1 2 3 4 5 6 7 8 9 10 11 12 13 14);
            first += places;
        }
        if behind.is_empty() || count == 0 {
            return;
        }
        (chunks, left, adds) = (rest, behind, true);
    }
}

/// The sums of so many places, by the columns of registers that there are for them.
#[inline(always)]
fn registers<'v, S: Simd, const PLACES: usize>(
    simd: S,
    rows: &Rows<'_, impl Iterator<Item = (&'v [[f32; LANES]], usize)> + Clone>,
    [pass, first, filters]: [usize; 3],
    m: &mut [[f32; LANES]],
) {
    let columns = if S::F32_LANES == 4 { 4 } else { 2 };
    for column in (0..filters).step_by(columns * S::F32_LANES) {
        match columns {
            4 => block::<S, PLACES, 4>(simd, rows, [pass, first, column], m),
            2 if filters - column > S::F32_LANES => block::<S, PLACES, 2>(simd, rows, [pass, first, column], m),
            // Of a second register nothing would be used.
            _ => block::<S, PLACES, 1>(simd, rows, [pass, first, column], m),
        }
    }
}

/// `$body` for each number below `$count`, which is at most 14, written out. As a loop the compiler unrolls it, but then it may
/// be too late for it to see that sums need not lie in memory.
macro_rules! written_out {
    ($i:ident in 0..$count:ident $body:block) => {
        written_out!($i $count $body 0 1 2 3 4 5 6 7 8 9 10 11 12 13)
    };
    ($i:ident $count:ident $body:block $($number:literal)*) => {
        $({
            let $i: usize = $number;
            if $i < $count $body
        })*
    };
}

#[inline(always)]
fn block<'v, S: Simd, const PLACES: usize, const COLUMNS: usize>(
    simd: S,
    rows: &Rows<'_, impl Iterator<Item = (&'v [[f32; LANES]], usize)> + Clone>,
    [pass, first, column]: [usize; 3],
    m: &mut [[f32; LANES]],
) {
    // A row of factors fills up to two cache lines. (If only one, it is prefetched twice, to avoid a branch.)
    let (mut ahead, step, line) = if rows.shares {
        let step = ROW / rows.passes;
        (size_of_val(rows.u) + pass * rows.u.len() * step, step, 0)
    } else {
        (AHEAD + column * size_of::<f32>(), ROW, LINE)
    };
    let (mut left, mut adds) = (rows.u, rows.adds);
    let mut chunks = rows.chunks.clone().take(rows.count).peekable();
    loop {
        let mut sums = [[simd.splat_f32s(0.0); COLUMNS]; PLACES];
        for (v, count) in chunks.by_ref().take(rows.per_sum) {
            let v: &[[f32; LANES]; PLACES] = v[first..].first_chunk().expect("a chunk has all places");
            let (of_chunk, rest) = left.split_at(count);
            left = rest;
            for (row, u) in (0..LANES).zip(of_chunk) {
                let (u, _) = S::as_simd_f32s(&u[column..]);
                let u: &[S::f32s; COLUMNS] = u.first_chunk().expect("a panel has so many registers");
                prefetch(rows.u.as_ptr(), ahead);
                if size_of_val(u) > LINE {
                    prefetch(rows.u.as_ptr(), ahead + line);
                }
                ahead += step;
                written_out!(place in 0..PLACES {
                    let value = simd.splat_f32s(v[place][row]);
                    written_out!(i in 0..COLUMNS {
                        sums[place][i] = simd.mul_add_e_f32s(value, u[i], sums[place][i]);
                    });
                });
            }
        }
        written_out!(i in 0..COLUMNS {
            let filter = column + i * S::F32_LANES;
            let m = &mut m[filter / LANES * rows.places + first..];
            let m: &mut [[f32; LANES]; PLACES] = m.first_chunk_mut().expect("all places");
            written_out!(place in 0..PLACES {
                let m = &mut S::as_mut_simd_f32s(&mut m[place]).0[filter % LANES / S::F32_LANES];
                if adds {
                    sums[place][i] = simd.add_f32s(*m, sums[place][i]);
                }
                *m = sums[place][i];
            });
        });
        if chunks.peek().is_none() {
            return;
        }
        adds = true;
    }
}
