//! Finds what is wrong with a configuration before anything connects.

use ferrite_client::{Address, TlsOptions};

use super::{
    BATCH_SIZE_MAX, Config, ConfigBuilder, ConfigError, Endpoint, FileStrategy, MEMORY_LIMIT_MIN,
    MEMORY_PER_WORKER, Mode, OnConflict, Origin, PARALLEL_MAX, SPOOL_LIMIT_MIN, Strategy, migrate,
    replica, why_not_loaded,
};
use crate::glob::KeyFilter;

impl ConfigBuilder {
    /// Checks everything that can be checked without connecting.
    ///
    /// # Errors
    /// Names the setting that is missing or out of range, and the accepted values.
    pub fn build(mut self) -> Result<Config, ConfigError> {
        self.take_memcached()?;
        self.check_differing()?;
        self.check_input()?;
        match self.mode {
            Mode::Live if self.input.is_some() => self.check_followed_input()?,
            Mode::Live => self.check_live()?,
            Mode::Incremental => self.check_incremental()?,
            Mode::Snapshot => self.check_snapshot()?,
        }
        replica::check(&self)?;
        migrate::check(&self)?;
        let workers = self.take_workers()?;
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
        let config = Config {
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
            file_strategy: self.file_strategy,
            checkpoint_in_target: self.checkpoint_in_target,
            workers,
        };
        match why_not_loaded(&config).filter(|_| config.file_strategy == FileStrategy::Replica) {
            Some(why) => Err(ConfigError(format!("--strategy replica cannot be: {why}"))),
            None => Ok(config),
        }
    }

    /// What is no server is read once, from its beginning to its end.
    fn check_input(&self) -> Result<(), ConfigError> {
        let refused = |why: &str| Err(ConfigError(why.to_owned()));
        match &self.input {
            None if self.input_db.is_some() => refused("the database is named in the address"),
            None => Ok(()),
            Some(_) if self.source.is_some() => refused("there are two sources"),
            Some(input) if self.mode == Mode::Live && input.kind().is_followable() => Ok(()),
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

    /// What is no server and is followed, by looking at it again and again.
    fn check_followed_input(&self) -> Result<(), ConfigError> {
        let refused = |why: &str| Err(ConfigError(format!("following a Memcached {why}")));
        if self.strategy != Strategy::Auto {
            return refused("has one way only: leave --strategy out");
        }
        if self.only_differing {
            return refused("copies what changes by itself: use `migrate`");
        }
        if self.verify {
            return refused("is compared when nobody writes any more: ferrite-migrate verify");
        }
        if self.dry_run {
            return refused("cannot be rehearsed: use --dry-run with --mode snapshot");
        }
        if self.on_conflict == OnConflict::Skip {
            return refused(
                "writes a key again when it changes: choose --on-conflict fail or replace",
            );
        }
        if !self.types.is_empty() {
            return refused("cannot choose keys by type: choose by name, --filter");
        }
        if self.checkpoint_in_target {
            return refused("keeps no checkpoint");
        }
        Ok(())
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
        if self.every.is_some() && self.mode == Mode::Live {
            return Err(ConfigError(String::from(
                "--every is for incremental migrations, and for a Memcached that is followed",
            )));
        }
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
