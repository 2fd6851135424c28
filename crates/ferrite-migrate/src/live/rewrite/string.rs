//! Writing strings with an expiry.

use super::output::Output;
use super::time::{Times, When, count};
use super::{Call, Rewrite, commands, is_any};

/// What the options of `SET` and its kin ask for.
#[derive(Default)]
struct Options<'a> {
    /// When the key expires, held.
    expiry: Option<i64>,
    keeps_ttl: bool,
    /// `NX` or `XX`.
    condition: Option<&'a [u8]>,
    /// Whether there was an option that matters to the source alone: `GET`, which asks for a
    /// reply, and the conditions only some servers know.
    drops: bool,
}

impl<'a> Options<'a> {
    /// In any order and case; `None` for what no server would have accepted.
    fn parse(mut words: &'a [&'a [u8]], times: &Times) -> Option<Self> {
        let mut options = Self::default();
        while let Some((&word, rest)) = words.split_first() {
            words = rest;
            if let Some(when) = When::option(word) {
                let (time, rest) = words.split_first()?;
                words = rest;
                let earlier = options.expiry.replace(times.key_expiry(when, time)?);
                earlier.is_none().then_some(())?;
            } else if is_any(word, &["NX", "XX"]) {
                options.condition.replace(word).is_none().then_some(())?;
            } else if is_any(word, &["KEEPTTL"]) {
                options.keeps_ttl = true;
            } else if is_any(word, &["GET"]) {
                options.drops = true;
            } else if is_any(word, &["IFEQ", "IFNE", "IFDEQ", "IFDNE"]) {
                words = words.get(1..)?;
                options.drops = true;
            } else {
                return None;
            }
        }
        let contradicts = options.keeps_ttl && options.expiry.is_some();
        (!contradicts).then_some(options)
    }
}

impl Call<'_> {
    /// `SET key value [option …]`
    pub(super) fn set(&self, out: &mut Output<'_>) -> Option<Rewrite> {
        let options = Options::parse(self.words.get(3..)?, self.times)?;
        let stays = options.expiry.is_none() && !options.drops;
        if stays && (!options.keeps_ttl || self.abilities.set_keepttl) {
            return Some(Rewrite::AsIs);
        }
        self.write_set(self.key()?, self.word(2)?, &options, out)?;
        commands(out)
    }

    /// `SETEX key seconds value`, `PSETEX key milliseconds value`
    pub(super) fn setex(&self, when: When, out: &mut Output<'_>) -> Option<Rewrite> {
        let [_, key, time, value] = self.words else { return None };
        let expiry = Some(self.times.key_expiry(when, time)?);
        self.write_set(key, value, &Options { expiry, ..Options::default() }, out)?;
        commands(out)
    }

    /// `GETEX key [EX seconds | PX … | EXAT … | PXAT … | PERSIST]`: only the expiry is of interest.
    pub(super) fn getex(&self, out: &mut Output<'_>) -> Option<Rewrite> {
        match self.words {
            [_, _] => Some(Rewrite::AsIs),
            [_, _, option] if is_any(option, &["PERSIST"]) => Some(Rewrite::AsIs),
            [_, key, option, time] => {
                let at = self.times.key_expiry(When::option(option)?, time)?;
                out.command(&[b"PEXPIREAT", key], at, &[]);
                commands(out)
            }
            _ => None,
        }
    }

    /// `MSETEX count key value [key value …] [option …]`: one `SET` per key, which any target
    /// has.
    pub(super) fn msetex(&self, out: &mut Output<'_>) -> Option<Rewrite> {
        let end = count(self.word(1)?)?.checked_mul(2)?.checked_add(2)?;
        let mut options = Options::parse(self.words.get(end..)?, self.times)?;
        // Of all keys at the start, not of each when its turn comes.
        options.condition = None;
        for pair in self.words.get(2..end)?.chunks_exact(2) {
            let [key, value] = pair else { return None };
            self.write_set(key, value, &options, out)?;
        }
        commands(out)
    }

    /// `SET key value [NX | XX] [KEEPTTL | PXAT …]`, in two commands where the target has no
    /// `PXAT`.
    fn write_set(
        &self,
        key: &[u8],
        value: &[u8],
        options: &Options<'_>,
        out: &mut Output<'_>,
    ) -> Option<()> {
        if options.keeps_ttl && !self.abilities.set_keepttl {
            return None;
        }
        let in_one = options.expiry.filter(|_| self.abilities.set_pxat);
        let more = usize::from(options.condition.is_some()) + usize::from(options.keeps_ttl);
        out.begin(3 + more + if in_one.is_some() { 2 } else { 0 });
        out.words(&[b"SET", key, value]);
        options.condition.iter().for_each(|condition| out.word(condition));
        if options.keeps_ttl {
            out.word(b"KEEPTTL");
        }
        match (options.expiry, in_one) {
            (_, Some(at)) => {
                out.word(b"PXAT");
                out.number(at);
            }
            (Some(at), None) => out.command(&[b"PEXPIREAT", key], at, &[]),
            (None, None) => {}
        }
        Some(())
    }
}
