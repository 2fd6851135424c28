//! One replica: two threads of its own, one that sends, one that listens.
//!
//! ```text
//! PSYNC ? -1          ─►  +FULLRESYNC <id> <offset>   $EOF:<mark> RDB <mark>   log from offset on
//!                                                     $<length> RDB, without `capa eof`
//! SYNC                ─►                              $<length> RDB            log from offset on
//! PSYNC <id> <offset> ─►  +CONTINUE <id>                                       log from offset on
//! REPLCONF ACK <offset>, every second
//! ```
//!
//! A replica knows the end of its RDB by the mark only if nothing comes right behind it: the log
//! is sent from its first acknowledgement on. Where it wants a length, the RDB is written to a
//! file first.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::net::{Shutdown, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use ferrite_resp::request::{Progress, RequestLimits, RequestParser};

use super::log::{Found, Reader};
use super::secure_link::SecureLink;
use super::{Introduction, Psync, Replica};
use crate::clients::Client;
use crate::net::stream::Stream;
use crate::persist::snapshot::{self, Origin};
use crate::shared::{Shared, unix_ms};
use crate::store::{Held, ShardSet};

/// How long the sender waits for more of the log before it looks whether all is still well.
const PATIENCE: Duration = Duration::from_millis(100);

/// What a replica has acknowledged that has not said so.
pub const NOTHING: u64 = u64::MAX;

/// How often it is looked whether a replica has loaded its RDB.
const LOADED_CHECK: Duration = Duration::from_millis(10);

/// Bytes of a file that are sent at once.
const FILE_PIECE: usize = 256 * 1024;

/// The connection to a replica; a thread may wait on it.
#[derive(Debug)]
pub enum Link {
    /// Over the network.
    Tcp(TcpStream),
    /// The same, encrypted.
    Tls(Box<SecureLink>),
    /// On this machine.
    Unix(UnixStream),
}

impl Link {
    /// `patience`: how long it may take none of what it is sent.
    fn new(stream: Stream, patience: Duration, at_once: bool) -> io::Result<Self> {
        let waiting = |stream: mio::net::TcpStream| {
            let stream = TcpStream::from(stream);
            stream.set_nonblocking(false)?;
            stream.set_nodelay(at_once)?;
            stream.set_write_timeout(Some(patience))?;
            io::Result::Ok(stream)
        };
        match stream {
            Stream::Tcp(stream) => waiting(stream).map(Self::Tcp),
            Stream::Tls(secure) => {
                let (socket, session) = secure.into_parts();
                let link = SecureLink::new(waiting(socket)?, session);
                Ok(Self::Tls(Box::new(link)))
            }
            Stream::Unix { stream, .. } => {
                let stream = UnixStream::from(stream);
                stream.set_nonblocking(false)?;
                stream.set_write_timeout(Some(patience))?;
                Ok(Self::Unix(stream))
            }
        }
    }

    fn send(&self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => (&*stream).write_all(bytes),
            Self::Tls(link) => link.send(bytes),
            Self::Unix(stream) => (&*stream).write_all(bytes),
        }
    }

    fn receive(&self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => (&*stream).read(into),
            Self::Tls(link) => link.receive(into),
            Self::Unix(stream) => (&*stream).read(into),
        }
    }

    /// Ends the connection for both threads.
    pub fn shut_down(&self, how: Shutdown) {
        let ended = match self {
            Self::Tcp(stream) => stream.shutdown(how),
            Self::Tls(link) => link.shut_down(how),
            Self::Unix(stream) => stream.shutdown(how),
        };
        if let Err(error) = ended {
            tracing::debug!("closing the connection to a replica: {error}");
        }
    }
}

/// Takes over a connection that has sent PSYNC. `output` is what it has not been sent yet.
///
/// # Errors
/// When the system gives no thread, or the connection cannot be used.
pub fn serve(
    shared: &Arc<Shared>,
    stream: Stream,
    client: Arc<Client>,
    introduction: Introduction,
    psync: Psync,
    output: Vec<u8>,
) -> io::Result<()> {
    let config = &shared.config.replication;
    let patience = Duration::from_secs(config.repl_timeout.get().into());
    let at_once = !config.repl_disable_tcp_nodelay.get();
    let replica = Arc::new(Replica {
        client,
        introduction,
        acknowledged: AtomicU64::new(NOTHING),
        heard: AtomicI64::new(unix_ms()),
        online: AtomicBool::new(false),
        link: Link::new(stream, patience, at_once)?,
    });
    let (shared, of_listener) = (Arc::clone(shared), Arc::clone(shared));
    let (sender, listener) = (Arc::clone(&replica), replica);
    let thread = |name: &str| std::thread::Builder::new().name(name.into());
    thread("ferrite-replica").spawn(move || {
        shared.replicas.add(&sender);
        if let Err(error) = send(&shared, &sender, &psync, &output) {
            tracing::warn!("Connection with replica {} lost: {error}", sender.client.peer);
        }
        sender.close();
        shared.replicas.remove(&sender);
        shared.clients.remove(sender.client.id);
    })?;
    thread("ferrite-acks").spawn(move || {
        listen(&of_listener, &listener);
        listener.close();
    })?;
    Ok(())
}

fn send(shared: &Shared, replica: &Replica, psync: &Psync, output: &[u8]) -> io::Result<()> {
    replica.link.send(output)?;
    let wanted = u64::try_from(psync.offset).ok().filter(|_| psync.id == shared.log.id);
    let partial = wanted.and_then(|offset| shared.log.follow_from(offset.saturating_sub(1)));
    let mut reader = match partial {
        Some(reader) => {
            shared.replicas.partial.fetch_add(1, Ordering::Relaxed);
            tracing::info!(
                "Partial resynchronization request from {} accepted.",
                replica.client.peer
            );
            replica.link.send(format!("+CONTINUE {}\r\n", shared.log.id).as_bytes())?;
            reader
        }
        None => {
            let asked_to_go_on = !psync.is_sync && psync.id != "?";
            if asked_to_go_on {
                shared.replicas.refused.fetch_add(1, Ordering::Relaxed);
            }
            let reader = full(shared, replica, psync)?;
            if replica.introduction.rdb_only {
                shared.log.unfollow(&reader);
                return Ok(());
            }
            if replica.introduction.eof {
                replica.wait_until_loaded(shared);
            }
            reader
        }
    };
    replica.online.store(true, Ordering::Relaxed);
    let ended = follow(shared, replica, &mut reader, psync.is_sync);
    shared.log.unfollow(&reader);
    ended
}

/// Sends all keys; the log goes on where they were cut.
fn full(shared: &Shared, replica: &Replica, psync: &Psync) -> io::Result<Reader> {
    shared.replicas.full.fetch_add(1, Ordering::Relaxed);
    tracing::info!("Full resync requested by replica {}", replica.client.peer);
    let reader = std::cell::Cell::new(None);
    let cut = || {
        let followed = shared.log.follow();
        let origin = Origin { id: shared.log.id.clone(), offset: followed.at };
        reader.set(Some(followed));
        origin
    };
    let head = |size: &dyn std::fmt::Display| {
        let offset = shared.log_offset_of(&reader);
        let line = match psync.is_sync {
            true => String::new(),
            false => format!("+FULLRESYNC {} {offset}\r\n", shared.log.id),
        };
        format!("{line}${size}\r\n").into_bytes()
    };
    let sent = match (replica.introduction.eof, replica.introduction.without_keys) {
        (true, false) => send_at_once(shared, replica, cut, &head),
        (true, true) => send_no_keys(shared, replica, cut, &head),
        (false, _) => send_from_file(shared, replica, cut, &head),
    };
    let reader = reader.take().ok_or_else(|| io::Error::other("the snapshot had no beginning"))?;
    match sent {
        Ok(()) => Ok(reader),
        Err(error) => {
            shared.log.unfollow(&reader);
            Err(error)
        }
    }
}

/// What comes before an RDB of this size, or with this mark.
type Head<'h> = &'h dyn Fn(&dyn std::fmt::Display) -> Vec<u8>;

/// Sends the RDB while it is made, and a mark behind it.
fn send_at_once(
    shared: &Shared,
    replica: &Replica,
    cut: impl FnOnce() -> Origin,
    head: Head<'_>,
) -> io::Result<()> {
    let mark = crate::random::hex_digits(40);
    let mut begun = false;
    snapshot::write(shared, replica.introduction.readers(), cut, &mut |bytes| {
        if !std::mem::replace(&mut begun, true) {
            replica.link.send(&head(&format_args!("EOF:{mark}")))?;
        }
        replica.link.send(bytes)
    })?;
    replica.link.send(mark.as_bytes())
}

/// Sends an RDB without a key.
fn send_no_keys(
    shared: &Shared,
    replica: &Replica,
    cut: impl FnOnce() -> Origin,
    head: Head<'_>,
) -> io::Result<()> {
    let mark = crate::random::hex_digits(40);
    let mut held = Held::nothing(&shared.store);
    held.acquire(ShardSet::ALL);
    let libraries = match replica.introduction.with_functions {
        true => shared.scripting.libraries(),
        false => Vec::new(),
    };
    let origin = cut();
    held.release();
    let (head, rdb) = (head(&format_args!("EOF:{mark}")), snapshot::empty(&origin, &libraries));
    replica.link.send(&[&head, &*rdb, mark.as_bytes()].concat())
}

/// Sends the RDB behind its length, out of a file that nobody else sees.
fn send_from_file(
    shared: &Shared,
    replica: &Replica,
    cut: impl FnOnce() -> Origin,
    head: Head<'_>,
) -> io::Result<()> {
    let name = format!("temp-{}-sync-{}.rdb", std::process::id(), replica.client.id);
    let path = shared.persistence.path().with_file_name(name);
    let mut file = File::options().read(true).write(true).create_new(true).open(&path)?;
    std::fs::remove_file(&path)?;
    snapshot::write(shared, replica.introduction.readers(), cut, &mut |bytes| {
        file.write_all(bytes)
    })?;
    let length = file.stream_position()?;
    file.rewind()?;
    replica.link.send(&head(&length))?;
    let mut buffer = vec![0; FILE_PIECE];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(()),
            read => replica.link.send(buffer.get(..read).unwrap_or_default())?,
        }
    }
}

/// Sends the log as it grows. A replica that has not been heard of for `repl-timeout` is given
/// up, unless it is `silent`.
fn follow(shared: &Shared, replica: &Replica, reader: &mut Reader, silent: bool) -> io::Result<()> {
    while !shared.is_stopping() {
        let patience = i64::from(shared.config.replication.repl_timeout.get()) * 1000;
        let heard = replica.heard.load(Ordering::Relaxed);
        if !silent && heard != i64::MIN && unix_ms() - heard > patience {
            return Err(io::Error::other("it has not been heard of for repl-timeout"));
        }
        match shared.log.read(reader, PATIENCE) {
            Found::Bytes(bytes) => {
                replica.link.send(&bytes)?;
                shared.replicas.sent.fetch_add(bytes.len() as u64, Ordering::Relaxed);
            }
            Found::Nothing if replica.is_gone() => return Ok(()),
            Found::Nothing => {}
            Found::Lost => return Err(io::Error::other("it is too far behind")),
        }
    }
    Ok(())
}

impl Replica {
    /// Waits for the first acknowledgement.
    fn wait_until_loaded(&self, shared: &Shared) {
        let waits = || self.acknowledged.load(Ordering::Relaxed) == NOTHING;
        while waits() && !self.is_gone() && !shared.is_stopping() {
            std::thread::park_timeout(LOADED_CHECK);
        }
    }

    /// Whether the listener has seen the end of the connection.
    fn is_gone(&self) -> bool {
        self.heard.load(Ordering::Relaxed) == i64::MIN
    }
}

impl Shared {
    fn log_offset_of(&self, reader: &std::cell::Cell<Option<Reader>>) -> u64 {
        let followed = reader.take();
        let offset = followed.as_ref().map_or(0, |reader| reader.at);
        reader.set(followed);
        offset
    }
}

/// Notes what the replica acknowledges, until its connection ends.
fn listen(shared: &Shared, replica: &Replica) {
    let (mut parser, mut input) = (RequestParser::new(), Vec::new());
    let (limits, mut buffer) = (RequestLimits::default(), [0; 4096]);
    loop {
        match replica.link.receive(&mut buffer) {
            Ok(0) => break,
            Ok(read) => input.extend_from_slice(buffer.get(..read).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => break,
        }
        loop {
            let used = match parser.next(&input, &limits) {
                Ok(Progress::Request { used }) => {
                    let words: Vec<&[u8]> = parser.words(&input).collect();
                    note(shared, replica, &words);
                    used
                }
                Ok(Progress::Nothing { used } | Progress::Inline { used, .. }) => used,
                Ok(Progress::Incomplete) => break,
                Err(_) => return replica.heard.store(i64::MIN, Ordering::Relaxed),
            };
            input.drain(..used);
        }
    }
    replica.heard.store(i64::MIN, Ordering::Relaxed);
}

fn note(shared: &Shared, replica: &Replica, words: &[&[u8]]) {
    let [name, kind, offset, ..] = words else { return };
    if name.eq_ignore_ascii_case(b"replconf") && kind.eq_ignore_ascii_case(b"ack") {
        let offset = crate::number::parse_int(offset).and_then(|offset| u64::try_from(offset).ok());
        if let Some(offset) = offset {
            replica.acknowledged.store(offset, Ordering::Relaxed);
            replica.heard.store(unix_ms(), Ordering::Relaxed);
            shared.replicas.acknowledged(shared);
        }
    }
}
