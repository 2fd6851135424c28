//! RDB files and `DUMP` payloads of every Redis dialect: bytes in, values out; no I/O.
//!
//! The crate has three layers, each usable alone:
//!
//! * [`Reader`] walks an RDB stream and yields [`Event`]s; a key's value is handed out as the raw
//!   bytes it was stored in, so that it can be passed on untouched.
//! * [`decode`] turns the raw bytes of one value into elements, given to a [`Sink`].
//! * [`dump`], [`encode`], [`transcode`] write values: payloads for `RESTORE` at the version a
//!   target accepts, and whole RDB files.
//!
//! [`aof`] takes the commands out of append-only files, and reads their manifests.
//!
//! [`digest`] is a sink too: a 128-bit fingerprint of what a value *is*, whatever its encoding.

pub mod aof;
mod body;
mod crc64;
mod cursor;
mod decode;
pub mod digest;
pub mod dump;
pub mod encode;
mod error;
mod format;
pub mod functions;
pub mod lzf;
pub mod packed;
mod reader;
mod sink;
pub mod transcode;
mod types;
pub mod writer;

pub use body::Body;
pub use crc64::{Crc64, crc64};
pub use cursor::MAX_ELEMENT_LEN;
pub use decode::{Part, ValueDecoder, decode, value_len};
pub use error::{Error, ErrorKind};
pub use format::{Dialect, Format};
pub use reader::{Entry, Event, Head, Reader, Step};
pub use sink::{Sink, StreamConsumer, StreamFields, StreamGroup, StreamId, StreamMeta};
pub use types::module::ModuleName;
pub use types::{ValueKind, encoding_name, has_member_expiry, type_name};
