//! Commands for the target that take effect together or not at all, with the position they bring
//! the target to.
//!
//! ```text
//! MULTI  [SELECT <db>]  <commands of the stream> …  SET <checkpoint> …  EXEC
//! ```

use std::ops::Range;

use ferrite_client::{ClientError, Receiver, ReplyError, Sender};
use ferrite_resp::{AggregateKind, ReplyRef, encode as resp, peek, skip};

use crate::fetch::fill_more;
use crate::live::checkpoint::Checkpoint;

/// Commands after which a transaction is sent: longer ones gain nothing measurable.
const COMMANDS_MAX: usize = 4096;
/// Bytes after which a transaction is sent.
const BYTES_MAX: usize = 1 << 20;

/// One command of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queued {
    /// Where it stands.
    bytes: Range<usize>,
    /// The database it works on, at the source.
    pub db: u32,
    /// Where the command of the stream ends that it comes from; 0 for our own.
    pub offset: u64,
}

/// A transaction that is being built.
#[derive(Debug)]
pub struct Transaction {
    bytes: Vec<u8>,
    queued: Vec<Queued>,
    /// The target's selected database; none is known at the start.
    selected: Option<u32>,
    /// Commands of the stream in it.
    pub commands: u64,
    /// Keys in it that were read from the source again.
    pub refetched: u64,
}

impl Default for Transaction {
    fn default() -> Self {
        let mut bytes = Vec::with_capacity(16 << 10);
        resp::command(&mut bytes, &["MULTI"]);
        Self { bytes, queued: Vec::new(), selected: None, commands: 0, refetched: 0 }
    }
}

/// How a transaction ended.
#[derive(Debug)]
pub enum Outcome {
    /// All commands were executed. Some answered with an error: a list of their places.
    Executed(Vec<(usize, ReplyError)>),
    /// None was executed; why, and the place of the command that is to blame, if one is.
    Refused(Option<usize>, ReplyError),
}

impl Transaction {
    /// Whether nothing is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.queued.is_empty()
    }

    /// Whether it should be sent before more is added.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.queued.len() >= COMMANDS_MAX || self.bytes.len() >= BYTES_MAX
    }

    /// Works on this database of the target from here on.
    pub fn select(&mut self, db: u32, target: u32) {
        if self.selected != Some(target) {
            let start = self.bytes.len();
            resp::command(&mut self.bytes, &["SELECT", &target.to_string()]);
            self.queue(start, db, 0);
            self.selected = Some(target);
        }
    }

    /// Adds a command as it stands; `db` is the source's.
    pub fn push(&mut self, encoded: &[u8], db: u32, offset: u64) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(encoded);
        self.queue(start, db, offset);
    }

    /// Adds a command of our own.
    pub fn command(&mut self, words: &[&[u8]], db: u32) {
        let start = self.bytes.len();
        resp::command(&mut self.bytes, words);
        self.queue(start, db, 0);
    }

    /// Adds several commands that stand behind each other.
    ///
    /// # Errors
    /// Bytes that are not `count` commands.
    pub fn push_all(&mut self, encoded: &[u8], db: u32, offset: u64) -> Result<(), ClientError> {
        let mut rest = encoded;
        while !rest.is_empty() {
            let Ok(Some(length)) = skip(rest) else { return Err(not_commands()) };
            let (command, behind) = rest.split_at_checked(length).ok_or_else(not_commands)?;
            self.push(command, db, offset);
            rest = behind;
        }
        Ok(())
    }

    fn queue(&mut self, start: usize, db: u32, offset: u64) {
        self.queued.push(Queued { bytes: start..self.bytes.len(), db, offset });
    }

    /// Ends it with the position it brings the target to.
    pub fn finish(&mut self, key: &[u8], target_db: u32, checkpoint: &Checkpoint) {
        self.select(checkpoint.db, target_db);
        let start = self.bytes.len();
        checkpoint.store(key, &mut self.bytes);
        self.queue(start, checkpoint.db, 0);
    }

    /// The command at a place.
    #[must_use]
    pub fn queued(&self, place: usize) -> Option<(&Queued, &[u8])> {
        let queued = self.queued.get(place)?;
        Some((queued, self.bytes.get(queued.bytes.clone())?))
    }

    /// Everything but the `EXEC`.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.bytes
    }

    /// Sends it and waits for all replies.
    ///
    /// # Errors
    /// The loss of the connection: whether it was executed is not known then.
    pub async fn execute(
        &self,
        sender: &mut Sender,
        receiver: &mut Receiver,
    ) -> Result<Outcome, ClientError> {
        sender.send(&self.bytes).await?;
        let refused = self.queued_replies(receiver).await?;
        sender.send(EXEC).await?;
        self.executed(receiver, refused).await
    }

    /// Reads what the target says while it queues the commands; the first that it refuses.
    ///
    /// # Errors
    /// The loss of the connection.
    pub async fn queued_replies(&self, receiver: &mut Receiver) -> Result<Refused, ClientError> {
        // The first one answers `MULTI`.
        let errors = errors(receiver, 1 + self.queued.len()).await?;
        let first = errors.into_iter().next();
        Ok(first.map(|(place, error)| (place.checked_sub(1), error)))
    }

    /// Reads what became of it, after the `EXEC`.
    ///
    /// # Errors
    /// The loss of the connection: whether it was executed is not known then.
    pub async fn executed(
        &self,
        receiver: &mut Receiver,
        refused: Refused,
    ) -> Result<Outcome, ClientError> {
        match header(receiver).await? {
            Ok(elements) => Ok(Outcome::Executed(errors(receiver, elements).await?)),
            Err(error) => {
                let (place, error) = refused.unwrap_or((None, error));
                Ok(Outcome::Refused(place, error))
            }
        }
    }
}

/// The command that the target did not queue, by its place if it is one of ours.
pub type Refused = Option<(Option<usize>, ReplyError)>;

/// What has a transaction executed.
pub const EXEC: &[u8] = b"*1\r\n$4\r\nEXEC\r\n";

fn not_commands() -> ClientError {
    ClientError::Unexpected {
        address: String::new(),
        doing: String::from("encoding commands"),
        what: String::from("bytes that are no commands"),
    }
}

/// Reads so many whole replies; those that are errors, with their places.
async fn errors(
    receiver: &mut Receiver,
    count: usize,
) -> Result<Vec<(usize, ReplyError)>, ClientError> {
    let (mut place, mut errors) = (0, Vec::new());
    loop {
        let mut rest = receiver.buffered();
        let before = rest.len();
        while place < count {
            let used = skip(rest).map_err(|cause| protocol(receiver, cause))?;
            let Some((reply, behind)) = used.and_then(|used| rest.split_at_checked(used)) else {
                break;
            };
            if let Ok(Some((ReplyRef::Error(text), _))) = peek(reply) {
                errors.push((place, ReplyError::parse(text)));
            }
            (rest, place) = (behind, place + 1);
        }
        let used = before - rest.len();
        receiver.consume(used);
        if place == count {
            return Ok(errors);
        }
        fill_more(receiver).await?;
    }
}

/// Reads the header of `EXEC`'s reply: the number of replies in it, or why there are none.
async fn header(receiver: &mut Receiver) -> Result<Result<usize, ReplyError>, ClientError> {
    loop {
        let peeked = peek(receiver.buffered()).map_err(|cause| protocol(receiver, cause))?;
        let (header, used) = match peeked {
            Some((ReplyRef::Aggregate(AggregateKind::Array, count), used)) => (Ok(count), used),
            Some((ReplyRef::Error(text), used)) => (Err(ReplyError::parse(text)), used),
            Some((_, used)) => (Err(ReplyError::parse(b"ERR the transaction was dropped")), used),
            None => {
                fill_more(receiver).await?;
                continue;
            }
        };
        receiver.consume(used);
        return Ok(header);
    }
}

fn protocol(receiver: &Receiver, cause: ferrite_resp::ProtocolError) -> ClientError {
    let (address, doing) = (receiver.address().to_owned(), String::from("applying commands"));
    ClientError::Protocol { address, doing, cause }
}
