//! Scripts.

use super::super::setting::{Number, section};
use super::super::spec::integer;

section! {
    /// Scripts.
    Scripting "scripting" {
        /// Milliseconds after which others are told that a script is busy; 0 for never.
        busy_reply_threshold: Number<i64> =
            integer("busy-reply-threshold", "5000", 0, i64::MAX).alias("lua-time-limit");
    }
}
