//! INFO: how much is done, and what it costs.

use std::sync::atomic::{AtomicU64, Ordering};

use super::{largest, line, sum};
use crate::ctx::{CallCounts, Ctx};

/// What the kernel counts the time of processes in: `USER_HZ`, the same on every Linux.
const TICKS_PER_SECOND: f64 = 100.0;

/// Nanoseconds that commands ran, all together.
fn command_time(ctx: &Ctx<'_>) -> u64 {
    let of = |calls: &CallCounts| calls.nanoseconds.load(Ordering::Relaxed);
    ctx.shared.counts.iter().flat_map(|counts| &counts.calls.0).map(of).sum()
}

pub(super) fn stats(ctx: &Ctx<'_>, text: &mut String) {
    let rates = ctx.shared.rates.per_second();
    let kilobytes = |bytes: u64| format!("{:.2}", bytes as f64 / 1024.0);
    let threads = ctx.shared.mailboxes.len().max(1) as u64;
    line(text, "total_connections_received", sum(ctx, |counts| &counts.connections));
    line(text, "total_commands_processed", sum(ctx, |counts| &counts.commands));
    line(text, "instantaneous_ops_per_sec", rates.commands);
    line(text, "total_net_input_bytes", sum(ctx, |counts| &counts.input));
    line(text, "total_net_output_bytes", sum(ctx, |counts| &counts.output));
    let sent = ctx.shared.replicas.sent.load(Ordering::Relaxed);
    line(text, "total_net_repl_input_bytes", 0);
    line(text, "total_net_repl_output_bytes", sent);
    line(text, "instantaneous_input_kbps", kilobytes(rates.input));
    line(text, "instantaneous_output_kbps", kilobytes(rates.output));
    line(text, "rejected_connections", sum(ctx, |counts| &counts.rejected));
    line(text, "sync_full", ctx.shared.replicas.full.load(Ordering::Relaxed));
    line(text, "sync_partial_ok", ctx.shared.replicas.partial.load(Ordering::Relaxed));
    line(text, "sync_partial_err", ctx.shared.replicas.refused.load(Ordering::Relaxed));
    line(text, "expired_keys", sum(ctx, |counts| &counts.expired));
    line(text, "evicted_keys", sum(ctx, |counts| &counts.evicted));
    line(text, "evicted_clients", sum(ctx, |counts| &counts.evicted_clients));
    line(text, "keyspace_hits", sum(ctx, |counts| &counts.hits));
    line(text, "keyspace_misses", sum(ctx, |counts| &counts.misses));
    let channels = |scope| ctx.shared.pubsub.names(scope).len();
    line(text, "pubsub_channels", channels(crate::pubsub::Scope::Channel));
    line(text, "pubsub_patterns", channels(crate::pubsub::Scope::Pattern));
    line(text, "pubsubshard_channels", channels(crate::pubsub::Scope::Shard));
    let tracked = ctx.held.shards().map(|shard| (shard.tracked.len(), shard.tracked.items()));
    let (keys, items) = tracked.fold((0, 0), |(keys, all), (key, item)| (keys + key, all + item));
    line(text, "tracking_total_keys", keys);
    line(text, "tracking_total_items", items);
    line(text, "tracking_total_prefixes", ctx.shared.tracking.prefixes());
    line(text, "migrate_cached_sockets", ctx.shared.targets.kept());
    line(text, "unexpected_error_replies", 0);
    line(text, "total_error_replies", sum(ctx, |counts| &counts.errors));
    line(text, "total_reads_processed", sum(ctx, |counts| &counts.reads));
    line(text, "total_writes_processed", sum(ctx, |counts| &counts.writes));
    let names = ["auth", "cmd", "key", "channel"];
    for (name, count) in names.iter().zip(&ctx.shared.refusals) {
        line(text, &format!("acl_access_denied_{name}"), count.load(Ordering::Relaxed));
    }
    line(text, "eventloop_cycles", sum(ctx, |counts| &counts.cycles));
    line(text, "eventloop_duration_sum", sum(ctx, |counts| &counts.busy));
    line(text, "eventloop_duration_cmd_sum", command_time(ctx) / 1000);
    // Of one thread, as there is one on Redis.
    line(text, "instantaneous_eventloop_cycles_per_sec", rates.cycles / threads);
    line(text, "instantaneous_eventloop_duration_usec", rates.busy);
}

/// What is of no interest but for whoever looks into the server itself.
pub(super) fn debug(ctx: &Ctx<'_>, text: &mut String) {
    line(text, "eventloop_duration_aof_sum", 0);
    line(text, "eventloop_duration_cron_sum", sum(ctx, |counts| &counts.clockwork));
    line(text, "eventloop_duration_max", largest(ctx, |counts| &counts.longest_cycle));
    line(text, "eventloop_cmd_per_cycle_max", largest(ctx, |counts| &counts.commands_per_cycle));
}

/// The time of the process in its own code and in the kernel, and of children that have ended.
fn times() -> [f64; 4] {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The second field is a name in parentheses that may have blanks; the time is the 14th.
    let rest = text.rsplit_once(')').map_or("", |(_, rest)| rest);
    let mut ticks = rest.split_whitespace().skip(11).map(|word| word.parse().unwrap_or(0.0));
    [(); 4].map(|()| ticks.next().unwrap_or(0.0) / TICKS_PER_SECOND)
}

pub(super) fn cpu(_: &Ctx<'_>, text: &mut String) {
    let [user, system, children, children_system] = times();
    let seconds = |seconds: f64| format!("{seconds:.6}");
    line(text, "used_cpu_sys", seconds(system));
    line(text, "used_cpu_user", seconds(user));
    line(text, "used_cpu_sys_children", seconds(children_system));
    line(text, "used_cpu_user_children", seconds(children));
}

/// A count that is one of a command's.
pub(super) type OfCalls = fn(&CallCounts) -> &AtomicU64;
