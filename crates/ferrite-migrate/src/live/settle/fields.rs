//! The held expiries of hash fields.

use ferrite_client::{ClientError, Connection, Pipeline, Value};

use super::Pass;
use crate::live::rewrite::{HOLD_MS, hold, release};

/// Whether the keyspace section of `INFO` tells of hashes that have a field with an expiry. Redis
/// (7.4 on) counts them as `subexpiry`, Valkey (9.0 on) as `keys_with_volatile_items`.
#[must_use]
pub fn are_told(keyspace: &str) -> bool {
    let counts = ["subexpiry=", "keys_with_volatile_items="];
    let told: Vec<&str> = counts
        .iter()
        .flat_map(|name| keyspace.split(name).skip(1))
        .map(|rest| rest.split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default())
        .collect();
    // A server that does not count them may have some.
    told.is_empty() || told.iter().any(|count| *count != "0")
}

/// Adds the commands to `pipeline` that a pass means for the fields of these keys; the keys of
/// which a field stays held, or, when everything is released, was.
///
/// # Errors
/// A target that is lost.
pub async fn settle<'k>(
    connection: &mut Connection,
    keys: &[&'k [u8]],
    pass: Pass,
    pipeline: &mut Pipeline,
) -> Result<Vec<&'k [u8]>, ClientError> {
    let mut asking = Pipeline::new();
    for key in keys {
        asking.push(&[&b"HKEYS"[..], key]);
    }
    // Keys of other types answer with an error.
    let names = connection.pipeline(&asking).await?;
    let hashes: Vec<(&'k [u8], Value)> = keys
        .iter()
        .copied()
        .zip(names)
        .filter_map(|(key, names)| Some((key, names.ok()?)))
        .collect();
    let mut asking = Pipeline::new();
    for (key, names) in &hashes {
        let names = names.as_array().unwrap_or_default();
        let count = names.len().to_string();
        let mut words: Vec<&[u8]> = vec![b"HPEXPIRETIME", key, b"FIELDS", count.as_bytes()];
        words.extend(names.iter().map(|name| name.as_bytes().unwrap_or_default()));
        asking.push(&words);
    }
    let times = connection.pipeline(&asking).await?;
    let mut answer = Vec::new();
    for ((key, names), times) in hashes.iter().zip(times) {
        let Ok(times) = times else { continue };
        let pairs =
            names.as_array().unwrap_or_default().iter().zip(times.as_array().unwrap_or_default());
        let mut is_held = false;
        for (name, time) in pairs {
            let Some(time) = time.as_int().and_then(|time| u64::try_from(time).ok()) else {
                continue;
            };
            let new = match (pass, release(time)) {
                (Pass::ReleaseFrom(from), Some(time)) => {
                    is_held |= time < from || from == 0;
                    (time >= from).then_some(time)
                }
                (Pass::Hold, None) => Some(hold(time, HOLD_MS)),
                _ => None,
            };
            if let Some(new) = new {
                let (new, name) = (new.to_string(), name.as_bytes().unwrap_or_default());
                pipeline.push(&[&b"HPEXPIREAT"[..], key, new.as_bytes(), b"FIELDS", b"1", name]);
            }
        }
        if is_held {
            answer.push(*key);
        }
    }
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_families_tell_of_fields() {
        assert!(are_told("db0:keys=2,expires=1,avg_ttl=0,subexpiry=1\r\ndb3:subexpiry=0\r\n"));
        assert!(are_told("db0:keys=2,keys_with_volatile_items=12\r\n"));
        assert!(!are_told("db0:keys=2,expires=1,avg_ttl=0,subexpiry=0\r\n"));
        assert!(!are_told("db0:keys=2,keys_with_volatile_items=0"));
        assert!(are_told("db0:keys=2,expires=1"));
    }
}
