//! A mapping: which columns of a row, or fields of an object, become what of a key.
//!
//! ```text
//! id,name,age                      --key 'user:{id}' --type hash
//! 7,"Lovelace, Ada",36        ──►  HSET user:7 id 7 name "Lovelace, Ada" age 36
//! {"id":7,"name":"Ada"}       ──►  HSET user:7 id 7 name Ada
//! ```
//!
//! CSV and JSON share it: [`columns`] says what is where, [`file`] reads it from YAML, and [`keys`]
//! makes keys of rows.

mod columns;
mod file;
mod keys;

pub use columns::{MappedType, Mapping, delimiter as csv_delimiter};
pub use file::{LENGTH_MAX as MAPPING_MAX, MappingOrigin, read as read_mapping};
pub use keys::MappedKeys;
