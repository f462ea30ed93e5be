//! The product of matrices under everything here: sums for some places and the [`PANEL`] filters of a panel. Values of a
//! row of the product (a channel at a tap, or at a point) stand beside those of 15 other rows, so that a register takes one
//! of them for all its filters.

use pulp::Simd;

use super::prefetch::prefetch;
use crate::kernel::{LANES, PANEL};

/// Places whose sums are in registers at a time, beside two registers of factors and one value: of 32 registers on AVX-512
/// and NEON, of 16 elsewhere.
const fn most_places<S: Simd>() -> usize {
    if S::F32_LANES == 16 { 14 } else { 6 }
}

/// How far ahead of their use factors are asked for, in bytes: 16 rows.
const AHEAD: usize = 16 * size_of::<[f32; PANEL]>();
/// Of chunks that are one sum, however many there are.
pub(super) const ALL: usize = usize::MAX;

/// `m[place][filter] = sum over rows of v(row / 16)[place][row % 16] * u[row][filter]`, in the rows' order, for so many places and
/// filters of a panel; but each `chunks_per_sum` chunks are summed up on their own, and then added. `chunks` gives 16 rows of all
/// places, and how many of them there are.
#[inline(always)]
pub(super) fn product<'v, S: Simd>(
    simd: S,
    [places, filters, chunks_per_sum]: [usize; 3],
    chunks: &(impl Iterator<Item = (&'v [[f32; LANES]], usize)> + Clone),
    u: &[[f32; PANEL]],
    m: &mut [[f32; PANEL]],
) {
    let blocks = places.div_ceil(most_places::<S>());
    let mut first = 0;
    for block in 0..blocks {
        // Even blocks: a last one of a place or two would wait for its own sums.
        let count = (places - first).div_ceil(blocks - block);
        let m = &mut m[first..first + count];
        macro_rules! blocks_of {
            ($($places:literal)*) => {
                match count {
                    // Those that this processor has no registers for are not compiled.
                    $($places if const { $places <= most_places::<S>() } => {
                        registers::<S, $places>(simd, [first, filters, chunks_per_sum], chunks, u, m);
                    })*
                    _ => unreachable!("a block has at most so many places"),
                }
            };
        }
        blocks_of!(1 2 3 4 5 6 7 8 9 10 11 12 13 14);
        first += count;
    }
}

/// The sums of so many places, by the columns of registers that there are for them.
#[inline(always)]
fn registers<'v, S: Simd, const PLACES: usize>(
    simd: S,
    [first, filters, chunks_per_sum]: [usize; 3],
    chunks: &(impl Iterator<Item = (&'v [[f32; LANES]], usize)> + Clone),
    u: &[[f32; PANEL]],
    m: &mut [[f32; PANEL]],
) {
    let columns = match S::F32_LANES {
        4 => 4,
        16 if filters <= LANES => 1,
        _ => 2,
    };
    for column in (0..filters).step_by(columns * S::F32_LANES) {
        match columns {
            1 => block::<S, PLACES, 1>(simd, [first, column, chunks_per_sum], chunks.clone(), u, m),
            4 => block::<S, PLACES, 4>(simd, [first, column, chunks_per_sum], chunks.clone(), u, m),
            _ => block::<S, PLACES, 2>(simd, [first, column, chunks_per_sum], chunks.clone(), u, m),
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
    [first, column, chunks_per_sum]: [usize; 3],
    chunks: impl Iterator<Item = (&'v [[f32; LANES]], usize)>,
    u: &[[f32; PANEL]],
    m: &mut [[f32; PANEL]],
) {
    let m: &mut [[f32; PANEL]; PLACES] = m.first_chunk_mut().expect("all places");
    let (mut rows, mut chunks) = (u, chunks.peekable());
    let mut begun = false;
    loop {
        let mut sums = [[simd.splat_f32s(0.0); COLUMNS]; PLACES];
        for (v, count) in chunks.by_ref().take(chunks_per_sum) {
            let v: &[[f32; LANES]; PLACES] = v[first..].first_chunk().expect("a chunk has all places");
            let (own, rest) = rows.split_at(count);
            rows = rest;
            for (row, u) in own.iter().enumerate() {
                let (u, _) = S::as_simd_f32s(&u[column..]);
                let u: &[S::f32s; COLUMNS] = u.first_chunk().expect("a panel has so many registers");
                prefetch(u, AHEAD);
                written_out!(place in 0..PLACES {
                    let value = simd.splat_f32s(v[place][row % LANES]);
                    written_out!(i in 0..COLUMNS {
                        sums[place][i] = simd.mul_add_e_f32s(value, u[i], sums[place][i]);
                    });
                });
            }
        }
        written_out!(place in 0..PLACES {
            let (m, _) = S::as_mut_simd_f32s(&mut m[place][column..]);
            let m: &mut [S::f32s; COLUMNS] = m.first_chunk_mut().expect("a panel has so many registers");
            written_out!(i in 0..COLUMNS {
                if begun {
                    sums[place][i] = simd.add_f32s(m[i], sums[place][i]);
                }
                m[i] = sums[place][i];
            });
        });
        if chunks.peek().is_none() {
            return;
        }
        begun = true;
    }
}
