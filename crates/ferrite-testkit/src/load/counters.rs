//! Keys that one writer alone increments: what they hold tells lost and doubled writes, even when
//! two servers agree with each other.

use crate::client::{Client, ClientError};

/// Counters of each writer.
const PER_WRITER: usize = 8;

/// A key that only INCR was used on, by one writer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counter {
    /// The key, `counter:WRITER:NUMBER`. A counter of zero has no key.
    pub key: String,
    /// The database it is in: the first of the load.
    pub database: u32,
    /// The least it must hold: every increment that was acknowledged.
    pub min: u64,
    /// The most it may hold: also the increments whose acknowledgement was lost.
    pub max: u64,
}

impl Counter {
    /// Reads the key from a server and tells what is wrong with it, if anything is. The client
    /// must have selected the counter's database.
    ///
    /// # Errors
    /// [`ClientError`] when the connection fails.
    pub fn check(&self, client: &mut Client) -> Result<Option<String>, ClientError> {
        let Counter { key, database, min, max } = self;
        let found = value(client, key)?;
        let what = if found < *min { "writes were lost" } else { "writes were doubled" };
        let wrong = !(*min..=*max).contains(&found);
        Ok(wrong.then(|| format!("db{database} {key} is {found}, not {min} to {max}: {what}")))
    }
}

/// The counters of a writer, with the values they have on the server.
///
/// # Errors
/// [`ClientError`] when the connection fails. The client must have selected the database.
pub(super) fn of_writer(
    writer: usize,
    database: u32,
    client: &mut Client,
) -> Result<Vec<Counter>, ClientError> {
    let read = |number| {
        let key = format!("counter:{writer}:{number}");
        let found = value(client, &key)?;
        Ok(Counter { key, database, min: found, max: found })
    };
    (0..PER_WRITER).map(read).collect()
}

fn value(client: &mut Client, key: &str) -> Result<u64, ClientError> {
    let reply = client.try_call(&["GET", key])?;
    Ok(reply.int().and_then(|value| u64::try_from(value).ok()).unwrap_or_default())
}
