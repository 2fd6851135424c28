//! Single keys of any size, quickly.

use super::random::Random;
use super::{DEFAULT_SEED, LoadError, expect_ok};
use crate::client::{Client, Pipeline};

/// Bytes written into a string at a time.
const PIECE: u64 = 16 * 1024 * 1024;
/// Bytes of one member of a collection.
const MEMBER_BYTES: u64 = 100;
/// Members sent in one command.
const MEMBERS_PER_COMMAND: u64 = 200;

/// The types a big collection can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Collection {
    /// RPUSH.
    List,
    /// SADD.
    Set,
    /// HSET; a field and its value together have the size of one member.
    Hash,
    /// ZADD.
    SortedSet,
    /// XADD, one field an entry.
    Stream,
}

impl Collection {
    /// All of them.
    pub const ALL: [Collection; 5] = [
        Collection::List,
        Collection::Set,
        Collection::Hash,
        Collection::SortedSet,
        Collection::Stream,
    ];
}

/// Makes a string of exactly so many bytes that do not compress. Servers allow 512 MiB unless
/// `proto-max-bulk-len` says otherwise. The key must not exist.
///
/// # Errors
/// [`LoadError`] when the server refuses.
pub fn string(client: &mut Client, key: &[u8], bytes: u64) -> Result<(), LoadError> {
    let mut piece = Random::new(DEFAULT_SEED).bytes(usize::try_from(bytes.min(PIECE)).unwrap_or(0));
    if bytes > PIECE {
        // Its full size at once, instead of a copy of the whole for each piece.
        expect_ok(client, &[b"SETRANGE", key, (bytes - 1).to_string().as_bytes(), b"\0"])?;
    }
    let mut offset = 0;
    while offset < bytes {
        let length = usize::try_from((bytes - offset).min(PIECE)).unwrap_or(piece.len());
        // Pieces differ in their first bytes, so that one put in the wrong place shows.
        for (byte, mark) in piece.iter_mut().zip(offset.to_le_bytes()) {
            *byte = mark;
        }
        let part = piece.get(..length).unwrap_or_default();
        expect_ok(client, &[b"SETRANGE", key, offset.to_string().as_bytes(), part])?;
        offset += length as u64;
    }
    Ok(())
}

/// Makes a collection whose members add up to about so many bytes, 100 bytes each; gives the number
/// of members. The key must not exist.
///
/// # Errors
/// [`LoadError`] when the server refuses.
pub fn collection(
    client: &mut Client,
    kind: Collection,
    key: &[u8],
    bytes: u64,
) -> Result<u64, LoadError> {
    let members = bytes.div_ceil(MEMBER_BYTES).max(1);
    let per_command = if kind == Collection::Stream { 1 } else { MEMBERS_PER_COMMAND };
    let mut random = Random::new(DEFAULT_SEED);
    let mut pipeline = Pipeline::new(client);
    let mut number = 0;
    while number < members {
        let end = members.min(number + per_command);
        let mut command = start(kind, key);
        (number..end).for_each(|number| push_member(&mut command, kind, number, &mut random));
        pipeline.push(&command)?;
        number = end;
    }
    pipeline.finish()?;
    Ok(members)
}

fn start(kind: Collection, key: &[u8]) -> Vec<Vec<u8>> {
    let name: &[u8] = match kind {
        Collection::List => b"RPUSH",
        Collection::Set => b"SADD",
        Collection::Hash => b"HSET",
        Collection::SortedSet => b"ZADD",
        Collection::Stream => b"XADD",
    };
    vec![name.to_vec(), key.to_vec()]
}

fn push_member(command: &mut Vec<Vec<u8>>, kind: Collection, number: u64, random: &mut Random) {
    let name = format!("member:{number:012} ").into_bytes();
    let text = random.text(MEMBER_BYTES as usize - name.len());
    match kind {
        Collection::List | Collection::Set => command.push([name, text].concat()),
        Collection::Hash => command.extend([name, text]),
        Collection::SortedSet => {
            let score = random.below(1 << 40) as f64 / 1024.0;
            command.extend([score.to_string().into_bytes(), [name, text].concat()]);
        }
        Collection::Stream => {
            let id = format!("{}-1", number + 1).into_bytes();
            command.extend([id, b"text".to_vec(), [name, text].concat()]);
        }
    }
}
