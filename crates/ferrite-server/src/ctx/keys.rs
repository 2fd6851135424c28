//! Values under keys.
//!
//! A key past its time is not there. Functions that take `&mut self` delete such a key when they
//! meet it, and tell replicas; those with `&self` only overlook it, so that several values can be
//! looked at together.

use std::sync::atomic::Ordering;

use ferrite_store::table::{Content, Owned, Ref, Removed, Table, Taken, Value};
use ferrite_store::types::{Collection, Hash, List, Set, SortedSet, Stream};

use super::{Ctx, count};
use crate::clients::Mark;
use crate::error::CommandError;
use crate::notify::Class;
use crate::number;
use crate::store::shard_of;

/// A type of collection.
pub trait Kind: Sized {
    /// The collection as this type, if it is one.
    fn of(collection: &Collection) -> Option<&Self>;
    /// See [`Kind::of`].
    fn of_mut(collection: &mut Collection) -> Option<&mut Self>;
    /// Any collection from this type.
    fn into_collection(self) -> Collection;
}

/// Each collection type is one line here.
macro_rules! kinds {
    ($($kind:ident),*) => {$(
        impl Kind for $kind {
            fn of(collection: &Collection) -> Option<&Self> {
                match collection {
                    Collection::$kind(it) => Some(it),
                    _ => None,
                }
            }

            fn of_mut(collection: &mut Collection) -> Option<&mut Self> {
                match collection {
                    Collection::$kind(it) => Some(it),
                    _ => None,
                }
            }

            fn into_collection(self) -> Collection {
                Collection::$kind(self)
            }
        }
    )*};
}

kinds! { Hash, List, Set, SortedSet, Stream }

/// A string under a key.
#[derive(Debug, Clone, Copy)]
pub enum Text<'a> {
    /// It is kept as an integer.
    Int(i64),
    /// Any other.
    Bytes(&'a [u8]),
}

impl Text<'_> {
    /// Its bytes; digits are written to `digits`.
    pub fn bytes<'b>(&'b self, digits: &'b mut itoa::Buffer) -> &'b [u8] {
        match self {
            Self::Int(value) => digits.format(*value).as_bytes(),
            Self::Bytes(bytes) => bytes,
        }
    }

    /// Its bytes as a value of their own.
    pub fn to_vec(&self) -> Vec<u8> {
        self.bytes(&mut itoa::Buffer::new()).to_vec()
    }

    /// It as an integer.
    pub fn int(&self) -> Option<i64> {
        match self {
            Self::Int(value) => Some(*value),
            Self::Bytes(bytes) => number::parse_int(bytes),
        }
    }
}

impl<'s> Ctx<'s> {
    fn table_at(&self, hash: u64, db: usize) -> &Table<Collection> {
        &self.held.shard(shard_of(hash)).tables[db]
    }

    fn table_at_mut(&mut self, hash: u64, db: usize) -> &mut Table<Collection> {
        &mut self.held.shard_mut(shard_of(hash)).tables[db]
    }

    /// The table a key of the caller's database lives in.
    pub fn table(&self, key: &[u8]) -> &Table<Collection> {
        self.table_at(self.hash(key), self.session.db)
    }

    /// See [`Ctx::table`]. Whoever changes something through it calls [`Ctx::changed`].
    pub fn table_mut(&mut self, key: &[u8]) -> &mut Table<Collection> {
        self.table_at_mut(self.hash(key), self.session.db)
    }

    /// Where a key is, if it is there and not past its time; one that is past it is deleted. It
    /// counts as an access to the key.
    pub fn find(&mut self, key: &[u8]) -> Option<Ref> {
        let at = self.find_quietly(key)?;
        self.used(key, at);
        Some(at)
    }

    /// As [`Ctx::find`], without counting as an access.
    pub fn find_quietly(&mut self, key: &[u8]) -> Option<Ref> {
        let (hash, db) = (self.hash(key), self.session.db);
        let table = self.table_at(hash, db);
        let at = table.find(hash, key)?;
        match table.expires_at(at) {
            Some(time) if time <= self.now => {
                // While writes wait, nothing is written for anybody: it only counts as gone.
                if !self.writes_wait() {
                    self.expire(key);
                }
                None
            }
            _ => Some(at),
        }
    }

    /// Whether a pause holds writes back (`CLIENT PAUSE`).
    pub fn writes_wait(&self) -> bool {
        self.shared.paused_until.load(Ordering::Relaxed) > self.now
    }

    /// Where a key is, if it is there and not past its time.
    pub fn peek_at(&self, key: &[u8]) -> Option<Ref> {
        let hash = self.hash(key);
        let table = self.table_at(hash, self.session.db);
        let at = table.find(hash, key)?;
        table.expires_at(at).is_none_or(|time| time > self.now).then_some(at)
    }

    /// Remembers an access to an entry.
    fn used(&mut self, key: &[u8], at: Ref) {
        if self.session.client.has(Mark::NoTouch) {
            return;
        }
        let (eviction, now) = (&self.shared.eviction, self.now);
        let table = self.table_mut(key);
        let before = table.access(at);
        let after = eviction.used(before, now);
        if after != before {
            table.set_access(at, after);
        }
    }

    /// The 24 bits of a key's last access.
    pub fn last_access(&self, key: &[u8]) -> Option<u32> {
        let at = self.peek_at(key)?;
        Some(self.table(key).access(at))
    }

    /// Has a key look as if it was used so long ago, or so often.
    pub fn restore_access(&mut self, key: &[u8], idle: Option<i64>, frequency: Option<u8>) {
        let (eviction, now) = (&self.shared.eviction, self.now);
        let is_lfu = eviction.policy().is_lfu();
        let access = match (idle, frequency) {
            (Some(seconds), _) if !is_lfu => eviction.idle_access(seconds, now),
            (_, Some(frequency)) if is_lfu => eviction.frequent_access(frequency, now),
            _ => return,
        };
        if let Some(at) = self.peek_at(key) {
            self.table_mut(key).set_access(at, access);
        }
    }

    /// Deletes a key because its time has come.
    pub fn expire(&mut self, key: &[u8]) {
        let (hash, db) = (self.hash(key), self.session.db);
        let removed = self.table_at_mut(hash, db).remove(hash, key);
        self.free_later(removed);
        count(&self.counts.expired, 1);
        let lazy = self.shared.config.lazy_free.lazy_expire.get();
        self.effects.propagate(db, &[deletion(lazy), key]);
        self.touched(key);
        self.notify(Class::Expired, "expired", key);
    }

    /// A value that a command reads: counts as an access, and in the statistics.
    pub fn value(&mut self, key: &[u8]) -> Option<Value<'_, Collection>> {
        let at = self.look_up(key)?;
        Some(self.table(key).value(at))
    }

    /// Where a key is that a command reads; see [`Ctx::value`].
    pub fn look_up(&mut self, key: &[u8]) -> Option<Ref> {
        let at = self.find(key);
        match at {
            Some(_) => count(&self.counts.hits, 1),
            None => {
                count(&self.counts.misses, 1);
                self.notify(Class::Miss, "keymiss", key);
            }
        }
        at
    }

    /// A value that a command asks about: counts in the statistics, and not as an access.
    pub fn look(&mut self, key: &[u8]) -> Option<Value<'_, Collection>> {
        match self.find_quietly(key) {
            Some(at) => {
                count(&self.counts.hits, 1);
                Some(self.table(key).value(at))
            }
            None => {
                count(&self.counts.misses, 1);
                self.notify(Class::Miss, "keymiss", key);
                None
            }
        }
    }

    /// A value that is looked at beside others; call [`Ctx::value`] or [`Ctx::find`] for each key
    /// before.
    pub fn peek(&self, key: &[u8]) -> Option<Value<'_, Collection>> {
        let at = self.peek_at(key)?;
        Some(self.table(key).value(at))
    }

    /// A collection that a command reads.
    ///
    /// # Errors
    /// `WRONGTYPE` when the key holds something else.
    pub fn read<T: Kind>(&mut self, key: &[u8]) -> Result<Option<&T>, CommandError> {
        match self.value(key) {
            Some(value) => of_kind(value).map(Some),
            None => Ok(None),
        }
    }

    /// A collection that is looked at beside others; see [`Ctx::peek`].
    ///
    /// # Errors
    /// `WRONGTYPE` when the key holds something else.
    pub fn peek_as<T: Kind>(&self, key: &[u8]) -> Result<Option<&T>, CommandError> {
        self.peek(key).map(of_kind).transpose()
    }

    /// A collection that a command changes. [`Ctx::changed`] must follow when it did, and
    /// [`Ctx::delete`] when nothing is left in it.
    ///
    /// # Errors
    /// `WRONGTYPE` when the key holds something else.
    pub fn write<T: Kind>(&mut self, key: &[u8]) -> Result<Option<&mut T>, CommandError> {
        let Some(at) = self.find(key) else { return Ok(None) };
        let object = self.table_mut(key).object_mut(at);
        object.and_then(T::of_mut).map(Some).ok_or(CommandError::WRONG_TYPE)
    }

    /// A collection that a command adds to, made anew where there is none.
    ///
    /// # Errors
    /// `WRONGTYPE` when the key holds something else.
    pub fn write_or_new<T: Kind>(
        &mut self,
        key: &[u8],
        new: impl FnOnce() -> T,
    ) -> Result<&mut T, CommandError> {
        let at = match self.find(key) {
            Some(at) => at,
            None => self.put(key, Content::Object(new().into_collection()), None),
        };
        let object = self.table_mut(key).object_mut(at);
        object.and_then(T::of_mut).ok_or(CommandError::WRONG_TYPE)
    }

    /// A string that a command reads.
    ///
    /// # Errors
    /// `WRONGTYPE` when the key holds something else.
    pub fn string(&mut self, key: &[u8]) -> Result<Option<Text<'_>>, CommandError> {
        self.value(key).map(as_text).transpose()
    }

    /// A string that is looked at beside others, or before it is changed.
    ///
    /// # Errors
    /// `WRONGTYPE` when the key holds something else.
    pub fn peek_string(&self, key: &[u8]) -> Result<Option<Text<'_>>, CommandError> {
        self.peek(key).map(as_text).transpose()
    }

    /// A string to be changed in place, an empty one where there is none.
    ///
    /// # Errors
    /// `WRONGTYPE` when the key holds something else.
    pub fn string_mut(&mut self, key: &[u8]) -> Result<&mut Vec<u8>, CommandError> {
        let at = match self.find(key) {
            Some(at) => at,
            None => self.put(key, Content::Heap(Vec::new()), None),
        };
        self.table_mut(key).string_mut(at).ok_or(CommandError::WRONG_TYPE)
    }

    /// Puts a value under a key, in place of whatever was there, and with this expiry. The event
    /// of a new key is published; those of the command are the caller's.
    pub fn put(
        &mut self,
        key: &[u8],
        content: Content<'_, Collection>,
        expires_at: Option<i64>,
    ) -> Ref {
        let hash = self.hash(key);
        if let Content::Object(collection) = &content {
            let db = self.session.db;
            self.held.shard_mut(shard_of(hash)).note(db, key, collection);
        }
        let (eviction, now) = (&self.shared.eviction, self.now);
        let table = self.table_at_mut(hash, self.session.db);
        let (at, removed) = table.replace(hash, key, content, expires_at);
        let access = match &removed {
            None => eviction.new_access(now),
            Some(_) => eviction.used(table.access(at), now),
        };
        table.set_access(at, access);
        let is_new = removed.is_none();
        self.free(removed);
        if is_new {
            self.notify(Class::New, "new", key);
        }
        at
    }

    /// Puts what was taken from under a key, or is its copy, under another that is not there.
    pub fn put_taken(&mut self, key: &[u8], taken: Taken<Collection>) {
        let (hash, db) = (self.hash(key), self.session.db);
        let shard = self.held.shard_mut(shard_of(hash));
        if let Owned::Object(collection) = &taken.value {
            shard.note(db, key, collection);
        }
        shard.tables[db].put(hash, key, taken);
    }

    /// Puts a string under a key: as an integer where it is one.
    pub fn put_string(&mut self, key: &[u8], value: &[u8], expires_at: Option<i64>) {
        let short = value.len() <= 20;
        match short.then(|| number::parse_int(value)).flatten() {
            Some(value) => self.put(key, Content::Int(value), expires_at),
            None => self.put(key, Content::Bytes(value), expires_at),
        };
    }

    /// Takes a key away. [`Ctx::changed`] must follow when it was there.
    pub fn delete(&mut self, key: &[u8]) -> bool {
        let removed = self.take_away(key);
        let there = removed.is_some();
        self.free(removed);
        there
    }

    /// As [`Ctx::delete`]; a large value is freed in the background.
    pub fn unlink(&mut self, key: &[u8]) -> bool {
        let removed = self.take_away(key);
        let there = removed.is_some();
        self.free_later(removed);
        there
    }

    fn take_away(&mut self, key: &[u8]) -> Option<Removed<Collection>> {
        self.find_quietly(key)?;
        let hash = self.hash(key);
        self.table_at_mut(hash, self.session.db).remove(hash, key)
    }

    /// When a key expires, Unix milliseconds.
    pub fn expires_at(&mut self, key: &[u8]) -> Option<i64> {
        let at = self.find_quietly(key)?;
        self.table(key).expires_at(at)
    }

    /// Sets or takes away a key's expiry; whether the key is there.
    pub fn set_expiry(&mut self, key: &[u8], expires_at: Option<i64>) -> bool {
        let Some(at) = self.find(key) else { return false };
        self.table_mut(key).set_expiry(at, expires_at);
        true
    }

    /// Frees what was removed, in the background if it is large.
    pub fn free_later(&mut self, removed: Option<Removed<Collection>>) {
        if let Some(removed) = removed {
            self.shared.garbage.free_value(removed);
        }
    }

    /// Frees what was removed.
    pub fn free(&mut self, removed: impl Into<Option<Removed<Collection>>>) {
        drop(removed.into());
    }
}

/// What replicas are told of a key that goes, by whether its value is freed in the background
/// (`lazyfree-lazy-…`).
pub fn deletion(lazy: bool) -> &'static [u8] {
    if lazy { b"UNLINK" } else { b"DEL" }
}

fn of_kind<T: Kind>(value: Value<'_, Collection>) -> Result<&T, CommandError> {
    match value {
        Value::Object(object) => T::of(object).ok_or(CommandError::WRONG_TYPE),
        _ => Err(CommandError::WRONG_TYPE),
    }
}

fn as_text(value: Value<'_, Collection>) -> Result<Text<'_>, CommandError> {
    match value {
        Value::Int(value) => Ok(Text::Int(value)),
        Value::Bytes { bytes, .. } => Ok(Text::Bytes(bytes)),
        Value::Object(_) => Err(CommandError::WRONG_TYPE),
    }
}
