//! Chooses how a live migration copies what is there at the beginning.
//!
//! Whatever is chosen, the commands of the source are followed from before the copy on: what
//! differs is what the copy asks of the source, and what is left of it when something dies midway.

use crate::config::{Config, Mode, Strategy};
use crate::preflight::{Checked, Server};

/// How keys are copied, and why this way.
#[derive(Clone, Debug)]
pub struct Chosen {
    /// How.
    pub strategy: Strategy,
    /// Why, for people.
    pub reason: String,
}

/// The best strategy the source allows, or the one that was asked for. Whether it allows to be
/// followed at all is seen when that begins.
#[must_use]
pub fn choose(config: &Config, checked: &Checked) -> Chosen {
    if config.strategy != Strategy::Auto {
        let reason = format!("asked for with --strategy {}", config.strategy.name());
        return Chosen { strategy: config.strategy, reason };
    }
    let compares = config.verify || config.only_differing;
    if config.mode == Mode::Live && compares && checked.readable && !checked.scannable {
        return Chosen {
            strategy: Strategy::Scan,
            reason: String::from(
                "not fenced, not psync: the source refuses ROLE, by which a source that is followed \
                 can be compared; both ends are compared, round after round, and what differs is \
                 copied",
            ),
        };
    }
    let must_compare = config.mode == Mode::Incremental || config.only_differing;
    match why_not_fenced(checked).filter(|_| !must_compare) {
        None => Chosen {
            strategy: Strategy::Fenced,
            reason: String::from(
                "keys are read one by one while the source's commands are followed: what is \
                 copied stays copied whatever dies",
            ),
        },
        Some(why) => Chosen {
            strategy: Strategy::Psync,
            reason: format!(
                "not fenced: {why}; the source allows replication: its RDB is copied, then its \
                 commands are followed"
            ),
        },
    }
}

/// What speaks against reading keys one by one.
fn why_not_fenced(checked: &Checked) -> Option<&'static str> {
    why_not_fenced_at(&checked.source, checked.scannable)
}

/// What speaks against reading the keys of a source one by one, which lets us or does not.
#[must_use]
pub fn why_not_fenced_at(source: &Server, scannable: bool) -> Option<&'static str> {
    if !scannable {
        return Some("the source refuses a command that reads keys one by one");
    }
    // It sends an RDB with all keys to whoever attaches: that one can as well be copied.
    (!source.is_at_least(7, 0)).then_some("before Redis 7.0 the source forks all the same")
}
