//! How much of what happens in a second: what INFO calls `instantaneous_…`.

use std::collections::VecDeque;

use parking_lot::Mutex;

/// Samples that the mean is taken of, as in Redis.
const SAMPLES: usize = 16;

/// What is measured.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Commands that were executed.
    pub commands: u64,
    /// Bytes that were read.
    pub input: u64,
    /// Bytes that were written.
    pub output: u64,
    /// Rounds of the threads' loops.
    pub cycles: u64,
    /// Microseconds of these.
    pub busy: u64,
}

/// What has been since a moment.
#[derive(Debug, Clone, Copy, Default)]
struct Sample {
    milliseconds: u64,
    more: Totals,
}

#[derive(Debug, Default)]
struct State {
    last: Option<(i64, Totals)>,
    samples: VecDeque<Sample>,
}

/// The last samples.
#[derive(Debug, Default)]
pub struct Rates(Mutex<State>);

impl Rates {
    /// Takes a sample. Called by the clock.
    pub fn sample(&self, now: i64, totals: Totals) {
        let mut state = self.0.lock();
        let before = state.last.replace((now, totals));
        let Some((then, before)) = before else { return };
        // After CONFIG RESETSTAT the totals are smaller than before.
        let more = Totals {
            commands: totals.commands.saturating_sub(before.commands),
            input: totals.input.saturating_sub(before.input),
            output: totals.output.saturating_sub(before.output),
            cycles: totals.cycles.saturating_sub(before.cycles),
            busy: totals.busy.saturating_sub(before.busy),
        };
        let milliseconds = (now - then).max(0).unsigned_abs();
        state.samples.push_back(Sample { milliseconds, more });
        if state.samples.len() > SAMPLES {
            state.samples.pop_front();
        }
    }

    /// Forgets all samples.
    pub fn reset(&self) {
        *self.0.lock() = State::default();
    }

    /// How much per second by the samples; of [`Totals::busy`] per round.
    pub fn per_second(&self) -> Totals {
        let state = self.0.lock();
        let time: u64 = state.samples.iter().map(|sample| sample.milliseconds).sum();
        let sum = |of: fn(&Totals) -> u64| -> u64 {
            state.samples.iter().map(|sample| of(&sample.more)).sum()
        };
        let rate = |of: fn(&Totals) -> u64| (sum(of) * 1000).checked_div(time).unwrap_or(0);
        Totals {
            commands: rate(|it| it.commands),
            input: rate(|it| it.input),
            output: rate(|it| it.output),
            cycles: rate(|it| it.cycles),
            busy: sum(|it| it.busy).checked_div(sum(|it| it.cycles)).unwrap_or(0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_the_mean_of_the_last_samples() {
        let rates = Rates::default();
        let at = |commands, busy| Totals { commands, busy, cycles: commands, ..Totals::default() };
        assert_eq!(rates.per_second(), Totals::default());
        rates.sample(0, at(0, 0));
        rates.sample(100, at(10, 40));
        rates.sample(200, at(50, 100));
        let seen = rates.per_second();
        assert_eq!((seen.commands, seen.busy), (250, 2));
        rates.sample(300, at(0, 0));
        assert_eq!(rates.per_second().commands, 166);
        (0..100).for_each(|step| rates.sample(300 + step * 100, at(0, 0)));
        assert_eq!(rates.per_second().commands, 0);
        rates.reset();
    }
}
