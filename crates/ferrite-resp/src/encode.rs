//! Writes commands: arrays of bulk strings.
//!
//! ```text
//! *2\r\n $3\r\nGET\r\n $3\r\nkey\r\n
//! ```
//!
//! Everything appends to a `Vec<u8>` and allocates nothing but its growth.

/// `00`, `01`, … `99`: two digits at a time halve the divisions.
const DIGIT_PAIRS: [u8; 200] = digit_pairs();

const fn digit_pairs() -> [u8; 200] {
    let mut pairs = [b'0'; 200];
    let mut number: u8 = 0;
    while number < 100 {
        pairs[number as usize * 2] += number / 10;
        pairs[number as usize * 2 + 1] += number % 10;
        number += 1;
    }
    pairs
}

/// Longest header: a type byte, twenty digits, CRLF.
const MAX_HEADER: usize = 23;

/// Appends a whole command.
#[inline]
pub fn command<A: AsRef<[u8]>>(out: &mut Vec<u8>, arguments: &[A]) {
    let body: usize = arguments.iter().map(|argument| argument.as_ref().len() + 16).sum();
    out.reserve(body + MAX_HEADER);
    array_header(out, arguments.len());
    for argument in arguments {
        bulk(out, argument.as_ref());
    }
}

/// Appends `*<count>`: so many elements follow.
#[inline]
pub fn array_header(out: &mut Vec<u8>, count: usize) {
    header(out, b'*', count as u64);
}

/// Appends `$<length>`: a body of so many bytes and [`END_OF_BULK`] follow.
#[inline]
pub fn bulk_header(out: &mut Vec<u8>, length: usize) {
    header(out, b'$', length as u64);
}

/// What stands behind the body of a bulk string.
pub const END_OF_BULK: &[u8] = b"\r\n";

/// Appends a bulk string.
#[inline]
pub fn bulk(out: &mut Vec<u8>, text: &[u8]) {
    out.reserve(text.len() + MAX_HEADER + END_OF_BULK.len());
    bulk_header(out, text.len());
    out.extend_from_slice(text);
    out.extend_from_slice(END_OF_BULK);
}

/// Appends a bulk string holding a decimal number.
#[inline]
pub fn bulk_integer(out: &mut Vec<u8>, value: i64) {
    let mut room = [0; MAX_HEADER];
    let start = digits_before(&mut room, MAX_HEADER, value.unsigned_abs());
    let start = if value < 0 { put_before(&mut room, start, b'-') } else { start };
    bulk(out, room.get(start..).unwrap_or_default());
}

/// Appends a decimal number, bare.
#[inline]
pub fn integer(out: &mut Vec<u8>, value: i64) {
    let mut room = [0; MAX_HEADER];
    let start = digits_before(&mut room, MAX_HEADER, value.unsigned_abs());
    let start = if value < 0 { put_before(&mut room, start, b'-') } else { start };
    out.extend_from_slice(room.get(start..).unwrap_or_default());
}

#[inline]
fn header(out: &mut Vec<u8>, kind: u8, value: u64) {
    if let (0..10, Ok(digit)) = (value, u8::try_from(value)) {
        out.extend_from_slice(&[kind, b'0' + digit, b'\r', b'\n']);
        return;
    }
    let mut room = [0; MAX_HEADER];
    let [.., carriage_return, line_feed] = &mut room;
    (*carriage_return, *line_feed) = (b'\r', b'\n');
    let start = digits_before(&mut room, MAX_HEADER - 2, value);
    let start = put_before(&mut room, start, kind);
    out.extend_from_slice(room.get(start..).unwrap_or_default());
}

/// Writes the digits of `value` into `room` so that they end before `end`; says where they
/// start.
#[inline]
fn digits_before(room: &mut [u8; MAX_HEADER], end: usize, mut value: u64) -> usize {
    let mut start = end;
    while value >= 10 {
        let pair = (value % 100) as usize * 2;
        value /= 100;
        start -= 2;
        room[start] = DIGIT_PAIRS[pair];
        room[start + 1] = DIGIT_PAIRS[pair + 1];
    }
    // What is left is an odd leading digit, or the value was 0 from the start.
    if value > 0 || start == end {
        start -= 1;
        room[start] = b'0' + value as u8;
    }
    start
}

#[inline]
fn put_before(room: &mut [u8; MAX_HEADER], start: usize, byte: u8) -> usize {
    room[start - 1] = byte;
    start - 1
}
