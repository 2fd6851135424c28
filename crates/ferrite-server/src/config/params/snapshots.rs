//! Snapshots.

use super::super::setting::{Number, Structured, section};
use super::super::spec::{choice, integer, text, words, yes_no};
use super::super::values::{FileName, SavePoints};

/// Which dumps are examined in full before they are taken.
const SANITIZE: &[(&str, i64)] = &[("no", 0), ("yes", 1), ("clients", 2)];

section! {
    /// Snapshots.
    Snapshots "persistence.rdb" {
        /// After how many seconds and changes a snapshot is written.
        save: Structured<SavePoints> = words("save", "3600 1 300 100 60 10000");
        /// The name of the file.
        dbfilename: Structured<FileName> = text("dbfilename", "dump.rdb").protected();
        /// Whether strings are compressed.
        rdbcompression: Number<bool> = yes_no("rdbcompression", "yes")
            .stored("strings that become shorter by it are always compressed");
        /// Whether the file ends with a checksum.
        rdbchecksum: Number<bool> = yes_no("rdbchecksum", "yes").at_start()
            .stored("a checksum is always written");
        /// Whether writes are refused after a snapshot that failed.
        stop_writes_on_bgsave_error: Number<bool> = yes_no("stop-writes-on-bgsave-error", "yes")
            .stored("writes go on after a snapshot that failed; log and INFO tell of it");
        /// Whether files that came from a primary are deleted.
        rdb_del_sync_files: Number<bool> =
            yes_no("rdb-del-sync-files", "no").stored("what a primary sends becomes no file");
        /// Whether the file reaches the disk bit by bit.
        rdb_save_incremental_fsync: Number<bool> = yes_no("rdb-save-incremental-fsync", "yes")
            .stored("it always does");
        /// Which dumps are examined in full.
        sanitize_dump_payload: Number<i64> = choice("sanitize-dump-payload", "no", SANITIZE)
            .stored("all of them always are");
        /// Microseconds to wait after each part of a shard that is saved, for tests.
        rdb_key_save_delay: Number<i64> =
            integer("rdb-key-save-delay", "0", i32::MIN as i64, i32::MAX as i64).hidden();
        /// Microseconds to wait for each key that is loaded at the start, for tests.
        key_load_delay: Number<i64> =
            integer("key-load-delay", "0", i32::MIN as i64, i32::MAX as i64).hidden();
        /// After how many bytes of a load others have their turn.
        loading_process_events_interval_bytes: Number<u64> =
            integer("loading-process-events-interval-bytes", "2097152", 1024, i64::MAX).hidden()
            .stored("other threads serve clients meanwhile");
    }
}
