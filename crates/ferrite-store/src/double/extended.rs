//! Floating point numbers of 80 bits, as `long double` is on x86: what INCRBYFLOAT and
//! HINCRBYFLOAT reckon with, so that 0.1 and 0.2 are 0.3.
//!
//! ```text
//! bits 79          78..64                 63..0
//!      sign        exponent, from -16383  the number, its first bit before the point
//! ```

use rustc_apfloat::ieee::{Double, X87DoubleExtended};
use rustc_apfloat::{Float, Round, Status, StatusAnd};

/// The longest text that is read, as in Redis.
const LONGEST_TEXT: usize = 5 * 1024;

/// Ten to the power of the digits that are shown after the point.
const SCALE: u128 = 100_000_000_000_000_000;

/// What an exponent of 0 of the lowest bit is stored as.
const EXPONENT_OF_ONE: i32 = 16_383 + 63;

/// A number.
#[derive(Clone, Copy, Debug)]
pub struct Extended(X87DoubleExtended);

impl From<i64> for Extended {
    fn from(value: i64) -> Self {
        // 64 bits are exact.
        Self(X87DoubleExtended::from_i128(value.into()).value)
    }
}

impl std::ops::Add for Extended {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.add_r(other.0, Round::NearestTiesToEven).value)
    }
}

impl Extended {
    /// Reads a number that is the whole text, decimal or hexadecimal, as `strtold` does. What is
    /// too large or too small is refused, and so is what is not a number.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(text).ok().filter(|text| text.len() < LONGEST_TEXT)?;
        if let Some(infinite) = infinity(text) {
            return Some(Self(infinite));
        }
        read(text).filter(|read| !is_lost(read)).map(|read| Self(read.value))
    }

    /// Whether it is a number and not infinite.
    #[must_use]
    pub fn is_finite(self) -> bool {
        self.0.is_finite()
    }

    /// Up to seventeen digits after the point without zeros at the end, and never an exponent.
    #[must_use]
    pub fn text(self) -> String {
        let sign = if self.0.is_negative() { "-" } else { "" };
        if !self.is_finite() {
            return format!("{sign}inf");
        }
        let bits = self.0.to_bits();
        let mantissa = bits as u64;
        let exponent = ((bits >> 64) & 0x7fff) as i32;
        let text = match exponent.max(1) - EXPONENT_OF_ONE {
            shift @ 0.. => shifted_left(mantissa, shift as u32),
            shift => shifted_right(mantissa, shift.unsigned_abs()),
        };
        if text == "0" { text } else { format!("{sign}{text}") }
    }
}

/// Reads a hexadecimal number as a double: `0x10`, `-0x1.8p3`.
pub(super) fn parse_hexadecimal(text: &str) -> Option<f64> {
    let read = read::<Double>(text).filter(|read| !is_lost(read))?;
    u64::try_from(read.value.to_bits()).ok().map(f64::from_bits)
}

/// Whether a text is a hexadecimal number, as far as its beginning tells.
pub(super) fn is_hexadecimal(text: &str) -> bool {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    digits.get(..2).is_some_and(|head| head.eq_ignore_ascii_case("0x"))
}

fn infinity<F: Float>(text: &str) -> Option<F> {
    let name = text.strip_prefix(['-', '+']).unwrap_or(text);
    let is_it = name.eq_ignore_ascii_case("inf") || name.eq_ignore_ascii_case("infinity");
    let infinity = if text.starts_with('-') { -F::INFINITY } else { F::INFINITY };
    is_it.then_some(infinity)
}

fn read<F: Float>(text: &str) -> Option<StatusAnd<F>> {
    // Names of numbers, of which there is another way to write each, are not for us.
    let known = |byte: u8| byte.is_ascii_hexdigit() || b"+-.xXpP".contains(&byte);
    if !text.bytes().all(known) {
        return None;
    }
    // An exponent without digits.
    let ends = |letters: &[char]| text.ends_with(letters);
    if ends(&['+', '-', 'p', 'P']) || ends(&['e', 'E']) && !is_hexadecimal(text) {
        return None;
    }
    let with_exponent = match is_hexadecimal(text) && !text.contains(['p', 'P']) {
        true => format!("{text}p0"),
        false => text.to_owned(),
    };
    F::from_str_r(&with_exponent, Round::NearestTiesToEven).ok()
}

fn is_lost<F: Float>(read: &StatusAnd<F>) -> bool {
    let vanished = read.value.is_zero() && read.status.contains(Status::UNDERFLOW);
    vanished || read.value.is_infinite() || read.value.is_nan()
}

/// A whole number: the bits with so many zeros behind them.
fn shifted_left(mantissa: u64, shift: u32) -> String {
    /// What a limb counts to.
    const BASE: u64 = 1_000_000_000;
    let mut limbs = vec![mantissa % BASE, mantissa / BASE % BASE, mantissa / BASE / BASE];
    let mut left = shift;
    while left > 0 {
        let step = left.min(29);
        left -= step;
        let mut carry = 0;
        for limb in &mut limbs {
            let value = (*limb << step) + carry;
            *limb = value % BASE;
            carry = value / BASE;
        }
        limbs.push(carry);
    }
    let digits: String = limbs.iter().rev().map(|limb| format!("{limb:09}")).collect();
    match digits.trim_start_matches('0') {
        "" => "0".into(),
        digits => digits.into(),
    }
}

/// The bits divided by two to the power of `shift`.
fn shifted_right(mantissa: u64, shift: u32) -> String {
    let (mut whole, fraction) = match shift {
        64.. => (0, mantissa),
        _ => (mantissa >> shift, mantissa & ((1 << shift) - 1)),
    };
    let mut digits = match shift {
        128.. => 0,
        _ => rounded(u128::from(fraction) * SCALE, shift),
    };
    if digits == SCALE {
        (whole, digits) = (whole + 1, 0);
    }
    let text = format!("{whole}.{digits:017}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// `value` divided by two to the power of `shift`, to the nearest, and to the even one of two.
fn rounded(value: u128, shift: u32) -> u128 {
    let (quotient, rest) = (value >> shift, value & ((1 << shift) - 1));
    let half = 1 << (shift - 1);
    quotient + u128::from(rest > half || (rest == half && quotient % 2 == 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(one: &str, other: &str) -> String {
        let parse = |text: &str| Extended::parse(text.as_bytes()).unwrap();
        (parse(one) + parse(other)).text()
    }

    #[test]
    fn sums_are_those_of_eighty_bits() {
        // As Redis 7.2 on x86 answers INCRBYFLOAT.
        for (one, other, text) in [
            ("0.1", "0.2", "0.3"),
            ("3", "1.1", "4.1"),
            ("1", "-1", "0"),
            ("-0.00000000000000000001", "0", "0"),
            ("1e-17", "0", "0.00000000000000001"),
            ("17179869184", "1.5", "17179869185.5"),
            ("9223372036854775807", "0", "9223372036854775807"),
            ("9223372036854775807", "1", "9223372036854775808"),
            ("1e30", "0", "1000000000000000000024696061952"),
            ("0x10", "0.5", "16.5"),
            ("-0x1.8p1", "0", "-3"),
            ("99999999999999999", "0.99", "99999999999999999.9921875"),
        ] {
            assert_eq!(sum(one, other), text, "{one} + {other}");
        }
        // The nearest number of eighty bits is smaller: 9999….
        assert_eq!(sum("1e4000", "0").len(), 4000);
        assert_eq!(sum("1e4932", "1e4932"), "inf");
        assert_eq!(Extended::from(i64::MIN).text(), i64::MIN.to_string());
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for text in ["", " 1", "1 ", "nan", "1e", "abc", "1,5", "1e5000", "1e-6000", "--1", "0x"] {
            assert!(Extended::parse(text.as_bytes()).is_none(), "{text:?}");
        }
        assert!(!Extended::parse(b"-Infinity").unwrap().is_finite());
        assert_eq!(parse_hexadecimal("0x1.8p3"), Some(12.0));
        assert_eq!(parse_hexadecimal("-0xff"), Some(-255.0));
    }
}
