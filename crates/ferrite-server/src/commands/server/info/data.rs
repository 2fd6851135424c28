//! INFO: memory, snapshots, keys.

use std::sync::atomic::Ordering;

use super::{human, line};
use crate::commands::server::memory_report::Overhead;
use crate::ctx::Ctx;
use crate::memory_use;
use crate::persist::progress::Progress;

pub(super) fn memory(ctx: &Ctx<'_>, text: &mut String) {
    let bytes = |text: &mut String, name: &str, bytes: u64| {
        line(text, name, bytes);
        line(text, &format!("{name}_human"), human(bytes));
    };
    let used = ctx.shared.memory.look();
    let (peak, resident) = (ctx.shared.memory.peak(), memory_use::resident());
    let overhead = Overhead::of(ctx);
    let percent =
        |part: u64, whole: u64| format!("{:.2}%", part as f64 / (whole.max(1)) as f64 * 100.0);
    bytes(text, "used_memory", used);
    bytes(text, "used_memory_rss", resident);
    bytes(text, "used_memory_peak", peak);
    line(text, "used_memory_peak_perc", percent(used, peak));
    line(text, "used_memory_overhead", overhead.total());
    line(text, "used_memory_startup", overhead.at_start);
    let dataset = used.saturating_sub(overhead.total());
    line(text, "used_memory_dataset", dataset);
    let beyond_start = used.saturating_sub(overhead.at_start);
    line(text, "used_memory_dataset_perc", percent(dataset, beyond_start));
    line(text, "allocator_allocated", used);
    line(text, "allocator_active", resident);
    line(text, "allocator_resident", resident);
    bytes(text, "total_system_memory", memory_use::of_machine());
    bytes(text, "used_memory_lua", overhead.scripts);
    bytes(text, "used_memory_vm_total", overhead.scripts);
    line(text, "used_memory_scripts", overhead.scripts);
    let (libraries, functions) = ctx.shared.scripting.counts();
    line(text, "number_of_cached_scripts", ctx.shared.scripting.cached().0);
    line(text, "number_of_functions", functions);
    line(text, "number_of_libraries", libraries);
    bytes(text, "maxmemory", ctx.shared.config.memory.maxmemory.get());
    line(text, "maxmemory_policy", ctx.shared.config.memory.maxmemory_policy.get().name());
    let ratio = resident as f64 / used.max(1) as f64;
    line(text, "mem_fragmentation_ratio", format!("{ratio:.2}"));
    let more =
        i64::try_from(resident).unwrap_or(i64::MAX) - i64::try_from(used).unwrap_or(i64::MAX);
    line(text, "mem_fragmentation_bytes", more);
    line(text, "mem_not_counted_for_evict", 0);
    line(text, "mem_replication_backlog", overhead.backlog);
    line(text, "mem_clients_slaves", overhead.replicas);
    line(text, "mem_clients_normal", overhead.clients);
    line(text, "mem_cluster_links", 0);
    line(text, "mem_aof_buffer", 0);
    line(text, "mem_allocator", "mimalloc");
    line(text, "active_defrag_running", 0);
    line(text, "lazyfree_pending_objects", ctx.shared.garbage.pending());
    line(text, "lazyfreed_objects", ctx.shared.garbage.freed());
}

/// How far the file is loaded; how long it will take yet is guessed from how long it took.
fn loading(progress: &Progress, now: i64, text: &mut String) {
    let began = progress.began.load(Ordering::Relaxed);
    let (total, done) =
        (progress.total.load(Ordering::Relaxed), progress.done.load(Ordering::Relaxed));
    let rest = match (now - began).max(0).unsigned_abs() {
        0 => 1,
        elapsed => elapsed.saturating_mul(total.saturating_sub(done)) / (done + 1),
    };
    line(text, "loading_start_time", began);
    line(text, "loading_total_bytes", total);
    line(text, "loading_rdb_used_mem", progress.used_memory.load(Ordering::Relaxed));
    line(text, "loading_loaded_bytes", done);
    let percent = done as f64 / total.max(1) as f64 * 100.0;
    line(text, "loading_loaded_perc", format!("{percent:.2}"));
    line(text, "loading_eta_seconds", rest);
}

pub(super) fn persistence(ctx: &Ctx<'_>, text: &mut String) {
    let state = &ctx.shared.persistence;
    let saved = state.saved_dirty.load(Ordering::Relaxed);
    let saving = state.saving.load(Ordering::Relaxed);
    let began = state.began.load(Ordering::Relaxed);
    line(text, "loading", u8::from(state.progress.is_loading()));
    line(text, "async_loading", 0);
    line(text, "rdb_changes_since_last_save", ctx.shared.dirty().saturating_sub(saved));
    line(text, "rdb_bgsave_in_progress", u8::from(saving));
    line(text, "rdb_last_save_time", state.last_save.load(Ordering::Relaxed));
    let good = state.last_ok.load(Ordering::Relaxed);
    line(text, "rdb_last_bgsave_status", if good { "ok" } else { "err" });
    line(text, "rdb_last_bgsave_time_sec", state.last_seconds.load(Ordering::Relaxed));
    let current = if saving { (ctx.now / 1000 - began).max(0) } else { -1 };
    line(text, "rdb_current_bgsave_time_sec", current);
    line(text, "rdb_saves", state.saves.load(Ordering::Relaxed));
    let [expired, loaded] = state.loaded.each_ref().map(|count| count.load(Ordering::Relaxed));
    line(text, "rdb_last_load_keys_expired", expired);
    line(text, "rdb_last_load_keys_loaded", loaded);
    line(text, "aof_enabled", 0);
    line(text, "aof_rewrite_in_progress", 0);
    line(text, "aof_rewrite_scheduled", 0);
    line(text, "aof_last_rewrite_time_sec", -1);
    line(text, "aof_current_rewrite_time_sec", -1);
    line(text, "aof_last_bgrewrite_status", "ok");
    line(text, "aof_rewrites", 0);
    line(text, "aof_last_write_status", "ok");
    if state.progress.is_loading() {
        loading(&state.progress, ctx.now / 1000, text);
    }
}

pub(super) fn keyspace(ctx: &Ctx<'_>, text: &mut String) {
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
