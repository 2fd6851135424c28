//! Payloads of `FUNCTION DUMP`: the code of all libraries, with the footer of every payload.
//!
//! ```text
//! payload := (FUNCTION code)* version:u16 crc64:u64      FUNCTION := F5, code: a string
//! ```

use crate::cursor::{Cursor, Stop};
use crate::encode::string_compressed;
use crate::{Error, ErrorKind, crc64, dump};

const FUNCTION: u8 = 245;

/// Version and checksum.
const FOOTER: usize = 10;

/// Appends the payload that restores these libraries.
pub fn write<'a>(out: &mut Vec<u8>, codes: impl IntoIterator<Item = &'a [u8]>, version: u16) {
    let start = dump::begin(out);
    for code in codes {
        out.push(FUNCTION);
        string_compressed(out, code);
    }
    dump::finish(out, start, version);
}

/// The code of each library of a payload, and the payload's version. A checksum of zero is none.
///
/// # Errors
/// [`ErrorKind::Truncated`] and [`ErrorKind::Checksum`] for what is no payload at all, and what
/// is wrong with its parts.
pub fn read(payload: &[u8]) -> Result<(Vec<Vec<u8>>, u16), Error> {
    let at = payload.len().saturating_sub(FOOTER);
    let truncated = || Error::new(ErrorKind::Truncated("a FUNCTION DUMP payload"), at as u64);
    let (covered, stored) = payload.split_last_chunk::<8>().ok_or_else(truncated)?;
    let (content, version) = covered.split_last_chunk::<2>().ok_or_else(truncated)?;
    let (stored, computed) = (u64::from_le_bytes(*stored), crc64(covered));
    if stored != computed && stored != 0 {
        return Err(Error::new(ErrorKind::Checksum { stored, computed }, covered.len() as u64));
    }
    let mut cursor = Cursor::new(content);
    let mut codes = Vec::new();
    while !cursor.rest().is_empty() {
        let code = (|| match cursor.byte()? {
            FUNCTION => cursor.stored()?.to_vec().map_err(Stop::Bad),
            _ => Err(Stop::Bad(ErrorKind::Malformed("payload: not a function library"))),
        })();
        codes.push(code.map_err(|stop| {
            let kind = match stop {
                Stop::Bad(kind) => kind,
                Stop::Incomplete => ErrorKind::Truncated("a FUNCTION DUMP payload"),
            };
            Error::new(kind, cursor.pos() as u64)
        })?);
    }
    Ok((codes, u16::from_le_bytes(*version)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `FUNCTION DUMP` of one library on Redis 7.0.15.
    const REAL: &[u8] = b"\xf5\xc3@R@]\x1f#!lua name=a\nredis.register_func\x04tion{\xc0\x08\x00_`'\x0c'f',callback=\xc0\x1a\r() end,descrip@5\x02=1}\n\x00L1\x94\x10^\xf4\xf5r";

    #[test]
    fn a_payload_of_a_real_server_is_read_and_written_again() {
        let (codes, version) = read(REAL).unwrap();
        assert_eq!(version, 10);
        assert_eq!(codes.len(), 1);
        assert!(codes[0].starts_with(b"#!lua name=a\nredis.register_function{"));
        let mut ours = Vec::new();
        write(&mut ours, codes.iter().map(Vec::as_slice), 10);
        assert_eq!(read(&ours).unwrap(), (codes, 10));
    }

    #[test]
    fn nothing_and_damage_are_told_apart() {
        let mut empty = Vec::new();
        write(&mut empty, [], 11);
        assert_eq!(read(&empty).unwrap(), (Vec::new(), 11));
        assert!(read(b"x").is_err());
        for at in 0..REAL.len() {
            let mut damaged = REAL.to_vec();
            damaged[at] ^= 1;
            assert!(read(&damaged).is_err(), "byte {at}");
        }
    }
}
