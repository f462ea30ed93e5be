//! A slice that several threads write to, each to elements of its own: lines of a tensor here and there, which no split of a
//! slice gives.

use std::marker::PhantomData;

use super::prefetch::{LINE, prefetch};

/// A `&mut [f32]` taken apart.
pub(in crate::cpu) struct Disjoint<'a> {
    start: *mut f32,
    len: usize,
    whole: PhantomData<&'a mut [f32]>,
}

// SAFETY: whoever takes a part of a shared one promises that nobody else has it, see `part`; `f32` may be sent.
#[expect(unsafe_code, reason = "threads write to one slice")]
unsafe impl Sync for Disjoint<'_> {}

impl<'a> Disjoint<'a> {
    pub(in crate::cpu) fn new(whole: &'a mut [f32]) -> Self {
        Self { start: whole.as_mut_ptr(), len: whole.len(), whole: PhantomData }
    }

    pub(in crate::cpu) const fn len(&self) -> usize {
        self.len
    }

    /// Asks for elements that lie side by side, so that they are near when they are written.
    #[inline(always)]
    pub(in crate::cpu) fn prefetch(&self, first: usize, len: usize) {
        for bytes in (0..len * size_of::<f32>()).step_by(LINE) {
            prefetch(self.start.wrapping_add(first), bytes);
        }
    }

    /// Elements that lie side by side.
    ///
    /// # Safety
    /// As long as the part lives, nobody else has any of its elements.
    #[expect(unsafe_code, clippy::mut_from_ref, reason = "threads write to one slice")]
    #[inline(always)]
    pub(in crate::cpu) unsafe fn part(&self, first: usize, len: usize) -> &mut [f32] {
        assert!(first <= self.len && len <= self.len - first, "{len} elements from {first} on, of {}", self.len);
        // SAFETY: within the slice that `new` was given, as was just checked.
        let start = unsafe { self.start.add(first) };
        // SAFETY: `start` has `len` elements of a slice that lives for `'a`; that nobody else has them is the caller's promise.
        unsafe { std::slice::from_raw_parts_mut(start, len) }
    }
}
