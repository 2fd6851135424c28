//! From a name on the wire to its entry, without regard to case and without allocating.
//!
//! An open-addressed table of about a thousand entries, filled on first use: a command stream
//! looks up every command it carries.

use std::sync::LazyLock;

use crate::catalogue::all;
use crate::command::Command;

/// Slots of the table: a power of two, at least twice the entries, so that probes stay short
/// and end (a test checks the load).
const CAPACITY: usize = 4096;

static INDEX: LazyLock<Vec<Option<&'static Command>>> = LazyLock::new(build);

fn build() -> Vec<Option<&'static Command>> {
    let mut index = vec![None; CAPACITY];
    let with_subcommands =
        all().flat_map(|command| std::iter::once(command).chain(command.subcommands));
    for command in with_subcommands {
        let free = probe(command.name.as_bytes()).find(|at| matches!(index.get(*at), Some(None)));
        if let Some(place) = free.and_then(|at| index.get_mut(at)) {
            *place = Some(command);
        }
    }
    index
}

/// The places where `name` may stand, in order, each once.
fn probe(name: &[u8]) -> impl Iterator<Item = usize> {
    let start = hash(name);
    (0..CAPACITY).map(move |step| start.wrapping_add(step) % CAPACITY)
}

/// FNV-1a over the lower-case bytes.
fn hash(name: &[u8]) -> usize {
    let sum = name.iter().fold(0xcbf2_9ce4_8422_2325_u64, |sum, byte| {
        (sum ^ u64::from(byte.to_ascii_lowercase())).wrapping_mul(0x0100_0000_01b3)
    });
    (sum ^ (sum >> 32)) as usize
}

/// The entry of the command called `name`, in any case; a subcommand is found under its full
/// name, as in `config|get`.
pub fn lookup(name: &[u8]) -> Option<&'static Command> {
    for at in probe(name) {
        let command = (*INDEX.get(at)?)?;
        if command.name.as_bytes().eq_ignore_ascii_case(name) {
            return Some(command);
        }
    }
    None
}

/// The entry of a whole call, name first: for a container the subcommand that the second word
/// names, or the container itself when that word is missing or unknown.
pub fn resolve<A: AsRef<[u8]>>(arguments: &[A]) -> Option<&'static Command> {
    let command = lookup(arguments.first()?.as_ref())?;
    let Some(word) = arguments.get(1).filter(|_| !command.subcommands.is_empty()) else {
        return Some(command);
    };
    let named = command.subcommands.iter().find(|subcommand| {
        let short = subcommand.name.get(command.name.len() + 1..).unwrap_or_default();
        short.as_bytes().eq_ignore_ascii_case(word.as_ref())
    });
    Some(named.unwrap_or(command))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_holds_everything_with_room_to_spare() {
        let filled = INDEX.iter().flatten().count();
        let named: usize = all().map(|command| 1 + command.subcommands.len()).sum();
        assert_eq!(filled, named);
        assert!(filled * 2 <= CAPACITY);
    }

    #[test]
    fn case_does_not_matter_and_unknown_is_none() {
        assert_eq!(lookup(b"HsEt").map(|command| command.name), Some("hset"));
        assert_eq!(lookup(b"CONFIG|GET").map(|command| command.name), Some("config|get"));
        assert!(lookup(b"nosuch").is_none());
        assert!(lookup(b"").is_none());
        assert!(lookup(&[0xff; 4096]).is_none());
    }

    #[test]
    fn calls_of_containers_resolve_to_subcommands() {
        let name = |call: &[&str]| resolve(call).map(|command| command.name);
        assert_eq!(name(&["xgroup", "CREATE", "k", "g", "$"]), Some("xgroup|create"));
        assert_eq!(name(&["CONFIG"]), Some("config"));
        assert_eq!(name(&["config", "nosuch"]), Some("config"));
        assert_eq!(name(&["get", "config"]), Some("get"));
        assert_eq!(name(&[]), None);
    }
}
