//! Values written whole.

use ferrite_rdb::transcode::Restorable;
use ferrite_rdb::{Dialect, Format};

use super::output::Output;
use super::time::{AT_MILLISECOND, IN_MILLISECONDS, integer};
use super::{Call, Rewrite, commands, is_any};

/// What the options of `RESTORE` ask for.
#[derive(Default)]
struct Options<'a> {
    replaces: bool,
    is_absolute: bool,
    /// `IDLETIME` and `FREQ` with their numbers, if at all one of them.
    usage: &'a [&'a [u8]],
}

impl<'a> Options<'a> {
    fn parse(mut words: &'a [&'a [u8]]) -> Option<Self> {
        let mut options = Self::default();
        while let Some((&word, rest)) = words.split_first() {
            if is_any(word, &["REPLACE"]) {
                options.replaces = true;
            } else if is_any(word, &["ABSTTL"]) {
                options.is_absolute = true;
            } else if is_any(word, &["IDLETIME", "FREQ"]) {
                options.usage = words.get(..2)?;
                words = words.get(2..)?;
                continue;
            } else {
                return None;
            }
            words = rest;
        }
        Some(options)
    }
}

impl Call<'_> {
    /// `RESTORE key ttl payload [REPLACE] [ABSTTL] [IDLETIME seconds | FREQ count]`, and
    /// `RESTORE-ASKING`, by which clusters move slots. A `ttl` of 0 means no expiry. A payload in
    /// another format than the target's is written anew where nothing is lost by that.
    pub(super) fn restore(&self, out: &mut Output<'_>) -> Option<Rewrite> {
        let [name, _, ttl, payload, options @ ..] = self.words else { return None };
        let options = Options::parse(options)?;
        let expiry = match integer(ttl)? {
            0 => None,
            1.. if options.is_absolute => Some(self.times.key_expiry(AT_MILLISECOND, ttl)?),
            1.. => Some(self.times.key_expiry(IN_MILLISECONDS, ttl)?),
            _ => return None,
        };
        let mut room = Vec::new();
        let payload = match self.payload(payload, &mut room)? {
            Some(same) => same,
            None => &room,
        };
        let is_same = room.is_empty() && expiry.is_none() && is_any(name, &["RESTORE"]);
        if is_same && self.abilities.restore_absttl {
            return Some(Rewrite::AsIs);
        }
        self.write_restore(payload, expiry, &options, out)?;
        commands(out)
    }

    /// The payload itself where the target reads it, or nothing and one that it reads in `room`.
    fn payload<'p>(&self, payload: &'p [u8], room: &mut Vec<u8>) -> Option<Option<&'p [u8]>> {
        if holds_expiries(self.abilities.source, *payload.first()?) {
            return None;
        }
        match self.abilities.payloads.payload(payload, room).ok()? {
            Restorable::AsIs(same) => Some(Some(same)),
            Restorable::Written(losses) if losses.is_empty() => Some(None),
            Restorable::Written(_) | Restorable::Impossible(_) => None,
        }
    }

    fn write_restore(
        &self,
        payload: &[u8],
        expiry: Option<i64>,
        options: &Options<'_>,
        out: &mut Output<'_>,
    ) -> Option<()> {
        let key = self.key()?;
        let in_one = expiry.filter(|_| self.abilities.restore_absttl);
        let usage = if self.abilities.restore_absttl { options.usage } else { &[] };
        let more = usize::from(options.replaces) + usize::from(in_one.is_some());
        out.begin(4 + more + usage.len());
        out.words(&[b"RESTORE", key]);
        out.number(in_one.unwrap_or(0));
        out.word(payload);
        if options.replaces {
            out.word(b"REPLACE");
        }
        if in_one.is_some() {
            out.word(b"ABSTTL");
        }
        out.words(usage);
        if let (Some(at), None) = (expiry, in_one) {
            out.command(&[b"PEXPIREAT", key], at, &[]);
        }
        Some(())
    }
}

/// Whether a value of this type has expiries inside, which would have to be held too: hashes
/// whose fields expire.
fn holds_expiries(format: Format, type_byte: u8) -> bool {
    match format.dialect {
        Dialect::Redis => matches!(type_byte, 22..=25),
        Dialect::Valkey => matches!(type_byte, 22 | 23),
        Dialect::KeyDb | Dialect::Dragonfly => false,
    }
}
