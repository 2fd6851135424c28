//! Deletes what the target has and the source does not.

use std::sync::Arc;

use ferrite_client::{ClientError, Value};
use tokio::sync::mpsc;

use super::apply::Target;
use super::checkpoint;
use crate::cluster::Asker;
use crate::engine::Job;
use crate::error::MigrateError;
use crate::preflight::Checked;
use crate::scan::{AllScanner, Names};
use crate::sources::redis_scan::source_error;
use crate::targets::redis::target_error;

/// Deletes keys of the target that take part and that the source does not have, and counts them; a
/// dry run only counts.
///
/// # Errors
/// An end that cannot be used.
pub async fn delete_missing(job: &Arc<Job>, checked: &Checked) -> Result<(), MigrateError> {
    if checked.source.cluster.is_some() || checked.target.cluster.is_some() {
        return delete_between_clusters(job, checked).await;
    }
    let connector = &checked.target.connector;
    let deleted = Target::new(job, checked).clear_missing().await;
    let lost = |error| target_error("deleting what the source does not have", connector, &error);
    let deleted = deleted.map_err(lost)?;
    job.tally(|tally| tally.keys.deleted += deleted);
    Ok(())
}

/// The same where one end at least is a cluster, whose keys are to be looked for.
async fn delete_between_clusters(job: &Arc<Job>, checked: &Checked) -> Result<(), MigrateError> {
    let (source, target) = (&checked.source.connector, &checked.target.connector);
    let doing = "deleting what the source does not have";
    let source_lost = |error: ClientError| source_error(source, doing, &error);
    let target_lost = |error: ClientError| target_error(doing, target, &error);
    let scanner = AllScanner::new(&checked.target, &job.config);
    let mut ours = Asker::connect(&checked.source).await.map_err(source_lost)?;
    let mut theirs = Asker::connect(&checked.target).await.map_err(target_lost)?;
    theirs = theirs.client_name(job.copier_name());
    // There may be more of them now than when the run began.
    let info = checked.target.info_now().await.map_err(target_lost)?;
    for (source_db, target_db) in checked.pairs_of(&job.config, &info) {
        let (names, mut waiting) = mpsc::channel::<Names>(1);
        let dbs = [target_db];
        let scanning = async {
            let scanned = scanner.all(&dbs, &job.stop, |found| names.send(found)).await;
            drop(names);
            scanned.map_err(target_lost)
        };
        let deleting = async {
            while let Some(names) = waiting.recv().await {
                let filter = &job.config.filter;
                let is_ours =
                    |key: &&[u8]| filter.accepts(key) && !key.starts_with(checkpoint::PREFIX);
                let keys: Vec<&[u8]> = names.iter().filter(is_ours).collect();
                let there = ours.each(source_db, b"EXISTS", &keys).await.map_err(source_lost)?;
                let missing = keys.iter().zip(there).filter(|(_, is)| *is == Value::Integer(0));
                let missing: Vec<&[u8]> = missing.map(|(key, _)| *key).collect();
                let command: &[u8] = if job.config.dry_run { b"EXISTS" } else { b"DEL" };
                let done = theirs.each(target_db, command, &missing).await.map_err(target_lost)?;
                let deleted = done.iter().filter(|reply| **reply == Value::Integer(1)).count();
                job.tally(|tally| tally.keys.deleted += deleted as u64);
            }
            Ok::<_, MigrateError>(())
        };
        let (scanned, deleted) = tokio::join!(scanning, deleting);
        deleted?;
        scanned?;
    }
    Ok(())
}
