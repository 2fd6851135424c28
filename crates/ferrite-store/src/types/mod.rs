//! The data types: what a key other than a string holds.

pub mod dict;
pub mod geo;
mod hash;
pub mod hyperloglog;
mod limits;
mod list;
pub mod packed;
mod rdb;
mod set;
pub mod sorted_set;
pub mod stream;

pub use hash::{Field, FieldExpiry, Hash};
pub use limits::Limits;
pub use list::{End, List};
pub use packed::Element;
pub use set::Set;
pub use sorted_set::SortedSet;
pub use stream::Stream;

/// What a key other than a string holds.
#[derive(Clone, Debug)]
pub enum Collection {
    /// Elements in order.
    List(List),
    /// Unique members.
    Set(Set),
    /// Fields with values.
    Hash(Hash),
    /// Unique members in the order of their scores.
    SortedSet(SortedSet),
    /// Entries with ids, and groups that read them.
    Stream(Stream),
}

impl Collection {
    /// The type, as `TYPE` names it.
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::List(_) => "list",
            Self::Set(_) => "set",
            Self::Hash(_) => "hash",
            Self::SortedSet(_) => "zset",
            Self::Stream(_) => "stream",
        }
    }

    /// The encoding, as `OBJECT ENCODING` names it.
    #[must_use]
    pub fn encoding_name(&self) -> &'static str {
        match self {
            Self::List(list) => list.encoding_name(),
            Self::Set(set) => set.encoding_name(),
            Self::Hash(hash) => hash.encoding_name(),
            Self::SortedSet(set) => set.encoding_name(),
            Self::Stream(_) => "stream",
        }
    }

    /// How many elements it has.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::List(list) => list.len(),
            Self::Set(set) => set.len(),
            Self::Hash(hash) => hash.len(),
            Self::SortedSet(set) => set.len(),
            Self::Stream(stream) => stream.len(),
        }
    }

    /// Whether it has none: a key that holds such a one, unless it is a stream, is to be removed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of heap it holds.
    #[must_use]
    pub fn memory(&self) -> usize {
        match self {
            Self::List(list) => list.memory(),
            Self::Set(set) => set.memory(),
            Self::Hash(hash) => hash.memory(),
            Self::SortedSet(set) => set.memory(),
            Self::Stream(stream) => stream.memory(),
        }
    }
}
