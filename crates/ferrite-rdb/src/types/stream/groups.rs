//! Consumer groups, and what streams of types 26 and 27 have on top.

use super::{Step, StreamBody, id, raw_id};
use crate::cursor::{Cursor, Scan, Scratch};
use crate::{Sink, StreamConsumer, StreamGroup};

/// Reported for entries given back by their consumer without being acknowledged.
const NACK_ZONE: &str = "entries in the NACK zone of a stream group (XNACK)";
/// Reported for the ids idempotent producers have used.
const PRODUCERS: &str = "idempotent producers of a stream (XADD IDMP)";

impl StreamBody {
    /// A group up to its pending entries.
    pub(super) fn group<S: Sink + ?Sized>(
        &mut self,
        version: u8,
        cursor: &mut Cursor<'_>,
        scratch: &mut Scratch,
        sink: &mut S,
    ) -> Scan<Step> {
        let name = cursor.text(scratch)?;
        let last_id = id(cursor)?;
        let entries_read = if version >= 2 { Some(cursor.length()?.cast_signed()) } else { None };
        let pending = cursor.length()?;
        sink.stream_group(&StreamGroup { name, last_id, entries_read });
        self.groups -= 1;
        Ok(Step::Pending(pending))
    }

    /// A pending entry, a consumer, or an id a consumer owns.
    pub(super) fn members<S: Sink + ?Sized>(
        &mut self,
        version: u8,
        cursor: &mut Cursor<'_>,
        scratch: &mut Scratch,
        sink: &mut S,
    ) -> Scan<Step> {
        match self.step {
            Step::Pending(0) => {
                self.consumers = cursor.length()?;
                Ok(Step::Consumer)
            }
            Step::Pending(left) => {
                pending(cursor, sink)?;
                Ok(Step::Pending(left - 1))
            }
            Step::ConsumerPending(left) if left > 0 => {
                sink.stream_consumer_pending(raw_id(cursor)?);
                Ok(Step::ConsumerPending(left - 1))
            }
            _ if self.consumers > 0 => {
                let pending = consumer(version, cursor, scratch, sink)?;
                self.consumers -= 1;
                Ok(Step::ConsumerPending(pending))
            }
            _ if version >= 5 => Ok(Step::Nacked),
            _ => Ok(Step::Group),
        }
    }

    /// What types 26 and 27 have; reported, not carried on.
    pub(super) fn newer<S: Sink + ?Sized>(
        &mut self,
        cursor: &mut Cursor<'_>,
        sink: &mut S,
    ) -> Scan<Step> {
        match self.step {
            Step::Nacked => {
                let count = cursor.length()?;
                if count > 0 {
                    sink.unsupported(NACK_ZONE);
                }
                Ok(Step::NackedIds(count))
            }
            Step::NackedIds(0) => Ok(Step::Group),
            Step::NackedIds(left) => {
                raw_id(cursor)?;
                Ok(Step::NackedIds(left - 1))
            }
            _ => producers(self.step, cursor, sink),
        }
    }
}

fn pending<S: Sink + ?Sized>(cursor: &mut Cursor<'_>, sink: &mut S) -> Scan<()> {
    let id = raw_id(cursor)?;
    let delivered_ms = i64::from_le_bytes(cursor.array()?);
    let count = cursor.length()?;
    sink.stream_pending(id, delivered_ms, count);
    Ok(())
}

/// A consumer; returns how many ids it owns.
fn consumer<S: Sink + ?Sized>(
    version: u8,
    cursor: &mut Cursor<'_>,
    scratch: &mut Scratch,
    sink: &mut S,
) -> Scan<u64> {
    let name = cursor.text(scratch)?;
    let seen_ms = i64::from_le_bytes(cursor.array()?);
    let active_ms = if version >= 3 { Some(i64::from_le_bytes(cursor.array()?)) } else { None };
    let pending = cursor.length()?;
    sink.stream_consumer(&StreamConsumer { name, seen_ms, active_ms });
    Ok(pending)
}

/// Idempotent producers: how long and how many ids they keep, and the ids.
fn producers<S: Sink + ?Sized>(step: Step, cursor: &mut Cursor<'_>, sink: &mut S) -> Scan<Step> {
    match step {
        Step::Producers => {
            let (_duration, _most_entries) = (cursor.length()?, cursor.length()?);
            let producers = cursor.length()?;
            if producers > 0 {
                sink.unsupported(PRODUCERS);
            }
            Ok(Step::Producer(producers))
        }
        Step::Producer(0) => Ok(Step::Counters),
        Step::Producer(left) => {
            cursor.skip_string()?;
            Ok(Step::ProducerEntries { producers: left - 1, entries: cursor.length()? })
        }
        Step::ProducerEntries { producers, entries: 0 } => Ok(Step::Producer(producers)),
        Step::ProducerEntries { producers, entries } => {
            cursor.skip_string()?;
            id(cursor)?;
            Ok(Step::ProducerEntries { producers, entries: entries - 1 })
        }
        _ => {
            let (_added, _duplicates) = (cursor.length()?, cursor.length()?);
            Ok(Step::End)
        }
    }
}
