//! A running etcd with one member.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::watch::Watch;
use super::{OtherServer, PeerError};
use crate::tls::TlsFiles;

/// Ports tried before giving up: another process may take those we found free.
const PORT_ATTEMPTS: usize = 10;
/// How long it may take to elect itself and answer.
const START_TIMEOUT: Duration = Duration::from_secs(30);
/// Pause between two looks at one that is starting.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// An etcd on 127.0.0.1; dropping it kills it.
#[derive(Debug)]
pub struct Etcd {
    child: Child,
    port: u16,
    tls: bool,
    _watch: Watch,
    _dir: TempDir,
}

impl Etcd {
    /// Starts one and waits until it answers.
    ///
    /// # Errors
    /// [`PeerError`] where it cannot be had or does not come up.
    pub fn start() -> Result<Self, PeerError> {
        Self::attempts(None)
    }

    /// The same with TLS for its clients.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn start_with_tls(files: &TlsFiles) -> Result<Self, PeerError> {
        Self::attempts(Some(files))
    }

    fn attempts(tls: Option<&TlsFiles>) -> Result<Self, PeerError> {
        let mut last = String::new();
        for _ in 0..PORT_ATTEMPTS {
            match Self::attempt(tls)? {
                Ok(etcd) => return Ok(etcd),
                Err(reason) => last = reason,
            }
        }
        Err(PeerError::Start { peer: OtherServer::Etcd.name(), reason: last, log: String::new() })
    }

    fn attempt(tls: Option<&TlsFiles>) -> Result<Result<Self, String>, PeerError> {
        let peer = OtherServer::Etcd.name();
        let failed = |doing: &str, source: io::Error| PeerError::Io {
            peer,
            doing: doing.to_owned(),
            source,
        };
        let dir = tempfile::Builder::new().prefix("ferrite-peer-").tempdir();
        let dir = dir.map_err(|error| failed("create its folder", error))?;
        let ports = free_ports().map_err(|error| failed("find free ports", error))?;
        let [port, peers] = ports;
        let scheme = if tls.is_some() { "https" } else { "http" };
        let (clients, peers) =
            (format!("{scheme}://127.0.0.1:{port}"), format!("http://127.0.0.1:{peers}"));
        let mut command = OtherServer::Etcd.binary()?.command();
        command.args(["--name", "only", "--data-dir"]).arg(dir.path().join("data"));
        command.args(["--listen-client-urls", &clients, "--advertise-client-urls", &clients]);
        command.args(["--listen-peer-urls", &peers, "--initial-advertise-peer-urls", &peers]);
        command.args(["--initial-cluster", &format!("only={peers}")]);
        command.args(["--unsafe-no-fsync", "--log-level", "error"]);
        if let Some(files) = tls {
            command.arg("--cert-file").arg(&files.cert).arg("--key-file").arg(&files.key);
        }
        command.current_dir(dir.path()).stdin(Stdio::null());
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let child = child.map_err(|error| failed("run its binary", error))?;
        let watch = Watch::over(child.id(), dir.path());
        let watch = watch.map_err(|error| failed("watch over it", error))?;
        let tls = tls.is_some();
        let mut etcd = Self { child, port, tls, _watch: watch, _dir: dir };
        Ok(etcd.wait().map(|()| etcd))
    }

    fn wait(&mut self) -> Result<(), String> {
        let deadline = Instant::now() + START_TIMEOUT;
        while Instant::now() < deadline {
            if let Ok(Some(status)) = self.child.try_wait() {
                return Err(format!("stopped while starting ({status})"));
            }
            if self.answers() {
                return Ok(());
            }
            thread::sleep(LOOK_EVERY);
        }
        Err(format!("did not answer within {} seconds", START_TIMEOUT.as_secs()))
    }

    /// Whether it listens, and, where that can be asked without TLS, has a leader.
    fn answers(&self) -> bool {
        let Ok(mut stream) = TcpStream::connect(self.addr()) else { return false };
        if self.tls {
            return true;
        }
        let asked = b"GET /health HTTP/1.0\r\n\r\n";
        let mut answer = String::new();
        let talked = stream.write_all(asked).and_then(|()| stream.read_to_string(&mut answer));
        talked.is_ok() && answer.contains("\"true\"")
    }

    /// The address it listens on.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))
    }

    /// `etcd://127.0.0.1:PORT/prefix`, or `etcds://…`.
    #[must_use]
    pub fn url(&self, prefix: &str) -> String {
        let scheme = if self.tls { "etcds" } else { "etcd" };
        format!("{scheme}://127.0.0.1:{}/{prefix}", self.port)
    }

    /// Has it stand still, as a machine does that is cut off, or go on.
    ///
    /// # Errors
    /// The process is gone.
    pub fn suspend(&self, suspended: bool) -> io::Result<()> {
        let signal = if suspended { Signal::STOP } else { Signal::CONT };
        kill_process(Pid::from_child(&self.child), signal).map_err(io::Error::from)?;
        // Its threads stop one after the other.
        let deadline = Instant::now() + START_TIMEOUT;
        while suspended && !self.stands_still()? && Instant::now() < deadline {
            thread::sleep(LOOK_EVERY);
        }
        Ok(())
    }

    fn stands_still(&self) -> io::Result<bool> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        Ok(status.lines().any(|line| line.starts_with("State:\tT")))
    }
}

impl Drop for Etcd {
    fn drop(&mut self) {
        // An error means the process has ended, which is what was wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Two ports that are free now.
fn free_ports() -> io::Result<[u16; 2]> {
    let listen = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    let (one, two) = (listen()?, listen()?);
    Ok([one.local_addr()?.port(), two.local_addr()?.port()])
}
