//! A worker's life: agree upon a plan, copy partitions while there are any, report the sum.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ferrite_client::etcd::Entry;

use super::Workers;
use super::board::Board;
use super::member::Member;
use super::part::Part;
use super::plan::SharedPlan;
use crate::config::{OnConflict, Strategy};
use crate::engine::{Job, copy_whole, report};
use crate::error::{ErrorKind, MigrateError};
use crate::preflight::Checked;
use crate::report::{Event, Phase, Report, SharedReport};
use crate::sources::redis_scan;

/// Pause between two looks at what others do, where there is nothing to do.
const LOOK_EVERY: Duration = Duration::from_millis(300);

const REASON: &str = "several machines share the job, and each reads the keys of some slots";

/// A worker that knows the plan, or is the one to make it.
#[derive(Debug)]
pub struct Joined {
    workers: Workers,
    board: Board,
    member: Member,
    what: What,
}

#[derive(Debug)]
enum What {
    /// The plan is there.
    Plan(SharedPlan),
    /// It is ours to make.
    ToPlan(Entry),
}

impl Joined {
    /// Meets the other workers; waits while one of them makes the plan.
    ///
    /// # Errors
    /// An etcd that does not answer or refuses; a plan that is not ours.
    pub async fn join(job: &Arc<Job>, workers: &Workers) -> Result<Self, MigrateError> {
        let mut board = Board::new(workers);
        let member = Member::join(job, workers).await?;
        let what = member.guard(meet(job, workers, &mut board, &member)).await;
        match what {
            Ok(what) => Ok(Self { workers: workers.clone(), board, member, what }),
            Err(error) => {
                board.leave(member.lease).await;
                Err(error)
            }
        }
    }

    /// Gives up, so that another need not wait for the lease to end.
    pub async fn leave(mut self) {
        self.board.leave(self.member.lease).await;
    }
}

/// Waits until there is a plan, or until it is ours to make one.
async fn meet(
    job: &Job,
    workers: &Workers,
    board: &mut Board,
    member: &Member,
) -> Result<What, MigrateError> {
    loop {
        let planning = board.claim_planning(&member.name, member.lease).await?;
        // Looked at after the claim: a plan that is not there by then is nobody else's to make.
        if let Some(plan) = board.plan().await? {
            if let Some(why) = plan.differs(&job.config) {
                let doing = format!("taking part in {}", workers.place);
                return Err(MigrateError::new(ErrorKind::Config, doing, why).with_hint(
                    "all workers of a job are given the same; another job needs another prefix",
                ));
            }
            job.take_part();
            return Ok(What::Plan(plan));
        }
        if let Some(planning) = planning {
            return Ok(What::ToPlan(planning));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Copies partitions until all are done, by whomever.
///
/// # Errors
/// Why this worker could not go on; the others can.
pub async fn run(job: Arc<Job>, checked: Checked, joined: Joined) -> Result<Report, MigrateError> {
    let Joined { workers, mut board, member, what } = joined;
    let worked = member.guard(work(&job, Arc::new(checked), &mut board, &member, what)).await;
    board.leave(member.lease).await;
    job.begin(Phase::Finished, 0);
    let mut report = worked.map_err(|mut error| {
        error.keys_copied = job.tally(|tally| tally.keys.copied);
        error
    })?;
    if let Some(shared) = &mut report.shared {
        shared.workers_from = workers.place.to_string();
    }
    Ok(report)
}

async fn work(
    job: &Arc<Job>,
    checked: Arc<Checked>,
    board: &mut Board,
    member: &Member,
    what: What,
) -> Result<Report, MigrateError> {
    let plan = match what {
        What::Plan(plan) => plan,
        What::ToPlan(planning) => {
            let plan = SharedPlan::new(&job.id, &job.config, &checked.source);
            if !board.publish(&planning, &plan).await? {
                return Err(member.gone());
            }
            plan
        }
    };
    member.follows(&plan);
    let strategy = Strategy::Scan.name();
    job.emit(Event::Strategy { strategy, reason: REASON.to_owned() });
    job.begin(Phase::Copying, checked.source.keys_total(&job.config));
    let done = loop {
        let done = board.done().await?;
        if done.len() >= plan.partitions.len() || job.stop.is_stopped() {
            break done;
        }
        match claim_one(board, member, &plan, &done).await? {
            Some((partition, claim)) => {
                copy_one(job, &checked, board, member, &plan, (partition, claim)).await?;
            }
            None => tokio::select! {
                () = job.stop.stopped() => {}
                () = tokio::time::sleep(LOOK_EVERY) => {}
            },
        }
    };
    Ok(told(job, &checked, member, &plan, &done))
}

/// Claims a partition that is neither done nor claimed, if there is one.
async fn claim_one(
    board: &mut Board,
    member: &Member,
    plan: &SharedPlan,
    done: &BTreeMap<usize, Part>,
) -> Result<Option<(usize, Entry)>, MigrateError> {
    let claimed = board.claimed().await?;
    let is_free = |at: &usize| !done.contains_key(at) && !claimed.contains(at);
    for partition in (0..plan.partitions.len()).filter(is_free) {
        if let Some(claim) = board.claim(partition, &member.name, member.lease).await? {
            return Ok(Some((partition, claim)));
        }
    }
    Ok(None)
}

/// Copies a partition that is claimed.
async fn copy_one(
    job: &Arc<Job>,
    checked: &Arc<Checked>,
    board: &mut Board,
    member: &Member,
    plan: &SharedPlan,
    (partition, claim): (usize, Entry),
) -> Result<(), MigrateError> {
    // Between the look at what is done and the claim, somebody may have done it.
    if board.done().await?.contains_key(&partition) {
        return Ok(());
    }
    tracing::debug!(partition, slots = plan.slots(partition).describe(3), "copying a partition");
    job.done_so_far(0, 0);
    member.copies(Some(partition));
    let mut capabilities = checked.capabilities(&job.config, true);
    // What is there was looked at before the plan was made; what is there now is our own.
    capabilities.on_conflict = OnConflict::Replace;
    let source = redis_scan::slots(job, checked, plan.slots(partition), partition == 0);
    copy_whole(job, checked, &capabilities, source).await?;
    if job.stop.is_stopped() {
        return Ok(());
    }
    let part = job.tally(|tally| Part::new(&member.name, &std::mem::take(tally)));
    member.copies(None);
    job.done_so_far(0, 0);
    match board.finish(&claim, partition, &part).await? {
        true => Ok(()),
        false => Err(member.gone()),
    }
}

/// The report of all that is done.
fn told(
    job: &Job,
    checked: &Checked,
    member: &Member,
    plan: &SharedPlan,
    done: &BTreeMap<usize, Part>,
) -> Report {
    let ended_ms = done.values().map(|part| part.ended_ms).max().unwrap_or(plan.begun_ms);
    let copy_ms = ended_ms.saturating_sub(plan.begun_ms);
    let strategy = Strategy::Scan.name();
    let mut report = report(job, &checked.report, strategy, REASON.to_owned(), copy_ms, None);
    Part::sum(done, &mut report);
    report.interrupted = done.len() < plan.partitions.len();
    report.shared = Some(SharedReport {
        workers_from: String::new(),
        worker: member.name.clone(),
        partitions: plan.partitions.len() as u64,
        done: done.len() as u64,
        workers: Part::shares(done),
    });
    report
}
