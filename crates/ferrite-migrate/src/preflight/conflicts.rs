//! Keys that are on both ends before the run.
//!
//! With the policy `fail` the run must not begin if one is. The names of the end with fewer keys
//! are listed, and the other end is asked for them.

use ferrite_client::{ClientError, Value};
use tokio::sync::mpsc;

use super::{Checked, Server};
use crate::cluster::Asker;
use crate::config::{Mode, OnConflict};
use crate::engine::Job;
use crate::error::MigrateError;
use crate::report::key_text;
use crate::scan::{AllScanner, Names};
use crate::sources::redis_scan::source_error;
use crate::targets::redis::{libraries, target_error};

/// How many keys are named.
const NAMED_MAX: usize = 5;

/// Looks for keys and libraries that are already on the target.
///
/// # Errors
/// An end that breaks while it is being asked.
pub async fn check(job: &Job, checked: &mut Checked) -> Result<(), MigrateError> {
    let there: u64 = checked.target.info.keys();
    if job.has_begun() {
        let detail = "looked at by the first worker, before anything was written";
        checked.report.ok("target empty", detail);
        return Ok(());
    }
    if there == 0 {
        checked.report.ok("target empty", "there are no keys on the target");
    } else {
        match job.config.on_conflict {
            OnConflict::Replace => checked.report.warn(
                "target empty",
                format!("the target has {there} keys; those with the same name are overwritten"),
                "take a copy of the target first if they matter",
            ),
            OnConflict::Skip => checked.report.ok(
                "target empty",
                format!("the target has {there} keys; those with the same name are left alone"),
            ),
            OnConflict::Fail => common_keys(job, checked, there).await?,
        }
    }
    functions(job, checked).await
}

async fn common_keys(job: &Job, checked: &mut Checked, there: u64) -> Result<(), MigrateError> {
    let mut found = Found::default();
    let pairs: Vec<(u32, u32)> = match job.config.target_db() {
        Some(to) => checked.source_dbs(&job.config).into_iter().map(|from| (from, to)).collect(),
        None => checked.source_dbs(&job.config).into_iter().map(|db| (db, db)).collect(),
    };
    for (from, to) in pairs {
        let keys = |dbs: &std::collections::BTreeMap<u32, _>, db: u32| -> u64 {
            dbs.get(&db).map_or(0, |space: &ferrite_client::server::Keyspace| space.keys)
        };
        let of_source = keys(&checked.source.info.keyspace, from);
        let of_target = keys(&checked.target.info.keyspace, to);
        if of_target == 0 {
            continue;
        }
        let (source, target) = (&checked.source.connector, &checked.target.connector);
        let (list, ask) = match of_target <= of_source {
            true => ((&checked.target, to), (&checked.source, from)),
            false => ((&checked.source, from), (&checked.target, to)),
        };
        let searched = search(job, list, ask, &mut found).await;
        searched.map_err(|error| match error {
            (error, true) => source_error(source, "looking for conflicts", &error),
            (error, false) => target_error("looking for conflicts", target, &error),
        })?;
    }
    if found.count == 0 {
        let detail = format!("the target has {there} keys, none of them is on the source too");
        checked.report.ok("target empty", detail);
    } else {
        let named = found.named.join(", ");
        checked.report.block(
            "target empty",
            format!("{} keys are on the target already, among them {named}", found.count),
            format!("choose {}, or another target", policies(job)),
        );
    }
    Ok(())
}

#[derive(Default)]
struct Found {
    count: u64,
    named: Vec<String>,
}

/// Lists one end and asks the other; an error tells whether it comes from the source.
async fn search(
    job: &Job,
    (list, list_db): (&Server, u32),
    (ask, ask_db): (&Server, u32),
    found: &mut Found,
) -> Result<(), (ClientError, bool)> {
    let lists_source = Some(list.connector.address()) == job.config.source.address();
    let listed = |error| (error, lists_source);
    let asked = |error| (error, !lists_source);
    let scanner = AllScanner::new(list, &job.config);
    let mut asking = Asker::connect(ask).await.map_err(asked)?;
    let (names, mut waiting) = mpsc::channel::<Names>(1);
    let dbs = [list_db];
    let scanning = async {
        let scanned = scanner.all(&dbs, &job.stop, |batch| names.send(batch)).await;
        drop(names);
        scanned.map_err(listed)
    };
    let existing = async {
        while let Some(batch) = waiting.recv().await {
            let wanted = batch.iter().filter(|key| job.config.filter.accepts(key));
            let keys: Vec<&[u8]> = wanted.collect();
            exist(&mut asking, ask_db, &keys, found).await.map_err(asked)?;
        }
        Ok(())
    };
    let (scanned, existed) = tokio::join!(scanning, existing);
    existed.and(scanned)
}

async fn exist(
    asking: &mut Asker,
    db: u32,
    keys: &[&[u8]],
    found: &mut Found,
) -> Result<(), ClientError> {
    let replies = asking.each(db, b"EXISTS", keys).await?;
    for (key, reply) in keys.iter().zip(replies) {
        if reply == Value::Integer(1) {
            found.count += 1;
            if found.named.len() < NAMED_MAX {
                found.named.push(format!("\"{}\"", key_text(key)));
            }
        }
    }
    Ok(())
}

/// Libraries that are on both ends with different code.
async fn functions(job: &Job, checked: &mut Checked) -> Result<(), MigrateError> {
    if job.config.on_conflict != OnConflict::Fail
        || !checked.source.has_functions()
        || !checked.target.has_functions()
    {
        return Ok(());
    }
    // What may not be listed cannot be compared; loading will tell.
    let Ok(theirs) = libraries(&mut checked.target.control).await else { return Ok(()) };
    if theirs.is_empty() {
        return Ok(());
    }
    let Ok(ours) = libraries(&mut checked.source.control).await else { return Ok(()) };
    let name = crate::targets::redis::library_name;
    let differs =
        |code: &&Vec<u8>| theirs.iter().any(|other| name(other) == name(code) && other != *code);
    if let Some(code) = ours.iter().find(differs) {
        checked.report.block(
            "functions",
            format!("the library \"{}\" is on the target with other code", key_text(name(code))),
            format!("choose {}", policies(job)),
        );
    }
    Ok(())
}

/// What else can be done about keys that are there; a live migration follows all of them.
fn policies(job: &Job) -> &'static str {
    match job.config.mode {
        Mode::Live | Mode::Incremental => "--on-conflict replace",
        Mode::Snapshot => "--on-conflict replace or --on-conflict skip",
    }
}
