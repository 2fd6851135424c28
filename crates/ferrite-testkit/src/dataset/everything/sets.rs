//! Sets and sorted sets in all their encodings, and every kind of score.

use super::{Done, Loader, all_bytes, integers, names};

/// Scores that are hard to keep: infinities, signed zero, the smallest and greatest, 17 digits.
const SCORES: [&str; 22] = [
    "-inf",
    "inf",
    "0",
    "-0",
    "0.1",
    "-0.1",
    "0.30000000000000004",
    "1e308",
    "-1e308",
    "1.7976931348623157e308",
    "2.2250738585072014e-308",
    "5e-324",
    "3.1415926535897931",
    "12345678901234567",
    "9007199254740993",
    "1e17",
    "1e21",
    "123456789.123456789",
    "-5",
    "127",
    "128",
    "1000000",
];

pub(super) fn load(loader: &mut Loader<'_>) -> Done {
    sets(loader)?;
    sorted_sets(loader)
}

fn sets(loader: &mut Loader<'_>) -> Done {
    loader.run(&["SADD", "set:one", "member"])?;
    loader.run(&["SADD", "set:intset:16", "1", "-2", "32767", "-32768"])?;
    loader.run(&["SADD", "set:intset:32", "1", "32768", "-2147483648"])?;
    loader.add("SADD", "set:intset:64", integers())?;
    loader.add("SADD", "set:intset:many", (0..500).map(|number| (number * 7).to_string()))?;
    loader.add("SADD", "set:hashtable:ints", (0..1000).map(|number| number.to_string()))?;
    loader.add("SADD", "set:listpack", names("member", 20))?;
    loader.run(&["SADD", "set:listpack:mixed", "1", "two", "3", "", "-4"])?;
    loader.add("SADD", "set:hashtable", names("member", 700))?;
    loader.add("SADD", "set:hashtable:long-member", [b"m".repeat(5000), b"short".to_vec()])?;
    loader.add("SADD", "set:binary", [all_bytes(), vec![0], vec![0xff]])?;
    loader.with_config(&[("set-max-intset-entries", "2")], |loader| {
        loader.run(&["SADD", "set:ints-over-limit", "1", "2", "3", "4"]).map(drop)
    })
}

fn sorted_sets(loader: &mut Loader<'_>) -> Done {
    loader.run(&["ZADD", "zset:one", "1", "member"])?;
    let scored = |prefix: &str| -> Vec<String> {
        let pairs = SCORES.iter().map(|score| [(*score).to_owned(), format!("{prefix}{score}")]);
        pairs.flatten().collect()
    };
    loader.add("ZADD", "zset:listpack:scores", scored("score "))?;
    loader.add("ZADD", "zset:listpack:int-members", ["1", "10", "2", "9", "3", "-8"])?;
    loader.add("ZADD", "zset:listpack:same-score", ["0", "c", "0", "a", "0", "b", "0", ""])?;
    let ranked = (0..600).flat_map(|rank| [format!("{}.5", rank * 3), format!("member:{rank}")]);
    loader.add("ZADD", "zset:skiplist", ranked)?;
    let same = (0..300).flat_map(|number| ["7".to_owned(), format!("member:{number}")]);
    loader.add("ZADD", "zset:skiplist:same-score", same)?;
    let long = [b"1".to_vec(), b"m".repeat(5000), b"2".to_vec(), all_bytes()];
    loader.add("ZADD", "zset:skiplist:long-member", long)?;
    loader.with_config(&[("zset-max-ziplist-entries", "0")], |loader| {
        loader.add("ZADD", "zset:skiplist:scores", scored("score "))
    })
}
