//! What goes into a table, what is found there, and what comes out of it.

/// What is put under a key.
#[derive(Debug)]
pub enum Content<'a, O> {
    /// A string that is an integer in its shortest decimal form.
    Int(i64),
    /// A string that is copied: beside its key when it is short.
    Bytes(&'a [u8]),
    /// A string that is taken over without copying. It counts as changed in place (`raw`).
    Heap(Vec<u8>),
    /// A collection.
    Object(O),
}

/// What is found under a key.
#[derive(Debug)]
pub enum Value<'a, O> {
    /// A string that is kept as an integer.
    Int(i64),
    /// Any other string.
    Bytes {
        /// The string.
        bytes: &'a [u8],
        /// It was changed in place or taken over as a whole: its encoding is `raw` at any length.
        raw: bool,
    },
    /// A collection.
    Object(&'a O),
}

// Written out, because a derive would ask `O` to be `Copy` too.
impl<O> Clone for Value<'_, O> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<O> Copy for Value<'_, O> {}

/// What was removed: whatever may take long to free, so that the caller may do it elsewhere.
#[derive(Debug)]
#[must_use = "a large value is freed where this is dropped"]
pub enum Removed<O> {
    /// Nothing that takes time to free: an integer or a short string.
    Small,
    /// A string of its own allocation.
    Heap(Vec<u8>),
    /// A collection.
    Object(O),
}

/// A whole entry taken out of a table, to be put under another key or into another table.
#[derive(Debug)]
pub struct Taken<O> {
    /// The value.
    pub value: Owned<O>,
    /// When it expires, in Unix milliseconds.
    pub expires_at: Option<i64>,
    /// The 24 bits of its last access.
    pub access: u32,
}

/// The value of an entry that was taken out.
#[derive(Debug)]
pub enum Owned<O> {
    /// A string that is kept as an integer.
    Int(i64),
    /// A string that was never changed in place.
    Bytes(Vec<u8>),
    /// A string that was changed in place or taken over as a whole.
    Raw(Vec<u8>),
    /// A collection.
    Object(O),
}

/// An entry as a snapshot hands it over.
#[derive(Debug)]
pub struct Entry<'a, O> {
    /// The key.
    pub key: &'a [u8],
    /// The value.
    pub value: Value<'a, O>,
    /// When it expires, in Unix milliseconds.
    pub expires_at: Option<i64>,
    /// The 24 bits of its last access.
    pub access: u32,
}

/// Where the entries of a snapshot go. It is called while the shard is locked: it encodes into
/// memory and does no I/O.
pub trait Sink<O>: Send {
    /// Takes one entry as it was when the snapshot began.
    fn save(&mut self, entry: Entry<'_, O>);
}
