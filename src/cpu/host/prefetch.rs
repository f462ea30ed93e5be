//! Data asked for before it is needed: the processor does that by itself along a stream, but not from page to page.

/// Asks for the cache lines so many elements beyond the start of these, whatever lies there. A hint: nothing happens where
/// there is no such instruction.
#[inline(always)]
pub(super) fn prefetch<const LEN: usize>(from: &[f32; LEN], beyond: usize) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        for line in (0..LEN).step_by(LINE) {
            let at = from.as_ptr().wrapping_add(beyond + line);
            // SAFETY: a prefetch reads nothing that the program sees, and faults at no address.
            #[expect(unsafe_code, reason = "the instruction takes an address")]
            unsafe {
                _mm_prefetch::<_MM_HINT_T0>(at.cast());
            }
        }
    }
    let _ = (from, beyond);
}

/// Elements of a cache line.
#[cfg(all(target_arch = "x86_64", not(miri)))]
const LINE: usize = 64 / size_of::<f32>();
