//! Writing numbers as replies show them.

use std::io::Write;

use super::as_integer;

/// Digits after the point up to which a small number is written without an exponent.
const MAX_FRACTION: i32 = 7;

/// Appends a number as replies show scores: an integer, or the shortest digits.
pub fn write(out: &mut Vec<u8>, value: f64) {
    if value == 0.0 && value.is_sign_negative() {
        return out.extend_from_slice(b"-0");
    }
    if let Some(integer) = as_integer(value) {
        return integer_text(out, integer);
    }
    if value.is_nan() {
        return out.extend_from_slice(b"nan");
    }
    if value.is_infinite() {
        return out.extend_from_slice(if value > 0.0 { b"inf" } else { b"-inf" });
    }
    if value < 0.0 {
        out.push(b'-');
    }
    let (digits, len, exponent) = shortest(value.abs());
    lay_out(out, digits.get(..len).unwrap_or_default(), exponent);
}

fn integer_text(out: &mut Vec<u8>, integer: i64) {
    // Writing to a Vec cannot fail.
    let _ = write!(out, "{integer}");
}

/// The shortest digits of a positive number, how many, and the power of ten of the last one.
fn shortest(value: f64) -> ([u8; 17], usize, i32) {
    let mut text = [0_u8; 32];
    let mut rest = &mut text[..];
    // The buffer holds seventeen digits, a point and an exponent of three digits.
    let _ = write!(rest, "{value:e}");
    let mut digits = [0_u8; 17];
    let (mut len, mut exponent) = (0, 0);
    for (at, &byte) in text.iter().enumerate() {
        match byte {
            b'0'..=b'9' if len < digits.len() => {
                digits[len] = byte;
                len += 1;
            }
            b'e' => {
                let tail = text.get(at + 1..).unwrap_or_default();
                let end = tail.iter().position(|&byte| byte == 0).unwrap_or(tail.len());
                let number = std::str::from_utf8(&tail[..end]).unwrap_or_default();
                exponent = number.parse().unwrap_or_default();
                break;
            }
            _ => {}
        }
    }
    (digits, len, exponent + 1 - len as i32)
}

/// Places digits, of which the last counts ten to the power `last`.
fn lay_out(out: &mut Vec<u8>, digits: &[u8], last: i32) {
    let count = digits.len() as i32;
    let exponent = last + count - 1;
    if last >= 0 && exponent < count + MAX_FRACTION {
        out.extend_from_slice(digits);
        out.extend(std::iter::repeat_n(b'0', last as usize));
    } else if last < 0 && (last > -MAX_FRACTION || exponent.abs() < 4) {
        point(out, digits, count + last);
    } else {
        scientific(out, digits, exponent);
    }
}

/// Digits with a point behind the first `before` of them; zeros in front where that is negative.
fn point(out: &mut Vec<u8>, digits: &[u8], before: i32) {
    if before <= 0 {
        out.extend_from_slice(b"0.");
        out.extend(std::iter::repeat_n(b'0', before.unsigned_abs() as usize));
        return out.extend_from_slice(digits);
    }
    let (whole, fraction) = digits.split_at(before as usize);
    out.extend_from_slice(whole);
    out.push(b'.');
    out.extend_from_slice(fraction);
}

fn scientific(out: &mut Vec<u8>, digits: &[u8], exponent: i32) {
    let (first, rest) = digits.split_at(1.min(digits.len()));
    out.extend_from_slice(first);
    if !rest.is_empty() {
        out.push(b'.');
        out.extend_from_slice(rest);
    }
    let _ = write!(out, "e{exponent:+}");
}

/// Significant digits of the long form.
const LONG_DIGITS: usize = 17;

/// Appends a number with seventeen significant digits and no zeros at the end, with an exponent
/// where it is very large or small: `%.17g` of C.
pub fn write_long(out: &mut Vec<u8>, value: f64) {
    if as_integer(value).is_some_and(|integer| integer.unsigned_abs() < 1 << 53)
        || !value.is_finite()
    {
        return write(out, value);
    }
    if value < 0.0 {
        out.push(b'-');
    }
    let text = format!("{:.*e}", LONG_DIGITS - 1, value.abs());
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    let digits: Vec<u8> = digits.bytes().filter(u8::is_ascii_digit).collect();
    let kept = digits.iter().rposition(|&digit| digit != b'0').map_or(1, |last| last + 1);
    let digits = digits.get(..kept).unwrap_or_default();
    if (-4..LONG_DIGITS as i32).contains(&exponent) {
        let missing = (exponent + 1 - kept as i32).max(0) as usize;
        let mut padded = digits.to_vec();
        padded.resize(kept + missing, b'0');
        return match missing > 0 || exponent + 1 == kept as i32 {
            true => out.extend_from_slice(&padded),
            false => point(out, digits, exponent + 1),
        };
    }
    let start = out.len();
    scientific(out, digits, exponent);
    // An exponent has two digits at least.
    if exponent.abs() < 10 && out.len() > start {
        out.insert(out.len() - 1, b'0');
    }
}

/// Appends a number with exactly that many digits after the point; a half goes to the even digit.
pub fn write_fixed(out: &mut Vec<u8>, value: f64, digits: u8) {
    let scale = 10_i64.pow(u32::from(digits.min(18)));
    let scaled = (value * scale as f64).round_ties_even();
    let integer = scaled as i64;
    let (whole, fraction) =
        (integer.unsigned_abs() / scale as u64, integer.unsigned_abs() % scale as u64);
    let sign = if integer < 0 { "-" } else { "" };
    let _ = match digits {
        0 => write!(out, "{sign}{whole}"),
        _ => write!(out, "{sign}{whole}.{fraction:0width$}", width = usize::from(digits)),
    };
}

/// Appends a number with up to seventeen digits after the point and no zeros at the end.
pub fn write_human(out: &mut Vec<u8>, value: f64) {
    if !value.is_finite() {
        return write(out, value);
    }
    let start = out.len();
    let _ = write!(out, "{value:.17}");
    while out.len() > start && out.last() == Some(&b'0') {
        out.pop();
    }
    if out.last() == Some(&b'.') {
        out.pop();
    }
    if out.get(start..) == Some(b"-0") {
        out.truncate(start);
        out.push(b'0');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(value: f64) -> String {
        let mut out = Vec::new();
        write(&mut out, value);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn scores_are_shown_as_redis_shows_them() {
        for (value, text) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (3.0, "3"),
            (-1.5, "-1.5"),
            (0.1, "0.1"),
            (0.1 + 0.2, "0.30000000000000004"),
            (1e17, "100000000000000000"),
            (1e20, "1e+20"),
            (1.234_567_890_123_456_7e22, "12345678901234568000000"),
            (1e22, "1e+22"),
            (1.5e300, "1.5e+300"),
            (1e-5, "0.00001"),
            (1e-7, "1e-7"),
            (1.5e-7, "1.5e-7"),
            (1.23456789e-5, "1.23456789e-5"),
            (17_179_869_184.000_002, "17179869184.000004"),
            (5e-324, "5e-324"),
            (f64::MAX, "1.7976931348623157e+308"),
            (f64::INFINITY, "inf"),
            (f64::NEG_INFINITY, "-inf"),
            (f64::NAN, "nan"),
        ] {
            assert_eq!(shown(value), text);
        }
    }

    #[test]
    fn the_long_form_is_that_of_c() {
        for (value, text) in [
            (0.1, "0.10000000000000001"),
            (-2.25, "-2.25"),
            (1e300, "1.0000000000000001e+300"),
            (1e-7, "9.9999999999999995e-08"),
            (1e-4, "0.0001"),
            (1e16, "10000000000000000"),
            (1e17, "1e+17"),
            (3.0, "3"),
            (f64::INFINITY, "inf"),
        ] {
            let mut out = Vec::new();
            write_long(&mut out, value);
            assert_eq!(String::from_utf8(out).unwrap(), text);
        }
    }

    #[test]
    fn fixed_and_human_forms() {
        let fixed = |value| {
            let mut out = Vec::new();
            write_fixed(&mut out, value, 4);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(fixed(166_274.151_56), "166274.1516");
        assert_eq!(fixed(0.0), "0.0000");
        assert_eq!(fixed(-0.5), "-0.5000");
        let human = |value| {
            let mut out = Vec::new();
            write_human(&mut out, value);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(human(13.361_389_338_970_184), "13.36138933897018433");
        assert_eq!(human(3.0), "3");
        assert_eq!(human(0.0), "0");
        assert_eq!(human(-0.0), "0");
        assert_eq!(human(0.5), "0.5");
    }
}
