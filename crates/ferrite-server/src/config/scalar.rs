//! Words that mean a number: whole numbers, bytes with a unit, `yes` and `no`, choices.

use super::spec::Kind;

/// A value that a number stands for.
pub trait Scalar: Copy + Send + Sync + std::fmt::Debug + 'static {
    /// The value of a number that was checked before.
    fn from_number(number: i64) -> Self;
}

impl Scalar for bool {
    fn from_number(number: i64) -> Self {
        number != 0
    }
}

macro_rules! integers {
    ($($integer:ty)*) => {
        $(impl Scalar for $integer {
            fn from_number(number: i64) -> Self {
                Self::try_from(number).unwrap_or(if number < 0 { Self::MIN } else { Self::MAX })
            }
        })*
    };
}
integers!(i64 u64 usize u32 u16 u8 i32);

/// An enum whose variants have the words of a parameter.
macro_rules! choices {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident $word:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)*
        }

        impl $name {
            /// The words and the numbers that stand for them.
            pub const WORDS: &'static [(&'static str, i64)] =
                &[$(($word, Self::$variant as i64),)*];

            /// The word.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }
        }

        impl $crate::config::scalar::Scalar for $name {
            fn from_number(number: i64) -> Self {
                const ALL: &[$name] = &[$($name::$variant,)*];
                let found = ALL.iter().find(|variant| **variant as i64 == number);
                found.copied().unwrap_or(ALL[0])
            }
        }
    };
}
pub(crate) use choices;

/// Units of memory; plain letters are powers of ten, as in Redis.
const UNITS: &[(&str, i64)] = &[
    ("", 1),
    ("b", 1),
    ("k", 1000),
    ("kb", 1 << 10),
    ("m", 1_000_000),
    ("mb", 1 << 20),
    ("g", 1_000_000_000),
    ("gb", 1 << 30),
];

/// The number of one word for a parameter of this kind, or what is wrong with it.
pub(super) fn parse(kind: &Kind, words: &[Vec<u8>]) -> Result<i64, String> {
    let word = words.first().map(Vec::as_slice).unwrap_or_default();
    match kind {
        Kind::YesNo if word.eq_ignore_ascii_case(b"yes") => Ok(1),
        Kind::YesNo if word.eq_ignore_ascii_case(b"no") => Ok(0),
        Kind::YesNo => Err("argument must be 'yes' or 'no'".to_owned()),
        Kind::Integer { min, max } => {
            let number = integer(word).ok_or("argument couldn't be parsed into an integer")?;
            within(number, *min, *max)
        }
        Kind::Memory { min, max, percent } => bytes_or_share(word, *min, *max, *percent),
        Kind::Octal => {
            let text = std::str::from_utf8(word).unwrap_or_default();
            let number = i64::from_str_radix(text, 8)
                .map_err(|_| "argument couldn't be parsed as an octal number")?;
            within(number, 0, 0o777)
        }
        Kind::Choice(choices) => choose(choices, word),
        // No word is none of the choices.
        Kind::Flags(choices) if words.is_empty() => choose(choices, b""),
        Kind::Flags(choices) => {
            words.iter().try_fold(0, |bits, word| Ok(bits | choose(choices, word)?))
        }
        Kind::Text | Kind::Words => Err("argument is not a number".to_owned()),
    }
}

/// The text CONFIG GET answers for a number.
pub(super) fn describe(kind: &Kind, number: i64) -> String {
    match kind {
        Kind::YesNo => if number != 0 { "yes" } else { "no" }.to_owned(),
        Kind::Memory { percent: true, .. } if number < 0 => format!("{}%", -number),
        Kind::Octal => format!("{number:o}"),
        Kind::Choice(choices) => {
            let known = choices.iter().find(|(_, value)| *value == number);
            known.map_or("unknown", |(name, _)| name).to_owned()
        }
        Kind::Flags(choices) => describe_flags(choices, number),
        _ => number.to_string(),
    }
}

/// A number as CONFIG REWRITE writes it.
pub(super) fn rewrite(kind: &Kind, number: i64) -> String {
    match kind {
        Kind::Memory { .. } if number > 0 => {
            let units = [("gb", 1_i64 << 30), ("mb", 1 << 20), ("kb", 1 << 10)];
            match units.iter().find(|(_, size)| number % size == 0) {
                Some((unit, size)) => format!("{}{unit}", number / size),
                None => number.to_string(),
            }
        }
        _ => describe(kind, number),
    }
}

fn describe_flags(choices: &[(&str, i64)], number: i64) -> String {
    if let Some((name, _)) = choices.iter().find(|(_, value)| *value == number) {
        return (*name).to_owned();
    }
    let set = choices.iter().filter(|(_, value)| *value != 0 && number & value == *value);
    set.map(|(name, _)| *name).collect::<Vec<_>>().join(" ")
}

fn choose(choices: &[(&str, i64)], word: &[u8]) -> Result<i64, String> {
    let known = choices.iter().find(|(name, _)| name.as_bytes().eq_ignore_ascii_case(word));
    known.map(|(_, value)| *value).ok_or_else(|| {
        let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
        format!("argument(s) must be one of the following: {}", names.join(", "))
    })
}

fn within(number: i64, min: i64, max: i64) -> Result<i64, String> {
    if number < min || number > max {
        return Err(format!("argument must be between {min} and {max} inclusive"));
    }
    Ok(number)
}

fn bytes_or_share(word: &[u8], min: i64, max: i64, percent: bool) -> Result<i64, String> {
    let wrong = if percent {
        "argument must be a memory or percent value"
    } else {
        "argument must be a memory value"
    };
    if let Some(share) = word.strip_suffix(b"%").filter(|_| percent) {
        let share = integer(share).filter(|share| *share >= 0).ok_or(wrong)?;
        if share > 100 {
            return Err("percentage argument must be less or equal to 100".to_owned());
        }
        return Ok(-share);
    }
    within(bytes(word).ok_or(wrong)?, min, max)
}

/// A whole number in decimal digits, as strict as Redis is: no sign but a minus, no zeros before.
pub(crate) fn integer(word: &[u8]) -> Option<i64> {
    let digits = word.strip_prefix(b"-").unwrap_or(word);
    let plain = digits.iter().all(u8::is_ascii_digit) && !digits.is_empty();
    let padded = digits.first() == Some(&b'0') && word.len() > 1;
    if !plain || padded {
        return None;
    }
    std::str::from_utf8(word).ok()?.parse().ok()
}

/// Bytes with a unit.
pub(crate) fn bytes(word: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(word).ok()?;
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let digits = unsigned.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(unsigned.len());
    let (digits, unit) = text.split_at(digits + text.len() - unsigned.len());
    let (_, size) = UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit))?;
    digits.parse::<i64>().ok()?.checked_mul(*size)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(kind: &Kind, text: &str) -> Result<i64, String> {
        parse(kind, &[text.as_bytes().to_vec()])
    }

    #[test]
    fn memory_has_units_and_shares() {
        let kind = Kind::Memory { min: 0, max: i64::MAX, percent: true };
        let cases = [("100", 100), ("2k", 2000), ("2Kb", 2048), ("1gb", 1 << 30), ("7%", -7)];
        for (text, number) in cases {
            assert_eq!(parsed(&kind, text), Ok(number), "{text}");
        }
        for text in ["", "kb", "1.5gb", "10xb", "9223372036854775807gb", "-1%"] {
            let error = parsed(&kind, text).unwrap_err();
            assert_eq!(error, "argument must be a memory or percent value", "{text}");
        }
        assert!(parsed(&kind, "101%").unwrap_err().contains("less or equal to 100"));
        assert!(parsed(&kind, "-5").unwrap_err().starts_with("argument must be between 0 and"));
        assert_eq!(rewrite(&kind, 3 << 20), "3mb");
        assert_eq!(rewrite(&kind, -7), "7%");
        assert_eq!(describe(&kind, 3 << 20), "3145728");
    }

    #[test]
    fn numbers_are_strict() {
        let kind = Kind::Integer { min: -5, max: 65535 };
        assert_eq!(parsed(&kind, "-5"), Ok(-5));
        for text in ["", "-", "+1", "01", "1 ", "abc", "99999999999999999999"] {
            let error = parsed(&kind, text).unwrap_err();
            assert_eq!(error, "argument couldn't be parsed into an integer", "{text}");
        }
        let error = parsed(&kind, "65536").unwrap_err();
        assert_eq!(error, "argument must be between -5 and 65535 inclusive");
    }

    #[test]
    fn choices_name_what_is_possible() {
        const WORDS: &[(&str, i64)] = &[("default", 0), ("save", 1), ("now", 2)];
        assert_eq!(parsed(&Kind::Choice(WORDS), "SAVE"), Ok(1));
        let error = parsed(&Kind::Choice(WORDS), "x").unwrap_err();
        assert_eq!(error, "argument(s) must be one of the following: default, save, now");
        let both = [b"save".to_vec(), b"now".to_vec()];
        assert_eq!(parse(&Kind::Flags(WORDS), &both), Ok(3));
        assert_eq!(parse(&Kind::Flags(WORDS), &[]), Err(error));
        assert_eq!(describe(&Kind::Flags(WORDS), 3), "save now");
        assert_eq!(describe(&Kind::Flags(WORDS), 0), "default");
    }
}
