//! What commands are for: a line for each in `keys.txt` and `server.txt`.
//!
//! ```text
//! name | complexity | arguments | summary
//! ```
//!
//! The arguments are written as in the documentation of Redis; see [`arguments`].

pub mod arguments;

use std::collections::BTreeMap;
use std::sync::LazyLock;

/// The lines; the second file has what is no matter of keys.
const TEXTS: [&str; 2] = [include_str!("keys.txt"), include_str!("server.txt")];

/// What is said of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Doc {
    /// How its time grows; empty where nothing can be said.
    pub complexity: &'static str,
    /// Its arguments, as text.
    pub usage: &'static str,
    /// What it does, in a sentence.
    pub summary: &'static str,
}

static DOCS: LazyLock<BTreeMap<&'static str, Doc>> =
    LazyLock::new(|| TEXTS.iter().flat_map(|text| text.lines()).filter_map(parse).collect());

fn parse(line: &'static str) -> Option<(&'static str, Doc)> {
    let (name, rest) = line.split_once(" | ")?;
    let (complexity, rest) = rest.split_once(" |")?;
    let (usage, summary) = rest.rsplit_once("| ")?;
    let complexity = if complexity == "-" { "" } else { complexity };
    Some((name, Doc { complexity, usage: usage.trim(), summary }))
}

/// What is said of the command of this full name (`config|get`).
pub fn of(name: &str) -> Option<Doc> {
    DOCS.get(name).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands;

    #[test]
    fn every_command_has_its_line_and_every_line_a_command() {
        for entry in commands::all() {
            let entries = std::iter::once(entry).chain(&entry.subcommands);
            for entry in entries.filter(|entry| entry.run.is_some()) {
                let name = entry.spec.name;
                let told = name.ends_with("|help") || name.starts_with("cluster|");
                assert!(told || of(name).is_some(), "{name} has no line");
            }
        }
        let lines = TEXTS.iter().flat_map(|text| text.lines());
        assert_eq!(lines.count(), DOCS.len(), "a line is wrong or is there twice");
        for (name, doc) in DOCS.iter() {
            assert!(ferrite_commands::lookup(name.as_bytes()).is_some(), "{name}");
            assert!(doc.summary.ends_with('.'), "{name}");
            assert!(arguments::parse(doc.usage).is_some(), "{name}: {}", doc.usage);
        }
    }

    #[test]
    fn a_line_is_taken_apart() {
        let get = of("getex").unwrap();
        assert_eq!(get.complexity, "O(1)");
        assert!(get.usage.starts_with("key [EX seconds|PX"));
        assert_eq!(of("multi").unwrap().usage, "");
        assert_eq!(of("exec").unwrap().complexity, "");
    }
}
