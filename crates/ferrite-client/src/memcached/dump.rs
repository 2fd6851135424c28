//! The names of all keys, by `lru_crawler metadump`.
//!
//! ```text
//! [OK]                                                         1.6.43 and later
//! key=a%20b exp=1795213203 la=1795212703 cas=6 fetch=no cls=1 size=74
//! …
//! END                                                          missing in some versions
//! ```
//!
//! `hash` goes through the hash table, so that no key is missed that is there all the while.
//! Before there was `hash`, `all` goes through the lists of recently used keys: a key that changes
//! its list meanwhile may be missed, or come twice.

use std::time::{Duration, Instant};

use super::line::dumped_key;
use super::{DumpedKey, Memcached, line_length, refusal};
use crate::ClientError;

/// How long another crawl may go on before we give up; the server runs some by itself.
const BUSY_MAX: Duration = Duration::from_secs(60);
/// Pause before asking again while another crawl goes on.
const BUSY_PAUSE: Duration = Duration::from_millis(100);
/// After so much silence the server is asked whether there is more.
const SILENCE: Duration = Duration::from_secs(5);
/// How often it is asked, without any answer, before it counts as silent.
const SILENCES_MAX: u32 = 12;

const DOING: &str = "listing keys";
const COMMAND: &str = "lru_crawler metadump";

/// A list of keys that is being read.
#[derive(Debug)]
pub struct KeyDump {
    memcached: Memcached,
    /// What the server was asked for: `hash` or `all`.
    way: &'static str,
    /// Times the server was silent since its last line.
    silences: u32,
    ended: bool,
}

impl Memcached {
    /// Lists all keys over this connection, waiting while the server is busy with another list.
    ///
    /// # Errors
    /// `Reply` where the server does not list its keys (before 1.4.31, or without its crawler), or
    /// was busy for a minute; what happened to the connection.
    pub async fn dump(self) -> Result<KeyDump, ClientError> {
        self.dump_asking_after(SILENCE).await
    }

    /// As [`dump`](Self::dump), with another measure of silence.
    pub(super) async fn dump_asking_after(
        mut self,
        silence: Duration,
    ) -> Result<KeyDump, ClientError> {
        let began = Instant::now();
        let mut way = "hash";
        loop {
            let command = format!("{COMMAND} {way}\r\n");
            let sent = self.sender.send(command.as_bytes()).await;
            sent.map_err(|error| error.while_doing(DOING))?;
            let length = line_length(&mut self.receiver).await;
            let length = length.map_err(|error| error.while_doing(DOING))?;
            let line = self.receiver.buffered().get(..length).unwrap_or_default();
            if [&b"key="[..], b"END", b"OK"].iter().any(|word| line.starts_with(word)) {
                self.receiver.set_timeout(Some(silence));
                return Ok(KeyDump { memcached: self, way, silences: 0, ended: false });
            }
            let text = self.line(DOING).await?;
            if text.starts_with("BUSY") && began.elapsed() < BUSY_MAX {
                tokio::time::sleep(BUSY_PAUSE).await;
            } else if way == "hash" && !text.starts_with("BUSY") && !text.contains("disabled") {
                way = "all";
            } else {
                return Err(self.refusal(COMMAND, &text));
            }
        }
    }
}

impl KeyDump {
    /// Whether no key is missed that is there from the first moment to the last.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.way == "hash"
    }

    /// The next key; `None` at the end. Nothing is lost when the future is dropped.
    ///
    /// # Errors
    /// What happened to the connection; `Unexpected` for a line that names no key.
    pub async fn next(&mut self) -> Result<Option<DumpedKey>, ClientError> {
        while !self.ended {
            let length = match line_length(&mut self.memcached.receiver).await {
                Err(ClientError::Timeout { .. }) if self.silences < SILENCES_MAX => {
                    self.silences += 1;
                    // While it lists, the server takes no commands: an answer says that it is over.
                    let sent = self.memcached.sender.send(b"version\r\n").await;
                    sent.map_err(|error| error.while_doing(DOING))?;
                    continue;
                }
                length => length.map_err(|error| error.while_doing(DOING))?,
            };
            let asked = std::mem::take(&mut self.silences) > 0;
            let line = self.memcached.receiver.buffered().get(..length).unwrap_or_default();
            let found = dumped_key(line);
            let word = line.trim_ascii_end();
            let is_answer = asked && (word.starts_with(b"VERSION") || word.ends_with(b"ERROR"));
            match found {
                Some(_) => {}
                None if word == b"OK" => {}
                None if word == b"END" || is_answer => self.ended = true,
                None => {
                    let text = String::from_utf8_lossy(word).into_owned();
                    return Err(refusal(self.memcached.address(), COMMAND, &text));
                }
            }
            self.memcached.receiver.consume(length);
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }
}
