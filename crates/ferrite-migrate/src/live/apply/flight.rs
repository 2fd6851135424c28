//! Transactions on their way to the target: one is executed while the next is queued there.
//!
//! ```text
//! to the target     MULTI a…  EXEC  MULTI b…            EXEC …
//! from the target   QUEUED a…       results a  QUEUED b…
//! ```
//!
//! The `EXEC` of a transaction is sent when the one before it has been executed, and not before:
//! a target that refuses one never executes the next.

use ferrite_client::ClientError;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::target::Link;
use super::transaction::{EXEC, Outcome, Transaction};
use crate::live::checkpoint::Checkpoint;

/// Transactions on their way at most: one that is executed, and one that is queued.
const FLIGHTS_MAX: usize = 2;

/// A transaction with what is known when it has been executed.
#[derive(Debug)]
pub struct Flight {
    /// The commands.
    pub transaction: Transaction,
    /// Where it brings the target to.
    pub checkpoint: Checkpoint,
    /// When the last of it was received from the source; Unix ms.
    pub received_ms: u64,
}

/// A transaction whose replies are in.
#[derive(Debug)]
pub struct Landed {
    /// The transaction.
    pub flight: Flight,
    /// What became of it.
    pub outcome: Result<Outcome, ClientError>,
}

/// The transactions on their way over one connection.
#[derive(Debug)]
pub struct Flights {
    begun: mpsc::Sender<Flight>,
    landed: mpsc::Receiver<Landed>,
    task: JoinHandle<()>,
    count: usize,
}

impl Flights {
    /// Over a connection.
    #[must_use]
    pub fn over(link: Link) -> Self {
        let (begun, flights) = mpsc::channel(FLIGHTS_MAX);
        let (landing, landed) = mpsc::channel(FLIGHTS_MAX);
        let task = tokio::spawn(fly(link, flights, landing));
        Self { begun, landed, task, count: 0 }
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }

    /// Whether another one has to wait.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.count >= FLIGHTS_MAX
    }

    /// Sends one on its way.
    pub async fn begin(&mut self, flight: Flight) {
        // A connection that is gone is told by what landed last.
        if self.begun.send(flight).await.is_ok() {
            self.count += 1;
        }
    }

    /// Waits for the next one to be through; `None` if the connection ended without it.
    pub async fn landed(&mut self) -> Option<Landed> {
        let landed = self.landed.recv().await;
        self.count = self.count.saturating_sub(1);
        landed
    }

    /// Waits until nothing of ours can arrive at the target any more.
    pub async fn end(self) {
        let Self { begun, mut landed, task, .. } = self;
        drop(begun);
        while landed.recv().await.is_some() {}
        // It panics only with the program.
        let _ = task.await;
    }
}

/// Carries transactions until there are no more, or one is not executed.
async fn fly(mut link: Link, mut begun: mpsc::Receiver<Flight>, landing: mpsc::Sender<Landed>) {
    let mut ahead: Option<(Flight, Result<(), ClientError>)> = None;
    loop {
        let (flight, sent) = match ahead.take() {
            Some(ahead) => ahead,
            None => match begun.recv().await {
                Some(flight) => {
                    let sent = link.sender.send(flight.transaction.body()).await;
                    (flight, sent)
                }
                None => return,
            },
        };
        let outcome = match sent {
            Ok(()) => execute(&flight, &mut link, &mut begun, &mut ahead).await,
            Err(error) => Err(error),
        };
        let is_through = matches!(outcome, Ok(Outcome::Executed(_)));
        let is_awaited = landing.send(Landed { flight, outcome }).await.is_ok();
        if !is_through || !is_awaited {
            return;
        }
    }
}

/// Executes a transaction that was sent, and sends the next one meanwhile.
async fn execute(
    flight: &Flight,
    link: &mut Link,
    begun: &mut mpsc::Receiver<Flight>,
    ahead: &mut Option<(Flight, Result<(), ClientError>)>,
) -> Result<Outcome, ClientError> {
    let transaction = &flight.transaction;
    let refused = transaction.queued_replies(&mut link.receiver).await?;
    link.sender.send(EXEC).await?;
    let executed = transaction.executed(&mut link.receiver, refused);
    tokio::pin!(executed);
    let next = tokio::select! {
        biased;
        outcome = &mut executed => return outcome,
        next = begun.recv() => next,
    };
    let Some(next) = next else { return executed.await };
    let (outcome, sent) = tokio::join!(executed, link.sender.send(next.transaction.body()));
    *ahead = Some((next, sent));
    outcome
}
