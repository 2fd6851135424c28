//! The large encoding of hashes: a dictionary of fields, and an order of those that expire.
//!
//! A field is one block:
//!
//! ```text
//! 2 * length of the name + (1 if it expires) (1, or 255 and 8, LE)
//! | expiry in ms (8, LE) if it expires | name | value
//! ```

use std::collections::BTreeSet;

use super::super::dict::{Dict, ThinBytes};
use super::super::packed::Element;
use super::{Field, FieldExpiry};
use crate::table::hash;

/// Heads from here on take nine bytes.
const LONG: u8 = u8::MAX;

/// The fields of a large hash.
#[derive(Clone, Debug, Default)]
pub(super) struct Table {
    fields: Dict<ThinBytes>,
    /// Expiry and hash of every field that expires.
    expiries: BTreeSet<(u64, u64)>,
}

/// A field's block, taken apart.
#[derive(Clone, Copy)]
struct Parts<'a> {
    name: &'a [u8],
    value: &'a [u8],
    expires_at: Option<u64>,
}

impl<'a> Parts<'a> {
    fn of(block: &'a ThinBytes) -> Self {
        Self::read(block.as_slice()).unwrap_or(Self { name: &[], value: &[], expires_at: None })
    }

    #[inline]
    fn read(bytes: &'a [u8]) -> Option<Self> {
        let (&first, mut rest) = bytes.split_first()?;
        let head = if first == LONG { take_u64(&mut rest)? } else { u64::from(first) };
        let expires_at = if head & 1 == 1 { Some(take_u64(&mut rest)?) } else { None };
        let (name, value) = rest.split_at_checked(usize::try_from(head >> 1).ok()?)?;
        Some(Self { name, value, expires_at })
    }

    fn to_block(self) -> ThinBytes {
        let head = (self.name.len() as u64) << 1 | u64::from(self.expires_at.is_some());
        let long = head.to_le_bytes();
        let head = match u8::try_from(head) {
            Ok(short) if short < LONG => (&[short][..], &[][..]),
            _ => (&[LONG][..], &long[..]),
        };
        let expiry = self.expires_at.unwrap_or_default().to_le_bytes();
        let expiry: &[u8] = if self.expires_at.is_some() { &expiry } else { &[] };
        ThinBytes::concat(&[head.0, head.1, expiry, self.name, self.value])
    }
}

fn take_u64(rest: &mut &[u8]) -> Option<u64> {
    let (bytes, tail) = rest.split_first_chunk()?;
    *rest = tail;
    Some(u64::from_le_bytes(*bytes))
}

fn hash_of(block: &ThinBytes) -> u64 {
    hash(Parts::of(block).name)
}

impl Table {
    pub(super) fn with_capacity(fields: usize) -> Self {
        Self { fields: Dict::with_capacity(fields), expiries: BTreeSet::new() }
    }

    pub(super) fn len(&self) -> usize {
        self.fields.len()
    }

    pub(super) fn memory(&self) -> usize {
        let blocks: usize = self.fields.iter().map(ThinBytes::memory).sum();
        blocks + self.fields.memory() + self.expiries.len() * size_of::<(u64, u64)>()
    }

    pub(super) fn get(&self, name: &[u8]) -> Option<Field<'_>> {
        let block = self.fields.find(hash(name), |block| Parts::of(block).name == name)?;
        Some(field(block))
    }

    pub(super) fn set(&mut self, name: &[u8], value: &[u8], expiry: FieldExpiry) -> bool {
        let hashed = hash(name);
        let found = self.fields.find_mut(hashed, |block| Parts::of(block).name == name);
        let Some(block) = found else {
            let expires_at = expiry.over(None);
            let block = Parts { name, value, expires_at }.to_block();
            self.fields.insert(hashed, block, hash_of);
            self.expiries.extend(expires_at.map(|ms| (ms, hashed)));
            return true;
        };
        let old = Parts::of(block);
        let (before, after) = (old.expires_at, expiry.over(old.expires_at));
        if before == after && old.value.len() == value.len() {
            let at = block.as_slice().len() - value.len();
            block.as_mut_slice()[at..].copy_from_slice(value);
            return false;
        }
        *block = Parts { name, value, expires_at: after }.to_block();
        self.move_expiry(hashed, before, after);
        false
    }

    pub(super) fn set_expiry(&mut self, name: &[u8], expires_at: Option<u64>) {
        let hashed = hash(name);
        let found = self.fields.find_mut(hashed, |block| Parts::of(block).name == name);
        let Some(block) = found else { return };
        let old = Parts::of(block);
        let before = old.expires_at;
        *block = Parts { expires_at, ..old }.to_block();
        self.move_expiry(hashed, before, expires_at);
    }

    /// Two fields may share expiry and hash, with one place in the order for both: it goes with
    /// the last of them.
    fn move_expiry(&mut self, hashed: u64, before: Option<u64>, after: Option<u64>) {
        if before == after {
            return;
        }
        if let Some(ms) = before
            && self.with_expiry(ms, hashed).is_none()
        {
            self.expiries.remove(&(ms, hashed));
        }
        self.expiries.extend(after.map(|ms| (ms, hashed)));
    }

    /// A field with that expiry and hash.
    fn with_expiry(&self, ms: u64, hashed: u64) -> Option<&ThinBytes> {
        self.fields.find(hashed, |block| {
            let parts = Parts::of(block);
            parts.expires_at == Some(ms) && hash(parts.name) == hashed
        })
    }

    pub(super) fn remove(&mut self, name: &[u8]) -> bool {
        let hashed = hash(name);
        let removed = self.fields.remove(hashed, |block| Parts::of(block).name == name, hash_of);
        let Some(block) = removed else { return false };
        self.move_expiry(hashed, Parts::of(&block).expires_at, None);
        true
    }

    pub(super) fn next_expiry(&self) -> Option<u64> {
        self.expiries.first().map(|&(ms, _)| ms)
    }

    /// The name of a field that expires at that time or before.
    pub(super) fn expired(&self, now: u64) -> Option<Vec<u8>> {
        let &(ms, hashed) = self.expiries.first().filter(|(ms, _)| *ms <= now)?;
        self.with_expiry(ms, hashed).map(|block| Parts::of(block).name.to_vec())
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (Element<'_>, Field<'_>)> {
        self.fields.iter().map(entry)
    }

    pub(super) fn random(&self, number: impl FnMut() -> u64) -> Option<(Element<'_>, Field<'_>)> {
        self.fields.random(number).map(entry)
    }

    pub(super) fn scan<'a>(
        &'a self,
        cursor: u64,
        mut visit: impl FnMut(Element<'a>, Field<'a>),
    ) -> u64 {
        self.fields.scan(cursor, |block| {
            let (name, field) = entry(block);
            visit(name, field);
        })
    }
}

fn entry(block: &ThinBytes) -> (Element<'_>, Field<'_>) {
    (Element::Bytes(Parts::of(block).name), field(block))
}

fn field(block: &ThinBytes) -> Field<'_> {
    let parts = Parts::of(block);
    Field { value: Element::Bytes(parts.value), expires_at: parts.expires_at }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_of_all_forms() {
        for len in [0, 1, 126, 127, 128, 300, 70_000] {
            let name = vec![b'n'; len];
            for expires_at in [None, Some(0), Some(u64::MAX)] {
                let block = Parts { name: &name, value: b"value", expires_at }.to_block();
                let parts = Parts::of(&block);
                assert_eq!((parts.name, parts.value), (&name[..], &b"value"[..]));
                assert_eq!(parts.expires_at, expires_at);
            }
        }
    }
}
