//! Sends commands to the target, in their order, over one connection.
//!
//! ```text
//! files ──► pass (a thread of its own) ──batches──► sender ──► target
//! ```
//!
//! A reply that is an error ends the import: what follows would not be what the file says.

use std::sync::Arc;

use ferrite_client::{Connection, Pipeline, ReplyError, Value};
use tokio::sync::{mpsc, oneshot};
use tokio::task::spawn_blocking;

use super::files::AofFile;
use super::pass::{Manner, Passed, Planned, pass};
use super::plan::{Rules, command_text};
use super::walk::{Flow, Seen, Walk};
use crate::engine::Job;
use crate::error::{ErrorKind, MigrateError};
use crate::targets::redis::hint;

/// Bytes of commands that travel together, and how many commands at most.
const BATCH_BYTES: usize = 256 << 10;
const BATCH_COMMANDS: usize = 4096;
/// Batches that wait while one is executed.
const BATCHES_MAX: usize = 1;
/// Bytes from which on a batch is executed before anything else is read: it has a long command, of
/// which one is held at a time.
const LONG_BYTES: usize = 1 << 20;

/// Commands that travel together, and where each of them stands.
#[derive(Debug, Default)]
struct Batch {
    pipeline: Pipeline,
    /// For each command of a file: its end among the commands sent, file and offset.
    origins: Vec<(usize, usize, u64)>,
    /// Told when it has been executed.
    executed: Option<oneshot::Sender<()>>,
}

/// Applies the commands of all files.
///
/// # Errors
/// As [`pass`]; a target that is lost, or answers with an error.
pub async fn replay(
    job: &Arc<Job>,
    connection: Connection,
    files: Arc<Vec<AofFile>>,
    rules: Rules,
    manner: Manner,
) -> Result<Passed, MigrateError> {
    let (batches, waiting) = mpsc::channel(BATCHES_MAX);
    let sending = tokio::spawn(send(Arc::clone(job), connection, Arc::clone(&files), waiting));
    let stop = Arc::clone(&job.stop);
    let reading = spawn_blocking(move || {
        let mut batch = Batch::default();
        let passed = pass(&files, &rules, manner, |planned| {
            batch.add(&planned);
            if !batch.is_full() {
                return Ok(Flow::Continue(()));
            }
            // Nobody takes it after an error of the target, which is told there.
            let goes_on = hand_over(&batches, std::mem::take(&mut batch)) && !stop.is_stopped();
            Ok(if goes_on { Flow::Continue(()) } else { Flow::Break(()) })
        });
        let _ = batches.blocking_send(batch);
        passed
    });
    let passed = reading.await.unwrap_or_else(|panic| Err(internal(&panic)));
    sending.await.unwrap_or_else(|panic| Err(internal(&panic)))?;
    passed
}

/// Gives a batch to the sender, and waits for what is long; whether somebody took it.
fn hand_over(batches: &mpsc::Sender<Batch>, mut batch: Batch) -> bool {
    if batch.pipeline.encoded().len() < LONG_BYTES {
        return batches.blocking_send(batch).is_ok();
    }
    let (executed, waiting) = oneshot::channel();
    batch.executed = Some(executed);
    batches.blocking_send(batch).is_ok() && waiting.blocking_recv().is_ok()
}

impl Batch {
    fn add(&mut self, planned: &Planned<'_>) {
        self.pipeline.push_encoded(planned.encoded, planned.commands);
        self.origins.push((self.pipeline.len(), planned.file, planned.offset));
    }

    fn is_full(&self) -> bool {
        self.pipeline.encoded().len() >= BATCH_BYTES || self.pipeline.len() >= BATCH_COMMANDS
    }

    /// Where the command of a reply stands.
    fn origin(&self, reply: usize) -> Option<(usize, u64)> {
        let at = self.origins.partition_point(|(end, ..)| *end <= reply);
        self.origins.get(at).map(|(_, file, offset)| (*file, *offset))
    }
}

async fn send(
    job: Arc<Job>,
    mut connection: Connection,
    files: Arc<Vec<AofFile>>,
    mut waiting: mpsc::Receiver<Batch>,
) -> Result<(), MigrateError> {
    let address = job.config.target.address.to_string();
    while let Some(mut batch) = waiting.recv().await {
        if batch.pipeline.is_empty() {
            continue;
        }
        let replies = connection.pipeline(&batch.pipeline).await.map_err(|error| {
            let doing = format!("applying commands on the target {address}");
            MigrateError::new(ErrorKind::Target, doing, error).with_hint(AGAIN)
        })?;
        let failed = replies.iter().enumerate().find_map(|(at, reply)| Some((at, error(reply)?)));
        if let Some((at, error)) = failed {
            return Err(refused(&address, &files, batch.origin(at), &error));
        }
        job.progress(0, batch.pipeline.encoded().len() as u64);
        let executed = batch.executed.take();
        drop(batch);
        // Nobody waits for it when the import is over.
        let _ = executed.map(|executed| executed.send(()));
    }
    Ok(())
}

/// What is to be done after commands were applied in part.
const AGAIN: &str = "what came before is on the target: empty it, and run the same command again";

/// The error in a reply: itself, or the first one of a transaction.
fn error(reply: &Result<Value, ReplyError>) -> Option<ReplyError> {
    match reply {
        Err(error) => Some(error.clone()),
        Ok(Value::Array(replies)) => {
            replies.iter().find_map(Value::as_error).map(ReplyError::parse)
        }
        Ok(_) => None,
    }
}

fn refused(
    address: &str,
    files: &[AofFile],
    origin: Option<(usize, u64)>,
    error: &ReplyError,
) -> MigrateError {
    let place = origin.and_then(|(file, offset)| Some((files.get(file)?, offset)));
    let doing = match place {
        Some((file, offset)) => {
            let what = name_at(file, offset).unwrap_or_else(|| String::from("the command"));
            let path = file.path.display();
            format!("applying {what} at byte {offset} of {path} on the target {address}")
        }
        None => format!("applying commands on the target {address}"),
    };
    let todo = match error.code.as_str() {
        "ERR" | "WRONGTYPE" | "EXECABORT" => AGAIN.to_owned(),
        code => format!("{}; {AGAIN}", hint(code)),
    };
    MigrateError::new(ErrorKind::Target, doing, error).with_hint(todo)
}

/// What a file says at an offset.
fn name_at(file: &AofFile, offset: u64) -> Option<String> {
    let mut name = None;
    let walk = Walk::open(&file.path, offset, usize::MAX, false).ok()?;
    let looked = walk.each(|seen| {
        if let Seen::Command { words, .. } = seen {
            name = Some(command_text(words));
        }
        Ok(Flow::Break(()))
    });
    looked.ok()?;
    name
}

fn internal(panic: &tokio::task::JoinError) -> MigrateError {
    MigrateError::new(ErrorKind::Internal, "reading an append-only file", panic)
}
