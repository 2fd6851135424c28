//! What is in the source: ordinary keys of all types, the same in every run.

use ferrite_client::{Connection, Pipeline};

use super::lost;
use crate::term::error::Failure;

/// Keys sent at once.
const BATCH: u64 = 500;
/// Elements of a collection.
const ELEMENTS: u64 = 10;
/// One key in so many has an expiry.
const EXPIRING: u64 = 5;
/// 1 January 2100, in seconds since 1970: the expiries do not come while anybody watches.
const FAR: u64 = 4_102_444_800;

/// Writes that many keys.
///
/// # Errors
/// A server that does not answer, or answers with an error.
pub async fn load(connection: &mut Connection, keys: u64) -> Result<(), Failure> {
    let mut pipeline = Pipeline::new();
    for first in (0..keys).step_by(usize::try_from(BATCH).unwrap_or(1)) {
        pipeline.clear();
        (first..keys.min(first + BATCH)).for_each(|number| key(&mut pipeline, number));
        let replies = connection.pipeline(&pipeline).await.map_err(lost)?;
        if let Some(error) = replies.into_iter().find_map(Result::err) {
            let cause = std::io::Error::other(error.to_string());
            return Err(Failure::system("loading the data of the demo", &cause));
        }
    }
    Ok(())
}

/// The commands that make a key: of twenty, twelve are strings, three hashes, two lists, and one
/// each a set, a sorted set and a stream with a group.
fn key(pipeline: &mut Pipeline, number: u64) {
    let key = format!("demo:{number}");
    let words: Vec<String> = match number % 20 {
        0..=11 => vec!["SET".into(), key.clone(), format!("{number:0>100}")],
        12..=14 => collection("HSET", &key, |i| vec![format!("field:{i}"), number.to_string()]),
        15..=16 => collection("RPUSH", &key, |i| vec![format!("element:{number}:{i}")]),
        17 => collection("SADD", &key, |i| vec![format!("member:{}", number + i)]),
        18 => collection("ZADD", &key, |i| vec![(number * i).to_string(), format!("member:{i}")]),
        _ => {
            pipeline.push(&["XADD", &key, "1-1", "temperature", &number.to_string()]);
            pipeline.push(&["XADD", &key, "2-1", "temperature", "21"]);
            ["XGROUP", "CREATE", &key, "readers", "1-1"].map(str::to_owned).into()
        }
    };
    pipeline.push(&words);
    if number.is_multiple_of(EXPIRING) {
        pipeline.push(&["EXPIREAT", &key, &(FAR + number).to_string()]);
    }
}

fn collection(command: &str, key: &str, words: impl Fn(u64) -> Vec<String>) -> Vec<String> {
    let elements = (0..ELEMENTS).flat_map(words);
    [command.to_owned(), key.to_owned()].into_iter().chain(elements).collect()
}
