//! Keys that the source sends together: what is asked of it for them, and what it answers.

use std::time::Duration;

use ferrite_client::{Pipeline, ReplyError, Value};
use ferrite_rdb::ValueKind;

use crate::config::OnConflict;

/// Bytes that the source sends together, by its own measure, unless one key has more.
const BYTES_MAX: u64 = 256 << 10;
/// Keys that the source sends together.
pub const KEYS_MAX: usize = 100;
/// What a key counts for where the source does not tell its size.
const BYTES_UNKNOWN: u64 = 16 << 10;
/// How long either server may be silent while the source sends.
const SILENT_MAX: Duration = Duration::from_secs(10);
/// What a large value may take in addition, for each KiB.
const SILENT_PER_KIB: Duration = Duration::from_millis(1);

/// A key that is to be sent.
pub struct Sized<'k> {
    /// Its name.
    pub key: &'k [u8],
    /// Its type; `None` where the source does not tell it.
    pub kind: Option<ValueKind>,
    /// What it takes in the source's memory.
    pub bytes: u64,
}

/// The type and size of each key, asked for in one pipeline of two commands each.
pub fn sizes<'k>(keys: &[&'k [u8]], replies: &[Result<Value, ReplyError>]) -> Vec<Sized<'k>> {
    let mut sized = Vec::with_capacity(keys.len());
    for (key, told) in keys.iter().zip(replies.chunks(2)) {
        let kind = told.first().and_then(|reply| reply.as_ref().ok()?.as_str());
        if kind == Some("none") {
            continue;
        }
        let bytes = told.get(1).and_then(|reply| reply.as_ref().ok()?.as_int());
        let bytes = bytes.and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or(BYTES_UNKNOWN);
        sized.push(Sized { key, kind: kind.map(kind_of), bytes });
    }
    sized
}

fn kind_of(name: &str) -> ValueKind {
    let kinds = [
        ValueKind::String,
        ValueKind::List,
        ValueKind::Set,
        ValueKind::Zset,
        ValueKind::Hash,
        ValueKind::Stream,
    ];
    kinds.into_iter().find(|kind| kind.name() == name).unwrap_or(ValueKind::Module)
}

/// The keys in groups that the source is not busy with for long.
pub fn groups<'s, 'k>(keys: &'s [Sized<'k>]) -> Vec<&'s [Sized<'k>]> {
    let mut groups = Vec::new();
    let (mut from, mut bytes) = (0, 0);
    for (at, sized) in keys.iter().enumerate() {
        if at > from && bytes + sized.bytes > BYTES_MAX {
            groups.extend(keys.get(from..at));
            (from, bytes) = (at, 0);
        }
        bytes += sized.bytes;
    }
    groups.extend(keys.get(from..).filter(|rest| !rest.is_empty()));
    groups
}

/// How the target is to be reached and entered by the source.
pub struct Way {
    /// Its host, as the source knows it.
    pub host: String,
    /// Its port.
    pub port: String,
    /// `AUTH` or `AUTH2` with what belongs to it; empty without a password.
    pub auth: Vec<Vec<u8>>,
}

/// How long a batch of so many bytes may leave either server silent.
pub fn patience(bytes: u64) -> Duration {
    let kib = u32::try_from(bytes >> 10).unwrap_or(u32::MAX);
    SILENT_MAX + SILENT_PER_KIB * kib
}

/// Has the source read the expiries of keys and send them, in one transaction.
pub fn request(
    pipeline: &mut Pipeline,
    way: &Way,
    keys: &[Sized<'_>],
    (target_db, has_expiretime, policy): (u32, bool, OnConflict),
) {
    pipeline.push(&["MULTI"]);
    let expiry: &[u8] = if has_expiretime {
        b"PEXPIRETIME"
    } else {
        pipeline.push(&["TIME"]);
        b"PTTL"
    };
    for sized in keys {
        pipeline.push(&[expiry, sized.key]);
    }
    let bytes = keys.iter().map(|sized| sized.bytes).sum();
    let (db, patience) = (target_db.to_string(), patience(bytes).as_millis().to_string());
    let mut command: Vec<&[u8]> = vec![
        b"MIGRATE",
        way.host.as_bytes(),
        way.port.as_bytes(),
        b"",
        db.as_bytes(),
        patience.as_bytes(),
        b"COPY",
    ];
    if policy == OnConflict::Replace {
        command.push(b"REPLACE");
    }
    command.extend(way.auth.iter().map(Vec::as_slice));
    command.push(b"KEYS");
    command.extend(keys.iter().map(|sized| sized.key));
    pipeline.push(&command);
    pipeline.push(&["EXEC"]);
}

/// The expiry of a key when it was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// It was not there any more.
    Gone,
    /// It has none.
    Never,
    /// Unix time in ms.
    At(u64),
}

/// What the transaction came to.
#[derive(Debug)]
pub enum Sent {
    /// Those that are not gone are on the target, with what they expire at.
    Done(Vec<Expiry>),
    /// At least one is on the target already.
    Conflict,
    /// The target was lost, or did not answer.
    Lost(ReplyError),
    /// One of the two servers refuses.
    Refused(ReplyError),
}

/// Reads the reply to `EXEC`; `None` if it is not one.
pub fn sent(reply: &Value, keys: usize, has_expiretime: bool) -> Option<Sent> {
    let replies = reply.as_array()?;
    let (now_ms, times) = match has_expiretime {
        true => (0, replies),
        false => (milliseconds(replies.first()?), replies.get(1..)?),
    };
    let migrated = times.get(keys)?;
    if let Some(text) = migrated.as_error() {
        return Some(refusal(text));
    }
    let expiries = times.iter().take(keys).map(|time| match time.as_int() {
        Some(-1) => Expiry::Never,
        Some(time) => u64::try_from(time).map_or(Expiry::Gone, |time| Expiry::At(time + now_ms)),
        None => Expiry::Gone,
    });
    Some(Sent::Done(expiries.collect()))
}

/// What the target said comes behind what the source says of it.
fn refusal(text: &[u8]) -> Sent {
    const RELAYED: &str = "Target instance replied with error: ";
    let error = ReplyError::parse(text);
    if error.code == "IOERR" {
        return Sent::Lost(error);
    }
    let relayed =
        error.message.split_once(RELAYED).map(|(_, theirs)| theirs.trim_start_matches('-'));
    let Some(theirs) = relayed else { return Sent::Refused(error) };
    match ReplyError::parse(theirs.as_bytes()) {
        theirs if theirs.code == "BUSYKEY" => Sent::Conflict,
        theirs => Sent::Refused(theirs),
    }
}

/// The reply to `TIME`, as Unix time in ms.
fn milliseconds(time: &Value) -> u64 {
    let parts = time.as_array().unwrap_or_default();
    let part = |index: usize| parts.get(index)?.as_str()?.parse::<u64>().ok();
    part(0).unwrap_or(0) * 1000 + part(1).unwrap_or(0) / 1000
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> Value {
        Value::Error(text.as_bytes().to_vec())
    }

    #[test]
    fn groups_are_small_and_a_large_key_is_alone() {
        let keys: Vec<Sized<'_>> = [1, 2, BYTES_MAX * 4, 3, BYTES_MAX - 3, 1]
            .into_iter()
            .map(|bytes| Sized { key: b"k", kind: None, bytes })
            .collect();
        let sizes: Vec<usize> = groups(&keys).into_iter().map(<[_]>::len).collect();
        assert_eq!(sizes, [2, 1, 2, 1]);
        assert!(groups(&[]).is_empty());
    }

    #[test]
    fn answers_are_told_apart() {
        let time = Value::Array(vec![Value::Bulk(b"7".to_vec()), Value::Bulk(b"5000".to_vec())]);
        let ok = || Value::Simple(b"OK".to_vec());
        let times = || vec![Value::Integer(-1), Value::Integer(-2), Value::Integer(9)];
        let reply = Value::Array([vec![time], times(), vec![ok()]].concat());
        let Some(Sent::Done(expiries)) = sent(&reply, 3, false) else { panic!("{reply:?}") };
        assert_eq!(expiries, [Expiry::Never, Expiry::Gone, Expiry::At(7014)]);
        let with = |last: Value| Value::Array([times(), vec![last]].concat());
        let busy =
            "ERR Target instance replied with error: BUSYKEY Target key name already exists.";
        assert!(matches!(sent(&with(error(busy)), 3, true), Some(Sent::Conflict)));
        let lost = "IOERR error or timeout reading from target instance";
        assert!(matches!(sent(&with(error(lost)), 3, true), Some(Sent::Lost(_))));
        let full = "ERR Target instance replied with error: OOM command not allowed";
        let Some(Sent::Refused(told)) = sent(&with(error(full)), 3, true) else { panic!() };
        assert_eq!(told.code, "OOM");
        assert!(sent(&Value::Null, 3, true).is_none() && sent(&with(ok()), 4, true).is_none());
    }
}
