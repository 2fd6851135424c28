//! The compact sequences small collections are stored in, each one contiguous blob.
//!
//! | module | written by | holds |
//! |---|---|---|
//! | [`listpack`] | Redis 7 and later, streams since 5 | strings and integers |
//! | [`ziplist`] | Redis 2.6 to 6.2 | strings and integers |
//! | [`intset`] | all | integers, ascending |
//! | [`zipmap`] | Redis up to 2.4 | strings, alternating names and values |
//!
//! Each has `iter(bytes)`, which checks the frame and then yields elements, an error ending the
//! sequence; no element is allocated.

pub mod intset;
pub mod listpack;
pub mod ziplist;
pub mod zipmap;

/// One element of a packed sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Element<'a> {
    /// Bytes as they are.
    Bytes(&'a [u8]),
    /// An integer stored in binary; as a value it is its decimal digits.
    Int(i64),
}

impl Element<'_> {
    /// The value as bytes, integers turned into digits in the given buffer.
    #[inline]
    pub fn as_bytes<'b>(&'b self, digits: &'b mut itoa::Buffer) -> &'b [u8] {
        match *self {
            Self::Bytes(bytes) => bytes,
            Self::Int(value) => digits.format(value).as_bytes(),
        }
    }

    /// The value as an integer; digits in bytes count too.
    #[must_use]
    pub fn as_int(&self) -> Option<i64> {
        match *self {
            Self::Bytes(bytes) => std::str::from_utf8(bytes).ok()?.parse().ok(),
            Self::Int(value) => Some(value),
        }
    }
}

/// Takes `len` bytes off the front.
#[inline]
fn take<'a>(rest: &mut &'a [u8], len: usize) -> Option<&'a [u8]> {
    let (head, tail) = rest.split_at_checked(len)?;
    *rest = tail;
    Some(head)
}

/// Takes a fixed number of bytes off the front.
#[inline]
fn array<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (head, tail) = rest.split_first_chunk()?;
    *rest = tail;
    Some(*head)
}

/// Takes a three-byte little-endian signed integer off the front.
#[inline]
fn int24(rest: &mut &[u8]) -> Option<i64> {
    let [a, b, c] = array(rest)?;
    Some(i64::from(i32::from_le_bytes([0, a, b, c]) >> 8))
}
