//! Replicas and primaries.

use super::super::setting::{Number, Structured, section};
use super::super::spec::{choice, integer, memory, text, words, yes_no};
use super::super::values::{Bytes, ReplicaOf};

const PRIMARY_ONLY: &str = "this version follows no primary, and replicaof is refused";

/// How a replica takes a snapshot.
const DISKLESS_LOAD: &[(&str, i64)] = &[("disabled", 0), ("on-empty-db", 1), ("swapdb", 2)];

/// What happens when a command cannot be passed on.
const PROPAGATION: &[(&str, i64)] = &[("ignore", 0), ("panic", 1), ("panic-on-replicas", 2)];

section! {
    /// Replicas and primaries.
    Replication "replication" {
        /// The primary to follow, host and port.
        replicaof: Structured<ReplicaOf> = words("replicaof", "\"\"").alias("slaveof").at_start()
            .only(&[""], "this version follows no primary");
        /// The password for the primary.
        masterauth: Structured<Bytes> = text("masterauth", "").stored(PRIMARY_ONLY);
        /// The user for the primary.
        masteruser: Structured<Bytes> = text("masteruser", "").stored(PRIMARY_ONLY);
        /// Whether a replica answers while it is behind.
        replica_serve_stale_data: Number<bool> = yes_no("replica-serve-stale-data", "yes")
            .alias("slave-serve-stale-data").stored(PRIMARY_ONLY);
        /// Whether a replica refuses writes.
        replica_read_only: Number<bool> = yes_no("replica-read-only", "yes")
            .alias("slave-read-only").stored(PRIMARY_ONLY);
        /// Whether a replica leaves evicting to its primary.
        replica_ignore_maxmemory: Number<bool> = yes_no("replica-ignore-maxmemory", "yes")
            .alias("slave-ignore-maxmemory").stored(PRIMARY_ONLY);
        /// Whether a replica frees its old data in the background.
        replica_lazy_flush: Number<bool> = yes_no("replica-lazy-flush", "no")
            .alias("slave-lazy-flush").stored(PRIMARY_ONLY);
        /// Whether a replica goes on that cannot write to its disk.
        replica_ignore_disk_write_errors: Number<bool> =
            yes_no("replica-ignore-disk-write-errors", "no").stored(PRIMARY_ONLY);
        /// How ready it is to be promoted; 0 for never.
        replica_priority: Number<u32> = integer("replica-priority", "100", 0, i32::MAX as i64)
            .alias("slave-priority")
            .stored("only a replica has one, and this version follows no primary");
        /// Whether Sentinel is told of it.
        replica_announced: Number<bool> = yes_no("replica-announced", "yes")
            .stored("only a replica is, and this version follows no primary");
        /// The address it names to its primary.
        replica_announce_ip: Structured<Bytes> = text("replica-announce-ip", "")
            .alias("slave-announce-ip").stored(PRIMARY_ONLY);
        /// The port it names to its primary.
        replica_announce_port: Number<u16> = integer("replica-announce-port", "0", 0, 65535)
            .alias("slave-announce-port").stored(PRIMARY_ONLY);
        /// Whether snapshots for replicas go to them without a file.
        repl_diskless_sync: Number<bool> =
            yes_no("repl-diskless-sync", "yes").stored("they always do");
        /// Seconds to wait for more replicas before one begins.
        repl_diskless_sync_delay: Number<u32> =
            integer("repl-diskless-sync-delay", "5", 0, i32::MAX as i64)
            .stored("each replica gets a snapshot of its own, at once");
        /// How many replicas are enough to begin before that time.
        repl_diskless_sync_max_replicas: Number<u32> =
            integer("repl-diskless-sync-max-replicas", "0", 0, i32::MAX as i64)
            .stored("each replica gets a snapshot of its own, at once");
        /// How a replica takes a snapshot.
        repl_diskless_load: Number<i64> =
            choice("repl-diskless-load", "disabled", DISKLESS_LOAD).stored(PRIMARY_ONLY);
        /// Seconds between signs of life to replicas.
        repl_ping_replica_period: Number<u32> =
            integer("repl-ping-replica-period", "10", 1, i32::MAX as i64)
            .alias("repl-ping-slave-period");
        /// Seconds after which a silent replica is gone.
        repl_timeout: Number<u32> = integer("repl-timeout", "60", 1, i32::MAX as i64);
        /// Whether small packets to replicas are put together.
        repl_disable_tcp_nodelay: Number<bool> = yes_no("repl-disable-tcp-nodelay", "no");
        /// How much of the stream is kept for replicas that come back.
        repl_backlog_size: Number<u64> = memory("repl-backlog-size", "1mb", 1, i64::MAX);
        /// Seconds after the last replica left until that is freed; 0 for never.
        repl_backlog_ttl: Number<u64> = integer("repl-backlog-ttl", "3600", 0, i32::MAX as i64)
            .stored("once a replica has come, the end of the log stays");
        /// How many replicas there must be for writes to be taken.
        min_replicas_to_write: Number<u32> =
            integer("min-replicas-to-write", "0", 0, i32::MAX as i64)
            .alias("min-slaves-to-write");
        /// How many seconds they may be silent.
        min_replicas_max_lag: Number<u32> =
            integer("min-replicas-max-lag", "10", 0, i32::MAX as i64)
            .alias("min-slaves-max-lag");
        /// What happens when a command cannot be passed on.
        propagation_error_behavior: Number<i64> =
            choice("propagation-error-behavior", "ignore", PROPAGATION)
            .stored("a command that ran is always passed on");
    }
}
