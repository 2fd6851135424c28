//! `notify-keyspace-events`: which events are published, one letter a class.

use super::super::setting::{Origin, Structure};
use super::super::words;
use crate::notify;

/// Classes of events, as [`notify::Class`] numbers them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct EventClasses(pub u32);

impl Structure for EventClasses {
    fn parse(words: &[Vec<u8>], _: &Self, _: Origin) -> Result<Self, String> {
        let [word] = words else { return Err("wrong number of arguments".to_owned()) };
        let letters = str::from_utf8(word).ok();
        letters
            .and_then(notify::parse)
            .map(Self)
            .ok_or_else(|| "Invalid event class character. Use 'Ag$lshzxeKEtmdn'.".to_owned())
    }

    fn text(&self) -> Vec<u8> {
        notify::text(self.0).into_bytes()
    }

    fn lines(&self) -> Vec<Vec<u8>> {
        vec![words::quote(&self.text())]
    }
}
