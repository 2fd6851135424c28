//! Hashes as they stand in RDB files.
//!
//! ```text
//!  4  n, (name, value) ...
//! 16  string holding a listpack: name, value ...
//! 24  minimum (8, LE), n, (expiry - minimum + 1 (length; 0 none), name, value) ...
//! 25  minimum (8, LE), string holding a listpack: name, value, expiry (0 none) ...
//! ```

use std::collections::HashSet;

use ferrite_rdb::ErrorKind;
use ferrite_rdb::encode::{
    TYPE_HASH, TYPE_HASH_LISTPACK, TYPE_HASH_LISTPACK_EX, TYPE_HASH_METADATA, length,
    string_compressed, string_shortest,
};

use super::super::limits::Limits;
use super::super::packed::{Element, Listpack};
use super::packed::Packed;
use super::table::Table;
use super::{Hash, Kind};

const EMPTY: ErrorKind = ErrorKind::Malformed("hash: it has no fields");
/// Written for the minimum where no field expires.
const NO_MINIMUM: u64 = 0;

impl Hash {
    pub(in super::super) fn to_rdb(&self, out: &mut Vec<u8>) -> u8 {
        match &self.kind {
            Kind::Packed(packed) if packed.expiring => {
                let minimum = packed.next_expiry().unwrap_or(NO_MINIMUM);
                out.extend_from_slice(&minimum.to_le_bytes());
                string_compressed(out, packed.listpack.as_bytes());
                TYPE_HASH_LISTPACK_EX
            }
            Kind::Packed(packed) => {
                string_compressed(out, packed.listpack.as_bytes());
                TYPE_HASH_LISTPACK
            }
            Kind::Table(table) => table_to_rdb(table, out),
        }
    }

    /// Takes the listpack of a hash without expiries.
    pub(in super::super) fn from_listpack(
        listpack: Listpack,
        limits: &Limits,
    ) -> Result<Self, ErrorKind> {
        Self::from_packed(Packed { listpack, expiring: false }, limits)
    }

    /// Takes the listpack of a hash with expiries, put in order if it is not.
    pub(in super::super) fn from_listpack_ex(
        listpack: Listpack,
        limits: &Limits,
    ) -> Result<Self, ErrorKind> {
        let mut last = 0;
        let mut is_sorted = true;
        for expiry in listpack.iter().skip(2).step_by(3) {
            let Element::Int(ms @ 0..) = expiry else {
                return Err(ErrorKind::Malformed("field expiry"));
            };
            let ms = if ms == 0 { i64::MAX } else { ms };
            is_sorted &= last <= ms;
            last = ms;
        }
        let packed = Packed { listpack, expiring: true };
        let is_whole = packed.listpack.len().is_multiple_of(3);
        let packed = if is_whole && !is_sorted { sorted(&packed) } else { packed };
        Self::from_packed(packed, limits)
    }

    fn from_packed(packed: Packed, limits: &Limits) -> Result<Self, ErrorKind> {
        let width = if packed.expiring { 3 } else { 2 };
        if !packed.listpack.len().is_multiple_of(width) {
            return Err(ErrorKind::Malformed("hash: a field without a value"));
        }
        let mut seen = HashSet::with_capacity(packed.len());
        let mut digits = itoa::Buffer::new();
        let mut longest = 0;
        for (name, field) in packed.iter() {
            longest = longest.max(field.value.as_bytes(&mut digits).len());
            let name = name.as_bytes(&mut digits).to_vec();
            longest = longest.max(name.len());
            if !seen.insert(name) {
                return Err(ErrorKind::Malformed("hash: a field is there twice"));
            }
        }
        if seen.is_empty() {
            return Err(EMPTY);
        }
        let is_too_large = seen.len() > limits.hash_max_listpack_entries
            || longest > limits.hash_max_listpack_value;
        let mut hash = Self { kind: Kind::Packed(packed) };
        if is_too_large {
            hash.become_table(0);
        }
        Ok(hash)
    }
}

/// The same fields, the next to expire first.
fn sorted(packed: &Packed) -> Packed {
    let mut fields: Vec<_> = packed.iter().collect();
    fields.sort_by_key(|(_, field)| field.expires_at.unwrap_or(u64::MAX));
    let mut listpack = Listpack::with_capacity(packed.listpack.byte_len());
    for (name, field) in fields {
        listpack.push_element(name);
        listpack.push_element(field.value);
        listpack.push_int(field.expires_at.unwrap_or(0) as i64);
    }
    Packed { listpack, expiring: true }
}

fn table_to_rdb(table: &Table, out: &mut Vec<u8>) -> u8 {
    let minimum = table.next_expiry();
    if let Some(minimum) = minimum {
        out.extend_from_slice(&minimum.to_le_bytes());
    }
    length(out, table.len() as u64);
    for (name, field) in table.iter() {
        if let Some(minimum) = minimum {
            let ahead = field.expires_at.map_or(0, |ms| ms - minimum + 1);
            length(out, ahead);
        }
        for element in [name, field.value] {
            if let Element::Bytes(bytes) = element {
                string_shortest(out, bytes);
            }
        }
    }
    if minimum.is_some() { TYPE_HASH_METADATA } else { TYPE_HASH }
}
