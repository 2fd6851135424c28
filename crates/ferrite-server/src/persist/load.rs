//! Keys and function libraries out of an RDB file: before the server serves anybody, or again by DEBUG RELOAD.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::Duration;

use ferrite_rdb::{Body, Entry, ErrorKind, Event, Format, Reader, Step, ValueKind};
use ferrite_store::table::{self, Content};
use ferrite_store::types::{Collection, Limits};

use super::progress::Progress;
use crate::shared::Shared;
use crate::store::{Held, ShardSet, Touch, shard_of};

/// Bytes read at once.
const READ_SIZE: usize = 256 * 1024;

/// The largest value that is taken in one piece: as large as a key of Redis can be.
const LARGEST_VALUE: usize = 1 << 40;

/// Keys that are put together.
const TOGETHER: usize = 32;

/// What was loaded.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Loaded {
    /// Keys that are there now.
    pub keys: u64,
    /// Keys that had expired.
    pub expired: u64,
    /// Keys without an element, which old servers could leave.
    pub empty: u64,
}

/// What becomes of a key or a library of the file that is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Conflicts {
    /// The file is not read on.
    Refuse,
    /// What the file has takes its place.
    Replace,
}

/// Loads a file into an empty server, whose [`Progress`] says that it is loading. Keys whose time
/// is over are left out. Now and then the shards are released, so that whoever only counts keys
/// goes on.
///
/// # Errors
/// What is wrong with the file, and where; nothing may be served then. A missing file is
/// [`io::ErrorKind::NotFound`], a server that ends meanwhile [`io::ErrorKind::Interrupted`].
pub fn load(shared: &Shared, path: &Path, now: i64) -> io::Result<Loaded> {
    let mut held = Held::nothing(&shared.store);
    held.acquire(ShardSet::ALL);
    let progress = Some(&shared.persistence.progress);
    load_from(shared, &mut held, path, now, (Conflicts::Refuse, progress))
}

/// The same, beside the keys that are there; all shards are held.
///
/// # Errors
/// As [`load`], and for a key that is there already, where that is not wanted.
pub fn load_into(
    shared: &Shared,
    held: &mut Held<'_>,
    path: &Path,
    now: i64,
    conflicts: Conflicts,
) -> io::Result<Loaded> {
    load_from(shared, held, path, now, (conflicts, None))
}

fn load_from<'a>(
    shared: &'a Shared,
    held: &'a mut Held<'_>,
    path: &Path,
    now: i64,
    (conflicts, progress): (Conflicts, Option<&'a Progress>),
) -> io::Result<Loaded> {
    let named = |error: io::Error| {
        io::Error::new(error.kind(), format!("loading {}: {error}", path.display()))
    };
    let mut file = File::open(path).map_err(named)?;
    let (limits, loaded) = (shared.limits(), Loaded::default());
    if let Some(progress) = progress {
        progress.total.store(file.metadata().map_err(named)?.len(), Ordering::Relaxed);
    }
    let loading = Loading { shared, limits, held, now, conflicts, progress, loaded };
    loading.read(&mut file).map_err(named)
}

/// Where keys are put.
struct Loading<'a, 's> {
    shared: &'a Shared,
    limits: Limits,
    held: &'a mut Held<'s>,
    now: i64,
    conflicts: Conflicts,
    /// Where it is told how far this is, by a load that makes way for others.
    progress: Option<&'a Progress>,
    loaded: Loaded,
}

impl Loading<'_, '_> {
    /// Reads a stream.
    fn read(mut self, input: &mut dyn Read) -> io::Result<Loaded> {
        let mut reader = Reader::new(LARGEST_VALUE);
        let (mut buffer, mut wanted) = (Vec::new(), READ_SIZE);
        loop {
            let (used, is_end) = self.take_all(&mut reader, &buffer)?;
            if is_end {
                return Ok(self.loaded);
            }
            buffer.drain(..used);
            self.make_way(reader.offset(), Duration::ZERO)?;
            wanted = wanted.max(buffer.len() * 2);
            if fill(input, &mut buffer, wanted)? == 0 {
                let text = format!("the file ends at byte {}, amid something", reader.offset());
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, text));
            }
            wanted = READ_SIZE;
        }
    }

    /// Says how far this is, and lets whoever waits for a shard have it, for so long at least.
    fn make_way(&mut self, offset: u64, pause: Duration) -> io::Result<()> {
        let Some(progress) = self.progress else { return Ok(()) };
        progress.done.store(offset, Ordering::Relaxed);
        self.held.release();
        match pause.is_zero() {
            true => std::thread::yield_now(),
            false => std::thread::sleep(pause),
        }
        if self.shared.is_stopping() {
            return Err(io::Error::new(io::ErrorKind::Interrupted, "the server ends"));
        }
        self.held.acquire(ShardSet::ALL);
        Ok(())
    }

    /// What the file says of whoever wrote it.
    fn describe(&self, name: &[u8], value: &[u8]) {
        let number = crate::number::parse_int(value);
        match (name, number) {
            (b"redis-ver" | b"valkey-ver", _) => {
                let version = String::from_utf8_lossy(value);
                tracing::info!("Loading RDB produced by version {version}");
            }
            (b"ctime", Some(written)) => {
                tracing::info!("RDB age {} seconds", (self.now / 1000 - written).max(0));
            }
            (b"used-mem", Some(bytes)) => {
                let megabytes = bytes as f64 / (1024.0 * 1024.0);
                tracing::info!("RDB memory usage when created {megabytes:.2} Mb");
                if let Some(progress) = self.progress {
                    progress.used_memory.store(bytes.unsigned_abs(), Ordering::Relaxed);
                }
            }
            _ => {}
        }
    }

    /// Puts all keys that are in `input` as a whole; how many bytes that were, and whether they
    /// are the last.
    fn take_all(&mut self, reader: &mut Reader, input: &[u8]) -> io::Result<(usize, bool)> {
        let mut together = Vec::with_capacity(TOGETHER);
        let mut at = 0;
        loop {
            let rest = input.get(at..).unwrap_or_default();
            let step = reader.next(rest).map_err(|error| match error.kind {
                ErrorKind::Checksum { .. } => io::Error::other(format!("CRC error: {error}")),
                _ => io::Error::other(error),
            })?;
            let Step::Event { consumed, event } = step else {
                self.put_all(&mut together)?;
                return Ok((at, false));
            };
            at += consumed;
            match event {
                Event::End { .. } => {
                    self.put_all(&mut together)?;
                    return Ok((at, true));
                }
                Event::Entry(entry) => {
                    let hash = table::hash(&entry.head.key);
                    together.push((hash, reader.format(), entry));
                }
                Event::Large(head) => {
                    let key = String::from_utf8_lossy(&head.key).into_owned();
                    let text = format!("the value of {key:?} is larger than a server holds");
                    return Err(io::Error::other(text));
                }
                Event::Aux { key, value } => self.describe(&key, &value),
                Event::Function(code) => self.add_library(&code)?,
                _ => {}
            }
            if together.len() == TOGETHER {
                self.put_all(&mut together)?;
                let delay = self.shared.config.snapshots.key_load_delay.get();
                if let Ok(microseconds @ 1..) = u64::try_from(delay) {
                    let pause = Duration::from_micros(microseconds) * TOGETHER as u32;
                    self.make_way(reader.offset(), pause)?;
                }
            }
        }
    }

    /// Loads a library of functions.
    fn add_library(&self, code: &[u8]) -> io::Result<()> {
        let functions = self.shared.scripting.functions();
        let mut functions = functions.map_err(|error| io::Error::other(error.line().to_owned()))?;
        let replace = self.conflicts == Conflicts::Replace;
        functions.load(code, replace).map_err(io::Error::other)?;
        Ok(())
    }

    /// Puts keys, whose places in memory are fetched together before.
    fn put_all(&mut self, together: &mut Vec<(u64, Format, Entry<'_>)>) -> io::Result<()> {
        for (hash, _, entry) in together.iter() {
            let db = usize::try_from(entry.head.db).unwrap_or(usize::MAX);
            self.held.shard(shard_of(*hash)).touch(*hash, db, Touch::Bucket);
        }
        together.drain(..).try_for_each(|(hash, format, entry)| self.put(hash, format, &entry))
    }

    fn put(&mut self, hash: u64, format: Format, entry: &Entry<'_>) -> io::Result<()> {
        let expires_at = entry.head.expires_at_ms;
        let expires_at = expires_at.map(|time| i64::try_from(time).unwrap_or(i64::MAX));
        if expires_at.is_some_and(|time| time <= self.now) {
            self.loaded.expired += 1;
            return Ok(());
        }
        let key = &*entry.head.key;
        let number = entry.head.db;
        let failed = |error: ferrite_rdb::Error| io::Error::other(error.with_key(key));
        let shard = self.held.shard_mut(shard_of(hash));
        let db = usize::try_from(number).unwrap_or(usize::MAX);
        let Some(table) = shard.tables.get_mut(db) else {
            let text = format!("the file has database {number}, this server has not");
            return Err(io::Error::other(text));
        };
        if self.conflicts == Conflicts::Refuse && table.find(hash, key).is_some() {
            let text = format!("the key {:?} is there already", String::from_utf8_lossy(key));
            return Err(io::Error::other(text));
        }
        let type_byte = entry.head.type_byte;
        if ValueKind::of(format, type_byte) == Some(ValueKind::String) {
            let mut body = Body::new(entry.value);
            let text = body.string().map_err(failed)?;
            table.insert(hash, key, string_content(&text), expires_at);
        } else {
            let collection = Collection::from_rdb(format, type_byte, entry.value, &self.limits);
            let collection = match collection {
                Err(error) if has_no_elements(&error) => {
                    tracing::info!("skipping empty key: {}", String::from_utf8_lossy(key));
                    self.loaded.empty += 1;
                    return Ok(());
                }
                other => other.map_err(failed)?,
            };
            shard.note(db, key, &collection);
            shard.tables[db].insert(hash, key, Content::Object(collection), expires_at);
        }
        self.loaded.keys += 1;
        Ok(())
    }
}

/// Whether nothing else is wrong with a value than that it is empty.
fn has_no_elements(error: &ferrite_rdb::Error) -> bool {
    matches!(error.kind, ErrorKind::Malformed(what) if what.contains(": it has no "))
}

fn fill(input: &mut dyn Read, buffer: &mut Vec<u8>, wanted: usize) -> io::Result<usize> {
    let missing = wanted.saturating_sub(buffer.len()).max(READ_SIZE);
    input.take(missing as u64).read_to_end(buffer)
}

/// A string as it is kept: as an integer where it is one.
pub fn string_content(text: &[u8]) -> Content<'_, Collection> {
    match crate::number::parse_int(text) {
        Some(value) => Content::Int(value),
        None => Content::Bytes(text),
    }
}
