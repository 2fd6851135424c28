//! Following a source that goes on being written to.
//!
//! ```text
//! source ──link──► receive ──► spool ──► apply ──► target
//!    │                                     ▲
//!    └──RDB──► copy ──► target             └── checkpoint, in the target
//! ```

mod abort;
mod again;
mod apply;
mod checkpoint;
mod classify;
mod clock;
mod cutover;
mod emptied;
mod expiries;
mod fence;
mod fenced;
mod guard;
mod incremental;
mod ladder;
mod links;
mod marks;
mod missing;
mod orders;
mod progress;
mod rdb;
mod receive;
mod record;
mod replica;
mod reverse;
mod rewrite;
mod rounds;
mod run;
mod schedule;
mod settle;
mod shards;
mod spool;
mod status;
mod stream;
mod undo;
mod verify;

pub use abort::abort;
pub use apply::takes_no_writes;
pub use classify::{Class, KeyAccess, classify, is_replay, split, unwrap};
pub use guard::Guard;
pub use ladder::why_not_fenced_at;
pub use missing::delete_missing;
pub use progress::Progress;
pub use record::adopt;
pub use replica::{Before, Settings};
pub use reverse::is_on_the_way_back;
pub use rewrite::{Abilities, HOLD_MS, Rewrite, Times, hold, release, rewrite};
pub use run::run;
pub use settle::settle_fields;
