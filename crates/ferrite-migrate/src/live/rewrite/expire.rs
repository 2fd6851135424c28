//! The commands that do nothing but set an expiry.

use super::output::Output;
use super::time::{IN_MILLISECONDS, IN_SECONDS, When};
use super::{Call, Rewrite, commands, is_any};

impl Call<'_> {
    /// `EXPIRE key seconds [NX | XX | GT | LT]` and its three siblings.
    pub(super) fn expire(&self, when: When, out: &mut Output<'_>) -> Option<Rewrite> {
        let conditions = self.words.get(3..)?;
        if !conditions.iter().all(|word| is_any(word, &["NX", "XX", "GT", "LT"])) {
            return None;
        }
        let at = self.times.key_expiry(when, self.word(2)?)?;
        out.command(&[b"PEXPIREAT", self.key()?], at, &[]);
        commands(out)
    }

    /// `EXPIREMEMBER key member delay [s | ms]` (KeyDB): the unit is seconds unless named.
    pub(super) fn expire_member_in(&self, out: &mut Output<'_>) -> Option<Rewrite> {
        match self.words.get(4..)? {
            [] => self.expire_member(IN_SECONDS, out),
            [unit] if is_any(unit, &["S"]) => self.expire_member(IN_SECONDS, out),
            [unit] if is_any(unit, &["MS"]) => self.expire_member(IN_MILLISECONDS, out),
            _ => None,
        }
    }

    /// `EXPIREMEMBERAT key member second` and `PEXPIREMEMBERAT` (KeyDB), for members of sets and
    /// fields of hashes alike. Other targets know it for hashes only, and refuse it for sets.
    pub(super) fn expire_member(&self, when: When, out: &mut Output<'_>) -> Option<Rewrite> {
        if self.abilities.members_as_fields {
            let at = self.times.field_expiry(when, self.word(3)?)?;
            let field = [&b"FIELDS"[..], b"1", self.word(2)?];
            out.command(&[b"HPEXPIREAT", self.key()?], at, &field);
            return commands(out);
        }
        if !self.abilities.member_expiry {
            return None;
        }
        let at = self.times.key_expiry(when, self.word(3)?)?;
        out.command(&[b"PEXPIREMEMBERAT", self.key()?, self.word(2)?], at, &[]);
        commands(out)
    }
}
