//! The server that keys are sent to, and connections to it that are kept for the next call.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use ferrite_resp::encode;
use parking_lot::Mutex;

use super::Call;

/// The most connections that are kept.
const KEPT: usize = 64;

/// How long a connection is kept that nobody uses.
const KEPT_FOR: Duration = Duration::from_secs(10);

/// The longest line that is taken as a reply.
const LONGEST_LINE: u64 = 64 * 1024;

/// Bytes of commands that are sent before their replies are read.
const BATCH: usize = 1 << 20;

/// A connection.
#[derive(Debug)]
pub(super) struct Target {
    address: String,
    stream: BufReader<TcpStream>,
    db: Option<i64>,
    used: Instant,
}

/// What happens to a key at the target.
#[derive(Debug)]
pub(super) struct Item {
    /// Its name.
    pub(super) key: Vec<u8>,
    /// Its expiry (Unix milliseconds) and its payload; nothing where it is to be deleted there.
    pub(super) value: Option<(Option<i64>, Vec<u8>)>,
}

/// What the target answered to each item; an error, its line.
pub(super) type Answers = Vec<Result<(), String>>;

fn line(stream: &mut BufReader<TcpStream>) -> io::Result<Result<(), String>> {
    let mut line = Vec::new();
    io::Read::take(&mut *stream, LONGEST_LINE).read_until(b'\n', &mut line)?;
    match (line.first(), line.ends_with(b"\r\n")) {
        (Some(b'+' | b':'), true) => Ok(Ok(())),
        (Some(b'-'), true) => {
            let text = line.get(1..line.len() - 2).unwrap_or_default();
            Ok(Err(String::from_utf8_lossy(text).into_owned()))
        }
        (None, _) => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Err(io::Error::other("a reply that was not expected")),
    }
}

impl Target {
    fn connect(call: &Call) -> io::Result<Self> {
        let mut last = io::Error::other("no such host");
        for address in call.address.to_socket_addrs()? {
            match TcpStream::connect_timeout(&address, call.timeout) {
                Ok(stream) => {
                    stream.set_nodelay(true)?;
                    let (address, used) = (call.address.clone(), Instant::now());
                    return Ok(Self { address, stream: BufReader::new(stream), db: None, used });
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// Sends items; `replace`: also over those that are there.
    pub(super) fn send(
        &mut self,
        call: &Call,
        items: &[&Item],
        replace: bool,
        now: i64,
    ) -> Result<Answers, Broken> {
        let socket = self.stream.get_ref();
        socket.set_read_timeout(Some(call.timeout)).map_err(Broken::Writing)?;
        socket.set_write_timeout(Some(call.timeout)).map_err(Broken::Writing)?;
        let mut bytes = Vec::new();
        let mut before = 0;
        if !call.auth.is_empty() {
            let mut words = vec![b"AUTH".to_vec()];
            words.extend(call.auth.iter().cloned());
            encode::command(&mut bytes, &words);
            before += 1;
        }
        if self.db != Some(call.db) {
            encode::command(&mut bytes, &["SELECT", &call.db.to_string()]);
            before += 1;
        }
        let mut answers = Answers::new();
        let mut refused = None;
        let mut pending = 0;
        for (number, item) in items.iter().enumerate() {
            append(&mut bytes, item, replace, now);
            pending += 1;
            if bytes.len() < BATCH && number + 1 < items.len() {
                continue;
            }
            self.stream.get_mut().write_all(&bytes).map_err(Broken::Writing)?;
            bytes.clear();
            for _ in 0..std::mem::take(&mut before) {
                if let Err(why) = line(&mut self.stream).map_err(Broken::Reading)? {
                    refused.get_or_insert(why);
                }
            }
            for _ in 0..std::mem::take(&mut pending) {
                let answer = line(&mut self.stream).map_err(Broken::Reading)?;
                // In a database that was not chosen nothing was meant to be.
                answers.push(refused.clone().map_or(answer, Err));
            }
        }
        if refused.is_none() {
            self.db = Some(call.db);
        }
        self.used = Instant::now();
        Ok(answers)
    }
}

fn append(bytes: &mut Vec<u8>, item: &Item, replace: bool, now: i64) {
    let Some((expiry, payload)) = &item.value else {
        return encode::command(bytes, &[b"DEL".as_slice(), &item.key]);
    };
    // 0 says that it does not expire.
    let left = expiry.map_or(0, |time| (time - now).max(1)).to_string();
    let mut words: Vec<&[u8]> = vec![b"RESTORE", &item.key, left.as_bytes(), payload];
    if replace {
        words.push(b"REPLACE");
    }
    encode::command(bytes, &words);
}

/// Why keys could not be sent.
#[derive(Debug)]
pub(super) enum Broken {
    /// There is no connection.
    Connecting,
    /// It broke while commands were sent, or was too slow.
    Writing(io::Error),
    /// The same while replies were read.
    Reading(io::Error),
}

impl Broken {
    fn is_timeout(&self) -> bool {
        let (Self::Writing(error) | Self::Reading(error)) = self else { return false };
        matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
    }

    /// What the client is answered.
    pub(super) fn reply(&self) -> &'static str {
        match self {
            Self::Connecting => "IOERR error or timeout connecting to the client",
            Self::Writing(_) => "IOERR error or timeout writing to target instance",
            Self::Reading(_) => "IOERR error or timeout reading from target instance",
        }
    }
}

/// Connections that are kept.
#[derive(Debug, Default)]
pub struct Targets {
    kept: Mutex<Vec<Target>>,
    /// Calls that are being worked on.
    pub(super) working: AtomicUsize,
}

impl Targets {
    /// How many there are.
    pub fn kept(&self) -> usize {
        self.kept.lock().len()
    }

    /// Closes those that nobody has used for a while. Called by the clock.
    pub fn close_unused(&self) {
        self.kept.lock().retain(|target| target.used.elapsed() < KEPT_FOR);
    }

    /// Sends items over a connection that is kept, or a new one. A kept one that broke is tried
    /// once more with a new one, unless it was too slow.
    pub(super) fn send(
        &self,
        call: &Call,
        items: &[&Item],
        replace: bool,
        now: i64,
    ) -> Result<Answers, Broken> {
        let kept = self.take(&call.address);
        let connect = || Target::connect(call).map_err(|_| Broken::Connecting);
        let mut is_kept = kept.is_some();
        let mut target = kept.map_or_else(connect, Ok)?;
        loop {
            match target.send(call, items, replace, now) {
                Err(broken) if is_kept && !broken.is_timeout() => {
                    is_kept = false;
                    target = connect()?;
                }
                Err(broken) => return Err(broken),
                Ok(answers) => {
                    let mut all = self.kept.lock();
                    if all.len() < KEPT {
                        all.push(target);
                    }
                    return Ok(answers);
                }
            }
        }
    }

    fn take(&self, address: &str) -> Option<Target> {
        let mut all = self.kept.lock();
        let at = all.iter().position(|target| target.address == address)?;
        Some(all.swap_remove(at))
    }

    /// One call more is worked on, unless there are too many.
    pub(super) fn begin(&self, most: usize) -> bool {
        let before = self.working.fetch_add(1, Ordering::Relaxed);
        if before >= most {
            self.working.fetch_sub(1, Ordering::Relaxed);
        }
        before < most
    }

    /// It is through.
    pub(super) fn end(&self) {
        self.working.fetch_sub(1, Ordering::Relaxed);
    }
}
