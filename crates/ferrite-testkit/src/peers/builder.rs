//! How a peer is to be started: its options, its port, the wait until it answers.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use std::{fs, io, thread};

use super::error::{PeerError, tail};
use super::process::{Launch, Peer};
use super::{Binary, Server, clock};
use crate::client::{Client, Reply};
use crate::tls::TlsFiles;

/// Ports tried before giving up: another process may take the one we found free.
const PORT_ATTEMPTS: usize = 10;
/// How long a server may take to answer PING, loading its RDB file included.
const START_TIMEOUT: Duration = Duration::from_secs(60);
/// Pause between two looks at a server that is starting.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// Lines of the server's log shown when it does not start.
const LOG_LINES: usize = 20;

/// Options of a peer about to start; see [`Peer::builder`].
#[derive(Debug, Clone)]
pub struct PeerBuilder {
    server: Server,
    binary: Option<Binary>,
    options: Vec<(String, String)>,
    port: Option<u16>,
    password: Option<String>,
    tls: Option<TlsFiles>,
    unix_socket: bool,
    rdb: Option<Vec<u8>>,
    own_group: bool,
    clock_ahead: i32,
    arguments: Vec<String>,
}

/// Why one attempt to start did not give a peer.
enum Attempt {
    PortTaken,
    Failed(PeerError),
}

impl PeerBuilder {
    pub(super) fn new(server: Server) -> PeerBuilder {
        PeerBuilder {
            server,
            binary: None,
            options: Vec::new(),
            port: None,
            password: None,
            tls: None,
            unix_socket: false,
            rdb: None,
            own_group: false,
            clock_ahead: 0,
            arguments: Vec::new(),
        }
    }

    pub(super) fn binary(mut self, binary: Binary) -> PeerBuilder {
        self.binary = Some(binary);
        self
    }

    /// Adds a line to the server's configuration: `arg("--maxmemory", "10mb")`. The dashes are
    /// optional; the value is written as it would be in `redis.conf`, an empty one as `""`.
    #[must_use]
    pub fn arg(mut self, name: &str, value: &str) -> PeerBuilder {
        self.options.push((name.trim_start_matches('-').to_owned(), value.to_owned()));
        self
    }

    /// Listens on this port instead of any free one.
    #[must_use]
    pub fn port(mut self, port: u16) -> PeerBuilder {
        self.port = Some(port);
        self
    }

    /// Demands this password of every client (`requirepass`); [`Peer::url`] then carries it.
    #[must_use]
    pub fn password(mut self, password: &str) -> PeerBuilder {
        self.password = Some(password.to_owned());
        self
    }

    /// Speaks only TLS on its port, with these files; client certificates are accepted and not
    /// demanded (add `arg("tls-auth-clients", "yes")` for that).
    #[must_use]
    pub fn tls(mut self, files: &TlsFiles) -> PeerBuilder {
        self.tls = Some(files.clone());
        self
    }

    /// Listens on a Unix socket too; see [`Peer::unix_path`].
    #[must_use]
    pub fn unix_socket(mut self) -> PeerBuilder {
        self.unix_socket = true;
        self
    }

    /// Starts from this RDB file's bytes.
    #[must_use]
    pub fn rdb(mut self, bytes: &[u8]) -> PeerBuilder {
        self.rdb = Some(bytes.to_vec());
        self
    }

    /// Puts the server into a process group of its own, where a terminal's Ctrl-C does not reach
    /// it. Only for programs that stop their peers themselves (see [`crate::interrupt`]).
    #[must_use]
    pub fn own_process_group(mut self) -> PeerBuilder {
        self.own_group = true;
        self
    }

    /// Gives the server a clock that is so many seconds ahead of ours, or behind. Works with
    /// [`Server::Redis62`] and [`Server::Valkey91`], whose builds are others than Debian's.
    #[must_use]
    pub fn clock_ahead(mut self, seconds: i32) -> PeerBuilder {
        self.clock_ahead = seconds;
        self
    }

    /// Runs the server as a sentinel (`redis-server server.conf --sentinel`).
    pub(super) fn sentinel(mut self) -> PeerBuilder {
        self.arguments.push(String::from("--sentinel"));
        self
    }

    /// Starts the server and waits until it answers.
    ///
    /// # Errors
    /// [`PeerError`], with the end of the server's log when it did not come up.
    pub fn start(self) -> Result<Peer, PeerError> {
        let binary = match &self.binary {
            Some(binary) => binary.clone(),
            None => self.server.binary()?,
        };
        let binary = match self.clock_ahead {
            0 => binary,
            seconds => clock::ahead(self.server, &binary, seconds)?,
        };
        for _ in 0..PORT_ATTEMPTS {
            match self.attempt(&binary) {
                Ok(peer) => return Ok(peer),
                Err(Attempt::PortTaken) if self.port.is_none() => {}
                Err(Attempt::PortTaken) => break,
                Err(Attempt::Failed(error)) => return Err(error),
            }
        }
        let reason = format!("found no free port on 127.0.0.1 in {PORT_ATTEMPTS} attempts");
        Err(PeerError::Start { peer: self.server.name(), reason, log: String::new() })
    }

    fn attempt(&self, binary: &Binary) -> Result<Peer, Attempt> {
        let io = |doing: &str, source: io::Error| {
            let doing = doing.to_owned();
            Attempt::Failed(PeerError::Io { peer: self.server.name(), doing, source })
        };
        let dir = tempfile::Builder::new()
            .prefix("ferrite-peer-")
            .tempdir()
            .map_err(|error| io("create its folder", error))?;
        let port = match self.port {
            Some(port) => port,
            None => free_port().map_err(|error| io("find a free port", error))?,
        };
        let unix_path = self.unix_socket.then(|| dir.path().join("socket"));
        self.write_files(dir.path(), port, unix_path.as_deref())
            .map_err(|error| io("write its configuration", error))?;
        let launch = Launch {
            server: self.server,
            binary: binary.clone(),
            dir,
            port,
            password: self.password.clone(),
            tls: self.tls.clone(),
            unix_path,
            own_group: self.own_group,
            arguments: self.arguments.clone(),
        };
        let mut peer = Peer::launch(launch).map_err(|error| io("run its binary", error))?;
        wait_until_up(&mut peer)?;
        Ok(peer)
    }

    fn write_files(&self, dir: &Path, port: u16, unix_path: Option<&Path>) -> io::Result<()> {
        if let Some(rdb) = &self.rdb {
            fs::write(dir.join("dump.rdb"), rdb)?;
        }
        let mut text = String::new();
        let mut line = |name: &str, value: &str| {
            let value = if value.is_empty() { "\"\"" } else { value };
            // Writing to a String does not fail.
            let _ = writeln!(text, "{name} {value}");
        };
        line("bind", "127.0.0.1");
        line("dir", &dir.display().to_string());
        line("logfile", &log_path(dir).display().to_string());
        line("save", "");
        line("appendonly", "no");
        line("repl-diskless-sync-delay", "0");
        if self.server.version() >= (7, 0) {
            line("enable-debug-command", "yes");
        }
        if let Some(path) = unix_path {
            line("unixsocket", &path.display().to_string());
        }
        if let Some(password) = &self.password {
            line("requirepass", password);
        }
        line("port", &if self.tls.is_some() { 0 } else { port }.to_string());
        if let Some(files) = &self.tls {
            line("tls-port", &port.to_string());
            line("tls-ca-cert-file", &files.ca.display().to_string());
            line("tls-cert-file", &files.cert.display().to_string());
            line("tls-key-file", &files.key.display().to_string());
            line("tls-auth-clients", "optional");
            line("tls-replication", "yes");
        }
        for (name, value) in &self.options {
            line(name, value);
        }
        fs::write(config_path(dir), text)
    }
}

pub(super) fn config_path(dir: &Path) -> PathBuf {
    dir.join("server.conf")
}

pub(super) fn log_path(dir: &Path) -> PathBuf {
    dir.join("server.log")
}

/// A port nobody listens on at this moment.
pub(super) fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// Waits until the process we started is the one that answers on its port.
fn wait_until_up(peer: &mut Peer) -> Result<(), Attempt> {
    wait_for(peer).map_err(|reason| {
        let log = peer.log();
        if log.contains("Address already in use") || reason == FOREIGN {
            return Attempt::PortTaken;
        }
        let log = tail(&log, LOG_LINES);
        Attempt::Failed(PeerError::Start { peer: peer.server().name(), reason, log })
    })
}

/// The reason given when some other server answers on the port.
const FOREIGN: &str = "found another server on its port";

/// Waits until the peer answers PING; says why when it does not.
pub(super) fn wait_for(peer: &mut Peer) -> Result<(), String> {
    let deadline = Instant::now() + START_TIMEOUT;
    while Instant::now() < deadline {
        if let Some(status) = peer.exited() {
            return Err(format!("stopped while starting ({status})"));
        }
        if let Ok(mut client) = peer.try_client()
            && client.try_call(&["PING"]).is_ok_and(|reply| reply == "PONG")
        {
            return if is_process(&mut client, peer.pid()) {
                Ok(())
            } else {
                Err(FOREIGN.to_owned())
            };
        }
        thread::sleep(LOOK_EVERY);
    }
    Err(format!("did not answer PING within {} seconds", START_TIMEOUT.as_secs()))
}

fn is_process(client: &mut Client, pid: u32) -> bool {
    let expected = format!("process_id:{pid}");
    let Ok(Reply::Bulk(info)) = client.try_call(&["INFO", "server"]) else { return false };
    String::from_utf8_lossy(&info).lines().any(|line| line == expected)
}
