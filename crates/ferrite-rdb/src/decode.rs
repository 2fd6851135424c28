//! From the stored bytes of one value to its elements.
//!
//! [`decode`] takes a complete value, [`ValueDecoder`] one that arrives in pieces, [`value_len`]
//! only finds where a value ends. All three walk the same layouts, see `types`.

use crate::cursor::{Cursor, MAX_ELEMENT_LEN, Scan, Scratch, Stop};
use crate::types::stream::StreamBody;
use crate::types::string::StringBody;
use crate::types::{Counted, Layout, hash, key_meta, list, module, opaque, set};
use crate::types::{standalone_layout, template, walk, zset};
use crate::{Dialect, Error, ErrorKind, Format, Sink};

/// The buffer a caller can be asked to hold for one unit of a value, in bytes: a field of a hash
/// is a unit of two elements.
const MAX_UNIT_LEN: u64 = 2 * MAX_ELEMENT_LEN;

/// What one call has done to its input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// How many bytes were used; the next call's input starts behind them. Zero with `done`
    /// false means that the next unit is not complete: call again with the same bytes and more.
    pub consumed: usize,
    /// Whether the value is complete.
    pub done: bool,
}

/// Decodes one value that arrives in pieces: `DUMP` replies off a socket, huge keys of an RDB
/// stream.
///
/// Strings need no more than a few bytes at a time. Of everything else the unit has to be in the
/// buffer at once: an element, a node of a list or stream, a whole packed collection or module
/// value. No element is accepted above 1 GiB, no unit above two.
pub struct ValueDecoder {
    layout: Layout,
    offset: u64,
    done: bool,
    /// The smallest expiry of a hash, read first.
    minimum: Option<u64>,
    /// Whether it was reported that members of a set expire.
    is_expiry_reported: bool,
    counted: Counted,
    string: StringBody,
    stream: StreamBody,
    scratch: [Scratch; 3],
}

impl ValueDecoder {
    /// A decoder for one value of a type.
    ///
    /// # Errors
    /// [`ErrorKind::Type`] and [`ErrorKind::Unsupported`] for types there is no decoding.
    pub fn new(format: Format, type_byte: u8) -> Result<Self, Error> {
        let layout = standalone_layout(format, type_byte).map_err(|kind| Error::new(kind, 0))?;
        Ok(Self::with_layout(layout))
    }

    pub(crate) fn with_layout(layout: Layout) -> Self {
        Self {
            layout,
            offset: 0,
            done: false,
            minimum: None,
            is_expiry_reported: false,
            counted: units(layout),
            string: StringBody::default(),
            stream: StreamBody::default(),
            scratch: Default::default(),
        }
    }

    /// How many bytes of the value were used so far.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Decodes as much of the input as is complete. `input` starts where the call before stopped.
    ///
    /// # Errors
    /// What is wrong with the bytes, its offset counted from the start of the value. The decoder
    /// is of no use afterwards.
    pub fn decode<S: Sink + ?Sized>(&mut self, input: &[u8], sink: &mut S) -> Result<Part, Error> {
        if self.done {
            return Ok(Part { consumed: 0, done: true });
        }
        let mut cursor = Cursor::new(input);
        match self.run(&mut cursor, sink) {
            Ok(()) => {
                cursor.commit();
                self.done = true;
            }
            Err(stop) => self.stopped(stop, &cursor, input.len() as u64)?,
        }
        self.offset += cursor.committed() as u64;
        Ok(Part { consumed: cursor.committed(), done: self.done })
    }

    /// More bytes will do, unless what is there is too much already for one unit.
    #[cold]
    fn stopped(&self, stop: Stop, cursor: &Cursor<'_>, len: u64) -> Result<(), Error> {
        let stuck = cursor.committed() == 0 && len > MAX_UNIT_LEN;
        let kind = match stop {
            Stop::Bad(kind) => kind,
            Stop::Incomplete if stuck => {
                ErrorKind::TooLarge { what: "one part of a value", len, limit: MAX_UNIT_LEN }
            }
            Stop::Incomplete => return Ok(()),
        };
        Err(Error::new(kind, self.offset + cursor.pos() as u64))
    }

    fn run<S: Sink + ?Sized>(&mut self, cursor: &mut Cursor<'_>, sink: &mut S) -> Scan<()> {
        if self.layout == Layout::BehindMetadata {
            self.layout = key_meta::inner(cursor)?;
            self.counted = units(self.layout);
            cursor.commit();
            sink.unsupported(key_meta::LEFT_BEHIND);
        }
        let layout = self.layout;
        let [first, second, _] = &mut self.scratch;
        match layout {
            Layout::String => self.string.run(cursor, sink),
            Layout::Stream(version) => self.stream.run(version, cursor, first, sink),
            Layout::Module => module::whole(cursor, sink),
            Layout::Opaque(opaque) => opaque::whole(opaque, cursor, sink),
            Layout::List | Layout::ListZiplist | Layout::Quicklist | Layout::Quicklist2 => {
                self.counted.run(cursor, |cursor| list::unit(layout, cursor, first, second, sink))
            }
            Layout::Set | Layout::SetIntset | Layout::SetListpack => {
                self.counted.run(cursor, |cursor| set::unit(layout, cursor, first, second, sink))
            }
            Layout::Zset | Layout::ZsetText | Layout::ZsetZiplist | Layout::ZsetListpack => {
                self.counted.run(cursor, |cursor| zset::unit(layout, cursor, first, second, sink))
            }
            Layout::SetExpiring => {
                let (counted, is_reported) = (&mut self.counted, &mut self.is_expiry_reported);
                set::expiring(counted, cursor, &mut self.scratch, is_reported, sink)
            }
            _ => self.hash(cursor, sink),
        }
    }

    fn hash<S: Sink + ?Sized>(&mut self, cursor: &mut Cursor<'_>, sink: &mut S) -> Scan<()> {
        let (counted, scratch) = (&mut self.counted, &mut self.scratch);
        match self.layout {
            Layout::Hash => hash::plain(counted, cursor, scratch, sink),
            Layout::HashExpiring => hash::expiring(counted, cursor, scratch, sink),
            Layout::HashExpiringSeconds => hash::expiring_seconds(counted, cursor, scratch, sink),
            Layout::HashMetadata { minimum } => {
                if minimum && self.minimum.is_none() {
                    self.minimum = Some(cursor.u64_le()?);
                    cursor.commit();
                }
                hash::metadata(counted, self.minimum, cursor, scratch, sink)
            }
            Layout::HashTemplateListpack | Layout::HashTemplateArray => {
                template::whole(self.layout, cursor, sink)
            }
            _ => hash::packed(self.layout, cursor, scratch, sink),
        }
    }
}

impl std::fmt::Debug for ValueDecoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ValueDecoder")
            .field("layout", &self.layout)
            .field("offset", &self.offset)
            .field("done", &self.done)
            .finish_non_exhaustive()
    }
}

/// The units of a layout: counted in front, or a packed collection or string in one.
fn units(layout: Layout) -> Counted {
    if is_counted(layout) { Counted::default() } else { Counted::of(1) }
}

/// Whether a layout starts with a count of units.
const fn is_counted(layout: Layout) -> bool {
    matches!(
        layout,
        Layout::List
            | Layout::Quicklist
            | Layout::Quicklist2
            | Layout::Set
            | Layout::SetExpiring
            | Layout::Zset
            | Layout::ZsetText
            | Layout::Hash
            | Layout::HashExpiring
            | Layout::HashExpiringSeconds
            | Layout::HashMetadata { .. }
    )
}

/// Decodes a complete value, without its type byte.
///
/// The `mvcc-tstamp` field KeyDB leaves behind a value in `DUMP` payloads is accepted and ignored
/// in that dialect.
///
/// # Errors
/// Also when bytes are missing or left over. Elements before the error have been handed out.
pub fn decode<S: Sink + ?Sized>(
    format: Format,
    type_byte: u8,
    body: &[u8],
    sink: &mut S,
) -> Result<(), Error> {
    let mut decoder = ValueDecoder::new(format, type_byte)?;
    let part = decoder.decode(body, sink)?;
    let rest = body.get(part.consumed..).unwrap_or_default();
    if !part.done {
        return Err(Error::new(ErrorKind::Truncated("a value"), body.len() as u64));
    }
    if rest.is_empty() || (format.dialect == Dialect::KeyDb && is_mvcc_field(rest)) {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Malformed("value: bytes are left over"), part.consumed as u64))
}

/// Whether the bytes are exactly KeyDB's modification stamp: opcode AUX, name, number.
fn is_mvcc_field(bytes: &[u8]) -> bool {
    let Some(field) = bytes.strip_prefix(b"\xfa\x0bmvcc-tstamp") else { return false };
    let mut cursor = Cursor::new(field);
    cursor.skip_string().is_ok() && cursor.rest().is_empty()
}

/// How many of the bytes belong to the value they start with; `None` when it does not end in
/// them. Only lengths are looked at.
///
/// # Errors
/// What is wrong with the lengths, its offset counted from the start of the value.
pub fn value_len(format: Format, type_byte: u8, input: &[u8]) -> Result<Option<usize>, Error> {
    let layout = standalone_layout(format, type_byte).map_err(|kind| Error::new(kind, 0))?;
    let mut cursor = Cursor::new(input);
    match walk::skip(layout, &mut cursor) {
        Ok(()) => Ok(Some(cursor.pos())),
        Err(stop) => stop.into_error(cursor.pos() as u64, None).map_or(Ok(None), Err),
    }
}
