//! Listpacks: the packed sequence of strings and integers inside lists and streams.
//!
//! ```text
//! +-------------+--------------+---------+---------+------+
//! | total bytes | elements     | element | ...     | 0xff |
//! | 4 B LE      | 2 B LE       |         |         |      |
//! +-------------+--------------+---------+---------+------+
//!
//! element:  encoding and data | length of those, read backwards, 1 to 5 B
//!
//! 0xxxxxxx            integer 0..127          10xxxxxx  string of up to 63 bytes
//! 110xxxxx x          13-bit integer          1110xxxx x  string of up to 4095 bytes
//! f1 / f2 / f3 / f4   16/24/32/64-bit LE      f0 + 4 B LE  longer string
//! ```
//!
//! 65535 elements mean "not counted". Readers give integers back as their decimal digits, so a
//! string may be stored as an integer only when it is exactly what formatting that integer gives.

/// Bytes before the first element.
const HEADER: usize = 6;
/// The element count of a listpack too long to count.
const UNCOUNTED: u32 = 65_535;
/// Digits and sign of the longest 64-bit integer.
const MAX_INTEGER_LEN: usize = 20;

/// How long the length behind an element is, when that length is 16383, 2097151 or 268435455:
/// those of which 14, 21 or 28 bits are all set. A server skips as many bytes as it would have
/// written, so it cannot read such an element of a server of the other rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BackLengths {
    /// A byte more than needed: Redis up to 8.6, Valkey up to 9.0, KeyDB, Dragonfly.
    Wide,
    /// As many as needed: Valkey 9.1, and Redis built after May 2026.
    Narrow,
}

/// A listpack being written.
#[derive(Debug)]
pub struct Listpack {
    bytes: Vec<u8>,
    elements: u32,
    back_lengths: BackLengths,
}

impl Listpack {
    /// An empty listpack.
    #[must_use]
    pub fn new(back_lengths: BackLengths) -> Self {
        Self { bytes: vec![0; HEADER], elements: 0, back_lengths }
    }

    /// Forgets all elements, keeping the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.bytes.resize(HEADER, 0);
        self.elements = 0;
    }

    /// How many elements were pushed.
    #[must_use]
    pub fn elements(&self) -> u32 {
        self.elements
    }

    /// Bytes so far, the terminator not included.
    #[must_use]
    pub fn size(&self) -> usize {
        self.bytes.len()
    }

    /// Appends a string, as an integer where it is one.
    pub fn push(&mut self, bytes: &[u8]) {
        match integer(bytes) {
            Some(value) => self.push_integer(value),
            None => self.push_string(bytes),
        }
    }

    /// Appends an integer in its shortest form.
    pub fn push_integer(&mut self, value: i64) {
        let start = self.bytes.len();
        let le = value.to_le_bytes();
        match value {
            0..=127 => self.bytes.push(value as u8),
            -4096..=4095 => {
                let bits = (value as u16) & 0x1fff;
                self.bytes.extend_from_slice(&(0xc000 | bits).to_be_bytes());
            }
            -0x8000..=0x7fff => self.tagged(0xf1, &le[..2]),
            -0x80_0000..=0x7f_ffff => self.tagged(0xf2, &le[..3]),
            -0x8000_0000..=0x7fff_ffff => self.tagged(0xf3, &le[..4]),
            _ => self.tagged(0xf4, &le),
        }
        self.close(start);
    }

    fn push_string(&mut self, bytes: &[u8]) {
        let start = self.bytes.len();
        match bytes.len() {
            len @ 0..64 => self.bytes.push(0x80 | len as u8),
            len @ 64..4096 => {
                self.bytes.extend_from_slice(&(0xe000 | len as u16).to_be_bytes());
            }
            len => self.tagged(0xf0, &(len as u32).to_le_bytes()),
        }
        self.bytes.extend_from_slice(bytes);
        self.close(start);
    }

    fn tagged(&mut self, tag: u8, data: &[u8]) {
        self.bytes.push(tag);
        self.bytes.extend_from_slice(data);
    }

    /// Appends the length of the element that began at `start`: seven bits a byte, the last byte
    /// the lowest, with the top bit set on all but the first, so that it can be read backwards.
    fn close(&mut self, start: usize) {
        let len = self.bytes.len() - start;
        let more = match (len, self.back_lengths) {
            (0..=127, _) => 0,
            (16_383, BackLengths::Wide) => 2,
            (128..=16_383, _) => 1,
            (2_097_151, BackLengths::Wide) => 3,
            (16_384..=2_097_151, _) => 2,
            (268_435_455, BackLengths::Wide) => 4,
            (2_097_152..=268_435_455, _) => 3,
            _ => 4,
        };
        self.bytes.push((len >> (7 * more)) as u8 & 0x7f);
        for group in (0..more).rev() {
            self.bytes.push((len >> (7 * group)) as u8 | 0x80);
        }
        self.elements = self.elements.saturating_add(1);
    }

    /// Overwrites an integer of 0 to 127 whose first byte is at `offset`. Used for counts that
    /// are known late; the caller pushed a value of the same form there.
    pub(super) fn patch_small(&mut self, offset: usize, value: u8) {
        if let Some(byte) = self.bytes.get_mut(offset) {
            *byte = value & 0x7f;
        }
    }

    /// Writes terminator and header. `None` when the listpack is above 4 GiB, more than its
    /// header can say. The listpack can be reused after [`Listpack::clear`].
    pub fn finish(&mut self) -> Option<&[u8]> {
        self.bytes.push(0xff);
        let total = u32::try_from(self.bytes.len()).ok()?;
        let elements = self.elements.min(UNCOUNTED) as u16;
        let (header, _) = self.bytes.split_first_chunk_mut::<HEADER>()?;
        header[..4].copy_from_slice(&total.to_le_bytes());
        header[4..].copy_from_slice(&elements.to_le_bytes());
        Some(&self.bytes)
    }
}

/// Bytes before the first element, for offsets given to [`Listpack::patch_small`].
pub(super) const FIRST_ELEMENT: usize = HEADER;

/// The integer a string is, if formatting that integer gives the string again.
#[must_use]
pub fn integer(bytes: &[u8]) -> Option<i64> {
    if bytes.is_empty() || bytes.len() > MAX_INTEGER_LEN {
        return None;
    }
    let digits = bytes.strip_prefix(b"-").unwrap_or(bytes);
    let canonical = match digits.first()? {
        b'0' => bytes == b"0",
        first => first.is_ascii_digit(),
    };
    if !canonical {
        return None;
    }
    std::str::from_utf8(bytes).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_canonical_integers_are_integers() {
        for text in ["0", "-1", "127", "-9223372036854775808", "9223372036854775807"] {
            assert_eq!(integer(text.as_bytes()).unwrap().to_string(), text);
        }
        for text in ["", "-", "-0", "00", "01", "+1", " 1", "1 ", "1a", "9223372036854775808"] {
            assert_eq!(integer(text.as_bytes()), None, "{text:?}");
        }
    }

    #[test]
    fn bytes_are_those_redis_writes() {
        // XADD s 1-1 a 1 on Redis 7.0: count, deleted, fields, field, 0, then the entry.
        let mut listpack = Listpack::new(BackLengths::Wide);
        for value in [1, 0, 1] {
            listpack.push_integer(value);
        }
        listpack.push(b"a");
        for value in [0, 2, 0, 0, 1, 4] {
            listpack.push_integer(value);
        }
        assert_eq!(
            listpack.finish().unwrap(),
            b"\x1c\0\0\0\x0a\0\x01\x01\0\x01\x01\x01\x81a\x02\0\x01\x02\x01\0\x01\0\x01\x01\x01\x04\x01\xff"
        );
    }

    #[test]
    fn back_lengths_grow_by_seven_bits() {
        let wide = BackLengths::Wide;
        for (rule, len, back) in [
            (wide, 126, &[0x01_u8, 0x80][..]),
            (wide, 16_377, &[0x7f, 0xfe]),
            (wide, 16_378, &[0, 0xff, 0xff]),
            (BackLengths::Narrow, 16_378, &[0x7f, 0xff]),
            (wide, 16_379, &[1, 0x80, 0x80]),
        ] {
            let mut listpack = Listpack::new(rule);
            listpack.push(&vec![b'x'; len]);
            assert!(listpack.bytes.ends_with(back), "{len}: {:x?}", &listpack.bytes[len..]);
        }
    }
}
