//! The scripting of one server: its scripts, who runs, and the thread that runs what may be slow.
//!
//! A script holds all shards while it runs. Where it runs depends on what is known of it: one
//! that has always been quick runs in the thread of its client, as any command; another, and
//! each for the first time, in a thread of its own while its client waits, so that all clients
//! can still be told that the server is busy, and the script can be ended.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use parking_lot::{MappedMutexGuard, Mutex, MutexGuard};

use super::cache::Cache;
use super::flags::Flags;
use super::functions::Functions;
use super::interpreter::{Purpose, Settings};
use super::runner;
use super::watch::Watch;
use crate::error::CommandError;
use crate::session::Session;
use crate::shared::Shared;

/// A script that never took longer than this runs in its client's thread.
pub const QUICK: Duration = Duration::from_micros(500);

/// What an interpreter may hold.
const MEMORY_LIMIT: usize = 1 << 30;

/// How long a script runs before others are told (`busy-reply-threshold`), in milliseconds.
const PATIENCE: u64 = 5000;

/// The stack of a thread that runs scripts: what a script returns may be nested deeply.
pub const STACK: usize = 8 << 20;

/// What is running.
#[derive(Debug, Clone)]
pub struct Running {
    /// Script or function.
    pub purpose: Purpose,
    /// The checksum or the function's name.
    pub name: String,
    /// The words of the call.
    pub command: Vec<Vec<u8>>,
    /// Its clock.
    pub watch: Arc<Watch>,
    /// Whether it has written.
    pub wrote: Arc<AtomicBool>,
}

/// A call for the thread that runs scripts.
#[derive(Debug)]
pub struct Job {
    /// Who calls, as far as a command needs it.
    pub session: Session,
    /// The words of the call.
    pub words: Vec<Vec<u8>>,
}

/// The libraries, which nobody else has meanwhile; their counts are noted in the end.
#[derive(Debug)]
pub struct FunctionsGuard<'a> {
    inner: MappedMutexGuard<'a, Functions>,
    counts: &'a [AtomicUsize; 2],
}

impl std::ops::Deref for FunctionsGuard<'_> {
    type Target = Functions;

    fn deref(&self) -> &Functions {
        &self.inner
    }
}

impl std::ops::DerefMut for FunctionsGuard<'_> {
    fn deref_mut(&mut self) -> &mut Functions {
        &mut self.inner
    }
}

impl Drop for FunctionsGuard<'_> {
    fn drop(&mut self) {
        let [libraries, functions] = self.counts;
        libraries.store(self.inner.libraries().count(), Ordering::Relaxed);
        functions.store(self.inner.count(), Ordering::Relaxed);
    }
}

/// The scripting of one server.
#[derive(Debug)]
pub struct Scripting {
    cache: Mutex<Option<Cache>>,
    functions: Mutex<Option<Functions>>,
    /// Libraries and functions, as of the last time that anybody had them.
    counts: [AtomicUsize; 2],
    settings: Settings,
    running: Mutex<Option<Running>>,
    /// Whether `running` holds one: looked at before every command.
    is_running: AtomicBool,
    /// `busy-reply-threshold`, in milliseconds; 0: never busy.
    pub patience: AtomicU64,
    jobs: Mutex<Option<mpsc::Sender<Job>>>,
}

impl Scripting {
    /// Nothing runs; interpreters are made when they are needed.
    pub fn new(version: &str) -> Self {
        let mut numbers = version.split('.').map(|number| number.parse().unwrap_or(0));
        let mut next = || numbers.next().unwrap_or(0);
        let version = (next(), next(), next());
        Self {
            cache: Mutex::default(),
            functions: Mutex::default(),
            counts: Default::default(),
            settings: Settings { version, memory_limit: MEMORY_LIMIT },
            running: Mutex::default(),
            is_running: AtomicBool::new(false),
            patience: AtomicU64::new(PATIENCE),
            jobs: Mutex::default(),
        }
    }

    /// The scripts of EVAL. Whoever holds all shards gets them without waiting.
    ///
    /// # Errors
    /// When there is no memory for an interpreter.
    pub fn cache(&self) -> Result<MappedMutexGuard<'_, Cache>, CommandError> {
        let mut cache = self.cache.lock();
        if cache.is_none() {
            *cache = Some(Cache::new(self.settings.clone()).map_err(|error| {
                CommandError::new(String::from_utf8_lossy(&error.message).into_owned())
            })?);
        }
        MutexGuard::try_map(cache, Option::as_mut)
            .map_err(|_| CommandError::text("ERR the scripts are not there"))
    }

    /// The libraries of functions; see [`Scripting::cache`].
    ///
    /// # Errors
    /// When there is no memory for an interpreter.
    pub fn functions(&self) -> Result<FunctionsGuard<'_>, CommandError> {
        let mut functions = self.functions.lock();
        if functions.is_none() {
            *functions = Some(Functions::new(self.settings.clone()).map_err(|error| {
                CommandError::new(String::from_utf8_lossy(&error.message).into_owned())
            })?);
        }
        let inner = MutexGuard::try_map(functions, Option::as_mut)
            .map_err(|_| CommandError::text("ERR the functions are not there"))?;
        Ok(FunctionsGuard { inner, counts: &self.counts })
    }

    /// The texts of all libraries of functions. Called while all shards are held, so that none runs.
    pub fn libraries(&self) -> Vec<Arc<[u8]>> {
        let functions = self.functions.lock();
        let all = functions.iter().flat_map(Functions::libraries);
        all.map(|(_, library)| Arc::clone(&library.code)).collect()
    }

    /// How many scripts of EVAL are kept, and the bytes that they and their interpreter take.
    /// Called while all shards are held, so that none runs.
    pub fn cached(&self) -> (usize, usize) {
        self.cache.lock().as_ref().map_or((0, 0), |cache| (cache.len(), cache.memory()))
    }

    /// The bytes that functions and their interpreter take; see [`Scripting::cached`].
    pub fn functions_memory(&self) -> usize {
        self.functions.lock().as_ref().map_or(0, Functions::memory)
    }

    /// Whether a call of a script or function says of itself that it never writes. Where that
    /// cannot be seen, because another one runs, it is not said.
    pub fn never_writes(&self, command: &str, words: &[&[u8]]) -> bool {
        let Some(word) = words.get(1) else { return false };
        let name = String::from_utf8_lossy(word);
        let flags = match command {
            "eval" => Flags::of_script(word).ok().map(|(flags, _)| flags),
            "evalsha" => self.cache.try_lock().and_then(|cache| {
                cache.as_ref().and_then(|cache| cache.flags(&name.to_ascii_lowercase()))
            }),
            "fcall" => self
                .functions
                .try_lock()
                .and_then(|functions| Some(functions.as_ref()?.function(&name)?.flags)),
            _ => None,
        };
        flags.is_some_and(|flags| flags.no_writes)
    }

    /// How many libraries and functions there are, also while one runs.
    pub fn counts(&self) -> (usize, usize) {
        let [libraries, functions] = &self.counts;
        (libraries.load(Ordering::Relaxed), functions.load(Ordering::Relaxed))
    }

    /// Notes that something runs.
    pub(crate) fn begin(&self, purpose: Purpose, name: &str, words: &[&[u8]]) -> Running {
        let patience = self.patience.load(Ordering::Relaxed);
        let patience = (patience > 0).then(|| Duration::from_millis(patience));
        let running = Running {
            purpose,
            name: name.to_owned(),
            command: words.iter().map(|word| word.to_vec()).collect(),
            watch: Arc::new(Watch::new(patience)),
            wrote: Arc::default(),
        };
        *self.running.lock() = Some(running.clone());
        self.is_running.store(true, Ordering::Release);
        running
    }

    /// Notes that nothing runs any more.
    pub(crate) fn end(&self) {
        self.is_running.store(false, Ordering::Release);
        *self.running.lock() = None;
    }

    /// What runs.
    pub fn running(&self) -> Option<Running> {
        if !self.is_running.load(Ordering::Acquire) {
            return None;
        }
        self.running.lock().clone()
    }

    /// What runs and has taken longer than was agreed.
    pub fn over_time(&self) -> Option<Running> {
        self.running().filter(|running| running.watch.is_over_time())
    }

    /// Whether others must be told that the server is busy: not when the end is near.
    pub fn is_busy(&self) -> bool {
        self.is_running.load(Ordering::Acquire)
            && self
                .running
                .lock()
                .as_ref()
                .is_some_and(|running| running.watch.is_over_time() && !running.watch.is_killed())
    }

    /// What those are told.
    pub fn busy_error(&self) -> CommandError {
        match self.running().map(|running| running.purpose) {
            Some(Purpose::Functions) => CommandError::text(
                "BUSY Redis is busy running a script. You can only call FUNCTION KILL or SHUTDOWN NOSAVE.",
            ),
            _ => CommandError::text(
                "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.",
            ),
        }
    }

    /// Ends what runs, whatever it has done: the server ends.
    pub fn end_whatever_runs(&self) {
        if let Some(running) = self.running() {
            running.watch.kill();
        }
    }

    /// Ends what runs, for SCRIPT KILL and FUNCTION KILL.
    ///
    /// # Errors
    /// When nothing runs, or something of the other kind, or it has written.
    pub fn kill(&self, purpose: Purpose) -> Result<(), CommandError> {
        let Some(running) = self.running() else {
            return Err(CommandError::text("NOTBUSY No scripts in execution right now."));
        };
        if running.purpose != purpose {
            return Err(self.busy_error());
        }
        if running.wrote.load(Ordering::Acquire) {
            return Err(CommandError::text(
                "UNKILLABLE Sorry the script already executed write commands against the dataset. You can either wait the script termination or kill the server in a hard way using the SHUTDOWN NOSAVE command.",
            ));
        }
        running.watch.kill();
        Ok(())
    }

    /// Hands a call over to the thread that runs scripts; its reply comes by mail.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn hand_over(&self, shared: &Shared, job: Job) -> Result<(), CommandError> {
        let no_thread = |error: std::io::Error| {
            CommandError::new(format!("ERR the script cannot run in a thread of its own: {error}"))
        };
        let mut jobs = self.jobs.lock();
        let job = match jobs.as_ref() {
            Some(sender) => match sender.send(job) {
                Ok(()) => return Ok(()),
                Err(mpsc::SendError(job)) => job,
            },
            None => job,
        };
        let (sender, receiver) = mpsc::channel();
        let shared = shared.in_background().map_err(no_thread)?;
        std::thread::Builder::new()
            .name("ferrite-script".to_owned())
            .stack_size(STACK)
            .spawn(move || runner::run(&shared, &receiver))
            .map_err(no_thread)?;
        // The thread has just been started and waits.
        let _ = sender.send(job);
        *jobs = Some(sender);
        Ok(())
    }
}
