//! The half of a connection that is read.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ferrite_resp::{Decoder, Limits, ProtocolError, Value};

use crate::ClientError;
use crate::buffer::{FillError, ReadBuffer};
use crate::stream::ReadHalf;

/// Receives replies: as values, or as the raw bytes they came in.
///
/// The raw way: look at [`Receiver::buffered`] with [`ferrite_resp::peek`], [`Receiver::consume`]
/// what was understood, [`Receiver::fill`] when more is needed.
#[derive(Debug)]
pub struct Receiver {
    half: ReadHalf,
    buffer: ReadBuffer,
    decoder: Decoder,
    address: Arc<str>,
    timeout: Option<Duration>,
    /// Bytes of long messages sent by the other half: while they move, the server is alive.
    written: Arc<AtomicU64>,
}

impl Receiver {
    pub(crate) fn new(
        half: ReadHalf,
        address: Arc<str>,
        timeout: Option<Duration>,
        written: Arc<AtomicU64>,
    ) -> Self {
        let (buffer, decoder) = (ReadBuffer::new(), Decoder::default());
        Self { half, buffer, decoder, address, timeout, written }
    }

    /// The address this is connected to, for messages.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// How long to wait while no byte comes and no long message is being sent; `None` to wait for ever. Begins as
    /// the connector's reply timeout. Set `None` when replies may not be due.
    pub fn set_timeout(&mut self, timeout: Option<Duration>) {
        self.timeout = timeout;
    }

    /// Bounds what [`Receiver::value`] accepts. Call it between replies.
    pub fn set_limits(&mut self, limits: Limits) {
        self.decoder = Decoder::new(limits);
    }

    /// Bounds the bytes held unread (64 MiB to begin with).
    pub fn set_max_buffer(&mut self, bytes: usize) {
        self.buffer.set_limit(bytes);
    }

    /// Allows so many unread bytes although the bound is lower, and takes the memory at the
    /// next fill; valid until the buffer runs empty. For one huge reply wanted in one piece.
    pub fn reserve(&mut self, bytes: usize) {
        self.buffer.reserve(bytes);
    }

    /// The bytes received and not consumed.
    #[inline]
    pub fn buffered(&self) -> &[u8] {
        self.buffer.bytes()
    }

    /// Forgets the first `count` buffered bytes.
    #[inline]
    pub fn consume(&mut self, count: usize) {
        self.buffer.consume(count);
    }

    /// Waits for more bytes and appends them to [`Receiver::buffered`]; says how many, 0 when
    /// the server has closed the connection. Nothing is lost when the future is dropped.
    ///
    /// # Errors
    /// `Broken`, `Timeout`, or `TooLarge` when the buffer is full.
    pub async fn fill(&mut self) -> Result<usize, ClientError> {
        let Some(after) = self.timeout else {
            let filled = self.buffer.fill(&mut self.half).await;
            return filled.map_err(|error| self.fill_error(error));
        };
        loop {
            let before = self.written.load(Ordering::Relaxed);
            let fill = self.buffer.fill(&mut self.half);
            match tokio::time::timeout(after, fill).await {
                Ok(filled) => return filled.map_err(|error| self.fill_error(error)),
                Err(_) if self.written.load(Ordering::Relaxed) != before => {}
                Err(_) => {
                    let (address, doing) = (self.address.to_string(), WAITING.to_owned());
                    return Err(ClientError::Timeout { address, doing, after });
                }
            }
        }
    }

    /// The next reply; error replies are values here. Nothing is lost when the future is
    /// dropped, but do not mix this with [`Receiver::buffered`] within one reply.
    ///
    /// # Errors
    /// `Closed`, `Broken`, `Timeout`, or `Protocol` when the bytes are no reply or exceed the
    /// limits.
    pub async fn value(&mut self) -> Result<Value, ClientError> {
        loop {
            let decoded = self.decoder.decode(self.buffer.bytes());
            let (used, value) = decoded.map_err(|cause| self.protocol_error(cause))?;
            self.buffer.consume(used);
            if let Some(value) = value {
                return Ok(value);
            }
            if self.fill().await? == 0 {
                return Err(self.closed());
            }
        }
    }

    /// An error saying that the connection ended.
    pub(crate) fn closed(&self) -> ClientError {
        let (address, doing) = (self.address.to_string(), WAITING.to_owned());
        ClientError::Closed { address, doing, hint: String::new() }
    }

    /// An error saying that these bytes are no reply.
    pub(crate) fn protocol_error(&self, cause: ProtocolError) -> ClientError {
        let (address, doing) = (self.address.to_string(), WAITING.to_owned());
        ClientError::Protocol { address, doing, cause }
    }

    fn fill_error(&self, error: FillError) -> ClientError {
        let (address, doing) = (self.address.to_string(), WAITING.to_owned());
        match error {
            FillError::Full(limit) => ClientError::TooLarge { address, doing, limit },
            FillError::Io(cause) => ClientError::Broken { address, doing, cause },
        }
    }
}

const WAITING: &str = "waiting for a reply";
