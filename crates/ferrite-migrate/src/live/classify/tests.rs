//! Classes of many commands, and splitting them.

use ferrite_commands::all;
use proptest::prelude::*;

use super::*;
use crate::live::rewrite::tests::parsed;

fn words(line: &str) -> Vec<&[u8]> {
    line.split(' ').map(str::as_bytes).collect()
}

/// Keys written (`+`, with the other database behind a colon) and read (`-`) by their words.
fn shown(access: &KeyAccess, words: &[&[u8]]) -> String {
    let name = |word: usize| String::from_utf8_lossy(words[word]).into_owned();
    let written = access.written().map(|key| match key.db {
        Some(db) => format!("+{}:{db}", name(key.word)),
        None => format!("+{}", name(key.word)),
    });
    let read = access.only_read().map(|word| format!("-{}", name(word)));
    let flags = [
        (access.independent, "alone"),
        (access.module, "module"),
        (access.reads_unnamed_keys(), "unnamed"),
    ];
    let flags = flags.iter().filter(|(is, _)| *is).map(|(_, flag)| (*flag).to_owned());
    written.chain(read).chain(flags).collect::<Vec<_>>().join(" ")
}

#[test]
fn the_other_database_is_told() {
    let access = |line| match classify(&words(line)) {
        Class::Keys(access) => access,
        class => panic!("{class:?}"),
    };
    assert_eq!(access("COPY a b DB 4").other_db(), Some(4));
    assert_eq!(access("MOVE k 4").other_db(), Some(4));
    assert_eq!(access("COPY a b").other_db(), None);
    let written: Vec<KeyUse> = access("MOVE k 4").written().collect();
    assert_eq!(written, [KeyUse { word: 1, db: None }, KeyUse { word: 1, db: Some(4) }]);
}

fn class(line: &str) -> String {
    let words = words(line);
    match classify(&words) {
        Class::Keys(access) => shown(&access, &words),
        Class::Unknown(access) => format!("Unknown {}", shown(&access, &words)).trim().to_owned(),
        class => format!("{class:?}"),
    }
}

fn check(cases: &[(&str, &str)]) {
    for (line, expected) in cases {
        assert_eq!(class(line), *expected, "{line}");
    }
}

#[test]
fn what_is_not_data() {
    check(&[
        ("PING", "Ignore"),
        ("ping hello", "Ignore"),
        ("REPLPING", "Ignore"),
        ("REPLCONF GETACK *", "GetAck"),
        ("replconf getack *", "GetAck"),
        ("REPLCONF ACK 10", "Ignore"),
        ("REPLCONF TIMESTAMP 10", "Ignore"),
        ("OPINFO what", "Ignore"),
        ("SELECT 3", "Select(3)"),
        ("SELECT three", "Unknown"),
        ("SELECT", "Unknown"),
        ("MULTI", "Multi"),
        ("exec", "Exec"),
        ("PUBLISH channel text", "Publish"),
        ("SPUBLISH channel text", "Publish"),
        ("PUBLISH __sentinel__:hello 1,2,3", "Ignore"),
        ("SCRIPT LOAD return", "Ignore"),
        ("SCRIPT FLUSH", "Ignore"),
        ("FLUSHDB", "FlushDb"),
        ("FLUSHALL ASYNC", "FlushAll"),
        ("SWAPDB 0 3", "SwapDb(0, 3)"),
        ("SWAPDB 0", "Unknown"),
        ("TRIMSLOTS RANGES 1 0 100", "DropSlots"),
        ("CLUSTER FLUSHSLOT 7", "DropSlots"),
        ("CLUSTER SYNCSLOTS x", "Ignore"),
        ("FUNCTION LOAD code", "Function"),
        ("FUNCTION DELETE lib", "Function"),
        ("FUNCTION FLUSH", "Function"),
        ("FUNCTION RESTORE payload", "Function"),
        ("FUNCTION LIST", "Ignore"),
        ("FUNCTION", "Unknown"),
        ("GET k", "Ignore"),
        ("SORT k", "Ignore"),
        ("EVAL_RO script 1 k", "Ignore"),
        ("", "Unknown"),
    ]);
    assert_eq!(classify(&[]), Class::Ignore);
}

#[test]
fn keys_on_their_own() {
    check(&[
        ("SET k v", "+k alone"),
        ("set k v PXAT 10", "+k alone"),
        ("HSET k f v g w", "+k alone"),
        ("XADD k 1-1 f v", "+k alone"),
        ("XGROUP CREATE k g $", "+k alone"),
        ("XCLAIM k g c 0 1-1 FORCE JUSTID", "+k alone"),
        ("PFADD k a b", "+k alone"),
        ("PFCOUNT k", "+k alone"),
        ("RESTORE k 0 payload", "+k alone"),
        ("RESTORE-ASKING k 0 payload", "+k alone"),
        ("HPEXPIREAT k 10 FIELDS 1 f", "+k alone"),
        ("DEL k", "+k alone"),
        ("DEL a b c", "+a +b +c alone"),
        ("UNLINK a b", "+a +b alone"),
        ("MSET a 1 b 2", "+a +b alone"),
        ("MSETNX a 1 b 2", "+a +b alone"),
        ("MSETEX 2 a 1 b 2 EX 10", "+a +b alone"),
        ("EXPIREMEMBER k m 10", "+k alone"),
        ("VADD k VALUES 1 1.0 e", "+k alone module"),
        ("JSON.SET k $ 1", "+k alone module"),
        ("JSON.MSET a $ 1 b $ 2", "+a +b alone module"),
        ("BF.ADD k m", "+k alone module"),
        ("SUNIONSTORE d", "Unknown"),
    ]);
}

#[test]
fn keys_that_depend_on_others() {
    check(&[
        ("RENAME a b", "+a +b"),
        ("RENAMENX a b", "+a +b"),
        ("COPY a b", "+b -a"),
        ("COPY a b REPLACE", "+b -a"),
        ("COPY a b DB 4 REPLACE", "+b:4 -a"),
        ("COPY a b REPLACE db 4", "+b:4 -a"),
        ("COPY a b DB", "Unknown"),
        ("MOVE k 4", "+k +k:4"),
        ("MOVE k x", "Unknown"),
        ("SUNIONSTORE d a b", "+d -a -b"),
        ("ZUNIONSTORE d 2 a b WEIGHTS 1 2", "+d -a -b"),
        ("ZRANGESTORE d s 0 -1", "+d -s"),
        ("GEOSEARCHSTORE d s FROMMEMBER m BYRADIUS 1 m", "+d -s"),
        ("GEORADIUS s 1 1 1 m STORE d", "+d -s"),
        ("SORT s STORE d", "+d -s"),
        ("SORT s BY w_* STORE d", "+d -s unnamed"),
        ("SORT s BY nosort STORE d", "+d -s"),
        ("LMOVE a b LEFT RIGHT", "+a +b"),
        ("RPOPLPUSH a b", "+a +b"),
        ("SMOVE a b m", "+a +b"),
        ("PFMERGE d a", "+d -a"),
        ("BITOP AND d a b", "+d -a -b"),
        ("TS.ADD k 1 1", "+k module"),
        ("TS.CREATERULE a b AGGREGATION avg 1", "+a +b module"),
        ("CMS.MERGE d 1 s", "+d -s module"),
    ]);
}

#[test]
fn what_cannot_be_told_or_repeated() {
    check(&[
        ("NOSUCH k", "Unknown"),
        ("EVAL script 1 k a", "Unknown +k"),
        ("EVALSHA sha 0", "Unknown"),
        ("EVALSHA sha x", "Unknown"),
        ("FCALL f 2 a b", "Unknown +a +b"),
        ("SPOP k", "Unknown +k alone"),
        ("BLPOP k 0", "Unknown +k alone"),
        ("XREADGROUP GROUP g c STREAMS k >", "Unknown +k alone"),
        ("FT.CREATE index SCHEMA f TEXT", "Unknown module"),
        ("RREPLAY uuid command", "Unknown"),
        ("XGROUP WHAT k", "Unknown"),
        ("ZUNIONSTORE d x a", "Unknown"),
        ("SET k", "Unknown"),
    ]);
}

/// Every write the catalogue knows is told from a command nobody knows, when its words are right.
#[test]
fn no_write_is_overlooked() {
    for command in all().flat_map(|command| std::iter::once(command).chain(command.subcommands)) {
        if !command.is_write() {
            continue;
        }
        let name = command.name.replace('|', " ");
        let given = name.split(' ').count();
        let more = usize::from(command.arity.unsigned_abs()).max(7) - given;
        let fixed = usize::try_from(command.arity).map_or(more, |arity| arity - given);
        let line = [name, " 1".repeat(fixed)].concat();
        let class = classify(&words(&line));
        let by_nature = ["sort", "georadius", "georadiusbymember"].contains(&command.name);
        assert_eq!(class == Class::Ignore, by_nature, "{line}");
    }
}

fn pieces(line: &str, wanted: impl Fn(usize) -> bool) -> String {
    let mut out = Vec::new();
    let Some(count) = split(&words(line), wanted, &mut out) else {
        assert!(out.is_empty());
        return "no".to_owned();
    };
    let lines = parsed(&out);
    assert_eq!(lines.len(), usize::from(count > 0));
    String::from_utf8_lossy(&lines.first().map_or_else(Vec::new, |line| line.join(&b' ')))
        .into_owned()
}

#[test]
fn commands_are_split() {
    let cases: [(&str, &[usize], &str); 12] = [
        ("DEL a b c", &[1, 3], "DEL a c"),
        ("del a b c", &[2], "del b"),
        ("DEL a b c", &[], ""),
        ("UNLINK a b", &[1, 2], "UNLINK a b"),
        ("TOUCH a b", &[1], "TOUCH a"),
        ("MSET a 1 b 2 c 3", &[1, 5], "MSET a 1 c 3"),
        ("MSETNX a 1 b 2", &[3], "MSET b 2"),
        ("MSETEX 2 a 1 b 2 EX 10", &[4], "MSETEX 1 b 2 EX 10"),
        ("MSETEX 2 a 1 b 2", &[2, 4], "MSETEX 2 a 1 b 2"),
        ("JSON.MSET a $ 1 b $ 2", &[4], "JSON.MSET b $ 2"),
        ("MSET a 1 b", &[1], "no"),
        ("RENAME a b", &[1], "no"),
    ];
    for (line, wanted, expected) in cases {
        assert_eq!(pieces(line, |word| wanted.contains(&word)), expected, "{line}");
    }
}

/// Names that are right and arguments that are mostly wrong.
fn any_call() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let names: Vec<&str> = all().map(|command| command.name).collect();
    let name = proptest::sample::select(names).prop_map(|name| name.as_bytes().to_vec());
    let known = [
        "1",
        "2",
        "0",
        "-1",
        "99999999999999999999",
        "STORE",
        "DB",
        "KEYS",
        "BY",
        "GETACK",
        "CREATE",
        "STREAMS",
        "a*",
        "18446744073709551615",
    ];
    let argument = prop_oneof![
        4 => proptest::sample::select(known.to_vec()).prop_map(|word| word.as_bytes().to_vec()),
        1 => proptest::collection::vec(any::<u8>(), 0..8),
    ];
    (name, proptest::collection::vec(argument, 0..8))
        .prop_map(|(name, rest)| std::iter::once(name).chain(rest).collect())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn no_words_panic(call in any_call()) {
        let words: Vec<&[u8]> = call.iter().map(Vec::as_slice).collect();
        if let Class::Keys(access) | Class::Unknown(access) = classify(&words) {
            let last = access.written().map(|key| key.word).chain(access.only_read()).max();
            prop_assert!(last.is_none_or(|word| word < words.len()));
        }
        let mut out = Vec::new();
        let answer = split(&words, |word| word % 2 == 1, &mut out);
        prop_assert_eq!(answer.is_some_and(|count| count > 0), !out.is_empty());
    }
}
