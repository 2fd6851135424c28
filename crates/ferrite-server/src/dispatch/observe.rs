//! What is counted, remembered and shown of every command.

use std::time::Duration;

use ferrite_commands::Flag;

use crate::commands::Entry;
use crate::ctx::{Ctx, Within, count};
use crate::monitor::Call;
use crate::slow_log::{SlowCommand, shortened};

impl Ctx<'_> {
    /// A command ran, this long; whether it answered an error.
    pub fn observe(&mut self, entry: &Entry, words: &[&[u8]], took: Duration, failed: bool) {
        let config = &self.shared.config;
        if let Some(counts) = self.counts.calls.0.get(entry.number) {
            count(&counts.calls, 1);
            let nanoseconds = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
            count(&counts.nanoseconds, nanoseconds);
            count(&counts.failed, u64::from(failed));
            if config.latency.tracking.get() {
                counts.durations.add(nanoseconds);
            }
        }
        let threshold = config.slow_log.log_slower_than.get();
        let microseconds = i64::try_from(took.as_micros()).unwrap_or(i64::MAX);
        if threshold >= 0
            && microseconds >= threshold
            && !entry.spec.flags.contains(Flag::SkipSlowlog)
        {
            self.remember_slow(entry, words, microseconds);
        }
        let threshold = config.latency.monitor_threshold.get();
        if threshold > 0 {
            let fast = entry.spec.flags.contains(Flag::Fast);
            let event = if fast { "fast-command" } else { "command" };
            self.shared.latency.note(threshold, self.now, event, took);
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

    /// A command was refused before it ran.
    #[cold]
    pub fn observe_refused(&self, entry: &Entry) {
        if let Some(counts) = self.counts.calls.0.get(entry.number) {
            count(&counts.rejected, 1);
        }
    }

    /// An error was answered; its line, without the dash.
    #[cold]
    pub fn observe_error(&self, line: &str) {
        /// The most codes that are counted apart, as in Redis.
        const CODES: usize = 128;
        /// The longest code.
        const LONGEST: usize = 30;
        // What has no code at its begin counts as ERR, as in Redis.
        let code = line.split_once(' ').map(|(code, _)| code).filter(|code| code.len() <= LONGEST);
        let code = code.unwrap_or("ERR");
        let mut errors = self.shared.errors.lock();
        if errors.len() < CODES || errors.contains_key(code) {
            *errors.entry(code.to_owned()).or_default() += 1;
        }
    }

    /// Shows the call of a script, before the commands that it calls.
    pub fn show_script(&self, words: &[&[u8]]) {
        if self.shared.monitors.any()
            && let Some(entry) = words.first().and_then(|name| self.shared.names.lookup(name))
        {
            self.show(entry, words);
        }
    }

    /// Shows a command to whoever watches (`MONITOR`), unless it is administration.
    #[cold]
    pub fn show(&self, entry: &Entry, words: &[&[u8]]) {
        if entry.spec.flags.contains(Flag::Admin) {
            return;
        }
        let (client, db) = (&self.session.client, self.session.db);
        let call = Call { name: entry.spec.name, words };
        let script = self.within == Within::Script;
        self.shared.monitors.show(self.shared, client, db, script, call);
    }
}
