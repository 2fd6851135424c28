//! All keys and function libraries as they are at one moment, as an RDB stream.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ferrite_rdb::transcode::{Reencoded, Target, reencode};
use ferrite_rdb::writer::{KeyAttributes, Writer};
use ferrite_rdb::{Format, encode};
use ferrite_store::table::{Entry, Sink, Value};
use ferrite_store::types::Collection;
use parking_lot::Mutex;

use crate::shared::{Shared, unix_ms};
use crate::store::{Held, SHARDS, Shard, ShardSet};

/// Keys written under one lock of a shard: a few hundred microseconds for small ones.
const KEYS_PER_LOCK: usize = 512;

/// The RDB version that is written: that of Redis 7.2.
pub const FORMAT: Format = Format::redis(11);

/// The version for readers that may be older: that of Redis 7.0.
const OLDER: Format = Format::redis(10);

/// The last type byte that it has.
const OLDER_TYPES: u8 = encode::TYPE_STREAM_2;

/// Who reads an RDB stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readers {
    /// Those that read [`FORMAT`].
    Current,
    /// Redis 7.0 too, where its version holds everything that is there.
    Older,
}

/// The keys of one database in one shard that are written and not fetched yet.
type Pending = Arc<Mutex<Vec<u8>>>;

/// Writes entries into memory; called under the lock of the shard.
struct Saver {
    pending: Pending,
    writer: Writer,
    body: Vec<u8>,
    /// Type byte and body for an older reader, where these differ.
    older: Vec<u8>,
}

impl Saver {
    fn new(pending: Pending, format: Format) -> Self {
        let writer = Writer::new(format, false);
        Self { pending, writer, body: Vec::new(), older: Vec::new() }
    }
}

impl Sink<Collection> for Saver {
    fn save(&mut self, entry: Entry<'_, Collection>) {
        self.body.clear();
        let type_byte = encode_value(&mut self.body, entry.value);
        let (type_byte, body) = match self.writer.format() == OLDER && type_byte > OLDER_TYPES {
            true => older(type_byte, &self.body, &mut self.older),
            false => (type_byte, &*self.body),
        };
        let expires_at_ms = entry.expires_at.and_then(|time| u64::try_from(time).ok());
        let attributes = KeyAttributes { expires_at_ms, ..KeyAttributes::default() };
        let mut pending = self.pending.lock();
        self.writer.entry(&mut pending, &attributes, entry.key, type_byte, body);
    }
}

/// Type byte and body of a value as [`OLDER`] has it; `out` keeps them.
fn older<'v>(type_byte: u8, body: &'v [u8], out: &'v mut Vec<u8>) -> (u8, &'v [u8]) {
    out.clear();
    match reencode(FORMAT, type_byte, body, &Target::new(OLDER), out) {
        Ok(Reencoded::Written(losses)) if losses.is_empty() => {}
        // Nothing of the kind is there when this version is chosen: see `format`. A value that is
        // sent as it is has the replica refuse the stream; half of one would not be noticed.
        other => {
            tracing::error!("a value of type {type_byte} for an older replica: {other:?}");
            out.clear();
        }
    }
    out.split_first().map_or((type_byte, body), |(type_byte, body)| (*type_byte, body))
}

/// Appends a value as it stands in an RDB file or a payload, and returns its type byte.
pub fn encode_value(out: &mut Vec<u8>, value: Value<'_, Collection>) -> u8 {
    match value {
        Value::Int(value) => {
            encode::string_shortest(out, itoa::Buffer::new().format(value).as_bytes());
            encode::TYPE_STRING
        }
        Value::Bytes { bytes, .. } => {
            encode::string_shortest(out, bytes);
            encode::TYPE_STRING
        }
        Value::Object(collection) => collection.to_rdb(out),
    }
}

/// What stands at the head of a stream about replication.
#[derive(Debug, Clone)]
pub struct Origin {
    /// The id of the replication log.
    pub id: String,
    /// Its offset at the cut.
    pub offset: u64,
}

/// Writes all keys as they are at one moment. `cut` is called at that moment, while nothing can
/// change; what it returns about the replication log goes into the stream, and comes back. The
/// version is the lowest that `readers` may need and that holds all keys as they are.
///
/// # Errors
/// What `out` returns; the snapshot is given up then.
pub fn write(
    shared: &Shared,
    readers: Readers,
    cut: impl FnOnce() -> Origin,
    out: &mut dyn FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<()> {
    let _one_at_a_time = shared.persistence.running.lock();
    let mut held = Held::nothing(&shared.store);
    held.acquire(ShardSet::ALL);
    let format = format(readers, &held);
    let pending = begin(shared, &mut held, format);
    let sizes = sizes(shared, &held);
    let libraries = shared.scripting.libraries();
    let origin = cut();
    held.release();
    let mut stream = Stream::begin(format, &origin);
    stream.functions(&libraries);
    let written = write_all(shared, &mut held, &pending, &sizes, stream, out);
    if written.is_err() {
        held.acquire(ShardSet::ALL);
        for shard in held.shards_mut() {
            shard.tables.iter_mut().for_each(|table| drop(table.end_snapshot()));
        }
    }
    written
}

/// The lowest version that these readers may need, of those that hold all that is there. All
/// shards are held.
fn format(readers: Readers, held: &Held<'_>) -> Format {
    let needs_newest = |shard: &Shard| shard.consumers || !shard.fields.is_empty();
    match readers {
        Readers::Older if !held.shards().any(needs_newest) => OLDER,
        _ => FORMAT,
    }
}

/// Begins a snapshot of every table; its pending bytes by shard and database.
fn begin(shared: &Shared, held: &mut Held<'_>, format: Format) -> Vec<Vec<Pending>> {
    let databases = shared.store.databases();
    let mut all = Vec::with_capacity(SHARDS);
    for shard in held.shards_mut() {
        let pending: Vec<Pending> = (0..databases).map(|_| Pending::default()).collect();
        for (table, pending) in shard.tables.iter_mut().zip(&pending) {
            let pending = Arc::clone(pending);
            table.begin_snapshot(Box::new(Saver::new(pending, format)));
        }
        all.push(pending);
    }
    all
}

/// How many keys each database has, and how many that expire.
fn sizes(shared: &Shared, held: &Held<'_>) -> Vec<(u64, u64)> {
    let of = |db: usize| {
        held.shards()
            .filter_map(|shard| shard.tables.get(db))
            .fold((0, 0), |(keys, times), table| {
                (keys + table.len() as u64, times + table.expiring() as u64)
            })
    };
    (0..shared.store.databases()).map(of).collect()
}

/// Waits as long as tests want it (`rdb-key-save-delay`), unless the server ends.
fn delay(shared: &Shared) {
    /// How often it is looked whether that is still wanted.
    const STEP: Duration = Duration::from_millis(5);
    let began = Instant::now();
    loop {
        let wanted = shared.config.snapshots.rdb_key_save_delay.get();
        let wanted = Duration::from_micros(u64::try_from(wanted).unwrap_or(0));
        let rest = wanted.saturating_sub(began.elapsed());
        if rest.is_zero() || shared.is_stopping() {
            return;
        }
        std::thread::sleep(rest.min(STEP));
    }
}

fn write_all(
    shared: &Shared,
    held: &mut Held<'_>,
    pending: &[Vec<Pending>],
    sizes: &[(u64, u64)],
    mut stream: Stream,
    out: &mut dyn FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<()> {
    let mut said = vec![false; sizes.len()];
    for (shard, pending) in (0_u8..).zip(pending) {
        let mut done = false;
        while !done {
            held.acquire(ShardSet::of_shard(shard));
            done = true;
            for table in &mut held.shard_mut(shard).tables {
                done &= table.save_next(KEYS_PER_LOCK);
                if done {
                    drop(table.end_snapshot());
                }
            }
            held.release();
            let mut any = false;
            for (db, pending) in pending.iter().enumerate() {
                let keys = std::mem::take(&mut *pending.lock());
                if !keys.is_empty() {
                    any = true;
                    let size = sizes.get(db).filter(|_| !std::mem::replace(&mut said[db], true));
                    stream.keys(db, size, &keys);
                }
            }
            out(&std::mem::take(&mut stream.bytes))?;
            if any {
                delay(shared);
            }
        }
    }
    let Stream { writer, mut bytes, .. } = stream;
    writer.end(&mut bytes);
    out(&bytes)
}

/// The stream as a whole, with its checksum.
struct Stream {
    writer: Writer,
    bytes: Vec<u8>,
    db: Option<usize>,
}

impl Stream {
    fn begin(format: Format, origin: &Origin) -> Self {
        let mut writer = Writer::new(format, false);
        let bytes = &mut Vec::new();
        writer.header(bytes);
        let version = crate::commands::REDIS_VERSION;
        writer.aux(bytes, b"redis-ver", version.as_bytes());
        writer.aux(bytes, b"redis-bits", b"64");
        writer.aux(bytes, b"ctime", (unix_ms() / 1000).to_string().as_bytes());
        writer.aux(bytes, b"repl-stream-db", b"0");
        writer.aux(bytes, b"repl-id", origin.id.as_bytes());
        writer.aux(bytes, b"repl-offset", origin.offset.to_string().as_bytes());
        writer.aux(bytes, b"aof-base", b"0");
        Self { writer, bytes: std::mem::take(bytes), db: None }
    }

    fn functions(&mut self, libraries: &[Arc<[u8]>]) {
        for code in libraries {
            // The format has functions.
            let _ = self.writer.function(&mut self.bytes, code);
        }
    }

    fn keys(&mut self, db: usize, size: Option<&(u64, u64)>, keys: &[u8]) {
        if self.db != Some(db) {
            self.writer.select_db(&mut self.bytes, db as u64);
            self.db = Some(db);
        }
        if let Some((all, expiring)) = size {
            self.writer.resize_db(&mut self.bytes, *all, *expiring);
        }
        self.writer.value_part(&mut self.bytes, keys);
    }
}

/// A whole stream without a key, for replicas that want to know only where the log is.
pub fn empty(origin: &Origin, libraries: &[Arc<[u8]>]) -> Vec<u8> {
    let mut stream = Stream::begin(FORMAT, origin);
    stream.functions(libraries);
    let Stream { writer, mut bytes, .. } = stream;
    writer.end(&mut bytes);
    bytes
}
