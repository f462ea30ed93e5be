//! What a run of tiles reads and writes, and how it is divided where a tensor is larger than a binding: an input transform
//! by rows of V, an output transform by filters, and the tiles themselves where that is not enough.

use std::ops::Range;

use super::pieces::{Window, check_dispatches, too_large};
use super::winograd::Winograd;
use crate::caps::Limits;
use crate::correlation::Correlation;
use crate::error::LimitError;
use crate::padding::Border;

/// A run of tiles, from the first on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Chunk {
    pub(super) first: usize,
    pub(super) count: usize,
}

/// How the kernels that read the input and write the output are dispatched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Divided {
    /// The input by rows of V, and not all channels at once.
    pub(super) source: bool,
    /// The output by filters.
    pub(super) outputs: bool,
}

impl Winograd<'_> {
    /// All tiles in runs of at most so many, fewer where their part of a tensor cannot be bound.
    ///
    /// # Errors
    /// The binding that a single tile exceeds.
    pub(super) fn chunks(&self, size: usize, limits: &Limits, divided: Divided) -> Result<Vec<Chunk>, LimitError> {
        let all = self.tiles.count();
        let mut chunks = Vec::new();
        for first in (0..all).step_by(size.max(1)) {
            let mut waiting = vec![Chunk { first, count: size.min(all - first) }];
            while let Some(chunk) = waiting.pop() {
                match self.too_large(chunk, self.most, divided) {
                    None => {
                        chunks.push(chunk);
                        check_dispatches(chunks.len())?;
                    }
                    Some((who, len)) if chunk.count == 1 => return Err(too_large(who, len, limits)),
                    Some(_) => {
                        let half = chunk.count / 2;
                        waiting.push(Chunk { first: chunk.first + half, count: chunk.count - half });
                        waiting.push(Chunk { first: chunk.first, count: half });
                    }
                }
            }
        }
        Ok(chunks)
    }

    /// The tensor whose smallest part for these tiles cannot be bound, and its elements.
    fn too_large(&self, chunk: Chunk, most: usize, divided: Divided) -> Option<(&'static str, usize)> {
        let (rows, filters) = (self.windows.rows(), self.windows.of.filters());
        let part = |all: usize, divided: bool| if divided { 0..1 } else { 0..all };
        let parts = [
            ("the input", self.source(chunk, part(rows, divided.source)).len),
            ("the output", self.outputs(chunk, part(filters, divided.outputs)).len),
        ];
        parts.into_iter().find(|(_, len)| *len > most)
    }

    /// Ranges of rows of V whose part of the input can be bound.
    pub(super) fn source_parts(&self, chunk: Chunk, most: usize) -> Result<Vec<Range<usize>>, LimitError> {
        parts(self.windows.rows(), |rows| self.source(chunk, rows).len <= most)
    }

    /// Ranges of filters whose part of the output can be bound.
    pub(super) fn output_parts(&self, chunk: Chunk, most: usize) -> Result<Vec<Range<usize>>, LimitError> {
        parts(self.windows.of.filters(), |filters| self.outputs(chunk, filters).len <= most)
    }

    /// What rows of V read of the input.
    pub(super) fn source(&self, chunk: Chunk, rows: Range<usize>) -> Window {
        let Correlation { stride, taps, dilation, before, size, border, out, src, .. } = &self.windows.of;
        let (spread, [step, _]) = (self.windows.spread(), self.windows.steps());
        let per_channel = self.windows.group_rows() / self.windows.of.group_c;
        let channels = rows.start / per_channel..(rows.end - 1) / per_channel + 1;
        let (planes, [first_row, last_row]) = self.extent(chunk);
        let phases = spread[0] * spread[1];
        let outputs = planes.start / phases..(planes.end - 1) / phases + 1;
        let images = outputs.start / out[0]..(outputs.end - 1) / out[0] + 1;
        // Elements along an axis, of so many steps from the first on and what the taps reach beyond.
        let reached = |axis: usize, step: usize, steps: Range<usize>, beyond: usize| {
            let whole = 0..size[axis].cast_signed();
            if *border != Border::Zero {
                return whole;
            }
            let first = (steps.start * step).cast_signed() - before[axis];
            let end = ((steps.end - 1) * step + beyond).cast_signed() - before[axis] + 1;
            let first = first.clamp(0, whole.end - 1);
            first..end.clamp(first + 1, whole.end)
        };
        let depth = match images.len() {
            1 => {
                let outputs = outputs.start % out[0]..(outputs.end - 1) % out[0] + 1;
                reached(0, stride[0], outputs, (taps[0] - 1) * dilation[0])
            }
            _ => 0..size[0].cast_signed(),
        };
        let height = match planes.len() {
            1 => {
                let (m, span) = (usize::from(self.algorithm.rows.m()), self.algorithm.rows.span());
                // A phase begins less than a step further.
                reached(1, step, first_row * m..last_row * m + 1, (span + 1) * step)
            }
            _ => 0..size[1].cast_signed(),
        };
        let offset = src.offset
            + images.start.cast_signed() * src.n
            + channels.start.cast_signed() * src.c
            + depth.start * src.dhw[0]
            + height.start * src.dhw[1];
        let lens = [depth, height].map(|range| (range.end - range.start).cast_unsigned());
        let spatial = [(lens[0], src.dhw[0]), (lens[1], src.dhw[1]), (size[2], src.dhw[2])];
        Window::of(offset, [(images.len(), src.n), (channels.len(), src.c)].into_iter().chain(spatial))
    }

    /// What filters write of the output.
    pub(super) fn outputs(&self, chunk: Chunk, filters: Range<usize>) -> Window {
        let Correlation { out, dst, .. } = &self.windows.of;
        let spread = self.windows.spread();
        let (planes, [first_row, last_row]) = self.extent(chunk);
        let phases = spread[0] * spread[1];
        let outputs = planes.start / phases..(planes.end - 1) / phases + 1;
        let images = outputs.start / out[0]..(outputs.end - 1) / out[0] + 1;
        let depth = match images.len() {
            1 => outputs.start % out[0]..(outputs.end - 1) % out[0] + 1,
            _ => 0..out[0],
        };
        let m = usize::from(self.algorithm.rows.m());
        let height = match planes.len() {
            1 => first_row * m * spread[0]..((last_row + 1) * m * spread[0]).min(out[1]),
            _ => 0..out[1],
        };
        let offset = dst.offset
            + images.start.cast_signed() * dst.n
            + filters.start.cast_signed() * dst.c
            + depth.start.cast_signed() * dst.dhw[0]
            + height.start.cast_signed() * dst.dhw[1];
        let spatial = [(depth.len(), dst.dhw[0]), (height.len(), dst.dhw[1]), (out[2], dst.dhw[2])];
        Window::of(offset, [(images.len(), dst.n), (filters.len(), dst.c)].into_iter().chain(spatial))
    }

    /// Planes of tiles, and the first and last row of tiles, of one plane.
    fn extent(&self, chunk: Chunk) -> (Range<usize>, [usize; 2]) {
        let [x, y] = [self.tiles.x, self.tiles.y];
        let last = chunk.first + chunk.count - 1;
        let rows = [chunk.first, last].map(|tile| tile / x % y);
        (chunk.first / (x * y)..last / (x * y) + 1, rows)
    }
}

/// `0..all` in even ranges, as few as fit.
fn parts(all: usize, fits: impl Fn(Range<usize>) -> bool) -> Result<Vec<Range<usize>>, LimitError> {
    let ranges = |size: usize| (0..all).step_by(size).map(move |first| first..all.min(first + size));
    for count in 1..=all {
        check_dispatches(count)?;
        // All of one size but the last: the first one speaks for them, a later one may straddle one channel more.
        let size = all.div_ceil(count);
        if ranges(size).all(&fits) {
            return Ok(ranges(size).collect());
        }
    }
    Ok(ranges(1).collect())
}
