//! Elements as commands: how a key is built where `RESTORE` cannot carry it.
//!
//! The key grows under a temporary name; `large.rs` gives it its own name when it is complete.

use std::collections::HashMap;

use ferrite_rdb::{StreamId, StreamMeta};
use ferrite_resp::encode as resp;

use crate::model::Element;

/// Elements in one variadic command.
const ELEMENTS_MAX: usize = 256;
/// Bytes of elements in one variadic command, about.
const BYTES_MAX: usize = 64 << 10;

/// What the commands for one key depend on.
#[derive(Clone, Copy, Debug)]
pub struct Dialect {
    /// `XSETID … ENTRIESADDED`, `XGROUP CREATE … ENTRIESREAD` (Redis 7.0 on).
    pub stream_counters: bool,
    /// `XGROUP CREATECONSUMER` (Redis 6.2 on).
    pub create_consumer: bool,
    /// Added to the expiries of hash fields, in milliseconds, where the target follows a source.
    pub hold_fields_ms: u64,
}

/// Turns the elements of one key into commands.
#[derive(Debug)]
pub struct KeyCommands {
    key: Vec<u8>,
    dialect: Dialect,
    /// Commands ready to be sent.
    out: Vec<u8>,
    /// How many replies [`out`](Self::out) will get.
    replies: usize,
    /// The variadic command being collected.
    name: &'static [u8],
    arguments: Vec<u8>,
    count: usize,
    /// Fields with an expiry of their own, in the fields being collected.
    field_expiries: Vec<(Vec<u8>, u64)>,
    string_left: Option<u64>,
    group: Vec<u8>,
    consumer: Vec<u8>,
    pending: HashMap<StreamId, (i64, u64)>,
    /// What could not be carried.
    pub losses: Vec<&'static str>,
}

impl KeyCommands {
    /// Commands that build `key`.
    #[must_use]
    pub fn new(key: Vec<u8>, dialect: Dialect) -> Self {
        Self {
            key,
            dialect,
            out: Vec::new(),
            replies: 0,
            name: b"",
            arguments: Vec::new(),
            count: 0,
            field_expiries: Vec::new(),
            string_left: None,
            group: Vec::new(),
            consumer: Vec::new(),
            pending: HashMap::new(),
            losses: Vec::new(),
        }
    }

    /// Takes the commands that are ready, and how many replies they will get. A string's one
    /// command may be incomplete: its reply is counted with its last byte.
    pub fn take(&mut self) -> (Vec<u8>, usize) {
        self.flush();
        (std::mem::take(&mut self.out), std::mem::take(&mut self.replies))
    }

    /// Adds an element.
    pub fn add(&mut self, element: &Element<'_>) {
        match element {
            Element::StringPart { total, piece } => self.string_part(*total, piece),
            Element::ListItem(item) => self.collect(b"RPUSH", &[item]),
            Element::SetMember(member) => self.collect(b"SADD", &[member]),
            Element::ZsetMember(member, score) => {
                self.collect(b"ZADD", &[score.to_string().as_bytes(), member]);
            }
            Element::HashField(field, value, expires_at_ms) => {
                self.collect(b"HSET", &[field, value]);
                if let Some(at) = expires_at_ms {
                    let at = at.saturating_add(self.dialect.hold_fields_ms);
                    self.field_expiries.push((field.to_vec(), at));
                }
            }
            Element::StreamEntry(id, fields) => self.stream_entry(*id, fields),
            Element::StreamMeta(meta) => self.stream_meta(meta),
            Element::StreamGroup { name, last_id, entries_read } => {
                self.stream_group(name, *last_id, *entries_read);
            }
            Element::StreamPending(id, delivered_ms, count) => {
                self.pending.insert(*id, (*delivered_ms, *count));
            }
            Element::StreamConsumer(name) => self.stream_consumer(name),
            Element::StreamConsumerPending(id) => self.stream_consumer_pending(*id),
            Element::Unsupported(what) => self.losses.push(what),
        }
    }

    fn command(&mut self, arguments: &[&[u8]]) {
        resp::command(&mut self.out, arguments);
        self.replies += 1;
    }

    /// Adds arguments to a variadic command on the key, sending off what is long enough.
    fn collect(&mut self, name: &'static [u8], arguments: &[&[u8]]) {
        if self.count >= ELEMENTS_MAX || self.arguments.len() >= BYTES_MAX {
            self.flush();
        }
        self.name = name;
        for argument in arguments {
            resp::bulk(&mut self.arguments, argument);
        }
        self.count += arguments.len();
    }

    fn flush(&mut self) {
        if self.count == 0 {
            return;
        }
        resp::array_header(&mut self.out, 2 + self.count);
        resp::bulk(&mut self.out, self.name);
        resp::bulk(&mut self.out, &self.key);
        self.out.append(&mut self.arguments);
        self.replies += 1;
        self.count = 0;
        for (field, at) in std::mem::take(&mut self.field_expiries) {
            let (key, at) = (self.key.clone(), at.to_string());
            self.command(&[b"HPEXPIREAT", &key, at.as_bytes(), b"FIELDS", b"1", &field]);
        }
    }

    /// One `SET` whose value is sent as it comes: nothing holds the whole string.
    fn string_part(&mut self, total: u64, piece: &[u8]) {
        let left = self.string_left.unwrap_or_else(|| {
            resp::array_header(&mut self.out, 3);
            resp::bulk(&mut self.out, b"SET");
            resp::bulk(&mut self.out, &self.key);
            resp::bulk_header(&mut self.out, usize::try_from(total).unwrap_or(usize::MAX));
            total
        });
        self.out.extend_from_slice(piece);
        let left = left.saturating_sub(piece.len() as u64);
        self.string_left = Some(left);
        if left == 0 {
            self.out.extend_from_slice(resp::END_OF_BULK);
            self.replies += 1;
        }
    }

    fn stream_entry(&mut self, id: StreamId, fields: &[&[u8]]) {
        resp::array_header(&mut self.out, 3 + fields.len());
        resp::bulk(&mut self.out, b"XADD");
        resp::bulk(&mut self.out, &self.key);
        resp::bulk(&mut self.out, id.to_string().as_bytes());
        for field in fields {
            resp::bulk(&mut self.out, field);
        }
        self.replies += 1;
    }

    fn stream_meta(&mut self, meta: &StreamMeta) {
        let key = self.key.clone();
        if meta.length == 0 {
            self.command(&[b"XGROUP", b"CREATE", &key, b"ferrite-migrate", b"0", b"MKSTREAM"]);
            self.command(&[b"XGROUP", b"DESTROY", &key, b"ferrite-migrate"]);
        }
        let last_id = meta.last_id.to_string();
        match (meta.entries_added, meta.max_deleted_id) {
            (Some(added), Some(deleted)) if self.dialect.stream_counters => {
                let (added, deleted) = (added.to_string(), deleted.to_string());
                let (added, deleted) = (added.as_bytes(), deleted.as_bytes());
                let last_id = last_id.as_bytes();
                let counters: [&[u8]; 4] = [b"ENTRIESADDED", added, b"MAXDELETEDID", deleted];
                let [added_name, added, deleted_name, deleted] = counters;
                self.command(&[b"XSETID", &key, last_id, added_name, added, deleted_name, deleted]);
            }
            _ => self.command(&[b"XSETID", &key, last_id.as_bytes()]),
        }
    }

    fn stream_group(&mut self, name: &[u8], last_id: StreamId, entries_read: Option<i64>) {
        self.group = name.to_vec();
        self.pending.clear();
        let (key, last_id) = (self.key.clone(), last_id.to_string());
        let read = entries_read.filter(|_| self.dialect.stream_counters).map(|n| n.to_string());
        let mut arguments: Vec<&[u8]> = vec![b"XGROUP", b"CREATE", &key, name, last_id.as_bytes()];
        if let Some(read) = &read {
            arguments.extend([&b"ENTRIESREAD"[..], read.as_bytes()]);
        }
        self.command(&arguments);
    }

    fn stream_consumer(&mut self, name: &[u8]) {
        self.consumer = name.to_vec();
        if self.dialect.create_consumer {
            let (key, group) = (self.key.clone(), self.group.clone());
            self.command(&[b"XGROUP", b"CREATECONSUMER", &key, &group, name]);
        }
    }

    fn stream_consumer_pending(&mut self, id: StreamId) {
        let (delivered_ms, count) = self.pending.remove(&id).unwrap_or((0, 1));
        let (key, group, consumer) = (self.key.clone(), self.group.clone(), self.consumer.clone());
        let (id, time, count) = (id.to_string(), delivered_ms.to_string(), count.to_string());
        self.command(&[
            b"XCLAIM",
            &key,
            &group,
            &consumer,
            b"0",
            id.as_bytes(),
            b"TIME",
            time.as_bytes(),
            b"RETRYCOUNT",
            count.as_bytes(),
            b"FORCE",
            b"JUSTID",
        ]);
    }
}
