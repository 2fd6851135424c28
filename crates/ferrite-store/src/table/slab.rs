//! Blocks for items: pages of blocks of one size, in steps of eight bytes, named by 32 bits.
//!
//! ```text
//! reference   31            11 10                0
//!             | page number   | unit of 8 bytes   |
//! ```
//!
//! A page is as large as the blocks of its size warrant, 16 KiB at most, so that a small table
//! stays small. A page that becomes empty is given back. Free blocks of a page form a list: the
//! first two bytes of each hold the unit of the next.

/// Bytes of a unit: sizes are rounded up to it.
const UNIT: usize = 8;

/// The largest page.
const PAGE_MAX: usize = 16 << 10;

/// The smallest page, where one block fits.
const PAGE_MIN: usize = 512;

/// The largest block.
pub(super) const BLOCK_MAX: usize = 1024;

const UNIT_BITS: u32 = (PAGE_MAX / UNIT).trailing_zeros();
const UNIT_MASK: u32 = (1 << UNIT_BITS) - 1;
const PAGES_MAX: usize = 1 << (32 - UNIT_BITS);

/// The end of a list of free blocks: no block begins here, since the smallest has two units.
const NONE: u16 = u16::MAX;

/// A new page has at most this fraction of what the size class has already.
const GROWTH_DIVISOR: usize = 32;

#[derive(Debug, Default)]
pub(super) struct Slab {
    pages: Vec<Page>,
    /// Numbers of pages that were given back.
    spare: Vec<u32>,
    /// By units of the block size.
    classes: Vec<Class>,
    memory: usize,
}

#[derive(Debug, Default, Clone)]
struct Class {
    /// Pages that have a free block.
    partial: Vec<u32>,
    /// Bytes of all pages of this size.
    bytes: usize,
}

#[derive(Debug)]
struct Page {
    bytes: Box<[u8]>,
    /// Block size, in units.
    units: u16,
    /// Blocks in use.
    used: u16,
    /// First block of the free list.
    free: u16,
    /// First unit never used.
    fresh: u16,
    /// Index in the class's list of partial pages, if there.
    partial: u32,
}

impl Page {
    fn is_full(&self) -> bool {
        let end = (usize::from(self.fresh) + usize::from(self.units)) * UNIT;
        self.free == NONE && end > self.bytes.len()
    }
}

impl Slab {
    /// Bytes of all pages and of their table.
    pub(super) fn memory(&self) -> usize {
        self.memory + self.pages.capacity() * size_of::<Page>()
    }

    /// The bytes that a block for so many bytes takes.
    pub(super) fn block_size(len: usize) -> usize {
        len.next_multiple_of(UNIT)
    }

    pub(super) fn block(&self, block: u32) -> &[u8] {
        let page = &self.pages[(block >> UNIT_BITS) as usize];
        let start = (block & UNIT_MASK) as usize * UNIT;
        &page.bytes[start..start + usize::from(page.units) * UNIT]
    }

    pub(super) fn block_mut(&mut self, block: u32) -> &mut [u8] {
        let page = &mut self.pages[(block >> UNIT_BITS) as usize];
        let start = (block & UNIT_MASK) as usize * UNIT;
        &mut page.bytes[start..start + usize::from(page.units) * UNIT]
    }

    /// A block of at least so many bytes, with whatever was in it.
    pub(super) fn allocate(&mut self, len: usize) -> u32 {
        assert!(len <= BLOCK_MAX, "an item is larger than a block");
        let units = len.div_ceil(UNIT);
        if self.classes.len() <= units {
            self.classes.resize(units + 1, Class::default());
        }
        let number = match self.classes[units].partial.last() {
            Some(&number) => number,
            None => self.add_page(units),
        };
        let page = &mut self.pages[number as usize];
        let unit = if page.free == NONE {
            let unit = page.fresh;
            page.fresh += page.units;
            unit
        } else {
            let unit = page.free;
            let at = usize::from(unit) * UNIT;
            page.free = u16::from_le_bytes([page.bytes[at], page.bytes[at + 1]]);
            unit
        };
        page.used += 1;
        if page.is_full() {
            self.leave_partial(number);
        }
        number << UNIT_BITS | u32::from(unit)
    }

    /// Gives a block back.
    pub(super) fn free(&mut self, block: u32) {
        let number = block >> UNIT_BITS;
        let page = &mut self.pages[number as usize];
        let was_full = page.is_full();
        let at = (block & UNIT_MASK) as usize * UNIT;
        page.bytes[at..at + 2].copy_from_slice(&page.free.to_le_bytes());
        page.free = (block & UNIT_MASK) as u16;
        page.used -= 1;
        if was_full {
            let class = &mut self.classes[usize::from(page.units)];
            page.partial = class.partial.len() as u32;
            class.partial.push(number);
        }
        if page.used == 0 {
            self.leave_partial(number);
            let page = &mut self.pages[number as usize];
            self.memory -= page.bytes.len();
            self.classes[usize::from(page.units)].bytes -= page.bytes.len();
            page.bytes = Box::default();
            self.spare.push(number);
        }
    }

    fn add_page(&mut self, units: usize) -> u32 {
        let class = &mut self.classes[units];
        let wanted = 1 << (class.bytes / GROWTH_DIVISOR).max(1).ilog2();
        let len = wanted.clamp(PAGE_MIN, PAGE_MAX).max(units * UNIT);
        class.bytes += len;
        self.memory += len;
        let page = Page {
            bytes: vec![0; len].into(),
            units: units as u16,
            used: 0,
            free: NONE,
            fresh: 0,
            partial: class.partial.len() as u32,
        };
        let number = match self.spare.pop() {
            Some(number) => {
                self.pages[number as usize] = page;
                number
            }
            None => {
                assert!(self.pages.len() < PAGES_MAX, "the table has reached its limit");
                self.pages.push(page);
                (self.pages.len() - 1) as u32
            }
        };
        class.partial.push(number);
        number
    }

    fn leave_partial(&mut self, number: u32) {
        let page = &self.pages[number as usize];
        let class = &mut self.classes[usize::from(page.units)];
        let index = page.partial as usize;
        class.partial.swap_remove(index);
        if let Some(&moved) = class.partial.get(index) {
            self.pages[moved as usize].partial = index as u32;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn blocks_do_not_overlap_and_pages_are_given_back(
            steps in prop::collection::vec((9usize..BLOCK_MAX, any::<u16>()), 1..600),
        ) {
            let mut slab = Slab::default();
            let mut blocks: Vec<(u32, usize, u8)> = Vec::new();
            for (len, pick) in steps {
                // A third are given back while there are any.
                if pick % 3 == 0 && !blocks.is_empty() {
                    let (block, len, mark) = blocks.swap_remove(usize::from(pick) % blocks.len());
                    prop_assert!(slab.block(block)[..len].iter().all(|&byte| byte == mark));
                    slab.free(block);
                    continue;
                }
                let len = if pick % 2 == 0 { len % 64 + 9 } else { len };
                let block = slab.allocate(len);
                slab.block_mut(block)[..len].fill(pick as u8);
                blocks.push((block, len, pick as u8));
            }
            for (block, len, mark) in blocks {
                prop_assert!(slab.block(block)[..len].iter().all(|&byte| byte == mark));
                slab.free(block);
            }
            prop_assert_eq!(slab.memory, 0);
        }
    }
}
