//! The slow log: commands that took longer than `slowlog-log-slower-than`.

use std::collections::VecDeque;

/// The most words of a command that are kept.
const WORDS: usize = 32;

/// The most bytes of a word that are kept.
const BYTES: usize = 128;

/// One command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlowCommand {
    /// Its number, from 0.
    pub id: u64,
    /// When it ran, Unix seconds.
    pub at: i64,
    /// How long, in microseconds.
    pub microseconds: i64,
    /// Its words, cut short.
    pub words: Vec<Vec<u8>>,
    /// The client's address.
    pub client: String,
    /// What the client calls itself.
    pub name: Vec<u8>,
}

/// The commands, the latest first.
#[derive(Debug, Default)]
pub struct SlowLog {
    entries: VecDeque<SlowCommand>,
    next: u64,
}

impl SlowLog {
    /// Adds a command, whose number does not matter.
    pub fn add(&mut self, mut command: SlowCommand, limit: usize) {
        command.id = self.next;
        self.next += 1;
        self.entries.push_front(command);
        self.trim(limit);
    }

    /// Forgets what is over the limit.
    pub fn trim(&mut self, limit: usize) {
        self.entries.truncate(limit);
    }

    /// Forgets everything.
    pub fn reset(&mut self) {
        self.entries.clear();
    }

    /// The commands, the latest first.
    pub fn entries(&self) -> impl ExactSizeIterator<Item = &SlowCommand> {
        self.entries.iter()
    }
}

/// The words of a command without its secrets, cut short as Redis does.
pub fn shortened(name: &str, words: &[&[u8]]) -> Vec<Vec<u8>> {
    let kept = if words.len() > WORDS { WORDS - 1 } else { words.len() };
    let mut short: Vec<Vec<u8>> = words
        .iter()
        .enumerate()
        .take(kept)
        .map(|(at, word)| match is_secret(name, words, at) {
            true => b"(redacted)".to_vec(),
            false => cut(word),
        })
        .collect();
    if kept < words.len() {
        short.push(format!("... ({} more arguments)", words.len() - kept).into_bytes());
    }
    short
}

fn cut(word: &[u8]) -> Vec<u8> {
    match word.split_at_checked(BYTES) {
        Some((head, rest)) if !rest.is_empty() => {
            [head, format!("... ({} more bytes)", rest.len()).as_bytes()].concat()
        }
        _ => word.to_vec(),
    }
}

/// Whether a word of a command must be seen by nobody.
pub(crate) fn is_secret(name: &str, words: &[&[u8]], at: usize) -> bool {
    let before = |back: usize| at.checked_sub(back).and_then(|at| words.get(at));
    let is = |word: Option<&&[u8]>, what: &str| {
        word.is_some_and(|word| word.eq_ignore_ascii_case(what.as_bytes()))
    };
    match name {
        "auth" => at > 0,
        "acl|setuser" | "acl|deluser" | "acl|getuser" => at > 1,
        "hello" => is(before(1), "auth") || is(before(2), "auth"),
        "migrate" => is(before(1), "auth") || is(before(1), "auth2") || is(before(2), "auth2"),
        "config|set" => ["requirepass", "masterauth", "masteruser", "tls-key-file-pass"]
            .iter()
            .any(|secret| is(before(1), secret)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_cut_short_and_secrets_left_out() {
        let long = vec![b'x'; 200];
        let words: Vec<&[u8]> = vec![b"set", b"k", &long];
        let expected = [&long[..128], b"... (72 more bytes)"].concat();
        assert_eq!(shortened("set", &words), [b"set".to_vec(), b"k".to_vec(), expected]);
        let many = vec![b"w".as_slice(); 40];
        let short = shortened("mget", &many);
        assert_eq!(short.len(), 32);
        assert_eq!(short[31], b"... (9 more arguments)");
        let call: Vec<&[u8]> = vec![b"CONFIG", b"SET", b"timeout", b"1", b"RequirePass", b"pw"];
        assert_eq!(shortened("config|set", &call)[5], b"(redacted)");
        assert_eq!(shortened("config|set", &call)[3], b"1");
    }

    #[test]
    fn only_so_many_are_remembered() {
        let command = |at| SlowCommand {
            id: 0,
            at,
            microseconds: 1,
            words: Vec::new(),
            client: String::new(),
            name: Vec::new(),
        };
        let mut log = SlowLog::default();
        (0..5).for_each(|at| log.add(command(at), 3));
        let ids: Vec<u64> = log.entries().map(|entry| entry.id).collect();
        assert_eq!(ids, [4, 3, 2]);
    }
}
