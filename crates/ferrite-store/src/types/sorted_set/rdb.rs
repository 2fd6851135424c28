//! Sorted sets as they stand in RDB files: a listpack, or the members with the largest score first.

use ferrite_rdb::ErrorKind;
use ferrite_rdb::encode::{
    TYPE_ZSET_2, TYPE_ZSET_LISTPACK, length, string_compressed, string_shortest,
};

use super::big::Loading;
use super::{Direction, Form, Packed, SortedSet};
use crate::types::limits::Limits;
use crate::types::packed::Listpack;

impl SortedSet {
    /// Appends the value as it stands in an RDB file; returns its type byte.
    pub fn to_rdb(&self, out: &mut Vec<u8>) -> u8 {
        if let Form::Packed(packed) = &self.form {
            string_compressed(out, packed.listpack().as_bytes());
            return TYPE_ZSET_LISTPACK;
        }
        length(out, self.len() as u64);
        self.walk(0..self.len(), Direction::Descending, &mut |member, score| {
            string_shortest(out, member);
            out.extend_from_slice(&score.to_le_bytes());
            true
        });
        TYPE_ZSET_2
    }

    /// Takes a listpack out of a file or payload, with everything in it checked.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn from_listpack(listpack: Listpack, limits: &Limits) -> Result<Self, ErrorKind> {
        let mut set = Self { form: Form::Packed(Packed::from_listpack(listpack)?) };
        if set.is_empty() {
            return Err(ErrorKind::Malformed("sorted set: it has no members"));
        }
        if set.len() > limits.zset_max_listpack_entries {
            set.unpack();
        }
        Ok(set)
    }
}

/// A sorted set that is loaded member by member.
#[derive(Debug)]
pub struct SortedSetLoader {
    loading: Loading,
    fault: Option<ErrorKind>,
}

impl Default for SortedSetLoader {
    fn default() -> Self {
        Self { loading: Loading::new(), fault: None }
    }
}

impl SortedSetLoader {
    /// Adds a member.
    pub fn add(&mut self, member: &[u8], score: f64) {
        if score.is_nan() {
            self.fault.get_or_insert(ErrorKind::Malformed("score: it is not a number"));
        } else if !self.loading.add(member, score) {
            self.fault.get_or_insert(ErrorKind::Malformed("sorted set: a member is there twice"));
        }
    }

    /// The set, packed if it is small.
    ///
    /// # Errors
    /// The first thing that was wrong.
    pub fn finish(self, limits: &Limits) -> Result<SortedSet, ErrorKind> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        let mut set = SortedSet { form: Form::Big(Box::new(self.loading.finish())) };
        set.pack_if_small(limits);
        Ok(set)
    }
}
