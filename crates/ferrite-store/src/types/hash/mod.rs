//! Hashes: few fields in a listpack, more in a dictionary; in both, fields may expire.

mod packed;
mod rdb;
mod table;
#[cfg(test)]
mod tests;

use packed::Packed;
use table::Table;

use super::limits::Limits;
use super::packed::Element;

/// A hash.
#[derive(Clone, Debug, Default)]
pub struct Hash {
    kind: Kind,
}

#[derive(Clone, Debug)]
enum Kind {
    Packed(Packed),
    Table(Box<Table>),
}

impl Default for Kind {
    fn default() -> Self {
        Self::Packed(Packed::default())
    }
}

/// What belongs to the name of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field<'a> {
    /// Its value.
    pub value: Element<'a>,
    /// When it expires, in Unix milliseconds.
    pub expires_at: Option<u64>,
}

impl Field<'_> {
    /// Whether it has not expired: one that has is as good as not there.
    #[must_use]
    pub fn is_live(&self, now: u64) -> bool {
        self.expires_at.is_none_or(|ms| ms > now)
    }
}

/// What becomes of a field's expiry when its value is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldExpiry {
    /// It has none any more.
    Clear,
    /// It keeps the one it has.
    Keep,
    /// It expires then, in Unix milliseconds.
    At(u64),
}

impl FieldExpiry {
    /// The expiry of a field that had `old`.
    fn over(self, old: Option<u64>) -> Option<u64> {
        match self {
            Self::Clear => None,
            Self::Keep => old,
            Self::At(ms) => Some(ms),
        }
    }
}

impl From<Option<u64>> for FieldExpiry {
    fn from(expires_at: Option<u64>) -> Self {
        expires_at.map_or(Self::Clear, Self::At)
    }
}

impl Hash {
    /// An empty hash.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How many fields it has, those included that have expired and were not removed yet.
    #[must_use]
    pub fn len(&self) -> usize {
        match &self.kind {
            Kind::Packed(packed) => packed.len(),
            Kind::Table(table) => table.len(),
        }
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The encoding, as `OBJECT ENCODING` names it.
    #[must_use]
    pub fn encoding_name(&self) -> &'static str {
        match &self.kind {
            Kind::Packed(packed) if packed.expiring => "listpackex",
            Kind::Packed(_) => "listpack",
            Kind::Table(_) => "hashtable",
        }
    }

    /// Bytes of heap it holds.
    #[must_use]
    pub fn memory(&self) -> usize {
        match &self.kind {
            Kind::Packed(packed) => packed.listpack.memory(),
            Kind::Table(table) => size_of::<Table>() + table.memory(),
        }
    }

    /// Makes ready for a command that sets about so many fields.
    pub fn grow_for(&mut self, fields: usize, limits: &Limits) {
        if fields > limits.hash_max_listpack_entries {
            self.become_table(fields);
        }
    }

    /// A field, be it expired or not.
    #[must_use]
    pub fn get(&self, name: &[u8]) -> Option<Field<'_>> {
        match &self.kind {
            Kind::Packed(packed) => packed.get(name),
            Kind::Table(table) => table.get(name),
        }
    }

    /// Sets a field; whether it is new.
    pub fn set(&mut self, name: &[u8], value: &[u8], expiry: FieldExpiry, limits: &Limits) -> bool {
        if name.len().max(value.len()) > limits.hash_max_listpack_value {
            self.become_table(0);
        }
        let is_new = match &mut self.kind {
            Kind::Packed(packed) => packed.set(name, value, expiry),
            Kind::Table(table) => table.set(name, value, expiry),
        };
        if is_new && self.len() > limits.hash_max_listpack_entries {
            self.become_table(0);
        }
        is_new
    }

    /// Gives a field an expiry, or takes it away.
    pub fn set_expiry(&mut self, name: &[u8], expires_at: Option<u64>) {
        match &mut self.kind {
            Kind::Packed(packed) => packed.set_expiry(name, expires_at),
            Kind::Table(table) => table.set_expiry(name, expires_at),
        }
    }

    /// Removes a field; false when it is not there.
    pub fn remove(&mut self, name: &[u8]) -> bool {
        match &mut self.kind {
            Kind::Packed(packed) => packed.remove(name),
            Kind::Table(table) => table.remove(name),
        }
    }

    /// When the first field expires, in Unix milliseconds.
    #[must_use]
    pub fn next_expiry(&self) -> Option<u64> {
        match &self.kind {
            Kind::Packed(packed) => packed.next_expiry(),
            Kind::Table(table) => table.next_expiry(),
        }
    }

    /// Removes one field that has expired, and returns its name.
    pub fn remove_expired(&mut self, now: u64) -> Option<Vec<u8>> {
        let name = match &self.kind {
            Kind::Packed(packed) => {
                packed.next_expiry().filter(|ms| *ms <= now)?;
                packed.nth(0)?.0.as_bytes(&mut itoa::Buffer::new()).to_vec()
            }
            Kind::Table(table) => table.expired(now)?,
        };
        self.remove(&name);
        Some(name)
    }

    /// All fields, be they expired or not.
    #[must_use]
    pub fn iter(&self) -> Box<dyn Iterator<Item = (Element<'_>, Field<'_>)> + '_> {
        match &self.kind {
            Kind::Packed(packed) => Box::new(packed.iter()),
            Kind::Table(table) => Box::new(table.iter()),
        }
    }

    /// Any field, expired ones too, each as likely as every other.
    pub fn random(&self, mut number: impl FnMut() -> u64) -> Option<(Element<'_>, Field<'_>)> {
        match &self.kind {
            Kind::Packed(packed) => {
                packed.nth(((u128::from(number()) * packed.len() as u128) >> 64) as usize)
            }
            Kind::Table(table) => table.random(number),
        }
    }

    /// Visits some fields, expired ones too, and returns the cursor of the next; 0 begins, 0 is
    /// the end. A small hash is visited at once.
    pub fn scan<'a>(&'a self, cursor: u64, mut visit: impl FnMut(Element<'a>, Field<'a>)) -> u64 {
        match &self.kind {
            Kind::Packed(packed) => {
                packed.iter().for_each(|(name, field)| visit(name, field));
                0
            }
            Kind::Table(table) => table.scan(cursor, visit),
        }
    }

    /// Moves the fields to a dictionary with room for `fields`.
    fn become_table(&mut self, fields: usize) {
        let Kind::Packed(packed) = &self.kind else { return };
        let mut table = Table::with_capacity(fields.max(packed.len()));
        let mut digits = [itoa::Buffer::new(), itoa::Buffer::new()];
        let [name_digits, value_digits] = &mut digits;
        for (name, field) in packed.iter() {
            let value = field.value.as_bytes(value_digits);
            table.set(name.as_bytes(name_digits), value, field.expires_at.into());
        }
        self.kind = Kind::Table(Box::new(table));
    }
}
