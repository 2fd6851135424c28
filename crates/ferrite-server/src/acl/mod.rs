//! Access control: users, what they may do, and what they were refused.
//!
//! ```text
//! Acl ── accounts by name ──► Account ── User (replaced as a whole) ── Selectors
//!  │                             ▲                                      commands: a bit each
//!  └─ Log of refusals            └─ held by every connection            keys, channels: patterns
//! ```
//!
//! A connection holds the [`Account`] of its user; a change of rules puts another [`User`] into
//! it and is in effect for the next command. An account that may do everything, as `default`
//! does, is checked by one load.

mod account;
mod check;
mod commands;
mod error;
mod file;
mod log;
mod password;
mod selector;
#[cfg(test)]
mod tests;
mod user;

pub use account::{Account, Acl};
pub use check::{Denied, DeniedBy};
pub use commands::{CommandId, Commands};
pub use error::{FileError, RuleError};
pub use log::{Context, Entry, Log, Reason};
pub use password::{generate, hash};
pub use selector::{KeyPattern, Selector};
pub use user::User;

/// The name of the user that new connections have.
pub const DEFAULT: &[u8] = b"default";
