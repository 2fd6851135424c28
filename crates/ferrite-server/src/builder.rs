//! Starting and stopping a server inside of a process.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::Instant;

use arc_swap::{ArcSwap, ArcSwapOption};
use mio::{Poll, Waker};
use parking_lot::Mutex;

use crate::acl::{Acl, Commands};
use crate::apply;
use crate::clients::Clients;
use crate::commands::{Names, Targets};
use crate::config::Config;
use crate::config::choices::PubSubDefault;
use crate::ctx::Counts;
use crate::eviction::Eviction;
use crate::garbage::Garbage;
use crate::huge_pages;
use crate::latency::Latency;
use crate::memory_use::MemoryUse;
use crate::monitor::Monitors;
use crate::net::listen::Listener;
use crate::net::mail::{Mail, Mailbox};
use crate::net::worker::{BELL, Worker};
use crate::oom_score::OomScore;
use crate::persist::Persistence;
use crate::persist::load::{self, Loaded};
use crate::pubsub::PubSub;
use crate::rates::Rates;
use crate::replication::Replicas;
use crate::replication::log::Log;
use crate::scripting::{STACK, Scripting};
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
    config: Option<Arc<Config>>,
    users: Vec<Vec<Vec<u8>>>,
    names: Names,
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

    /// Takes everything from a configuration: addresses, databases, files, users.
    #[must_use]
    pub fn configured(mut self, config: &Arc<Config>, users: Vec<Vec<Vec<u8>>>) -> Self {
        let threads = config.threads.io_threads.get();
        if threads > 0 {
            self = self.threads(threads);
        }
        self.databases = config.general.databases.get();
        let socket = config.network.unixsocket.get();
        self.socket = (!socket.is_empty()).then(|| config.folder().join(&*socket.as_text()));
        self = self.snapshot(config.folder(), &config.snapshots.dbfilename.get().0);
        self.users = users;
        self.config = Some(Arc::clone(config));
        self
    }

    /// Calls commands by these names.
    #[must_use]
    pub fn names(mut self, names: Names) -> Self {
        self.names = names;
        self
    }

    /// Starts the server. When this returns, all keys of its snapshot are there and it serves
    /// clients; those who connect before are answered LOADING.
    ///
    /// # Errors
    /// As [`Builder::listen`] and [`Server::load`].
    pub fn start(self) -> io::Result<Server> {
        let mut server = self.listen()?;
        server.load()?;
        Ok(server)
    }

    /// Starts the server without its keys. It can be connected to, and answers LOADING until
    /// [`Server::load`] is through.
    ///
    /// # Errors
    /// When it cannot listen, or the system gives it no threads.
    pub fn listen(self) -> io::Result<Server> {
        let mut listeners = Vec::new();
        if let Some(config) = &self.config {
            listeners = apply::listen(config)?;
        }
        for address in &self.addresses {
            listeners.push(Listener::tcp(*address)?);
        }
        if let Some(path) = &self.socket {
            listeners.push(Listener::unix(path)?);
            self.permissions(path)?;
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
        shared.listening.lock().clone_from(&addresses);
        shared.encrypt(&shared.config).map_err(io::Error::other)?;
        self.admit_users(&shared)?;
        shared.put_into_effect();
        shared.oom_score.apply(&shared.config).map_err(io::Error::other)?;
        shared.memory.started();
        tracing::info!("Server initialized");
        // From here on it is ended by being dropped.
        let mut server = Server { shared, addresses, threads: Vec::new() };
        for (number, poll) in polls.into_iter().enumerate() {
            let listeners = if number == 0 { std::mem::take(&mut listeners) } else { Vec::new() };
            server.threads.push(spawn(&server.shared, number, poll, listeners)?);
        }
        Ok(server)
    }

    /// Gives the Unix socket the permissions that were configured.
    fn permissions(&self, path: &std::path::Path) -> io::Result<()> {
        use std::os::unix::fs::PermissionsExt;
        let mode = self.config.as_ref().map_or(0, |config| config.network.unixsocketperm.get());
        if mode == 0 {
            return Ok(());
        }
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))
    }

    /// The users of the configuration, or of the file that it names.
    fn admit_users(&self, shared: &Shared) -> io::Result<()> {
        let security = &shared.config.security;
        let all_channels = security.acl_pubsub_default.get() == PubSubDefault::AllChannels;
        let file = security.aclfile.get();
        if !file.is_empty() && !self.users.is_empty() {
            return Err(io::Error::other(
                "users are defined in the configuration file and in the file that aclfile names: \
                 define them in one of the two",
            ));
        }
        let password = security.requirepass.get();
        if !password.is_empty() {
            shared.acl.require_password(&password.0);
        }
        shared.acl.configure(&self.users, all_channels).map_err(io::Error::other)?;
        if !file.is_empty() {
            let path = shared.config.folder().join(&*file.as_text());
            shared.acl.load(&path, all_channels).map_err(|error| {
                io::Error::other(format!("Aborting startup because of ACL errors: {error}"))
            })?;
        }
        Ok(())
    }

    /// The configuration of a server whose program gave none.
    fn own_config(&self) -> Arc<Config> {
        let folder = self.folder.canonicalize().unwrap_or_else(|_| self.folder.clone());
        let config = Config::new(&folder);
        let databases = self.databases.to_string();
        let port = self.addresses.first().map_or(0, SocketAddr::port).to_string();
        let values = [
            ("databases", databases.as_str()),
            ("dbfilename", &self.file),
            ("port", &port),
            ("save", ""),
        ];
        for (name, value) in values {
            if let Err(why) = config.put(name, &[value]) {
                tracing::warn!("{name} {value}: {why}");
            }
        }
        Arc::new(config)
    }

    fn shared(&self, mailboxes: Vec<Mailbox>, port: u16, this: Weak<Shared>) -> Shared {
        let config = self.config.clone().unwrap_or_else(|| self.own_config());
        let known = |command: &ferrite_commands::Command| crate::commands::knows(command.name);
        Shared {
            acl: Acl::new(Commands::new(known)),
            live_limits: ArcSwap::from_pointee(apply::limits(&config)),
            eviction: Eviction::new(Arc::clone(&config)),
            config,
            tls: ArcSwapOption::empty(),
            names: self.names.clone(),
            slow_log: Mutex::default(),
            targets: Targets::default(),
            monitors: Monitors::default(),
            latency: Latency::default(),
            memory: MemoryUse::default(),
            oom_score: OomScore::default(),
            rates: Rates::default(),
            errors: Mutex::default(),
            refusals: [const { AtomicU64::new(0) }; 4],
            store: Store::new(self.databases),
            clients: Clients::default(),
            pubsub: PubSub::default(),
            tracking: Tracking::default(),
            garbage: Garbage::default(),
            log: Log::default(),
            replicas: Replicas::default(),
            notify: AtomicU32::new(0),
            // The last are those of the thread that runs scripts.
            counts: (0..=mailboxes.len()).map(|_| Counts::default()).collect(),
            mailboxes,
            stopping: AtomicBool::new(false),
            deaf: AtomicBool::new(false),
            paused_until: AtomicI64::new(0),
            paused_reads: AtomicBool::new(false),
            scripting: Scripting::new(crate::commands::REDIS_VERSION),
            persistence: Persistence::new(self.folder.clone(), self.file.clone()),
            this,
            switches: crate::commands::Switches::default(),
            started: Instant::now(),
            run_id: crate::random::hex_digits(40),
            listening: Mutex::default(),
            port,
        }
    }
}

/// Says what was loaded.
fn report(shared: &Shared, loaded: Loaded, began: Instant) {
    let Loaded { keys, expired, empty } = loaded;
    for (count, keys) in shared.persistence.loaded.iter().zip([expired, keys]) {
        count.store(keys, Ordering::Relaxed);
    }
    let empty = match empty {
        0 => String::new(),
        keys => format!(", empty keys skipped: {keys}"),
    };
    tracing::info!("Done loading RDB, keys loaded: {keys}, keys expired: {expired}{empty}.");
    tracing::info!("DB loaded from disk: {:.3} seconds", began.elapsed().as_secs_f64());
}

fn spawn(
    shared: &Arc<Shared>,
    number: usize,
    poll: Poll,
    listeners: Vec<Listener>,
) -> io::Result<JoinHandle<io::Result<()>>> {
    let shared = Arc::clone(shared);
    let thread = std::thread::Builder::new().name(format!("ferrite-{number}"));
    thread.stack_size(STACK).spawn(move || {
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
        Builder {
            addresses: Vec::new(),
            socket: None,
            threads,
            databases: 16,
            folder,
            file,
            config: None,
            users: Vec::new(),
            names: Names::default(),
        }
    }

    /// Loads its snapshot, if there is one, and serves clients from then on. When the server is
    /// ended meanwhile, it returns without an error; [`Server::wait`] does so at once then.
    ///
    /// # Errors
    /// What is wrong with the file. It can only be dropped then.
    pub fn load(&mut self) -> io::Result<()> {
        let shared = &self.shared;
        let path = shared.persistence.path();
        huge_pages::use_for(std::fs::metadata(&path).map_or(0, |file| file.len()));
        let began = Instant::now();
        match load::load(shared, &path, unix_ms()) {
            Ok(loaded) => report(shared, loaded, began),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(_) if shared.is_stopping() => return Ok(()),
            Err(error) => return Err(error),
        }
        shared.persistence.progress.end();
        Ok(())
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
