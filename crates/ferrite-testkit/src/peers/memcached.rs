//! A running Memcached, and a few words of its protocol.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::watch::Watch;
use super::{OtherServer, PeerError};

/// Ports tried before giving up: another process may take the one we found free.
const PORT_ATTEMPTS: usize = 10;
/// How long it may take to answer.
const START_TIMEOUT: Duration = Duration::from_secs(30);
/// Pause between two looks at one that is starting.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// How long a client waits for an answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// A Memcached on 127.0.0.1; dropping it kills it.
#[derive(Debug)]
pub struct Memcached {
    child: Child,
    port: u16,
    _watch: Watch,
    _dir: TempDir,
}

impl Memcached {
    /// Starts one with these options, such as `-I 8m`, and waits until it answers.
    ///
    /// # Errors
    /// [`PeerError`] where it cannot be had or does not come up.
    pub fn start(options: &[&str]) -> Result<Self, PeerError> {
        let mut last = String::new();
        for _ in 0..PORT_ATTEMPTS {
            match Self::attempt(options, None)? {
                Ok(memcached) => return Ok(memcached),
                Err(reason) => last = reason,
            }
        }
        let peer = OtherServer::Memcached.name();
        Err(PeerError::Start { peer, reason: last, log: String::new() })
    }

    /// Starts one on a port that another had.
    ///
    /// # Errors
    /// As [`start`](Self::start); somebody has the port.
    pub fn start_at(port: u16, options: &[&str]) -> Result<Self, PeerError> {
        let peer = OtherServer::Memcached.name();
        Self::attempt(options, Some(port))?.map_err(|reason| PeerError::Start {
            peer,
            reason,
            log: String::new(),
        })
    }

    fn attempt(options: &[&str], port: Option<u16>) -> Result<Result<Self, String>, PeerError> {
        let peer = OtherServer::Memcached.name();
        let failed = |doing: &str, source: io::Error| PeerError::Io {
            peer,
            doing: doing.to_owned(),
            source,
        };
        let dir = tempfile::Builder::new().prefix("ferrite-peer-").tempdir();
        let dir = dir.map_err(|error| failed("create its folder", error))?;
        let free = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr();
        let port = match port {
            Some(port) => port,
            None => free().map_err(|error| failed("find a free port", error))?.port(),
        };
        let mut command = OtherServer::Memcached.binary()?.command();
        command.args(["-l", "127.0.0.1", "-U", "0", "-p", &port.to_string()]).args(options);
        if rustix::process::getuid().is_root() {
            command.args(["-u", "root"]);
        }
        command.current_dir(dir.path()).stdin(Stdio::null());
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let child = child.map_err(|error| failed("run its binary", error))?;
        let watch = Watch::over(child.id(), dir.path());
        let watch = watch.map_err(|error| failed("watch over it", error))?;
        let mut memcached = Self { child, port, _watch: watch, _dir: dir };
        let deadline = Instant::now() + START_TIMEOUT;
        while Instant::now() < deadline {
            if let Ok(Some(status)) = memcached.child.try_wait() {
                return Ok(Err(format!("stopped while starting ({status})")));
            }
            if TcpStream::connect(memcached.addr()).is_ok() {
                return Ok(Ok(memcached));
            }
            thread::sleep(LOOK_EVERY);
        }
        Ok(Err(format!("did not answer within {} seconds", START_TIMEOUT.as_secs())))
    }

    /// The port it listens on.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The address it listens on.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))
    }

    /// `memcached://127.0.0.1:PORT`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("memcached://127.0.0.1:{}", self.port)
    }

    /// A connection.
    ///
    /// # Panics
    /// When there is none to be had.
    #[must_use]
    pub fn client(&self) -> MemcachedClient {
        let connected = TcpStream::connect(self.addr()).and_then(|stream| {
            stream.set_read_timeout(Some(ANSWER_TIMEOUT)).map(|()| MemcachedClient(stream))
        });
        connected.unwrap_or_else(|error| panic!("memcached at {}: {error}", self.addr()))
    }
}

impl Drop for Memcached {
    fn drop(&mut self) {
        // An error means the process has ended, which is what was wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A connection to a Memcached.
#[derive(Debug)]
pub struct MemcachedClient(TcpStream);

impl MemcachedClient {
    /// Says something and reads all there is to the answer.
    ///
    /// # Panics
    /// When the connection breaks.
    pub fn say(&mut self, words: impl AsRef<[u8]>) -> Vec<u8> {
        let mut message = words.as_ref().to_vec();
        message.extend_from_slice(b"\r\nmn\r\n");
        let mut answer = Vec::new();
        let talked = self.0.write_all(&message).and_then(|()| {
            let mut piece = vec![0; 64 << 10];
            while !answer.ends_with(b"MN\r\n") {
                match self.0.read(&mut piece)? {
                    0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                    count => answer.extend_from_slice(piece.get(..count).unwrap_or_default()),
                }
            }
            answer.truncate(answer.len() - b"MN\r\n".len());
            Ok(())
        });
        talked.unwrap_or_else(|error| panic!("talking to memcached: {error}"));
        answer
    }

    /// Stores a value; an `exptime` of 0 is never, above 30 days it is a moment.
    ///
    /// # Panics
    /// When it is not stored.
    pub fn set(&mut self, key: &str, flags: u32, exptime: u64, value: &[u8]) {
        let mut words = format!("set {key} {flags} {exptime} {}\r\n", value.len()).into_bytes();
        words.extend_from_slice(value);
        let answer = self.say(words);
        assert_eq!(answer, b"STORED\r\n", "{key}: {}", String::from_utf8_lossy(&answer));
    }
}
