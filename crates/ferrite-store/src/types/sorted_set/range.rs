//! Ranges of a sorted set, as commands give them: from score to score, or from name to name.

use std::ops::Range;

use super::SortedSet;
use crate::double;

/// An end of a range of scores.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ScoreBound {
    /// The score.
    pub score: f64,
    /// Whether members of exactly this score are left out.
    pub exclusive: bool,
}

/// A range of scores.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ScoreRange {
    /// The smallest score.
    pub min: ScoreBound,
    /// The largest score.
    pub max: ScoreBound,
}

impl ScoreBound {
    /// Reads `5`, `(5`, `-inf`. `None` when that is no number.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        let (exclusive, number) = match text.strip_prefix(b"(") {
            Some(number) => (true, number),
            None => (false, text),
        };
        // Nothing is read as zero, and white space in front is skipped, as by `strtod`.
        let score = match number.trim_ascii_start() {
            b"" if number.is_empty() => 0.0,
            number => double::parse_clamped(number)?,
        };
        Some(Self { score, exclusive })
    }
}

impl ScoreRange {
    /// Reads both ends.
    #[must_use]
    pub fn parse(min: &[u8], max: &[u8]) -> Option<Self> {
        Some(Self { min: ScoreBound::parse(min)?, max: ScoreBound::parse(max)? })
    }

    /// Whether a score is below the range.
    #[must_use]
    pub fn is_above(&self, score: f64) -> bool {
        score < self.min.score || (self.min.exclusive && score == self.min.score)
    }

    /// Whether a score is not beyond the range.
    #[must_use]
    pub fn reaches(&self, score: f64) -> bool {
        score < self.max.score || (!self.max.exclusive && score == self.max.score)
    }
}

/// An end of a range of names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LexBound {
    /// `-`: before all names.
    First,
    /// `+`: behind all names.
    Last,
    /// `[name`
    Included(Vec<u8>),
    /// `(name`
    Excluded(Vec<u8>),
}

/// A range of names among members of one score.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LexRange {
    /// The first name.
    pub min: LexBound,
    /// The last name.
    pub max: LexBound,
}

impl LexBound {
    /// Reads `-`, `+`, `[name`, `(name`.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        match text.split_first()? {
            (b'-', []) => Some(Self::First),
            (b'+', []) => Some(Self::Last),
            (b'[', name) => Some(Self::Included(name.to_vec())),
            (b'(', name) => Some(Self::Excluded(name.to_vec())),
            _ => None,
        }
    }
}

impl LexRange {
    /// Reads both ends.
    #[must_use]
    pub fn parse(min: &[u8], max: &[u8]) -> Option<Self> {
        Some(Self { min: LexBound::parse(min)?, max: LexBound::parse(max)? })
    }

    /// Whether a name comes before the range.
    #[must_use]
    pub fn is_above(&self, member: &[u8]) -> bool {
        match &self.min {
            LexBound::First => false,
            LexBound::Last => true,
            LexBound::Included(name) => member < &name[..],
            LexBound::Excluded(name) => member <= &name[..],
        }
    }

    /// Whether a name does not come behind the range.
    #[must_use]
    pub fn reaches(&self, member: &[u8]) -> bool {
        match &self.max {
            LexBound::First => false,
            LexBound::Last => true,
            LexBound::Included(name) => member <= &name[..],
            LexBound::Excluded(name) => member < &name[..],
        }
    }
}

impl SortedSet {
    /// The ranks of the members in a range of scores.
    #[must_use]
    pub fn ranks_by_score(&self, range: &ScoreRange) -> Range<usize> {
        let start = self.partition_by_score(&|score| range.is_above(score));
        let end = self.partition_by_score(&|score| range.reaches(score));
        start..end.max(start)
    }

    /// The ranks of the members in a range of names.
    #[must_use]
    pub fn ranks_by_lex(&self, range: &LexRange) -> Range<usize> {
        let start = self.partition(&|member, _| range.is_above(member));
        let end = self.partition(&|member, _| range.reaches(member));
        start..end.max(start)
    }

    /// The ranks from one index to another, both included, negative ones counted from the end.
    #[must_use]
    pub fn ranks_by_index(&self, start: i64, stop: i64) -> Range<usize> {
        let len = self.len() as i64;
        let from_end =
            |index: i64| if index < 0 { index.saturating_add(len).max(-1) } else { index };
        let (start, stop) = (from_end(start).max(0), from_end(stop).min(len - 1));
        if start > stop { 0..0 } else { start as usize..stop as usize + 1 }
    }
}

/// The same ranks, counted from the other end.
#[must_use]
pub fn mirrored(ranks: &Range<usize>, len: usize) -> Range<usize> {
    len.saturating_sub(ranks.end)..len.saturating_sub(ranks.start)
}
