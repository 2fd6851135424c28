//! Reading LZF: whole values at once, or piece by piece with a window of 8 KiB.

use crate::ErrorKind;

/// How far back a copy can reach, in bytes.
pub const WINDOW: usize = 8 << 10;

/// No instruction makes more than this many bytes out of one byte of input: three bytes copy 264
/// at most. A claimed length beyond it is a lie, told before anything is allocated.
pub const MAX_RATIO: usize = 88;

const MALFORMED: ErrorKind = ErrorKind::Malformed("LZF data");

/// Decompresses a complete value, appending `len` bytes to `out`.
///
/// Copies reach back at most to the end of what `out` held before.
///
/// # Errors
/// [`ErrorKind::Malformed`] when the data is damaged or does not make exactly `len` bytes.
pub fn decompress(packed: &[u8], len: usize, out: &mut Vec<u8>) -> Result<(), ErrorKind> {
    if len > packed.len().saturating_mul(MAX_RATIO) {
        return Err(MALFORMED);
    }
    let start = out.len();
    let end = start + len;
    out.reserve(len);
    let consumed = expand(packed, out, start, end)?;
    if consumed == packed.len() && out.len() == end { Ok(()) } else { Err(MALFORMED) }
}

/// Runs complete instructions until the input is used up or `out` holds `stop_at` bytes (which a
/// last instruction may exceed by up to 264); returns how much of the input was used. Copies
/// reach back to `floor` at most.
pub(crate) fn expand(
    packed: &[u8],
    out: &mut Vec<u8>,
    floor: usize,
    stop_at: usize,
) -> Result<usize, ErrorKind> {
    let mut rest = packed;
    while out.len() < stop_at {
        match *rest {
            [control @ 0..32, ref tail @ ..] => {
                let Some((literal, tail)) = tail.split_at_checked(usize::from(control) + 1) else {
                    break;
                };
                out.extend_from_slice(literal);
                rest = tail;
            }
            [control @ 224..=255, more, low, ref tail @ ..] => {
                copy(out, floor, distance(control, low), usize::from(more) + 9)?;
                rest = tail;
            }
            [control @ 32..224, low, ref tail @ ..] => {
                copy(out, floor, distance(control, low), usize::from(control >> 5) + 2)?;
                rest = tail;
            }
            _ => break,
        }
    }
    Ok(packed.len() - rest.len())
}

#[inline]
fn distance(control: u8, low: u8) -> usize {
    (usize::from(control & 0x1f) << 8 | usize::from(low)) + 1
}

/// Appends `len` bytes found `distance` bytes back, repeating them when they overlap.
#[inline]
fn copy(out: &mut Vec<u8>, floor: usize, distance: usize, len: usize) -> Result<(), ErrorKind> {
    if distance > out.len() - floor {
        return Err(MALFORMED);
    }
    let from = out.len() - distance;
    let end = out.len() + len;
    while out.len() < end {
        let span = (end - out.len()).min(out.len() - from);
        out.extend_from_within(from..from + span);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unpacked(packed: &[u8], len: usize) -> Result<Vec<u8>, ErrorKind> {
        let mut out = Vec::new();
        decompress(packed, len, &mut out).map(|()| out)
    }

    #[test]
    fn literals_short_and_long_copies() {
        assert_eq!(unpacked(b"\x02abc", 3).unwrap(), b"abc");
        assert_eq!(unpacked(b"\x02abc\x20\x02", 6).unwrap(), b"abcabc");
        assert_eq!(unpacked(b"\x00a\xe0\xff\x00", 265).unwrap(), [b'a'; 265]);
    }

    #[test]
    fn damage_is_an_error() {
        for (packed, len) in [
            (&b"\x02ab"[..], 3),
            (b"\x02abc", 2),
            (b"\x02abc", 4),
            (b"\x02abc\x20\x03", 6),
            (b"\x20", 3),
            (b"", 1),
            (b"\x00a", 1000),
        ] {
            assert_eq!(unpacked(packed, len), Err(MALFORMED), "{packed:?} to {len}");
        }
    }
}
