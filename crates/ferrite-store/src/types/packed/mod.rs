//! The compact sequences small collections are kept in, each one blob with the very bytes of its
//! form in RDB files, changed in place.

pub mod intset;
pub mod listpack;

pub use intset::Intset;
pub use listpack::{Element, Listpack};
