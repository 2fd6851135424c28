//! Commands to which a field of a hash matters whose time has come at the source.
//!
//! A server stores such a field until it gets round to deleting it, and then sends `HDEL`. Until
//! then its own commands do not see the field. On the target, which holds expiries, they would:
//!
//! ```text
//! source, Valkey 9.1                     would do on the target
//! HPEXPIREAT h t FIELDS 2 gone kept      gives "gone" a new life
//! HPERSIST h FIELDS 2 gone kept          gives it an endless one
//! COPY h other                           copies it, and no HDEL comes for the copy
//! SORT l GET h*->gone STORE d            sorts by it
//! HDEL h gone kept                       deletes the hash, if that was all; the source keeps it
//! MULTI HDEL h gone, HSETEX h … EXEC     the same for a moment: its expiry is lost
//! ```
//!
//! Redis from 7.4 on does so with `HPERSIST` and `HDEL`; a sort deletes the field first there, a
//! copy has it deleted on its own, and `HPEXPIREAT` does give it a new life.

use ferrite_rdb::Dialect;
use ferrite_resp::encode as resp;

use crate::preflight::Server;

/// What a command does on a target that still has the fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// What it did at the source.
    Same,
    /// The same, unless the hash is gone after it.
    SameIfThere,
    /// Perhaps something else.
    Uncertain,
}

/// What a source does to such fields.
#[derive(Clone, Copy, Debug)]
pub struct ExpiredFields {
    /// Whether its hashes have fields that expire.
    exist: bool,
    /// Whether it is a Valkey.
    is_valkey: bool,
}

impl ExpiredFields {
    /// Those of a source.
    #[must_use]
    pub fn of(source: &Server) -> Self {
        let values = source.values();
        let is_valkey = values.format.dialect == Dialect::Valkey;
        Self { exist: values.has_field_expiry(), is_valkey }
    }

    /// What a command of the source does on the target; commands in a transaction may delete a
    /// field that the next one writes.
    #[must_use]
    pub fn effect(self, words: &[&[u8]], in_transaction: bool) -> Effect {
        let Some(name) = words.first().filter(|_| self.exist) else { return Effect::Same };
        let is = |other: &str| name.eq_ignore_ascii_case(other.as_bytes());
        let is_any = |names: &[&str]| names.iter().any(|other| is(other));
        match name.first().map(u8::to_ascii_uppercase) {
            Some(b'H') => {}
            Some(b'C') if self.is_valkey && is("COPY") => return Effect::Uncertain,
            Some(b'S') if self.is_valkey && is("SORT") => return sorted(words),
            _ => return Effect::Same,
        }
        let names_several = || fields(words) > 1;
        match () {
            () if is("HPERSIST") && names_several() => Effect::Uncertain,
            () if is_any(&["HPEXPIREAT", "HEXPIREAT", "HPEXPIRE", "HEXPIRE"]) => {
                match self.is_valkey && names_several() {
                    true => Effect::Uncertain,
                    false => Effect::Same,
                }
            }
            () if is("HDEL") && (in_transaction || words.len() > 3) => Effect::SameIfThere,
            () if is("HGETDEL") && (in_transaction || names_several()) => Effect::SameIfThere,
            () => Effect::Same,
        }
    }
}

/// Appends a command that changes nothing, and fails if a key is not there.
pub fn require(key: &[u8], out: &mut Vec<u8>) {
    resp::command(out, &[b"RENAME", key, key]);
}

/// The name of that command.
pub const REQUIRING: &[u8] = b"RENAME";

/// How many fields a command names behind `FIELDS count`.
fn fields(words: &[&[u8]]) -> usize {
    let place = words.iter().position(|word| word.eq_ignore_ascii_case(b"FIELDS"));
    place.map_or(0, |place| words.len().saturating_sub(place + 2))
}

/// What a sort does; one that looks at no fields does the same everywhere.
fn sorted(words: &[&[u8]]) -> Effect {
    let looks_at_fields = words.iter().skip(2).any(|word| word.windows(2).any(|two| two == b"->"));
    if looks_at_fields { Effect::Uncertain } else { Effect::Same }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALKEY: ExpiredFields = ExpiredFields { exist: true, is_valkey: true };
    const REDIS: ExpiredFields = ExpiredFields { exist: true, is_valkey: false };
    const OLD: ExpiredFields = ExpiredFields { exist: false, is_valkey: true };

    fn effect(source: ExpiredFields, line: &str, in_transaction: bool) -> Effect {
        let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
        source.effect(&words, in_transaction)
    }

    #[test]
    fn commands_on_several_fields_may_mean_one_that_is_expired() {
        use Effect::{Same, SameIfThere, Uncertain};
        let cases = [
            ("HPEXPIREAT h 10 FIELDS 2 f g", Uncertain, Same),
            ("hpexpireat h 10 gt fields 2 f g", Uncertain, Same),
            ("HPEXPIREAT h 10 GT FIELDS 1 f", Same, Same),
            ("HPERSIST h FIELDS 2 f g", Uncertain, Uncertain),
            ("HPERSIST h FIELDS 1 f", Same, Same),
            ("COPY h g", Uncertain, Same),
            ("SORT l BY w*->f STORE d", Uncertain, Same),
            ("SORT l BY w* STORE d", Same, Same),
            ("HDEL h f g", SameIfThere, SameIfThere),
            ("HDEL h f", Same, Same),
            ("HGETDEL h FIELDS 2 f g", SameIfThere, SameIfThere),
            ("HGETDEL h FIELDS 1 f", Same, Same),
            ("HSET h f 1 g 2", Same, Same),
            ("SET k v", Same, Same),
        ];
        for (line, on_valkey, on_redis) in cases {
            assert_eq!(effect(VALKEY, line, false), on_valkey, "{line}");
            assert_eq!(effect(REDIS, line, false), on_redis, "{line}");
            assert_eq!(effect(OLD, line, true), Same, "{line}");
        }
    }

    #[test]
    fn a_transaction_may_delete_the_last_field_before_it_writes_another() {
        for line in ["HDEL h f", "HGETDEL h FIELDS 1 f"] {
            assert_eq!(effect(VALKEY, line, true), Effect::SameIfThere, "{line}");
            assert_eq!(effect(REDIS, line, true), Effect::SameIfThere, "{line}");
        }
    }
}
