//! Append-only files: the snapshot they begin with, then their commands, in order.
//!
//! ```text
//! first pass      every command is looked at, nothing is written: damage, times that are missing
//!                 and commands that cannot be applied are found here
//! snapshot        as an RDB file, expiries held
//! second pass     commands in their order, transactions whole, expiries held
//! release         expiries are given back: what is due expires now
//! ```
//!
//! What the target has afterwards is what a server has that loads the same files.

mod files;
mod pass;
mod plan;
mod release;
mod replay;
mod walk;
mod window;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ferrite_rdb::transcode::{Target, Transcoder};
use tokio::task::spawn_blocking;

use super::{Bytes, Follow, Kind, Opened, Place};
use crate::config::{Config, OnConflict};
use crate::engine::{Job, now_ms};
use crate::error::{ErrorKind, MigrateError};
use crate::live::{Abilities, HOLD_MS};
use crate::preflight::{Destination, Server};
use crate::report::{PreflightReport, Replayed};
use crate::sources::rdb::{RdbSource, Supply};
use crate::sources::{BoxFuture, Feed, Source};
use crate::targets::redis::{connect, target_error};
use crate::time::rfc3339;
use files::AofFile;
use pass::{Manner, Passed, pass};
use plan::{Rules, Window};

/// How an append-only file is imported.
#[derive(Clone, Debug, Default)]
pub struct AofOptions {
    /// Only commands executed after this moment (Unix ms, to the second); what was there before is
    /// expected on the target.
    pub after_ms: Option<u64>,
    /// The state at the end of the second of this moment (Unix ms).
    pub before_ms: Option<u64>,
    /// Whether damage is gone past, to the next command.
    pub salvage: bool,
}

/// An append-only file: one file, or a directory with a manifest.
#[derive(Debug)]
pub struct AofInput {
    path: PathBuf,
    options: AofOptions,
}

impl AofInput {
    /// The append-only file at that path.
    #[must_use]
    pub fn new(path: &Path, options: AofOptions) -> Self {
        Self { path: path.to_owned(), options }
    }

    /// Whether a file that begins so is one without a snapshot in front.
    #[must_use]
    pub fn is_begun_by(begins: &[u8]) -> bool {
        begins.starts_with(b"*") || begins.starts_with(b"#TS:")
    }

    /// The append-only file that a file is which begins as an RDB does: one with commands behind it.
    ///
    /// # Errors
    /// A file that cannot be read; a damaged snapshot.
    pub async fn behind_rdb(place: &Place, begins: &[u8]) -> Result<Option<Self>, MigrateError> {
        let Place::File(path) = place else { return Ok(None) };
        if !files::announces_commands(begins) {
            return Ok(None);
        }
        let file = path.clone();
        let looked = spawn_blocking(move || files::has_commands_behind(&file)).await;
        let has_commands = looked.unwrap_or_else(|panic| {
            Err(MigrateError::new(ErrorKind::Internal, "looking at the file", panic))
        })?;
        Ok(has_commands.then(|| Self::new(path, AofOptions::default())))
    }

    /// Looks at it where another kind of file may have been meant, which can do more.
    ///
    /// # Errors
    /// As [`look`](Self::look).
    pub async fn look_instead(
        &self,
        renames: bool,
        job: Arc<Job>,
        report: &mut PreflightReport,
    ) -> Result<Opened, MigrateError> {
        if renames || job.config.verify {
            let detail = format!(
                "{} is an append-only file, which is read as it stands",
                self.path.display()
            );
            report.block("source file", detail, "leave --transform-keys and --verify out");
        }
        self.look(job, report).await
    }

    /// Looks at all of it; a check that fails is a line of the report.
    ///
    /// # Errors
    /// Options that cannot be kept, files that cannot be read.
    pub async fn look(
        &self,
        job: Arc<Job>,
        report: &mut PreflightReport,
    ) -> Result<Opened, MigrateError> {
        check_options(&job.config, &self.options)?;
        let path = self.path.clone();
        let files = spawn_blocking(move || files::list(&path)).await;
        let files = files.unwrap_or_else(|panic| {
            Err(MigrateError::new(ErrorKind::Internal, "looking at the file", panic))
        })?;
        let count = files.len();
        let snapshot = files.first().filter(|file| file.rdb.is_some());
        let begins = if snapshot.is_some() { "a snapshot, then commands" } else { "commands" };
        let detail =
            format!("{} is an append-only file of {count} files: {begins}", self.path.display());
        report.ok("source file", detail.replace("of 1 files", "of one file"));
        let source: Box<dyn Source> = match snapshot.filter(|_| self.options.after_ms.is_none()) {
            Some(file) => {
                let place = Place::File(file.path.clone());
                let bytes = Bytes::open(&place).await?;
                let mut source = RdbSource::new(Arc::clone(&job), SnapshotSupply { place, bytes });
                source.holds = true;
                Box::new(source)
            }
            None => Box::new(NoSnapshot),
        };
        let commands = Commands {
            options: self.options.clone(),
            command_limit: command_limit(&job.config),
            files: Arc::new(files),
            rules: None,
        };
        Ok(Opened { source, keys_total: 0, then: Some(Box::new(commands)) })
    }
}

/// The longest command: it is held in the window it is read in, as it is rewritten, as it is to be
/// sent and in the batch on its way; and its words cost more than their bytes.
fn command_limit(config: &Config) -> usize {
    usize::try_from(config.memory_limit / 10).unwrap_or(usize::MAX)
}

fn check_options(config: &Config, options: &AofOptions) -> Result<(), MigrateError> {
    let refused = |cause: &str| {
        Err(MigrateError::new(ErrorKind::Config, "importing an append-only file", cause))
    };
    match (options.after_ms, options.before_ms) {
        _ if !config.types.is_empty() => {
            refused("its commands do not tell the types of their keys: leave --type out")
        }
        _ if config.on_conflict == OnConflict::Skip => {
            refused("a command cannot be applied in part: choose --on-conflict fail or replace")
        }
        (Some(after), Some(before)) if after >= before => {
            refused("--after is not before --before: nothing would be left")
        }
        _ => Ok(()),
    }
}

impl Kind for AofInput {
    fn name(&self) -> &'static str {
        "aof"
    }

    fn place(&self) -> String {
        self.path.display().to_string()
    }

    fn has_databases(&self) -> bool {
        true
    }

    fn open<'a>(
        &'a self,
        job: Arc<Job>,
        report: &'a mut PreflightReport,
    ) -> BoxFuture<'a, Result<Opened, MigrateError>> {
        Box::pin(self.look(job, report))
    }
}

/// A file without a snapshot, or one whose snapshot is not wanted.
struct NoSnapshot;

impl Source for NoSnapshot {
    fn read(self: Box<Self>, _: Feed) -> BoxFuture<'static, Result<(), MigrateError>> {
        Box::pin(std::future::ready(Ok(())))
    }
}

/// The bytes of the snapshot.
struct SnapshotSupply {
    place: Place,
    bytes: Bytes,
}

impl Supply for SnapshotSupply {
    fn bytes(&self) -> &[u8] {
        self.bytes.available()
    }

    fn consume(&mut self, count: usize) {
        self.bytes.consume(count);
    }

    async fn fill(&mut self) -> Result<(), MigrateError> {
        match self.bytes.fill().await? {
            true => Ok(()),
            false => {
                let kind = ferrite_rdb::ErrorKind::Truncated("the RDB");
                Err(self.bad_data(&ferrite_rdb::Error::new(kind, self.bytes.offset())))
            }
        }
    }

    fn bad_data(&self, error: &ferrite_rdb::Error) -> MigrateError {
        MigrateError::new(
            ErrorKind::Data,
            format!("reading the RDB in front of {}", self.place),
            error,
        )
    }
}

/// The commands behind the snapshot.
struct Commands {
    options: AofOptions,
    command_limit: usize,
    files: Arc<Vec<AofFile>>,
    rules: Option<Rules>,
}

impl Commands {
    fn manner(&self) -> Manner {
        Manner { command_limit: self.command_limit, salvages: self.options.salvage }
    }

    fn rules(&self, config: &Config, target: &Server) -> Rules {
        let version = target.redis_version();
        let written_by = self.files.iter().find_map(|file| file.rdb).map(|rdb| rdb.format);
        let source = written_by.unwrap_or(target.dump_format());
        let values = target.values();
        let seconds = |at_ms: Option<u64>| at_ms.map(|at_ms| at_ms / 1000);
        Rules {
            filter: config.filter.clone(),
            window: Window {
                after: seconds(self.options.after_ms),
                before: seconds(self.options.before_ms),
            },
            only_db: config.source_db(),
            target_db: config.target_db(),
            abilities: Abilities {
                // A set that has them would be found out when the import is half done.
                members_as_fields: false,
                ..Abilities::new(source, &values, (version.major, version.minor))
            },
            holding: Transcoder::new(source, &Target { hold_fields_ms: HOLD_MS, ..values }),
            now_ms: now_ms(),
            functions: target.has_functions(),
            has_others: target.info.keys() > 0 && !self.continues(config),
            replaces: config.on_conflict == OnConflict::Replace && self.options.after_ms.is_none(),
            clears: false,
        }
    }

    /// Whether the target has what was there before, and nothing else.
    fn continues(&self, config: &Config) -> bool {
        self.options.after_ms.is_some() && config.filter.is_all() && config.source_db().is_none()
    }

    /// The first pass.
    async fn survey(&self, rules: &Rules) -> Result<Passed, MigrateError> {
        let (files, rules, manner) = (Arc::clone(&self.files), rules.clone(), self.manner());
        let looked =
            spawn_blocking(move || pass(&files, &rules, manner, |_| Ok(walk::Flow::Continue(()))));
        looked.await.unwrap_or_else(|panic| {
            Err(MigrateError::new(ErrorKind::Internal, "looking at the commands", panic))
        })
    }

    async fn replayed(
        &self,
        job: &Arc<Job>,
        target: &Server,
        rules: Rules,
    ) -> Result<Passed, MigrateError> {
        let connection = connect(&target.connector.clone().client_name(job.applier_name())).await?;
        replay::replay(job, connection, Arc::clone(&self.files), rules, self.manner()).await
    }

    async fn all(&self, job: &Arc<Job>, target: &Server) -> Result<Replayed, MigrateError> {
        let rules = self.rules.clone().unwrap_or_else(|| self.rules(&job.config, target));
        if job.config.dry_run {
            let passed = self.survey(&rules).await?;
            return Ok(self.report(job, &passed, 0));
        }
        let passed = self.replayed(job, target, rules).await;
        // What was held is given back, however it ended.
        let released = self.release(job, target).await;
        let passed = passed?;
        Ok(self.report(job, &passed, released?))
    }

    async fn release(&self, job: &Arc<Job>, target: &Server) -> Result<u64, MigrateError> {
        let connector = &target.connector;
        let lost = |error| {
            target_error("releasing expiries", connector, &error).with_hint(
                "expiries are on the target 1115 years too late: empty it, and import again",
            )
        };
        let mut connection = connect(connector).await?;
        let dbs = match job.config.target_db() {
            Some(db) => vec![db],
            None => release::databases(&mut connection).await.map_err(lost)?,
        };
        release::release_all(target, &dbs).await.map_err(lost)
    }

    /// Tells what was not applied, and gives the counts.
    fn report(&self, job: &Job, passed: &Passed, released: u64) -> Replayed {
        for note in &passed.notes {
            let place = format!("{} from byte {} on", note.file.display(), note.offset);
            match note.what {
                "gap" => job.tally(|tally| {
                    let name = format!("{} bytes of {place}", note.bytes);
                    tally.leave_out(0, name.as_bytes(), "damage in the file");
                }),
                "truncated" => job.warn(format!(
                    "the last command was not written whole and is left out: {} bytes of {place}",
                    note.bytes
                )),
                _ => job.warn(format!(
                    "a transaction has no end, and nothing of it is applied: {} bytes of {place}",
                    note.bytes
                )),
            }
        }
        if self.options.after_ms.is_some() {
            job.warn(
                "what was there before --after is expected on the target, and was not imported",
            );
        }
        let counts = passed.plan.counts;
        if counts.from_now > 0 {
            job.warn(format!(
                "{} RESTORE tell how long their keys live, not until when: counted from now, as a \
                 server does that loads the file",
                counts.from_now
            ));
        }
        Replayed {
            files: self.files.len() as u64,
            commands: counts.applied,
            transactions: counts.transactions,
            filtered: counts.filtered,
            outside: counts.outside,
            discarded: counts.discarded,
            gaps: passed.gaps,
            first_time: passed.times.map(|(first, _)| rfc3339(first * 1000)),
            last_time: passed.times.map(|(_, last)| rfc3339(last * 1000)),
            expiries_released: released,
        }
    }
}

impl Follow for Commands {
    fn check<'a>(
        &'a mut self,
        job: &'a Arc<Job>,
        target: &'a Destination,
    ) -> BoxFuture<'a, Result<(), MigrateError>> {
        Box::pin(async move {
            if target.target.info.cluster_enabled {
                let doing = "importing an append-only file";
                let cause =
                    "its commands are in one order, which the nodes of a cluster do not keep";
                return Err(MigrateError::new(ErrorKind::Config, doing, cause).with_hint(
                    "import it into one server, and from there: ferrite-migrate migrate",
                ));
            }
            let rules = self.rules(&job.config, &target.target);
            self.survey(&rules).await?;
            self.rules = Some(rules);
            Ok(())
        })
    }

    fn begin<'a>(
        &'a mut self,
        job: &'a Arc<Job>,
        target: &'a Destination,
    ) -> BoxFuture<'a, Result<(), MigrateError>> {
        Box::pin(async move {
            let Some(rules) = self.rules.clone().filter(|rules| rules.has_others) else {
                return Ok(());
            };
            if self.options.after_ms.is_some() {
                return Ok(());
            }
            let rules = Rules { clears: true, ..rules };
            self.replayed(job, &target.target, rules).await.map(|_| ())
        })
    }

    fn finish<'a>(
        &'a mut self,
        job: &'a Arc<Job>,
        target: &'a Destination,
    ) -> BoxFuture<'a, Result<Replayed, MigrateError>> {
        Box::pin(async move { self.all(job, &target.target).await })
    }
}
