//! Turns a batch into the commands that cost the target least.
//!
//! * a short string without expiry travels with up to fifty others in one `MSET`;
//! * a short string with an expiry by `SET … PXAT`;
//! * everything else by `RESTORE`, with its bytes as they are or re-encoded for the target.
//!
//! Under the policies `fail` and `skip` the same commands come in the form that never overwrites:
//! `MSETNX`, `SET … NX`, `RESTORE` without `REPLACE`.

use ferrite_commands::slot;
use ferrite_rdb::transcode::{Reencoded, Route, RouteTable, reencode};
use ferrite_rdb::{Format, Sink, decode, dump};
use ferrite_resp::encode as resp;

use super::Capabilities;
use crate::config::OnConflict;
use crate::engine::now_ms;
use crate::error::{ErrorKind, MigrateError};
use crate::model::{Batch, Record};
use crate::report::key_text;

/// How many strings travel in one `MSET`: beyond it the target gains nothing measurable, and
/// other clients wait longer.
const MSET_KEYS_MAX: usize = 50;
/// Stored bytes up to which a string goes by `MSET` or `SET`; above, `RESTORE` of the possibly
/// compressed bytes is the smaller transfer.
const STRING_STORED_MAX: usize = 1024;

/// What a reply answers.
#[derive(Clone, Copy, Debug)]
pub enum Expect {
    /// A `SELECT`.
    Select,
    /// An `MSET` or `MSETNX`: so many of [`Encoded::strings`] from an index on.
    Strings {
        /// First index.
        start: u32,
        /// How many.
        count: u32,
    },
    /// One key, by its index in the batch.
    Key(u32),
}

/// Why a key of the batch is not among the commands.
#[derive(Debug)]
pub enum LeftOut {
    /// Its time has passed.
    Expired,
    /// The target cannot hold it.
    Impossible(&'static str),
    /// It must be written by commands, element by element.
    ByCommands,
}

/// A batch as commands.
#[derive(Debug, Default)]
pub struct Encoded {
    /// The commands.
    pub bytes: Vec<u8>,
    /// What each reply answers, in order.
    pub expects: Vec<Expect>,
    /// Indices of the keys that travel in `MSET`s.
    pub strings: Vec<u32>,
    /// Keys that are not among the commands.
    pub left_out: Vec<(u32, LeftOut)>,
    /// Parts of values that the target's format cannot carry.
    pub losses: Vec<(u32, &'static str)>,
}

/// Encodes batches for one target.
#[derive(Debug)]
pub struct Encoder {
    capabilities: Capabilities,
    routes: Vec<(Format, RouteTable)>,
    mset: Vec<u8>,
    mset_keys: usize,
    /// The slot of the keys in it, where that matters.
    mset_slot: u16,
    scratch: Vec<u8>,
}

impl Encoder {
    /// An encoder for a target.
    #[must_use]
    pub fn new(capabilities: Capabilities) -> Self {
        Self {
            capabilities,
            routes: Vec::new(),
            mset: Vec::new(),
            mset_keys: 0,
            mset_slot: 0,
            scratch: Vec::new(),
        }
    }

    /// Encodes a batch; `select` is the database to change to first.
    ///
    /// # Errors
    /// A value whose bytes contradict their format, with its key.
    pub fn encode(&mut self, batch: &Batch, select: Option<u32>) -> Result<Encoded, MigrateError> {
        let all = 0..u32::try_from(batch.records.len()).unwrap_or(u32::MAX);
        let mut encoded = Encoded::default();
        encoded.bytes.reserve(batch.bytes() + batch.records.len() * 64);
        self.encode_keys(batch, all, select, &mut encoded)?;
        Ok(encoded)
    }

    /// Encodes some keys of a batch, behind what is encoded already.
    ///
    /// # Errors
    /// As [`encode`](Self::encode).
    pub fn encode_keys(
        &mut self,
        batch: &Batch,
        keys: impl IntoIterator<Item = u32>,
        select: Option<u32>,
        encoded: &mut Encoded,
    ) -> Result<(), MigrateError> {
        if let Some(db) = select {
            resp::command(&mut encoded.bytes, &[&b"SELECT"[..], db.to_string().as_bytes()]);
            encoded.expects.push(Expect::Select);
        }
        let table = self.routes(batch.format);
        let now = now_ms();
        for index in keys {
            let Some(record) = batch.records.get(index as usize) else { continue };
            if record.head.expires_at_ms.is_some_and(|at| at <= now) {
                encoded.left_out.push((index, LeftOut::Expired));
                continue;
            }
            let route = self.routes[table].1.route(record.head.type_byte, batch.value(record));
            self.record(batch, record, index, route, encoded)?;
        }
        self.flush_mset(encoded);
        Ok(())
    }

    /// The position of the routes for a format, computed when it is first seen.
    fn routes(&mut self, format: Format) -> usize {
        if let Some(known) = self.routes.iter().position(|(known, _)| *known == format) {
            return known;
        }
        let table = RouteTable::new(format, &self.capabilities.values);
        self.routes.push((format, table));
        self.routes.len() - 1
    }

    fn record(
        &mut self,
        batch: &Batch,
        record: &Record,
        index: u32,
        route: Route,
        encoded: &mut Encoded,
    ) -> Result<(), MigrateError> {
        if let Route::Impossible(reason) = route {
            encoded.left_out.push((index, LeftOut::Impossible(reason)));
            return Ok(());
        }
        if self.is_short_string(batch, record) {
            return self.string(batch, record, index, encoded);
        }
        if !self.capabilities.restore {
            encoded.left_out.push((index, LeftOut::ByCommands));
            return Ok(());
        }
        if matches!(route, Route::Reencode) {
            return self.restore_reencoded(batch, record, index, encoded);
        }
        self.restore(batch, record, encoded);
        encoded.expects.push(Expect::Key(index));
        Ok(())
    }

    fn is_short_string(&self, batch: &Batch, record: &Record) -> bool {
        let head = &record.head;
        head.type_byte == 0
            && self.capabilities.set
            && batch.value(record).len() <= STRING_STORED_MAX
            && (head.expires_at_ms.is_none() || self.capabilities.set_pxat)
            && head.idle_s.is_none()
            && head.freq.is_none()
    }

    fn string(
        &mut self,
        batch: &Batch,
        record: &Record,
        index: u32,
        encoded: &mut Encoded,
    ) -> Result<(), MigrateError> {
        let key = batch.key(record);
        let Some(expires_at_ms) = record.head.expires_at_ms else {
            if self.capabilities.by_slot {
                // One command may only touch one slot.
                let last = std::mem::replace(&mut self.mset_slot, slot(key));
                if last != self.mset_slot {
                    self.flush_mset(encoded);
                }
            }
            resp::bulk(&mut self.mset, key);
            bulk_string(&mut self.mset, batch, record)?;
            encoded.strings.push(index);
            self.mset_keys += 1;
            if self.mset_keys == MSET_KEYS_MAX {
                self.flush_mset(encoded);
            }
            return Ok(());
        };
        let nx = self.capabilities.on_conflict != OnConflict::Replace;
        let out = &mut encoded.bytes;
        resp::array_header(out, 5 + usize::from(nx));
        resp::bulk(out, b"SET");
        resp::bulk(out, key);
        bulk_string(out, batch, record)?;
        if nx {
            resp::bulk(out, b"NX");
        }
        resp::bulk(out, b"PXAT");
        resp::bulk_integer(out, i64::try_from(expires_at_ms).unwrap_or(i64::MAX));
        encoded.expects.push(Expect::Key(index));
        Ok(())
    }

    fn flush_mset(&mut self, encoded: &mut Encoded) {
        if self.mset_keys == 0 {
            return;
        }
        let count = u32::try_from(self.mset_keys).unwrap_or(u32::MAX);
        let end = u32::try_from(encoded.strings.len()).unwrap_or(u32::MAX);
        resp::array_header(&mut encoded.bytes, 1 + 2 * self.mset_keys);
        let replace = self.capabilities.on_conflict == OnConflict::Replace;
        resp::bulk(&mut encoded.bytes, if replace { b"MSET" } else { b"MSETNX" });
        encoded.bytes.extend_from_slice(&self.mset);
        encoded.expects.push(Expect::Strings { start: end - count, count });
        self.mset.clear();
        self.mset_keys = 0;
    }

    fn restore(&self, batch: &Batch, record: &Record, encoded: &mut Encoded) {
        let values = &self.capabilities.values;
        let out = &mut encoded.bytes;
        self.restore_header(out, batch.key(record), record);
        let accepted = |payload: &&[u8]| values.accepts_version(footer_version(payload));
        match batch.payload(record).filter(accepted) {
            Some(payload) => resp::bulk(out, payload),
            None => {
                let value = batch.value(record);
                resp::bulk_header(out, dump::payload_len(value.len()));
                dump::write(out, record.head.type_byte, value, values.footer_version());
                out.extend_from_slice(resp::END_OF_BULK);
            }
        }
        self.restore_options(out, record);
    }

    fn restore_reencoded(
        &mut self,
        batch: &Batch,
        record: &Record,
        index: u32,
        encoded: &mut Encoded,
    ) -> Result<(), MigrateError> {
        let key = batch.key(record);
        self.scratch.clear();
        let start = dump::begin(&self.scratch);
        let values = &self.capabilities.values;
        let value = batch.value(record);
        let type_byte = record.head.type_byte;
        let result = reencode(batch.format, type_byte, value, values, &mut self.scratch);
        let losses = match result.map_err(|error| data_error(key, &error))? {
            Reencoded::Written(losses) => losses,
            Reencoded::Impossible(reason) => {
                encoded.left_out.push((index, LeftOut::Impossible(reason)));
                return Ok(());
            }
        };
        dump::finish(&mut self.scratch, start, values.footer_version());
        self.restore_header(&mut encoded.bytes, key, record);
        resp::bulk(&mut encoded.bytes, &self.scratch);
        self.restore_options(&mut encoded.bytes, record);
        encoded.losses.extend(losses.into_iter().map(|loss| (index, loss)));
        encoded.expects.push(Expect::Key(index));
        Ok(())
    }

    fn restore_header(&self, out: &mut Vec<u8>, key: &[u8], record: &Record) {
        let head = &record.head;
        let replace = self.capabilities.on_conflict == OnConflict::Replace;
        let absolute = head.expires_at_ms.is_some() && self.capabilities.restore_absttl;
        let access = self.access(record).is_some();
        let arguments = 4 + usize::from(replace) + usize::from(absolute) + 2 * usize::from(access);
        resp::array_header(out, arguments);
        resp::bulk(out, b"RESTORE");
        resp::bulk(out, key);
        let ttl = match head.expires_at_ms {
            None => 0,
            Some(at) if absolute => at,
            Some(at) => at.saturating_sub(now_ms()).max(1),
        };
        resp::bulk_integer(out, i64::try_from(ttl).unwrap_or(i64::MAX));
    }

    fn restore_options(&self, out: &mut Vec<u8>, record: &Record) {
        if self.capabilities.on_conflict == OnConflict::Replace {
            resp::bulk(out, b"REPLACE");
        }
        if record.head.expires_at_ms.is_some() && self.capabilities.restore_absttl {
            resp::bulk(out, b"ABSTTL");
        }
        if let Some((option, value)) = self.access(record) {
            resp::bulk(out, option);
            resp::bulk_integer(out, value);
        }
    }

    /// The option that carries access data, where there is any and the target takes it.
    fn access(&self, record: &Record) -> Option<(&'static [u8], i64)> {
        if !self.capabilities.restore_absttl {
            return None;
        }
        let idle = record.head.idle_s.map(|seconds| i64::try_from(seconds).unwrap_or(i64::MAX));
        let freq = record.head.freq.map(i64::from);
        idle.map(|seconds| (&b"IDLETIME"[..], seconds)).or(freq.map(|freq| (&b"FREQ"[..], freq)))
    }
}

/// The RDB version in a payload's footer.
fn footer_version(payload: &[u8]) -> u32 {
    let footer = payload.len().saturating_sub(dump::FOOTER_LEN);
    match payload.get(footer..footer + 2) {
        Some(&[low, high]) => u32::from(u16::from_le_bytes([low, high])),
        _ => u32::MAX,
    }
}

/// Writes a stored string as one bulk string.
struct BulkString<'a> {
    out: &'a mut Vec<u8>,
    begun: bool,
}

impl Sink for BulkString<'_> {
    fn string_part(&mut self, total: u64, piece: &[u8]) {
        if !self.begun {
            resp::bulk_header(self.out, usize::try_from(total).unwrap_or(usize::MAX));
            self.begun = true;
        }
        self.out.extend_from_slice(piece);
    }
}

fn bulk_string(out: &mut Vec<u8>, batch: &Batch, record: &Record) -> Result<(), MigrateError> {
    let mut sink = BulkString { out, begun: false };
    decode(batch.format, record.head.type_byte, batch.value(record), &mut sink)
        .map_err(|error| data_error(batch.key(record), &error))?;
    out.extend_from_slice(resp::END_OF_BULK);
    Ok(())
}

/// A value that cannot be understood, with its key.
pub fn data_error(key: &[u8], error: &ferrite_rdb::Error) -> MigrateError {
    MigrateError::new(
        ErrorKind::Data,
        format!("reading the value of key \"{}\" from the source", key_text(key)),
        error,
    )
    .with_hint("check the source with redis-check-rdb; --exclude leaves the key out")
}
