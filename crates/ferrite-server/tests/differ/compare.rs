//! How replies are compared: most exactly, some without order, some by their shape.

use ferrite_resp::Value;

use crate::common::{shown, unordered};

/// What of a reply must be the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    Exactly,
    /// Elements without order.
    AnyOrder,
    /// Pairs without order, flat or not.
    Pairs,
    /// Types and lengths only: chance decides.
    Shape,
    /// Exactly, but for times that count from now.
    Times,
    /// All but the numbers: they are times, or of one server's making.
    WithoutNumbers,
}

/// How the reply to a call is compared.
pub fn how(words: &[Vec<u8>]) -> How {
    let name = words[0].to_ascii_lowercase();
    let second = words.get(1).map(|word| word.to_ascii_lowercase()).unwrap_or_default();
    match (name.as_slice(), second.as_slice()) {
        (b"smembers" | b"sinter" | b"sunion" | b"sdiff" | b"keys" | b"hkeys" | b"hvals", _) => {
            How::AnyOrder
        }
        (b"spop" | b"scan" | b"sscan", _) => How::AnyOrder,
        (b"sort" | b"sort_ro", _) => How::AnyOrder,
        (b"hgetall" | b"hscan" | b"zscan", _) => How::Pairs,
        (b"srandmember" | b"hrandfield" | b"zrandmember", _) => How::Shape,
        (b"ttl" | b"pttl" | b"httl" | b"hpttl", _) => How::WithoutNumbers,
        (b"expiretime" | b"pexpiretime" | b"hexpiretime" | b"hpexpiretime", _) => How::Times,
        (b"xinfo", _) => How::WithoutNumbers,
        (b"xpending", _) if words.len() > 3 => How::WithoutNumbers,
        _ => How::Exactly,
    }
}

/// A reply as it is compared.
pub fn comparable(value: &Value, how: How) -> String {
    match how {
        How::Exactly => shown(value),
        How::Times => times(value),
        How::AnyOrder => unordered(value),
        How::Pairs => pairs(value),
        How::Shape => shape(value, false),
        How::WithoutNumbers => shape(value, true),
    }
}

/// Milliseconds, and seconds, between now and the times that streams name.
const SOON: [std::ops::Range<i64>; 2] =
    [1_500_000_000..4_102_444_800, 1_500_000_000_000..4_102_444_800_000];

fn times(value: &Value) -> String {
    match value {
        Value::Integer(time) if SOON.iter().any(|soon| soon.contains(time)) => "soon".into(),
        Value::Array(items) => items.iter().map(times).collect::<Vec<_>>().join(", "),
        other => shown(other),
    }
}

fn pairs(value: &Value) -> String {
    match value {
        Value::Array(items) if matches!(items.as_slice(), [_, Value::Array(_)]) => {
            format!("{} {}", shown(&items[0]), pairs(&items[1]))
        }
        Value::Array(items) if items.len() % 2 == 0 => {
            let mut all: Vec<_> =
                items.chunks(2).map(|pair| (shown(&pair[0]), shown(&pair[1]))).collect();
            all.sort();
            format!("{all:?}")
        }
        Value::Map(items) => {
            let mut all: Vec<_> =
                items.iter().map(|(key, value)| (shown(key), shown(value))).collect();
            all.sort();
            format!("map {all:?}")
        }
        other => shown(other),
    }
}

/// A reply without its numbers; with or without its texts.
fn shape(value: &Value, texts: bool) -> String {
    let all = |items: &[Value]| {
        items.iter().map(|item| shape(item, texts)).collect::<Vec<_>>().join(", ")
    };
    match value {
        // What is missing is not a matter of chance.
        Value::Integer(number) if *number < 0 => number.to_string(),
        Value::Integer(_) => "integer".into(),
        Value::Double(_) => "double".into(),
        Value::Bulk(_) if !texts => "text".into(),
        Value::Array(items) => format!("[{}]", all(items)),
        Value::Map(pairs) => {
            let items: Vec<Value> =
                pairs.iter().flat_map(|(key, value)| [key.clone(), value.clone()]).collect();
            format!("map[{}]", all(&items))
        }
        other => shown(other),
    }
}
