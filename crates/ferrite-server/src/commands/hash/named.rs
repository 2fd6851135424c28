//! The fields that a command names behind `FIELDS` and their number.

use crate::commands::arguments::{at_least, is};
use crate::ctx::Ctx;
use crate::error::CommandError;
use crate::notify::Class;

const MISSING: CommandError =
    CommandError::text("ERR Mandatory argument FIELDS is missing or not at the right position");
const OTHER_NUMBER: CommandError =
    CommandError::text("ERR The `numfields` parameter must match the number of arguments");

/// The error for a number that is none or below 1, of most commands.
pub(super) const NOT_POSITIVE: CommandError =
    CommandError::text("ERR Number of fields must be a positive integer");
/// The same of those that set an expiry.
pub(super) const NOT_ABOVE_ZERO: CommandError =
    CommandError::text("ERR Parameter `numFields` should be greater than 0");

/// `FIELDS numfields field ...`, to the end of the words.
pub(super) fn fields<'w, 'b>(
    words: &'w [&'b [u8]],
    not_positive: CommandError,
) -> Result<&'w [&'b [u8]], CommandError> {
    let [keyword, number, fields @ ..] = words else { return Err(MISSING) };
    if !is(keyword, "fields") {
        return Err(MISSING);
    }
    let number = at_least(number, 1, not_positive)?;
    if number == fields.len() { Ok(fields) } else { Err(OTHER_NUMBER) }
}

/// Fields of a hash that a command has changed in different ways, to be told to replicas.
#[derive(Debug, Default)]
pub(super) struct Told<'b> {
    /// They were given an expiry.
    pub(super) expiring: Vec<&'b [u8]>,
    /// They lost their expiry.
    pub(super) persisted: Vec<&'b [u8]>,
    /// They were removed.
    pub(super) removed: Vec<&'b [u8]>,
}

impl Told<'_> {
    pub(super) fn is_empty(&self) -> bool {
        self.expiring.is_empty() && self.persisted.is_empty() && self.removed.is_empty()
    }

    /// Tells replicas, and publishes the events; the hash is deleted when nothing is left in it.
    pub(super) fn tell(&self, ctx: &mut Ctx<'_>, key: &[u8], expires_at: u64, is_empty: bool) {
        if !self.expiring.is_empty() {
            let time = expires_at.to_string();
            let count = self.expiring.len().to_string();
            let head: [&[u8]; 5] =
                [b"HPEXPIREAT", key, time.as_bytes(), b"FIELDS", count.as_bytes()];
            ctx.propagate_instead(&[&head, &self.expiring[..]].concat());
            ctx.changed(Class::Hash, "hexpire", key);
        }
        if !self.persisted.is_empty() {
            let count = self.persisted.len().to_string();
            let head: [&[u8]; 4] = [b"HPERSIST", key, b"FIELDS", count.as_bytes()];
            ctx.propagate_instead(&[&head, &self.persisted[..]].concat());
            ctx.changed(Class::Hash, "hpersist", key);
        }
        if !self.removed.is_empty() {
            let head: [&[u8]; 2] = [b"HDEL", key];
            ctx.propagate_instead(&[&head, &self.removed[..]].concat());
            ctx.taken_from(Class::Hash, "hdel", key, is_empty);
        }
    }
}
