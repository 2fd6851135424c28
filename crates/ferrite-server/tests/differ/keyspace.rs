//! Both servers' keys at a checkpoint: names, types, encodings, expiries, DUMP bytes, values.

use ferrite_rdb::Body;
use ferrite_resp::Value;

use crate::common::{Connection, shown};
use crate::compare::{How, comparable};

/// Bytes of a DUMP payload that say version and checksum.
const DUMP_FOOTER: usize = 10;
/// The databases that streams use.
const DATABASES: [&str; 2] = ["0", "1"];

/// A reply as text, with what asked for it.
fn ask(connection: &mut Connection, words: &[&[u8]], how: How) -> String {
    let asked: Vec<_> = words.iter().map(|word| String::from_utf8_lossy(word)).collect();
    format!("{} = {}", asked.join(" "), comparable(&connection.call(words), how))
}

/// What is asked of a key to see its value.
fn reading(kind: &str) -> Vec<(Vec<&'static str>, How)> {
    match kind {
        "string" => vec![(vec!["GET", "KEY"], How::Exactly)],
        "list" => vec![(vec!["LRANGE", "KEY", "0", "-1"], How::Exactly)],
        "set" => vec![(vec!["SMEMBERS", "KEY"], How::AnyOrder)],
        "hash" => vec![(vec!["HGETALL", "KEY"], How::Pairs)],
        "zset" => vec![(vec!["ZRANGE", "KEY", "0", "-1", "WITHSCORES"], How::Exactly)],
        "stream" => vec![
            (vec!["XRANGE", "KEY", "-", "+"], How::Exactly),
            (vec!["XINFO", "GROUPS", "KEY"], How::Exactly),
            (vec!["XPENDING", "KEY", "g0"], How::Exactly),
            (vec!["XPENDING", "KEY", "g1"], How::Exactly),
        ],
        _ => Vec::new(),
    }
}

/// Whether both servers write the value's bytes in one order.
fn has_one_order(kind: &str, encoding: &str) -> bool {
    kind != "stream" && encoding != "\"hashtable\""
}

/// A server's keys as lines that must be the same on both.
pub fn picture(connection: &mut Connection, dump: bool) -> Vec<String> {
    let mut lines = Vec::new();
    for database in DATABASES {
        connection.call(&["SELECT", database]);
        let keys = connection.call(&["KEYS", "*"]);
        let mut keys: Vec<Vec<u8>> = keys
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|key| Some(key.as_bytes()?.to_vec()))
            .collect();
        keys.sort();
        for key in keys {
            lines.push(format!("SELECT {database}"));
            one_key(connection, &key, dump, &mut lines);
        }
    }
    lines
}

fn one_key(connection: &mut Connection, key: &[u8], dump: bool, lines: &mut Vec<String>) {
    let kind = connection.call(&[b"TYPE".as_slice(), key]);
    let kind = kind.as_str().unwrap_or_default().to_owned();
    lines.push(ask(connection, &[b"PEXPIRETIME", key], How::Times));
    for (words, how) in reading(&kind) {
        let words: Vec<&[u8]> =
            words.iter().map(|word| if *word == "KEY" { key } else { word.as_bytes() }).collect();
        lines.push(ask(connection, &words, how));
    }
    let encoding = shown(&connection.call(&[b"OBJECT", b"ENCODING".as_slice(), key]));
    // A hash none of whose fields expires any more is of either kind.
    let encoding = encoding.replace("listpackex", "listpack");
    // What of a string lies beside its key is not the same in Valkey.
    if !dump || kind != "string" {
        lines.push(format!("OBJECT ENCODING {} = {encoding}", String::from_utf8_lossy(key)));
    }
    if dump && has_one_order(&kind, &encoding) {
        let Value::Bulk(payload) = connection.call(&[b"DUMP".as_slice(), key]) else { return };
        let end = payload.len().saturating_sub(DUMP_FOOTER);
        let parts = parts(&payload[..end]).expect("a payload");
        let hex: String = parts.iter().map(|byte| format!("{byte:02x}")).collect();
        lines.push(format!("DUMP {} = {hex}", String::from_utf8_lossy(key)));
    }
}

/// A DUMP payload without its footer, its strings unpacked: how well a server compresses is its own
/// affair.
fn parts(payload: &[u8]) -> Result<Vec<u8>, ferrite_rdb::Error> {
    let Some((kind, bytes)) = payload.split_first() else { return Ok(Vec::new()) };
    let (mut out, mut body) = (vec![*kind], Body::new(bytes));
    match kind {
        // A string, intset or listpack.
        0 | 11 | 16 | 17 | 20 => out.extend_from_slice(&body.string()?),
        // A skiplist: members and scores.
        5 => {
            for _ in 0..body.length()? {
                out.extend_from_slice(&body.string()?);
                out.extend_from_slice(&body.u64_le()?.to_le_bytes());
            }
        }
        // A quicklist: kind of node, and node.
        18 => {
            for _ in 0..body.length()? {
                out.extend_from_slice(&body.length()?.to_le_bytes());
                out.extend_from_slice(&body.string()?);
            }
        }
        _ => out.extend_from_slice(bytes),
    }
    Ok(out)
}
