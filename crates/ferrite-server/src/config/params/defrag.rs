//! Defragmentation, which this version does not do.

use super::super::setting::{Number, section};
use super::super::spec::{integer, memory, yes_no};

const UNUSED: &str = "activedefrag is refused";

section! {
    /// Defragmentation.
    Defrag "defrag" {
        /// Whether values are moved to give memory back.
        activedefrag: Number<bool> = yes_no("activedefrag", "no")
            .only(&["no"], "Active defragmentation cannot be enabled: this version has none");
        /// From how many wasted bytes on.
        ignore_bytes: Number<u64> =
            memory("active-defrag-ignore-bytes", "100mb", 1, i64::MAX).stored(UNUSED);
        /// From how many percent of waste on.
        threshold_lower: Number<i64> =
            integer("active-defrag-threshold-lower", "10", 0, 1000).stored(UNUSED);
        /// At how many percent with all effort.
        threshold_upper: Number<i64> =
            integer("active-defrag-threshold-upper", "100", 0, 1000).stored(UNUSED);
        /// With how many percent of the time at least.
        cycle_min: Number<i64> = integer("active-defrag-cycle-min", "1", 1, 99).stored(UNUSED);
        /// With how many percent of the time at most.
        cycle_max: Number<i64> = integer("active-defrag-cycle-max", "25", 1, 99).stored(UNUSED);
        /// How many elements at once.
        max_scan_fields: Number<i64> =
            integer("active-defrag-max-scan-fields", "1000", 1, i64::MAX).stored(UNUSED);
        /// Whether the allocator has a thread of its own.
        jemalloc_bg_thread: Number<bool> =
            yes_no("jemalloc-bg-thread", "yes").stored("the allocator is another one");
    }
}
