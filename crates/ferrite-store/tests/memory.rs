//! The counting allocator: exact over threads, for what is allocated, grown and freed.

use std::alloc::System;
use std::thread;

use ferrite_store::memory::{Counting, allocated};

#[global_allocator]
static ALLOCATOR: Counting<System> = Counting::new(System);

#[test]
fn what_other_threads_allocate_and_free_is_counted() {
    const THREADS: usize = 200;
    const BYTES: usize = 1 << 16;
    let before = allocated();
    // More threads than have a counter of their own; what each allocates, this one frees.
    let blocks: Vec<Vec<u8>> = (0..THREADS)
        .map(|_| {
            let thread = thread::spawn(|| {
                let mut block = vec![1u8; BYTES / 4];
                block.reserve_exact(BYTES - block.len());
                block
            });
            thread.join().unwrap_or_default()
        })
        .collect();
    let during = allocated();
    drop(blocks);
    let after = allocated();
    assert!(during - before >= THREADS * BYTES, "{before} and {during}");
    assert!(during - before < THREADS * (BYTES + 4096), "{before} and {during}");
    assert!(after < before + BYTES, "{before} and {after}");
}
