//! Deletes what the target has and the source does not.

use std::sync::Arc;

use super::apply::Target;
use crate::engine::Job;
use crate::error::MigrateError;
use crate::preflight::Checked;
use crate::targets::redis::target_error;

/// Deletes keys of the target that take part and that the source does not have, and counts them; a
/// dry run only counts.
///
/// # Errors
/// An end that cannot be used.
pub async fn delete_missing(job: &Arc<Job>, checked: &Checked) -> Result<(), MigrateError> {
    let connector = &checked.target.connector;
    let deleted = Target::new(job, checked).clear_missing().await;
    let lost = |error| target_error("deleting what the source does not have", connector, &error);
    let deleted = deleted.map_err(lost)?;
    job.tally(|tally| tally.keys.deleted += deleted);
    Ok(())
}
