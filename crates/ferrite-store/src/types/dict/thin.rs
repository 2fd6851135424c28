//! Bytes on the heap behind a pointer of one word: what a dictionary of members holds.
//!
//! ```text
//! length (1; 255 = the 8 bytes that follow, LE) | bytes
//! ```
#![allow(unsafe_code, reason = "a slice whose length stands in front of it on the heap")]

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::ptr::NonNull;

/// Lengths from here on take nine bytes.
const LONG: u8 = u8::MAX;

/// Owned bytes that take one word where they are held.
pub struct ThinBytes {
    block: NonNull<u8>,
}

// SAFETY: the block is owned by this value alone and holds plain bytes.
unsafe impl Send for ThinBytes {}
// SAFETY: through a shared reference the block is only read.
unsafe impl Sync for ThinBytes {}

impl ThinBytes {
    /// Copies bytes.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Self {
        Self::concat(&[bytes])
    }

    /// Copies parts, one behind the other.
    #[must_use]
    pub fn concat(parts: &[&[u8]]) -> Self {
        let len: usize = parts.iter().map(|part| part.len()).sum();
        let header = header_len(len);
        let layout = block_layout(header + len);
        // SAFETY: the layout has at least the header byte.
        let block = unsafe { alloc(layout) };
        let Some(block) = NonNull::new(block) else { handle_alloc_error(layout) };
        // SAFETY: the block is `header + len` bytes long; the header and the parts, whose lengths
        // add up to `len`, are written one behind the other from its start, and the parts were
        // allocated before the block, so that they do not overlap it.
        unsafe {
            if header == 1 {
                block.write(len as u8);
            } else {
                block.write(LONG);
                block.add(1).cast::<[u8; 8]>().write((len as u64).to_le_bytes());
            }
            let mut to = block.as_ptr().add(header);
            for part in parts {
                to.copy_from_nonoverlapping(part.as_ptr(), part.len());
                to = to.add(part.len());
            }
        }
        Self { block }
    }

    /// Lengths of the header and of the bytes behind it.
    #[inline]
    fn lens(&self) -> (usize, usize) {
        // SAFETY: every block has at least one byte, and nine if the first says so.
        unsafe {
            match self.block.read() {
                LONG => {
                    (9, u64::from_le_bytes(self.block.add(1).cast::<[u8; 8]>().read()) as usize)
                }
                len => (1, usize::from(len)),
            }
        }
    }

    /// The bytes.
    #[inline]
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        let (header, len) = self.lens();
        // SAFETY: `concat` wrote so many bytes behind the header, and they live as long as `self`.
        unsafe { std::slice::from_raw_parts(self.block.as_ptr().add(header), len) }
    }

    /// The bytes, to change in place.
    #[must_use]
    pub fn as_mut_slice(&mut self) -> &mut [u8] {
        let (header, len) = self.lens();
        // SAFETY: as in `as_slice`; the block is owned and borrowed exclusively.
        unsafe { std::slice::from_raw_parts_mut(self.block.as_ptr().add(header), len) }
    }

    /// Bytes of heap it holds.
    #[must_use]
    pub fn memory(&self) -> usize {
        let (header, len) = self.lens();
        header + len
    }
}

const fn header_len(len: usize) -> usize {
    if len < LONG as usize { 1 } else { 9 }
}

fn block_layout(len: usize) -> Layout {
    // SAFETY: the alignment is 1, and no slice of Rust, nor several that are in memory at once,
    // is so long that nine bytes more exceed `isize::MAX`.
    unsafe { Layout::from_size_align_unchecked(len, 1) }
}

impl Drop for ThinBytes {
    fn drop(&mut self) {
        let (header, len) = self.lens();
        // SAFETY: the block was allocated with this very layout and is not used again.
        unsafe { dealloc(self.block.as_ptr(), block_layout(header + len)) };
    }
}

impl Clone for ThinBytes {
    fn clone(&self) -> Self {
        Self::new(self.as_slice())
    }
}

impl std::fmt::Debug for ThinBytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "\"{}\"", self.as_slice().escape_ascii())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_of_header() {
        for len in [0, 1, 254, 255, 256, 70_000] {
            let bytes: Vec<u8> = (0..len).map(|at| at as u8).collect();
            let mut thin = ThinBytes::concat(&[&bytes[..len / 2], &[], &bytes[len / 2..]]);
            assert_eq!(thin.as_slice(), bytes);
            assert_eq!(thin.clone().as_slice(), bytes);
            assert_eq!(thin.memory(), header_len(len) + len);
            if let Some(first) = thin.as_mut_slice().first_mut() {
                *first = 9;
                assert_eq!(thin.as_slice()[0], 9);
            }
        }
        assert_eq!(size_of::<Option<ThinBytes>>(), 8);
    }
}
