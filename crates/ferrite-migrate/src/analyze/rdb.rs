//! The walk over an RDB file that counts what is in it.

use std::collections::BTreeMap;
use std::io;

use ferrite_rdb::{Entry, Event, Format, Head, ValueKind, decode, encoding_name};
use serde::Serialize;

use super::{Analysis, KeyFacts, Measure, Tally};
use crate::error::{ErrorKind, MigrateError};
use crate::files::RdbReader;
use crate::report::key_text;

/// Auxiliary fields, functions, modules that are named.
const NAMES_MAX: usize = 200;
/// Bytes of a name or an auxiliary value that are shown.
const TEXT_MAX: usize = 200;
/// Stored bytes of a large value that are decoded at a time.
const PART_LEN: usize = 256 << 10;

/// What an RDB file holds.
#[derive(Clone, Debug, Default, Serialize)]
pub struct RdbAnalysis {
    /// What the file is called.
    pub file: String,
    /// Whether it was read to its end, and was whole.
    pub complete: bool,
    /// Where it could not be read on, and why.
    pub damage: Option<Damage>,
    /// The version of the format: up to 15 for Redis, from 80 for Valkey.
    pub rdb_version: u32,
    /// The family of server that wrote it.
    pub dialect: String,
    /// The server that wrote it, where the file says so, as in `redis 7.0.15`.
    pub writer: Option<String>,
    /// When it was written, Unix time in milliseconds.
    pub written_at_ms: Option<u64>,
    /// Auxiliary fields, in the order of the file, at most 200.
    pub aux: Vec<(String, String)>,
    /// Whether the file is packed by gzip.
    pub gzip: bool,
    /// Bytes of the file that were read.
    pub file_bytes: u64,
    /// Bytes of the RDB in it that were read.
    pub rdb_bytes: u64,
    /// Whether there is a checksum, which was right.
    pub checksum: bool,
    /// Keys, by all there is to count.
    #[serde(flatten)]
    pub analysis: Analysis,
    /// Function libraries by name, at most 200.
    pub functions: Vec<String>,
    /// How many function libraries there are.
    pub functions_total: u64,
    /// Module types with the number of their values and of their data outside of keys, by name, at
    /// most 200.
    pub modules: BTreeMap<String, u64>,
    /// What is in the file besides, and is of no use to other servers.
    pub stepped_over: Vec<StepOver>,
}

/// Something that is neither key nor function nor module.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StepOver {
    /// What it is.
    pub what: &'static str,
    /// How often it is there.
    pub count: u64,
}

/// Where a file could not be read on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Damage {
    /// Bytes of the RDB in front of it that are sound.
    pub offset: u64,
    /// What is wrong.
    pub cause: String,
}

/// Reads a file to its end, or as far as it can be read; the second value is why it ended early.
///
/// `each` gets every key, in the order of the file. Memory does not grow with the file.
#[must_use]
pub fn analyze_rdb(
    mut file: RdbReader,
    tally: Tally,
    each: &mut dyn FnMut(&KeyFacts<'_>) -> io::Result<()>,
) -> (RdbAnalysis, Option<MigrateError>) {
    let found = RdbAnalysis { file: file.input().name().to_owned(), ..RdbAnalysis::default() };
    let mut walk = Walk { found, tally, measure: Measure::default(), each };
    let error = walk.run(&mut file).err();
    let mut found = walk.found;
    found.analysis = walk.tally.finish();
    found.rdb_version = file.format().version;
    if found.rdb_version > 0 {
        found.dialect = file.format().dialect.to_string();
    }
    found.gzip = file.input().is_gzip();
    found.file_bytes = file.input().taken();
    found.rdb_bytes = file.offset();
    found.writer = writer(&found.aux);
    let ctime = found.aux.iter().find(|(name, _)| name == "ctime");
    found.written_at_ms =
        ctime.and_then(|(_, value)| value.parse::<u64>().ok()).and_then(|s| s.checked_mul(1000));
    found.complete = error.is_none();
    found.damage =
        error.as_ref().map(|error| Damage { offset: found.rdb_bytes, cause: error.cause.clone() });
    (found, error)
}

/// The server by the fields it leaves: `valkey-ver` is `valkey`.
fn writer(aux: &[(String, String)]) -> Option<String> {
    let named = |name: &str| aux.iter().find(|(field, _)| field == name);
    let (field, version) =
        named("df-ver").or_else(|| named("valkey-ver")).or_else(|| named("redis-ver"))?;
    let server = match field.as_str() {
        "df-ver" => "dragonfly",
        "valkey-ver" => "valkey",
        _ if aux.iter().any(|(name, _)| name.starts_with("keydb-") || name == "mvcc-tstamp") => {
            "keydb"
        }
        _ => "redis",
    };
    Some(format!("{server} {version}"))
}

/// What an event leaves to be done once its bytes are let go.
enum Then {
    Go,
    Large {
        db: u64,
        key: Vec<u8>,
        expires_at_ms: Option<u64>,
        kind: ValueKind,
        encoding: &'static str,
    },
    End,
}

struct Walk<'a> {
    found: RdbAnalysis,
    tally: Tally,
    measure: Measure,
    each: &'a mut dyn FnMut(&KeyFacts<'_>) -> io::Result<()>,
}

impl Walk<'_> {
    fn run(&mut self, file: &mut RdbReader) -> Result<(), MigrateError> {
        loop {
            let offset = file.offset();
            let then = file.next(|format, event| self.event(format, event, offset))??;
            match then {
                Then::Go => {}
                Then::End => return Ok(()),
                Then::Large { db, key, expires_at_ms, kind, encoding } => {
                    while !file.next_part(&mut self.measure, PART_LEN)? {}
                    let size = self.measure.take();
                    let facts = KeyFacts { db, key: &key, kind, encoding, expires_at_ms, size };
                    self.key(&facts)?;
                }
            }
        }
    }

    fn event(
        &mut self,
        format: Format,
        event: Event<'_>,
        offset: u64,
    ) -> Result<Then, MigrateError> {
        let found = &mut self.found;
        match event {
            Event::Entry(entry) => return self.entry(format, &entry, offset).map(|()| Then::Go),
            Event::Large(head) => {
                return Ok(Then::Large {
                    db: head.db,
                    key: head.key.to_vec(),
                    expires_at_ms: head.expires_at_ms,
                    kind: ValueKind::of(format, head.type_byte).unwrap_or(ValueKind::Module),
                    encoding: encoding_name(format, head.type_byte),
                });
            }
            Event::Aux { key, value } if found.aux.len() < NAMES_MAX => {
                found.aux.push((text(&key), text(&value)));
            }
            Event::Function(code) => {
                found.functions_total += 1;
                if found.functions.len() < NAMES_MAX {
                    found.functions.push(library_name(&code));
                }
            }
            Event::ModuleAux { name, .. } => count(&mut found.modules, name.as_str()),
            Event::SubkeyExpiry { .. } => step_over(found, "expiry of a KeyDB subkey"),
            Event::HashTemplate { .. } => step_over(found, "template of hashes"),
            Event::Skipped { what, .. } => step_over(found, what),
            Event::End { checksum } => {
                found.checksum = checksum.is_some();
                return Ok(Then::End);
            }
            _ => {}
        }
        Ok(Then::Go)
    }

    fn entry(
        &mut self,
        format: Format,
        entry: &Entry<'_>,
        offset: u64,
    ) -> Result<(), MigrateError> {
        let Head { db, key, expires_at_ms, type_byte, .. } = &entry.head;
        decode(format, *type_byte, entry.value, &mut self.measure).map_err(|error| {
            let doing = format!("reading the RDB file {}", self.found.file);
            let cause = format!("{} of the value of {}", error, key_text(key));
            MigrateError::new(ErrorKind::Data, doing, format!("{cause}, which begins at {offset}"))
                .with_hint("see what the server's own check says: redis-check-rdb FILE")
        })?;
        let size = self.measure.take();
        self.key(&KeyFacts {
            db: *db,
            key,
            kind: ValueKind::of(format, *type_byte).unwrap_or(ValueKind::Module),
            encoding: encoding_name(format, *type_byte),
            expires_at_ms: *expires_at_ms,
            size,
        })
    }

    fn key(&mut self, facts: &KeyFacts<'_>) -> Result<(), MigrateError> {
        if let Some(module) = self.measure.take_module() {
            count(&mut self.found.modules, &module);
        }
        self.tally.add(facts);
        (self.each)(facts).map_err(|error| {
            MigrateError::new(ErrorKind::Target, "writing the list of keys", error)
                .with_hint("see whether the disk is full: df")
        })
    }
}

fn count(names: &mut BTreeMap<String, u64>, name: &str) {
    if let Some(count) = names.get_mut(name) {
        *count += 1;
    } else if names.len() < NAMES_MAX {
        names.insert(name.to_owned(), 1);
    }
}

fn step_over(found: &mut RdbAnalysis, what: &'static str) {
    match found.stepped_over.iter_mut().find(|known| known.what == what) {
        Some(known) => known.count += 1,
        None => found.stepped_over.push(StepOver { what, count: 1 }),
    }
}

/// The beginning of foreign text.
fn text(bytes: &[u8]) -> String {
    key_text(bytes.get(..TEXT_MAX).unwrap_or(bytes))
}

/// The name in the first line of a library, which is `#!lua name=NAME`.
fn library_name(code: &[u8]) -> String {
    let line = code.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let words = line.split(|byte| byte.is_ascii_whitespace());
    let name = words.filter_map(|word| word.strip_prefix(b"name=")).next();
    name.map_or_else(|| String::from("(without a name)"), text)
}
