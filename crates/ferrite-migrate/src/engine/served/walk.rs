//! Reads a file ahead of what is sent of it: counts its keys, and sees that the target loads every one
//! of them as it stands.
//!
//! ```text
//! file ──► walk ── how far it is, counts, or what does not fit ──► whoever sends
//! ```

use std::collections::BTreeMap;

use ferrite_rdb::encode::BackLengths;
use ferrite_rdb::transcode::{Route, RouteTable, Target};
use ferrite_rdb::{Dialect, Event, Format, Head, Sink, ValueKind};
use tokio::sync::watch;
use tokio::task::spawn_blocking;

use super::sound::Sound;
use crate::engine::{Tally, now_ms};
use crate::error::MigrateError;
use crate::files::{FileBytes, RdbReader};

/// How far it goes before it says so.
const STEP: u64 = 256 << 10;
/// Bytes of a large value that are passed over at a time.
const PART: usize = 256 << 10;

/// The last RDB version of Redis whose listpacks are all [`BackLengths::Wide`].
const LAST_WIDE: u32 = 13;

/// Large values are passed over.
struct Nothing;

impl Sink for Nothing {}

/// Keys and functions of a file.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    /// All keys, those that have expired included.
    pub keys: u64,
    expired: u64,
    functions: u64,
    types: BTreeMap<ValueKind, (u64, u64)>,
}

impl Counts {
    /// Counts them as written.
    pub fn tell(&self, tally: &mut Tally) {
        for (kind, (keys, bytes)) in &self.types {
            tally.copied(*kind, *keys, *bytes);
        }
        tally.keys.expired += self.expired;
        tally.functions += self.functions;
    }
}

/// How far it is.
#[derive(Clone, Debug, Default)]
pub struct Walked {
    /// Up to here the target loads everything.
    pub offset: u64,
    /// Keys up to there.
    pub keys: u64,
    /// At the end: what there was, or what does not fit.
    pub ended: Option<Result<Counts, String>>,
}

/// What the target can load.
#[derive(Clone, Debug)]
pub struct Loads {
    /// Which values.
    pub values: Target,
    /// Whether it has functions.
    pub functions: bool,
    /// How many databases it has.
    pub databases: u64,
}

/// Begins to read; it ends when nobody looks any more.
#[must_use]
pub fn walk(file: &Sound, name: String, loads: Loads) -> watch::Receiver<Walked> {
    let (sender, receiver) = watch::channel(Walked::default());
    let (bytes, len) = (file.reader(), file.len);
    spawn_blocking(move || {
        let (routes, counts, now) = (None, Counts::default(), now_ms());
        let mut walk = Walk { loads, routes, counts, now, sender };
        let ended = FileBytes::of(name, Box::new(bytes))
            .map_err(|error| error.cause)
            .and_then(|bytes| walk.run(RdbReader::of(bytes)));
        let counts = std::mem::take(&mut walk.counts);
        let (offset, keys) = if ended.is_ok() { (len, counts.keys) } else { (0, 0) };
        walk.sender.send_modify(|walked| {
            walked.offset = walked.offset.max(offset);
            walked.keys = walked.keys.max(keys);
            walked.ended = Some(ended.map(|()| counts));
        });
    });
    receiver
}

struct Walk {
    loads: Loads,
    routes: Option<RouteTable>,
    counts: Counts,
    now: u64,
    sender: watch::Sender<Walked>,
}

/// What an event leaves to be done.
enum Then {
    Go,
    /// A value that comes in parts, of a key of this kind with so many bytes in its name.
    Large(ValueKind, u64, bool),
    End,
}

impl Walk {
    fn run(&mut self, mut file: RdbReader) -> Result<(), String> {
        let broken = |error: MigrateError| error.cause;
        let mut told = 0;
        loop {
            let then = file.next(|format, event| self.event(format, event)).map_err(broken)??;
            match then {
                Then::Go => {}
                Then::End => return Ok(()),
                Then::Large(kind, name, is_expired) => {
                    let begins = file.offset();
                    while !file.next_part(&mut Nothing, PART).map_err(broken)? {
                        self.tell(file.offset(), &mut told)?;
                    }
                    self.key(kind, name + file.offset() - begins, is_expired);
                }
            }
            self.tell(file.offset(), &mut told)?;
        }
    }

    fn tell(&self, offset: u64, told: &mut u64) -> Result<(), String> {
        if offset - *told < STEP {
            return Ok(());
        }
        *told = offset;
        let keys = self.counts.keys;
        let told = Walked { offset, keys, ended: None };
        self.sender.send(told).map_err(|_| String::from("nobody sends it any more"))
    }

    fn event(&mut self, format: Format, event: Event<'_>) -> Result<Then, String> {
        match event {
            Event::Header(format) if !self.loads.values.accepts_version(format.version) => {
                return Err(format!("the target does not load {format}"));
            }
            Event::Entry(entry) => {
                let kind = self.fits(format, &entry.head, entry.value)?;
                let is_expired = self.is_expired(&entry.head);
                self.key(kind, (entry.key.len() + entry.value.len()) as u64, is_expired);
            }
            Event::Large(head) => {
                self.fits_unseen(format, head.type_byte)?;
                let kind = self.fits(format, &head, &[])?;
                return Ok(Then::Large(kind, head.key.len() as u64, self.is_expired(&head)));
            }
            Event::SelectDb(db) if db >= self.loads.databases => {
                let has = self.loads.databases;
                return Err(format!("the target has {has} databases, the file has keys in {db}"));
            }
            Event::Function(_) if !self.loads.functions => {
                return Err(String::from("the target has no functions, the file has"));
            }
            Event::Function(_) => self.counts.functions += 1,
            Event::ModuleAux { name, .. } => {
                return Err(format!("it has data of the module {name}"));
            }
            Event::SubkeyExpiry { .. } => return Err(String::from("it has subkeys of KeyDB")),
            Event::HashTemplate { .. } => return Err(String::from("it has templates of hashes")),
            Event::Skipped { what, .. } => return Err(format!("it has {what}")),
            Event::End { .. } => return Ok(Then::End),
            _ => {}
        }
        Ok(Then::Go)
    }

    /// The kind of a value that the target loads as it is.
    fn fits(&mut self, format: Format, head: &Head<'_>, body: &[u8]) -> Result<ValueKind, String> {
        let routes = self.routes.get_or_insert_with(|| RouteTable::new(format, &self.loads.values));
        let kind = ValueKind::of(format, head.type_byte);
        match (kind, routes.route(head.type_byte, body)) {
            (Some(ValueKind::Module) | None, _) => Err(String::from("it has values of modules")),
            (Some(kind), Route::PassThrough) => Ok(kind),
            (Some(kind), Route::Reencode) => {
                Err(format!("the target does not read a {} as the file has it", kind.name()))
            }
            (_, Route::Impossible(why)) => Err(why.to_owned()),
        }
    }

    /// Listpacks of a value that is not looked into are good where no server that could have written
    /// them does it in another way than the target.
    fn fits_unseen(&self, format: Format, type_byte: u8) -> Result<(), String> {
        let has_listpacks = matches!(type_byte, 15..=21 | 25..=27);
        let is_wide = format.dialect != Dialect::Valkey && format.version <= LAST_WIDE;
        let reads_wide = self.loads.values.back_lengths == Some(BackLengths::Wide);
        match !has_listpacks || (is_wide && reads_wide) {
            true => Ok(()),
            false => Err(String::from("it has large values that servers write in several ways")),
        }
    }

    fn is_expired(&self, head: &Head<'_>) -> bool {
        head.expires_at_ms.is_some_and(|at| at <= self.now)
    }

    fn key(&mut self, kind: ValueKind, bytes: u64, is_expired: bool) {
        self.counts.keys += 1;
        if is_expired {
            self.counts.expired += 1;
            return;
        }
        let (keys, all) = self.counts.types.entry(kind).or_default();
        (*keys, *all) = (*keys + 1, *all + bytes);
    }
}
