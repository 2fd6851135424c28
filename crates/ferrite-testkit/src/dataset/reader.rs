//! Reads a whole server through its own commands, in batches of keys.

use std::collections::BTreeMap;

use super::listing::{Blob, Entry, Expiry, Listing, Value};
use super::{knows, stream_facts};
use crate::client::{Client, ClientError, Reply};

/// Keys asked for at a time.
const SCAN_COUNT: &str = "500";

/// Why there is no picture of a server.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The connection failed.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The server answered with an error, or with something of the wrong shape.
    #[error("{command} answered {reply}")]
    Answer {
        /// The command, long arguments cut.
        command: String,
        /// The server's answer.
        reply: String,
    },
}

type Command = Vec<Vec<u8>>;
type Keys = BTreeMap<Vec<u8>, Entry>;

/// Reads everything a server holds: all keys of all databases, and functions.
///
/// The server should not be written to meanwhile. The client is left in database 0.
///
/// # Errors
/// [`SnapshotError`] when a command fails.
pub fn snapshot(client: &mut Client) -> Result<Listing, SnapshotError> {
    let mut reader = Reader {
        tells_moments: knows(client, "PEXPIRETIME")?,
        fields_expire: knows(client, "HPEXPIRETIME")?,
        has_functions: knows(client, "FUNCTION")?,
        client,
    };
    let mut databases = BTreeMap::new();
    for number in reader.databases()? {
        reader.ask(command(&["SELECT", &number.to_string()]))?;
        let keys = reader.database()?;
        if !keys.is_empty() {
            databases.insert(number, keys);
        }
    }
    reader.ask(command(&["SELECT", "0"]))?;
    let functions = reader.has_functions.then(|| reader.functions()).transpose()?;
    Ok(Listing { databases, functions })
}

struct Reader<'a> {
    client: &'a mut Client,
    tells_moments: bool,
    fields_expire: bool,
    has_functions: bool,
}

fn command<A: AsRef<[u8]>>(words: &[A]) -> Command {
    words.iter().map(|word| word.as_ref().to_vec()).collect()
}

fn refused(command: &Command, reply: &Reply) -> SnapshotError {
    let words = command.iter().map(|word| Reply::Bulk(word.clone())).collect();
    SnapshotError::Answer { command: Reply::Array(words).to_string(), reply: reply.to_string() }
}

impl Reader<'_> {
    fn ask(&mut self, command: Command) -> Result<Reply, SnapshotError> {
        let reply = self.client.try_call(&command)?;
        if reply.is_error() { Err(refused(&command, &reply)) } else { Ok(reply) }
    }

    fn ask_all(&mut self, commands: &[Command]) -> Result<Vec<Reply>, SnapshotError> {
        let replies = self.client.pipeline(commands)?;
        match commands.iter().zip(&replies).find(|(_, reply)| reply.is_error()) {
            Some((command, reply)) => Err(refused(command, reply)),
            None => Ok(replies),
        }
    }

    /// Numbers of the databases that hold keys: `db0:keys=…` in INFO.
    fn databases(&mut self) -> Result<Vec<u32>, SnapshotError> {
        let info = self.ask(command(&["INFO", "keyspace"]))?.text();
        let number = |line: &str| line.strip_prefix("db")?.split_once(':')?.0.parse().ok();
        Ok(info.lines().filter_map(number).collect())
    }

    fn database(&mut self) -> Result<Keys, SnapshotError> {
        let mut keys = Keys::new();
        let mut cursor = "0".to_owned();
        loop {
            let scan = command(&["SCAN", &cursor, "COUNT", SCAN_COUNT]);
            let reply = self.ask(scan.clone())?;
            let [next, batch] = reply.items() else { return Err(refused(&scan, &reply)) };
            let batch = batch.items().iter().filter_map(Reply::bytes);
            let new: Vec<&[u8]> = batch.filter(|key| !keys.contains_key(*key)).collect();
            let read = self.batch(&new)?;
            keys.extend(read);
            cursor = next.text();
            if cursor == "0" {
                return Ok(keys);
            }
        }
    }

    fn batch(&mut self, keys: &[&[u8]]) -> Result<Keys, SnapshotError> {
        let types: Vec<Command> = keys.iter().map(|key| command(&[b"TYPE", *key])).collect();
        let kinds: Vec<String> = self.ask_all(&types)?.iter().map(Reply::text).collect();
        let present: Vec<(&[u8], &str)> =
            keys.iter().copied().zip(kinds.iter().map(String::as_str)).collect();
        let present: Vec<_> = present.into_iter().filter(|(_, kind)| *kind != "none").collect();
        let reads: Vec<Command> =
            present.iter().map(|(key, kind)| read_command(kind, key)).collect();
        // A key that expires just now is an error to `XINFO`; whether it did is told next.
        let replies = self.client.pipeline(&reads)?;
        let expiries = self.expiries(&present)?;
        let mut read = Keys::new();
        for (((key, kind), reply), expiry) in present.iter().zip(&replies).zip(expiries) {
            let Presence::Here(expiry) = expiry else { continue };
            let value = value_of(kind, reply).filter(|_| !reply.is_error());
            let value = value.ok_or_else(|| refused(&read_command(kind, key), reply))?;
            // All its fields are expired: it is about to go, or a copy that Valkey never deletes.
            if matches!(&value, Value::Hash(fields) if fields.is_empty()) {
                continue;
            }
            read.insert(key.to_vec(), Entry { value, expiry });
        }
        if self.fields_expire {
            self.field_expiries(&mut read)?;
        }
        Ok(read)
    }

    /// When each key expires. Servers that only tell the time left are asked for their clock
    /// before and after.
    fn expiries(&mut self, keys: &[(&[u8], &str)]) -> Result<Vec<Presence>, SnapshotError> {
        let ask = if self.tells_moments { "PEXPIRETIME" } else { "PTTL" };
        let mut commands = vec![command(&["TIME"])];
        commands.extend(keys.iter().map(|(key, _)| command(&[ask.as_bytes(), key])));
        commands.push(command(&["TIME"]));
        let replies = self.ask_all(&commands)?;
        let (before, after) = (clock(replies.first()), clock(replies.last()));
        let answers = replies.get(1..=keys.len()).unwrap_or_default();
        let moment = |answer: &Reply| match answer.int().unwrap_or(-2) {
            -2 => Presence::Gone,
            -1 => Presence::Here(None),
            at_ms if self.tells_moments => Presence::Here(Some(Expiry { at_ms, tolerance_ms: 0 })),
            left => Presence::Here(Some(Expiry {
                at_ms: before + left,
                tolerance_ms: after - before + 2,
            })),
        };
        Ok(answers.iter().map(moment).collect())
    }

    fn field_expiries(&mut self, keys: &mut Keys) -> Result<(), SnapshotError> {
        let mut hashes: Vec<(&Vec<u8>, &mut Value)> = Vec::new();
        for (key, entry) in keys {
            if matches!(entry.value, Value::Hash(_)) {
                hashes.push((key, &mut entry.value));
            }
        }
        // Long field names are known by their hash only: ask the server for the names again.
        let names: Vec<Command> =
            hashes.iter().map(|(key, _)| command(&[b"HKEYS", key.as_slice()])).collect();
        let names = self.ask_all(&names)?;
        let ask = |(key, names): (&[u8], &Reply)| {
            let names: Vec<&[u8]> = names.items().iter().filter_map(Reply::bytes).collect();
            // A hash that is gone by now has no fields, and the command wants one.
            let names = if names.is_empty() { vec![&b""[..]] } else { names };
            let count = names.len().to_string();
            let words = [&b"HPEXPIRETIME"[..], key, b"FIELDS", count.as_bytes()];
            command(&[&words[..], &names].concat())
        };
        let asked: Vec<Command> =
            hashes.iter().map(|(key, _)| key.as_slice()).zip(&names).map(ask).collect();
        let answers = self.ask_all(&asked)?;
        for (((_, value), names), moments) in hashes.into_iter().zip(&names).zip(&answers) {
            let Value::Hash(fields) = value else { continue };
            for (name, moment) in names.items().iter().zip(moments.items()) {
                let field = fields.get_mut(&blob(name));
                if let (Some(field), Some(at @ 0..)) = (field, moment.int()) {
                    field.1 = Some(at);
                }
            }
        }
        Ok(())
    }

    fn functions(&mut self) -> Result<BTreeMap<String, Blob>, SnapshotError> {
        let reply = self.ask(command(&["FUNCTION", "LIST", "WITHCODE"]))?;
        let part = |library: &Reply, name: &str| {
            library.items().chunks(2).find_map(|pair| match pair {
                [key, value] if *key == *name => Some(value.clone()),
                _ => None,
            })
        };
        let told = |library: &Reply| {
            let name = part(library, "library_name")?.text();
            let engine = part(library, "engine")?.text().to_lowercase();
            let code = part(library, "library_code")?.text();
            Some((name, Blob::new(format!("{engine}: {code}").as_bytes())))
        };
        Ok(reply.items().iter().filter_map(told).collect())
    }
}

/// Whether a key was still there when its expiry was asked for.
enum Presence {
    Here(Option<Expiry>),
    Gone,
}

/// A reply to TIME in milliseconds.
fn clock(reply: Option<&Reply>) -> i64 {
    match reply.map(Reply::items) {
        Some([seconds, microseconds]) => {
            seconds.int().unwrap_or(0) * 1000 + microseconds.int().unwrap_or(0) / 1000
        }
        _ => 0,
    }
}

fn read_command(kind: &str, key: &[u8]) -> Command {
    match kind {
        "string" => command(&[b"GET", key]),
        "list" => command(&[b"LRANGE", key, b"0", b"-1"]),
        "set" => command(&[b"SMEMBERS", key]),
        "hash" => command(&[b"HGETALL", key]),
        "zset" => command(&[b"ZRANGE", key, b"0", b"-1", b"WITHSCORES"]),
        "stream" => command(&[&b"XINFO"[..], b"STREAM", key, b"FULL", b"COUNT", b"0"]),
        _ => command(&[b"DUMP", key]),
    }
}

fn blob(reply: &Reply) -> Blob {
    Blob::new(reply.bytes().unwrap_or_default())
}

fn pairs(reply: &Reply) -> impl Iterator<Item = (&Reply, &Reply)> {
    reply.items().chunks(2).filter_map(|pair| Some((pair.first()?, pair.get(1)?)))
}

/// What a reply to [`read_command`] holds; `None` when it has the wrong shape.
fn value_of(kind: &str, reply: &Reply) -> Option<Value> {
    let items = reply.items().iter().map(blob);
    Some(match kind {
        "string" => Value::String(Blob::new(reply.bytes()?)),
        "list" => Value::List(items.collect()),
        "set" => Value::Set(items.collect()),
        "hash" => Value::Hash(
            pairs(reply).map(|(field, value)| (blob(field), (blob(value), None))).collect(),
        ),
        "zset" => {
            let scored = |(member, score): (&Reply, &Reply)| {
                Some((blob(member), score.text().parse().ok()?))
            };
            Value::SortedSet(pairs(reply).map(scored).collect::<Option<_>>()?)
        }
        "stream" => Value::Stream(stream_facts::of(reply)),
        other => Value::Other(other.to_owned(), Blob::new(reply.bytes()?)),
    })
}
