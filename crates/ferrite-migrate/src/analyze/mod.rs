//! What there is: keys counted by type, name, size and expiry, in bounded memory.
//!
//! ```text
//! RDB file ──► rdb::analyze ──► KeyFacts ──► Tally ──► Analysis
//! ```
//!
//! [`Tally`] takes keys from anywhere; what a file tells besides its keys is in [`rdb`].

mod biggest;
mod expiries;
mod measure;
mod patterns;
mod rdb;
mod shape;
mod tally;

pub use biggest::BigKey;
pub use expiries::ExpiryBucket;
pub use measure::{Measure, Size};
pub use patterns::PatternCount;
pub use rdb::{Damage, RdbAnalysis, StepOver, analyze_rdb};
pub use tally::{Analysis, DatabaseCount, TOP_MAX, Tally, TypeShare};

use ferrite_rdb::ValueKind;

/// One key, as far as it is counted.
#[derive(Clone, Copy, Debug)]
pub struct KeyFacts<'a> {
    /// The database it is in.
    pub db: u64,
    /// Its name.
    pub key: &'a [u8],
    /// The kind of value.
    pub kind: ValueKind,
    /// How the value is kept, as `OBJECT ENCODING` says it.
    pub encoding: &'static str,
    /// Absolute expiry, Unix time in milliseconds.
    pub expires_at_ms: Option<u64>,
    /// The size of the value.
    pub size: Size,
}

impl KeyFacts<'_> {
    /// Bytes of name and value.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.size.bytes + self.key.len() as u64
    }
}
