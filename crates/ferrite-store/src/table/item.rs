//! An item: one entry of the table in one block.
//!
//! ```text
//! 0        4         5
//! | meta   | key len | [expiry 8 | seat 2+4] | key | value |
//!
//! meta   0..24 access, 24..27 kind of the value, 27 has an expiry, 28..32 version for snapshots
//! key    its bytes; if the length is 255, the four bytes of its place among the long keys
//! value  short:  length (one byte below 128, else two, big-endian, top bit set), bytes
//!        int:    count of bytes, then so many of its low bytes, little-endian, sign-extended
//!        others: four bytes, the place in the arena of long strings or of objects
//! ```
//!
//! All numbers are little-endian where nothing else is said.

use super::wheel::Seat;

/// The longest value that is kept beside its key: with the longest key it fits into a block.
pub(super) const VALUE_MAX: usize = 740;

/// The longest key that is kept in the item.
pub(super) const KEY_MAX: usize = LONG_KEY as usize - 1;

const LONG_KEY: u8 = 255;
const KEY_LEN_AT: usize = 4;
const EXPIRY_AT: usize = 5;
const SEAT_AT: usize = EXPIRY_AT + 8;
const EXPIRY_LEN: usize = 14;

const ACCESS_BITS: u32 = 24;
const KIND_SHIFT: u32 = 24;
const KIND_MASK: u32 = 0b111;
const EXPIRES: u32 = 1 << 27;
const VERSION_SHIFT: u32 = 28;

/// Versions that items can tell apart.
pub(super) const VERSIONS: u8 = 16;

/// The 24 bits that remember an entry's last access.
pub const ACCESS_MASK: u32 = (1 << ACCESS_BITS) - 1;

const KIND_SHORT: u32 = 0;
const KIND_INT: u32 = 1;
const KIND_LONG: u32 = 2;
const KIND_RAW: u32 = 3;
const KIND_OBJECT: u32 = 4;

/// The key as it is in an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key<'a> {
    Short(&'a [u8]),
    /// Its place among the long keys.
    Long(u32),
}

/// The value as it is in an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stored<'a> {
    Short(&'a [u8]),
    Int(i64),
    /// A string that is too long for the item: its place among the strings.
    Long(u32),
    /// A string that was changed in place: its place among the strings.
    Raw(u32),
    /// The place of a collection among the objects.
    Object(u32),
}

/// All of an item but its key and value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) access: u32,
    pub(super) version: u8,
    pub(super) expiry: Option<(i64, Seat)>,
}

/// Writes an item.
pub(super) fn encode(out: &mut Vec<u8>, head: &Head, key: Key<'_>, value: Stored<'_>) {
    let kind = match value {
        Stored::Short(_) => KIND_SHORT,
        Stored::Int(_) => KIND_INT,
        Stored::Long(_) => KIND_LONG,
        Stored::Raw(_) => KIND_RAW,
        Stored::Object(_) => KIND_OBJECT,
    };
    let expires = if head.expiry.is_some() { EXPIRES } else { 0 };
    let version = u32::from(head.version) << VERSION_SHIFT;
    let meta = head.access & ACCESS_MASK | kind << KIND_SHIFT | expires | version;
    out.extend_from_slice(&meta.to_le_bytes());
    out.push(match key {
        Key::Short(key) => key.len() as u8,
        Key::Long(_) => LONG_KEY,
    });
    if let Some((expires_at, seat)) = head.expiry {
        out.extend_from_slice(&expires_at.to_le_bytes());
        out.extend_from_slice(&seat_bytes(seat));
    }
    match key {
        Key::Short(key) => out.extend_from_slice(key),
        Key::Long(place) => out.extend_from_slice(&place.to_le_bytes()),
    }
    match value {
        Stored::Short(bytes) => {
            match bytes.len() {
                len @ 0..128 => out.push(len as u8),
                len => out.extend_from_slice(&(len as u16 | 0x8000).to_be_bytes()),
            }
            out.extend_from_slice(bytes);
        }
        Stored::Int(number) => {
            let bytes = number.to_le_bytes();
            let len = int_len(number);
            out.push(len as u8);
            out.extend_from_slice(&bytes[..len]);
        }
        Stored::Long(place) | Stored::Raw(place) | Stored::Object(place) => {
            out.extend_from_slice(&place.to_le_bytes());
        }
    }
}

pub(super) fn access(item: &[u8]) -> u32 {
    meta(item) & ACCESS_MASK
}

pub(super) fn set_access(item: &mut [u8], access: u32) {
    let meta = meta(item) & !ACCESS_MASK | access & ACCESS_MASK;
    item[..KEY_LEN_AT].copy_from_slice(&meta.to_le_bytes());
}

pub(super) fn version(item: &[u8]) -> u8 {
    (meta(item) >> VERSION_SHIFT) as u8
}

pub(super) fn set_version(item: &mut [u8], version: u8) {
    let meta = meta(item) & !(u32::MAX << VERSION_SHIFT) | u32::from(version) << VERSION_SHIFT;
    item[..KEY_LEN_AT].copy_from_slice(&meta.to_le_bytes());
}

pub(super) fn expires_at(item: &[u8]) -> Option<i64> {
    has_expiry(item).then(|| i64::from_le_bytes(array(&item[EXPIRY_AT..])))
}

pub(super) fn seat(item: &[u8]) -> Option<Seat> {
    has_expiry(item).then(|| Seat {
        slot: u16::from_le_bytes(array(&item[SEAT_AT..])),
        index: u32::from_le_bytes(array(&item[SEAT_AT + 2..])),
    })
}

/// Sets the seat of an item that has an expiry.
pub(super) fn set_seat(item: &mut [u8], seat: Seat) {
    item[SEAT_AT..SEAT_AT + 6].copy_from_slice(&seat_bytes(seat));
}

pub(super) fn head(item: &[u8]) -> Head {
    Head { access: access(item), version: version(item), expiry: expires_at(item).zip(seat(item)) }
}

pub(super) fn key(item: &[u8]) -> Key<'_> {
    let start = key_start(item);
    match item[KEY_LEN_AT] {
        LONG_KEY => Key::Long(u32::from_le_bytes(array(&item[start..]))),
        len => Key::Short(&item[start..start + usize::from(len)]),
    }
}

pub(super) fn value(item: &[u8]) -> Stored<'_> {
    let key_len = match item[KEY_LEN_AT] {
        LONG_KEY => 4,
        len => usize::from(len),
    };
    let rest = &item[key_start(item) + key_len..];
    let place = || u32::from_le_bytes(array(rest));
    match meta(item) >> KIND_SHIFT & KIND_MASK {
        KIND_SHORT => {
            let (start, len) = match rest[0] {
                len @ 0..128 => (1, usize::from(len)),
                high => (2, usize::from(high & 0x7f) << 8 | usize::from(rest[1])),
            };
            Stored::Short(&rest[start..start + len])
        }
        KIND_INT => {
            let len = usize::from(rest[0]);
            let mut bytes = [0; 8];
            bytes[8 - len..].copy_from_slice(&rest[1..=len]);
            let shift = 8 * (8 - len) as u32;
            Stored::Int(i64::from_le_bytes(bytes).checked_shr(shift).unwrap_or(0))
        }
        KIND_LONG => Stored::Long(place()),
        KIND_RAW => Stored::Raw(place()),
        _ => Stored::Object(place()),
    }
}

fn meta(item: &[u8]) -> u32 {
    u32::from_le_bytes(array(item))
}

fn has_expiry(item: &[u8]) -> bool {
    meta(item) & EXPIRES != 0
}

fn key_start(item: &[u8]) -> usize {
    if has_expiry(item) { EXPIRY_AT + EXPIRY_LEN } else { EXPIRY_AT }
}

/// How many low bytes say all of a number.
fn int_len(number: i64) -> usize {
    let significant = 65 - (number ^ (number >> 63)).leading_zeros() as usize;
    significant.div_ceil(8) * usize::from(number != 0)
}

fn seat_bytes(seat: Seat) -> [u8; 6] {
    let [a, b] = seat.slot.to_le_bytes();
    let [c, d, e, f] = seat.index.to_le_bytes();
    [a, b, c, d, e, f]
}

fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut out = [0; N];
    out.copy_from_slice(&bytes[..N]);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::slab::BLOCK_MAX;

    #[test]
    fn what_is_written_is_read() {
        let seat = Seat { slot: 639, index: u32::MAX };
        let long = vec![7; VALUE_MAX];
        let key_bytes = vec![9; KEY_MAX];
        let mut values = vec![
            Stored::Short(b""),
            Stored::Short(&long[..127]),
            Stored::Short(&long[..128]),
            Stored::Short(&long),
            Stored::Long(1),
            Stored::Raw(2),
            Stored::Object(u32::MAX),
        ];
        for bit in 0..64 {
            let number = 1i64 << bit;
            for number in [number, number.wrapping_neg(), number.wrapping_sub(1), !number] {
                values.push(Stored::Int(number));
            }
        }
        for expiry in [None, Some((i64::MIN, seat)), Some((i64::MAX, seat))] {
            for key_in in [Key::Short(b""), Key::Short(&key_bytes), Key::Long(u32::MAX)] {
                for &value_in in &values {
                    let head_in = Head { access: 0x00ab_cdef, version: 13, expiry };
                    let mut item = Vec::new();
                    encode(&mut item, &head_in, key_in, value_in);
                    assert!(item.len() <= BLOCK_MAX);
                    set_version(&mut item, 5);
                    set_access(&mut item, u32::MAX);
                    assert_eq!((version(&item), access(&item)), (5, ACCESS_MASK));
                    set_version(&mut item, 13);
                    set_access(&mut item, 0x00ab_cdef);
                    assert_eq!(head(&item), head_in);
                    assert_eq!((key(&item), value(&item)), (key_in, value_in));
                }
            }
        }
    }

    #[test]
    fn a_pair_of_sixteen_and_eight_bytes_takes_thirty() {
        let head = Head { access: 0, version: 0, expiry: None };
        let mut item = Vec::new();
        encode(&mut item, &head, Key::Short(&[b'k'; 16]), Stored::Short(&[b'v'; 8]));
        assert_eq!(item.len(), 30);
    }
}
