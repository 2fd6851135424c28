//! The half of a connection that is written.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::AsyncWriteExt;

use crate::ClientError;
use crate::stream::WriteHalf;

/// Bytes handed to the socket at once: large enough to be cheap, small enough that progress is
/// noticed.
const WRITE_PIECE: usize = 256 << 10;

/// Sends raw bytes, encoded with [`ferrite_resp::encode`].
#[derive(Debug)]
pub struct Sender {
    half: WriteHalf,
    address: Arc<str>,
    timeout: Option<Duration>,
    /// Bytes of long messages taken by the system: a sign of life for the receiver, since the
    /// system takes more only when the server does. Messages that fit at once are not counted:
    /// the system takes them for a dead server too.
    written: Arc<AtomicU64>,
}

impl Sender {
    pub(crate) fn new(
        half: WriteHalf,
        address: Arc<str>,
        timeout: Option<Duration>,
        written: Arc<AtomicU64>,
    ) -> Self {
        Self { half, address, timeout, written }
    }

    /// How long the server may accept no byte at all before [`Sender::send`] fails; `None` to
    /// wait for ever. Begins as the connector's reply timeout. Set `None` when the task that
    /// reads the replies may itself pause.
    pub fn set_timeout(&mut self, timeout: Option<Duration>) {
        self.timeout = timeout;
    }

    /// Writes all of `bytes`. When the future is dropped, part of them may have been sent.
    ///
    /// # Errors
    /// `Broken` when the connection is gone, `Timeout` when the server accepts nothing.
    pub async fn send(&mut self, bytes: &[u8]) -> Result<(), ClientError> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let piece = rest.get(..WRITE_PIECE).unwrap_or(rest);
            let count = self.write_some(piece).await?;
            if count < bytes.len() {
                self.written.fetch_add(count as u64, Ordering::Relaxed);
            }
            rest = rest.get(count..).unwrap_or_default();
        }
        self.half.flush().await.map_err(|cause| self.broken(cause))
    }

    async fn write_some(&mut self, piece: &[u8]) -> Result<usize, ClientError> {
        let write = self.half.write(piece);
        let written = match self.timeout {
            None => write.await,
            Some(after) => match tokio::time::timeout(after, write).await {
                Ok(written) => written,
                Err(_) => {
                    let (address, doing) = (self.address.to_string(), SENDING.to_owned());
                    return Err(ClientError::Timeout { address, doing, after });
                }
            },
        };
        match written {
            Ok(0) => Err(self.broken(std::io::ErrorKind::WriteZero.into())),
            Ok(count) => Ok(count),
            Err(cause) => Err(self.broken(cause)),
        }
    }

    /// Says that nothing more will be sent, and closes this direction.
    ///
    /// # Errors
    /// `Broken` when the connection is already gone.
    pub async fn shutdown(&mut self) -> Result<(), ClientError> {
        self.half.shutdown().await.map_err(|cause| self.broken(cause))
    }

    fn broken(&self, cause: std::io::Error) -> ClientError {
        let (address, doing) = (self.address.to_string(), SENDING.to_owned());
        ClientError::Broken { address, doing, cause }
    }
}

const SENDING: &str = "sending commands";
