//! `client-output-buffer-limit`: how much may wait for a client that does not read.

use super::super::scalar::{bytes, integer};
use super::super::setting::{Origin, Structure};

/// The limits of one class; 0 means none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BufferLimit {
    /// A client is disconnected at once when more than this waits.
    pub hard: u64,
    /// A client is disconnected when more than this waits for `seconds`.
    pub soft: u64,
    /// How long.
    pub seconds: u64,
}

/// The limits of all classes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BufferLimits {
    /// Ordinary clients, MONITOR included.
    pub normal: BufferLimit,
    /// Replicas.
    pub replica: BufferLimit,
    /// Clients that are subscribed.
    pub pubsub: BufferLimit,
}

impl BufferLimits {
    fn class(&mut self, name: &[u8]) -> Option<&mut BufferLimit> {
        let is = |word: &str| name.eq_ignore_ascii_case(word.as_bytes());
        match () {
            () if is("normal") => Some(&mut self.normal),
            () if is("slave") || is("replica") => Some(&mut self.replica),
            () if is("pubsub") => Some(&mut self.pubsub),
            () => None,
        }
    }

    fn classes(&self) -> [(&'static str, BufferLimit); 3] {
        [("normal", self.normal), ("slave", self.replica), ("pubsub", self.pubsub)]
    }
}

impl Structure for BufferLimits {
    fn parse(words: &[Vec<u8>], now: &Self, _: Origin) -> Result<Self, String> {
        let (classes, rest) = words.as_chunks::<4>();
        if !rest.is_empty() {
            return Err("Wrong number of arguments in buffer limit configuration.".to_owned());
        }
        let mut limits = *now;
        for [class, hard, soft, seconds] in classes {
            let limit = limits
                .class(class)
                .ok_or("Invalid client class specified in buffer limit configuration.")?;
            let wrong =
                "Error in hard, soft or soft_seconds setting in buffer limit configuration.";
            let size = |word| bytes(word).and_then(|size| u64::try_from(size).ok()).ok_or(wrong);
            let seconds = integer(seconds).and_then(|it| u64::try_from(it).ok()).ok_or(wrong)?;
            *limit = BufferLimit { hard: size(hard)?, soft: size(soft)?, seconds };
        }
        Ok(limits)
    }

    fn text(&self) -> Vec<u8> {
        let classes = self
            .classes()
            .map(|(name, limit)| format!("{name} {} {} {}", limit.hard, limit.soft, limit.seconds));
        classes.join(" ").into_bytes()
    }

    fn lines(&self) -> Vec<Vec<u8>> {
        let line = |(name, limit): (&str, BufferLimit)| {
            let name = if name == "slave" { "replica" } else { name };
            format!("{name} {} {} {}", size(limit.hard), size(limit.soft), limit.seconds)
        };
        self.classes().map(|class| line(class).into_bytes()).to_vec()
    }
}

/// Bytes with the largest unit that fits exactly.
fn size(bytes: u64) -> String {
    let units = [("gb", 1_u64 << 30), ("mb", 1 << 20), ("kb", 1 << 10)];
    match units.iter().find(|(_, size)| bytes > 0 && bytes.is_multiple_of(*size)) {
        Some((unit, size)) => format!("{}{unit}", bytes / size),
        None => bytes.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::words::split;

    fn parse(text: &str) -> Result<BufferLimits, String> {
        let words = split(text.as_bytes()).unwrap();
        BufferLimits::parse(&words, &BufferLimits::default(), Origin::Live)
    }

    #[test]
    fn classes_are_set_apart() {
        let limits = parse("replica 256mb 64mb 60 pubsub 1k 0 0").unwrap();
        assert_eq!(limits.text(), b"normal 0 0 0 slave 268435456 67108864 60 pubsub 1000 0 0");
        assert_eq!(limits.lines()[1], b"replica 256mb 64mb 60");
    }

    #[test]
    fn nonsense_is_refused() {
        assert!(parse("normal 1 2").unwrap_err().starts_with("Wrong number"));
        assert!(parse("master 1 2 3").unwrap_err().starts_with("Invalid client class"));
        assert!(parse("normal -1 2 3").unwrap_err().starts_with("Error in hard"));
    }
}
