//! How fast a server may be used, from how long it takes to answer: the rate is halved when the
//! answers come too late, and raised by small steps when they do not.

use std::time::{Duration, Instant};

use super::RATE_MIN;

/// Answers for one decision. Their median counts, so that two of them may be late by chance.
const ANSWERS: usize = 5;
/// What remains of the rate when answers come too late.
const DECREASE: f64 = 0.5;
/// The rate grows by this part of the highest speed that was seen.
const INCREASE: f64 = 1.0 / 16.0;
/// And by so many bytes a second at least.
const INCREASE_MIN: f64 = (1 << 20) as f64;
/// How much the latest speed counts beside those before it.
const SMOOTHING: f64 = 0.5;

/// What has passed up to now, for a decision.
#[derive(Clone, Copy, Debug)]
pub struct Passed {
    /// Bytes since the beginning.
    pub bytes: u64,
    /// Whether this control held something back since the last decision.
    pub was_holding: bool,
}

/// Decides over the use of one server.
#[derive(Debug)]
pub struct Control {
    limit: Duration,
    answers: Vec<Duration>,
    /// Median of the answers of the last decision, and whether it was above the limit.
    latency: Duration,
    is_late: bool,
    /// The latest median above the limit.
    worst: Duration,
    /// Bytes a second; `None` for as many as come.
    permitted: Option<f64>,
    /// Bytes a second, smoothed, and the most of them so far.
    speed: f64,
    top: f64,
    /// When the last decision was made, and the bytes by then.
    decided: (Instant, u64),
}

impl Control {
    /// A control that lets everything pass until answers come later than `limit`.
    pub fn new(limit: Duration, bytes: u64, now: Instant) -> Self {
        Self {
            limit,
            answers: Vec::with_capacity(ANSWERS),
            latency: Duration::ZERO,
            is_late: false,
            worst: Duration::ZERO,
            permitted: None,
            speed: 0.0,
            top: 0.0,
            decided: (now, bytes),
        }
    }

    /// Another limit for the answers.
    pub fn set_limit(&mut self, limit: Duration) {
        self.limit = limit;
    }

    /// Bytes a second that may pass; `None` for as many as come.
    pub fn permitted(&self) -> Option<f64> {
        self.permitted
    }

    /// An answer took so long; whether that was enough to decide.
    pub fn answered(&mut self, took: Duration, passed: Passed, now: Instant) -> bool {
        self.answers.push(took);
        if self.answers.len() < ANSWERS {
            return false;
        }
        self.measure(passed.bytes, now);
        self.answers.sort_unstable();
        self.latency = self.answers.get(ANSWERS / 2).copied().unwrap_or_default();
        self.answers.clear();
        self.is_late = self.latency > self.limit;
        self.permitted = if self.is_late {
            self.worst = self.latency;
            let permitted = self.permitted.unwrap_or(f64::INFINITY);
            // What is not used does not have to be given up first.
            Some((permitted.min(self.speed) * DECREASE).max(RATE_MIN as f64))
        } else {
            let step = INCREASE_MIN.max(self.top * INCREASE);
            // A rate that holds nothing back is none.
            self.permitted.filter(|_| passed.was_holding).map(|permitted| permitted + step)
        };
        true
    }

    /// Nobody answers: what was measured is of no use any more.
    pub fn forget_answers(&mut self) {
        self.answers.clear();
    }

    #[expect(clippy::cast_precision_loss, reason = "bytes of half a second")]
    fn measure(&mut self, bytes: u64, now: Instant) {
        let (then, before) = self.decided;
        let seconds = now.saturating_duration_since(then).as_secs_f64().max(0.001);
        let speed = bytes.saturating_sub(before) as f64 / seconds;
        self.speed += (speed - self.speed) * SMOOTHING;
        self.top = self.top.max(self.speed);
        self.decided = (now, bytes);
    }

    /// Why it holds back, of the server of this name, by the limit of this option.
    pub fn why(&self, server: &str, option: &str) -> String {
        let (verb, latency) = match self.is_late {
            true => ("answers", self.latency),
            false => ("answered", self.worst),
        };
        let (latency, limit) = (latency.as_secs_f64() * 1000.0, self.limit.as_millis());
        format!("the {server} {verb} in {latency:.1} ms ({option} {limit} ms)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_millis(2);
    const QUICK: Duration = Duration::from_micros(300);
    const SLOW: Duration = Duration::from_micros(3100);
    const EVERY: Duration = Duration::from_millis(100);
    const MB: f64 = 1e6;

    /// A copy that goes as fast as it may, up to so many bytes a second.
    struct Copy {
        control: Control,
        able: f64,
        bytes: f64,
        now: Instant,
    }

    impl Copy {
        fn new(able: f64) -> Self {
            let now = Instant::now();
            Self { control: Control::new(LIMIT, 0, now), able, bytes: 0.0, now }
        }

        fn speed(&self) -> f64 {
            self.control.permitted().map_or(self.able, |permitted| permitted.min(self.able))
        }

        /// So many answers that take as long as `took` says at the speed they come at.
        fn goes_on(&mut self, answers: usize, took: impl Fn(f64) -> Duration) {
            for _ in 0..answers {
                self.now += EVERY;
                self.bytes += self.speed() * EVERY.as_secs_f64();
                let was_holding = self.control.permitted().is_some_and(|most| most < self.able);
                let passed = Passed { bytes: self.bytes as u64, was_holding };
                self.control.answered(took(self.speed()), passed, self.now);
            }
        }
    }

    #[test]
    fn quick_answers_hold_nothing_back() {
        let mut copy = Copy::new(100.0 * MB);
        copy.goes_on(100, |_| QUICK);
        assert_eq!(copy.control.permitted(), None);
    }

    #[test]
    fn two_late_answers_of_five_are_chance() {
        let mut copy = Copy::new(100.0 * MB);
        for round in 0..100 {
            copy.goes_on(1, |_| if round % 5 < 2 { Duration::from_secs(1) } else { QUICK });
        }
        assert_eq!(copy.control.permitted(), None);
    }

    #[test]
    fn late_answers_halve_the_speed_down_to_the_least() {
        let mut copy = Copy::new(100.0 * MB);
        copy.goes_on(50, |_| QUICK);
        copy.goes_on(ANSWERS, |_| SLOW);
        let permitted = copy.control.permitted().unwrap();
        assert!((45.0 * MB..=50.0 * MB).contains(&permitted), "{permitted}");
        copy.goes_on(100, |_| SLOW);
        assert_eq!(copy.control.permitted(), Some(RATE_MIN as f64));
    }

    #[test]
    fn a_server_that_is_slow_from_the_beginning_is_approached_slowly() {
        let mut copy = Copy::new(0.0);
        copy.goes_on(ANSWERS, |_| SLOW);
        assert_eq!(copy.control.permitted(), Some(RATE_MIN as f64));
    }

    #[test]
    fn quick_answers_lift_the_limit_by_steps() {
        let mut copy = Copy::new(100.0 * MB);
        copy.goes_on(50, |_| QUICK);
        copy.goes_on(100, |_| SLOW);
        copy.goes_on(ANSWERS, |_| QUICK);
        let permitted = copy.control.permitted().unwrap();
        assert!(permitted < 10.0 * MB, "{permitted}");
        copy.goes_on(18 * ANSWERS, |_| QUICK);
        assert_eq!(copy.control.permitted(), None, "after nine seconds");
    }

    #[test]
    fn it_settles_at_what_the_server_can_take() {
        let mut copy = Copy::new(100.0 * MB);
        let took = |speed| if speed > 40.0 * MB { SLOW } else { QUICK };
        copy.goes_on(200, took);
        let began = (copy.bytes, copy.now);
        copy.goes_on(1000, took);
        let speed = (copy.bytes - began.0) / (copy.now - began.1).as_secs_f64();
        assert!((25.0 * MB..45.0 * MB).contains(&speed), "{speed}");
    }

    #[test]
    fn the_reason_has_both_figures() {
        let mut copy = Copy::new(100.0 * MB);
        copy.goes_on(ANSWERS, |_| SLOW);
        let why = copy.control.why("source", "--max-source-latency");
        assert_eq!(why, "the source answers in 3.1 ms (--max-source-latency 2 ms)");
        copy.goes_on(ANSWERS, |_| QUICK);
        let why = copy.control.why("source", "--max-source-latency");
        assert_eq!(why, "the source answered in 3.1 ms (--max-source-latency 2 ms)");
    }
}
