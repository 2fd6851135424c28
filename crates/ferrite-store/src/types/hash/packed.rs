//! The small encodings of hashes, which differ in how many elements a field is.
//!
//! ```text
//! listpack     name | value | ...
//! listpackex   name | value | expiry in ms, 0 for none | ...    the next to expire first, then
//!                                                               those that do not
//! ```

use super::super::packed::Element;
use super::super::packed::listpack::{At, Listpack};
use super::{Field, FieldExpiry};

/// The fields of a small hash.
#[derive(Clone, Debug, Default)]
pub(super) struct Packed {
    pub(super) listpack: Listpack,
    /// Whether fields have expiries.
    pub(super) expiring: bool,
}

impl Packed {
    /// Elements a field is.
    fn width(&self) -> usize {
        if self.expiring { 3 } else { 2 }
    }

    pub(super) fn len(&self) -> usize {
        self.listpack.len() / self.width()
    }

    fn find(&self, name: &[u8]) -> Option<At> {
        self.listpack.find(self.listpack.first(), name, self.width() - 1)
    }

    /// What belongs to the name there.
    fn field(&self, name: At) -> Option<(At, Field<'_>)> {
        let at = self.listpack.next(name)?;
        let value = self.listpack.get(at);
        let expires_at = self.expiry(at);
        Some((at, Field { value, expires_at }))
    }

    /// The expiry of the field whose value is there.
    fn expiry(&self, value: At) -> Option<u64> {
        if !self.expiring {
            return None;
        }
        as_expiry(self.listpack.get(self.listpack.next(value)?))
    }

    pub(super) fn get(&self, name: &[u8]) -> Option<Field<'_>> {
        self.field(self.find(name)?).map(|(_, field)| field)
    }

    /// The field with an index.
    pub(super) fn nth(&self, index: usize) -> Option<(Element<'_>, Field<'_>)> {
        let name = self.listpack.seek((index * self.width()) as i64)?;
        self.field(name).map(|(_, field)| (self.listpack.get(name), field))
    }

    pub(super) fn set(&mut self, name: &[u8], value: &[u8], expiry: FieldExpiry) -> bool {
        let Some(at) = self.find(name) else {
            self.insert(name, value, expiry.over(None));
            return true;
        };
        let Some((value_at, field)) = self.field(at) else { return false };
        let (before, after) = (field.expires_at, expiry.over(field.expires_at));
        if before == after {
            self.listpack.replace(value_at, value);
        } else {
            self.listpack.remove(at, self.width());
            self.insert(name, value, after);
        }
        false
    }

    /// Adds a field that is not there, at its place in the order.
    fn insert(&mut self, name: &[u8], value: &[u8], expires_at: Option<u64>) {
        if expires_at.is_some() {
            self.start_expiring();
        }
        match expires_at.and_then(|ms| self.first_after(ms)) {
            Some(at) => {
                self.listpack.insert_int_before(at, expires_at.unwrap_or(0) as i64);
                self.listpack.insert_before(at, value);
                self.listpack.insert_before(at, name);
            }
            None => {
                self.listpack.push(name);
                self.listpack.push(value);
                if self.expiring {
                    self.listpack.push_int(expires_at.unwrap_or(0) as i64);
                }
            }
        }
    }

    /// The first field that expires later, or never.
    fn first_after(&self, ms: u64) -> Option<At> {
        let mut name = self.listpack.first();
        while let Some(at) = name {
            let value = self.listpack.next(at)?;
            if self.expiry(value).is_none_or(|other| other > ms) {
                return Some(at);
            }
            name = self.listpack.next(value).and_then(|expiry| self.listpack.next(expiry));
        }
        None
    }

    /// Gives every field an expiry of 0.
    fn start_expiring(&mut self) {
        if self.expiring {
            return;
        }
        let mut listpack = Listpack::with_capacity(self.listpack.byte_len() + 2 * self.len());
        for (at, element) in self.listpack.iter().enumerate() {
            listpack.push_element(element);
            if at % 2 == 1 {
                listpack.push_int(0);
            }
        }
        self.listpack = listpack;
        self.expiring = true;
    }

    pub(super) fn set_expiry(&mut self, name: &[u8], expires_at: Option<u64>) {
        let Some(at) = self.find(name) else { return };
        let Some((_, field)) = self.field(at) else { return };
        if field.expires_at == expires_at {
            return;
        }
        let value = field.value.as_bytes(&mut itoa::Buffer::new()).to_vec();
        self.listpack.remove(at, self.width());
        self.insert(name, &value, expires_at);
    }

    pub(super) fn remove(&mut self, name: &[u8]) -> bool {
        let found = self.find(name);
        if let Some(at) = found {
            self.listpack.remove(at, self.width());
        }
        found.is_some()
    }

    pub(super) fn next_expiry(&self) -> Option<u64> {
        let first = self.listpack.first().filter(|_| self.expiring)?;
        self.field(first)?.1.expires_at
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (Element<'_>, Field<'_>)> {
        let mut elements = self.listpack.iter();
        std::iter::from_fn(move || {
            let (name, value) = (elements.next()?, elements.next()?);
            let expires_at = if self.expiring { as_expiry(elements.next()?) } else { None };
            Some((name, Field { value, expires_at }))
        })
    }
}

/// An expiry as stored: 0 for none.
fn as_expiry(element: Element<'_>) -> Option<u64> {
    match element {
        Element::Int(ms) => u64::try_from(ms).ok().filter(|ms| *ms != 0),
        Element::Bytes(_) => None,
    }
}
