//! An application: writers that go on whatever happens, and know what must be there at the end.
//!
//! Each writer has counters that nobody else touches. What a counter holds at the end tells writes
//! that were lost or made twice, also when both servers agree with each other.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use ferrite_client::{Address, ClientError, Connection, Pipeline};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, sleep_until, timeout};

use super::connect;
use crate::term::error::Failure;

/// Most writes in a second.
pub const RATE_MAX: u64 = 1_000_000;
/// Connections of the application.
const WRITERS: u64 = 2;
/// Counters of a writer.
const COUNTERS: usize = 8;
/// Writes sent at once.
const AT_ONCE: u64 = 10;
/// Different keys of each type that it writes to.
const KEYS: u64 = 200;
/// Pause after a refusal or a broken connection.
const PAUSE: Duration = Duration::from_millis(1);
/// How long it may stand still before the demo gives up.
const PATIENCE: Duration = Duration::from_secs(60);

/// Writers at work.
pub struct Application {
    place: watch::Sender<Option<Address>>,
    progress: Arc<Progress>,
    writers: JoinSet<Vec<Counter>>,
}

#[derive(Default)]
struct Progress {
    writes: AtomicU64,
    longest_wait_us: AtomicU64,
    /// The last thing that went wrong.
    trouble: Mutex<String>,
}

/// A key that one writer alone increments.
struct Counter {
    key: String,
    /// Increments that were acknowledged.
    acknowledged: u64,
    /// Increments whose answer was lost with its connection.
    uncertain: u64,
}

/// What an application did.
pub struct Written {
    /// Writes that were acknowledged.
    pub writes: u64,
    /// The longest time between sending writes and their being accepted.
    pub longest_wait_us: u64,
    counters: Vec<Counter>,
}

impl Application {
    /// Writes to a server, so many times a second.
    ///
    /// # Errors
    /// A server that cannot be reached.
    pub async fn start(address: &Address, rate: u64) -> Result<Self, ClientError> {
        drop(connect(address).await?);
        let (place, places) = watch::channel(Some(address.clone()));
        let progress = Arc::new(Progress::default());
        let mut writers = JoinSet::new();
        for number in 0..WRITERS {
            let counters = (0..COUNTERS).map(|counter| Counter {
                key: format!("demo:counter:{number}:{counter}"),
                acknowledged: 0,
                uncertain: 0,
            });
            let counters = counters.collect();
            let (places, progress) = (places.clone(), Arc::clone(&progress));
            let step = Duration::from_secs(AT_ONCE * WRITERS).div_f64(rate as f64);
            writers.spawn(Writer { number, places, progress, counters, step, turn: 0 }.run());
        }
        Ok(Self { place, progress, writers })
    }

    /// Sends the application to another server.
    pub fn move_to(&self, address: &Address) {
        self.place.send_replace(Some(address.clone()));
    }

    /// Waits until that many more writes were accepted.
    ///
    /// # Errors
    /// An application that stands still.
    pub async fn wait_for(&self, writes: u64) -> Result<(), Failure> {
        let writes_now = || self.progress.writes.load(Ordering::Relaxed);
        let wanted = writes_now() + writes;
        let mut before = writes_now();
        let mut moved = Instant::now();
        while writes_now() < wanted {
            if writes_now() != before {
                (before, moved) = (writes_now(), Instant::now());
            }
            if moved.elapsed() > PATIENCE {
                let trouble = self.progress.trouble.lock().unwrap_or_else(PoisonError::into_inner);
                let cause = std::io::Error::other(format!("it stands still: {trouble}"));
                return Err(Failure::system("waiting for the application", &cause));
            }
            sleep(PAUSE).await;
        }
        Ok(())
    }

    /// Stops the writers after what they have sent.
    pub async fn stop(self) -> Written {
        self.place.send_replace(None);
        let counters = self.writers.join_all().await.into_iter().flatten().collect();
        Written {
            writes: self.progress.writes.load(Ordering::Relaxed),
            longest_wait_us: self.progress.longest_wait_us.load(Ordering::Relaxed),
            counters,
        }
    }
}

impl Written {
    /// Increments that were acknowledged, of all counters.
    pub fn counted(&self) -> u64 {
        self.counters.iter().map(|counter| counter.acknowledged).sum()
    }

    /// What is wrong with the counters on a server.
    ///
    /// # Errors
    /// A server that does not answer.
    pub async fn check(&self, connection: &mut Connection) -> Result<Vec<String>, ClientError> {
        let mut wrong = Vec::new();
        for Counter { key, acknowledged, uncertain } in &self.counters {
            let held = connection.call(&["GET", key]).await?.as_int().unwrap_or_default();
            let held = u64::try_from(held).unwrap_or_default();
            if held < *acknowledged {
                wrong.push(format!("{key} is {held}, not {acknowledged}: writes were lost"));
            } else if held > acknowledged + uncertain {
                wrong.push(format!("{key} is {held}, not {acknowledged}: writes were made twice"));
            }
        }
        Ok(wrong)
    }
}

struct Writer {
    number: u64,
    places: watch::Receiver<Option<Address>>,
    progress: Arc<Progress>,
    counters: Vec<Counter>,
    /// Time between two batches.
    step: Duration,
    /// Batches so far.
    turn: u64,
}

impl Writer {
    async fn run(mut self) -> Vec<Counter> {
        let mut connection = None;
        let mut due = tokio::time::Instant::now();
        // Since when a write waits to be accepted.
        let mut waiting = None;
        loop {
            if self.places.has_changed().unwrap_or(false) {
                connection = None;
            }
            let Some(address) = self.places.borrow_and_update().clone() else { break };
            sleep_until(due).await;
            due += self.step;
            let since = *waiting.get_or_insert_with(Instant::now);
            match self.turn(connection.take(), &address).await {
                Ok((kept, accepted)) => {
                    connection = Some(kept);
                    if accepted {
                        waiting = None;
                        let waited = u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX);
                        self.progress.longest_wait_us.fetch_max(waited, Ordering::Relaxed);
                        continue;
                    }
                }
                Err(error) => self.note(error.to_string()),
            }
            sleep(PAUSE).await;
            due = tokio::time::Instant::now();
        }
        self.counters
    }

    /// Sends one batch; whether all of it was accepted.
    async fn turn(
        &mut self,
        connection: Option<Connection>,
        address: &Address,
    ) -> Result<(Connection, bool), ClientError> {
        let mut connection = match connection {
            Some(connection) => connection,
            None => connect(address).await?,
        };
        let counter = usize::try_from(self.turn).unwrap_or_default() % COUNTERS;
        let batch = self.batch(counter);
        let sent = timeout(PATIENCE, connection.pipeline(&batch)).await;
        let counter = self.counters.get_mut(counter);
        let replies = match sent {
            Ok(Ok(replies)) => replies,
            lost => {
                // The increment may have been made.
                counter.into_iter().for_each(|counter| counter.uncertain += 1);
                return match lost {
                    Ok(Err(error)) => Err(error),
                    _ => Ok((connect(address).await?, false)),
                };
            }
        };
        let accepted = replies.iter().filter(|reply| reply.is_ok()).count();
        if replies.first().is_some_and(Result::is_ok) {
            counter.into_iter().for_each(|counter| counter.acknowledged += 1);
        }
        self.progress.writes.fetch_add(accepted as u64, Ordering::Relaxed);
        if let Some(error) = replies.iter().find_map(|reply| reply.as_ref().err()) {
            self.note(error.to_string());
        }
        self.turn += 1;
        Ok((connection, accepted == replies.len()))
    }

    fn note(&self, trouble: String) {
        *self.progress.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
    }

    /// An increment of a counter, and writes to all types of keys.
    fn batch(&self, counter: usize) -> Pipeline {
        let mut batch = Pipeline::new();
        let counter = self.counters.get(counter).map_or("", |counter| &counter.key);
        batch.push(&["INCR", counter]);
        for step in 1..AT_ONCE {
            let turn = self.turn * AT_ONCE + step;
            let number = (turn.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) % KEYS;
            let key = |kind: &str| format!("demo:app:{}:{kind}:{number}", self.number);
            let value = format!("value {turn}");
            match turn % 9 {
                0 => batch.push(&["SET", &key("string"), &value]),
                1 => batch.push(&["SET", &key("session"), &value, "PX", "700"]),
                2 => batch.push(&["HSET", &key("hash"), "name", &value, "age", "36"]),
                3 => batch.push(&["LPUSH", &key("list"), &value]),
                4 => batch.push(&["LTRIM", &key("list"), "0", "19"]),
                5 => batch.push(&["ZADD", &key("scores"), &turn.to_string(), "somebody"]),
                6 => batch.push(&["XADD", &key("stream"), "MAXLEN", "100", "*", "event", &value]),
                7 => batch.push(&["SADD", &key("set"), &format!("member {}", turn % 50)]),
                _ => batch.push(&["APPEND", &key("text"), "x"]),
            };
        }
        batch
    }
}
