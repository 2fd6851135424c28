//! Latencies.

use super::super::setting::{Number, Structured, section};
use super::super::spec::{integer, words, yes_no};
use super::super::values::Percentiles;

section! {
    /// Latencies.
    Latency "latency" {
        /// Milliseconds from which on an event is remembered; 0 for none.
        monitor_threshold: Number<i64> =
            integer("latency-monitor-threshold", "0", 0, i64::MAX);
        /// Whether every command is measured.
        tracking: Number<bool> = yes_no("latency-tracking", "yes");
        /// Which percentiles INFO shows.
        tracking_info_percentiles: Structured<Percentiles> =
            words("latency-tracking-info-percentiles", "50 99 99.9");
    }
}
