//! What every part of a running migration shares.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use tokio::sync::mpsc;

use super::{Gate, Stop, Tally};
use crate::config::{Config, OnConflict, Origin};
use crate::live::Progress;
use crate::report::{Event, Following, Phase, SharedStatus, Status};

/// Keys that wait to be read again.
const UNWRITTEN_MAX: usize = 1000;

/// A migration: its name, its configuration, its progress.
#[derive(Debug)]
pub struct Job {
    /// `mig_` and twelve letters and digits.
    pub id: String,
    /// What to do.
    pub config: Config,
    /// Set when the operator wants it to end.
    pub stop: Arc<Stop>,
    /// What has been done.
    pub tally: Mutex<Tally>,
    /// What holds the copy back.
    pub gate: Arc<Gate>,
    events: mpsc::UnboundedSender<Event>,
    phase: AtomicU8,
    phase_began: Mutex<Instant>,
    keys_done: AtomicU64,
    keys_total: AtomicU64,
    bytes_done: AtomicU64,
    following: Mutex<Option<Arc<Progress>>>,
    record: Mutex<Option<Vec<u8>>>,
    /// Keys that could not be written to the end and are to be read again.
    unwritten: Mutex<Vec<(u32, Vec<u8>)>>,
    /// How far the others are that share the job.
    shared: Mutex<Option<Shared>>,
    /// Whether somebody has begun it before us, and made the checks that come before the first key.
    has_begun: AtomicBool,
}

/// What is known of a job that several machines share.
#[derive(Clone, Debug, Default)]
struct Shared {
    status: SharedStatus,
    /// Keys and bytes in it that are not ours of this moment.
    others: (u64, u64),
}

impl Job {
    /// A job that has not begun.
    #[must_use]
    pub fn new(config: Config, events: mpsc::UnboundedSender<Event>) -> Self {
        Self::with_id(new_id(), config, events)
    }

    /// A job that goes on under the name it has.
    #[must_use]
    pub fn with_id(id: String, config: Config, events: mpsc::UnboundedSender<Event>) -> Self {
        let job = Self {
            id,
            gate: Arc::new(Gate::new(config.limits)),
            config,
            stop: Arc::default(),
            tally: Mutex::new(Tally::default()),
            events,
            phase: AtomicU8::new(0),
            phase_began: Mutex::new(Instant::now()),
            keys_done: AtomicU64::new(0),
            keys_total: AtomicU64::new(0),
            bytes_done: AtomicU64::new(0),
            following: Mutex::new(None),
            record: Mutex::new(None),
            unwritten: Mutex::default(),
            shared: Mutex::default(),
            has_begun: AtomicBool::new(false),
        };
        job.emit(Event::Started { id: job.id.clone() });
        job
    }

    /// The same job in the other direction: from its target to its source. Whoever stops one
    /// stops both.
    #[must_use]
    pub fn reversed(&self) -> Self {
        let mut config = self.config.clone();
        if let Origin::Server(source) = &mut config.source {
            std::mem::swap(source, &mut config.target);
        }
        config.on_conflict = OnConflict::Replace;
        Self {
            id: self.id.clone(),
            config,
            stop: Arc::clone(&self.stop),
            gate: Arc::clone(&self.gate),
            tally: Mutex::new(Tally::default()),
            events: self.events.clone(),
            phase: AtomicU8::new(Phase::Live as u8),
            phase_began: Mutex::new(Instant::now()),
            keys_done: AtomicU64::new(0),
            keys_total: AtomicU64::new(0),
            bytes_done: AtomicU64::new(0),
            following: Mutex::new(None),
            record: Mutex::new(None),
            unwritten: Mutex::default(),
            shared: Mutex::default(),
            has_begun: AtomicBool::new(false),
        }
    }

    /// Tells whoever listens; nobody has to.
    pub fn emit(&self, event: Event) {
        let _ = self.events.send(event);
    }

    /// Tells the operator something, now and in the report.
    pub fn warn(&self, message: impl Into<String>) {
        let message = message.into();
        self.tally(|tally| tally.warn(&message));
        self.emit(Event::Warning { message });
    }

    /// Begins a stage: counters go back to zero.
    pub fn begin(&self, phase: Phase, keys_total: u64) {
        self.keys_done.store(0, Ordering::Relaxed);
        self.bytes_done.store(0, Ordering::Relaxed);
        self.keys_total.store(keys_total, Ordering::Relaxed);
        *lock(&self.phase_began) = Instant::now();
        self.phase.store(phase as u8, Ordering::Relaxed);
        self.emit(Event::Phase { phase });
    }

    /// Counts keys that are through.
    pub fn progress(&self, keys: u64, bytes: u64) {
        self.keys_done.fetch_add(keys, Ordering::Relaxed);
        self.bytes_done.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Sets how much is through, where somebody else counts it.
    pub fn done_so_far(&self, keys: u64, bytes: u64) {
        self.keys_done.store(keys, Ordering::Relaxed);
        self.bytes_done.store(bytes, Ordering::Relaxed);
    }

    /// Tells where to read how far the target is behind; what is told first counts.
    pub fn follow(&self, progress: Arc<Progress>) {
        *lock(&self.following) = Some(progress);
    }

    /// Remembers what is kept on the target of this job, should that be emptied; `None` if nothing
    /// is.
    pub fn keep_record(&self, record: Option<Vec<u8>>) {
        *lock(&self.record) = record;
    }

    /// What is kept on the target of this job, where it is.
    #[must_use]
    pub fn kept_record(&self) -> Option<Vec<u8>> {
        lock(&self.record).clone()
    }

    /// Nothing is told of a stream: there is none.
    pub fn follows_nothing(&self) {
        *lock(&self.following) = None;
    }

    /// Counts from zero, up to so many keys.
    pub fn count_anew(&self, keys_total: u64) {
        self.done_so_far(0, 0);
        self.keys_total.store(keys_total, Ordering::Relaxed);
    }

    /// Has a key read again when the copy is through; false when there are too many of them.
    pub fn write_again(&self, db: u32, key: &[u8]) -> bool {
        let mut unwritten = lock(&self.unwritten);
        let has_room = unwritten.len() < UNWRITTEN_MAX;
        if has_room {
            unwritten.push((db, key.to_vec()));
        }
        has_room
    }

    /// Takes part in what another has begun: what is on the target may be the job's own.
    pub fn take_part(&self) {
        self.has_begun.store(true, Ordering::Relaxed);
    }

    /// Whether another has begun it.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        self.has_begun.load(Ordering::Relaxed)
    }

    /// Remembers how far a job is that several machines share, of which `ours` is one.
    pub fn share(&self, status: SharedStatus, ours: &str) {
        let own = status.copying.iter().filter(|it| it.worker == ours);
        let (keys, bytes) =
            own.fold((0, 0), |(keys, bytes), it| (keys + it.keys, bytes + it.bytes));
        let others = (status.keys.saturating_sub(keys), status.bytes.saturating_sub(bytes));
        *lock(&self.shared) = Some(Shared { status, others });
    }

    /// Keys and bytes that this process has copied of what it copies now.
    #[must_use]
    pub fn own_progress(&self) -> (u64, u64) {
        (self.keys_done.load(Ordering::Relaxed), self.bytes_done.load(Ordering::Relaxed))
    }

    /// Takes the keys that are to be read again.
    pub fn take_unwritten(&self) -> Vec<(u32, Vec<u8>)> {
        std::mem::take(&mut *lock(&self.unwritten))
    }

    /// Works on the counts.
    pub fn tally<R>(&self, work: impl FnOnce(&mut Tally) -> R) -> R {
        work(&mut lock(&self.tally))
    }

    /// Progress at this moment.
    #[must_use]
    pub fn status(&self) -> Status {
        let elapsed = lock(&self.phase_began).elapsed();
        let shared = lock(&self.shared).clone().filter(|_| self.phase() == Phase::Copying);
        let (keys, bytes) = shared.as_ref().map(|shared| shared.others).unwrap_or_default();
        Status {
            id: self.id.clone(),
            phase: self.phase(),
            keys_done: self.keys_done.load(Ordering::Relaxed) + keys,
            keys_total: self.keys_total.load(Ordering::Relaxed),
            bytes_done: self.bytes_done.load(Ordering::Relaxed) + bytes,
            elapsed_ms: u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX),
            following: self.following(),
            throttle: self.gate.status(),
            shared: shared.map(|shared| shared.status),
        }
    }

    fn following(&self) -> Option<Following> {
        let follows = matches!(self.phase(), Phase::CatchingUp | Phase::Live | Phase::CuttingOver);
        let progress = lock(&self.following).clone().filter(|_| follows)?;
        Some(Following {
            lag_bytes: progress.lag_bytes(),
            lag_ms: progress.lag_ms(),
            commands: progress.commands(),
        })
    }

    fn phase(&self) -> Phase {
        const PHASES: [Phase; 9] = [
            Phase::Preflight,
            Phase::Attaching,
            Phase::Loading,
            Phase::Copying,
            Phase::CatchingUp,
            Phase::Live,
            Phase::CuttingOver,
            Phase::Verifying,
            Phase::Finished,
        ];
        let index = usize::from(self.phase.load(Ordering::Relaxed));
        PHASES.get(index).copied().unwrap_or(Phase::Finished)
    }

    /// The name that belongs to a number.
    #[must_use]
    pub fn id_of(bits: u64) -> String {
        id_of(bits)
    }

    /// The name our connections carry on both servers.
    #[must_use]
    pub fn client_name(&self) -> String {
        format!("{CLIENT_NAME_PREFIX}{}", self.id)
    }

    /// The name of the connections that write the keys of a copy to the target.
    #[must_use]
    pub fn copier_name(&self) -> String {
        format!("{}:copy", self.client_name())
    }

    /// The name of the connection that applies commands to the target.
    #[must_use]
    pub fn applier_name(&self) -> String {
        format!("{}:apply", self.client_name())
    }
}

/// What the names of all our connections begin with.
pub const CLIENT_NAME_PREFIX: &str = "ferrite-migrate:";

/// Locks; a worker that panicked while counting leaves counts, not a poisoned run.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Unix time in milliseconds.
#[must_use]
pub fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// A name of 60 random bits, from the randomness the standard library seeds its hash maps with.
fn new_id() -> String {
    Job::id_of(RandomState::new().hash_one((now_ms(), std::process::id())))
}

/// `mig_` and 60 bits in base 32.
fn id_of(mut bits: u64) -> String {
    const DIGITS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let mut id = String::from("mig_");
    for _ in 0..12 {
        id.push(char::from(DIGITS[(bits & 31) as usize]));
        bits >>= 5;
    }
    id
}
