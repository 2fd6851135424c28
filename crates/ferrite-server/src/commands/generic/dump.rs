//! DUMP and RESTORE: values as payloads.

use ferrite_rdb::{Body, Format, ValueKind, dump};
use ferrite_store::table::Content;
use ferrite_store::types::Collection;

use super::is;
use crate::ctx::{Ctx, Outcome, deletion};
use crate::error::CommandError;
use crate::notify::Class;
use crate::number;
use crate::persist::load::string_content;
use crate::persist::snapshot::{FORMAT, encode_value};

/// The highest version of Redis's payloads that is taken.
const NEWEST_REDIS: u16 = 12;

/// The versions of Valkey's own payloads that are taken.
const VALKEY: std::ops::RangeInclusive<u16> = 80..=81;

pub(super) fn dump(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let mut payload = Vec::new();
    let there = ctx.value(words[1]).map(|value| {
        let mut body = Vec::new();
        let type_byte = encode_value(&mut body, value);
        dump::write(&mut payload, type_byte, &body, FORMAT.version as u16);
    });
    ctx.reply.bulk_or_null(there.map(|()| payload.as_slice()));
    Ok(())
}

#[derive(Default)]
struct Options {
    replace: bool,
    absolute: bool,
    idle_seconds: Option<i64>,
    frequency: Option<u8>,
}

fn options(words: &[&[u8]]) -> Result<Options, CommandError> {
    let mut all = Options::default();
    let mut rest = words;
    loop {
        rest = match rest {
            [] => return Ok(all),
            [word, rest @ ..] if is(word, "replace") => {
                all.replace = true;
                rest
            }
            [word, rest @ ..] if is(word, "absttl") => {
                all.absolute = true;
                rest
            }
            [word, value, rest @ ..] if is(word, "idletime") && all.frequency.is_none() => {
                let seconds = Some(number::int(value)?).filter(|seconds| *seconds >= 0);
                let wrong = CommandError::text("ERR Invalid IDLETIME value, must be >= 0");
                all.idle_seconds = Some(seconds.ok_or(wrong)?);
                rest
            }
            [word, value, rest @ ..] if is(word, "freq") && all.idle_seconds.is_none() => {
                let frequency = u8::try_from(number::int(value)?).ok();
                let wrong = CommandError::text("ERR Invalid FREQ value, must be >= 0 and <= 255");
                all.frequency = Some(frequency.ok_or(wrong)?);
                rest
            }
            _ => return Err(CommandError::SYNTAX),
        };
    }
}

/// `RESTORE key ttl payload [REPLACE] [ABSTTL] [IDLETIME seconds] [FREQ frequency]`.
pub(super) fn restore(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let (key, payload) = (words[1], words[3]);
    let options = options(&words[4..])?;
    if !options.replace && ctx.find(key).is_some() {
        return Err(CommandError::text("BUSYKEY Target key name already exists.").into());
    }
    let ttl = Some(number::int(words[2])?).filter(|ttl| *ttl >= 0);
    let ttl = ttl.ok_or(CommandError::text("ERR Invalid TTL value, must be >= 0"))?;
    let expires_at = match (ttl, options.absolute) {
        (0, _) => None,
        (time, true) => Some(time),
        (ttl, false) => Some(ttl.saturating_add(ctx.now)),
    };
    let value = Decoded::read(ctx, key, payload)?;
    let replaced = options.replace && ctx.unlink(key);
    if expires_at.is_some_and(|time| time <= ctx.now) {
        if replaced {
            let lazy = ctx.shared.config.lazy_free.lazy_server_del.get();
            ctx.propagate_instead(&[deletion(lazy), key]);
            ctx.changed(Class::Generic, "del", key);
        }
        ctx.reply.ok();
        return Ok(());
    }
    match value {
        Decoded::String(text) => ctx.put(key, string_content(&text), expires_at),
        Decoded::Collection(it) => ctx.put(key, Content::Object(it), expires_at),
    };
    ctx.restore_access(key, options.idle_seconds, options.frequency);
    if let Some(time) = expires_at.filter(|_| !options.absolute) {
        let time = time.to_string();
        let mut told = vec![b"RESTORE".as_slice(), key, time.as_bytes(), payload, b"ABSTTL"];
        told.extend(&words[4..]);
        ctx.propagate_instead(&told);
    }
    ctx.changed(Class::Generic, "restore", key);
    ctx.reply.ok();
    Ok(())
}

/// A value out of a payload.
enum Decoded<'a> {
    String(std::borrow::Cow<'a, [u8]>),
    Collection(Collection),
}

impl<'a> Decoded<'a> {
    fn read(ctx: &Ctx<'_>, key: &[u8], payload: &'a [u8]) -> Result<Self, CommandError> {
        let wrong = CommandError::text("ERR DUMP payload version or checksum are wrong");
        let bad = |error: ferrite_rdb::Error| {
            tracing::warn!("RESTORE: integrity check failed: {}", error.with_key(key));
            CommandError::text("ERR Bad data format")
        };
        let split = match ctx.shared.switches.trusts_payloads() {
            true => dump::split_unverified(payload),
            false => dump::split(payload),
        };
        let split = split.map_err(|_| wrong.clone())?;
        let format = match split.version {
            version @ ..=NEWEST_REDIS => Format::redis(version.into()),
            version if VALKEY.contains(&version) => Format::valkey(version.into()),
            _ => return Err(wrong),
        };
        if ValueKind::of(format, split.type_byte) == Some(ValueKind::String) {
            let mut body = Body::new(split.body);
            let text = body.string().map_err(bad)?;
            body.end().map_err(bad)?;
            return Ok(Self::String(text));
        }
        let limits = &ctx.shared.limits();
        let collection = Collection::from_rdb(format, split.type_byte, split.body, limits);
        collection.map(Self::Collection).map_err(bad)
    }
}
