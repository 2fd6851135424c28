//! What can be wrong with bytes that claim to be an RDB file or a `DUMP` payload.

use std::fmt;

/// A malformed or unsupported input: what is wrong, where, and while reading which key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// What is wrong.
    pub kind: ErrorKind,
    /// Offset in bytes from the beginning of the stream, file or payload.
    pub offset: u64,
    /// The key being read, where there is one.
    pub key: Option<Vec<u8>>,
}

/// The kinds of malformed input.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The first bytes are neither `REDIS` nor `VALKEY` and a number.
    #[error("not an RDB file: it starts with neither REDIS nor VALKEY and a version")]
    Magic,
    /// A version no known server writes.
    #[error("RDB version {0} is not known")]
    Version(u32),
    /// A type byte this dialect and version does not have.
    #[error("unknown value type {0}")]
    Type(u8),
    /// A type that exists, but which this program cannot read, with its name.
    #[error("values of type {0} are not supported")]
    Unsupported(&'static str),
    /// The input ended in the middle.
    #[error("the data ends in the middle of {0}")]
    Truncated(&'static str),
    /// Bytes that contradict the format.
    #[error("malformed {0}")]
    Malformed(&'static str),
    /// A length above what is accepted.
    #[error("{what} of {len} bytes is above the limit of {limit}")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// Its length in bytes.
        len: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// The checksum does not match the bytes.
    #[error("checksum mismatch: stored {stored:016x}, computed {computed:016x}")]
    Checksum {
        /// As written in the data.
        stored: u64,
        /// As computed over the data.
        computed: u64,
    },
}

impl Error {
    /// An error at an offset, with no key.
    #[must_use]
    pub fn new(kind: ErrorKind, offset: u64) -> Self {
        Self { kind, offset, key: None }
    }

    /// The same error, naming the key unless it already names one.
    #[must_use]
    pub fn with_key(mut self, key: &[u8]) -> Self {
        self.key.get_or_insert_with(|| key.to_vec());
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}", self.kind, self.offset)?;
        match &self.key {
            Some(key) => write!(f, ", key \"{}\"", key.escape_ascii()),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {}
