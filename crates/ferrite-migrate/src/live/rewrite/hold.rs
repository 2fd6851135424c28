//! Holding expiries back: the target must not expire a key while it is behind its source.
//!
//! A key whose time has come on the source may be renewed there a moment later; a target that
//! lags and expires by its own clock would lose it. So every expiry is written to the target
//! moved far into the future, the source's own deletions decide, and at the end each expiry is
//! moved back:
//!
//! ```text
//! source           T                      milliseconds since 1970
//! while following  T + HOLD_MS            never reached
//! after cutover    T                      may lie in the past: the target deletes the key
//! ```

/// How far expiries are moved: 2^45 milliseconds, 1115 years. A sum with any date of this
/// millennium stays below 2^46, the latest expiry Redis accepts for the field of a hash, and no
/// plausible expiry is this late by itself.
pub const HOLD_MS: u64 = 1 << 45;

/// The expiry to write to the target while following, `hold_ms` being [`HOLD_MS`] or, to write
/// expiries as they are, 0. Saturates.
#[must_use]
pub const fn hold(expires_at_ms: u64, hold_ms: u64) -> u64 {
    expires_at_ms.saturating_add(hold_ms)
}

/// The source's expiry for one found on the target; `None` when it was not held.
#[must_use]
pub const fn release(expires_at_ms: u64) -> Option<u64> {
    expires_at_ms.checked_sub(HOLD_MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_held_is_released() {
        for time in [0, 1, 1_700_000_000_000, HOLD_MS - 1, HOLD_MS] {
            assert_eq!(release(hold(time, HOLD_MS)), Some(time));
            assert_eq!(hold(time, 0), time);
        }
        assert_eq!(release(1_700_000_000_000), None);
        assert_eq!(hold(u64::MAX, HOLD_MS), u64::MAX);
    }
}
