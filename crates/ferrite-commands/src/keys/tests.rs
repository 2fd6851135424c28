//! Key extraction on calls written out by hand; `tests/servers.rs` compares with real servers.

use super::*;
use crate::resolve;

fn positions(call: &str) -> Result<Vec<usize>, KeyError> {
    let words: Vec<&str> = call.split(' ').collect();
    let command = resolve(&words).expect("in the catalogue");
    keys(command, &words).map(|keys| keys.positions().collect())
}

#[test]
fn plain_ranges() {
    assert_eq!(positions("GET k"), Ok(vec![1]));
    assert_eq!(positions("MSET a 1 b 2"), Ok(vec![1, 3]));
    assert_eq!(positions("DEL a b c"), Ok(vec![1, 2, 3]));
    assert_eq!(positions("BLPOP a b 0"), Ok(vec![1, 2]));
    assert_eq!(positions("PFMERGE only"), Ok(vec![1]));
    assert_eq!(positions("BITOP AND d a b"), Ok(vec![2, 3, 4]));
    assert_eq!(positions("MEMORY USAGE k"), Ok(vec![2]));
    assert_eq!(positions("PING"), Ok(vec![]));
}

#[test]
fn counted_keys() {
    assert_eq!(positions("EVAL s 2 a b x"), Ok(vec![3, 4]));
    assert_eq!(positions("EVAL s 0 x"), Ok(vec![]));
    assert_eq!(positions("ZUNIONSTORE d 2 a b WEIGHTS 1 2"), Ok(vec![1, 3, 4]));
    assert_eq!(positions("BLMPOP 0 2 a b LEFT"), Ok(vec![3, 4]));
    assert_eq!(positions("MSETEX 2 a 1 b 2 EX 9"), Ok(vec![2, 4]));
}

#[test]
fn wrong_counts_are_errors_and_nothing_overflows() {
    for count in ["-1", "x", "3", "18446744073709551615", "99999999999999999999", "01", ""] {
        let error = positions(&format!("EVAL s {count} a b"));
        assert_eq!(error, Err(KeyError::Count { command: "eval", position: 2 }), "{count:?}");
    }
}

#[test]
fn streams_take_the_first_half() {
    assert_eq!(positions("XREAD COUNT 1 STREAMS a b 0 0"), Ok(vec![4, 5]));
    let grouped = "XREADGROUP GROUP streams c COUNT 1 STREAMS a >";
    assert_eq!(positions(grouped), Ok(vec![7]));
    let uneven = Err(KeyError::UnevenStreams { command: "xread" });
    assert_eq!(positions("XREAD STREAMS a b 0"), uneven);
    assert_eq!(positions("XREAD COUNT 1 STREAMS"), uneven);
    let missing = Err(KeyError::MissingWord { command: "xread", word: "STREAMS" });
    assert_eq!(positions("XREAD COUNT 1 a"), missing);
}

#[test]
fn sort_finds_its_store_and_not_a_pattern_named_store() {
    assert_eq!(positions("SORT k"), Ok(vec![1]));
    assert_eq!(positions("SORT k BY store LIMIT 0 store STORE d"), Ok(vec![1, 8]));
    assert_eq!(positions("SORT k STORE d STORE e"), Ok(vec![1, 5]));
    assert_eq!(positions("SORT k STORE"), Ok(vec![1]));
}

#[test]
fn sort_patterns_read_keys_nobody_names() {
    let hidden = |call: &str| {
        let words: Vec<&str> = call.split(' ').collect();
        keys(resolve(&words).unwrap(), &words).unwrap().reads_unnamed_keys()
    };
    assert!(hidden("SORT k BY weight_*"));
    assert!(hidden("SORT_RO k GET object_*->name"));
    assert!(!hidden("SORT k BY nosort GET #"));
}

#[test]
fn migrate_has_one_key_or_a_list() {
    assert_eq!(positions("MIGRATE h 1 k 0 9"), Ok(vec![3]));
    assert_eq!(positions("MIGRATE h 1  0 9 AUTH keys KEYS a b"), Ok(vec![9, 10]));
    assert_eq!(positions("MIGRATE h 1  0 9 AUTH2 u keys KEYS a"), Ok(vec![10]));
}

#[test]
fn geo_store_counts_only_behind_the_query() {
    assert_eq!(positions("GEORADIUS STORE 1 2 3 m STORE d"), Ok(vec![1, 7]));
    assert_eq!(positions("GEORADIUS k 1 2 3 m STORE d STOREDIST e"), Ok(vec![1, 9]));
    assert_eq!(positions("GEORADIUSBYMEMBER k store 3 m"), Ok(vec![1]));
}

#[test]
fn shard_channels_are_listed_but_are_no_keys() {
    let call = ["SPUBLISH", "channel", "hello"];
    let found = keys(resolve(&call).unwrap(), &call).unwrap();
    assert_eq!(found.positions().count(), 0);
    let all: Vec<_> = found.iter().collect();
    assert_eq!(all, [KeyPosition { index: 1, access: Access::NotKey }]);
}

#[test]
fn length_is_checked_first() {
    let error = positions("GET").unwrap_err();
    assert_eq!(error, KeyError::Arity { command: "get", words: 1 });
    assert!(error.to_string().contains("get"));
}

#[test]
fn access_tells_reading_from_writing() {
    let call = ["ZUNIONSTORE", "d", "1", "a"];
    let found = keys(resolve(&call).unwrap(), &call).unwrap();
    let access: Vec<_> = found.iter().map(|key| key.access).collect();
    assert_eq!(access, [Access::Overwrite, Access::Read]);
}

/// Any words after any command: an answer or an error, never a panic, never a word outside.
#[test]
fn no_call_panics() {
    let words = ["", "0", "1", "9", "-1", "STREAMS", "STORE", "KEYS", "BY", "LIMIT", "AUTH2"];
    for command in crate::all().flat_map(|it| std::iter::once(it).chain(it.subcommands)) {
        for length in 1..9 {
            for offset in 0..words.len() {
                let call: Vec<&str> = (0..length)
                    .filter_map(|at| words.get((offset + at * 3) % words.len()).copied())
                    .collect();
                if let Ok(found) = keys(command, &call) {
                    assert!(found.iter().all(|key| key.index < call.len()), "{}", command.name);
                }
            }
        }
    }
}
