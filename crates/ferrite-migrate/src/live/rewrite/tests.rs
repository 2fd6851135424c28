//! Every form of every command with an expiry, in words; and words of no form at all.

use ferrite_rdb::transcode::Target;
use ferrite_rdb::{Dialect, Format, dump};
use ferrite_resp::{Limits, decode};
use proptest::prelude::*;

use super::*;

/// 1 000 000 when held, so that sums are easy to read.
const TIMES: Times = Times { received_at_ms: 5000, hold_ms: 1_000_000, hold_before_ms: u64::MAX };

fn modern() -> Abilities {
    Abilities::new(Format::redis(12), &Target::new(Format::redis(12)), (8, 0))
}

/// Redis 4.0.
fn old() -> Abilities {
    Abilities::new(Format::redis(8), &Target::new(Format::redis(8)), (4, 0))
}

fn words(line: &str) -> Vec<&[u8]> {
    line.split(' ').map(str::as_bytes).collect()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// The commands that were written.
pub(in crate::live) fn parsed(mut out: &[u8]) -> Vec<Vec<Vec<u8>>> {
    let mut commands = Vec::new();
    while let Some((command, length)) = decode(out, &Limits::default()).unwrap() {
        let words = command.into_array().unwrap();
        commands.push(words.into_iter().map(|word| word.into_bytes().unwrap()).collect());
        out = &out[length..];
    }
    assert!(out.is_empty(), "half a command");
    commands
}

/// What one command becomes, commands parted by ` ; `.
fn after(words: &[&[u8]], abilities: &Abilities) -> String {
    let mut out = b"before".to_vec();
    let answer = rewrite(words, &TIMES, abilities, &mut out);
    let out = out.strip_prefix(b"before").unwrap();
    let Rewrite::Commands(count) = answer else {
        assert!(out.is_empty(), "{answer:?}");
        return format!("{answer:?}");
    };
    let commands = parsed(out);
    let lines: Vec<String> = commands.iter().map(|words| text(&words.join(&b' '))).collect();
    assert_eq!(lines.len(), count);
    lines.join(" ; ")
}

fn check(abilities: &Abilities, cases: &[(&str, &str)]) {
    for (before, expected) in cases {
        assert_eq!(after(&words(before), abilities), *expected, "{before}");
    }
}

#[test]
fn commands_without_expiry_stay() {
    let lines = [
        "SET k v",
        "set k v NX",
        "SET k v xx",
        "SET k v KEEPTTL",
        "GETEX k",
        "GETEX k PERSIST",
        "PERSIST k",
        "INCR k",
        "HSET k f v",
        "HGETEX k FIELDS 1 f",
        "EXPIRETIME k",
        "RENAME a b",
        "HGETEX k PERSIST FIELDS 1 f",
        "HPERSIST k FIELDS 1 f",
        "RANDOMKEY",
        "PING",
        "FIELDEXPIREATSOMETIME k",
        "",
        "XADD k * a b",
    ];
    for line in lines {
        assert_eq!(after(&words(line), &modern()), "AsIs", "{line}");
    }
    assert_eq!(after(&[], &modern()), "AsIs");
}

#[test]
fn strings() {
    check(
        &modern(),
        &[
            ("SET k v EX 10", "SET k v PXAT 1015000"),
            ("set k v px 10", "SET k v PXAT 1005010"),
            ("SET k v EXAT 10", "SET k v PXAT 1010000"),
            ("SET k v PXAT 10", "SET k v PXAT 1000010"),
            ("SET k v PXAT 0", "SET k v PXAT 1000001"),
            ("SET k v NX EX 10", "SET k v NX PXAT 1015000"),
            ("SET k v Ex 10 xX GET", "SET k v xX PXAT 1015000"),
            ("SET k v GET", "SET k v"),
            ("SET k v KEEPTTL XX GET", "SET k v XX KEEPTTL"),
            ("SET k v IFEQ old EX 10", "SET k v PXAT 1015000"),
            ("SET k v IFDNE 0123 KEEPTTL", "SET k v KEEPTTL"),
            ("SETEX k 10 v", "SET k v PXAT 1015000"),
            ("PSETEX k 10 v", "SET k v PXAT 1005010"),
            ("SETEX k +10 v", "SET k v PXAT 1015000"),
            ("GETEX k EX 10", "PEXPIREAT k 1015000"),
            ("getex k pxat 10", "PEXPIREAT k 1000010"),
            ("MSETEX 1 k v", "SET k v"),
            ("MSETEX 2 a 1 b 2 EX 10", "SET a 1 PXAT 1015000 ; SET b 2 PXAT 1015000"),
            ("MSETEX 2 a 1 b 2 NX PXAT 10", "SET a 1 PXAT 1000010 ; SET b 2 PXAT 1000010"),
            ("MSETEX 1 k v XX KEEPTTL", "SET k v KEEPTTL"),
        ],
    );
}

#[test]
fn keys() {
    check(
        &modern(),
        &[
            ("EXPIRE k 10", "PEXPIREAT k 1015000"),
            ("PEXPIRE k 10", "PEXPIREAT k 1005010"),
            ("EXPIREAT k 10", "PEXPIREAT k 1010000"),
            ("PEXPIREAT k 10", "PEXPIREAT k 1000010"),
            ("pexpireat k 10 GT", "PEXPIREAT k 1000010"),
            ("EXPIRE k 10 nx", "PEXPIREAT k 1015000"),
            ("EXPIRE k -1", "PEXPIREAT k 1004000"),
            ("EXPIRE k -100", "PEXPIREAT k 1000001"),
            ("PEXPIREAT k -100", "PEXPIREAT k 1000001"),
            ("EXPIREMEMBER k m 10", "Refetch"),
        ],
    );
}

#[test]
fn members_on_keydb() {
    let format = Format { dialect: Dialect::KeyDb, version: 9 };
    check(
        &Abilities::new(format, &Target::new(format), (6, 3)),
        &[
            ("EXPIREMEMBER k m 10", "PEXPIREMEMBERAT k m 1015000"),
            ("EXPIREMEMBER k m 10 ms", "PEXPIREMEMBERAT k m 1005010"),
            ("EXPIREMEMBER k m 10 s", "PEXPIREMEMBERAT k m 1015000"),
            ("EXPIREMEMBER k m 10 h", "Refetch"),
            ("EXPIREMEMBERAT k m 10", "PEXPIREMEMBERAT k m 1010000"),
            ("PEXPIREMEMBERAT k m 10", "PEXPIREMEMBERAT k m 1000010"),
            ("KEYDB.MVCCRESTORE k 1 10 v", "Refetch"),
            ("HPEXPIREAT k 10 FIELDS 1 f", "Refetch"),
        ],
    );
}

#[test]
fn members_of_keydb_on_a_target_with_field_expiry() {
    let keydb = Format { dialect: Dialect::KeyDb, version: 9 };
    check(
        &Abilities::new(keydb, &Target::new(Format::redis(12)), (8, 0)),
        &[
            ("EXPIREMEMBER k m 10", "HPEXPIREAT k 1015000 FIELDS 1 m"),
            ("EXPIREMEMBER k m 10 ms", "HPEXPIREAT k 1005010 FIELDS 1 m"),
            ("PEXPIREMEMBERAT k m 10", "HPEXPIREAT k 1000010 FIELDS 1 m"),
            ("EXPIREMEMBER k m", "Refetch"),
        ],
    );
    check(
        &Abilities::new(keydb, &Target::new(Format::redis(10)), (7, 0)),
        &[("PEXPIREMEMBERAT k m 10", "Refetch")],
    );
}

#[test]
fn fields() {
    check(
        &modern(),
        &[
            ("HEXPIRE k 10 FIELDS 1 f", "HPEXPIREAT k 1015000 FIELDS 1 f"),
            ("HPEXPIRE k 10 NX FIELDS 2 f g", "HPEXPIREAT k 1005010 NX FIELDS 2 f g"),
            ("HEXPIREAT k 10 FIELDS 1 f", "HPEXPIREAT k 1010000 FIELDS 1 f"),
            ("hpexpireat k 10 gt FIELDS 1 f", "HPEXPIREAT k 1000010 gt FIELDS 1 f"),
            ("HSETEX k EX 10 FIELDS 1 f v", "HSETEX k PXAT 1015000 FIELDS 1 f v"),
            ("HSETEX k FNX PXAT 10 FIELDS 1 f v", "HSETEX k PXAT 1000010 FIELDS 1 f v"),
            ("HSETEX k FIELDS 1 f v px 10", "HSETEX k PXAT 1005010 FIELDS 1 f v"),
            ("HSETEX k FXX KEEPTTL FIELDS 1 f v", "HSETEX k KEEPTTL FIELDS 1 f v"),
            ("HSETEX k FIELDS 2 f 1 g 2", "HSET k f 1 g 2"),
            ("HGETEX k EX 10 FIELDS 2 f g", "HPEXPIREAT k 1015000 FIELDS 2 f g"),
            ("HGETEX k FIELDS 1 f PXAT 10", "HPEXPIREAT k 1000010 FIELDS 1 f"),
        ],
    );
}

#[test]
fn fields_on_a_target_without_hsetex() {
    let target = Target::new(Format::redis(12));
    check(
        &Abilities::new(Format::redis(12), &target, (7, 4)),
        &[
            (
                "HSETEX k EX 10 FIELDS 2 f 1 g 2",
                "HSET k f 1 g 2 ; HPEXPIREAT k 1015000 FIELDS 2 f g",
            ),
            ("HSETEX k FIELDS 1 f v", "HSET k f v"),
            ("HSETEX k KEEPTTL FIELDS 1 f v", "Refetch"),
        ],
    );
}

#[test]
fn old_targets() {
    check(
        &old(),
        &[
            ("SET k v EX 10", "SET k v ; PEXPIREAT k 1015000"),
            ("SET k v NX PXAT 10", "SET k v NX ; PEXPIREAT k 1000010"),
            ("SETEX k 10 v", "SET k v ; PEXPIREAT k 1015000"),
            (
                "MSETEX 2 a 1 b 2 PXAT 10",
                "SET a 1 ; PEXPIREAT a 1000010 ; SET b 2 ; PEXPIREAT b 1000010",
            ),
            ("GETEX k EX 10", "PEXPIREAT k 1015000"),
            ("SET k v KEEPTTL", "Refetch"),
            ("MSETEX 2 a 1 b 2 KEEPTTL", "Refetch"),
            ("HPEXPIREAT k 10 FIELDS 1 f", "Refetch"),
            ("HSETEX k EX 10 FIELDS 1 f v", "Refetch"),
            ("HGETEX k EX 10 FIELDS 1 f", "Refetch"),
        ],
    );
}

#[test]
fn what_no_server_accepts_is_fetched_again() {
    let lines = [
        "SET",
        "SET k",
        "SET k v EX",
        "SET k v EX ten",
        "SET k v EX 9223372036854775807",
        "SET k v EX 1 PX 1",
        "SET k v EX 1 KEEPTTL",
        "SET k v NX XX",
        "SET k v what",
        "SET k v IFEQ",
        "SETEX k 10",
        "SETEX k ten v",
        "GETEX",
        "GETEX k EX",
        "GETEX k PX 1 2",
        "GETEX k AT 1",
        "MSETEX",
        "MSETEX 0",
        "MSETEX 9 a b",
        "MSETEX -1 a b",
        "MSETEX 99999999999999999999 a b",
        "MSETEX 9223372036854775807 a b",
        "MSETEX 1 a b EX",
        "EXPIRE",
        "EXPIRE k",
        "EXPIRE k x",
        "EXPIRE k 1 maybe",
        "PEXPIREAT k 9223372036854775807",
        "HEXPIRE k",
        "HEXPIRE k 1",
        "HPEXPIREAT k 70368744177663 FIELDS 1 f",
        "HSETEX k",
        "HSETEX k EX 1",
        "HSETEX k FIELDS",
        "HSETEX k FIELDS 2 f v",
        "HSETEX k FIELDS 0 EX 1",
        "HSETEX k EX 1 PX 1 FIELDS 1 f v",
        "HSETEX k EX 1 KEEPTTL FIELDS 1 f v",
        "HGETEX k EX 1 FIELDS 2 f",
        "HGETEX k EX 1 WHAT",
        "RESTORE",
        "RESTORE k 0",
        "RESTORE k 0 v",
        "RESTORE k x v",
        "INCREX k EX 10",
    ];
    for line in lines {
        assert_eq!(after(&words(line), &modern()), "Refetch", "{line}");
    }
}

/// A payload of a string that is text all through but for its footer.
fn payload(type_byte: u8, body: &[u8], version: u16) -> Vec<u8> {
    let mut out = Vec::new();
    dump::write(&mut out, type_byte, body, version);
    out
}

/// What a `RESTORE` becomes: words, with the payload shown as its version.
fn restored(line: &str, payload: &[u8], abilities: &Abilities) -> String {
    let words: Vec<&[u8]> =
        words(line).into_iter().map(|word| if word == b"P" { payload } else { word }).collect();
    let mut out = Vec::new();
    let answer = rewrite(&words, &TIMES, abilities, &mut out);
    let Rewrite::Commands(_) = answer else { return format!("{answer:?}") };
    let show = |word: &Vec<u8>| match dump::split(word) {
        Ok(payload) => format!("P{}", payload.version),
        Err(_) => text(word),
    };
    parsed(&out).iter().flatten().map(show).collect::<Vec<_>>().join(" ")
}

#[test]
fn values_written_whole() {
    let hello = payload(0, b"\x05hello", 12);
    let cases = [
        ("RESTORE k 0 P", "AsIs"),
        ("RESTORE k 0 P REPLACE", "AsIs"),
        ("RESTORE-ASKING k 0 P REPLACE", "RESTORE k 0 P12 REPLACE"),
        ("RESTORE k 10 P", "RESTORE k 1005010 P12 ABSTTL"),
        ("restore k 10 P absttl replace", "RESTORE k 1000010 P12 REPLACE ABSTTL"),
        ("RESTORE k 10 P ABSTTL IDLETIME 7", "RESTORE k 1000010 P12 ABSTTL IDLETIME 7"),
        ("RESTORE k 10 P FREQ 7", "RESTORE k 1005010 P12 ABSTTL FREQ 7"),
        ("RESTORE k 10 P FREQ", "Refetch"),
        ("RESTORE k -1 P", "Refetch"),
    ];
    for (line, expected) in cases {
        assert_eq!(restored(line, &hello, &modern()), expected, "{line}");
    }
}

#[test]
fn payloads_follow_the_target() {
    let older = Abilities::new(Format::redis(12), &Target::new(Format::redis(11)), (7, 2));
    let hello = payload(0, b"\x05hello", 12);
    assert_eq!(restored("RESTORE k 0 P", &hello, &older), "RESTORE k 0 P11");
    let oldest = Abilities::new(Format::redis(12), &Target::new(Format::redis(8)), (4, 0));
    let line = "RESTORE k 10 P IDLETIME 1 REPLACE";
    let expected = "RESTORE k 0 P8 REPLACE PEXPIREAT k 1005010";
    assert_eq!(restored(line, &hello, &oldest), expected);
    let unknown = payload(99, b"\x05hello", 12);
    assert_eq!(restored("RESTORE k 0 P", &unknown, &modern()), "Refetch");
    assert_eq!(restored("RESTORE k 0 P", b"no payload at all", &modern()), "Refetch");
}

#[test]
fn hashes_whose_fields_expire_are_fetched_again() {
    for type_byte in 22..=25 {
        let hash = payload(type_byte, b"\x00\x00\x00\x00\x00\x00\x00\x00\x00", 12);
        assert_eq!(restored("RESTORE k 0 P", &hash, &modern()), "Refetch", "{type_byte}");
    }
    let valkey = Abilities::new(Format::valkey(80), &Target::new(Format::valkey(80)), (7, 2));
    let hash = payload(22, b"\x00", 80);
    assert_eq!(restored("RESTORE k 0 P", &hash, &valkey), "Refetch");
}

/// Words that make some commands right and most wrong.
fn any_word() -> impl Strategy<Value = Vec<u8>> {
    let known = [
        "SET",
        "SETEX",
        "MSETEX",
        "GETEX",
        "EXPIRE",
        "PEXPIREAT",
        "HPEXPIREAT",
        "HSETEX",
        "HGETEX",
        "RESTORE",
        "EXPIREMEMBER",
        "EX",
        "PXAT",
        "KEEPTTL",
        "NX",
        "IFEQ",
        "FIELDS",
        "ABSTTL",
        "FREQ",
        "1",
        "2",
        "10",
        "-1",
        "9223372036854775807",
    ];
    prop_oneof![
        8 => proptest::sample::select(known.to_vec()).prop_map(|word| word.as_bytes().to_vec()),
        1 => proptest::collection::vec(any::<u8>(), 0..20),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_words_panic(call in proptest::collection::vec(any_word(), 0..9)) {
        let words: Vec<&[u8]> = call.iter().map(Vec::as_slice).collect();
        for abilities in [modern(), old()] {
            let mut out = Vec::new();
            let answer = rewrite(&words, &TIMES, &abilities, &mut out);
            prop_assert_eq!(matches!(answer, Rewrite::Commands(_)), !out.is_empty());
        }
    }
}
