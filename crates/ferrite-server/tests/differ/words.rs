//! Words: keys of few names, values at the thresholds, numbers at the limits.

use ferrite_testkit::dataset::{FAR_FUTURE_MS, Random};

/// Types of keys; their names begin so.
const TYPES: [&str; 8] = ["string", "list", "set", "zset", "hash", "stream", "geo", "hll"];
/// Keys of each type.
const KEYS: u64 = 3;
/// One key of so many is of another type.
const WRONG: u64 = 15;
/// Names of members: few, so that they meet; sometimes of many, so that collections grow.
const MEMBERS: u64 = 24;
const MANY_MEMBERS: u64 = 300;

/// Lengths of values: around what is embedded, packed, and sent in one piece.
const LENGTHS: [usize; 14] = [0, 1, 3, 19, 20, 21, 43, 44, 45, 63, 64, 65, 300, 5000];

fn one<'a>(all: &[&'a str], random: &mut Random) -> &'a str {
    all[random.below(all.len() as u64) as usize]
}

/// A key of this type, most of the time.
pub fn key(of: &str, random: &mut Random) -> Vec<u8> {
    let of = if random.below(WRONG) == 0 { one(&TYPES, random) } else { of };
    format!("{of}:{}", random.below(KEYS)).into_bytes()
}

fn value(random: &mut Random) -> Vec<u8> {
    match random.below(10) {
        0 | 1 => integer(random),
        2 => one(&["3.0", "1e3", "-0", "+5", " 7", "007", "nan", "inf", "-"], random).into(),
        3 => vec![0, 255, 13, 10, random.below(256) as u8],
        4..=6 => {
            let length = LENGTHS[random.below(LENGTHS.len() as u64) as usize];
            vec![b'a' + random.below(26) as u8; length]
        }
        _ => member(random),
    }
}

fn integer(random: &mut Random) -> Vec<u8> {
    match random.below(8) {
        0 => one(
            &[
                "9223372036854775807",
                "-9223372036854775808",
                "9223372036854775808",
                "-1",
                "0",
                "4294967296",
                "2147483647",
                "-2147483649",
                "32767",
                "32768",
                "-129",
                "128",
                "127",
                "8388607",
                "4095",
                "4096",
                "10000",
                "abc",
                "",
                "1.5",
                "01",
                "-0",
                " 1",
            ],
            random,
        )
        .into(),
        1 => ((random.next() >> random.below(60)) as i64).to_string().into(),
        _ => (random.below(40) as i64 - 10).to_string().into(),
    }
}

fn member(random: &mut Random) -> Vec<u8> {
    match random.below(14) {
        0 => vec![b'y'; LENGTHS[random.below(LENGTHS.len() as u64) as usize]],
        1 | 2 => integer(random),
        3 | 4 => format!("m{}", random.below(MANY_MEMBERS)).into_bytes(),
        _ => format!("m{}", random.below(MEMBERS)).into_bytes(),
    }
}

fn score(random: &mut Random) -> String {
    match random.below(10) {
        0 => one(&["inf", "-inf", "+inf", "nan", "1e300", "-0", "abc", "1e-5"], random).into(),
        1 | 2 => format!("{}.{}", random.below(9), one(&["5", "25", "125", "1", "3"], random)),
        _ => (random.below(30) as i64 - 5).to_string(),
    }
}

fn id(random: &mut Random) -> String {
    match random.below(12) {
        0 => one(
            &["0-0", "0", "abc", "5-", "-", "18446744073709551615-18446744073709551615"],
            random,
        )
        .into(),
        1 | 2 => random.below(40).to_string(),
        _ => format!("{}-{}", random.below(40), random.below(4)),
    }
}

/// A word for a hole of the grammar.
pub fn word(hole: &str, random: &mut Random) -> Vec<u8> {
    let text = match hole {
        "any" => return key(one(&TYPES, random), random),
        "v" => return value(random),
        "m" => return member(random),
        "i" => return integer(random),
        "sorted" => format!("sorted:{}", random.below(KEYS)),
        "exact" => format!("exact:{}", random.below(KEYS)),
        "alike" => format!("alike:{}", random.below(KEYS)),
        "missing" => "nothing".into(),
        "count" => match random.below(12) {
            0 => one(&["0", "-1", "abc", "100", "9223372036854775807"], random).into(),
            _ => random.below(6).to_string(),
        },
        "small" => (random.below(12) as i64 - 4).to_string(),
        "index" => match random.below(12) {
            0 => {
                one(&["-9223372036854775808", "9223372036854775807", "x", "1000", "-1000"], random)
                    .into()
            }
            _ => (random.below(24) as i64 - 10).to_string(),
        },
        "offset" => match random.below(20) {
            0 => one(&["-1", "abc", "4294967296", "9223372036854775807"], random).into(),
            _ => random.below(300).to_string(),
        },
        "place" => match random.below(4) {
            0 => format!("#{}", random.below(9)),
            _ => random.below(100).to_string(),
        },
        "bits" => match random.below(16) {
            0 => one(&["u64", "i65", "u0", "x8", "i"], random).into(),
            1 => one(&["i64", "u63"], random).into(),
            _ => format!("{}{}", one(&["u", "i"], random), 1 + random.below(32)),
        },
        "quarter" => match random.below(16) {
            0 => one(&["abc", "nan", "inf", "", " 1"], random).into(),
            _ => format!("{}", (random.below(200) as f64 - 100.0) / 4.0),
        },
        "score" => score(random),
        "bound" => format!("{}{}", one(&["", "", "("], random), score(random)),
        "lex" => match random.below(6) {
            0 => one(&["-", "+", "x", "[", "("], random).into(),
            _ => format!("{}m{}", one(&["[", "("], random), random.below(MEMBERS)),
        },
        other if TYPES.contains(&other) => return key(other, random),
        other => beside(other, random),
    };
    text.into_bytes()
}

/// Words that only some types have: ids, groups, times, places on the earth.
fn beside(hole: &str, random: &mut Random) -> String {
    match hole {
        "id" => id(random),
        "seconds" => random.below(60).to_string(),
        "from" => match random.below(3) {
            0 => format!("{}{}", one(&["", "("], random), id(random)),
            _ => "-".into(),
        },
        "to" => match random.below(3) {
            0 => format!("{}{}", one(&["", "("], random), id(random)),
            _ => "+".into(),
        },
        "group" => format!("g{}", random.below(2)),
        "consumer" => format!("c{}", random.below(3)),
        "ttl" => match random.below(15) {
            0 => one(&["-1", "0", "abc", "9223372036854775807"], random).into(),
            _ => (5000 + random.below(5000)).to_string(),
        },
        "longttl" => (5_000_000 + random.below(5_000_000)).to_string(),
        "futures" => (FAR_FUTURE_MS / 1000 + random.below(50)).to_string(),
        "future" => (FAR_FUTURE_MS + random.below(50)).to_string(),
        "pattern" => {
            one(&["*", "m*", "*1", "m?", "[ms]*:1", "nothing", "string:[0-1]", "\\m1"], random)
                .into()
        }
        "db" => one(&["0", "0", "1", "0", "16", "x"], random).into(),
        "longitude" => format!("{}.{}", random.below(30), random.below(1000)),
        "latitude" => format!("{}.{}", 30 + random.below(20), random.below(1000)),
        "radius" => match random.below(12) {
            0 => one(&["-1", "abc", "0"], random).into(),
            _ => (100 + random.below(1000)).to_string(),
        },
        "unit" => one(&["m", "km", "ft", "mi", "km", "km"], random).into(),
        other => panic!("no hole is called {other}"),
    }
}
