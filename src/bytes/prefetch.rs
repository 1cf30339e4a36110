//! Asks the processor for memory that is going to be needed, without waiting for it.
//!
//! This file may be unsafe: the instructions for it have no safe interface. They read nothing that
//! the program sees and cannot fail, whatever the address. What they earn is said in
//! [`crate::store::warm`].

#![cfg_attr(
    any(target_arch = "x86", target_arch = "x86_64", target_arch = "aarch64"),
    expect(unsafe_code, reason = "prefetching has no safe interface")
)]

/// Asks for the cache line in which a value begins. Elsewhere than on x86 and ARM64 it does
/// nothing.
#[inline(always)]
pub(crate) fn prefetch<T>(value: &T) {
    let at = std::ptr::from_ref(value);
    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    {
        #[cfg(target_arch = "x86")]
        use std::arch::x86::{_MM_HINT_T0, _mm_prefetch};
        #[cfg(target_arch = "x86_64")]
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: the instruction has no effect but on caches; processors without it, older than
        // any that Rust's targets are for, take it for nothing.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(at.cast()) };
    }
    #[cfg(target_arch = "aarch64")]
    {
        // SAFETY: the instruction exists on every ARM64 and has no effect but on caches.
        unsafe {
            std::arch::asm!(
                "prfm pldl1keep, [{at}]",
                at = in(reg) at,
                options(nostack, preserves_flags, readonly),
            );
        }
    }
    #[cfg(not(any(target_arch = "x86", target_arch = "x86_64", target_arch = "aarch64")))]
    let _ = at;
}

/// Asks for the first bytes of a slice.
#[inline(always)]
pub(crate) fn prefetch_start(bytes: &[u8]) {
    if let Some(first) = bytes.first() {
        prefetch(first);
    }
}
