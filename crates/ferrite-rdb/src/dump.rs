//! `DUMP` payloads: what `DUMP` answers and `RESTORE` takes.
//!
//! ```text
//! +------+------------------+-----------+----------+
//! | type | body             | version   | CRC64    |
//! | 1 B  | as in an RDB file | 2 B LE    | 8 B LE   |
//! +------+------------------+-----------+----------+
//!  \______ covered by the CRC ________/
//! ```
//!
//! Redis 8.6 puts data that modules attached to the key in front of the type byte; [`split`] takes
//! it off. The version is the RDB version of the server that made the payload. Redis refuses versions
//! above its own; Valkey refuses 12 to 79, which are Redis' after the fork. The body depends on
//! the type byte alone, so the footer may be rewritten with a lower version whenever the target
//! knows the type byte: see [`crate::transcode`].

use crate::types::key_meta::{self, KEY_META};
use crate::{Error, ErrorKind, crc64};

/// Bytes of the footer: version and checksum.
pub const FOOTER_LEN: usize = 10;

/// A payload taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Payload<'a> {
    /// What the body is; its meaning depends on the dialect of the server that wrote it.
    pub type_byte: u8,
    /// The value, as in an RDB file.
    pub body: &'a [u8],
    /// Data of modules that stood in front of the type byte, without its opcode; of no use to
    /// servers without those modules. Mostly empty.
    pub metadata: &'a [u8],
    /// RDB version of the server that wrote it.
    pub version: u16,
}

/// Takes a payload apart and verifies its checksum.
///
/// Unlike in an RDB file, a stored checksum of 0 does not mean "not computed": Redis and Valkey
/// refuse such a payload, and so does this.
///
/// # Errors
/// [`ErrorKind::Truncated`] for fewer than 11 bytes, [`ErrorKind::Checksum`] for damaged ones,
/// and what is wrong with the data of modules in front.
pub fn split(payload: &[u8]) -> Result<Payload<'_>, Error> {
    let (covered, stored) = payload.split_last_chunk::<8>().ok_or_else(|| truncated(payload))?;
    if covered.len() > 2 {
        verify(covered, u64::from_le_bytes(*stored))?;
    }
    split_unverified(payload)
}

fn truncated(payload: &[u8]) -> Error {
    Error::new(ErrorKind::Truncated("a DUMP payload"), payload.len() as u64)
}

/// The same, without a look at the checksum.
///
/// # Errors
/// As [`split`].
pub fn split_unverified(payload: &[u8]) -> Result<Payload<'_>, Error> {
    let truncated = || truncated(payload);
    let (covered, _) = payload.split_last_chunk::<8>().ok_or_else(truncated)?;
    let (value, version) = covered.split_last_chunk::<2>().ok_or_else(truncated)?;
    let (&type_byte, body) = value.split_first().ok_or_else(truncated)?;
    let (metadata, type_byte, body) = match type_byte {
        KEY_META => key_meta::peel(body)?,
        _ => (&[][..], type_byte, body),
    };
    Ok(Payload { type_byte, body, metadata, version: u16::from_le_bytes(*version) })
}

fn verify(covered: &[u8], stored: u64) -> Result<(), Error> {
    let computed = crc64(covered);
    if stored == computed {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Checksum { stored, computed }, covered.len() as u64))
}

/// Length in bytes of the payload of a body of `body_len` bytes.
#[must_use]
pub const fn payload_len(body_len: usize) -> usize {
    1 + body_len + FOOTER_LEN
}

/// Appends a whole payload.
pub fn write(out: &mut Vec<u8>, type_byte: u8, body: &[u8], version: u16) {
    out.reserve(payload_len(body.len()));
    let start = begin(out);
    out.push(type_byte);
    out.extend_from_slice(body);
    finish(out, start, version);
}

/// Where in a buffer a payload begins, between [`begin`] and [`finish`].
#[derive(Clone, Copy, Debug)]
#[must_use = "a payload without its footer is refused"]
pub struct Start(usize);

/// Begins a payload at the end of `out`. The caller appends type byte and body, then calls
/// [`finish`].
pub fn begin(out: &[u8]) -> Start {
    Start(out.len())
}

/// Appends the footer over everything since [`begin`].
pub fn finish(out: &mut Vec<u8>, start: Start, version: u16) {
    out.extend_from_slice(&version.to_le_bytes());
    let crc = crc64(out.get(start.0..).unwrap_or_default());
    out.extend_from_slice(&crc.to_le_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `SET k hello; DUMP k` on Redis 7.0.15.
    const HELLO: &[u8] = b"\x00\x05hello\n\x00cr\xdfve4 \n";

    #[test]
    fn a_payload_of_a_real_server_is_split_and_written_again() {
        let payload = split(HELLO).unwrap();
        assert_eq!(
            payload,
            Payload { type_byte: 0, body: b"\x05hello", metadata: b"", version: 10 }
        );
        let mut out = b"before".to_vec();
        write(&mut out, payload.type_byte, payload.body, payload.version);
        assert_eq!(out.strip_prefix(b"before").unwrap(), HELLO);
        assert_eq!(payload_len(payload.body.len()), HELLO.len());
    }

    #[test]
    fn data_of_modules_is_taken_off() {
        let metadata = b"\x01abcd\x02\x05\x05\x02hi\x00";
        let mut out = Vec::new();
        write(&mut out, KEY_META, &[&metadata[..], b"\x00\x05hello"].concat(), 13);
        let payload = split(&out).unwrap();
        assert_eq!(payload, Payload { type_byte: 0, body: b"\x05hello", metadata, version: 13 });
        for body in [&b"\x01abcd\x09\x00"[..], b"\x01abcd\x00", b"\x00\xf3\x00\x00", b"\x01ab"] {
            let mut out = Vec::new();
            write(&mut out, KEY_META, body, 13);
            assert!(split(&out).is_err(), "{body:?}");
        }
    }

    #[test]
    fn damage_is_found_in_every_byte() {
        for at in 0..HELLO.len() {
            let mut damaged = HELLO.to_vec();
            damaged[at] ^= 0x10;
            assert!(
                matches!(split(&damaged).unwrap_err().kind, ErrorKind::Checksum { .. }),
                "{at}"
            );
        }
    }

    #[test]
    fn short_input_is_truncated() {
        for len in 0..=FOOTER_LEN {
            let error = split(&HELLO[..len]).unwrap_err();
            assert_eq!(error.kind, ErrorKind::Truncated("a DUMP payload"));
        }
    }
}
