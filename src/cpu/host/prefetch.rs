//! Data asked for before it is needed: the processor does that by itself along a stream, but not far enough.

/// Asks for what lies so many bytes beyond a value, as much as the value takes, whatever it is. A hint: nothing happens where there
/// is no such instruction.
#[inline(always)]
pub(super) fn prefetch<T>(from: &T, beyond: usize) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        for line in (0..size_of::<T>()).step_by(LINE) {
            let at = std::ptr::from_ref(from).cast::<i8>().wrapping_add(beyond + line);
            // SAFETY: a prefetch reads nothing that the program sees, and faults at no address.
            #[expect(unsafe_code, reason = "the instruction takes an address")]
            unsafe {
                _mm_prefetch::<_MM_HINT_T0>(at);
            }
        }
    }
    let _ = (from, beyond);
}

/// Bytes of a cache line.
#[cfg(all(target_arch = "x86_64", not(miri)))]
const LINE: usize = 64;
