//! What every command of the Redis family is: its arity, its flags, where its keys stand, since
//! which version of which server it exists.
//!
//! This crate is data and a few pure functions over it; it has no handlers, no sockets and no
//! dependencies. A migration needs it to know which keys a replicated command touches, a cluster
//! client to know which node a command goes to, a filter to know what to look at. It describes
//! the *world*: Redis up to 8.10, Valkey up to 9.1, the modules Redis 8 ships, and the additions
//! of KeyDB and Dragonfly, whether or not anything here executes them.
//!
//! ```
//! use ferrite_commands::{keys, lookup, slot};
//!
//! let command = lookup(b"ZUnionStore").expect("in the catalogue");
//! assert!(command.is_write());
//! let arguments = ["ZUNIONSTORE", "{a}to", "2", "{a}x", "{a}y"];
//! let positions: Vec<usize> = keys(command, &arguments).unwrap().positions().collect();
//! assert_eq!(positions, [1, 3, 4]);
//! assert_eq!(slot(b"{a}to"), slot(b"a"));
//! ```
//!
//! Where the facts come from: running servers' answers to `COMMAND` and `COMMAND DOCS` (Redis
//! 7.0 and 8.0, Valkey 8.1 and 9.1; `tests/servers.rs` compares again on every run), and the
//! public command references for what is newer or lives in a module.

mod catalogue;
mod command;
mod flags;
mod glob;
mod key_flags;
mod keys;
mod lookup;
mod slot;
mod table;

pub use catalogue::all;
pub use command::{Command, Group, Since, Version};
pub use flags::{Categories, Category, Flag, Flags};
pub use glob::matches_glob;
pub use key_flags::{KeyFlags, call_key_flags, key_flags};
pub use keys::{
    Access, KeyError, KeyPosition, KeyRange, KeySpec, Keys, MAX_KEY_SPECS, Place, keys,
};
pub use lookup::{lookup, resolve};
pub use slot::{SLOTS, hash_tag, slot};
