//! The catalogue itself: one table per group, each in a file of its own, listed here.
//!
//! A row says: name, arity, flags, the ACL categories that do not follow from the flags, the
//! places of keys, and since which versions. `tests/servers.rs` compares the rows with running
//! servers; rows for versions newer than those, and for modules, follow the public references.

use crate::command::Command;

mod array;
mod bitmap;
mod bloom;
mod cluster;
mod connection;
mod dragonfly;
mod generic;
mod geo;
mod hash;
mod hyperloglog;
mod json;
mod keydb;
mod list;
mod pubsub;
mod scripting;
mod search;
mod sentinel;
mod server;
mod set;
mod sorted_set;
mod stream;
mod string;
mod time_series;
mod transactions;
mod vector_set;

/// The tables in the order of this list.
static GROUPS: &[&[Command]] = &[
    generic::COMMANDS,
    string::COMMANDS,
    list::COMMANDS,
    hash::COMMANDS,
    set::COMMANDS,
    sorted_set::COMMANDS,
    stream::COMMANDS,
    bitmap::COMMANDS,
    hyperloglog::COMMANDS,
    geo::COMMANDS,
    array::COMMANDS,
    vector_set::COMMANDS,
    pubsub::COMMANDS,
    scripting::COMMANDS,
    transactions::COMMANDS,
    connection::COMMANDS,
    server::COMMANDS,
    cluster::COMMANDS,
    sentinel::COMMANDS,
    json::COMMANDS,
    search::COMMANDS,
    bloom::COMMANDS,
    time_series::COMMANDS,
    keydb::COMMANDS,
    dragonfly::COMMANDS,
];

/// Every command of the catalogue; subcommands hang on their containers.
pub fn all() -> impl Iterator<Item = &'static Command> {
    GROUPS.iter().copied().flatten()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::{Flag, MAX_KEY_SPECS, Place};

    fn everything() -> impl Iterator<Item = &'static Command> {
        all().flat_map(|command| std::iter::once(command).chain(command.subcommands))
    }

    #[test]
    fn names_are_unique_lower_case_and_in_order() {
        let mut seen = HashSet::new();
        for command in everything() {
            assert!(seen.insert(command.name), "{} stands twice", command.name);
            assert!(!command.name.contains(|c: char| c.is_ascii_uppercase()), "{}", command.name);
        }
        for table in GROUPS {
            assert!(table.is_sorted_by_key(|command| command.name), "{}", table[0].name);
            assert!(table.iter().all(|command| command.group == table[0].group));
        }
    }

    #[test]
    fn subcommands_carry_their_container_and_have_none_themselves() {
        for command in all() {
            assert!(!command.name.contains('|'));
            for subcommand in command.subcommands {
                assert!(subcommand.name.starts_with(&format!("{}|", command.name)));
                assert!(subcommand.subcommands.is_empty());
            }
        }
    }

    #[test]
    fn rows_are_possible() {
        for command in everything() {
            assert!(command.arity != 0, "{}", command.name);
            assert!(command.keys.len() <= MAX_KEY_SPECS, "{}", command.name);
            let both =
                command.flags.contains(Flag::Write) && command.flags.contains(Flag::ReadOnly);
            assert!(!both, "{} both writes and does not", command.name);
            for spec in command.keys {
                if let Place::Range { step, .. } | Place::Counted { step, .. } = spec.place {
                    assert!(step > 0, "{}", command.name);
                }
            }
        }
    }

    #[test]
    fn core_commands_of_every_family_are_there() {
        let names: HashSet<_> = everything().map(|command| command.name).collect();
        for name in ["get", "hsetex", "delifeq", "xackdel", "arset", "json.set", "rreplay", "stick"]
        {
            assert!(names.contains(name), "{name}");
        }
    }
}
