//! Compares the keys of the servers with what the target has for them.
//!
//! Keys that are on the target only are not looked for: a cache evicts, and a key that it gave up
//! since is none too many.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ferrite_client::memcached::{Answer, DumpedKey, Memcached, ValueHeader};
use ferrite_client::{ClientError, Connector};
use ferrite_rdb::digest::DigestOptions;
use ferrite_rdb::{Sink, ValueKind, decode, encode};
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinSet;

use super::MemcachedFlags;
use super::read::{Waiting, list, share};
use super::record::{self, FORMAT, Records};
use super::server::{Server, lost};
use crate::engine::{Job, now_ms};
use crate::error::{ErrorKind, MigrateError};
use crate::model::RecordHead;
use crate::preflight::Server as Target;
use crate::report::{Difference, DifferenceKind, KeyName, Phase, VerificationReport};
use crate::verify::{
    Coverage, End, Findings, Found, Measured, Verdict, judge, options, unit_random,
};

/// Expiries may be so far apart: Memcached keeps whole seconds, and tells the time left.
const TOLERANCE_MS: u64 = 2000;
/// Lists of keys that wait for a comparer, for each server.
const NAMES_WAITING: usize = 4;
/// Keys that are read from the target together.
const TOGETHER: usize = 100;
/// How long to wait before a key that differs is looked at once more.
const BEFORE_SECOND_LOOK: Duration = Duration::from_millis(100);

/// Compares all keys of the servers, or as many as `coverage` says.
///
/// # Errors
/// An end that cannot be read.
pub async fn compare(
    job: &Arc<Job>,
    connectors: Vec<Connector>,
    flags: MemcachedFlags,
    coverage: Coverage,
) -> Result<VerificationReport, MigrateError> {
    let target = Target::connect(job, &job.config.target).await;
    let target = target.map_err(|error| {
        let doing = format!("connecting to the target {}", job.config.target.address);
        MigrateError::new(ErrorKind::Target, doing, &error)
    })?;
    let target = Arc::new(target);
    let (mut servers, mut keys) = (Vec::new(), 0);
    for connector in connectors {
        let asked = Server::ask(&connector).await;
        let (server, _, stats) = asked.map_err(|error| lost(&connector, "asking it", &error))?;
        keys += stats.items();
        servers.push(server);
    }
    job.begin(Phase::Verifying, keys);
    let began = Instant::now();
    let findings = Arc::new(Findings::default());
    let rate = match coverage {
        Coverage::Full => 1.0,
        Coverage::Rate(rate) => rate,
        // How many keys there are is known only about: the sample is about as large.
        Coverage::Sample(sample) => sample as f64 / keys.max(1) as f64,
    };
    if coverage != Coverage::Full {
        findings.count(|report| report.sampled_from = Some(keys));
    }
    let (at_once, comparers) = share(servers.len(), job.config.parallel);
    let mut comparing = JoinSet::new();
    for server in servers {
        if comparing.len() >= at_once {
            one(&mut comparing).await?;
        }
        let (job, target) = (Arc::clone(job), Arc::clone(&target));
        let whole = Whole { job, server, target, flags, findings: Arc::clone(&findings) };
        comparing.spawn(whole.compare(comparers, rate));
    }
    while !comparing.is_empty() {
        one(&mut comparing).await?;
    }
    let mut report = VerificationReport::default();
    findings.count(|found| report = std::mem::take(found));
    report.elapsed_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    report.interrupted = job.stop.is_stopped();
    report.success = report.is_verified() && !report.interrupted;
    Ok(report)
}

async fn one(tasks: &mut JoinSet<Result<(), MigrateError>>) -> Result<(), MigrateError> {
    let Some(ended) = tasks.join_next().await else { return Ok(()) };
    ended.unwrap_or_else(|panic| {
        Err(MigrateError::new(ErrorKind::Internal, "comparing keys", panic))
    })
}

/// One server that is compared whole.
struct Whole {
    job: Arc<Job>,
    server: Server,
    target: Arc<Target>,
    flags: MemcachedFlags,
    findings: Arc<Findings>,
}

impl Whole {
    async fn compare(self, comparers: usize, rate: f64) -> Result<(), MigrateError> {
        let (names, waiting) = mpsc::channel(NAMES_WAITING);
        let waiting = Arc::new(Mutex::new(waiting));
        let mut tasks = JoinSet::new();
        for _ in 0..comparers {
            let comparer = Comparer::connect(&self).await?;
            tasks.spawn(comparer.run(Arc::clone(&waiting)));
        }
        drop(waiting);
        let filter = &self.job.config.filter;
        let mut random = unit_random();
        let is_wanted = |key: &[u8]| filter.accepts(key) && (rate >= 1.0 || random() < rate);
        list(&self.server, &self.job.stop, is_wanted, &names).await?;
        drop(names);
        while !tasks.is_empty() {
            one(&mut tasks).await?;
        }
        Ok(())
    }
}

/// What the target should have: a name, and what is stored there.
type Wanted = (Vec<u8>, Found);

/// Compares the keys that are waiting.
struct Comparer {
    job: Arc<Job>,
    server: Server,
    memcached: Memcached,
    target: End,
    records: Records,
    findings: Arc<Findings>,
    options: DigestOptions,
    db: u32,
}

impl Comparer {
    async fn connect(whole: &Whole) -> Result<Self, MigrateError> {
        let memcached = whole.server.connect("connecting").await?;
        Ok(Self {
            memcached,
            target: End::written_to(&whole.job, &whole.target).await?,
            job: Arc::clone(&whole.job),
            server: whole.server.clone(),
            records: Records::new(whole.flags),
            findings: Arc::clone(&whole.findings),
            options: options(FORMAT, whole.target.dump_format()),
            db: whole.job.config.target_db().unwrap_or(0),
        })
    }

    async fn run(mut self, waiting: Waiting) -> Result<(), MigrateError> {
        loop {
            let Some(names) = waiting.lock().await.recv().await else { return Ok(()) };
            for names in names.chunks(TOGETHER) {
                if self.job.stop.is_stopped() {
                    return Ok(());
                }
                let mut differing = Vec::new();
                self.look(names, |named, _| differing.push(named.clone())).await?;
                if differing.is_empty() {
                    continue;
                }
                // Either end may be in use: what differs is looked at once more.
                tokio::time::sleep(BEFORE_SECOND_LOOK).await;
                let findings = Arc::clone(&self.findings);
                self.look(&differing, |_, difference| {
                    findings.count(|report| report.compared += 1);
                    findings.differs(difference);
                })
                .await?;
            }
        }
    }

    /// Compares these keys, and says of each whose values do not count as equal in what they
    /// differ.
    async fn look(
        &mut self,
        names: &[DumpedKey],
        mut differs: impl FnMut(&DumpedKey, Difference),
    ) -> Result<(), MigrateError> {
        let (mut rest, unasked): (Vec<_>, Vec<_>) =
            names.iter().partition(|named| self.memcached.can_ask(&named.key));
        self.findings.count(|report| report.not_comparable += unasked.len() as u64);
        while !rest.is_empty() {
            let asked = self.memcached.ask(rest.iter().map(|named| named.key.as_slice())).await;
            let asked = asked.map_err(|error| self.lost(&error))?;
            let later = rest.split_off(asked.clamp(1, rest.len()));
            let mut wanted = Vec::new();
            for named in std::mem::replace(&mut rest, later) {
                let values = self.wanted(named).await?;
                wanted.extend(values.into_iter().map(|(name, found)| (named, name, found)));
                self.job.progress(1, named.size);
            }
            let keys: Vec<&[u8]> = wanted.iter().map(|(_, name, _)| name.as_slice()).collect();
            self.target.request(self.db, &keys).await?;
            let mut matching = 0;
            for (named, name, ours) in &wanted {
                match self.compare(name, ours).await? {
                    Some(difference) => differs(named, difference),
                    None => matching += 1,
                }
            }
            self.findings.count(|report| {
                report.compared += matching;
                report.matching += matching;
            });
        }
        Ok(())
    }

    /// What the target should have for a key: nothing where the key has gone.
    async fn wanted(&mut self, named: &DumpedKey) -> Result<Vec<Wanted>, MigrateError> {
        let answer = self.memcached.answer(self.job.config.fetch_limit()).await;
        match answer {
            Ok(Answer::Missing) => Ok(Vec::new()),
            Ok(Answer::Small(header)) => {
                let wanted = self.small(named, &header);
                self.memcached.taken();
                Ok(wanted)
            }
            Ok(Answer::Large(header)) => self.large(named, &header).await,
            Err(ClientError::Reply { error, .. }) if error.code == "SERVER_ERROR" => {
                self.findings.count(|report| report.not_comparable += 1);
                Ok(Vec::new())
            }
            Err(error) => Err(self.lost(&error)),
        }
    }

    fn small(&mut self, named: &DumpedKey, header: &ValueHeader) -> Vec<Wanted> {
        if self.records.refuses(header.flags, false).is_some() {
            self.findings.count(|report| report.not_comparable += 1);
            return Vec::new();
        }
        let with = (header.flags, self.server.clock.expiry_ms(named, header, now_ms()));
        let (types, options) = (&self.job.config.types, &self.options);
        let mut wanted = Vec::new();
        self.records.of(&named.key, with, self.memcached.value(), |name, head, value| {
            let Some(found) = read_back(head, value, options) else { return };
            let is_wanted = types.is_empty()
                || found.kind.is_some_and(|kind| types.iter().any(|t| t.name() == kind.name()));
            if is_wanted {
                wanted.push((name.to_vec(), found));
            }
        });
        wanted
    }

    async fn large(
        &mut self,
        named: &DumpedKey,
        header: &ValueHeader,
    ) -> Result<Vec<Wanted>, MigrateError> {
        let expires_at_ms = self.server.clock.expiry_ms(named, header, now_ms());
        let is_refused = self.records.refuses(header.flags, true).is_some();
        let mut measured = Measured::new(&self.options);
        let total = header.size as u64;
        loop {
            let more = self.memcached.piece(|piece| measured.string_part(total, piece)).await;
            if !more.map_err(|error| self.lost(&error))? {
                break;
            }
        }
        if is_refused {
            self.findings.count(|report| report.not_comparable += 1);
            return Ok(Vec::new());
        }
        let found = describe(record::head(encode::TYPE_STRING, expires_at_ms), measured);
        let mut wanted = vec![(named.key.clone(), found)];
        let (with, options) = ((header.flags, expires_at_ms), &self.options);
        self.records.beside(&named.key, with, |name, head, value| {
            wanted.extend(read_back(head, value, options).map(|found| (name.to_vec(), found)));
        });
        Ok(wanted)
    }

    /// In what the next key of the target differs from what it should have.
    async fn compare(
        &mut self,
        name: &[u8],
        ours: &Found,
    ) -> Result<Option<Difference>, MigrateError> {
        let theirs = self.target.next().await?;
        let theirs = self.target.found(name, theirs, &self.options).await?;
        let is_expiring = ours.expires_at_ms.is_some_and(|at| at <= now_ms() + TOLERANCE_MS);
        let (kind, detail) = match theirs {
            None if is_expiring => return Ok(None),
            None => (DifferenceKind::MissingTarget, String::from("only on the source")),
            Some(theirs) => match judge(ours, &theirs, TOLERANCE_MS) {
                Verdict::Differs(kind, detail) => (kind, detail),
                _ => return Ok(None),
            },
        };
        Ok(Some(Difference { db: self.db, key: KeyName(name.to_vec()), kind, detail }))
    }

    fn lost(&self, error: &ClientError) -> MigrateError {
        lost(&self.server.connector, "reading keys", error)
    }
}

/// What a stored value is; `None` for one that we could not have written.
fn read_back(head: RecordHead, value: &[u8], options: &DigestOptions) -> Option<Found> {
    let mut measured = Measured::new(options);
    decode(FORMAT, head.type_byte, value, &mut measured).ok()?;
    Some(describe(head, measured))
}

fn describe(head: RecordHead, measured: Measured) -> Found {
    let (size, groups) = (measured.size(), measured.groups());
    let RecordHead { type_byte, expires_at_ms, .. } = head;
    let kind = ValueKind::of(FORMAT, type_byte);
    Found { kind, expires_at_ms, digest: measured.finish(), size, groups, type_byte }
}
