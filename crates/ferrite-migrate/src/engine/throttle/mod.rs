//! How fast keys are copied at most: by a rate the operator names, and by how long both ends take
//! to answer meanwhile.
//!
//! ```text
//! source ──batch──► gate ──► budget ──► workers ──► target
//!   ▲                ▲ bucket: bytes a second                ▲
//!   └──PING── probe ─┴ control, one for each end ── probe ──PING┘
//! ```
//!
//! Every batch and every run of elements of a large key passes the [`Gate`], whatever reads them.
//! While a target follows its source nothing passes it: that is never slowed down.

mod bucket;
mod control;
mod gate;
mod probe;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::config::ConfigError;

pub use gate::Gate;
pub use probe::{Probes, ping};

/// The slowest copy, in bytes a second: the least [`Limits::rate`], and what remains however
/// slowly a server answers. At this rate the largest value that is held whole with the default
/// memory limit (8 MiB) is paid off in 32 seconds. A source that writes its RDB right to us gives
/// us up when it could write nothing for `repl-timeout`, 60 seconds unless it is set.
pub const RATE_MIN: u64 = 256 << 10;

/// How fast keys are copied at most; every limit that is `None` is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Limits {
    /// Bytes of names and values a second, as the source stores them.
    pub rate: Option<u64>,
    /// How long the source may take to answer a `PING`, in milliseconds.
    pub max_source_latency_ms: Option<u64>,
    /// How long the target may take to answer a `PING`, in milliseconds.
    pub max_target_latency_ms: Option<u64>,
}

impl Limits {
    /// Whether there is none.
    #[must_use]
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// Refuses limits that nothing could keep.
    ///
    /// # Errors
    /// Names the limit and the least value.
    pub fn check(&self) -> Result<(), ConfigError> {
        if self.rate.is_some_and(|rate| rate < RATE_MIN) {
            let least = RATE_MIN >> 10;
            return Err(ConfigError(format!("rate must be at least {least} KiB a second")));
        }
        for reason in [Reason::Source, Reason::Target] {
            if self.latency(reason) == Some(Duration::ZERO) {
                let name = reason.option().trim_start_matches('-');
                return Err(ConfigError(format!("{name} must be at least 1 ms")));
            }
        }
        Ok(())
    }

    /// How long an end may take to answer; [`Reason::Rate`] is none.
    #[must_use]
    pub fn latency(&self, reason: Reason) -> Option<Duration> {
        let milliseconds = match reason {
            Reason::Rate => None,
            Reason::Source => self.max_source_latency_ms,
            Reason::Target => self.max_target_latency_ms,
        };
        milliseconds.map(Duration::from_millis)
    }
}

/// Which limit holds a copy back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// [`Limits::rate`].
    Rate,
    /// [`Limits::max_source_latency_ms`].
    Source,
    /// [`Limits::max_target_latency_ms`].
    Target,
}

impl Reason {
    /// All of them.
    const ALL: [Self; 3] = [Self::Rate, Self::Source, Self::Target];

    /// The end that answers late, or what else it is.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rate => "rate",
            Self::Source => "source",
            Self::Target => "target",
        }
    }

    /// The option that sets the limit.
    #[must_use]
    pub const fn option(self) -> &'static str {
        match self {
            Self::Rate => "--rate",
            Self::Source => "--max-source-latency",
            Self::Target => "--max-target-latency",
        }
    }
}
