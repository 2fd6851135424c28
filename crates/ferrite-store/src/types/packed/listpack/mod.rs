//! Listpacks that are changed in place: strings and integers in one blob, the bytes those Redis
//! writes.
//!
//! ```text
//! total bytes (4, LE) | count (2, LE; 65535 = more, count them) | entry ... | 0xff
//! ```
//!
//! A string is kept as an integer when formatting the integer gives the string again; so equal
//! values have equal bytes, unless a foreign payload brought them in another form.

mod edit;
mod entry;
#[cfg(test)]
mod tests;

use entry::{Draft, END, body_len, whole_len, whole_len_before};
use ferrite_rdb::ErrorKind;
use ferrite_rdb::encode::integer;
pub use ferrite_rdb::packed::Element;
use ferrite_rdb::packed::listpack;

const HEADER: usize = 6;
/// The count of a listpack with too many elements to say how many.
const UNKNOWN_COUNT: u16 = u16::MAX;

/// Where an element stands in a listpack: valid until the listpack is changed, unless the method
/// that changes it says otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct At(usize);

/// A listpack.
#[derive(Clone, PartialEq, Eq)]
pub struct Listpack {
    bytes: Vec<u8>,
}

impl Default for Listpack {
    fn default() -> Self {
        Self::new()
    }
}

impl Listpack {
    /// An empty listpack.
    #[must_use]
    pub fn new() -> Self {
        Self::with_capacity(0)
    }

    /// An empty listpack with room for so many bytes of entries.
    #[must_use]
    pub fn with_capacity(bytes: usize) -> Self {
        let mut blob = Vec::with_capacity(HEADER + 1 + bytes);
        blob.extend_from_slice(&[HEADER as u8 + 1, 0, 0, 0, 0, 0, END]);
        Self { bytes: blob }
    }

    /// Takes a listpack out of a file or payload, with every entry checked. Lengths for walking
    /// backwards are written anew where they are not as we write them: Valkey 9.1 has a shorter
    /// form of some.
    ///
    /// # Errors
    /// [`ErrorKind::Malformed`] when it cannot be read to its end or does not have as many
    /// elements as it says.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, ErrorKind> {
        let mut seen: u32 = 0;
        let mut elements = listpack::iter(&bytes)?;
        for element in elements.by_ref() {
            element?;
            seen = seen.saturating_add(1);
        }
        let taken = Self { bytes };
        if taken.is_canonical(seen) {
            return Ok(taken);
        }
        let mut rebuilt = Self::with_capacity(taken.bytes.len());
        for element in listpack::iter(&taken.bytes)? {
            rebuilt.push_element(element?);
        }
        Ok(rebuilt)
    }

    /// Whether all lengths for walking backwards are in the form of [`entry`], and the count is
    /// said if it can be. The entries have been read forward already.
    fn is_canonical(&self, count: u32) -> bool {
        let end = self.bytes.len() - 1;
        let mut at = HEADER;
        while at < end {
            let next = at + whole_len(&self.bytes[at..]);
            if next > end || whole_len_before(&self.bytes[..next]) != next - at {
                return false;
            }
            at = next;
        }
        at == end && (count >= u32::from(UNKNOWN_COUNT) || u32::from(self.raw_count()) == count)
    }

    /// The bytes, as they stand in RDB files.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The bytes, as they stand in RDB files.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// How many bytes it takes, header and end included: what the limits of Redis count.
    #[must_use]
    pub fn byte_len(&self) -> usize {
        self.bytes.len()
    }

    /// Bytes of heap it holds.
    #[must_use]
    pub fn memory(&self) -> usize {
        self.bytes.capacity()
    }

    /// How many elements it has. Has to walk above 65,534 of them.
    #[must_use]
    pub fn len(&self) -> usize {
        match self.raw_count() {
            UNKNOWN_COUNT => self.iter().count(),
            count => usize::from(count),
        }
    }

    /// Whether it has no elements.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.len() == HEADER + 1
    }

    fn raw_count(&self) -> u16 {
        u16::from_le_bytes([self.bytes[4], self.bytes[5]])
    }

    /// The first element.
    #[must_use]
    pub fn first(&self) -> Option<At> {
        self.at(HEADER)
    }

    /// The last element.
    #[must_use]
    pub fn last(&self) -> Option<At> {
        self.before(self.bytes.len() - 1)
    }

    /// The element behind.
    #[inline]
    #[must_use]
    pub fn next(&self, at: At) -> Option<At> {
        self.at(at.0 + whole_len(&self.bytes[at.0..]))
    }

    /// The element in front.
    #[must_use]
    pub fn prev(&self, at: At) -> Option<At> {
        self.before(at.0)
    }

    #[inline]
    fn at(&self, offset: usize) -> Option<At> {
        (offset < self.bytes.len() - 1).then_some(At(offset))
    }

    fn before(&self, offset: usize) -> Option<At> {
        (offset > HEADER).then(|| At(offset - whole_len_before(&self.bytes[HEADER..offset])))
    }

    /// What stands there.
    #[inline]
    #[must_use]
    pub fn get(&self, at: At) -> Element<'_> {
        entry::read(&self.bytes[at.0..])
    }

    /// The element with an index, negative ones counted from the end; walks from the nearer end.
    #[must_use]
    pub fn seek(&self, index: i64) -> Option<At> {
        let len = self.raw_count();
        let (from_end, steps) = match (index, len) {
            (0.., UNKNOWN_COUNT) => (false, index),
            (0.., _) if index >= i64::from(len) => return None,
            (0.., _) if index < i64::from(len) / 2 => (false, index),
            (0.., _) => (true, i64::from(len) - 1 - index),
            (_, UNKNOWN_COUNT) => (true, -1 - index),
            _ if -index > i64::from(len) => return None,
            _ if -index > i64::from(len) / 2 => (false, i64::from(len) + index),
            _ => (true, -1 - index),
        };
        let (mut at, step): (_, fn(&Self, At) -> Option<At>) =
            if from_end { (self.last()?, Self::prev) } else { (self.first()?, Self::next) };
        for _ in 0..steps {
            at = step(self, at)?;
        }
        Some(at)
    }

    /// The first element from `from` on that equals the bytes, of which only every `1 + skip`th
    /// is looked at: with a `skip` of 1 the names of name and value pairs.
    #[must_use]
    pub fn find(&self, from: Option<At>, wanted: &[u8], skip: usize) -> Option<At> {
        let wanted = Wanted::new(wanted);
        let mut at = from?;
        loop {
            if wanted.is_at(&self.bytes[at.0..]) {
                return Some(at);
            }
            for _ in 0..=skip {
                at = self.next(at)?;
            }
        }
    }

    /// Whether the element there equals the bytes.
    #[must_use]
    pub fn is_equal(&self, at: At, wanted: &[u8]) -> bool {
        Wanted::new(wanted).is_at(&self.bytes[at.0..])
    }

    /// All elements, in order.
    #[must_use]
    pub fn iter(&self) -> Iter<'_> {
        self.iter_from(self.first())
    }

    /// The elements from one on.
    #[must_use]
    pub fn iter_from(&self, from: Option<At>) -> Iter<'_> {
        let end = self.bytes.len() - 1;
        Iter { rest: &self.bytes[from.map_or(end, |at| at.0)..end] }
    }

    /// Bytes an element of these bytes takes.
    #[must_use]
    pub fn entry_len(bytes: &[u8]) -> usize {
        Draft::new(bytes).len()
    }
}

/// A value that is looked for.
struct Wanted<'a> {
    bytes: &'a [u8],
    int: Option<i64>,
}

impl<'a> Wanted<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, int: integer(bytes) }
    }

    /// Whether the entry at the front is it; a string is compared only when its length fits.
    #[inline]
    fn is_at(&self, entry: &[u8]) -> bool {
        let (head, body) = match entry[0] {
            0x80..0xc0 => (1, body_len(entry)),
            0xe0..0xf0 => (2, body_len(entry)),
            0xf0 => (5, body_len(entry)),
            _ => return self.int.is_some_and(|int| entry::read(entry) == Element::Int(int)),
        };
        body - head == self.bytes.len() && &entry[head..body] == self.bytes
    }
}

/// An iterator over the elements of a listpack.
#[derive(Clone, Debug)]
pub struct Iter<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Iter<'a> {
    type Item = Element<'a>;

    #[inline]
    fn next(&mut self) -> Option<Element<'a>> {
        if self.rest.is_empty() {
            return None;
        }
        let element = entry::read(self.rest);
        self.rest = &self.rest[whole_len(self.rest)..];
        Some(element)
    }
}

impl DoubleEndedIterator for Iter<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let (rest, last) = self.rest.split_at(self.rest.len() - whole_len_before(self.rest));
        self.rest = rest;
        Some(entry::read(last))
    }
}

impl<'a> IntoIterator for &'a Listpack {
    type Item = Element<'a>;
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

impl std::fmt::Debug for Listpack {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self).finish()
    }
}
