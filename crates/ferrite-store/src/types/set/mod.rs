//! Sets: integers alone in an intset, few members in a listpack, more in a dictionary.

mod rdb;
#[cfg(test)]
mod tests;

use ferrite_rdb::encode::integer;

use super::dict::{Dict, ThinBytes};
use super::limits::Limits;
use super::packed::{Element, Intset, Listpack};
use crate::table::hash;

/// A set.
#[derive(Clone, Debug)]
pub struct Set {
    kind: Kind,
}

#[derive(Clone, Debug)]
enum Kind {
    Intset(Intset),
    Listpack(Listpack),
    Table(Dict<ThinBytes>),
}

fn hash_of(member: &ThinBytes) -> u64 {
    hash(member.as_slice())
}

impl Set {
    /// An empty set that begins as an intset.
    #[must_use]
    pub fn new() -> Self {
        Self { kind: Kind::Intset(Intset::new()) }
    }

    /// An empty set for about `count` members, of which this is the first.
    #[must_use]
    pub fn for_members(first: &[u8], count: usize, limits: &Limits) -> Self {
        let kind = if integer(first).is_some() && count <= limits.set_max_intset_entries {
            Kind::Intset(Intset::new())
        } else if count <= limits.set_max_listpack_entries {
            Kind::Listpack(Listpack::new())
        } else {
            Kind::Table(Dict::with_capacity(count))
        };
        Self { kind }
    }

    /// Makes ready for a command that adds about `count` members.
    pub fn grow_for(&mut self, count: usize, limits: &Limits) {
        let is_too_much = match &self.kind {
            Kind::Intset(_) => count > limits.set_max_intset_entries,
            Kind::Listpack(_) => count > limits.set_max_listpack_entries,
            Kind::Table(_) => false,
        };
        if is_too_much {
            self.become_table(count);
        }
    }

    /// How many members it has.
    #[must_use]
    pub fn len(&self) -> usize {
        match &self.kind {
            Kind::Intset(ints) => ints.len(),
            Kind::Listpack(packed) => packed.len(),
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
            Kind::Intset(_) => "intset",
            Kind::Listpack(_) => "listpack",
            Kind::Table(_) => "hashtable",
        }
    }

    /// Bytes of heap it holds.
    #[must_use]
    pub fn memory(&self) -> usize {
        match &self.kind {
            Kind::Intset(ints) => ints.memory(),
            Kind::Listpack(packed) => packed.memory(),
            Kind::Table(table) => {
                table.memory() + table.iter().map(ThinBytes::memory).sum::<usize>()
            }
        }
    }

    /// Whether a member is in it.
    #[must_use]
    pub fn contains(&self, member: &[u8]) -> bool {
        match &self.kind {
            Kind::Intset(ints) => integer(member).is_some_and(|value| ints.contains(value)),
            Kind::Listpack(packed) => packed.find(packed.first(), member, 0).is_some(),
            Kind::Table(table) => {
                table.find(hash(member), |other| other.as_slice() == member).is_some()
            }
        }
    }

    /// Whether a member of another set is in it.
    #[must_use]
    pub fn contains_element(&self, member: Element<'_>) -> bool {
        match (&self.kind, member) {
            (Kind::Intset(ints), Element::Int(value)) => ints.contains(value),
            _ => self.contains(member.as_bytes(&mut itoa::Buffer::new())),
        }
    }

    /// Adds a member; false when it is there already.
    pub fn add(&mut self, member: &[u8], limits: &Limits) -> bool {
        match &mut self.kind {
            Kind::Intset(ints) => match integer(member) {
                Some(value) => {
                    let added = ints.add(value);
                    if added && ints.len() > limits.set_max_intset_entries {
                        self.become_table(0);
                    }
                    added
                }
                None => {
                    self.leave_intset(member.len(), limits);
                    self.add(member, limits)
                }
            },
            Kind::Listpack(packed) => {
                if packed.find(packed.first(), member, 0).is_some() {
                    return false;
                }
                let fits = packed.len() < limits.set_max_listpack_entries
                    && member.len() <= limits.set_max_listpack_value;
                if fits {
                    packed.push(member);
                } else {
                    self.become_table(0);
                    self.add_new(member);
                }
                true
            }
            Kind::Table(_) => {
                let is_new = !self.contains(member);
                if is_new {
                    self.add_new(member);
                }
                is_new
            }
        }
    }

    /// Adds a member of another set; false when it is there already.
    pub fn add_element(&mut self, member: Element<'_>, limits: &Limits) -> bool {
        self.add(member.as_bytes(&mut itoa::Buffer::new()), limits)
    }

    /// Adds a member that is not there to the dictionary.
    fn add_new(&mut self, member: &[u8]) {
        if let Kind::Table(table) = &mut self.kind {
            table.insert(hash(member), ThinBytes::new(member), hash_of);
        }
    }

    /// Removes a member; false when it is not there.
    pub fn remove(&mut self, member: &[u8]) -> bool {
        match &mut self.kind {
            Kind::Intset(ints) => integer(member).is_some_and(|value| ints.remove(value)),
            Kind::Listpack(packed) => {
                let found = packed.find(packed.first(), member, 0);
                if let Some(at) = found {
                    packed.remove(at, 1);
                }
                found.is_some()
            }
            Kind::Table(table) => {
                table.remove(hash(member), |other| other.as_slice() == member, hash_of).is_some()
            }
        }
    }

    /// Turns an intset into what takes a member of that length that is no integer.
    fn leave_intset(&mut self, member_len: usize, limits: &Limits) {
        let Kind::Intset(ints) = &self.kind else { return };
        let digits = |value: Option<i64>| value.map_or(0, decimal_len);
        let longest = digits(ints.get(0)).max(digits(ints.iter().next_back()));
        let fits = ints.len() < limits.set_max_listpack_entries
            && member_len <= limits.set_max_listpack_value
            && longest <= limits.set_max_listpack_value;
        if !fits {
            return self.become_table(ints.len() + 1);
        }
        let mut packed = Listpack::new();
        for value in ints.iter() {
            packed.push_int(value);
        }
        self.kind = Kind::Listpack(packed);
    }

    /// Moves the members to a dictionary with room for `count`.
    fn become_table(&mut self, count: usize) {
        if matches!(self.kind, Kind::Table(_)) {
            return;
        }
        let old = std::mem::take(self);
        self.kind = Kind::Table(Dict::with_capacity(count.max(old.len())));
        let mut digits = itoa::Buffer::new();
        for member in old.iter() {
            self.add_new(member.as_bytes(&mut digits));
        }
    }

    /// Turns a set that was filled with integers alone into an intset, if it is not too large
    /// for one.
    pub fn become_intset(&mut self, limits: &Limits) {
        if matches!(self.kind, Kind::Intset(_)) || self.len() > limits.set_max_intset_entries {
            return;
        }
        let mut ints = Intset::new();
        for member in self.iter() {
            let value = match member {
                Element::Int(value) => Some(value),
                Element::Bytes(bytes) => integer(bytes),
            };
            let Some(value) = value else { return };
            ints.add(value);
        }
        self.kind = Kind::Intset(ints);
    }

    /// All members; the integers of an intset ascend, those of a listpack are in the order they
    /// were added.
    #[must_use]
    pub fn iter(&self) -> Box<dyn Iterator<Item = Element<'_>> + '_> {
        match &self.kind {
            Kind::Intset(ints) => Box::new(ints.iter().map(Element::Int)),
            Kind::Listpack(packed) => Box::new(packed.iter()),
            Kind::Table(table) => {
                Box::new(table.iter().map(|member| Element::Bytes(member.as_slice())))
            }
        }
    }

    /// Any member, each as likely as every other.
    pub fn random(&self, mut number: impl FnMut() -> u64) -> Option<Element<'_>> {
        let mut index = |len: usize| ((u128::from(number()) * len as u128) >> 64) as usize;
        match &self.kind {
            Kind::Intset(ints) => ints.get(index(ints.len())).map(Element::Int),
            Kind::Listpack(packed) => {
                packed.seek(index(packed.len()) as i64).map(|at| packed.get(at))
            }
            Kind::Table(table) => {
                table.random(number).map(|member| Element::Bytes(member.as_slice()))
            }
        }
    }

    /// Visits some members and returns the cursor of the next; 0 begins, 0 is the end. A small
    /// set is visited at once.
    pub fn scan<'a>(&'a self, cursor: u64, mut visit: impl FnMut(Element<'a>)) -> u64 {
        match &self.kind {
            Kind::Table(table) => {
                table.scan(cursor, |member| visit(Element::Bytes(member.as_slice())))
            }
            _ => {
                self.iter().for_each(visit);
                0
            }
        }
    }
}

impl Default for Set {
    fn default() -> Self {
        Self::new()
    }
}

/// Bytes of an integer in decimal.
fn decimal_len(value: i64) -> usize {
    itoa::Buffer::new().format(value).len()
}
