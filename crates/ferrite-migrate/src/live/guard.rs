//! Goes back by itself when, after a cutover, the target answers with too many errors.
//!
//! ```text
//! INFO stats         total_commands_processed, total_error_replies
//! INFO commandstats  calls and rejected_calls of each command      once a second, on the target
//! INFO errorstats    errors by their first word
//!
//! rate = errors / commands, over a window that is full and has enough commands
//! ```
//!
//! Commands are those processed and those rejected before that, without what we call there
//! ourselves: `INFO`, `REPLCONF`, and what reads keys again (`MULTI`, `ROLE`, `DUMP` …). Errors are
//! all error replies but `NOSCRIPT`, with which clients learn that a server does not have their
//! script yet.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ferrite_client::{ClientError, Connection, Connector};
use serde::{Deserialize, Serialize};
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::cutover::Wanted;
use super::run::{Following, Live, journal_error};
use crate::error::MigrateError;
use crate::jobs::control::Replier;
use crate::jobs::{JobGuard, State};

/// How often the target is asked.
const SAMPLE_EVERY: Duration = Duration::from_secs(1);
/// Fewer commands in a window say nothing.
const COMMANDS_MIN: u64 = 100;
/// A target that has not answered for so long counts as one that answers with errors alone.
const UNREACHABLE_AFTER: Duration = Duration::from_secs(30);
/// How long one answer may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// Shortest and longest window, in ms.
const WINDOW_MS: std::ops::RangeInclusive<u64> = 2000..=3_600_000;
/// How often it is tried to go back, each time after another window with too many errors.
const ATTEMPTS_MAX: u32 = 3;
/// The whole, in millionths.
const WHOLE_PPM: u64 = 1_000_000;
/// What we call ourselves.
const OWN_COMMANDS: [&str; 10] =
    ["info", "replconf", "multi", "exec", "select", "role", "time", "pexpiretime", "pttl", "dump"];
/// Errors that are no trouble.
const HARMLESS_ERRORS: [&str; 1] = ["NOSCRIPT"];

/// When to go back after a cutover without being told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Guard {
    /// The share of commands answered with an error above which it goes back, in millionths.
    pub limit_ppm: u32,
    /// The time over which they are counted, in ms.
    pub window_ms: u64,
    /// A shell command that moves the traffic back.
    #[serde(default)]
    pub hook: Option<String>,
}

impl Guard {
    /// Why it cannot be used.
    fn refused(&self) -> Option<String> {
        if !WINDOW_MS.contains(&self.window_ms) {
            let (least, most) = (WINDOW_MS.start() / 1000, WINDOW_MS.end() / 1000);
            return Some(format!(
                "errors are counted over {least} s at least and {most} s at most"
            ));
        }
        let is_share = (1..WHOLE_PPM).contains(&u64::from(self.limit_ppm));
        (!is_share).then(|| String::from("the error rate is greater than 0 and less than 1"))
    }
}

/// What the target has counted since it was started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    commands: u64,
    errors: u64,
}

impl Counts {
    /// Reads the three sections; `None` where the server does not count errors.
    fn parse(info: &str) -> Option<Self> {
        let lines = || info.lines().filter_map(|line| line.trim_end().split_once(':'));
        let number = |name: &str| lines().find(|(found, _)| *found == name)?.1.parse::<u64>().ok();
        let (processed, errors) =
            (number("total_commands_processed")?, number("total_error_replies")?);
        let (mut own, mut rejected, mut harmless) = (0, 0, 0);
        for (name, fields) in lines() {
            let field = |name: &str| {
                let mut fields = fields.split(',').filter_map(|field| field.split_once('='));
                fields.find(|(found, _)| *found == name)?.1.parse::<u64>().ok()
            };
            if let Some(command) = name.strip_prefix("cmdstat_") {
                rejected += field("rejected_calls").unwrap_or(0);
                let is_own = OWN_COMMANDS.contains(&command);
                own += field("calls").filter(|_| is_own).unwrap_or(0);
            } else if let Some(error) = name.strip_prefix("errorstat_") {
                let is_harmless = HARMLESS_ERRORS.contains(&error);
                harmless += field("count").filter(|_| is_harmless).unwrap_or(0);
            }
        }
        let commands = (processed + rejected).saturating_sub(own);
        Some(Self { commands, errors: errors.saturating_sub(harmless) })
    }
}

/// The counts of the last while.
#[derive(Debug)]
struct Window {
    length: Duration,
    samples: VecDeque<(Instant, Counts)>,
}

/// What a window says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Seen {
    commands: u64,
    errors: u64,
    is_full: bool,
}

impl Seen {
    /// Errors in a million commands; a command that is not known is an error without a command.
    fn rate_ppm(self) -> u64 {
        match self.commands.max(self.errors) {
            0 => 0,
            commands => self.errors.saturating_mul(WHOLE_PPM) / commands,
        }
    }

    fn is_above(self, limit_ppm: u32) -> bool {
        let is_enough = self.is_full && self.commands.max(self.errors) >= COMMANDS_MIN;
        is_enough && self.rate_ppm() > u64::from(limit_ppm)
    }
}

impl Window {
    fn new(length_ms: u64) -> Self {
        Self { length: Duration::from_millis(length_ms), samples: VecDeque::new() }
    }

    fn push(&mut self, at: Instant, counts: Counts) -> Seen {
        let latest = self.samples.back().map(|(_, counts)| *counts).unwrap_or_default();
        if counts.commands < latest.commands || counts.errors < latest.errors {
            // It was restarted, or its counters were reset.
            self.samples.clear();
        }
        self.samples.push_back((at, counts));
        // The oldest one is the youngest that is at least as old as the window is long.
        while self.samples.get(1).is_some_and(|(then, _)| at - *then >= self.length) {
            self.samples.pop_front();
        }
        let (since, oldest) = self.samples.front().copied().unwrap_or((at, counts));
        Seen {
            commands: counts.commands - oldest.commands,
            errors: counts.errors - oldest.errors,
            is_full: at - since >= self.length,
        }
    }
}

/// A guard at work.
#[derive(Debug)]
pub struct Guarding {
    guard: Guard,
    /// Ends with the reason to go back.
    task: JoinHandle<String>,
    seen: Arc<Mutex<Seen>>,
    attempts: u32,
    reason: Option<String>,
}

impl Drop for Guarding {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Guarding {
    fn start(guard: Guard, connector: Connector, attempts: u32) -> Self {
        let seen = Arc::new(Mutex::new(Seen::default()));
        let task = tokio::spawn(watch(guard.clone(), connector, Arc::clone(&seen)));
        Self { guard, task, seen, attempts, reason: None }
    }

    /// Waits for a reason to go back; for ever where there is no guard.
    pub async fn trips(guarding: &mut Option<Self>) -> String {
        let Some(running) = guarding.as_mut().filter(|guarding| guarding.reason.is_none()) else {
            return std::future::pending().await;
        };
        if let Ok(reason) = (&mut running.task).await {
            return reason;
        }
        // It ended without saying why: that is no reason to go back.
        *guarding = None;
        std::future::pending().await
    }

    /// What it sees.
    #[must_use]
    pub fn status(&self) -> JobGuard {
        let seen = *self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        JobGuard {
            limit: f64::from(self.guard.limit_ppm) / WHOLE_PPM as f64,
            window_s: self.guard.window_ms / 1000,
            rate: seen.rate_ppm() as f64 / WHOLE_PPM as f64,
            commands: seen.commands,
            errors: seen.errors,
            reason: self.reason.clone(),
        }
    }
}

/// Counts until there is a reason to go back; gives the reason.
async fn watch(guard: Guard, connector: Connector, told: Arc<Mutex<Seen>>) -> String {
    let mut window = Window::new(guard.window_ms);
    let mut connection = None;
    let mut answered = Instant::now();
    let mut ticks = interval(SAMPLE_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        match tokio::time::timeout(ANSWER_WITHIN, ask(&connector, &mut connection)).await {
            Ok(Ok(counts)) => {
                answered = Instant::now();
                let Some(counts) = counts else { continue };
                let seen = window.push(answered, counts);
                *told.lock().unwrap_or_else(PoisonError::into_inner) = seen;
                if seen.is_above(guard.limit_ppm) {
                    return above(&guard, seen);
                }
            }
            _ => connection = None,
        }
        if answered.elapsed() >= UNREACHABLE_AFTER {
            return format!("the target has not answered for {} s", UNREACHABLE_AFTER.as_secs());
        }
    }
}

fn above(guard: &Guard, seen: Seen) -> String {
    let percent = |ppm: u64| ppm as f64 / 10_000.0;
    format!(
        "{:.2} % of {} commands on the target failed in {} s, more than {} %",
        percent(seen.rate_ppm()),
        seen.commands.max(seen.errors),
        guard.window_ms / 1000,
        percent(guard.limit_ppm.into())
    )
}

async fn ask(
    connector: &Connector,
    connection: &mut Option<Connection>,
) -> Result<Option<Counts>, ClientError> {
    let mut info = String::new();
    if connection.is_none() {
        *connection = Some(connector.connect().await?);
    }
    let Some(connection) = connection.as_mut() else { return Ok(None) };
    for section in ["stats", "commandstats", "errorstats"] {
        let text = connection.call(&["INFO", section]).await?;
        info.push_str(&String::from_utf8_lossy(text.as_bytes().unwrap_or_default()));
    }
    Ok(Counts::parse(&info))
}

impl Live {
    /// Why a cutover cannot have this guard.
    #[must_use]
    pub fn guard_refused(&self, guard: Option<&Guard>, reverse: bool) -> Option<String> {
        let guard = guard?;
        if !reverse {
            return Some(String::from("going back by itself needs a way back: --reverse"));
        }
        if self.checked.target.cluster.is_some() {
            return Some(String::from(
                "the errors of a target that is a cluster are counted by each of its nodes, which \
                 is not watched",
            ));
        }
        if !self.checked.target.is_at_least(6, 2) {
            return Some(String::from(
                "the target does not count errors: that came with Redis 6.2",
            ));
        }
        guard.refused()
    }

    /// After a cutover: begins to count, where that was asked for.
    pub fn start_guard(&mut self, guard: Option<Guard>) {
        let connector = self.checked.source.connector.clone();
        self.guarding = guard.map(|guard| Guarding::start(guard, connector, 0));
    }

    /// The guard of the cutover that was done, as the journal has it.
    #[must_use]
    pub fn recorded_guard(&self) -> Option<Guard> {
        let details = self.dir.journal().iter().rev().filter_map(|record| record.detail.as_ref());
        let guard = details.filter_map(|detail| detail.get("guard")).next()?;
        serde_json::from_value(guard.clone()).ok()
    }

    /// There is a reason to go back: goes back as soon as that can be done.
    ///
    /// # Errors
    /// A job whose state cannot be recorded.
    pub async fn guard_trips(
        &mut self,
        reason: String,
        following: &mut Following,
    ) -> Result<(), MigrateError> {
        let Some(mut guarding) = self.guarding.take() else { return Ok(()) };
        let Guard { hook, .. } = guarding.guard.clone();
        let why = format!("{reason}: going back to the source");
        self.first().warn(why.clone());
        let detail = serde_json::json!({ "auto_rollback": reason });
        self.dir.transition_with(State::CutOver, Some(&why), detail).map_err(journal_error)?;
        guarding.attempts += 1;
        guarding.reason = Some(reason);
        self.guarding = Some(guarding);
        let wanted = Wanted { when_ready: true, hook, ..Wanted::default() };
        self.cut_over(&wanted, Replier::nobody(), following).await
    }

    /// Going back was given up: counts anew, unless that was often enough.
    pub fn guard_again(&mut self, why: &str) {
        let Some(guarding) = self.guarding.take_if(|guarding| guarding.reason.is_some()) else {
            return;
        };
        let (guard, attempts) = (guarding.guard.clone(), guarding.attempts);
        self.first().warn(format!("going back to the source was given up: {why}"));
        if attempts < ATTEMPTS_MAX {
            let connector = self.checked.source.connector.clone();
            self.guarding = Some(Guarding::start(guard, connector, attempts));
        } else {
            self.first().warn(format!(
                "it is not tried again: ferrite-migrate rollback --id {}",
                self.job.id
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INFO: &str = "# Stats\r\ntotal_commands_processed:1000\r\ntotal_error_replies:60\r\n\
        # Commandstats\r\ncmdstat_get:calls=900,usec=1,rejected_calls=20,failed_calls=0\r\n\
        cmdstat_info:calls=30,usec=1,rejected_calls=0,failed_calls=0\r\n\
        cmdstat_replconf:calls=10,usec=1,rejected_calls=0,failed_calls=0\r\n\
        cmdstat_dump:calls=100,usec=1,rejected_calls=0,failed_calls=0\r\n\
        # Errorstats\r\nerrorstat_WRONGTYPE:count=50\r\nerrorstat_NOSCRIPT:count=10\r\n";

    #[test]
    fn our_own_commands_and_unknown_scripts_do_not_count() {
        assert_eq!(Counts::parse(INFO), Some(Counts { commands: 880, errors: 50 }));
        assert_eq!(Counts::parse("total_commands_processed:1\r\n"), None);
    }

    fn counts(commands: u64, errors: u64) -> Counts {
        Counts { commands, errors }
    }

    #[test]
    fn a_window_counts_only_when_it_is_full_and_has_enough() {
        let (began, second) = (Instant::now(), Duration::from_secs(1));
        let mut window = Window::new(3000);
        assert!(!window.push(began, counts(5000, 4000)).is_above(1));
        assert!(!window.push(began + second, counts(5500, 4500)).is_above(1));
        let seen = window.push(began + 3 * second, counts(6000, 4500));
        assert_eq!(seen, Seen { commands: 1000, errors: 500, is_full: true });
        assert!(seen.is_above(499_999) && !seen.is_above(500_000));
        // What is older than the window is forgotten.
        let seen = window.push(began + 6 * second, counts(6200, 4500));
        assert_eq!((seen.commands, seen.errors), (200, 0));
        // A restart begins a new one.
        assert_eq!(window.push(began + 9 * second, counts(10, 10)), Seen::default());
        let few = window.push(began + 12 * second, counts(60, 60));
        assert!(few.is_full && !few.is_above(1), "{few:?}");
        let unknown = window.push(began + 15 * second, counts(60, 200));
        assert_eq!((unknown.rate_ppm(), unknown.is_above(1)), (WHOLE_PPM, true));
    }

    #[test]
    fn limits_are_shares_and_windows_bounded() {
        let guard = |limit_ppm, window_ms| Guard { limit_ppm, window_ms, hook: None };
        assert_eq!(guard(10_000, 60_000).refused(), None);
        for (limit_ppm, window_ms) in [(0, 60_000), (1_000_000, 60_000), (1, 1999), (1, 3_600_001)]
        {
            assert!(guard(limit_ppm, window_ms).refused().is_some(), "{limit_ppm} {window_ms}");
        }
    }
}
