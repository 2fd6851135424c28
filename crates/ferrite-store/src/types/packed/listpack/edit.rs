//! Changing a listpack: all changes are one splice of its bytes.

use super::entry::{Draft, END, whole_len};
use super::{At, Element, HEADER, Listpack, UNKNOWN_COUNT};

impl Listpack {
    /// Appends a string.
    #[inline]
    pub fn push(&mut self, bytes: &[u8]) {
        self.append_draft(Draft::new(bytes));
    }

    /// Appends an integer.
    #[inline]
    pub fn push_int(&mut self, value: i64) {
        self.append_draft(Draft::of_int(value));
    }

    /// Appends an element of another listpack.
    pub fn push_element(&mut self, element: Element<'_>) {
        self.append_draft(Draft::of(element));
    }

    fn append_draft(&mut self, draft: Draft<'_>) {
        let end = self.bytes.len() - 1;
        self.splice(end, 0, Some(draft));
        self.count(1);
    }

    /// Puts a string in front of all.
    pub fn push_front(&mut self, bytes: &[u8]) {
        self.splice(HEADER, 0, Some(Draft::new(bytes)));
        self.count(1);
    }

    /// Puts a string in front of an element. `at` is then that of the string.
    pub fn insert_before(&mut self, at: At, bytes: &[u8]) {
        self.splice(at.0, 0, Some(Draft::new(bytes)));
        self.count(1);
    }

    /// Puts an integer in front of an element. `at` is then that of the integer.
    pub fn insert_int_before(&mut self, at: At, value: i64) {
        self.splice(at.0, 0, Some(Draft::of_int(value)));
        self.count(1);
    }

    /// Puts a string behind an element, and tells where it is. `at` stays valid.
    pub fn insert_after(&mut self, at: At, bytes: &[u8]) -> At {
        let offset = at.0 + whole_len(&self.bytes[at.0..]);
        self.splice(offset, 0, Some(Draft::new(bytes)));
        self.count(1);
        At(offset)
    }

    /// Puts a string in the place of an element. `at` stays valid.
    pub fn replace(&mut self, at: At, bytes: &[u8]) {
        let old = whole_len(&self.bytes[at.0..]);
        self.splice(at.0, old, Some(Draft::new(bytes)));
    }

    /// Puts an integer in the place of an element. `at` stays valid.
    pub fn replace_int(&mut self, at: At, value: i64) {
        let old = whole_len(&self.bytes[at.0..]);
        self.splice(at.0, old, Some(Draft::of_int(value)));
    }

    /// Removes elements from one on; fewer when there are fewer. `at` is then that of the element
    /// behind them, which is returned if there is one.
    pub fn remove(&mut self, at: At, count: usize) -> Option<At> {
        let end = self.bytes.len() - 1;
        let mut behind = at.0;
        let mut removed = 0;
        while removed < count && behind < end {
            behind += whole_len(&self.bytes[behind..]);
            removed += 1;
        }
        self.splice(at.0, behind - at.0, None);
        self.count(-(removed as i64));
        self.at(at.0)
    }

    /// Appends all elements of another.
    pub fn append(&mut self, other: &Self) {
        let added = other.len();
        self.bytes.pop();
        self.bytes.extend_from_slice(&other.bytes[HEADER..]);
        self.write_total();
        self.count(added as i64);
    }

    /// Takes the elements from one on away into a listpack of their own.
    #[must_use]
    pub fn split_off(&mut self, at: At) -> Self {
        let count = self.len();
        let mut tail = Self::with_capacity(self.bytes.len() - 1 - at.0);
        tail.bytes.pop();
        tail.bytes.extend_from_slice(&self.bytes[at.0..]);
        tail.write_total();
        let moved = tail.iter().count();
        tail.count(moved as i64);
        self.bytes.truncate(at.0);
        self.bytes.push(END);
        self.bytes.shrink_to_fit();
        self.write_total();
        self.write_count(count - moved);
        tail
    }

    /// Gives back memory that is not used.
    pub fn shrink(&mut self) {
        self.bytes.shrink_to_fit();
    }

    /// Puts the draft in the place of `old` bytes.
    fn splice(&mut self, at: usize, old: usize, draft: Option<Draft<'_>>) {
        let new = draft.as_ref().map_or(0, Draft::len);
        let len = self.bytes.len();
        if new > old {
            self.reserve(new - old);
            self.bytes.resize(len + new - old, 0);
            self.bytes.copy_within(at + old..len, at + new);
        } else if new < old {
            self.bytes.copy_within(at + old..len, at + new);
            self.bytes.truncate(len + new - old);
            self.release();
        }
        if let Some(draft) = draft {
            draft.write(&mut self.bytes[at..at + new]);
        }
        self.write_total();
    }

    /// Makes room for more bytes, and for an eighth of what is there, so that appending stays
    /// linear but little is wasted.
    fn reserve(&mut self, more: usize) {
        if self.bytes.capacity() - self.bytes.len() < more {
            self.bytes.reserve_exact(more + self.bytes.len() / 8);
        }
    }

    /// Gives memory back once less than half of it is used.
    fn release(&mut self) {
        if self.bytes.capacity() > 64 && self.bytes.len() < self.bytes.capacity() / 2 {
            self.bytes.shrink_to(self.bytes.len() + self.bytes.len() / 8);
        }
    }

    fn write_total(&mut self) {
        let total = (self.bytes.len() as u32).to_le_bytes();
        self.bytes[..4].copy_from_slice(&total);
    }

    /// Counts elements added or removed. A listpack that had too many to say how many goes on
    /// not saying it.
    fn count(&mut self, change: i64) {
        let count = self.raw_count();
        if count != UNKNOWN_COUNT {
            self.write_count((i64::from(count) + change).max(0) as usize);
        } else if self.is_empty() {
            self.write_count(0);
        }
    }

    fn write_count(&mut self, count: usize) {
        let count = u16::try_from(count).unwrap_or(UNKNOWN_COUNT).to_le_bytes();
        self.bytes[4..HEADER].copy_from_slice(&count);
    }
}
