//! Applies the source's commands to the target, in their order, in transactions that carry the
//! position they bring the target to.
//!
//! ```text
//! spool ──► parse ──► plan ──► transaction ──► target
//!                      │ no command says it
//!                      └──► read the key again ──┘
//! ```
//!
//! One transaction is executed while the next is queued at the target and a third is built. Whatever goes wrong, the way back is the
//! same: connect again, ask the target how far it is, and read the spool from there.

mod expired_fields;
mod flight;
mod forwarded;
mod plan;
mod refetch;
mod target;
mod transaction;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use ferrite_client::{ClientError, ReplyError};
use tokio::sync::{mpsc, oneshot};

use self::flight::{Flight, Flights, Landed};
use self::plan::{Plan, Step};
use self::refetch::{KEYS_MAX, Refetch, RefetchError};
pub use self::target::{Target, home, takes_no_writes};
use self::transaction::{Outcome, Queued, Transaction};
use super::checkpoint::Checkpoint;
use super::marks::{Key, Marks};
use super::progress::{Progress, Side};
use super::spool::{Block, Reader, SpoolError};
use super::stream;
use crate::engine::Job;
use crate::error::{ErrorKind, MigrateError};
use crate::preflight::Checked;

/// How long the target may refuse or be away before the job stops (and can be resumed).
const AWAY_MAX: Duration = Duration::from_secs(3600);
/// Bytes of applied stream that are kept: a target that comes back after a crash may be that far
/// behind where it was.
const KEPT_BEHIND: u64 = 64 << 20;
/// Expiries before this time are held: none.
const HOLD_NOTHING: u64 = 0;

/// What the applier can be asked while it runs.
#[derive(Debug)]
pub enum Request {
    /// Hold expiries that lie before this time (Unix ms at the source), write later ones as they
    /// are; answered when everything planned before is on the target.
    HoldBefore(u64, oneshot::Sender<()>),
    /// Tell which keys may have a held expiry that was written since not all are held.
    Held(oneshot::Sender<Vec<Key>>),
    /// Tell how often databases have changed places.
    Swaps(oneshot::Sender<u64>),
    /// Apply nothing until the sender of the second channel is gone, or tells which keys to read
    /// again first; the first says that everything planned before is on the target.
    Pause(oneshot::Sender<()>, oneshot::Receiver<Vec<Key>>),
    /// Read these keys of the source again; answered when the target has them.
    Refetch(Vec<Key>, oneshot::Sender<()>),
}

/// Why applying ended.
#[derive(Debug)]
pub enum Ended {
    /// The job was stopped, or the spool's writer is gone and all is applied.
    Stopped,
    /// The target cannot be brought up to date by commands any more: everything has to be copied
    /// again.
    Lost(String),
}

/// What interrupts applying.
enum Fault {
    /// The connection to the target is gone.
    Target(ClientError),
    /// The target takes no writes now.
    Refused(ReplyError),
    /// A command was not accepted, and will be avoided.
    Again,
    /// The source does not answer.
    Source(ClientError),
    /// Applying ends.
    Ended(Ended),
    /// The job ends.
    Failed(MigrateError),
}

impl From<RefetchError> for Fault {
    fn from(error: RefetchError) -> Self {
        match error {
            RefetchError::Source(error) => Self::Source(error),
            RefetchError::Failed(error) => Self::Failed(error),
        }
    }
}

/// What may happen while a transaction is on its way.
#[expect(clippy::large_enum_variant, reason = "there is one at a time")]
enum Event {
    Landed(Option<Landed>),
    Request(Request),
    Block(Result<Block, SpoolError>),
}

/// Applies the stream to one target.
pub struct Applier {
    job: Arc<Job>,
    progress: Arc<Progress>,
    reader: Reader,
    target: Target,
    plan: Plan,
    marks: Marks,
    refetch: Refetch,
    requests: mpsc::Receiver<Request>,
    flights: Option<Flights>,
    /// Asked for, and not yet possible.
    waiting: Option<Request>,
    building: Transaction,
    /// Stream bytes read from the spool and not planned.
    buffer: Vec<u8>,
    /// Where the first of them is in the stream.
    offset: u64,
    /// Ends of blocks in the buffer, with the time they were received.
    blocks: VecDeque<(u64, u64)>,
    /// When what was planned last was received.
    received_ms: u64,
    /// Where the last transaction that was sent ends.
    sent: u64,
    /// Whether all keys of the target are being read again.
    sweep: bool,
    /// Keys that may have expired on the target, as far as they have not been read again.
    lapsed: Vec<Key>,
}

impl Applier {
    /// An applier that begins where the target says it is.
    #[must_use]
    pub fn new(
        job: &Arc<Job>,
        checked: &Arc<Checked>,
        progress: Arc<Progress>,
        reader: Reader,
        requests: mpsc::Receiver<Request>,
    ) -> Self {
        Self {
            job: Arc::clone(job),
            marks: Marks::new(&progress.watched),
            progress,
            reader,
            target: Target::new(job, checked),
            plan: Plan::new(job, checked),
            refetch: Refetch::new(job, checked, true),
            requests,
            flights: None,
            waiting: None,
            building: Transaction::default(),
            buffer: Vec::new(),
            offset: 0,
            blocks: VecDeque::new(),
            received_ms: 0,
            sent: 0,
            sweep: false,
            lapsed: Vec::new(),
        }
    }

    /// The same applier, which writes expiries as they are. Keys then expire on the target by
    /// themselves, be it before a command that renews them: so no command is applied to them, and
    /// what they write is read again.
    #[must_use]
    pub fn holding_nothing(mut self, checked: &Arc<Checked>) -> Self {
        self.plan.hold_before(HOLD_NOTHING);
        self.plan.reread();
        self.refetch = Refetch::new(&self.job, checked, false);
        self
    }

    /// Applies until the job is stopped or the receiver has ended and all is applied.
    ///
    /// # Errors
    /// An end that stays away or refuses for good, bytes that are no commands.
    pub async fn run(mut self) -> Result<Ended, MigrateError> {
        loop {
            let fault = match self.begin().await {
                Ok(()) => self.apply().await,
                Err(fault) => fault,
            };
            if let Some(flights) = self.flights.take() {
                flights.end().await;
            }
            let is_again = matches!(fault, Fault::Again);
            match fault {
                Fault::Again => {}
                Fault::Ended(ended) => return Ok(ended),
                Fault::Failed(error) => return Err(error),
                Fault::Target(error) => self.trouble(Side::Target, error.to_string()),
                Fault::Refused(error) => {
                    let hint = target::until_it_writes(&error);
                    self.trouble(Side::Target, format!("{}: {hint}", error.message));
                }
                Fault::Source(error) => {
                    self.refetch.disconnect();
                    self.trouble(Side::Source, error.to_string());
                }
            }
            if is_again {
                continue;
            }
            if let Some(error) = self.target.pause(AWAY_MAX).await {
                return Err(error);
            }
            if self.job.stop.is_stopped() {
                return Ok(Ended::Stopped);
            }
        }
    }

    fn trouble(&self, side: Side, why: String) {
        tracing::debug!(?side, why, "applying was interrupted");
        self.progress.set_trouble(side, Some(why));
    }

    /// Connects and goes to where the target is.
    async fn begin(&mut self) -> Result<(), Fault> {
        let (link, checkpoint) = self.target.connect().await.map_err(Fault::Target)?;
        let Some(checkpoint) = checkpoint else {
            let why = "the target no longer says how far it is: it was emptied, or restarted \
                       without its data";
            return Err(Fault::Ended(Ended::Lost(String::from(why))));
        };
        if checkpoint.copying.is_some() {
            let why = "the target came back as it was before the copy was complete";
            return Err(Fault::Ended(Ended::Lost(String::from(why))));
        }
        if let Err(error) = self.reader.seek(checkpoint.offset) {
            let why = format!("what the target lacks is no longer kept: {error}");
            return Err(Fault::Ended(Ended::Lost(why)));
        }
        tracing::debug!(offset = checkpoint.offset, fence = checkpoint.fence, "applying");
        self.buffer.clear();
        self.blocks.clear();
        self.building = Transaction::default();
        self.refetch.disconnect();
        self.marks.clear();
        self.offset = checkpoint.offset;
        self.sent = checkpoint.offset;
        self.sweep = checkpoint.sweep;
        self.plan.begin(checkpoint.db, checkpoint.fence);
        for (db, key) in checkpoint.pending {
            self.marks.mark_dirty(db, &key);
        }
        self.lapsed.iter().for_each(|(db, key)| self.marks.mark_dirty(*db, key));
        self.flights = Some(Flights::over(link));
        self.progress.set_trouble(Side::Target, None);
        Ok(())
    }

    /// Applies until something interrupts it.
    async fn apply(&mut self) -> Fault {
        if self.sweep
            && let Err(fault) = self.reconcile(None).await
        {
            return fault;
        }
        loop {
            if let Err(fault) = self.advance().await {
                return fault;
            }
            let wants_more = !self.is_full();
            let listens = self.waiting.is_none();
            let event = tokio::select! {
                biased;
                landed = landed(self.flights.as_mut()) => Event::Landed(landed),
                () = self.job.stop.stopped() => return Fault::Ended(Ended::Stopped),
                Some(request) = self.requests.recv(), if listens => Event::Request(request),
                block = self.reader.next(&mut self.buffer), if wants_more => Event::Block(block),
            };
            let handled = match event {
                Event::Landed(landed) => self.landed(landed),
                Event::Request(request) => {
                    self.waiting = Some(request);
                    Ok(())
                }
                Event::Block(Ok(block)) => {
                    self.blocks.push_back((block.end, block.received_at_ms));
                    Ok(())
                }
                Event::Block(Err(SpoolError::Closed)) if self.in_flight() == 0 => {
                    Err(Fault::Ended(Ended::Stopped))
                }
                Event::Block(Err(SpoolError::Closed)) => self.land().await,
                Event::Block(Err(error)) => Err(Fault::Failed(spool_error(&self.job, &error))),
            };
            if let Err(fault) = handled {
                return fault;
            }
        }
    }

    fn is_full(&self) -> bool {
        // A transaction of the source is kept whole, however long it is.
        let is_full = self.building.is_full() || self.marks.dirty() >= KEYS_MAX;
        is_full && !self.plan.is_in_transaction()
    }

    /// Plans what is there, and sends it when the target is free.
    async fn advance(&mut self) -> Result<(), Fault> {
        self.parse().await?;
        if self.plan.is_in_transaction() {
            return Ok(());
        }
        if let Some(request) = self.waiting.take() {
            return self.answer(request).await;
        }
        // A second one follows the first only when it is worth it.
        let is_free = match self.in_flight() {
            0 => true,
            _ => self.is_full() && !self.flights.as_ref().is_none_or(Flights::is_full),
        };
        if is_free { self.send().await } else { Ok(()) }
    }

    /// Plans commands until the transaction is full or the bytes are at an end.
    async fn parse(&mut self) -> Result<(), Fault> {
        loop {
            let (used, step) = self.plan_some()?;
            self.buffer.drain(..used);
            match step {
                None => return Ok(()),
                Some(Step::Reconcile(db)) => self.reconcile(db).await?,
            }
        }
    }

    /// Plans commands; how many bytes they take, and what has to be done before the next one.
    fn plan_some(&mut self) -> Result<(usize, Option<Step>), Fault> {
        let buffer = std::mem::take(&mut self.buffer);
        let mut used = 0;
        let mut step = None;
        let mut words = Vec::new();
        let mut outcome = Ok(());
        while step.is_none() && !self.is_full() {
            let rest = buffer.get(used..).unwrap_or_default();
            let taken = match stream::command(rest, &mut words) {
                Ok(Some(taken)) => taken,
                Ok(None) => break,
                Err(cause) => {
                    outcome = Err(Fault::Failed(self.nonsense(&cause)));
                    break;
                }
            };
            let end = self.offset + taken as u64;
            while self.blocks.front().is_some_and(|(block, _)| *block < end) {
                self.blocks.pop_front();
            }
            self.received_ms = self.blocks.front().map_or(self.received_ms, |(_, at)| *at);
            let raw = rest.get(..taken).unwrap_or_default();
            let call =
                plan::Call { raw, words: &words, offset: end, received_ms: self.received_ms };
            match self.plan.command(&call, &mut self.building, &mut self.marks) {
                Ok(next) => step = next,
                Err(ended) => {
                    outcome = Err(Fault::Ended(ended));
                    break;
                }
            }
            if self.plan.take_getack() {
                self.progress.acknowledge.notify_one();
            }
            used += taken;
            self.offset = end;
        }
        self.buffer = buffer;
        outcome.map(|()| (used, step))
    }

    /// Reads what has to be read again, and sends the transaction.
    async fn send(&mut self) -> Result<(), Fault> {
        while self.marks.dirty() > 0 {
            let keys = self.marks.take_dirty(KEYS_MAX);
            self.refetch.request(keys).await?;
            loop {
                let mut pending = self.refetch.more(&mut self.building, &mut self.marks).await?;
                if pending.is_empty() {
                    break;
                }
                // A value too large for a transaction: it goes on its own, behind everything
                // before it; should we die midway, the checkpoint says what is missing.
                pending.extend(self.marks.dirty_keys());
                self.take_off(pending).await;
                self.land().await?;
                self.refetch.write_large(&mut self.marks).await?;
            }
        }
        if self.building.is_empty() {
            if self.in_flight() == 0 && self.sent < self.offset {
                // Nothing for the target: what there was has been seen.
                self.progress.set_applied(self.offset, self.received_ms);
            }
            return Ok(());
        }
        self.take_off(Vec::new()).await;
        Ok(())
    }

    /// Sends the transaction on its way.
    async fn take_off(&mut self, pending: Vec<(u32, Vec<u8>)>) {
        let Some(flights) = &mut self.flights else { return };
        let mut transaction = std::mem::take(&mut self.building);
        let checkpoint = Checkpoint {
            replid: self.progress.replid(),
            offset: self.offset,
            fence: self.marks.highest(),
            db: self.plan.db(),
            copying: None,
            sweep: self.sweep,
            pending,
        };
        self.target.finish(&mut transaction, &checkpoint);
        self.sent = self.offset;
        let received_ms = self.received_ms;
        flights.begin(Flight { transaction, checkpoint, received_ms }).await;
    }

    /// How many transactions are on their way.
    fn in_flight(&self) -> usize {
        self.flights.as_ref().map_or(0, Flights::count)
    }

    /// Waits for all transactions that are on their way.
    async fn land(&mut self) -> Result<(), Fault> {
        while self.in_flight() > 0 {
            let landed = landed(self.flights.as_mut()).await;
            self.landed(landed)?;
        }
        Ok(())
    }

    /// Takes note of what became of a transaction.
    fn landed(&mut self, landed: Option<Landed>) -> Result<(), Fault> {
        let Some(Landed { flight, outcome }) = landed else {
            let doing = "applying commands";
            let error = MigrateError::new(ErrorKind::Internal, doing, "a connection has ended");
            return Err(Fault::Failed(error));
        };
        let Flight { transaction, checkpoint, received_ms } = flight;
        match outcome.map_err(Fault::Target)? {
            Outcome::Executed(failed) => {
                for (place, error) in failed {
                    self.failed(&transaction, place, &error);
                }
            }
            Outcome::Refused(place, error) => return Err(self.refused(&transaction, place, error)),
        }
        self.target.worked();
        self.progress.set_trouble(Side::Target, None);
        self.marks.passed(checkpoint.offset);
        if self.marks.is_large() {
            self.plan.doubt(self.marks.highest());
            self.marks.clear();
        }
        self.progress.count(transaction.commands, transaction.refetched, self.marks.dirty() as u64);
        self.progress.set_applied(checkpoint.offset, received_ms);
        let kept = KEPT_BEHIND.min(self.reader.gauge().quota() / 4);
        let keep_from = checkpoint.offset.saturating_sub(kept);
        self.reader.trim(keep_from).map_err(|error| Fault::Failed(spool_error(&self.job, &error)))
    }

    /// One command of an executed transaction failed: its keys are read again.
    fn failed(&mut self, transaction: &Transaction, place: usize, error: &ReplyError) {
        let Some((queued, bytes)) = transaction.queued(place) else { return };
        let mut words = Vec::new();
        let Ok(Some(_)) = stream::command(bytes, &mut words) else { return };
        let name = String::from_utf8_lossy(words.first().copied().unwrap_or_default());
        tracing::debug!(command = %name, offset = queued.offset, error = error.message, "refused");
        if name.eq_ignore_ascii_case("FUNCTION") && self.plan.is_uncertain(queued.offset) {
            // The library was gone already when the functions were copied.
            return;
        }
        if self.plan.leaves_member_out(&words, queued.db, error) {
            return;
        }
        if queued.offset == 0 || !self.plan.mark_written(&words, queued.db, &mut self.marks) {
            self.job.warn(format!("the target refused {name}: {}", error.message));
        }
    }

    /// A transaction was refused as a whole: nothing of it was executed.
    fn refused(
        &mut self,
        transaction: &Transaction,
        place: Option<usize>,
        error: ReplyError,
    ) -> Fault {
        if target::takes_no_writes(&error) {
            return Fault::Refused(error);
        }
        let queued = place.and_then(|place| transaction.queued(place));
        match queued {
            Some((queued, bytes)) if queued.offset > 0 && self.refuse(queued, bytes, &error) => {
                Fault::Again
            }
            _ => {
                let doing = format!("applying commands on the target {}", self.target.address());
                let error = MigrateError::new(ErrorKind::Target, doing, error.message);
                Fault::Failed(error.with_hint(format!(
                    "see the target's log, then: ferrite-migrate migrate --resume {}",
                    self.job.id
                )))
            }
        }
    }

    /// Takes note that a command is not accepted; whether that is news.
    fn refuse(&mut self, queued: &Queued, bytes: &[u8], error: &ReplyError) -> bool {
        let mut words = Vec::new();
        let is_command = matches!(stream::command(bytes, &mut words), Ok(Some(_)));
        let is_unknown = is_about_the_name(error);
        is_command && self.plan.refuse(&words, queued.offset, is_unknown)
    }

    /// Brings everything to the target that was planned.
    async fn flush(&mut self) -> Result<(), Fault> {
        self.land().await?;
        self.send().await?;
        self.land().await
    }

    /// Reads every key again that the target has; those that are gone are deleted. Everything
    /// before is on the target first; the checkpoints up to the end of it say that it has to be
    /// done.
    async fn reconcile(&mut self, db: Option<u32>) -> Result<(), Fault> {
        self.sweep = true;
        self.flush().await?;
        for (target_db, db) in self.target.dbs(db).await.map_err(Fault::Target)? {
            let mut scanner = self.target.scanner(target_db).await.map_err(Fault::Target)?;
            let mut cursor = b"0".to_vec();
            loop {
                let (next, names) = scanner.step(db, &cursor).await.map_err(Fault::Target)?;
                let wanted = names.iter().filter(|key| self.plan.takes_part(db, key));
                wanted.for_each(|key| self.marks.mark_dirty(db, key));
                self.send().await?;
                self.land().await?;
                if next == b"0" {
                    break;
                }
                cursor = next;
            }
        }
        self.sweep = false;
        Ok(())
    }

    /// Does what was asked for, when everything planned before is on the target.
    async fn answer(&mut self, request: Request) -> Result<(), Fault> {
        if let Err(fault) = self.flush().await {
            // Whoever asked learns of a target that is lost by the answer that does not come.
            self.waiting = matches!(fault, Fault::Again).then_some(request);
            return Err(fault);
        }
        match request {
            Request::HoldBefore(until_ms, done) => {
                self.plan.hold_before(until_ms);
                self.refetch.hold_before(until_ms);
                let _ = done.send(());
            }
            Request::Held(answer) => {
                let mut held: Vec<Key> = self.plan.take_held().into_iter().collect();
                held.append(&mut self.refetch.held);
                let _ = answer.send(held);
            }
            Request::Swaps(answer) => {
                let _ = answer.send(self.plan.swaps());
            }
            Request::Refetch(keys, done) => {
                keys.iter().for_each(|(db, key)| self.marks.mark_dirty(*db, key));
                self.send().await?;
                self.land().await?;
                let _ = done.send(());
            }
            Request::Pause(done, released) => {
                let _ = done.send(());
                let again = tokio::select! {
                    again = released => again.unwrap_or_default(),
                    () = self.job.stop.stopped() => Vec::new(),
                };
                self.read_lapsed(again).await?;
            }
        }
        Ok(())
    }

    /// Reads keys again that may have expired on the target. Nothing is applied to them, or taken
    /// from them, until they are there, whatever comes between.
    async fn read_lapsed(&mut self, keys: Vec<Key>) -> Result<(), Fault> {
        keys.iter().for_each(|(db, key)| self.marks.mark_dirty(*db, key));
        self.lapsed.extend(keys);
        if !self.lapsed.is_empty() {
            self.send().await?;
            self.land().await?;
            self.lapsed.clear();
        }
        Ok(())
    }

    fn nonsense(&self, cause: &ferrite_resp::ProtocolError) -> MigrateError {
        let doing = format!("reading the source's commands at offset {}", self.offset);
        MigrateError::new(ErrorKind::Data, doing, cause)
            .with_hint("something between us and the source changes bytes: see proxies and TLS")
    }
}

/// Whether the target refuses all commands of a name, whatever their arguments.
fn is_about_the_name(error: &ReplyError) -> bool {
    error.message.starts_with("ERR unknown command")
        || error.code == "NOPERM" && error.message.contains("command")
}

/// Waits for the transaction that is on its way; for ever if there is none.
async fn landed(flights: Option<&mut Flights>) -> Option<Landed> {
    match flights.filter(|flights| flights.count() > 0) {
        Some(flights) => flights.landed().await,
        None => std::future::pending().await,
    }
}

fn spool_error(job: &Job, error: &SpoolError) -> MigrateError {
    MigrateError::new(ErrorKind::Internal, "reading the kept commands of the source", error)
        .with_hint(format!("ferrite-migrate migrate --resume {}", job.id))
}
