//! One record.
//!
//! ```text
//! {"db": 0,                        the database; 0 unless told
//!  "key": text,
//!  "type": "string",               string, list, set, zset, hash, stream
//!  "expires_at_ms": 1800000000000, Unix time; none unless told
//!  "value": …}                     see `value.rs`
//!
//! {"key": text, "type": …, "dump": base64, "dialect": "redis"}
//!                                  instead of a value: the payload of DUMP, for modules and
//!                                  what has no shape here
//! {"type": "function", "code": text}
//! ```
//!
//! The fields may stand in any order. A field that is not known is an error: it would be lost.

use std::borrow::Cow;

use ferrite_rdb::{Dialect, Format, dump};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::text::{Text, from_base64};
use super::value;

/// The format values are stored in on their way: any target's is made from it.
pub const STORED: Format = Format::redis(12);

/// What a record is about; its value is where the caller wanted it.
#[derive(Debug)]
pub struct Parsed {
    pub db: u32,
    pub key: Vec<u8>,
    pub expires_at_ms: Option<u64>,
    /// What the value is stored in.
    pub format: Format,
    /// The code of a function library, which has no key.
    pub function: Option<Vec<u8>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Record<'a> {
    #[serde(default)]
    db: u32,
    #[serde(default)]
    key: Option<Text>,
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(default)]
    expires_at_ms: Option<u64>,
    #[serde(borrow, default)]
    value: Option<&'a RawValue>,
    #[serde(borrow, default)]
    dump: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    dialect: Option<Cow<'a, str>>,
    #[serde(default)]
    code: Option<Text>,
}

/// Reads a record; its value is appended to `out` as it is stored, type byte first.
///
/// # Errors
/// What is wrong with it.
pub fn parse(object: &[u8], out: &mut Vec<u8>) -> Result<Parsed, String> {
    let record: Record<'_> = serde_json::from_slice(object).map_err(|error| told(&error))?;
    let Record { db, key, expires_at_ms, .. } = record;
    if record.kind == "function" {
        let code = record.code.ok_or("a function has no code")?;
        let function = Some(code.0);
        return Ok(Parsed { db, key: Vec::new(), expires_at_ms: None, format: STORED, function });
    }
    let Text(key) = key.ok_or("it has no key")?;
    let format = match (record.value, record.dump) {
        (Some(value), None) => {
            value::store(&record.kind, value, out)?;
            STORED
        }
        (None, Some(payload)) => {
            let dialect = record.dialect.ok_or("a dump needs its dialect, such as \"redis\"")?;
            store_dump(&from_base64(&payload)?, dialect_of(&dialect)?, out)?
        }
        _ => return Err("it needs a value, or a dump, and not both".to_owned()),
    };
    Ok(Parsed { db, key, expires_at_ms, format, function: None })
}

/// What a parser says, without the place in the record, which is often one long line.
pub fn told(error: &serde_json::Error) -> String {
    format!("{error}")
}

fn store_dump(payload: &[u8], dialect: Dialect, out: &mut Vec<u8>) -> Result<Format, String> {
    let payload = dump::split(payload).map_err(|error| format!("dump: {error}"))?;
    out.push(payload.type_byte);
    out.extend_from_slice(payload.body);
    Ok(Format { dialect, version: u32::from(payload.version) })
}

fn dialect_of(name: &str) -> Result<Dialect, String> {
    match name {
        "redis" => Ok(Dialect::Redis),
        "valkey" => Ok(Dialect::Valkey),
        "keydb" => Ok(Dialect::KeyDb),
        "dragonfly" => Ok(Dialect::Dragonfly),
        other => Err(format!("\"{other}\" is no dialect: redis, valkey, keydb or dragonfly")),
    }
}
