//! INFO, a file for sections that belong together.

mod calls;
mod data;
mod load;
mod replication;
mod server;

use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::ctx::{Counts, Ctx, Outcome};

/// When a section is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shown {
    /// Where nothing is asked for, too.
    Usually,
    /// With `all`.
    WithAll,
    /// With `everything`, and where nothing is asked for.
    WithEverything,
    /// When it is named.
    Named,
}

/// A section: its name, when it is shown, and what it says.
type Section = (&'static str, Shown, fn(&Ctx<'_>, &mut String));

#[rustfmt::skip]
const SECTIONS: &[Section] = &[
    ("Server", Shown::Usually, server::server),
    ("Clients", Shown::Usually, server::clients),
    ("Memory", Shown::Usually, data::memory),
    ("Persistence", Shown::Usually, data::persistence),
    ("Stats", Shown::Usually, load::stats),
    ("Replication", Shown::Usually, replication::replication),
    ("CPU", Shown::Usually, load::cpu),
    ("Modules", Shown::WithEverything, |_, _| {}),
    ("Commandstats", Shown::WithAll, calls::commands),
    ("Errorstats", Shown::Usually, calls::errors),
    ("Latencystats", Shown::WithAll, calls::latencies),
    ("Cluster", Shown::Usually, |_, text| line(text, "cluster_enabled", 0)),
    ("Keyspace", Shown::Usually, data::keyspace),
    ("Debug", Shown::Named, load::debug),
];

pub(super) fn info(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let named = words.get(1..).unwrap_or_default();
    let has = |word: &str| named.iter().any(|one| one.eq_ignore_ascii_case(word.as_bytes()));
    let (all, everything) = (has("all"), has("everything"));
    let usual = named.is_empty() || has("default");
    let mut text = String::new();
    for (name, shown, write) in SECTIONS {
        let asked = match shown {
            Shown::Usually => usual || all || everything,
            Shown::WithAll => all || everything,
            Shown::WithEverything => usual || everything,
            Shown::Named => false,
        };
        if asked || has(name) {
            if !text.is_empty() {
                text.push_str("\r\n");
            }
            text.push_str(&format!("# {name}\r\n"));
            write(ctx, &mut text);
        }
    }
    ctx.reply.verbatim("txt", text.as_bytes());
    Ok(())
}

fn line(text: &mut String, name: &str, value: impl std::fmt::Display) {
    // Writing to a string cannot fail.
    let _ = write!(text, "{name}:{value}\r\n");
}

/// A count of all threads together.
fn sum(ctx: &Ctx<'_>, of: impl Fn(&Counts) -> &AtomicU64) -> u64 {
    ctx.shared.counts.iter().map(|counts| of(counts).load(Ordering::Relaxed)).sum()
}

/// The largest of all threads.
fn largest(ctx: &Ctx<'_>, of: impl Fn(&Counts) -> &AtomicU64) -> u64 {
    let each = ctx.shared.counts.iter().map(|counts| of(counts).load(Ordering::Relaxed));
    each.max().unwrap_or(0)
}

/// Bytes for people.
fn human(bytes: u64) -> String {
    let units = [(1_u64 << 40, "T"), (1 << 30, "G"), (1 << 20, "M"), (1 << 10, "K")];
    match units.iter().find(|(size, _)| bytes >= *size) {
        Some((size, unit)) => format!("{:.2}{unit}", bytes as f64 / *size as f64),
        None => format!("{bytes}B"),
    }
}
