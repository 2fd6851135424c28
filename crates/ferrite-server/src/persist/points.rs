//! Save points: after so many seconds, if there were so many changes, the file is written.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::save;
use crate::config::SavePoint;
use crate::shared::Shared;

/// Seconds until another attempt after one that failed, as in Redis.
const RETRY_SECONDS: i64 = 5;

/// Begins to write the file if a save point says so. Called by the clock.
pub fn save_if_due(shared: &Arc<Shared>, now: i64) {
    let state = &shared.persistence;
    if state.saving.load(Ordering::Relaxed) {
        return;
    }
    let changes = shared.dirty().saturating_sub(state.saved_dirty.load(Ordering::Relaxed));
    let passed = now / 1000 - state.last_save.load(Ordering::Relaxed);
    let tried = now / 1000 - state.last_try.load(Ordering::Relaxed);
    let may_try = state.last_ok.load(Ordering::Relaxed) || tried > RETRY_SECONDS;
    let points = shared.config.snapshots.save.get();
    let due = |point: &&SavePoint| {
        changes >= point.changes && passed.unsigned_abs() > point.seconds && passed > 0
    };
    let Some(point) = points.0.iter().find(due).filter(|_| may_try) else { return };
    tracing::info!("{} changes in {} seconds. Saving...", point.changes, point.seconds);
    state.last_try.store(now / 1000, Ordering::Relaxed);
    if let Err(error) = save::save_in_background(shared) {
        tracing::error!("saving in the background: {error}; tried again in some seconds");
    }
}
