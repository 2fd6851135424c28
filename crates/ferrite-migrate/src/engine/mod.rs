//! The engine: carries what a source reads to what a target writes, within a memory budget, and
//! keeps count.

mod budget;
mod choose;
mod copy;
mod empty;
mod follow;
mod import;
mod job;
mod served;
mod stop;
mod tally;
pub mod throttle;

pub use budget::Budget;
pub use choose::choose;
pub use copy::{Ends, copy, copy_whole, report, run, write_again};
pub use empty::EmptyKeys;
pub use follow::follow;
pub use import::{Import, import};
pub use job::{CLIENT_NAME_PREFIX, Job, now_ms};
pub use stop::Stop;
pub use tally::Tally;
pub use throttle::{Gate, Limits, RATE_MIN};
