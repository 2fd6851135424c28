//! When fields expire: the units of the commands and options, and what is too late.

use crate::commands::expiry::invalid;
use crate::error::CommandError;
use crate::number;

/// No field expires later, in Unix milliseconds: the last time Redis can keep.
const LATEST: i64 = (1 << 46) - 1;
const NEGATIVE: CommandError = CommandError::text("ERR invalid expire time, must be >= 0");

/// How a command or an option tells a time.
#[derive(Debug)]
pub(super) struct Unit {
    /// The command, for errors.
    command: &'static str,
    /// Milliseconds of one.
    scale: i64,
    /// Whether it is counted from now.
    from_now: bool,
}

pub(super) const HEXPIRE: Unit = Unit { command: "hexpire", scale: 1000, from_now: true };
pub(super) const HPEXPIRE: Unit = Unit { command: "hpexpire", scale: 1, from_now: true };
pub(super) const HEXPIREAT: Unit = Unit { command: "hexpireat", scale: 1000, from_now: false };
pub(super) const HPEXPIREAT: Unit = Unit { command: "hpexpireat", scale: 1, from_now: false };

impl Unit {
    /// The unit that an option names: `EX`, `PX`, `EXAT`, `PXAT`.
    pub(super) fn of_option(word: &[u8], command: &'static str) -> Option<Self> {
        let (scale, from_now) = match word.to_ascii_lowercase().as_slice() {
            b"ex" => (1000, true),
            b"px" => (1, true),
            b"exat" => (1000, false),
            b"pxat" => (1, false),
            _ => return None,
        };
        Some(Self { command, scale, from_now })
    }

    /// The time in Unix milliseconds that a word tells.
    pub(super) fn time(&self, word: &[u8], now: i64) -> Result<u64, CommandError> {
        let value = number::int(word)?;
        if value < 0 {
            return Err(NEGATIVE);
        }
        let base = if self.from_now { now } else { 0 };
        let time = value.checked_mul(self.scale).and_then(|time| time.checked_add(base));
        let time = time.filter(|time| *time <= LATEST).ok_or_else(|| invalid(self.command))?;
        u64::try_from(time).map_err(|_| NEGATIVE)
    }
}
