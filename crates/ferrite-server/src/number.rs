//! Numbers as Redis reads them from words and writes them into replies.

use ferrite_store::double::{self, Extended};

use crate::error::CommandError;

/// A whole number without anything around it: no blanks, no plus, no leading zeros.
pub fn parse_int(text: &[u8]) -> Option<i64> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    let well_formed = match digits {
        [b'0'] => text.len() == 1,
        [b'1'..=b'9', rest @ ..] => rest.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    if !well_formed || text.len() > 20 {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// The same as an argument of a command.
///
/// # Errors
/// `ERR value is not an integer or out of range`.
pub fn int(text: &[u8]) -> Result<i64, CommandError> {
    parse_int(text).ok_or(CommandError::NOT_AN_INTEGER)
}

/// A floating point number as an argument: decimal or with an exponent, `inf`, `-inf`; no blanks
/// and no `nan`.
///
/// # Errors
/// `ERR value is not a valid float`.
pub fn float(text: &[u8]) -> Result<f64, CommandError> {
    parse_float(text).ok_or(CommandError::NOT_A_FLOAT)
}

/// See [`float`].
pub fn parse_float(text: &[u8]) -> Option<f64> {
    double::parse(text)
}

/// A number as INCRBYFLOAT reckons with it.
///
/// # Errors
/// `ERR value is not a valid float`.
pub fn extended(text: &[u8]) -> Result<Extended, CommandError> {
    Extended::parse(text).ok_or(CommandError::NOT_A_FLOAT)
}

/// A double as replies show it: the shortest text that reads as the same number, whole numbers
/// without a fraction, very large and small ones with an exponent (`1e+20`).
pub fn double_text(value: f64) -> String {
    let mut text = Vec::new();
    double::write(&mut text, value);
    String::from_utf8(text).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_are_read_strictly() {
        for (text, value) in [("0", 0), ("-1", -1), ("9223372036854775807", i64::MAX)] {
            assert_eq!(parse_int(text.as_bytes()), Some(value));
        }
        assert_eq!(parse_int(b"-9223372036854775808"), Some(i64::MIN));
        for text in ["", "-", "+1", "01", "-0", " 1", "1 ", "9223372036854775808", "1.0", "a"] {
            assert_eq!(parse_int(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn doubles_are_as_short_as_they_can_be() {
        let cases = [(3.0, "3"), (0.1, "0.1"), (-1.5, "-1.5"), (1e20, "1e+20"), (1e-7, "1e-7")];
        for (value, text) in cases {
            assert_eq!(double_text(value), text);
        }
        assert_eq!(double_text(f64::NEG_INFINITY), "-inf");
    }
}
