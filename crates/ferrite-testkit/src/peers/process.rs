//! A running server: its address, its signals, its end.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};
use std::{fs, thread};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::builder::{PeerBuilder, config_path, log_path, wait_for};
use super::error::{PeerError, tail};
use super::usage::{self, Usage};
use super::watch::Watch;
use super::{Binary, Server};
use crate::client::{Client, ClientError, Connector};
use crate::tls::TlsFiles;

/// How long a server may take to end by itself before it is killed.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);
/// Pause between two looks at a server that is stopping.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// Lines of log in the error about a failed restart.
const LOG_LINES: usize = 20;

/// What a peer was started with; enough to start it again.
#[derive(Debug)]
pub(super) struct Launch {
    pub server: Server,
    pub binary: Binary,
    pub dir: TempDir,
    pub port: u16,
    pub password: Option<String>,
    pub tls: Option<TlsFiles>,
    pub unix_path: Option<PathBuf>,
    pub own_group: bool,
    pub arguments: Vec<String>,
}

/// A server running on 127.0.0.1, with a folder of its own; dropping it kills it and removes the
/// folder, and so does the end of this process, whatever ends it.
///
/// It starts with `save ""`, `appendonly no`, `repl-diskless-sync-delay 0`, and DEBUG allowed.
#[derive(Debug)]
pub struct Peer {
    launch: Launch,
    child: Child,
    watch: Option<Watch>,
}

impl Peer {
    /// Starts a server with nothing special about it.
    ///
    /// # Errors
    /// [`PeerError`], as for [`PeerBuilder::start`].
    pub fn start(server: Server) -> Result<Peer, PeerError> {
        Peer::builder(server).start()
    }

    /// Options first, then [`PeerBuilder::start`].
    pub fn builder(server: Server) -> PeerBuilder {
        PeerBuilder::new(server)
    }

    /// As [`builder`](Peer::builder), but runs the given program, which takes the same
    /// configuration file as `server` does.
    pub fn builder_for(server: Server, binary: Binary) -> PeerBuilder {
        PeerBuilder::new(server).binary(binary)
    }

    pub(super) fn launch(launch: Launch) -> io::Result<Peer> {
        let child = spawn(&launch)?;
        let mut peer = Peer { launch, child, watch: None };
        peer.watch_over()?;
        Ok(peer)
    }

    /// Sees to it that the process we have now does not outlive us.
    fn watch_over(&mut self) -> io::Result<()> {
        self.watch = Some(Watch::over(self.pid(), self.dir())?);
        Ok(())
    }

    /// Which server this is.
    pub fn server(&self) -> Server {
        self.launch.server
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.launch.port
    }

    /// The address it listens on.
    pub fn addr(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.launch.port))
    }

    /// `redis://127.0.0.1:PORT`, or `rediss://localhost:PORT` with TLS; with the password if there
    /// is one.
    pub fn url(&self) -> String {
        match &self.launch.password {
            Some(password) => self.url_with("", password),
            None => format!("{}://{}", self.scheme(), self.host_and_port()),
        }
    }

    /// The URL with another user and password; an empty user means the default one. Characters
    /// that a URL reserves are escaped.
    pub fn url_with(&self, user: &str, password: &str) -> String {
        let (user, password) = (escape(user), escape(password));
        format!("{}://{user}:{password}@{}", self.scheme(), self.host_and_port())
    }

    fn scheme(&self) -> &'static str {
        if self.launch.tls.is_some() { "rediss" } else { "redis" }
    }

    fn host_and_port(&self) -> String {
        let host = if self.launch.tls.is_some() { "localhost" } else { "127.0.0.1" };
        format!("{host}:{}", self.launch.port)
    }

    /// The server's process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The server's own folder (`dir`), where its RDB file `dump.rdb` goes.
    pub fn dir(&self) -> &Path {
        self.launch.dir.path()
    }

    /// The Unix socket, if it was asked for.
    pub fn unix_path(&self) -> Option<&Path> {
        self.launch.unix_path.as_deref()
    }

    /// Everything the server has logged so far.
    pub fn log(&self) -> String {
        let bytes = fs::read(log_path(self.dir())).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// A connection, authenticated, with TLS if the server wants it.
    ///
    /// # Panics
    /// When there is no connection to be had, with the end of the server's log.
    pub fn client(&self) -> Client {
        self.try_client().unwrap_or_else(|error| {
            panic!("{}: {error}\n{}", self.server().name(), tail(&self.log(), LOG_LINES))
        })
    }

    /// As [`client`](Peer::client), for servers that are expected to refuse.
    ///
    /// # Errors
    /// [`ClientError`] when connecting or authenticating fails.
    pub fn try_client(&self) -> Result<Client, ClientError> {
        let mut connector = Connector::new(self.addr());
        connector.password.clone_from(&self.launch.password);
        connector.tls.clone_from(&self.launch.tls);
        connector.connect()
    }

    /// Kills the server and its children at once (SIGKILL), so that none of them goes on writing
    /// into its folder, which stays. Harmless when it is dead already.
    pub fn kill(&mut self) {
        if self.exited().is_none() {
            // Frozen, it starts no more children while those it has are killed.
            self.freeze();
            usage::children(self.pid()).into_iter().for_each(|child| send(child, Signal::KILL));
        }
        // An error means the process has ended, which is what was wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Ends the server by SIGTERM and waits; it is killed if it takes longer than ten seconds.
    /// Its folder stays.
    pub fn stop(&mut self) {
        self.signal(Signal::TERM);
        let deadline = Instant::now() + STOP_TIMEOUT;
        while self.exited().is_none() && Instant::now() < deadline {
            thread::sleep(LOOK_EVERY);
        }
        self.kill();
    }

    /// Stops the process where it stands (SIGSTOP): connections stay open and nothing answers.
    pub fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets a frozen process go on (SIGCONT).
    pub fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    /// Stops the server if it still runs and starts it again on the same port, with the same
    /// folder: what is in `dump.rdb` is loaded.
    ///
    /// # Errors
    /// [`PeerError`] when it does not come up again.
    pub fn restart(&mut self) -> Result<(), PeerError> {
        let peer = self.server().name();
        self.stop();
        let started = spawn(&self.launch).and_then(|child| {
            self.child = child;
            self.watch_over()
        });
        started.map_err(|source| PeerError::Io {
            peer,
            doing: "run its binary again".to_owned(),
            source,
        })?;
        wait_for(self).map_err(|reason| {
            let log = tail(&self.log(), LOG_LINES);
            PeerError::Start { peer, reason, log }
        })
    }

    /// How the process ended; `None` while it runs.
    pub fn exited(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// CPU time and peak memory of the server and its children, such as one saving an RDB file.
    pub fn usage(&self) -> Usage {
        usage::of(self.pid())
    }

    fn signal(&self, signal: Signal) {
        // Until it is waited for, the pid is the child's own: nobody else can be hit.
        send(self.pid(), signal);
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.kill();
    }
}

fn send(pid: u32, signal: Signal) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        // An error means the process has ended already.
        let _ = kill_process(pid, signal);
    }
}

fn spawn(launch: &Launch) -> io::Result<Child> {
    let dir = launch.dir.path();
    let output = fs::OpenOptions::new().create(true).append(true).open(log_path(dir))?;
    let mut command: Command = launch.binary.command();
    command.arg(config_path(dir)).args(&launch.arguments).current_dir(dir).stdin(Stdio::null());
    command.stdout(output.try_clone()?).stderr(output);
    if launch.own_group {
        command.process_group(0);
    }
    command.spawn()
}

/// Percent-encodes what is not unreserved in a URL.
fn escape(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}
