//! Where the members of a large sorted set live: records in pages, each found by a 32-bit handle.
//!
//! ```text
//! record   next handle of its bucket (4) | score (8) | length (2) | member
//! handle   0 | page (21 bits) | slot (10 bits)         members up to 498 bytes
//!          1 | number (31 bits)                        longer ones, each its own allocation
//! ```
//!
//! A page holds records of one size, a multiple of four bytes, and is given back when the last of
//! them goes. A free slot's first two bytes name the next free slot of its page.

/// Bytes of a page when it is full, at most.
const PAGE_BYTES: usize = 16 << 10;
const SLOT_BITS: u32 = 10;
const MAX_SLOTS: usize = 1 << SLOT_BITS;
const MAX_PAGES: usize = 1 << (31 - SLOT_BITS);
const GRAIN: usize = 4;
const HEADER: usize = 14;
/// Records above this many bytes are allocated one by one.
const MAX_RECORD: usize = 512;
const LARGE: u32 = 1 << 31;
const NO_SLOT: u16 = u16::MAX;

/// A record's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::types::sorted_set) struct Handle(pub(in crate::types::sorted_set) u32);

impl Handle {
    /// No record.
    pub(in crate::types::sorted_set) const NONE: Self = Self(u32::MAX);

    fn slot(self) -> usize {
        self.0 as usize & (MAX_SLOTS - 1)
    }

    fn page(self) -> usize {
        (self.0 >> SLOT_BITS) as usize
    }

    fn large(self) -> Option<usize> {
        (self.0 & LARGE != 0).then_some((self.0 & !LARGE) as usize)
    }
}

#[derive(Clone, Debug)]
struct Page {
    /// Bytes of a record.
    size: usize,
    used: usize,
    first_free: u16,
    /// Where it stands among the open pages of its size, if it has room.
    open_at: Option<u32>,
    bytes: Vec<u8>,
}

impl Page {
    fn slots(size: usize) -> usize {
        (PAGE_BYTES / size).min(MAX_SLOTS)
    }

    fn has_room(&self) -> bool {
        self.used < Self::slots(self.size)
    }

    /// A slot to write to; the page has room.
    fn take(&mut self) -> usize {
        self.used += 1;
        if self.first_free != NO_SLOT {
            let slot = usize::from(self.first_free);
            let at = slot * self.size;
            self.first_free = u16::from_le_bytes([self.bytes[at], self.bytes[at + 1]]);
            return slot;
        }
        let len = self.bytes.len();
        if len + self.size > self.bytes.capacity() {
            // Doubling, but never beyond what a full page needs.
            let full = Self::slots(self.size) * self.size;
            self.bytes.reserve_exact(len.max(4 * self.size).min(full - len));
        }
        self.bytes.resize(len + self.size, 0);
        len / self.size
    }

    fn give(&mut self, slot: usize) {
        self.used -= 1;
        let at = slot * self.size;
        self.bytes[at..at + 2].copy_from_slice(&self.first_free.to_le_bytes());
        self.first_free = slot as u16;
    }

    fn record(&self, slot: usize) -> &[u8] {
        &self.bytes[slot * self.size..(slot + 1) * self.size]
    }

    fn record_mut(&mut self, slot: usize) -> &mut [u8] {
        &mut self.bytes[slot * self.size..(slot + 1) * self.size]
    }
}

#[derive(Clone, Debug)]
struct LargeRecord {
    next: Handle,
    score: f64,
    member: Box<[u8]>,
}

/// All records of a set.
#[derive(Clone, Debug, Default)]
pub(in crate::types::sorted_set) struct Slab {
    pages: Vec<Page>,
    /// Pages without records, to be used for any size.
    vacant: Vec<u32>,
    /// Pages with room, by size of record in grains.
    open: Vec<Vec<u32>>,
    large: Vec<Option<LargeRecord>>,
    vacant_large: Vec<u32>,
    large_bytes: usize,
}

impl Slab {
    /// Stores a member.
    pub(in crate::types::sorted_set) fn insert(
        &mut self,
        next: Handle,
        score: f64,
        member: &[u8],
    ) -> Handle {
        let size = (HEADER + member.len()).next_multiple_of(GRAIN);
        let page = if size <= MAX_RECORD { self.open_page(size) } else { None };
        let Some(page) = page else { return self.insert_large(next, score, member) };
        let slot = self.pages[page].take();
        let record = self.pages[page].record_mut(slot);
        record[..4].copy_from_slice(&next.0.to_le_bytes());
        record[4..12].copy_from_slice(&score.to_le_bytes());
        record[12..HEADER].copy_from_slice(&(member.len() as u16).to_le_bytes());
        record[HEADER..HEADER + member.len()].copy_from_slice(member);
        if !self.pages[page].has_room() {
            self.close(page);
        }
        Handle((page << SLOT_BITS | slot) as u32)
    }

    /// A page with room for a record of that size; `None` when there are as many pages as there
    /// can be.
    fn open_page(&mut self, size: usize) -> Option<usize> {
        let class = size / GRAIN;
        if self.open.len() <= class {
            self.open.resize_with(class + 1, Vec::new);
        }
        if let Some(&page) = self.open[class].last() {
            return Some(page as usize);
        }
        let open_at = Some(0);
        let page = Page { size, used: 0, first_free: NO_SLOT, open_at, bytes: Vec::new() };
        let at = match self.vacant.pop() {
            Some(at) => {
                self.pages[at as usize] = page;
                at
            }
            None if self.pages.len() == MAX_PAGES => return None,
            None => {
                self.pages.push(page);
                (self.pages.len() - 1) as u32
            }
        };
        self.open[class].push(at);
        Some(at as usize)
    }

    /// Takes a page off the list of those with room.
    fn close(&mut self, page: usize) {
        let Some(at) = self.pages[page].open_at.take() else { return };
        let open = &mut self.open[self.pages[page].size / GRAIN];
        open.swap_remove(at as usize);
        if let Some(&moved) = open.get(at as usize) {
            self.pages[moved as usize].open_at = Some(at);
        }
    }

    fn insert_large(&mut self, next: Handle, score: f64, member: &[u8]) -> Handle {
        let record = Some(LargeRecord { next, score, member: member.into() });
        self.large_bytes += member.len();
        let at = match self.vacant_large.pop() {
            Some(at) => {
                self.large[at as usize] = record;
                at
            }
            None => {
                self.large.push(record);
                (self.large.len() - 1) as u32
            }
        };
        Handle(LARGE | at)
    }

    /// Gives a record's memory back.
    pub(in crate::types::sorted_set) fn remove(&mut self, handle: Handle) {
        if let Some(at) = handle.large() {
            let record = self.large.get_mut(at).and_then(Option::take);
            self.large_bytes -= record.map_or(0, |record| record.member.len());
            self.vacant_large.push(at as u32);
            if self.vacant_large.len() == self.large.len() {
                (self.large, self.vacant_large) = (Vec::new(), Vec::new());
            }
            return;
        }
        let at = handle.page();
        self.pages[at].give(handle.slot());
        if self.pages[at].used == 0 {
            self.close(at);
            self.pages[at].bytes = Vec::new();
            return self.vacant.push(at as u32);
        }
        let page = &mut self.pages[at];
        if page.open_at.is_none() {
            let open = &mut self.open[page.size / GRAIN];
            page.open_at = Some(open.len() as u32);
            open.push(at as u32);
        }
    }

    fn large_record(&self, at: usize) -> Option<&LargeRecord> {
        self.large.get(at).and_then(Option::as_ref)
    }

    /// The member's bytes.
    #[inline]
    pub(in crate::types::sorted_set) fn member(&self, handle: Handle) -> &[u8] {
        if let Some(at) = handle.large() {
            return self.large_record(at).map_or(&[], |record| &record.member);
        }
        let record = self.pages[handle.page()].record(handle.slot());
        let len = usize::from(u16::from_le_bytes([record[12], record[13]]));
        &record[HEADER..HEADER + len]
    }

    /// The member's score.
    #[inline]
    pub(in crate::types::sorted_set) fn score(&self, handle: Handle) -> f64 {
        if let Some(at) = handle.large() {
            return self.large_record(at).map_or(0.0, |record| record.score);
        }
        let record = self.pages[handle.page()].record(handle.slot());
        record[4..].first_chunk().map_or(0.0, |score| f64::from_le_bytes(*score))
    }

    pub(in crate::types::sorted_set) fn set_score(&mut self, handle: Handle, score: f64) {
        match handle.large() {
            Some(at) => {
                if let Some(Some(record)) = self.large.get_mut(at) {
                    record.score = score;
                }
            }
            None => self.pages[handle.page()].record_mut(handle.slot())[4..12]
                .copy_from_slice(&score.to_le_bytes()),
        }
    }

    /// The next member of the same bucket.
    #[inline]
    pub(super) fn next(&self, handle: Handle) -> Handle {
        if let Some(at) = handle.large() {
            return self.large_record(at).map_or(Handle::NONE, |record| record.next);
        }
        let record = self.pages[handle.page()].record(handle.slot());
        record.first_chunk().map_or(Handle::NONE, |next| Handle(u32::from_le_bytes(*next)))
    }

    pub(super) fn set_next(&mut self, handle: Handle, next: Handle) {
        match handle.large() {
            Some(at) => {
                if let Some(Some(record)) = self.large.get_mut(at) {
                    record.next = next;
                }
            }
            None => self.pages[handle.page()].record_mut(handle.slot())[..4]
                .copy_from_slice(&next.0.to_le_bytes()),
        }
    }

    /// Bytes of all records and what leads to them.
    pub(super) fn memory(&self) -> usize {
        let pages: usize = self.pages.iter().map(|page| page.bytes.capacity()).sum();
        pages
            + self.pages.capacity() * size_of::<Page>()
            + self
                .open
                .iter()
                .map(|open| open.capacity() * 4 + size_of::<Vec<u32>>())
                .sum::<usize>()
            + self.large.capacity() * size_of::<Option<LargeRecord>>()
            + self.large_bytes
    }
}
