//! Counts what the process has allocated: a wrapper around the allocator that the binary chooses.
//!
//! ```ignore
//! #[global_allocator]
//! static ALLOCATOR: Counting<System> = Counting::new(System);
//! ```
//!
//! Each of the first threads has a counter of its own, so that counting costs no shared cache line;
//! they are added up when somebody asks.

#![allow(unsafe_code, reason = "the interface of a global allocator is unsafe")]

use std::alloc::{GlobalAlloc, Layout};
use std::cell::Cell;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

/// Threads that have a counter of their own; the others share the last one.
const COUNTERS: usize = 128;
const SHARED: usize = COUNTERS - 1;
const UNSET: usize = usize::MAX;

/// A counter in a cache line pair of its own.
#[repr(align(128))]
struct Counter(AtomicI64);

static ALLOCATED: [Counter; COUNTERS] = [const { Counter(AtomicI64::new(0)) }; COUNTERS];
static NEXT: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static MINE: Cell<usize> = const { Cell::new(UNSET) };
}

/// The bytes that are allocated now. Zero unless the binary has installed [`Counting`].
#[must_use]
pub fn allocated() -> usize {
    let sum: i64 = ALLOCATED.iter().map(|counter| counter.0.load(Ordering::Relaxed)).sum();
    usize::try_from(sum).unwrap_or(0)
}

fn count(bytes: i64) {
    // A thread that is ending may free things after its own variables are gone.
    let mine = MINE.try_with(|mine| {
        if mine.get() == UNSET {
            mine.set(NEXT.fetch_add(1, Ordering::Relaxed).min(SHARED));
        }
        mine.get()
    });
    let mine = mine.unwrap_or(SHARED);
    let counter = &ALLOCATED[mine].0;
    if mine == SHARED {
        counter.fetch_add(bytes, Ordering::Relaxed);
    } else {
        // Nobody else writes here.
        counter.store(counter.load(Ordering::Relaxed) + bytes, Ordering::Relaxed);
    }
}

/// An allocator that counts and leaves the work to another.
#[derive(Debug)]
pub struct Counting<A>(A);

impl<A> Counting<A> {
    /// Counts what goes through `allocator`.
    pub const fn new(allocator: A) -> Self {
        Self(allocator)
    }
}

// SAFETY: every call goes to the inner allocator unchanged, and counting does not allocate: the
// thread's variable is a plain cell without a destructor.
unsafe impl<A: GlobalAlloc> GlobalAlloc for Counting<A> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps the promises of `alloc`.
        let block = unsafe { self.0.alloc(layout) };
        if !block.is_null() {
            count(layout.size() as i64);
        }
        block
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps the promises of `alloc_zeroed`.
        let block = unsafe { self.0.alloc_zeroed(layout) };
        if !block.is_null() {
            count(layout.size() as i64);
        }
        block
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the promises of `dealloc`.
        unsafe { self.0.dealloc(block, layout) };
        count(-(layout.size() as i64));
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller keeps the promises of `realloc`.
        let moved = unsafe { self.0.realloc(block, layout, size) };
        if !moved.is_null() {
            count(size as i64 - layout.size() as i64);
        }
        moved
    }
}
