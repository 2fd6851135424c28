//! Gives the expiries back that were held while commands were applied.
//!
//! A key whose time has passed meanwhile is deleted by the target when its expiry is written.

use ferrite_client::{ClientError, Connection, Pipeline, Value};

use crate::live::{release, settle_fields};
use crate::preflight::Server;

/// Keys looked at in one step.
const SCAN_COUNT: &str = "1000";

/// Goes through all keys of these databases; how many expiries were held.
///
/// # Errors
/// A target that is lost.
pub async fn release_all(target: &Server, dbs: &[u32]) -> Result<u64, ClientError> {
    let mut connection = target.connector.connect().await?;
    let mut released = 0;
    for db in dbs {
        connection.call(&["SELECT", &db.to_string()]).await?;
        let mut cursor = b"0".to_vec();
        loop {
            let reply = connection
                .call(&[b"SCAN", cursor.as_slice(), b"COUNT", SCAN_COUNT.as_bytes()])
                .await?;
            let parts = reply.as_array().unwrap_or_default();
            cursor = parts.first().and_then(Value::as_bytes).unwrap_or(b"0").to_vec();
            let names = parts.get(1).and_then(Value::as_array).unwrap_or_default();
            let keys: Vec<&[u8]> = names.iter().filter_map(Value::as_bytes).collect();
            released += release_some(&mut connection, target, &keys).await?;
            if cursor == b"0" {
                break;
            }
        }
    }
    Ok(released)
}

/// The databases that have keys now.
///
/// # Errors
/// A target that is lost.
pub async fn databases(connection: &mut Connection) -> Result<Vec<u32>, ClientError> {
    let info = connection.call(&["INFO", "keyspace"]).await?;
    let text = String::from_utf8_lossy(info.as_bytes().unwrap_or_default()).into_owned();
    let number = |line: &str| line.strip_prefix("db")?.split_once(':')?.0.parse().ok();
    Ok(text.lines().filter_map(number).collect())
}

async fn release_some(
    connection: &mut Connection,
    target: &Server,
    keys: &[&[u8]],
) -> Result<u64, ClientError> {
    if keys.is_empty() {
        return Ok(0);
    }
    let has_times = target.has_expiretime();
    let mut asking = Pipeline::new();
    for key in keys {
        match has_times {
            true => asking.push(&[&b"PEXPIRETIME"[..], key]),
            // Time left, and right before it the time it is counted from.
            false => asking.push(&["TIME"]).push(&[&b"PTTL"[..], key]),
        };
    }
    let replies = connection.pipeline(&asking).await?;
    let mut writing = Pipeline::new();
    for (key, reply) in keys.iter().zip(replies.chunks(if has_times { 1 } else { 2 })) {
        let now_ms = match reply {
            [Ok(time), _] => milliseconds(time),
            _ => 0,
        };
        let left = reply.last().and_then(|reply| reply.as_ref().ok()?.as_int());
        let Some(left) = left.and_then(|left| u64::try_from(left).ok()) else { continue };
        if let Some(at) = release(left.saturating_add(now_ms)) {
            writing.push(&[&b"PEXPIREAT"[..], key, at.to_string().as_bytes()]);
        }
    }
    if target.values().has_field_expiry() {
        settle_fields(connection, keys, &mut writing).await?;
    }
    if !writing.is_empty() {
        connection.pipeline(&writing).await?;
    }
    Ok(writing.len() as u64)
}

/// The reply to `TIME`, as Unix time in ms.
fn milliseconds(time: &Value) -> u64 {
    let parts = time.as_array().unwrap_or_default();
    let part = |index: usize| parts.get(index)?.as_str()?.parse::<u64>().ok();
    part(0).unwrap_or(0) * 1000 + part(1).unwrap_or(0) / 1000
}
