//! Is a history of one key linearizable? The search of Wing and Gong, which remembers where it was
//! (Lowe): an operation may come next when no other was finished before it was called.

use std::collections::HashSet;

use crate::clock::{Nanoseconds, Span};

/// What a client did to the key, with what it was answered.
#[derive(Debug, Clone, PartialEq)]
pub enum Done {
    Read(Option<Vec<u8>>),
    /// SET, with PX in nanoseconds or without.
    Write(Vec<u8>, Option<Nanoseconds>),
    /// INCR: the number behind it.
    Increased(i64),
    /// APPEND: what was appended, the length behind it.
    Appended(Vec<u8>, usize),
    /// A write under WATCH that went through: what was read before, what was written.
    Swapped(Option<Vec<u8>>, Vec<u8>),
    /// GETDEL.
    Taken(Option<Vec<u8>>),
    /// SET NX: whether it wrote.
    WroteIfMissing(Vec<u8>, bool),
}

/// One operation.
#[derive(Debug, Clone, PartialEq)]
pub struct Operation {
    pub span: Span,
    pub done: Done,
}

/// The key: its value, and between which moments it expires, when it does.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
struct State {
    value: Option<Vec<u8>>,
    expires: Option<(Nanoseconds, Nanoseconds)>,
}

/// How far two clocks in milliseconds may differ from ours.
const CLOCK_SLACK: Nanoseconds = 2_000_000;

impl State {
    /// The states the key may be in when an operation of this time comes: what expires may be
    /// there still, or be gone.
    fn at(&self, span: Span) -> Vec<State> {
        let Some((first, last)) = self.expires else { return vec![self.clone()] };
        let mut states = Vec::new();
        if span.call <= last + CLOCK_SLACK {
            states.push(self.clone());
        }
        if span.done + CLOCK_SLACK >= first {
            states.push(Self::default());
        }
        states
    }

    /// The state behind an operation, unless its answer belongs to another state.
    fn after(&self, operation: &Operation) -> Option<State> {
        let plain = |value: &[u8]| State { value: Some(value.to_vec()), expires: None };
        let changed = |value: Vec<u8>| State { value: Some(value), expires: self.expires };
        let held = self.value.as_deref();
        match &operation.done {
            Done::Read(seen) => (seen.as_deref() == held).then(|| self.clone()),
            Done::Write(value, None) => Some(plain(value)),
            Done::Write(value, Some(after)) => {
                let expires = Some((operation.span.call + after, operation.span.done + after));
                Some(State { value: Some(value.clone()), expires })
            }
            Done::Increased(number) => {
                let before: i64 = std::str::from_utf8(held.unwrap_or(b"0")).ok()?.parse().ok()?;
                (before + 1 == *number).then(|| changed(number.to_string().into_bytes()))
            }
            Done::Appended(tail, length) => {
                let all = [held.unwrap_or_default(), tail].concat();
                (all.len() == *length).then(|| changed(all))
            }
            Done::Swapped(seen, value) => (seen.as_deref() == held).then(|| plain(value)),
            Done::Taken(seen) => (seen.as_deref() == held).then(State::default),
            Done::WroteIfMissing(value, true) => held.is_none().then(|| plain(value)),
            Done::WroteIfMissing(_, false) => held.is_some().then(|| self.clone()),
        }
    }
}

/// An order found so far: which operations are in it, and where it led.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Found {
    taken: Vec<u64>,
    /// All before this one are taken.
    first: usize,
    state: State,
}

impl Found {
    fn has(&self, index: usize) -> bool {
        self.taken[index / 64] & (1 << (index % 64)) != 0
    }

    fn with(&self, index: usize, state: State, all: usize) -> Found {
        let mut next = Found { state, ..self.clone() };
        next.taken[index / 64] |= 1 << (index % 64);
        while next.first < all && next.has(next.first) {
            next.first += 1;
        }
        next
    }
}

/// Says which operations nothing explains, when no order explains all.
pub fn check(history: &[Operation]) -> Result<(), String> {
    let mut history = history.to_vec();
    history.sort_by_key(|operation| operation.span.call);
    let all = history.len();
    let mut seen = HashSet::new();
    let mut furthest = 0;
    let taken = vec![0; all / 64 + 1];
    let mut stack = vec![Found { taken, first: 0, state: State::default() }];
    while let Some(found) = stack.pop() {
        if found.first == all {
            return Ok(());
        }
        furthest = furthest.max(found.first);
        // Those called later than the first of these is done cannot come next.
        let mut earliest = Nanoseconds::MAX;
        for (index, operation) in history.iter().enumerate().skip(found.first) {
            if operation.span.call > earliest {
                break;
            }
            if found.has(index) {
                continue;
            }
            earliest = earliest.min(operation.span.done);
            for state in found.state.at(operation.span) {
                let Some(state) = state.after(operation) else { continue };
                let next = found.with(index, state, all);
                if seen.insert(next.clone()) {
                    stack.push(next);
                }
            }
        }
    }
    let around = furthest.saturating_sub(8)..(furthest + 8).min(all);
    Err(format!("no order explains operation {furthest} of {all}: {:#?}", &history[around]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(call: Nanoseconds, done: Nanoseconds, what: Done) -> Operation {
        Operation { span: Span { call, done }, done: what }
    }

    fn value(text: &str) -> Option<Vec<u8>> {
        Some(text.as_bytes().to_vec())
    }

    fn write(text: &str) -> Done {
        Done::Write(text.into(), None)
    }

    #[test]
    fn a_stale_read_is_refused_and_an_overlapping_one_is_not() {
        let writes = [at(0, 10, write("a")), at(20, 30, write("b"))];
        let with = |read| [writes[0].clone(), writes[1].clone(), read].to_vec();
        assert!(check(&with(at(40, 50, Done::Read(value("a"))))).is_err());
        assert!(check(&with(at(25, 50, Done::Read(value("a"))))).is_ok());
        assert!(check(&with(at(25, 50, Done::Read(None)))).is_err());
    }

    #[test]
    fn lost_updates_are_refused() {
        let twice = [at(0, 10, Done::Increased(1)), at(5, 20, Done::Increased(1))];
        assert!(check(&twice).is_err());
        let swaps = [
            at(0, 10, Done::Swapped(None, b"a".to_vec())),
            at(5, 20, Done::Swapped(None, b"b".to_vec())),
        ];
        assert!(check(&swaps).is_err());
        let appended =
            [at(0, 10, Done::Appended(b"ab".to_vec(), 2)), at(5, 20, Done::Read(value("a")))];
        assert!(check(&appended).is_err());
    }

    #[test]
    fn what_expires_is_gone_in_time_and_not_before() {
        let second = 1_000_000_000;
        let set = at(0, 10, Done::Write(b"a".to_vec(), Some(second)));
        let read = |when, seen: Option<Vec<u8>>| {
            check(&[set.clone(), at(when, when + 9, Done::Read(seen))])
        };
        assert!(read(second / 2, value("a")).is_ok());
        assert!(read(second / 2, None).is_err(), "too early");
        assert!(read(second * 2, None).is_ok());
        assert!(read(second * 2, value("a")).is_err(), "too late");
    }
}
