//! XINFO STREAM key FULL, taken apart into facts that can be compared one by one.
//!
//! ```text
//! length, last-generated-id [, max-deleted-entry-id, entries-added]      since Redis 7.0
//! entries: [id, [field, value, …]]…
//! groups:  name, last-delivered-id [, entries-read, lag], pel: [id, consumer, ms, count]…,
//!          consumers: name, seen-time [, active-time], …
//! ```
//!
//! What follows from other facts (lag, first id, counts) or tells of encodings (radix tree) is left
//! out.

use std::collections::BTreeMap;

use super::listing::Blob;
use crate::client::Reply;

/// Facts of a stream by name, such as `entry 5-1` or `group "g" pending 5-1`.
pub(super) type Facts = BTreeMap<String, Blob>;

/// Facts that servers before Redis 7.0 or 7.2 do not tell.
const NEWER: [&str; 4] = ["max-deleted-entry-id", "entries-added", "entries-read", "active-time"];
/// Facts about moments that no command can set.
const VOLATILE: [&str; 2] = ["seen-time", "active-time"];

/// Whether a fact is to be compared: not when one server cannot tell it, nor, unless `strict`, when
/// no copy made by commands could have it.
pub(super) fn matters(fact: &str, first: &Facts, second: &Facts, strict: bool) -> bool {
    let is = |names: &[&str]| names.iter().any(|name| fact.ends_with(name));
    let told_by_both = first.contains_key(fact) && second.contains_key(fact);
    (told_by_both || !is(&NEWER)) && (strict || !is(&VOLATILE))
}

/// The facts in a reply to XINFO STREAM FULL.
pub(super) fn of(reply: &Reply) -> Facts {
    let mut facts = Facts::new();
    for name in ["length", "last-generated-id", "max-deleted-entry-id", "entries-added"] {
        note(&mut facts, String::new(), reply, name);
    }
    for entry in field(reply, "entries").map(Reply::items).unwrap_or_default() {
        if let [id, fields] = entry.items() {
            facts.insert(format!("entry {}", id.text()), flat(fields));
        }
    }
    for group in field(reply, "groups").map(Reply::items).unwrap_or_default() {
        note_group(&mut facts, group);
    }
    facts
}

fn note_group(facts: &mut Facts, group: &Reply) {
    let prefix =
        format!("group {} ", field(group, "name").map(Reply::to_string).unwrap_or_default());
    for name in ["last-delivered-id", "entries-read"] {
        note(facts, prefix.clone(), group, name);
    }
    for pending in
        field(group, "pending").or(field(group, "pel")).map(Reply::items).unwrap_or_default()
    {
        if let [id, consumer, time, count] = pending.items() {
            let (time, count) = (time.int().unwrap_or(-1), count.int().unwrap_or(-1));
            let told = format!("with {consumer}, delivered at {time} ms, {count} times");
            facts.insert(format!("{prefix}pending {}", id.text()), Blob::new(told.as_bytes()));
        }
    }
    for consumer in field(group, "consumers").map(Reply::items).unwrap_or_default() {
        let name = field(consumer, "name").map(Reply::to_string).unwrap_or_default();
        let prefix = format!("{prefix}consumer {name} ");
        facts.insert(format!("{prefix}exists"), Blob::new(b"yes"));
        for name in VOLATILE {
            note(facts, prefix.clone(), consumer, name);
        }
    }
}

/// Notes a named part of a reply, if it is there.
fn note(facts: &mut Facts, prefix: String, reply: &Reply, name: &str) {
    if let Some(value) = field(reply, name) {
        facts.insert(prefix + name, Blob::new(value.text().as_bytes()));
    }
}

/// A value of a flat list of names and values.
fn field<'a>(reply: &'a Reply, name: &str) -> Option<&'a Reply> {
    reply.items().chunks(2).find_map(|pair| match pair {
        [key, value] if *key == *name => Some(value),
        _ => None,
    })
}

/// Fields and values of an entry in one string that no other fields and values give.
fn flat(fields: &Reply) -> Blob {
    let mut bytes = Vec::new();
    for item in fields.items() {
        let item = item.bytes().unwrap_or_default();
        if item.len() > 32 || !item.is_ascii() || item.contains(&b' ') {
            bytes.extend_from_slice(format!("({}) ", item.len()).as_bytes());
        }
        bytes.extend_from_slice(item);
        bytes.push(b' ');
    }
    Blob::new(&bytes)
}
