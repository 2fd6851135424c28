//! One writer: a thread with a connection.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use super::batch::{Choice, Operation, Outcome};
use super::commands::{self, Kind};
use super::counters::Counter;
use super::feature::Feature;
use super::maker::Maker;
use super::shared::Shared;
use crate::client::{Client, ClientError};

/// How long a writer tries to connect before it gives up.
const RECONNECT_FOR: Duration = Duration::from_secs(60);
/// Pause between two attempts to connect.
const RECONNECT_EVERY: Duration = Duration::from_millis(5);
/// Pause after an operation was refused.
const REFUSED_PAUSE: Duration = Duration::from_millis(1);
/// Longest sleep before a writer looks whether it is to stop.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// How long an answer may take before the connection counts as broken.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// A writer stays in a database for so many batches on average.
const BATCHES_PER_DATABASE: u64 = 4;

/// Sets the seeds of writers apart.
const SEED_STEP: u64 = 0x9e37_79b9;

/// A writer before and while it runs.
#[derive(Debug)]
pub(super) struct Writer {
    number: usize,
    shared: Arc<Shared>,
    maker: Maker,
    counters: Vec<Counter>,
}

/// A connection and what belongs to its server.
struct Link {
    client: Client,
    /// The move that led here.
    number: u64,
    database: u32,
    menu: Vec<&'static Kind>,
}

impl Writer {
    pub(super) fn new(number: usize, shared: Arc<Shared>, counters: Vec<Counter>) -> Writer {
        let settings = &shared.settings;
        let seed = settings.seed.wrapping_add(SEED_STEP.wrapping_mul(number as u64 + 1));
        let maker = Maker::new(seed, settings.keys, &settings.databases);
        Writer { number, shared, maker, counters }
    }

    /// Writes until the load is stopped or the server stays away; gives the counters back.
    pub(super) fn run(mut self) -> Vec<Counter> {
        let mut link = None;
        while !self.shared.stopped() {
            link = match self.turn(link) {
                Ok(link) => Some(link),
                Err(Some(error)) => {
                    self.shared.tally().error(&error.to_string());
                    None
                }
                Err(None) => break,
            };
        }
        self.shared.running.fetch_sub(1, Ordering::SeqCst);
        self.counters
    }

    /// Sends one batch and reads its answers. An error without a cause ends the writer.
    fn turn(&mut self, link: Option<Link>) -> Result<Link, Option<ClientError>> {
        let count = 1 + self.maker.below(self.shared.settings.pipeline);
        self.wait_for_pace(count);
        let current = link.filter(|link| link.number == self.shared.moves());
        let mut link = match current {
            Some(link) => link,
            None => self.connect().ok_or(None)?,
        };
        if !self.enter_database(&mut link)? {
            thread::sleep(REFUSED_PAUSE);
            return Ok(link);
        }
        self.batch(&mut link, count)?;
        Ok(link)
    }

    /// Connects to where the load is now; tries for a while.
    fn connect(&mut self) -> Option<Link> {
        self.shared.stalls.begin(self.number);
        let mut since = Instant::now();
        let mut tried = self.shared.moves();
        while !self.shared.stopped() {
            match self.try_connect() {
                Ok(link) => return Some(link),
                Err(error) => {
                    if tried != self.shared.moves() {
                        (tried, since) = (self.shared.moves(), Instant::now());
                    }
                    if since.elapsed() > RECONNECT_FOR {
                        let text = format!("writer {} gave up: {error}", self.number);
                        self.shared.tally().error(&text);
                        return None;
                    }
                }
            }
            thread::sleep(RECONNECT_EVERY);
        }
        None
    }

    fn try_connect(&mut self) -> Result<Link, ClientError> {
        let (connector, number) = self.shared.place();
        let mut client = connector.connect()?;
        client.set_timeout(Some(ANSWER_TIMEOUT))?;
        let menu = commands::menu(&mut client, &self.shared.settings.features)?;
        self.maker.forget();
        self.shared.arrived(self.number, number);
        // A new connection is in database 0, whichever the load wants.
        Ok(Link { client, number, database: 0, menu })
    }

    /// Selects the database of the next batch; false when the server refuses.
    fn enter_database(&mut self, link: &mut Link) -> Result<bool, ClientError> {
        let stays = self.maker.database() == link.database;
        if stays && !self.maker.once_in(BATCHES_PER_DATABASE) {
            return Ok(true);
        }
        let database = self.maker.choose_database();
        if database == link.database {
            return Ok(true);
        }
        self.shared.stalls.begin(self.number);
        let reply = link.client.try_call(&["SELECT", &database.to_string()])?;
        if reply.is_error() {
            let mut tally = self.shared.tally();
            tally.refused += 1;
            tally.error(&reply.to_string());
            return Ok(false);
        }
        link.database = database;
        Ok(true)
    }

    fn batch(&mut self, link: &mut Link, count: usize) -> Result<(), ClientError> {
        let transactions = self.shared.settings.features.contains(&Feature::Transactions);
        let choice = Choice { menu: &link.menu, transactions };
        let mut batch = Vec::with_capacity(count);
        for _ in 0..count {
            let mut operation = Operation::any(&mut self.maker, &choice, self.counters.len());
            operation.queue(&mut link.client, &self.counters);
            batch.push(operation);
        }
        self.shared.stalls.begin(self.number);
        let mut answered = 0;
        let result = self.exchange(&mut link.client, &batch, &mut answered);
        let unanswered = batch.get(answered..).unwrap_or_default();
        unanswered.iter().for_each(|operation| operation.lose(&mut self.counters));
        self.shared.tally().uncertain += unanswered.len() as u64;
        if result? {
            self.shared.stalls.end(self.number);
        } else {
            thread::sleep(REFUSED_PAUSE);
        }
        Ok(())
    }

    /// Sends what is queued and reads the answers, counting them; false when any was a refusal.
    fn exchange(
        &mut self,
        client: &mut Client,
        batch: &[Operation],
        answered: &mut usize,
    ) -> Result<bool, ClientError> {
        client.flush()?;
        let mut welcome = true;
        for operation in batch {
            let outcome = operation.settle(client, &mut self.maker, &mut self.counters)?;
            *answered += 1;
            welcome &= self.count(outcome);
        }
        Ok(welcome)
    }

    /// Counts an outcome; false when it is a refusal.
    fn count(&self, outcome: Outcome) -> bool {
        let (text, refused) = match outcome {
            Outcome::Done => (None, false),
            Outcome::Failed(text) => (Some(text), false),
            Outcome::Refused(text) => (Some(text), true),
        };
        if let Some(text) = text {
            let mut tally = self.shared.tally();
            tally.refused += u64::from(refused);
            tally.failed += u64::from(!refused);
            tally.error(&text);
        }
        self.shared.operations.fetch_add(u64::from(!refused), Ordering::SeqCst);
        !refused
    }

    fn wait_for_pace(&self, operations: usize) {
        let Some(pace) = &self.shared.pace else { return };
        let due = pace.take(operations);
        while !self.shared.stopped() {
            let left = due.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            thread::sleep(left.min(LOOK_EVERY));
        }
    }
}
