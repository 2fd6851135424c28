//! Differences between two listings, in words.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;

use super::{Blob, Entry, Expiry, Listing, Value};
use crate::dataset::stream_facts;

/// Differences told before the rest is only counted.
const MAX_DIFFERENCES: usize = 100;
/// Differences told of one key before the rest is only counted.
const MAX_PER_KEY: usize = 5;

pub(super) fn differences(first: &Listing, second: &Listing, strict: bool) -> Vec<String> {
    shorten(all(first, second, strict), MAX_DIFFERENCES)
}

/// Every difference, however many.
pub(super) fn all(first: &Listing, second: &Listing, strict: bool) -> Vec<String> {
    let mut found = Vec::new();
    if let (Some(first), Some(second)) = (&first.functions, &second.functions) {
        found.extend(maps(first, second, "function library", |_| true));
    }
    let empty = BTreeMap::new();
    let numbers: BTreeSet<&u32> = first.databases.keys().chain(second.databases.keys()).collect();
    for number in numbers {
        let first = first.databases.get(number).unwrap_or(&empty);
        let second = second.databases.get(number).unwrap_or(&empty);
        databases(*number, first, second, strict, &mut found);
    }
    found
}

fn databases(
    number: u32,
    first: &BTreeMap<Vec<u8>, Entry>,
    second: &BTreeMap<Vec<u8>, Entry>,
    strict: bool,
    found: &mut Vec<String>,
) {
    let keys: BTreeSet<&Vec<u8>> = first.keys().chain(second.keys()).collect();
    for key in keys {
        let name = format!("db {number} {}", Blob::new(key));
        match (first.get(key), second.get(key)) {
            (Some(first), Some(second)) => {
                let lines = shorten(entries(first, second, strict), MAX_PER_KEY);
                found.extend(lines.into_iter().map(|line| format!("{name}: {line}")));
            }
            (Some(entry), None) => {
                found.push(format!("{name}: only the first has this {}", entry.value.kind()));
            }
            (_, Some(entry)) => {
                found.push(format!("{name}: only the second has this {}", entry.value.kind()));
            }
            (None, None) => {}
        }
    }
}

fn shorten(mut lines: Vec<String>, most: usize) -> Vec<String> {
    if lines.len() > most {
        let rest = lines.len() - most;
        lines.truncate(most);
        lines.push(format!("and {rest} more differences"));
    }
    lines
}

fn entries(first: &Entry, second: &Entry, strict: bool) -> Vec<String> {
    let mut lines = values(&first.value, &second.value, strict);
    let agree = match (first.expiry, second.expiry) {
        (Some(first), Some(second)) => first.agrees(second),
        (None, None) => true,
        _ => false,
    };
    if !agree {
        let tell = |expiry: Option<Expiry>| match expiry {
            Some(Expiry { at_ms, tolerance_ms: 0 }) => format!("expires at {at_ms} ms"),
            Some(Expiry { at_ms, tolerance_ms }) => {
                format!("expires at {at_ms} ms (give or take {tolerance_ms} ms)")
            }
            None => "never expires".to_owned(),
        };
        lines.push(format!("the first {}, the second {}", tell(first.expiry), tell(second.expiry)));
    }
    lines
}

fn values(first: &Value, second: &Value, strict: bool) -> Vec<String> {
    match (first, second) {
        (Value::String(first), Value::String(second)) => unequal("value", first, second),
        (Value::List(first), Value::List(second)) => lists(first, second),
        (Value::Set(first), Value::Set(second)) => sets(first, second),
        (Value::Hash(first), Value::Hash(second)) => {
            maps(&told_fields(first), &told_fields(second), "field", |_| true)
        }
        (Value::SortedSet(first), Value::SortedSet(second)) => {
            maps(&told_scores(first), &told_scores(second), "member", |_| true)
        }
        (Value::Stream(first), Value::Stream(second)) => maps(first, second, "stream's", |fact| {
            stream_facts::matters(fact, first, second, strict)
        }),
        (Value::Other(first_kind, first), Value::Other(second_kind, second))
            if first_kind == second_kind =>
        {
            unequal("DUMP", first, second)
        }
        _ => vec![format!("the first is a {}, the second a {}", first.kind(), second.kind())],
    }
}

fn unequal<T: Display + PartialEq>(what: &str, first: &T, second: &T) -> Vec<String> {
    if first == second {
        return Vec::new();
    }
    vec![format!("{what} is {first}, in the second {second}")]
}

fn lists(first: &[Blob], second: &[Blob]) -> Vec<String> {
    let mut lines = unequal("length", &first.len(), &second.len());
    let items = first.iter().zip(second).enumerate();
    lines.extend(
        items.flat_map(|(index, (first, second))| unequal(&format!("item {index}"), first, second)),
    );
    lines
}

fn sets(first: &BTreeSet<Blob>, second: &BTreeSet<Blob>) -> Vec<String> {
    let lost = first.difference(second).map(|member| format!("only the first has member {member}"));
    let new = second.difference(first).map(|member| format!("only the second has member {member}"));
    lost.chain(new).collect()
}

/// Compares the entries of two maps whose keys are wanted.
fn maps<K: Ord + Display, V: Display + PartialEq>(
    first: &BTreeMap<K, V>,
    second: &BTreeMap<K, V>,
    what: &str,
    wanted: impl Fn(&K) -> bool,
) -> Vec<String> {
    let keys: BTreeSet<&K> = first.keys().chain(second.keys()).collect();
    let tell = |key: &&K| match (first.get(key), second.get(key)) {
        (Some(first), Some(second)) => unequal(&format!("{what} {key}"), first, second),
        (Some(value), None) => vec![format!("only the first has {what} {key}: {value}")],
        (None, Some(value)) => vec![format!("only the second has {what} {key}: {value}")],
        (None, None) => Vec::new(),
    };
    keys.iter().filter(|key| wanted(key)).flat_map(tell).collect()
}

fn told_fields(fields: &BTreeMap<Blob, (Blob, Option<i64>)>) -> BTreeMap<&Blob, String> {
    let told = |(value, expiry): &(Blob, Option<i64>)| match expiry {
        Some(at) => format!("{value} expiring at {at} ms"),
        None => value.to_string(),
    };
    fields.iter().map(|(field, value)| (field, told(value))).collect()
}

/// Adding zero gives both zeros the same sign.
fn told_scores(scores: &BTreeMap<Blob, f64>) -> BTreeMap<&Blob, f64> {
    scores.iter().map(|(member, score)| (member, *score + 0.0)).collect()
}
