//! Transparent huge pages: a process that holds little takes 2 MiB at each thread's first allocation
//! with them; one that holds much finds its keys in half the time.

use std::sync::atomic::{AtomicBool, Ordering};

/// From how many bytes on they are used.
const FROM: u64 = 32 << 20;

/// Whether the kernel gives this process none.
static SPARED: AtomicBool = AtomicBool::new(false);

/// Has the kernel give this process no huge pages until it holds much. For the first lines of a
/// program: what is allocated before keeps its pages. Where the kernel refuses, all stays as it was.
pub fn spare() {
    if rustix::thread::disable_transparent_huge_pages(true).is_ok() {
        SPARED.store(true, Ordering::Relaxed);
    }
}

/// Huge pages from now on, if the process holds this many bytes, or is about to.
pub(crate) fn use_for(bytes: u64) {
    if bytes >= FROM && SPARED.swap(false, Ordering::Relaxed) {
        let allowed = rustix::thread::disable_transparent_huge_pages(false);
        if let Err(error) = allowed {
            tracing::warn!("the kernel gives no huge pages again: {error}");
        }
    }
}
