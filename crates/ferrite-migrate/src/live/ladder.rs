//! Chooses how a live migration copies what is there at the beginning.
//!
//! Whatever is chosen, the commands of the source are followed from before the copy on: what
//! differs is what the copy asks of the source, and what is left of it when something dies midway.

use crate::config::{Config, Strategy};
use crate::preflight::Checked;

/// How keys are copied, and why this way.
#[derive(Clone, Debug)]
pub struct Chosen {
    /// How.
    pub strategy: Strategy,
    /// Why, for people.
    pub reason: String,
}

/// The best strategy the source allows, or the one that was asked for.
#[must_use]
pub fn choose(config: &Config, checked: &Checked) -> Chosen {
    let (strategy, reason) = match config.strategy {
        Strategy::Auto if checked.scannable => (
            Strategy::Fenced,
            String::from(
                "keys are read one by one while the source's commands are followed: no fork with \
                 data, and what is copied stays copied whatever dies",
            ),
        ),
        Strategy::Auto => (
            Strategy::Psync,
            String::from(
                "not fenced: the source refuses a command that reads keys one by one; it allows \
                 replication: its RDB is copied, then its commands are followed",
            ),
        ),
        asked => (asked, format!("asked for with --strategy {}", asked.name())),
    };
    Chosen { strategy, reason }
}
