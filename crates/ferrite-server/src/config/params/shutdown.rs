//! The end of the process.

use super::super::setting::{Number, section};
use super::super::spec::{flags, integer};

/// Bits of [`Shutdown::on_sigterm`]: save, do not save, do not wait, do not care.
const HOW: &[(&str, i64)] = &[("default", 0), ("save", 1), ("nosave", 2), ("now", 4), ("force", 8)];

section! {
    /// The end of the process.
    Shutdown "shutdown" {
        /// How the process ends at SIGTERM: save 1, nosave 2, now 4, force 8.
        on_sigterm: Number<u32> = flags("shutdown-on-sigterm", "default", HOW);
        /// How the process ends at SIGINT: save 1, nosave 2, now 4, force 8.
        on_sigint: Number<u32> = flags("shutdown-on-sigint", "default", HOW);
        /// Seconds that replicas have to catch up before the process ends.
        timeout: Number<u32> = integer("shutdown-timeout", "10", 0, i32::MAX as i64)
            .stored("the end does not wait for replicas, which have a backlog");
    }
}
