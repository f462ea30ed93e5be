//! What is read: places of the source with 16 channels side by side, whatever the layout and the border.

use std::ops::Range;

use super::transpose::{SIDE, lines_to_lanes};
use crate::correlation::Correlation;
use crate::padding::Border;
use crate::plan::LANES;

/// Columns of the source, evenly spaced: where the first one is, and the step to the next; beyond the border, too.
#[derive(Clone, Copy)]
pub(super) struct Columns {
    pub(super) first: isize,
    pub(super) step: usize,
}

/// Some channels of a plane of an image: the element at the plane's start, and how many channels.
#[derive(Clone, Copy)]
pub(super) struct Channels {
    pub(super) start: isize,
    pub(super) count: usize,
}

/// The length of the lines that [`read_row`] needs for so many places.
pub(super) const fn line(places: usize) -> usize {
    places.next_multiple_of(SIDE)
}

/// Reads a row: for each place the channels' elements, and anything behind them; zeros where there is no row, or the border
/// says so. `lines` has room for 16 lines.
#[inline(always)]
pub(super) fn read_row(
    of: &Correlation,
    src: &[f32],
    channels: Channels,
    row: Option<usize>,
    columns: Columns,
    lines: &mut [f32],
    places: &mut [[f32; LANES]],
) {
    let Some(row) = row else { return places.fill([0.0; LANES]) };
    let start = channels.start + row.cast_signed() * of.src.dhw[1];
    let column = |place: usize| of.border.element(columns.first + (place * columns.step).cast_signed(), of.size[2]);
    let at = |column: usize| (start + column.cast_signed() * of.src.dhw[2]).cast_unsigned();
    let inside = inside(of, columns, places.len());
    if of.src.c == 1 {
        let lanes = |place: usize| match column(place).map(|column| &src[at(column)..][..channels.count]) {
            None => [0.0; LANES],
            Some(all) => std::array::from_fn(|lane| all.get(lane).copied().unwrap_or(0.0)),
        };
        for sides in [0..inside.start, inside.end..places.len()] {
            for i in sides {
                places[i] = lanes(i);
            }
        }
        let Some(last) = inside.len().checked_sub(1) else { return };
        let first = at((columns.first + (inside.start * columns.step).cast_signed()).cast_unsigned());
        let step = of.src.dhw[2].cast_unsigned() * columns.step;
        // Of places with fewer channels what follows them is read, too, and taken for nothing.
        let is_within = of.src.dhw[2] >= 0 && first + last * step + LANES <= src.len();
        if is_within {
            for (i, place) in places[inside].iter_mut().enumerate() {
                *place = *src[first + i * step..].first_chunk().expect("16 channels");
            }
        } else {
            inside.for_each(|i| places[i] = lanes(i));
        }
        return;
    }
    let is_dense = of.src.dhw[2] == 1 && columns.step == 1;
    if channels.count == LANES && of.src.c > 0 && is_dense && !inside.is_empty() {
        let stride = of.src.c.cast_unsigned();
        let first = at((columns.first + inside.start.cast_signed()).cast_unsigned());
        // Whole squares are read, including what follows the row in memory.
        if first + (LANES - 1) * stride + line(inside.len()) <= src.len() {
            lines_to_lanes(&src[first..], stride, &mut places[inside.clone()]);
            // Written as one chained iterator, the compiler would not inline it.
            for sides in [0..inside.start, inside.end..places.len()] {
                for i in sides {
                    places[i] = match column(i) {
                        Some(column) => std::array::from_fn(|c| src[at(column) + c * stride]),
                        None => [0.0; LANES],
                    };
                }
            }
            return;
        }
    }
    let stride = line(places.len());
    for (c, line) in lines.chunks_exact_mut(stride).take(LANES).enumerate() {
        let (line, behind) = line.split_at_mut(places.len());
        let channel = Channels { start: channels.start + c.cast_signed() * of.src.c, count: 1 };
        read_line(of, src, channel, Some(row).filter(|_| c < channels.count), columns, line);
        behind.fill(0.0);
    }
    lines_to_lanes(lines, stride, places);
}

/// The places whose columns the source has: most of them, as a rule.
#[inline(always)]
fn inside(of: &Correlation, columns: Columns, places: usize) -> Range<usize> {
    let until = |column: isize| {
        let before = (column - columns.first).max(0).cast_unsigned();
        // A division takes as long as copying a short line.
        let before = if columns.step == 1 { before } else { before.div_ceil(columns.step) };
        before.min(places)
    };
    let first = until(0);
    first..until(of.size[2].cast_signed()).max(first)
}

/// Reads a row of one channel.
#[inline(always)]
pub(super) fn read_line(
    of: &Correlation,
    src: &[f32],
    channel: Channels,
    row: Option<usize>,
    columns: Columns,
    line: &mut [f32],
) {
    let Some(row) = row else { return line.fill(0.0) };
    let start = channel.start + row.cast_signed() * of.src.dhw[1];
    let at = |column: usize| (start + column.cast_signed() * of.src.dhw[2]).cast_unsigned();
    let column = |place: usize| columns.first + (place * columns.step).cast_signed();
    let inside = inside(of, columns, line.len());
    for sides in [0..inside.start, inside.end..line.len()] {
        if of.border == Border::Zero {
            line[sides].fill(0.0);
        } else {
            for place in sides {
                line[place] = of.border.element(column(place), of.size[2]).map_or(0.0, |column| src[at(column)]);
            }
        }
    }
    let Some(last) = inside.len().checked_sub(1) else { return };
    let first = at(column(inside.start).cast_unsigned());
    let step = of.src.dhw[2] * columns.step.cast_signed();
    let line = &mut line[inside];
    match step {
        1 => copy(&src[first..=first + last], line),
        // Pairs, of which vector instructions take the first ones.
        2 => {
            let (pairs, _) = src[first..first + 2 * last].as_chunks::<2>();
            line.iter_mut().zip(pairs).for_each(|(to, pair)| *to = pair[0]);
            line[last] = src[first + 2 * last];
        }
        _ => {
            for (i, to) in line.iter_mut().enumerate() {
                *to = src[first.wrapping_add_signed(i.cast_signed() * step)];
            }
        }
    }
}

/// Copies in steps of a vector: most lines are short, and a call would take longer.
#[inline(always)]
pub(crate) fn copy(from: &[f32], to: &mut [f32]) {
    debug_assert_eq!(from.len(), to.len());
    let ((to, to_rest), (from, rest)) = (to.as_chunks_mut::<SIDE>(), from.as_chunks::<SIDE>());
    for (to, from) in to.iter_mut().zip(from) {
        *to = *from;
    }
    for (to, from) in to_rest.iter_mut().zip(rest) {
        *to = *from;
    }
}
