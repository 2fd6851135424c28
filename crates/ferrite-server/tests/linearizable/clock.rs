//! When an operation was called and when its reply had come.

use std::time::Instant;

/// Nanoseconds since the history began.
pub type Nanoseconds = u64;

/// An operation's time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Before it was sent.
    pub call: Nanoseconds,
    /// After its reply was read.
    pub done: Nanoseconds,
}

/// The clock of a history.
#[derive(Debug, Clone, Copy)]
pub struct Clock(Instant);

impl Clock {
    pub fn new() -> Self {
        Self(Instant::now())
    }

    pub fn now(self) -> Nanoseconds {
        Nanoseconds::try_from(self.0.elapsed().as_nanos()).unwrap()
    }

    /// Does something and says when.
    pub fn time<T>(self, action: impl FnOnce() -> T) -> (Span, T) {
        let call = self.now();
        let result = action();
        (Span { call, done: self.now() }, result)
    }
}
