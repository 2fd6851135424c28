//! Numbers as people read and write them: keys, bytes, rates, durations, shares.
//!
//! Sizes are read by the rules of `redis.conf`: `1k` is 1,000 bytes and `1kb` is 1,024, likewise
//! `m`, `mb`, `g`, `gb`; `KiB`, `MiB` and `GiB` are the powers of 1,024 under their own names.
//! Sizes are printed in powers of 1,024.

/// A count with a comma between thousands: `1,234,567`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A count in at most five characters: `999`, `1.23k`, `45.6M`.
pub fn short_count(number: u64) -> String {
    if number < 1000 {
        return number.to_string();
    }
    let (value, unit) = scaled(number, 1000.0, &["", "k", "M", "G", "T", "P", "E"]);
    format!("{}{unit}", three_digits(value))
}

/// A size in bytes: `0 B`, `1.50 KiB`, `4.20 GiB`.
pub fn bytes(number: u64) -> String {
    let (value, unit) = scaled(number, 1024.0, &["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"]);
    if number < 1024 { format!("{number} B") } else { format!("{} {unit}", three_digits(value)) }
}

/// A duration in the two largest units that matter: `850 ms`, `2.3 s`, `1m20s`, `3h04m`, `2d06h`.
pub fn duration(milliseconds: u64) -> String {
    let seconds = milliseconds / 1000;
    match seconds {
        0 => format!("{milliseconds} ms"),
        1..10 => format!("{seconds}.{} s", milliseconds % 1000 / 100),
        10..60 => format!("{seconds} s"),
        60..3600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        3600..86400 => format!("{}h{:02}m", seconds / 3600, seconds / 60 % 60),
        _ => format!("{}d{:02}h", seconds / 86400, seconds / 3600 % 24),
    }
}

/// How much a second, from an amount and the milliseconds it took.
pub fn per_second(amount: u64, milliseconds: u64) -> u64 {
    let rate = u128::from(amount) * 1000 / u128::from(milliseconds.max(1));
    u64::try_from(rate).unwrap_or(u64::MAX)
}

/// A share in percent, cut and never rounded up, so that only the whole is `100%`.
pub fn percent(part: u64, whole: u64) -> String {
    if part >= whole {
        return "100%".to_owned();
    }
    let hundredths = u128::from(part) * 10_000 / u128::from(whole);
    format!("{}.{:02}%", hundredths / 100, hundredths % 100)
}

/// Reads a size in bytes.
///
/// # Errors
/// Says what is accepted.
pub fn parse_size(text: &str) -> Result<u64, String> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let factor: u64 = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" => 1000,
        "kb" | "kib" => 1 << 10,
        "m" => 1_000_000,
        "mb" | "mib" => 1 << 20,
        "g" => 1_000_000_000,
        "gb" | "gib" => 1 << 30,
        _ => return Err(SIZE_HELP.to_owned()),
    };
    let number: u64 = number.parse().map_err(|_| SIZE_HELP.to_owned())?;
    number.checked_mul(factor).ok_or_else(|| "the size does not fit 64 bits".to_owned())
}

/// Reads a duration in milliseconds, which is also its unit where none is given.
///
/// # Errors
/// Says what is accepted.
pub fn parse_duration(text: &str) -> Result<u64, String> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let factor: u64 = match unit {
        "" | "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err(DURATION_HELP.to_owned()),
    };
    let number: u64 = number.parse().map_err(|_| DURATION_HELP.to_owned())?;
    number.checked_mul(factor).ok_or_else(|| "the duration does not fit 64 bits".to_owned())
}

const DURATION_HELP: &str =
    "a duration is a whole number of milliseconds, or one with ms, s, m or h, such as 500ms or 2s";

/// Microseconds as milliseconds with one decimal: `12.3 ms`.
pub fn milliseconds(microseconds: u64) -> String {
    let tenths = microseconds.saturating_add(50) / 100;
    format!("{}.{} ms", count(tenths / 10), tenths % 10)
}

const SIZE_HELP: &str =
    "a size is a whole number and one of b, k, kb, m, mb, g, gb, KiB, MiB, GiB, such as 128MiB";

/// The number divided by the base until it is small enough to be shown with three digits.
#[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
fn scaled<'a>(number: u64, base: f64, units: &[&'a str]) -> (f64, &'a str) {
    let mut value = number as f64;
    let mut shown = "";
    for unit in units {
        shown = unit;
        if value < 999.5 {
            break;
        }
        value /= base;
    }
    (value, shown)
}

fn three_digits(value: f64) -> String {
    match value {
        _ if value < 9.995 => format!("{value:.2}"),
        _ if value < 99.95 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_and_short_ones_shown() {
        let cases = [("0", 0), ("250", 250), ("500ms", 500), ("2s", 2000), ("2h", 7_200_000)];
        for (text, expected) in cases {
            assert_eq!(parse_duration(text), Ok(expected), "{text}");
        }
        for text in ["", "s", "-1", "1.5s", "2 s", "1d", "99999999999999999999s"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
        assert!(parse_duration("18446744073709551615s").unwrap_err().contains("64 bits"));
        let cases = [(0, "0.0 ms"), (49, "0.0 ms"), (12_345, "12.3 ms"), (1_234_567, "1,234.6 ms")];
        for (microseconds, text) in cases {
            assert_eq!(milliseconds(microseconds), text);
        }
    }

    #[test]
    fn thousands_are_separated() {
        let cases = [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567")];
        for (number, text) in cases {
            assert_eq!(count(number), text);
        }
        assert_eq!(count(u64::MAX), "18,446,744,073,709,551,615");
    }

    #[test]
    fn short_counts_fit_five_characters() {
        let cases = [
            (999, "999"),
            (1000, "1.00k"),
            (25_000, "25.0k"),
            (999_499, "999k"),
            (999_500, "1.00M"),
        ];
        for (number, text) in cases {
            assert_eq!(short_count(number), text);
        }
        for shift in 0..64 {
            assert!(short_count(u64::MAX >> shift).len() <= 5, "{shift}");
        }
    }

    #[test]
    fn bytes_have_binary_units() {
        let cases = [
            (0, "0 B"),
            (1023, "1023 B"),
            (1536, "1.50 KiB"),
            (4_509_715_660, "4.20 GiB"),
            (u64::MAX, "16.0 EiB"),
        ];
        for (number, text) in cases {
            assert_eq!(bytes(number), text);
        }
    }

    #[test]
    fn durations_have_two_units() {
        let cases = [
            (0, "0 ms"),
            (999, "999 ms"),
            (2390, "2.3 s"),
            (59_999, "59 s"),
            (80_000, "1m20s"),
            (11_040_000, "3h04m"),
            (194_400_000, "2d06h"),
        ];
        for (milliseconds, text) in cases {
            assert_eq!(duration(milliseconds), text);
        }
    }

    #[test]
    fn only_the_whole_is_a_hundred_percent() {
        assert_eq!(percent(10, 10), "100%");
        assert_eq!(percent(0, 0), "100%");
        assert_eq!(percent(999_999, 1_000_000), "99.99%");
        assert_eq!(percent(0, 3), "0.00%");
        assert_eq!(percent(1, 3), "33.33%");
    }

    #[test]
    fn rates_do_not_divide_by_zero() {
        assert_eq!(per_second(10, 0), 10_000);
        assert_eq!(per_second(u64::MAX, 1), u64::MAX);
        assert_eq!(per_second(500, 2000), 250);
    }

    #[test]
    fn sizes_follow_redis() {
        let cases = [
            ("0", 0),
            ("5", 5),
            ("5b", 5),
            ("1k", 1000),
            ("1kb", 1024),
            ("1KB", 1024),
            ("2m", 2_000_000),
            ("2mb", 2 << 20),
            ("128MiB", 128 << 20),
            ("1g", 1_000_000_000),
            ("1GB", 1 << 30),
            ("3gib", 3 << 30),
        ];
        for (text, size) in cases {
            assert_eq!(parse_size(text), Ok(size), "{text}");
        }
    }

    #[test]
    fn bad_sizes_are_refused() {
        for text in ["", "mb", "-1", "1.5g", "1 mb", "1tb", "１k", "18446744073709551616"] {
            assert_eq!(parse_size(text), Err(SIZE_HELP.to_owned()), "{text}");
        }
        assert!(parse_size("18446744073709551615k").is_err_and(|why| why.contains("64 bits")));
    }
}
