//! Streams as they stand in RDB files: see the picture in `ferrite_rdb`'s `types/stream`.
//!
//! Nodes are checked and taken as they are; the rest comes from the decoder.

use std::collections::BTreeMap;

use ferrite_rdb::encode::{TYPE_STREAM_3, length, string, string_compressed, string_shortest};
use ferrite_rdb::{
    Body, Error, ErrorKind, Format, Sink, StreamConsumer, StreamGroup, StreamMeta, decode,
};

use super::group::{ConsumerId, Group, Pending};
use super::node::Node;
use super::{Stream, StreamId};
use crate::types::packed::Listpack;

const MALFORMED: ErrorKind = ErrorKind::Malformed("stream");

impl Stream {
    /// Appends the value as it stands in an RDB file; returns its type byte.
    pub fn to_rdb(&self, out: &mut Vec<u8>) -> u8 {
        length(out, self.nodes.len() as u64);
        for (first, node) in &self.nodes {
            string(out, &raw(*first));
            string_compressed(out, node.listpack().as_bytes());
        }
        length(out, self.length);
        for id in [self.last_id, self.first_id, self.max_deleted_id] {
            length(out, id.ms);
            length(out, id.seq);
        }
        length(out, self.entries_added);
        length(out, self.groups.len() as u64);
        for (name, group) in &self.groups {
            string_shortest(out, name);
            group.to_rdb(out);
        }
        TYPE_STREAM_3
    }

    /// Makes a stream of a value out of an RDB file or payload, with everything in it checked.
    ///
    /// # Errors
    /// What is wrong with the bytes.
    pub fn from_rdb(format: Format, type_byte: u8, body: &[u8]) -> Result<Self, Error> {
        let mut loader = Loader { stream: nodes(body)?, ..Loader::default() };
        decode(format, type_byte, body, &mut loader)?;
        loader.finish().map_err(|kind| Error::new(kind, 0))
    }
}

fn raw(id: StreamId) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&id.ms.to_be_bytes());
    bytes[8..].copy_from_slice(&id.seq.to_be_bytes());
    bytes
}

impl Group {
    fn to_rdb(&self, out: &mut Vec<u8>) {
        length(out, self.last_id.ms);
        length(out, self.last_id.seq);
        length(out, self.entries_read.unwrap_or(u64::MAX));
        length(out, self.pending().len() as u64);
        for (id, pending) in self.pending() {
            out.extend_from_slice(&raw(*id));
            out.extend_from_slice(&pending.delivered_ms.to_le_bytes());
            length(out, pending.deliveries);
        }
        length(out, self.consumer_count() as u64);
        for consumer in self.consumers() {
            string_shortest(out, &consumer.name);
            out.extend_from_slice(&consumer.seen_ms.to_le_bytes());
            out.extend_from_slice(&consumer.active_ms.to_le_bytes());
            length(out, consumer.pending().len() as u64);
            for id in consumer.pending() {
                out.extend_from_slice(&raw(*id));
            }
        }
    }
}

/// The nodes, which stand first in all versions.
fn nodes(body: &[u8]) -> Result<Stream, Error> {
    let at_start = |kind| Error::new(kind, 0);
    let mut parts = Body::new(body);
    let (mut stream, mut last) = (Stream::new(), None);
    for _ in 0..parts.length()? {
        let first = parts.string()?;
        let first: [u8; 16] = first.as_ref().try_into().map_err(|_| at_start(MALFORMED))?;
        let first = u128::from_be_bytes(first);
        let first = StreamId { ms: (first >> 64) as u64, seq: first as u64 };
        let listpack = Listpack::from_bytes(parts.string()?.into_owned()).map_err(at_start)?;
        let (node, last_of_node) = Node::from_listpack(listpack, first).map_err(at_start)?;
        if last.is_some_and(|last| last >= first) {
            return Err(at_start(ErrorKind::Malformed("stream: nodes are not in order")));
        }
        last = last_of_node;
        stream.length += node.counts().0.cast_unsigned();
        stream.nodes.insert(first, node);
    }
    Ok(stream)
}

/// Takes what follows the nodes from the decoder.
#[derive(Default)]
struct Loader {
    stream: Stream,
    group: Option<(Vec<u8>, Group)>,
    /// Delivered entries of the group whose consumer is not known yet.
    unowned: BTreeMap<StreamId, (i64, u64)>,
    consumer: Option<ConsumerId>,
    fault: Option<ErrorKind>,
}

impl Loader {
    fn fail(&mut self, what: &'static str) {
        self.fault.get_or_insert(ErrorKind::Malformed(what));
    }

    fn close_group(&mut self) {
        if !self.unowned.is_empty() {
            self.fail("stream: a delivered entry without a consumer");
        }
        if let Some((name, group)) = self.group.take()
            && self.stream.groups.insert(name, group).is_some()
        {
            self.fail("stream: a group is there twice");
        }
        self.consumer = None;
    }

    fn finish(mut self) -> Result<Stream, ErrorKind> {
        self.close_group();
        match self.fault {
            Some(fault) => Err(fault),
            None => Ok(self.stream),
        }
    }
}

impl Sink for Loader {
    fn stream_meta(&mut self, meta: &StreamMeta) {
        if meta.length != self.stream.length {
            self.fail("stream: it does not have as many entries as it says");
        }
        self.stream.find_first();
        let added = meta.entries_added.unwrap_or(meta.length);
        self.stream.set_ids(meta.last_id, Some(added), meta.max_deleted_id);
        if let Some((first, node)) = self.stream.nodes.iter().next_back()
            && node.entries(*first).last().is_some_and(|entry| entry.id > meta.last_id)
        {
            self.fail("stream: an entry is beyond the last id");
        }
    }

    fn stream_group(&mut self, group: &StreamGroup<'_>) {
        self.close_group();
        let read = match group.entries_read {
            Some(read) => u64::try_from(read).ok(),
            None => self.stream.entries_up_to(group.last_id),
        };
        self.group = Some((group.name.to_vec(), Group::new(group.last_id, read)));
    }

    fn stream_pending(&mut self, id: StreamId, delivered_ms: i64, count: u64) {
        if self.unowned.insert(id, (delivered_ms, count)).is_some() {
            self.fail("stream: an entry is pending twice");
        }
    }

    fn stream_consumer(&mut self, consumer: &StreamConsumer<'_>) {
        let Some((_, group)) = &mut self.group else { return };
        let (id, is_new) = group.add_consumer(consumer.name, consumer.seen_ms);
        if let Some(added) = group.consumer_mut(id) {
            added.active_ms = consumer.active_ms.unwrap_or(consumer.seen_ms);
        }
        self.consumer = Some(id);
        if !is_new {
            self.fail("stream: a consumer is there twice");
        }
    }

    fn stream_consumer_pending(&mut self, id: StreamId) {
        let Some((delivered_ms, deliveries)) = self.unowned.remove(&id) else {
            return self.fail("stream: a consumer has an entry that is not pending");
        };
        if let (Some((_, group)), Some(consumer)) = (&mut self.group, self.consumer) {
            group.deliver(id, Pending { delivered_ms, deliveries, consumer });
        }
    }

    fn unsupported(&mut self, _: &'static str) {
        self.fault.get_or_insert(ErrorKind::Unsupported("state of newer streams"));
    }
}
