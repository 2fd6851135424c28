//! The end of the socket that takes orders: connections read and answer by themselves, one queue
//! brings their requests to the job.

use std::fmt::Display;
use std::io;
use std::time::Duration;

use serde_json::Value;
use tokio::io::BufReader;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{sleep, timeout};

use super::line;
use super::protocol::{Reply, Request};
use super::socket::Place;
use crate::jobs::{JobDir, JobError};
use crate::report::ExitCode;

/// Connections at the same time; who comes after them is told so.
pub const CONNECTIONS_MAX: usize = 16;
/// Longest request in bytes.
pub const REQUEST_MAX: u64 = 64 << 10;
/// Requests that wait for the job.
const REQUESTS_MAX: usize = CONNECTIONS_MAX;
/// Lines of one answer that wait to be written.
const REPLIES_MAX: usize = 64;
/// How long a connection may be silent, and how long it may leave what we write unread.
const PATIENCE: Duration = Duration::from_secs(30);
/// The same for writing: short, since the job waits for it.
const WRITE_PATIENCE: Duration = Duration::from_secs(5);
/// How long to wait when the system gives no more connections.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Takes orders for a job until it is dropped.
#[derive(Debug)]
pub struct Server {
    requests: mpsc::Receiver<Incoming>,
    accepting: JoinHandle<()>,
    _place: Place,
}

type Incoming = (Request, Replier);

impl Server {
    /// Opens the socket of a job. That the job's lock is held is shown by `job`, so a socket that
    /// is there already is that of a process that has ended. Needs a Tokio runtime.
    ///
    /// # Errors
    /// A socket that cannot be made.
    pub fn bind(job: &JobDir) -> Result<Self, JobError> {
        let bind = || -> io::Result<(Place, UnixListener)> {
            let place = Place::make(job.path())?;
            let listener = UnixListener::bind(&place.socket)?;
            place.make_private()?;
            Ok((place, listener))
        };
        let (place, listener) =
            bind().map_err(JobError::io("opening the control socket in", job.path()))?;
        let (incoming, requests) = mpsc::channel(REQUESTS_MAX);
        let accepting = tokio::spawn(accept(listener, incoming));
        Ok(Self { requests, accepting, _place: place })
    }

    /// The next request and the way to answer it. Giving up the wait loses none.
    pub async fn next(&mut self) -> Option<(Request, Replier)> {
        self.requests.recv().await
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The connections are the task's own and end with it.
        self.accepting.abort();
    }
}

/// Answers one request. Who asked may have gone away: that is no concern of the job's.
#[derive(Debug)]
pub struct Replier {
    replies: mpsc::Sender<Reply>,
}

impl Replier {
    /// Answers nobody: what is done was not asked for through the socket.
    #[must_use]
    pub fn nobody() -> Self {
        Self { replies: mpsc::channel(1).0 }
    }

    /// Tells what is being done.
    pub async fn step(&mut self, text: impl Into<String>) {
        let _ = self.replies.send(Reply::Step { step: text.into() }).await;
    }

    /// It is done, and this is the result. Returns when it has been written, so that the process
    /// may end.
    pub async fn done(self, result: Value) {
        self.last(Reply::Done { done: result }).await;
    }

    /// It is not done, for these reasons; `code` becomes the exit code of the command that asked.
    /// Returns when it has been written.
    pub async fn refuse(self, code: u8, message: impl Into<String>, reasons: Vec<String>) {
        self.last(Reply::Refused { error: message.into(), reasons, code }).await;
    }

    async fn last(self, reply: Reply) {
        if self.replies.send(reply).await.is_ok() {
            // The connection lets go of its end after it has written the last line.
            self.replies.closed().await;
        }
    }
}

async fn accept(listener: UnixListener, incoming: mpsc::Sender<Incoming>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    // Those that have ended do not count.
                    while connections.try_join_next().is_some() {}
                    let is_full = connections.len() >= CONNECTIONS_MAX;
                    connections.spawn(serve(stream, incoming.clone(), is_full));
                }
                Err(error) => {
                    tracing::warn!("the control socket takes no connection: {error}");
                    sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
}

/// Ends when the other side has gone, or is too slow, or talks nonsense at length.
async fn serve(stream: UnixStream, incoming: mpsc::Sender<Incoming>, is_full: bool) {
    let (reader, mut writer) = stream.into_split();
    if is_full {
        let refused = refusal(format!("more than {CONNECTIONS_MAX} connections"));
        let _ = write(&mut writer, &refused).await;
        return;
    }
    let mut reader = BufReader::new(reader);
    while let Some(request) = read(&mut reader).await {
        let (reply, goes_on) = match request {
            Ok(request) => match pass_on(request, &incoming, &mut writer).await {
                Ok(()) => continue,
                Err(Some(reply)) => (reply, false),
                Err(None) => return,
            },
            Err(refused) => refused,
        };
        if write(&mut writer, &reply).await.is_err() || !goes_on {
            return;
        }
    }
}

/// The next request, or what to answer to what is none and whether another may follow; `None` when
/// there is no more.
async fn read(reader: &mut BufReader<OwnedReadHalf>) -> Option<Result<Request, (Reply, bool)>> {
    match timeout(PATIENCE, line::read(reader, REQUEST_MAX)).await.ok()? {
        Ok(Some(text)) => {
            Some(serde_json::from_slice(&text).map_err(|error| (refusal(error), true)))
        }
        Ok(None) => None,
        Err(error) => Some(Err((refusal(error), false))),
    }
}

/// Hands the request to the job and its answer to the connection. An error is a connection to
/// end, after one more line if there is one.
async fn pass_on(
    request: Request,
    incoming: &mpsc::Sender<Incoming>,
    writer: &mut OwnedWriteHalf,
) -> Result<(), Option<Reply>> {
    let (replies, mut answer) = mpsc::channel(REPLIES_MAX);
    incoming.send((request, Replier { replies })).await.map_err(|_| Some(ending()))?;
    while let Some(reply) = answer.recv().await {
        write(writer, &reply).await.map_err(|_| None)?;
        if reply.is_last() {
            return Ok(());
        }
    }
    Err(Some(ending()))
}

async fn write(writer: &mut OwnedWriteHalf, reply: &Reply) -> io::Result<()> {
    timeout(WRITE_PATIENCE, line::write(writer, reply)).await?
}

fn refusal(why: impl Display) -> Reply {
    let error = format!("the request cannot be used: {why}");
    Reply::Refused { error, reasons: Vec::new(), code: ExitCode::Usage.into() }
}

fn ending() -> Reply {
    let error = "the migration ended before it answered".to_owned();
    Reply::Refused { error, reasons: Vec::new(), code: ExitCode::Failed.into() }
}
