//! What a configuration is made of, setting by setting.

use std::path::PathBuf;
use std::time::Duration;

use ferrite_client::TlsOptions;

use super::{ConfigBuilder, KeyType, Mode, OnConflict, Strategy};
use crate::engine::Limits;
use crate::inputs::Input;

impl ConfigBuilder {
    /// The source, as `redis://user:password@host:port/db` or any scheme of [`Address`]; or the
    /// servers of a Memcached, as `memcached://host:port,host:port`.
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

    /// The target, as a server likewise.
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
}
