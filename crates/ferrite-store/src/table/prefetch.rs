//! Fetching a cache line ahead of its use.

#![allow(unsafe_code, reason = "the processor's hint has no safe form")]

/// Bytes of a line.
pub(super) const LINE: usize = 64;

/// Brings the line of a value closer to the processor.
#[inline]
pub(super) fn prefetch<T: ?Sized>(value: &T) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: the hint reads nothing that the program can see, and the address is of a value
        // that is borrowed here.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(value).cast()) }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = value;
}
