//! Takes from one stream which keys its commands write, and forgets the commands.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::mpsc;

use crate::engine::Job;
use crate::error::{ErrorKind, MigrateError};
use crate::live::checkpoint;
use crate::live::classify::{Class, KeyAccess, classify};
use crate::live::marks::Key;
use crate::live::progress::Progress;
use crate::live::run::spool_error;
use crate::live::spool::{Block, Reader, SpoolError};
use crate::live::stream;

/// What a piece of one stream says.
#[derive(Debug)]
pub struct Heard {
    /// Which stream it is.
    pub shard: usize,
    /// Where the piece ends.
    pub end: u64,
    /// When it was received, by the source's clock in Unix ms.
    pub received_ms: u64,
    /// The database that is selected there.
    pub db: u32,
    /// The keys that were written.
    pub keys: Vec<Key>,
    /// What is about no single key.
    pub deeds: Vec<Deed>,
}

/// What a command does that is about no single key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deed {
    /// A database was emptied, or all.
    Emptied,
    /// Two databases have changed places.
    Exchanged,
    /// Function libraries were loaded, deleted or restored, by this command.
    Function(Vec<Vec<u8>>),
}

/// One stream.
pub struct Ear {
    /// The migration.
    pub job: Arc<Job>,
    /// Which stream it is.
    pub shard: usize,
    /// What was received of it.
    pub reader: Reader,
    /// How far it is.
    pub progress: Arc<Progress>,
    /// Where what has been heard ends.
    pub offset: u64,
    /// The database that is selected there.
    pub db: u32,
    /// What is before this need not be kept any more.
    pub kept: Arc<AtomicU64>,
    /// Takes what is heard.
    pub heard: mpsc::Sender<Heard>,
}

impl Ear {
    /// Hears until the receiver has ended and all is heard, or nobody listens.
    ///
    /// # Errors
    /// A spool that cannot be read, bytes that are no commands.
    pub async fn run(mut self) -> Result<(), MigrateError> {
        let mut buffer = Vec::new();
        loop {
            let received_ms = match self.reader.next(&mut buffer).await {
                Ok(Block { received_at_ms, .. }) => received_at_ms,
                Err(SpoolError::Closed) => return Ok(()),
                Err(error) => return Err(spool_error(error)),
            };
            let before = self.offset;
            let (used, keys, deeds) = self.hear(&buffer)?;
            buffer.drain(..used);
            self.reader.trim(self.kept.load(Ordering::Relaxed)).map_err(spool_error)?;
            if self.offset == before {
                continue;
            }
            let (shard, end, db) = (self.shard, self.offset, self.db);
            let heard = Heard { shard, end, received_ms, db, keys, deeds };
            if self.heard.send(heard).await.is_err() {
                return Ok(());
            }
        }
    }

    /// The commands that are there: how many bytes they take, and what they do.
    fn hear(&mut self, bytes: &[u8]) -> Result<(usize, Vec<Key>, Vec<Deed>), MigrateError> {
        let (mut used, mut keys, mut deeds, mut words) = (0, Vec::new(), Vec::new(), Vec::new());
        loop {
            let rest = bytes.get(used..).unwrap_or_default();
            match stream::command(rest, &mut words) {
                Ok(None) => return Ok((used, keys, deeds)),
                Ok(Some(taken)) => {
                    used += taken;
                    self.offset += taken as u64;
                }
                Err(cause) => return Err(self.nonsense(&cause)),
            }
            match classify(&words) {
                Class::Select(db) => self.db = db,
                Class::GetAck => self.progress.acknowledge.notify_one(),
                Class::Keys(access) => self.written(&words, &access, &mut keys),
                Class::Unknown(access) => {
                    self.unknown(&words, &access);
                    self.written(&words, &access, &mut keys);
                }
                Class::FlushAll => deeds.push(Deed::Emptied),
                Class::FlushDb if self.is_wanted(self.db) => deeds.push(Deed::Emptied),
                Class::SwapDb(one, other) if self.is_wanted(one) || self.is_wanted(other) => {
                    deeds.push(Deed::Exchanged);
                }
                Class::Function => {
                    deeds.push(Deed::Function(words.iter().map(|word| word.to_vec()).collect()));
                }
                // Slots that are dropped here are those of another primary by now. Messages are
                // for those who listen on the source.
                Class::Ignore
                | Class::Multi
                | Class::Exec
                | Class::Publish
                | Class::FlushDb
                | Class::SwapDb(..)
                | Class::DropSlots => {}
            }
        }
    }

    fn is_wanted(&self, db: u32) -> bool {
        self.job.config.source_db().is_none_or(|only| only == db)
    }

    fn written(&self, words: &[&[u8]], access: &KeyAccess, keys: &mut Vec<Key>) {
        for written in access.written() {
            let db = written.db.unwrap_or(self.db);
            let name = words.get(written.word).copied().unwrap_or_default();
            let takes_part = self.is_wanted(db)
                && self.job.config.filter.accepts(name)
                && !name.starts_with(checkpoint::PREFIX);
            if takes_part {
                keys.push((db, name.to_vec()));
            }
        }
    }

    fn unknown(&self, words: &[&[u8]], access: &KeyAccess) {
        let name = words.first().copied().unwrap_or_default();
        let name = String::from_utf8_lossy(name).to_uppercase();
        self.job.warn(match access.written().next() {
            None => format!(
                "the source sent {name}, whose keys nobody knows: run `ferrite-migrate verify` \
                 when it is through"
            ),
            Some(_) => format!(
                "the source sent {name}: the keys it names are read again, others it may have \
                 written are not known"
            ),
        });
    }

    fn nonsense(&self, cause: &ferrite_resp::ProtocolError) -> MigrateError {
        let doing = format!("reading the source's commands at offset {}", self.offset);
        MigrateError::new(ErrorKind::Data, doing, cause)
            .with_hint("something between us and the source changes bytes: see proxies and TLS")
    }
}
