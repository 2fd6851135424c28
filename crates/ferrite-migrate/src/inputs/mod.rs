//! What keys can come from that is no server of the family: one folder or file each, read once from
//! its beginning to its end.
//!
//! An input owes the engine what a [`Source`] owes it, and says what it is before anything is
//! written. It is not asked for single keys. Where it can be looked at again
//! and again, it can be followed, by [`Rounds`].

mod any_file;
pub mod aof;
mod bytes;
pub mod csv;
pub mod json;
mod mapping;
mod memcached;
mod rdb_file;

use std::fmt;
use std::path::Path;
use std::sync::Arc;

pub use aof::AofOptions;
pub use bytes::{Bytes, GZIP_MAGIC, Place};
pub use mapping::{MAPPING_MAX, MappedType, Mapping, MappingOrigin, csv_delimiter, read_mapping};
pub use memcached::MemcachedFlags;
pub use rdb_file::{FileSupply, RdbFile};

use ferrite_client::TlsOptions;

use crate::analyze::{Analysis, Rung};
use crate::config::ConfigError;
use crate::engine::Job;
use crate::error::{ErrorKind, MigrateError};
use crate::key_template::KeyTemplate;
use crate::preflight::Destination;
use crate::report::{PreflightReport, Replayed, VerificationReport};
use crate::sources::{BoxFuture, Source};
use crate::verify::{Coverage, WrittenTo};

/// A comparison with the target that goes on.
pub type Comparing<'a> = BoxFuture<'a, Result<Option<VerificationReport>, MigrateError>>;

/// A look at an input that goes on.
pub type Describing<'a> = BoxFuture<'a, Result<Option<Described>, MigrateError>>;

/// What an input is, and what is on it.
#[derive(Debug)]
pub struct Described {
    /// What it is, in words.
    pub server: String,
    /// All keys.
    pub keys_total: u64,
    /// Memory it uses, in bytes.
    pub used_memory: Option<u64>,
    /// The keys that were looked at.
    pub analysis: Analysis,
    /// Ways to move it, best first.
    pub ladder: Vec<Rung>,
}

/// How one kind of input is opened.
pub trait Kind: fmt::Debug + Send + Sync {
    /// What it is called in reports, such as `rdb`.
    fn name(&self) -> &'static str;

    /// Where it is, as reports show it; never a secret.
    fn place(&self) -> String;

    /// Whether its keys are in several databases, as those of a server are.
    fn has_databases(&self) -> bool {
        false
    }

    /// Why it is read as it is, for the report.
    fn reason(&self) -> &'static str {
        "it is no server: it is read once, from beginning to end"
    }

    /// Whether it may give a key twice.
    fn may_repeat(&self) -> bool {
        false
    }

    /// The file, where it may be an RDB whose keys go to the target under their own names.
    fn whole_rdb(&self) -> Option<&Path> {
        None
    }

    /// Whether it can be read a second time, to be compared with the target.
    fn is_comparable(&self) -> bool {
        false
    }

    /// What it is and what is on it, from a look of about a second; nothing where it would have to be
    /// read whole. So many patterns and biggest keys are kept.
    ///
    /// # Errors
    /// It cannot be read.
    fn describe<'a>(&'a self, _report: &'a mut PreflightReport, _top: usize) -> Describing<'a> {
        Box::pin(async { Ok(None) })
    }

    /// Whether it can be looked at again and again, to see what changed.
    fn is_followable(&self) -> bool {
        false
    }

    /// How that is done; nothing where it is not followable.
    fn rounds(&self, _job: Arc<Job>) -> Option<Box<dyn Rounds>> {
        None
    }

    /// Reads it a second time and compares it with the target; nothing where it is not comparable.
    fn compare(&self, job: Arc<Job>, target: WrittenTo) -> Comparing<'_> {
        drop((job, target));
        Box::pin(async { Ok(None) })
    }

    /// Opens it and looks at its beginning; a check that fails is a line of the report.
    ///
    /// # Errors
    /// It cannot be read at all.
    fn open<'a>(
        &'a self,
        job: Arc<Job>,
        report: &'a mut PreflightReport,
    ) -> BoxFuture<'a, Result<Opened, MigrateError>>;

    /// Compares its keys, or as many as `coverage` says, with the target, whoever wrote them there.
    ///
    /// # Errors
    /// An end that cannot be read; an input that cannot be asked for single keys.
    fn compare_by_key(
        &self,
        _job: Arc<Job>,
        _coverage: Coverage,
    ) -> BoxFuture<'static, Result<VerificationReport, MigrateError>> {
        let doing = format!("comparing {}", self.place());
        let cause = "only a server can be asked for single keys, to compare them";
        Box::pin(async move { Err(MigrateError::new(ErrorKind::Config, doing, cause)) })
    }
}

/// An input that is open and has not been read.
pub struct Opened {
    /// Reads it.
    pub source: Box<dyn Source>,
    /// How many keys it says it has; 0 where it does not say so.
    pub keys_total: u64,
    /// What is done with the target besides writing these keys.
    pub then: Option<Box<dyn Follow>>,
}

/// What a look at an input found.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// Keys it has, those that do not take part included.
    pub keys: u64,
    /// Whether something is not as it was, or was not copied since it was found.
    pub changed: bool,
}

/// An input that is looked at again and again.
pub trait Rounds: Send {
    /// Sees what has changed since the last look; the first one only remembers.
    ///
    /// # Errors
    /// An input that is lost, or is not the one it was.
    fn look(&mut self) -> BoxFuture<'_, Result<Look, MigrateError>>;

    /// Reads what has changed since the last round that was [`done`](Self::done).
    fn changed(&self) -> Box<dyn Source>;

    /// Which of these keys of the target the input has, or had no reason to lose.
    ///
    /// # Errors
    /// An input that is lost.
    fn exist<'a>(
        &'a mut self,
        keys: &'a [&'a [u8]],
    ) -> BoxFuture<'a, Result<Vec<bool>, MigrateError>>;

    /// The target has what had changed.
    fn done(&mut self);
}

/// What follows the keys of an input: commands.
pub trait Follow: Send {
    /// Looks at all of it, before anything is written.
    ///
    /// # Errors
    /// It cannot be applied.
    fn check<'a>(
        &'a mut self,
        job: &'a Arc<Job>,
        target: &'a Destination,
    ) -> BoxFuture<'a, Result<(), MigrateError>>;

    /// Makes the target ready, before the first key is written.
    ///
    /// # Errors
    /// A target that is lost or refuses.
    fn begin<'a>(
        &'a mut self,
        job: &'a Arc<Job>,
        target: &'a Destination,
    ) -> BoxFuture<'a, Result<(), MigrateError>>;

    /// Applies it, after the last key was written.
    ///
    /// # Errors
    /// A target that is lost or refuses.
    fn finish<'a>(
        &'a mut self,
        job: &'a Arc<Job>,
        target: &'a Destination,
    ) -> BoxFuture<'a, Result<Replayed, MigrateError>>;
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opened").field("keys_total", &self.keys_total).finish_non_exhaustive()
    }
}

/// Something keys can come from that is no server of the family.
#[derive(Clone, Debug)]
pub struct Input(Arc<dyn Kind>);

impl Input {
    /// An RDB file, plain or compressed with gzip; `-` is standard input.
    #[must_use]
    pub fn rdb_file(path: impl AsRef<Path>) -> Self {
        Self::rdb_file_renamed(path, None)
    }

    /// The same, with other names for its keys where there is a template for them.
    #[must_use]
    pub fn rdb_file_renamed(path: impl AsRef<Path>, rename: Option<KeyTemplate>) -> Self {
        Self::of(rdb_file::RdbFile::new(Place::named(path.as_ref()), rename))
    }

    /// A file whose kind its first bytes tell; otherwise as
    /// [`rdb_file_renamed`](Self::rdb_file_renamed).
    #[must_use]
    pub fn any_file(path: impl AsRef<Path>, rename: Option<KeyTemplate>) -> Self {
        Self::of(any_file::AnyFile::new(Place::named(path.as_ref()), rename))
    }

    /// One Memcached or several, as `memcached://host:port,host:port`; `memcacheds://` for TLS.
    ///
    /// # Errors
    /// Text that is no such address; TLS options for an address without TLS.
    pub fn memcached(
        url: &str,
        tls: &TlsOptions,
        flags: MemcachedFlags,
    ) -> Result<Self, ConfigError> {
        let servers = memcached::Memcacheds::new(url, tls, flags);
        let servers = servers.map_err(|error| ConfigError(format!("source: {error}")))?;
        if *tls != TlsOptions::default() && !servers.is_tls() {
            return Err(ConfigError(format!(
                "TLS options are given, but {} is an address without TLS: memcacheds:// has it",
                servers.place()
            )));
        }
        Ok(Self::of(servers))
    }

    /// An append-only file: one file, or the directory of a multi-part one.
    #[must_use]
    pub fn aof(path: impl AsRef<Path>, options: AofOptions) -> Self {
        Self::of(aof::AofInput::new(path.as_ref(), options))
    }

    /// JSON, a record on each line or an array of them; `-` is standard input.
    #[must_use]
    pub fn json(path: impl AsRef<Path>) -> Self {
        Self::of(json::JsonInput::new(Place::named(path.as_ref())))
    }

    /// JSON whose objects become keys by a mapping; `-` is standard input.
    ///
    /// # Errors
    /// A mapping that cannot be used, whatever the file.
    pub fn json_mapped(path: impl AsRef<Path>, mapping: Mapping) -> Result<Self, String> {
        mapping.check_for_json()?;
        Ok(Self::of(json::JsonInput::mapped(Place::named(path.as_ref()), mapping)))
    }

    /// CSV, whose rows become keys by a mapping; `-` is standard input.
    ///
    /// # Errors
    /// A mapping that cannot be used, whatever the file.
    pub fn csv(path: impl AsRef<Path>, mapping: Mapping) -> Result<Self, String> {
        mapping.check()?;
        Ok(Self::of(csv::CsvInput::new(path.as_ref(), mapping)))
    }

    fn of(kind: impl Kind + 'static) -> Self {
        Self(Arc::new(kind))
    }

    /// How it is opened.
    #[must_use]
    pub fn kind(&self) -> &dyn Kind {
        &*self.0
    }
}

impl fmt::Display for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.place())
    }
}
