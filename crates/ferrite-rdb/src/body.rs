//! The parts of a complete value, for a reader that keeps packed collections as they are.

use std::borrow::Cow;

use crate::cursor::{Cursor, Scan, Stop, Stored};
use crate::{Error, ErrorKind};

/// Reads a complete value part by part; which parts there are is drawn at each type in `types`.
pub struct Body<'a> {
    cursor: Cursor<'a>,
}

impl<'a> Body<'a> {
    /// The value whose bytes these are, without its type byte.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { cursor: Cursor::new(bytes) }
    }

    fn done<T>(&self, scan: Scan<T>) -> Result<T, Error> {
        scan.map_err(|stop| {
            let kind = match stop {
                Stop::Bad(kind) => kind,
                Stop::Incomplete => ErrorKind::Truncated("a value"),
            };
            Error::new(kind, self.cursor.pos() as u64)
        })
    }

    /// The next length or count.
    ///
    /// # Errors
    /// When it is malformed or the bytes end first.
    pub fn length(&mut self) -> Result<u64, Error> {
        let scan = self.cursor.length();
        self.done(scan)
    }

    /// The next string; copied only where it is stored compressed or as an integer.
    ///
    /// # Errors
    /// When it is malformed or the bytes end first.
    pub fn string(&mut self) -> Result<Cow<'a, [u8]>, Error> {
        let scan = self.cursor.stored().and_then(|stored| match stored {
            Stored::Raw(bytes) => Ok(Cow::Borrowed(bytes)),
            other => other.to_vec().map(Cow::Owned).map_err(Stop::Bad),
        });
        self.done(scan)
    }

    /// The next eight bytes, the lowest first.
    ///
    /// # Errors
    /// When the bytes end first.
    pub fn u64_le(&mut self) -> Result<u64, Error> {
        let scan = self.cursor.u64_le();
        self.done(scan)
    }

    /// Sees that nothing is left.
    ///
    /// # Errors
    /// [`ErrorKind::Malformed`] when bytes are left over.
    pub fn end(&self) -> Result<(), Error> {
        if self.cursor.rest().is_empty() {
            return Ok(());
        }
        let kind = ErrorKind::Malformed("value: bytes are left over");
        Err(Error::new(kind, self.cursor.pos() as u64))
    }
}

impl std::fmt::Debug for Body<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Body").field("pos", &self.cursor.pos()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_one_by_one() {
        let mut body = Body::new(b"\x02\x03abc\xc0\x07\x01\0\0\0\0\0\0\0");
        assert_eq!(body.length(), Ok(2));
        assert_eq!(body.string(), Ok(Cow::Borrowed(&b"abc"[..])));
        assert_eq!(body.string(), Ok(Cow::Owned(b"7".to_vec())));
        assert!(body.end().is_err());
        assert_eq!(body.u64_le(), Ok(1));
        assert_eq!(body.end(), Ok(()));
        assert_eq!(body.string().unwrap_err().kind, ErrorKind::Truncated("a value"));
    }
}
