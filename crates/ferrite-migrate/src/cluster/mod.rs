//! Clusters: which node has a key, while slots move and nodes take over from each other.
//!
//! ```text
//! KeyReader   reads keys with their expiries, wherever they are
//! Asker       one command for each of many keys, wherever they are
//! Survey      who owns which slot, by each owner's own word; two of them tell what has moved
//! ```

mod asker;
mod keys;
mod patience;
mod slots;
mod survey;

pub use asker::Asker;
pub use keys::KeyReader;
pub use patience::{Patience, owner, unowned};
pub use slots::{SlotSet, describe};
pub use survey::Survey;
