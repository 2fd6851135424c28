//! What a writer sends at once, and what it makes of the answers.

use super::commands::Kind;
use super::counters::Counter;
use super::maker::Maker;
use super::words::{Command, command};
use crate::client::{Client, ClientError, Reply};

/// One in so many operations is a transaction, and one an increment of a counter.
const TRANSACTION_EVERY: u64 = 20;
const COUNTER_EVERY: u64 = 12;
/// Most commands of a transaction.
const MAX_TRANSACTION: usize = 6;
/// First words of errors that say the server takes no writes now, or none from us.
const REFUSALS: [&str; 13] = [
    "READONLY",
    "LOADING",
    "MASTERDOWN",
    "CLUSTERDOWN",
    "MISCONF",
    "OOM",
    "NOREPLICAS",
    "EXECABORT",
    "BUSY",
    "TRYAGAIN",
    "MOVED",
    "NOAUTH",
    "NOPERM",
];

/// Where operations come from.
#[derive(Debug)]
pub(super) struct Choice<'a> {
    /// Each as often as it weighs.
    pub menu: &'a [&'static Kind],
    /// Whether there are transactions.
    pub transactions: bool,
}

/// One operation: a command, or a transaction.
#[derive(Debug)]
pub(super) struct Operation {
    commands: Vec<Command>,
    /// The counter it increments, by place; in a transaction that is the first command.
    counter: Option<usize>,
}

/// How an operation was answered.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Without an error.
    Done,
    /// With an error about this operation.
    Failed(String),
    /// The server takes no writes.
    Refused(String),
}

impl Operation {
    /// Any operation on the current database of the maker.
    pub(super) fn any(maker: &mut Maker, choice: &Choice<'_>, counters: usize) -> Operation {
        let counts = maker.in_first_database() && maker.once_in(COUNTER_EVERY);
        let counter = (counts && counters > 0).then(|| maker.below(counters));
        if choice.transactions && maker.once_in(TRANSACTION_EVERY) {
            let count = 1 + maker.below(MAX_TRANSACTION);
            let commands = (0..count).flat_map(|_| chosen(maker, choice)).collect();
            return Operation { commands, counter }.in_transaction();
        }
        let commands = if counter.is_some() { Vec::new() } else { chosen(maker, choice) };
        let operation = Operation { commands, counter };
        if operation.commands.len() > 1 { operation.in_transaction() } else { operation }
    }

    fn in_transaction(mut self) -> Operation {
        self.commands.insert(0, command!["MULTI"]);
        self.commands.push(command!["EXEC"]);
        self
    }

    /// Queues it for sending, with the increment of its counter.
    pub(super) fn queue(&mut self, client: &mut Client, counters: &[Counter]) {
        if let Some(counter) = self.counter.and_then(|place| counters.get(place)) {
            let place = self.commands.len().min(1);
            self.commands.insert(place, command!["INCR", counter.key.as_str()]);
        }
        self.commands.iter().for_each(|command| client.queue(command));
    }

    /// Reads its answers, and settles what it did to its counter and to what the maker remembers.
    ///
    /// # Errors
    /// [`ClientError`] when there is no answer: whether it was executed is not known.
    pub(super) fn settle(
        &self,
        client: &mut Client,
        maker: &mut Maker,
        counters: &mut [Counter],
    ) -> Result<Outcome, ClientError> {
        let mut error = None;
        let mut last = Reply::Nil;
        for _ in &self.commands {
            last = client.read()?;
            error = error.or_else(|| error_of(&last));
        }
        self.learn(maker, &last);
        let increment = last.items().first().unwrap_or(&last);
        let counter = self.counter.and_then(|place| counters.get_mut(place));
        if let (Some(counter), Reply::Int(_)) = (counter, increment) {
            counter.min += 1;
            counter.max += 1;
        }
        Ok(error.map_or(Outcome::Done, judged))
    }

    /// Its answer will not come: it may have been executed.
    pub(super) fn lose(&self, counters: &mut [Counter]) {
        if let Some(counter) = self.counter.and_then(|place| counters.get_mut(place)) {
            counter.max += 1;
        }
    }

    fn learn(&self, maker: &mut Maker, reply: &Reply) {
        let (Some(words), Some(bytes)) = (self.commands.first(), reply.bytes()) else { return };
        match (words.first().map(Vec::as_slice), words.get(1)) {
            (Some(b"XADD"), Some(key)) => {
                maker.remember_entry(String::from_utf8_lossy(key).into_owned(), bytes);
            }
            (Some(b"DUMP"), _) => maker.remember_payload(bytes),
            _ => {}
        }
    }
}

/// What the menu gives, or a command that is due.
fn chosen(maker: &mut Maker, choice: &Choice<'_>) -> Vec<Command> {
    if let Some(command) = maker.renewal() {
        return vec![command];
    }
    let place = maker.below(choice.menu.len().max(1));
    choice.menu.get(place).map_or_else(|| vec![command!["PING"]], |kind| kind.commands(maker))
}

/// The error a reply is, or has in it.
fn error_of(reply: &Reply) -> Option<String> {
    match reply {
        Reply::Error(text) => Some(text.clone()),
        _ => reply.items().iter().find_map(|item| match item {
            Reply::Error(text) => Some(text.clone()),
            _ => None,
        }),
    }
}

fn judged(text: String) -> Outcome {
    let word = text.split(' ').next().unwrap_or_default();
    if REFUSALS.contains(&word) { Outcome::Refused(text) } else { Outcome::Failed(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_told_from_failures_by_their_whole_first_word() {
        let failed = judged("BUSYGROUP Consumer Group name already exists".to_owned());
        assert!(matches!(failed, Outcome::Failed(_)));
        let refused = judged("BUSY Redis is busy running a script".to_owned());
        assert!(matches!(refused, Outcome::Refused(_)));
    }

    #[test]
    fn an_error_inside_a_transaction_is_found() {
        let reply = Reply::Array(vec![Reply::Int(1), Reply::Error("ERR no".to_owned())]);
        assert_eq!(error_of(&reply).as_deref(), Some("ERR no"));
        assert_eq!(error_of(&Reply::Array(vec![Reply::Nil])), None);
    }
}
