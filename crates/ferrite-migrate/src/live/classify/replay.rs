//! Commands that a KeyDB wraps for its active replicas.
//!
//! ```text
//! RREPLAY <uuid> "*3\r\n$3\r\nSET\r\n…" [<database> [<mvcc>]]
//! ```
//!
//! An active KeyDB sends every command so, each by itself, `MULTI` and `EXEC` too. One that it
//! received from another master it passes on as it came, wrapped once more: the innermost is the
//! command, and the outermost tells the database it was executed in. `mvcc` orders the writes of
//! several masters; what comes from one of them is in order.

use crate::live::stream;

/// So many times a command is wrapped at most: once for each master it passed.
const NESTED_MAX: usize = 16;

/// A command without its wrappings.
#[derive(Debug, PartialEq, Eq)]
pub struct Replay<'a> {
    /// Its bytes.
    pub raw: &'a [u8],
    /// Its words.
    pub words: Vec<&'a [u8]>,
    /// The database it was executed in, where it is told.
    pub db: Option<u32>,
    /// The master it was sent to, if that is not the one whose stream this is.
    pub forwarded_from: Option<&'a [u8]>,
}

/// Whether a command is such a wrapping.
#[must_use]
pub fn is_replay(words: &[&[u8]]) -> bool {
    words.first().is_some_and(|name| name.eq_ignore_ascii_case(b"RREPLAY"))
}

/// The command in a wrapping; `None` for one that holds none, or not exactly one.
#[must_use]
pub fn unwrap<'a>(words: &[&'a [u8]]) -> Option<Replay<'a>> {
    let db = match words.get(3) {
        Some(db) => Some(std::str::from_utf8(db).ok()?.parse().ok()?),
        None => None,
    };
    let mut outer = words.to_vec();
    for nested in 0..NESTED_MAX {
        let (sender, raw) = (*outer.get(1)?, *outer.get(2)?);
        let mut words = Vec::new();
        let whole = stream::command(raw, &mut words).ok()?? == raw.len();
        if !whole || words.is_empty() {
            return None;
        }
        if !is_replay(&words) {
            return Some(Replay { raw, words, db, forwarded_from: (nested > 0).then_some(sender) });
        }
        outer = words;
    }
    None
}

#[cfg(test)]
mod tests {
    use ferrite_resp::encode as resp;

    use super::*;

    const HERE: &[u8] = b"11111111-1111-1111-1111-111111111111";
    const THERE: &[u8] = b"22222222-2222-2222-2222-222222222222";

    fn encoded(words: &[&[u8]]) -> Vec<u8> {
        let mut out = Vec::new();
        resp::command(&mut out, words);
        out
    }

    #[test]
    fn the_innermost_command_counts_and_the_outermost_database() {
        let set = encoded(&[b"SET", b"k", b"v"]);
        let replay = unwrap(&[b"RREPLAY", HERE, &set, b"3", b"77"]).unwrap();
        assert_eq!(replay.words, [&b"SET"[..], b"k", b"v"]);
        assert_eq!((replay.raw, replay.db, replay.forwarded_from), (&set[..], Some(3), None));
        let inner = encoded(&[b"rreplay", THERE, &set, b"0", b"5"]);
        let replay = unwrap(&[b"RREPLAY", HERE, &inner, b"3", b"78"]).unwrap();
        assert_eq!((replay.raw, replay.db), (&set[..], Some(3)));
        assert_eq!(replay.forwarded_from, Some(THERE));
        assert_eq!(unwrap(&[b"RREPLAY", HERE, &set]).unwrap().db, None);
    }

    #[test]
    fn what_is_not_one_command_is_none() {
        let set = encoded(&[b"SET", b"k", b"v"]);
        let bad: [&[&[u8]]; 7] = [
            &[b"RREPLAY"],
            &[b"RREPLAY", HERE],
            &[b"RREPLAY", HERE, b""],
            &[b"RREPLAY", HERE, b"SET k v"],
            &[b"RREPLAY", HERE, set.get(..set.len() - 1).unwrap(), b"0"],
            &[b"RREPLAY", HERE, &[&set[..], &set[..]].concat(), b"0"],
            &[b"RREPLAY", HERE, &set, b"first"],
        ];
        for words in bad {
            assert_eq!(unwrap(words), None, "{words:?}");
        }
        let mut deep = set;
        for _ in 0..=NESTED_MAX {
            deep = encoded(&[b"RREPLAY", HERE, &deep, b"0", b"1"]);
        }
        assert_eq!(unwrap(&[b"RREPLAY", HERE, &deep, b"0"]), None);
    }
}
