//! The set with everything in it: a file per family of types, all writing through one [`Loader`].

mod hashes;
mod lists;
mod sets;
mod special;
mod streams;
mod strings;

use std::collections::BTreeSet;

use super::random::Random;
use super::{FAR_FUTURE_MS, LoadError, Loaded, expect_ok, knows};
use crate::client::{Client, Reply};

/// Every so many-th key gets an expiry.
const EXPIRY_EVERY: u64 = 3;

type Done = Result<(), LoadError>;

/// Writes keys and keeps account of them.
struct Loader<'a> {
    client: &'a mut Client,
    random: Random,
    /// Keys of the database being filled, each told of once.
    keys: BTreeSet<Vec<u8>>,
    loaded: u64,
}

pub(super) fn load(client: &mut Client, seed: u64) -> Result<Loaded, LoadError> {
    let random = Random::new(seed);
    let mut loader = Loader { client, random, keys: BTreeSet::new(), loaded: 0 };
    loader.database("0", |loader| {
        strings::load(loader)?;
        lists::load(loader)?;
        sets::load(loader)?;
        hashes::load(loader)?;
        streams::load(loader)?;
        special::load(loader)
    })?;
    loader.database("1", |loader| {
        // The same names as in database 0, other values and types.
        loader.run(&["SET", "string:embstr", "in database one"])?;
        loader.run(&["RPUSH", "hash:listpack", "a", "list", "here"])?;
        loader.run(&["SET", "only:1", "1"]).map(drop)
    })?;
    loader.database("9", |loader| {
        for number in 0..10 {
            loader.run(&["HSET", &format!("hash:{number}"), "database", "9"])?;
        }
        Ok(())
    })?;
    let keys = loader.loaded;
    expect_ok(client, &["SELECT", "0"])?;
    Ok(Loaded { keys })
}

impl Loader<'_> {
    /// Fills one database, then gives every third of its keys an expiry.
    fn database(&mut self, number: &str, fill: impl FnOnce(&mut Self) -> Done) -> Done {
        self.send(&["SELECT", number])?;
        fill(self)?;
        let keys = std::mem::take(&mut self.keys);
        for (number, key) in (0..).zip(&keys) {
            if number % EXPIRY_EVERY == 0 {
                let at = (FAR_FUTURE_MS + number * 86_400_123).to_string();
                self.send(&[b"PEXPIREAT", key.as_slice(), at.as_bytes()])?;
            }
        }
        self.loaded += keys.len() as u64;
        Ok(())
    }

    /// Sends a command whose first argument is the key it writes.
    fn run<A: AsRef<[u8]>>(&mut self, command: &[A]) -> Result<Reply, LoadError> {
        if let Some(key) = command.get(1) {
            self.keys.insert(key.as_ref().to_vec());
        }
        self.send(command)
    }

    /// As [`run`](Loader::run): `command key arguments…`, the arguments any bytes.
    fn add<A: AsRef<[u8]>>(
        &mut self,
        command: &str,
        key: &str,
        arguments: impl IntoIterator<Item = A>,
    ) -> Done {
        let mut words = vec![command.as_bytes().to_vec(), key.as_bytes().to_vec()];
        words.extend(arguments.into_iter().map(|argument| argument.as_ref().to_vec()));
        self.run(&words).map(drop)
    }

    /// Sends a command that writes no key of its own.
    fn send<A: AsRef<[u8]>>(&mut self, command: &[A]) -> Result<Reply, LoadError> {
        expect_ok(self.client, command)
    }

    /// Whether the server has a command.
    fn has(&mut self, command: &str) -> Result<bool, LoadError> {
        Ok(knows(self.client, command)?)
    }

    /// Does something under other settings, and puts the old ones back.
    fn with_config(
        &mut self,
        settings: &[(&str, &str)],
        fill: impl FnOnce(&mut Self) -> Done,
    ) -> Done {
        let mut old = Vec::new();
        for (name, value) in settings {
            let reply = self.send(&["CONFIG", "GET", name])?;
            old.push((name, reply.items().get(1).map(Reply::text).unwrap_or_default()));
            self.send(&["CONFIG", "SET", name, value])?;
        }
        let filled = fill(self);
        for (name, value) in old {
            self.send(&["CONFIG", "SET", name, &value])?;
        }
        filled
    }
}

/// Integers around each width that listpacks, ziplists, intsets and RDB lengths treat differently.
const INTEGERS: [i64; 30] = [
    0,
    1,
    -1,
    12,
    13,
    127,
    128,
    -128,
    -129,
    255,
    4095,
    4096,
    -4096,
    -4097,
    32_767,
    32_768,
    -32_768,
    -32_769,
    65_536,
    8_388_607,
    8_388_608,
    -8_388_608,
    -8_388_609,
    2_147_483_647,
    2_147_483_648,
    -2_147_483_648,
    -2_147_483_649,
    1_000_000_000_000,
    i64::MAX,
    i64::MIN,
];

/// All integers of [`INTEGERS`] as text.
fn integers() -> Vec<String> {
    INTEGERS.iter().map(i64::to_string).collect()
}

/// `count` short names with a prefix.
fn names(prefix: &str, count: u32) -> Vec<String> {
    (0..count).map(|number| format!("{prefix}:{number}")).collect()
}

/// All 256 byte values in order.
fn all_bytes() -> Vec<u8> {
    (0..=u8::MAX).collect()
}
