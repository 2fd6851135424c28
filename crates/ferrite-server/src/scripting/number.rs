//! Numbers as text: the shortest that reads back as the same, and a fixed count of digits.

/// The shortest decimal text of `value`, as replies and arguments show numbers.
///
/// ```text
/// 3 → 3    0.1 → 0.1    1e20 → 1e+20    1e-9 → 1e-9
/// ```
pub(super) fn shortest(value: f64) -> String {
    if let Some(text) = special(value) {
        return text;
    }
    let (negative, digits, exponent) = digits_of(&format!("{value:e}"));
    let count = digits.len() as i32;
    // Where the point stands, counted from the end of the digits.
    let scale = exponent - (count - 1);
    let magnitude = exponent.abs();
    let text = if scale >= 0 && magnitude < count + 7 {
        format!("{digits}{}", "0".repeat(scale as usize))
    } else if scale < 0 && (scale > -7 || magnitude < 4) {
        plain_fraction(&digits, exponent)
    } else {
        scientific(&digits, exponent, 1)
    };
    if negative { format!("-{text}") } else { text }
}

/// The text that C's `%.<digits>g` gives.
pub(super) fn significant(value: f64, precision: usize) -> String {
    if let Some(text) = special(value) {
        return text;
    }
    if value == 0.0 {
        return if value.is_sign_negative() { "-0".to_owned() } else { "0".to_owned() };
    }
    let precision = precision.max(1);
    let (negative, digits, exponent) = digits_of(&format!("{value:.*e}", precision - 1));
    let trimmed = digits.trim_end_matches('0');
    let digits = if trimmed.is_empty() { "0" } else { trimmed };
    let text = if exponent < -4 || exponent >= precision as i32 {
        scientific(digits, exponent, 2)
    } else if exponent + 1 >= digits.len() as i32 {
        format!("{digits}{}", "0".repeat((exponent + 1) as usize - digits.len()))
    } else {
        plain_fraction(digits, exponent)
    };
    if negative { format!("-{text}") } else { text }
}

fn special(value: f64) -> Option<String> {
    let sign = if value.is_sign_negative() { "-" } else { "" };
    if value.is_nan() {
        Some(format!("{sign}nan"))
    } else if value.is_infinite() {
        Some(format!("{sign}inf"))
    } else {
        None
    }
}

/// Takes `-1.25e-7` apart: the sign, `125`, -7.
fn digits_of(text: &str) -> (bool, String, i32) {
    let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
    let digits = mantissa.chars().filter(char::is_ascii_digit).collect();
    (mantissa.starts_with('-'), digits, exponent.parse().unwrap_or(0))
}

/// `125`, -2 → `0.0125`; `125`, 1 → `12.5`.
fn plain_fraction(digits: &str, exponent: i32) -> String {
    if exponent < 0 {
        return format!("0.{}{digits}", "0".repeat((-exponent - 1) as usize));
    }
    let (whole, fraction) = digits.split_at((exponent as usize + 1).min(digits.len()));
    format!("{whole}.{fraction}")
}

fn scientific(digits: &str, exponent: i32, width: usize) -> String {
    let (first, rest) = digits.split_at(digits.len().min(1));
    let point = if rest.is_empty() { "" } else { "." };
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{first}{point}{rest}e{sign}{:0width$}", exponent.abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shortest_text_reads_back() {
        for (value, text) in [
            (3.0, "3"),
            (-0.5, "-0.5"),
            (0.1, "0.1"),
            (1.0 / 3.0, "0.3333333333333333"),
            (1e20, "1e+20"),
            (1e-7, "1e-7"),
            (0.001, "0.001"),
            (12.5, "12.5"),
            (1.25e30, "1.25e+30"),
            (f64::INFINITY, "inf"),
        ] {
            assert_eq!(shortest(value), text);
        }
    }

    #[test]
    fn fixed_digits_are_those_of_c() {
        for (value, text) in [
            (0.1, "0.1"),
            (1.0 / 3.0, "0.33333333333333"),
            (1e15, "1e+15"),
            (1e14, "1e+14"),
            (123456789012.5, "123456789012.5"),
            (1e-5, "1e-05"),
            (0.0001, "0.0001"),
            (100.0, "100"),
            (-2.5e100, "-2.5e+100"),
        ] {
            assert_eq!(significant(value, 14), text);
        }
    }
}
