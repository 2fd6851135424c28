//! Many commands, few waits: a writer that keeps a bounded number of replies outstanding.

use super::{Client, ClientError, Reply};

/// Bytes collected before they are sent.
const BATCH_BYTES: usize = 128 * 1024;
/// Batches whose replies may be outstanding: the server works on one while we write the next.
const BATCHES: usize = 2;

/// Commands sent in batches; replies are checked for errors and dropped.
#[derive(Debug)]
pub struct Pipeline<'a> {
    client: &'a mut Client,
    in_batch: usize,
    outstanding: Vec<usize>,
    sent: u64,
}

/// Why a pipelined load stopped.
#[derive(Debug, thiserror::Error)]
pub enum PipelineError {
    /// The connection failed.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The server refused a command.
    #[error("the server refused command number {number} of the load: {reply}")]
    Refused {
        /// Counted from 1.
        number: u64,
        /// The server's words.
        reply: String,
    },
}

impl<'a> Pipeline<'a> {
    /// A pipeline with nothing in it.
    pub fn new(client: &'a mut Client) -> Pipeline<'a> {
        Pipeline { client, in_batch: 0, outstanding: Vec::new(), sent: 0 }
    }

    /// Adds a command; sends a batch when one is full.
    ///
    /// # Errors
    /// [`PipelineError`] about this or an earlier command.
    pub fn push<A: AsRef<[u8]>>(&mut self, command: &[A]) -> Result<(), PipelineError> {
        self.client.queue(command);
        self.in_batch += 1;
        if self.client.queued() < BATCH_BYTES {
            return Ok(());
        }
        self.send()?;
        self.settle(BATCHES)
    }

    /// Sends the rest and waits for all replies.
    ///
    /// # Errors
    /// [`PipelineError`] about any command of the pipeline.
    pub fn finish(mut self) -> Result<(), PipelineError> {
        self.send()?;
        self.settle(0)
    }

    fn send(&mut self) -> Result<(), PipelineError> {
        self.client.flush()?;
        self.outstanding.push(std::mem::take(&mut self.in_batch));
        Ok(())
    }

    /// Reads replies until at most `allowed` batches are outstanding.
    fn settle(&mut self, allowed: usize) -> Result<(), PipelineError> {
        while self.outstanding.len() > allowed {
            for _ in 0..self.outstanding.remove(0) {
                self.sent += 1;
                if let Reply::Error(reply) = self.client.read()? {
                    return Err(PipelineError::Refused { number: self.sent, reply });
                }
            }
        }
        Ok(())
    }
}
