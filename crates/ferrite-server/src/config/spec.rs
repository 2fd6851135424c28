//! The descriptor of a parameter: its name, what it takes, when it may change, and what Ferrite
//! does with it.

/// One parameter. Everything that is known about it before the server runs.
#[derive(Debug)]
pub struct Spec {
    /// The directive's name, in lower case with dashes.
    pub name: &'static str,
    /// An older name of the same parameter; empty where there is none.
    pub alias: &'static str,
    /// The table of `ferrite.toml` it stands in.
    pub section: &'static str,
    /// Its place in `ferrite.toml` where that does not follow from section and name.
    pub place: Option<&'static str>,
    /// What it takes.
    pub kind: Kind,
    /// Its value when nobody sets it, in the words of a configuration file.
    pub default: &'static str,
    /// When it may change.
    pub change: Change,
    /// What Ferrite does with it.
    pub effect: Effect,
    /// Whether CONFIG GET shows it only when asked by its full name.
    pub hidden: bool,
    /// What it is, in a sentence.
    pub doc: &'static str,
}

/// What a parameter takes.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// `yes` or `no`.
    YesNo,
    /// A whole number between two bounds, both included.
    Integer {
        /// The smallest value.
        min: i64,
        /// The largest value.
        max: i64,
    },
    /// Bytes, with a unit where wanted: `100mb`.
    Memory {
        /// The smallest value.
        min: i64,
        /// The largest value.
        max: i64,
        /// Whether `5%` is possible, too; kept as the negative number.
        percent: bool,
    },
    /// File permissions in octal digits.
    Octal,
    /// One of these words.
    Choice(&'static [(&'static str, i64)]),
    /// Some of these words, their bits together.
    Flags(&'static [(&'static str, i64)]),
    /// One word of any kind.
    Text,
    /// Several words, whose form is the parameter's own.
    Words,
}

/// When a parameter may change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// At any time, by CONFIG SET.
    Live,
    /// In the configuration file and on the command line only.
    AtStart,
    /// By CONFIG SET only where `enable-protected-configs` allows it.
    Protected,
}

/// What Ferrite does with a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It does what it says.
    Acts,
    /// It is kept and reported, and changes nothing here, for this reason.
    Stored(&'static str),
    /// Only these values are taken; others ask for something this version does not have.
    Only {
        /// The values that are taken, as CONFIG GET prints them.
        values: &'static [&'static str],
        /// Why others are not.
        why: &'static str,
    },
}

impl Spec {
    const fn new(name: &'static str, kind: Kind, default: &'static str) -> Self {
        Self {
            name,
            alias: "",
            section: "",
            place: None,
            kind,
            default,
            change: Change::Live,
            effect: Effect::Acts,
            hidden: false,
            doc: "",
        }
    }

    /// With an older name.
    pub const fn alias(self, alias: &'static str) -> Self {
        Self { alias, ..self }
    }

    /// Only in the configuration file and on the command line.
    pub const fn at_start(self) -> Self {
        Self { change: Change::AtStart, ..self }
    }

    /// By CONFIG SET only where `enable-protected-configs` allows it.
    pub const fn protected(self) -> Self {
        Self { change: Change::Protected, ..self }
    }

    /// Kept and reported, without effect here.
    pub const fn stored(self, why: &'static str) -> Self {
        Self { effect: Effect::Stored(why), ..self }
    }

    /// Refused unless it is one of these values.
    pub const fn only(self, values: &'static [&'static str], why: &'static str) -> Self {
        Self { effect: Effect::Only { values, why }, ..self }
    }

    /// Shown by CONFIG GET only when asked by its full name.
    pub const fn hidden(self) -> Self {
        Self { hidden: true, ..self }
    }

    /// At this place of `ferrite.toml`.
    pub const fn place(self, place: &'static str) -> Self {
        Self { place: Some(place), ..self }
    }

    pub(super) const fn described(self, section: &'static str, doc: &'static str) -> Self {
        Self { section, doc, ..self }
    }

    /// Its place in `ferrite.toml`: tables and key, joined by dots.
    pub fn path(&self) -> String {
        match self.place {
            Some(place) => place.to_owned(),
            None => format!("{}.{}", self.section, self.name.replace('-', "_")),
        }
    }

    /// Whether a directive of this name, in any case, means this parameter.
    pub fn is(&self, name: &[u8]) -> bool {
        self.name.as_bytes().eq_ignore_ascii_case(name)
            || (!self.alias.is_empty() && self.alias.as_bytes().eq_ignore_ascii_case(name))
    }

    /// Whether it takes several words.
    pub fn takes_words(&self) -> bool {
        matches!(self.kind, Kind::Words | Kind::Flags(_))
    }
}

/// A parameter that is `yes` or `no`.
pub const fn yes_no(name: &'static str, default: &'static str) -> Spec {
    Spec::new(name, Kind::YesNo, default)
}

/// A whole number.
pub const fn integer(name: &'static str, default: &'static str, min: i64, max: i64) -> Spec {
    Spec::new(name, Kind::Integer { min, max }, default)
}

/// A number of bytes.
pub const fn memory(name: &'static str, default: &'static str, min: i64, max: i64) -> Spec {
    Spec::new(name, Kind::Memory { min, max, percent: false }, default)
}

/// A number of bytes or a share of `maxmemory`.
pub const fn share(name: &'static str, default: &'static str) -> Spec {
    Spec::new(name, Kind::Memory { min: 0, max: i64::MAX, percent: true }, default)
}

/// File permissions.
pub const fn octal(name: &'static str, default: &'static str) -> Spec {
    Spec::new(name, Kind::Octal, default)
}

/// One of several words.
pub const fn choice(
    name: &'static str,
    default: &'static str,
    words: &'static [(&'static str, i64)],
) -> Spec {
    Spec::new(name, Kind::Choice(words), default)
}

/// Some of several words.
pub const fn flags(
    name: &'static str,
    default: &'static str,
    words: &'static [(&'static str, i64)],
) -> Spec {
    Spec::new(name, Kind::Flags(words), default)
}

/// One word of any kind.
pub const fn text(name: &'static str, default: &'static str) -> Spec {
    Spec::new(name, Kind::Text, default)
}

/// Several words of the parameter's own form.
pub const fn words(name: &'static str, default: &'static str) -> Spec {
    Spec::new(name, Kind::Words, default)
}
