//! A connection used by one task: a command, a reply.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use ferrite_resp::{Value, encode};

use crate::stream::Stream;
use crate::{ClientError, Pipeline, Receiver, ReplyError, Sender};

/// Memory kept between calls for encoding commands.
const KEPT_ENCODE_CAPACITY: usize = 64 << 10;
/// Replies of one pipeline are gathered until they took this many bytes on the wire.
const MAX_PIPELINE_REPLIES: usize = 1 << 30;

/// A connection, authenticated and with its database selected.
///
/// When a call fails by anything but an error reply, or its future is dropped before the end,
/// replies can no longer be told apart: further calls fail with `Unusable`.
#[derive(Debug)]
pub struct Connection {
    sender: Sender,
    receiver: Receiver,
    encoded: Vec<u8>,
    /// Set while a call is under way; still set at the next call when it was not completed.
    midway: bool,
}

impl Connection {
    pub(crate) fn new(stream: Stream, address: Arc<str>, timeout: Option<Duration>) -> Self {
        let (read, write) = stream.into_split();
        let written = Arc::new(AtomicU64::new(0));
        let sender = Sender::new(write, Arc::clone(&address), timeout, Arc::clone(&written));
        let receiver = Receiver::new(read, address, timeout, written);
        Self { sender, receiver, encoded: Vec::new(), midway: false }
    }

    /// The address this is connected to (`host:port` or a path), for messages.
    pub fn address(&self) -> &str {
        self.receiver.address()
    }

    /// How long the server may be silent within one call.
    pub fn set_timeout(&mut self, timeout: Option<Duration>) {
        self.sender.set_timeout(timeout);
        self.receiver.set_timeout(timeout);
    }

    /// Sends one command and waits for its reply.
    ///
    /// # Errors
    /// `Reply` when the server answers with an error, otherwise what happened to the
    /// connection.
    pub async fn call<A: AsRef<[u8]>>(&mut self, arguments: &[A]) -> Result<Value, ClientError> {
        let command = || command_name(arguments);
        match self.try_call(arguments).await {
            Ok(Value::Error(text)) => Err(ClientError::Reply {
                address: self.address().to_owned(),
                command: command(),
                error: ReplyError::parse(&text),
            }),
            Ok(value) => Ok(value),
            Err(error) => Err(error.while_doing(format!("calling {}", command()))),
        }
    }

    /// Like [`Connection::call`], with error replies as values.
    pub(crate) async fn try_call<A: AsRef<[u8]>>(
        &mut self,
        arguments: &[A],
    ) -> Result<Value, ClientError> {
        let mut encoded = std::mem::take(&mut self.encoded);
        encode::command(&mut encoded, arguments);
        let mut reply = Value::Null;
        let done = self.exchange(&encoded, 1, |value| reply = value).await;
        encoded.clear();
        encoded.shrink_to(KEPT_ENCODE_CAPACITY);
        self.encoded = encoded;
        done.map(|()| reply)
    }

    /// Sends all commands and waits for all replies, reading while writing so that neither side
    /// waits for the other. A command's error does not end the others.
    ///
    /// # Errors
    /// What happened to the connection; `TooLarge` when the replies exceed 1 GiB together.
    pub async fn pipeline(
        &mut self,
        pipeline: &Pipeline,
    ) -> Result<Vec<Result<Value, ReplyError>>, ClientError> {
        let mut replies = Vec::new();
        let exchanged = self.exchange(pipeline.encoded(), pipeline.len(), |value| {
            replies.push(match value {
                Value::Error(text) => Err(ReplyError::parse(&text)),
                value => Ok(value),
            });
        });
        let commands = pipeline.len();
        exchanged.await.map_err(|error| {
            error.while_doing(format!("calling {commands} commands in a pipeline"))
        })?;
        Ok(replies)
    }

    /// Like [`Connection::pipeline`], keeping the replies that came before a failure.
    pub(crate) async fn gather(
        &mut self,
        pipeline: &Pipeline,
        replies: &mut Vec<Value>,
    ) -> Result<(), ClientError> {
        self.exchange(pipeline.encoded(), pipeline.len(), |value| replies.push(value)).await
    }

    /// Splits into halves for streaming. Both keep the reply timeout; see
    /// [`Receiver::set_timeout`].
    pub fn into_split(self) -> (Sender, Receiver) {
        (self.sender, self.receiver)
    }

    /// Writes `encoded` and reads `count` replies at the same time.
    async fn exchange(
        &mut self,
        encoded: &[u8],
        count: usize,
        mut each: impl FnMut(Value),
    ) -> Result<(), ClientError> {
        if self.midway {
            return Err(ClientError::Unusable { address: self.address().to_owned() });
        }
        self.midway = true;
        let send = self.sender.send(encoded);
        let receive = receive(&mut self.receiver, count, &mut each);
        tokio::pin!(send, receive);
        tokio::select! {
            biased;
            sent = &mut send => match (sent, receive.await) {
                (Ok(()), received) => received?,
                // A server that refuses says so before it closes: all replies came.
                (Err(_), Ok(())) => return Ok(()),
                (Err(error), Err(_)) => return Err(error),
            },
            received = &mut receive => {
                received?;
                send.await?;
            }
        }
        self.midway = false;
        Ok(())
    }
}

async fn receive(
    receiver: &mut Receiver,
    count: usize,
    each: &mut impl FnMut(Value),
) -> Result<(), ClientError> {
    let (mut taken, mut missing) = (0, count);
    while missing > 0 {
        let value = receiver.value().await?;
        if matches!(value, Value::Push(_)) {
            continue;
        }
        missing -= 1;
        taken += weight(&value);
        if taken > MAX_PIPELINE_REPLIES && count > 1 {
            let (address, limit) = (receiver.address().to_owned(), MAX_PIPELINE_REPLIES);
            return Err(ClientError::TooLarge { address, doing: String::new(), limit });
        }
        each(value);
    }
    Ok(())
}

/// About how much memory a reply takes, in bytes.
fn weight(value: &Value) -> usize {
    let own = size_of::<Value>();
    match value {
        Value::Array(items) | Value::Set(items) | Value::Push(items) => {
            own + items.iter().map(weight).sum::<usize>()
        }
        Value::Map(pairs) => {
            own + pairs.iter().map(|(key, value)| weight(key) + weight(value)).sum::<usize>()
        }
        other => own + other.as_bytes().or(other.as_error()).map_or(0, <[u8]>::len),
    }
}

/// The name of a command, for messages; arguments may be secret.
fn command_name<A: AsRef<[u8]>>(arguments: &[A]) -> String {
    let name = arguments.first().map(AsRef::as_ref).unwrap_or_default();
    String::from_utf8_lossy(name.get(..40).unwrap_or(name)).to_uppercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ferrite_resp::skip;
    use std::io::{Read, Write};

    /// Redis takes commands for ever and piles replies up; a server with bounded memory reads
    /// nothing while its replies are not read. This one holds no reply at all.
    #[tokio::test]
    async fn a_server_that_waits_for_its_reader_is_read_while_writing() {
        let (ours, mut theirs) = std::os::unix::net::UnixStream::pair().unwrap();
        let server = std::thread::spawn(move || {
            let (mut held, mut piece) = (Vec::new(), vec![0; 64 << 10]);
            let mut reply = Vec::new();
            encode::bulk(&mut reply, &[b'x'; 4000]);
            while let Ok(count @ 1..) = theirs.read(&mut piece) {
                held.extend_from_slice(&piece[..count]);
                let mut at = 0;
                while let Ok(Some(used)) = skip(&held[at..]) {
                    at += used;
                    theirs.write_all(&reply).unwrap();
                }
                held.drain(..at);
            }
        });
        ours.set_nonblocking(true).unwrap();
        let stream = Stream::Unix(tokio::net::UnixStream::from_std(ours).unwrap());
        let timeout = Some(Duration::from_secs(10));
        let mut connection = Connection::new(stream, "test".into(), timeout);
        let mut pipeline = Pipeline::new();
        for _ in 0..50_000 {
            pipeline.push(&["GET", "a key of some length, so that the commands fill a socket"]);
        }
        let replies = connection.pipeline(&pipeline).await.unwrap();
        assert_eq!(replies.len(), 50_000);
        drop(connection);
        server.join().unwrap();
    }
}
