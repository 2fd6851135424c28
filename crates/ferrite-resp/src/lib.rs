//! RESP2 and RESP3: bytes in, values out; no I/O.
//!
//! RESP is the wire protocol of every Redis-family server. A message is a type byte, a line, and
//! for some types a body:
//!
//! ```text
//! +OK\r\n                     simple string      _\r\n            null (RESP3)
//! -ERR no such key\r\n        error              #t\r\n           boolean
//! :42\r\n                     integer            ,1.5\r\n         double
//! $5\r\nhello\r\n             bulk string        (123…\r\n        big number
//! $-1\r\n                     null               !5\r\nERR x\r\n  bulk error
//! *2\r\n:1\r\n:2\r\n          array              =7\r\ntxt:abc\r\n verbatim string
//! *-1\r\n                     null               %1\r\n:1\r\n:2\r\n map
//! ~1\r\n:1\r\n                set                >1\r\n:1\r\n     push
//! |1\r\n:1\r\n:2\r\n          attribute: said before a reply, skipped here
//! ```
//!
//! Three levels, from the most convenient to the fastest:
//!
//! * [`decode`] and [`Decoder`] build an owned [`Value`];
//! * [`peek`] borrows one element from the input, [`skip`] steps over one whole reply;
//! * [`peek_bulk_header`] reads only `$<length>`, so that the body can be streamed.
//!
//! Commands are written with [`encode`], and read by a server with [`request`]. Nothing here trusts its input: lengths are bounded by
//! [`Limits`], strings are bytes, and no input can cause a panic.

mod decode;
pub mod encode;
mod error;
mod peek;
pub mod request;
mod scan;
mod value;

pub use decode::{Decoder, Limits, decode};
pub use error::ProtocolError;
pub use peek::{ReplyRef, peek, peek_bulk_header, skip};
pub use scan::AggregateKind;
pub use value::{UnexpectedValue, Value};
