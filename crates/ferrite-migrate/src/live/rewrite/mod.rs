//! How a command of the replication stream is written to the target: with absolute, held
//! expiries.
//!
//! ```text
//! EXPIRE k 10                ->  PEXPIREAT k <received + 10000 + hold>
//! SETEX k 10 v               ->  SET k v PXAT <received + 10000 + hold>
//! SET k v PXAT t             ->  SET k v PXAT <t + hold>
//! HPEXPIREAT k t FIELDS 1 f  ->  HPEXPIREAT k <t + hold> FIELDS 1 f
//! SET k v                    ->  as it is
//! ```
//!
//! Why expiries are held: [`hold`](mod@hold). Sources before Redis 7.0 send relative times, which
//! count from the moment a command was received.
//!
//! A command is in the stream because it had an effect at the source, so a condition on a whole
//! command (`SET … IFEQ`, `EXPIRE … GT`, `MSETEX … NX`, `HSETEX … FNX`) has held there. It is left
//! out wherever the command is written anew, which suits targets that do not know it; `NX` and
//! `XX` of `SET`, which all know, stay. Conditions on single fields of a hash stay too.
//!
//! Pure functions, no I/O. The forms are those of the public command references, Redis 2.8 to
//! 8.10, Valkey 7.2 to 9.1 and KeyDB; `servers.rs` runs them on real servers.

mod abilities;
mod expire;
mod hash;
pub mod hold;
mod output;
mod restore;
mod string;
mod time;

#[cfg(test)]
pub(in crate::live) mod servers;
#[cfg(test)]
pub(in crate::live) mod tests;

pub use abilities::Abilities;
pub use hold::{HOLD_MS, hold, release};
pub use time::Times;

use output::Output;
use time::{AT_MILLISECOND, AT_SECOND, IN_MILLISECONDS, IN_SECONDS};

/// The longest name of a command with an expiry.
const MAX_NAME: usize = 17;

/// What is to be sent for one command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rewrite {
    /// The command itself.
    AsIs,
    /// What was appended to the output: so many commands, to be applied together.
    Commands(usize),
    /// Nothing that would be exact: the values of its keys have to be fetched again.
    Refetch,
}

/// One command being rewritten.
struct Call<'a> {
    words: &'a [&'a [u8]],
    times: &'a Times,
    abilities: &'a Abilities,
}

/// Rewrites one command, `words` being its name and arguments, in the form in which a source sent
/// it. Commands without an expiry cost a look at their name.
///
/// Appends to `out` if and only if the answer is [`Rewrite::Commands`]. Words that no server
/// would have accepted give [`Rewrite::Refetch`], never a panic.
#[must_use]
pub fn rewrite(
    words: &[&[u8]],
    times: &Times,
    abilities: &Abilities,
    out: &mut Vec<u8>,
) -> Rewrite {
    let Some((&name, arguments)) = words.split_first() else { return Rewrite::AsIs };
    let is_plain_set = arguments.len() == 2 && name.eq_ignore_ascii_case(b"SET");
    if is_plain_set || !may_expire(name) {
        return Rewrite::AsIs;
    }
    let start = out.len();
    let mut output = Output::new(out);
    let call = Call { words, times, abilities };
    let answer = call.dispatch(&mut output).unwrap_or(Rewrite::Refetch);
    if answer == Rewrite::Refetch {
        out.truncate(start);
    }
    answer
}

/// Whether a command of this name may carry an expiry, by its length and first letter: most
/// commands of a stream go no further.
#[inline]
fn may_expire(name: &[u8]) -> bool {
    let Some(first) = name.first() else { return false };
    match name.len() {
        3 | 5 => matches!(first, b'S' | b's' | b'G' | b'g'),
        6..=MAX_NAME => {
            matches!(first.to_ascii_uppercase(), b'E' | b'P' | b'R' | b'H' | b'M' | b'I' | b'K')
        }
        _ => false,
    }
}

impl Call<'_> {
    /// The answer for a command that may carry an expiry; `None` means to fetch again.
    fn dispatch(&self, out: &mut Output<'_>) -> Option<Rewrite> {
        let mut room = [0; MAX_NAME];
        let name = self.words.first()?;
        let upper = room.get_mut(..name.len())?;
        upper.copy_from_slice(name);
        upper.make_ascii_uppercase();
        match &*upper {
            b"SET" => self.set(out),
            b"SETEX" => self.setex(IN_SECONDS, out),
            b"PSETEX" => self.setex(IN_MILLISECONDS, out),
            b"GETEX" => self.getex(out),
            b"MSETEX" => self.msetex(out),
            b"EXPIRE" => self.expire(IN_SECONDS, out),
            b"PEXPIRE" => self.expire(IN_MILLISECONDS, out),
            b"EXPIREAT" => self.expire(AT_SECOND, out),
            b"PEXPIREAT" => self.expire(AT_MILLISECOND, out),
            b"EXPIREMEMBER" => self.expire_member_in(out),
            b"EXPIREMEMBERAT" => self.expire_member(AT_SECOND, out),
            b"PEXPIREMEMBERAT" => self.expire_member(AT_MILLISECOND, out),
            b"RESTORE" | b"RESTORE-ASKING" => self.restore(out),
            b"HEXPIRE" => self.hexpire(IN_SECONDS, out),
            b"HPEXPIRE" => self.hexpire(IN_MILLISECONDS, out),
            b"HEXPIREAT" => self.hexpire(AT_SECOND, out),
            b"HPEXPIREAT" => self.hexpire(AT_MILLISECOND, out),
            b"HSETEX" => self.hsetex(out),
            b"HGETEX" => self.hgetex(out),
            // Forms that no source sends as they are, with expiries in them all the same.
            b"INCREX" | b"KEYDB.MVCCRESTORE" => None,
            _ => Some(Rewrite::AsIs),
        }
    }

    fn word(&self, at: usize) -> Option<&[u8]> {
        self.words.get(at).copied()
    }

    /// The key of commands that have it behind their name.
    fn key(&self) -> Option<&[u8]> {
        self.word(1)
    }
}

/// The answer after writing.
fn commands(out: &Output<'_>) -> Option<Rewrite> {
    Some(Rewrite::Commands(out.written()))
}

fn is_any(word: &[u8], names: &[&str]) -> bool {
    names.iter().any(|name| word.eq_ignore_ascii_case(name.as_bytes()))
}
