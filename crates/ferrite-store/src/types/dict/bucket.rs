//! A bucket of the dictionary: a few items and eight bits of the hash of each, in one block.
//!
//! ```text
//! item 0 | item 1 | ... (capacity) | tag 0 | tag 1 | ... (capacity)
//! ```
#![allow(unsafe_code, reason = "two growing arrays in one allocation")]

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::marker::PhantomData;
use std::ptr::NonNull;

/// Blocks grow by so many places at a time.
const STEP: u32 = 4;

pub(super) struct Bucket<T> {
    /// Dangling as long as the capacity is 0.
    items: NonNull<T>,
    len: u32,
    capacity: u32,
    owned: PhantomData<T>,
}

// SAFETY: a bucket owns its items as a vector does.
unsafe impl<T: Send> Send for Bucket<T> {}
// SAFETY: a bucket shares its items as a vector does.
unsafe impl<T: Sync> Sync for Bucket<T> {}

impl<T> Bucket<T> {
    pub(super) const fn new() -> Self {
        Self { items: NonNull::dangling(), len: 0, capacity: 0, owned: PhantomData }
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.len as usize
    }

    #[inline]
    pub(super) fn items(&self) -> &[T] {
        // SAFETY: the first `len` items are initialised; with a capacity of 0 `len` is 0.
        unsafe { std::slice::from_raw_parts(self.items.as_ptr(), self.len()) }
    }

    pub(super) fn items_mut(&mut self) -> &mut [T] {
        // SAFETY: as in `items`, borrowed exclusively.
        unsafe { std::slice::from_raw_parts_mut(self.items.as_ptr(), self.len()) }
    }

    #[inline]
    pub(super) fn tags(&self) -> &[u8] {
        // SAFETY: `len` tags behind `capacity` places for items are initialised; with a capacity
        // of 0 the pointer is dangling and the slice empty.
        unsafe {
            let tags = self.items.as_ptr().add(self.capacity as usize).cast::<u8>();
            std::slice::from_raw_parts(tags, self.len())
        }
    }

    /// Where the first item is that has the tag and is the one wanted.
    #[inline]
    pub(super) fn position(&self, tag: u8, mut is_it: impl FnMut(&T) -> bool) -> Option<usize> {
        let items = self.items();
        self.tags().iter().zip(items).position(|(&other, item)| other == tag && is_it(item))
    }

    pub(super) fn push(&mut self, tag: u8, item: T) {
        if self.len == self.capacity {
            self.resize(self.capacity + STEP);
        }
        let at = self.len();
        // SAFETY: `at` is below the capacity, so both places are inside the block.
        unsafe {
            self.items.add(at).write(item);
            self.tag_place(at).write(tag);
        }
        self.len += 1;
    }

    /// Takes an item out, the last one moving to its place.
    pub(super) fn swap_remove(&mut self, at: usize) -> T {
        let last = self.len() - 1;
        assert!(at <= last, "a position that this bucket gave");
        // SAFETY: `at` and `last` are initialised places; the item at `at` is moved out once, and
        // the last one, moved over it, is no longer counted.
        let item = unsafe {
            let item = self.items.add(at).read();
            if at != last {
                self.items.add(at).write(self.items.add(last).read());
                self.tag_place(at).write(self.tag_place(last).read());
            }
            item
        };
        self.len -= 1;
        if self.len + 2 * STEP <= self.capacity {
            self.resize(self.len.next_multiple_of(STEP));
        }
        item
    }

    /// Bytes of its block.
    pub(super) fn memory(&self) -> usize {
        if self.capacity == 0 { 0 } else { layout::<T>(self.capacity).size() }
    }

    /// The place of a tag. `at` has to be below the capacity.
    unsafe fn tag_place(&self, at: usize) -> NonNull<u8> {
        // SAFETY: the tags stand behind the places for items, one byte each, in the same block.
        unsafe { self.items.add(self.capacity as usize).cast::<u8>().add(at) }
    }

    /// Moves to a block of another capacity, not below the length.
    fn resize(&mut self, capacity: u32) {
        let mut moved = Self::new();
        if capacity > 0 {
            let layout = layout::<T>(capacity);
            // SAFETY: the layout is not empty: there are at least the tags.
            let block = unsafe { alloc(layout) };
            let Some(block) = NonNull::new(block.cast::<T>()) else { handle_alloc_error(layout) };
            moved.items = block;
            moved.capacity = capacity;
            if self.capacity > 0 {
                // SAFETY: both blocks hold `len` items and tags; they are different blocks. The
                // items are counted in the new one only.
                unsafe {
                    let len = self.len();
                    moved.items.copy_from_nonoverlapping(self.items, len);
                    moved.tag_place(0).copy_from_nonoverlapping(self.tag_place(0), len);
                }
            }
        }
        moved.len = std::mem::take(&mut self.len);
        *self = moved;
    }
}

fn layout<T>(capacity: u32) -> Layout {
    let bytes = capacity as usize * (size_of::<T>() + 1);
    // A capacity is at most what 2^32 items need, so the size fits `isize` by far.
    #[expect(clippy::expect_used, reason = "cannot overflow, see above")]
    Layout::from_size_align(bytes, align_of::<T>()).expect("a block below isize::MAX")
}

impl<T> Drop for Bucket<T> {
    fn drop(&mut self) {
        if self.capacity == 0 {
            return;
        }
        // SAFETY: the first `len` items are initialised and dropped once; the block was allocated
        // with this layout.
        unsafe {
            std::ptr::drop_in_place(self.items_mut());
            dealloc(self.items.as_ptr().cast(), layout::<T>(self.capacity));
        }
    }
}

impl<T: Clone> Clone for Bucket<T> {
    fn clone(&self) -> Self {
        let mut copy = Self::new();
        if self.capacity > 0 {
            copy.resize(self.len.next_multiple_of(STEP));
        }
        for (&tag, item) in self.tags().iter().zip(self.items()) {
            copy.push(tag, item.clone());
        }
        copy
    }
}
