//! Save points: when the next snapshot is due.

use std::sync::atomic::Ordering;

use super::save;
use crate::shared::Shared;

/// Seconds to wait after a snapshot that failed before the next is tried.
const RETRY: i64 = 5;

impl Shared {
    /// Begins a snapshot where a save point asks for one.
    pub fn save_when_due(&self, now: i64) {
        let points = self.config.snapshots.save.peek();
        if points.0.is_empty() || self.persistence.saving.load(Ordering::Relaxed) {
            return;
        }
        let state = &self.persistence;
        let since = now / 1000 - state.last_save.load(Ordering::Relaxed);
        let changes = self.dirty().saturating_sub(state.saved_dirty.load(Ordering::Relaxed));
        let failed = !state.last_ok.load(Ordering::Relaxed);
        let due = points.0.iter().find(|point| {
            let seconds = i64::try_from(point.seconds).unwrap_or(i64::MAX);
            changes >= point.changes && changes > 0 && since > seconds
        });
        let Some(point) = due else { return };
        if failed && now < state.retry_at.load(Ordering::Relaxed) {
            return;
        }
        state.retry_at.store(now + RETRY * 1000, Ordering::Relaxed);
        tracing::info!("{} changes in {} seconds. Saving...", point.changes, point.seconds);
        let begun = self.in_background().and_then(|shared| save::save_in_background(&shared));
        if let Err(error) = begun {
            tracing::error!("a snapshot is due and cannot be begun: {error}");
        }
    }
}
