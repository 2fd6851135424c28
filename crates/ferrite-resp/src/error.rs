//! What can be wrong with bytes that should be RESP.

use std::fmt;

/// The input is not RESP, or exceeds a limit. The connection it came from is out of step and
/// must be closed: there is no way to find the start of the next reply.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProtocolError {
    /// A reply starts with a byte that is no RESP type.
    UnknownType(u8),
    /// A number or length is not decimal, or does not fit 64 bits.
    BadNumber,
    /// A length is negative (and not -1) or absurd.
    BadLength(i64),
    /// A body is not followed by CRLF.
    MissingTerminator,
    /// A line goes on for more than 1 MiB.
    LineTooLong,
    /// A boolean is neither `#t` nor `#f`.
    BadBoolean,
    /// A double is not a number.
    BadDouble,
    /// A verbatim string lacks its three-byte format and colon.
    BadVerbatim,
    /// A bulk string is longer than the limit; both in bytes.
    BulkTooLong {
        /// Announced length.
        length: usize,
        /// Longest length accepted.
        limit: usize,
    },
    /// An aggregate has more elements than the limit.
    TooManyElements {
        /// Announced number of elements.
        count: usize,
        /// Largest number accepted.
        limit: usize,
    },
    /// Aggregates are nested deeper than the limit.
    TooDeep {
        /// Deepest nesting accepted.
        limit: usize,
    },
    /// One reply takes more bytes than the limit.
    ReplyTooLong {
        /// Longest reply accepted, in bytes.
        limit: usize,
    },
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownType(byte) => {
                write!(f, "a reply cannot start with byte 0x{byte:02x}")?;
                if byte.is_ascii_graphic() { write!(f, " ('{}')", *byte as char) } else { Ok(()) }
            }
            Self::BadNumber => f.write_str("a number is not decimal or does not fit 64 bits"),
            Self::BadLength(length) => write!(f, "{length} is not a possible length"),
            Self::MissingTerminator => f.write_str("a string is not followed by CR LF"),
            Self::LineTooLong => f.write_str("a line has no end"),
            Self::BadBoolean => f.write_str("a boolean is neither t nor f"),
            Self::BadDouble => f.write_str("a double is not a number"),
            Self::BadVerbatim => f.write_str("a verbatim string has no format"),
            Self::BulkTooLong { length, limit } => {
                write!(f, "a string of {length} bytes is longer than the limit of {limit} bytes")
            }
            Self::TooManyElements { count, limit } => {
                write!(f, "{count} elements are more than the limit of {limit}")
            }
            Self::TooDeep { limit } => write!(f, "a reply is nested deeper than {limit} levels"),
            Self::ReplyTooLong { limit } => {
                write!(f, "a reply is longer than the limit of {limit} bytes")
            }
        }
    }
}

impl std::error::Error for ProtocolError {}
