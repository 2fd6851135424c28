//! What a migration is to do: the whole of its configuration, checked before anything connects.

mod migrate;
mod origin;
mod replica;

use std::path::PathBuf;
use std::time::Duration;

use ferrite_client::{Address, TlsOptions};

use crate::engine::Limits;
use crate::glob::KeyFilter;
use crate::inputs::Input;

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
    /// Whether a live migration keeps on the target all that is needed to take it up again, not
    /// only its position.
    pub checkpoint_in_target: bool,
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
}

impl Default for ConfigBuilder {
    fn default() -> Self {
        Self {
            source: None,
            input: None,
            input_db: None,
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
        }
    }
}

impl ConfigBuilder {
    /// The source, as `redis://user:password@host:port/db` or any scheme of [`Address`].
    #[must_use]
    pub fn source(mut self, url: impl Into<String>) -> Self {
        self.source = Some(url.into());
        self
    }

    /// A source that is no server, instead of [`source`](Self::source): it is read once, with
    /// [`Mode::Snapshot`].
    #[must_use]
    pub fn input(mut self, input: Input) -> Self {
        self.input = Some(input);
        self
    }

    /// The only database to read of an [`input`](Self::input); all unless told otherwise.
    #[must_use]
    pub fn input_db(mut self, db: u32) -> Self {
        self.input_db = Some(db);
        self
    }

    /// The target, likewise.
    #[must_use]
    pub fn target(mut self, url: impl Into<String>) -> Self {
        self.target = Some(url.into());
        self
    }

    /// TLS settings of the source.
    #[must_use]
    pub fn source_tls(mut self, tls: TlsOptions) -> Self {
        self.source_tls = tls;
        self
    }

    /// TLS settings of the target.
    #[must_use]
    pub fn target_tls(mut self, tls: TlsOptions) -> Self {
        self.target_tls = tls;
        self
    }

    /// How the data moves; [`Mode::Snapshot`] by default.
    #[must_use]
    pub fn mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }

    /// How keys are read; [`Strategy::Auto`] by default.
    #[must_use]
    pub fn strategy(mut self, strategy: Strategy) -> Self {
        self.strategy = strategy;
        self
    }

    /// What happens to keys that are already there; [`OnConflict::Fail`] by default.
    #[must_use]
    pub fn on_conflict(mut self, policy: OnConflict) -> Self {
        self.on_conflict = policy;
        self
    }

    /// How many workers; 4 by default.
    #[must_use]
    pub fn parallel(mut self, workers: usize) -> Self {
        self.parallel = workers;
        self
    }

    /// At most this many keys travel together; 1000 by default.
    #[must_use]
    pub fn batch_size(mut self, keys: usize) -> Self {
        self.batch_size = keys;
        self
    }

    /// Adds a glob pattern: only keys that match one of them are moved.
    #[must_use]
    pub fn include_pattern(mut self, pattern: impl AsRef<[u8]>) -> Self {
        self.include.push(pattern.as_ref().to_vec());
        self
    }

    /// Adds a glob pattern: keys that match it are not moved.
    #[must_use]
    pub fn exclude_pattern(mut self, pattern: impl AsRef<[u8]>) -> Self {
        self.exclude.push(pattern.as_ref().to_vec());
        self
    }

    /// Adds a type: only keys of one of the added types are moved.
    #[must_use]
    pub fn key_type(mut self, key_type: KeyType) -> Self {
        self.types.push(key_type);
        self
    }

    /// Reads both ends, and copies the keys that are not known to be the same; what is on the
    /// target is overwritten. Off by default. Needs the strategy `scan` or `fenced`, or `auto`.
    #[must_use]
    pub fn only_differing(mut self, only_differing: bool) -> Self {
        self.only_differing = only_differing;
        self
    }

    /// Deletes keys on the target that take part and that the source does not have, once the copy
    /// is complete; off by default. Needs [`only_differing`](Self::only_differing).
    #[must_use]
    pub fn delete_missing(mut self, delete_missing: bool) -> Self {
        self.delete_missing = delete_missing;
        self
    }

    /// Whether both ends must be clusters; off by default, then each is taken as what it is.
    #[must_use]
    pub fn clusters(mut self, clusters: bool) -> Self {
        self.clusters = clusters;
        self
    }

    /// Whether to compare both ends when the copy is complete; off by default.
    #[must_use]
    pub fn verify(mut self, verify: bool) -> Self {
        self.verify = verify;
        self
    }

    /// Read the source and report what would be done, without writing; off by default.
    #[must_use]
    pub fn dry_run(mut self, dry_run: bool) -> Self {
        self.dry_run = dry_run;
        self
    }

    /// Upper bound in bytes for the memory of the process; 128 MiB by default.
    #[must_use]
    pub fn memory_limit(mut self, bytes: u64) -> Self {
        self.memory_limit = bytes;
        self
    }

    /// Where jobs are kept that outlive their process; no default, because a library does not
    /// know the user's directories.
    #[must_use]
    pub fn state_dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.state_dir = Some(dir.into());
        self
    }

    /// Upper bound in bytes for the source's commands that wait on disk; 8 GiB by default.
    #[must_use]
    pub fn spool_limit(mut self, bytes: u64) -> Self {
        self.spool_limit = bytes;
        self
    }

    /// When a job is taken up again whose process ended while the hook of a cutover ran: says that
    /// the application still writes to the source.
    #[must_use]
    pub fn traffic_stayed(mut self, stayed: bool) -> Self {
        self.traffic_stayed = stayed;
        self
    }

    /// With [`Mode::Incremental`], runs again and again, with this much time in between; by default
    /// the process ends with the run, and resuming the job makes the next one.
    #[must_use]
    pub fn every(mut self, pause: Duration) -> Self {
        self.every = Some(pause);
        self
    }

    /// How fast keys are copied at most; no limits by default.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Whether a live migration keeps what the target has before it writes there; on by default.
    #[must_use]
    pub fn undo(mut self, undo: bool) -> Self {
        self.undo = undo;
        self
    }

    /// `host:port` by which the target reaches the source, with [`Strategy::Replica`]; by default
    /// the one we reach it by.
    #[must_use]
    pub fn replica_source(mut self, address: impl Into<String>) -> Self {
        self.replica_source = Some(address.into());
        self
    }

    /// `host:port` by which the source reaches the target, with [`Strategy::Migrate`]; by default
    /// the one we reach it by.
    #[must_use]
    pub fn migrate_target(mut self, address: impl Into<String>) -> Self {
        self.migrate_target = Some(address.into());
        self
    }

    /// When a job is taken up again whose source came back without its keys: says that the target
    /// is to lose them too.
    #[must_use]
    pub fn source_emptied(mut self, emptied: bool) -> Self {
        self.source_emptied = emptied;
        self
    }

    /// Whether a live migration keeps on the target all that is needed to take it up again
    /// elsewhere, with [`adopt`](crate::adopt); off by default, when only the position is there.
    #[must_use]
    pub fn checkpoint_in_target(mut self, kept: bool) -> Self {
        self.checkpoint_in_target = kept;
        self
    }

    /// Checks everything that can be checked without connecting.
    ///
    /// # Errors
    /// Names the setting that is missing or out of range, and the accepted values.
    pub fn build(self) -> Result<Config, ConfigError> {
        self.check_differing()?;
        self.check_input()?;
        match self.mode {
            Mode::Live => self.check_live()?,
            Mode::Incremental => self.check_incremental()?,
            Mode::Snapshot => self.check_snapshot()?,
        }
        replica::check(&self)?;
        migrate::check(&self)?;
        self.check_memory()?;
        let source = match self.input {
            Some(input) => Origin::Input(input),
            None => Origin::Server(endpoint("source", self.source, self.source_tls)?),
        };
        let target = endpoint("target", self.target, self.target_tls)?;
        self.limits.check()?;
        let replica_source = match source.address().filter(|_| self.strategy == Strategy::Replica) {
            Some(source) => {
                replica::source(self.replica_source.as_deref(), source, &target.address)?
            }
            None => None,
        };
        let migrate_target = migrate::target(self.migrate_target.as_deref())?;
        between("parallel", self.parallel, 1, PARALLEL_MAX)?;
        between("batch-size", self.batch_size, 1, BATCH_SIZE_MAX)?;
        check_databases(&source, self.input_db, &target)?;
        Ok(Config {
            source,
            target,
            mode: self.mode,
            strategy: self.strategy,
            on_conflict: match self.only_differing {
                true => OnConflict::Replace,
                false => self.on_conflict,
            },
            parallel: self.parallel,
            batch_size: self.batch_size,
            filter: KeyFilter::new(self.include, self.exclude),
            types: self.types,
            only_differing: self.only_differing,
            delete_missing: self.delete_missing,
            clusters: self.clusters,
            verify: self.verify,
            dry_run: self.dry_run,
            memory_limit: self.memory_limit,
            state_dir: self.state_dir,
            spool_limit: self.spool_limit,
            traffic_stayed: self.traffic_stayed,
            every: self.every,
            limits: self.limits,
            undo: self.undo,
            replica_source,
            migrate_target,
            source_emptied: self.source_emptied,
            input_db: self.input_db,
            checkpoint_in_target: self.checkpoint_in_target,
        })
    }

    /// What is no server is read once, from its beginning to its end.
    fn check_input(&self) -> Result<(), ConfigError> {
        let refused = |why: &str| Err(ConfigError(why.to_owned()));
        match &self.input {
            None if self.input_db.is_some() => refused("the database is named in the address"),
            None => Ok(()),
            Some(_) if self.source.is_some() => refused("there are two sources"),
            Some(_) if self.mode != Mode::Snapshot => {
                refused("only a server can be followed: choose --mode snapshot")
            }
            Some(_) if self.strategy != Strategy::Auto => {
                refused("a strategy is a way to read a server: leave --strategy out")
            }
            Some(_) if self.only_differing => {
                refused("only a server can be asked for single keys, to compare them")
            }
            Some(input) if self.verify && !input.kind().is_comparable() => {
                refused("what is verified is read twice, which a pipe cannot be: give a file")
            }
            Some(_) => Ok(()),
        }
    }

    fn check_memory(&self) -> Result<(), ConfigError> {
        if self.memory_limit < MEMORY_LIMIT_MIN {
            return Err(ConfigError(format!(
                "memory-limit must be at least {} MiB",
                MEMORY_LIMIT_MIN >> 20
            )));
        }
        let workers = self.memory_limit / MEMORY_PER_WORKER;
        if self.parallel as u64 > workers {
            return Err(ConfigError(format!(
                "{} parallel workers need a memory-limit of at least {} MiB",
                self.parallel,
                (self.parallel as u64 * MEMORY_PER_WORKER) >> 20
            )));
        }
        Ok(())
    }

    fn check_snapshot(&self) -> Result<(), ConfigError> {
        if self.every.is_some() {
            return Err(ConfigError(String::from(
                "the mode `snapshot` runs once: choose --mode incremental to run it again",
            )));
        }
        if self.checkpoint_in_target {
            return Err(ConfigError(String::from(
                "the mode `snapshot` has no checkpoint: choose --mode live",
            )));
        }
        if self.strategy == Strategy::Fenced {
            return Err(ConfigError(String::from(
                "the strategy `fenced` reads keys while the source is followed: choose --mode live, \
                 or --strategy scan",
            )));
        }
        Ok(())
    }

    fn check_differing(&self) -> Result<(), ConfigError> {
        if self.only_differing && self.strategy == Strategy::Psync {
            return Err(ConfigError(String::from(
                "the strategy `psync` reads everything: what differs is found with scan or fenced",
            )));
        }
        if self.delete_missing && !self.only_differing {
            return Err(ConfigError(String::from(
                "keys are deleted only where both ends are compared: only_differing",
            )));
        }
        if self.delete_missing && !self.types.is_empty() {
            return Err(ConfigError(String::from(
                "keys that are to be deleted cannot be chosen by type: choose by name, --filter",
            )));
        }
        Ok(())
    }

    fn check_incremental(&self) -> Result<(), ConfigError> {
        let refused = |why: &str| Err(ConfigError(format!("the mode `incremental` {why}")));
        if self.verify {
            return refused("leaves comparing to `ferrite-migrate verify`, when nobody writes");
        }
        if self.strategy == Strategy::Psync {
            return refused("reads keys one by one: choose --strategy fenced or auto");
        }
        self.check_live()
    }

    fn check_live(&self) -> Result<(), ConfigError> {
        let mode = self.mode.name();
        let refused = |why: &str| Err(ConfigError(format!("the mode `{mode}` {why}")));
        if self.state_dir.is_none() {
            return refused("needs a directory for its state: state_dir");
        }
        if self.dry_run {
            return refused("cannot be rehearsed: use --dry-run with --mode snapshot");
        }
        if self.on_conflict == OnConflict::Skip {
            return refused(
                "follows every key, also those that were on the target before: choose \
                 --on-conflict fail or replace",
            );
        }
        if !self.types.is_empty() {
            return refused(
                "cannot choose keys by type, which may change: choose by name, --filter",
            );
        }
        if self.strategy == Strategy::Scan && self.mode == Mode::Incremental {
            return refused(
                "reads the source's replication stream: choose --strategy fenced or auto",
            );
        }
        if self.spool_limit < SPOOL_LIMIT_MIN {
            return refused(&format!("needs a spool of at least {} MiB", SPOOL_LIMIT_MIN >> 20));
        }
        Ok(())
    }
}

fn endpoint(which: &str, url: Option<String>, tls: TlsOptions) -> Result<Endpoint, ConfigError> {
    let url = url.ok_or_else(|| ConfigError(format!("no {which} is given")))?;
    let address: Address = url.parse().map_err(|error| ConfigError(format!("{which}: {error}")))?;
    Ok(Endpoint { address, tls })
}

/// Keys of several databases do not go into one: those of the same name would overwrite each other.
fn check_databases(
    source: &Origin,
    input_db: Option<u32>,
    target: &Endpoint,
) -> Result<(), ConfigError> {
    let Some(db) = target.address.named_database() else { return Ok(()) };
    let how = match source {
        Origin::Server(endpoint) if endpoint.address.named_database().is_none() => {
            format!("name one in the source too, as in redis://host:6379/{db}, or none in both")
        }
        Origin::Input(input) if input.kind().has_databases() && input_db.is_none() => {
            String::from("name the one to read too, or none in both")
        }
        _ => return Ok(()),
    };
    Err(ConfigError(format!(
        "the target names database {db}, but the source names none, so all its databases would go \
         there; {how}"
    )))
}

fn between(name: &str, value: usize, min: usize, max: usize) -> Result<(), ConfigError> {
    if (min..=max).contains(&value) {
        return Ok(());
    }
    Err(ConfigError(format!("{name} must be between {min} and {max}, not {value}")))
}
