//! What a load has done, once it is over.

use std::collections::BTreeMap;
use std::time::Duration;

use super::counters::Counter;
use crate::client::{Client, ClientError};

/// The end of a [`Load`](super::Load).
#[derive(Debug, Clone)]
pub struct LoadReport {
    /// Operations that were acknowledged, with success or with an error about them.
    pub operations: u64,
    /// Operations among them that were answered with an error, such as WRONGTYPE: these are normal.
    pub failed: u64,
    /// Operations the server did not take: it was loading, or a replica, or out of memory.
    pub refused: u64,
    /// Operations whose answer was lost with the connection: they may have been executed.
    pub uncertain: u64,
    /// How often each error came, those of connections too; what is in single quotes is left out.
    pub errors_by_text: BTreeMap<String, u64>,
    /// As [`Load::longest_stall`](super::Load::longest_stall) told at the end.
    pub longest_stall: Duration,
    /// What the counters of all writers must hold.
    pub counters: Vec<Counter>,
}

impl LoadReport {
    /// Compares the counters with a server: one line for each that holds what it cannot hold. The
    /// client is left in the first database of the load.
    ///
    /// # Errors
    /// [`ClientError`] when the connection fails.
    pub fn lost_or_doubled(&self, client: &mut Client) -> Result<Vec<String>, ClientError> {
        let mut wrong = Vec::new();
        for counter in &self.counters {
            client.try_call(&["SELECT", &counter.database.to_string()])?;
            wrong.extend(counter.check(client)?);
        }
        Ok(wrong)
    }
}
