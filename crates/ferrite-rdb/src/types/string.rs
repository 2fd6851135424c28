//! Strings: handed out in pieces, compressed ones too, so that none has to fit into memory.

use crate::cursor::{Cursor, Prefix, Scan, Stop};
use crate::lzf::{self, MAX_RATIO, WINDOW};
use crate::{ErrorKind, Sink};

/// A compressed string is handed out in pieces of about this many bytes.
const PIECE: usize = 64 << 10;

/// How far a string has been read.
#[derive(Debug, Default)]
pub(crate) struct StringBody {
    state: State,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Start,
    Raw {
        total: u64,
        left: u64,
    },
    Lzf(Box<Unpacking>),
}

/// A compressed string half way: how much is left on either side, and the last bytes made.
#[derive(Debug)]
struct Unpacking {
    packed_left: u64,
    total: u64,
    left: u64,
    window: Vec<u8>,
}

impl StringBody {
    pub(crate) fn run<S: Sink + ?Sized>(
        &mut self,
        cursor: &mut Cursor<'_>,
        sink: &mut S,
    ) -> Scan<()> {
        if matches!(self.state, State::Start) {
            let prefix = cursor.prefix()?;
            if self.start(prefix, cursor, sink)? {
                cursor.commit();
                return Ok(());
            }
            cursor.commit();
        }
        match &mut self.state {
            State::Start => Ok(()),
            State::Raw { total, left } => raw(*total, left, cursor, sink),
            State::Lzf(unpacking) => unpacking.run(cursor, sink),
        }
    }

    /// Deals with the length and what stands in its place; true when that was all.
    fn start<S: Sink + ?Sized>(
        &mut self,
        prefix: Prefix,
        cursor: &mut Cursor<'_>,
        sink: &mut S,
    ) -> Scan<bool> {
        match prefix {
            Prefix::Len(0) => sink.string_part(0, b""),
            Prefix::Len(total) => {
                self.state = State::Raw { total, left: total };
                return Ok(false);
            }
            Prefix::Encoded(encoding) => match cursor.encoded_int(encoding)? {
                Some(value) => {
                    let mut digits = itoa::Buffer::new();
                    let digits = digits.format(value).as_bytes();
                    sink.string_part(digits.len() as u64, digits);
                }
                None => {
                    self.state = State::Lzf(Box::new(Unpacking::start(cursor)?));
                    return Ok(false);
                }
            },
        }
        Ok(true)
    }
}

fn raw<S: Sink + ?Sized>(
    total: u64,
    left: &mut u64,
    cursor: &mut Cursor<'_>,
    sink: &mut S,
) -> Scan<()> {
    let rest = cursor.rest();
    let piece = usize::try_from(*left).ok().and_then(|left| rest.get(..left)).unwrap_or(rest);
    if !piece.is_empty() {
        sink.string_part(total, piece);
        cursor.advance(piece.len());
        cursor.commit();
        *left -= piece.len() as u64;
    }
    if *left == 0 { Ok(()) } else { Err(Stop::Incomplete) }
}

impl Unpacking {
    fn start(cursor: &mut Cursor<'_>) -> Scan<Self> {
        let (packed_left, total) = cursor.lzf_lengths()?;
        if total == 0 || total > packed_left.saturating_mul(MAX_RATIO as u64) {
            return Err(Stop::Bad(ErrorKind::Malformed("LZF data")));
        }
        Ok(Self { packed_left, total, left: total, window: Vec::new() })
    }

    fn run<S: Sink + ?Sized>(&mut self, cursor: &mut Cursor<'_>, sink: &mut S) -> Scan<()> {
        while self.left > 0 || self.packed_left > 0 {
            let kept = self.window.len();
            let consumed = self.expand(cursor)?;
            let made = self.window.get(kept..).unwrap_or_default();
            if made.len() as u64 > self.left || (consumed == 0 && self.complete(cursor)) {
                return Err(Stop::Bad(ErrorKind::Malformed("LZF data")));
            }
            if consumed == 0 {
                return Err(Stop::Incomplete);
            }
            sink.string_part(self.total, made);
            self.left -= made.len() as u64;
            self.packed_left -= consumed as u64;
            cursor.advance(consumed);
            cursor.commit();
            self.window.drain(..self.window.len().saturating_sub(WINDOW));
        }
        Ok(())
    }

    /// Whether all compressed bytes there will ever be are in the buffer.
    fn complete(&self, cursor: &Cursor<'_>) -> bool {
        cursor.rest().len() as u64 >= self.packed_left
    }

    /// Makes about one piece behind what is kept; returns how much was used.
    fn expand(&mut self, cursor: &Cursor<'_>) -> Scan<usize> {
        let rest = cursor.rest();
        let len = usize::try_from(self.packed_left).unwrap_or(usize::MAX).min(rest.len());
        let piece = usize::try_from(self.left).unwrap_or(PIECE).min(PIECE);
        let stop_at = self.window.len() + piece;
        self.window.reserve(piece);
        let packed = rest.get(..len).unwrap_or_default();
        lzf::expand(packed, &mut self.window, 0, stop_at).map_err(Stop::Bad)
    }
}
