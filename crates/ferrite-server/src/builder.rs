//! Starting and stopping a server inside of a process.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering};
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::Instant;

use ferrite_store::types::Limits;
use mio::{Poll, Waker};

use crate::clients::Clients;
use crate::ctx::Counts;
use crate::net::listen::Listener;
use crate::net::mail::{Mail, Mailbox};
use crate::net::worker::{BELL, Worker};
use crate::persist::{Persistence, load};
use crate::pubsub::PubSub;
use crate::replication::Replicas;
use crate::replication::log::Log;
use crate::scripting::Scripting;
use crate::shared::{Shared, unix_ms};
use crate::store::Store;
use crate::tracking::Tracking;

/// The most threads that execute commands.
pub const MOST_THREADS: usize = 64;

/// What a server is started with.
#[derive(Debug, Clone)]
pub struct Builder {
    addresses: Vec<SocketAddr>,
    socket: Option<PathBuf>,
    threads: usize,
    databases: usize,
    folder: PathBuf,
    file: String,
}

/// A server that runs in threads of this process.
#[derive(Debug)]
pub struct Server {
    shared: Arc<Shared>,
    addresses: Vec<SocketAddr>,
    threads: Vec<JoinHandle<io::Result<()>>>,
}

impl Builder {
    /// Listens on this address; port 0 takes a free one. May be called more than once.
    #[must_use]
    pub fn bind(mut self, address: SocketAddr) -> Self {
        self.addresses.push(address);
        self
    }

    /// Listens on a Unix socket.
    #[must_use]
    pub fn socket(mut self, path: PathBuf) -> Self {
        self.socket = Some(path);
        self
    }

    /// How many threads execute commands: from 1 to [`MOST_THREADS`]; as many as processors,
    /// where nothing is said.
    #[must_use]
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = threads.clamp(1, MOST_THREADS);
        self
    }

    /// How many databases there are.
    #[must_use]
    pub fn databases(mut self, databases: usize) -> Self {
        self.databases = databases.max(1);
        self
    }

    /// Where its snapshot is: read before it serves, written by SAVE. The folder of the process
    /// and `dump.rdb`, where nothing is said.
    #[must_use]
    pub fn snapshot(mut self, folder: PathBuf, file: &str) -> Self {
        self.folder = folder;
        file.clone_into(&mut self.file);
        self
    }

    /// Starts the server. It serves clients when this returns.
    ///
    /// # Errors
    /// When it cannot listen, or the system gives it no threads.
    pub fn start(self) -> io::Result<Server> {
        let mut listeners = Vec::new();
        for address in &self.addresses {
            listeners.push(Listener::tcp(*address)?);
        }
        if let Some(path) = &self.socket {
            listeners.push(Listener::unix(path)?);
        }
        let addresses: Vec<SocketAddr> = listeners.iter().filter_map(Listener::address).collect();
        let (mut polls, mut mailboxes) = (Vec::new(), Vec::new());
        for _ in 0..self.threads {
            let poll = Poll::new()?;
            mailboxes.push(Mailbox::new(Waker::new(poll.registry(), BELL)?));
            polls.push(poll);
        }
        let port = addresses.first().map_or(0, SocketAddr::port);
        let shared = Arc::new_cyclic(|this| self.shared(mailboxes, port, this.clone()));
        self.load(&shared)?;
        let mut threads = Vec::new();
        for (number, poll) in polls.into_iter().enumerate() {
            let listeners = if number == 0 { std::mem::take(&mut listeners) } else { Vec::new() };
            threads.push(spawn(&shared, number, poll, listeners)?);
        }
        Ok(Server { shared, addresses, threads })
    }

    fn load(&self, shared: &Shared) -> io::Result<()> {
        match load::load(shared, &shared.persistence.path(), unix_ms()) {
            Ok(loaded) => {
                tracing::info!(
                    "Done loading RDB, keys loaded: {}, keys expired: {}.",
                    loaded.keys,
                    loaded.expired
                );
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn shared(&self, mailboxes: Vec<Mailbox>, port: u16, this: Weak<Shared>) -> Shared {
        Shared {
            store: Store::new(self.databases),
            clients: Clients::default(),
            pubsub: PubSub::default(),
            tracking: Tracking::default(),
            log: Log::default(),
            replicas: Replicas::default(),
            limits: Limits::default(),
            notify: AtomicU32::new(0),
            counts: (0..mailboxes.len()).map(|_| Counts::default()).collect(),
            mailboxes,
            stopping: AtomicBool::new(false),
            paused_until: AtomicI64::new(0),
            paused_reads: AtomicBool::new(false),
            scripting: Scripting::new(crate::commands::REDIS_VERSION),
            persistence: Persistence::new(self.folder.clone(), self.file.clone()),
            this,
            started: Instant::now(),
            run_id: crate::random::hex_digits(40),
            port,
        }
    }
}

fn spawn(
    shared: &Arc<Shared>,
    number: usize,
    poll: Poll,
    listeners: Vec<Listener>,
) -> io::Result<JoinHandle<io::Result<()>>> {
    let shared = Arc::clone(shared);
    std::thread::Builder::new().name(format!("ferrite-{number}")).spawn(move || {
        let Some(counts) = shared.counts.get(number) else { return Ok(()) };
        let ended = Worker::new(&shared, counts, number, poll, listeners).run();
        if let Err(error) = &ended {
            tracing::error!("waiting for clients: {error}; the server ends");
        }
        // A thread that is gone must not leave its clients waiting: all end together.
        shared.stopping.store(true, Ordering::Relaxed);
        shared.mail_all(|| Mail::Wake);
        ended
    })
}

impl Server {
    /// A server that listens nowhere yet, with 16 databases and a thread for each processor.
    pub fn builder() -> Builder {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let threads = threads.clamp(1, MOST_THREADS);
        let (folder, file) = (PathBuf::from("."), "dump.rdb".to_owned());
        Builder { addresses: Vec::new(), socket: None, threads, databases: 16, folder, file }
    }

    /// The addresses it listens on.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// What its threads share.
    pub fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Waits until the server ends, by [`Server::stop`] or by SHUTDOWN.
    ///
    /// # Errors
    /// What a thread died of.
    pub fn wait(&mut self) -> io::Result<()> {
        let mut ended = Ok(());
        for thread in self.threads.drain(..) {
            let joined = thread.join().map_err(|_| io::Error::other("a thread panicked"));
            ended = ended.and(joined.and_then(|result| result));
        }
        ended
    }

    /// Ends the server: replies that are written are sent, then all connections are closed.
    ///
    /// # Errors
    /// What a thread died of.
    pub fn stop(&mut self) -> io::Result<()> {
        self.shared.stopping.store(true, Ordering::Relaxed);
        self.shared.scripting.end_whatever_runs();
        self.shared.mail_all(|| Mail::Wake);
        self.wait()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Err(error) = self.stop() {
            tracing::error!("ending the server: {error}");
        }
    }
}
