//! Transactions that an active KeyDB passes on from another master.
//!
//! It sends each of their commands when it comes, and executes them when the `EXEC` is there; what
//! its own clients write in between stands in the stream in between, and was executed before:
//!
//! ```text
//! stream     MULTI′  SET′ a 1   SET a 2   EXEC′
//! executed                      SET a 2          SET a 1
//! ```
//!
//! So nothing is applied while one is open: keys that are written are read again, after its end.

use std::collections::HashSet;

use super::Ended;
use crate::live::classify::{Class, Replay, classify};

/// Commands at most while transactions are open: a master that is gone will not end its own.
const COMMANDS_MAX: usize = 100_000;
/// Masters at most that have one open.
const MASTERS_MAX: usize = 256;

/// The transactions that are open.
#[derive(Debug, Default)]
pub struct Forwarded {
    masters: HashSet<Vec<u8>>,
    commands: usize,
}

impl Forwarded {
    /// Whether one is open.
    #[must_use]
    pub fn any(&self) -> bool {
        !self.masters.is_empty()
    }

    /// Takes note of a command; whether it begins or ends such a transaction and is nothing else.
    ///
    /// # Errors
    /// One that stays open, and commands that cannot be put off: everything is copied again.
    pub fn takes(&mut self, replay: &Replay<'_>) -> Result<bool, Ended> {
        let class = classify(&replay.words);
        match (replay.forwarded_from, class) {
            (Some(master), Class::Multi) => {
                self.masters.insert(master.to_vec());
                self.check()?;
                return Ok(true);
            }
            (Some(master), Class::Exec) => {
                self.masters.remove(master);
                if self.masters.is_empty() {
                    self.commands = 0;
                }
                return Ok(true);
            }
            (_, Class::FlushDb | Class::FlushAll | Class::SwapDb(..)) if self.any() => {
                return Err(Ended::Lost(String::from(
                    "the source emptied or exchanged databases within a transaction of another \
                     master",
                )));
            }
            _ => {}
        }
        if self.any() {
            self.commands += 1;
            self.check()?;
        }
        Ok(false)
    }

    fn check(&self) -> Result<(), Ended> {
        if self.commands > COMMANDS_MAX || self.masters.len() > MASTERS_MAX {
            let why = "a transaction that the source passes on from another master has no end";
            return Err(Ended::Lost(String::from(why)));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replay<'a>(words: &[&'a [u8]], from: Option<&'a [u8]>) -> Replay<'a> {
        Replay { raw: b"", words: words.to_vec(), db: None, forwarded_from: from }
    }

    #[test]
    fn it_is_open_from_multi_to_exec_of_every_master() {
        let mut forwarded = Forwarded::default();
        let mut takes = |words: &[&'static [u8]], from| {
            (forwarded.takes(&replay(words, from)).unwrap(), forwarded.any())
        };
        assert_eq!(takes(&[b"MULTI"], None), (false, false));
        assert_eq!(takes(&[b"MULTI"], Some(&b"a"[..])), (true, true));
        assert_eq!(takes(&[b"SET", b"k", b"v"], Some(b"a")), (false, true));
        assert_eq!(takes(&[b"MULTI"], Some(b"b")), (true, true));
        assert_eq!(takes(&[b"EXEC"], Some(b"a")), (true, true));
        assert_eq!(takes(&[b"EXEC"], Some(b"b")), (true, false));
        assert_eq!(takes(&[b"EXEC"], Some(b"b")), (true, false));
    }

    #[test]
    fn one_that_stays_open_ends_in_a_new_copy() {
        let mut forwarded = Forwarded::default();
        forwarded.takes(&replay(&[b"MULTI"], Some(b"a"))).unwrap();
        let set = replay(&[b"SET", b"k", b"v"], None);
        assert!((0..COMMANDS_MAX).all(|_| forwarded.takes(&set).is_ok()));
        assert!(matches!(forwarded.takes(&set), Err(Ended::Lost(_))));
        let flush = replay(&[b"FLUSHALL"], None);
        assert!(matches!(forwarded.takes(&flush), Err(Ended::Lost(_))));
        assert!(Forwarded::default().takes(&flush).is_ok());
        let mut many = Forwarded::default();
        let names: Vec<String> = (0..=MASTERS_MAX).map(|n| n.to_string()).collect();
        let begin =
            |name: &String| many.takes(&replay(&[b"MULTI"], Some(name.as_bytes()))).is_err();
        assert_eq!(names.iter().map(begin).filter(|refused| *refused).count(), 1);
    }
}
