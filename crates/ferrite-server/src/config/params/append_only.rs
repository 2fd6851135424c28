//! The append-only file, which this version does not write.

use super::super::setting::{Number, Structured, section};
use super::super::spec::{choice, integer, memory, text, yes_no};
use super::super::values::FileName;

const UNUSED: &str = "appendonly is refused";

/// When the file reaches the disk.
const FSYNC: &[(&str, i64)] = &[("everysec", 2), ("always", 1), ("no", 0)];

section! {
    /// The append-only file.
    AppendOnly "persistence.aof" {
        /// Whether every write goes to an append-only file.
        appendonly: Number<bool> = yes_no("appendonly", "no").place("persistence.aof.enabled")
            .only(&["no"], "this version has no append-only file");
        /// The name of the file.
        appendfilename: Structured<FileName> =
            text("appendfilename", "appendonly.aof").at_start().stored(UNUSED);
        /// The folder of its parts.
        appenddirname: Structured<FileName> =
            text("appenddirname", "appendonlydir").at_start().stored(UNUSED);
        /// When it reaches the disk.
        appendfsync: Number<i64> = choice("appendfsync", "everysec", FSYNC)
            .place("persistence.aof.fsync").stored(UNUSED);
        /// Whether that waits while the file is rewritten.
        no_appendfsync_on_rewrite: Number<bool> =
            yes_no("no-appendfsync-on-rewrite", "no").stored(UNUSED);
        /// By how many percent it grows before it is rewritten.
        auto_aof_rewrite_percentage: Number<i64> =
            integer("auto-aof-rewrite-percentage", "100", 0, i32::MAX as i64).stored(UNUSED);
        /// From which size on.
        auto_aof_rewrite_min_size: Number<u64> =
            memory("auto-aof-rewrite-min-size", "64mb", 0, i64::MAX).stored(UNUSED);
        /// Whether a file that is cut off is loaded.
        aof_load_truncated: Number<bool> = yes_no("aof-load-truncated", "yes").stored(UNUSED);
        /// Whether it begins with a snapshot.
        aof_use_rdb_preamble: Number<bool> = yes_no("aof-use-rdb-preamble", "yes").stored(UNUSED);
        /// Whether it says the time.
        aof_timestamp_enabled: Number<bool> =
            yes_no("aof-timestamp-enabled", "no").stored(UNUSED);
        /// Whether it reaches the disk bit by bit while it is rewritten.
        aof_rewrite_incremental_fsync: Number<bool> =
            yes_no("aof-rewrite-incremental-fsync", "yes").stored(UNUSED);
        /// Whether old files stay.
        aof_disable_auto_gc: Number<bool> =
            yes_no("aof-disable-auto-gc", "no").hidden().stored(UNUSED);
    }
}
