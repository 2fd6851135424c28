//! Writers that hammer a server while something else happens to it, such as a migration.
//!
//! ```no_run
//! # use ferrite_testkit::{Load, Peer, Server};
//! # use ferrite_testkit::client::Connector;
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let (source, target) = (Peer::start(Server::Redis70)?, Peer::start(Server::Redis80)?);
//! let load = Load::builder().writers(2).dbs(&[0, 1]).start(Connector::new(source.addr()))?;
//! load.wait_for(20_000);
//! // … the migration runs, and cuts over …
//! load.switch_to(Connector::new(target.addr()));
//! load.wait_for(1000);
//! let report = load.stop();
//! assert!(report.lost_or_doubled(&mut target.client())?.is_empty());
//! # Ok(())
//! # }
//! ```
//!
//! Each writer is a thread with a connection. It sends commands of every type and shape in
//! pipelines of changing length, chosen so that servers replicate interesting things: keys that
//! expire within moments, effects of scripts, what was taken by chance. Errors such as WRONGTYPE
//! are part of it. Broken connections are made again for a minute.
//!
//! What it sends unless told otherwise arrives exactly at replicas of the same version, with two
//! exceptions: Redis before 7.0 replicates the time left of expiries, which replicas count from when
//! they hear of it, and Redis 7.0 does not replicate all that [`Feature::GroupReads`] does.
//!
//! Whether writes were lost or doubled is told by [counters](Counter), which no other command
//! touches.

mod batch;
mod builder;
mod commands;
mod counters;
mod feature;
mod maker;
mod pace;
mod report;
mod shared;
mod stalls;
mod words;
mod writer;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::client::Connector;
use shared::Shared;

pub use builder::{LoadBuilder, LoadStartError};
pub use counters::Counter;
pub use feature::Feature;
pub use report::LoadReport;

/// How long anything may take that a test waits for.
const WAIT_TIMEOUT: Duration = Duration::from_secs(120);
/// Pause between two looks at what is waited for.
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// Writers at work; dropping it stops them.
#[derive(Debug)]
pub struct Load {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<Vec<Counter>>>,
}

impl Load {
    /// Settings first, then [`LoadBuilder::start`].
    pub fn builder() -> LoadBuilder {
        LoadBuilder::new()
    }

    fn of(shared: Arc<Shared>) -> Load {
        Load { shared, threads: Vec::new() }
    }

    /// Operations acknowledged so far, with success or with an error about them. A transaction is
    /// one operation. What a server refuses altogether (it is a replica, say) does not count.
    pub fn operations(&self) -> u64 {
        self.shared.operations.load(Ordering::SeqCst)
    }

    /// Blocks until that many more operations are acknowledged.
    ///
    /// # Panics
    /// When that takes longer than two minutes, or all writers have given up.
    pub fn wait_for(&self, operations: u64) {
        let wanted = self.operations() + operations;
        self.wait(&format!("acknowledged {operations} operations"), || self.operations() >= wanted);
    }

    /// Sends all writers to another server, as an application does at cutover: what is on its way
    /// is finished first. Returns at once; [`wait_switched`](Load::wait_switched) waits.
    pub fn switch_to(&self, connector: Connector) {
        self.shared.switch_to(connector);
    }

    /// Blocks until every writer has connected to where it was sent last.
    ///
    /// # Panics
    /// When that takes longer than two minutes, or all writers have given up.
    pub fn wait_switched(&self) {
        self.wait("switched", || self.shared.all_arrived());
    }

    /// The longest time between sending a command and the answers to its pipeline since the start
    /// or the last [`reset_stall`](Load::reset_stall). Broken connections and refusals prolong it
    /// until a whole pipeline is accepted; what is being waited for now counts too.
    pub fn longest_stall(&self) -> Duration {
        self.shared.stalls.longest()
    }

    /// Forgets all waiting up to now.
    pub fn reset_stall(&self) {
        self.shared.stalls.reset();
    }

    /// Stops the writers after what they have sent, and tells what they did.
    pub fn stop(mut self) -> LoadReport {
        let mut counters = self.join();
        if self.shared.settings.features.contains(&Feature::FlushAll) {
            counters.iter_mut().for_each(|counter| counter.min = 0);
        }
        let tally = self.shared.tally().clone();
        LoadReport {
            operations: self.operations(),
            failed: tally.failed,
            refused: tally.refused,
            uncertain: tally.uncertain,
            errors_by_text: tally.errors,
            longest_stall: self.longest_stall(),
            counters,
        }
    }

    fn join(&mut self) -> Vec<Counter> {
        self.shared.stop();
        let mut counters = Vec::new();
        for thread in self.threads.drain(..) {
            match thread.join() {
                Ok(of_writer) => counters.extend(of_writer),
                Err(_) => self.shared.tally().error("a writer panicked"),
            }
        }
        counters
    }

    fn wait(&self, what: &str, done: impl Fn() -> bool) {
        let deadline = Instant::now() + WAIT_TIMEOUT;
        while !done() {
            let running = self.shared.running.load(Ordering::SeqCst);
            let waiting = running > 0 && Instant::now() < deadline;
            assert!(
                waiting,
                "the load has not {what} ({running} writers run, {} operations in all): {:?}",
                self.operations(),
                self.shared.tally()
            );
            thread::sleep(LOOK_EVERY);
        }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.join();
    }
}
