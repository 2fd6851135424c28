//! A position in a buffer that may end in the middle: the primitives all readers are made of.
//!
//! ```text
//! length   00llllll | 01llllll llllllll | 0x80 + 4 (BE) | 0x81 + 8 (BE)
//! string   length, bytes | 0xc0, 0xc1, 0xc2 + signed 8, 16, 32 bits (LE) as digits
//!          | 0xc3, packed length, length, LZF data
//! ```

use crate::packed::Element;
use crate::{Error, ErrorKind, lzf};

/// No element, key, packed collection or function may be longer, in bytes: the limit Redis puts
/// on a packed collection, and twice its default for a string. Only a string that is the whole
/// value, which is streamed, may be.
pub const MAX_ELEMENT_LEN: u64 = 1 << 30;

const MALFORMED_LENGTH: ErrorKind = ErrorKind::Malformed("length");

/// Why reading stopped.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The buffer ends first; more bytes may help.
    Incomplete,
    /// The bytes are wrong.
    Bad(ErrorKind),
}

impl From<ErrorKind> for Stop {
    fn from(kind: ErrorKind) -> Self {
        Self::Bad(kind)
    }
}

impl Stop {
    /// The error this is for somebody who has no more bytes, or none at all when more may come.
    pub(crate) fn into_error(self, offset: u64, truncated: Option<&'static str>) -> Option<Error> {
        match (self, truncated) {
            (Self::Bad(kind), _) => Some(Error::new(kind, offset)),
            (Self::Incomplete, Some(what)) => Some(Error::new(ErrorKind::Truncated(what), offset)),
            (Self::Incomplete, None) => None,
        }
    }
}

pub(crate) type Scan<T> = Result<T, Stop>;

/// A string as stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stored<'a> {
    Raw(&'a [u8]),
    Int(i64),
    Lzf { packed: &'a [u8], len: usize },
}

impl Stored<'_> {
    /// The bytes, allocated.
    pub(crate) fn to_vec(self) -> Result<Vec<u8>, ErrorKind> {
        match self {
            Self::Raw(bytes) => Ok(bytes.to_vec()),
            Self::Int(value) => Ok(itoa::Buffer::new().format(value).into()),
            Self::Lzf { packed, len } => {
                let mut bytes = Vec::new();
                lzf::decompress(packed, len, &mut bytes).map(|()| bytes)
            }
        }
    }
}

/// A length, or one of the encodings in its place.
pub(crate) enum Prefix {
    Len(u64),
    Encoded(u8),
}

/// Memory a stored string is made readable in, reused from string to string.
#[derive(Default)]
pub(crate) struct Scratch {
    digits: itoa::Buffer,
    bytes: Vec<u8>,
}

/// Decompressed bytes are kept allocated up to this many between strings.
const SCRATCH_KEPT: usize = 1 << 20;

impl Scratch {
    /// The bytes of a stored string.
    #[inline]
    pub(crate) fn resolve<'s>(&'s mut self, stored: Stored<'s>) -> Result<&'s [u8], ErrorKind> {
        match stored {
            Stored::Raw(bytes) => Ok(bytes),
            Stored::Int(value) => Ok(self.digits.format(value).as_bytes()),
            Stored::Lzf { packed, len } => {
                self.bytes.clear();
                self.bytes.shrink_to(SCRATCH_KEPT);
                lzf::decompress(packed, len, &mut self.bytes)?;
                Ok(&self.bytes)
            }
        }
    }

    /// The bytes of a packed element.
    #[inline]
    pub(crate) fn element<'s>(&'s mut self, element: &'s Element<'_>) -> &'s [u8] {
        element.as_bytes(&mut self.digits)
    }
}

/// Reads forward; on [`Stop::Incomplete`] everything since the last commit is to be read again.
pub(crate) struct Cursor<'a> {
    input: &'a [u8],
    pos: usize,
    committed: usize,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(input: &'a [u8]) -> Self {
        Self { input, pos: 0, committed: 0 }
    }

    /// How many bytes were read.
    #[inline]
    pub(crate) fn pos(&self) -> usize {
        self.pos
    }

    /// How many bytes were read for good.
    pub(crate) fn committed(&self) -> usize {
        self.committed
    }

    /// All bytes so far are dealt with.
    #[inline]
    pub(crate) fn commit(&mut self) {
        self.committed = self.pos;
    }

    /// Goes back to an earlier position.
    pub(crate) fn rewind(&mut self, pos: usize) {
        self.pos = pos.min(self.pos);
    }

    /// The bytes read since an earlier position.
    pub(crate) fn since(&self, start: usize) -> &'a [u8] {
        self.input.get(start..self.pos).unwrap_or_default()
    }

    /// All bytes not yet read.
    #[inline]
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.input.get(self.pos..).unwrap_or_default()
    }

    /// Skips bytes that [`Self::rest`] has shown to be there.
    #[inline]
    pub(crate) fn advance(&mut self, len: usize) {
        self.pos = (self.pos + len).min(self.input.len());
    }

    #[inline]
    pub(crate) fn byte(&mut self) -> Scan<u8> {
        let byte = *self.input.get(self.pos).ok_or(Stop::Incomplete)?;
        self.pos += 1;
        Ok(byte)
    }

    #[inline]
    pub(crate) fn array<const N: usize>(&mut self) -> Scan<[u8; N]> {
        let bytes = *self.rest().first_chunk().ok_or(Stop::Incomplete)?;
        self.pos += N;
        Ok(bytes)
    }

    pub(crate) fn u64_le(&mut self) -> Scan<u64> {
        self.array().map(u64::from_le_bytes)
    }

    /// The next `len` bytes; more than [`MAX_ELEMENT_LEN`] is refused.
    #[inline]
    pub(crate) fn take(&mut self, len: u64) -> Scan<&'a [u8]> {
        let rest = self.rest();
        match usize::try_from(len).ok().and_then(|len| rest.get(..len)) {
            Some(bytes) => {
                self.pos += bytes.len();
                Ok(bytes)
            }
            None => Err(missing(len)),
        }
    }

    #[inline]
    pub(crate) fn prefix(&mut self) -> Scan<Prefix> {
        let first = self.byte()?;
        match first {
            0..0x40 => Ok(Prefix::Len(u64::from(first))),
            0x40..0x80 => {
                let low = self.byte()?;
                Ok(Prefix::Len(u64::from(first & 0x3f) << 8 | u64::from(low)))
            }
            0x80 => Ok(Prefix::Len(u64::from(u32::from_be_bytes(self.array()?)))),
            0x81 => Ok(Prefix::Len(u64::from_be_bytes(self.array()?))),
            0x82..0xc0 => Err(Stop::Bad(MALFORMED_LENGTH)),
            0xc0.. => Ok(Prefix::Encoded(first & 0x3f)),
        }
    }

    #[inline]
    pub(crate) fn length(&mut self) -> Scan<u64> {
        match self.prefix()? {
            Prefix::Len(len) => Ok(len),
            Prefix::Encoded(_) => Err(Stop::Bad(MALFORMED_LENGTH)),
        }
    }

    /// The next string, as stored.
    #[inline]
    pub(crate) fn stored(&mut self) -> Scan<Stored<'a>> {
        match self.prefix()? {
            Prefix::Len(len) => self.take(len).map(Stored::Raw),
            Prefix::Encoded(encoding) => self.encoded(encoding),
        }
    }

    fn encoded(&mut self, encoding: u8) -> Scan<Stored<'a>> {
        if let Some(value) = self.encoded_int(encoding)? {
            return Ok(Stored::Int(value));
        }
        let (packed_len, len) = self.lzf_lengths()?;
        Ok(Stored::Lzf { packed: self.take(packed_len)?, len: addressable(len)? })
    }

    /// The integer of an encoding in the place of a length; `None` when it is LZF instead.
    pub(crate) fn encoded_int(&mut self, encoding: u8) -> Scan<Option<i64>> {
        Ok(Some(match encoding {
            0 => i64::from(i8::from_le_bytes(self.array()?)),
            1 => i64::from(i16::from_le_bytes(self.array()?)),
            2 => i64::from(i32::from_le_bytes(self.array()?)),
            3 => return Ok(None),
            _ => return Err(Stop::Bad(ErrorKind::Malformed("string encoding"))),
        }))
    }

    /// The packed and the real length of an LZF string.
    pub(crate) fn lzf_lengths(&mut self) -> Scan<(u64, u64)> {
        Ok((self.length()?, self.length()?))
    }

    /// Skips a string without looking at it.
    #[inline]
    pub(crate) fn skip_string(&mut self) -> Scan<()> {
        match self.prefix()? {
            Prefix::Len(len) => self.take(len).map(drop),
            Prefix::Encoded(encoding) => self.encoded(encoding).map(drop),
        }
    }

    /// Skips a string that is a whole value, and so may be longer than any element.
    #[inline]
    pub(crate) fn skip_value_string(&mut self) -> Scan<()> {
        let len = match self.prefix()? {
            Prefix::Len(len) => len,
            Prefix::Encoded(encoding) => match self.encoded_int(encoding)? {
                Some(_) => return Ok(()),
                None => self.lzf_lengths()?.0,
            },
        };
        if len > self.rest().len() as u64 {
            return Err(Stop::Incomplete);
        }
        self.take(len).map(drop)
    }

    /// The next string, its bytes readable until the scratch is used again.
    #[inline]
    pub(crate) fn text<'s>(&mut self, scratch: &'s mut Scratch) -> Scan<&'s [u8]>
    where
        'a: 's,
    {
        let stored = self.stored()?;
        scratch.resolve(stored).map_err(Stop::Bad)
    }
}

/// A length as an in-memory length, within the limit for elements.
fn addressable(len: u64) -> Scan<usize> {
    let within = (len <= MAX_ELEMENT_LEN).then(|| usize::try_from(len).ok()).flatten();
    within.ok_or_else(|| Stop::Bad(too_large(len)))
}

#[cold]
fn missing(len: u64) -> Stop {
    if len > MAX_ELEMENT_LEN { Stop::Bad(too_large(len)) } else { Stop::Incomplete }
}

fn too_large(len: u64) -> ErrorKind {
    ErrorKind::TooLarge { what: "an element", len, limit: MAX_ELEMENT_LEN }
}
