//! The data types: what a key other than a string holds.

pub mod dict;
mod hash;
mod limits;
mod list;
pub mod packed;
mod rdb;
mod set;

pub use hash::{Field, FieldExpiry, Hash};
pub use limits::Limits;
pub use list::{End, List};
pub use packed::Element;
pub use set::Set;

/// What a key other than a string holds.
#[derive(Clone, Debug)]
pub enum Collection {
    /// Elements in order.
    List(List),
    /// Unique members.
    Set(Set),
    /// Fields with values.
    Hash(Hash),
}

impl Collection {
    /// The type, as `TYPE` names it.
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::List(_) => "list",
            Self::Set(_) => "set",
            Self::Hash(_) => "hash",
        }
    }

    /// The encoding, as `OBJECT ENCODING` names it.
    #[must_use]
    pub fn encoding_name(&self) -> &'static str {
        match self {
            Self::List(list) => list.encoding_name(),
            Self::Set(set) => set.encoding_name(),
            Self::Hash(hash) => hash.encoding_name(),
        }
    }

    /// How many elements it has.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::List(list) => list.len(),
            Self::Set(set) => set.len(),
            Self::Hash(hash) => hash.len(),
        }
    }

    /// Whether it has none: a key that holds such a one is to be removed.
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
        }
    }
}
