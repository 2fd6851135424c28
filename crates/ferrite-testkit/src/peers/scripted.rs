//! A server that speaks the bytes it is given, for servers that cannot be had: a KeyDB, say.
//!
//! It answers what clients and replicas ask before they read anything, sends one RDB and then a
//! replication stream that the test extends; everything else it refuses, unless the test answers.
//! It holds no keys. What it sends is known from the sources of the server it stands for, and is no
//! proof that the server does so.

use std::io::{self, BufReader, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use crate::client::{Reply, parse};

/// Names the history of every scripted server.
const REPLID: &str = "5c217ed05c217ed05c217ed05c217ed05c217ed0";
/// Most connections at a time.
const MAX_CONNECTIONS: usize = 64;

/// An answer to a command, as bytes; `None` for what the server itself knows.
pub type Answer = fn(&[String]) -> Option<Vec<u8>>;

/// What a server says.
#[derive(Debug, Clone)]
pub struct Script {
    /// Lines of `INFO`, besides those about replication.
    pub info: String,
    /// The RDB it sends to a replica.
    pub rdb: Vec<u8>,
    /// Answers of the test, which come first.
    pub answer: Answer,
}

#[derive(Debug, Default)]
struct State {
    stream: Vec<u8>,
    connections: Vec<(u64, TcpStream)>,
    accepted: u64,
    heard: Vec<String>,
    stopped: bool,
}

#[derive(Debug)]
struct Shared {
    script: Script,
    state: Mutex<State>,
    changed: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One running on a free port of 127.0.0.1; dropping it stops it.
#[derive(Debug)]
pub struct Scripted {
    addr: SocketAddr,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

impl Scripted {
    /// Starts one.
    ///
    /// # Errors
    /// When there is no port to listen on.
    pub fn start(script: Script) -> io::Result<Scripted> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let addr = listener.local_addr()?;
        let (state, changed) = (Mutex::default(), Condvar::new());
        let shared = Arc::new(Shared { script, state, changed });
        let acceptor = thread::spawn({
            let shared = Arc::clone(&shared);
            move || accept_all(&listener, &shared)
        });
        Ok(Scripted { addr, shared, acceptor: Some(acceptor) })
    }

    /// `redis://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("redis://{}", self.addr)
    }

    /// Extends the replication stream.
    pub fn send(&self, bytes: &[u8]) {
        self.shared.lock().stream.extend_from_slice(bytes);
        self.shared.changed.notify_all();
    }

    /// Bytes of the replication stream so far.
    pub fn offset(&self) -> u64 {
        self.shared.lock().stream.len() as u64
    }

    /// The commands it refused, because nobody gave it an answer.
    pub fn refused(&self) -> Vec<String> {
        self.shared.lock().heard.clone()
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.stopped = true;
        for (_, connection) in std::mem::take(&mut state.connections) {
            // An end that is closed already needs no closing.
            let _ = connection.shutdown(Shutdown::Both);
        }
        drop(state);
        self.shared.changed.notify_all();
        // Wakes the thread that waits for connections; without it there is nothing to wake.
        if TcpStream::connect(self.addr).is_ok()
            && let Some(acceptor) = self.acceptor.take()
        {
            let _ = acceptor.join();
        }
    }
}

fn accept_all(listener: &TcpListener, shared: &Arc<Shared>) {
    for client in listener.incoming().flatten() {
        let Ok(kept) = client.try_clone() else { continue };
        let mut state = shared.lock();
        if state.stopped {
            return;
        }
        if state.connections.len() >= MAX_CONNECTIONS {
            continue;
        }
        state.accepted += 1;
        let number = state.accepted;
        state.connections.push((number, kept));
        drop(state);
        let shared = Arc::clone(shared);
        thread::spawn(move || {
            // However it ends, the client learns of it by the connection closing.
            let _ = serve(&client, &shared);
            let _ = client.shutdown(Shutdown::Both);
            shared.lock().connections.retain(|(one, _)| *one != number);
            shared.changed.notify_all();
        });
    }
}

/// Answers one client until it leaves.
fn serve(client: &TcpStream, shared: &Arc<Shared>) -> io::Result<()> {
    client.set_nodelay(true)?;
    let mut reader = BufReader::new(client.try_clone()?);
    let mut writer = client;
    let mut rdb_only = false;
    let mut queued = None::<Vec<Vec<u8>>>;
    while let Ok(command) = parse::reply(&mut reader) {
        let words: Vec<String> = command.items().iter().map(Reply::text).collect();
        let name = words.first().map(|name| name.to_uppercase()).unwrap_or_default();
        let is = |at: usize, what: &str| {
            words.get(at).is_some_and(|word| word.eq_ignore_ascii_case(what))
        };
        if name == "PSYNC" {
            thread::spawn(move || while parse::reply(&mut reader).is_ok() {});
            return replicate(writer, &words, rdb_only, shared);
        }
        rdb_only |= name == "REPLCONF" && is(1, "rdb-only");
        let answer = || {
            let answer = (shared.script.answer)(&words);
            answer.unwrap_or_else(|| shared.answer(&name, &words))
        };
        match (name.as_str(), queued.as_mut()) {
            ("MULTI", _) => {
                queued = Some(Vec::new());
                writer.write_all(b"+OK\r\n")?;
            }
            ("EXEC", Some(answers)) => {
                writer.write_all(format!("*{}\r\n", answers.len()).as_bytes())?;
                writer.write_all(&answers.concat())?;
                queued = None;
            }
            (_, Some(answers)) => {
                answers.push(answer());
                writer.write_all(b"+QUEUED\r\n")?;
            }
            (_, None) => writer.write_all(&answer())?,
        }
    }
    Ok(())
}

/// Sends the RDB and the stream, or goes on with the stream.
fn replicate(
    mut writer: &TcpStream,
    words: &[String],
    rdb_only: bool,
    shared: &Shared,
) -> io::Result<()> {
    let from = words.get(2).and_then(|from| from.parse::<usize>().ok());
    let resumed = from.filter(|_| words.get(1).is_some_and(|id| id == REPLID));
    let mut sent = match resumed {
        Some(from) => {
            writer.write_all(b"+CONTINUE\r\n")?;
            from.saturating_sub(1)
        }
        None => {
            let offset = shared.lock().stream.len();
            let rdb = &shared.script.rdb;
            writer.write_all(format!("+FULLRESYNC {REPLID} {offset}\r\n").as_bytes())?;
            writer.write_all(format!("${}\r\n", rdb.len()).as_bytes())?;
            writer.write_all(rdb)?;
            offset
        }
    };
    let mut state = shared.lock();
    while !state.stopped && !rdb_only {
        let new = state.stream.get(sent..).unwrap_or_default().to_vec();
        if new.is_empty() {
            state = shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            continue;
        }
        drop(state);
        writer.write_all(&new)?;
        sent += new.len();
        state = shared.lock();
    }
    while !state.stopped && rdb_only {
        state = shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
    }
    Ok(())
}

impl Shared {
    /// What a server without keys answers.
    fn answer(&self, name: &str, words: &[String]) -> Vec<u8> {
        let offset = self.lock().stream.len();
        let bulk = |text: &str| format!("${}\r\n{text}\r\n", text.len());
        let answer = match name {
            "PING" => String::from("+PONG\r\n"),
            "SELECT" | "CLIENT" | "REPLCONF" => String::from("+OK\r\n"),
            "DBSIZE" | "EXISTS" => String::from(":0\r\n"),
            "SCAN" => String::from("*2\r\n$1\r\n0\r\n*0\r\n"),
            "DUMP" | "GET" => String::from("$-1\r\n"),
            "PTTL" | "PEXPIRETIME" => String::from(":-2\r\n"),
            "CONFIG" => String::from("*0\r\n"),
            "ROLE" => format!("*3\r\n$6\r\nmaster\r\n:{offset}\r\n*0\r\n"),
            "TIME" => {
                let now = std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
                let (seconds, micros) =
                    (now.as_secs().to_string(), now.subsec_micros().to_string());
                format!("*2\r\n{}{}", bulk(&seconds), bulk(&micros))
            }
            "INFO" => bulk(&format!(
                "{}role:master\r\nmaster_replid:{REPLID}\r\nmaster_repl_offset:{offset}\r\n",
                self.script.info
            )),
            _ => {
                self.lock().heard.push(words.join(" "));
                format!("-ERR unknown command '{name}'\r\n")
            }
        };
        answer.into_bytes()
    }
}
