//! Asks for values, many at a time, and takes the answers in their order.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::line::{ValueHeader, value_header};
use super::{Memcached, line_length};
use crate::ClientError;

/// Bytes of one request at most: a socket takes it whole, so that a server which waits for its
/// answers to be read does not keep us from reading them.
pub const REQUEST_BYTES_MAX: usize = 16 << 10;
/// Bytes of a large value that are given at a time.
const PIECE_BYTES: usize = 64 << 10;

const DOING: &str = "reading values";

/// The answer to one key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// The server does not have it: it expired, was evicted or deleted.
    Missing,
    /// Its value is in [`Memcached::value`] until [`Memcached::taken`].
    Small(ValueHeader),
    /// Its value comes by [`Memcached::piece`].
    Large(ValueHeader),
}

impl Memcached {
    /// Whether the server can be asked for a key of this name.
    #[must_use]
    pub fn can_ask(&self, key: &[u8]) -> bool {
        !key.is_empty() && (self.abilities.binary_keys || is_plain(key))
    }

    /// Asks for as many of the keys as fit one request, and says how many those are;
    /// [`answer`](Self::answer) then gives them in this order. All of them are keys that the
    /// server [can be asked](Self::can_ask) for.
    ///
    /// # Errors
    /// `Unusable` before all answers to the last request were taken; what happened to the
    /// connection.
    pub async fn ask<'k>(
        &mut self,
        keys: impl IntoIterator<Item = &'k [u8]>,
    ) -> Result<usize, ClientError> {
        self.ask_for(keys, b" v f t c").await
    }

    /// The same for what these flags of `mg` name.
    pub(super) async fn ask_for<'k>(
        &mut self,
        keys: impl IntoIterator<Item = &'k [u8]>,
        flags: &[u8],
    ) -> Result<usize, ClientError> {
        if self.pending > 0 || self.rest > 0 {
            return Err(ClientError::Unusable { address: self.address().to_owned() });
        }
        let mut request = Vec::with_capacity(REQUEST_BYTES_MAX);
        let mut asked = 0;
        for key in keys {
            let before = request.len();
            self.write_question(&mut request, key, flags);
            if request.len() > REQUEST_BYTES_MAX {
                request.truncate(before);
                break;
            }
            asked += 1;
        }
        self.pending = asked;
        self.sender.send(&request).await.map_err(|error| error.while_doing(DOING))?;
        Ok(asked)
    }

    fn write_question(&self, request: &mut Vec<u8>, key: &[u8], flags: &[u8]) {
        let plain = is_plain(key);
        request.extend_from_slice(if self.abilities.meta { b"mg " } else { b"gets " });
        match plain {
            true => request.extend_from_slice(key),
            false => request.extend_from_slice(STANDARD.encode(key).as_bytes()),
        }
        if self.abilities.meta {
            request.extend_from_slice(flags);
            request.extend_from_slice(if self.abilities.leaves_order { b" u" } else { b"" });
            request.extend_from_slice(if plain { b"" } else { b" b" });
        }
        request.extend_from_slice(b"\r\n");
    }

    /// The next answer; a value of more than `limit` bytes is a large one.
    ///
    /// # Errors
    /// `Reply` where the server refuses this key: the answers to the others still come. `Unexpected`
    /// for an answer that is none; what happened to the connection.
    pub async fn answer(&mut self, limit: usize) -> Result<Answer, ClientError> {
        if self.pending == 0 || self.rest > 0 {
            return Err(ClientError::Unusable { address: self.address().to_owned() });
        }
        let length = line_length(&mut self.receiver).await;
        let length = length.map_err(|error| error.while_doing(DOING))?;
        let line = self.receiver.buffered().get(..length).unwrap_or_default();
        if line.starts_with(b"EN\r") || line.starts_with(b"END\r") {
            self.receiver.consume(length);
            self.pending -= 1;
            return Ok(Answer::Missing);
        }
        let Some(header) = value_header(line) else {
            let text = String::from_utf8_lossy(line.trim_ascii_end()).into_owned();
            self.receiver.consume(length);
            self.pending -= 1;
            return Err(self.refusal(if self.abilities.meta { "mg" } else { "gets" }, &text));
        };
        self.receiver.consume(length);
        self.rest = header.size.saturating_add(self.tail().len());
        if header.size > limit {
            return Ok(Answer::Large(header));
        }
        self.receiver.reserve(self.rest);
        while self.receiver.buffered().len() < self.rest {
            self.more().await?;
        }
        self.check_tail(header.size)?;
        Ok(Answer::Small(header))
    }

    /// The value of the small answer that came last.
    #[must_use]
    pub fn value(&self) -> &[u8] {
        let size = self.rest.saturating_sub(self.tail().len());
        self.receiver.buffered().get(..size).unwrap_or_default()
    }

    /// Forgets the value of the small answer that came last.
    pub fn taken(&mut self) {
        self.receiver.consume(std::mem::take(&mut self.rest));
        self.pending = self.pending.saturating_sub(1);
    }

    /// Gives the next piece of a large value to `piece`; says whether more follow.
    ///
    /// # Errors
    /// What happened to the connection; `Unexpected` for a value that does not end where it
    /// should.
    pub async fn piece(&mut self, piece: impl FnOnce(&[u8])) -> Result<bool, ClientError> {
        let tail = self.tail().len();
        let left = self.rest.saturating_sub(tail);
        let wanted = if left > PIECE_BYTES { PIECE_BYTES } else { self.rest };
        while self.receiver.buffered().len() < wanted {
            self.more().await?;
        }
        let bytes = left.min(PIECE_BYTES);
        piece(self.receiver.buffered().get(..bytes).unwrap_or_default());
        if left <= PIECE_BYTES {
            self.check_tail(bytes)?;
            self.taken();
            return Ok(false);
        }
        self.receiver.consume(bytes);
        self.rest -= bytes;
        Ok(true)
    }

    /// What stands behind a value.
    fn tail(&self) -> &'static [u8] {
        if self.abilities.meta { b"\r\n" } else { b"\r\nEND\r\n" }
    }

    fn check_tail(&self, size: usize) -> Result<(), ClientError> {
        let behind = self.receiver.buffered().get(size..).unwrap_or_default();
        match behind.starts_with(self.tail()) {
            true => Ok(()),
            false => Err(self.unexpected(DOING, "a value that does not end where it should")),
        }
    }

    async fn more(&mut self) -> Result<(), ClientError> {
        match self.receiver.fill().await.map_err(|error| error.while_doing(DOING))? {
            0 => Err(self.receiver.closed().while_doing(DOING)),
            _ => Ok(()),
        }
    }

    /// How long the server may be silent while an answer is due.
    pub(super) fn set_timeout(&mut self, timeout: Option<std::time::Duration>) {
        self.sender.set_timeout(timeout);
        self.receiver.set_timeout(timeout);
    }
}

/// Whether a key can be written in a line as it is.
fn is_plain(key: &[u8]) -> bool {
    key.iter().all(|byte| *byte > b' ' && *byte != 0x7f)
}
