//! Sorted sets, and places, which are sorted sets as well.

use super::Kind;
use crate::load::maker::Maker;
use crate::load::words::{Command, command};

pub(super) const KINDS: &[Kind] = &[
    Kind::new(8, "ZADD", |m| {
        let mut command = command!["ZADD", m.key("zset")];
        for _ in 0..m.count() {
            command.extend(command![score(m), m.member()]);
        }
        command
    }),
    Kind::new(3, "ZADD", |m| {
        let option = m.one_of(&["NX", "XX", "GT", "LT"]);
        command!["ZADD", m.key("zset"), option, "CH", score(m), m.member()]
    }),
    Kind::new(1, "ZADD", |m| command!["ZADD", m.key("zset"), "INCR", m.fraction(), m.member()]),
    Kind::new(4, "ZINCRBY", |m| command!["ZINCRBY", m.key("zset"), m.fraction(), m.member()]),
    Kind::new(3, "ZREM", |m| command!["ZREM", m.key("zset"), m.member(), m.member()]),
    Kind::new(3, "ZPOPMIN", |m| command!["ZPOPMIN", m.key("zset"), m.count()]),
    Kind::new(2, "ZPOPMAX", |m| command!["ZPOPMAX", m.key("zset")]),
    Kind::new(2, "ZMPOP", |m| {
        let end = m.one_of(&["MIN", "MAX"]);
        command!["ZMPOP", 2_u64, m.key("zset"), m.key("zset"), end, "COUNT", m.count()]
    }),
    Kind::new(1, "ZUNIONSTORE", |m| store(m, "ZUNIONSTORE")),
    Kind::new(2, "ZINTERSTORE", |m| store(m, "ZINTERSTORE")),
    Kind::new(1, "ZDIFFSTORE", |m| {
        command!["ZDIFFSTORE", m.key("zset"), 2_u64, m.key("zset"), m.key("zset")]
    }),
    Kind::new(2, "ZRANGESTORE", |m| {
        command!["ZRANGESTORE", m.key("zset"), m.key("zset"), 0_u64, m.below(40)]
    }),
    Kind::new(2, "ZREMRANGEBYRANK", |m| {
        command!["ZREMRANGEBYRANK", m.key("zset"), m.below(40), -1_i64]
    }),
    Kind::new(1, "ZREMRANGEBYSCORE", |m| {
        command!["ZREMRANGEBYSCORE", m.key("zset"), "-inf", m.fraction()]
    }),
    Kind::new(1, "ZREMRANGEBYLEX", |m| {
        command!["ZREMRANGEBYLEX", m.key("zset"), "[member:5", "(member:6"]
    }),
    Kind::new(3, "GEOADD", |m| {
        let (longitude, latitude) = (m.random.below(3600), m.random.below(1600));
        let (longitude, latitude) =
            (longitude as f64 / 10.0 - 180.0, latitude as f64 / 10.0 - 80.0);
        command!["GEOADD", m.key("zset"), longitude, latitude, m.member()]
    }),
    Kind::new(1, "GEOSEARCHSTORE", |m| {
        let mut command = command!["GEOSEARCHSTORE", m.key("zset"), m.key("zset")];
        command.extend(command!["FROMLONLAT", 10.0, 50.0, "BYRADIUS", 9000_u64, "km"]);
        command
    }),
];

/// Any score, few of them infinite.
fn score(m: &mut Maker) -> String {
    match m.random.below(50) {
        0 => "inf".to_owned(),
        1 => "-inf".to_owned(),
        2..26 => m.number().to_string(),
        _ => m.fraction().to_string(),
    }
}

fn store(m: &mut Maker, name: &str) -> Command {
    let mut command = command![name, m.key("zset"), 2_u64, m.key("zset"), m.key("zset")];
    if m.once_in(2) {
        command.extend(command!["WEIGHTS", 2_u64, m.fraction(), "AGGREGATE", "MAX"]);
    }
    command
}
