//! The slow log.

use super::super::setting::{Number, section};
use super::super::spec::integer;

section! {
    /// The slow log.
    SlowLog "slowlog" {
        /// Microseconds from which on a command is remembered; 0 for all, -1 for none.
        log_slower_than: Number<i64> = integer("slowlog-log-slower-than", "10000", -1, i64::MAX);
        /// How many are remembered.
        max_len: Number<usize> = integer("slowlog-max-len", "128", 0, i64::MAX);
    }
}
