//! Where a node of a cluster sends us.
//!
//! ```text
//! MOVED 3999 127.0.0.1:6381     the slot is there, for good
//! ASK 3999 127.0.0.1:6381       this key may be there: ASKING, then the command, once
//! MOVED 3999 :6381              at the host we asked
//! ```

use super::SLOTS;
use crate::{Endpoint, ReplyError};

/// Another node that is to be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Redirect {
    /// It owns the slot.
    Moved(u16, Endpoint),
    /// The slot's keys are on their way to it.
    Ask(u16, Endpoint),
}

impl Redirect {
    /// Reads an error reply of a node that was asked at `host`; `None` if it sends us nowhere.
    pub fn parse(error: &ReplyError, host: &str) -> Option<Self> {
        let mut words = error.message.split(' ');
        let code = words.next()?;
        let slot = words.next()?.parse().ok().filter(|slot| *slot < SLOTS)?;
        // The last colon: an IPv6 address comes without brackets.
        let (told, port) = words.next()?.rsplit_once(':')?;
        let port = port.parse().ok().filter(|port| *port != 0)?;
        let host = match told {
            "" | "?" => host,
            told => told,
        };
        let endpoint = Endpoint::Tcp { host: host.to_owned(), port };
        match code {
            "MOVED" => Some(Self::Moved(slot, endpoint)),
            "ASK" => Some(Self::Ask(slot, endpoint)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Option<Redirect> {
        Redirect::parse(&ReplyError::parse(text.as_bytes()), "asked")
    }

    #[test]
    fn redirections_are_read() {
        let at = |host: &str, port| Endpoint::Tcp { host: host.to_owned(), port };
        let cases = [
            ("MOVED 3999 127.0.0.1:6381", Redirect::Moved(3999, at("127.0.0.1", 6381))),
            ("MOVED 1 :6381", Redirect::Moved(1, at("asked", 6381))),
            ("ASK 1 ::1:6381", Redirect::Ask(1, at("::1", 6381))),
            ("ASK 1 ?:1", Redirect::Ask(1, at("asked", 1))),
        ];
        for (text, expected) in cases {
            assert_eq!(parsed(text), Some(expected), "{text}");
        }
        for text in
            ["", "MOVED", "MOVED 1", "MOVED 1 a", "MOVED 99999 a:1", "ERR 1 a:1", "ASK 1 a:0"]
        {
            assert_eq!(parsed(text), None, "{text}");
        }
    }
}
