//! Values that are handed out in parts.

use super::MAX_EVENT_LEN;
use crate::cursor::{Cursor, Stop};
use crate::decode::{Part, ValueDecoder};
use crate::types::Layout;
use crate::types::template::Templates;
use crate::{Error, ErrorKind, Sink};

/// A value being handed out in parts.
#[derive(Debug)]
pub(super) struct Large {
    pub(super) key: Vec<u8>,
    /// Offset in the stream.
    pub(super) start: u64,
    pub(super) body: Body,
}

#[derive(Debug)]
pub(super) enum Body {
    Value(Box<ValueDecoder>),
    /// A hash by template, which is one unit.
    Template(Layout),
}

impl Body {
    pub(super) fn decode<S: Sink + ?Sized>(
        &mut self,
        input: &[u8],
        templates: &Templates,
        sink: &mut S,
    ) -> Result<Part, Error> {
        let layout = match self {
            Self::Value(decoder) => return decoder.decode(input, sink),
            Self::Template(layout) => *layout,
        };
        let mut cursor = Cursor::new(input);
        match templates.hash(layout, &mut cursor, sink) {
            Ok(()) => Ok(Part { consumed: cursor.pos(), done: true }),
            Err(Stop::Incomplete) if input.len() as u64 <= MAX_EVENT_LEN => {
                Ok(Part { consumed: 0, done: false })
            }
            Err(stop) => Err(Error::new(fatal(stop, input.len()), cursor.pos() as u64)),
        }
    }
}

/// The error for a stop that is final, however many bytes there are.
#[cold]
pub(super) fn fatal(stop: Stop, available: usize) -> ErrorKind {
    match stop {
        Stop::Bad(kind) => kind,
        Stop::Incomplete => ErrorKind::TooLarge {
            what: "one item of the stream",
            len: available as u64,
            limit: MAX_EVENT_LEN,
        },
    }
}
