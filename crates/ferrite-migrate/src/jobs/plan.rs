//! What a job was asked to do, so that it can be resumed: everything but the passwords.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::JobError;
use super::journal::WrittenBy;
use crate::config::{Config, ConfigBuilder, ConfigError, KeyType, Mode, OnConflict, Strategy};
use crate::engine::{Limits, now_ms};
use ferrite_client::TlsOptions;

/// The layout of a job's directory; another number is another layout.
pub const FORMAT: u32 = 1;

/// What a job was asked to do. A field that is not known is an order that would not be carried out:
/// a plan that has one is not read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// The layout of the job's directory; this version writes 1.
    pub format: u32,
    /// The version of this program that made the job.
    pub program: String,
    /// When, in milliseconds of Unix time.
    pub created_at_ms: u64,
    /// Address of the source, without its password.
    pub source: String,
    /// Address of the target, without its password.
    pub target: String,
    /// How TLS is spoken with the source.
    pub source_tls: PlanTls,
    /// How TLS is spoken with the target.
    pub target_tls: PlanTls,
    /// How the data moves.
    pub mode: String,
    /// How keys are read, by the name the command line gives it.
    pub strategy: String,
    /// Patterns of which a key must match one; none for all keys.
    pub include: Vec<Pattern>,
    /// Patterns of which a key must match none.
    pub exclude: Vec<Pattern>,
    /// Types of keys, as `TYPE` prints them; none for all.
    pub types: Vec<String>,
    /// What happens to keys that are already on the target, as the command line names it.
    pub on_conflict: String,
    /// Workers.
    pub parallel: usize,
    /// Keys that travel together.
    pub batch_size: usize,
    /// Upper bound in bytes for the memory of the process.
    pub memory_limit: u64,
    /// Whether both ends are compared.
    #[serde(default)]
    pub verify: bool,
    /// Whether keys are left alone that are the same on the target already.
    #[serde(default)]
    pub only_differing: bool,
    /// Whether keys are deleted on the target that the source does not have.
    #[serde(default)]
    pub delete_missing: bool,
    /// Of an incremental job: milliseconds between two runs of one process.
    #[serde(default)]
    pub every_ms: Option<u64>,
    /// How fast keys are copied at most, as it was last set.
    #[serde(default)]
    pub limits: Limits,
    /// Whether what the target had is kept.
    #[serde(default)]
    pub undo: bool,
    /// `host:port` by which the target reaches the source, where that was given.
    #[serde(default)]
    pub replica_source: Option<String>,
    /// Whether all that is needed to take the job up again is on the target too.
    #[serde(default)]
    pub checkpoint_in_target: bool,
}

/// A glob pattern: text where it is UTF-8, else its bytes as numbers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Pattern {
    /// A pattern in UTF-8.
    Text(String),
    /// Any other.
    Bytes(Vec<u8>),
}

/// The files and the name that TLS is spoken with; the key's file, never the key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanTls {
    /// Authorities to believe instead of the system's.
    pub ca: Option<PathBuf>,
    /// The certificate we show.
    pub cert: Option<PathBuf>,
    /// The file with its key.
    pub key: Option<PathBuf>,
    /// The name to expect in the server's certificate.
    pub server_name: Option<String>,
    /// Whether any certificate is accepted.
    pub insecure: bool,
}

impl Plan {
    /// Reads a plan that was kept in `file`, whose folder has the job's name.
    ///
    /// # Errors
    /// One of another version, or none.
    pub(crate) fn read(file: &Path, bytes: &[u8]) -> Result<Self, JobError> {
        let damaged = |error| JobError::damaged(file, error);
        let by: WrittenBy = serde_json::from_slice(bytes).map_err(damaged)?;
        if by.format != FORMAT {
            return Err(JobError::other_version(file, by.program));
        }
        serde_json::from_slice(bytes).map_err(|error| match by.is_this() {
            true => damaged(error),
            false => JobError::other_version(file, by.program),
        })
    }

    /// What `config` asks for, as of now; `mode` is the mode's name.
    #[must_use]
    pub fn new(config: &Config, mode: &str) -> Self {
        Self {
            format: FORMAT,
            program: env!("CARGO_PKG_VERSION").to_owned(),
            created_at_ms: now_ms(),
            source: config.source.to_string(),
            target: config.target.address.to_string(),
            source_tls: PlanTls::from(&config.source.tls()),
            target_tls: PlanTls::from(&config.target.tls),
            mode: mode.to_owned(),
            strategy: config.strategy.name().to_owned(),
            include: config.filter.included().iter().map(|glob| Pattern::new(glob)).collect(),
            exclude: config.filter.excluded().iter().map(|glob| Pattern::new(glob)).collect(),
            types: config.types.iter().map(|one| one.name().to_owned()).collect(),
            on_conflict: conflict_name(config.on_conflict).to_owned(),
            parallel: config.parallel,
            batch_size: config.batch_size,
            memory_limit: config.memory_limit,
            verify: config.verify,
            only_differing: config.only_differing,
            delete_missing: config.delete_missing,
            every_ms: config
                .every
                .map(|every| u64::try_from(every.as_millis()).unwrap_or(u64::MAX)),
            limits: config.limits,
            undo: config.undo,
            replica_source: config.replica_source.as_ref().map(|to| to.endpoint().to_string()),
            checkpoint_in_target: config.checkpoint_in_target,
        }
    }

    /// The configuration the plan was made from, but for the passwords: give
    /// [`ConfigBuilder::source`] and [`ConfigBuilder::target`] again where there are any.
    ///
    /// # Errors
    /// A name that this version does not know.
    pub fn configure(&self) -> Result<ConfigBuilder, ConfigError> {
        let mut config = Config::builder()
            .source(&self.source)
            .target(&self.target)
            .source_tls(self.source_tls.options())
            .target_tls(self.target_tls.options())
            .strategy(named("strategy", &self.strategy, &STRATEGIES, Strategy::name)?)
            .on_conflict(named("conflict policy", &self.on_conflict, &CONFLICTS, conflict_name)?)
            .parallel(self.parallel)
            .batch_size(self.batch_size)
            .memory_limit(self.memory_limit)
            .verify(self.verify)
            .only_differing(self.only_differing)
            .delete_missing(self.delete_missing)
            .mode(named("mode", &self.mode, &MODES, Mode::name)?)
            .limits(self.limits)
            .undo(self.undo)
            .checkpoint_in_target(self.checkpoint_in_target);
        if let Some(every_ms) = self.every_ms {
            config = config.every(Duration::from_millis(every_ms));
        }
        if let Some(address) = &self.replica_source {
            config = config.replica_source(address);
        }
        for pattern in &self.include {
            config = config.include_pattern(pattern.bytes());
        }
        for pattern in &self.exclude {
            config = config.exclude_pattern(pattern.bytes());
        }
        for name in &self.types {
            config = config.key_type(named("type", name, &KEY_TYPES, KeyType::name)?);
        }
        Ok(config)
    }
}

/// Of the jobs that outlive their process: a snapshot has no plan.
const STRATEGIES: [Strategy; 5] =
    [Strategy::Auto, Strategy::Psync, Strategy::Fenced, Strategy::Scan, Strategy::Replica];
const MODES: [Mode; 3] = [Mode::Snapshot, Mode::Live, Mode::Incremental];
const CONFLICTS: [OnConflict; 3] = [OnConflict::Fail, OnConflict::Replace, OnConflict::Skip];
const KEY_TYPES: [KeyType; 6] =
    [KeyType::String, KeyType::List, KeyType::Set, KeyType::Zset, KeyType::Hash, KeyType::Stream];

const fn conflict_name(policy: OnConflict) -> &'static str {
    match policy {
        OnConflict::Fail => "fail",
        OnConflict::Replace => "replace",
        OnConflict::Skip => "skip",
    }
}

fn named<T: Copy>(
    what: &str,
    name: &str,
    known: &[T],
    name_of: fn(T) -> &'static str,
) -> Result<T, ConfigError> {
    let found = known.iter().copied().find(|one| name_of(*one) == name);
    found.ok_or_else(|| ConfigError(format!("the plan has the {what} `{name}`, which is unknown")))
}

impl Pattern {
    /// A pattern of these bytes.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) => Self::Text(text.to_owned()),
            Err(_) => Self::Bytes(bytes.to_vec()),
        }
    }

    /// Its bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Bytes(bytes) => bytes,
        }
    }
}

impl PlanTls {
    /// What connections are made with.
    #[must_use]
    pub fn options(&self) -> TlsOptions {
        TlsOptions {
            ca: self.ca.clone(),
            cert: self.cert.clone(),
            key: self.key.clone(),
            server_name: self.server_name.clone(),
            insecure: self.insecure,
        }
    }
}

impl From<&TlsOptions> for PlanTls {
    /// Paths become absolute: a job may be resumed from another directory.
    fn from(options: &TlsOptions) -> Self {
        let absolute = |path: &Option<PathBuf>| {
            path.as_ref().map(|path| std::path::absolute(path).unwrap_or_else(|_| path.clone()))
        };
        Self {
            ca: absolute(&options.ca),
            cert: absolute(&options.cert),
            key: absolute(&options.key),
            server_name: options.server_name.clone(),
            insecure: options.insecure,
        }
    }
}
