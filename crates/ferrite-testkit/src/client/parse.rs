//! RESP2 and RESP3, read from a stream.
//!
//! ```text
//! +text\r\n   -text\r\n   :number\r\n   $length\r\n bytes \r\n   *count\r\n items
//! RESP3: _\r\n   #t\r\n   ,double\r\n   (big\r\n   !length   =length   ~count   %pairs   >count
//! ```

use std::io::{self, BufRead, Read};

use super::Reply;

/// Longest line that is not a bulk string.
const MAX_LINE: u64 = 1024 * 1024;
/// Longest bulk string: twice what servers allow.
const MAX_BULK: u64 = 1024 * 1024 * 1024;
/// Most items in one reply.
const MAX_ITEMS: u64 = 512 * 1024 * 1024;
/// Deepest nesting.
const MAX_DEPTH: usize = 32;

/// Why there is no reply.
#[derive(Debug)]
pub(crate) enum Error {
    Io(io::Error),
    Protocol(String),
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Error {
        Error::Io(error)
    }
}

/// Reads one reply.
pub(crate) fn reply(reader: &mut impl BufRead) -> Result<Reply, Error> {
    nested(reader, 0)
}

fn nested(reader: &mut impl BufRead, depth: usize) -> Result<Reply, Error> {
    if depth > MAX_DEPTH {
        return Err(Error::Protocol(format!("nested deeper than {MAX_DEPTH}")));
    }
    let line = line(reader)?;
    let (&kind, rest) =
        line.split_first().ok_or_else(|| Error::Protocol("an empty line".into()))?;
    let text = || String::from_utf8_lossy(rest).into_owned();
    match kind {
        b'+' => Ok(Reply::Simple(text())),
        b'-' => Ok(Reply::Error(text())),
        b':' => parsed(rest).map(Reply::Int),
        b'_' => Ok(Reply::Nil),
        b'#' => Ok(Reply::Bool(rest == b"t")),
        b',' => parsed(rest).map(Reply::Double),
        b'(' => Ok(Reply::Simple(text())),
        b'$' | b'=' | b'!' => bulk(reader, kind, rest),
        b'*' | b'~' | b'>' => aggregate(reader, kind, rest, 1, depth),
        b'%' => aggregate(reader, kind, rest, 2, depth),
        _ => Err(Error::Protocol(format!("a line starting with byte 0x{kind:02x}"))),
    }
}

fn bulk(reader: &mut impl BufRead, kind: u8, length: &[u8]) -> Result<Reply, Error> {
    if length == b"-1" {
        return Ok(Reply::Nil);
    }
    let length = bounded(length, MAX_BULK)?;
    let mut bytes = Vec::new();
    reader.take(length).read_to_end(&mut bytes)?;
    let mut end = [0; 2];
    reader.read_exact(&mut end)?;
    if end != *b"\r\n" {
        return Err(Error::Protocol("a bulk string not ended by CR LF".into()));
    }
    Ok(match kind {
        b'!' => Reply::Error(String::from_utf8_lossy(&bytes).into_owned()),
        b'=' => Reply::Bulk(bytes.get(4..).unwrap_or_default().to_vec()),
        _ => Reply::Bulk(bytes),
    })
}

fn aggregate(
    reader: &mut impl BufRead,
    kind: u8,
    count: &[u8],
    per_item: u64,
    depth: usize,
) -> Result<Reply, Error> {
    if count == b"-1" {
        return Ok(Reply::Nil);
    }
    let count = bounded(count, MAX_ITEMS)? * per_item;
    let mut items = Vec::new();
    for _ in 0..count {
        items.push(nested(reader, depth + 1)?);
    }
    Ok(if kind == b'>' { Reply::Push(items) } else { Reply::Array(items) })
}

fn bounded(number: &[u8], limit: u64) -> Result<u64, Error> {
    let value: u64 = parsed(number)?;
    if value > limit {
        return Err(Error::Protocol(format!("a length of {value}, above {limit}")));
    }
    Ok(value)
}

fn parsed<T: std::str::FromStr>(text: &[u8]) -> Result<T, Error> {
    let text = String::from_utf8_lossy(text);
    text.parse().map_err(|_| Error::Protocol(format!("{text:?} where a number belongs")))
}

fn line(reader: &mut impl BufRead) -> Result<Vec<u8>, Error> {
    let mut line = Vec::new();
    reader.take(MAX_LINE).read_until(b'\n', &mut line)?;
    if line.is_empty() {
        let closed =
            io::Error::new(io::ErrorKind::UnexpectedEof, "the server closed the connection");
        return Err(Error::Io(closed));
    }
    if !line.ends_with(b"\r\n") {
        return Err(Error::Protocol("a line not ended by CR LF".into()));
    }
    line.truncate(line.len() - 2);
    Ok(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_read() {
        let bytes =
            b"*8\r\n+OK\r\n:-5\r\n$3\r\na\x00b\r\n$-1\r\n*-1\r\n,1.5\r\n#t\r\n%1\r\n+k\r\n_\r\n";
        let expected = Reply::Array(vec![
            Reply::Simple("OK".into()),
            Reply::Int(-5),
            Reply::Bulk(b"a\0b".to_vec()),
            Reply::Nil,
            Reply::Nil,
            Reply::Double(1.5),
            Reply::Bool(true),
            Reply::Array(vec![Reply::Simple("k".into()), Reply::Nil]),
        ]);
        assert_eq!(reply(&mut &bytes[..]).unwrap(), expected);
    }

    #[test]
    fn broken_bytes_are_refused() {
        for bytes in [&b"?\r\n"[..], b"$2\r\nabc\r\n", b":x\r\n", b"+no end", b"$9999999999\r\n"] {
            assert!(matches!(reply(&mut &bytes[..]), Err(Error::Protocol(_))), "{bytes:?}");
        }
        assert!(matches!(reply(&mut &b""[..]), Err(Error::Io(_))));
    }
}
