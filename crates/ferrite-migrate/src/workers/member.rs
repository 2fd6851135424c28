//! A worker's membership: a lease that is kept alive for as long as it may write.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ferrite_client::etcd::Lease;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout_at};

use super::Workers;
use super::board::{Beat, Board};
use super::plan::SharedPlan;
use crate::engine::Job;
use crate::error::{ErrorKind, MigrateError};

/// How long a lease lasts that is not kept alive: after so long another takes over.
const LEASE: Duration = Duration::from_secs(10);
/// How long before that a worker stops, so that what it has sent is written by then.
const MARGIN: Duration = Duration::from_secs(2);
/// How often a lease is kept alive, and the others are told how far we are.
const BEAT_EVERY: Duration = Duration::from_secs(1);

/// What the others are told, and what they tell.
#[derive(Debug, Default)]
struct Shared {
    partition: Option<usize>,
    plan: Option<SharedPlan>,
}

/// A worker that is known to the others.
#[derive(Debug)]
pub struct Member {
    /// Its name, which nobody else has.
    pub name: String,
    /// What it claims is claimed for as long as this lasts.
    pub lease: Lease,
    shared: Arc<Mutex<Shared>>,
    lost: watch::Receiver<Option<String>>,
    workers: Workers,
    beating: JoinHandle<()>,
}

impl Drop for Member {
    fn drop(&mut self) {
        self.beating.abort();
    }
}

impl Member {
    /// Becomes one.
    ///
    /// # Errors
    /// An etcd that does not answer or refuses.
    pub async fn join(job: &Arc<Job>, workers: &Workers) -> Result<Self, MigrateError> {
        let mut board = Board::new(workers);
        let asked = Instant::now();
        let lease = board.grant(LEASE.as_secs()).await?;
        let name = format!("{}:{lease}", workers.name);
        let shared = Arc::new(Mutex::new(Shared::default()));
        let (lost_in, lost) = watch::channel(None);
        let beating = Beating {
            job: Arc::clone(job),
            board,
            name: name.clone(),
            lease,
            shared: Arc::clone(&shared),
            until: asked + LEASE - MARGIN,
        };
        let beating = tokio::spawn(async move {
            let why = beating.run().await;
            lost_in.send_replace(Some(why));
        });
        Ok(Self { name, lease, shared, lost, workers: workers.clone(), beating })
    }

    /// Says what is copied from now on.
    pub fn copies(&self, partition: Option<usize>) {
        lock(&self.shared).partition = partition;
    }

    /// Says what was agreed upon, so that the others are looked at from now on.
    pub fn follows(&self, plan: &SharedPlan) {
        lock(&self.shared).plan = Some(plan.clone());
    }

    /// Does something unless the lease is lost meanwhile; then nothing more may be written.
    ///
    /// # Errors
    /// Its own, or that the lease is lost.
    pub async fn guard<T>(
        &self,
        work: impl Future<Output = Result<T, MigrateError>>,
    ) -> Result<T, MigrateError> {
        let mut lost = self.lost.clone();
        tokio::select! {
            biased;
            _ = lost.wait_for(Option::is_some) => Err(self.gone()),
            done = work => done,
        }
    }

    /// That the lease is lost.
    #[must_use]
    pub fn gone(&self) -> MigrateError {
        let why = self.lost.borrow().clone();
        let why = why.unwrap_or_else(|| String::from("another has taken over what it claimed"));
        let doing = format!("keeping the claims of this worker in {}", self.workers.place);
        MigrateError::new(ErrorKind::Coordinator, doing, why).with_hint(
            "see that etcd is up (etcdctl endpoint health), then start this worker again: it takes \
             up what is left",
        )
    }
}

/// What keeps a lease alive.
struct Beating {
    job: Arc<Job>,
    board: Board,
    name: String,
    lease: Lease,
    shared: Arc<Mutex<Shared>>,
    /// When it must have been kept alive once more.
    until: Instant,
}

impl Beating {
    /// Keeps it alive until that is not possible any more; why it is not.
    async fn run(mut self) -> String {
        let mut ticks = interval(BEAT_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let asked = Instant::now();
            if asked >= self.until {
                return String::from("this process stood still for too long");
            }
            match timeout_at(self.until, self.board.keep(self.lease)).await {
                Ok(Ok(true)) => self.until = asked + LEASE - MARGIN,
                Ok(Ok(false)) => return String::from("the lease is over"),
                Ok(Err(error)) => {
                    tracing::debug!(%error, "etcd does not answer");
                    continue;
                }
                Err(_) => {
                    let seconds = (LEASE - MARGIN).as_secs();
                    return format!("etcd has not answered for {seconds} s");
                }
            }
            // Nothing depends on what is told.
            if let Ok(Err(error)) = timeout_at(self.until, self.tell()).await {
                tracing::debug!(%error, "the others are not told how far we are");
            }
        }
    }

    /// Tells the others how far we are, and looks how far they are.
    async fn tell(&mut self) -> Result<(), MigrateError> {
        let (partition, plan) = {
            let shared = lock(&self.shared);
            (shared.partition, shared.plan.clone())
        };
        let (keys, bytes) = match partition {
            Some(_) => self.job.own_progress(),
            None => (0, 0),
        };
        let beat = Beat { name: self.name.clone(), partition, keys, bytes };
        self.board.say(&beat, self.lease).await?;
        let Some(plan) = plan else { return Ok(()) };
        let (done, alive) = (self.board.done().await?, self.board.alive().await?);
        self.job.share(plan.status(&done, &alive), &self.name);
        Ok(())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
