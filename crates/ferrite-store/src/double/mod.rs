//! Floating point numbers as text: read as `strtod` reads them, written as replies show them.
//!
//! ```text
//! read        sign, digits, point, exponent; inf, infinity in any case; hexadecimal behind 0x;
//!             no white space around
//! shown       integers as integers; else the shortest digits that read back exactly:
//!             0.1   1e+20   1.5e-7   inf   -inf   nan   -0
//! fixed       a number of digits after the point, as distances are shown
//! long        seventeen digits without zeros at the end, as scans show large sorted sets
//! human       up to seventeen digits after the point without zeros at the end
//! ```

mod extended;
mod format;

pub use extended::Extended;
pub use format::{write, write_fixed, write_human, write_long};

/// Integers up to this size are shown as integers, and stored as such in packed collections.
const MAX_PLAIN: f64 = (i64::MAX / 2) as f64;

/// The integer a number is, if it is one and not too large to be exact.
#[must_use]
pub fn as_integer(value: f64) -> Option<i64> {
    let within = (-MAX_PLAIN..=MAX_PLAIN).contains(&value);
    let integer = value as i64;
    (within && integer as f64 == value).then_some(integer)
}

/// Reads a number that is the whole text. What is too large or too small for a double is
/// refused, and so is what is not a number.
#[must_use]
pub fn parse(text: &[u8]) -> Option<f64> {
    let value = parse_clamped(text)?;
    if text.iter().any(|byte| matches!(byte, b'x' | b'X')) {
        return Some(value);
    }
    let lost = match text.iter().take_while(|byte| !matches!(byte, b'e' | b'E')) {
        mut digits if value == 0.0 => digits.any(|byte| (b'1'..=b'9').contains(byte)),
        mut digits if value.is_infinite() => digits.any(u8::is_ascii_digit),
        _ => false,
    };
    (!lost).then_some(value)
}

/// The same, but a number too large is infinite and one too small is zero.
#[must_use]
pub fn parse_clamped(text: &[u8]) -> Option<f64> {
    let text = std::str::from_utf8(text).ok()?;
    if extended::is_hexadecimal(text) {
        return extended::parse_hexadecimal(text);
    }
    let value: f64 = text.parse().ok()?;
    (!value.is_nan()).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_a_whole() {
        for (text, value) in [
            ("1", 1.0),
            ("+1.5", 1.5),
            ("-.5", -0.5),
            ("5.", 5.0),
            ("1e3", 1000.0),
            ("0e999", 0.0),
            ("inf", f64::INFINITY),
            ("-Infinity", f64::NEG_INFINITY),
            ("5e-324", 5e-324),
            ("0x10", 16.0),
            ("-0X.8p1", -1.0),
        ] {
            assert_eq!(parse(text.as_bytes()), Some(value), "{text}");
        }
        for text in
            ["", " 1", "1 ", "nan", "1e", "abc", "1,5", "1e400", "-1e400", "1e-400", "--1", "0x"]
        {
            assert_eq!(parse(text.as_bytes()), None, "{text:?}");
        }
        assert_eq!(parse_clamped(b"1e400"), Some(f64::INFINITY));
        assert_eq!(parse_clamped(b"nan"), None);
    }

    #[test]
    fn integers_are_those_that_are_exact() {
        assert_eq!(as_integer(-0.0), Some(0));
        assert_eq!(as_integer(1e18), Some(1_000_000_000_000_000_000));
        assert_eq!(as_integer(1e19), None);
        assert_eq!(as_integer(1.5), None);
        assert_eq!(as_integer(f64::NAN), None);
        assert_eq!(as_integer(f64::INFINITY), None);
    }
}
