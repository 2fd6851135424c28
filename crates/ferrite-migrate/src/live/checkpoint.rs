//! How far the target is, written into the target itself, in the same transaction as the commands
//! that brought it there. Whatever dies, data and position stay together: no command is applied
//! twice, none is missed.
//!
//! ```text
//! key     ferrite-migrate:checkpoint:mig_abc…
//! value   <offset> <fence> <db> <replid> [scan|diff:<run id>[:<db>:<cursor>]] [all]
//!         [<db>:<key in hexadecimal> …]
//! ```
//!
//! The keys behind it are on their way by themselves: should we die, they have to be read again.

use std::fmt::Write;

use ferrite_resp::encode as resp;

use super::marks::Key;
use crate::scan::Place;

/// What the names of all checkpoints begin with.
pub const PREFIX: &[u8] = b"ferrite-migrate:checkpoint:";

/// Begins what tells of a copy that is not complete.
const SCAN: &str = "scan:";
/// The same of a copy of what differs.
const DIFF: &str = "diff:";
/// Says that all keys of the target have to be read again.
const SWEEP: &str = " all";

/// A position in the source's history that the target has reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Names the source's history.
    pub replid: String,
    /// Everything up to here is on the target.
    pub offset: u64,
    /// Single keys may be as new as this.
    pub fence: u64,
    /// The database the stream has selected at [`offset`](Self::offset).
    pub db: u32,
    /// How far the copy is, while it is not complete.
    pub copying: Option<Copying>,
    /// Whether all keys of the target have to be read again first.
    pub sweep: bool,
    /// Keys that have to be read again although [`offset`](Self::offset) is past them.
    pub pending: Vec<Key>,
}

/// A copy by `SCAN` that is not complete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copying {
    /// The run of the source whose cursors these are; empty where it does not tell.
    pub run_id: String,
    /// What comes next; `None` at the beginning.
    pub place: Option<Place>,
    /// Whether the target has most of it: only keys that differ there are copied.
    pub differing: bool,
}

/// The key that holds the checkpoint of a job.
#[must_use]
pub fn key(job: &str) -> Vec<u8> {
    [PREFIX, job.as_bytes()].concat()
}

impl Checkpoint {
    /// Writes the command that stores it.
    pub fn store(&self, key: &[u8], out: &mut Vec<u8>) {
        let Self { replid, offset, fence, db, copying, sweep, pending } = self;
        let mut value = format!("{offset} {fence} {db} {replid}");
        if let Some(Copying { run_id, place, differing }) = copying {
            let kind = if *differing { DIFF } else { SCAN };
            let _ = write!(value, " {kind}{run_id}");
            if let Some(Place { db, cursor }) = place {
                let _ = write!(value, ":{db}:{cursor}");
            }
        }
        if *sweep {
            value.push_str(SWEEP);
        }
        for (db, key) in pending {
            let _ = write!(value, " {db}:");
            key.iter().for_each(|byte| {
                let _ = write!(value, "{byte:02x}");
            });
        }
        resp::command(out, &[b"SET", key, value.as_bytes()]);
    }

    /// Reads a stored one.
    #[must_use]
    pub fn parse(value: &[u8]) -> Option<Self> {
        let mut words = std::str::from_utf8(value).ok()?.split(' ').peekable();
        let mut number = || words.next()?.parse::<u64>().ok();
        let (offset, fence, db) = (number()?, number()?, number()?);
        let replid = words.next()?.to_owned();
        let copying = match words.next_if(|word| word.starts_with(SCAN) || word.starts_with(DIFF)) {
            Some(word) => Some(copying(word)?),
            None => None,
        };
        let sweep = words.next_if(|word| *word == SWEEP.trim_start()).is_some();
        let pending = words.map(pending).collect::<Option<_>>()?;
        let db = u32::try_from(db).ok()?;
        Some(Self { replid, offset, fence, db, copying, sweep, pending })
    }
}

fn copying(word: &str) -> Option<Copying> {
    let (differing, word) = match word.strip_prefix(DIFF) {
        Some(word) => (true, word),
        None => (false, word.strip_prefix(SCAN)?),
    };
    let mut parts = word.split(':');
    let run_id = parts.next()?.to_owned();
    let place = match (parts.next(), parts.next(), parts.next()) {
        (None, ..) => None,
        (Some(db), Some(cursor), None) => {
            Some(Place { db: db.parse().ok()?, cursor: cursor.parse().ok()? })
        }
        _ => return None,
    };
    Some(Copying { run_id, place, differing })
}

fn pending(word: &str) -> Option<Key> {
    let (db, digits) = word.split_once(':')?;
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    let key = digits.as_bytes().chunks(2).map(byte).collect::<Option<_>>()?;
    Some((db.parse().ok()?, key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_is_read() {
        let run_id = "a".repeat(40);
        let begun = Copying { run_id: run_id.clone(), place: None, differing: true };
        let place = Some(Place { db: 2, cursor: u64::MAX });
        let midway = Copying { run_id, place, differing: false };
        for (sweep, copying) in [(false, None), (true, Some(begun)), (false, Some(midway))] {
            let pending = vec![(0, b"a b\xff".to_vec()), (7, Vec::new())];
            let replid = "f".repeat(40);
            let checkpoint =
                Checkpoint { replid, offset: 7, fence: 9, db: 3, copying, sweep, pending };
            let mut out = Vec::new();
            checkpoint.store(b"k", &mut out);
            let mut words = Vec::new();
            super::super::stream::command(&out, &mut words).unwrap();
            assert_eq!(Checkpoint::parse(words[2]), Some(checkpoint));
        }
        for nonsense in [
            "",
            "1",
            "1 2 3",
            "1 2 -3 x",
            "a 2 3 x",
            "1 2 3 x 4",
            "1 2 3 x 0:zz",
            "1 2 3 x scan:y:1",
        ] {
            assert_eq!(Checkpoint::parse(nonsense.as_bytes()), None, "{nonsense}");
        }
    }
}
