//! Speaks to the target as its primary: lets it in, and sends the file as the RDB it asked for.
//!
//! ```text
//! target                              this process
//! PING, AUTH, REPLCONF …  ──────────►
//!                         ◄────────── +PONG, +OK, …
//! PSYNC ? -1              ──────────►
//!                         ◄────────── +FULLRESYNC <id> 0, $<length>, the file
//! REPLCONF ACK …          ──────────► (not read: there is no stream)
//! ```

use std::io::{self, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpStream as Blocking, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use ferrite_resp::request::{Progress, RequestLimits, RequestParser};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::sound::{Reader, Sound};
use super::walk::Walked;
use crate::engine::Job;

/// How long the target may take to connect to us.
const REACHES_WITHIN: Duration = Duration::from_secs(3);
/// How long it may take from there to ask for the RDB.
const ASKS_WITHIN: Duration = Duration::from_secs(5);
/// How long it may take nothing of the file: the `repl-timeout` of servers as they come.
const TAKES_WITHIN: Duration = Duration::from_secs(60);
/// Connections that are let go because they are not the target's.
const STRANGERS_MAX: usize = 16;
/// Bytes of the file that are sent before it is looked how far the walk is.
const PIECE: u64 = 256 << 10;
/// Bytes of a handshake that wait for the rest of a command.
const HANDSHAKE_MAX: usize = 64 << 10;

/// A port on which the target is awaited.
pub struct Door {
    listener: TcpListener,
    /// Where the target is to connect to.
    pub address: SocketAddr,
    /// What it has to say to be let in.
    pub password: String,
}

impl Door {
    /// Listens on the address by which this machine reaches the target: host and port, nothing
    /// where it is reached by a Unix socket.
    ///
    /// # Errors
    /// There is no way there.
    pub async fn open(target: Option<(&str, u16)>, password: String) -> io::Result<Self> {
        let own = match target {
            None => IpAddr::from([127, 0, 0, 1]),
            Some((host, port)) => own_address(host, port).await?,
        };
        let listener = TcpListener::bind((own, 0)).await?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address, password })
    }

    /// Waits for the target and answers it until it asks for the RDB.
    ///
    /// # Errors
    /// Why it did not come so far, in words.
    pub async fn admit(&self) -> Result<TcpStream, String> {
        let came = async {
            for _ in 0..STRANGERS_MAX {
                let (mut stream, peer) = self.listener.accept().await?;
                match timeout(ASKS_WITHIN, shake_hands(&mut stream, &self.password)).await {
                    Ok(Ok(())) => return Ok(stream),
                    Ok(Err(error)) => tracing::debug!(%peer, %error, "not let in"),
                    Err(_) => tracing::debug!(%peer, "did not ask for the RDB in time"),
                }
            }
            Err(io::Error::other("only others connected to it"))
        };
        let (address, seconds) = (self.address, REACHES_WITHIN.as_secs());
        let late = format!("the target did not connect to {address} within {seconds} s");
        match timeout(REACHES_WITHIN, came).await {
            Ok(came) => came.map_err(|error| format!("waiting at {address}: {error}")),
            Err(_) => Err(late),
        }
    }
}

/// The address this machine sends from to get there. Nothing is sent.
async fn own_address(host: &str, port: u16) -> io::Result<IpAddr> {
    let mut last = io::Error::other("its name has no address");
    for there in tokio::net::lookup_host((host, port)).await? {
        let any: IpAddr = if there.is_ipv4() { [0; 4].into() } else { [0; 16].into() };
        let socket = UdpSocket::bind((any, 0))?;
        match socket.connect(there).and_then(|()| socket.local_addr()) {
            Ok(own) => return Ok(own.ip()),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Answers until the RDB is asked for.
async fn shake_hands(stream: &mut TcpStream, password: &str) -> io::Result<()> {
    let (mut parser, mut bytes, mut is_let_in) = (RequestParser::new(), Vec::new(), false);
    loop {
        let used = match parser.next(&bytes, &RequestLimits::UNAUTHENTICATED) {
            Ok(Progress::Request { used }) => {
                let words: Vec<&[u8]> = parser.words(&bytes).collect();
                let verb = words.first().copied().unwrap_or_default().to_ascii_uppercase();
                is_let_in |= verb == b"AUTH" && words.last() == Some(&password.as_bytes());
                let reply: &[u8] = match &*verb {
                    b"PSYNC" if is_let_in => return Ok(()),
                    b"PING" => b"+PONG\r\n",
                    _ if is_let_in => b"+OK\r\n",
                    _ => b"-NOAUTH Authentication required.\r\n",
                };
                stream.write_all(reply).await?;
                used
            }
            Ok(Progress::Inline { used, .. } | Progress::Nothing { used }) => used,
            Ok(Progress::Incomplete) if bytes.len() < HANDSHAKE_MAX => {
                if stream.read_buf(&mut bytes).await? == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                continue;
            }
            Ok(Progress::Incomplete) => return Err(io::Error::other("too long a command")),
            Err(error) => return Err(io::Error::other(error.to_string())),
        };
        bytes.drain(..used);
    }
}

/// Sends the file as far as the walk has come, to its end; the link, which stays open.
///
/// # Errors
/// Why it was not sent whole, in words; the link is cut then.
pub async fn send(
    job: &Arc<Job>,
    stream: TcpStream,
    file: &Sound,
    mut walked: watch::Receiver<Walked>,
    id: &str,
) -> Result<TcpStream, String> {
    let lost = |error: io::Error| format!("sending the file: {error}");
    let head = format!("+FULLRESYNC {id} 0\r\n${}\r\n", file.len);
    let stream = stream.into_std().map_err(lost)?;
    stream.set_nonblocking(false).map_err(lost)?;
    stream.set_write_timeout(Some(TAKES_WITHIN)).map_err(lost)?;
    let mut cut = Cut(Some(stream.try_clone().map_err(lost)?));
    let mut stream = written(stream, move |stream| stream.write_all(head.as_bytes())).await?;
    let mut sent = 0;
    while sent < file.len {
        let now = {
            let waiting = walked.wait_for(|walked| walked.offset > sent || walked.ended.is_some());
            let now = tokio::select! {
                now = waiting => now.map_err(|_| String::from("reading the file ended"))?,
                () = job.stop.stopped() => return Err(String::from("it was stopped")),
            };
            now.clone()
        };
        if let Some(Err(why)) = now.ended {
            return Err(why);
        }
        let until = now.offset.min(sent + PIECE);
        let (reader, len) = (file.reader_from(sent), until - sent);
        let writing = written(stream, move |stream| copy(reader, len, stream));
        stream = tokio::select! {
            written = writing => written?,
            () = job.stop.stopped() => return Err(String::from("it was stopped")),
        };
        sent = until;
        job.done_so_far(now.keys, sent);
    }
    stream.set_nonblocking(true).map_err(lost)?;
    cut.0 = None;
    TcpStream::from_std(stream).map_err(lost)
}

fn copy(mut reader: Reader, len: u64, stream: &mut Blocking) -> io::Result<()> {
    let mut piece = Vec::new();
    reader.by_ref().take(len).read_to_end(&mut piece)?;
    if piece.len() as u64 != len {
        return Err(io::Error::other("the file has become shorter"));
    }
    stream.write_all(&piece)
}

/// Writes on a thread that may wait.
async fn written(
    stream: Blocking,
    write: impl FnOnce(&mut Blocking) -> io::Result<()> + Send + 'static,
) -> Result<Blocking, String> {
    let mut stream = stream;
    let wrote = spawn_blocking(move || write(&mut stream).map(|()| stream)).await;
    let wrote = wrote.unwrap_or_else(|panic| Err(io::Error::other(panic)));
    wrote.map_err(|error| format!("the target takes no more of the file: {error}"))
}

/// Ends a link when it is dropped, also one that somebody waits to write to.
struct Cut(Option<Blocking>);

impl Drop for Cut {
    fn drop(&mut self) {
        let _ = self.0.as_ref().map(|link| link.shutdown(Shutdown::Both));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn say(stream: &mut TcpStream, words: &[&str]) -> String {
        let bulk = |word: &&str| format!("${}\r\n{word}\r\n", word.len());
        let words = format!("*{}\r\n{}", words.len(), words.iter().map(bulk).collect::<String>());
        stream.write_all(words.as_bytes()).await.unwrap();
        let mut reply = vec![0; 100];
        let len = stream.read(&mut reply).await.unwrap();
        String::from_utf8_lossy(&reply[..len]).into_owned()
    }

    #[tokio::test]
    async fn only_who_has_the_password_is_sent_the_file() {
        let door = Door::open(None, String::from("secret")).await.unwrap();
        let address = door.address;
        let come = async {
            for password in ["", "secre", "secret"] {
                let mut stream = TcpStream::connect(address).await.unwrap();
                assert_eq!(say(&mut stream, &["PING"]).await, "+PONG\r\n");
                let reply = say(&mut stream, &["AUTH", password]).await;
                assert_eq!(reply.starts_with("+OK"), password == "secret", "{reply}");
                if password == "secret" {
                    assert_eq!(say(&mut stream, &["REPLCONF", "capa", "eof"]).await, "+OK\r\n");
                    stream
                        .write_all(b"*3\r\n$5\r\nPSYNC\r\n$1\r\n?\r\n$2\r\n-1\r\n")
                        .await
                        .unwrap();
                } else {
                    let reply = say(&mut stream, &["PSYNC", "?", "-1"]).await;
                    assert!(reply.starts_with("-NOAUTH"), "{reply}");
                }
            }
        };
        let (admitted, ()) = tokio::join!(door.admit(), come);
        assert!(admitted.is_ok(), "{admitted:?}");
    }

    #[tokio::test]
    async fn who_does_not_come_is_not_waited_for() {
        let door = Door::open(Some(("127.0.0.1", 1)), String::from("secret")).await.unwrap();
        let why = door.admit().await.unwrap_err();
        assert!(why.contains(&format!("did not connect to {}", door.address)), "{why}");
    }
}
