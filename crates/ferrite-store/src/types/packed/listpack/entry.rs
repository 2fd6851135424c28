//! One entry of a listpack: how it is read where it stands, and how it is made.
//!
//! ```text
//! encoding and data, see `ferrite_rdb::packed::listpack` | their length, for walking backwards
//! ```
//!
//! The length is written seven bits a byte, the lowest bits in the last byte, and all bytes but
//! the first with the top bit set. Lengths of which 14, 21 or 28 bits are all set take a byte more
//! than they need, as in Redis up to 8.6.

use ferrite_rdb::encode::integer;
use ferrite_rdb::packed::Element;

/// The mark behind the last entry.
pub(super) const END: u8 = 0xff;

/// The bytes of encoding and data of the entry at the front.
#[inline]
pub(super) fn body_len(entry: &[u8]) -> usize {
    match entry {
        [0..0x80, ..] => 1,
        [first @ 0x80..0xc0, ..] => 1 + usize::from(first & 0x3f),
        [0xc0..0xe0, ..] => 2,
        [first @ 0xe0..=0xef, low, ..] => 2 + (usize::from(first & 0x0f) << 8 | usize::from(*low)),
        [0xf0, a, b, c, d, ..] => 5 + u32::from_le_bytes([*a, *b, *c, *d]) as usize,
        [0xf1, ..] => 3,
        [0xf2, ..] => 4,
        [0xf3, ..] => 5,
        _ => 9,
    }
}

/// The whole length of the entry at the front.
#[inline]
pub(super) fn whole_len(entry: &[u8]) -> usize {
    let body = body_len(entry);
    body + back_len(body)
}

/// The bytes the length of a body takes behind it.
#[inline]
pub(super) const fn back_len(body: usize) -> usize {
    match body {
        0..=127 => 1,
        128..=16_382 => 2,
        16_383..=2_097_150 => 3,
        2_097_151..=268_435_454 => 4,
        _ => 5,
    }
}

/// The whole length of the entry that ends where `bytes` end.
pub(super) fn whole_len_before(bytes: &[u8]) -> usize {
    let mut body = 0;
    for (at, byte) in bytes.iter().rev().enumerate().take(5) {
        body |= usize::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return body + at + 1;
        }
    }
    bytes.len()
}

/// The element at the front.
#[inline]
pub(super) fn read(entry: &[u8]) -> Element<'_> {
    let int = |bits: u32, bytes: &[u8]| {
        let mut le = [0; 8];
        le[..bytes.len()].copy_from_slice(bytes);
        Element::Int(i64::from_le_bytes(le) << (64 - bits) >> (64 - bits))
    };
    match entry[0] {
        first @ 0..0x80 => Element::Int(i64::from(first)),
        0x80..0xc0 => Element::Bytes(&entry[1..body_len(entry)]),
        first @ 0xc0..0xe0 => int(13, &[entry[1], first & 0x1f]),
        0xe0..0xf0 => Element::Bytes(&entry[2..body_len(entry)]),
        0xf0 => Element::Bytes(&entry[5..body_len(entry)]),
        0xf1 => int(16, &entry[1..3]),
        0xf2 => int(24, &entry[1..4]),
        0xf3 => int(32, &entry[1..5]),
        _ => int(64, &entry[1..9]),
    }
}

/// An entry about to be written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Draft<'a> {
    head: [u8; 9],
    head_len: usize,
    data: &'a [u8],
}

impl<'a> Draft<'a> {
    /// The entry of a string, an integer where it is one.
    #[inline]
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        match integer(bytes) {
            Some(value) => Self::of_int(value),
            None => Self::of_string(bytes),
        }
    }

    pub(super) fn of(element: Element<'a>) -> Self {
        match element {
            Element::Int(value) => Self::of_int(value),
            Element::Bytes(bytes) => Self::new(bytes),
        }
    }

    fn of_string(bytes: &'a [u8]) -> Self {
        let len = (bytes.len() as u32).to_le_bytes();
        match bytes.len() {
            0..64 => Self::with_head(&[0x80 | len[0]], bytes),
            64..4096 => Self::with_head(&[0xe0 | len[1], len[0]], bytes),
            _ => Self::with_head(&[0xf0, len[0], len[1], len[2], len[3]], bytes),
        }
    }

    #[inline]
    pub(super) fn of_int(value: i64) -> Self {
        let le = value.to_le_bytes();
        let tagged = |tag: u8, len: usize| {
            let mut head = [tag; 9];
            head[1..=len].copy_from_slice(&le[..len]);
            Self { head, head_len: 1 + len, data: &[] }
        };
        match value {
            0..=127 => Self::with_head(&[le[0]], &[]),
            -4096..=4095 => Self::with_head(&[0xc0 | le[1] & 0x1f, le[0]], &[]),
            -0x8000..=0x7fff => tagged(0xf1, 2),
            -0x80_0000..=0x7f_ffff => tagged(0xf2, 3),
            -0x8000_0000..=0x7fff_ffff => tagged(0xf3, 4),
            _ => tagged(0xf4, 8),
        }
    }

    fn with_head(bytes: &[u8], data: &'a [u8]) -> Self {
        let mut head = [0; 9];
        head[..bytes.len()].copy_from_slice(bytes);
        Self { head, head_len: bytes.len(), data }
    }

    fn body_len(&self) -> usize {
        self.head_len + self.data.len()
    }

    /// The bytes it will take.
    pub(super) fn len(&self) -> usize {
        self.body_len() + back_len(self.body_len())
    }

    /// Writes it over exactly [`Self::len`] bytes.
    pub(super) fn write(&self, out: &mut [u8]) {
        let body = self.body_len();
        let (head, rest) = out.split_at_mut(self.head_len);
        head.copy_from_slice(&self.head[..self.head_len]);
        let (data, back) = rest.split_at_mut(self.data.len());
        data.copy_from_slice(self.data);
        let last = back.len() - 1;
        for (at, byte) in back.iter_mut().enumerate() {
            let mark = if at == 0 { 0 } else { 0x80 };
            *byte = (body >> (7 * (last - at))) as u8 & 0x7f | mark;
        }
    }
}
