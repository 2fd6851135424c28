//! Changing entries: adding, replacing, changing in place, removing.

use super::{
    Content, Head, Key, Owned, Ref, Removed, Stored, Table, Taken, hash, item, key_of, prefetch,
    slab::Slab, wheel::Seat,
};

impl<O> Table<O> {
    /// Adds a key or replaces its value and expiry. A new key's access bits are zero, those of a
    /// key that was there stay.
    pub fn insert(
        &mut self,
        hash: u64,
        key: &[u8],
        content: Content<'_, O>,
        expires_at: Option<i64>,
    ) -> Ref {
        self.replace(hash, key, content, expires_at).0
    }

    /// As [`Table::insert`], and hands back what was there.
    pub fn replace(
        &mut self,
        hash: u64,
        key: &[u8],
        content: Content<'_, O>,
        expires_at: Option<i64>,
    ) -> (Ref, Option<Removed<O>>) {
        let Some(at) = self.find(hash, key) else {
            let value = self.store(content);
            return (self.add(hash, key, value, expires_at, 0), None);
        };
        let old = self.set_value(at, content);
        if self.expires_at(at) != expires_at {
            self.set_expiry(at, expires_at);
        }
        (at, Some(old))
    }

    /// Replaces the value of an entry; its expiry and access bits stay.
    pub fn set_value(&mut self, at: Ref, content: Content<'_, O>) -> Removed<O> {
        self.preserve(at);
        let old = self.release(self.index.get(at));
        let value = self.store(content);
        self.rewrite(at, value);
        old
    }

    /// The collection of an entry, to be changed in place; nothing if it is a string.
    pub fn object_mut(&mut self, at: Ref) -> Option<&mut O> {
        let Stored::Object(place) = item::value(self.item(at)) else {
            return None;
        };
        self.preserve(at);
        Some(self.objects.get_mut(place))
    }

    /// The string of an entry, to be changed in place, which makes it `raw`; nothing if it is a
    /// collection.
    pub fn string_mut(&mut self, at: Ref) -> Option<&mut Vec<u8>> {
        self.preserve(at);
        let place = match item::value(self.item(at)) {
            Stored::Object(_) => return None,
            Stored::Raw(place) => return Some(self.strings.get_mut(place)),
            Stored::Long(place) => place,
            Stored::Short(bytes) => self.strings.add(bytes.to_vec()),
            Stored::Int(number) => self.strings.add(number.to_string().into_bytes()),
        };
        self.rewrite(at, Stored::Raw(place));
        Some(self.strings.get_mut(place))
    }

    /// Sets or clears when an entry expires. The reference stays good; it is returned for chains.
    pub fn set_expiry(&mut self, at: Ref, expires_at: Option<i64>) -> Ref {
        self.preserve(at);
        let block = self.index.get(at);
        let mut head = item::head(self.slab.block(block));
        if let Some((_, seat)) = head.expiry {
            self.leave_wheel(seat);
        }
        head.expiry = expires_at.map(|time| (time, self.wheel.add(time, block)));
        let item = self.slab.block(block);
        self.scratch.clear();
        item::encode(&mut self.scratch, &head, item::key(item), item::value(item));
        self.write(at);
        at
    }

    /// Removes a key.
    pub fn remove(&mut self, hash: u64, key: &[u8]) -> Option<Removed<O>> {
        let at = self.find(hash, key)?;
        Some(self.remove_hashed(at, hash))
    }

    /// Removes an entry.
    pub fn remove_at(&mut self, at: Ref) -> Removed<O> {
        let hash = hash(self.key(at));
        self.remove_hashed(at, hash)
    }

    /// Takes an entry out, whole, for [`Table::put`] under another key or in another table.
    pub fn take_at(&mut self, at: Ref) -> Taken<O> {
        let (expires_at, access) = (self.expires_at(at), self.access(at));
        let kept = match item::value(self.item(at)) {
            Stored::Short(bytes) => Some(Owned::Bytes(bytes.to_vec())),
            Stored::Int(number) => Some(Owned::Int(number)),
            Stored::Long(_) | Stored::Raw(_) | Stored::Object(_) => None,
        };
        let raw = matches!(item::value(self.item(at)), Stored::Raw(_));
        let value = match (self.remove_at(at), kept) {
            (_, Some(value)) => value,
            (Removed::Heap(bytes), None) if raw => Owned::Raw(bytes),
            (Removed::Heap(bytes), None) => Owned::Bytes(bytes),
            (Removed::Object(object), None) => Owned::Object(object),
            (Removed::Small, None) => unreachable!("small values were copied"),
        };
        Taken { value, expires_at, access }
    }

    /// Puts an entry that was taken out under a key, in place of what may be there, which is
    /// dropped: a caller that wants to free it elsewhere removes it first.
    pub fn put(&mut self, hash: u64, key: &[u8], taken: Taken<O>) -> Ref {
        if let Some(at) = self.find(hash, key) {
            drop(self.remove_hashed(at, hash));
        }
        let value = match taken.value {
            Owned::Int(number) => Stored::Int(number),
            Owned::Bytes(bytes) if bytes.len() <= item::VALUE_MAX => {
                return self.add(hash, key, Stored::Short(&bytes), taken.expires_at, taken.access);
            }
            Owned::Bytes(bytes) => Stored::Long(self.strings.add(bytes)),
            Owned::Raw(bytes) => Stored::Raw(self.strings.add(bytes)),
            Owned::Object(object) => Stored::Object(self.objects.add(object)),
        };
        self.add(hash, key, value, taken.expires_at, taken.access)
    }

    /// Stores what does not fit into an item, and says what goes there.
    fn store<'a>(&mut self, content: Content<'a, O>) -> Stored<'a> {
        match content {
            Content::Int(number) => Stored::Int(number),
            Content::Bytes(bytes) if bytes.len() <= item::VALUE_MAX => Stored::Short(bytes),
            Content::Bytes(bytes) => Stored::Long(self.strings.add(bytes.to_vec())),
            Content::Heap(bytes) => Stored::Raw(self.strings.add(bytes)),
            Content::Object(object) => Stored::Object(self.objects.add(object)),
        }
    }

    fn add(
        &mut self,
        hash: u64,
        key: &[u8],
        value: Stored<'_>,
        expires_at: Option<i64>,
        access: u32,
    ) -> Ref {
        let head = Head {
            access,
            version: self.snapshots.version(),
            expiry: expires_at.map(|time| (time, Seat::default())),
        };
        let key = if key.len() <= item::KEY_MAX {
            Key::Short(key)
        } else {
            Key::Long(self.keys.add(key.into()))
        };
        self.scratch.clear();
        item::encode(&mut self.scratch, &head, key, value);
        let block = self.slab.allocate(self.scratch.len());
        self.slab.block_mut(block)[..self.scratch.len()].copy_from_slice(&self.scratch);
        if let Some(expires_at) = expires_at {
            let seat = self.wheel.add(expires_at, block);
            item::set_seat(self.slab.block_mut(block), seat);
        }
        let (slab, keys) = (&self.slab, &self.keys);
        let hash_of = |block| super::hash(key_of(slab, keys, block));
        let fetch = |block| prefetch::prefetch(slab.block(block));
        self.index.insert(hash, block, &hash_of, &fetch)
    }

    /// Gives an entry another value in its item; the old one was released.
    fn rewrite(&mut self, at: Ref, value: Stored<'_>) {
        let item = self.slab.block(self.index.get(at));
        self.scratch.clear();
        item::encode(&mut self.scratch, &item::head(item), item::key(item), value);
        self.write(at);
    }

    /// Writes the item in `scratch` where it belongs: over the old one, or into a block that fits.
    fn write(&mut self, at: Ref) {
        let old = self.index.get(at);
        let len = self.scratch.len();
        if self.slab.block(old).len() == Slab::block_size(len) {
            self.slab.block_mut(old)[..len].copy_from_slice(&self.scratch);
            return;
        }
        let new = self.slab.allocate(len);
        self.slab.block_mut(new)[..len].copy_from_slice(&self.scratch);
        self.slab.free(old);
        self.index.set(at, new);
        if let Some(seat) = item::seat(&self.scratch) {
            self.wheel.set(seat, new);
        }
    }

    /// Takes what an item refers to out of the arenas; the item is about to be rewritten or freed.
    fn release(&mut self, block: u32) -> Removed<O> {
        match item::value(self.slab.block(block)) {
            Stored::Short(_) | Stored::Int(_) => Removed::Small,
            Stored::Long(place) | Stored::Raw(place) => Removed::Heap(self.strings.take(place)),
            Stored::Object(place) => Removed::Object(self.objects.take(place)),
        }
    }

    fn remove_hashed(&mut self, at: Ref, hash: u64) -> Removed<O> {
        self.preserve(at);
        let block = self.index.get(at);
        if let Some(seat) = item::seat(self.slab.block(block)) {
            self.leave_wheel(seat);
        }
        let (slab, keys) = (&self.slab, &self.keys);
        let hash_of = |block| super::hash(key_of(slab, keys, block));
        self.index.remove(at, hash, &hash_of);
        let removed = self.release(block);
        if let Key::Long(place) = item::key(self.slab.block(block)) {
            drop(self.keys.take(place));
        }
        self.slab.free(block);
        removed
    }
}
