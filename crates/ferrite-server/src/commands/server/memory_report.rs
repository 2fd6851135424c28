//! MEMORY DOCTOR, STATS, PURGE, MALLOC-STATS: what memory is used for beyond the keys.

use std::sync::atomic::Ordering;

use crate::clients::Mark;
use crate::ctx::{Ctx, Outcome};
use crate::memory_use::resident;

/// Memory that is not the keys' own, in bytes. Read while all shards are held.
#[derive(Debug, Default, Clone, Copy)]
pub(in crate::commands) struct Overhead {
    /// The server without keys and clients.
    pub(in crate::commands) at_start: u64,
    /// The log that is kept for replicas.
    pub(in crate::commands) backlog: u64,
    /// Replicas' buffers.
    pub(in crate::commands) replicas: u64,
    /// Other clients and their buffers.
    pub(in crate::commands) clients: u64,
    /// Scripts and their interpreter.
    pub(in crate::commands) scripts: u64,
    /// Functions and theirs.
    pub(in crate::commands) functions: u64,
    /// Tables, without the items in them.
    pub(in crate::commands) tables: u64,
}

impl Overhead {
    pub(in crate::commands) fn of(ctx: &Ctx<'_>) -> Self {
        let shared = ctx.shared;
        let all = shared.clients.all();
        let memory = |replicas: bool| -> u64 {
            let fits = all.iter().filter(|client| client.has(Mark::Replica) == replicas);
            fits.map(|client| client.memory() as u64).sum()
        };
        Self {
            at_start: shared.memory.at_start(),
            backlog: if shared.log.is_listening() { shared.log.kept().1 } else { 0 },
            replicas: memory(true),
            clients: memory(false),
            scripts: shared.scripting.cached().1 as u64,
            functions: shared.scripting.functions_memory() as u64,
            tables: tables(ctx, |_| true),
        }
    }

    pub(in crate::commands) fn total(&self) -> u64 {
        self.at_start
            + self.backlog
            + self.replicas
            + self.clients
            + self.scripts
            + self.functions
            + self.tables
    }
}

/// The bytes of the tables of databases.
fn tables(ctx: &Ctx<'_>, which: impl Fn(usize) -> bool) -> u64 {
    let shards = ctx.held.shards();
    let tables = shards.flat_map(|shard| shard.tables.iter().enumerate());
    tables.filter(|(db, _)| which(*db)).map(|(_, table)| table.overhead() as u64).sum()
}

fn number(ctx: &mut Ctx<'_>, name: &str, value: u64) {
    ctx.reply.text(name);
    ctx.reply.int(i64::try_from(value).unwrap_or(i64::MAX));
}

fn ratio(ctx: &mut Ctx<'_>, name: &str, value: f64) {
    ctx.reply.text(name);
    ctx.reply.double(value);
}

/// `MEMORY STATS`.
pub(super) fn stats(ctx: &mut Ctx<'_>, _: &[&[u8]]) -> Outcome {
    let (used, overhead) = (ctx.shared.memory.look(), Overhead::of(ctx));
    let (peak, resident) = (ctx.shared.memory.peak(), resident());
    let databases: Vec<usize> = (0..ctx.shared.store.databases())
        .filter(|db| ctx.held.shards().any(|shard| !shard.tables[*db].is_empty()))
        .collect();
    let keys: usize =
        ctx.held.shards().flat_map(|shard| &shard.tables).map(|table| table.len()).sum();
    let dataset = used.saturating_sub(overhead.total());
    let beyond_start = used.saturating_sub(overhead.at_start);
    let share = |part: u64, whole: u64| part as f64 / whole.max(1) as f64;
    let per_key = beyond_start.checked_div(keys as u64).unwrap_or(0);
    let all = ctx.reply.defer();
    let figures = [
        ("peak.allocated", peak),
        ("total.allocated", used),
        ("startup.allocated", overhead.at_start),
        ("replication.backlog", overhead.backlog),
        ("clients.slaves", overhead.replicas),
        ("clients.normal", overhead.clients),
        ("cluster.links", 0),
        ("aof.buffer", 0),
        ("lua.caches", overhead.scripts),
        ("functions.caches", overhead.functions),
    ];
    figures.iter().for_each(|(name, value)| number(ctx, name, *value));
    for db in &databases {
        ctx.reply.text(&format!("db.{db}"));
        ctx.reply.map(2);
        let bytes = tables(ctx, |one| one == *db);
        number(ctx, "overhead.hashtable.main", bytes);
        // Expiries stand in the items.
        number(ctx, "overhead.hashtable.expires", 0);
    }
    let figures = [
        ("overhead.total", overhead.total()),
        ("keys.count", keys as u64),
        ("keys.bytes-per-key", per_key),
        ("dataset.bytes", dataset),
    ];
    figures.iter().for_each(|(name, value)| number(ctx, name, *value));
    ratio(ctx, "dataset.percentage", share(dataset, beyond_start) * 100.0);
    ratio(ctx, "peak.percentage", share(used, peak) * 100.0);
    let figures = [
        ("allocator.allocated", used),
        ("allocator.active", resident),
        ("allocator.resident", resident),
    ];
    figures.iter().for_each(|(name, value)| number(ctx, name, *value));
    ratio(ctx, "fragmentation", share(resident, used));
    number(ctx, "fragmentation.bytes", resident.saturating_sub(used));
    ctx.reply.settle_map(all, 10 + databases.len() + 4 + 2 + 3 + 2);
    Ok(())
}

/// Memory that is given back by the allocator itself, a little after it was freed.
pub(super) fn purge(ctx: &mut Ctx<'_>, _: &[&[u8]]) -> Outcome {
    ctx.reply.ok();
    Ok(())
}

pub(super) fn malloc_stats(ctx: &mut Ctx<'_>, _: &[&[u8]]) -> Outcome {
    ctx.reply.text("Stats not supported for the current allocator");
    Ok(())
}

/// Below this there is nothing to say, in bytes.
const LITTLE: u64 = 5 << 20;

/// How much larger the peak must have been to be mentioned.
const PEAK: f64 = 1.5;

/// How much more than was asked for the system may have given.
const WASTE: f64 = 1.4;

/// Bytes of waste below which it is not mentioned.
const WASTED: u64 = 10 << 20;

/// Bytes for each client that are too many.
const LARGE_CLIENT: u64 = 200 << 10;

/// Scripts that are too many to have been meant.
const MANY_SCRIPTS: usize = 500;

/// `MEMORY DOCTOR`: what is unusual, in words.
pub(super) fn doctor(ctx: &mut Ctx<'_>, _: &[&[u8]]) -> Outcome {
    let (used, overhead) = (ctx.shared.memory.look(), Overhead::of(ctx));
    let (peak, resident) = (ctx.shared.memory.peak(), resident());
    let clients = ctx.shared.clients.len().max(1) as u64;
    let behind = ctx.shared.replicas.all().iter().any(|one| !one.online.load(Ordering::Relaxed));
    let mut found = Vec::new();
    if used as f64 * PEAK < peak as f64 {
        found.push("The peak was much higher than what is used now: memory that the system does not have back yet is not lost, it is used again.");
    }
    if resident.saturating_sub(used) > WASTED && resident as f64 > used as f64 * WASTE {
        found.push("The system has given much more memory than is used: keys that came and went leave gaps. A restart from a snapshot closes them.");
    }
    if overhead.clients / clients > LARGE_CLIENT {
        found.push("Clients' buffers are large: look with CLIENT LIST for a high tot-mem, for clients that do not read their replies or send very large commands, and set client-output-buffer-limit or maxmemory-clients.");
    }
    if behind {
        found.push("A replica is being sent all keys: what is written meanwhile is kept for it.");
    }
    if ctx.shared.scripting.cached().0 > MANY_SCRIPTS {
        found.push("Many scripts are kept: programs that write values into the text of a script should give them as arguments.");
    }
    let text = match (used < LITTLE, found.is_empty()) {
        (true, _) => "Nearly nothing is stored here, so that there is nothing to say.\n".to_owned(),
        (false, true) => "Nothing unusual.\n".to_owned(),
        (false, false) => found.iter().map(|line| format!("* {line}\n")).collect(),
    };
    ctx.reply.verbatim("txt", text.as_bytes());
    Ok(())
}
