//! What every batch passes on its way to the target.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::time::sleep;

use super::bucket::Bucket;
use super::control::{Control, Passed};
use super::{Limits, Reason};
use crate::engine::Stop;
use crate::jobs::Throttle;
use crate::report::Throttled;

/// How long after a batch was held back it still counts as being held back: between two batches
/// that wait there are moments in which none does.
const ACTIVE_FOR: Duration = Duration::from_secs(1);

/// Holds batches back as the limits want it.
#[derive(Debug)]
pub struct Gate {
    /// Whether there is any limit: all that a batch looks at when there is none.
    is_limited: AtomicBool,
    state: Mutex<State>,
    /// Who waits does so in turn, so that nobody waits for ever.
    turn: tokio::sync::Mutex<()>,
    /// A limit is another one than before.
    changed: Notify,
}

/// One of something for each [`Reason`].
type ByReason<T> = [T; Reason::ALL.len()];

#[derive(Debug)]
struct State {
    limits: Limits,
    bucket: Bucket,
    /// The ends whose answers are limited.
    controls: ByReason<Option<Control>>,
    /// Bytes that have passed while there were limits.
    bytes: u64,
    /// Whether it held something back since its control's last decision.
    was_holding: ByReason<bool>,
    /// What held the last batch that waited, and until when; `None` for now.
    held: Option<(Reason, Option<Instant>)>,
    /// How long each has held something back.
    waited: ByReason<Duration>,
}

impl Gate {
    /// A gate with these limits.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        let now = Instant::now();
        let state = State {
            limits: Limits::default(),
            bucket: Bucket::new(now),
            controls: Default::default(),
            bytes: 0,
            was_holding: Default::default(),
            held: None,
            waited: Default::default(),
        };
        let gate = Self {
            is_limited: AtomicBool::new(false),
            state: Mutex::new(state),
            turn: tokio::sync::Mutex::default(),
            changed: Notify::new(),
        };
        gate.set(limits);
        gate
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The limits there are now.
    #[must_use]
    pub fn limits(&self) -> Limits {
        self.state().limits
    }

    /// Sets other limits; what waits does so by them at once.
    pub fn set(&self, limits: Limits) {
        self.state().set(limits, Instant::now());
        self.is_limited.store(!limits.is_none(), Ordering::Relaxed);
        self.changed.notify_waiters();
    }

    /// Waits until so many bytes may pass, or the run is to end.
    pub async fn pass(&self, bytes: usize, stop: &Stop) {
        if !self.is_limited.load(Ordering::Relaxed) {
            return;
        }
        let _turn = self.turn.lock().await;
        while !stop.is_stopped() {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            // Counts from here on, not from the first poll.
            changed.as_mut().enable();
            let began = Instant::now();
            let Some((wait, reason)) = self.state().take(bytes, began) else { return };
            tokio::select! {
                () = sleep(wait) => {}
                () = changed => {}
                () = stop.stopped() => {}
            }
            self.state().waited(reason, began, Instant::now());
        }
    }

    /// Waits until the answers of an end are limited.
    pub async fn until_limited(&self, reason: Reason) {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if self.is_limited_by(reason) {
                return;
            }
            changed.await;
        }
    }

    /// Whether the answers of an end are limited.
    pub fn is_limited_by(&self, reason: Reason) -> bool {
        self.state().controls[reason as usize].is_some()
    }

    /// An end took so long to answer.
    pub fn answered(&self, reason: Reason, took: Duration) {
        if self.state().answered(reason, took, Instant::now()) {
            self.changed.notify_waiters();
        }
    }

    /// An end cannot be asked any more: what it answered so far is of no use.
    pub fn forget_answers(&self, reason: Reason) {
        if let Some(control) = &mut self.state().controls[reason as usize] {
            control.forget_answers();
        }
    }

    /// There is nothing that could be held back.
    pub fn rest(&self) {
        self.state().held = None;
    }

    /// Whether something is held back at this moment, and why.
    #[must_use]
    pub fn status(&self) -> Throttle {
        let why = self.state().why(Instant::now());
        Throttle { active: why.is_some(), why }
    }

    /// How long something was held back, by each limit that did.
    #[must_use]
    pub fn throttled(&self) -> Vec<Throttled> {
        let waited = self.state().waited;
        let all = Reason::ALL.into_iter().zip(waited).filter(|(_, waited)| !waited.is_zero());
        let told = |(reason, waited): (Reason, Duration)| Throttled {
            by: reason.option().trim_start_matches('-'),
            ms: u64::try_from(waited.as_millis()).unwrap_or(u64::MAX),
        };
        all.map(told).collect()
    }
}

impl State {
    fn set(&mut self, limits: Limits, now: Instant) {
        if limits.rate != self.limits.rate {
            self.bucket.clear(now);
        }
        self.limits = limits;
        let bytes = self.bytes;
        for (reason, control) in Reason::ALL.into_iter().zip(&mut self.controls) {
            match limits.latency(reason) {
                None => *control = None,
                Some(limit) => {
                    control.get_or_insert_with(|| Control::new(limit, bytes, now)).set_limit(limit)
                }
            }
        }
    }

    /// The slowest of the rates there are, in bytes a second.
    #[expect(clippy::cast_precision_loss, reason = "rates are far below 2^52")]
    fn rate(&self) -> Option<(f64, Reason)> {
        let given = self.limits.rate.map(|rate| (rate as f64, Reason::Rate));
        let controls = Reason::ALL.into_iter().zip(&self.controls);
        let permitted = controls.filter_map(|(reason, control)| {
            control.as_ref()?.permitted().map(|permitted| (permitted, reason))
        });
        given.into_iter().chain(permitted).min_by(|(one, _), (other, _)| one.total_cmp(other))
    }

    /// Lets bytes pass, or says how long to wait, and for what.
    fn take(&mut self, bytes: usize, now: Instant) -> Option<(Duration, Reason)> {
        if let Some((rate, reason)) = self.rate()
            && let Err(wait) = self.bucket.take(bytes, rate, now)
        {
            self.held = Some((reason, None));
            self.was_holding[reason as usize] = true;
            return Some((wait, reason));
        }
        self.bytes += bytes as u64;
        None
    }

    fn waited(&mut self, reason: Reason, from: Instant, to: Instant) {
        self.waited[reason as usize] += to.saturating_duration_since(from);
        self.held = Some((reason, Some(to)));
    }

    fn answered(&mut self, reason: Reason, took: Duration, now: Instant) -> bool {
        let was_holding = self.was_holding[reason as usize];
        let passed = Passed { bytes: self.bytes, was_holding };
        let Some(control) = &mut self.controls[reason as usize] else { return false };
        let is_decided = control.answered(took, passed, now);
        if is_decided {
            // Who is held back at this moment is held back in the next round, too.
            self.was_holding[reason as usize] =
                matches!(self.held, Some((held, None)) if held == reason);
        }
        is_decided
    }

    fn why(&self, now: Instant) -> Option<String> {
        let (reason, until) = self.held?;
        if until.is_some_and(|until| now.saturating_duration_since(until) > ACTIVE_FOR) {
            return None;
        }
        match reason {
            Reason::Rate => Some(format!("limited to {}/s (--rate)", size(self.limits.rate?))),
            Reason::Source | Reason::Target => {
                let control = self.controls[reason as usize].as_ref()?;
                Some(control.why(reason.name(), reason.option()))
            }
        }
    }
}

/// A size for people, of at least [`RATE_MIN`](super::RATE_MIN).
#[expect(clippy::cast_precision_loss, reason = "one decimal is shown")]
fn size(bytes: u64) -> String {
    let kib = bytes as f64 / 1024.0;
    match kib {
        _ if kib < 1000.0 => format!("{kib:.0} KiB"),
        _ if kib < 1_024_000.0 => format!("{:.1} MiB", kib / 1024.0),
        _ => format!("{:.1} GiB", kib / 1024.0 / 1024.0),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::RATE_MIN;
    use super::*;

    const RATE: Limits =
        Limits { rate: Some(1 << 20), max_source_latency_ms: None, max_target_latency_ms: None };
    /// How long something may take that must happen at once.
    const SOON: Duration = Duration::from_secs(10);

    fn source_limit(ms: u64) -> Limits {
        Limits { max_source_latency_ms: Some(ms), ..Limits::default() }
    }

    fn state(limits: Limits, now: Instant) -> State {
        let state = Gate::new(Limits::default()).state.into_inner();
        let mut state = state.unwrap();
        state.set(limits, now);
        state
    }

    #[test]
    fn the_slowest_rate_counts() {
        let now = Instant::now();
        let mut state = state(Limits { rate: RATE.rate, ..source_limit(1) }, now);
        assert_eq!(state.rate(), Some((RATE.rate.unwrap() as f64, Reason::Rate)));
        for _ in 0..5 {
            state.answered(Reason::Source, Duration::from_millis(3), now);
        }
        assert_eq!(state.rate(), Some((RATE_MIN as f64, Reason::Source)));
        state.set(RATE, now);
        assert_eq!(state.rate(), Some((RATE.rate.unwrap() as f64, Reason::Rate)));
    }

    #[test]
    fn the_reason_is_told_while_it_holds_something_back() {
        let now = Instant::now();
        let mut state = state(RATE, now);
        assert_eq!(state.take(1 << 20, now), None);
        assert_eq!(state.why(now), None, "nothing has waited");
        let (wait, reason) = state.take(1, now).unwrap();
        assert_eq!((wait, reason), (Duration::from_secs(1), Reason::Rate));
        let told = Some(String::from("limited to 1.0 MiB/s (--rate)"));
        assert_eq!(state.why(now + SOON), told, "it is waiting");
        state.waited(reason, now, now + wait);
        assert_eq!(state.why(now + wait + ACTIVE_FOR), told);
        assert_eq!(state.why(now + wait + ACTIVE_FOR * 2), None);
        assert_eq!(state.waited[Reason::Rate as usize], wait);
    }

    #[test]
    fn sizes_are_short() {
        let cases = [(RATE_MIN, "256 KiB"), (50 << 20, "50.0 MiB"), (3 << 30, "3.0 GiB")];
        for (bytes, text) in cases {
            assert_eq!(size(bytes), text);
        }
    }

    /// A batch that would wait for hours, at a gate of this rate.
    async fn waiting(gate: &Arc<Gate>, stop: &Arc<Stop>) -> tokio::task::JoinHandle<()> {
        gate.pass(usize::try_from(RATE_MIN).unwrap() * 36_000, stop).await;
        let (gate_of_task, stop) = (Arc::clone(gate), Arc::clone(stop));
        let task = tokio::spawn(async move { gate_of_task.pass(1, &stop).await });
        while !gate.status().active {
            tokio::task::yield_now().await;
        }
        task
    }

    async fn ends(task: tokio::task::JoinHandle<()>) {
        tokio::time::timeout(SOON, task).await.expect("it passes at once").unwrap();
    }

    #[tokio::test]
    async fn who_waits_is_let_go_when_the_limit_is_lifted_or_the_run_ends() {
        let (gate, stop) = (Arc::new(Gate::new(RATE)), Arc::new(Stop::default()));
        let task = waiting(&gate, &stop).await;
        gate.set(Limits::default());
        ends(task).await;
        gate.set(RATE);
        let task = waiting(&gate, &stop).await;
        stop.stop();
        ends(task).await;
        assert_eq!(gate.throttled().len(), 1, "{:?}", gate.throttled());
        gate.rest();
        assert_eq!(gate.status(), Throttle::default());
    }

    #[tokio::test]
    async fn without_limits_nothing_waits_or_is_counted() {
        let gate = Gate::new(Limits::default());
        gate.pass(usize::MAX, &Stop::default()).await;
        gate.pass(usize::MAX, &Stop::default()).await;
        assert_eq!(gate.state().bytes, 0);
        assert!(gate.throttled().is_empty());
    }

    #[tokio::test]
    async fn an_end_is_watched_from_when_its_limit_is_set() {
        let gate = Arc::new(Gate::new(RATE));
        assert!(!gate.is_limited_by(Reason::Source));
        let of_task = Arc::clone(&gate);
        let task = tokio::spawn(async move { of_task.until_limited(Reason::Source).await });
        gate.set(source_limit(1));
        ends(task).await;
        assert!(!gate.is_limited_by(Reason::Target));
    }

    #[test]
    fn limits_that_nothing_could_keep_are_refused() {
        for good in [RATE, source_limit(1), Limits { rate: Some(RATE_MIN), ..RATE }] {
            assert_eq!(good.check(), Ok(()));
        }
        let slow = Limits { rate: Some(RATE_MIN - 1), ..RATE };
        assert!(slow.check().unwrap_err().0.contains("at least 256 KiB a second"));
        let never = source_limit(0).check().unwrap_err().0;
        assert_eq!(never, "max-source-latency must be at least 1 ms");
    }
}
