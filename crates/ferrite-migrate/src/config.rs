//! What a migration is to do: the whole of its configuration, checked before anything connects.

mod builder;
mod check;
mod file;
mod memcached;
mod migrate;
mod origin;
mod replica;
mod workers;

use std::path::PathBuf;
use std::time::Duration;

use ferrite_client::{Address, TlsOptions};

use crate::engine::Limits;
use crate::glob::KeyFilter;
use crate::inputs::{Input, MemcachedFlags};
use crate::workers::Workers;

pub use file::{FileStrategy, why_not_loaded};
pub use origin::Origin;

pub(crate) use migrate::unreachable_from_source;

/// Smallest accepted [`Config::memory_limit`]: below it not even one batch a worker fits.
pub const MEMORY_LIMIT_MIN: u64 = 32 << 20;
/// Largest accepted number of parallel workers.
pub const PARALLEL_MAX: usize = 256;
/// Memory in bytes that the limit must allow for each worker.
pub const MEMORY_PER_WORKER: u64 = 4 << 20;
/// Largest accepted number of keys in a batch.
pub const BATCH_SIZE_MAX: usize = 100_000;

/// Smallest accepted [`Config::spool_limit`].
pub const SPOOL_LIMIT_MIN: u64 = 16 << 20;
/// [`Config::spool_limit`] unless told otherwise.
const SPOOL_LIMIT_DEFAULT: u64 = 8 << 30;

/// How the data moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mode {
    /// Every key once, as it is while the copy runs. With the `psync` strategy the copy is the
    /// state of the source at one moment; with `scan` each key is exact, but different keys are
    /// read at different moments.
    Snapshot,
    /// Every key once, and then every write as it happens, until the cutover.
    Live,
    /// Every key once; each later run brings the target to what the source has then, from where
    /// the last one ended.
    Incremental,
}

impl Mode {
    /// The name used on the command line and in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Snapshot => "snapshot",
            Self::Live => "live",
            Self::Incremental => "incremental",
        }
    }
}

/// How keys are read from the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Strategy {
    /// Choose the best that the source allows, and say why.
    Auto,
    /// Ask for a full synchronization as a replica would, and read the RDB off the socket.
    Psync,
    /// `SCAN`, then `DUMP` and the expiry of every key, while the commands of the source are
    /// followed; for [`Mode::Live`] and [`Mode::Incremental`].
    Fenced,
    /// `SCAN`, then `DUMP` and the expiry of every key; with [`Mode::Live`] again and again, where
    /// what differs is copied, until a last time while writes are held back.
    Scan,
    /// Make the target a replica of the source, by `REPLICAOF`: it loses all it has, and gets all
    /// the source has. Only with [`Mode::Live`], and never chosen by [`Strategy::Auto`].
    Replica,
    /// Have the source send its keys itself, by `MIGRATE`. Only with [`Mode::Snapshot`]; chosen by
    /// [`Strategy::Auto`] where nothing else is allowed.
    Migrate,
}

impl Strategy {
    /// The name used on the command line and in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Psync => "psync",
            Self::Fenced => "fenced",
            Self::Scan => "scan",
            Self::Replica => "replica",
            Self::Migrate => "migrate",
        }
    }
}

/// What to do about a key that is already on the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnConflict {
    /// Refuse the whole run before anything is written.
    Fail,
    /// Overwrite it.
    Replace,
    /// Leave it as it is, and report it.
    Skip,
}

/// A type of value, to restrict a migration to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyType {
    /// `string`
    String,
    /// `list`
    List,
    /// `set`
    Set,
    /// `zset`
    Zset,
    /// `hash`
    Hash,
    /// `stream`
    Stream,
}

impl KeyType {
    /// As the command `TYPE` prints it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::List => "list",
            Self::Set => "set",
            Self::Zset => "zset",
            Self::Hash => "hash",
            Self::Stream => "stream",
        }
    }
}

/// One end of a migration.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// Where it is and who we are there.
    pub address: Address,
    /// How TLS is verified, when the address asks for TLS.
    pub tls: TlsOptions,
}

/// The configuration of a [`Migration`](crate::Migration), made by [`Config::builder`].
#[derive(Clone, Debug)]
pub struct Config {
    /// Where the keys come from.
    pub source: Origin,
    /// Where the keys go.
    pub target: Endpoint,
    /// How the data moves.
    pub mode: Mode,
    /// How keys are read.
    pub strategy: Strategy,
    /// What happens to keys that are already on the target.
    pub on_conflict: OnConflict,
    /// How many connections write to the target (and read from the source, with `scan`).
    pub parallel: usize,
    /// At most this many keys travel together.
    pub batch_size: usize,
    /// Which keys by name.
    pub filter: KeyFilter,
    /// Which keys by type; empty for all.
    pub types: Vec<KeyType>,
    /// Leave keys alone that are the same on the target already; see
    /// [`ConfigBuilder::only_differing`].
    pub only_differing: bool,
    /// Delete keys on the target that take part and that the source does not have.
    pub delete_missing: bool,
    /// Refuse an end that is no cluster.
    pub clusters: bool,
    /// Compare source and target when the copy is complete.
    pub verify: bool,
    /// Read the source and report what would be done, without writing to the target.
    pub dry_run: bool,
    /// Upper bound in bytes for the memory of the process.
    pub memory_limit: u64,
    /// Where jobs are kept that outlive their process; needed by [`Mode::Live`].
    pub state_dir: Option<PathBuf>,
    /// Upper bound in bytes for the source's commands that wait on disk; see [`Mode::Live`].
    pub spool_limit: u64,
    /// When a job is taken up again whose process ended while the hook of a cutover ran: that the
    /// application still writes to the source.
    pub traffic_stayed: bool,
    /// With [`Mode::Incremental`]: from the end of a run to the next one; without, the process ends
    /// with the run.
    pub every: Option<Duration>,
    /// How fast keys are copied at most. Following a source is never held back.
    pub limits: Limits,
    /// Whether a live migration keeps what the target has before it writes there, so that it can
    /// be brought back.
    pub undo: bool,
    /// Where the target reaches the source, with [`Strategy::Replica`]; the source's own address
    /// unless told otherwise.
    pub replica_source: Option<Address>,
    /// Where the source reaches the target, with [`Strategy::Migrate`]; the target's own address
    /// unless told otherwise.
    pub migrate_target: Option<Address>,
    /// When a job is taken up again whose source came back without its keys: that the target is to
    /// lose them too.
    pub source_emptied: bool,
    /// The only database to read of a source that is no server.
    pub input_db: Option<u32>,
    /// How the keys of a file get to the target.
    pub file_strategy: FileStrategy,
    /// Whether a live migration keeps on the target all that is needed to take it up again, not
    /// only its position.
    pub checkpoint_in_target: bool,
    /// Where several machines meet that share the job, if they do.
    pub workers: Option<Workers>,
}

impl Config {
    /// Begins a configuration; `source` and `target` are required.
    #[must_use]
    pub fn builder() -> ConfigBuilder {
        ConfigBuilder::default()
    }

    /// The only database to read, if there is to be one.
    #[must_use]
    pub fn source_db(&self) -> Option<u32> {
        match &self.source {
            Origin::Server(endpoint) => endpoint.address.named_database(),
            Origin::Input(_) => self.input_db,
        }
    }

    /// The database to write to instead of the one a key comes from, if the target's address
    /// names one.
    #[must_use]
    pub fn target_db(&self) -> Option<u32> {
        self.target.address.named_database()
    }

    /// Host and port by which the target reaches the source as a replica; `None` where the source
    /// is a Unix socket and no other way is given.
    #[must_use]
    pub fn replicates_from(&self) -> Option<(&str, u16)> {
        let address = self.replica_source.as_ref().or(self.source.address())?;
        Some((address.host()?, address.port()?))
    }

    /// Host and port by which the source reaches the target to send keys there; `None` where the
    /// target is a Unix socket and no other way is given.
    #[must_use]
    pub fn migrates_to(&self) -> Option<(&str, u16)> {
        let address = self.migrate_target.as_ref().unwrap_or(&self.target.address);
        Some((address.host()?, address.port()?))
    }

    /// The size in bytes from which one value is streamed in parts instead of held whole.
    #[must_use]
    pub fn value_limit(&self) -> usize {
        usize::try_from(self.memory_limit / 16).unwrap_or(usize::MAX).clamp(1 << 20, 64 << 20)
    }

    /// The same for values read by `DUMP`, of which every worker may hold one from each end.
    #[must_use]
    pub fn fetch_limit(&self) -> usize {
        (self.value_limit() / self.parallel).max(64 << 10)
    }

    /// How many bytes of keys and values may be on their way at once.
    #[must_use]
    pub fn in_flight_limit(&self) -> usize {
        usize::try_from(self.memory_limit / 8).unwrap_or(usize::MAX).max(4 << 20)
    }
}

/// A configuration that cannot be used, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(pub(crate) String);

/// Collects the parts of a [`Config`].
#[derive(Clone, Debug)]
pub struct ConfigBuilder {
    source: Option<String>,
    input: Option<Input>,
    input_db: Option<u32>,
    file_strategy: FileStrategy,
    memcached_flags: Option<MemcachedFlags>,
    target: Option<String>,
    source_tls: TlsOptions,
    target_tls: TlsOptions,
    mode: Mode,
    strategy: Strategy,
    on_conflict: OnConflict,
    parallel: usize,
    batch_size: usize,
    include: Vec<Vec<u8>>,
    exclude: Vec<Vec<u8>>,
    types: Vec<KeyType>,
    only_differing: bool,
    delete_missing: bool,
    clusters: bool,
    verify: bool,
    dry_run: bool,
    memory_limit: u64,
    state_dir: Option<PathBuf>,
    spool_limit: u64,
    traffic_stayed: bool,
    every: Option<Duration>,
    limits: Limits,
    undo: bool,
    replica_source: Option<String>,
    migrate_target: Option<String>,
    source_emptied: bool,
    checkpoint_in_target: bool,
    workers_from: Option<String>,
    workers_tls: TlsOptions,
    worker_name: Option<String>,
}

impl Default for ConfigBuilder {
    fn default() -> Self {
        Self {
            source: None,
            input: None,
            input_db: None,
            file_strategy: FileStrategy::default(),
            memcached_flags: None,
            target: None,
            source_tls: TlsOptions::default(),
            target_tls: TlsOptions::default(),
            mode: Mode::Snapshot,
            strategy: Strategy::Auto,
            on_conflict: OnConflict::Fail,
            parallel: 4,
            batch_size: 1000,
            include: Vec::new(),
            exclude: Vec::new(),
            types: Vec::new(),
            only_differing: false,
            delete_missing: false,
            clusters: false,
            verify: false,
            dry_run: false,
            memory_limit: 128 << 20,
            state_dir: None,
            spool_limit: SPOOL_LIMIT_DEFAULT,
            traffic_stayed: false,
            every: None,
            limits: Limits::default(),
            undo: true,
            replica_source: None,
            migrate_target: None,
            source_emptied: false,
            checkpoint_in_target: false,
            workers_from: None,
            workers_tls: TlsOptions::default(),
            worker_name: None,
        }
    }
}
