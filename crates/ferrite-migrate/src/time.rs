//! Moments as people write them (RFC 3339), and as Unix time.

use std::fmt::Write;

/// Milliseconds of a day.
const DAY_MS: u64 = 86_400_000;
/// What a moment looks like.
const HELP: &str = "a time is written as 2026-11-21T03:00:00Z, or with the offset of its zone, as \
                    2026-11-21T04:00:00+01:00";

/// Reads a moment such as `2026-11-21T03:00:00Z` or `2026-11-21 04:00:00.5+01:00`; milliseconds of
/// Unix time. The offset is required: a time without one is another moment elsewhere.
///
/// # Errors
/// Says what is accepted.
pub fn parse_rfc3339(text: &str) -> Result<u64, String> {
    moment(text).ok_or_else(|| HELP.to_owned())
}

fn moment(text: &str) -> Option<u64> {
    let separators = [(4, '-'), (7, '-'), (13, ':'), (16, ':')];
    let is_at = |&(at, separator): &(usize, char)| {
        text.get(at..=at) == Some(separator.to_string().as_str())
    };
    if !separators.iter().all(is_at) || !matches!(text.get(10..11)?, "T" | "t" | " ") {
        return None;
    }
    let [year, month, day] = [number(text, 0, 4)?, number(text, 5, 7)?, number(text, 8, 10)?];
    let [hour, minute, second] =
        [number(text, 11, 13)?, number(text, 14, 16)?, number(text, 17, 19)?];
    let is_date = (1970..=9999).contains(&year)
        && (1..=12).contains(&month)
        && (1..=days_in(year, month)).contains(&day);
    // A leap second is the first of the next minute.
    if !is_date || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let (fraction_ms, zone) = fraction(text.get(19..)?)?;
    let days =
        days_before(year) + (1..month).map(|month| days_in(year, month)).sum::<u64>() + day - 1;
    let local = days * DAY_MS + ((hour * 60 + minute) * 60 + second) * 1000 + fraction_ms;
    local.checked_add_signed(-offset_ms(zone)?)
}

/// The digits from one place to another.
fn number(text: &str, from: usize, to: usize) -> Option<u64> {
    let digits = text.get(from..to)?;
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
}

/// A fraction of a second in ms, where there is one, and what follows it.
fn fraction(text: &str) -> Option<(u64, &str)> {
    let Some(rest) = text.strip_prefix('.') else { return Some((0, text)) };
    let zone = rest.trim_start_matches(|c: char| c.is_ascii_digit());
    let digits = rest.get(..rest.len() - zone.len()).filter(|digits| !digits.is_empty())?;
    let thousandths: String = digits.chars().chain("000".chars()).take(3).collect();
    Some((thousandths.parse().ok()?, zone))
}

/// `Z`, or `+01:00`; how far that is ahead of universal time.
fn offset_ms(zone: &str) -> Option<i64> {
    if zone.eq_ignore_ascii_case("z") {
        return Some(0);
    }
    let sign = match zone.get(..1)? {
        "+" => 1,
        "-" => -1,
        _ => return None,
    };
    let (hours, minutes) = (number(zone, 1, 3)?, number(zone, 4, 6)?);
    if zone.len() != 6 || zone.get(3..4) != Some(":") || hours > 23 || minutes > 59 {
        return None;
    }
    Some(sign * ((hours * 60 + minutes) * 60_000).cast_signed())
}

fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

fn days_in(year: u64, month: u64) -> u64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970 to the beginning of a year.
fn days_before(year: u64) -> u64 {
    let leap_days = |year: u64| year / 4 - year / 100 + year / 400;
    (year - 1970) * 365 + leap_days(year - 1) - leap_days(1969)
}

/// A moment of Unix time in milliseconds as `2026-11-21T03:00:00Z`, in universal time, to the
/// second; years after 9999 as that year.
#[must_use]
pub fn rfc3339(at_ms: u64) -> String {
    let mut days = at_ms / DAY_MS;
    let seconds = at_ms % DAY_MS / 1000;
    let year = (1971..=9999).find(|year| days_before(*year) > days).map_or(9999, |year| year - 1);
    days = days.saturating_sub(days_before(year));
    let mut month = 1;
    while month < 12 && days >= days_in(year, month) {
        days -= days_in(year, month);
        month += 1;
    }
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let mut text = format!("{year:04}-{month:02}-{:02}", days.min(30) + 1);
    let _ = write!(text, "T{hour:02}:{minute:02}:{second:02}Z");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_and_written() {
        // Checked with date -u -d … +%s.
        let cases = [
            ("1970-01-01T00:00:00Z", 0),
            ("2000-02-29T12:00:00Z", 951_825_600_000),
            ("2026-11-21T03:00:00Z", 1_795_230_000_000),
            ("2100-03-01T00:00:00Z", 4_107_542_400_000),
            ("2024-12-31T23:59:59Z", 1_735_689_599_000),
        ];
        for (text, at_ms) in cases {
            assert_eq!(parse_rfc3339(text), Ok(at_ms), "{text}");
            assert_eq!(rfc3339(at_ms), text);
        }
        let same = [
            "2026-11-21T04:00:00+01:00",
            "2026-11-20T21:30:00-05:30",
            "2026-11-21 03:00:00.0z",
            "2026-11-21t02:59:60.000000Z",
        ];
        for text in same {
            assert_eq!(parse_rfc3339(text), Ok(1_795_230_000_000), "{text}");
        }
        assert_eq!(parse_rfc3339("1970-01-01T00:00:01.2345Z"), Ok(1234));
    }

    #[test]
    fn every_day_is_written_as_it_is_read() {
        for day in 0..60_000 {
            let at_ms = day * DAY_MS + 3_723_000;
            assert_eq!(parse_rfc3339(&rfc3339(at_ms)), Ok(at_ms), "{day}");
        }
        assert!(rfc3339(u64::MAX).starts_with("9999-"));
    }

    #[test]
    fn what_is_no_moment_is_refused() {
        let cases = [
            "",
            "now",
            "2026-11-21",
            "2026-11-21T03:00:00",
            "2026-11-21T03:00Z",
            "2026-13-01T00:00:00Z",
            "2026-02-29T00:00:00Z",
            "2026-11-00T00:00:00Z",
            "2026-11-21T24:00:00Z",
            "2026-11-21T03:60:00Z",
            "2026-11-21T03:00:61Z",
            "2026-11-21T03:00:00.Z",
            "2026-11-21T03:00:00+1:00",
            "2026-11-21T03:00:00+01:0",
            "2026-11-21T03:00:00+24:00",
            "2026-11-21T03:00:00ZZ",
            "+026-11-21T03:00:00Z",
            "1969-12-31T23:59:59Z",
            "1970-01-01T00:00:00+00:01",
            "2026-11-21T03:00:0éZ",
            "é026-11-21T03:00:00Z",
        ];
        for text in cases {
            assert!(parse_rfc3339(text).is_err(), "{text}");
        }
    }
}
