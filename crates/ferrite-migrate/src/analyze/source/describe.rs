//! What a sample of the keys is: type, memory, expiry, elements of each.

use std::time::{Duration, Instant};

use ferrite_client::{ClientError, Pipeline, ReplyError, Value};
use ferrite_rdb::ValueKind;

use super::{hold_back, lost};
use crate::analyze::{Analysis, KeyFacts, Size, Tally};
use crate::engine::{Job, now_ms};
use crate::error::MigrateError;
use crate::preflight::Server;
use crate::scan::Scanner;

/// Keys that are looked at, at most.
const SAMPLE_MAX: u64 = 20_000;
/// Keys of each database that are looked at in any case, if it has as many.
const OF_EACH_MIN: u64 = 100;
/// How long keys are looked at, all databases together.
const LASTS: Duration = Duration::from_secs(1);
/// Keys asked for together: the source answers others in between.
const TOGETHER: usize = 100;
/// Names of encodings, as `OBJECT ENCODING` tells them.
const ENCODINGS: [&str; 13] = [
    "raw",
    "int",
    "embstr",
    "listpack",
    "listpackex",
    "ziplist",
    "quicklist",
    "linkedlist",
    "intset",
    "hashtable",
    "skiplist",
    "stream",
    "zipmap",
];

/// Keys that were looked at.
pub struct Sample {
    /// Their counts.
    pub analysis: Analysis,
    /// Whether `MEMORY USAGE` told their sizes.
    pub memory_told: bool,
}

/// A reply of a pipeline.
type Reply = Result<Value, ReplyError>;

/// Looks at keys of every database of every server, as many of each as it has its share of all.
///
/// # Errors
/// The loss of the source.
pub async fn sample(
    job: &Job,
    servers: &mut [&mut Server],
    top: usize,
) -> Result<Sample, MigrateError> {
    let mut sampler =
        Sampler { tally: Tally::new(top, now_ms()), memory_told: true, has_expiretime: false };
    let total: u64 = servers.iter().map(|server| server.keys_total(&job.config)).sum();
    for source in servers {
        sampler.has_expiretime = source.has_expiretime();
        let dbs = job.config.source_db().map_or_else(|| source.dbs(), |only| vec![only]);
        for db in dbs {
            let keys = source.info.keyspace.get(&db).map_or(0, |keyspace| keyspace.keys);
            let share = keys as f64 / total.max(1) as f64;
            let most = ((SAMPLE_MAX as f64 * share) as u64).max(OF_EACH_MIN);
            sampler.database(job, source, (db, most), LASTS.mul_f64(share.min(1.0))).await?;
        }
    }
    let Sampler { tally, memory_told, .. } = sampler;
    Ok(Sample { analysis: tally.finish(), memory_told })
}

struct Sampler {
    tally: Tally,
    memory_told: bool,
    has_expiretime: bool,
}

impl Sampler {
    async fn database(
        &mut self,
        job: &Job,
        source: &mut Server,
        (db, most): (u32, u64),
        lasts: Duration,
    ) -> Result<(), MigrateError> {
        let began = Instant::now();
        let enough = self.tally.keys() + most;
        let scanner = Scanner::connect(&source.connector, &job.config).await;
        let mut scanner = scanner.map_err(|error| lost(source, &error))?;
        let number = db.to_string();
        let select = source.control.call(&["SELECT", &number]).await.map(drop);
        select.map_err(|error| lost(source, &error))?;
        scanner.select(db).await.map_err(|error| lost(source, &error))?;
        let mut cursor = b"0".to_vec();
        loop {
            let step = scanner.step(db, &cursor).await.map_err(|error| lost(source, &error))?;
            let (next, names) = step;
            let names: Vec<&[u8]> = names.iter().collect();
            for keys in names.chunks(TOGETHER) {
                hold_back(job, source).await?;
                let looked = self.keys(source, db, keys).await;
                looked.map_err(|error| lost(source, &error))?;
                let is_late = began.elapsed() >= lasts && self.tally.keys() + most > enough;
                if self.tally.keys() >= enough || is_late {
                    return Ok(());
                }
            }
            if next == b"0" {
                return Ok(());
            }
            cursor = next;
        }
    }

    async fn keys(
        &mut self,
        source: &mut Server,
        db: u32,
        keys: &[&[u8]],
    ) -> Result<(), ClientError> {
        let expiry: &[u8] = if self.has_expiretime { b"PEXPIRETIME" } else { b"PTTL" };
        let mut pipeline = Pipeline::new();
        for key in keys {
            pipeline.push(&[&b"TYPE"[..], key]);
            pipeline.push(&[&b"MEMORY"[..], b"USAGE", key]);
            pipeline.push(&[expiry, key]);
            pipeline.push(&[&b"OBJECT"[..], b"ENCODING", key]);
        }
        let replies = source.control.pipeline(&pipeline).await?;
        let mut found = Vec::with_capacity(keys.len());
        pipeline.clear();
        for (key, told) in keys.iter().zip(replies.chunks(4)) {
            let [type_name, memory, expiry, encoding] = told else { continue };
            let type_name = text(type_name).unwrap_or("none");
            if type_name == "none" {
                continue;
            }
            self.memory_told &= !memory.is_err();
            let memory = number(memory).unwrap_or(0);
            let bytes = memory.saturating_sub(key.len() as u64);
            let size = Size { bytes, elements: 1, largest: 0 };
            let (kind, length) = kind(type_name);
            if let Some(length) = length {
                pipeline.push(&[length.as_bytes(), key]);
            }
            let encoding = ENCODINGS.iter().find(|known| text(encoding) == Some(**known));
            let encoding = encoding.copied().unwrap_or("other");
            let expires_at_ms = self.expiry(expiry);
            let facts = KeyFacts { db: u64::from(db), key, kind, encoding, expires_at_ms, size };
            found.push((facts, length.is_some()));
        }
        let lengths = source.control.pipeline(&pipeline).await?;
        let mut lengths = lengths.iter();
        for (mut facts, has_length) in found {
            if has_length {
                facts.size.elements = lengths.next().and_then(number).unwrap_or(0);
            }
            self.tally.add(&facts);
        }
        Ok(())
    }

    fn expiry(&self, told: &Reply) -> Option<u64> {
        let told = number(told)?;
        Some(if self.has_expiretime { told } else { now_ms().saturating_add(told) })
    }
}

/// The kind of value that `TYPE` names, and the command that counts its elements.
fn kind(type_name: &str) -> (ValueKind, Option<&'static str>) {
    match type_name {
        "string" => (ValueKind::String, None),
        "list" => (ValueKind::List, Some("LLEN")),
        "set" => (ValueKind::Set, Some("SCARD")),
        "zset" => (ValueKind::Zset, Some("ZCARD")),
        "hash" => (ValueKind::Hash, Some("HLEN")),
        "stream" => (ValueKind::Stream, Some("XLEN")),
        _ => (ValueKind::Module, None),
    }
}

fn text(reply: &Reply) -> Option<&str> {
    reply.as_ref().ok()?.as_str()
}

/// A number that is none below 0: those say that there is no expiry, or no key.
fn number(reply: &Reply) -> Option<u64> {
    u64::try_from(reply.as_ref().ok()?.as_int()?).ok()
}
