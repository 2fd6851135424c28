//! Several machines that share one snapshot, by leases in an etcd that is there.
//!
//! ```text
//! PREFIX/plan            what is copied, and into which partitions it is divided; made once
//! PREFIX/planning        who makes it                                      with the lease of a worker
//! PREFIX/claims/00017    who copies this partition                         with the lease of a worker
//! PREFIX/done/00017      what it brought; takes the place of the claim
//! PREFIX/workers/NAME    how far a worker is                               with the lease of a worker
//! ```
//!
//! A partition is a set of slots (of a server without slots: those its keys would have in a
//! cluster). Whoever dies loses its lease and with it its claim, and its partition is copied again
//! from the beginning by another: what is on the target of it is overwritten by the same. A worker
//! that hears nothing of etcd stops before its lease can have ended, so that nobody writes to a
//! partition that another has claimed.

mod board;
mod member;
mod part;
mod plan;
mod run;

use ferrite_client::TlsOptions;
use ferrite_client::etcd::EtcdPlace;

use crate::engine::Job;
use crate::error::{ErrorKind, MigrateError};
use crate::report::SharedStatus;

use board::Board;

pub use run::{Joined, run};

/// Where workers meet, and what this one is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workers {
    /// The etcd, and what the keys of the job begin with.
    pub place: EtcdPlace,
    /// How TLS is spoken with it.
    pub tls: TlsOptions,
    /// What this worker is called, such as machine and process; need not be unique.
    pub name: String,
}

impl Workers {
    /// The name of the job, the same for all its workers: made of the prefix.
    #[must_use]
    pub fn job_id(&self) -> String {
        Job::id_of(xxhash_rust::xxh3::xxh3_64(self.place.prefix().as_bytes()))
    }
}

/// How far a job is that several machines share; `None` where there is none.
///
/// # Errors
/// An etcd that does not answer or refuses.
pub async fn shared_status(workers: &Workers) -> Result<Option<SharedStatus>, MigrateError> {
    let mut board = Board::new(workers);
    let Some(plan) = board.plan().await? else { return Ok(None) };
    let (done, alive) = (board.done().await?, board.alive().await?);
    Ok(Some(plan.status(&done, &alive)))
}

/// A failure of the etcd where workers meet.
fn coordinator_error(
    workers: &Workers,
    doing: &str,
    error: &ferrite_client::ClientError,
) -> MigrateError {
    let doing = format!("{doing} in {}", workers.place);
    MigrateError::new(ErrorKind::Coordinator, doing, error).with_hint(
        "see that etcd is up (etcdctl endpoint health), then start this worker again: it takes up \
         what is left",
    )
}
