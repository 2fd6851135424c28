//! What is counted and remembered of every command that ran.

use std::time::Duration;

use ferrite_commands::Flag;

use crate::commands::Entry;
use crate::ctx::{Ctx, count};
use crate::error::CommandError;
use crate::slow_log::{SlowCommand, shortened};

impl Ctx<'_> {
    /// A command ran, this long; whether it answered an error.
    pub(super) fn observe(&mut self, entry: &Entry, words: &[&[u8]], took: Duration, failed: bool) {
        if let Some(counts) = self.counts.calls.0.get(entry.number) {
            count(&counts.calls, 1);
            let nanoseconds = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
            count(&counts.nanoseconds, nanoseconds);
            count(&counts.failed, u64::from(failed));
        }
        let threshold = self.shared.config.slow_log.log_slower_than.get();
        let microseconds = i64::try_from(took.as_micros()).unwrap_or(i64::MAX);
        if threshold >= 0
            && microseconds >= threshold
            && !entry.spec.flags.contains(Flag::SkipSlowlog)
        {
            self.remember_slow(entry, words, microseconds);
        }
    }

    #[cold]
    fn remember_slow(&mut self, entry: &Entry, words: &[&[u8]], microseconds: i64) {
        let limit = self.shared.config.slow_log.max_len.get();
        if limit == 0 {
            return;
        }
        let client = &self.session.client;
        let command = SlowCommand {
            id: 0,
            at: self.now / 1000,
            microseconds,
            words: shortened(entry.spec.name, words),
            client: client.peer.clone(),
            name: client.names.lock().name.clone(),
        };
        self.shared.slow_log.lock().add(command, limit);
    }

    /// An error was answered.
    #[cold]
    pub(super) fn observe_error(&self, error: &CommandError) {
        /// The most codes that are counted apart, as in Redis.
        const CODES: usize = 128;
        let code = error.line().split(' ').next().unwrap_or_default();
        let mut errors = self.shared.errors.lock();
        if errors.len() < CODES || errors.contains_key(code) {
            *errors.entry(code.to_owned()).or_default() += 1;
        }
    }
}
