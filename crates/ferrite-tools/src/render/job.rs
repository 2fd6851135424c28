//! One migration that outlives its process, at one moment.

use std::io::{self, IsTerminal};

use ferrite_migrate::{JobGuard, JobStatus, State, rfc3339};

use super::live::rounds_words;
use super::{Output, json};
use crate::term::clean::clean;
use crate::term::color::{Palette, is_dumb};
use crate::term::units::{bytes, count, duration};

/// Columns of the bar.
const BAR_WIDTH: u64 = 24;
/// Columns of the line under a heading.
const RULE_WIDTH: usize = 53;
/// Columns of names in front of their values.
const NAME_WIDTH: usize = 17;
/// Makes a terminal begin again at the top.
const CLEAR: &str = "\u{1b}[H\u{1b}[2J";

impl Output {
    /// One migration at this moment.
    pub fn job(&self, status: &JobStatus) {
        self.show_job("", status);
    }

    /// The same, once more: in its own place on a terminal.
    pub fn watched_job(&self, status: &JobStatus) {
        let is_drawn = io::stdout().is_terminal() && !is_dumb();
        self.show_job(if is_drawn { CLEAR } else { "" }, status);
    }

    fn show_job(&self, before: &str, status: &JobStatus) {
        if self.json {
            self.object(&json::Tagged::new("status", status));
        } else {
            self.screen.result(&format!("{before}{}", text(status, self.result_palette)));
        }
    }
}

fn text(status: &JobStatus, palette: Palette) -> String {
    let mut lines = head(status, palette);
    lines.extend(bar(status, palette));
    lines.extend([String::new(), palette.bold("Statistics:"), "─".repeat(RULE_WIDTH)]);
    lines.extend(statistics(status));
    lines.push(String::new());
    lines.extend(outlook(status, palette));
    lines.join("\n")
}

fn head(status: &JobStatus, palette: Palette) -> Vec<String> {
    let mut lines = vec![
        format!("Migration: {}", palette.bold(&clean(&status.id))),
        format!("Status: {}", paint(status.state, 0, palette)),
    ];
    let strategy = match (&status.strategy, &status.strategy_reason) {
        (Some(strategy), Some(reason)) => Some(format!("{strategy} ({reason})")),
        (strategy, _) => strategy.clone(),
    };
    let rest = [
        ("Phase", status.phase.clone()),
        ("Source", Some(status.source.clone())),
        ("Target", Some(status.target.clone())),
        ("Strategy", strategy),
        ("Consistency", status.consistency.clone()),
    ];
    for (name, value) in rest {
        lines.extend(value.map(|value| format!("{name}: {}", clean(&value))));
    }
    lines
}

/// The state in as many columns at least, in the color of what it means.
pub fn paint(state: State, width: usize, palette: Palette) -> String {
    let name = format!("{state:<width$}");
    match state {
        State::Live | State::Idle | State::CutOver | State::Completed => palette.good(&name),
        State::Failed => palette.bad(&name),
        State::Paused
        | State::Aborting
        | State::Aborted
        | State::RollingBack
        | State::RolledBack => palette.warn(&name),
        _ => name,
    }
}

fn bar(status: &JobStatus, palette: Palette) -> Vec<String> {
    let Some(percent) = status.progress.percent else { return Vec::new() };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it saturates")]
    let percent = (percent as u64).min(100);
    let full = percent * BAR_WIDTH / 100;
    let bar: String = (0..BAR_WIDTH).map(|at| if at < full { '█' } else { '░' }).collect();
    vec![String::new(), palette.bold("Progress:"), format!("{bar} {percent}%")]
}

fn pair(name: &str, value: &str) -> String {
    let name = format!("{name}:");
    format!("{name:<NAME_WIDTH$}{}", clean(value))
}

fn statistics(status: &JobStatus) -> Vec<String> {
    let (progress, verify) = (&status.progress, &status.verify);
    let keys = of(count(progress.keys_done), progress.keys_total.map(count));
    let size = of(bytes(progress.bytes_done), progress.bytes_total.map(bytes));
    let mut lines = vec![pair("Keys migrated", &keys), pair("Bytes synced", &size)];
    if status.pid.is_some() {
        let (keys, size) = (count(progress.rate_keys_s), bytes(progress.rate_bytes_s));
        lines.push(pair("Current rate", &format!("{keys} keys/s, {size}/s")));
    }
    lines.push(match &status.rounds {
        Some(_) => pair("Behind", &status.lag.seconds.map_or(String::from("unknown"), seconds)),
        None => pair("Lag", &lag(status)),
    });
    lines.extend(status.rounds.iter().map(|rounds| pair("Rounds", &rounds_words(rounds))));
    if verify.checked > 0 {
        let (checked, wrong) = (count(verify.checked), count(verify.mismatched));
        let compared =
            format!("{checked} keys, {wrong} differ, {} repaired", count(verify.repaired));
        lines.push(pair("Compared", &compared));
    }
    if status.ttl_guard.held > 0 {
        lines.push(pair("Expiries held", &count(status.ttl_guard.held)));
    }
    let whole = |seconds: u64| duration(seconds.saturating_mul(1000));
    lines.push(pair("Elapsed", &whole(progress.elapsed_s)));
    lines.extend(progress.eta_s.map(|eta| pair("ETA", &whole(eta))));
    lines
}

fn of(done: String, total: Option<String>) -> String {
    total.map_or_else(|| done.clone(), |total| format!("{done} / {total}"))
}

fn lag(status: &JobStatus) -> String {
    let lag = &status.lag;
    let mut parts = vec![format!("{} keys", count(lag.keys_dirty))];
    parts.extend(lag.bytes.map(bytes));
    parts.extend(lag.seconds.map(seconds));
    if lag.spool_bytes > 0 {
        parts.push(format!("{} on disk", bytes(lag.spool_bytes)));
    }
    parts.join(", ")
}

/// A duration from seconds of another program's making: whatever they are, there is a text.
pub fn seconds(seconds: f64) -> String {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it saturates")]
    let milliseconds = (seconds * 1000.0) as u64;
    duration(milliseconds)
}

/// What stands in the way, and what to do next.
fn outlook(status: &JobStatus, palette: Palette) -> Vec<String> {
    let mut lines = Vec::new();
    if status.throttle.active {
        let why = status.throttle.why.as_deref().unwrap_or("no reason is known");
        lines.push(palette.warn(&pair("Throttled", why)));
    }
    for skip in &status.skipped {
        let of_type = skip.type_name.as_deref().map_or(String::new(), |name| format!(" {name}"));
        let left_out = format!("{}{of_type} keys: {}", count(skip.count), skip.reason);
        lines.push(palette.warn(&pair("Left out", &left_out)));
    }
    lines.extend(status.warnings.iter().map(|text| palette.warn(&pair("Warning", text))));
    lines.extend(cutover(status, palette));
    lines.extend(status.scheduled_at_ms.map(|at| pair("Scheduled", &scheduled(at, status))));
    lines.extend(status.guard.as_ref().map(|guard| pair("Error rate", &error_rate(guard))));
    if status.can_rollback {
        lines.push(pair("Can roll back", "yes"));
    }
    lines.extend(status.next_steps.iter().map(|step| pair("Next step", step)));
    lines
}

/// When the cutover begins, and how long that is from when the status was written.
fn scheduled(at_ms: u64, status: &JobStatus) -> String {
    let left = duration(at_ms.saturating_sub(status.updated_at_ms));
    format!("cutover at {}, in {left}", rfc3339(at_ms))
}

fn error_rate(guard: &JobGuard) -> String {
    let percent = |rate: f64| format!("{:.2} %", rate * 100.0);
    let (rate, limit) = (percent(guard.rate), percent(guard.limit));
    let (commands, window) = (count(guard.commands), guard.window_s);
    let then = match guard.reason {
        Some(_) => "rolling back",
        None => "rolled back above",
    };
    format!("{rate} of {commands} commands in {window} s ({then} {limit})")
}

/// Whether a cutover can begin, while there is one ahead; after that, the reasons of the state.
fn cutover(status: &JobStatus, palette: Palette) -> Vec<String> {
    let is_ahead =
        matches!(status.state, State::Attaching | State::Copying | State::CatchingUp | State::Live);
    let reasons = status.reasons.join("; ");
    match (is_ahead, status.can_cutover) {
        (true, true) => {
            let pause = status.projected_pause_ms.map(duration);
            let pause = pause.map(|pause| format!(" (writes would pause for about {pause})"));
            let ready = format!("yes{}", pause.unwrap_or_default());
            vec![palette.good(&pair("Can cut over", &ready))]
        }
        (true, false) if reasons.is_empty() => vec![pair("Can cut over", "no")],
        (true, false) => vec![pair("Can cut over", &format!("no: {reasons}"))],
        (false, _) => status.reasons.iter().map(|reason| pair("Reason", reason)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use ferrite_migrate::{JobLag, JobProgress, SkippedKeys, Throttle};

    use super::*;

    fn live() -> JobStatus {
        let progress = JobProgress {
            keys_done: 1_050_000,
            keys_total: Some(1_234_567),
            bytes_done: 3_865_470_566,
            bytes_total: Some(4_509_715_660),
            percent: Some(85.9),
            rate_keys_s: 25_000,
            rate_bytes_s: 91_226_112,
            elapsed_s: 754,
            eta_s: Some(135),
            ..JobProgress::default()
        };
        let lag = JobLag {
            bytes: Some(40_960),
            seconds: Some(0.21),
            keys_dirty: 234,
            spool_bytes: 1 << 20,
        };
        JobStatus {
            id: "mig_abc123".to_owned(),
            state: State::Live,
            phase: Some("LIVE_SYNC".to_owned()),
            source: "redis://old:6379".to_owned(),
            target: "redis://new:6379".to_owned(),
            progress,
            lag,
            pid: Some(7),
            next_steps: vec!["ferrite-migrate cutover --id mig_abc123".to_owned()],
            ..JobStatus::default()
        }
    }

    fn shown(status: &JobStatus) -> String {
        text(status, Palette::PLAIN)
    }

    #[test]
    fn a_migration_has_the_published_layout() {
        let mut status = live();
        (status.can_cutover, status.projected_pause_ms) = (true, Some(180));
        let expected = "\
Migration: mig_abc123
Status: LIVE
Phase: LIVE_SYNC
Source: redis://old:6379
Target: redis://new:6379

Progress:
████████████████████░░░░ 85%

Statistics:
─────────────────────────────────────────────────────
Keys migrated:   1,050,000 / 1,234,567
Bytes synced:    3.60 GiB / 4.20 GiB
Current rate:    25,000 keys/s, 87.0 MiB/s
Lag:             234 keys, 40.0 KiB, 210 ms, 1.00 MiB on disk
Elapsed:         12m34s
ETA:             2m15s

Can cut over:    yes (writes would pause for about 180 ms)
Next step:       ferrite-migrate cutover --id mig_abc123";
        assert_eq!(shown(&status), expected);
    }

    #[test]
    fn what_stands_in_the_way_is_said() {
        let mut status = live();
        status.reasons = vec!["the lag is 9 s".to_owned(), "it is \x1b[2J".to_owned()];
        status.throttle = Throttle { active: true, why: Some("target p99 31 ms".to_owned()) };
        let (reason, type_name) = ("no such module".to_owned(), Some("TSDB-TYPE".to_owned()));
        status.skipped = vec![SkippedKeys { reason, type_name, count: 3000 }];
        status.warnings = vec!["clocks differ".to_owned()];
        (status.verify.checked, status.verify.repaired, status.ttl_guard.held) = (1000, 2, 1204);
        let text = shown(&status);
        for line in [
            "Compared:        1,000 keys, 0 differ, 2 repaired",
            "Expiries held:   1,204",
            "Throttled:       target p99 31 ms",
            "Left out:        3,000 TSDB-TYPE keys: no such module",
            "Warning:         clocks differ",
            "Can cut over:    no: the lag is 9 s; it is \\u{1b}[2J",
        ] {
            assert!(text.lines().any(|shown| shown == line), "{line}\n{text}");
        }
    }

    #[test]
    fn what_is_not_known_is_not_said() {
        let status = JobStatus { id: "mig_a".to_owned(), ..JobStatus::default() };
        let text = shown(&status);
        for absent in ["Phase", "Progress", "Current rate", "Compared", "ETA", "cut over"] {
            assert!(!text.contains(absent), "{absent}\n{text}");
        }
        assert!(
            text.contains("\nKeys migrated:   0\nBytes synced:    0 B\nLag:             0 keys\n")
        );
    }

    #[test]
    fn a_failure_gives_its_reason() {
        let reasons = vec!["its process ended".to_owned()];
        let text = shown(&JobStatus { state: State::Failed, reasons, ..live() });
        assert!(text.contains("Reason:          its process ended"), "{text}");
        assert!(!text.contains("cut over"), "{text}");
    }

    #[test]
    fn figures_that_make_no_sense_are_no_crash() {
        let mut status = live();
        for odd in [f64::NAN, f64::INFINITY, -1.0, 1e300] {
            (status.progress.percent, status.lag.seconds) = (Some(odd), Some(odd));
            assert!(shown(&status).contains('%'));
        }
    }
}
