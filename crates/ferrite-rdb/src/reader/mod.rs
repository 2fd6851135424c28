//! The pull parser of RDB streams, over a buffer the caller owns and fills.
//!
//! ```text
//! magic and version (9) | (opcode, data | [attributes] type byte, key, value) ... | 255 | CRC (8)
//! ```
//!
//! The reader keeps no bytes of its own: it looks at the buffer, says what it found and how many
//! bytes that took. A key comes with its attributes and its whole value in one piece, unless the
//! value is larger than the limit the caller set; such a value is handed out element by element.

mod event;
mod large;
mod opcode;

use std::borrow::Cow;

pub use event::{Entry, Event, Head, Step};

use crate::crc64::Crc64;
use crate::cursor::{Cursor, MAX_ELEMENT_LEN, Scan, Stop, Stored};
use crate::decode::{Part, ValueDecoder};
use crate::types::template::Templates;
use crate::types::{Layout, layout, walk};
use crate::{Dialect, Error, ErrorKind, Format, Sink};
use large::{Body, Large, fatal};
use opcode::Attributes;

/// The buffer a caller can be asked to hold for anything that is not a value, in bytes.
const MAX_EVENT_LEN: u64 = 2 * MAX_ELEMENT_LEN;

/// The newest versions this crate knows.
const NEWEST_REDIS: u32 = 15;
const VALKEY_VERSIONS: std::ops::RangeInclusive<u32> = 80..=81;
/// The first version with a checksum at the end.
const FIRST_CHECKSUM: u32 = 5;
const MAGIC_LEN: usize = 9;

/// Reads an RDB stream event by event; see the module for how.
#[derive(Debug)]
pub struct Reader {
    value_limit: usize,
    format: Format,
    offset: u64,
    crc: Crc64,
    db: u64,
    attributes: Attributes,
    templates: Templates,
    state: State,
    /// The key an error is about, set just before it is returned.
    failed_key: Option<Vec<u8>>,
}

#[derive(Debug)]
enum State {
    Header,
    Body,
    Large(Large),
    End(Option<u64>),
}

impl Reader {
    /// A reader at the first byte of a stream. A value that does not end within `value_limit`
    /// bytes of the buffer, its key and attributes included, is handed out in parts.
    #[must_use]
    pub fn new(value_limit: usize) -> Self {
        Self {
            value_limit,
            format: Format::redis(0),
            offset: 0,
            crc: Crc64::new(),
            db: 0,
            attributes: Attributes::default(),
            templates: Templates::default(),
            state: State::Header,
            failed_key: None,
        }
    }

    /// How many bytes of the stream were consumed.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Who wrote the stream, as far as it has been read: the header tells Redis and Valkey 9
    /// apart, auxiliary fields behind it reveal Dragonfly and KeyDB. Version 0 before the header.
    #[must_use]
    pub fn format(&self) -> Format {
        self.format
    }

    /// Finds the next thing in the stream. `input` starts where the call before stopped. After
    /// [`Event::End`] it is that again, without consuming anything.
    ///
    /// # Errors
    /// What is wrong with the bytes, with their offset in the stream and the key. The reader is
    /// of no use afterwards.
    pub fn next<'a>(&mut self, input: &'a [u8]) -> Result<Step<'a>, Error> {
        let mut cursor = Cursor::new(input);
        match self.read(&mut cursor, input.len()) {
            Ok(event) => {
                let consumed = cursor.pos();
                if !matches!(event, Event::End { .. }) {
                    self.consume(cursor.since(0));
                }
                Ok(Step::Event { consumed, event })
            }
            Err(stop) => self.stopped(stop, &cursor, input.len()),
        }
    }

    /// Hands out the next part of the value of an [`Event::Large`].
    ///
    /// # Errors
    /// What is wrong with the bytes, with their offset in the stream and the key; also when no
    /// such value is due.
    pub fn next_part<S: Sink + ?Sized>(
        &mut self,
        input: &[u8],
        sink: &mut S,
    ) -> Result<Part, Error> {
        let State::Large(large) = &mut self.state else {
            return Err(Error::new(ErrorKind::Malformed("sequence of calls"), self.offset));
        };
        let part = large.body.decode(input, &self.templates, sink).map_err(|error| {
            Error::new(error.kind, large.start + error.offset).with_key(&large.key)
        })?;
        if part.done {
            self.state = State::Body;
        }
        self.consume(input.get(..part.consumed).unwrap_or_default());
        Ok(part)
    }

    fn consume(&mut self, bytes: &[u8]) {
        self.offset += bytes.len() as u64;
        self.crc.update(bytes);
    }

    #[cold]
    fn stopped<'a>(
        &mut self,
        stop: Stop,
        cursor: &Cursor<'_>,
        available: usize,
    ) -> Result<Step<'a>, Error> {
        if matches!(stop, Stop::Incomplete) && available as u64 <= MAX_EVENT_LEN {
            return Ok(Step::NeedMore);
        }
        let error = Error::new(fatal(stop, available), self.offset + cursor.pos() as u64);
        Err(match self.failed_key.take() {
            Some(key) => error.with_key(&key),
            None => error,
        })
    }

    fn read<'a>(&mut self, cursor: &mut Cursor<'a>, available: usize) -> Scan<Event<'a>> {
        match self.state {
            State::Body => self.body(cursor, available),
            State::Header => self.header(cursor),
            State::End(checksum) => Ok(Event::End { checksum }),
            State::Large(_) => Err(Stop::Bad(ErrorKind::Malformed("sequence of calls"))),
        }
    }

    fn header<'a>(&mut self, cursor: &mut Cursor<'a>) -> Scan<Event<'a>> {
        let magic = cursor.array::<MAGIC_LEN>()?;
        self.format = parse_magic(&magic).map_err(Stop::Bad)?;
        self.state = State::Body;
        Ok(Event::Header(self.format))
    }

    /// A key with its attributes in front.
    fn entry<'a>(
        &mut self,
        type_byte: u8,
        attributes: Attributes,
        cursor: &mut Cursor<'a>,
        available: usize,
    ) -> Scan<Event<'a>> {
        let layout = match layout(self.format, type_byte) {
            Ok(layout) => layout,
            Err(kind) => return Err(self.refuse(kind, cursor)),
        };
        let key = text(cursor.stored()?)?;
        let start = cursor.pos();
        let by_reference =
            matches!(layout, Layout::HashTemplateListpackRef | Layout::HashTemplateArrayRef);
        if by_reference {
            let head = attributes.head(self.db, key, type_byte);
            return Ok(self.large(head, start, Body::Template(layout)));
        }
        let skipped = walk::skip(layout, cursor);
        let head = attributes.head(self.db, key, type_byte);
        match skipped {
            Ok(()) => {
                self.attributes = Attributes::default();
                Ok(Event::Entry(Entry { head, value: cursor.since(start) }))
            }
            Err(Stop::Incomplete) if available >= self.value_limit => {
                cursor.rewind(start);
                Ok(self.large(
                    head,
                    start,
                    Body::Value(Box::new(ValueDecoder::with_layout(layout))),
                ))
            }
            Err(Stop::Incomplete) => Err(Stop::Incomplete),
            Err(Stop::Bad(kind)) => Err(self.fail(&head.key, kind)),
        }
    }

    fn large<'a>(&mut self, head: Head<'a>, start: usize, body: Body) -> Event<'a> {
        self.attributes = Attributes::default();
        let start = self.offset + start as u64;
        self.state = State::Large(Large { key: head.key.to_vec(), start, body });
        Event::Large(head)
    }

    /// The error for a type that cannot be read, naming the key if there is one to be read.
    #[cold]
    fn refuse(&mut self, kind: ErrorKind, cursor: &Cursor<'_>) -> Stop {
        let key = Cursor::new(cursor.rest()).stored().and_then(text);
        self.failed_key = key.ok().map(Cow::into_owned);
        Stop::Bad(kind)
    }

    #[cold]
    fn fail(&mut self, key: &[u8], kind: ErrorKind) -> Stop {
        self.failed_key = Some(key.to_vec());
        Stop::Bad(kind)
    }

    /// The opcode of the end was read: the checksum is over everything up to it.
    fn end<'a>(&mut self, cursor: &mut Cursor<'a>) -> Scan<Event<'a>> {
        let covered = cursor.since(0);
        let stored = if self.format.version >= FIRST_CHECKSUM { cursor.u64_le()? } else { 0 };
        self.crc.update(covered);
        let computed = self.crc.value();
        if stored != 0 && stored != computed {
            return Err(Stop::Bad(ErrorKind::Checksum { stored, computed }));
        }
        self.offset += cursor.pos() as u64;
        let checksum = (stored != 0).then_some(stored);
        self.state = State::End(checksum);
        Ok(Event::End { checksum })
    }

    /// What an auxiliary field says about who wrote the stream.
    fn notice(&mut self, key: &[u8]) {
        if self.format.dialect != Dialect::Redis {
            return;
        }
        if key == b"df-ver" {
            self.format.dialect = Dialect::Dragonfly;
        } else if key == b"mvcc-tstamp" || key.starts_with(b"keydb-") {
            self.format.dialect = Dialect::KeyDb;
        }
    }
}

/// A stored string as bytes, borrowed where it is stored as they are.
fn text(stored: Stored<'_>) -> Scan<Cow<'_, [u8]>> {
    match stored {
        Stored::Raw(bytes) => Ok(Cow::Borrowed(bytes)),
        _ => stored.to_vec().map(Cow::Owned).map_err(Stop::Bad),
    }
}

fn parse_magic(magic: &[u8; MAGIC_LEN]) -> Result<Format, ErrorKind> {
    if let Some(version) = magic.strip_prefix(b"REDIS").and_then(number) {
        let known = (1..=NEWEST_REDIS).contains(&version);
        return if known { Ok(Format::redis(version)) } else { Err(ErrorKind::Version(version)) };
    }
    if let Some(version) = magic.strip_prefix(b"VALKEY").and_then(number) {
        let known = VALKEY_VERSIONS.contains(&version);
        return if known { Ok(Format::valkey(version)) } else { Err(ErrorKind::Version(version)) };
    }
    Err(ErrorKind::Magic)
}

fn number(digits: &[u8]) -> Option<u32> {
    let all_digits = digits.iter().all(u8::is_ascii_digit);
    all_digits.then(|| digits.iter().fold(0, |sum, digit| sum * 10 + u32::from(digit - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn magics_and_their_versions() {
        assert_eq!(parse_magic(b"REDIS0011"), Ok(Format::redis(11)));
        assert_eq!(parse_magic(b"VALKEY080"), Ok(Format::valkey(80)));
        assert_eq!(parse_magic(b"REDIS0016"), Err(ErrorKind::Version(16)));
        assert_eq!(parse_magic(b"REDIS0000"), Err(ErrorKind::Version(0)));
        assert_eq!(parse_magic(b"VALKEY011"), Err(ErrorKind::Version(11)));
        assert_eq!(parse_magic(b"REDIS00x1"), Err(ErrorKind::Magic));
        assert_eq!(parse_magic(b"*3\r\n$3\r\nS"), Err(ErrorKind::Magic));
    }
}
