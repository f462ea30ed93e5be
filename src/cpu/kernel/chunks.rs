//! Which values a product takes, one chunk of rows after the other.

use std::hint::black_box;
use std::ops::Range;

use crate::plan::LANES;

/// Chunks of 16 channels at each of some taps (or phases, or planes of taps), with the values of all places: `step` from one to
/// the next of a tap, whose first is where `first` says. (An iterator that is a call, as one of iterators may be, costs a
/// product its registers at each chunk.)
#[derive(Clone)]
pub(super) struct Chunks<'v, F> {
    values: &'v [[f32; LANES]],
    first: F,
    step: usize,
    channels: usize,
    /// Taps that are left, beside the one that is being taken.
    taps: Range<usize>,
    /// Of that: where the next chunk is, and how many channels are left.
    at: usize,
    left: usize,
}

impl<'v, F: Fn(usize) -> usize> Chunks<'v, F> {
    #[inline(always)]
    pub(super) fn new(values: &'v [[f32; LANES]], step: usize, [channels, taps]: [usize; 2], first: F) -> Self {
        Self { values, first, step, channels, taps: 0..taps, at: 0, left: 0 }
    }
}

impl<'v, F: Fn(usize) -> usize> Iterator for Chunks<'v, F> {
    /// Values from the first place on, and how many channels there are.
    type Item = (&'v [[f32; LANES]], usize);

    #[inline(always)]
    fn next(&mut self) -> Option<Self::Item> {
        if self.left == 0 {
            self.at = (self.first)(self.taps.next()?);
            self.left = self.channels;
        }
        // If the compiler knew that there is at least one row, it would fuse both loops and keep the sums in memory.
        let chunk = (&self.values[self.at..], black_box(self.left.min(LANES)));
        self.at += self.step;
        self.left = self.left.saturating_sub(LANES);
        Some(chunk)
    }
}
