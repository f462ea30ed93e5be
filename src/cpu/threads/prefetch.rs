//! Prefetches data. The CPU's own prefetcher follows a stream, but not far enough ahead.

/// Bytes of a cache line.
pub(in crate::cpu) const LINE: usize = 64;

/// Asks for the cache line so many bytes behind an address. A hint: nothing happens where there is no such instruction.
#[inline(always)]
pub(in crate::cpu) fn prefetch<T>(from: *const T, bytes: usize) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        let at = from.cast::<i8>().wrapping_add(bytes);
        // SAFETY: a prefetch reads nothing that the program sees, and faults at no address.
        #[expect(unsafe_code, reason = "the instruction takes an address")]
        unsafe {
            _mm_prefetch::<_MM_HINT_T0>(at);
        }
    }
    let _ = (from, bytes);
}
