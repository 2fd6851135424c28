//! The mixed set: many ordinary keys, written as fast as one connection goes.

use super::random::Random;
use super::{FAR_FUTURE_MS, LoadError, Loaded};
use crate::client::{Client, Pipeline};

/// Strings per MSET.
const STRINGS_PER_COMMAND: usize = 50;
/// Bytes of a string value.
const STRING_BYTES: usize = 100;
/// Fields of a hash, and bytes of each value.
const FIELDS: u64 = 10;
const FIELD_BYTES: usize = 22;
/// Members of lists, sets and sorted sets, and bytes of each.
const MEMBERS: u64 = 20;
const MEMBER_BYTES: usize = 17;
/// Entries of a stream, and how many of them are pending in its group.
const ENTRIES: u64 = 10;
const PENDING: u64 = 3;
/// When entries of streams were added and delivered, in milliseconds since 1970.
const STREAM_MS: u64 = 1_700_000_000_000;
/// Times the caller is told how far the load is.
const TELLINGS: u64 = 10;

/// Names of hash fields, as an application would have them.
const FIELD_NAMES: [&str; FIELDS as usize] =
    ["name", "email", "phone", "street", "city", "country", "status", "language", "plan", "note"];

pub(super) fn load(
    client: &mut Client,
    seed: u64,
    keys: u64,
    mut tell: impl FnMut(u64),
) -> Result<Loaded, LoadError> {
    let mut writer = Writer {
        pipeline: Pipeline::new(client),
        random: Random::new(seed),
        strings: vec![b"MSET".to_vec()],
    };
    let step = keys.div_ceil(TELLINGS).max(1);
    for number in 0..keys {
        writer.key(number)?;
        if (number + 1) % step == 0 && number + 1 < keys {
            tell(number + 1);
        }
    }
    writer.finish()?;
    tell(keys);
    Ok(Loaded { keys })
}

struct Writer<'a> {
    pipeline: Pipeline<'a>,
    random: Random,
    strings: Vec<Vec<u8>>,
}

type Written = Result<(), LoadError>;

impl Writer<'_> {
    fn key(&mut self, number: u64) -> Written {
        let expires = self.random.below(100) < 20;
        // Fixed places in every hundred keep the shares exact; the multiplier mixes the types.
        let share = (number % 100) * 37 % 100;
        let kind = match share {
            0..60 if expires => return self.expiring_string(number),
            0..60 => return self.string(number),
            60..75 => "profile",
            75..85 => "queue",
            85..93 => "tags",
            93..98 => "ranking",
            _ => "events",
        };
        let key = format!("{kind}:{number:09}");
        let name = key.clone().into_bytes();
        match kind {
            "profile" => self.hash(name),
            "queue" => self.list(name),
            "tags" => self.set(name),
            "ranking" => self.sorted_set(name),
            _ => self.stream(name),
        }?;
        if expires {
            let at = expiry(number);
            self.pipeline.push(&["PEXPIREAT", &key, &at])?;
        }
        Ok(())
    }

    fn finish(mut self) -> Written {
        self.send_strings()?;
        Ok(self.pipeline.finish()?)
    }

    fn string(&mut self, number: u64) -> Written {
        self.strings.push(format!("session:{number:09}").into_bytes());
        let value = self.random.text(STRING_BYTES);
        self.strings.push(value);
        if self.strings.len() > 2 * STRINGS_PER_COMMAND { self.send_strings() } else { Ok(()) }
    }

    fn send_strings(&mut self) -> Written {
        if self.strings.len() > 1 {
            self.pipeline.push(&self.strings)?;
            self.strings.truncate(1);
        }
        Ok(())
    }

    fn expiring_string(&mut self, number: u64) -> Written {
        let key = format!("session:{number:09}");
        let (value, at) = (self.random.text(STRING_BYTES), expiry(number));
        let command: [&[u8]; 5] = [b"SET", key.as_bytes(), &value, b"PXAT", at.as_bytes()];
        Ok(self.pipeline.push(&command)?)
    }

    fn hash(&mut self, key: Vec<u8>) -> Written {
        let mut command = vec![b"HSET".to_vec(), key];
        for name in FIELD_NAMES {
            command.push(name.as_bytes().to_vec());
            command.push(self.random.text(FIELD_BYTES));
        }
        Ok(self.pipeline.push(&command)?)
    }

    fn list(&mut self, key: Vec<u8>) -> Written {
        let mut command = vec![b"RPUSH".to_vec(), key];
        command.extend((0..MEMBERS).map(|_| self.random.text(MEMBER_BYTES)));
        Ok(self.pipeline.push(&command)?)
    }

    fn set(&mut self, key: Vec<u8>) -> Written {
        let mut command = vec![b"SADD".to_vec(), key];
        command.extend((0..MEMBERS).map(|member| self.member(member)));
        Ok(self.pipeline.push(&command)?)
    }

    fn sorted_set(&mut self, key: Vec<u8>) -> Written {
        let mut command = vec![b"ZADD".to_vec(), key];
        for member in 0..MEMBERS {
            let score = self.random.below(10_000_000) as f64 / 100.0;
            command.push(score.to_string().into_bytes());
            command.push(self.member(member));
        }
        Ok(self.pipeline.push(&command)?)
    }

    /// A text that differs from the key's other members.
    fn member(&mut self, member: u64) -> Vec<u8> {
        let mut text = format!("{member:02} ").into_bytes();
        self.random.write_text(&mut text, MEMBER_BYTES - 3);
        text
    }

    fn stream(&mut self, key: Vec<u8>) -> Written {
        for entry in 1..=ENTRIES {
            let (text, amount) = (self.random.text(FIELD_BYTES), entry.to_string());
            let id = entry_id(entry);
            let command: [&[u8]; 7] =
                [b"XADD", &key, id.as_bytes(), b"text", &text, b"amount", amount.as_bytes()];
            self.pipeline.push(&command)?;
        }
        let group: [&[u8]; 5] = [b"XGROUP", b"CREATE", &key, b"workers", b"0"];
        self.pipeline.push(&group)?;
        let count = PENDING.to_string();
        let read: [&[u8]; 9] = [
            b"XREADGROUP",
            b"GROUP",
            b"workers",
            b"worker-1",
            b"COUNT",
            count.as_bytes(),
            b"STREAMS",
            &key,
            b">",
        ];
        self.pipeline.push(&read)?;
        self.deliver_again(&key)
    }

    /// Gives pending entries a fixed moment of delivery: reading them has made it now.
    fn deliver_again(&mut self, key: &[u8]) -> Written {
        let mut command: Vec<Vec<u8>> =
            [&b"XCLAIM"[..], key, b"workers", b"worker-1", b"0"].map(<[u8]>::to_vec).to_vec();
        command.extend((1..=PENDING).map(|entry| entry_id(entry).into_bytes()));
        let moment = STREAM_MS.to_string();
        let fixed = ["TIME", &moment, "RETRYCOUNT", "1", "JUSTID"];
        command.extend(fixed.map(|word| word.as_bytes().to_vec()));
        Ok(self.pipeline.push(&command)?)
    }
}

fn entry_id(entry: u64) -> String {
    format!("{STREAM_MS}-{entry}")
}

fn expiry(number: u64) -> String {
    (FAR_FUTURE_MS + number * 1001).to_string()
}
