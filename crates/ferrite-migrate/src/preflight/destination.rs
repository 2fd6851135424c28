//! A target alone, where the source is no server.

use super::{Server, latency, permissions, rivals, state, topology};
use crate::config::{Config, OnConflict};
use crate::engine::Job;
use crate::engine::throttle::Reason;
use crate::error::MigrateError;
use crate::report::PreflightReport;
use crate::targets::redis::{Capabilities, target_error};

/// A target that was checked, with a connection that stays open during the run.
#[derive(Debug)]
pub struct Destination {
    /// The target.
    pub target: Server,
    /// Whether it lets us use `RESTORE`, and `SET` with its kind.
    allowed: (bool, bool),
}

impl Destination {
    /// What it can do and how it is to be used.
    #[must_use]
    pub fn capabilities(&self, config: &Config) -> Capabilities {
        self.target.capabilities(config, self.allowed, false)
    }

    /// Checks the target; what is found goes to `report`. `None` if it cannot be reached.
    ///
    /// # Errors
    /// A target that breaks while it is being asked.
    pub async fn check(
        job: &Job,
        report: &mut PreflightReport,
    ) -> Result<Option<Self>, MigrateError> {
        let reached = state::reach(job, &job.config.target, "target", report).await;
        let Some(mut target) = reached else { return Ok(None) };
        state::check_target(&target, report);
        topology::end(&job.config, "target topology", &target, report);
        let mut allowed = (true, true);
        if !report.is_blocked() && !job.config.dry_run {
            allowed = permissions::writable(job, &mut target, report).await?;
        }
        if !report.is_blocked() {
            latency::one(job, Reason::Target, &mut target, report).await?;
            rivals::check(job, &mut target, report).await;
            conflicts(job, &target, report);
        }
        if let (false, Some(db)) = (report.is_blocked(), job.config.target_db()) {
            database(&mut target, db, report).await?;
        }
        Ok(Some(Self { target, allowed }))
    }
}

/// Which keys are to come is not known before they are read.
fn conflicts(job: &Job, target: &Server, report: &mut PreflightReport) {
    let there = target.info.keys();
    if there == 0 {
        report.ok("target empty", "there are no keys on the target");
        return;
    }
    match job.config.on_conflict {
        OnConflict::Fail => report.block(
            "target empty",
            format!(
                "the target has {there} keys, and which keys are to come is not known before they \
                 are read"
            ),
            "choose --on-conflict replace or --on-conflict skip, or another target",
        ),
        OnConflict::Replace => report.warn(
            "target empty",
            format!("the target has {there} keys; those with the same name are overwritten"),
            "take a copy of the target first if they matter",
        ),
        OnConflict::Skip => report.ok(
            "target empty",
            format!("the target has {there} keys; those with the same name are left alone"),
        ),
    }
}

/// Whether the target has the database that everything goes to.
async fn database(
    target: &mut Server,
    db: u32,
    report: &mut PreflightReport,
) -> Result<(), MigrateError> {
    let number = db.to_string();
    match target.control.call(&[&b"SELECT"[..], number.as_bytes()]).await {
        Ok(_) => Ok(()),
        Err(error) if error.reply().is_some() => {
            report.block(
                "target databases",
                format!("the target has no database {db}"),
                format!("set `databases` to at least {} in the target's configuration", db + 1),
            );
            Ok(())
        }
        Err(error) => Err(target_error("selecting databases", &target.connector, &error)),
    }
}
