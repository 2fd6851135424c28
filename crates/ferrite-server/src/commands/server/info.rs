//! INFO.

use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::commands::REDIS_VERSION;
use crate::ctx::{Counts, Ctx, Outcome};
use crate::dispatch::block::Waiting;

/// A section: its name, whether it is shown when none is named, and what it says.
type Section = (&'static str, bool, fn(&Ctx<'_>, &mut String));

const SECTIONS: &[Section] = &[
    ("Server", true, server),
    ("Clients", true, clients),
    ("Memory", true, memory),
    ("Persistence", true, persistence),
    ("Stats", true, stats),
    ("Replication", true, replication),
    ("CPU", true, cpu),
    ("Modules", true, |_, _| {}),
    ("Commandstats", false, command_stats),
    ("Errorstats", true, error_stats),
    ("Cluster", true, |_, text| line(text, "cluster_enabled", 0)),
    ("Keyspace", true, keyspace),
];

pub(super) fn info(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let named = words.get(1..).unwrap_or_default();
    let has = |word: &str| named.iter().any(|one| one.eq_ignore_ascii_case(word.as_bytes()));
    let everything = has("all") || has("everything");
    let usual = named.is_empty() || has("default");
    let mut text = String::new();
    for (name, is_usual, write) in SECTIONS {
        if everything || (usual && *is_usual) || has(name) {
            if !text.is_empty() {
                text.push_str("\r\n");
            }
            text.push_str(&format!("# {name}\r\n"));
            write(ctx, &mut text);
        }
    }
    ctx.reply.verbatim("txt", text.as_bytes());
    Ok(())
}

fn line(text: &mut String, name: &str, value: impl std::fmt::Display) {
    // Writing to a string cannot fail.
    let _ = write!(text, "{name}:{value}\r\n");
}

/// A count of all threads together.
fn sum(ctx: &Ctx<'_>, of: impl Fn(&Counts) -> &AtomicU64) -> u64 {
    ctx.shared.counts.iter().map(|counts| of(counts).load(Ordering::Relaxed)).sum()
}

fn server(ctx: &Ctx<'_>, text: &mut String) {
    let config = &ctx.shared.config;
    let up = ctx.shared.started.elapsed().as_secs();
    line(text, "redis_version", REDIS_VERSION);
    line(text, "redis_git_sha1", "00000000");
    line(text, "redis_git_dirty", 0);
    line(text, "redis_build_id", 0);
    line(text, "redis_mode", "standalone");
    line(text, "ferrite_version", env!("CARGO_PKG_VERSION"));
    line(text, "os", std::env::consts::OS);
    line(text, "arch_bits", usize::BITS);
    line(text, "monotonic_clock", "POSIX clock_gettime");
    line(text, "multiplexing_api", "epoll");
    line(text, "process_id", std::process::id());
    line(text, "process_supervised", "no");
    line(text, "run_id", &ctx.shared.run_id);
    line(text, "tcp_port", config.network.port.get());
    line(text, "server_time_usec", ctx.now * 1000);
    line(text, "uptime_in_seconds", up);
    line(text, "uptime_in_days", up / 86_400);
    line(text, "hz", config.general.hz.get());
    line(text, "configured_hz", config.general.hz.get());
    let file = config.path().map(|path| path.display().to_string());
    line(text, "config_file", file.unwrap_or_default());
    line(text, "io_threads_active", u8::from(ctx.shared.mailboxes.len() > 1));
}

fn clients(ctx: &Ctx<'_>, text: &mut String) {
    let all = ctx.shared.clients.all();
    let blocked = all.iter().filter(|client| client.parked.load(Ordering::Relaxed)).count();
    let pubsub = all.iter().filter(|client| client.subscribed() > 0).count();
    let replicas = ctx.shared.replicas.all().len();
    line(text, "connected_clients", all.len().saturating_sub(replicas));
    line(text, "cluster_connections", 0);
    line(text, "maxclients", ctx.shared.config.clients.maxclients.get());
    line(text, "blocked_clients", blocked);
    line(text, "pubsub_clients", pubsub);
    let waiting = || ctx.held.shards().map(|shard| &shard.waiting);
    let for_groups: usize = waiting().map(Waiting::keys_of_groups).sum();
    line(text, "total_blocking_keys", waiting().map(Waiting::len).sum::<usize>());
    line(text, "total_blocking_keys_on_nokey", for_groups);
}

/// Bytes for people.
fn human(bytes: u64) -> String {
    let units = [(1_u64 << 30, "G"), (1 << 20, "M"), (1 << 10, "K")];
    match units.iter().find(|(size, _)| bytes >= *size) {
        Some((size, unit)) => format!("{:.2}{unit}", bytes as f64 / *size as f64),
        None => format!("{bytes}B"),
    }
}

fn memory(ctx: &Ctx<'_>, text: &mut String) {
    let used = ferrite_store::memory::allocated() as u64;
    let limit = ctx.shared.config.memory.maxmemory.get();
    line(text, "used_memory", used);
    line(text, "used_memory_human", human(used));
    let dataset: usize =
        ctx.held.shards().flat_map(|shard| &shard.tables).map(|table| table.memory()).sum();
    line(text, "used_memory_dataset", dataset);
    line(text, "maxmemory", limit);
    line(text, "maxmemory_human", human(limit));
    line(text, "maxmemory_policy", ctx.shared.config.memory.maxmemory_policy.get().name());
    line(text, "mem_allocator", "mimalloc");
    line(text, "active_defrag_running", 0);
    line(text, "lazyfree_pending_objects", ctx.shared.garbage.pending());
    line(text, "lazyfreed_objects", ctx.shared.garbage.freed());
}

fn persistence(ctx: &Ctx<'_>, text: &mut String) {
    let state = &ctx.shared.persistence;
    let saved = state.saved_dirty.load(Ordering::Relaxed);
    line(text, "loading", 0);
    line(text, "async_loading", 0);
    line(text, "rdb_changes_since_last_save", ctx.shared.dirty().saturating_sub(saved));
    line(text, "rdb_bgsave_in_progress", u8::from(state.saving.load(Ordering::Relaxed)));
    line(text, "rdb_last_save_time", state.last_save.load(Ordering::Relaxed));
    let good = state.last_ok.load(Ordering::Relaxed);
    line(text, "rdb_last_bgsave_status", if good { "ok" } else { "err" });
    line(text, "rdb_last_bgsave_time_sec", state.last_seconds.load(Ordering::Relaxed));
    line(text, "rdb_current_bgsave_time_sec", -1);
    line(text, "rdb_saves", state.saves.load(Ordering::Relaxed));
    line(text, "aof_enabled", 0);
    line(text, "aof_rewrite_in_progress", 0);
    line(text, "aof_rewrite_scheduled", 0);
    line(text, "aof_last_bgrewrite_status", "ok");
    line(text, "aof_last_write_status", "ok");
}

fn stats(ctx: &Ctx<'_>, text: &mut String) {
    line(text, "total_connections_received", sum(ctx, |counts| &counts.connections));
    line(text, "total_commands_processed", sum(ctx, |counts| &counts.commands));
    line(text, "total_net_input_bytes", sum(ctx, |counts| &counts.input));
    line(text, "total_net_output_bytes", sum(ctx, |counts| &counts.output));
    line(text, "rejected_connections", sum(ctx, |counts| &counts.rejected));
    line(text, "sync_full", ctx.shared.replicas.full.load(Ordering::Relaxed));
    line(text, "sync_partial_ok", ctx.shared.replicas.partial.load(Ordering::Relaxed));
    line(text, "expired_keys", sum(ctx, |counts| &counts.expired));
    line(text, "evicted_keys", sum(ctx, |counts| &counts.evicted));
    line(text, "keyspace_hits", sum(ctx, |counts| &counts.hits));
    line(text, "keyspace_misses", sum(ctx, |counts| &counts.misses));
    line(text, "total_error_replies", sum(ctx, |counts| &counts.errors));
    let names = ["auth", "cmd", "key", "channel"];
    for (name, count) in names.iter().zip(&ctx.shared.refusals) {
        line(text, &format!("acl_access_denied_{name}"), count.load(Ordering::Relaxed));
    }
}

fn replication(ctx: &Ctx<'_>, text: &mut String) {
    let replicas = ctx.shared.replicas.all();
    line(text, "role", "master");
    line(text, "connected_slaves", replicas.len());
    for (number, replica) in replicas.iter().enumerate() {
        let online = replica.online.load(Ordering::Relaxed);
        let lag = (ctx.now - replica.heard.load(Ordering::Relaxed)).max(0) / 1000;
        let state = if online { "online" } else { "wait_bgsave" };
        let (address, port) = (replica.address(), replica.introduction.port);
        let offset = replica.acknowledged();
        let value = format!("ip={address},port={port},state={state},offset={offset},lag={lag}");
        line(text, &format!("slave{number}"), value);
    }
    line(text, "master_failover_state", "no-failover");
    line(text, "master_replid", &ctx.shared.log.id);
    line(text, "master_replid2", "0".repeat(40));
    line(text, "master_repl_offset", ctx.shared.log.offset());
    line(text, "second_repl_offset", -1);
    line(text, "repl_backlog_active", u8::from(ctx.shared.log.is_listening()));
    line(text, "repl_backlog_size", ctx.shared.log.backlog.load(Ordering::Relaxed));
}

fn cpu(_: &Ctx<'_>, text: &mut String) {
    let clock = |id| {
        let time = rustix::time::clock_gettime(id);
        time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
    };
    line(text, "used_cpu_total", format!("{:.6}", clock(rustix::time::ClockId::ProcessCPUTime)));
}

fn command_stats(ctx: &Ctx<'_>, text: &mut String) {
    let all = crate::commands::all().iter();
    for entry in all.flat_map(|entry| std::iter::once(entry).chain(&entry.subcommands)) {
        let of = |count: fn(&crate::ctx::CallCounts) -> &AtomicU64| -> u64 {
            let threads = ctx.shared.counts.iter();
            threads
                .filter_map(|counts| counts.calls.0.get(entry.number))
                .map(|calls| count(calls).load(Ordering::Relaxed))
                .sum()
        };
        let (calls, time) = (of(|it| &it.calls), of(|it| &it.nanoseconds) / 1000);
        let (rejected, failed) = (of(|it| &it.rejected), of(|it| &it.failed));
        if calls + rejected == 0 {
            continue;
        }
        let each = if calls == 0 { 0.0 } else { time as f64 / calls as f64 };
        let value = format!(
            "calls={calls},usec={time},usec_per_call={each:.2},rejected_calls={rejected},\
             failed_calls={failed}"
        );
        line(text, &format!("cmdstat_{}", entry.spec.name), value);
    }
}

fn error_stats(ctx: &Ctx<'_>, text: &mut String) {
    for (code, count) in ctx.shared.errors.lock().iter() {
        line(text, &format!("errorstat_{code}"), format!("count={count}"));
    }
}

fn keyspace(ctx: &Ctx<'_>, text: &mut String) {
    for db in 0..ctx.shared.store.databases() {
        let tables = ctx.held.shards().filter_map(|shard| shard.tables.get(db));
        let (keys, expiring) = tables
            .fold((0, 0), |(keys, times), table| (keys + table.len(), times + table.expiring()));
        if keys > 0 {
            let value = format!("keys={keys},expires={expiring},avg_ttl=0");
            line(text, &format!("db{db}"), value);
        }
    }
}
