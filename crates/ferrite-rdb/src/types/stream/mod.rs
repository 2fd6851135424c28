//! Streams: nodes of entries, then the stream's own state, then its consumer groups.
//!
//! ```text
//! n nodes: (16-byte id as a string, BE | string holding a listpack)
//! length, last id (ms, seq)
//! [19 on: first id, max deleted id, entries added]
//! n groups: name, last id, [19 on: entries read]
//!     n pending: 16-byte id (BE), delivered ms (8, LE), delivery count
//!     n consumers: name, seen ms (8, LE), [21 on: active ms (8, LE)], n ids of 16 bytes (BE)
//!     [27 on: n ids of 16 bytes (BE) in the NACK zone]
//! [26 on: duration, most entries, n producers: (name, n: (name, ms, seq)), added, duplicates]
//! ```
//!
//! Numbers without a width are lengths. Type 15 is version 1 here, 19, 21, 26, 27 are 2 to 5.

mod groups;
mod node;
mod skip;

pub(crate) use skip::skip;

use crate::cursor::{Cursor, Scan, Scratch};
use crate::{Sink, StreamFields, StreamId, StreamMeta};

/// How far a stream has been read.
#[derive(Debug, Default)]
pub(crate) struct StreamBody {
    step: Step,
    groups: u64,
    consumers: u64,
    fields: StreamFields,
}

/// What comes next; a number is how many are left of it.
#[derive(Clone, Copy, Debug, Default)]
enum Step {
    #[default]
    Begin,
    Nodes(u64),
    Group,
    Pending(u64),
    Consumer,
    ConsumerPending(u64),
    Nacked,
    NackedIds(u64),
    Producers,
    Producer(u64),
    ProducerEntries {
        producers: u64,
        entries: u64,
    },
    Counters,
    End,
}

impl StreamBody {
    pub(crate) fn run<S: Sink + ?Sized>(
        &mut self,
        version: u8,
        cursor: &mut Cursor<'_>,
        scratch: &mut Scratch,
        sink: &mut S,
    ) -> Scan<()> {
        while !matches!(self.step, Step::End) {
            self.step = self.advance(version, cursor, scratch, sink)?;
            cursor.commit();
        }
        Ok(())
    }

    /// Reads one unit and says what comes after it. Nothing is changed before the unit is known
    /// to be complete.
    fn advance<S: Sink + ?Sized>(
        &mut self,
        version: u8,
        cursor: &mut Cursor<'_>,
        scratch: &mut Scratch,
        sink: &mut S,
    ) -> Scan<Step> {
        match self.step {
            Step::Begin => cursor.length().map(Step::Nodes),
            Step::Nodes(0) => {
                let meta = meta(version, cursor)?;
                self.groups = cursor.length()?;
                sink.stream_meta(&meta);
                Ok(Step::Group)
            }
            Step::Nodes(left) => {
                node::entries(cursor, scratch, &mut self.fields, sink)?;
                Ok(Step::Nodes(left - 1))
            }
            Step::Group if self.groups == 0 && version >= 4 => Ok(Step::Producers),
            Step::Group if self.groups == 0 => Ok(Step::End),
            Step::Group => self.group(version, cursor, scratch, sink),
            Step::Pending(_) | Step::Consumer | Step::ConsumerPending(_) => {
                self.members(version, cursor, scratch, sink)
            }
            _ => self.newer(cursor, sink),
        }
    }
}

/// The state between the entries and the groups.
fn meta(version: u8, cursor: &mut Cursor<'_>) -> Scan<StreamMeta> {
    let mut meta =
        StreamMeta { length: cursor.length()?, last_id: id(cursor)?, ..StreamMeta::default() };
    if version >= 2 {
        meta.first_id = Some(id(cursor)?);
        meta.max_deleted_id = Some(id(cursor)?);
        meta.entries_added = Some(cursor.length()?);
    }
    Ok(meta)
}

/// An id as two lengths.
fn id(cursor: &mut Cursor<'_>) -> Scan<StreamId> {
    Ok(StreamId { ms: cursor.length()?, seq: cursor.length()? })
}

/// An id as sixteen bytes.
fn raw_id(cursor: &mut Cursor<'_>) -> Scan<StreamId> {
    Ok(StreamId {
        ms: u64::from_be_bytes(cursor.array()?),
        seq: u64::from_be_bytes(cursor.array()?),
    })
}
