//! How fast it goes and when it will be over, from one status after the other.
//!
//! The only clock is [`Status::elapsed_ms`], so the same statuses always give the same figures.

use std::collections::VecDeque;

use ferrite_migrate::{Following, Phase, Status};

use super::clean::clean;
use super::units::{bytes, count, duration, per_second, short_count};

/// Rates are measured over this many milliseconds.
const WINDOW_MS: u64 = 10_000;
/// At most this many statuses are kept to measure rates.
const SAMPLES_MAX: usize = 128;
/// Columns of a bar.
const BAR_WIDTH: u64 = 8;
/// Below this share of the keys an end cannot be foretold: one percent.
const ETA_FROM_PERCENT: u64 = 1;

#[derive(Clone, Copy, Debug)]
struct Sample {
    elapsed_ms: u64,
    keys: u64,
    bytes: u64,
}

/// Measures one run.
#[derive(Debug)]
pub struct Meter {
    /// Whether `keys_total` is what will be done: not if keys are selected by name or type.
    is_total_known: bool,
    phase: Option<Phase>,
    samples: VecDeque<Sample>,
}

/// What there is to show at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Figures {
    /// The stage.
    pub phase: Phase,
    /// Keys done.
    pub keys: u64,
    /// Keys there are.
    pub keys_total: u64,
    /// Share of the keys, 0 to 100, where it is known.
    pub percent: Option<u64>,
    /// Bytes done.
    pub bytes: u64,
    /// Keys a second.
    pub keys_rate: u64,
    /// Bytes a second.
    pub bytes_rate: u64,
    /// Milliseconds since the stage began.
    pub elapsed_ms: u64,
    /// Milliseconds to the end, where they can be foretold.
    pub eta_ms: Option<u64>,
    /// How far the target is behind, while it follows; `keys_rate` is of commands then.
    pub following: Option<Following>,
    /// Why it goes slower than it could, where it does.
    pub throttled: Option<String>,
    /// How many share the job, and how many of its parts are done.
    pub shared: Option<String>,
}

impl Meter {
    /// Begins to measure.
    pub fn new(is_total_known: bool) -> Self {
        Self { is_total_known, phase: None, samples: VecDeque::new() }
    }

    /// Takes in a status and gives the figures of this moment.
    pub fn measure(&mut self, status: &Status) -> Figures {
        if self.phase != Some(status.phase) {
            self.phase = Some(status.phase);
            self.samples.clear();
        }
        let now = Sample {
            elapsed_ms: status.elapsed_ms,
            keys: status.following.map_or(status.keys_done, |following| following.commands),
            bytes: status.bytes_done,
        };
        // Commands are counted from the beginning of the run, not of the stage.
        if self.samples.is_empty() && status.following.is_some() {
            self.samples.push_back(now);
        }
        let (keys_rate, bytes_rate) = self.rates(now);
        let percent = self.percent(status);
        Figures {
            phase: status.phase,
            keys: status.keys_done,
            keys_total: status.keys_total,
            percent,
            bytes: status.bytes_done,
            keys_rate,
            bytes_rate,
            elapsed_ms: status.elapsed_ms,
            eta_ms: eta(status, percent, keys_rate),
            following: status.following,
            throttled: status.throttle.why.clone().filter(|_| status.throttle.active),
            shared: status.shared.as_ref().map(|shared| {
                let (done, all) = (shared.done, shared.partitions);
                format!("{} workers, {done}/{all} partitions", shared.alive.len())
            }),
        }
    }

    fn rates(&mut self, now: Sample) -> (u64, u64) {
        let is_old = |sample: &Sample| now.elapsed_ms.saturating_sub(sample.elapsed_ms) > WINDOW_MS;
        while self.samples.len() > 1 && self.samples.get(1).is_some_and(is_old) {
            self.samples.pop_front();
        }
        let start = Sample { elapsed_ms: 0, keys: 0, bytes: 0 };
        let then = self.samples.front().copied().unwrap_or(start);
        if self.samples.len() < SAMPLES_MAX {
            self.samples.push_back(now);
        }
        let passed = now.elapsed_ms.saturating_sub(then.elapsed_ms);
        let rate = |new: u64, old: u64| match passed {
            0 => 0,
            _ => per_second(new.saturating_sub(old), passed),
        };
        (rate(now.keys, then.keys), rate(now.bytes, then.bytes))
    }

    fn percent(&self, status: &Status) -> Option<u64> {
        let is_known = self.is_total_known && status.keys_total > 0;
        is_known.then(|| {
            let share = u128::from(status.keys_done) * 100 / u128::from(status.keys_total);
            u64::try_from(share).unwrap_or(100).min(100)
        })
    }
}

fn eta(status: &Status, percent: Option<u64>, keys_rate: u64) -> Option<u64> {
    let left = status.keys_total.checked_sub(status.keys_done)?;
    if percent? < ETA_FROM_PERCENT || keys_rate == 0 {
        return None;
    }
    u64::try_from(u128::from(left) * 1000 / u128::from(keys_rate)).ok()
}

impl Figures {
    /// The stage in a word.
    pub fn phase_name(&self) -> &'static str {
        match self.phase {
            Phase::Preflight => "checking",
            Phase::Attaching => "attaching",
            Phase::Loading => "loading",
            Phase::Copying => "copying",
            Phase::CatchingUp => "catching up",
            Phase::Live => "live",
            Phase::CuttingOver => "cutting over",
            Phase::Verifying => "verifying",
            Phase::Finished => "finished",
        }
    }

    /// What is said while nothing moves yet.
    fn waiting(&self) -> Option<String> {
        let is_waiting = self.phase == Phase::Attaching;
        let elapsed = duration(self.elapsed_ms);
        is_waiting.then(|| format!("attaching: waiting for the source to send · {elapsed}"))
    }

    /// What is said while the target follows, with counts of this kind.
    fn followed(&self, counted: fn(u64) -> String) -> Option<String> {
        let Following { lag_bytes, lag_ms, commands } = self.following?;
        let lag = format!("lag {}, {}", bytes(lag_bytes), duration(lag_ms));
        let line = format!("{} · {lag}", self.phase_name());
        // A replica reads the source by itself: nobody counts.
        if commands == 0 {
            return Some(line);
        }
        let rate = counted(self.keys_rate);
        Some(format!("{line} · {} commands · {rate}/s", counted(commands)))
    }

    /// A line for a terminal, of at most 80 columns, with a bar if the share is known.
    pub fn bar(&self) -> String {
        if let Some(line) = self.waiting().or_else(|| self.followed(short_count)) {
            return line;
        }
        let mut parts = vec![self.phase_name().to_owned()];
        if let Some(percent) = self.percent {
            let full = percent * BAR_WIDTH / 100;
            let bar: String = (0..BAR_WIDTH).map(|at| if at < full { '━' } else { '─' }).collect();
            parts.push(format!("{bar} {percent}%"));
        }
        parts.push(format!("{}/{}", short_count(self.keys), short_count(self.keys_total)));
        parts.push(bytes(self.bytes));
        parts.push(format!("{}/s", short_count(self.keys_rate)));
        parts.push(format!("{}/s", bytes(self.bytes_rate)));
        if let Some(eta_ms) = self.eta_ms {
            parts.push(format!("ETA {}", duration(eta_ms)));
        }
        // What does not fit is cut off.
        parts.extend(self.shared.iter().map(|shared| format!("· {shared}")));
        parts.extend(self.throttled.iter().map(|why| format!("· {}", clean(why))));
        parts.join(" ")
    }

    /// A line of its own, for logs.
    pub fn line(&self) -> String {
        if let Some(line) = self.waiting().or_else(|| self.followed(count)) {
            return line;
        }
        let share = self.percent.map(|percent| format!(" ({percent}%)")).unwrap_or_default();
        let eta = self.eta_ms.map(|eta| format!(" · ETA {}", duration(eta))).unwrap_or_default();
        let shared = self.shared.as_ref().map(|shared| format!(" · {shared}"));
        let why = self.throttled.as_ref().map(|why| format!(" · {}", clean(why)));
        format!(
            "{} {} of {} keys{share} · {} · {} keys/s · {}/s{eta}{}{}",
            self.phase_name(),
            count(self.keys),
            count(self.keys_total),
            bytes(self.bytes),
            count(self.keys_rate),
            bytes(self.bytes_rate),
            shared.unwrap_or_default(),
            why.unwrap_or_default(),
        )
    }
}

#[cfg(test)]
mod tests {
    use ferrite_migrate::{SharedStatus, Throttle};

    use super::*;

    fn status(elapsed_ms: u64, keys_done: u64, bytes_done: u64) -> Status {
        let (id, phase) = ("mig_x".to_owned(), Phase::Copying);
        let (keys_total, following) = (1_000_000, None);
        let (throttle, shared) = (Throttle::default(), None);
        Status {
            id,
            phase,
            keys_done,
            keys_total,
            bytes_done,
            elapsed_ms,
            following,
            throttle,
            shared,
        }
    }

    fn live(elapsed_ms: u64, commands: u64) -> Status {
        let following = Some(Following { lag_bytes: 12 << 10, lag_ms: 80, commands });
        Status { phase: Phase::Live, following, ..status(elapsed_ms, 0, 0) }
    }

    #[test]
    fn what_is_followed_is_told_by_its_lag() {
        let mut meter = Meter::new(true);
        let first = meter.measure(&live(1000, 1_150_567));
        assert!(first.line().ends_with("1,150,567 commands · 0/s"), "{}", first.line());
        let figures = meter.measure(&live(5000, 1_234_567));
        assert_eq!(figures.line(), "live · lag 12.0 KiB, 80 ms · 1,234,567 commands · 21,000/s");
        assert_eq!(figures.bar(), "live · lag 12.0 KiB, 80 ms · 1.23M commands · 21.0k/s");
        let catching_up = Status { phase: Phase::CatchingUp, ..live(1000, 5) };
        assert!(meter.measure(&catching_up).line().starts_with("catching up · lag "));
    }

    #[test]
    fn a_line_has_everything() {
        let mut meter = Meter::new(true);
        meter.measure(&status(1000, 10_000, 10 << 20));
        let figures = meter.measure(&status(5000, 110_000, 50 << 20));
        assert_eq!(
            figures.line(),
            "copying 110,000 of 1,000,000 keys (11%) · 50.0 MiB · 25,000 keys/s · \
             10.0 MiB/s · ETA 35 s"
        );
        assert_eq!(
            figures.bar(),
            "copying ──────── 11% 110k/1.00M 50.0 MiB 25.0k/s 10.0 MiB/s ETA 35 s"
        );
    }

    #[test]
    fn what_holds_it_back_is_said() {
        let mut meter = Meter::new(true);
        let why = Some(String::from("limited to 50.0 MiB/s (--rate)"));
        let throttle = Throttle { active: true, why };
        let figures = meter.measure(&Status { throttle: throttle.clone(), ..status(1000, 1, 0) });
        assert!(figures.line().ends_with("0 B/s · limited to 50.0 MiB/s (--rate)"));
        assert!(figures.bar().ends_with("0 B/s · limited to 50.0 MiB/s (--rate)"));
        let throttle = Throttle { active: false, ..throttle };
        let figures = meter.measure(&Status { throttle, ..status(2000, 2, 0) });
        assert!(figures.line().ends_with("0 B/s"), "{}", figures.line());
    }

    #[test]
    fn who_shares_the_job_is_said() {
        let alive = vec![String::from("a"), String::from("b")];
        let shared = SharedStatus { partitions: 8, done: 3, alive, ..SharedStatus::default() };
        let status = Status { shared: Some(shared), ..status(1000, 20_000, 0) };
        let figures = Meter::new(true).measure(&status);
        assert!(figures.line().ends_with("· 2 workers, 3/8 partitions"), "{}", figures.line());
        assert!(figures.bar().ends_with("· 2 workers, 3/8 partitions"), "{}", figures.bar());
    }

    #[test]
    fn no_end_is_foretold_below_one_percent() {
        let mut meter = Meter::new(true);
        assert_eq!(meter.measure(&status(1000, 9_999, 0)).eta_ms, None);
        assert_eq!(meter.measure(&status(2000, 10_000, 0)).percent, Some(1));
        assert!(meter.measure(&status(3000, 20_000, 0)).eta_ms.is_some());
    }

    #[test]
    fn a_selection_has_no_share_and_no_end() {
        let figures = Meter::new(false).measure(&status(1000, 500_000, 0));
        assert_eq!((figures.percent, figures.eta_ms), (None, None));
        assert_eq!(figures.bar(), "copying 500k/1.00M 0 B 500k/s 0 B/s");
        assert_eq!(figures.keys_rate, 500_000);
    }

    #[test]
    fn a_stall_is_seen() {
        let mut meter = Meter::new(true);
        meter.measure(&status(1000, 100_000, 0));
        for elapsed_ms in (2000..=20_000).step_by(1000) {
            meter.measure(&status(elapsed_ms, 100_000, 0));
        }
        let figures = meter.measure(&status(21_000, 100_000, 0));
        assert_eq!((figures.keys_rate, figures.eta_ms), (0, None));
    }

    #[test]
    fn a_new_stage_is_measured_afresh() {
        let mut meter = Meter::new(true);
        meter.measure(&status(60_000, 900_000, 1 << 30));
        let verifying = Status { phase: Phase::Verifying, ..status(1000, 50_000, 0) };
        assert_eq!(meter.measure(&verifying).keys_rate, 50_000);
    }

    #[test]
    fn a_source_that_forks_is_waited_for() {
        let attaching = Status { phase: Phase::Attaching, ..status(5000, 0, 0) };
        let figures = Meter::new(true).measure(&attaching);
        assert_eq!(figures.line(), "attaching: waiting for the source to send · 5.0 s");
        assert_eq!(figures.bar(), figures.line());
    }

    #[test]
    fn eighty_columns_are_enough() {
        let figures = Figures {
            phase: Phase::Verifying,
            keys: 888_000_000,
            keys_total: 999_400_000,
            percent: Some(100),
            bytes: 888 << 20,
            keys_rate: 888_000,
            bytes_rate: 888 << 20,
            elapsed_ms: 1,
            eta_ms: Some(59 * 60_000 + 59_000),
            following: None,
            throttled: None,
            shared: None,
        };
        assert_eq!(
            figures.bar(),
            "verifying ━━━━━━━━ 100% 888M/999M 888 MiB 888k/s 888 MiB/s ETA 59m59s"
        );
        assert!(figures.bar().chars().count() <= 80);
    }
}
