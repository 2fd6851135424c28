//! `save`: after how many seconds and changes a snapshot is written.

use super::super::scalar::integer;
use super::super::setting::{Origin, Structure};

/// A snapshot is due `seconds` after the last one, when there were `changes` since.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SavePoint {
    /// Seconds since the last snapshot.
    pub seconds: u64,
    /// Changes since then.
    pub changes: u64,
}

/// All points; none means that no snapshot is written by itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SavePoints(pub Vec<SavePoint>);

/// What Redis says to save points that are none.
const WRONG: &str = "Invalid save parameters";

impl Structure for SavePoints {
    fn parse(words: &[Vec<u8>], now: &Self, origin: Origin) -> Result<Self, String> {
        let words = match words {
            [only] if only.is_empty() => return Ok(Self::default()),
            words => words,
        };
        let (pairs, rest) = words.as_chunks::<2>();
        if !rest.is_empty() {
            return Err(WRONG.to_owned());
        }
        let add = origin == Origin::Start { again: true };
        let mut points = if add { now.0.clone() } else { Vec::new() };
        for [seconds, changes] in pairs {
            let seconds = integer(seconds).filter(|seconds| *seconds >= 1).ok_or(WRONG)?;
            let changes = integer(changes).filter(|changes| *changes >= 0).ok_or(WRONG)?;
            points.push(SavePoint {
                seconds: seconds.unsigned_abs(),
                changes: changes.unsigned_abs(),
            });
        }
        Ok(Self(points))
    }

    fn text(&self) -> Vec<u8> {
        let points = self.0.iter().map(|point| format!("{} {}", point.seconds, point.changes));
        points.collect::<Vec<_>>().join(" ").into_bytes()
    }

    fn lines(&self) -> Vec<Vec<u8>> {
        if self.0.is_empty() {
            return vec![b"\"\"".to_vec()];
        }
        let line = |point: &SavePoint| format!("{} {}", point.seconds, point.changes).into_bytes();
        self.0.iter().map(line).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::words::split;

    fn parse(text: &str, now: &SavePoints, origin: Origin) -> Result<SavePoints, String> {
        SavePoints::parse(&split(text.as_bytes()).unwrap(), now, origin)
    }

    #[test]
    fn lines_of_one_file_add_up_and_an_empty_one_clears() {
        let start = |again| Origin::Start { again };
        let one = parse("3600 1", &SavePoints::default(), start(false)).unwrap();
        let two = parse("300 100 60 10000", &one, start(true)).unwrap();
        assert_eq!(two.text(), b"3600 1 300 100 60 10000");
        assert_eq!(two.lines().len(), 3);
        assert_eq!(parse("\"\"", &two, start(true)).unwrap().text(), b"");
        assert_eq!(parse("5 6", &two, Origin::Live).unwrap().text(), b"5 6");
        assert_eq!(parse("", &two, Origin::Live).unwrap().lines(), [b"\"\""]);
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["3600", "0 1", "10 -1", "a b", "10 1 x"] {
            let error = parse(text, &SavePoints::default(), Origin::Live).unwrap_err();
            assert_eq!(error, WRONG, "{text}");
        }
    }
}
