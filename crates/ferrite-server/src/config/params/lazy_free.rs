//! What is freed in the background.

use super::super::setting::{Number, section};
use super::super::spec::yes_no;

const ALWAYS: &str = "what is large is always freed in the background";

section! {
    /// What is freed in the background.
    LazyFree "lazyfree" {
        /// Keys that are evicted: replicas are told UNLINK, not DEL. Here what is large is always
        /// freed in the background.
        lazy_eviction: Number<bool> = yes_no("lazyfree-lazy-eviction", "no");
        /// The same for keys that expire.
        lazy_expire: Number<bool> = yes_no("lazyfree-lazy-expire", "no");
        /// The same for what a command replaces or empties.
        lazy_server_del: Number<bool> = yes_no("lazyfree-lazy-server-del", "no");
        /// Whether DEL is UNLINK.
        lazy_user_del: Number<bool> = yes_no("lazyfree-lazy-user-del", "no").stored(ALWAYS);
        /// Whether FLUSHALL is FLUSHALL ASYNC.
        lazy_user_flush: Number<bool> = yes_no("lazyfree-lazy-user-flush", "no").stored(ALWAYS);
    }
}
