//! Expiry of the fields of hashes.

use super::output::Output;
use super::time::{Times, When, count};
use super::{Call, Rewrite, commands, is_any};

/// What `HSETEX` and `HGETEX` ask for.
#[derive(Default)]
struct Request<'a> {
    /// When the fields expire, held.
    expiry: Option<i64>,
    keeps_ttl: bool,
    /// The number of fields, as it was sent.
    count: &'a [u8],
    /// Names, with values in between or not.
    fields: &'a [&'a [u8]],
}

impl<'a> Request<'a> {
    /// Options in any order around `FIELDS count field … `, `step` words a field.
    fn parse(mut words: &'a [&'a [u8]], step: usize, times: &Times) -> Option<Self> {
        let mut request = Self::default();
        while let Some((&word, rest)) = words.split_first() {
            words = rest;
            if let Some(when) = When::option(word) {
                let (time, rest) = words.split_first()?;
                words = rest;
                let earlier = request.expiry.replace(times.field_expiry(when, time)?);
                earlier.is_none().then_some(())?;
            } else if is_any(word, &["FIELDS"]) {
                let (number, rest) = words.split_first()?;
                let length = count(number)?.checked_mul(step)?;
                (request.count, request.fields) = (number, rest.get(..length)?);
                words = rest.get(length..)?;
            } else if is_any(word, &["KEEPTTL"]) {
                request.keeps_ttl = true;
            } else if !is_any(word, &["FNX", "FXX", "NX", "XX", "PERSIST"]) {
                return None;
            }
        }
        let contradicts = request.keeps_ttl && request.expiry.is_some();
        (!contradicts && !request.fields.is_empty()).then_some(request)
    }
}

impl Call<'_> {
    /// `HEXPIRE key seconds [NX | XX | GT | LT] FIELDS count field …` and its three siblings.
    pub(super) fn hexpire(&self, when: When, out: &mut Output<'_>) -> Option<Rewrite> {
        let rest = self.words.get(3..).filter(|rest| !rest.is_empty())?;
        let at = self.times.field_expiry(when, self.word(2)?)?;
        self.abilities.field_expiry.then_some(())?;
        out.command(&[b"HPEXPIREAT", self.key()?], at, rest);
        commands(out)
    }

    /// `HSETEX key [condition …] [EX seconds | … | KEEPTTL] FIELDS count field value …`
    pub(super) fn hsetex(&self, out: &mut Output<'_>) -> Option<Rewrite> {
        let request = Request::parse(self.words.get(2..)?, 2, self.times)?;
        let key = self.key()?;
        match request.expiry {
            Some(at) if self.abilities.hsetex => {
                out.begin(6 + request.fields.len());
                out.words(&[b"HSETEX", key, b"PXAT"]);
                out.number(at);
                out.words(&[b"FIELDS", request.count]);
                out.words(request.fields);
            }
            Some(at) => {
                write_hset(key, &request, out);
                self.write_hpexpireat(at, &request, 2, out)?;
            }
            None if !request.keeps_ttl => write_hset(key, &request, out),
            None if self.abilities.hsetex => {
                out.begin(5 + request.fields.len());
                out.words(&[b"HSETEX", key, b"KEEPTTL", b"FIELDS", request.count]);
                out.words(request.fields);
            }
            None => return None,
        }
        commands(out)
    }

    /// `HGETEX key [EX seconds | … | PERSIST] FIELDS count field …`: only the expiry is of
    /// interest.
    pub(super) fn hgetex(&self, out: &mut Output<'_>) -> Option<Rewrite> {
        let request = Request::parse(self.words.get(2..)?, 1, self.times)?;
        let Some(at) = request.expiry else { return Some(Rewrite::AsIs) };
        self.write_hpexpireat(at, &request, 1, out)?;
        commands(out)
    }

    /// `HPEXPIREAT key at FIELDS count field …`, every `step`th word being a field's name.
    fn write_hpexpireat(
        &self,
        at: i64,
        request: &Request<'_>,
        step: usize,
        out: &mut Output<'_>,
    ) -> Option<()> {
        self.abilities.field_expiry.then_some(())?;
        out.begin(5 + request.fields.len() / step);
        out.words(&[b"HPEXPIREAT", self.key()?]);
        out.number(at);
        out.words(&[b"FIELDS", request.count]);
        request.fields.iter().step_by(step).for_each(|field| out.word(field));
        Some(())
    }
}

/// `HSET key field value …`, which takes the fields' expiries away.
fn write_hset(key: &[u8], request: &Request<'_>, out: &mut Output<'_>) {
    out.begin(2 + request.fields.len());
    out.words(&[b"HSET", key]);
    out.words(request.fields);
}
