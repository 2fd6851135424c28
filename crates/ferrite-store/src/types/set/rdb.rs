//! Sets as they stand in RDB files.
//!
//! ```text
//!  2  n, string ...        11  string holding an intset        20  string holding a listpack
//! ```

use std::collections::HashSet;

use ferrite_rdb::ErrorKind;
use ferrite_rdb::encode::{
    TYPE_SET, TYPE_SET_INTSET, TYPE_SET_LISTPACK, length, string_compressed, string_shortest,
};

use super::super::limits::Limits;
use super::super::packed::{Intset, Listpack};
use super::{Kind, Set};

impl Set {
    pub(in super::super) fn to_rdb(&self, out: &mut Vec<u8>) -> u8 {
        match &self.kind {
            Kind::Intset(ints) => {
                string_compressed(out, ints.as_bytes());
                TYPE_SET_INTSET
            }
            Kind::Listpack(packed) => {
                string_compressed(out, packed.as_bytes());
                TYPE_SET_LISTPACK
            }
            Kind::Table(table) => {
                length(out, table.len() as u64);
                for member in table.iter() {
                    string_shortest(out, member.as_slice());
                }
                TYPE_SET
            }
        }
    }

    pub(in super::super) fn from_intset(ints: Intset, limits: &Limits) -> Self {
        let is_too_large = ints.len() > limits.set_max_intset_entries;
        let mut set = Self { kind: Kind::Intset(ints) };
        if is_too_large {
            set.become_table(0);
        }
        set
    }

    pub(in super::super) fn from_listpack(
        packed: Listpack,
        limits: &Limits,
    ) -> Result<Self, ErrorKind> {
        let mut seen = HashSet::with_capacity(packed.len());
        let mut digits = itoa::Buffer::new();
        let mut longest = 0;
        for member in &packed {
            let bytes = member.as_bytes(&mut digits);
            longest = longest.max(bytes.len());
            if !seen.insert(bytes.to_vec()) {
                return Err(ErrorKind::Malformed("set: a member is there twice"));
            }
        }
        if seen.is_empty() {
            return Err(ErrorKind::Malformed("set: it has no members"));
        }
        let is_too_large =
            seen.len() > limits.set_max_listpack_entries || longest > limits.set_max_listpack_value;
        let mut set = Self { kind: Kind::Listpack(packed) };
        if is_too_large {
            set.become_table(0);
        }
        Ok(set)
    }
}
