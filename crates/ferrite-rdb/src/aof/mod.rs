//! Append-only files: the commands a server has executed, as it writes them down.
//!
//! ```text
//! one file           commands
//!                    REDIS0009 … EOF CRC64, then commands       a preamble (Redis 4.0 on)
//! a directory        name.manifest                              (Redis 7.0 on)
//!                    name.N.base.rdb or name.N.base.aof         what was there at a moment
//!                    name.N.incr.aof …                          what was done since, in order
//!
//! commands           { command | annotation } ...
//! command            *2\r\n $6\r\nSELECT\r\n $1\r\n0\r\n
//! annotation         #TS:1700000000\r\n                         Unix time of what follows
//! ```
//!
//! [`Reader`] takes commands and annotations out of a buffer; [`Content::of`] tells from the first
//! bytes whether an RDB comes first, which [`crate::Reader`] reads; [`Manifest`] says which files
//! of a directory are to be read. [`find_command`] finds the next command behind damage.

mod command;
mod manifest;
mod reader;
mod salvage;

pub use manifest::{MANIFEST_MAX, Manifest, ManifestError, Part};
pub use reader::{Item, Reader, Step};
pub use salvage::{Found, find_command};

/// What a file begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// A snapshot, behind which commands may follow.
    Rdb,
    /// Commands, or an annotation.
    Commands,
    /// Nothing: an empty file is one without commands.
    Empty,
    /// Something else.
    Other,
}

impl Content {
    /// How many bytes are enough to tell.
    pub const HEAD_LEN: usize = 6;

    /// What these first bytes of a file are; fewer than [`Content::HEAD_LEN`] only if the file has
    /// no more.
    #[must_use]
    pub fn of(head: &[u8]) -> Self {
        match head {
            [] => Self::Empty,
            [b'*' | b'#', ..] => Self::Commands,
            _ if head.starts_with(b"REDIS") || head.starts_with(b"VALKEY") => Self::Rdb,
            _ => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_known_by_their_first_bytes() {
        assert_eq!(Content::of(b"REDIS0"), Content::Rdb);
        assert_eq!(Content::of(b"VALKEY"), Content::Rdb);
        assert_eq!(Content::of(b"*2\r\n$6"), Content::Commands);
        assert_eq!(Content::of(b"#TS:17"), Content::Commands);
        assert_eq!(Content::of(b""), Content::Empty);
        assert_eq!(Content::of(b"REDI"), Content::Other);
        assert_eq!(Content::of(b"{\"a\":1"), Content::Other);
    }
}
