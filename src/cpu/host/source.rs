//! What is read: places of the source with 16 channels side by side, whatever the layout and the border.

use super::transpose::{SIDE, lines_to_lanes};
use crate::correlation::Correlation;
use crate::kernel::LANES;

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

/// Reads a row: for each place the channels' elements, zeros where there are fewer than 16 channels, no row, or the border
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
    if of.src.c == 1 && channels.count == LANES {
        for (i, place) in places.iter_mut().enumerate() {
            *place = match column(i) {
                Some(column) => *src[at(column)..].first_chunk().expect("16 channels side by side"),
                None => [0.0; LANES],
            };
        }
        return;
    }
    let stride = line(places.len());
    for (c, line) in lines.chunks_exact_mut(stride).take(LANES).enumerate() {
        if c >= channels.count {
            line.fill(0.0);
            continue;
        }
        let channel = (c.cast_signed() * of.src.c).cast_unsigned();
        let element = |place: usize| column(place).map_or(0.0, |column| src[at(column).wrapping_add(channel)]);
        // Most columns lie side by side, inside.
        let inside = if of.src.dhw[2] == 1 && columns.step == 1 {
            let first = (-columns.first).max(0).cast_unsigned().min(places.len());
            let end = (of.size[2].cast_signed() - columns.first).max(0).cast_unsigned().min(places.len());
            first..end.max(first)
        } else {
            0..0
        };
        for place in (0..inside.start).chain(inside.end..places.len()) {
            line[place] = element(place);
        }
        if !inside.is_empty() {
            let first = at((columns.first + inside.start.cast_signed()).cast_unsigned()).wrapping_add(channel);
            line[inside.clone()].copy_from_slice(&src[first..first + inside.len()]);
        }
        line[places.len()..].fill(0.0);
    }
    lines_to_lanes(lines, stride, places);
}
