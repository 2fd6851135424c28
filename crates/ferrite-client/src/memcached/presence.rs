//! Whether a server has keys, without reading their values where it can be asked so.

use super::values::Answer;
use super::{Memcached, line_length};
use crate::ClientError;

const DOING: &str = "asking which keys there are";

impl Memcached {
    /// Which of the keys there are; one that the server cannot be asked for counts as there.
    ///
    /// # Errors
    /// `Unexpected` for an answer that is none; what happened to the connection.
    pub async fn exist(&mut self, keys: &[&[u8]]) -> Result<Vec<bool>, ClientError> {
        let mut there = vec![true; keys.len()];
        let asked: Vec<usize> = keys
            .iter()
            .enumerate()
            .filter(|(_, key)| self.can_ask(key))
            .map(|(at, _)| at)
            .collect();
        let mut rest = asked.as_slice();
        while !rest.is_empty() {
            let names = rest.iter().filter_map(|at| keys.get(*at).copied());
            let count = match self.abilities.meta {
                true => self.ask_for(names, b"").await?,
                false => self.ask(names).await?,
            };
            let (now, later) = rest.split_at(count.clamp(1, rest.len()));
            for at in now {
                let is_there = match self.abilities.meta {
                    true => self.presence().await?,
                    false => self.presence_by_value().await?,
                };
                if let Some(slot) = there.get_mut(*at) {
                    *slot = is_there;
                }
            }
            rest = later;
        }
        Ok(there)
    }

    /// `HD` for a key that is there, `EN` for one that is not.
    async fn presence(&mut self) -> Result<bool, ClientError> {
        let length = line_length(&mut self.receiver).await;
        let length = length.map_err(|error| error.while_doing(DOING))?;
        let line = self.receiver.buffered().get(..length).unwrap_or_default();
        let (is_there, is_gone) = (line.starts_with(b"HD"), line.starts_with(b"EN"));
        let text = String::from_utf8_lossy(line.trim_ascii_end()).into_owned();
        self.receiver.consume(length);
        self.pending = self.pending.saturating_sub(1);
        match is_there || is_gone {
            true => Ok(is_there),
            false => Err(self.refusal("mg", &text)),
        }
    }

    async fn presence_by_value(&mut self) -> Result<bool, ClientError> {
        match self.answer(usize::MAX).await? {
            Answer::Missing => Ok(false),
            Answer::Small(_) | Answer::Large(_) => {
                self.taken();
                Ok(true)
            }
        }
    }
}
