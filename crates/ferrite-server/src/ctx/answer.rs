//! A collection under a key and the reply at once, so that elements are written where they are.

use ferrite_store::table::Value;

use super::{Ctx, Kind};
use crate::error::CommandError;
use crate::notify::Class;
use crate::reply::Reply;
use crate::store::shard_of;

impl Ctx<'_> {
    /// Writes a reply out of a collection that the command reads; out of nothing where the key is
    /// not there.
    ///
    /// # Errors
    /// `WRONGTYPE` when the key holds something else.
    pub fn answer<T: Kind, R>(
        &mut self,
        key: &[u8],
        write: impl FnOnce(&mut Reply, Option<&T>) -> R,
    ) -> Result<R, CommandError> {
        let Some(at) = self.look_up(key) else { return Ok(write(&mut self.reply, None)) };
        let table = &self.held.shard(shard_of(self.hash(key))).tables[self.session.db];
        let Value::Object(object) = table.value(at) else { return Err(CommandError::WRONG_TYPE) };
        let it = T::of(object).ok_or(CommandError::WRONG_TYPE)?;
        Ok(write(&mut self.reply, Some(it)))
    }

    /// Changes a collection while the reply is written; nothing where the key is not there. See
    /// [`Ctx::write`].
    ///
    /// # Errors
    /// `WRONGTYPE` when the key holds something else.
    pub fn change<T: Kind, R>(
        &mut self,
        key: &[u8],
        change: impl FnOnce(&mut Reply, Option<&mut T>) -> R,
    ) -> Result<R, CommandError> {
        let Some(at) = self.find(key) else { return Ok(change(&mut self.reply, None)) };
        let db = self.session.db;
        let shard = shard_of(self.hash(key));
        let table = &mut self.held.shard_mut(shard).tables[db];
        let it = table.object_mut(at).and_then(T::of_mut).ok_or(CommandError::WRONG_TYPE)?;
        Ok(change(&mut self.reply, Some(it)))
    }

    /// A command has taken elements out of a collection: as [`Ctx::changed`], and when nothing is
    /// left the key is deleted.
    pub fn taken_from(&mut self, class: Class, event: &str, key: &[u8], is_empty: bool) {
        self.changed(class, event, key);
        if is_empty {
            self.delete(key);
            self.notify(Class::Generic, "del", key);
        }
    }
}
