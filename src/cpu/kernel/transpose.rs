//! Transposes rows of an image into blocks of 16 channels, and back: between the caller's layout, where columns are mostly
//! contiguous, and ours, where the 16 channels (or filters) of a position are.

use crate::plan::LANES;

/// Side of the squares that are transposed at a time; rows are padded to a multiple of it.
pub(super) const SIDE: usize = 8;

type Square = [[f32; SIDE]; SIDE];

/// Calls `$of` with this CPU's way to transpose squares. It is selected once, not for each square.
macro_rules! turning {
    ($of:ident, $($argument:expr),*) => {{
        #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
        if let Some(token) = pulp::x86::V3::try_new().filter(|_| !cfg!(miri)) {
            return $of(token, $($argument),*);
        }
        $of(OneByOne, $($argument),*);
    }};
}

/// From 16 rows, `stride` apart, to `lanes`: one value of each row for each position. Rows are read in whole squares, two
/// squares of eight rows at a time: if the width is a power of two, more rows would evict each other from the cache.
#[inline(always)]
pub(super) fn lines_to_lanes(lines: &[f32], stride: usize, lanes: &mut [[f32; LANES]]) {
    turning!(lines_to_lanes_by, lines, stride, lanes);
}

/// The inverse: from `lanes` to 16 rows, `stride` apart.
#[inline(always)]
pub(super) fn lanes_to_lines(lanes: &[[f32; LANES]], stride: usize, lines: &mut [f32]) {
    turning!(lanes_to_lines_by, lanes, stride, lines);
}

#[inline(always)]
fn lines_to_lanes_by(turns: impl Turn, lines: &[f32], stride: usize, lanes: &mut [[f32; LANES]]) {
    for (at, both) in lanes.chunks_mut(2 * SIDE).enumerate() {
        for half in [0, SIDE] {
            for (side, places) in both.chunks_mut(SIDE).enumerate() {
                let first = (2 * at + side) * SIDE;
                let mut square = [[0.0; SIDE]; SIDE];
                for i in 0..SIDE {
                    square[i] = *chunk(&lines[(half + i) * stride + first..]);
                }
                for (place, turned) in places.iter_mut().zip(turns.turned(&square)) {
                    place[half..half + SIDE].copy_from_slice(&turned);
                }
            }
        }
    }
}

#[inline(always)]
fn lanes_to_lines_by(turns: impl Turn, lanes: &[[f32; LANES]], stride: usize, lines: &mut [f32]) {
    let (whole, rest) = lanes.as_chunks();
    for (at, places) in whole.iter().enumerate() {
        square_to_lines(turns, places, stride, &mut lines[at * SIDE..]);
    }
    if !rest.is_empty() {
        let mut places = [[0.0; LANES]; SIDE];
        places[..rest.len()].copy_from_slice(rest);
        square_to_lines(turns, &places, stride, &mut lines[whole.len() * SIDE..]);
    }
}

/// Places of both halves of the lanes. (Of a number that is known when this is compiled: rows stay in registers.)
#[inline(always)]
fn square_to_lines(turns: impl Turn, places: &[[f32; LANES]; SIDE], stride: usize, lines: &mut [f32]) {
    for half in [0, SIDE] {
        let mut square = [[0.0; SIDE]; SIDE];
        for i in 0..SIDE {
            square[i] = *chunk(&places[i][half..]);
        }
        for (i, turned) in turns.turned(&square).iter().enumerate() {
            lines[(half + i) * stride..][..SIDE].copy_from_slice(turned);
        }
    }
}

#[inline(always)]
fn chunk(line: &[f32]) -> &[f32; SIDE] {
    line.first_chunk().expect("lines are padded to whole squares")
}

/// How rows become columns.
trait Turn: Copy {
    fn turned(self, square: &Square) -> Square;
}

/// Element by element.
#[derive(Clone, Copy)]
struct OneByOne;

impl Turn for OneByOne {
    #[inline(always)]
    fn turned(self, square: &Square) -> Square {
        std::array::from_fn(|i| std::array::from_fn(|j| square[j][i]))
    }
}

/// In 24 shuffles of pairs, quarters and halves: the compiler finds one for each element.
#[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
impl Turn for pulp::x86::V3 {
    #[inline(always)]
    fn turned(self, square: &Square) -> Square {
        #[cfg(target_arch = "x86")]
        use std::arch::x86::__m256;
        #[cfg(target_arch = "x86_64")]
        use std::arch::x86_64::__m256;
        let avx = self.avx;
        let rows: [__m256; SIDE] = bytemuck::cast(*square);
        let pairs: [__m256; SIDE] = std::array::from_fn(|i| match i % 2 {
            0 => avx._mm256_unpacklo_ps(rows[i], rows[i + 1]),
            _ => avx._mm256_unpackhi_ps(rows[i - 1], rows[i]),
        });
        let quarters: [__m256; SIDE] = std::array::from_fn(|i| {
            let (first, second) = (pairs[i / 4 * 4 + i % 4 / 2], pairs[i / 4 * 4 + i % 4 / 2 + 2]);
            match i % 2 {
                0 => avx._mm256_shuffle_ps::<0x44>(first, second),
                _ => avx._mm256_shuffle_ps::<0xee>(first, second),
            }
        });
        let halves: [__m256; SIDE] = std::array::from_fn(|i| match i / 4 {
            0 => avx._mm256_permute2f128_ps::<0x20>(quarters[i], quarters[i + 4]),
            _ => avx._mm256_permute2f128_ps::<0x31>(quarters[i - 4], quarters[i]),
        });
        bytemuck::cast(halves)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        for width in [1, 7, 8, 23] {
            let stride = 24;
            let lines: Vec<f32> = (0..LANES * stride).map(|i| i as f32).collect();
            let mut lanes = vec![[0.0; LANES]; width];
            lines_to_lanes(&lines, stride, &mut lanes);
            for (x, place) in lanes.iter().enumerate() {
                let expected: [f32; LANES] = std::array::from_fn(|line| lines[line * stride + x]);
                assert_eq!(*place, expected, "place {x} of {width}");
            }
            let mut back = vec![f32::NAN; LANES * stride];
            lanes_to_lines(&lanes, stride, &mut back);
            for line in 0..LANES {
                assert_eq!(back[line * stride..][..width], lines[line * stride..][..width], "line {line} of {width}");
            }
        }
    }
}
