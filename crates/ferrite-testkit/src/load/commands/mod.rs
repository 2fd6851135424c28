//! The commands of the load, one file for each group; [`menu`] is those that suit a server.

mod expiry;
mod hashes;
mod keyspace;
mod lists;
mod rare;
mod scripts;
mod sets;
mod sorted_sets;
mod streams;
mod strings;

use std::collections::BTreeSet;

use super::feature::Feature;
use super::maker::Maker;
use super::words::Command;
use crate::client::{Client, ClientError};

/// A command that came with Redis 7.0, as did options of other commands that cannot be asked for.
const SINCE_7_0: &str = "PEXPIRETIME";

/// One way to make a command.
#[derive(Debug)]
pub(super) struct Kind {
    /// How often it is chosen, relative to the others.
    weight: u8,
    /// A command the server must know.
    needs: &'static str,
    make: Make,
}

#[derive(Debug)]
enum Make {
    One(fn(&mut Maker) -> Command),
    /// To be executed together.
    Several(fn(&mut Maker) -> Vec<Command>),
}

impl Kind {
    const fn new(weight: u8, needs: &'static str, make: fn(&mut Maker) -> Command) -> Kind {
        Kind { weight, needs, make: Make::One(make) }
    }

    /// As `new`, for commands that belong together.
    const fn several(
        weight: u8,
        needs: &'static str,
        make: fn(&mut Maker) -> Vec<Command>,
    ) -> Kind {
        Kind { weight, needs, make: Make::Several(make) }
    }

    /// Makes a command, or several that belong into a transaction.
    pub(super) fn commands(&self, maker: &mut Maker) -> Vec<Command> {
        match self.make {
            Make::One(make) => vec![make(maker)],
            Make::Several(make) => make(maker),
        }
    }
}

/// All ways, by what they belong to. Transactions are made of the others.
static GROUPS: [(Feature, &[Kind]); 21] = [
    (Feature::Strings, strings::KINDS),
    (Feature::Lists, lists::KINDS),
    (Feature::Sets, sets::KINDS),
    (Feature::SortedSets, sorted_sets::KINDS),
    (Feature::Hashes, hashes::KINDS),
    (Feature::Streams, streams::KINDS),
    (Feature::GroupReads, streams::GROUP_READS),
    (Feature::Claims, streams::CLAIMS),
    (Feature::HyperLogLogs, strings::HYPERLOGLOGS),
    (Feature::Expiry, expiry::KINDS),
    (Feature::FieldExpiry, hashes::FIELD_EXPIRY),
    (Feature::Keys, keyspace::KINDS),
    (Feature::Databases, keyspace::DATABASES),
    (Feature::Restore, keyspace::RESTORE),
    (Feature::Scripts, scripts::KINDS),
    (Feature::Publish, rare::PUBLISH),
    (Feature::UntoldConsumers, streams::UNTOLD_CONSUMERS),
    (Feature::Functions, rare::FUNCTIONS),
    (Feature::FlushDb, rare::FLUSHDB),
    (Feature::SwapDb, rare::SWAPDB),
    (Feature::FlushAll, rare::FLUSHALL),
];

/// The ways to choose from: each as often as it weighs.
///
/// # Errors
/// [`ClientError`] when the server does not tell which commands it knows.
pub(super) fn menu(
    client: &mut Client,
    features: &BTreeSet<Feature>,
) -> Result<Vec<&'static Kind>, ClientError> {
    let chosen = GROUPS.iter().filter(|(feature, _)| features.contains(feature));
    let kinds: Vec<&Kind> = chosen.flat_map(|(_, kinds)| *kinds).collect();
    let names: Vec<&str> = kinds.iter().map(|kind| kind.needs).collect();
    let known = known(client, names)?;
    let kinds = kinds.into_iter().filter(|kind| known.contains(kind.needs));
    Ok(kinds.flat_map(|kind| std::iter::repeat_n(kind, usize::from(kind.weight))).collect())
}

fn known<'a>(client: &mut Client, names: Vec<&'a str>) -> Result<BTreeSet<&'a str>, ClientError> {
    let mut question = vec!["COMMAND", "INFO"];
    question.extend(&names);
    let reply = client.try_call(&question)?;
    let answers = names.iter().zip(reply.items());
    Ok(answers.filter(|(_, item)| !item.items().is_empty()).map(|(name, _)| *name).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::maker::TYPES;

    #[test]
    fn every_kind_makes_commands_with_words() {
        let mut maker = Maker::new(7, 10, &[0, 1, 2]);
        for (feature, kinds) in &GROUPS {
            for kind in *kinds {
                assert!(kind.weight > 0, "{feature:?} {}", kind.needs);
                for _ in 0..100 {
                    let commands = kind.commands(&mut maker);
                    assert!(!commands.is_empty(), "{feature:?} {}", kind.needs);
                    assert!(commands.iter().all(|command| !command[0].is_empty()));
                }
            }
        }
    }

    #[test]
    fn no_command_touches_a_counter() {
        assert!(!TYPES.contains(&"counter"));
        let mut maker = Maker::new(7, 10, &[0, 1, 2]);
        for kind in GROUPS.iter().flat_map(|(_, kinds)| *kinds) {
            for word in (0..100).flat_map(|_| kind.commands(&mut maker)).flatten() {
                assert!(!word.starts_with(b"counter:"), "{}", kind.needs);
            }
        }
    }
}
